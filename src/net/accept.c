#include "net/listener_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/deadline.h"
#include "base/error.h"
#include "family/wait.h"
#include "net/connection.h"
#include "net/socket.h"

enum { GUESTS_MAX = 64, EVENTS = 16 };
static const int64_t patience = 10 * PLAIT__MILLISECOND;   /* with a guest, before the next one is let in */

/* ---- guests ---- */

static int watch(const struct plait_listener *listener, int how, int fd, uint32_t events, void *what)
{
    struct epoll_event event = { .events = events, .data.ptr = what };
    return epoll_ctl(listener->epoll, how, fd, &event) < 0 ? -errno : 0;
}

void plait__listener_set_clock(struct plait_listener *listener, int64_t at)
{
    const struct itimerspec time = { .it_value = plait__timespec(at) };
    if (listener->rings != at && timerfd_settime(listener->clock, TFD_TIMER_ABSTIME, &time, NULL) == 0) listener->rings = at;
}

static void set_shut(struct plait_listener *listener, bool shut)
{
    if (shut == listener->shut) return;
    if (watch(listener, EPOLL_CTL_MOD, listener->fd, shut ? 0 : EPOLLIN, listener) == 0) listener->shut = shut;
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
        plait__listener_set_clock(listener, 0);
        set_shut(listener, false);
        return;
    }
    const struct guest *youngest = listener->guests;
    while (youngest->next) youngest = youngest->next;
    const bool full = listener->count >= GUESTS_MAX, waits = !full && plait__net_now() < youngest->since + patience;
    const int64_t late = listener->guests->until.at;
    set_shut(listener, full || waits);
    plait__listener_set_clock(listener, waits && (!late || late > youngest->since + patience) ? youngest->since + patience : late);
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

/* In a forked child they are its parent's, and go on with that. */
void plait__listener_send_away(struct plait_listener *listener)
{
    const bool ours = listener->owner == getpid();
    for (struct guest *next, *guest = listener->guests; guest; guest = next) {
        next = guest->next;
        if (ours) shutdown(guest->handshake.fd, SHUT_RDWR);
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
        const short waits_for = plait__handshake_waits_for(&guest->handshake);
        const uint32_t events = waits_for == POLLIN ? EPOLLIN : EPOLLOUT;
        const int error = waits_for == guest->waits_for ? 0 : watch(listener, EPOLL_CTL_MOD, fd, events, guest);
        guest->waits_for = waits_for;
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
    guest->waits_for = POLLIN;
    guest->since = plait__net_now();
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
    if (!guest || !guest->until.at || guest->until.at > plait__net_now()) return -EAGAIN;
    plait__fail(PLAIT_EAUTH, "the handshake has lasted for %g s: there was %s", listener->timeout,
                plait__auth_missing(&guest->handshake.auth));
    return refuse(listener, guest, PLAIT_EAUTH);
}

static int above_stdio(int fd)
{
    return plait__above_stdio(fd < 0 ? -errno : fd);
}

int plait__listener_watch(struct plait_listener *listener)
{
    const int epoll = above_stdio(epoll_create1(EPOLL_CLOEXEC));
    const int clock = above_stdio(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
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

int plait__listener_adopt(struct plait_listener *listener)
{
    if (listener->owner == getpid()) return 0;
    const int error = plait__listener_watch(listener);
    if (error) return error;
    plait__listener_send_away(listener);
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
    int result = plait__listener_adopt(listener);
    if (result) return result;
    if (listener->rings && read(listener->clock, &times, sizeof times) > 0) listener->rings = 0;
    result = refuse_late_one(listener);
    const int count = result == -EAGAIN ? epoll_wait(listener->epoll, events, EVENTS, 0) : 0;
    for (int i = 0; i < count && result == -EAGAIN; i++) result = handle(listener, &events[i]);
    set_door_and_clock(listener);
    return result;
}

static bool is_over(plait_deadline deadline)
{
    return deadline.at && deadline.at <= plait__net_now();
}

/* Who always has something to do looks once more when the time is up, and no further. */
static int accept_fd(struct plait_listener *listener, plait_deadline deadline)
{
    for (bool is_last = false;; is_last = is_over(deadline)) {
        plait__listener_lock();
        const int result = look(listener);
        plait__listener_unlock();
        if (result != -EAGAIN) return result;
        const int ready = is_last ? -ETIMEDOUT : plait__wait_fd(listener->epoll, POLLIN, deadline);
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

