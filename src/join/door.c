/* join/door.c - where programs of other origin come in.
 *
 * The socket is shared by all forks of whoever made the door; to shut it down closes it for all.  The name belongs to the process
 * that made it: that one removes it, also at exit.  The door ends with that process, however that ends, as all others can see that
 * one's end only: whether one of its forks sees to the door nobody knows.
 */
#include <plait/join.h>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/map.h"
#include "base/error.h"
#include "base/fd.h"
#include "family/wait.h"
#include "join/address.h"
#include "join/path.h"

#define BACKLOG 128
#define DOOR_STAMP 0x706c646fu

struct plait_door {
    uint32_t stamp;
    int fd;
    struct plait__file file;                               /* what fd was then */
    pid_t maker;
    char *path;                                            /* from the root on; NULL: abstract */
    struct plait__file name;                               /* what lies there */
    struct plait_door *next;
};

/* Those that this process, or one that it was forked from, has made. */
static struct plait_door *doors;
static pthread_mutex_t listing = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
    pthread_mutex_lock(&listing);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&listing);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);   /* if it can't, a child that is forked just then may not open doors */
}

int plait__has_doors(void)
{
    pthread_mutex_lock(&listing);
    int has = doors != NULL;
    pthread_mutex_unlock(&listing);
    return has;
}

static void list(plait_door *door)
{
    pthread_mutex_lock(&listing);
    door->next = doors;
    doors = door;
    pthread_mutex_unlock(&listing);
}

static void unlist(const plait_door *door)
{
    pthread_mutex_lock(&listing);
    struct plait_door **place = &doors;
    while (*place && *place != door) place = &(*place)->next;
    if (*place) *place = door->next;
    pthread_mutex_unlock(&listing);
}

static int check(const plait_door *door)
{
    if (!door || door->stamp != DOOR_STAMP) return plait__fail(-EINVAL, door ? "the door was freed" : "the door is NULL");
    return 0;
}

/* ---- the name ---- */

static struct plait__file file_at(const char *path)
{
    struct stat status;
    if (lstat(path, &status) < 0) return (struct plait__file){ 0 };
    return (struct plait__file){ status.st_dev, status.st_ino };
}

/* The program may go to another folder before it removes the name.  NULL with errno. */
static char *absolute(const char *path)
{
    if (*path == '/') return strdup(path);
    char folder[PATH_MAX];
    if (!getcwd(folder, sizeof folder)) return NULL;
    size_t size = strlen(folder) + 1 + strlen(path) + 1;
    char *whole = malloc(size);
    if (whole) snprintf(whole, size, "%s/%s", folder, path);
    return whole;
}

/* ---- opening ---- */

static void drop(plait_door *door)
{
    if (door->fd >= 0) close(door->fd);
    free(door->path);
    free(door);
}

static int open_door(plait_door *door, const char *path, const struct plait__address *address, int backlog)
{
    door->fd = plait__door_socket();
    if (door->fd < 0) return door->fd;
    if (*path != '@' && !(door->path = absolute(path))) return plait__fail(-errno, "the path: %s", plait_strerror(errno));
    int error = plait__take_path(door->fd, address, backlog);
    if (error) return plait__fail(error, "listening at %s: %s", path, plait_strerror(error));
    door->file = plait__file_of(door->fd);
    if (door->path) door->name = file_at(door->path);
    list(door);
    return 0;
}

static int has_memory(void)
{
    if (plait__is_arena_fd(plait__arena_fd)) return 0;
    return plait__fail(PLAIT_ENOARENA, "the descriptor of the shared memory was closed: no other program can get it");
}

static int check_options(const plait_door_options *options)
{
    if (options->backlog < 0) return plait__fail(-EINVAL, "the backlog is %d", options->backlog);
    return PLAIT__CHECK_RESERVED(options->reserved, options->reserved_int);
}

plait_door *plait_family_listen(const char *path, const plait_door_options *options)
{
    struct plait__address address;
    static const plait_door_options defaults;
    if (!options) options = &defaults;
    int error = check_options(options);
    if (!error) error = plait__address_of(path, &address);
    if (!error) error = plait__member();
    if (!error) error = has_memory();
    if (error) return plait__null(error);
    plait_door *door = malloc(sizeof *door);
    if (!door) return plait__null(plait__fail(-ENOMEM, "no private memory for a door"));
    *door = (plait_door){ .stamp = DOOR_STAMP, .fd = -1, .maker = getpid() };
    error = open_door(door, path, &address, options->backlog ? options->backlog : BACKLOG);
    if (!error) return door;
    drop(door);
    return plait__null(error);
}

/* ---- letting in ---- */

static int send_invitation(int peer, const struct plait__invitation *invitation, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec data = { (void *)(uintptr_t)invitation, sizeof *invitation };
    struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1 };
    if (fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) };
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    while (sendmsg(peer, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (errno != EINTR) return -errno;
    return 0;
}

/* If even that does not reach it, it sees the end of the connection. */
static void refuse(int peer, int error)
{
    send_invitation(peer, &(struct plait__invitation){ .magic = PLAIT__INVITATION_MAGIC, .error = error }, -1);
}

enum let_in { LET_IN = 0, NOT_LET_IN = 1 };

/* LET_IN; NOT_LET_IN: it may not come in, or has gone; or an error of ours. */
static int let_in(int peer)
{
    struct ucred who;
    struct plait__detail detail;
    plait__keep_detail(&detail);
    int error = plait__check_peer(peer, &who);
    if (!error) error = has_memory();
    if (error) refuse(peer, error);
    if (error == -EPERM) plait__restore_detail(&detail);
    if (error) return error == -EPERM ? NOT_LET_IN : error;
    error = send_invitation(peer, &(struct plait__invitation){ .magic = PLAIT__INVITATION_MAGIC }, plait__arena_fd);
    if (error == -EPIPE || error == -ECONNRESET) return NOT_LET_IN;
    if (error) refuse(peer, error);
    return error ? plait__fail(error, "sending the shared memory: %s", plait_strerror(error)) : LET_IN;
}

static bool is_passing(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

/* ---- shutting ---- */

/* Those who have knocked are told, as the socket may live on in forks. */
static void refuse_all(const plait_door *door)
{
    int peer;
    while ((peer = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0 || is_passing(errno)) {
        if (peer < 0) continue;
        refuse(peer, PLAIT_ECLOSED);
        close(peer);
    }
}

/* The name goes while we still listen: so nobody has taken it over. */
static void shut(plait_door *door)
{
    if (door->path && door->maker == getpid()) {
        struct plait__file now = file_at(door->path);
        if (now.inode && now.device == door->name.device && now.inode == door->name.inode) unlink(door->path);
        door->name = (struct plait__file){ 0 };
    }
    if (!plait__is_file(door->fd, &door->file)) return;
    shutdown(door->fd, SHUT_RDWR);
    refuse_all(door);
}

/* ---- seeing to it ---- */

/* What others give back sooner or later. */
static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS || error == -ETOOMANYREFS;
}

/* In a fork of the maker, to know of its end; see plait__watch_maker. */
static int watch_maker_from_fork(const plait_door *door)
{
    return door->maker == getpid() ? -1 : plait__watch_maker(door->fd, door->maker);
}

/* The first who notices closes the door for all who have it. */
static int end_with_maker(plait_door *door, int peer)
{
    if (peer >= 0) refuse(peer, PLAIT_ECLOSED);
    if (peer >= 0) close(peer);
    shut(door);
    return plait__fail(PLAIT_ECLOSED, "the program that had opened the door has ended");
}

/* -EAGAIN: nobody has knocked. */
static int admit_next(plait_door *door, int maker)
{
    if (!plait__is_file(door->fd, &door->file)) return plait__fail(-EBADF, "the program has closed the door's descriptor");
    int peer = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int error = peer < 0 ? errno : 0;
    if (plait__maker_has_ended(maker)) return end_with_maker(door, peer);
    if (is_passing(error)) return NOT_LET_IN;
    if (error == EAGAIN) return -EAGAIN;
    if (error) return plait__fail(-error, "accepting: %s", plait_strerror(error));
    int result = let_in(peer);
    close(peer);
    return result;
}

/* That the maker has ended is found by the next look. */
static int wait_for_knock(const plait_door *door, int maker, plait_deadline deadline)
{
    struct pollfd both[2] = { { .fd = door->fd, .events = POLLIN }, { .fd = maker, .events = POLLIN } };
    int result = plait__wait_fds(both, 2, deadline);
    return result > 0 ? both[0].revents : result;
}

static int admit(plait_door *door, int maker, plait_deadline deadline)
{
    int result;
    while ((result = admit_next(door, maker)) != LET_IN) {
        if (result == NOT_LET_IN) result = plait__expired(deadline) ? -ETIMEDOUT : 0;
        else if (result == -EAGAIN) result = wait_for_knock(door, maker, deadline);
        if (result == -ETIMEDOUT) return plait__fail(-ETIMEDOUT, "nobody has come");
        if (result > 0 && (result & POLLHUP)) return plait__fail(PLAIT_ECLOSED, "the door was closed");
        if (result < 0) return result;
    }
    return 0;
}

int plait_door_admit(plait_door *door, plait_deadline deadline)
{
    int result = check(door);
    if (!result) result = plait__member();
    if (result) return result;
    if (!plait__is_file(door->fd, &door->file)) return plait__fail(-EBADF, "the program has closed the door's descriptor");
    int maker = watch_maker_from_fork(door);
    if (is_shortage(maker)) return plait__fail(maker, "watching who has opened the door: %s", plait_strerror(maker));
    result = admit(door, maker, deadline);
    if (maker >= 0) close(maker);
    return result;
}

int plait_door_serve(void *door)
{
    for (;;) {
        int error = plait_door_admit(door, PLAIT_FOREVER);
        if (error == PLAIT_ECLOSED) return 0;
        if (is_shortage(error)) plait__wait_fds(NULL, 0, (plait_deadline){ plait__now() + 20 * PLAIT__MILLISECOND });
        else if (error) return error;
    }
}

int plait_door_fileno(const plait_door *door)
{
    int error = check(door);
    return error ? error : door->fd;
}

/* ---- closing ---- */

int plait_door_close(plait_door *door)
{
    int error = check(door);
    if (!error) shut(door);
    return error;
}

int plait_door_free(plait_door *door)
{
    int error = door ? check(door) : 0;
    if (!door || error) return error;
    unlist(door);
    if (door->maker == getpid()) shut(door);
    if (!plait__is_file(door->fd, &door->file)) door->fd = -1;
    door->stamp = 0;
    drop(door);
    return 0;
}

/* What the program has not closed. */
static void shut_all(void)
{
    for (plait_door *door = doors; door; door = door->next)
        if (door->maker == getpid()) shut(door);
}

/* Other threads may go on meanwhile.  If the list stays taken, exit() was called in a signal handler in the middle of listing a
 * door: then their ends are as those of a killed program. */
static __attribute__((destructor)) void shut_at_exit(void)
{
    for (int i = 0; i < 100; i++) {
        if (pthread_mutex_trylock(&listing) == 0) {
            shut_all();
            pthread_mutex_unlock(&listing);
            return;
        }
        plait__wait_fds(NULL, 0, (plait_deadline){ plait__now() + PLAIT__MILLISECOND });
    }
}
