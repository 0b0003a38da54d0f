/* Shared memory whose user is killed after every instruction.  What must hold afterwards: its private blocks are free, the
 * family's are there, no span belongs to it or is stuck half made, and fresh memory reads as zero.  One block may stay that
 * nobody knows: plait_alloc had made it the family's when its caller died. */
#include "heaps.h"

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
};

TEST_MAIN(tests)
