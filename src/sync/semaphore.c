/* sync/semaphore.c - the plain and the bounded semaphore are one word:
 *
 *   63       40  39   1   0
 *   | sleepers | value  | S |     S: somebody sleeps on the word's low half, or did so.  sleepers: about how many; 0 without S.
 *
 * `margin` says how far its maximum lies below the greatest value.  Of owned semaphores (`kind`; owned_semaphore.c) the word is
 * always 0, and the margin never: so the straight lines in the header leave them to what follows.
 *
 * To release a plain one is one addition, without a look before it, which costs a quarter less.  One beyond the greatest value has
 * room, and is taken back at once.  A bounded one must not even for a moment have a permit too many: a compare-and-swap.
 *
 * With its addition a release is done with the word: who got the permit may free the memory.  All that comes after it is a call to
 * the kernel by the address; if something else is there by now, a sleeper of that looks once more than it has to.
 *
 * Why no wake is lost.  Who finds 0 sets S, and sleeps only while the word's low half is S and 0.  A release leaves S as it is, and
 * if it is set, wakes as many as it has given permits.  So when S was set all permits were gone, and as long as it stands, for each
 * that is there somebody is awake who has not looked since, or nobody sleeps.  Whoever is woken looks, before it gives up for
 * whatever reason, and finds a permit unless another was quicker.
 *   S is cleared by acquirers only, in the swap that takes the permit (or gives up).  From then on releases wake nobody; but who
 * has cleared it wakes one, and who has slept and goes when S is not set wakes one, too: it may be that one.  So as long as
 * somebody sleeps without S, somebody is awake who was woken last: it finds a permit and wakes the next, or finds none and sets S.
 *   Who has cleared S for nothing has woken one for nothing.  Therefore sleepers are counted, and one of several leaves S as it is.
 * Nothing but that goes by their number, so it does no harm that it is wrong after somebody was killed, or was quick: who takes
 * a permit without having slept sets it to 0.  (models/permits.pml)
 *   Who is killed between its change of the word and the wake was a member (or became one, see before_waking): its death makes
 * everybody look.
 */
#define PLAIT_NO_INLINE
#include <plait/semaphore.h>

#include <limits.h>
#include <stdio.h>

#include <plait/arena.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/fault.h"
#include "family/roster.h"
#include "family/wait.h"
#include "sync/asleep.h"
#include "sync/owned_semaphore.h"
#include "sync/owner.h"
#include "sync/waitables.h"

#define SLEEPERS UINT64_C(1)
#define ONE UINT64_C(2)                                    /* of the value */
#define ONE_SLEEPER (UINT64_C(1) << 40)
#define MOST ((uint64_t)PLAIT_SEMAPHORE_MAX)

_Static_assert(sizeof(plait_semaphore) == 16, "part of the ABI");

static inline _Atomic uint64_t *word_of(const plait_semaphore *semaphore)
{
    return (_Atomic uint64_t *)(uintptr_t)&semaphore->word;
}

static inline uint64_t value_in(uint64_t word)
{
    return word % ONE_SLEEPER / ONE;
}

static int not_a_semaphore(const plait_semaphore *semaphore)
{
    return plait__misplaced("semaphore", semaphore, _Alignof(plait_semaphore));
}

/* ---- acquire ---- */

/* One who finds no permit. */
struct sleeper {
    struct plait__wait wait;
    bool counted;                                          /* in the word, unless somebody has set that number to 0 */
};

/* Go, with one permit or with none, from the word as it was seen.  False: it has changed. */
static bool go(_Atomic uint64_t *word, uint64_t *seen, const struct sleeper *me, uint64_t taken)
{
    bool others_sleep = me->counted && *seen >= 2 * ONE_SLEEPER;
    uint64_t left = (others_sleep ? *seen - ONE_SLEEPER : (*seen % ONE_SLEEPER) & ~SLEEPERS) - taken;
    bool was_set = *seen & SLEEPERS;
    if (!atomic_compare_exchange_strong(word, seen, left)) return false;
    PLAIT__POINT(GONE);
    if (!(left & SLEEPERS) && (was_set || me->wait.slept)) plait__wake(plait__low_half(word), 1);
    return true;
}

static int timed_out(void)
{
    return plait__fail(-ETIMEDOUT, "the value of the semaphore is 0, and nobody has released it");
}

/* The time is up: look for the last time.  Who has not said that it sleeps has nothing to take back. */
static int give_up(_Atomic uint64_t *word, uint64_t seen, const struct sleeper *me)
{
    bool takes;
    do {
        takes = value_in(seen) != 0;
        if (!takes && !me->counted && !me->wait.slept) return timed_out();
    } while (!go(word, &seen, me, takes ? ONE : 0));
    return takes ? 0 : timed_out();
}

/* Say in the word that the caller sleeps.  False: it has changed. */
static bool announce(_Atomic uint64_t *word, uint64_t *seen, struct sleeper *me)
{
    if (!(*seen & SLEEPERS)) me->counted = false;
    if (me->counted) return true;
    me->counted = atomic_compare_exchange_strong(word, seen, (*seen | SLEEPERS) + ONE_SLEEPER);
    return me->counted;
}

static __attribute__((noinline)) int acquire_slowly(plait_semaphore *semaphore, plait_deadline deadline)
{
    _Atomic uint64_t *word = word_of(semaphore);
    struct sleeper me = { .wait = plait__wait_for(PLAIT__FOR_SEMAPHORE, semaphore, deadline) };
    uint64_t seen = atomic_load(word);
    for (;;) {
        if (value_in(seen)) {
            if (!go(word, &seen, &me, ONE)) continue;
            plait__wait_end(&me.wait);
            return 0;
        }
        if (plait__is_now(deadline)) {
            if (plait__give_up(0) < 0) return give_up(word, atomic_load(word), &me);
        } else if (!plait__spin(&me.wait)) {
            if (!announce(word, &seen, &me)) continue;
            if (plait__park(&me.wait, plait__low_half(word), SLEEPERS, 0) < 0) return give_up(word, atomic_load(word), &me);
        }
        seen = atomic_load(word);
    }
}

int plait__semaphore_acquire_slowly(plait_semaphore *semaphore, plait_deadline deadline)
{
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    int result = plait__member();
    if (result) return result;
    plait__may_be_woken();
    if (semaphore->kind) result = plait__owned_semaphore_acquire(plait__owned_of(semaphore), deadline);
    else result = acquire_slowly(semaphore, deadline);
    plait__no_more_woken();
    if (result >= 0) plait__tsan_acquire(word_of(semaphore));
    return result;
}

int plait_semaphore_acquire(plait_semaphore *semaphore, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__semaphore_try(semaphore))) return plait__semaphore_acquire_slowly(semaphore, deadline);
    if (PLAIT__UNLIKELY(__tsan_acquire != 0)) __tsan_acquire(word_of(semaphore));
    return 0;
}

/* ---- release ---- */

static int too_many(uint32_t margin)
{
    if (margin) return plait__fail(PLAIT_EUNLOCKED, "the semaphore has all its %u permits", PLAIT_SEMAPHORE_MAX - margin);
    return plait__fail(-EOVERFLOW, "the value of the semaphore can't be more than %d", PLAIT_SEMAPHORE_MAX);
}

static int release(plait_semaphore *semaphore, uint32_t count)
{
    _Atomic uint64_t *word = word_of(semaphore);
    uint64_t maximum = MOST - semaphore->margin, seen = atomic_load(word);
    plait__before_waking();                                /* and the next release goes the quick way */
    do {
        if (value_in(seen) + count > maximum) return too_many(semaphore->margin);
    } while (!atomic_compare_exchange_strong(word, &seen, seen + count * ONE));
    if (seen & SLEEPERS) plait__wake(plait__low_half(word), (int)count);
    return 0;
}

int plait__semaphore_release_slowly(plait_semaphore *semaphore, uint32_t count)
{
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    if (count == 0) return plait__fail(-EINVAL, "to release 0 permits is no release");
    if (semaphore->kind) return plait__owned_semaphore_release(plait__owned_of(semaphore), count);
    return release(semaphore, count);
}

/* One was added to what stood there, and that was not simply a number with room for one more. */
int plait__semaphore_released(plait_semaphore *semaphore, uint64_t was)
{
    _Atomic uint64_t *word = word_of(semaphore);
    if (value_in(was) < MOST) {
        plait__wake(plait__low_half(word), 1);
        return 0;
    }
    atomic_fetch_sub(word, ONE);
    if (was & SLEEPERS) plait__wake(plait__low_half(word), INT_MAX);     /* the low half has looked like 0 */
    return too_many(0);
}

int plait_semaphore_release(plait_semaphore *semaphore)
{
    if (__tsan_release && plait__is_placed(semaphore)) __tsan_release(word_of(semaphore));
    return plait__semaphore_give(semaphore);
}

int plait_semaphore_release_many(plait_semaphore *semaphore, uint32_t count)
{
    if (__tsan_release && plait__is_placed(semaphore)) __tsan_release(word_of(semaphore));
    return plait__semaphore_release_slowly(semaphore, count);
}

int plait_semaphore_get_value(const plait_semaphore *semaphore)
{
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    if (semaphore->kind) return plait__owned_semaphore_get_value(plait__owned_of(semaphore));
    uint64_t value = value_in(atomic_load(word_of(semaphore)));
    return value < MOST ? (int)value : PLAIT_SEMAPHORE_MAX;
}

int plait_semaphore_repr(const plait_semaphore *semaphore, char *text, size_t size)
{
    int value = plait_semaphore_get_value(semaphore);
    if (value < 0) return value;
    if (!text && size) return plait__fail(-EINVAL, "no text of %zu bytes", size);
    if (semaphore->kind)
        return snprintf(text, size, "<OwnedSemaphore(value=%d, permits=%u)>", value, plait__owned_of(semaphore)->permits);
    if (!semaphore->margin) return snprintf(text, size, "<Semaphore(value=%d)>", value);
    return snprintf(text, size, "<BoundedSemaphore(value=%d, maxvalue=%u)>", value, PLAIT_SEMAPHORE_MAX - semaphore->margin);
}

/* ---- among others ---- */

static int look(void *object, bool arms, struct plait__place *place)
{
    plait_semaphore *semaphore = object;
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    if (semaphore->kind) return plait__owned_semaphore_look(plait__owned_of(semaphore), arms, place);
    _Atomic uint64_t *word = word_of(semaphore);
    uint64_t seen = atomic_load(word);
    while (arms && !value_in(seen) && !(seen & SLEEPERS))
        if (atomic_compare_exchange_strong(word, &seen, seen | SLEEPERS)) seen |= SLEEPERS;
    bool ready = value_in(seen) != 0;
    if (ready) plait__tsan_acquire(word);
    *place = plait__place_at(plait__low_half(word), (uint32_t)seen);
    return ready;
}

/* As who has slept and goes: also without S it may be the one that was woken last. */
static void pass_on(void *object)
{
    plait_semaphore *semaphore = object;
    if (!plait__is_placed(semaphore)) return;
    if (semaphore->kind) plait__owned_semaphore_pass_on(plait__owned_of(semaphore));
    else plait__wake(plait__low_half(word_of(semaphore)), 1);
}

const struct plait__waitable plait__semaphore_waitable = { .look = look, .pass_on = pass_on };

/* ---- making ---- */

static int init(plait_semaphore *semaphore, int value, bool bounded)
{
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    if (value < 0) return plait__fail(-EINVAL, "a semaphore of %d permits", value);
    if (bounded && value == PLAIT_SEMAPHORE_MAX)           /* without a margin it would be a plain one */
        return plait__fail(-EINVAL, "a bounded semaphore of %d permits: a plain one ends there, too", value);
    uint32_t margin = bounded ? (uint32_t)(PLAIT_SEMAPHORE_MAX - value) : 0;
    *semaphore = (plait_semaphore){ .word = (uint64_t)value * ONE, .margin = margin };
    return 0;
}

int plait_semaphore_init(plait_semaphore *semaphore, int value)
{
    return init(semaphore, value, false);
}

int plait_bounded_semaphore_init(plait_semaphore *semaphore, int value)
{
    return init(semaphore, value, true);
}

static plait_semaphore *make(int value, bool bounded)
{
    plait_semaphore checked = { .word = 0 };
    int error = init(&checked, value, bounded);
    if (error) return plait__null(error);
    plait_semaphore *semaphore = plait_alloc(64);          /* a cache line of its own */
    if (semaphore) *semaphore = checked;
    return semaphore;
}

plait_semaphore *plait_semaphore_new(int value)
{
    return make(value, false);
}

plait_semaphore *plait_bounded_semaphore_new(int value)
{
    return make(value, true);
}

int plait_semaphore_free(plait_semaphore *semaphore)
{
    return plait_free(semaphore);
}
