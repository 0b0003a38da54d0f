/* sync/rlock.c - a word that names its owner (owner.h), and beside it how often the owner has it beyond the first time.  That
 * number is the owner's: nobody else reads it.  Who releases leaves 0, and who takes over from a dead or an absent one writes 0,
 * so whoever gets a free word finds 0. */
#define PLAIT_NO_INLINE
#include "sync/rlock.h"

#include <errno.h>
#include <stdio.h>

#include <plait/arena.h>

#include "base/error.h"
#include "sync/owner.h"

_Static_assert(sizeof(plait_rlock) == 16, "part of the ABI");

static inline _Atomic uint64_t *word_of(const plait_rlock *lock)
{
    return plait__owner_word(&lock->word);
}

static int not_an_rlock(const plait_rlock *lock)
{
    return plait__misplaced("rlock", lock, _Alignof(plait_rlock));
}

bool plait__rlock_is_mine(const plait_rlock *lock)
{
    return plait__is_member() && plait__owner_is_me(atomic_load(word_of(lock)));
}

/* ---- acquire and release ---- */

int plait__rlock_acquire_slowly(plait_rlock *lock, plait_deadline deadline)
{
    if (!plait__is_placed(lock)) return not_an_rlock(lock);
    int result = plait__member();
    if (result) return result;
    if (plait__rlock_is_mine(lock)) {
        if (lock->more == UINT32_MAX) return plait__fail(-EAGAIN, "its holder has the rlock more than %u times", lock->more);
        lock->more++;
        return 0;
    }
    result = plait__owner_acquire(word_of(lock), PLAIT__FOR_RLOCK, lock, deadline);
    if (result < 0) return result;
    if (result == PLAIT_OWNER_DIED) lock->more = 0;
    plait__tsan_acquire(word_of(lock));
    return result;
}

int plait_rlock_acquire(plait_rlock *lock, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__rlock_try(lock))) return plait__rlock_acquire_slowly(lock, deadline);
    if (PLAIT__UNLIKELY(__tsan_acquire != 0)) __tsan_acquire(word_of(lock));
    return 0;
}

static void unlock(plait_rlock *lock)
{
    plait__tsan_release(word_of(lock));
    if (atomic_exchange(word_of(lock), 0) & PLAIT__SLEEPS) plait__wake(plait__low_half(word_of(lock)), 1);
}

/* Somebody else's.  What one who ended cleanly has left is taken over first, then released, with all its levels.  (One that died
 * keeps it, for the next who acquires to be told.) */
static int release_for_another(plait_rlock *lock, uint64_t seen)
{
    char holder[64];
    if (!plait__owner_slot(seen)) return plait__fail(PLAIT_EUNLOCKED, "nobody holds the rlock");
    enum plait__fate fate = plait__fate(plait__owner_in(seen));
    if (fate == PLAIT__LEFT) {
        uint64_t mine = plait__self.owner | (seen & PLAIT__SLEEPS);
        if (!atomic_compare_exchange_strong(word_of(lock), &seen, mine)) return release_for_another(lock, seen);
        lock->more = 0;
        unlock(lock);
        return 0;
    }
    if (fate == PLAIT__DIED) snprintf(holder, sizeof holder, "one who was killed: acquire it");
    else plait__describe_member(plait__owner_slot(seen), holder, sizeof holder);
    return plait__fail(PLAIT_ENOTOWNER, "attempt to release a recursive lock not owned by the thread: it is held by %s", holder);
}

/* Not to be had for a compare-and-swap: somebody sleeps, or the caller does not hold it. */
int plait__rlock_release_slowly(plait_rlock *lock)
{
    if (!plait__is_placed(lock)) return not_an_rlock(lock);
    int error = plait__member();
    if (error) return error;
    if (!plait__rlock_is_mine(lock)) return release_for_another(lock, atomic_load(word_of(lock)));
    if (lock->more) lock->more--;
    else unlock(lock);
    return 0;
}

int plait_rlock_release(plait_rlock *lock)
{
    if (__tsan_release && plait__is_placed(lock)) __tsan_release(word_of(lock));
    return plait__rlock_give(lock);
}

uint32_t plait__rlock_release_all(plait_rlock *lock)
{
    uint32_t more = lock->more;
    lock->more = 0;
    unlock(lock);
    return more;
}

int plait__rlock_acquire_all(plait_rlock *lock, uint32_t more)
{
    int result = plait_rlock_acquire(lock, PLAIT_FOREVER);
    if (result >= 0) lock->more = more;
    return result;
}

/* ---- looking ---- */

int64_t plait_rlock_depth(const plait_rlock *lock)
{
    if (!plait__is_placed(lock)) return not_an_rlock(lock);
    return plait__rlock_is_mine(lock) ? (int64_t)lock->more + 1 : 0;
}

int plait_rlock_locked(const plait_rlock *lock)
{
    if (!plait__is_placed(lock)) return not_an_rlock(lock);
    int error = plait__member();
    if (error) return error;
    return plait__owner_is_held(word_of(lock));
}

int plait_rlock_repr(const plait_rlock *lock, char *text, size_t size)
{
    if (!plait__is_placed(lock)) return not_an_rlock(lock);
    if (!text && size) return plait__fail(-EINVAL, "no text of %zu bytes", size);
    int error = plait__member();
    if (error) return error;
    uint64_t seen = atomic_load(word_of(lock));
    const char *holder = plait__owner_name(seen);
    uint64_t depth = plait__rlock_is_mine(lock) ? UINT64_C(1) + lock->more : holder != NULL;
    return snprintf(text, size, "<RLock(%s, %llu)>", holder ? holder : "None", (unsigned long long)depth);
}

plait_rlock *plait_rlock_new(void)
{
    return plait_alloc(64);                                /* a cache line of its own */
}

int plait_rlock_free(plait_rlock *lock)
{
    return plait_free(lock);
}
