/* net/socket.h - sockets that listen and sockets that connect. */
#ifndef PLAIT_NET_SOCKET_H
#define PLAIT_NET_SOCKET_H

#include <time.h>

#include "base/deadline.h"
#include "net/address.h"

/* The moment, on CLOCK_MONOTONIC. */
static inline int64_t plait__net_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * PLAIT__SECOND + time.tv_nsec;
}

/* One that listens, and blocks nobody who accepts.  mode: of a path, in place of 0600.  *address becomes what it has got.  The
 * descriptor, or -errno. */
int plait__socket_listen(struct plait__address *address, int backlog, unsigned mode);

/* One that is connected to the first of the addresses, at least one, that answers; each has its part of the time that is left.
 * The descriptor, or -errno: of the last one that was tried. */
int plait__socket_connect(const struct plait__address *addresses, int count, plait_deadline deadline);

/* The next one who has connected.  The descriptor, -EAGAIN: there is none, -errno. */
int plait__socket_accept(int fd, struct plait__address *peer);

#endif
