#include "message/cursor.h"

#include <errno.h>
#include <limits.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/handover.h"
#include "family/repair.h"

static plait__word *bell_of(struct plait__cursor *cursor, uint64_t flag)
{
    return flag == PLAIT__WANT_FREE ? &cursor->free_bell : &cursor->move_bell;
}

bool plait__cursor_take_over(struct plait__cursor *cursor, uint64_t seen, uint64_t flags_off)
{
    if (plait__owner_in(seen) && !plait__cut_handovers(&cursor->word, seen)) return false;
    return atomic_compare_exchange_strong(&cursor->word, &seen, plait__owned_by_us(seen & ~flags_off));
}

uint32_t plait__look_at_number(const struct plait__cursor *cursor, uint64_t *word)
{
    for (;;) {
        *word = atomic_load(&cursor->word);
        uint32_t number = plait__number_at(cursor, *word);
        if (plait__same_place(atomic_load(&cursor->word), *word)) return number;
    }
}

/* For whoever asks what we wait for: the queue that this thread is inside of, which the cursor does not know. */
static int park(struct plait__wait *wait, plait__word *bell, uint32_t seen, uint32_t owner)
{
    wait->kind = PLAIT__FOR_QUEUE;
    wait->object = atomic_load(&plait__slot(plait__self.slot)->inside);
    return plait__park(wait, bell, seen, owner);
}

int plait__cursor_own_slowly(struct plait__cursor *cursor, uint64_t refuse, uint64_t *word, struct plait__wait *wait)
{
    for (;;) {
        uint32_t bell = atomic_load(&cursor->free_bell);
        uint64_t seen = atomic_load(&cursor->word);
        if (seen & refuse) return plait__fail(PLAIT_ECLOSED, "the queue was closed");
        if (!plait__is_owned(seen)) {
            if (!plait__cursor_take_over(cursor, seen, 0)) continue;
            *word = plait__owned_by_us(seen);
            plait__tsan_acquire(&cursor->word);
            return 0;
        }
        uint32_t owner = plait__slot_of(plait__owner_in(seen));
        if (plait__spin(wait)) continue;
        if (!(seen & PLAIT__WANT_FREE)) {
            uint64_t now = atomic_fetch_or(&cursor->word, PLAIT__WANT_FREE);
            if ((now & ~PLAIT__FLAGS) != (seen & ~PLAIT__FLAGS)) continue;
        }
        if (park(wait, &cursor->free_bell, bell, owner) < 0) {
            char name[64];
            plait__describe_member(owner, name, sizeof name);
            return plait__fail(-ETIMEDOUT, "%s was in the middle of an operation on it", name);
        }
    }
}

/* The flag is down for a moment.  Somebody who slept before may not have been woken, so it goes up again unless nobody was there;
 * and if others changed the cursor or passed a wake-up on while it was down, that is rung for as well: nobody knows how many did,
 * so for all who sleep. */
void plait__cursor_ring(struct plait__cursor *cursor, uint64_t flag)
{
    plait__word *bell = bell_of(cursor, flag);
    for (int most = 1;; most = INT_MAX) {
        uint32_t passed = atomic_load(&cursor->passed);
        uint64_t seen = atomic_fetch_and(&cursor->word, ~flag);
        atomic_fetch_add(bell, 1);
        if (plait__wake(bell, most) == 0) return;
        uint64_t now = atomic_fetch_or(&cursor->word, flag);
        if (plait__same_place(now, seen) && atomic_load(&cursor->passed) == passed) return;
    }
}

void plait__cursor_pass_on(struct plait__cursor *cursor, uint64_t flag)
{
    atomic_fetch_add(&cursor->passed, 1);                  /* for a ring that is under way and has the flag down */
    if (atomic_load(&cursor->word) & flag) plait__cursor_ring(cursor, flag);
}

__attribute__((noinline)) void plait__cursor_ring_flagged(struct plait__cursor *cursor, uint64_t flags)
{
    PLAIT__POINT(QUEUE_COMMITTED);
    if (flags & PLAIT__WANT_MOVE) plait__cursor_ring(cursor, PLAIT__WANT_MOVE);
    if (flags & PLAIT__WANT_FREE) plait__cursor_ring(cursor, PLAIT__WANT_FREE);
}

void plait__cursor_disown(struct plait__cursor *cursor)
{
    plait__tsan_release(&cursor->word);
    atomic_fetch_add(&cursor->passed, 1);
    uint64_t old = atomic_fetch_and(&cursor->word, ~UINT64_C(0xffff));
    if (old & PLAIT__WANT_FREE) plait__cursor_ring(cursor, PLAIT__WANT_FREE);
}

void plait__cursor_end(struct plait__cursor *cursor)
{
    for (uint64_t seen; plait__owner_in(seen = atomic_load(&cursor->word));)
        if (plait__cut_handovers(&cursor->word, seen))
            atomic_compare_exchange_strong(&cursor->word, &seen, seen & ~UINT64_C(0xffff));
}

int plait__cursor_wait_move(struct plait__cursor *cursor, uint64_t seen, uint32_t bell, struct plait__wait *wait)
{
    if (plait__spin(wait)) return 0;
    if (!(seen & PLAIT__WANT_MOVE)) {
        uint64_t now = atomic_fetch_or(&cursor->word, PLAIT__WANT_MOVE);
        if ((now ^ seen) & ~PLAIT__WANT_MOVE) return 0;    /* it has changed since the look */
    }
    return park(wait, &cursor->move_bell, bell, plait__slot_of(plait__owner_in(seen)));
}

void plait__cursor_ring_all(struct plait__cursor *cursor)
{
    for (int i = 0; i < 2; i++) {
        plait__word *bell = bell_of(cursor, i ? PLAIT__WANT_FREE : PLAIT__WANT_MOVE);
        atomic_fetch_add(bell, 1);
        plait__wake(bell, INT_MAX);
    }
}
