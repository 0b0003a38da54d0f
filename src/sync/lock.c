/* sync/lock.c - a lock is one word that names its owner; see owner.h. */
#define PLAIT_NO_INLINE
#include <plait/lock.h>

#include <stdio.h>

#include <plait/arena.h>

#include "base/error.h"
#include "sync/asleep.h"
#include "sync/owner.h"

_Static_assert(sizeof(plait_lock) == 16, "part of the ABI");

static int not_a_lock(const plait_lock *lock)
{
    return plait__misplaced("lock", lock, _Alignof(plait_lock));
}

/* ---- acquire and release ---- */

/* Both straight lines are in the header, to be inlined: beside two atomic instructions, to store the return address of a call
 * costs as much as one of them, because they wait until all stores before are done.  Here is what the straight lines leave, and
 * the functions themselves, for whoever has no optimizing C compiler. */

int plait__lock_acquire_slowly(plait_lock *lock, plait_deadline deadline)
{
    if (!plait__is_placed(lock)) return not_a_lock(lock);
    int result = plait__member();
    if (result) return result;
    result = plait__owner_acquire(plait__owner_word(&lock->word), PLAIT__FOR_LOCK, lock, deadline);
    if (result >= 0) plait__tsan_acquire(plait__owner_word(&lock->word));
    return result;
}

int plait_lock_acquire(plait_lock *lock, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__lock_try(lock))) return plait__lock_acquire_slowly(lock, deadline);
    if (PLAIT__UNLIKELY(__tsan_acquire != 0)) __tsan_acquire(plait__owner_word(&lock->word));
    return 0;
}

/* What stood in the word, before it became 0, was not simply somebody. */
int plait__lock_released(plait_lock *lock, uint64_t was)
{
    if (!plait__owner_slot(was)) return plait__fail(PLAIT_EUNLOCKED, "nobody holds the lock");
    if (was & PLAIT__SLEEPS) plait__wake(plait__low_half(plait__owner_word(&lock->word)), 1);
    return 0;
}

/* By nobody yet: the others see the end of members only, and who is killed before it wakes has to be one. */
int plait__lock_release_slowly(plait_lock *lock)
{
    if (!plait__is_placed(lock)) return not_a_lock(lock);
    _Atomic uint64_t *word = plait__owner_word(&lock->word);
    uint64_t seen = atomic_load(word);
    do {
        if (seen & PLAIT__SLEEPS) plait__before_waking();
    } while (!atomic_compare_exchange_strong(word, &seen, 0));
    return plait__lock_released(lock, seen);
}

int plait_lock_release(plait_lock *lock)
{
    if (__tsan_release && plait__is_placed(lock)) __tsan_release(plait__owner_word(&lock->word));
    return plait__lock_give(lock);
}

int plait_lock_disown(plait_lock *lock)
{
    if (!plait__is_placed(lock)) return not_a_lock(lock);
    _Atomic uint64_t *word = plait__owner_word(&lock->word);
    uint64_t seen = atomic_load(word);
    do {
        if (!plait__owner_slot(seen)) return plait__fail(PLAIT_EUNLOCKED, "nobody holds the lock");
    } while (!atomic_compare_exchange_weak(word, &seen, PLAIT__NOBODY | (seen & PLAIT__SLEEPS)));
    return 0;
}

int plait_lock_locked(const plait_lock *lock)
{
    if (!plait__is_placed(lock)) return not_a_lock(lock);
    int error = plait__member();
    if (error) return error;
    return plait__owner_is_held(plait__owner_word(&lock->word));
}

int plait_lock_repr(const plait_lock *lock, char *text, size_t size)
{
    if (!plait__is_placed(lock)) return not_a_lock(lock);
    if (!text && size) return plait__fail(-EINVAL, "no text of %zu bytes", size);
    int error = plait__member();
    if (error) return error;
    const char *owner = plait__owner_name(atomic_load(plait__owner_word(&lock->word)));
    return snprintf(text, size, "<Lock(owner=%s)>", owner ? owner : "None");
}

plait_lock *plait_lock_new(void)
{
    return plait_alloc(64);                                /* a cache line of its own */
}

int plait_lock_free(plait_lock *lock)
{
    return plait_free(lock);
}
