/* log/stderr.c - lines to standard error, of which each goes out whole.
 *
 * A write of up to PIPE_BUF bytes is one piece for the kernel, but may come into the middle of a longer one by somebody else, who
 * waits for room in a pipe.  So all writers of the family take turns, by a lock in shared memory.  It is held while somebody
 * writes and for nothing else; who is killed then frees it, and who is stopped then is left out after a second.
 */
#include "log/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <plait/lock.h>

#include "base/error.h"
#include "family/roster.h"
#include "family/wait.h"

/* In the roster, zero at first. */
struct turns {
    plait_lock lock;
    _Atomic uint32_t ended;                                /* how many turns did; by who has the lock, and gives it back */
    _Atomic uint32_t unfinished;                           /* by who has the lock: a line may lack its end, so the next one begins
                                                              with a new line */
};
_Static_assert(sizeof(struct turns) <= PLAIT__LOG_SIZE, "it has to fit its place in the roster");

static _Thread_local uint32_t stuck_after;                 /* 1 + the turns that had ended when it gave up on the next */

static struct turns *turns(void)
{
    return (struct turns *)(void *)plait__roster->log;
}

/* ---- taking turns ---- */

/* Its holder is not dead but left (exit in a signal handler in the middle of a write): nobody will give it back.  Those who sleep
 * on it look again by themselves, within a second. */
static bool free_from_nobody(plait_lock *lock)
{
    uint64_t seen = atomic_load((_Atomic uint64_t *)&lock->word);
    return (seen & 0xffff) == PLAIT__NOBODY && atomic_compare_exchange_strong((_Atomic uint64_t *)&lock->word, &seen, 0);
}

/* Nobody can write now, so it is not the holder's fault that its turn lasts. */
static bool is_full(void)
{
    return plait__wait_fd(STDERR_FILENO, POLLOUT, PLAIT_NOW) == -ETIMEDOUT;
}

static bool does_block(void)
{
    return !(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
}

/* 1: it is ours.  0: whoever has it does not go on, or there is no family: write without.  -EAGAIN: there would be no room. */
static int take_turn(void)
{
    if (plait__member() < 0) return 0;
    struct turns *all = turns();
    for (;;) {
        uint32_t ended = atomic_load(&all->ended);
        bool is_stuck = stuck_after == ended + 1;
        int got = plait_lock_acquire(&all->lock, is_stuck ? PLAIT_NOW : plait_after(1.0));
        if (got >= 0) return 1;
        if (is_stuck) return 0;
        if (free_from_nobody(&all->lock) || atomic_load(&all->ended) != ended) continue;
        if (!is_full()) {
            stuck_after = ended + 1;
            return 0;
        }
        if (!does_block()) return -EAGAIN;
    }
}

static void end_turn(void)
{
    atomic_fetch_add(&turns()->ended, 1);
    (void)plait_lock_release(&turns()->lock);
}

/* ---- writing ---- */

/* A write can be answered by a signal, too, which would end the program.  It comes to the writing thread: so it is blocked, and
 * taken away when it was not pending before. */
struct quiet {
    sigset_t mask, pending;
};

static void begin_quiet(struct quiet *quiet)
{
    sigset_t answers;
    sigemptyset(&answers);
    sigaddset(&answers, SIGPIPE);
    sigaddset(&answers, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &answers, &quiet->mask);
    sigemptyset(&quiet->pending);
    sigpending(&quiet->pending);
}

static void end_quiet(const struct quiet *quiet, int error)
{
    const struct timespec at_once = { 0 };
    int answer = error == -EPIPE ? SIGPIPE : error == -EFBIG ? SIGXFSZ : 0;
    if (answer && !sigismember(&quiet->pending, answer)) {
        sigset_t only;
        sigemptyset(&only);
        sigaddset(&only, answer);
        while (sigtimedwait(&only, NULL, &at_once) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
}

/* *written counts up to the size.  A descriptor that does not block gets a second after each piece that it has taken. */
static int write_all(const char *data, size_t size, size_t *written)
{
    plait_deadline until = PLAIT_FOREVER;
    while (*written < size) {
        ssize_t count = write(STDERR_FILENO, data + *written, size - *written);
        if (count > 0) {
            *written += (size_t)count;
            until = PLAIT_FOREVER;
            continue;
        }
        int error = count < 0 ? -errno : -EIO;
        if (error == -EINTR) continue;
        if (error != -EAGAIN || plait__expired(until)) return error;
        if (plait__is_forever(until)) until = plait_after(1.0);
        int ready = plait__wait_fd(STDERR_FILENO, POLLOUT, until);
        if (ready < 0) return ready == -ETIMEDOUT ? error : ready;
    }
    return 0;
}

/* Who is killed in a write of more than PIPE_BUF bytes leaves a part of them; of fewer none. */
static int write_in_turn(const char *line, size_t size)
{
    _Atomic uint32_t *unfinished = &turns()->unfinished;
    bool before = atomic_load(unfinished);
    size_t written = 0;
    if (size > PIPE_BUF) atomic_store(unfinished, 1);
    int error = write_all(line - before, size + before, &written);
    atomic_store(unfinished, written ? error != 0 : before);
    return error;
}

static int write_without_turn(const char *line, size_t size)
{
    size_t written = 0;
    return write_all(line, size, &written);
}

/* A thread that is cancelled, which write() allows, must not keep its turn. */
int plait__write_line(const char *line, size_t size)
{
    struct quiet quiet;
    int cancel, turn;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    begin_quiet(&quiet);
    turn = take_turn();
    int error = turn > 0 ? write_in_turn(line, size) : turn < 0 ? turn : write_without_turn(line, size);
    if (turn > 0) end_turn();
    end_quiet(&quiet, error);
    pthread_setcancelstate(cancel, NULL);
    return error ? plait__fail(error, "writing to standard error: %s", plait_strerror(error)) : 0;
}
