/* The process that started this one, as its child sees it. */
#include "starts.h"

#include <sys/mman.h>

static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN };

/* ---- who it is ---- */

static int look_at_it(void *argument)
{
    char text[200];
    plait_process *parent = plait_parent_process();
    CHECK(parent && parent == plait_parent_process() && parent != plait_current_process());
    CHECK(strcmp(plait_process_name(parent), argument) == 0 && plait_process_pid(parent) == getppid());
    CHECK(plait_process_is_alive(parent) == 1 && plait_process_exitcode(parent) == PLAIT_ERUNNING);
    CHECK(plait_process_kind(parent) == PLAIT_PROCESSES && plait_process_daemon(parent) == 0);
    CHECK(plait_process_join(parent, PLAIT_NOW) == -ETIMEDOUT && plait_process_join(parent, plait_after(0.01)) == -ETIMEDOUT);
    CHECK_TEXT(plait_error_detail(), "is still running");
    CHECK(plait_process_free(parent) < 0 && plait_process_start(parent) < 0 && plait_process_sentinel(parent) < 0);
    CHECK(plait_process_terminate(parent) < 0 && plait_process_kill(parent) < 0 && plait_process_stream(parent, 0) < 0);
    CHECK(plait_process_repr(parent, text, sizeof text) > 0);
    CHECK_TEXT(text, "started");
    return 3;
}

static int look_in_a_grandchild(void *unused)
{
    char name[64];
    snprintf(name, sizeof name, "%s", plait_process_name(plait_current_process()));
    for (int i = 0; i < 2; i++)
        end_with(plait_start(look_at_it, name, sizeof name, &(plait_process_options){ .method = methods[i] }), 3);
    return 2;
}

static int look_in_children(void *unused)
{
    be_program();
    CHECK(!plait_parent_process());
    for (int i = 0; i < 2; i++) {
        const plait_process_options options = { .method = methods[i] };
        end_with(plait_start(look_at_it, "MainProcess", 12, &options), 3);
        end_with(plait_start(look_in_a_grandchild, NULL, 0, &options), 2);
    }
    CHECK(!plait_parent_process());
    return 0;
}

static void it_has_a_name_and_a_pid(void **state)
{
    host_run(look_in_children, NULL);
}

static void *start_in_thread(void *unused)
{
    for (int i = 0; i < 2; i++) {
        const plait_process_options options = { .method = methods[i] };
        end_with(plait_start(look_at_it, "MainProcess", 12, &options), 3);
    }
    return NULL;
}

static int fork_by_itself(void *unused)
{
    const pid_t pid = fork();
    if (pid == 0) _exit(plait_parent_process() ? 1 : 0);
    CHECK(test_wait_exit(pid) == 0);
    return 3;
}

static int look_from_elsewhere(void *unused)
{
    be_program();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, start_in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    end_with(plait_start(fork_by_itself, NULL, 0, NULL), 3);
    return 0;
}

static void a_thread_starts_and_a_fork_asks(void **state)
{
    host_run(look_from_elsewhere, NULL);
}

/* ---- its end ---- */

struct scene {
    int method, grandchild_lives;
};

static _Atomic int *reached;                               /* shared with forks; spawned children write to the pipe */
static int ends[2];

struct told {
    pid_t pid;
    int joined, code, alive;
};

static void *join_it(void *unused)
{
    return (void *)(intptr_t)plait_process_join(plait_parent_process(), PLAIT_FOREVER);
}

/* Several threads wait, and one pipe is written to when they have seen the end. */
static int outlive_it(void *fd)
{
    pthread_t threads[3];
    struct told told = { .pid = getpid() };
    plait_process *parent = plait_parent_process();
    CHECK(plait_process_is_alive(parent) == 1);
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, join_it, NULL) == 0);
    CHECK(write(*(int *)fd, &told, sizeof told) == sizeof told);
    told.joined = plait_process_join(parent, PLAIT_FOREVER);
    for (int i = 0; i < 3; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && !result);
    }
    told.alive = plait_process_is_alive(parent);
    told.code = plait_process_exitcode(parent);
    CHECK(plait_process_join(parent, PLAIT_NOW) == 0);
    CHECK(write(*(int *)fd, &told, sizeof told) == sizeof told);
    return 0;
}

static int be_parent(void *argument)
{
    const struct scene *scene = argument;
    be_program();
    if (scene->grandchild_lives) test_fork(run_on, NULL);
    CHECK(plait_start(outlive_it, &ends[1], sizeof ends[1], &(plait_process_options){
        .method = scene->method, .detached = 1, .fds = &ends[1], .fd_count = 1 }));
    sleep_for_ever();
}

static void its_end_is_seen(struct scene scene)
{
    struct told told;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    adopt_orphans();
    const pid_t host = test_fork(be_parent, &scene);
    assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(test_wait_exit(host), -SIGKILL);
    assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    assert_int_equal(told.joined, 0);
    assert_int_equal(told.alive, 0);
    assert_int_equal(told.code, PLAIT_EREAPED);
    assert_int_equal(test_wait_exit(told.pid), 0);
    while (waitpid(-1, NULL, 0) > 0) {}
    close(ends[0]);
    close(ends[1]);
}

static void a_detached_child_sees_its_parent_killed(void **state)
{
    its_end_is_seen((struct scene){ PLAIT_FORK, 1 });
    its_end_is_seen((struct scene){ PLAIT_SPAWN, 1 });
}

/* The parent of the one that waits has ended, while another of its children lives on, with copies of all descriptors. */
static int be_grandparent(void *unused)
{
    const int fd = ends[1];
    CHECK(plait_start(outlive_it, &fd, sizeof fd, &(plait_process_options){ .detached = 1 }));
    plait_process *other = plait_start(run_on, NULL, 0, &(plait_process_options){ .detached = 1 });
    reached[1] = plait_process_pid(other);
    while (!reached[0]) sched_yield();
    _exit(4);
}

static void a_grandchild_that_lives_on_does_not_delay_it(void **state)
{
    struct told told;
    reached = test_shared(2 * sizeof *reached);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    adopt_orphans();
    const pid_t host = test_fork(be_grandparent, NULL);
    assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    reached[0] = 1;
    assert_int_equal(test_wait_exit(host), 4);
    assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    assert_int_equal(told.joined, 0);
    assert_int_equal(test_wait_exit(told.pid), 0);
    assert_int_equal(kill(reached[1], SIGKILL), 0);
    assert_int_equal(test_wait_exit(reached[1]), -SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

/* ---- a child that closes all that it does not know ---- */

static long cpu_milliseconds(void)
{
    struct timespec spent;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0);
    return spent.tv_sec * 1000 + spent.tv_nsec / 1000000;
}

/* It is stopped and goes on: whoever watches looks at the descriptor once more. */
static int close_and_wait(void *others)
{
    plait_process *parent = plait_parent_process();
    close_all(others);
    CHECK(kill(getpid(), SIGSTOP) == 0);
    const long before = cpu_milliseconds();
    CHECK(plait_process_join(parent, plait_after(0.1)) == -ETIMEDOUT && plait_process_is_alive(parent) == 1);
    close_all(others);
    CHECK(plait_process_join(parent, plait_after(0.5)) == -ETIMEDOUT && plait_process_is_alive(parent) == 1);
    CHECK(cpu_milliseconds() - before < 300);
    return 3;
}

static void *start_those_that_close(void *unused)
{
    for (int others = 0; others < 2; others++) {
        siginfo_t info;
        plait_process *process = plait_start(close_and_wait, others ? &reached : NULL, 0, NULL);
        CHECK(process && waitid(P_PID, (id_t)plait_process_pid(process), &info, WSTOPPED | WNOWAIT) == 0);
        CHECK(kill(plait_process_pid(process), SIGCONT) == 0);
        end_with(process, 3);
    }
    return NULL;
}

static int start_some_that_close(void *unused)
{
    be_program();
    start_those_that_close(NULL);
    CHECK(pthread_join(thread_start(start_those_that_close, NULL), NULL) == 0);
    return 0;
}

static void closing_its_descriptor_ends_nobody(void **state)
{
    host_run(start_some_that_close, NULL);
}

static int close_and_tell(void *others)
{
    close_all(others);
    reached[0] = getpid();
    sleep_for_ever();
}

static void *start_one_that_closes(void *others)
{
    CHECK(plait_start(close_and_tell, others, 0, NULL));
    sleep_for_ever();
}

static int have_a_thread_start_it(void *others)
{
    be_program();
    thread_start(start_one_that_closes, others);
    sleep_for_ever();
}

static void nor_does_it_save_it_from_ending_with_its_parent(void **state)
{
    adopt_orphans();
    for (int others = 0; others < 2; others++) {
        reached = test_shared(sizeof *reached);
        const pid_t host = test_fork(have_a_thread_start_it, others ? &reached : NULL);
        test_until(is_set, reached);
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(test_wait_exit(host), -SIGKILL);
        assert_int_equal(test_wait_exit(reached[0]), -SIGKILL);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(closing_its_descriptor_ends_nobody),
    cmocka_unit_test(nor_does_it_save_it_from_ending_with_its_parent),
    cmocka_unit_test(it_has_a_name_and_a_pid),
    cmocka_unit_test(a_thread_starts_and_a_fork_asks),
    cmocka_unit_test(a_detached_child_sees_its_parent_killed),
    cmocka_unit_test(a_grandchild_that_lives_on_does_not_delay_it),
};
TEST_MAIN(tests)
