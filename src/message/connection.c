/* message/connection.c - the face of connections: making them, and whether this process has them open. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "message/connection_internal.h"

_Static_assert(sizeof(plait_connection) % 64 == 0, "both ends of a pair lie on cache lines of their own");

static int not_a_connection(const plait_connection *connection)
{
    if (!connection) return plait__fail(-EINVAL, "the connection is NULL");
    return plait__fail(-EINVAL, "there is no connection at %p; was it freed?", (const void *)connection);
}

/* ---- open in this process ----
 *
 * The object is shared, the descriptor is not: this process may have closed it, or never had it, and something else may have its
 * number.  Which connections were seen to be open here is remembered, so that the kernel is asked once.  An entry that is lost to
 * another one is asked for again.  A forked child has the descriptors of its parent, and what that remembered. */
#define REMEMBERED 256u
static _Atomic uint64_t seen_here[REMEMBERED];

static _Atomic uint64_t *place_of(const plait_connection *connection)
{
    return &seen_here[(unsigned)connection->fd % REMEMBERED];
}

static uint64_t identity_of(const plait_connection *connection)
{
    uint64_t mixed = (uint64_t)connection->file.inode * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= (uint64_t)connection->file.device << 24 ^ (uint64_t)(unsigned)connection->fd << 40;
    return mixed | 1;
}

static bool is_here(const plait_connection *connection)
{
    _Atomic uint64_t *place = place_of(connection);
    if (PLAIT__LIKELY(atomic_load_explicit(place, memory_order_relaxed) == connection->identity)) return true;
    if (!plait__is_file(connection->fd, &connection->file)) return false;
    atomic_store_explicit(place, connection->identity, memory_order_relaxed);
    return true;
}

static int not_here(const plait_connection *connection)
{
    return plait__fail(-EBADF, "this process does not have the connection's descriptor, %d: it has closed it, or was started "
                       "without it (.fds of its options)", connection->fd);
}

int plait__connection_check(plait_connection *connection)
{
    if (PLAIT__UNLIKELY(!plait__is_connection(connection))) return not_a_connection(connection);
    if (PLAIT__UNLIKELY(!is_here(connection))) return not_here(connection);
    return plait__member();
}

int plait__not_readable(void)
{
    return plait__fail(-EBADF, "connection is write-only");
}

int plait__not_writable(void)
{
    return plait__fail(-EBADF, "connection is read-only");
}

/* ---- making ---- */

struct pair {
    plait_connection ends[2];
    _Atomic uint32_t left;
};

static void set_up(plait_connection *end, int fd, bool readable, bool writable)
{
    end->fd = fd;
    end->file = plait__file_of(fd);
    end->identity = identity_of(end);
    end->readable = readable;
    end->writable = writable;
    atomic_store_explicit(place_of(end), end->identity, memory_order_relaxed);
    plait__in_order();
    end->stamp = PLAIT__CONNECTION_STAMP;
}

/* Room for one end, or for two that know each other. */
static struct pair *new_pair(unsigned count)
{
    struct pair *pair = plait_alloc(sizeof *pair);
    if (!pair) return NULL;
    atomic_store(&pair->left, count);
    for (unsigned i = 0; i < count; i++) {
        pair->ends[i].ends = &pair->left;
        pair->ends[i].other = count == 2 ? &pair->ends[!i] : NULL;
        pair->ends[i].is_socket = pair->ends[i].is_local = true;
    }
    return pair;
}

static int make_sockets(bool duplex, int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return plait__fail(-errno, "socketpair: %s", plait_strerror(-errno));
    int error = plait__pair_above_stdio(fds);
    if (error) return plait__fail(error, "socketpair: %s", plait_strerror(error));
    if (!duplex) shutdown(fds[0], SHUT_WR);                /* and with it what ends[1] could receive */
    return 0;
}

int plait_pipe(int duplex, plait_connection *ends[2])
{
    int fds[2];
    if (!ends) return plait__fail(-EINVAL, "there is no place for the ends");
    ends[0] = ends[1] = NULL;
    int error = plait__member();
    if (!error) error = make_sockets(duplex, fds);
    if (error) return error;
    struct pair *pair = new_pair(2);
    if (!pair) {
        error = errno;
        close(fds[0]);
        close(fds[1]);
        return -error;
    }
    set_up(&pair->ends[0], fds[0], true, duplex);
    set_up(&pair->ends[1], fds[1], duplex, true);
    for (int i = 0; i < 2; i++) ends[i] = &pair->ends[i];
    return 0;
}

/* Of a descriptor from elsewhere.  0, -EBADF, -EINVAL. */
static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}

static int check_socket(int fd)
{
    int type = option_of(fd, SO_TYPE), listens = option_of(fd, SO_ACCEPTCONN);
    if (type < 0) return plait__fail(type, "descriptor %d", fd);
    if (type == SOCK_STREAM && listens <= 0) return 0;
    return plait__fail(-EINVAL, "descriptor %d is %s", fd, listens ? "a socket that listens" : "a socket, but not of a stream");
}

static int check_pipe(int fd, int readable, int writable)
{
    int flags = fcntl(fd, F_GETFL);
    int access = flags & O_ACCMODE;
    if (readable && access == O_WRONLY) return plait__fail(-EINVAL, "descriptor %d is the end of a pipe that can't be read", fd);
    if (writable && access == O_RDONLY) return plait__fail(-EINVAL, "descriptor %d is the end of a pipe that can't be written", fd);
    return 0;
}

static int check_descriptor(int fd, int readable, int writable, bool *is_socket)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) return plait__fail(-EBADF, "descriptor %d is not open", fd);
    if (!readable && !writable) return plait__fail(-EINVAL, "at least one of readable and writable must be true");
    *is_socket = S_ISSOCK(status.st_mode);
    if (*is_socket) return check_socket(fd);
    if (S_ISFIFO(status.st_mode)) return check_pipe(fd, readable, writable);
    return plait__fail(-EINVAL, "descriptor %d is neither a socket nor a pipe", fd);
}

plait_connection *plait_connection_from_fd(int fd, int readable, int writable)
{
    bool is_socket = true;
    int error = check_descriptor(fd, readable, writable, &is_socket);
    if (!error) error = plait__member();
    if (error) return plait__null(error);
    struct pair *pair = new_pair(1);
    if (!pair) return NULL;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    pair->ends[0].is_socket = is_socket;
    pair->ends[0].is_local = is_socket && option_of(fd, SO_DOMAIN) == AF_UNIX;
    set_up(&pair->ends[0], fd, readable, writable);
    return &pair->ends[0];
}

/* ---- closing ---- */

static void close_here(plait_connection *connection)
{
    uint64_t mine = connection->identity;
    if (plait__member() == 0) plait__drop_held(connection);
    atomic_compare_exchange_strong(place_of(connection), &mine, 0);
    close(connection->fd);
}

int plait_connection_close(plait_connection *connection)
{
    if (!plait__is_connection(connection)) return not_a_connection(connection);
    if (!is_here(connection)) return not_here(connection);
    close_here(connection);
    return 0;
}

/* Both ends of a pair are one block. */
int plait_connection_free(plait_connection *connection)
{
    if (!connection) return 0;
    if (!plait__is_connection(connection)) return not_a_connection(connection);
    int error = plait__member();
    if (error) return error;
    if (is_here(connection)) close_here(connection);
    connection->stamp = 0;
    void *kept = plait__progress_of(&connection->in)->kept;
    if (kept != connection->in.small) plait_free(kept);
    _Atomic uint32_t *ends = connection->ends;
    if (atomic_fetch_sub(ends, 1) > 1) return 0;
    return plait_free((char *)ends - offsetof(struct pair, left));
}

/* ---- what it is ---- */

int plait_connection_fileno(plait_connection *connection)
{
    if (!plait__is_connection(connection)) return not_a_connection(connection);
    return is_here(connection) ? connection->fd : not_here(connection);
}

int plait_connection_readable(const plait_connection *connection)
{
    return plait__is_connection(connection) ? connection->readable : not_a_connection(connection);
}

int plait_connection_writable(const plait_connection *connection)
{
    return plait__is_connection(connection) ? connection->writable : not_a_connection(connection);
}

int plait_connection_closed(plait_connection *connection)
{
    return plait__is_connection(connection) ? !is_here(connection) : not_a_connection(connection);
}
