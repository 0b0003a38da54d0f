/* plait/barrier.h - wait for each other: nobody goes on before all are there.
 *
 * ```c
 * plait_barrier *barrier = plait_barrier_new(3, NULL);
 *
 * // each of the three
 * int place = plait_barrier_wait(barrier, plait_after(10));
 * if (place == PLAIT_EBROKEN) puts(plait_error_detail());  // somebody was killed, or gave up: the detail says what
 * if (place == 2) puts("the last of us is there");         // 0, 1 and 2, one for each, in the order in which they came
 * ```
 *
 * It can be used again at once: who comes next waits for the next time that all are there.  When somebody is killed who has come
 * and waits, the barrier breaks: all who wait, and all who come later, are told PLAIT_EBROKEN, until somebody calls
 * plait_barrier_reset.
 *
 * One who has not come yet is waited for, dead or alive, as nobody knows who will come; unless it has said so:
 *
 * ```c
 * plait_barrier *barrier = plait_barrier_new(3, NULL);
 * if (plait_barrier_join(barrier) < 0) return;             // from now on my end breaks the barrier, wherever I am
 * for (int round = 0; round < 100; round++)
 *     if (plait_barrier_wait(barrier, PLAIT_FOREVER) < 0) return;
 * plait_barrier_leave(barrier);                            // now I am no more waited for
 * ```
 */
#ifndef PLAIT_BARRIER_H
#define PLAIT_BARRIER_H

#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

typedef struct plait_barrier plait_barrier;

/* All zero, or NULL instead of the struct: no action. */
typedef struct plait_barrier_options {
    int (*action)(void *argument);  /* the last to come calls it, in its own process, before anybody goes on.  That may be a
                                       spawned process: the function is found there as that of a spawned process is.
                                       0, or anything else if it has failed.  It must not wait at this barrier */
    void *argument;                 /* for the action, as it is: a pointer into shared memory, or nothing */
    uint64_t reserved[4];           /* zero */
} plait_barrier_options;

PLAIT_BEGIN

/* A new barrier for 1 to 8191 parties, owned by the family; free it with plait_barrier_free.
 * NULL: errno EINVAL (such a number of parties; the detail says so), PLAIT_ENOFUNCTION (the action lies in no module), and as
 * plait_alloc.
 * Python: multiprocessing.Barrier(parties, action).  (A timeout for all its waits is not kept here, and 0 parties, which Python
 * 3.11 takes, are none.) */
PLAIT_API plait_barrier *plait_barrier_new(int parties, const plait_barrier_options *options);

/* Free it; nobody may use it any more: not only one, but all parties must have returned from their wait.  NULL is fine.  0, or
 * -EINVAL when it is no barrier (or was freed). */
PLAIT_API int plait_barrier_free(plait_barrier *barrier);

/* Come to the barrier, and wait until all parties have.
 * Returns 0, 1, 2, ...: in which place the caller came, the last gets parties - 1.
 * PLAIT_EBROKEN: it is broken, by a death, a deadline, an abort or a failed action, or was reset meanwhile; the detail says which.
 * -ETIMEDOUT: the caller's own deadline was over before all were there, or before the last of them, who is there, had finished its
 * action; that breaks the barrier for the others.  PLAIT_NOW does so at once, unless the caller is the last.  (It breaks nothing
 * for one too many, who has waited for the others' action to end.)
 * Of the last, whose deadline counts no more: what its action returned, if that is negative, and PLAIT_EBROKEN if it is positive
 * (the detail says the number); PLAIT_ENOFUNCTION when the action is not to be found in its process.  That breaks the barrier for
 * the others.  -EDEADLK, at once: the caller is in the action of this barrier, and would wait for its own end.
 * -EINVAL; PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end the wait.
 * A member that has come too late for 32 times that all were there, because it was stopped, may be told PLAIT_EBROKEN if there was
 * a reset meanwhile.
 * Python: barrier.wait(timeout), which raises BrokenBarrierError. */
PLAIT_API PLAIT_MUST_CHECK int plait_barrier_wait(plait_barrier *barrier, plait_deadline deadline);

/* Break it: all who wait, and all who come, get PLAIT_EBROKEN, until it is reset.  0, -EINVAL.  Does not block.
 * Python: barrier.abort(). */
PLAIT_API int plait_barrier_abort(plait_barrier *barrier);

/* Make it as new: who waits gets PLAIT_EBROKEN, who comes then is the first.  Named parties that have ended are taken away.
 * 0, -EINVAL.  Does not block; the action of one who came last may still run, and then that one gets PLAIT_EBROKEN.
 * Python: barrier.reset(). */
PLAIT_API int plait_barrier_reset(plait_barrier *barrier);

/* 1 if it is broken, 0 if not, -EINVAL.  Python: barrier.broken. */
PLAIT_API int plait_barrier_broken(plait_barrier *barrier);

/* How many it waits for.  Python: barrier.parties. */
PLAIT_API int plait_barrier_parties(const plait_barrier *barrier);

/* How many have come and wait for the others; 0 when it is broken.  Only a momentary picture.  Python: barrier.n_waiting. */
PLAIT_API int plait_barrier_n_waiting(const plait_barrier *barrier);

/* Be a named party: if the calling thread ends, in whatever way, also cleanly, before it calls plait_barrier_leave, the barrier is
 * broken for all.  It has to call plait_barrier_wait all the same.
 * 0, also if it is one already; -EINVAL (also: all parties have names); PLAIT_ENOARENA, PLAIT_ETOOMANY.  Does not block.
 * Python has nothing like it. */
PLAIT_API int plait_barrier_join(plait_barrier *barrier);

/* Be none any more.  0; -ENOENT (the calling thread is no named party of it); -EINVAL. */
PLAIT_API int plait_barrier_leave(plait_barrier *barrier);

PLAIT_END
#endif
