/* Waiting for a process, asking after it, signalling it, freeing it. */
#include "host.h"

#include <poll.h>

#include <plait.h>

#include "arena/heap.h"

/* ---- the child ---- */

static struct notes {
    _Atomic int ready, go, signals;
    _Atomic pid_t pid, left;
} *notes;

static void clear_notes(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
}

static int wait_for_go(void *exitcode)
{
    notes->ready = 1;
    test_until(is_set, &notes->go);
    return *(int *)exitcode;
}

/* A child that runs until notes->go, and then ends with 7. */
static plait_process *start(void)
{
    clear_notes();
    plait_process *process = plait_start(wait_for_go, &(int){ 7 }, sizeof(int), NULL);
    assert_non_null(process);
    test_until(is_set, &notes->ready);
    return process;
}

static void expect_end(plait_process *process, int exitcode)
{
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(process), exitcode);
    assert_int_equal(plait_process_is_alive(process), 0);
    assert_int_equal(plait_process_free(process), 0);
}

static void let_end(plait_process *process)
{
    notes->go = 1;
    expect_end(process, 7);
}

/* ---- join ---- */

static void join_now_does_not_wait(void **state)
{
    plait_process *process = start();
    char detail[100];
    snprintf(detail, sizeof detail, "%s (pid %d) is still running", plait_process_name(process), plait_process_pid(process));
    assert_int_equal(plait_process_join(process, PLAIT_NOW), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), detail);
    let_end(process);
}

static void join_waits_until_its_deadline(void **state)
{
    plait_process *process = start();
    const plait_deadline deadline = plait_after(0.03);
    const double before = seconds_now();
    assert_int_equal(plait_process_join(process, deadline), -ETIMEDOUT);
    assert_true(seconds_now() - before > 0.029);
    assert_int_equal(plait_process_join(process, deadline), -ETIMEDOUT);
    let_end(process);
}

static void join_does_not_wait_for_its_deadline_when_the_child_ends(void **state)
{
    plait_process *process = start();
    notes->go = 1;
    assert_int_equal(plait_process_join(process, plait_after(1e6)), 0);
    expect_end(process, 7);
}

static void join_may_be_called_again(void **state)
{
    plait_process *process = start();
    notes->go = 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
        assert_int_equal(plait_process_join(process, PLAIT_NOW), 0);
        assert_int_equal(plait_process_exitcode(process), 7);
    }
    expect_end(process, 7);
}

struct joiner {
    plait_process *process;
    _Atomic pid_t tid;
    int result;
};

static void *join_in_a_thread(void *argument)
{
    struct joiner *joiner = argument;
    joiner->tid = (pid_t)syscall(SYS_gettid);
    joiner->result = plait_process_join(joiner->process, PLAIT_FOREVER);
    return NULL;
}

static void several_threads_may_join_at_once(void **state)
{
    enum { THREADS = 4 };
    plait_process *process = start();
    struct joiner joiners[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        joiners[i] = (struct joiner){ process, 0, -1 };
        threads[i] = thread_start(join_in_a_thread, &joiners[i]);
        test_until(is_set, &joiners[i].tid);
        test_until_sleeps(joiners[i].tid);
    }
    notes->go = 1;
    for (int i = 0; i < THREADS; i++) {
        thread_end(threads[i]);
        assert_int_equal(joiners[i].result, 0);
    }
    expect_end(process, 7);
}

static void join_sees_a_process_that_another_thread_kills(void **state)
{
    plait_process *process = start();
    struct joiner joiner = { process, 0, -1 };
    pthread_t thread = thread_start(join_in_a_thread, &joiner);
    test_until(is_set, &joiner.tid);
    test_until_sleeps(joiner.tid);
    assert_int_equal(plait_process_kill(process), 0);
    thread_end(thread);
    assert_int_equal(joiner.result, 0);
    expect_end(process, -SIGKILL);
}

static void count_signal(int number)
{
    notes->signals++;
}

static int signal_the_parent(void *unused)
{
    for (int i = 0; i < 20; i++) {
        const int before = notes->signals;
        test_until_sleeps(getppid());
        kill(getppid(), SIGUSR1);
        while (notes->signals == before) sched_yield();
    }
    return 7;
}

static void signals_do_not_end_join(void **state)
{
    clear_notes();
    signal(SIGUSR1, count_signal);
    plait_process *process = plait_start(signal_the_parent, NULL, 0, NULL);
    assert_non_null(process);
    expect_end(process, 7);
    signal(SIGUSR1, SIG_DFL);
    assert_int_equal(notes->signals, 20);
}

/* The child's child has everything open that the child had; it must not pass for the child itself. */
static int leave_somebody_behind(void *unused)
{
    const pid_t pid = fork();
    if (pid > 0) notes->left = pid;
    if (pid > 0) return 7;
    test_until(is_set, &notes->go);
    _exit(9);
}

static void join_does_not_wait_for_a_fork_of_the_child(void **state)
{
    clear_notes();
    adopt_orphans();
    plait_process *process = plait_start(leave_somebody_behind, NULL, 0, NULL);
    assert_non_null(process);
    expect_end(process, 7);
    notes->go = 1;
    assert_int_equal(test_wait_exit(notes->left), 9);
}

/* ---- asking ---- */

static void a_running_process_is_alive_and_has_no_exit_code(void **state)
{
    plait_process *process = start();
    assert_int_equal(plait_process_is_alive(process), 1);
    assert_int_equal(plait_process_exitcode(process), PLAIT_ERUNNING);
    assert_int_equal(kill(plait_process_pid(process), SIGSTOP), 0);
    test_until(has_stopped, &(pid_t){ plait_process_pid(process) });
    assert_int_equal(plait_process_is_alive(process), 1);
    assert_int_equal(plait_process_exitcode(process), PLAIT_ERUNNING);
    assert_int_equal(kill(plait_process_pid(process), SIGCONT), 0);
    let_end(process);
}

static void is_alive_sees_the_end_without_join(void **state)
{
    plait_process *process = start();
    notes->go = 1;
    while (plait_process_is_alive(process) == 1) sched_yield();
    assert_int_equal(plait_process_exitcode(process), 7);
    assert_true(has_no_child());
    assert_int_equal(plait_process_free(process), 0);
}

static void exitcode_sees_the_end_without_join(void **state)
{
    plait_process *process = start();
    notes->go = 1;
    while (plait_process_exitcode(process) == PLAIT_ERUNNING) sched_yield();
    assert_int_equal(plait_process_exitcode(process), 7);
    assert_int_equal(plait_process_free(process), 0);
}

static void the_sentinel_becomes_readable_at_the_end(void **state)
{
    plait_process *process = start();
    struct pollfd sentinel = { .fd = plait_process_sentinel(process), .events = POLLIN };
    assert_true(sentinel.fd >= 0);
    assert_true(fcntl(sentinel.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(poll(&sentinel, 1, 0), 0);
    notes->go = 1;
    assert_int_equal(poll(&sentinel, 1, -1), 1);
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(poll(&sentinel, 1, 0), 1);
    expect_end(process, 7);
    assert_false(is_open(sentinel.fd));
}

/* ---- signalling ---- */

static void terminate_sends_SIGTERM(void **state)
{
    plait_process *process = start();
    assert_int_equal(plait_process_terminate(process), 0);
    expect_end(process, -SIGTERM);
}

static void kill_sends_SIGKILL(void **state)
{
    plait_process *process = start();
    assert_int_equal(plait_process_kill(process), 0);
    expect_end(process, -SIGKILL);
}

static void kill_ends_a_stopped_process(void **state)
{
    plait_process *process = start();
    assert_int_equal(kill(plait_process_pid(process), SIGSTOP), 0);
    test_until(has_stopped, &(pid_t){ plait_process_pid(process) });
    assert_int_equal(plait_process_kill(process), 0);
    expect_end(process, -SIGKILL);
}

static int end_when_terminated(void *unused)
{
    signal(SIGTERM, count_signal);
    notes->ready = 1;
    test_until(is_set, &notes->signals);
    return 8;
}

static void a_child_may_handle_SIGTERM(void **state)
{
    clear_notes();
    plait_process *process = plait_start(end_when_terminated, NULL, 0, NULL);
    assert_non_null(process);
    test_until(is_set, &notes->ready);
    assert_int_equal(plait_process_terminate(process), 0);
    expect_end(process, 8);
}

static void signals_for_an_ended_process_are_accepted(void **state)
{
    plait_process *process = start();
    notes->go = 1;
    test_until(is_zombie, &(pid_t){ plait_process_pid(process) });
    assert_int_equal(plait_process_terminate(process), 0);
    assert_int_equal(plait_process_kill(process), 0);
    assert_int_equal(plait_process_exitcode(process), 7);
    assert_int_equal(plait_process_kill(process), 0);
    expect_end(process, 7);
}

/* ---- freeing ---- */

static void a_running_process_is_not_freed(void **state)
{
    plait_process *process = start();
    const size_t blocks = plait__heap_count(0);
    assert_int_equal(plait_process_free(process), PLAIT_ERUNNING);
    assert_non_null(strstr(plait_error_detail(), "is still running"));
    assert_int_equal(plait__heap_count(0), blocks);
    assert_int_equal(plait_process_is_alive(process), 1);
    let_end(process);
    assert_int_equal(plait__heap_count(0), blocks - 1);
}

static void an_ended_process_is_freed_without_join(void **state)
{
    plait_process *process = start();
    notes->go = 1;
    test_until(is_zombie, &(pid_t){ plait_process_pid(process) });
    assert_int_equal(plait_process_free(process), 0);
    assert_true(has_no_child());
}

/* ---- somebody else's child ---- */

static int ask_as_a_sibling(void *argument)
{
    plait_process *process = argument;
    CHECK(plait_process_join(process, PLAIT_FOREVER) == -ECHILD);
    CHECK(strstr(plait_error_detail(), plait_process_name(process)));
    CHECK(plait_process_join(process, PLAIT_NOW) == -ECHILD);
    CHECK(plait_process_is_alive(process) == -ECHILD);
    CHECK(plait_process_exitcode(process) < 0);
    CHECK(plait_process_terminate(process) == -ECHILD);
    CHECK(plait_process_kill(process) == -ECHILD);
    CHECK(plait_process_pid(process) == notes->pid);
    return 0;
}

static void only_the_parent_can_wait_or_signal(void **state)
{
    plait_process *process = start();
    notes->pid = plait_process_pid(process);
    host_run(ask_as_a_sibling, process);
    assert_int_equal(plait_process_is_alive(process), 1);
    let_end(process);
}

static int free_as_a_sibling(void *process)
{
    CHECK(plait_process_free(process) == 0);
    return 0;
}

/* A fork of the parent has a copy of the object, but what the child and the parent share is theirs. */
static void a_fork_may_free_its_copy_of_the_object(void **state)
{
    plait_process *process = start();
    const size_t blocks = plait__heap_count(0);
    host_run(free_as_a_sibling, process);
    assert_int_equal(plait__heap_count(0), blocks);
    let_end(process);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(join_now_does_not_wait),
    cmocka_unit_test(join_waits_until_its_deadline),
    cmocka_unit_test(join_does_not_wait_for_its_deadline_when_the_child_ends),
    cmocka_unit_test(join_may_be_called_again),
    cmocka_unit_test(several_threads_may_join_at_once),
    cmocka_unit_test(join_sees_a_process_that_another_thread_kills),
    cmocka_unit_test(signals_do_not_end_join),
    cmocka_unit_test(join_does_not_wait_for_a_fork_of_the_child),
    cmocka_unit_test(a_running_process_is_alive_and_has_no_exit_code),
    cmocka_unit_test(is_alive_sees_the_end_without_join),
    cmocka_unit_test(exitcode_sees_the_end_without_join),
    cmocka_unit_test(the_sentinel_becomes_readable_at_the_end),
    cmocka_unit_test(terminate_sends_SIGTERM),
    cmocka_unit_test(kill_sends_SIGKILL),
    cmocka_unit_test(kill_ends_a_stopped_process),
    cmocka_unit_test(a_child_may_handle_SIGTERM),
    cmocka_unit_test(signals_for_an_ended_process_are_accepted),
    cmocka_unit_test(a_running_process_is_not_freed),
    cmocka_unit_test(an_ended_process_is_freed_without_join),
    cmocka_unit_test(only_the_parent_can_wait_or_signal),
    cmocka_unit_test(a_fork_may_free_its_copy_of_the_object),
};

TEST_MAIN(tests)
