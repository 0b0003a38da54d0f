#include "sync/owner.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "sync/graph.h"

int plait__owner_timed_out(enum plait__waits_for kind, const void *object, const _Atomic uint64_t *word, uint64_t seen)
{
    char holder[64];
    const char *what = plait__kind_name(kind);
    if (seen && plait__owner_is_me(seen))
        return plait__fail(-ETIMEDOUT, "the %s is held by the calling thread itself", what);
    plait__describe_member(plait__owner_slot(seen), holder, sizeof holder);
    plait__fail(-ETIMEDOUT, "the %s is held by %s", what, holder);
    plait__blame_deadlock(kind, object, word, seen);
    return -ETIMEDOUT;
}

bool plait__owner_is_held(const _Atomic uint64_t *word)
{
    uint64_t seen = atomic_load(word);
    return plait__owner_slot(seen) != 0 && plait__fate(plait__owner_in(seen)) != PLAIT__DIED;
}

const char *plait__owner_name(uint64_t word)
{
    uint32_t slot = plait__owner_slot(word);
    enum plait__fate fate = slot ? plait__fate(plait__owner_in(word)) : PLAIT__DIED;
    if (fate == PLAIT__DIED) return NULL;
    if (plait__owner_is_me(word)) return plait__process_name();
    if (fate != PLAIT__LIVES) return "SomeOtherProcess";   /* it may be PLAIT__NOBODY's, who has no slot */
    const struct plait__slot *owner = plait__slot(slot);
    bool is_here = atomic_load(&owner->pid) == getpid() && atomic_load(&owner->pid_namespace) == plait__pid_namespace();
    return is_here ? "SomeOtherThread" : "SomeOtherProcess";
}

uint64_t plait__owner_disown(_Atomic uint64_t *word, uint64_t seen)
{
    uint64_t nobodys = PLAIT__NOBODY | (seen & (PLAIT__SLEEPS | PLAIT__MARKS));
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

int plait__owner_wait(struct plait__wait *wait, _Atomic uint64_t *word, uint64_t *seen)
{
    uint32_t holder = plait__owner_slot(*seen);
    if (plait__is_now(wait->deadline)) {
        if (plait__give_up(holder) < 0) return -ETIMEDOUT;
    } else if (!spin(wait)) {
        if (!(*seen & PLAIT__SLEEPS) && !atomic_compare_exchange_strong(word, seen, *seen | PLAIT__SLEEPS)) return 0;
        *seen |= PLAIT__SLEEPS;
        if (plait__park(wait, plait__low_half(word), (uint32_t)*seen, holder) < 0) return -ETIMEDOUT;
    }
    *seen = atomic_load(word);
    return 0;
}

static int acquire(_Atomic uint64_t *word, enum plait__waits_for kind, const void *object, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(kind, object, deadline);
    uint64_t seen = atomic_load(word);
    for (;;) {
        uint32_t holder = plait__owner_slot(seen);
        enum plait__fate fate = holder ? plait__fate(plait__owner_in(seen)) : PLAIT__LEFT;
        if (!holder || fate == PLAIT__DIED) {
            if (!atomic_compare_exchange_strong(word, &seen, plait__owner_mine(seen, &wait))) continue;
            plait__wait_end(&wait);
            return holder ? PLAIT_OWNER_DIED : 0;
        }
        if (fate == PLAIT__LEFT && holder != PLAIT__NOBODY) seen = plait__owner_disown(word, seen);
        else if (plait__owner_wait(&wait, word, &seen) < 0) return plait__owner_timed_out(kind, object, word, seen);
    }
}

int plait__owner_acquire(_Atomic uint64_t *word, enum plait__waits_for kind, const void *object, plait_deadline deadline)
{
    plait__may_be_woken();
    int result = acquire(word, kind, object, deadline);
    plait__no_more_woken();
    return result;
}
