/* Who joins, who lets in, who opens or closes a door is killed at the begin and the end of every system call, and at some points in
 * between: the family goes on, the next one is let in, nobody waits for ever, and nothing is left. */
#include "apart.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

/* --- stepping: the tester is of no family, so harness/step.h is not for it ----------------------------------------------- */

static int be_traced(void *body)
{
    CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    return ((int (*)(void))body)();
}

static void step_over(pid_t pid, int request, int *status)
{
    assert_int_equal(ptrace(request, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, status, 0), pid);
}

/* It has stopped itself where the operation begins. */
static pid_t start_stopped(int (*body)(void))
{
    int status;
    const pid_t pid = test_fork(be_traced, (void *)body);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL), 0);
    return pid;
}

/* Kill it so many stops at system calls, and then so many instructions, after that.  False: it had ended before. */
static bool kill_at(pid_t pid, int stops, int further)
{
    int status = 0x137f;
    for (int i = 0; i < stops && WIFSTOPPED(status); i++) step_over(pid, PTRACE_SYSCALL, &status);
    for (int i = 0; i < further && WIFSTOPPED(status); i++) step_over(pid, PTRACE_SINGLESTEP, &status);
    if (!WIFSTOPPED(status)) {
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        return false;
    }
    home_kill(pid);
    return true;
}

/* Each stop, and some instructions behind it. */
static void at_all_points(bool (*kill_once)(int stops, int further))
{
    uint64_t random = test_seed();
    int stops = 0;
    while (kill_once(stops++, 0)) kill_once(stops, (int)(test_random(&random) % 100 + test_random(&random) % 3 * 300));
    printf("%d stops at system calls\n", stops - 1);
}

static int descriptors_of(pid_t pid)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *open_ones = opendir(path);
    assert_non_null(open_ones);
    while (readdir(open_ones)) count++;
    closedir(open_ones);
    return count;
}

/* --- who joins ----------------------------------------------------------------------------------------------------------- */

static int joins(void)
{
    raise(SIGSTOP);
    return use_everything();
}

static int joins_after_init(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    raise(SIGSTOP);
    return use_everything();
}

static int finds_nobody_else(void)
{
    use_everything();
    CHECK(plait_member_count() == 2);
    plait_arena_figures figures;
    CHECK(plait_arena_stats(&figures) == 0 && figures.leaked == 0);
    return 0;
}

static pid_t home;
static int (*joiner)(void);

static bool kill_who_joins(int stops, int further)
{
    const pid_t victim = start_stopped(joiner);
    const bool was_there = kill_at(victim, stops, further);
    visit(finds_nobody_else);
    return was_there;
}

static void who_joins(void **state)
{
    static int (*const joiners[])(void) = { joins, joins_after_init };
    for (int i = 0; i < 2; i++) {
        joiner = joiners[i];
        home = home_start(NULL);
        visit(use_everything);
        test_until_sleeps(home);
        const int before = descriptors_of(home);
        at_all_points(kill_who_joins);
        test_until_sleeps(home);
        assert_int_equal(descriptors_of(home), before);
        home_kill(home);
    }
}

/* --- who lets in --------------------------------------------------------------------------------------------------------- */

static int lets_one_in(void)
{
    make_common();
    CHECK((door = plait_family_listen(address, NULL)));
    raise(SIGSTOP);
    CHECK(plait_door_admit(door, plait_after(10)) == 0);
    return 0;
}

/* It may be alone in the family then. */
static int knocks(void)
{
    atomic_store(&notes->count, 1);
    const int got = plait_family_join(address, PLAIT_FOREVER);
    CHECK(got == 0 || (got == -ECONNRESET && !plait__arena));
    return got == 0 ? use_what_is_there() : 0;
}

static bool kill_who_lets_in(int stops, int further)
{
    const pid_t victim = start_stopped(lets_one_in);
    atomic_store(&notes->count, 0);
    const pid_t visitor = visitor_start(knocks);
    test_until_set(&notes->count);
    test_until_sleeps(visitor);
    const bool was_there = kill_at(victim, stops, further);
    assert_int_equal(test_wait_exit(visitor), 0);
    return was_there;
}

static void who_lets_in(void **state)
{
    at_all_points(kill_who_lets_in);
}

/* --- who opens and closes a door ----------------------------------------------------------------------------------------- */

static int opens(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    raise(SIGSTOP);
    CHECK((door = plait_family_listen(address, NULL)));
    return plait_door_free(door);
}

static bool kill_who_opens(int stops, int further)
{
    const bool was_there = kill_at(start_stopped(opens), stops, further);
    home = home_start(NULL);
    visit(use_everything);
    home_kill(home);                                       /* it leaves its path: the next one has to take it over */
    return was_there;
}

static void who_opens_and_closes_a_door(void **state)
{
    char folder[100];
    assert_non_null(mkdtemp(strcpy(folder, temporary("kill-XXXXXX"))));
    snprintf(address, sizeof address, "%s/door", folder);
    at_all_points(kill_who_opens);
    assert_int_equal(unlink(address), 0);
    assert_int_equal(rmdir(folder), 0);
}

static const struct CMUnitTest tests[] = {
    JOIN_TEST(who_joins),
    JOIN_TEST(who_lets_in),
    JOIN_TEST(who_opens_and_closes_a_door),
};

TEST_MAIN_WITHIN(tests, 60)
