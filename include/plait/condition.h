/* plait/condition.h - sleep until somebody says that something has changed, with a lock around what changes.
 *
 * All-zero bytes are a condition with an rlock of its own.  Here it lies beside what it is about, in shared memory:
 *
 * ```c
 * struct mailbox { plait_condition changed; int letters; };
 * struct mailbox *mailbox = (struct mailbox *)plait_alloc(sizeof *mailbox);
 *
 * // one who waits for a letter
 * int got = plait_condition_acquire(&mailbox->changed, PLAIT_FOREVER);
 * while (got >= 0 && mailbox->letters == 0) got = plait_condition_wait(&mailbox->changed, plait_after(60));
 * if (got >= 0) mailbox->letters--;                        // < 0 is -ETIMEDOUT: the lock is held all the same
 * plait_condition_release(&mailbox->changed);
 *
 * // one who brings a letter
 * if (plait_condition_acquire(&mailbox->changed, PLAIT_FOREVER) < 0) return;
 * mailbox->letters++;
 * plait_condition_notify(&mailbox->changed, 1);
 * plait_condition_release(&mailbox->changed);
 * ```
 *
 * Always wait in a loop that looks, as above, or by plait_condition_wait_for, which is that loop: between the notify and the return
 * of the wait somebody else may have had the lock.  And a wait may return 0 without a notify: when a member of the family has been
 * killed (or has left owing something), as that one may have been the one who was notified, or the one who was about to notify.
 */
#ifndef PLAIT_CONDITION_H
#define PLAIT_CONDITION_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/lock.h>
#include <plait/rlock.h>

/* One of the two groups of those who wait. */
typedef struct plait__waiters {
    uint32_t word, closed, count, notified;
} plait__waiters;

/* Eighty bytes, aligned to eight.  The fields are plait's; zero them, or call plait_condition_init, to make a condition, never
 * while it is in use.  Inside memory of the arena it works between all members; elsewhere between the threads of this process. */
typedef struct plait_condition {
    plait_rlock own;                                       /* its lock, if it has not one of the next two */
    plait_lock *lock;
    plait_rlock *rlock;
    plait__waiters groups[2];
    uint32_t newer, endings;
    uint64_t reserved;
} plait_condition;

/* All zero, or NULL instead of the struct: an rlock of its own.  Several conditions may share a lock. */
typedef struct plait_condition_options {
    plait_lock *lock;         /* use this lock, which must outlive the condition */
    plait_rlock *rlock;       /* or this rlock */
    uint64_t reserved[4];     /* zero */
} plait_condition_options;

PLAIT_BEGIN

/* A new condition in shared memory, owned by the family; free it with plait_condition_free.  NULL: errno as plait_alloc, EINVAL
 * (the detail says what).  Python: multiprocessing.Condition(lock). */
PLAIT_API plait_condition *plait_condition_new(const plait_condition_options *options);

/* Make a condition of these bytes, whatever they were: for one in a struct of your own that shares a lock with others.
 * 0; -EINVAL (NULL, misaligned, two locks, or a private lock for a condition in shared memory). */
PLAIT_API int plait_condition_init(plait_condition *condition, const plait_condition_options *options);

/* Free a condition of plait_condition_new, not the lock that it was given; the caller must know that nobody uses it any more.  NULL
 * is fine.  0, or what plait_free says. */
PLAIT_API int plait_condition_free(plait_condition *condition);

/* Acquire its lock, release it: as plait_lock_acquire and plait_lock_release, or plait_rlock_acquire and plait_rlock_release.
 * Python: condition.acquire(), condition.release(). */
PLAIT_API PLAIT_MUST_CHECK int plait_condition_acquire(plait_condition *condition, plait_deadline deadline);
PLAIT_API int plait_condition_release(plait_condition *condition);

/* Release the lock, sleep until notified, and acquire it again.  An rlock is released however often the caller holds it, and held
 * as often afterwards.  However it returns (but for the errors at the end), the lock is held: to get that back may take
 * longer than the deadline.
 * 0: look whether it is as you want; PLAIT_OWNER_DIED (> 0: as 0, but the lock's last holder was killed: check what it protects);
 * -ETIMEDOUT.
 * Signals do not end the wait.
 * PLAIT_ENOTOWNER (the calling thread does not hold the lock); -EINVAL; PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Python: condition.wait(timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_condition_wait(plait_condition *condition, plait_deadline deadline);

/* Wait until predicate(argument), called with the lock held, returns something else than 0.
 * 0: the last was positive; a negative number: it was that; -ETIMEDOUT: it still was 0 when the time was up; PLAIT_OWNER_DIED, at
 * once: the lock's last holder was killed, so check what the predicate looks at before you call again; errors as
 * plait_condition_wait.
 * Python: condition.wait_for(predicate, timeout), which returns the predicate's last value. */
PLAIT_API PLAIT_MUST_CHECK int plait_condition_wait_for(plait_condition *condition, int (*predicate)(void *argument),
                                                        void *argument, plait_deadline deadline);

/* Wake n of those who wait, those first who have waited when the last were not enough for all; all of them if there are fewer.
 * Who begins to wait later is not woken by it, nor does one whose time is up take it from the others.  They go on when they get the
 * lock, which the caller has to release.
 * How many it woke (>= 0); PLAIT_ENOTOWNER (the calling thread does not hold the lock); -EINVAL (n < 0); PLAIT_ENOARENA,
 * PLAIT_ETOOMANY.  Does not block.
 * Python: condition.notify(n), which waits until they go on. */
PLAIT_API int plait_condition_notify(plait_condition *condition, int n);

/* Wake all who wait; as plait_condition_notify.  Python: condition.notify_all(). */
PLAIT_API int plait_condition_notify_all(plait_condition *condition);

/* Write "<Condition(<RLock(MainProcess, 1)>, 0)>": the lock, and how many wait and were not notified yet.  At most `size` bytes
 * with the 0 at the end; how long it is, as snprintf; -EINVAL.  Only a momentary picture.  Python: repr(condition). */
PLAIT_API int plait_condition_repr(const plait_condition *condition, char *text, size_t size);

PLAIT_END
#endif
