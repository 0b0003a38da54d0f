/* net/listener.c - Listener: who connects, proves to have the key, and becomes a connection.
 *
 * Whoever accepts waits at one epoll descriptor.  In it are the socket, everybody who is in the middle of the handshake (the guests), and a
 * clock, which stands at its end for ever once the listener is closed.  When it is readable, one of the accepting threads goes on with
 * those who have said something, none of which waits, and returns with the first one who is done with or refused.
 *
 * The next guest is let in when there is no other, or the others are slow: what a process has begun is not finished by another one that
 * accepts at the same socket, so nobody begins more than needed.
 *
 * All that may change is guarded by one lock for all listeners, which is held for moments only, and by those who fork.  A forked child
 * shares the socket with its parent: either accepts who comes first.  Handshakes stay with who began them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <plait/net.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/wait.h"
#include "net/address.h"
#include "net/connection.h"
#include "net/handshake.h"
#include "net/socket.h"

enum { BACKLOG = 128, GUESTS_MAX = 64, EVENTS = 16 };
static const double handshake_seconds = 10;
static const int64_t patience = 10 * PLAIT__MILLISECOND;   /* with a guest, before the next one is let in */

/* Who is in the middle of the handshake. */
struct guest {
    struct guest *next;
    int64_t since;
    plait_deadline until;
    struct plait__address address;
    struct plait__handshake handshake;
};

struct plait_listener {
    int fd, epoll, clock;                                  /* -1: closed */
    pid_t owner;                                           /* the process that epoll, clock and guests are of */
    struct guest *guests;                                  /* the oldest first */
    unsigned count;
    bool shut;                                             /* nobody else is let in for now */
    int64_t rings;                                         /* when the clock does; 0: never */
    char last[PLAIT__ADDRESS_TEXT];
    /* These stay as they are. */
    pid_t maker;
    void *key;
    size_t key_size;
    double timeout;
    char address[PLAIT__ADDRESS_TEXT];
    char *path, *folder;                                   /* to be removed; NULL: none */
    struct plait__file file;
};

/* ---- the lock ---- */

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

static void lock(void)
{
    pthread_mutex_lock(&changing);
}

static void unlock(void)
{
    pthread_mutex_unlock(&changing);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    (void)pthread_atfork(lock, unlock, unlock);
}

/* ---- guests ---- */

static int watch(const struct plait_listener *listener, int how, int fd, uint32_t events, void *what)
{
    struct epoll_event event = { .events = events, .data.ptr = what };
    return epoll_ctl(listener->epoll, how, fd, &event) < 0 ? -errno : 0;
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * PLAIT__SECOND + time.tv_nsec;
}

static void set_clock(struct plait_listener *listener, int64_t at)
{
    const struct itimerspec time = { .it_value = plait__timespec(at) };
    if (listener->rings != at && timerfd_settime(listener->clock, TFD_TIMER_ABSTIME, &time, NULL) == 0) listener->rings = at;
}

static void set_shut(struct plait_listener *listener, bool shut)
{
    if (shut != listener->shut && watch(listener, EPOLL_CTL_MOD, listener->fd, shut ? 0 : EPOLLIN, listener) == 0) listener->shut = shut;
}

static struct guest **end_of(struct plait_listener *listener)
{
    struct guest **end = &listener->guests;
    while (*end) end = &(*end)->next;
    return end;
}

/* Who is let in, and when to look without being called. */
static void set_door_and_clock(struct plait_listener *listener)
{
    if (!listener->guests) {
        set_clock(listener, 0);
        set_shut(listener, false);
        return;
    }
    const struct guest *youngest = listener->guests;
    while (youngest->next) youngest = youngest->next;
    const bool full = listener->count >= GUESTS_MAX, waits = !full && now() < youngest->since + patience;
    const int64_t late = listener->guests->until.at;
    set_shut(listener, full || waits);
    set_clock(listener, waits && (!late || late > youngest->since + patience) ? youngest->since + patience : late);
}

/* It has left the handshake; its descriptor stays. */
static void forget(struct plait_listener *listener, struct guest *guest)
{
    struct guest **place = &listener->guests;
    while (*place != guest) place = &(*place)->next;
    *place = guest->next;
    watch(listener, EPOLL_CTL_DEL, guest->handshake.fd, 0, NULL);
    OPENSSL_cleanse(guest, sizeof *guest);
    free(guest);
    listener->count--;
}

/* Another process has its own descriptors of those who are in the middle of the handshake with this one's parent. */
static void forget_all(struct plait_listener *listener)
{
    for (struct guest *next, *guest = listener->guests; guest; guest = next) {
        next = guest->next;
        close(guest->handshake.fd);
        OPENSSL_cleanse(guest, sizeof *guest);
        free(guest);
    }
    listener->guests = NULL;
    listener->count = 0;
}

static int refuse(struct plait_listener *listener, struct guest *guest, int error)
{
    struct plait__detail why;
    const int fd = guest->handshake.fd;
    snprintf(why.text, sizeof why.text, "%s", plait_error_detail());
    plait__address_text(&guest->address, listener->last);
    forget(listener, guest);
    shutdown(fd, SHUT_RDWR);                               /* forked children may have it, too */
    close(fd);
    return plait__fail(error, "%s%s%s", listener->last, *listener->last ? ": " : "", why.text);
}

/* Its descriptor, once it is one of us; -EAGAIN; PLAIT_EAUTH and -EIO: it was refused. */
static int go_on(struct plait_listener *listener, struct guest *guest)
{
    const int fd = guest->handshake.fd, result = plait__handshake_go(&guest->handshake);
    if (result < 0) return refuse(listener, guest, result);
    if (!result) {
        const uint32_t events = plait__handshake_waits_for(&guest->handshake) == POLLIN ? EPOLLIN : EPOLLOUT;
        const int error = watch(listener, EPOLL_CTL_MOD, fd, events, guest);
        return error ? refuse(listener, guest, plait__fail(error, "epoll_ctl: %s", plait_strerror(error))) : -EAGAIN;
    }
    plait__address_text(&guest->address, listener->last);
    forget(listener, guest);
    return fd;
}

static int greet(struct plait_listener *listener, struct guest *guest, int fd)
{
    int error = plait__handshake_begin(&guest->handshake, fd, PLAIT__DELIVERS_FIRST, listener->key, listener->key_size);
    if (error) return error;
    error = watch(listener, EPOLL_CTL_ADD, fd, EPOLLIN, guest);
    if (error) return plait__fail(error, "epoll_ctl: %s", plait_strerror(error));
    guest->since = now();
    guest->until = plait_after(listener->timeout);
    *end_of(listener) = guest;
    listener->count++;
    return 0;
}

/* As go_on, and -errno.  Memory first: who can not be let in waits on. */
static int let_in(struct plait_listener *listener)
{
    struct guest *guest = listener->key ? calloc(1, sizeof *guest) : NULL;
    if (listener->key && !guest) return plait__fail(-ENOMEM, "no memory for a handshake");
    struct plait__address address;
    const int fd = plait__socket_accept(listener->fd, &address);
    int error = fd < 0 ? fd : 0;
    if (fd < 0 && fd != -EAGAIN) plait__fail(fd, "accept: %s", plait_strerror(fd));
    if (fd >= 0 && guest) {
        guest->address = address;
        error = greet(listener, guest, fd);
        if (!error) return go_on(listener, guest);
        close(fd);
    }
    free(guest);
    if (!error) plait__address_text(&address, listener->last);
    return error ? error : fd;
}

/* ---- accept ---- */

/* All have the same time, so the first one is the first whose time is up. */
static int refuse_late_one(struct plait_listener *listener)
{
    struct guest *guest = listener->guests;
    if (!guest || !guest->until.at || guest->until.at > now()) return -EAGAIN;
    plait__fail(PLAIT_EAUTH, "the handshake has lasted for %g s: there was %s", listener->timeout, plait__auth_missing(&guest->handshake.auth));
    return refuse(listener, guest, PLAIT_EAUTH);
}

static int above_stdio(int fd)
{
    return plait__above_stdio(fd < 0 ? -errno : fd);
}

static int make_watch(struct plait_listener *listener)
{
    const int epoll = above_stdio(epoll_create1(EPOLL_CLOEXEC)), clock = above_stdio(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const int old_epoll = listener->epoll, old_clock = listener->clock;
    int error = epoll < 0 ? epoll : clock < 0 ? clock : 0;
    listener->epoll = epoll;
    listener->clock = clock;
    if (!error) error = watch(listener, EPOLL_CTL_ADD, clock, EPOLLIN, NULL);
    if (!error) error = watch(listener, EPOLL_CTL_ADD, listener->fd, EPOLLIN, listener);
    if (error) {
        listener->epoll = old_epoll;
        listener->clock = old_clock;
    }
    if (!error) {
        listener->shut = false;
        listener->rings = 0;
    }
    const int gone[2] = { error ? epoll : old_epoll, error ? clock : old_clock };
    for (int i = 0; i < 2; i++)
        if (gone[i] >= 0) close(gone[i]);
    return error ? plait__fail(error, "a descriptor for the listener: %s", plait_strerror(error)) : 0;
}

/* In a forked child: what is the parent's alone is left to it. */
static int adopt(struct plait_listener *listener)
{
    if (listener->owner == getpid()) return 0;
    const int error = make_watch(listener);
    if (error) return error;
    forget_all(listener);
    listener->owner = getpid();
    return 0;
}

static int handle(struct plait_listener *listener, const struct epoll_event *event)
{
    return event->data.ptr == listener ? let_in(listener) : event->data.ptr ? go_on(listener, event->data.ptr) : -EAGAIN;
}

/* One look at all who have something to say: a descriptor; -EAGAIN: wait; or an error. */
static int look(struct plait_listener *listener)
{
    struct epoll_event events[EVENTS];
    uint64_t times;
    if (listener->fd < 0) return plait__fail(PLAIT_ECLOSED, "the listener is closed");
    int result = adopt(listener);
    if (result) return result;
    if (listener->rings && read(listener->clock, &times, sizeof times) > 0) listener->rings = 0;
    result = refuse_late_one(listener);
    const int count = result == -EAGAIN ? epoll_wait(listener->epoll, events, EVENTS, 0) : 0;
    for (int i = 0; i < count && result == -EAGAIN; i++) result = handle(listener, &events[i]);
    set_door_and_clock(listener);
    return result;
}

static int accept_fd(struct plait_listener *listener, plait_deadline deadline)
{
    for (;;) {
        lock();
        const int result = look(listener);
        unlock();
        if (result != -EAGAIN) return result;
        const int ready = plait__wait_fd(listener->epoll, POLLIN, deadline);
        if (ready == -ETIMEDOUT) return plait__fail(ready, "nobody has connected, or is done with the handshake");
        if (ready < 0) return plait__fail(ready, "waiting for somebody to connect: %s", plait_strerror(ready));
    }
}

plait_connection *plait_listener_accept(plait_listener *listener, plait_deadline deadline)
{
    if (!listener) return plait__null(plait__fail(-EINVAL, "the listener is NULL"));
    const int fd = accept_fd(listener, deadline);
    return fd < 0 ? plait__null(fd) : plait__net_connection(fd);
}

/* ---- from new to free ---- */

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder && strlen(folder) + sizeof "/pymp-XXXXXX/listener" <= sizeof ((struct sockaddr_un *)NULL)->sun_path ? folder : "/tmp";
}

/* A new path, as Python's arbitrary_address('AF_UNIX'): in a folder of its own. */
static int choose_path(struct plait_listener *listener, struct plait__address *address)
{
    char path[PLAIT__ADDRESS_TEXT];
    const int length = snprintf(path, sizeof path, "%s/pymp-XXXXXX", temporary_folder());
    if (!mkdtemp(path)) return plait__fail(-errno, "a folder %s: %s", path, plait_strerror(errno));
    listener->folder = strdup(path);
    if (!listener->folder) {
        rmdir(path);
        return plait__fail(-ENOMEM, "no memory for a listener");
    }
    snprintf(path + length, sizeof path - (size_t)length, "/listener");
    return plait__address_of_path(path, address);
}

static int check_options(const plait_listener_options *options)
{
    const int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    if (error) return error;
    if (options->backlog < 0) return plait__fail(-EINVAL, "a backlog of %d", options->backlog);
    if (!(options->handshake_timeout >= 0)) return plait__fail(-EINVAL, "a handshake_timeout of %g s", options->handshake_timeout);
    if (options->permissions & ~0777u) return plait__fail(-EINVAL, "permissions of 0%o: 0777 is all there is", options->permissions);
    return plait__auth_check_key(options->authkey, options->authkey_size);
}

static int copy_key(struct plait_listener *listener, const plait_listener_options *options)
{
    if (!options->authkey) return 0;
    listener->key = malloc(options->authkey_size);
    if (!listener->key) return plait__fail(-ENOMEM, "no memory for the authkey");
    memcpy(listener->key, options->authkey, options->authkey_size);
    listener->key_size = options->authkey_size;
    return 0;
}

/* What is to be removed in the end, wherever the process has gone by then. */
static int note_path(struct plait_listener *listener, const char *path)
{
    struct stat status;
    listener->path = realpath(path, NULL);
    if (!listener->path || lstat(listener->path, &status) < 0) {
        const int error = -errno;
        unlink(path);
        return plait__fail(error, "%s: %s", path, plait_strerror(error));
    }
    listener->file = (struct plait__file){ status.st_dev, status.st_ino };
    return 0;
}

/* At the first of the addresses of that name. */
static int find_address(struct plait_listener *listener, const char *text, struct plait__address *address)
{
    struct plait__address found[PLAIT__ADDRESSES];
    if (!text) return choose_path(listener, address);
    const int count = plait__address_parse(text, true, found);
    *address = found[0];
    return count < 0 ? count : 0;
}

static int open_listener(struct plait_listener *listener, const char *text, const plait_listener_options *options)
{
    struct plait__address address;
    int error = find_address(listener, text, &address);
    if (error) return error;
    if (options->permissions && !plait__address_is_path(&address)) return plait__fail(-EINVAL, "only paths have permissions");
    listener->fd = plait__socket_listen(&address, options->backlog ? options->backlog : BACKLOG, options->permissions);
    if (listener->fd < 0) return listener->fd;
    plait__address_text(&address, listener->address);
    if (plait__address_is_path(&address) && (error = note_path(listener, listener->address))) return error;
    return make_watch(listener);
}

plait_listener *plait_listener_new(const char *address, const plait_listener_options *options)
{
    static const plait_listener_options defaults;
    if (!options) options = &defaults;
    int error = check_options(options);
    struct plait_listener *listener = error ? NULL : calloc(1, sizeof *listener);
    if (error) return plait__null(error);
    if (!listener) return plait__null(plait__fail(-ENOMEM, "no memory for a listener"));
    listener->fd = listener->epoll = listener->clock = -1;
    listener->owner = listener->maker = getpid();
    listener->timeout = options->handshake_timeout > 0 ? options->handshake_timeout : handshake_seconds;
    error = copy_key(listener, options);
    if (!error) error = open_listener(listener, address, options);
    if (!error) return listener;
    plait_listener_free(listener);
    return plait__null(error);
}

const char *plait_listener_address(const plait_listener *listener)
{
    return listener ? listener->address : plait__null(plait__fail(-EINVAL, "the listener is NULL"));
}

int plait_listener_last_accepted(const plait_listener *listener, char *text, size_t size)
{
    if (!listener || (!text && size)) return plait__fail(-EINVAL, "the %s is NULL", listener ? "text" : "listener");
    lock();
    const int length = snprintf(text, size, "%s", listener->last);
    unlock();
    return length;
}

int plait_listener_fileno(plait_listener *listener)
{
    if (!listener) return plait__fail(-EINVAL, "the listener is NULL");
    lock();
    const int error = listener->fd < 0 ? plait__fail(PLAIT_ECLOSED, "the listener is closed") : adopt(listener);
    unlock();
    return error ? error : listener->epoll;
}

/* By who made it, and only if nobody has put another one into its place. */
static void remove_path(const struct plait_listener *listener)
{
    struct stat status;
    if (listener->maker != getpid()) return;
    if (listener->path && lstat(listener->path, &status) == 0 && status.st_dev == listener->file.device && status.st_ino == listener->file.inode)
        unlink(listener->path);
    if (listener->folder) rmdir(listener->folder);
}

static void close_it(struct plait_listener *listener)
{
    if (listener->fd < 0) return;
    const bool ours = listener->owner == getpid();
    remove_path(listener);                                 /* before others may listen at another one of that name */
    close(listener->fd);
    listener->fd = -1;
    for (struct guest *guest = listener->guests; guest && ours; guest = guest->next) shutdown(guest->handshake.fd, SHUT_RDWR);
    forget_all(listener);
    if (ours) set_clock(listener, 1);
}

int plait_listener_close(plait_listener *listener)
{
    if (!listener) return plait__fail(-EINVAL, "the listener is NULL");
    lock();
    close_it(listener);
    unlock();
    return 0;
}

int plait_listener_free(plait_listener *listener)
{
    if (!listener) return 0;
    const int saved = errno;
    plait_listener_close(listener);
    if (listener->folder) rmdir(listener->folder);         /* if it never came to listen */
    if (listener->epoll >= 0) close(listener->epoll);
    if (listener->clock >= 0) close(listener->clock);
    if (listener->key) OPENSSL_cleanse(listener->key, listener->key_size);
    free(listener->key);
    free(listener->path);
    free(listener->folder);
    OPENSSL_cleanse(listener, sizeof *listener);
    free(listener);
    errno = saved;
    return 0;
}
