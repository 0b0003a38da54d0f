/* arena/runs.c - large blocks, which are runs of spans.
 *
 * A freed run is kept as it is, with its pages: a program that allocates and frees buffers all the time would else pay for fresh
 * pages each time, which costs many times more than to clear them.  At most PLAIT__KEPT_PLACES runs and about KEPT_MAX spans are
 * kept in a family, for anybody; none of them is larger than a quarter of that.  `kept` tells where; it is a hint, the truth is in
 * the states.  A run is entered there while it is claimed and struck out after it has been claimed again, and nobody takes the
 * place of a run that looks kept or claimed.  Whoever was stopped between that look and the taking can still leave a kept run
 * without a place; it is found when memory is short.
 */
#include "arena/runs.h"

#include <string.h>
#include <sys/mman.h>

#include "arena/limit.h"
#include "arena/spans.h"
#include "base/atomics.h"

#define KEPT_MAX 512u                                      /* spans: 32 MiB; or an eighth of the limit, if that is less */
#define UNMADE_AT_ONCE 64u                                 /* so few may be counted twice, see limit.c */
#define TAIL plait__span_state(PLAIT__TAIL, 0, 0)
#define KEPT plait__span_state(PLAIT__KEPT, 0, 0)

static _Atomic uint64_t *state_of(uint32_t span)
{
    return &plait__arena->table[span].state;
}

static uint64_t claimed_by(unsigned owner)
{
    return plait__span_state(PLAIT__CLAIM, 0, owner);
}

/* ---- unmaking ---- */

/* Give the pages back; afterwards the memory reads as zero. */
static void empty_memory(uint32_t span, uint32_t count)
{
    char *memory = plait__span_memory(span);
    size_t size = (size_t)count * PLAIT__SPAN_SIZE;
    if (madvise(memory, size, MADV_REMOVE) < 0) memset(memory, 0, size);
}

/* Which sizes of runs may begin further left, now that there is room at `first`? */
static void lower_run_lows(uint32_t first)
{
    for (unsigned size = 0; size < PLAIT__RUN_SIZES; size++) {
        uint32_t most = 2u << size, from = first > most ? first - most + 1 : 1;
        uint32_t low = atomic_load_explicit(&plait__arena->run_low[size], memory_order_relaxed);
        while (from < low && !atomic_compare_exchange_weak(&plait__arena->run_low[size], &low, from)) {}
    }
}

/* These spans of a run, whose memory is empty. */
static void unmake_part(uint32_t first, uint32_t last, unsigned owner)
{
    plait__unreserve_begin(last - first + 1, owner);
    for (uint32_t span = last; span >= first; span--) {
        plait__tsan_release(state_of(span));
        atomic_store_explicit(state_of(span), 0, memory_order_release);
    }
    plait__unreserve_end(last - first + 1, owner);
}

void plait__run_unmake(uint32_t first, unsigned owner)
{
    uint32_t last = first;
    while (last + 1 < plait__arena->spans && atomic_load(state_of(last + 1)) == TAIL) last++;
    empty_memory(first, last - first + 1);
    for (uint32_t end = last + 1, begin; end > first; end = begin) {
        begin = end - first > UNMADE_AT_ONCE ? end - UNMADE_AT_ONCE : first;
        unmake_part(begin, end - 1, owner);
    }
    plait__lower_low(first);
    lower_run_lows(first);
}

/* ---- keeping ---- */

/* The place tells of a run that is kept, or is about to be. */
static bool is_in_use(uint32_t first)
{
    enum plait__span_kind kind = plait__span_kind(atomic_load(state_of(first)));
    return first && (kind == PLAIT__KEPT || kind == PLAIT__CLAIM);
}

static bool enter(uint32_t first)
{
    for (unsigned i = 0; i < PLAIT__KEPT_PLACES; i++) {
        uint32_t there = atomic_load(&plait__arena->kept[i]);
        if (!is_in_use(there) && atomic_compare_exchange_strong(&plait__arena->kept[i], &there, first)) return true;
    }
    return false;
}

/* Give the pages of a kept run back, for another one.  The places take turns. */
static void make_room(unsigned owner)
{
    unsigned place = atomic_fetch_add(&plait__arena->kept_next, 1) % PLAIT__KEPT_PLACES;
    uint32_t there = atomic_load(&plait__arena->kept[place]);
    if (!there || !plait__span_change(there, KEPT, claimed_by(owner))) return;
    uint32_t entry = there;
    atomic_compare_exchange_strong(&plait__arena->kept[place], &entry, 0);
    plait__run_unmake(there, owner);
}

/* How many spans may be kept. */
static uint32_t most_kept(void)
{
    uint32_t limit = atomic_load(&plait__arena->limit) / 8;
    return limit < KEPT_MAX ? limit : KEPT_MAX;
}

/* How many are; some moments later it may be more or less, as others keep and take. */
static uint32_t count_kept(void)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < PLAIT__KEPT_PLACES; i++) {
        uint32_t there = atomic_load(&plait__arena->kept[i]);
        if (is_in_use(there)) sum += atomic_load_explicit(&plait__arena->table[there].run, memory_order_relaxed);
    }
    return sum;
}

/* Keep a run that we have claimed.  False: it is too large, or others were faster. */
static bool keep(uint32_t first, unsigned owner)
{
    uint32_t count = atomic_load_explicit(&plait__arena->table[first].run, memory_order_relaxed), most = most_kept();
    if (count > most / 4) return false;
    for (unsigned tries = 0; count_kept() + count > most || !enter(first); tries++) {
        if (tries == PLAIT__KEPT_PLACES) return false;
        make_room(owner);
    }
    plait__tsan_release(state_of(first));
    atomic_store(state_of(first), KEPT);
    return true;
}

/* Claim a kept run of `count` spans; 0: there is none. */
static uint32_t take_kept(uint32_t count, unsigned owner)
{
    for (unsigned i = 0; i < PLAIT__KEPT_PLACES; i++) {
        uint32_t there = atomic_load(&plait__arena->kept[i]);
        _Atomic uint32_t *run = &plait__arena->table[there].run;
        if (!there || atomic_load(run) != count || !plait__span_change(there, KEPT, claimed_by(owner))) continue;
        if (atomic_load(run) != count) {                   /* it has become another one since we looked */
            atomic_store(state_of(there), KEPT);
            continue;
        }
        uint32_t entry = there;                            /* it may have been struck out, or taken for another run, by now */
        atomic_compare_exchange_strong(&plait__arena->kept[i], &entry, 0);
        return there;
    }
    return 0;
}

static void strike_out(uint32_t first)
{
    for (unsigned i = 0; i < PLAIT__KEPT_PLACES; i++) {
        uint32_t there = first;
        atomic_compare_exchange_strong(&plait__arena->kept[i], &there, 0);
    }
}

bool plait__kept_release(unsigned owner)
{
    bool any = false;
    uint32_t top = atomic_load(&plait__arena->top);
    for (uint32_t span = 1; span < top; span++) {
        if (atomic_load(state_of(span)) != KEPT || !plait__span_change(span, KEPT, claimed_by(owner))) continue;
        strike_out(span);
        plait__run_unmake(span, owner);
        any = true;
    }
    return any;
}

/* ---- making ---- */

/* Claim the spans [first, first + count), or none; *next is where to look on. */
static bool claim(uint32_t first, uint32_t count, unsigned owner, uint32_t *next)
{
    plait__raise_top(first + count);
    for (uint32_t i = 0; i < count; i++) {
        if (plait__span_change(first + i, 0, i ? TAIL : claimed_by(owner))) {
            atomic_store_explicit(&plait__arena->table[first + i].run, i, memory_order_relaxed);
            continue;
        }
        *next = first + i + 1;
        while (i-- > 0) atomic_store(state_of(first + i), 0);
        return false;
    }
    return true;
}

/* How many spans to go on from one that is not free: over a whole large block at once. */
static uint32_t stride(uint32_t span, uint64_t state)
{
    enum plait__span_kind kind = plait__span_kind(state);
    uint32_t run = atomic_load_explicit(&plait__arena->table[span].run, memory_order_relaxed);
    return (kind == PLAIT__LARGE || kind == PLAIT__KEPT) && run ? run : 1;
}

/* The first span of `count` adjacent ones that look free, at or after `from`; 0 if there are none. */
static uint32_t find_run(uint32_t from, uint32_t count)
{
    uint32_t found = 0, span = from, top = atomic_load(&plait__arena->top);
    while (span < top && found < count) {
        uint64_t state = atomic_load_explicit(state_of(span), memory_order_relaxed);
        found = state ? 0 : found + 1;
        span += state ? stride(span, state) : 1;
    }
    span -= found;                                         /* behind top all are free */
    return count <= plait__arena->spans - span ? span : 0;
}

static uint32_t find_and_claim(uint32_t from, uint32_t count, unsigned owner)
{
    uint32_t first;
    while ((first = find_run(from, count)) && !claim(first, count, owner, &from)) {}
    return first;
}

static uint32_t take_fresh(uint32_t count, unsigned owner)
{
    _Atomic uint32_t *hint = &plait__arena->run_low[31 - __builtin_clz(count)];
    uint32_t low = atomic_load_explicit(hint, memory_order_relaxed);
    if (!plait__reserve(count, owner)) return 0;
    uint32_t first = find_and_claim(low, count, owner);
    if (!first && low > 1) first = find_and_claim(1, count, owner);      /* the hint may have been wrong */
    plait__reserved(first ? 0 : count, owner);
    if (first) atomic_compare_exchange_strong(hint, &low, first + count);
    return first;
}

uint32_t plait__run_take(uint32_t count, unsigned tag, unsigned owner, size_t zeroed)
{
    uint32_t first = count <= KEPT_MAX / 4 ? take_kept(count, owner) : 0;
    if (first) memset(plait__span_memory(first), 0, zeroed);
    else first = take_fresh(count, owner);
    if (!first) return 0;
    atomic_store_explicit(&plait__arena->table[first].run, count, memory_order_relaxed);
    atomic_store(state_of(first), plait__span_state(PLAIT__LARGE, 0, tag));
    return first;
}

bool plait__run_release(uint32_t first, uint64_t state, unsigned owner)
{
    if (!plait__span_change(first, state, claimed_by(owner))) return false;
    if (!keep(first, owner)) plait__run_unmake(first, owner);
    return true;
}
