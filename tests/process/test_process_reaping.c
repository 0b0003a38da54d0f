/* Hosts that take the exit statuses of plait's children themselves, on purpose or not: join still returns, and the exit code comes
 * from the child's own record.  Each test runs in a host. */
#include "host.h"

#include <poll.h>
#include <sys/ptrace.h>

#include <plait.h>

static int return_it(void *number)
{
    return *(int *)number;
}

static int call_exit(void *number)
{
    exit(*(int *)number);
}

static int call__exit(void *number)
{
    _exit(*(int *)number);
}

static int die_by(void *number)
{
    signal(*(int *)number, SIG_DFL);
    raise(*(int *)number);
    return 1;
}

static int wait_to_be_killed(void *unused)
{
    sleep_for_ever();
}

static void expect_end(plait_process *process, int exitcode)
{
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == exitcode);
    CHECK(plait_process_is_alive(process) == 0);
    CHECK(poll(&(struct pollfd){ .fd = plait_process_sentinel(process), .events = POLLIN }, 1, 10000) == 1);
    CHECK(plait_process_terminate(process) == 0);
    CHECK(plait_process_kill(process) == 0);
    CHECK(plait_process_join(process, PLAIT_NOW) == 0);
    CHECK(plait_process_free(process) == 0);
}

static void expect(int (*function)(void *), int number, int exitcode)
{
    expect_end(plait_start(function, &number, sizeof number, NULL), exitcode);
}

/* ---- statuses that nobody keeps ---- */

static void expect_all(void)
{
    expect(return_it, 0, 0);
    for (int code = 1; code < 256; code += 50) expect(return_it, code, code);
    expect(return_it, -1, 255);
    expect(call_exit, 5, 5);
    expect(die_by, SIGKILL, PLAIT_EREAPED);
    expect(die_by, SIGSEGV, PLAIT_EREAPED);
    expect(call__exit, 6, PLAIT_EREAPED);
}

/* While it runs, everything is as always. */
static void expect_killed(void)
{
    plait_process *process = plait_start(wait_to_be_killed, NULL, 0, NULL);
    CHECK(process);
    CHECK(plait_process_is_alive(process) == 1);
    CHECK(plait_process_exitcode(process) == PLAIT_ERUNNING);
    CHECK(plait_process_join(process, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_process_free(process) == PLAIT_ERUNNING);
    CHECK(plait_process_kill(process) == 0);
    expect_end(process, PLAIT_EREAPED);
}

static int ignore_sigchld(void *unused)
{
    signal(SIGCHLD, SIG_IGN);
    expect_all();
    expect_killed();
    return 0;
}

static void sigchld_may_be_ignored(void **state)
{
    host_run(ignore_sigchld, NULL);
}

static void do_nothing(int number)
{
    (void)number;
}

static int refuse_zombies(void *unused)
{
    const struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_NOCLDWAIT | SA_RESTART };
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    expect_all();
    expect_killed();
    return 0;
}

static void zombies_may_be_refused(void **state)
{
    host_run(refuse_zombies, NULL);
}

/* ---- statuses that somebody else takes ---- */

static _Atomic int stop;

static void *reap_everybody(void *unused)
{
    while (!stop)
        if (waitpid(-1, NULL, 0) < 0) sched_yield();
    return NULL;
}

/* The exit code, or PLAIT_EREAPED if the thread was faster and the child has left no record. */
static void expect_either(int (*function)(void *), int number, int exitcode)
{
    plait_process *process = plait_start(function, &number, sizeof number, NULL);
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    const int got = plait_process_exitcode(process);
    CHECK(got == exitcode || got == PLAIT_EREAPED);
    CHECK(plait_process_exitcode(process) == got);
    CHECK(plait_process_free(process) == 0);
}

static int reap_in_a_thread(void *unused)
{
    pthread_t thread = thread_start(reap_everybody, NULL);
    for (int code = 0; code < 200; code++) expect(return_it, code, code);
    for (int i = 0; i < 50; i++) expect_either(die_by, SIGKILL, -SIGKILL);
    for (int i = 0; i < 50; i++) expect_either(call__exit, 6, 6);
    stop = 1;
    thread_end(thread);
    return 0;
}

static void a_thread_may_wait_for_everybody(void **state)
{
    host_run(reap_in_a_thread, NULL);
}

static void reap_all(int number)
{
    const int saved = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    errno = saved;
}

static int reap_in_a_handler(void *unused)
{
    const struct sigaction action = { .sa_handler = reap_all, .sa_flags = SA_RESTART };
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int code = 0; code < 200; code++) expect(return_it, code, code);
    for (int i = 0; i < 50; i++) expect_either(die_by, SIGKILL, -SIGKILL);
    return 0;
}

static void a_signal_handler_may_wait_for_everybody(void **state)
{
    host_run(reap_in_a_handler, NULL);
}

/* ---- a child that is gone before the parent goes on ---- */

static bool armed;

/* In the parent, at the end of fork(): until all children have ended, and nobody knows of them any more. */
static void reap_before_fork_returns(void)
{
    while (armed && waitpid(-1, NULL, 0) > 0) {}
}

static int lose_children_at_once(void *unused)
{
    CHECK(pthread_atfork(NULL, reap_before_fork_returns, NULL) == 0);
    CHECK(plait_init(NULL, NULL) == 0);
    armed = true;
    expect(return_it, 3, 3);
    expect(call_exit, 4, 4);
    expect(die_by, SIGKILL, PLAIT_EREAPED);
    signal(SIGCHLD, SIG_IGN);
    expect(return_it, 5, 5);
    expect(die_by, SIGSEGV, PLAIT_EREAPED);
    return 0;
}

static void a_child_may_be_reaped_before_the_start_returns(void **state)
{
    host_run(lose_children_at_once, NULL);
}

/* ---- a child that its host traces ---- */

static bool is_traced(void *pid)
{
    return state_of(*(pid_t *)pid) == 't';
}

static int trace_a_child(void *unused)
{
    int status;
    plait_process *process = plait_start(wait_to_be_killed, NULL, 0, NULL);
    CHECK(process);
    const pid_t pid = plait_process_pid(process);
    CHECK(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0);
    CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
    test_until(is_traced, &(pid_t){ pid });
    CHECK(plait_process_is_alive(process) == 1);
    CHECK(plait_process_join(process, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_process_exitcode(process) == PLAIT_ERUNNING);
    CHECK(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status));
    CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
    CHECK(plait_process_kill(process) == 0);
    expect_end(process, -SIGKILL);
    return 0;
}

static void a_child_that_its_host_traces_has_not_ended(void **state)
{
    host_run(trace_a_child, NULL);
}

/* ---- pools ---- */

static int square(const void *in, void *out, void *context)
{
    const int x = *(const int *)in;
    if (x == 50 && context && atomic_fetch_add((_Atomic int *)context, 1) == 0) raise(SIGKILL);
    *(int *)out = x * x;
    return 0;
}

static int kill_worker(const void *in, void *out, void *context)
{
    return raise(SIGKILL);
}

static int map_without_statuses(void *unused)
{
    int in[100], out[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    signal(SIGCHLD, SIG_IGN);
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    CHECK(pool);
    _Atomic int *attempts = plait_alloc(sizeof *attempts);
    const plait_map_options options = { .chunk = 10, .context = (void *)attempts };
    CHECK(plait_pool_map(pool, square, in, sizeof in[0], out, sizeof out[0], 100, &options) == 0);
    for (int i = 0; i < 100; i++) CHECK(out[i] == i * i);
    CHECK(*attempts == 2);
    CHECK(plait_pool_map(pool, kill_worker, NULL, 0, NULL, 0, 1, NULL) == PLAIT_EWORKERDIED);
    CHECK(!strstr(plait_error_detail(), "signal 4100"));
    plait_pool_free(pool);
    CHECK(plait_free((void *)attempts) == 0);
    return 0;
}

static void a_pool_does_not_need_statuses(void **state)
{
    host_run(map_without_statuses, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sigchld_may_be_ignored),
    cmocka_unit_test(zombies_may_be_refused),
    cmocka_unit_test(a_thread_may_wait_for_everybody),
    cmocka_unit_test(a_signal_handler_may_wait_for_everybody),
    cmocka_unit_test(a_child_may_be_reaped_before_the_start_returns),
    cmocka_unit_test(a_child_that_its_host_traces_has_not_ended),
    cmocka_unit_test(a_pool_does_not_need_statuses),
};

TEST_MAIN(tests)
