#include "arena/spans.h"

#include <string.h>
#include <sys/mman.h>

#include "arena/heap.h"
#include "base/atomics.h"

static _Atomic uint64_t *state_of(uint32_t span)
{
    return &plait__arena->table[span].state;
}

static bool change(uint32_t span, uint64_t from, uint64_t to)
{
    bool done = atomic_compare_exchange_strong(state_of(span), &from, to);
    if (done) plait__tsan_acquire(state_of(span));
    return done;
}

/* `top` must be raised before anybody can look for this span by walking the table up to top. */
static void raise_top(uint32_t above)
{
    uint32_t top = atomic_load(&plait__arena->top);
    while (top < above && !atomic_compare_exchange_weak(&plait__arena->top, &top, above)) {}
}

static void lower_low(uint32_t span)
{
    uint32_t low = atomic_load_explicit(&plait__arena->low, memory_order_relaxed);
    while (span < low && !atomic_compare_exchange_weak(&plait__arena->low, &low, span)) {}
}

/* Give the pages back; afterwards the memory reads as zero. */
static void empty_memory(uint32_t span, uint32_t count)
{
    char *memory = plait__span_memory(span);
    size_t size = (size_t)count * PLAIT__SPAN_SIZE;
    if (madvise(memory, size, MADV_REMOVE) < 0) memset(memory, 0, size);
}

static bool is_abandoned(uint64_t state)
{
    return plait__span_kind(state) == PLAIT__SMALL && plait__span_owner(state) == 0;
}

/* One walk over [from, to): the first span that can be had, or 0.  *low: the first that somebody else could have. */
static uint32_t take_between(uint32_t from, uint32_t to, unsigned class, unsigned owner, uint32_t *low)
{
    const uint64_t mine = plait__span_state(PLAIT__SMALL, class, owner);
    const uint64_t abandoned = plait__span_state(PLAIT__SMALL, class, 0);
    *low = 0;
    for (uint32_t span = from; span < to; span++) {
        uint64_t state = atomic_load_explicit(state_of(span), memory_order_relaxed);
        if (state == 0 || state == abandoned) {
            raise_top(span + 1);
            if (!change(span, state, mine)) continue;
            if (!*low) *low = span + 1;
            return span;
        }
        if (!*low && is_abandoned(state)) *low = span;
    }
    return 0;
}

uint32_t plait__span_take(unsigned class, unsigned owner)
{
    uint32_t low = atomic_load_explicit(&plait__arena->low, memory_order_relaxed), new_low;
    uint32_t span = take_between(low, plait__arena->spans, class, owner, &new_low);
    if (!span) return take_between(1, low, class, owner, &new_low);      /* the hint may have been wrong */
    atomic_compare_exchange_strong(&plait__arena->low, &low, new_low);
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

/* From CLAIM to FREE, the TAILs behind it first. */
static void unmake(uint32_t first)
{
    uint32_t last = first;
    while (last + 1 < plait__arena->spans && atomic_load(state_of(last + 1)) == plait__span_state(PLAIT__TAIL, 0, 0)) last++;
    empty_memory(first, last - first + 1);
    for (uint32_t span = last; span >= first; span--) {
        plait__tsan_release(state_of(span));
        atomic_store(state_of(span), 0);
    }
    lower_low(first);
}

void plait__span_release(uint32_t span, unsigned owner)
{
    atomic_store(state_of(span), plait__span_state(PLAIT__CLAIM, 0, owner));
    unmake(span);
}

bool plait__span_adopt(uint32_t span, unsigned class, unsigned owner)
{
    return change(span, plait__span_state(PLAIT__SMALL, class, 0), plait__span_state(PLAIT__SMALL, class, owner));
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

/* Claim the spans [first, first + count), or none; *next is where to look on. */
static bool claim(uint32_t first, uint32_t count, unsigned owner, uint32_t *next)
{
    const uint64_t mine = plait__span_state(PLAIT__CLAIM, 0, owner);
    raise_top(first + count);
    for (uint32_t i = 0; i < count; i++) {
        if (change(first + i, 0, mine)) continue;
        *next = first + i + 1;
        while (i-- > 0) atomic_store(state_of(first + i), 0);
        return false;
    }
    return true;
}

/* The first span of `count` adjacent ones that look free, at or after `from`; 0 if there are none. */
static uint32_t find_run(uint32_t from, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t span = from; span < plait__arena->spans; span++) {
        found = atomic_load_explicit(state_of(span), memory_order_relaxed) == 0 ? found + 1 : 0;
        if (found == count) return span + 1 - count;
    }
    return 0;
}

static uint32_t find_and_claim(uint32_t from, uint32_t count, unsigned owner)
{
    uint32_t first;
    while ((first = find_run(from, count)) && !claim(first, count, owner, &from)) {}
    return first;
}

uint32_t plait__run_take(uint32_t count, unsigned tag, unsigned owner)
{
    uint32_t low = atomic_load_explicit(&plait__arena->low, memory_order_relaxed);
    uint32_t first = find_and_claim(low, count, owner);
    if (!first && low > 1) first = find_and_claim(1, count, owner);      /* the hint may have been wrong */
    if (!first) return 0;
    plait__arena->table[first].run = count;
    for (uint32_t i = 1; i < count; i++) atomic_store(state_of(first + i), plait__span_state(PLAIT__TAIL, 0, 0));
    atomic_store(state_of(first), plait__span_state(PLAIT__LARGE, 0, tag));
    return first;
}

bool plait__run_release(uint32_t first, uint64_t state, unsigned owner)
{
    if (!change(first, state, plait__span_state(PLAIT__CLAIM, 0, owner))) return false;
    unmake(first);
    return true;
}

static void sweep_small(uint32_t span, uint64_t state, unsigned me)
{
    if (plait__span_is_empty(span, plait__span_class(state)))
        plait__span_release(span, me);
    else if (change(span, state, plait__span_state(PLAIT__SMALL, plait__span_class(state), 0)))
        lower_low(span);
}

void plait__spans_sweep(unsigned dead, unsigned me)
{
    uint32_t top = atomic_load(&plait__arena->top);
    for (uint32_t span = 1; span < top; span++) {
        uint64_t state = atomic_load(state_of(span));
        if (plait__span_owner(state) != dead) continue;
        switch (plait__span_kind(state)) {
        case PLAIT__SMALL: sweep_small(span, state, me); break;
        case PLAIT__CLAIM: unmake(span); break;
        case PLAIT__LARGE: plait__run_release(span, state, me); break;
        case PLAIT__FREE:
        case PLAIT__TAIL: break;
        }
    }
}
