#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/wait.h"

/* A machine that went off the net without a word is noticed after a minute at the latest. */
enum { ALIVE_AFTER = 30, ALIVE_EVERY = 10, ALIVE_TIMES = 3, UNHEARD_MS = 60 * 1000 };

static int new_socket(int family, int type)
{
    const int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return plait__above_stdio(fd < 0 ? -errno : fd);
}

static void set(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

/* Messages go at once, and not when more have gathered. */
static void tune(int fd, const struct plait__address *address)
{
    if (address->is.any.sa_family == AF_UNIX) return;
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_AFTER);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_EVERY);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, ALIVE_TIMES);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNHEARD_MS);
}

/* With the descriptor closed. */
static int failed(int fd, int error, const char *what, const struct plait__address *address)
{
    char text[PLAIT__ADDRESS_TEXT];
    if (fd >= 0) close(fd);
    plait__address_text(address, text);
    return plait__fail(-error, "%s %s: %s", what, text, plait_strerror(error));
}

/* ---- to listen ---- */

/* Does nobody have it any more?  Asked with datagrams: who listens for connections is not of that type (EPROTOTYPE), and does not
 * notice; one that connects would come out of its accept, and break off. */
static bool is_left(const char *path, const struct plait__address *address)
{
    struct stat status;
    if (stat(path, &status) < 0 || !S_ISSOCK(status.st_mode)) return false;
    const int probe = new_socket(AF_UNIX, SOCK_DGRAM);
    if (probe < 0) return false;
    const bool left = connect(probe, &address->is.any, address->size) < 0 && errno == ECONNREFUSED;
    close(probe);
    return left;
}

/* A path that nobody listens at any more is left to its owner: it might be anything. */
static int is_taken(int fd, const struct plait__address *address)
{
    char text[PLAIT__ADDRESS_TEXT];
    close(fd);
    plait__address_text(address, text);
    return plait__fail(-EADDRINUSE, "%s is %s", text, plait__address_is_path(address) && is_left(text, address)
                       ? "the socket of a listener that has ended without closing it: remove it" : "in use");
}

static int bind_it(int fd, const struct plait__address *address, unsigned mode)
{
    const bool is_path = plait__address_is_path(address);
    if (address->is.any.sa_family != AF_UNIX) set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (is_path && fchmod(fd, S_IRUSR | S_IWUSR) < 0) return -1;                 /* so that it is born with it */
    if (bind(fd, &address->is.any, address->size) < 0) return -1;
    if (!is_path || !mode || chmod(address->is.path.sun_path, mode) == 0) return 0;
    const int error = errno;
    unlink(address->is.path.sun_path);
    errno = error;
    return -1;
}

int plait__socket_listen(struct plait__address *address, int backlog, unsigned mode)
{
    const int fd = new_socket(address->is.any.sa_family, SOCK_STREAM);
    if (fd < 0) return failed(-1, -fd, "a socket for", address);
    if (bind_it(fd, address, mode) < 0)
        return errno == EADDRINUSE ? is_taken(fd, address) : failed(fd, errno, "listening at", address);
    const bool is_path = plait__address_is_path(address);
    const struct plait__address asked = *address;
    address->size = sizeof address->is;
    if (listen(fd, backlog) == 0 && getsockname(fd, &address->is.any, &address->size) == 0) return fd;
    const int error = errno;
    *address = asked;
    if (is_path) unlink(address->is.path.sun_path);
    return failed(fd, error, "listening at", address);
}

/* What happened to one who has gone again, and troubles of the net, are not the listener's. */
static bool is_of_the_guest(int error)
{
    return error == ECONNABORTED || error == ENETDOWN || error == EPROTO || error == ENOPROTOOPT || error == EHOSTDOWN
        || error == ENONET || error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH;
}

int plait__socket_accept(int fd, struct plait__address *peer)
{
    int accepted;
    do {
        peer->size = sizeof peer->is;
        accepted = accept4(fd, &peer->is.any, &peer->size, SOCK_CLOEXEC);
    } while (accepted < 0 && errno == EINTR);
    if (accepted < 0) return is_of_the_guest(errno) ? -EAGAIN : -errno;
    tune(accepted, peer);
    return plait__above_stdio(accepted);
}

/* ---- to connect ---- */

enum { FIRST_PAUSE_MS = 1, LONGEST_PAUSE_MS = 32 };

/* A path's listener has no room for another one who waits: the kernel tells nobody when that changes. */
static int try_again(int fd, const struct plait__address *address, plait_deadline deadline)
{
    int64_t pause = FIRST_PAUSE_MS;
    while (connect(fd, &address->is.any, address->size) < 0) {
        if (errno != EAGAIN && errno != EINTR) return -errno;
        const plait_deadline next = plait_after((double)pause / 1000);
        if (deadline.at && deadline.at <= next.at) {
            const int waited = plait__wait_fds(NULL, 0, deadline);
            return waited == -ETIMEDOUT ? plait__fail(waited, "the listener has too many who wait to be accepted") : waited;
        }
        plait__wait_fds(NULL, 0, next);
        if (pause < LONGEST_PAUSE_MS) pause *= 2;
    }
    return 0;
}

static int wait_until_connected(int fd, plait_deadline deadline)
{
    int error = 0;
    socklen_t size = sizeof error;
    const int ready = plait__wait_fd(fd, POLLOUT, deadline);
    if (ready >= 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
    if (ready < 0) error = -ready;
    return error == ETIMEDOUT ? plait__fail(-error, "the other machine does not answer") : -error;
}

/* Who asks for a port of its own machine that nobody listens at may be given just that one, and meet itself. */
static bool is_itself(int fd)
{
    struct plait__address here = { .size = sizeof here.is }, there = { .size = sizeof there.is };
    if (getsockname(fd, &here.is.any, &here.size) < 0 || getpeername(fd, &there.is.any, &there.size) < 0) return false;
    return here.is.any.sa_family != AF_UNIX && here.size == there.size && memcmp(&here.is, &there.is, here.size) == 0;
}

static int connect_it(int fd, const struct plait__address *address, plait_deadline deadline)
{
    int error = connect(fd, &address->is.any, address->size) < 0 ? -errno : 0;
    const bool is_unix = address->is.any.sa_family == AF_UNIX;
    if (is_unix && (error == -EAGAIN || error == -EINTR)) error = try_again(fd, address, deadline);
    else if (error == -EINPROGRESS || error == -EINTR) error = wait_until_connected(fd, deadline);
    if (error) return error;
    if (is_itself(fd)) return -ECONNREFUSED;
    const int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

static int connect_to(const struct plait__address *address, plait_deadline deadline)
{
    const int fd = new_socket(address->is.any.sa_family, SOCK_STREAM);
    if (fd < 0) return failed(-1, -fd, "a socket for", address);
    const int error = connect_it(fd, address, deadline);
    if (!error) {
        tune(fd, address);
        return fd;
    }
    if (error != -ETIMEDOUT) return failed(fd, -error, "connecting to", address);
    close(fd);                                             /* the detail is there */
    return error;
}

static bool is_over(plait_deadline deadline)
{
    return deadline.at && deadline.at <= plait__net_now();
}

static plait_deadline part_of(plait_deadline deadline, int shares)
{
    const int64_t now = plait__net_now();
    return deadline.at <= now ? deadline : (plait_deadline){ now + (deadline.at - now) / shares };
}

/* An address that does not answer leaves the others their part; what one does not need is theirs, too.  Without a deadline, the
 * kernel gives up in its own time, also with -ETIMEDOUT. */
int plait__socket_connect(const struct plait__address *addresses, int count, plait_deadline deadline)
{
    int fd = -EADDRNOTAVAIL;
    for (int i = 0; i < count; i++) {
        fd = connect_to(&addresses[i], part_of(deadline, count - i));
        if (fd >= 0 || (fd == -ETIMEDOUT && is_over(deadline))) break;
    }
    return fd;
}
