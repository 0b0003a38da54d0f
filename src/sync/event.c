/* sync/event.c - the event is one word:
 *
 *   31   30     1   0
 *   | S  | count  | set |   S: somebody sleeps on the word, or did so; never beside `set`.  count: how often it was set.
 *
 * Who waits goes on when it sees `set`, or another count than at its begin.  It sets S before it sleeps; S is cleared only by who
 * sets the event, who then wakes all.  Who is killed in between is a member: everybody looks.
 */
#include <plait/event.h>

#include <limits.h>

#include <plait/arena.h>

#include "base/atomics.h"
#include "base/error.h"
#include "family/roster.h"
#include "family/wait.h"
#include "sync/asleep.h"
#include "sync/waitables.h"

#define SET UINT32_C(1)
#define ONE UINT32_C(2)                                    /* of the count */
#define SLEEPERS (UINT32_C(1) << 31)
#define COUNT (SLEEPERS - ONE)

_Static_assert(sizeof(plait_event) == 8, "part of the ABI");

static inline plait__word *word_of(const plait_event *event)
{
    return (plait__word *)(uintptr_t)&event->word;
}

static inline bool is_event(const plait_event *event)
{
    return event && (uintptr_t)event % _Alignof(plait_event) == 0;
}

static int not_an_event(const plait_event *event)
{
    return plait__misplaced("event", event, _Alignof(plait_event));
}

/* ---- wait ---- */

static int timed_out(void)
{
    return plait__fail(-ETIMEDOUT, "nobody has set the event");
}

static int wait_slowly(plait_event *event, uint32_t first, plait_deadline deadline)
{
    plait__word *word = word_of(event);
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_EVENT, event, deadline);
    uint32_t seen = first;
    while (!(seen & SET) && (seen & COUNT) == (first & COUNT)) {
        if (plait__is_now(deadline)) {
            if (plait__give_up(0) < 0) return timed_out();
        } else if (!plait__spin(&wait)) {
            if (!(seen & SLEEPERS) && !atomic_compare_exchange_strong(word, &seen, seen | SLEEPERS)) continue;
            if (plait__park(&wait, word, seen | SLEEPERS, 0) < 0) return timed_out();
        }
        seen = atomic_load(word);
    }
    plait__wait_end(&wait);
    return 0;
}

int plait_event_wait(plait_event *event, plait_deadline deadline)
{
    if (!is_event(event)) return not_an_event(event);
    plait__word *word = word_of(event);
    uint32_t first = atomic_load(word);
    int result = first & SET ? 0 : plait__member();
    if (!result && !(first & SET)) result = wait_slowly(event, first, deadline);
    if (!result) plait__tsan_acquire(word);
    return result;
}

/* ---- set and clear ---- */

int plait_event_set(plait_event *event)
{
    if (!is_event(event)) return not_an_event(event);
    plait__word *word = word_of(event);
    plait__tsan_release(word);
    uint32_t seen = atomic_load(word), next;
    do {                                                   /* also when it is set: who clears it then sees what we wrote before */
        next = seen & SET ? seen : ((seen + ONE) & COUNT) | SET;
        if (seen & SLEEPERS) plait__before_waking();
    } while (!atomic_compare_exchange_strong(word, &seen, next));
    if (seen & SLEEPERS) plait__wake(word, INT_MAX);
    return 0;
}

int plait_event_clear(plait_event *event)
{
    if (!is_event(event)) return not_an_event(event);
    atomic_fetch_and(word_of(event), ~SET);
    return 0;
}

int plait_event_is_set(const plait_event *event)
{
    if (!is_event(event)) return not_an_event(event);
    int set = (atomic_load(word_of(event)) & SET) != 0;
    if (set) plait__tsan_acquire(word_of(event));
    return set;
}

/* ---- among others ---- */

static int look(void *event, bool arms, struct plait__place *place)
{
    if (!is_event(event)) return not_an_event(event);
    plait__word *word = word_of(event);
    uint32_t seen = atomic_load(word);
    while (arms && !(seen & (SET | SLEEPERS)))
        if (atomic_compare_exchange_strong(word, &seen, seen | SLEEPERS)) seen |= SLEEPERS;
    if (seen & SET) plait__tsan_acquire(word);
    *place = plait__place_at(word, seen);
    return (seen & SET) != 0;
}

const struct plait__waitable plait__event_waitable = { .look = look };

/* ---- making ---- */

plait_event *plait_event_new(void)
{
    return plait_alloc(64);                                /* a cache line of its own */
}

int plait_event_free(plait_event *event)
{
    return plait_free(event);
}
