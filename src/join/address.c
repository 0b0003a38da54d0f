#include "join/address.h"

#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/pidfd.h"
#include "family/wait.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77                                    /* Linux 6.5; the same number on almost every architecture */
#endif

int plait__address_of(const char *path, struct plait__address *address)
{
    *address = (struct plait__address){ .socket.sun_family = AF_UNIX };
    if (!path || !*path || strcmp(path, "@") == 0) return plait__fail(-EINVAL, "the path is %s", path ? "empty" : "NULL");
    size_t length = strlen(path), room = sizeof address->socket.sun_path;
    if (length >= room) return plait__fail(-ENAMETOOLONG, "a socket's path has at most %zu bytes", room - 1);
    memcpy(address->socket.sun_path, path, length);
    bool is_abstract = *path == '@';
    if (is_abstract) address->socket.sun_path[0] = 0;      /* its end is told by the length alone */
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    return 0;
}

int plait__door_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fd = plait__above_stdio(fd < 0 ? -errno : fd);
    return fd < 0 ? plait__fail(fd, "a socket: %s", plait_strerror(fd)) : fd;
}

/* Of who has connected as it was then, of who listens as it was when it began to. */
int plait__check_peer(int fd, struct ucred *peer)
{
    socklen_t size = sizeof *peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0)
        return plait__fail(-errno, "asking who is there: %s", plait_strerror(errno));
    if (peer->uid == geteuid() || peer->uid == 0) return 0;
    return plait__fail(-EPERM, "there is a program of user %u: members of a family trust each other, so they are of one user",
                       (unsigned)peer->uid);
}

/* (EINVAL is what some kernels say of one that has ended.) */
int plait__watch_maker(int fd, pid_t pid)
{
    int watched = -1;
    socklen_t size = sizeof watched;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &watched, &size) == 0) return plait__above_stdio(watched);
    if (errno == ESRCH || errno == EINVAL) return -ESRCH;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) return -errno;
    return pid > 0 ? plait__pidfd_open(pid) : -EINVAL;
}

bool plait__maker_has_ended(int watched)
{
    return watched == -ESRCH || (watched >= 0 && plait__wait_fd(watched, POLLIN, PLAIT_NOW) > 0);
}
