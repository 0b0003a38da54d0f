/* sync/semaphore.c - the plain and the bounded semaphore are one word:
 *
 *   63   1   0
 *   | value | S |           S: somebody sleeps on the word's low half, or did so a moment ago.
 *
 * `margin` says how far its maximum lies below the greatest value.  Of owned semaphores (`kind`; owned_semaphore.c) the word is
 * always 0, and the margin never: so the straight lines in the header leave them to what follows.
 *
 * To release a plain one is one addition, without a look before it, which costs a quarter less.  One beyond the greatest value has
 * room, and is taken back at once.  A bounded one must not even for a moment have a permit too many: a compare-and-swap.
 *
 * Why no wake is lost.  Who finds 0 sets S, and sleeps only while the word is S and 0.  Acquire and release leave S as it is, so
 * who sleeps is known to each release, which wakes as many as it has given permits.  Whoever is woken looks, before it gives up
 * for whatever reason, and finds a permit unless another was quicker.
 *   S is cleared only by a release whose wake has found fewer sleepers than permits, that is: all of them.  By then others may have
 * fallen asleep (the value was 0 in between), and even permits given since, if the word is again what this release has written.
 * So who has cleared S wakes all once more: nobody sleeps unannounced.  Mostly nobody is there.
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
#include "sync/waitables.h"

#define SLEEPERS UINT64_C(1)
#define ONE UINT64_C(2)                                    /* of the value */
#define MOST ((uint64_t)PLAIT_SEMAPHORE_MAX)

_Static_assert(sizeof(plait_semaphore) == 16, "part of the ABI");

static inline _Atomic uint64_t *word_of(const plait_semaphore *semaphore)
{
    return (_Atomic uint64_t *)(uintptr_t)&semaphore->word;
}

static int not_a_semaphore(const plait_semaphore *semaphore)
{
    return plait__misplaced("semaphore", semaphore, _Alignof(plait_semaphore));
}

/* ---- acquire ---- */

static int timed_out(void)
{
    return plait__fail(-ETIMEDOUT, "the value of the semaphore is 0, and nobody has released it");
}

static __attribute__((noinline)) int acquire_slowly(plait_semaphore *semaphore, plait_deadline deadline)
{
    _Atomic uint64_t *word = word_of(semaphore);
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_SEMAPHORE, semaphore, deadline);
    uint64_t seen = atomic_load(word);
    for (;;) {
        if (seen >= ONE) {
            if (!atomic_compare_exchange_strong(word, &seen, seen - ONE)) continue;
            plait__wait_end(&wait);
            return 0;
        }
        if (plait__is_now(deadline)) {
            if (plait__give_up(0) < 0) return timed_out();
        } else if (!plait__spin(&wait)) {
            if (!seen && !atomic_compare_exchange_strong(word, &seen, SLEEPERS)) continue;
            if (plait__park(&wait, plait__low_half(word), SLEEPERS, 0) < 0) return timed_out();
        }
        seen = atomic_load(word);
    }
}

int plait__semaphore_acquire_slowly(plait_semaphore *semaphore, plait_deadline deadline)
{
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    int result = plait__member();
    if (result) return result;
    if (semaphore->kind) result = plait__owned_semaphore_acquire(plait__owned_of(semaphore), deadline);
    else result = acquire_slowly(semaphore, deadline);
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

/* `written` is what this release made of the word, with SLEEPERS in it. */
static void wake(_Atomic uint64_t *word, uint64_t written, uint32_t count)
{
    if ((uint32_t)plait__wake(plait__low_half(word), (int)count) >= count) return;
    PLAIT__POINT(UNHEARD);
    if (atomic_compare_exchange_strong(word, &written, written & ~SLEEPERS)) plait__wake(plait__low_half(word), INT_MAX);
}

static int release(plait_semaphore *semaphore, uint32_t count)
{
    _Atomic uint64_t *word = word_of(semaphore);
    uint64_t maximum = MOST - semaphore->margin, seen = atomic_load(word);
    plait__before_waking();                                /* and the next release goes the quick way */
    do {
        if (seen / ONE + count > maximum) return too_many(semaphore->margin);
    } while (!atomic_compare_exchange_strong(word, &seen, seen + count * ONE));
    if (seen & SLEEPERS) wake(word, seen + count * ONE, count);
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
    if (was / ONE < MOST) {
        wake(word, was + ONE, 1);
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
    uint64_t value = atomic_load(word_of(semaphore)) / ONE;
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
    while (arms && !seen)
        if (atomic_compare_exchange_strong(word, &seen, SLEEPERS)) seen = SLEEPERS;
    if (seen >= ONE) plait__tsan_acquire(word);
    *place = plait__place_at(plait__low_half(word), (uint32_t)seen);
    return seen >= ONE;
}

static void pass_on(void *object)
{
    plait_semaphore *semaphore = object;
    if (!plait__is_placed(semaphore)) return;
    if (semaphore->kind) plait__owned_semaphore_pass_on(plait__owned_of(semaphore));
    else if (atomic_load(word_of(semaphore)) & SLEEPERS) plait__wake(plait__low_half(word_of(semaphore)), 1);
}

const struct plait__waitable plait__semaphore_waitable = { .look = look, .pass_on = pass_on };

/* ---- making ---- */

static int init(plait_semaphore *semaphore, int value, bool bounded)
{
    if (!plait__is_placed(semaphore)) return not_a_semaphore(semaphore);
    if (value < 0) return plait__fail(-EINVAL, "a semaphore of %d permits", value);
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
