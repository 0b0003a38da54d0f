/* plait/rlock.h - a lock that its holder may acquire again.
 *
 * As a lock (<plait/lock.h>), it may stand inside your own shared struct: all-zero bytes are an unlocked rlock.
 *
 * ```c
 * struct tree { plait_rlock lock; long nodes; };
 * struct tree *tree = (struct tree *)plait_alloc(sizeof *tree);
 * if (plait_rlock_acquire(&tree->lock, PLAIT_FOREVER) < 0) return;
 * if (plait_rlock_acquire(&tree->lock, PLAIT_FOREVER) < 0) return;       // the same thread: no wait
 * tree->nodes++;
 * plait_rlock_release(&tree->lock);
 * plait_rlock_release(&tree->lock);                                       // as often as acquired: now it is free
 * ```
 *
 * Unlike a lock, only its holder can release it.
 */
#ifndef PLAIT_RLOCK_H
#define PLAIT_RLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/family.h>

/* Sixteen bytes, aligned to eight.  The fields are plait's; zero them to make an unlocked rlock, never while it is in use.
 * Inside memory of the arena it works between all members; elsewhere between the threads of this process only. */
typedef struct plait_rlock {
    uint64_t word;
    uint32_t more;                                         /* how often its holder has it beyond the first time */
    uint32_t reserved;
} plait_rlock;

PLAIT_BEGIN

/* A new rlock in shared memory, owned by the family; free it with plait_rlock_free.  NULL: errno as plait_alloc.
 * Python: multiprocessing.RLock(). */
PLAIT_API plait_rlock *plait_rlock_new(void);

/* Free an rlock of plait_rlock_new; the caller must know that nobody uses it any more.  NULL is fine.
 * 0, or what plait_free says. */
PLAIT_API int plait_rlock_free(plait_rlock *lock);

/* Acquire it, waiting until the deadline; at once if the calling thread holds it.
 * Returns 0; PLAIT_OWNER_DIED (> 0: you have it, once, and its last holder was killed inside); -ETIMEDOUT (the detail names the
 * holder, and the deadlock if there is one); -EAGAIN (the holder has it 4,294,967,296 times); -EINVAL (NULL or misaligned);
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end the wait.
 * A holder that ends cleanly without releasing leaves it locked, for anyone to release; only a death frees it.
 * Python: rlock.acquire(block, timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_rlock_acquire(plait_rlock *lock, plait_deadline deadline);

/* Give it back once; free it is when it was released as often as acquired.  0; PLAIT_ENOTOWNER (somebody else holds it, or one who
 * was killed, for the next who acquires it to be told), PLAIT_EUNLOCKED (nobody does), -EINVAL; of who holds nothing also
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  What a holder that ended cleanly has left, anyone may release, at once for all times
 * that it had it.  Does not block.
 * Python: rlock.release(). */
PLAIT_API int plait_rlock_release(plait_rlock *lock);

/* How often the calling thread holds it, or -EINVAL.  Python: the number in repr(rlock). */
PLAIT_API int64_t plait_rlock_depth(const plait_rlock *lock);

/* 1 if somebody holds it, 0 if not; -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.  Only a momentary picture.
 * Python: rlock.locked(), since 3.14. */
PLAIT_API int plait_rlock_locked(const plait_rlock *lock);

/* Write "<RLock(MainProcess, 2)>", with the name of the process if the calling thread holds it; with SomeOtherThread or
 * SomeOtherProcess and 1 if somebody else does; or "<RLock(None, 0)>".  At most `size` bytes with the 0 at the end; how long it is,
 * as snprintf; -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.  Python: repr(rlock). */
PLAIT_API int plait_rlock_repr(const plait_rlock *lock, char *text, size_t size);

/* ---- the straight lines, to be inlined; see lock.h.  Nothing that users call. ---- */

PLAIT_API int plait__rlock_acquire_slowly(plait_rlock *lock, plait_deadline deadline);
PLAIT_API int plait__rlock_release_slowly(plait_rlock *lock);

/* Only its holder reads and writes `more`.  It is 0 when the word is: so the first time nothing but the word is written, for which
 * the next atomic instruction would have to wait.  Bit 31 of the word: somebody sleeps. */
PLAIT__INLINE int plait__rlock_try(plait_rlock *lock)
{
    uint64_t seen = 0, me = __atomic_load_n(plait__me, __ATOMIC_RELAXED);
    if (!plait__is_placed(lock)) return 0;
    if (__atomic_compare_exchange_n(&lock->word, &seen, me, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return me != 0;                                    /* who is nobody yet has swapped 0 for 0, in vain */
    if ((seen & ~(UINT64_C(1) << 31)) != me || lock->more == UINT32_MAX) return 0;
    lock->more++;
    return 1;
}

PLAIT__INLINE int plait__rlock_give(plait_rlock *lock)
{
    uint64_t me = __atomic_load_n(plait__me, __ATOMIC_RELAXED);
    if (!me || !plait__is_placed(lock)) return plait__rlock_release_slowly(lock);
    uint64_t seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
    if ((seen & ~(UINT64_C(1) << 31)) != me) return plait__rlock_release_slowly(lock);
    if (lock->more) {
        lock->more--;
        return 0;
    }
    /* Not an exchange: a sleeper's bit must be seen, and by a compare-and-swap it is. */
    int done = __atomic_compare_exchange_n(&lock->word, &me, UINT64_C(0), 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    if (__builtin_expect(done, 1)) return 0;
    return plait__rlock_release_slowly(lock);
}

#if defined __OPTIMIZE__ && !defined PLAIT_NO_INLINE
PLAIT__INLINE_TOO int plait_rlock_acquire(plait_rlock *lock, plait_deadline deadline)
{
    return __builtin_expect(plait__rlock_try(lock), 1) ? 0 : plait__rlock_acquire_slowly(lock, deadline);
}

PLAIT__INLINE_TOO int plait_rlock_release(plait_rlock *lock)
{
    return plait__rlock_give(lock);
}
#endif

PLAIT_END
#endif
