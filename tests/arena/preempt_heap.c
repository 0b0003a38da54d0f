/* One user of the shared memory is held after every instruction while another runs a whole operation: no block is given out twice,
 * none is freed twice, and none is lost. */
#include "preempt.h"

#include <string.h>

#include <plait.h>

#include "arena/heap.h"
#include "arena/spans.h"

#define SMALL 1600u
#define LARGE (3 * PLAIT__SPAN_SIZE - 100)

static size_t blocks_before;

static struct notes {
    char *first, *second, *both;
    _Atomic int freed[2];
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    MUST(plait_arena_trim() == 0);
    blocks_before = plait__heap_count(0);
}

static void have_heap(void)
{
    CHECK(plait_message_alloc(16384) != NULL);
}

static void must_have_no_claims(void)
{
    for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++)
        MUST(plait__span_kind(plait__arena->table[span].state) != PLAIT__CLAIM);
}

static void must_be_clean(void)
{
    MUST(plait__heap_count(0) == blocks_before);
    must_have_no_claims();
}

/* ---- both allocate ---- */

static void check_two_blocks(size_t size)
{
    MUST(notes->first && notes->second);
    MUST(notes->first + size <= notes->second || notes->second + size <= notes->first);
    memset(notes->first, 1, size);
    memset(notes->second, 2, size);
    MUST(plait__heap_count(0) == blocks_before + 2);
    MUST(plait_free(notes->first) == 0 && plait_free(notes->second) == 0);
    must_be_clean();
}

static void alloc_small_first(void) { notes->first = plait_alloc(SMALL); }
static void alloc_small_second(void) { notes->second = plait_alloc(SMALL); }
static void check_two_small(void) { check_two_blocks(SMALL); }

static const struct preempt_case alloc_alloc_small = {
    .first = { .prepare = have_heap, .run = alloc_small_first }, .second = alloc_small_second, .prepare_second = have_heap,
    .set_up = set_up, .check = check_two_small, .regions = step_family_regions, .stride = 13, .most = 500,
};

static void alloc_large_first(void) { notes->first = plait_alloc(LARGE); }
static void alloc_large_second(void) { notes->second = plait_alloc(LARGE); }
static void check_two_large(void) { check_two_blocks(LARGE); }

static const struct preempt_case alloc_alloc_large = {
    .first = { .prepare = have_heap, .run = alloc_large_first }, .second = alloc_large_second, .prepare_second = have_heap,
    .set_up = set_up, .check = check_two_large,
};

/* ---- both want the kept run, and both want a run kept ---- */

static int leave_a_kept_run(void)
{
    void *block = plait_alloc(LARGE);
    CHECK(block && plait_free(block) == 0);
    return 0;
}

static void set_up_kept(void)
{
    set_up();
    member_run(leave_a_kept_run, "who leaves a kept run");
}

static void message_alloc_first(void)
{
    notes->first = plait_message_alloc(LARGE);
    CHECK(plait_block_share(notes->first) == 0);
}

static void message_alloc_second(void)
{
    notes->second = plait_message_alloc(LARGE);
    CHECK(plait_block_share(notes->second) == 0);
}

static const struct preempt_case take_take_kept = {
    .first = { .prepare = have_heap, .run = message_alloc_first }, .second = message_alloc_second, .prepare_second = have_heap,
    .set_up = set_up_kept, .check = check_two_large,
};

static void have_first(void) { CHECK((notes->first = plait_message_alloc(LARGE))); }
static void have_second(void) { CHECK((notes->second = plait_message_alloc(LARGE))); }
static void keep_first(void) { CHECK(plait_free(notes->first) == 0); }
static void keep_second(void) { CHECK(plait_free(notes->second) == 0); }

static void check_both_kept(void)
{
    plait_arena_figures figures;
    must_be_clean();
    MUST(plait_arena_stats(&figures) == 0);
    MUST(figures.kept == 2 * (uint64_t)(LARGE / PLAIT__SPAN_SIZE + 1) * PLAIT__SPAN_SIZE && figures.leaked == 0);
    MUST(plait_arena_trim() == 0 && plait_arena_stats(&figures) == 0 && figures.kept == 0);
}

static const struct preempt_case keep_keep = {
    .first = { .prepare = have_first, .run = keep_first }, .second = keep_second, .prepare_second = have_second,
    .set_up = set_up, .check = check_both_kept,
};

/* One takes a kept run; meanwhile the other takes it too, keeps another one in its place, and gives it back. */
#define SMALLER (2 * PLAIT__SPAN_SIZE - 100)

static void keep_one_have_another(void)
{
    set_up();
    CHECK((notes->both = plait_alloc(SMALLER)) && (notes->first = plait_alloc(LARGE)));
    CHECK(plait_free(notes->first) == 0);
}

static void take_first(void) { CHECK((notes->first = plait_message_alloc(LARGE))); }             /* not zeroed: that is long */

static void take_and_replace(void)
{
    CHECK((notes->second = plait_alloc(LARGE)) && plait_free(notes->both) == 0 && plait_free(notes->second) == 0);
}

static void check_taken(void)
{
    must_have_no_claims();
    MUST((notes->second = plait_alloc(SMALLER)));
    MUST(plait_block_size(notes->first) >= LARGE && plait_block_size(notes->second) >= SMALLER);
    MUST(notes->first + LARGE <= notes->second || notes->second + SMALLER <= notes->first);
    MUST(plait_free(notes->second) == 0);
}

static const struct preempt_case take_replace = {
    .first = { .prepare = have_heap, .run = take_first }, .second = take_and_replace, .prepare_second = have_heap,
    .set_up = keep_one_have_another, .both_done = check_taken, .check = must_be_clean,
};

/* ---- both free the same block ---- */

static int make_large(void)
{
    notes->both = plait_alloc(LARGE);
    CHECK(notes->both);
    memset(notes->both, 0x55, LARGE);
    return 0;
}

static void set_up_large(void)
{
    set_up();
    member_run(make_large, "who makes a block");
}

static void free_first(void) { notes->freed[0] = plait_free(notes->both); }
static void free_second(void) { notes->freed[1] = plait_free(notes->both); }

static void check_freed_once(void)
{
    MUST((notes->freed[0] == 0) + (notes->freed[1] == 0) == 1);
    MUST(notes->freed[0] + notes->freed[1] == PLAIT_EFREED || notes->freed[0] + notes->freed[1] == PLAIT_ENOTOURS);
    must_be_clean();
}

static const struct preempt_case free_free_large = {
    .first = { .run = free_first }, .second = free_second, .set_up = set_up_large, .check = check_freed_once,
};

/* ---- one frees what the other would like to have ---- */

static void alloc_zeroed_second(void)
{
    notes->second = plait_alloc(LARGE);
    CHECK(notes->second);
    for (size_t i = 0; i < LARGE; i++) CHECK(notes->second[i] == 0);
    memset(notes->second, 2, LARGE);
}

static void check_reused(void)
{
    MUST(notes->freed[0] == 0);
    for (size_t i = 0; i < LARGE; i++) MUST(notes->second[i] == 2);
    MUST(plait_free(notes->second) == 0);
    must_be_clean();
}

static const struct preempt_case free_alloc_large = {
    .first = { .run = free_first }, .second = alloc_zeroed_second, .set_up = set_up_large, .check = check_reused,
};

/* ---- one frees while the other is refused, and so counts what is used ---- */

#define LIMIT ((uint64_t)8 << 20)
#define NOT_KEPT ((size_t)LIMIT / 8)                       /* too large to be kept */

static int make_what_is_not_kept(void)
{
    notes->both = plait_alloc(NOT_KEPT);
    CHECK(notes->both);
    return 0;
}

static void set_up_limit(void)
{
    set_up();
    MUST(plait_arena_set_limit(LIMIT) == 0);
    member_run(make_what_is_not_kept, "who makes a block");
}

static void be_refused(void) { CHECK(!plait_alloc(LIMIT)); }

/* Or the family could get more than it may. */
static void check_used(void)
{
    plait_arena_figures figures;
    MUST(notes->freed[0] == 0 && plait_arena_stats(&figures) == 0);
    MUST((int32_t)atomic_load(&plait__arena->used) * (int64_t)PLAIT__SPAN_SIZE >= (int64_t)figures.used);
    must_be_clean();
}

static const struct preempt_case free_refuse = {
    .first = { .run = free_first }, .second = be_refused, .set_up = set_up_limit, .check = check_used,
};

/* One leaves the family; the other takes over the span that it had, in which a block of the family's lies. */
static void have_blocks(void)
{
    CHECK(plait_message_alloc(SMALL) && (notes->first = plait_alloc(SMALL)) && plait_message_alloc(SMALL));
    memset(notes->first, 0x77, SMALL);
}

static void alloc_many_second(void)
{
    char *blocks[40];
    for (int i = 0; i < 40; i++) {
        CHECK((blocks[i] = plait_alloc(SMALL)) && blocks[i] != notes->first);
        memset(blocks[i], 0x33, SMALL);
    }
    for (int i = 0; i < 40; i++) CHECK(plait_free(blocks[i]) == 0);
}

static void check_left(void)
{
    for (size_t i = 0; i < SMALL; i++) MUST(notes->first[i] == 0x77);
    MUST(plait_free(notes->first) == 0);
    must_be_clean();
}

static const struct preempt_case leave_alloc = {
    .first = { .prepare = have_blocks, .run = plait_leave }, .second = alloc_many_second, .set_up = set_up, .check = check_left,
    .regions = step_family_regions, .stride = 41,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(alloc_alloc_small),
    PREEMPT_TEST(alloc_alloc_large),
    PREEMPT_TEST(take_take_kept),
    PREEMPT_TEST(keep_keep),
    PREEMPT_TEST(take_replace),
    PREEMPT_TEST(free_free_large),
    PREEMPT_TEST(free_alloc_large),
    PREEMPT_TEST(free_refuse),
    PREEMPT_TEST(leave_alloc),
};

TEST_MAIN(tests)
