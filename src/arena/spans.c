#include "arena/spans.h"

#include <sys/mman.h>
#include <unistd.h>

#include "arena/heap.h"
#include "arena/limit.h"
#include "arena/runs.h"
#include "base/atomics.h"

static _Atomic uint64_t *state_of(uint32_t span)
{
    return &plait__arena->table[span].state;
}

bool plait__span_change(uint32_t span, uint64_t from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(state_of(span), &from, to);
    if (done) plait__tsan_acquire(state_of(span));
    return done;
}

void plait__raise_top(uint32_t above)
{
    uint32_t top = atomic_load(&plait__arena->top);
    while (top < above && !atomic_compare_exchange_weak(&plait__arena->top, &top, above)) {}
}

void plait__lower_low(uint32_t span)
{
    uint32_t low = atomic_load_explicit(&plait__arena->low, memory_order_relaxed);
    while (span < low && !atomic_compare_exchange_weak(&plait__arena->low, &low, span)) {}
}

static bool is_abandoned(uint64_t state)
{
    return plait__span_kind(state) == PLAIT__SMALL && plait__span_owner(state) == 0;
}

/* One walk over [from, to): the first span that can be had (a free one only if `reserved`), or 0.  *low: the first that somebody
 * else could have. */
static uint32_t take_between(uint32_t from, uint32_t to, unsigned class, unsigned owner, bool *reserved, uint32_t *low)
{
    const uint64_t mine = plait__span_state(PLAIT__SMALL, class, owner);
    const uint64_t abandoned = plait__span_state(PLAIT__SMALL, class, 0);
    *low = 0;
    for (uint32_t span = from; span < to; span++) {
        uint64_t state = atomic_load_explicit(state_of(span), memory_order_relaxed);
        if ((state == 0 && *reserved) || state == abandoned) {
            plait__raise_top(span + 1);
            if (!plait__span_change(span, state, mine)) continue;
            if (state == 0) *reserved = false;             /* it is used now */
            if (!*low) *low = span + 1;
            return span;
        }
        if (!*low && (state == 0 || is_abandoned(state))) *low = span;
    }
    return 0;
}

uint32_t plait__span_take(unsigned class, unsigned owner)
{
    bool reserved = plait__reserve(1, owner);
    uint32_t end = reserved ? plait__arena->spans : atomic_load(&plait__arena->top);
    uint32_t low = atomic_load_explicit(&plait__arena->low, memory_order_relaxed), new_low;
    uint32_t span = take_between(low, end, class, owner, &reserved, &new_low);
    if (span) atomic_compare_exchange_strong(&plait__arena->low, &low, new_low);
    else span = take_between(1, low < end ? low : end, class, owner, &reserved, &new_low);      /* the hint may have been wrong */
    plait__reserved(reserved, owner);
    return span;
}

bool plait__span_is_empty(uint32_t span, unsigned class)
{
    const _Atomic uint16_t *tags = plait__tags_of(span);
    for (unsigned i = 0; i < plait__blocks_in_span(class); i++)
        if (atomic_load_explicit(&tags[i], memory_order_relaxed)) return false;
    atomic_thread_fence(memory_order_acquire);             /* what those who freed the blocks did in them lies before */
    return true;
}

/* The tags of a free span are all zero: give their pages back.  Where pages are larger than that, others' tags lie in them too. */
static void empty_tags(uint32_t span)
{
    const size_t size = PLAIT__SPAN_BLOCKS * sizeof(uint16_t);
    if ((size_t)sysconf(_SC_PAGESIZE) <= size) madvise((void *)(uintptr_t)plait__tags_of(span), size, MADV_REMOVE);
}

void plait__span_release(uint32_t span, unsigned owner)
{
    atomic_store(state_of(span), plait__span_state(PLAIT__CLAIM, 0, owner));
    empty_tags(span);
    plait__run_unmake(span, owner);
}

bool plait__span_adopt(uint32_t span, unsigned class, unsigned owner)
{
    return plait__span_change(span, plait__span_state(PLAIT__SMALL, class, 0), plait__span_state(PLAIT__SMALL, class, owner));
}

bool plait__abandoned_spans_release(unsigned owner)
{
    bool any = false;
    uint32_t top = atomic_load(&plait__arena->top);
    for (uint32_t span = 1; span < top; span++) {
        uint64_t state = atomic_load(state_of(span));
        unsigned class = plait__span_class(state);
        if (!is_abandoned(state) || !plait__span_is_empty(span, class) || !plait__span_adopt(span, class, owner)) continue;
        /* Only now nobody else can allocate in it. */
        if (plait__span_is_empty(span, class)) {
            plait__span_release(span, owner);
            any = true;
        } else {
            atomic_store(state_of(span), state);
        }
    }
    return any;
}

static void sweep_small(uint32_t span, uint64_t state, unsigned me)
{
    if (plait__span_is_empty(span, plait__span_class(state)))
        plait__span_release(span, me);
    else if (plait__span_change(span, state, plait__span_state(PLAIT__SMALL, plait__span_class(state), 0)))
        plait__lower_low(span);
}

void plait__spans_sweep(unsigned dead, unsigned me)
{
    uint32_t top = atomic_load(&plait__arena->top);
    plait__reserved(0, dead);
    for (uint32_t span = 1; span < top; span++) {
        uint64_t state = atomic_load(state_of(span));
        if (plait__span_owner(state) != dead) continue;
        switch (plait__span_kind(state)) {
        case PLAIT__SMALL: sweep_small(span, state, me); break;
        case PLAIT__CLAIM: plait__run_unmake(span, me); break;
        case PLAIT__LARGE: plait__run_release(span, state, me); break;
        case PLAIT__FREE:
        case PLAIT__TAIL:
        case PLAIT__KEPT: break;
        }
    }
}
