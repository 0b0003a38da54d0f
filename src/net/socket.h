/* net/socket.h - sockets that listen and sockets that connect. */
#ifndef PLAIT_NET_SOCKET_H
#define PLAIT_NET_SOCKET_H

#include <plait/deadline.h>

#include "net/address.h"

/* One that listens, and blocks nobody who accepts.  mode: of a path, in place of 0600.  *address becomes what it has got.  The
 * descriptor, or -errno. */
int plait__socket_listen(struct plait__address *address, int backlog, unsigned mode);

/* One that is connected.  The descriptor, or -errno. */
int plait__socket_connect(const struct plait__address *address, plait_deadline deadline);

/* The next one who has connected.  The descriptor, -EAGAIN: there is none, -errno. */
int plait__socket_accept(int fd, struct plait__address *peer);

#endif
