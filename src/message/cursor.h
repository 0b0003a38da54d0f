/* message/cursor.h - the owned cursor: position, owner and flags in one word.
 *
 *   63          19 18      16 15     0
 *   | position    | flags    | owner  |     position in units of 16 bytes; owner: as family/roster.h, 0 nobody
 *
 * Whoever wants to move a cursor owns it first (one compare-and-swap), does the work that the move stands for, and then commits:
 * one addition publishes the position and gives the ownership up.  A dead owner has moved nothing, so whoever finds it takes
 * the cursor over; and repair un-owns it, before the slot that it names is used again.  Flags are set and cleared by anyone at any
 * time and survive commits.
 *
 * Sleepers wait on *bells*, words beside the cursors, one for each thing that can be waited for:
 *   sleeper: read the bell; look; set the flag in the cursor; sleep while the bell is what it was.
 *   waker:   change the cursor; if the flag was set, ring: clear the flag, count the bell up, wake one.  If one was woken, more
 *            may sleep, and the flag is set again.
 * So the flag is set whenever somebody sleeps, but for the moment of a ring; a waker that dies in that moment is noticed, and then
 * everybody looks again.  Whoever was woken and leaves what it was woken for (its buffer is too short, its message too long, its
 * time is up) passes it on.
 */
#ifndef PLAIT_MESSAGE_CURSOR_H
#define PLAIT_MESSAGE_CURSOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "family/roster.h"
#include "family/wait.h"

#define PLAIT__UNIT 16u
#define PLAIT__PLACE_SHIFT 19
#define PLAIT__PLACE (UINT64_MAX << PLAIT__PLACE_SHIFT)
#define PLAIT__POSITIONS (UINT64_C(1) << (64 - PLAIT__PLACE_SHIFT))

#define PLAIT__WANT_FREE (UINT64_C(1) << 16)               /* somebody sleeps until it is un-owned */
#define PLAIT__WANT_MOVE (UINT64_C(1) << 17)               /* somebody sleeps until it moves */
#define PLAIT__CLOSED (UINT64_C(1) << 18)                  /* tail: no more puts */
#define PLAIT__AGAIN (UINT64_C(1) << 18)                   /* done: there may be something to reclaim */
#define PLAIT__FLAGS (UINT64_C(7) << 16)

/* One cache line pair each, so that producers and consumers do not disturb each other. */
struct plait__cursor {
    _Alignas(128) _Atomic uint64_t word;
    _Atomic uint64_t seen;                                 /* the opposite cursor as the last owner saw it; only ever too old */
    _Atomic uint64_t marks[2];                             /* how many messages lie before the position: see plait__number_at */
    struct plait__segment *segments[2];                    /* only without a ring: see place.h */
    plait__word free_bell, move_bell;
    _Atomic uint32_t passed;                               /* counted up by who leaves what it was woken for, see cursor_ring */
    _Atomic uint32_t seen_number;                          /* of messages, as `seen`; kept where there is a maxsize */
};

static inline uint32_t plait__owner_in(uint64_t word)
{
    return (uint32_t)word & 0xffff;
}

/* Owned, and the owner lives.  The dead one's cursor is free to take: it has moved nothing. */
static inline bool plait__is_owned(uint64_t word)
{
    uint32_t owner = plait__owner_in(word);
    return owner && !plait__has_ended(owner);
}

/* The same word, owned by us. */
static inline uint64_t plait__owned_by_us(uint64_t word)
{
    return (word & ~UINT64_C(0xffff)) | plait__self.short_owner;
}

static inline uint64_t plait__position_in(uint64_t word)
{
    return word >> PLAIT__PLACE_SHIFT;
}

/* How far `later` is ahead of `earlier`, in units. */
static inline uint64_t plait__units_between(uint64_t earlier, uint64_t later)
{
    return ((later & PLAIT__PLACE) - (earlier & PLAIT__PLACE)) >> PLAIT__PLACE_SHIFT;
}

/* The same place, whoever owns it and whoever waits. */
static inline bool plait__same_place(uint64_t a, uint64_t b)
{
    return plait__position_in(a) == plait__position_in(b);
}

/* ---- how many messages ---- */

/* The number of a message counts all that were put before it.  Beside the cursor two marks say which number belongs to which
 * position; its owner writes the one that is not about the present position before it commits, so that the other one stays true
 * if it dies.  A mark: | number: 32 | low half of the position: 32 |. */
static inline uint64_t plait__mark(uint64_t position, uint32_t number)
{
    return (uint64_t)number << 32 | (uint32_t)position;
}

static inline unsigned plait__mark_of(const struct plait__cursor *cursor, uint64_t position)
{
    return (uint32_t)atomic_load_explicit(&cursor->marks[0], memory_order_acquire) == (uint32_t)position ? 0 : 1;
}

/* For the owner of the cursor, and for `word`, which is what it read there. */
static inline uint32_t plait__number_at(const struct plait__cursor *cursor, uint64_t word)
{
    unsigned mark = plait__mark_of(cursor, plait__position_in(word));
    return (uint32_t)(atomic_load_explicit(&cursor->marks[mark], memory_order_acquire) >> 32);
}

/* For anybody: the number at some moment, and what the word was then. */
uint32_t plait__look_at_number(const struct plait__cursor *cursor, uint64_t *word);

/* ---- owning ---- */

/* Take the word over from whoever is named in `seen` and dead, or own it if nobody is.  False: it has changed. */
bool plait__cursor_take_over(struct plait__cursor *cursor, uint64_t seen, uint64_t flags_off);

/* Own the cursor unless `refuse` is among its flags.  0, PLAIT_ECLOSED (refused), -ETIMEDOUT.  *word: as it is now. */
int plait__cursor_own_slowly(struct plait__cursor *cursor, uint64_t refuse, uint64_t *word, struct plait__wait *wait);

static inline int plait__cursor_own(struct plait__cursor *cursor, uint64_t refuse, uint64_t *word, struct plait__wait *wait)
{
    uint64_t seen = atomic_load_explicit(&cursor->word, memory_order_relaxed);
    if (PLAIT__LIKELY(!(seen & (refuse | 0xffff))) &&
        atomic_compare_exchange_strong_explicit(&cursor->word, &seen, seen | plait__self.short_owner, memory_order_acquire,
                                                memory_order_relaxed)) {
        *word = seen | plait__self.short_owner;
        plait__tsan_acquire(&cursor->word);
        return 0;
    }
    return plait__cursor_own_slowly(cursor, refuse, word, wait);
}

/* Wake one sleeper of the flag (WANT_FREE or WANT_MOVE); for whoever has just changed the cursor. */
void plait__cursor_ring(struct plait__cursor *cursor, uint64_t flag);

/* The same for whoever was woken and leaves it to the next. */
void plait__cursor_pass_on(struct plait__cursor *cursor, uint64_t flag);

void plait__cursor_ring_flagged(struct plait__cursor *cursor, uint64_t flags);

/* Move our cursor on to `position`, `messages` later, publishing what lies before it, and give it up.  The flags that were set. */
static inline uint64_t plait__cursor_commit(struct plait__cursor *cursor, uint64_t word, uint64_t position, uint32_t messages)
{
    unsigned mark = plait__mark_of(cursor, plait__position_in(word));
    uint32_t number = (uint32_t)(atomic_load_explicit(&cursor->marks[mark], memory_order_relaxed) >> 32) + messages;
    atomic_store_explicit(&cursor->marks[!mark], plait__mark(position, number), memory_order_relaxed);
    plait__tsan_release(&cursor->word);
    uint64_t from = word & ~PLAIT__FLAGS, to = position << PLAIT__PLACE_SHIFT;
    uint64_t old = atomic_fetch_add(&cursor->word, to - from);       /* exact: nobody else changes these fields meanwhile */
    if (PLAIT__UNLIKELY((old & (PLAIT__WANT_FREE | PLAIT__WANT_MOVE)) != 0)) plait__cursor_ring_flagged(cursor, old);
    return old & PLAIT__FLAGS;
}

/* Give it up without having moved it. */
void plait__cursor_disown(struct plait__cursor *cursor);

/* Nobody uses the queue any more, so an owner is dead, even if nobody has noticed.  Its repair may come when all this is freed. */
void plait__cursor_end(struct plait__cursor *cursor);

/* Sleep until the cursor has moved from `seen`.  The caller read *bell before it looked.  0: look again; -ETIMEDOUT. */
int plait__cursor_wait_move(struct plait__cursor *cursor, uint64_t seen, uint32_t bell, struct plait__wait *wait);

/* Have everybody who moves the cursor ring, for one who is going to look, and to sleep on its bell as it was before this. */
static inline void plait__cursor_want_move(struct plait__cursor *cursor)
{
    if (!(atomic_load(&cursor->word) & PLAIT__WANT_MOVE)) atomic_fetch_or(&cursor->word, PLAIT__WANT_MOVE);
}

/* Wake everybody who waits for anything about the cursor. */
void plait__cursor_ring_all(struct plait__cursor *cursor);

#endif
