/* Who starts and joins a child is killed after many of the instructions that it takes, at all system calls among them (with
 * PLAIT_STEP_ALL=1 also after each one that changes memory of the family: see kill.h; that takes a minute for each test).
 * Whatever was done by then: the child ends too, the slots of both are free again, the others go on and start children
 * themselves, and what is left of the family's memory is at most what the README of the room says. */
#include "kill.h"

#include <sys/wait.h>

#include "host.h"
#include "killed_start.h"

static struct notes {                                      /* in shared memory */
    _Atomic int may_end;
} *notes;

static size_t blocks_left;                                 /* so many blocks each death may leave behind */

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    notes->may_end = 0;
    adopt_orphans();
    note_what_there_is();
    blocks_left = 1;
}

/* Its children have its group: nobody else's. */
static void have_a_group(void)
{
    CHECK(setpgid(0, 0) == 0);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

/* Those who were its children are ours now. */
static bool has_no_orphans(void *group)
{
    while (waitpid(-*(pid_t *)group, NULL, WNOHANG) > 0) {}
    return waitpid(-*(pid_t *)group, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void check(const struct stepped *victim, bool done)
{
    test_soon(has_no_orphans, (void *)&victim->pid, "an orphan");
    all_must_be_as_before(blocks_left);
    member_run(start_and_join, "the next to start a child");
    all_must_be_as_before(blocks_left);
}

/* ---- fork ---- */

static void fork_and_join(void)
{
    run_one(&(plait_process_options){ .method = PLAIT_FORK });
}

static const struct kill_case fork_join = {
    .operation = { .prepare = have_a_group, .run = fork_and_join, .goes_on = true },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

/* With a setting that may fail, the parent hears of it; and pipes. */
static void fork_with_settings(void)
{
    run_one(&(plait_process_options){ .method = PLAIT_FORK, .cwd = "/", .output = PLAIT_STREAM_PIPE });
}

static const struct kill_case fork_with_a_report = {
    .operation = { .prepare = have_a_group, .run = fork_with_settings, .goes_on = true },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

/* ---- join alone ---- */

static plait_process *child;

static int end_when_told(void *unused)
{
    test_until(is_set, &notes->may_end);
    return 7;
}

static void have_a_child(void)
{
    have_a_group();
    child = plait_start(end_when_told, NULL, 0, NULL);
    CHECK(child);
}

static void join_it(void)
{
    notes->may_end = 1;
    end_one(child, 7);
}

static const struct kill_case join = {
    .operation = { .prepare = have_a_child, .run = join_it, .goes_on = true },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

/* ---- a child of the stock ---- */

/* The board, and the blocks of the server and of the child. */
static void set_up_stock(void)
{
    set_up();
    blocks_left = 3;
}

static void have_a_stock(void)
{
    have_a_group();
    start_server_and_sit();
}

static void take_and_join(void)
{
    run_one(&(plait_process_options){ .method = PLAIT_FORKSERVER });
}

static const struct kill_case stock = {
    .operation = { .prepare = have_a_stock, .run = take_and_join, .goes_on = true },
    .set_up = set_up_stock,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

/* ---- a thread ---- */

static void run_thread(void)
{
    run_one(&(plait_process_options){ .kind = PLAIT_THREADS });
}

static const struct kill_case thread = {
    .operation = { .prepare = have_a_group, .run = run_thread, .goes_on = true },
    .set_up = set_up,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(fork_join),
    KILL_TESTS(fork_with_a_report),
    KILL_TESTS(join),
    KILL_TESTS(stock),
    KILL_TESTS(thread),
};

TEST_MAIN(tests)
