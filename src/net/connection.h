/* net/connection.h - a socket that is through with its handshake becomes a connection. */
#ifndef PLAIT_NET_CONNECTION_H
#define PLAIT_NET_CONNECTION_H

#include <unistd.h>

#include <plait/connection.h>

#include "base/error.h"

/* NULL, with errno: the socket is closed. */
static inline plait_connection *plait__net_connection(int fd)
{
    plait_connection *connection = plait_connection_from_fd(fd, 1, 1);
    if (connection) return connection;
    const int error = errno;
    close(fd);
    errno = error;
    return NULL;
}

#endif
