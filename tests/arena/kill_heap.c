/* Shared memory whose user is killed after every instruction.  What must hold afterwards: its private blocks are free, the
 * family's are there, no span belongs to it or is stuck half made, and fresh memory reads as zero.  One block may stay that
 * nobody knows: plait_alloc had made it the family's when its caller died. */
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
static size_t spans_in_use(void)
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

static void remember(void)
{
    MUST(atomic_load(&plait__arena->top) <= WATCHED);
    memcpy(tags_before, (const void *)plait__tags_of(0), sizeof tags_before);
    blocks_before = plait__heap_count(0);
    spans_before = spans_in_use();
    top_before = atomic_load(&plait__arena->top);
}

static void must_own_nothing(uint32_t slot)
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

static void must_be_zero(const char *memory, size_t size)
{
    MUST(memory[0] == 0 && memcmp(memory, memory + 1, size - 1) == 0);
}

/* A survivor can have the memory, and it is zero.  It takes so many small blocks that it adopts the spans which the dead have
 * left, and gives them back when it ends; the tester has none. */
static int use_memory(void)
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

static void must_be_usable(void)
{
    member_run(use_memory, "a user of memory");
}

/* The block that plait_alloc made and did not return any more. */
static void *find_unknown_block(void)
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

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    must_be_usable();                                      /* also makes the spans dirty */
    MUST(plait_arena_trim() == 0);
    remember();
}

/* After the repair: so many more blocks than before live; `unknown` more may. */
static void check_blocks(const struct stepped *victim, size_t more, size_t unknown, size_t spans_each)
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

static void end_with(bool block)
{
    if (block) MUST(plait_free(notes->block) == 0);
    MUST(plait__heap_count(0) == blocks_before);
    must_be_usable();
    MUST(spans_in_use() == spans_before);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

/* The block went with the victim. */
static void check_gone(const struct stepped *victim, bool done)
{
    check_blocks(victim, 0, 0, 0);
    end_with(false);
}

/* ---- plait_alloc ---- */

static void alloc_small(void)
{
    notes->block = plait_alloc(SMALL);
}

static void alloc_large(void)
{
    notes->block = plait_alloc(LARGE);
}

static bool has_block(const struct stepped *victim)
{
    return notes->block != NULL;
}

static void check_alloc_small(const struct stepped *victim, bool done)
{
    check_blocks(victim, done, !done, 1);
    if (done) must_be_zero(notes->block, SMALL);
    end_with(done);
}

static void check_alloc_large(const struct stepped *victim, bool done)
{
    check_blocks(victim, done, !done, 3);
    if (done) must_be_zero(notes->block, LARGE);
    end_with(done);
}

/* The thread has a heap, but no span for these blocks: so nothing of malloc is stepped through. */
static void have_heap(void)
{
    CHECK(plait_message_alloc(16384) != NULL);
}

static void have_span(void)
{
    CHECK(plait_message_alloc(SMALL) != NULL);
}

static const struct kill_case alloc_small_from_a_fresh_span = {
    .operation = { .prepare = have_heap, .run = alloc_small },
    .set_up = set_up,
    .look = has_block,
    .check = check_alloc_small,
    .regions = step_family_regions,
    .long_one = true,
};

static const struct kill_case alloc_small_from_the_span_at_hand = {
    .operation = { .prepare = have_span, .run = alloc_small },
    .set_up = set_up,
    .look = has_block,
    .check = check_alloc_small,
    .regions = step_family_regions,
};

static const struct kill_case alloc_a_large_block = {
    .operation = { .prepare = have_heap, .run = alloc_large },
    .set_up = set_up,
    .look = has_block,
    .check = check_alloc_large,
    .regions = step_family_regions,
};

/* A thread that ended has left a span with one block of the family's in it; the victim takes the span over. */
static int leave_a_block(void)
{
    notes->another = plait_alloc(SMALL);
    CHECK(notes->another);
    memset(notes->another, 0x77, SMALL);
    return 0;
}

static void set_up_abandoned_span(void)
{
    set_up();
    member_run(leave_a_block, "who leaves a block");
    remember();
}

static void check_adoption(const struct stepped *victim, bool done)
{
    check_blocks(victim, done, !done, 1);
    for (size_t i = 0; i < SMALL; i++) MUST(((unsigned char *)notes->another)[i] == 0x77);
    if (done) MUST(plait_free(notes->block) == 0);
    MUST(plait_free(notes->another) == 0);
    must_be_usable();
}

static const struct kill_case alloc_small_from_an_abandoned_span = {
    .operation = { .prepare = have_heap, .run = alloc_small },
    .set_up = set_up_abandoned_span,
    .look = has_block,
    .check = check_adoption,
    .regions = step_family_regions,
    .long_one = true,
};

/* ---- plait_message_alloc ---- */

static void message_alloc_small(void)
{
    CHECK(plait_message_alloc(SMALL) != NULL);
}

static void message_alloc_large(void)
{
    CHECK(plait_message_alloc(LARGE) != NULL);
}

/* The very first, with malloc and all. */
static const struct kill_case message_alloc_first = {
    .operation = { .run = message_alloc_small },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
    .long_one = true,
};

static const struct kill_case message_alloc_from_the_span_at_hand = {
    .operation = { .prepare = have_span, .run = message_alloc_small },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
};

static const struct kill_case message_alloc_a_large_block = {
    .operation = { .prepare = have_heap, .run = message_alloc_large },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
};

/* ---- large blocks from kept runs ---- */

#define ONE_SPAN 33000u                                    /* the smallest large block: little to clear, byte by byte */
#define KEPT_RUNS PLAIT__KEPT_PLACES

/* Fill all places where runs are kept. */
static int leave_kept_runs(void)
{
    void *blocks[KEPT_RUNS];
    for (unsigned i = 0; i < KEPT_RUNS; i++) {
        CHECK((blocks[i] = plait_alloc(ONE_SPAN)));
        memset(blocks[i], 0x55, ONE_SPAN);
    }
    for (unsigned i = 0; i < KEPT_RUNS; i++) CHECK(plait_free(blocks[i]) == 0);
    return 0;
}

static uint64_t kept(void)
{
    plait_arena_figures figures;
    MUST(plait_arena_stats(&figures) == 0);
    return figures.kept;
}

static void set_up_kept_runs(void)
{
    set_up();
    member_run(leave_kept_runs, "who leaves kept runs");
    MUST(kept() == KEPT_RUNS * PLAIT__SPAN_SIZE);
    remember();
}

static void alloc_kept(void)
{
    notes->block = plait_alloc(ONE_SPAN);
}

static void message_alloc_kept(void)
{
    CHECK(plait_message_alloc(ONE_SPAN) != NULL);
}

static void check_alloc_kept(const struct stepped *victim, bool done)
{
    check_blocks(victim, done, !done, 1);
    MUST(kept() <= KEPT_RUNS * PLAIT__SPAN_SIZE);
    if (done) must_be_zero(notes->block, ONE_SPAN);
    end_with(done);
}

static const struct kill_case alloc_a_kept_run = {
    .operation = { .prepare = have_heap, .run = alloc_kept },
    .set_up = set_up_kept_runs,
    .look = has_block,
    .check = check_alloc_kept,
    .regions = step_family_regions,
    .long_one = true,
};

static const struct kill_case message_alloc_a_kept_run = {
    .operation = { .prepare = have_heap, .run = message_alloc_kept },
    .set_up = set_up_kept_runs,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
};

/* ---- giving kept runs back ---- */

static int leave_large_run(void)
{
    void *block = plait_message_alloc(LARGE);
    CHECK(block && plait_free(block) == 0);
    return 0;
}

static void set_up_large_run(void)
{
    set_up();
    member_run(leave_large_run, "who leaves a kept run");
    MUST(kept() == 3 * PLAIT__SPAN_SIZE);
    remember();
}

static void trim(void)
{
    CHECK(plait_arena_trim() == 0);
}

static const struct kill_case trim_a_large_run = {
    .operation = { .prepare = have_heap, .run = trim },
    .set_up = set_up_large_run,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
    .long_one = true,
};

/* ---- plait_free ---- */

static void free_it(void)
{
    CHECK(plait_free(notes->block) == 0);
}

static void have_own_large_block(void)
{
    notes->block = plait_message_alloc(LARGE);
    CHECK(notes->block);
    memset(notes->block, 0x55, LARGE);
}

static void have_own_block(void)
{
    notes->block = plait_message_alloc(SMALL);
    CHECK(notes->block);
}

static const struct kill_case free_an_own_block = {
    .operation = { .prepare = have_own_block, .run = free_it },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
};

static const struct kill_case free_an_own_large_block = {
    .operation = { .prepare = have_own_large_block, .run = free_it },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
};

/* There is no place to keep it: another kept run has to go. */
static void have_two_spans(void)
{
    notes->block = plait_message_alloc(2 * ONE_SPAN);
    CHECK(notes->block);
    memset(notes->block, 0x55, 2 * ONE_SPAN);
}

static const struct kill_case free_with_all_places_taken = {
    .operation = { .prepare = have_two_spans, .run = free_it },
    .set_up = set_up_kept_runs,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
    .long_one = true,
};

/* A block of the family's, made by somebody else; `done` by when it is no block any more. */
static int give_block(void)
{
    notes->block = plait_alloc(SMALL);
    return notes->block == NULL;
}

static int give_large_block(void)
{
    notes->block = plait_alloc(LARGE);
    CHECK(notes->block);
    memset(notes->block, 0x55, LARGE);
    return 0;
}

static void set_up_given(int (*give)(void))
{
    set_up();
    member_run(give, "who gives a block");
    remember();
}

static void set_up_given_block(void)
{
    set_up_given(give_block);
}

static void set_up_given_large_block(void)
{
    set_up_given(give_large_block);
}

static bool is_no_block(const struct stepped *victim)
{
    return plait_block_size(notes->block) == 0;
}

static void check_given(const struct stepped *victim, bool done)
{
    blocks_before--;
    check_blocks(victim, !done, 0, 3);
    if (!done) MUST(plait_free(notes->block) == 0);
    else MUST(plait_free(notes->block) < 0);
    must_be_usable();
}

static const struct kill_case free_a_block_of_the_family = {
    .operation = { .prepare = have_heap, .run = free_it },
    .set_up = set_up_given_block,
    .look = is_no_block,
    .check = check_given,
    .regions = step_family_regions,
    .long_one = true,
};

static const struct kill_case free_a_large_block_of_the_family = {
    .operation = { .prepare = have_heap, .run = free_it },
    .set_up = set_up_given_large_block,
    .look = is_no_block,
    .check = check_given,
    .regions = step_family_regions,
};

/* A free that looks for empty spans, and finds one to give back. */
static void have_an_empty_span(void)
{
    void *blocks[2 * PLAIT__SPAN_SIZE / SMALL];
    const int count = sizeof blocks / sizeof blocks[0];
    for (int i = 0; i < count; i++) CHECK((blocks[i] = plait_message_alloc(SMALL)));
    for (int i = 0; i < count - 1; i++) CHECK(plait_free(blocks[i]) == 0);
    notes->block = blocks[count - 1];
    plait__self.heap->freed = 64u << 20;                   /* enough to look */
}

static const struct kill_case free_that_gives_a_span_back = {
    .operation = { .prepare = have_an_empty_span, .run = free_it },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check_gone,
    .regions = step_family_regions,
    .long_one = true,
};

/* ---- plait_block_share ---- */

static void share_it(void)
{
    CHECK(plait_block_share(notes->block) == 0);
}

static bool is_shared(const struct stepped *victim)
{
    return plait__heap_count(PLAIT__TAG_SHARED) != blocks_before;
}

static void check_shared(const struct stepped *victim, bool done)
{
    check_blocks(victim, done, 0, 3);
    if (done) MUST(plait_free(notes->block) == 0);
    else MUST(plait_free(notes->block) < 0);
    must_be_usable();
}

static const struct kill_case share_a_block = {
    .operation = { .prepare = have_own_block, .run = share_it },
    .set_up = set_up,
    .look = is_shared,
    .check = check_shared,
    .regions = step_family_regions,
};

static const struct kill_case share_a_large_block = {
    .operation = { .prepare = have_own_large_block, .run = share_it },
    .set_up = set_up,
    .look = is_shared,
    .check = check_shared,
    .regions = step_family_regions,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(alloc_small_from_a_fresh_span),
    KILL_TESTS(alloc_small_from_the_span_at_hand),
    KILL_TESTS(alloc_small_from_an_abandoned_span),
    KILL_TESTS(alloc_a_large_block),
    KILL_TESTS(message_alloc_first),
    KILL_TESTS(message_alloc_from_the_span_at_hand),
    KILL_TESTS(message_alloc_a_large_block),
    KILL_TESTS(alloc_a_kept_run),
    KILL_TESTS(message_alloc_a_kept_run),
    KILL_TESTS(trim_a_large_run),
    KILL_TESTS(free_an_own_block),
    KILL_TESTS(free_an_own_large_block),
    KILL_TESTS(free_with_all_places_taken),
    KILL_TESTS(free_a_block_of_the_family),
    KILL_TESTS(free_a_large_block_of_the_family),
    KILL_TESTS(free_that_gives_a_span_back),
    KILL_TESTS(share_a_block),
    KILL_TESTS(share_a_large_block),
};

TEST_MAIN(tests)
