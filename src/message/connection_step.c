/* message/connection_step.c - turns, single calls to the kernel, and waiting for the next one. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/repair.h"
#include "message/connection_internal.h"
#include "sync/owner.h"

/* The C library's own, in musl, call sendmsg and recvmsg one by one, and count in private memory. */
#ifndef SYS_recvmmsg
#define SYS_recvmmsg SYS_recvmmsg_time64
#endif

/* ---- turns ---- */

static int wait_to_own(struct plait__direction *direction, plait_connection *connection, uint64_t seen, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_CONNECTION, connection, deadline);
    for (;;) {
        if (!plait__owner_slot(seen) || plait__fate(plait__owner_in(seen)) != PLAIT__LIVES) {
            if (!atomic_compare_exchange_strong(&direction->owner, &seen, plait__owner_mine(seen, &wait))) continue;
            plait__wait_end(&wait);
            return 0;
        }
        if (plait__owner_wait(&wait, &direction->owner, &seen) < 0)
            return plait__owner_timed_out(PLAIT__FOR_CONNECTION, connection, &direction->owner, seen);
    }
}

/* Who died in the middle, or left it by pthread_exit, gives way to the next: what they did is in the records. */
int plait__direction_own(struct plait__direction *direction, plait_connection *connection, plait_deadline deadline)
{
    uint64_t seen = 0;
    if (PLAIT__LIKELY(atomic_compare_exchange_strong(&direction->owner, &seen, plait__self.owner))) return 0;
    plait__may_be_woken();
    int error = wait_to_own(direction, connection, seen, deadline);
    plait__no_more_woken();
    return error;
}

void plait__direction_disown(struct plait__direction *direction)
{
    uint64_t was = atomic_exchange(&direction->owner, 0);
    if (PLAIT__UNLIKELY(was & PLAIT__SLEEPS)) plait__wake(plait__low_half(&direction->owner), 1);
}

/* ---- records ---- */

void plait__begin(struct plait__direction *direction, const struct plait__progress *as)
{
    uint32_t next = atomic_load_explicit(&direction->turn, memory_order_relaxed) + 1;
    direction->records[next & 1] = *as;
    plait__in_order();
    atomic_store_explicit(&direction->turn, next, memory_order_release);
    plait__in_order();
}

/* Only what differs from the call before. */
static struct plait__progress *begin_call(struct plait__direction *direction, const struct msghdr *message, bool is_unsure)
{
    const struct plait__progress *now = plait__progress_of(direction);
    struct plait__progress next = { .before = plait__done(now), .total = now->total, .kept = now->kept, .stage = now->stage,
                                  .is_unsure = is_unsure };
    next.call.msg_hdr = *message;
    plait__begin(direction, &next);
    return plait__progress_of(direction);
}

/* ---- calls ---- */

static ssize_t call_socket(long number, const plait_connection *connection, struct plait__direction *direction,
                           const struct msghdr *message)
{
    struct plait__progress *record = begin_call(direction, message, false);
    for (;;) {
        int flags = MSG_DONTWAIT | (number == SYS_sendmmsg ? MSG_NOSIGNAL : MSG_CMSG_CLOEXEC);
        long result = syscall(number, connection->fd, &record->call, 1, flags, NULL);
        if (result > 0) return (ssize_t)record->call.msg_len;
        if (errno != EINTR) return -errno;
    }
}

static int is_ready(const plait_connection *connection, short events)
{
    int ready = plait__wait_fd(connection->fd, events, PLAIT_NOW);
    return ready == -ETIMEDOUT ? -EAGAIN : ready < 0 ? ready : 0;
}

/* Where nobody reads, an error instead of a signal: SIGPIPE is kept from this thread, and taken away if it was not there before. */
static ssize_t write_quietly(int fd, const struct iovec *parts, int count)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    sigpending(&pending);
    ssize_t done = writev(fd, parts, count);
    int error = errno;
    if (done < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) sigtimedwait(&pipe_only, NULL, &(struct timespec){ 0 });
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return done < 0 ? -error : done;
}

static void cut_parts(struct iovec *parts, unsigned count, size_t most)
{
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].iov_len > most) parts[i].iov_len = most;
        most -= parts[i].iov_len;
    }
}

/* A pipe that is said to be ready takes PIPE_BUF bytes, and gives what it has, without blocking. */
static ssize_t call_pipe(const plait_connection *connection, struct plait__direction *direction, struct iovec *parts,
                         unsigned count)
{
    bool sends = direction == &connection->out;
    int error = is_ready(connection, sends ? POLLOUT : POLLIN);
    if (error) return error;
    if (sends) cut_parts(parts, count, PIPE_BUF);
    begin_call(direction, &(struct msghdr){ 0 }, true);
    ssize_t done = sends ? write_quietly(connection->fd, parts, (int)count) : readv(connection->fd, parts, (int)count);
    if (done < 0 && !sends) done = -errno;
    struct plait__progress after = *plait__progress_of(direction);
    after.is_unsure = false;
    if (done > 0) after.before += (size_t)done;
    plait__begin(direction, &after);
    return done == -EINTR ? -EAGAIN : done;
}

ssize_t plait__send_step(plait_connection *connection, struct iovec *parts, unsigned count, void *control, size_t control_size)
{
    if (PLAIT__UNLIKELY(!connection->is_socket)) return call_pipe(connection, &connection->out, parts, count);
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = count, .msg_control = control, .msg_controllen = control_size };
    ssize_t sent = call_socket(SYS_sendmmsg, connection, &connection->out, &message);
    return sent == -ECONNRESET ? -EPIPE : sent;
}

/* That the other side had not read all before it went is no reason not to read what it has sent: the kernel says so once. */
static ssize_t recv_socket(plait_connection *connection, const struct msghdr *message)
{
    ssize_t got = call_socket(SYS_recvmmsg, connection, &connection->in, message);
    return got == -ECONNRESET ? call_socket(SYS_recvmmsg, connection, &connection->in, message) : got;
}

ssize_t plait__recv_step(plait_connection *connection, void *place, size_t size)
{
    struct iovec part = { place, size };
    if (PLAIT__UNLIKELY(!connection->is_socket)) return call_pipe(connection, &connection->in, &part, 1);
    return recv_socket(connection, &(struct msghdr){ .msg_iov = &part, .msg_iovlen = 1 });
}

ssize_t plait__recv_first(plait_connection *connection, size_t size)
{
    struct plait__direction *in = &connection->in;
    struct iovec part = { in->header, size };
    if (PLAIT__UNLIKELY(!connection->is_local)) return plait__recv_step(connection, in->header, size);
    return recv_socket(connection, &(struct msghdr){ .msg_iov = &part, .msg_iovlen = 1, .msg_control = in->control,
                                                     .msg_controllen = sizeof in->control });
}

/* ---- waiting ---- */

int plait__wait_to_send(plait_connection *connection, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_MESSAGE, connection, deadline);
    plait__announce(&wait, &connection->out.news);
    int ready = plait__wait_fd(connection->fd, POLLOUT, deadline);
    plait__announce_end();
    return ready == -ETIMEDOUT ? ready : 0;
}

/* Who sends from within the family tells of each message in memory.  True: there is one more. */
static bool spin_for_news(const plait_connection *connection, struct plait__wait *wait, uint32_t news)
{
    if (!connection->other || plait__is_now(wait->deadline)) return false;
    do {
        if (plait__news_of_other(connection) != news) return true;
    } while (plait__spin(wait));
    if (!wait->slept) plait__spinning_failed();
    wait->slept = true;
    return false;
}

bool plait__is_torn(struct plait__direction *direction)
{
    const struct plait__progress *record = plait__progress_of(direction);
    return record->is_unsure || (plait__done(record) != 0 && !plait__is_whole(record));
}

/* Whoever was sending to us is dead (or has given up), and has sent all that it could before.  A torn direction stays as it is;
 * what is read while somebody works there is not believed: `turn` only grows. */
static bool is_given_up(plait_connection *other)
{
    if (!other) return false;
    uint64_t owner = atomic_load(&other->out.owner);
    uint32_t turn = atomic_load(&other->out.turn);
    if (plait__owner_slot(owner) && plait__fate(plait__owner_in(owner)) == PLAIT__LIVES) return false;
    bool is_torn = plait__is_torn(&other->out);
    return is_torn && atomic_load(&other->out.owner) == owner && atomic_load(&other->out.turn) == turn;
}

static bool has_input(const plait_connection *connection)
{
    return is_ready(connection, POLLIN) == 0;
}

/* Another receiver may have taken what came from the kernel and left it in memory: poll does not tell of that.  (Who is at work now
 * and has not left it yet goes on, or gives way to the others, who look.) */
static bool has_changed(struct plait__direction *in, uint64_t standing)
{
    uint64_t owner = atomic_load(&in->owner);
    if (plait__owner_slot(owner) && plait__fate(plait__owner_in(owner)) == PLAIT__LIVES) return false;
    return plait__standing(in) != standing;
}

/* Nor does it watch the others, so who sleeps gets up now and then, and looks whether they live; ever more rarely. */
#define LOOK_FIRST (5 * PLAIT__MILLISECOND)
#define LOOK_LAST (160 * PLAIT__MILLISECOND)

static int64_t slice_of(struct plait__wait *wait, int64_t now)
{
    if (!wait->since) wait->since = now;
    int64_t slice = (now - wait->since) / 2;
    return slice < LOOK_FIRST ? LOOK_FIRST : slice > LOOK_LAST ? LOOK_LAST : slice;
}

static int watchful_sleep(plait_connection *connection, struct plait__wait *wait, uint64_t standing)
{
    for (;;) {
        if (PLAIT__UNLIKELY(standing && is_given_up(connection->other))) return has_input(connection) ? 0 : PLAIT_EBROKEN;
        if (PLAIT__UNLIKELY(has_changed(&connection->in, standing))) return 0;
        int64_t now = plait__now();
        plait_deadline until = { plait__earlier(wait->deadline, now + slice_of(wait, now)) };
        int ready = plait__wait_fd(connection->fd, POLLIN, until);
        if (ready != -ETIMEDOUT) return 0;
        if (until.at == wait->deadline.at) return ready;
        plait__reap_all();
        plait__ask_kernel_about_unpulsed();
    }
}

int plait__wait_to_recv(plait_connection *connection, struct plait__wait *wait, uint32_t news, uint64_t standing)
{
    if (spin_for_news(connection, wait, news)) return 0;
    plait__announce(wait, &connection->in.news);
    int result = watchful_sleep(connection, wait, standing);
    plait__announce_end();
    return result;
}
