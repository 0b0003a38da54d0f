/* heaps.h - looking at the arena from outside, for tests in which the user of a heap is killed. */
#ifndef PLAIT_TEST_HEAPS_H
#define PLAIT_TEST_HEAPS_H

#include "kill.h"

#include <string.h>

#include <plait.h>

#include "arena/heap.h"
#include "arena/spans.h"
#include "family/roster.h"

#define SMALL 1600u                                        /* in blocks of 2048, 32 a span: little to sweep and to clear */
#define SMALL_BLOCK 2048u
#define LARGE (3 * PLAIT__SPAN_SIZE - 100)                 /* three spans */

static size_t blocks_before, spans_before;
static uint32_t top_before;

/* What the victim, or whoever was there before it, tells. */
static struct notes {
    void *block, *another;
} *notes;

/* ---- looking at the arena ---- */

/* How many spans are neither free nor kept for the next large block. */
static inline size_t spans_in_use(void)
{
    size_t count = 0;
    for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++) {
        const uint64_t state = atomic_load(&plait__arena->table[span].state);
        if (plait__span_kind(state) == PLAIT__KEPT) span += plait__arena->table[span].run - 1;
        else count += state != 0;
    }
    return count;
}

/* The owner tags of the first spans, to find a block by that nobody knows. */
#define WATCHED 40u
static uint16_t tags_before[WATCHED][PLAIT__SPAN_BLOCKS];

static inline void remember(void)
{
    MUST(atomic_load(&plait__arena->top) <= WATCHED);
    memcpy(tags_before, (const void *)plait__tags_of(0), sizeof tags_before);
    blocks_before = plait__heap_count(0);
    spans_before = spans_in_use();
    top_before = atomic_load(&plait__arena->top);
}

static inline void must_own_nothing(uint32_t slot)
{
    MUST(plait__heap_count(slot) == 0);
    for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++) {
        uint64_t state = atomic_load(&plait__arena->table[span].state);
        MUST(plait__span_kind(state) != PLAIT__CLAIM);
        MUST(plait__span_owner(state) != slot);
    }
    plait_arena_figures figures;
    MUST(plait_arena_stats(&figures) == 0 && figures.leaked == 0);
}

static inline void must_be_zero(const char *memory, size_t size)
{
    MUST(memory[0] == 0 && memcmp(memory, memory + 1, size - 1) == 0);
}

/* A survivor can have the memory, and it is zero.  It takes so many small blocks that it adopts the spans which the dead have
 * left, and gives them back when it ends; the tester has none. */
static inline int use_memory(void)
{
    char *small[3 * PLAIT__SPAN_SIZE / SMALL_BLOCK], *large = plait_alloc(LARGE);
    const size_t count = sizeof small / sizeof small[0];
    CHECK(large && plait_block_size(large) >= LARGE);
    must_be_zero(large, LARGE);
    memset(large, 0xee, LARGE);
    for (size_t i = 0; i < count; i++) {
        CHECK((small[i] = plait_alloc(SMALL)));
        must_be_zero(small[i], SMALL);
        memset(small[i], 0xee, SMALL);
    }
    for (size_t i = 0; i < count; i++) CHECK(plait_free(small[i]) == 0);
    CHECK(plait_free(large) == 0 && plait_free(large) < 0);
    return 0;
}

static inline void must_be_usable(void)
{
    member_run(use_memory, "a user of memory");
}

/* The block that plait_alloc made and did not return any more. */
static inline void *find_unknown_block(void)
{
    for (uint32_t span = 1; span < WATCHED; span++) {
        if (plait__span_kind(plait__arena->table[span].state) == PLAIT__LARGE) return plait__span_memory(span);
        for (unsigned i = 0; i < PLAIT__SPAN_BLOCKS; i++)
            if (plait__tags_of(span)[i] == PLAIT__TAG_SHARED && tags_before[span][i] == 0)
                return plait__span_memory(span) + i * SMALL_BLOCK;
    }
    return NULL;
}

/* ---- what all have in common ---- */

static inline void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    must_be_usable();                                      /* also makes the spans dirty */
    MUST(plait_arena_trim() == 0);
    remember();
}

/* After the repair: so many more blocks than before live; `unknown` more may. */
static inline void check_blocks(const struct stepped *victim, size_t more, size_t unknown, size_t spans_each)
{
    member_until_repaired(victim->slot);
    must_own_nothing(victim->slot);
    size_t now = plait__heap_count(0);
    MUST(now >= blocks_before + more && now <= blocks_before + more + unknown);
    size_t extra = now - blocks_before;
    MUST(spans_in_use() <= spans_before + extra * spans_each);
    MUST(atomic_load(&plait__arena->top) <= top_before + 3);
    if (extra > more) MUST(plait_free(find_unknown_block()) == 0);
}

static inline void end_with(bool block)
{
    if (block) MUST(plait_free(notes->block) == 0);
    MUST(plait__heap_count(0) == blocks_before);
    must_be_usable();
    MUST(spans_in_use() == spans_before);
}

static inline bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

/* The block went with the victim. */
static inline void check_gone(const struct stepped *victim, bool done)
{
    check_blocks(victim, 0, 0, 0);
    end_with(false);
}

static inline void have_heap(void)
{
    CHECK(plait_message_alloc(16384) != NULL);
}

static inline void have_span(void)
{
    CHECK(plait_message_alloc(SMALL) != NULL);
}

static inline uint64_t kept(void)
{
    plait_arena_figures figures;
    MUST(plait_arena_stats(&figures) == 0);
    return figures.kept;
}

#define ONE_SPAN 33000u                                    /* the smallest large block: little to clear, byte by byte */
#define KEPT_RUNS PLAIT__KEPT_PLACES

/* Fill all places where runs are kept. */
static inline int leave_kept_runs(void)
{
    void *blocks[KEPT_RUNS];
    for (unsigned i = 0; i < KEPT_RUNS; i++) {
        CHECK((blocks[i] = plait_alloc(ONE_SPAN)));
        memset(blocks[i], 0x55, ONE_SPAN);
    }
    for (unsigned i = 0; i < KEPT_RUNS; i++) CHECK(plait_free(blocks[i]) == 0);
    return 0;
}

static inline void set_up_kept_runs(void)
{
    set_up();
    member_run(leave_kept_runs, "who leaves kept runs");
    MUST(kept() == KEPT_RUNS * PLAIT__SPAN_SIZE);
    remember();
}

#endif
