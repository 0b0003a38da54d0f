/* The private blocks of a dead member are freed by whoever repairs, while others who know them free them, or give them to the
 * family: each block has one fate, and none is given out twice. */
#include "preempt.h"

#include <signal.h>
#include <string.h>

#include <plait.h>

#include "arena/heap.h"
#include "base/fault.h"
#include "family/repair.h"
#include "family/roster.h"

/* The largest of the small blocks: few fit a span, so that a sweep is short and can be held after its every instruction. */
#define SIZE 16384u
enum { MORE = 4 };

static struct member dead;
static size_t blocks_before;

static struct notes {
    _Atomic int there, result;
    _Atomic bool was_there, is_there;                      /* before and behind a sweep */
    char *block;                                           /* the dead one's */
    char *mine[MORE];                                      /* of whoever allocates behind */
} *notes;

/* ---- who is to die ---- */

static int stay(void)
{
    notes->there = 1;
    for (;;) pause();
    return 0;
}

static bool is_there(void *unused)
{
    return notes->there != 0;
}

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    blocks_before = plait__heap_count(0);
    dead = member_start(stay);
    test_soon(is_there, NULL, "who is to die");
    member_kill(&dead);
}

/* The dead one had got the block from a member that lives: it lies where that one allocates. */
static void make_block(void)
{
    notes->block = plait_message_alloc(SIZE);
    CHECK(notes->block && plait__heap_retag(notes->block, dead.slot) == 0);
}

/* ---- what the others do ---- */

/* The part of the repair that matters here; the rest comes when everything else is over. */
static void sweep(void)
{
    plait__heap_sweep(dead.slot, true, plait__self.slot);
}

static void take_blocks(void)
{
    for (int i = 0; i < MORE; i++) {
        CHECK((notes->mine[i] = plait_message_alloc(SIZE)) != NULL);
        memset(notes->mine[i], 0x33, SIZE);
    }
}

static void free_it(void)
{
    notes->result = plait_free(notes->block);
}

static void share_it(void)
{
    notes->result = plait_block_share(notes->block);
}

static void free_and_take_others(void)
{
    free_it();
    take_blocks();
}

static void share_and_take_others(void)
{
    share_it();
    take_blocks();
}

/* Whether the other has taken effect before is seen by the block. */
static void sweep_and_look(void)
{
    notes->was_there = plait_block_size(notes->block) == SIZE;
    sweep();
    notes->is_there = plait_block_size(notes->block) == SIZE;
}

/* ---- what must be so ---- */

static bool is_mine(const char *block)
{
    for (int i = 0; i < MORE; i++)
        if (notes->mine[i] == block) return true;
    return false;
}

static void taken_are_taken(void)
{
    for (int i = 0; i < MORE; i++) {
        MUST(plait_block_size(notes->mine[i]) == SIZE);
        for (size_t j = 0; j < SIZE; j += 64) MUST(notes->mine[i][j] == 0x33);
    }
}

static void all_is_given_back(void)
{
    member_until_repaired(dead.slot);
    MUST(plait__heap_count(dead.slot) == 0 && plait__heap_count(0) == blocks_before);
}

/* The call came too late; perhaps even the span is gone already. */
static bool was_refused(void)
{
    return notes->result == PLAIT_EFREED || notes->result == PLAIT_ENOTOURS;
}

static void check_freed(void)
{
    MUST(notes->result == 0 || was_refused());
    all_is_given_back();
}

/* It was given to the family, and then nobody else has it; or it was swept before, and this was said. */
static void check_shared(void)
{
    if (notes->result == 0) {
        MUST(plait_block_size(notes->block) == SIZE && !is_mine(notes->block));
    } else {
        MUST(was_refused());
    }
    if (notes->result == 0) MUST(plait_free(notes->block) == 0);
    all_is_given_back();
}

/* One of the two freed it. */
static void check_freed_once(void)
{
    MUST(notes->was_there ? was_refused() : notes->result == 0);
    MUST(!notes->is_there);
    all_is_given_back();
}

/* What was swept does not come back. */
static void check_shared_or_freed(void)
{
    MUST(notes->was_there);
    MUST(notes->is_there ? notes->result == 0 : was_refused());
    MUST(plait_block_size(notes->block) == (notes->is_there ? SIZE : 0));
    if (notes->is_there) MUST(plait_free(notes->block) == 0);
    all_is_given_back();
}

/* What lies between the look at a tag and its change takes at least two instructions. */
#define SWEEP_CASE(of, first_of, second_of, taken_of, check_of)                                       \
    static const struct preempt_case of = {                                                           \
        .first = { .run = first_of },                                                                 \
        .second = second_of,                                                                          \
        .prepare_second = make_block,                                                                 \
        .set_up = set_up,                                                                             \
        .both_done = taken_of,                                                                        \
        .check = check_of,                                                                            \
        .stride = 2,                                                                                  \
    }

SWEEP_CASE(sweep_free, sweep, free_and_take_others, taken_are_taken, check_freed);
SWEEP_CASE(sweep_share, sweep, share_and_take_others, taken_are_taken, check_shared);
SWEEP_CASE(free_sweep, free_it, sweep_and_look, NULL, check_freed_once);
SWEEP_CASE(share_sweep, share_it, sweep_and_look, NULL, check_shared_or_freed);

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(sweep_free),
    PREEMPT_TEST(sweep_share),
    PREEMPT_TEST(free_sweep),
    PREEMPT_TEST(share_sweep),
};

TEST_MAIN(tests)
