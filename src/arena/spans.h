/* arena/spans.h - the 64 KiB spans: who has which, and runs of them for large blocks.
 *
 * The state of a span is one word: kind, class of its blocks, owner.  Every change is one compare-and-swap or store of it:
 *
 *   FREE  -> SMALL(owner, class)       a thread takes it for blocks of one size; owner 0: its thread is gone, adopt it
 *   FREE  -> CLAIM(owner)              being made into a large block, or unmade; the owner's death frees it again
 *   CLAIM -> TAIL | LARGE(tag)         all but the first span of a large block; the first, with the owner of the block
 *   LARGE(tag) -> CLAIM(owner) -> FREE
 *
 * TAIL spans belong to the nearest other span on their left.  Making goes left to right and ends with the first span, unmaking
 * right to left; so at every moment, what a dead owner had claimed is its CLAIM spans and the TAILs right behind them.
 * The memory of a FREE span reads as zero and takes no pages.
 */
#ifndef PLAIT_ARENA_SPANS_H
#define PLAIT_ARENA_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "arena/map.h"

enum plait__span_kind { PLAIT__FREE, PLAIT__SMALL, PLAIT__CLAIM, PLAIT__TAIL, PLAIT__LARGE };

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

/* Claim `count` adjacent spans and make them a large block with that tag.  Its first span, or 0: no room. */
uint32_t plait__run_take(uint32_t count, unsigned tag, unsigned owner);

/* Unmake a large block whose first span is in `state` (LARGE).  False: somebody else changed it meanwhile. */
bool plait__run_release(uint32_t first, uint64_t state, unsigned owner);

/* Free what a dead owner had claimed, and abandon its spans of small blocks (or free the empty ones).  Idempotent.
 * `me`: the member that does it, in case it dies as well. */
void plait__spans_sweep(unsigned dead, unsigned me);

/* No block in this span of small blocks is live. */
bool plait__span_is_empty(uint32_t span, unsigned class);

#endif
