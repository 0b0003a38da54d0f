/* wait/watch.c - many things behind one descriptor, for another's event loop.
 *
 * The descriptor is an epoll's.  In it are the descriptors of the things, a bell for their words (family/bell.h), and a timer, for
 * rounds and for things that nothing tells of.  All of it is level-triggered: what is ready by a descriptor keeps it readable
 * by itself; for what is ready by a word the watch rings its own bell, and leaves it so until a look finds no word ready.  Only
 * then the bell is emptied and armed, and looked once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/wait.h"
#include "wait/things.h"

struct plait_watch {
    struct plait__things things;
    struct plait__wait wait;
    struct plait__ear ear;
    pid_t owner;
    int epoll, timer;
    uint64_t bell;                                         /* address of the ear whose descriptor is in the epoll; 0 */
    bool rings;                                            /* our own bell, for a word that is ready */
    struct pollfd *polled;                                 /* of each thing: what is in the epoll, until it is replaced */
    struct pollfd *packed;                                 /* those of them that have a descriptor, for the kernel */
};

/* ---- the epoll ---- */

/* All that is asked about a descriptor, which may stand in several things. */
static uint32_t events_of(const plait_watch *watch, int fd)
{
    uint32_t events = 0;
    for (size_t i = 0; i < watch->things.n; i++)
        if (watch->polled[i].fd == fd) events |= (uint32_t)(unsigned short)watch->polled[i].events;
    return events;
}

static int add(const plait_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
    if (errno == EEXIST && epoll_ctl(watch->epoll, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
    if (errno == EPERM) return plait__fail(-EPERM, "descriptor %d is of a file, which is always ready", fd);
    return plait__fail(-errno, "descriptor %d can't be watched: %s", fd, plait_strerror(-errno));
}

static void drop(const plait_watch *watch, int fd)
{
    if (fd >= 0 && !events_of(watch, fd)) epoll_ctl(watch->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* Thing i tells by this descriptor from now on. */
static int replace(plait_watch *watch, size_t i, const struct plait__place *place)
{
    int before = watch->polled[i].fd;
    watch->polled[i] = (struct pollfd){ .fd = place->fd, .events = place->events };
    drop(watch, before);
    int error = add(watch, place->fd, events_of(watch, place->fd));
    if (!error) return 0;
    watch->polled[i].fd = -1;
    plait__add_detail("thing %zu", i);
    return error;
}

/* The descriptor of one that is ready stays, and goes on telling. */
static int update(plait_watch *watch)
{
    int error = 0;
    for (size_t i = 0; i < watch->things.n && !error; i++) {
        const struct plait__place *place = &watch->things.places[i];
        bool is_new = place->fd >= 0 && place->fd != watch->polled[i].fd;
        if (is_new) error = replace(watch, i, place);
    }
    return error;
}

/* ---- the bell and the timer ---- */

static int have_bell(plait_watch *watch)
{
    int error = plait__bell_open(&watch->ear);
    if (!error && watch->ear.address != watch->bell) {     /* a new one may have the old one's number */
        error = add(watch, watch->ear.fd, POLLIN);
        watch->bell = watch->ear.address;
    }
    return error;
}

/* For nothing but descriptors nobody's death matters. */
static void set_timer(plait_watch *watch)
{
    int64_t at = watch->things.words ? plait__go_round(&watch->wait) : watch->things.again;
    if (watch->things.again && watch->things.again < at) at = watch->things.again;
    struct itimerspec when = { .it_value = plait__timespec(at) };
    timerfd_settime(watch->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Have the descriptor tell of the next change of a word.  How many are ready by now, or an error. */
static int arm(plait_watch *watch)
{
    for (size_t i = 0; i < watch->things.n; i++)
        if (watch->things.places[i].word) plait__bell_want(&watch->ear, watch->things.places[i].word);
    watch->ear.may_have_bytes = true;
    watch->rings = false;
    plait__bell_arm(&watch->ear);
    return plait__things_look(&watch->things, true);
}

static void ring(plait_watch *watch)
{
    if (!watch->rings) plait__bell_ring_self(&watch->ear);
    watch->rings = true;
}

/* A word that a later look has found is not among those that were wanted. */
static bool wants_all(const plait_watch *watch)
{
    bool all = true;
    for (size_t i = 0; i < watch->things.n && all; i++)
        if (watch->things.places[i].word) all = plait__bell_wants(&watch->ear, watch->things.places[i].word);
    return all;
}

/* ---- checking ---- */

static bool has_words(const struct plait__things *things)
{
    bool has = false;
    for (size_t i = 0; i < things->n && !has; i++) has = things->all[i].kind > PLAIT_WAIT_FD;
    return has;
}

/* How many are ready; the bell is armed, or rings. */
static int look(plait_watch *watch)
{
    int ready = plait__things_look(&watch->things, false);
    if (ready < 0 || !has_words(&watch->things)) return ready;
    int error = have_bell(watch);
    if (error) return error;
    if (!ready && (watch->things.words || watch->rings)) ready = arm(watch);
    if (ready > 0 || (ready == 0 && !wants_all(watch))) ring(watch);
    return ready;
}

static int poll_now(plait_watch *watch, int ready)
{
    unsigned count = plait__things_pack(watch->polled, watch->things.n, watch->packed);
    int result = plait__wait_fds(watch->packed, count, PLAIT_NOW);
    plait__things_unpack(watch->polled, watch->things.n, watch->packed);
    for (size_t i = 0; i < watch->things.n && result > 0 && ready >= 0; i++) {
        int told = plait__things_told(&watch->things, i, watch->polled[i].revents);
        ready = told < 0 ? told : ready + told;
    }
    return result < 0 && result != -ETIMEDOUT ? result : ready;
}

static int check(plait_watch *watch)
{
    int ready = look(watch);
    int error = ready < 0 ? ready : update(watch);
    if (error) return error;
    set_timer(watch);
    return poll_now(watch, ready);
}

int plait_watch_check(plait_watch *watch, plait_waitable *things, size_t n)
{
    if (!watch) return plait__fail(-EINVAL, "the watch is NULL");
    if (!things && n) return plait__fail(-EINVAL, "the things are NULL, there are %zu", n);
    if (watch->owner != getpid()) return plait__fail(-ECHILD, "the watch was made by process %d", (int)watch->owner);
    int error = plait__member();
    int ready = error ? error : check(watch);
    if (ready < 0) plait__things_forget(&watch->things);
    size_t count = n < watch->things.n ? n : watch->things.n;
    if (count) memcpy(things, watch->things.all, count * sizeof *things);
    return ready;
}

int plait_watch_fd(const plait_watch *watch)
{
    return watch ? watch->epoll : plait__fail(-EINVAL, "the watch is NULL");
}

/* ---- making ---- */

static plait_watch *new_watch(const plait_waitable *things, size_t n)
{
    plait_watch *watch = calloc(1, sizeof *watch + n * (sizeof *things + sizeof *watch->things.places + 2 * sizeof *watch->polled));
    if (!watch) {
        plait__fail(-ENOMEM, "no private memory to watch %zu things", n);
        return NULL;
    }
    watch->things.all = (plait_waitable *)(void *)(watch + 1);
    watch->things.places = (struct plait__place *)(void *)(watch->things.all + n);
    watch->polled = (struct pollfd *)(void *)(watch->things.places + n);
    watch->packed = watch->polled + n;
    watch->things.n = n;
    watch->owner = getpid();
    watch->epoll = watch->timer = -1;
    for (size_t i = 0; i < n; i++) watch->polled[i].fd = -1;
    if (n) memcpy(watch->things.all, things, n * sizeof *things);
    return watch;
}

static int make_descriptors(plait_watch *watch)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), timer;
    watch->epoll = plait__above_stdio(epoll < 0 ? -errno : epoll);
    if (watch->epoll < 0) return plait__fail(watch->epoll, "an epoll: %s", plait_strerror(watch->epoll));
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    watch->timer = plait__above_stdio(timer < 0 ? -errno : timer);
    if (watch->timer < 0) return plait__fail(watch->timer, "a timer: %s", plait_strerror(watch->timer));
    return add(watch, watch->timer, POLLIN);
}

static int check_open(const plait_waitable *things, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (things[i].kind == PLAIT_WAIT_FD && fcntl(things[i].fd, F_GETFD) < 0 && errno == EBADF)
            return plait__thing_not_open(&things[i], i);
    return 0;
}

plait_watch *plait_watch_new(const plait_waitable *things, size_t n)
{
    int error = plait__things_check(things, n);
    if (!error) error = check_open(things, n);             /* before its number is given to one of ours */
    if (!error) error = plait__member();
    if (error) return plait__null(error);
    plait_watch *watch = new_watch(things, n);
    if (!watch) return plait__null(-ENOMEM);
    watch->wait = plait__wait_for(PLAIT__FOR_ANY, watch, PLAIT_FOREVER);
    error = make_descriptors(watch);
    if (!error) error = check(watch);
    if (error >= 0) return watch;
    plait_watch_free(watch);
    return plait__null(error);
}

int plait_watch_free(plait_watch *watch)
{
    if (!watch) return 0;
    if (watch->owner == getpid()) plait__bell_close(&watch->ear);        /* else it is the parent's */
    if (watch->timer >= 0) close(watch->timer);
    if (watch->epoll >= 0) close(watch->epoll);
    free(watch);
    return 0;
}
