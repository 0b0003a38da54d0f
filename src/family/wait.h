/* family/wait.h - the one wait.  Everything in plait that blocks ends here, or in its sibling for file descriptors.
 *
 *     struct plait__wait wait = plait__wait_until(deadline);
 *     for (;;) {
 *         look; if it is as wanted: break;
 *         int error = plait__wait(&wait, word, the value seen, slot of its owner or 0);
 *         if (error) return error;                        // -ETIMEDOUT
 *     }
 *     plait__wait_end(&wait);
 *
 * Every return of 0 only means: look again.  It spins a little, then sleeps 5 ms on the word alone, and from then on on the
 * word, the family's epoch, and the pulses of up to 120 members, so that whoever sleeps watches.  The epoch that a long sleep
 * relies on is read before the caller's look, so that a repair between look and sleep ends the sleep at once.
 */
#ifndef PLAIT_FAMILY_WAIT_H
#define PLAIT_FAMILY_WAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "family/bell.h"
#include "family/roster.h"

#define PLAIT__WATCH_MAX 120u

/* What somebody waits for, as others may be told.  The first group is held by one member, whom the word that is slept on names
 * in its low 16 bits. */
enum plait__waits_for {
    PLAIT__FOR_SOMETHING,                                  /* of plait's own */
    PLAIT__FOR_LOCK, PLAIT__FOR_RLOCK, PLAIT__FOR_RWLOCK_READ, PLAIT__FOR_RWLOCK_WRITE, PLAIT__FOR_CONNECTION,
    PLAIT__FOR_OTHERS,                                     /* from here on: anybody may end the wait */
    PLAIT__FOR_SEMAPHORE = PLAIT__FOR_OTHERS, PLAIT__FOR_CONDITION, PLAIT__FOR_EVENT, PLAIT__FOR_BARRIER, PLAIT__FOR_QUEUE,
    PLAIT__FOR_POOL, PLAIT__FOR_TASK, PLAIT__FOR_END, PLAIT__FOR_NAME, PLAIT__FOR_MESSAGE, PLAIT__FOR_ANY,
    PLAIT__FOR_COUNT
};

struct plait__wait {
    plait_deadline deadline;
    const void *object;                                    /* as users know it; NULL: none */
    enum plait__waits_for kind;
    int64_t since;                                         /* the first sleep */
    int64_t ask_kernel_at;                                 /* the next time to ask the kernel about the others */
    int64_t ask_unpulsed_at;                               /* about those without a pulse; 0: there are none */
    uint32_t spins;
    uint32_t epoch;
    bool slept, watching;
};

static inline struct plait__wait plait__wait_until(plait_deadline deadline)
{
    return (struct plait__wait){ .deadline = deadline };
}

static inline struct plait__wait plait__wait_for(enum plait__waits_for kind, const void *object, plait_deadline deadline)
{
    return (struct plait__wait){ .deadline = deadline, .object = object, .kind = kind };
}

/* How a thread or, later, a coroutine gives up the processor. */
struct plait__parker {
    int (*park)(struct plait__wait *wait, plait__word *word, uint32_t expected, uint32_t owner);
    int (*park_fds)(struct pollfd *fds, unsigned count, plait_deadline deadline);
};

/* The deadline is over, or was PLAIT_NOW, and slot `owner` (or 0) has what was wanted: -ETIMEDOUT; or 0, because somebody turned
 * out to be dead: look again. */
int plait__give_up(uint32_t owner);

int plait__park(struct plait__wait *wait, plait__word *word, uint32_t expected, uint32_t owner);

/* The same for up to PLAIT__PARK_MAX words at a time, made by plait__futex_entry, of which anybody may change any; while
 * plait__can_park_many(). */
#define PLAIT__PARK_MAX 32u
int plait__park_many(struct plait__wait *wait, const struct plait__futex *words, unsigned count);

static inline bool plait__can_park_many(void)
{
    return !plait__self.parker && !atomic_load_explicit(&plait__roster->no_waitv, memory_order_relaxed);
}

/* The same for descriptors, among them an armed bell (bell.h), which is rung for `word` and perhaps others; until the moment
 * `again`, or the deadline, at most.  >= 0: how many of the descriptors have something to tell, look again; -errno. */
int plait__park_fds(struct plait__wait *wait, plait__word *word, struct pollfd *fds, unsigned count, int64_t again);

/* For who sleeps in ways of its own: do what is due about others, and the moment at which to come again. */
int64_t plait__go_round(struct plait__wait *wait);

/* Sleep while *word == expected, without being a member and without an eye on the others: for who has somebody that ends it when
 * nobody is left to wake it. Spurious returns are possible. */
void plait__wait_unwatchful(plait__word *word, uint32_t expected);

/* One turn of the spin that comes before every sleep, each somewhat longer than the last.  False: it has lasted long enough. */
static inline bool plait__spin(struct plait__wait *wait)
{
    if (wait->spins >= plait__self.spin_limit) return false;
    uint32_t pauses = wait->spins < 64 ? 1 + wait->spins / 4 : 16;
    for (uint32_t i = 0; i < pauses; i++) plait__relax();
    wait->spins += pauses;
    return true;
}

/* Wait until *word may differ from `expected`.  0: look again; -ETIMEDOUT. */
static inline int plait__wait(struct plait__wait *wait, plait__word *word, uint32_t expected, uint32_t owner)
{
    return plait__spin(wait) ? 0 : plait__park(wait, word, expected, owner);
}

/* From now on the caller, a member, waits for descriptors; until plait__announce_end.  For whoever asks why nothing goes on.  word:
 * any of the object, on which nobody sleeps. */
void plait__announce(const struct plait__wait *wait, plait__word *word);
void plait__announce_end(void);

/* From now on the caller waits, by whatever means, for the end of this thread (a process's first has its pid); 0: no more.  For
 * whoever asks why nothing goes on; nobody else goes by it. */
void plait__announce_join(int32_t tid);

void plait__wait_learn(const struct plait__wait *wait);

/* For who sleeps on something else afterwards: it was not worth it. */
void plait__spinning_failed(void);

/* The operation is done: learn whether it was worth spinning. */
static inline void plait__wait_end(const struct plait__wait *wait)
{
    if (PLAIT__UNLIKELY(wait->spins)) plait__wait_learn(wait);
}

/* Wake at most `count` sleepers of the word, after having changed it.  How many there were, not counting those who sleep on
 * descriptors and are rung, all of them. */
static inline int plait__wake(plait__word *word, int count)
{
    int woken = plait__futex_wake(word, count);
    if (PLAIT__UNLIKELY(plait__roster && atomic_load(&plait__roster->bells))) plait__bells_ring(word);
    return woken;
}

/* Wait until poll() would report one of `events` (or an error) for fd.  What it reported (> 0), -ETIMEDOUT, -errno. */
PLAIT__API int plait__wait_fd(int fd, short events, plait_deadline deadline);

/* The same for several, negative ones among them are left out: how many have something to report, in their revents. */
PLAIT__API int plait__wait_fds(struct pollfd *fds, unsigned count, plait_deadline deadline);

/* A new member: how long it spins. */
void plait__wait_init(void);

#endif
