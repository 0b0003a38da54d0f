/* sync/lock.c - the lock is one word that names its owner:
 *
 *   63        32  31       16 15     0
 *   | life      | W | 0     | slot  |     0: unlocked.  W: somebody sleeps on the low half.
 *
 * Acquiring is one compare-and-swap, releasing another; nothing is recorded elsewhere.  Whether the owner still lives is asked
 * only by who finds the lock taken: if its life ended by death, the word is taken over, if it left, the lock belongs to nobody
 * (slot PLAIT__NOBODY) and stays locked.
 */
#define PLAIT_NO_INLINE
#include <plait/lock.h>

#include <plait/arena.h>

#include "base/atomics.h"
#include "base/error.h"
#include "family/roster.h"
#include "family/wait.h"

#define WAITERS (UINT64_C(1) << 31)

_Static_assert(sizeof(plait_lock) == 16, "part of the ABI");

static inline _Atomic uint64_t *word_of(const plait_lock *lock)
{
    return (_Atomic uint64_t *)(uintptr_t)&lock->word;
}

static inline uint32_t slot_in(uint64_t word)
{
    return (uint32_t)word & 0xffff;
}

static int not_a_lock(const plait_lock *lock)
{
    return plait__fail(-EINVAL, lock ? "the lock at %p is not aligned to 8 bytes" : "the lock is NULL", (const void *)lock);
}

static int timed_out(uint64_t word)
{
    char holder[64];
    if (word && (word & ~WAITERS) == plait__self.owner)
        return plait__fail(-ETIMEDOUT, "the lock is held by the calling thread itself");
    plait__describe_member(slot_in(word), holder, sizeof holder);
    return plait__fail(-ETIMEDOUT, "the lock is held by %s", holder);
}

/* A word whose owner left without releasing: from now on nobody's.  The word as it is afterwards. */
static uint64_t make_nobodys(_Atomic uint64_t *word, uint64_t seen)
{
    uint64_t nobodys = PLAIT__NOBODY | (seen & WAITERS);
    return atomic_compare_exchange_strong(word, &seen, nobodys) ? nobodys : seen;
}

/* Before it sleeps, a contender looks again and again, each time after twice as many pauses: to look takes the cache line away from
 * whoever works with it, and a holder that is left alone gets more done than two who take turns. */
#define PAUSES_MAX 64u
static bool spin(struct plait__wait *wait)
{
    if (wait->spins >= plait__self.spin_limit) return false;
    uint32_t pauses = wait->spins + 2 < PAUSES_MAX ? wait->spins + 2 : PAUSES_MAX;
    for (uint32_t i = 0; i < pauses; i++) plait__relax();
    wait->spins += pauses;
    return true;
}

/* A thread that has slept keeps WAITERS in the word when it acquires: others may sleep still, and its release wakes the next.
 * One that gives up has set WAITERS before its last sleep, so the holder's release wakes somebody. */
static __attribute__((noinline)) int acquire_slowly(_Atomic uint64_t *word, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_until(deadline);
    uint64_t seen = atomic_load(word);
    for (;;) {
        uint64_t mine = plait__self.owner | (seen & WAITERS) | (wait.slept ? WAITERS : 0);
        uint32_t holder = slot_in(seen);
        enum plait__fate fate = holder ? plait__fate(seen & ~WAITERS) : PLAIT__LEFT;
        if (!holder || fate == PLAIT__DIED) {
            if (!atomic_compare_exchange_strong(word, &seen, mine)) continue;
            plait__wait_end(&wait);
            return holder ? PLAIT_OWNER_DIED : 0;
        }
        if (fate == PLAIT__LEFT && holder != PLAIT__NOBODY) {
            seen = make_nobodys(word, seen);
            continue;
        }
        if (plait__is_now(deadline)) {
            if (plait__give_up(holder) < 0) return timed_out(seen);
        } else if (!spin(&wait)) {
            if (!(seen & WAITERS) && !atomic_compare_exchange_strong(word, &seen, seen | WAITERS)) continue;
            seen |= WAITERS;
            if (plait__park(&wait, plait__low_half(word), (uint32_t)seen, holder) < 0) return timed_out(seen);
        }
        seen = atomic_load(word);
    }
}

/* ---- acquire and release ---- */

/* Both straight lines are in the header, to be inlined: beside two atomic instructions, to store the return address of a call
 * costs as much as one of them, because they wait until all stores before are done.  Here is what the straight lines leave, and
 * the functions themselves, for whoever has no optimizing C compiler. */

int plait__lock_acquire_slowly(plait_lock *lock, plait_deadline deadline)
{
    if (!plait__is_lock(lock)) return not_a_lock(lock);
    int result = plait__member();
    if (result) return result;
    result = acquire_slowly(word_of(lock), deadline);
    if (result >= 0) plait__tsan_acquire(word_of(lock));
    return result;
}

int plait_lock_acquire(plait_lock *lock, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__lock_try(lock))) return plait__lock_acquire_slowly(lock, deadline);
    if (PLAIT__UNLIKELY(__tsan_acquire != 0)) __tsan_acquire(word_of(lock));
    return 0;
}

/* What stood in the word, before it became 0, was not simply somebody. */
int plait__lock_release_slowly(plait_lock *lock, uint64_t was)
{
    if (!plait__is_lock(lock)) return not_a_lock(lock);
    if (!slot_in(was)) return plait__fail(PLAIT_EUNLOCKED, "nobody holds the lock");
    if (was & WAITERS) plait__wake(plait__low_half(word_of(lock)), 1);
    return 0;
}

int plait_lock_release(plait_lock *lock)
{
    if (__tsan_release && plait__is_lock(lock)) __tsan_release(word_of(lock));
    return plait__lock_give(lock);
}

int plait_lock_disown(plait_lock *lock)
{
    if (!plait__is_lock(lock)) return not_a_lock(lock);
    _Atomic uint64_t *word = word_of(lock);
    uint64_t seen = atomic_load(word);
    do {
        if (!slot_in(seen)) return plait__fail(PLAIT_EUNLOCKED, "nobody holds the lock");
    } while (!atomic_compare_exchange_weak(word, &seen, PLAIT__NOBODY | (seen & WAITERS)));
    return 0;
}

int plait_lock_locked(const plait_lock *lock)
{
    if (!plait__is_lock(lock)) return not_a_lock(lock);
    int error = plait__member();
    if (error) return error;
    uint64_t seen = atomic_load(word_of(lock));
    return slot_in(seen) != 0 && plait__fate(seen & ~WAITERS) != PLAIT__DIED;
}

plait_lock *plait_lock_new(void)
{
    return plait_alloc(64);                                /* a cache line of its own */
}

int plait_lock_free(plait_lock *lock)
{
    return plait_free(lock);
}
