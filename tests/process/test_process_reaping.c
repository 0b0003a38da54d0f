/* Hosts that take the exit statuses of plait's children themselves, on purpose or not: join still returns, and the exit code comes
 * from the child's own record.  Each test runs in a host. */
#include "host.h"
#include "others.h"

#include <linux/sched.h>
#include <poll.h>
#include <sys/ptrace.h>

#include <plait.h>

#include "message/queue_internal.h"

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

/* ---- a pid that is another child's meanwhile ---- */

enum { CAN_NOT_CHOOSE = 77 };

/* A raw child of the host's own with that very pid; it exits with 42, or lives until it is killed.  0: there is such a process. */
static pid_t start_as(pid_t pid, bool lives)
{
    struct clone_args arguments = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };
    const long other = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (other < 0 && errno == EEXIST) return 0;
    if (other < 0) _exit(CAN_NOT_CHOOSE);
    if (other > 0) return (pid_t)other;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (lives) syscall(SYS_pause);
    _exit(42);
}

/* A plait child that has ended, and whose status the host has taken; another child has its pid. */
static void expect_beside(bool lives, int (*function)(void *), int number, int exitcode)
{
    pid_t other = 0;
    while (!other) {
        plait_process *process = plait_start(function, &number, sizeof number, NULL);
        CHECK(process);
        const pid_t pid = plait_process_pid(process);
        CHECK(waitpid(-1, NULL, 0) == pid);
        other = start_as(pid, lives);
        if (other && !lives) test_until(is_zombie, &other);
        CHECK(plait_process_is_alive(process) == 0);
        CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
        CHECK(plait_process_exitcode(process) == exitcode);
        CHECK(plait_process_kill(process) == 0);           /* not the other one */
        CHECK(plait_process_free(process) == 0);
    }
    if (lives) CHECK(state_of(other) != 'Z' && kill(other, SIGUSR1) == 0);
    CHECK(test_wait_exit(other) == (lives ? -SIGUSR1 : 42));
}

static int reuse_pids(void *unused)
{
    for (int lives = 0; lives < 2; lives++) {
        expect_beside(lives, return_it, 7, 7);
        expect_beside(lives, die_by, SIGKILL, PLAIT_EREAPED);
    }
    return 0;
}

static void the_pid_may_be_another_childs_meanwhile(void **state)
{
    if (plait__without(PLAIT__WITHOUT_PIDFD)) skip();      /* nothing else tells the two apart */
    const int result = test_wait_exit(test_fork(reuse_pids, NULL));
    if (result == CAN_NOT_CHOOSE) skip();                  /* to choose a pid takes root, and Linux 5.5 */
    assert_int_equal(result, 0);
}

/* ---- in the middle of a queue that is freed then ---- */

static plait_queue *queue;

static void die_in_the_middle(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) raise(SIGKILL);
}

static int put_and_die(void *unused)
{
    plait__point_hook = die_in_the_middle;
    return plait_queue_put(queue, "x", 1, PLAIT_FOREVER);
}

/* What the next owner of the queue's memory writes there: the worst there can be, a queue in which somebody of the dead one's
 * name owns everything. */
static void expect_untouched(struct plait__owned header, uint64_t name)
{
    enum { WORDS = sizeof(plait_queue) / sizeof(uint64_t) + 1024 / sizeof(uint64_t), MOST = 2000 };
    uint64_t *blocks[MOST] = { 0 };
    int count = 0;
    bool same = false;
    while (!same && count < MOST) {
        CHECK(blocks[count] = plait_alloc(WORDS * sizeof(uint64_t)));
        same = (void *)blocks[count++] == (void *)queue;
    }
    if (same) {
        uint64_t *mine = blocks[count - 1];
        for (int i = 0; i < WORDS; i++) mine[i] = name;
        memcpy(mine, &header, sizeof header);
        test_notice_deaths();
        for (int i = sizeof header / sizeof *mine; i < WORDS; i++) CHECK(mine[i] == name);
    }
    while (count) CHECK(plait_free(blocks[--count]) == 0);
}

/* Whether the host ignores its children's statuses, takes them, or leaves them to join: as soon as it knows that the putter is
 * gone it may free the queue. */
static int free_a_queue_after_a_death(void *unused)
{
    enum { IGNORED, TAKEN_AND_JOINED, TAKEN, JOINED, WAYS };
    for (int way = IGNORED; way < WAYS; way++) {
        signal(SIGCHLD, way == IGNORED ? SIG_IGN : SIG_DFL);
        CHECK(queue = plait_queue_new(&(plait_queue_options){ .capacity = 1024 }));
        const struct plait__owned header = queue->owned;
        plait_process *process = plait_start(put_and_die, NULL, 0, NULL);
        CHECK(process);
        if (way == TAKEN || way == TAKEN_AND_JOINED) CHECK(waitpid(-1, NULL, 0) == plait_process_pid(process));
        if (way != TAKEN) CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
        const uint64_t name = plait__owner_in(atomic_load(&queue->tail.word));
        if (way != TAKEN) CHECK(name == 0);                /* join has repaired it */
        if (way == TAKEN) CHECK(name != 0);
        CHECK(plait_queue_free(queue) == 0);
        CHECK(test_slot_of(plait_process_pid(process)) == 0);
        if (name) expect_untouched(header, name);
        CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
        CHECK(plait_process_exitcode(process) == (way == JOINED ? -SIGKILL : PLAIT_EREAPED));
        CHECK(plait_process_free(process) == 0);
    }
    return 0;
}

static void a_queue_may_be_freed_when_its_putter_is_gone(void **state)
{
    if (plait__without(PLAIT__WITHOUT_ROBUST)) skip();     /* there one has to ask the kernel first */
    host_run(free_a_queue_after_a_death, NULL);
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
    cmocka_unit_test(the_pid_may_be_another_childs_meanwhile),
    cmocka_unit_test(a_queue_may_be_freed_when_its_putter_is_gone),
    cmocka_unit_test(a_pool_does_not_need_statuses),
};

TEST_MAIN(tests)
