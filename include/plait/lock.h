/* plait/lock.h - mutual exclusion between threads and processes.
 *
 * A lock may stand inside your own shared struct: all-zero bytes are an unlocked lock.
 *
 * ```c
 * struct account { plait_lock lock; long balance; };
 * struct account *account = (struct account *)plait_alloc(sizeof *account);
 * int got = plait_lock_acquire(&account->lock, plait_after(1.0));
 * if (got < 0) return;                                    // -ETIMEDOUT: plait_error_detail() names the holder
 * if (got == PLAIT_OWNER_DIED) account->balance = 0;      // the last holder was killed in here: check what it left
 * account->balance += 10;
 * plait_lock_release(&account->lock);
 * ```
 *
 * Not so: an `if (plait_lock_acquire(...))` that takes PLAIT_OWNER_DIED for a failure never releases the lock again.
 * Not for signal handlers, as all of plait (docs/guidelines.md): one that interrupts an operation on the same lock would wait for
 * itself.
 */
#ifndef PLAIT_LOCK_H
#define PLAIT_LOCK_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/family.h>

/* Sixteen bytes, aligned to eight.  The fields are plait's; zero them to make an unlocked lock, never while it is in use.
 * Inside memory of the arena it works between all members; elsewhere between the threads of this process only. */
typedef struct plait_lock {
    uint64_t word;
    uint64_t reserved;
} plait_lock;

PLAIT_BEGIN

/* A new lock in shared memory, owned by the family; free it with plait_lock_free.  NULL: errno as plait_alloc.
 * Python: multiprocessing.Lock(). */
PLAIT_API plait_lock *plait_lock_new(void);

/* Free a lock of plait_lock_new; the caller must know that nobody uses it any more.  NULL is fine.  A release touches the lock no
 * more once it is unlocked: who then acquires it as the last one may free its memory, even if the release has not returned yet.
 * 0, or what plait_free says. */
PLAIT_API int plait_lock_free(plait_lock *lock);

/* Acquire it, waiting until the deadline.  Not recursive: a holder that acquires again waits like anybody else, because another
 * process may release (Python's Lock does the same).
 * Returns 0; PLAIT_OWNER_DIED (> 0: you have it, and its last holder was killed inside); -ETIMEDOUT (the detail names the
 * holder, and the deadlock if there is one); -EINVAL (NULL or misaligned); PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end
 * the wait.
 * A holder that ends cleanly (its thread returns, exit(), plait_leave) without releasing leaves the lock locked, for anyone to
 * release; only a death frees it.
 * Python: lock.acquire(block, timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_lock_acquire(plait_lock *lock, plait_deadline deadline);

/* Release it.  Anyone may, not only the holder.  0, PLAIT_EUNLOCKED (nobody holds it), -EINVAL.  Does not block.
 * Python: lock.release(). */
PLAIT_API int plait_lock_release(plait_lock *lock);

/* The lock stays locked, but from now on it belongs to nobody: the death of its holder frees it no more, and whoever has been
 * told to may release it.  For a lock that is handed to another process.  0, PLAIT_EUNLOCKED, -EINVAL. */
PLAIT_API int plait_lock_disown(plait_lock *lock);

/* 1 if somebody (or nobody in particular: disowned) holds it, 0 if not; -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.  Only a momentary
 * picture.
 * Python: lock.locked(). */
PLAIT_API int plait_lock_locked(const plait_lock *lock);

/* Write "<Lock(owner=MainProcess)>", with the name of the process if the calling thread has it; or SomeOtherThread,
 * SomeOtherProcess (also of nobody in particular); or None.  At most `size` bytes with the 0 at the end; how long it is, as
 * snprintf; -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Python: repr(lock). */
PLAIT_API int plait_lock_repr(const plait_lock *lock, char *text, size_t size);

/* ---- the two that have to be fast, to be inlined ----
 *
 * An optimizing compiler takes plait_lock_acquire and plait_lock_release from here, unless PLAIT_NO_INLINE is defined: a call
 * stores its return address, and an atomic instruction waits for that, which costs about a third of the whole.  What follows is
 * part of the ABI, but nothing that users call. */

PLAIT_API int plait__lock_acquire_slowly(plait_lock *lock, plait_deadline deadline);
PLAIT_API int plait__lock_release_slowly(plait_lock *lock);
PLAIT_API int plait__lock_released(plait_lock *lock, uint64_t was);

/* Acquire it if it is unlocked, by one compare-and-swap.  Who is nobody yet swaps 0 for 0, and is told that it was in vain. */
PLAIT__INLINE int plait__lock_try(plait_lock *lock)
{
    uint64_t unlocked = 0, me = __atomic_load_n(plait__me, __ATOMIC_RELAXED);
    if (!plait__is_placed(lock)) return 0;
    if (!__atomic_compare_exchange_n(&lock->word, &unlocked, me, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return 0;
    return me != 0;
}

/* Anyone may release, so whoever held it, 0 is what has to stand there: one exchange writes it, and tells whether somebody held
 * the lock (bits 0 to 15) and somebody sleeps (bit 31).  Who is nobody yet goes the slow way: it may have to become a member before
 * it wakes. */
PLAIT__INLINE int plait__lock_give(plait_lock *lock)
{
    uint64_t me = __atomic_load_n(plait__me, __ATOMIC_RELAXED);
    if (!plait__is_placed(lock) || __builtin_expect(me == 0, 0)) return plait__lock_release_slowly(lock);
    uint64_t was = __atomic_exchange_n(&lock->word, UINT64_C(0), __ATOMIC_RELEASE);
    return __builtin_expect((uint32_t)was - 1 < 0xffffu, 1) ? 0 : plait__lock_released(lock, was);
}

#if defined __OPTIMIZE__ && !defined PLAIT_NO_INLINE
PLAIT__INLINE_TOO int plait_lock_acquire(plait_lock *lock, plait_deadline deadline)
{
    return __builtin_expect(plait__lock_try(lock), 1) ? 0 : plait__lock_acquire_slowly(lock, deadline);
}

PLAIT__INLINE_TOO int plait_lock_release(plait_lock *lock)
{
    return plait__lock_give(lock);
}
#endif

PLAIT_END
#endif
