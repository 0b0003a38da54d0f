#include "arena/heap.h"

#include <string.h>

#include <plait/arena.h>

#include "arena/runs.h"
#include "arena/spans.h"
#include "base/atomics.h"
#include "base/error.h"

static const uint16_t sizes[PLAIT__CLASSES] = {
    16,  32,   48,   64,   96,   128,  192,  256,  384,   512,   768,
    1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768,
};
#define SMALL_MAX 32768u
#define SMALL_MEMORY_NOTED (2 * PLAIT__SPAN_SIZE)          /* of each class, so much may be noted as free, but 4 blocks at least */

/* Classes, by 16 bytes: */
const uint8_t plait__class_of[] = {
    0,  0,                                                 /* 16 */
    1,  2,  3,                                             /* 32, 48, 64 */
    4,  4,  5,  5,                                         /* 96, 128 */
    6,  6,  6,  6,  7,  7,  7,  7,                         /* 192, 256 */
    8,  8,  8,  8,  8,  8,  8,  8,  9,  9,  9,  9,  9,  9,  9,  9,                 /* 384, 512 */
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,                /* 768 */
    11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11,                /* 1024 */
};

unsigned plait__size_of_class(unsigned class)
{
    return sizes[class];
}

unsigned plait__blocks_in_span(unsigned class)
{
    return PLAIT__SPAN_SIZE / sizes[class];
}

/* 2^32 / size rounded up: exact for all offsets below 2^16 (tests/arena/test_heap.c tries them all). */
#define INVERSE(size) (uint32_t)((UINT64_C(1) << 32) / (size) + ((size & (size - 1)) != 0))
static const uint32_t inverses[PLAIT__CLASSES] = {
    INVERSE(16),   INVERSE(32),   INVERSE(48),   INVERSE(64),    INVERSE(96),    INVERSE(128),   INVERSE(192),   INVERSE(256),
    INVERSE(384),  INVERSE(512),  INVERSE(768),  INVERSE(1024),  INVERSE(1536),  INVERSE(2048),  INVERSE(3072),  INVERSE(4096),
    INVERSE(6144), INVERSE(8192), INVERSE(12288), INVERSE(16384), INVERSE(24576), INVERSE(32768),
};

static unsigned index_of(unsigned offset, unsigned class)
{
    return plait__block_index(offset, inverses[class]);
}

static unsigned class_of(size_t size)
{
    if (size <= PLAIT__TABLED_MAX) return plait__class_of[(size + 15) / 16];
    unsigned class = 12;                                   /* a short walk from there */
    while (sizes[class] < size) class++;
    return class;
}

_Static_assert(sizeof(struct plait__class) == 1024, "the way from a number to its class is one shift");

/* The notes themselves, most of the memory, are left as they are. */
void plait__heap_init(struct plait__heap *heap, unsigned owner)
{
    heap->mine = plait__span_state(PLAIT__SMALL, 0, owner);
    heap->owner = (uint16_t)owner;
    heap->has_private = false;
    heap->freed = 0;
    for (unsigned i = 0; i < PLAIT__CLASSES; i++) {
        struct plait__class *class = &heap->classes[i];
        unsigned most = SMALL_MEMORY_NOTED / sizes[i];
        class->free = class->noted;
        class->full = class->noted + (most > PLAIT__NOTED ? PLAIT__NOTED : most < 4 ? 4 : most);
        class->size = sizes[i];
        class->inverse = inverses[i];
        class->first = class->cursor = class->looked = 0;
    }
}

/* ---- where a pointer points ---- */

struct place {
    uint32_t span;
    uint64_t state;
    unsigned index;                                        /* of the block in a span of small ones */
};

/* Find the block that starts at `block`.  0, or PLAIT_ENOTOURS; whether it is live is for the caller to see. */
static int find(const void *block, struct place *place)
{
    uintptr_t offset = plait__arena ? (uintptr_t)block - (uintptr_t)plait__arena->memory : UINTPTR_MAX;
    if (!plait__arena || offset / PLAIT__SPAN_SIZE >= plait__arena->spans)
        return plait__fail(PLAIT_ENOTOURS, "%p lies outside the family's memory", block);
    place->span = (uint32_t)(offset / PLAIT__SPAN_SIZE);
    place->state = atomic_load_explicit(&plait__arena->table[place->span].state, memory_order_acquire);
    unsigned inside = (unsigned)(offset % PLAIT__SPAN_SIZE), class = plait__span_class(place->state);
    switch (plait__span_kind(place->state)) {
    case PLAIT__SMALL:
        place->index = index_of(inside, class);
        if (place->index * sizes[class] == inside && inside + sizes[class] <= PLAIT__SPAN_SIZE) return 0;
        return plait__fail(PLAIT_ENOTOURS, "%p lies inside a block of %u bytes, not at its start", block, sizes[class]);
    case PLAIT__LARGE:
        if (inside == 0) return 0;
        /* fall through */
    case PLAIT__TAIL:
        return plait__fail(PLAIT_ENOTOURS, "%p lies inside a large block, not at its start", block);
    case PLAIT__FREE:
    case PLAIT__CLAIM:
    case PLAIT__KEPT:
        break;
    }
    return plait__fail(PLAIT_ENOTOURS, "no live block lies at %p", block);
}

/* ---- allocating ---- */

/* Note which blocks of the span are free, the lowest to be handed out first; nothing else is noted then. */
static void note_free_blocks(struct plait__class *class, unsigned number, uint32_t span)
{
    const _Atomic uint16_t *tags = plait__tags_of(span);
    unsigned blocks = plait__blocks_in_span(number);
    class->free = class->noted;
    for (unsigned i = 0; i < blocks && class->free < class->full; i++)
        if (atomic_load_explicit(&tags[i], memory_order_acquire) == PLAIT__TAG_FREE)
            *class->free++ = plait__span_memory(span) + i * class->size;
    for (void **low = class->noted, **high = class->free - 1; low < high; low++, high--) {
        void *swap = *low;
        *low = *high;
        *high = swap;
    }
}

static size_t noted(const struct plait__class *class)
{
    return (size_t)(class->free - class->noted);
}

static bool lies_in(const void *block, uint32_t span)
{
    return (uintptr_t)block - (uintptr_t)plait__span_memory(span) < PLAIT__SPAN_SIZE;
}

/* Some of the noted blocks lie in this span. */
static bool is_noted(const struct plait__class *class, uint32_t span)
{
    for (void *const *at = class->noted; at < class->free; at++)
        if (lies_in(*at, span)) return true;
    return false;
}

static void forget_noted(struct plait__class *class, uint32_t span)
{
    void **kept = class->noted;
    for (void **at = class->noted; at < class->free; at++)
        if (!lies_in(*at, span)) *kept++ = *at;
    class->free = kept;
}

/* The next of our spans of this class, round and round; 0 if there is none. */
static uint32_t next_span(struct plait__class *class)
{
    uint32_t span = class->cursor ? class->cursor : class->first;
    if (span) class->cursor = plait__arena->table[span].next;
    return span;
}

/* Look a few of our own spans over before asking for another one: others may have freed blocks in them. */
static bool refill_from_own(struct plait__class *class, unsigned number)
{
    unsigned enough = plait__blocks_in_span(number) / 8;
    if (enough > PLAIT__NOTED / 2) enough = PLAIT__NOTED / 2;
    uint32_t first = 0;
    for (int tries = 0; tries < 8; tries++) {
        uint32_t span = next_span(class);
        if (!span || span == first) break;
        if (!first) first = span;
        note_free_blocks(class, number, span);
        if (noted(class) > enough) return true;
    }
    return false;
}

static bool refill_from_all_own(struct plait__class *class, unsigned number)
{
    for (uint32_t span = class->first; span; span = plait__arena->table[span].next) {
        note_free_blocks(class, number, span);
        if (noted(class)) return true;
    }
    return false;
}

static __attribute__((noinline)) bool refill(struct plait__heap *heap, unsigned number)
{
    struct plait__class *class = &heap->classes[number];
    if (refill_from_own(class, number)) return true;
    class->free = class->noted;
    uint32_t span;
    while ((span = plait__span_take(number, heap->owner))) {
        plait__arena->table[span].next = class->first;
        class->first = span;
        note_free_blocks(class, number, span);
        if (noted(class)) return true;                     /* an abandoned one may be full */
    }
    return refill_from_all_own(class, number);
}

static void *alloc_small(struct plait__heap *heap, size_t size, unsigned tag)
{
    unsigned number = class_of(size);
    struct plait__class *class = &heap->classes[number];
    if (noted(class) == 0 && !refill(heap, number)) return NULL;
    char *block = *--class->free;
    _Atomic uint16_t *place = plait__tag_of(plait__arena, (uint64_t)(block - plait__arena->memory), class->inverse);
    atomic_store_explicit(place, (uint16_t)tag, memory_order_release);
    plait__tsan_acquire(place);
    return block;
}

static void *alloc_large(struct plait__heap *heap, size_t size, unsigned tag, bool zeroed)
{
    size_t count = size / PLAIT__SPAN_SIZE + (size % PLAIT__SPAN_SIZE != 0);
    if (count >= plait__arena->spans) return NULL;
    uint32_t first = plait__run_take((uint32_t)count, tag, heap->owner, zeroed ? size : 0);
    return first ? plait__span_memory(first) : NULL;
}

/* The arena is full: give back every empty span that we still hold.  False: there was none. */
static bool release_all_empty_spans(struct plait__heap *heap)
{
    bool any = false;
    for (unsigned number = 0; number < PLAIT__CLASSES; number++) {
        struct plait__class *class = &heap->classes[number];
        for (uint32_t *link = &class->first, span; (span = *link);) {
            if (!plait__span_is_empty(span, number)) {
                link = &plait__arena->table[span].next;
                continue;
            }
            *link = plait__arena->table[span].next;
            forget_noted(class, span);
            plait__span_release(span, heap->owner);
            any = true;
        }
        class->cursor = class->looked = 0;
    }
    return any;
}

static void *alloc(struct plait__heap *heap, size_t size, unsigned tag, bool zeroed)
{
    if (size > SMALL_MAX) return alloc_large(heap, size, tag, zeroed);
    void *block = alloc_small(heap, size, tag);
    return block && zeroed ? memset(block, 0, size) : block;
}

bool plait__heap_trim(struct plait__heap *heap)
{
    bool any = release_all_empty_spans(heap);
    any |= plait__kept_release(heap->owner);
    return plait__abandoned_spans_release(heap->owner) || any;
}

void *plait__heap_alloc(struct plait__heap *heap, size_t size, unsigned tag, bool zeroed)
{
    void *block = size ? alloc(heap, size, tag, zeroed) : NULL;
    return PLAIT__LIKELY(block || !size || !plait__heap_trim(heap)) ? block : alloc(heap, size, tag, zeroed);
}

/* ---- freeing ---- */

#define LOOK_FOR_EMPTY_AFTER (1u << 20)

/* Look at some spans of the class, each call at the next ones, and give the empty ones back; not those whose blocks are noted,
 * which are the next to be used. */
static void release_empty_spans(struct plait__heap *heap, unsigned number)
{
    struct plait__class *class = &heap->classes[number];
    for (int looks = 0; looks < 64; looks++) {
        uint32_t *link = class->looked ? &plait__arena->table[class->looked].next : &class->first;
        uint32_t span = *link;
        if (!span) {
            class->looked = 0;
            return;
        }
        if (!plait__span_is_empty(span, number) || is_noted(class, span)) {
            class->looked = span;
            continue;
        }
        *link = plait__arena->table[span].next;
        if (class->cursor == span) class->cursor = *link;
        plait__span_release(span, heap->owner);
    }
}

static void after_small_free(struct plait__heap *heap, const struct place *place)
{
    unsigned number = plait__span_class(place->state);
    struct plait__class *class = &heap->classes[number];
    if (class->free < class->full) {
        *class->free++ = plait__span_memory(place->span) + place->index * sizes[number];
        return;
    }
    heap->freed += sizes[number];
    if (PLAIT__UNLIKELY(heap->freed >= LOOK_FOR_EMPTY_AFTER)) {
        heap->freed = 0;
        for (unsigned any = 0; any < PLAIT__CLASSES; any++) release_empty_spans(heap, any);
    }
}

/* Our own blocks, and the family's, nobody else may free; another member's may be swept at this moment, because it died. */
static bool free_small(_Atomic uint16_t *tag, unsigned me)
{
    uint16_t seen = atomic_load_explicit(tag, memory_order_relaxed);
    if (seen == PLAIT__TAG_FREE) return false;
    plait__tsan_release(tag);
    if (PLAIT__UNLIKELY(seen != PLAIT__TAG_SHARED && seen != me))
        return atomic_compare_exchange_strong(tag, &seen, PLAIT__TAG_FREE);
    atomic_store_explicit(tag, PLAIT__TAG_FREE, memory_order_release);
    return true;
}

/* Whoever frees a block whose owner's thread is gone takes care of the span: else nobody would give it back. */
static void adopt(struct plait__heap *heap, const struct place *place)
{
    unsigned number = plait__span_class(place->state);
    struct plait__class *class = &heap->classes[number];
    if (!plait__span_adopt(place->span, number, heap->owner)) return;
    if (plait__span_is_empty(place->span, number)) {
        plait__span_release(place->span, heap->owner);
        return;
    }
    plait__arena->table[place->span].next = class->first;
    class->first = place->span;
}

int plait__heap_free(struct plait__heap *heap, void *block, unsigned me)
{
    struct place place;
    int error = find(block, &place);
    if (error) return error;
    if (plait__span_kind(place.state) == PLAIT__LARGE) {
        if (plait__run_release(place.span, place.state, me)) return 0;
        return plait__fail(PLAIT_EFREED, "the block at %p was freed by somebody else at this moment", block);
    }
    if (!free_small(plait__tags_of(place.span) + place.index, me))
        return plait__fail(PLAIT_EFREED, "the block at %p is not allocated", block);
    if (!heap) return 0;
    if (plait__span_owner(place.state) == heap->owner) after_small_free(heap, &place);
    else if (PLAIT__UNLIKELY(plait__span_owner(place.state) == 0)) adopt(heap, &place);
    return 0;
}

int plait__heap_retag(void *block, unsigned new_tag)
{
    struct place place;
    int error = find(block, &place);
    if (error) return error;
    if (plait__span_kind(place.state) == PLAIT__LARGE) {
        uint64_t state = place.state;
        if (atomic_compare_exchange_strong(&plait__arena->table[place.span].state, &state,
                                           plait__span_state(PLAIT__LARGE, 0, new_tag))) return 0;
        return plait__fail(PLAIT_EFREED, "the block at %p was freed by somebody else at this moment", block);
    }
    _Atomic uint16_t *tag = plait__tags_of(place.span) + place.index;
    uint16_t seen = atomic_load(tag);
    if (seen != PLAIT__TAG_FREE && atomic_compare_exchange_strong(tag, &seen, (uint16_t)new_tag)) return 0;
    return plait__fail(PLAIT_EFREED, "the block at %p is not allocated", block);
}

unsigned plait__heap_tag(const void *block)
{
    struct place place;
    if (find(block, &place)) return PLAIT__TAG_FREE;
    if (plait__span_kind(place.state) == PLAIT__LARGE) return plait__span_owner(place.state);
    return atomic_load(plait__tags_of(place.span) + place.index);
}

size_t plait_block_size(const void *block)
{
    struct place place;
    if (!block || find(block, &place)) return 0;
    if (plait__span_kind(place.state) == PLAIT__LARGE)
        return (size_t)atomic_load(&plait__arena->table[place.span].run) * PLAIT__SPAN_SIZE;
    if (atomic_load(plait__tags_of(place.span) + place.index) == PLAIT__TAG_FREE) return 0;
    return sizes[plait__span_class(place.state)];
}

/* The first span of the large block that this one belongs to.  By the hint, if it is true; a block may have many thousands. */
static uint32_t first_of_run(uint32_t span)
{
    const struct plait__span *table = plait__arena->table;
    if (plait__span_kind(atomic_load(&table[span].state)) != PLAIT__TAIL) return span;
    uint32_t back = atomic_load(&table[span].run), first = back < span ? span - back : span;
    if (plait__span_kind(atomic_load(&table[first].state)) == PLAIT__LARGE && atomic_load(&table[first].run) > back) return first;
    while (plait__span_kind(atomic_load(&table[span].state)) == PLAIT__TAIL) span--;
    return span;
}

unsigned plait__heap_tag_at(const void *address)
{
    uintptr_t offset = plait__arena ? (uintptr_t)address - (uintptr_t)plait__arena->memory : UINTPTR_MAX;
    if (!plait__arena || offset / PLAIT__SPAN_SIZE >= plait__arena->spans) return PLAIT__TAG_FREE;
    uint32_t span = (uint32_t)(offset / PLAIT__SPAN_SIZE);
    uint64_t state = atomic_load(&plait__arena->table[span].state);
    if (plait__span_kind(state) == PLAIT__SMALL)
        return atomic_load(plait__tags_of(span) + index_of((unsigned)(offset % PLAIT__SPAN_SIZE), plait__span_class(state)));
    state = atomic_load(&plait__arena->table[first_of_run(span)].state);
    return plait__span_kind(state) == PLAIT__LARGE ? plait__span_owner(state) : PLAIT__TAG_FREE;
}

/* The small blocks of a span, as long as it is one of that class; whose span it is may change. */
static void visit_span(uint32_t span, unsigned class, unsigned tag, void (*visit)(void *, size_t, void *), void *argument)
{
    for (unsigned i = 0; i < plait__blocks_in_span(class); i++) {
        if (atomic_load(plait__tags_of(span) + i) != tag) continue;
        uint64_t state = atomic_load(&plait__arena->table[span].state);
        if (plait__span_kind(state) != PLAIT__SMALL || plait__span_class(state) != class) return;
        visit(plait__span_memory(span) + i * sizes[class], sizes[class], argument);
    }
}

void plait__heap_visit(unsigned tag, void (*visit)(void *block, size_t size, void *argument), void *argument)
{
    uint32_t top = plait__arena ? atomic_load(&plait__arena->top) : 0;
    for (uint32_t span = 1; span < top; span++) {
        uint64_t state = atomic_load(&plait__arena->table[span].state);
        if (plait__span_kind(state) == PLAIT__SMALL)
            visit_span(span, plait__span_class(state), tag, visit, argument);
        else if (plait__span_kind(state) == PLAIT__LARGE && plait__span_owner(state) == tag)
            visit(plait__span_memory(span), (size_t)plait__arena->table[span].run * PLAIT__SPAN_SIZE, argument);
    }
}

/* ---- the end of a member ---- */

static void free_blocks_of(unsigned owner)
{
    uint32_t top = atomic_load(&plait__arena->top);
    for (uint32_t span = 1; span < top; span++) {
        uint64_t state = atomic_load(&plait__arena->table[span].state);
        if (plait__span_kind(state) != PLAIT__SMALL) continue;
        _Atomic uint16_t *tags = plait__tags_of(span);
        for (unsigned i = 0; i < plait__blocks_in_span(plait__span_class(state)); i++) {
            uint16_t seen = atomic_load_explicit(&tags[i], memory_order_relaxed);
            if (seen == owner) atomic_compare_exchange_strong(&tags[i], &seen, PLAIT__TAG_FREE);
        }
    }
}

void plait__heap_sweep(unsigned gone, bool has_private, unsigned me)
{
    if (has_private) free_blocks_of(gone);
    plait__spans_sweep(gone, me);
}

size_t plait__heap_count(unsigned tag)
{
    size_t live = 0;
    uint32_t top = plait__arena ? atomic_load(&plait__arena->top) : 0;
    for (uint32_t span = 1; span < top; span++) {
        uint64_t state = atomic_load(&plait__arena->table[span].state);
        if (plait__span_kind(state) == PLAIT__LARGE) live += !tag || plait__span_owner(state) == tag;
        if (plait__span_kind(state) != PLAIT__SMALL) continue;
        for (unsigned i = 0; i < plait__blocks_in_span(plait__span_class(state)); i++) {
            unsigned found = atomic_load(plait__tags_of(span) + i);
            live += found && (!tag || found == tag);
        }
    }
    return live;
}
