/* arena/spans.h - the 64 KiB spans: who has which, and runs of them for large blocks.
 *
 * The state of a span is one word: kind, class of its blocks, owner.  Every change is one compare-and-swap or store of it:
 *
 *   FREE  -> SMALL(owner, class)       a thread takes it for blocks of one size; owner 0: its thread is gone, adopt it
 *   FREE  -> CLAIM(owner)              begins a run, which is being made or unmade; the owner's death frees it again
 *   FREE  -> TAIL                      the rest of a run, by whoever has claimed its first span
 *   CLAIM -> LARGE(tag)                the run is a large block, with the owner of the block
 *   LARGE(tag) -> CLAIM(owner) -> KEPT it was freed, but still has its pages, for the next one who wants so many spans
 *   KEPT  -> CLAIM(owner)              by anybody
 *   CLAIM -> FREE                      its pages are given back; the TAILs first, from the right to the left
 *
 * TAIL spans belong to the nearest other span on their left.  Making goes left to right, unmaking right to left; so at every
 * moment, what a dead owner had claimed is its CLAIM spans and the TAILs right behind them.
 * The memory of a FREE span reads as zero and takes no pages.
 */
#ifndef PLAIT_ARENA_SPANS_H
#define PLAIT_ARENA_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "arena/map.h"

enum plait__span_kind { PLAIT__FREE, PLAIT__SMALL, PLAIT__CLAIM, PLAIT__TAIL, PLAIT__LARGE, PLAIT__KEPT };

static inline uint64_t plait__span_state(enum plait__span_kind kind, unsigned class, unsigned owner)
{
    return (uint64_t)kind << 32 | (uint64_t)class << 16 | owner;
}

static inline enum plait__span_kind plait__span_kind(uint64_t state)
{
    return (enum plait__span_kind)(state >> 32);
}

static inline unsigned plait__span_class(uint64_t state)
{
    return (unsigned)(state >> 16) & 0xffff;
}

static inline unsigned plait__span_owner(uint64_t state)
{
    return (unsigned)state & 0xffff;
}

static inline char *plait__span_memory(uint32_t span)
{
    return plait__arena->memory + (uint64_t)span * PLAIT__SPAN_SIZE;
}

/* Take a span for blocks of `class`: an abandoned one of that class or a free one.  0: the arena is full. */
uint32_t plait__span_take(unsigned class, unsigned owner);

/* Make an abandoned span ours; only the owner of a span allocates in it or gives it back.  False: somebody else was faster. */
bool plait__span_adopt(uint32_t span, unsigned class, unsigned owner);

/* Give back all abandoned spans in which no block is live any more.  False: there was none. */
bool plait__abandoned_spans_release(unsigned owner);

/* Give a span of ours back, in which no block is live. */
void plait__span_release(uint32_t span, unsigned owner);

/* Free what a dead owner had claimed, and abandon its spans of small blocks (or free the empty ones).  Idempotent.
 * `me`: the member that does it, in case it dies as well. */
void plait__spans_sweep(unsigned dead, unsigned me);

/* Change a state.  False: it was another. */
bool plait__span_change(uint32_t span, uint64_t from, uint64_t to);

/* `top` must be raised before anybody can look for these spans by walking the table up to top. */
void plait__raise_top(uint32_t above);

/* Somebody may find spans from here on. */
void plait__lower_low(uint32_t span);

/* No block in this span of small blocks is live. */
bool plait__span_is_empty(uint32_t span, unsigned class);

#endif
