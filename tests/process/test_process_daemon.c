/* Daemon children end with their parent, however it ends; others do not.  The tester adopts the orphans, so that it can tell when
 * they end. */
#include "host.h"

#include <plait.h>

enum { MOST = 50 };

/* What hosts tell their tester. */
static struct notes {
    _Atomic pid_t pids[MOST];           /* of the children, as they come */
    _Atomic int places, ready;          /* so many have begun to note theirs, have done so */
} *notes;

static void clear_notes(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    adopt_orphans();
}

/* ---- children and hosts ---- */

static int run_for_ever(void *unused)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    notes->pids[atomic_fetch_add(&notes->places, 1)] = getpid();
    notes->ready++;
    sleep_for_ever();
}

static void start(bool daemon)
{
    CHECK(plait_start(run_for_ever, NULL, 0, &(plait_process_options){ .daemon = daemon }));
}

static bool all_run(void *count)
{
    return notes->ready == *(int *)count;
}

static void until_all_run(int count)
{
    test_until(all_run, &count);
}

/* Let a host start children, and kill it when `count` of them run: they must end soon. */
static void kill_host(int (*body)(void *), int count)
{
    clear_notes();
    const pid_t host = test_fork(body, NULL);
    until_all_run(count);
    const double since = seconds_now();
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(test_wait_exit(host), -SIGKILL);
    orphans_must_end((const pid_t *)notes->pids, count, since);
}

/* ---- the parent is killed ---- */

static int start_one(void *unused)
{
    start(true);
    sleep_for_ever();
}

static void a_daemon_ends_when_its_parent_is_killed(void **state)
{
    kill_host(start_one, 1);
}

static void *start_one_here(void *unused)
{
    start(true);
    return NULL;
}

static void *start_one_and_stay(void *unused)
{
    start(true);
    sleep_for_ever();
}

static int start_one_in_a_thread(void *unused)
{
    thread_start(start_one_and_stay, NULL);
    sleep_for_ever();
}

static void a_daemon_of_another_thread_ends_when_its_parent_is_killed(void **state)
{
    kill_host(start_one_in_a_thread, 1);
}

static int start_one_in_a_thread_that_ends(void *unused)
{
    thread_end(thread_start(start_one_here, NULL));
    sleep_for_ever();
}

static void a_daemon_of_a_thread_that_has_ended_ends_when_its_parent_is_killed(void **state)
{
    kill_host(start_one_in_a_thread_that_ends, 1);
}

static int start_fifty(void *unused)
{
    for (int i = 0; i < MOST; i++) start(true);
    sleep_for_ever();
}

static void fifty_daemons_end_when_their_parent_is_killed(void **state)
{
    kill_host(start_fifty, MOST);
}

static void *start_fifty_here(void *unused)
{
    for (int i = 0; i < MOST; i++) start(true);
    return NULL;
}

static int start_fifty_in_a_thread(void *unused)
{
    thread_end(thread_start(start_fifty_here, NULL));
    sleep_for_ever();
}

static void fifty_daemons_of_another_thread_end_when_their_parent_is_killed(void **state)
{
    kill_host(start_fifty_in_a_thread, MOST);
}

static int start_a_grandchild(void *in_a_thread)
{
    if (in_a_thread) thread_end(thread_start(start_one_here, NULL));
    else start(true);
    return run_for_ever(NULL);
}

static int start_two_generations(void *unused)
{
    CHECK(plait_start(start_a_grandchild, NULL, 0, NULL));
    sleep_for_ever();
}

static int start_two_generations_in_threads(void *unused)
{
    CHECK(plait_start(start_a_grandchild, notes, 0, NULL));
    sleep_for_ever();
}

static void children_of_children_end_too(void **state)
{
    kill_host(start_two_generations, 2);
    kill_host(start_two_generations_in_threads, 2);
}

static int stop_itself(void *unused)
{
    notes->pids[0] = getpid();
    raise(SIGSTOP);
    sleep_for_ever();
}

static bool first_has_stopped(void *unused)
{
    return notes->pids[0] && has_stopped((void *)&notes->pids[0]);
}

static int start_one_that_stops(void *unused)
{
    CHECK(plait_start(stop_itself, NULL, 0, &(plait_process_options){ .daemon = 1 }));
    test_until(first_has_stopped, NULL);
    notes->ready = 1;
    sleep_for_ever();
}

static void a_stopped_daemon_ends_when_its_parent_is_killed(void **state)
{
    kill_host(start_one_that_stops, 1);
}

/* ---- the parent ends in other ways ---- */

static int lead_a_group(void *unused)
{
    CHECK(setpgid(0, 0) == 0);
    thread_end(thread_start(start_one_here, NULL));
    for (int i = 1; i < 5; i++) start(true);
    sleep_for_ever();
}

static void daemons_that_ignore_an_interrupt_end_when_their_parent_does_not(void **state)
{
    clear_notes();
    const pid_t host = test_fork(lead_a_group, NULL);
    until_all_run(5);
    const double since = seconds_now();
    assert_int_equal(kill(-host, SIGINT), 0);
    assert_int_equal(test_wait_exit(host), -SIGINT);
    orphans_must_end((const pid_t *)notes->pids, 5, since);
}

static int start_some_and(void *leave)
{
    for (int i = 0; i < 3; i++) start(true);
    until_all_run(3);
    ((void (*)(int))leave)(3);
    return 0;
}

static void let_host(void (*leave)(int))
{
    clear_notes();
    const pid_t host = test_fork(start_some_and, (void *)leave);
    test_wait_exit(host);
    orphans_must_end((const pid_t *)notes->pids, 3, seconds_now());
}

static void die(int unused)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void become_true(int unused)
{
    execl("/bin/true", "true", (char *)NULL);
}

static void daemons_end_when_their_parent_exits_or_dies(void **state)
{
    let_host(exit);
    let_host(_exit);
    let_host(die);
    let_host(become_true);
}

/* ---- at the very start ---- */

static _Atomic bool armed;

/* In the child, at the end of fork(), before it can have asked for anything: until its parent is dead. */
static void outlive_the_parent(void)
{
    if (!armed) return;
    const pid_t parent = getppid();
    notes->pids[0] = getpid();
    notes->ready = 1;                   /* the tester kills the parent now */
    while (getppid() == parent) sched_yield();
}

static int start_one_too_late(void *in_a_thread)
{
    CHECK(pthread_atfork(NULL, NULL, outlive_the_parent) == 0);
    armed = true;
    if (in_a_thread) thread_start(start_one_here, NULL);
    else start(true);
    sleep_for_ever();
}

static int start_one_too_late_in_a_thread(void *unused)
{
    return start_one_too_late(notes);
}

static void a_daemon_ends_if_its_parent_was_dead_before_it_could_ask(void **state)
{
    kill_host(start_one_too_late, 1);
    kill_host(start_one_too_late_in_a_thread, 1);
}

/* ---- the parent does not end ---- */

/* Every thread has these on its stack: there is no room for them on a very small one. */
static _Thread_local volatile char large[200 * 1024];

static void *start_one_and_tell_tid(void *tid)
{
    large[1] = 1;
    *(pid_t *)tid = (pid_t)syscall(SYS_gettid);
    return start_one_here(NULL);
}

static bool runs(pid_t pid)
{
    const char state = state_of(pid);
    return state == 'R' || state == 'S';
}

static int outlive_a_thread(void *unused)
{
    pid_t tid;
    thread_end(thread_start(start_one_and_tell_tid, &tid));
    until_all_run(1);
    until_thread_is_gone(tid);
    CHECK(runs(notes->pids[0]));
    return 0;
}

static void a_daemon_outlives_the_thread_that_started_it(void **state)
{
    clear_notes();
    host_run(outlive_a_thread, NULL);
    orphans_must_end((const pid_t *)notes->pids, 1, seconds_now());
}

static int start_three_kinds(void *unused)
{
    start(false);
    until_all_run(1);
    start(true);
    until_all_run(2);
    CHECK(plait_start(run_for_ever, NULL, 0, &(plait_process_options){ .detached = 1 }));
    until_all_run(3);
    raise(SIGKILL);
    return 1;
}

static void only_a_detached_child_outlives_its_parent(void **state)
{
    clear_notes();
    assert_int_equal(test_wait_exit(test_fork(start_three_kinds, NULL)), -SIGKILL);
    orphans_must_end((const pid_t *)notes->pids, 2, seconds_now());
    assert_true(runs(notes->pids[2]));
    assert_int_equal(kill(notes->pids[2], SIGKILL), 0);
    assert_int_equal(test_wait_exit(notes->pids[2]), -SIGKILL);
}

static int start_a_child(void *unused)
{
    int error = plait_start(run_for_ever, NULL, 0, NULL) ? 0 : errno;
    CHECK(error == -PLAIT_EDAEMON && strstr(plait_error_detail(), "daemonic processes are not allowed to have children"));
    return 0;
}

static int start_a_daemon_that_starts_a_child(void *unused)
{
    plait_process *daemon = plait_start(start_a_child, NULL, 0, &(plait_process_options){ .daemon = 1 });
    CHECK(daemon && plait_process_daemon(daemon) == 1 && plait_process_join(daemon, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(daemon) == 0 && plait_process_free(daemon) == 0);
    return 0;
}

static void daemonic_processes_are_not_allowed_to_have_children(void **state)
{
    host_run(start_a_daemon_that_starts_a_child, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_daemon_ends_when_its_parent_is_killed),
    cmocka_unit_test(a_daemon_of_another_thread_ends_when_its_parent_is_killed),
    cmocka_unit_test(a_daemon_of_a_thread_that_has_ended_ends_when_its_parent_is_killed),
    cmocka_unit_test(fifty_daemons_end_when_their_parent_is_killed),
    cmocka_unit_test(fifty_daemons_of_another_thread_end_when_their_parent_is_killed),
    cmocka_unit_test(children_of_children_end_too),
    cmocka_unit_test(a_stopped_daemon_ends_when_its_parent_is_killed),
    cmocka_unit_test(daemons_that_ignore_an_interrupt_end_when_their_parent_does_not),
    cmocka_unit_test(daemons_end_when_their_parent_exits_or_dies),
    cmocka_unit_test(a_daemon_ends_if_its_parent_was_dead_before_it_could_ask),
    cmocka_unit_test(a_daemon_outlives_the_thread_that_started_it),
    cmocka_unit_test(only_a_detached_child_outlives_its_parent),
    cmocka_unit_test(daemonic_processes_are_not_allowed_to_have_children),
};

TEST_MAIN(tests)
