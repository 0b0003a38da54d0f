/* plait/semaphore.h - so many permits: for a number of users at a time, or to count things that have happened.
 *
 * ```c
 * plait_semaphore *printers = plait_owned_semaphore_new(3);               // three at a time; those of the dead come back
 * if (!printers) return;
 * int got = plait_semaphore_acquire(printers, plait_after(1.0));
 * if (got < 0) puts(plait_error_detail());                                // -ETIMEDOUT: who has them
 * if (got == PLAIT_OWNER_DIED) puts("its last holder was killed");        // what the permit stands for may be in a mess
 * if (got >= 0) plait_semaphore_release(printers);
 *
 * plait_semaphore *done = plait_semaphore_new(0);                         // a signal: nobody has it, anyone may release
 * plait_semaphore_release_many(done, 2);
 * while (plait_semaphore_acquire(done, PLAIT_NOW) == 0) puts("one more is done");
 * plait_semaphore_free(done);
 * plait_semaphore_free(printers);
 * ```
 *
 * There are three kinds, and the same functions for all of them:
 * - *plain*: a number.  Anyone may release, also who never acquired, so nobody knows whose a permit is, and those of the dead are
 *   lost.  All-zero bytes are one of value 0; it may stand inside your own shared struct.
 * - *bounded*: the same, but it is an error to release it more often than acquired.
 * - *owned*: each permit has a holder, a thread.  Only a holder may release, and when it ends, in whatever way, its permits come
 *   back.
 */
#ifndef PLAIT_SEMAPHORE_H
#define PLAIT_SEMAPHORE_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/family.h>

/* Sixteen bytes, aligned to eight.  The fields are plait's; zero them for a plain semaphore of value 0, never while it is in use.
 * Inside memory of the arena it works between all members; elsewhere between the threads of this process only. */
typedef struct plait_semaphore {
    uint64_t word;
    uint32_t margin;
    uint32_t kind;
} plait_semaphore;

/* The greatest value.  Python: SEM_VALUE_MAX. */
#define PLAIT_SEMAPHORE_MAX 2147483647

/* The most permits of an owned one. */
#define PLAIT_OWNED_SEMAPHORE_MAX 65535

PLAIT_BEGIN

/* Make one in memory of yours, with so many permits; before anybody uses it, or when nobody does any more.
 * 0, -EINVAL (NULL, misaligned, a negative value, or a bounded one of PLAIT_SEMAPHORE_MAX, where a plain one ends as well).
 * A bounded one is never released to more than `value`. */
PLAIT_API int plait_semaphore_init(plait_semaphore *semaphore, int value);
PLAIT_API int plait_bounded_semaphore_init(plait_semaphore *semaphore, int value);

/* A new one in shared memory, owned by the family; free it with plait_semaphore_free.  NULL: errno is EINVAL (a value as
 * above), or as plait_alloc.
 * Python: multiprocessing.Semaphore(value), multiprocessing.BoundedSemaphore(value). */
PLAIT_API plait_semaphore *plait_semaphore_new(int value);
PLAIT_API plait_semaphore *plait_bounded_semaphore_new(int value);

/* The same with permits that know their holders, from 1 to 65535 of them; else errno is EINVAL.  It takes 8 bytes for each, and
 * acquire and release look through them, so some dozens are quicker than thousands.
 * Python has none: there the permits of a killed process are lost. */
PLAIT_API plait_semaphore *plait_owned_semaphore_new(int permits);

/* Free what one of the three above made; the caller must know that nobody uses it any more.  NULL is fine.
 * A release of a plain or a bounded one touches it no more once its permit is there: who has got that may free the memory, even if
 * the release has not returned yet.  Of an owned one all releases must have returned.
 * 0, or what plait_free says. */
PLAIT_API int plait_semaphore_free(plait_semaphore *semaphore);

/* Take one permit, waiting for it until the deadline.
 * Returns 0; PLAIT_OWNER_DIED (> 0, of owned ones only: you have the permit, and its last holder was killed with it); -ETIMEDOUT
 * (the detail of an owned one names the holders); -EINVAL (NULL or misaligned); PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end
 * the wait.
 * Who holds permits of an owned one and ends cleanly (its thread returns, exit(), plait_leave) gives them back; the next holders
 * get 0.
 * Python: semaphore.acquire(block, timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_semaphore_acquire(plait_semaphore *semaphore, plait_deadline deadline);

/* Give one permit back.  Does not block.
 * 0; -EOVERFLOW (a plain one of the greatest value); PLAIT_EUNLOCKED (a bounded one that has all its permits); PLAIT_ENOTOWNER (an
 * owned one of which the calling thread holds none); -EINVAL.
 * Python: semaphore.release(). */
PLAIT_API int plait_semaphore_release(plait_semaphore *semaphore);

/* Give back so many at once, at least one; as many sleepers are woken.  Errors as above, and then none was given back; -EINVAL also
 * for 0.
 * Python: threading.Semaphore.release(n). */
PLAIT_API int plait_semaphore_release_many(plait_semaphore *semaphore, uint32_t count);

/* How many permits could be had at once now, at least 0; -EINVAL, and of owned ones PLAIT_ENOARENA, PLAIT_ETOOMANY.  Exact, but
 * only a momentary picture.
 * Python: semaphore.get_value(). */
PLAIT_API int plait_semaphore_get_value(const plait_semaphore *semaphore);

/* Write "<Semaphore(value=3)>", "<BoundedSemaphore(value=1, maxvalue=2)>" or "<OwnedSemaphore(value=1, permits=2)>".  At most
 * `size` bytes with the 0 at the end; how long it is, as snprintf; -EINVAL, and what plait_semaphore_get_value says.
 * Python: repr(semaphore). */
PLAIT_API int plait_semaphore_repr(const plait_semaphore *semaphore, char *text, size_t size);

/* ---- the two that have to be fast, to be inlined ----
 *
 * As in plait/lock.h.  What follows is part of the ABI, but nothing that users call. */

PLAIT_API int plait__semaphore_acquire_slowly(plait_semaphore *semaphore, plait_deadline deadline);
PLAIT_API int plait__semaphore_release_slowly(plait_semaphore *semaphore, uint32_t count);
PLAIT_API int plait__semaphore_released(plait_semaphore *semaphore, uint64_t was);

/* Take one from the value, which stands above bit 0, unless it is 0, as it always is of owned ones, or somebody sleeps (bit 0). */
PLAIT__INLINE int plait__semaphore_try(plait_semaphore *semaphore)
{
    if (!plait__is_placed(semaphore)) return 0;
    uint64_t seen = __atomic_load_n(&semaphore->word, __ATOMIC_RELAXED);
    if (seen < 2 || seen & 1) return 0;
    return __atomic_compare_exchange_n(&semaphore->word, &seen, seen - 2, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Add one to the value of a plain one, whatever it is: that tells whether somebody sleeps (bit 0), and whether there was room for
 * it.  Who is nobody yet goes the slow way: it has to become a member before it wakes. */
PLAIT__INLINE int plait__semaphore_give(plait_semaphore *semaphore)
{
    if (!plait__is_placed(semaphore) || semaphore->margin || !__atomic_load_n(plait__me, __ATOMIC_RELAXED))
        return plait__semaphore_release_slowly(semaphore, 1);
    uint64_t was = __atomic_fetch_add(&semaphore->word, UINT64_C(2), __ATOMIC_RELEASE);
    return __builtin_expect(!(was & 1) && was < UINT64_C(0xfffffffe), 1) ? 0 : plait__semaphore_released(semaphore, was);
}

#if defined __OPTIMIZE__ && !defined PLAIT_NO_INLINE
PLAIT__INLINE_TOO int plait_semaphore_acquire(plait_semaphore *semaphore, plait_deadline deadline)
{
    return __builtin_expect(plait__semaphore_try(semaphore), 1) ? 0 : plait__semaphore_acquire_slowly(semaphore, deadline);
}

PLAIT__INLINE_TOO int plait_semaphore_release(plait_semaphore *semaphore)
{
    return plait__semaphore_give(semaphore);
}
#endif

PLAIT_END
#endif
