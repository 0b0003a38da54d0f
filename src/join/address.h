/* join/address.h - where a door is, and what goes through it.
 *
 * A door is a listening socket that keeps the bounds of packets (SOCK_SEQPACKET).  Who joins connects, and says nothing.  Who sees
 * to the door sends one packet, a struct plait__invitation, with the memfd if it lets the other in, and closes.  So it never waits
 * for the other, and what the other sends nobody reads.
 */
#ifndef PLAIT_JOIN_ADDRESS_H
#define PLAIT_JOIN_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PLAIT__INVITATION_MAGIC UINT64_C(0x6f6f64746961706c)

struct plait__invitation {
    uint64_t magic;
    int32_t error;                                         /* 0: come in; or why not */
    uint32_t reserved;
};

struct plait__address {
    struct sockaddr_un socket;
    socklen_t length;
};

/* "@name" is an abstract one.  0, -EINVAL, -ENAMETOOLONG. */
int plait__address_of(const char *path, struct plait__address *address);

/* A socket for it: closed on exec, not blocking, above 2.  -errno with a detail. */
int plait__door_socket(void);

/* Whether the other end is one of those who share everything with us: 0, -EPERM. */
int plait__check_peer(int fd, struct ucred *peer);

/* Whether this process has a door. */
int plait__has_doors(void);

#endif
