/* join/address.h - where a door is, and what goes through it.
 *
 * A door is a listening socket that keeps the bounds of packets (SOCK_SEQPACKET).  Who joins connects, and says nothing.  Who sees
 * to the door sends one packet, a struct plait__invitation, with the memfd if it lets the other in, and closes.  So it never waits
 * for the other, and what the other sends nobody reads.
 */
#ifndef PLAIT_JOIN_ADDRESS_H
#define PLAIT_JOIN_ADDRESS_H

#include <stdbool.h>
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

/* The process that opened the door, of a socket that is connected to it, or that listens: while forks of it have the socket, its
 * end is not to be seen there.  pid: its number, if it is known.  A descriptor that becomes readable when it ends; -ESRCH: it has
 * ended; others below 0: it can't be watched. */
int plait__watch_maker(int fd, pid_t pid);

/* What plait__watch_maker has given. */
bool plait__maker_has_ended(int watched);

/* Whether this process has a door. */
int plait__has_doors(void);

#endif
