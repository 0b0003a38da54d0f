/* As kill_heap.c, of those who give memory back, or to the family. */
#include "heaps.h"

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

static const struct CMUnitTest tests[] = {
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
