/* Programs that do what programs do, with plait as their guest: fork and both go on, begin anew by exec, become daemons, close all
 * descriptors. */
#include "everything.h"

#include <sys/stat.h>

#include "arena/map.h"

/* --- fork, exec, daemons --------------------------------------------------------------------------------------------- */

static int fork_and_go_on(void *unused)
{
    struct shared *shared = new_shared();
    plait_process *process = start(add_ones, shared);
    plait_pool *pool = new_pool();
    use_pool(pool);
    const pid_t child = test_fork(use_everything, NULL);
    use_a_queue(shared);
    use_pool(pool);
    CHECK(test_wait_exit(child) == 0);
    use_pool(pool);
    plait_pool_free(pool);
    CHECK(plait_queue_close(shared->requests) == 0);
    end(process, 7);
    free_shared(shared);
    return use_everything(NULL);
}

static void one_forks_and_both_go_on(void **state)
{
    host_run(fork_and_go_on, NULL);
}

/* A fork's copies of our objects: to look at them is refused, to free them frees the copy, and the processes do not notice. */
static int use_copies(void *argument)
{
    plait_process *process = ((void **)argument)[0];
    plait_pool *pool = ((void **)argument)[1];
    CHECK(plait_process_join(process, PLAIT_FOREVER) == -ECHILD && plait_process_kill(process) == -ECHILD);
    CHECK(plait_pool_map(pool, twice, NULL, 0, NULL, 0, 1, NULL) == -EINVAL);
    plait_pool_free(pool);
    CHECK(plait_process_free(process) == 0);
    return use_everything(NULL);
}

static int fork_with_objects(void *unused)
{
    struct shared *shared = new_shared();
    void *objects[2] = { start(add_ones, shared), new_pool() };
    CHECK(test_wait_exit(test_fork(use_copies, objects)) == 0);
    use_a_queue(shared);
    use_pool(objects[1]);
    plait_pool_free(objects[1]);
    CHECK(plait_queue_close(shared->requests) == 0);
    end(objects[0], 7);
    free_shared(shared);
    return 0;
}

static void a_fork_may_free_its_copies(void **state)
{
    host_run(fork_with_objects, NULL);
}

static bool has_an_arena_open(void)
{
    char path[64], link[64];
    for (int fd = 0; fd < 1000; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        const ssize_t size = readlink(path, link, sizeof link - 1);
        link[size > 0 ? size : 0] = 0;
        if (strncmp(link, "/memfd:plait", strlen("/memfd:plait")) == 0) return true;
    }
    return false;
}

static void a_program_begins_with_nothing(void **state)
{
    assert_null(plait__arena);
    assert_false(has_an_arena_open());
    assert_int_equal(use_everything(NULL), 0);
}

static int begin_anew(void *unused)
{
    CHECK(use_everything(NULL) == 0 && has_an_arena_open());
    const int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(dup2(quiet, STDOUT_FILENO) == STDOUT_FILENO);
    execl("/proc/self/exe", "again", "a_program_begins_with_nothing", NULL);
    return 1;
}

static void after_exec_it_begins_anew(void **state)
{
    host_run(begin_anew, NULL);
}

static _Atomic int *daemon_result;

/* As daemons do it: nobody's child, no terminal, no descriptors, in the root of the file system. */
static int become_a_daemon(void *unused)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child) return 0;
    CHECK(setsid() > 0);
    const pid_t middle = getpid(), grandchild = fork();
    CHECK(grandchild >= 0);
    if (grandchild) _exit(0);
    while (getppid() == middle) sched_yield();
    prctl(PR_SET_PDEATHSIG, SIGKILL);                      /* of whoever adopted it: the test */
    CHECK(chdir("/") == 0);
    umask(0);
    for (int fd = 0; fd < 1000; fd++) close(fd);
    CHECK(open("/dev/null", O_RDWR) == 0 && dup(0) == 1 && dup(0) == 2);
    atomic_store(daemon_result, use_everything(NULL) == 0 ? 1 : 2);
    _exit(0);
}

static int use_and_become_a_daemon(void *unused)
{
    CHECK(use_everything(NULL) == 0);
    return become_a_daemon(NULL);
}

static void run_daemon(int (*body)(void *unused))
{
    adopt_orphans();
    daemon_result = test_shared(sizeof *daemon_result);
    host_run(body, NULL);
    while (waitpid(-1, NULL, 0) > 0) {}
    assert_int_equal(atomic_load(daemon_result), 1);
}

static void a_daemon(void **state) { run_daemon(become_a_daemon); }
static void a_daemon_that_used_plait_before(void **state) { run_daemon(use_and_become_a_daemon); }

/* --- descriptors ----------------------------------------------------------------------------------------------------- */

static void close_all_from_3(void)
{
    for (int fd = 3; fd < 1000; fd++) close(fd);
}

static int close_all_and_go_on(void *unused)
{
    struct shared *shared = new_shared();
    close_all_from_3();
    plait_process *process = start(add_ones, shared);
    use_a_queue(shared);
    CHECK(plait_queue_close(shared->requests) == 0);
    end(process, 7);
    free_shared(shared);
    return use_everything(NULL);
}

static void all_descriptors_may_be_closed(void **state)
{
    host_run(close_all_and_go_on, NULL);
}

/* They may even be those by which processes are watched, and belong to somebody else since. */
static void open_others(const char *path, int fds[20])
{
    for (int i = 0; i < 20; i++) CHECK((fds[i] = open(path, O_RDONLY | O_CLOEXEC)) >= 3);
}

static void others_must_be_open(const int fds[20])
{
    for (int i = 0; i < 20; i++) CHECK(is_open(fds[i]));
}

static int close_all_with_objects(void *take_their_place)
{
    int fds[20];
    struct shared *shared = new_shared();
    plait_process *process = start(add_ones, shared), *victim = start(sleep_on, NULL);
    plait_pool *pool = new_pool();
    use_pool(pool);
    close_all_from_3();
    if (take_their_place) open_others(take_their_place, fds);
    CHECK(plait_process_join(process, plait_after(0.01)) == -ETIMEDOUT && plait_process_is_alive(process) == 1);
    CHECK(plait_process_kill(victim) == 0);
    end(victim, -SIGKILL);
    use_a_queue(shared);
    lose_a_worker(pool);
    CHECK(plait_queue_close(shared->requests) == 0);
    end(process, 7);
    plait_pool_free(pool);
    free_shared(shared);
    if (take_their_place) others_must_be_open(fds);
    CHECK(has_no_child());
    return 0;
}

static void those_of_running_processes_too(void **state)
{
    host_run(close_all_with_objects, NULL);
}

static void and_be_used_for_files(void **state)
{
    host_run(close_all_with_objects, (void *)"/dev/null");
}

static int run_out_and_recover(void *unused)
{
    struct rlimit limit, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
    close_all_from_3();
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(plait_init(NULL, NULL) == PLAIT_ENOARENA && strstr(plait_error_detail(), "Too many open files"));
    CHECK(!plait_queue_new(NULL) && errno == -PLAIT_ENOARENA);
    CHECK(!plait_pool_new(NULL) && errno == -PLAIT_ENOARENA);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return use_everything(NULL);
}

static void it_begins_when_there_are_descriptors_again(void **state)
{
    host_run(run_out_and_recover, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_forks_and_both_go_on),
    cmocka_unit_test(a_fork_may_free_its_copies),
    cmocka_unit_test(a_program_begins_with_nothing),
    cmocka_unit_test(after_exec_it_begins_anew),
    cmocka_unit_test(a_daemon),
    cmocka_unit_test(a_daemon_that_used_plait_before),
    cmocka_unit_test(all_descriptors_may_be_closed),
    cmocka_unit_test(those_of_running_processes_too),
    cmocka_unit_test(and_be_used_for_files),
    cmocka_unit_test(it_begins_when_there_are_descriptors_again),
};
TEST_MAIN(tests)
