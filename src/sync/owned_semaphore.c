/* sync/owned_semaphore.c - a semaphore of n permits is n words that name their holders, and a bell:
 *
 *   31    30       0
 *   | S   | number |        S: somebody sleeps on the bell, or did so a moment ago; number: of the last release that found S.
 *
 * To acquire is to put oneself, by compare-and-swap, where nobody is, or one whose life has ended; to release is to write 0.
 * Nothing is recorded elsewhere, so nothing has to be repaired.
 *
 * Why no wake is lost.  Who finds no permit sets S, and then looks once more through all of them before it sleeps on the bell as
 * it was before that look.  A release writes the 0 before it looks at the bell.  So either the sleeper finds the permit, or the
 * release finds S: then it changes the bell, so that nobody falls asleep on the old look, and wakes one.
 *   S is cleared, and the bell changed once more, only by a release whose wake has found nobody; as somebody may have fallen asleep
 * since, it wakes all once more.  Nobody sleeps unannounced.
 *   A release that is killed before its wake, and a holder that is killed, are deaths: everybody looks.  A holder that leaves has
 * noted that it holds permits (plait__self.permits), and makes everybody look, too.
 */
#include "sync/owned_semaphore.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <plait/arena.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/fault.h"
#include "family/roster.h"
#include "family/wait.h"
#include "sync/graph.h"
#include "sync/owner.h"

#define SLEEPERS (UINT32_C(1) << 31)

/* ---- who has them ---- */

/* Each member begins to look at a place of its own: alone it finds its permit at once, and many do not get in each other's way. */
static uint32_t place(const struct plait__owned_semaphore *owned, uint32_t i)
{
    uint32_t at = plait__self.slot % owned->permits + i;
    return at < owned->permits ? at : at - owned->permits;
}

enum taken { NONE = -1, TAKEN, FROM_A_DEAD_ONE };

/* A permit that nobody has. */
static bool take_free(struct plait__owned_semaphore *owned)
{
    for (uint32_t i = 0; i < owned->permits; i++) {
        _Atomic uint64_t *holder = &owned->holders[place(owned, i)];
        uint64_t nobody = 0;
        if (atomic_load(holder) == 0 && atomic_compare_exchange_strong(holder, &nobody, plait__self.owner)) return true;
    }
    return false;
}

/* One that nobody has, or one whose life has ended. */
static enum taken take_any(struct plait__owned_semaphore *owned)
{
    for (uint32_t i = 0; i < owned->permits; i++) {
        _Atomic uint64_t *holder = &owned->holders[place(owned, i)];
        uint64_t seen = atomic_load(holder);
        enum plait__fate fate = seen ? plait__fate(seen) : PLAIT__LEFT;
        if (fate != PLAIT__LIVES && atomic_compare_exchange_strong(holder, &seen, plait__self.owner))
            return fate == PLAIT__DIED ? FROM_A_DEAD_ONE : TAKEN;
    }
    return NONE;
}

static enum taken take(struct plait__owned_semaphore *owned)
{
    enum taken taken = take_free(owned) ? TAKEN : take_any(owned);
    if (taken != NONE) plait__self.permits++;
    return taken;
}

uint64_t plait__owned_semaphore_holder(const struct plait__owned_semaphore *owned)
{
    uint32_t permits = owned->permits;
    if (owned->face.kind != PLAIT__OWNED_SEMAPHORE || permits == 0 || permits > PLAIT_OWNED_SEMAPHORE_MAX) return 0;
    if (!plait_is_shared(&owned->holders[permits - 1])) return 0;
    uint64_t first = atomic_load(&owned->holders[0]);
    for (uint32_t i = 1; i < permits; i++)
        if (atomic_load(&owned->holders[i]) != first) return 0;
    return first && plait__fate(first) == PLAIT__LIVES ? first : 0;
}

/* Of a single permit it is known whom one waits for. */
static uint32_t awaited(const struct plait__owned_semaphore *owned)
{
    return owned->permits == 1 ? plait__owner_slot(atomic_load(&owned->holders[0])) : 0;
}

static void describe(uint64_t holder, char *text, size_t size)
{
    if (holder == plait__self.owner) snprintf(text, size, "the calling thread itself");
    else plait__describe_member(plait__owner_slot(holder), text, size);
}

/* Names all holders that fit into the detail. */
static int timed_out(const struct plait__owned_semaphore *owned)
{
    char text[PLAIT__DETAIL_SIZE - 40] = "", holder[64];
    size_t length = 0;
    for (uint32_t i = 0; i < owned->permits; i++) {
        uint64_t seen = atomic_load(&owned->holders[i]);
        if (!seen) continue;                               /* by now nobody */
        describe(seen, holder, sizeof holder);
        bool fits = length + sizeof holder + sizeof ", ..." < sizeof text;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? ", " : "", fits ? holder : "...");
        if (!fits) break;
    }
    if (owned->permits > 1) return plait__fail(-ETIMEDOUT, "the %u permits are held by %s", owned->permits, text);
    plait__fail(-ETIMEDOUT, "the permit is held by %s", text);
    plait__blame_deadlock(PLAIT__FOR_SEMAPHORE, &owned->face, &owned->holders[0], atomic_load(&owned->holders[0]));
    return -ETIMEDOUT;
}

/* ---- acquire ---- */

int plait__owned_semaphore_acquire(struct plait__owned_semaphore *owned, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_SEMAPHORE, &owned->face, deadline);
    for (;;) {
        uint32_t bell = atomic_load(&owned->bell);         /* before the look: see above */
        enum taken taken = take(owned);
        if (taken != NONE) {
            plait__wait_end(&wait);
            return taken == FROM_A_DEAD_ONE ? PLAIT_OWNER_DIED : 0;
        }
        if (plait__is_now(deadline)) {
            if (plait__give_up(awaited(owned)) < 0) return timed_out(owned);
        } else if (!plait__spin(&wait)) {
            if (bell & SLEEPERS) {
                if (plait__park(&wait, &owned->bell, bell, awaited(owned)) < 0) return timed_out(owned);
            } else {
                atomic_compare_exchange_strong(&owned->bell, &bell, bell | SLEEPERS);      /* and look once more */
            }
        }
    }
}

/* ---- release ---- */

static uint32_t after(uint32_t bell)
{
    return ((bell + 1) & ~SLEEPERS) | (bell & SLEEPERS);
}

/* `count` permits have become free. */
static void ring(plait__word *bell, uint32_t count)
{
    uint32_t seen = atomic_load(bell), written;
    do {
        if (!(seen & SLEEPERS)) return;
        written = after(seen);
    } while (!atomic_compare_exchange_strong(bell, &seen, written));
    if ((uint32_t)plait__wake(bell, (int)count) >= count) return;
    PLAIT__POINT(UNHEARD);
    if (atomic_compare_exchange_strong(bell, &written, after(written) & ~SLEEPERS)) plait__wake(bell, INT_MAX);
}

/* How many the calling thread has; it stops counting at `enough`. */
static uint32_t count_mine(const struct plait__owned_semaphore *owned, uint32_t enough)
{
    uint32_t mine = 0;
    for (uint32_t i = 0; i < owned->permits && mine < enough; i++)
        mine += atomic_load_explicit(&owned->holders[place(owned, i)], memory_order_relaxed) == plait__self.owner;
    return mine;
}

/* Nobody but the calling thread changes what is its own. */
int plait__owned_semaphore_release(struct plait__owned_semaphore *owned, uint32_t count)
{
    uint32_t mine = plait__is_member() ? count_mine(owned, count) : 0;
    if (mine < count)
        return plait__fail(PLAIT_ENOTOWNER, "the calling thread holds %u of the %u permits, not %u", mine, owned->permits, count);
    for (uint32_t i = 0, left = count; left; i++) {
        _Atomic uint64_t *holder = &owned->holders[place(owned, i)];
        if (atomic_load_explicit(holder, memory_order_relaxed) != plait__self.owner) continue;
        atomic_store(holder, 0);
        left--;
    }
    plait__self.permits -= count;
    ring(&owned->bell, count);
    return 0;
}

int plait__owned_semaphore_get_value(const struct plait__owned_semaphore *owned)
{
    int error = plait__member(), value = 0;
    if (error) return error;
    for (uint32_t i = 0; i < owned->permits; i++) {
        uint64_t seen = atomic_load(&owned->holders[i]);
        value += !seen || plait__fate(seen) != PLAIT__LIVES;
    }
    return value;
}

/* ---- among others ---- */

static bool has_free(const struct plait__owned_semaphore *owned)
{
    for (uint32_t i = 0; i < owned->permits; i++) {
        uint64_t seen = atomic_load(&owned->holders[i]);
        if (!seen || plait__fate(seen) != PLAIT__LIVES) return true;
    }
    return false;
}

int plait__owned_semaphore_look(struct plait__owned_semaphore *owned, bool arms, struct plait__place *place)
{
    uint32_t bell = arms ? atomic_fetch_or(&owned->bell, SLEEPERS) | SLEEPERS : atomic_load(&owned->bell);
    *place = plait__place_at(&owned->bell, bell);
    return has_free(owned);
}

void plait__owned_semaphore_pass_on(struct plait__owned_semaphore *owned)
{
    ring(&owned->bell, 1);
}

/* ---- making ---- */

plait_semaphore *plait_owned_semaphore_new(int permits)
{
    if (permits < 1 || permits > PLAIT_OWNED_SEMAPHORE_MAX)
        return plait__null(plait__fail(-EINVAL, "%d permits, not 1 to %d", permits, PLAIT_OWNED_SEMAPHORE_MAX));
    size_t size = sizeof(struct plait__owned_semaphore) + (size_t)permits * sizeof(uint64_t);
    struct plait__owned_semaphore *owned = plait_alloc(size < 64 ? 64 : size);       /* at least a cache line of its own */
    if (!owned) return NULL;
    owned->permits = (uint32_t)permits;
    owned->face = (plait_semaphore){ .margin = PLAIT_SEMAPHORE_MAX, .kind = PLAIT__OWNED_SEMAPHORE };
    return &owned->face;
}
