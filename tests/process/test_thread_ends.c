/* The ends of threads: joining, ending otherwise than by return, the descriptor that tells of it, many of them, none to be had. */
#include "starts.h"

#include <poll.h>

static plait_thread *start_thread(int (*function)(void *), const void *argument)
{
    plait_thread *thread = plait_thread_new(function, argument, 0, NULL);
    CHECK(thread && plait_thread_start(thread) == 0);
    return thread;
}

/* ---- joining ---- */

static int join_with_deadlines(void *unused)
{
    _Atomic int flag = 0;
    plait_thread *thread = start_thread(wait_for_flag, &flag);
    CHECK(plait_thread_join(thread, PLAIT_NOW) == -ETIMEDOUT);
    const double since = seconds_now();
    CHECK(plait_thread_join(thread, plait_after(0.02)) == -ETIMEDOUT && seconds_now() - since >= 0.02);
    CHECK_TEXT(plait_error_detail(), "Thread-1 (pid ");
    CHECK(plait_thread_is_alive(thread) == 1 && plait_thread_exitcode(thread) == PLAIT_ERUNNING);
    CHECK(plait_thread_free(thread) == PLAIT_ERUNNING && plait_active_children(NULL, 0) == 0);
    atomic_store(&flag, 1);
    CHECK(plait_thread_join(thread, plait_after(100)) == 0 && plait_thread_join(thread, PLAIT_NOW) == 0);
    CHECK(plait_thread_is_alive(thread) == 0 && plait_process_pid(thread) > 0);
    end_with(thread, 7);
    thread = plait_thread_new(return_0, NULL, 0, NULL);
    CHECK(plait_thread_join(thread, PLAIT_FOREVER) == PLAIT_ENOTSTARTED && plait_thread_free(thread) == 0);
    return 0;
}

static void join_has_a_deadline(void **state)
{
    host_run(join_with_deadlines, NULL);
}

enum { JOINERS = 8 };

static void *join_it(void *thread)
{
    CHECK(plait_thread_join(thread, PLAIT_FOREVER) == 0);
    return (void *)(intptr_t)plait_thread_exitcode(thread);
}

static int join_from_many(void *kind)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    for (int round = 0; round < 20; round++) {
        pthread_t joiners[JOINERS];
        void *result;
        *flag = 0;
        plait_process *process = plait_start(wait_for_flag, flag, 0, &(plait_process_options){ .kind = *(int *)kind });
        CHECK(process);
        for (int i = 0; i < JOINERS; i++) joiners[i] = thread_start(join_it, process);
        *flag = 1;
        for (int i = 0; i < JOINERS; i++) CHECK(pthread_join(joiners[i], &result) == 0 && (intptr_t)result == 7);
        end_with(process, 7);
    }
    return 0;
}

static void many_threads_join_one(void **state)
{
    host_run(join_from_many, &(int){ PLAIT_THREADS });
    host_run(join_from_many, &(int){ PLAIT_PROCESSES });
}

struct racer {
    plait_process *process;
    pthread_barrier_t *barrier;
};

static void *start_it(void *argument)
{
    const struct racer *racer = argument;
    pthread_barrier_wait(racer->barrier);
    return (void *)(intptr_t)plait_process_start(racer->process);
}

static int start_from_two(void *kind)
{
    be_program();
    pthread_barrier_t barrier;
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    for (int round = 0; round < 100; round++) {
        struct racer racer = { plait_process_new(return_0, NULL, 0, &(plait_process_options){ .kind = *(int *)kind }), &barrier };
        void *other;
        const pthread_t thread = thread_start(start_it, &racer);
        const int mine = (int)(intptr_t)start_it(&racer);
        CHECK(pthread_join(thread, &other) == 0);
        CHECK((mine == 0 && (intptr_t)other == -EALREADY) || (mine == -EALREADY && (intptr_t)other == 0));
        end_with(racer.process, 0);
    }
    return 0;
}

static void of_two_that_start_it_one_wins(void **state)
{
    host_run(start_from_two, &(int){ PLAIT_THREADS });
    host_run(start_from_two, &(int){ PLAIT_PROCESSES });
}

/* ---- other ends ---- */

static int leave_by_pthread_exit(void *unused)
{
    pthread_exit((void *)5);
}

/* (Not in a system call, from which the thread sanitizer finds no way back.) */
static int wait_to_be_cancelled(void *thread)
{
    *(_Atomic pthread_t *)thread = pthread_self();
    do pthread_testcancel();
    while (sched_yield() == 0);
    return 9;
}

static bool is_known(void *thread)
{
    return *(_Atomic pthread_t *)thread != 0;
}

static int cancel_oneself(void *unused)
{
    pthread_cancel(pthread_self());
    return 9;                                              /* there was no point of cancellation */
}

/* Under a sentinel, too, as telling of the end by that is a point of cancellation. */
static int end_otherwise(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    end_with(start_thread(leave_by_pthread_exit, NULL), 0);
    _Atomic pthread_t id = 0;
    plait_thread *thread = start_thread(wait_to_be_cancelled, (void *)&id);
    test_until(is_known, (void *)&id);
    CHECK(plait_process_sentinel(thread) >= 0 && pthread_cancel(id) == 0);
    end_with(thread, 0);
    traces_must_be(&before);
    return 0;
}

static void pthread_exit_and_pthread_cancel_are_0(void **state)
{
    host_run(end_otherwise, NULL);
}

static int cancel_itself_under_a_sentinel(void *flag)
{
    test_until(is_set, flag);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    return cancel_oneself(NULL);
}

static int wait_uncancelled(void *flag)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return cancel_itself_under_a_sentinel(flag);
}

static int cancel_at_the_end(void *unused)
{
    _Atomic int flag = 0;
    plait_thread *thread = start_thread(wait_uncancelled, &flag);
    CHECK(plait_process_sentinel(thread) >= 0);
    atomic_store(&flag, 1);
    CHECK(plait_thread_join(thread, PLAIT_FOREVER) == 0);
    end_with(thread, 9);
    end_with(start_thread(cancel_oneself, NULL), 9);
    return 0;
}

static void a_cancellation_that_comes_too_late_changes_nothing(void **state)
{
    host_run(cancel_at_the_end, NULL);
}

/* ---- sentinels ---- */

static bool is_readable(int fd, int timeout)
{
    struct pollfd ends = { .fd = fd, .events = POLLIN };
    return poll(&ends, 1, timeout) == 1 && ends.revents == POLLIN;
}

static int poll_for_the_end(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    _Atomic int flag = 0;
    plait_thread *thread = start_thread(wait_for_flag, &flag);
    const int sentinel = plait_process_sentinel(thread);
    CHECK(sentinel > STDERR_FILENO && plait_process_sentinel(thread) == sentinel && !is_readable(sentinel, 0));
    CHECK(fcntl(sentinel, F_GETFD) & FD_CLOEXEC);
    atomic_store(&flag, 1);
    CHECK(is_readable(sentinel, -1) && plait_thread_join(thread, PLAIT_FOREVER) == 0 && is_readable(sentinel, 0));
    end_with(thread, 7);
    thread = start_thread(return_0, NULL);
    CHECK(plait_thread_join(thread, PLAIT_FOREVER) == 0 && is_readable(plait_process_sentinel(thread), 0));
    end_with(thread, 0);
    traces_must_be(&before);
    return 0;
}

static void a_sentinel_tells_of_the_end(void **state)
{
    host_run(poll_for_the_end, NULL);
}

/* It is asked for while the thread comes to its end. */
static int poll_at_the_end(void *unused)
{
    for (int i = 0; i < 1000; i++) {
        plait_thread *thread = start_thread(return_0, NULL);
        for (int pauses = i % 100; pauses > 0; pauses--) sched_yield();
        CHECK(is_readable(plait_process_sentinel(thread), -1));
        end_with(thread, 0);
    }
    return 0;
}

static void one_that_is_asked_for_late_tells_of_it_too(void **state)
{
    host_run(poll_at_the_end, NULL);
}

/* The host closes all descriptors that it does not know, and opens a file where it was. */
static int close_what_is_unknown(void *unused)
{
    _Atomic int flag = 0;
    struct stat status;
    plait_thread *thread = start_thread(wait_for_flag, &flag);
    const int sentinel = plait_process_sentinel(thread);
    const int file = memfd_create("file", MFD_CLOEXEC);
    CHECK(dup2(file, sentinel) == sentinel && close(file) == 0);
    const int other = plait_process_sentinel(thread);
    CHECK(other != sentinel && other >= 0 && !is_readable(other, 0));
    CHECK(dup2(sentinel, other) == other);
    atomic_store(&flag, 1);
    CHECK(plait_thread_join(thread, PLAIT_FOREVER) == 0);
    CHECK(is_readable(plait_process_sentinel(thread), 0));
    end_with(thread, 7);
    CHECK(fstat(sentinel, &status) == 0 && status.st_size == 0 && fstat(other, &status) == 0 && status.st_size == 0);
    return 0;
}

static void the_hosts_own_file_at_its_number_is_left_alone(void **state)
{
    host_run(close_what_is_unknown, NULL);
}

static int lose_the_sentinel_of_a_process(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *process = plait_start(wait_for_flag, flag, 0, NULL);
    const int sentinel = plait_process_sentinel(process);
    CHECK(sentinel > STDERR_FILENO && close(sentinel) == 0);
    CHECK(!is_readable(plait_process_sentinel(process), 0));
    *flag = 1;
    CHECK(is_readable(plait_process_sentinel(process), -1) && plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(close(plait_process_sentinel(process)) == 0 && is_readable(plait_process_sentinel(process), 0));
    end_with(process, 7);
    return 0;
}

/* Where there are pidfds. */
static void a_process_gets_another_sentinel_also_after_its_end(void **state)
{
    if (plait__without(PLAIT__WITHOUT_PIDFD)) skip();
    host_run(lose_the_sentinel_of_a_process, NULL);
}

/* ---- many ---- */

static int run_a_thousand(void *unused)
{
    be_program();
    end_with(start_thread(return_0, NULL), 0);
    const struct traces before = traces_now();
    for (int i = 0; i < 1000; i++) end_with(start_thread(return_0, NULL), 0);
    traces_must_be(&before);
    return 0;
}

static void a_thousand_run_one_after_the_other(void **state)
{
    host_run(run_a_thousand, NULL);
}

static int run_at_once(void *unused)
{
    enum { MANY = 200 };
    plait_thread *threads[MANY];
    _Atomic int flag = 0;
    be_program();
    const struct traces before = traces_now();
    for (int i = 0; i < MANY; i++) threads[i] = start_thread(wait_for_flag, &flag);
    for (int i = 0; i < MANY; i++) CHECK(plait_thread_is_alive(threads[i]) == 1 && plait_process_pid(threads[i]) > 0);
    atomic_store(&flag, 1);
    for (int i = 0; i < MANY; i++) end_with(threads[i], 7);
    traces_must_be(&before);
    return 0;
}

static void two_hundred_run_at_once(void **state)
{
    host_run(run_at_once, NULL);
}

static int start_without_rights(void *unused)
{
    be_program();
    drop_root();
    plait_thread *thread = plait_thread_new(return_0, NULL, 0, NULL);
    plait_process *process = plait_process_new(return_0, NULL, 0, NULL);
    forbid_processes(true);
    for (int i = 0; i < 3; i++) start_is_refused(thread, -EAGAIN, "[Errno 11] Resource temporarily unavailable");
    start_is_refused(process, -EAGAIN, "[Errno 11] Resource temporarily unavailable");
    forbid_processes(false);
    CHECK(plait_thread_start(thread) == 0 && plait_process_start(process) == 0);
    end_with(thread, 0);
    end_with(process, 0);
    return 0;
}

static void too_many_are_EAGAIN_and_later_it_starts(void **state)
{
    host_run(start_without_rights, NULL);
}

/* ---- destructors of the C library's, which run after the function ---- */

static pthread_key_t key;
static _Atomic int may_end;
static plait_thread *_Atomic ending;

static void wait_until_it_may_end(void *unused)
{
    test_until_set(&may_end);
}

static int have_a_destructor(void *unused)
{
    CHECK(pthread_setspecific(key, &key) == 0);
    return 4;
}

static bool is_over(void *thread)
{
    return plait_thread_is_alive(thread) == 0;
}

static int let_it_end(void *pid)
{
    test_until_sleeps(*(pid_t *)pid);
    may_end = 1;
    return 0;
}

static int end_slowly(void *unused)
{
    pthread_t joiners[JOINERS];
    CHECK(pthread_key_create(&key, wait_until_it_may_end) == 0);
    plait_thread *thread = start_thread(have_a_destructor, NULL);
    test_until(is_over, thread);
    CHECK(plait_thread_exitcode(thread) == 4 && plait_thread_join(thread, PLAIT_NOW) == 0);
    const double since = seconds_now();
    CHECK(plait_thread_join(thread, plait_after(0.02)) == 0 && seconds_now() - since >= 0.02);
    for (int i = 0; i < JOINERS; i++) joiners[i] = thread_start(join_it, thread);
    may_end = 1;
    for (int i = 0; i < JOINERS; i++) {
        void *result;
        CHECK(pthread_join(joiners[i], &result) == 0 && (intptr_t)result == 4);
    }
    end_with(thread, 4);
    return 0;
}

static int free_while_it_ends(void *unused)
{
    struct test_thread other;
    pid_t pid = getpid();
    CHECK(pthread_key_create(&key, wait_until_it_may_end) == 0);
    plait_thread *thread = start_thread(have_a_destructor, NULL);
    test_until(is_over, thread);
    test_thread_start(&other, let_it_end, &pid);
    CHECK(plait_thread_free(thread) == 0 && may_end);
    return test_thread_join(&other);
}

static void join_its_own_thread(void *unused)
{
    while (!ending) sched_yield();
    CHECK(plait_thread_join(ending, PLAIT_FOREVER) == -EDEADLK);
    CHECK(plait_thread_free(ending) == 0);
    may_end = 1;
}

static int free_in_its_own_destructor(void *unused)
{
    CHECK(pthread_key_create(&key, join_its_own_thread) == 0);
    ending = start_thread(have_a_destructor, NULL);
    test_until_set(&may_end);
    return 0;
}

static void destructors_of_its_values_hold_up_join_and_free_only(void **state)
{
    host_run(end_slowly, NULL);
    host_run(free_while_it_ends, NULL);
    host_run(free_in_its_own_destructor, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(destructors_of_its_values_hold_up_join_and_free_only),
    cmocka_unit_test(join_has_a_deadline),
    cmocka_unit_test(many_threads_join_one),
    cmocka_unit_test(of_two_that_start_it_one_wins),
    cmocka_unit_test(pthread_exit_and_pthread_cancel_are_0),
    cmocka_unit_test(a_cancellation_that_comes_too_late_changes_nothing),
    cmocka_unit_test(a_sentinel_tells_of_the_end),
    cmocka_unit_test(one_that_is_asked_for_late_tells_of_it_too),
    cmocka_unit_test(the_hosts_own_file_at_its_number_is_left_alone),
    cmocka_unit_test(a_process_gets_another_sentinel_also_after_its_end),
    cmocka_unit_test(a_thousand_run_one_after_the_other),
    cmocka_unit_test(two_hundred_run_at_once),
    cmocka_unit_test(too_many_are_EAGAIN_and_later_it_starts),
};
TEST_MAIN(tests)
