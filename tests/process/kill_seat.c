/* Who takes a child of a forkserver's stock is killed after every instruction, and so is the child while it answers.
 * Whatever was done by then: the seat is somebody's or nobody's, nobody else gets the same child, and whoever waits for an
 * answer gets on.
 *
 * Only what happens in shared memory is stepped through; the whole of a start, with its forks, is for kill_start and
 * kill_child. */
#include "kill.h"

#include <string.h>

#include <plait.h>

#include "process/server.h"

static struct plait__server_board *board;
static struct plait__spawned *spawned[2];

static void set_up(void)
{
    if (!board) {
        board = plait_alloc(sizeof *board);
        for (int i = 0; i < 2; i++) spawned[i] = plait_alloc(sizeof *spawned[i]);
    }
    assert_true(board && spawned[0] && spawned[1]);
    memset(board, 0, sizeof *board);
    for (int i = 0; i < 2; i++) memset(spawned[i], 0, sizeof *spawned[i]);
    board->stock = 2;
    for (int i = 0; i < 2; i++) board->seats[i].pid = 1000 + i;
}

static const struct step_region *board_and_family(void)
{
    static struct step_region regions[4];
    regions[0] = (struct step_region){ board, offsetof(struct plait__server_board, seats[2]) };
    regions[1] = (struct step_region){ spawned[0], sizeof *spawned[0] };
    regions[2] = step_family_regions()[0];
    return regions;
}

/* ---- taking a seat ---- */

static void take_a_seat(void)
{
    CHECK(plait__take_seat(board, spawned[0]) == PLAIT__TAKEN);
}

static bool has_taken(const struct stepped *victim)
{
    return atomic_load(&board->seats[0].birth) == (uintptr_t)spawned[0];
}

/* The next one gets the first seat if it is still free, else the second; and then there is none. */
static void check_the_next(const struct stepped *victim, bool taken)
{
    MUST(plait__take_seat(board, spawned[1]) == PLAIT__TAKEN);
    MUST(atomic_load(&spawned[1]->service.pid) == 1000 + taken);
    MUST(atomic_load(&board->seats[taken].birth) == (uintptr_t)spawned[1]);
    MUST(atomic_load(&board->seats[0].birth) == (uintptr_t)spawned[taken ? 0 : 1]);
    if (taken) MUST(atomic_load(&spawned[0]->service.pid) == 1000 && plait__take_seat(board, spawned[1]) == PLAIT__NONE_TAKEN);
}

static const struct kill_case take = {
    .operation = { .run = take_a_seat },
    .set_up = set_up,
    .look = has_taken,
    .check = check_the_next,
    .regions = board_and_family,
};

/* ---- answering ---- */

static void answer_it(void)
{
    plait__answer(spawned[0], &(struct plait__report){ PLAIT__STEP_CWD, ENOENT });
}

static bool has_answered(const struct stepped *victim)
{
    return atomic_load(&spawned[0]->service.answer) == PLAIT__FAILED;
}

/* The report is there before it counts; and who died before it is answered for by the server. */
static void check_the_answer(const struct stepped *victim, bool answered)
{
    const struct plait__report *report = &spawned[0]->service.report;
    if (answered) MUST(report->step == PLAIT__STEP_CWD && report->error == ENOENT);
    else plait__answer(spawned[0], NULL);
    MUST(atomic_load(&spawned[0]->service.answer) == (answered ? PLAIT__FAILED : PLAIT__BEGUN));
}

static const struct kill_case answer = {
    .operation = { .run = answer_it },
    .set_up = set_up,
    .look = has_answered,
    .check = check_the_answer,
    .regions = board_and_family,
};

/* ---- letting go of the block ---- */

static void drop_it(void)
{
    plait__spawned_drop(spawned[0], PLAIT__HELD_BY_USER);
}

static void set_up_holders(void)
{
    set_up();
    atomic_store(&spawned[0]->service.holders, PLAIT__HELD_BY_USER | PLAIT__HELD_BY_SERVER);
}

static bool has_dropped(const struct stepped *victim)
{
    return atomic_load(&spawned[0]->service.holders) == PLAIT__HELD_BY_SERVER;
}

/* At worst the block stays: it is never freed under the other holder. */
static void check_the_block(const struct stepped *victim, bool dropped)
{
    MUST(atomic_load(&spawned[0]->service.holders) == (PLAIT__HELD_BY_SERVER | (dropped ? 0u : PLAIT__HELD_BY_USER)));
}

static const struct kill_case drop = {
    .operation = { .run = drop_it },
    .set_up = set_up_holders,
    .look = has_dropped,
    .check = check_the_block,
    .regions = board_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(take),
    KILL_TESTS(answer),
    KILL_TESTS(drop),
};

TEST_MAIN(tests)
