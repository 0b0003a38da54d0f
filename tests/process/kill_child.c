/* A child is killed between its begin and its function, at all system calls and at points in between (with PLAIT_STEP_ALL=1 also
 * after each instruction that changes memory of the family: see kill.h): a forked one from the fork on, one of a forkserver's
 * stock from its seat on.  And a forkserver is killed while it sees to a start, an end and its stock.
 * Whoever joins learns of it, can start another one at once, and nothing is left. */
#include "kill.h"

#include <sys/wait.h>

#include "host.h"
#include "killed_start.h"

static struct notes {                                      /* in the family's memory: a served child has no other of ours */
    _Atomic int has_begun, is_over, is_killed;
    _Atomic pid_t whom;
} *notes;

static size_t blocks_left;                                 /* so many blocks each death may leave behind */

static void set_up(void)
{
    if (!notes) notes = plait_alloc(sizeof *notes);
    assert_non_null(notes);
    *notes = (struct notes){ 0 };
    adopt_orphans();
    note_what_there_is();
}

static pid_t noted(void)
{
    return notes->whom;
}

/* Those of its group whose parents are dead. */
static bool has_no_orphans(void *group)
{
    while (waitpid(-*(pid_t *)group, NULL, WNOHANG) > 0) {}
    return waitpid(-*(pid_t *)group, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void check(const struct stepped *victim, bool done)
{
    notes->is_killed = 1;
    step_until_returned(victim, "who started it");
    test_soon(has_no_orphans, (void *)&victim->runner.pid, "an orphan");
    all_must_be_as_before(blocks_left);
}

/* ---- the child ---- */

/* For long: in plait, where it watches the others, or for a descriptor. */
static bool sleeps(void *runner)
{
    const struct member *member = runner;
    const bool in_poll = test_thread_sleeps(member->pid) && !atomic_load(&plait__slot(member->slot)->waiting);
    return in_poll || member_sleeps(member);
}

/* Nothing but the death, or what comes of it, wakes him then. */
static bool who_joins_sleeps(const struct stepped *victim)
{
    test_soon(sleeps, (void *)&victim->runner, "falling asleep");
    return true;
}

static int begin(void *argument)
{
    struct notes *told = argument;
    told->has_begun = 1;
    sleep_for_ever();
}

static bool has_begun(void)
{
    return notes->has_begun;
}

/* Its slot is free when join returns. */
static void start_who_is_killed(const plait_process_options *options)
{
    const uint32_t slots = slots_in_use();
    end_one(plait_start(begin, notes, 0, options), -SIGKILL);
    CHECK(slots_in_use() == slots);
    options = &(plait_process_options){ .method = options->method };
    run_one(options);
}

static void have_a_group(void)
{
    CHECK(setpgid(0, 0) == 0);
}

/* ---- forked ---- */

static void fork_it(void)
{
    start_who_is_killed(&(plait_process_options){ .method = PLAIT_FORK });
}

static const struct kill_case forked = {
    .operation = { .prepare = have_a_group, .run = fork_it, .forks = true, .is_over = has_begun },
    .set_up = set_up,
    .look = who_joins_sleeps,
    .check = check,
    .by_calls = true,
};

static void fork_it_with_settings(void)
{
    start_who_is_killed(&(plait_process_options){ .method = PLAIT_FORK, .cwd = "/", .output = PLAIT_STREAM_PIPE });
}

static const struct kill_case forked_with_a_report = {
    .operation = { .prepare = have_a_group, .run = fork_it_with_settings, .forks = true, .is_over = has_begun },
    .set_up = set_up,
    .look = who_joins_sleeps,
    .check = check,
    .by_calls = true,
};

/* ---- from the stock ---- */

static void have_a_stock(void)
{
    have_a_group();
    notes->whom = start_server_and_sit();
}

static void take_it(void)
{
    start_who_is_killed(&(plait_process_options){ .method = PLAIT_FORKSERVER });
    CHECK(plait_forkserver_stop() == 0);
}

static const struct kill_case seated = {
    .operation = { .prepare = have_a_stock, .run = take_it, .whom = noted, .is_over = has_begun },
    .set_up = set_up,
    .look = who_joins_sleeps,
    .check = check,
    .by_calls = true,
};

/* It has to answer. */
static void take_it_with_settings(void)
{
    start_who_is_killed(&(plait_process_options){ .method = PLAIT_FORKSERVER, .cwd = "/" });
    CHECK(plait_forkserver_stop() == 0);
}

static const struct kill_case seated_with_an_answer = {
    .operation = { .prepare = have_a_stock, .run = take_it_with_settings, .whom = noted, .is_over = has_begun },
    .set_up = set_up,
    .look = who_joins_sleeps,
    .check = check,
    .by_calls = true,
};

/* ---- the forkserver ---- */

static size_t blocks_of_a_quiet_server;

/* That of a child which was not buried yet. */
static void set_up_server(void)
{
    set_up();
    blocks_left = 1;
}

static void have_a_server(void)
{
    have_a_stock();
    notes->whom = plait_forkserver_pid();
    blocks_of_a_quiet_server = plait__heap_count(0);
}

/* It holds the child's block no longer, and there is another child in the seat. */
static bool is_quiet_or_killed(void *unused)
{
    pid_t sitting;
    if (notes->is_killed) return true;
    return plait__heap_count(0) == blocks_of_a_quiet_server && program_children(notes->whom, &sitting, 1) == 1;
}

static bool is_killed(void *unused)
{
    return notes->is_killed;
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

static bool is_over(void)
{
    return notes->is_over;
}

/* The child has told its exit code, or was killed with the server. */
static void start_beside_its_death(int (*function)(void *), int code, const plait_process_options *options)
{
    plait_process *process = plait_start(function, NULL, 0, options);
    CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
    const int got = plait_process_exitcode(process);
    if (got != code && got != PLAIT_EREAPED) dprintf(STDERR_FILENO, "the exit code %d\n", got);
    CHECK((got == code || got == PLAIT_EREAPED) && plait_process_free(process) == 0);
    test_until(is_quiet_or_killed, NULL);
    notes->is_over = 1;
    test_until(is_killed, NULL);
    run_one(&(plait_process_options){ .method = PLAIT_FORKSERVER });
    CHECK(plait_forkserver_stop() == 0);
}

static void one_of_the_stock(void)
{
    start_beside_its_death(return_7, 7, &(plait_process_options){ .method = PLAIT_FORKSERVER });
}

static const struct kill_case server = {
    .operation = { .prepare = have_a_server, .run = one_of_the_stock, .whom = noted, .is_over = is_over },
    .set_up = set_up_server,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

/* With a descriptor, the child is forked when it is asked for. */
static int die(void *unused)
{
    raise(SIGKILL);
    return 0;
}

static void one_that_is_asked_for(void)
{
    const int fd = 0;
    start_beside_its_death(die, -SIGKILL, &(plait_process_options){ .method = PLAIT_FORKSERVER, .fds = &fd, .fd_count = 1 });
}

static const struct kill_case server_that_is_asked = {
    .operation = { .prepare = have_a_server, .run = one_that_is_asked_for, .whom = noted, .is_over = is_over },
    .set_up = set_up_server,
    .look = nothing_to_see,
    .check = check,
    .by_calls = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(forked),
    KILL_TESTS(forked_with_a_report),
    KILL_TESTS(seated),
    KILL_TESTS(seated_with_an_answer),
    KILL_TESTS(server),
    KILL_TESTS(server_that_is_asked),
};

TEST_MAIN(tests)
