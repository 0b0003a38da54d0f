/* The beginning and the end of pools: what they are made of, what they leave behind, and what forks of their owner may do. */
#include "tasks.h"

#include <sys/mman.h>

#include "arena/heap.h"
#include "pool/board.h"

/* ---- making ---- */

static void expect_refusal(const plait_pool_options *options, const char *detail)
{
    const size_t blocks = plait__heap_count(0);
    errno = 0;
    assert_null(plait_pool_new(options));
    assert_int_equal(errno, EINVAL);
    assert_string_equal(plait_error_detail(), detail);
    assert_int_equal(plait__heap_count(0), blocks);
}

static void wrong_options_are_refused(void **state)
{
    expect_refusal(&(plait_pool_options){ .kind = 2 }, "no pools of kind 2");
    expect_refusal(&(plait_pool_options){ .kind = -1 }, "no pools of kind -1");
    expect_refusal(&(plait_pool_options){ .workers = -1 }, "-1 workers; 0 to 1024 are possible");
    expect_refusal(&(plait_pool_options){ .workers = 1025 }, "1025 workers; 0 to 1024 are possible");
    for (int i = 0; i < 6; i++) {
        plait_pool_options options = { 0 };
        options.reserved[i] = 1;
        expect_refusal(&options, "a reserved field is not zero");
    }
}

static void without_a_pool_everything_is_EINVAL(void **state)
{
    assert_int_equal(plait_pool_workers(NULL), -EINVAL);
    assert_int_equal(plait_pool_worker_pid(NULL, 0), -EINVAL);
    plait_pool_free(NULL);
}

static void workers_are_numbered_from_0(void **state)
{
    plait_pool *pool = new_pool(3);
    assert_int_equal(plait_pool_workers(pool), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(getpgid(plait_pool_worker_pid(pool, i)), getpgid(0));
        for (int j = 0; j < i; j++) assert_int_not_equal(plait_pool_worker_pid(pool, i), plait_pool_worker_pid(pool, j));
    }
    assert_int_equal(plait_pool_worker_pid(pool, -1), -EINVAL);
    assert_int_equal(plait_pool_worker_pid(pool, 3), -EINVAL);
    assert_string_equal(plait_error_detail(), "there is no worker 3");
    plait_pool_free(pool);
}

static void an_inline_pool_has_one_worker_and_no_process(void **state)
{
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .kind = PLAIT_INLINE, .workers = 7 });
    assert_non_null(pool);
    assert_int_equal(plait_pool_workers(pool), 1);
    assert_int_equal(plait_pool_worker_pid(pool, 0), 0);
    assert_int_equal(plait_pool_worker_pid(pool, 1), -EINVAL);
    assert_true(has_no_child());
    plait_pool_free(pool);
}

static int restrict_to(void *count)
{
    cpu_set_t all, some;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    CPU_ZERO(&some);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < *(int *)count; cpu++)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &some);
    CHECK(sched_setaffinity(0, sizeof some, &some) == 0);
    plait_pool *pool = plait_pool_new(NULL);
    CHECK(pool);
    CHECK(plait_pool_workers(pool) == CPU_COUNT(&some));
    expect_squares(pool, 100);
    plait_pool_free(pool);
    return 0;
}

static void there_are_as_many_workers_as_cpus_unless_told(void **state)
{
    host_run(restrict_to, &(int){ 1 });
    host_run(restrict_to, &(int){ 2 });
    host_run(restrict_to, &(int){ CPU_SETSIZE });
}

static void sixty_four_workers_are_possible(void **state)
{
    plait_pool *pool = new_pool(64);
    assert_int_equal(plait_pool_workers(pool), 64);
    expect_squares_with(pool, 1000, &(plait_map_options){ .chunk = 1 });
    expect_squares(pool, 10000);
    plait_pool_free(pool);
}

static int tell_comm(const void *in, void *out, void *context)
{
    return prctl(PR_GET_NAME, out);
}

static int look_at_names(void *unused)
{
    char names[20][16];
    plait_pool *pool = new_pool(1);
    CHECK(plait_pool_map(pool, tell_comm, NULL, 0, names, sizeof names[0], 2, NULL) == 0);
    CHECK(strcmp(names[0], "PoolWorker-1") == 0 && strcmp(names[1], "PoolWorker-1") == 0);
    kill(plait_pool_worker_pid(pool, 0), SIGKILL);
    test_until(is_zombie, &(pid_t){ plait_pool_worker_pid(pool, 0) });
    CHECK(plait_pool_map(pool, tell_comm, NULL, 0, names, sizeof names[0], 1, NULL) == 0);
    CHECK(strcmp(names[0], "PoolWorker-2") == 0);
    plait_pool_free(pool);
    char name[] = "Squares";
    pool = plait_pool_new(&(plait_pool_options){ .workers = 1, .name = name });
    CHECK(pool);
    memset(name, 'x', sizeof name - 1);
    kill(plait_pool_worker_pid(pool, 0), SIGKILL);
    test_until(is_zombie, &(pid_t){ plait_pool_worker_pid(pool, 0) });
    CHECK(plait_pool_map(pool, tell_comm, NULL, 0, names, sizeof names[0], 1, NULL) == 0);
    CHECK(strcmp(names[0], "Squares-4") == 0);
    plait_pool_free(pool);
    return 0;
}

static void workers_are_called_PoolWorker_or_as_told(void **state)
{
    host_run(look_at_names, NULL);
}

static int global = 1;

static int tell_global(const void *in, void *out, void *context)
{
    *(int *)out = global;
    return 0;
}

static void workers_have_the_globals_of_the_moment_of_their_start(void **state)
{
    int seen;
    global = 2;
    plait_pool *pool = new_pool(1);
    global = 3;
    assert_int_equal(plait_pool_map(pool, tell_global, NULL, 0, &seen, sizeof seen, 1, NULL), 0);
    assert_int_equal(seen, 2);
    plait_pool_free(pool);
}

/* ---- what is left ---- */

static void a_pool_leaves_nothing_behind(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const size_t blocks = plait__heap_count(0);
    const int fds = open_fds(), members = plait_member_count();
    for (int round = 0; round < 20; round++) {
        plait_pool *pool = new_pool(round % 4 + 1);
        if (round % 2) expect_squares(pool, 100);
        plait_pool_free(pool);
        assert_int_equal(plait__heap_count(0), blocks);
        assert_int_equal(open_fds(), fds);
        assert_int_equal(plait_member_count(), members);
        assert_true(has_no_child());
    }
}

static void a_pool_may_be_freed_right_after_it_was_made(void **state)
{
    for (int i = 0; i < 50; i++) plait_pool_free(new_pool(2));
}

static void a_killed_worker_does_not_disturb_the_end(void **state)
{
    plait_pool *pool = new_pool(3);
    expect_squares(pool, 100);
    kill(plait_pool_worker_pid(pool, 1), SIGKILL);
    plait_pool_free(pool);
}

static void a_stopped_worker_does_not_disturb_the_end(void **state)
{
    plait_pool *pool = new_pool(3);
    expect_squares(pool, 100);
    const pid_t pid = plait_pool_worker_pid(pool, 1);
    kill(pid, SIGSTOP);
    test_until(has_stopped, &(pid_t){ pid });
    plait_pool_free(pool);
    assert_true(is_gone(&(pid_t){ pid }));
}

/* ---- text ---- */

static int print_number(const void *in, void *out, void *context)
{
    printf("%d;", *(const int *)in);
    return 0;
}

static int print_in_tasks(void *file)
{
    static char buffer[65536];
    CHECK(dup2(*(int *)file, STDOUT_FILENO) == STDOUT_FILENO);
    CHECK(setvbuf(stdout, buffer, _IOFBF, sizeof buffer) == 0);
    int in[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    printf("1000;");
    plait_pool *pool = new_pool(3);
    printf("1001;");
    CHECK(plait_pool_map(pool, print_number, in, sizeof in[0], NULL, 0, 100, NULL) == 0);
    printf("1002;");
    plait_pool_free(pool);
    CHECK(lseek(STDOUT_FILENO, 0, SEEK_CUR) >= 100 * 2);   /* it is there now */
    printf("1003;");
    exit(0);
}

static void text_that_tasks_print_appears_once(void **state)
{
    char text[4096] = "";
    int file = memfd_create("stdout", MFD_CLOEXEC), counts[1004] = { 0 };
    host_run(print_in_tasks, &file);
    assert_true(pread(file, text, sizeof text - 1, 0) > 0);
    close(file);
    for (char *number = strtok(text, ";"); number; number = strtok(NULL, ";")) counts[atoi(number)]++;
    for (int i = 0; i < 1004; i++) assert_int_equal(counts[i], i < 100 || i >= 1000);
}

/* ---- forks of the owner ---- */

static int use_in_a_fork(void *pool)
{
    CHECK(plait_pool_map(pool, do_nothing, NULL, 0, NULL, 0, 1, NULL) == -EINVAL);
    CHECK(strstr(plait_error_detail(), "the pool belongs to process"));
    CHECK(plait_pool_workers(pool) == 2);
    plait_pool_free(pool);
    plait_pool *own = new_pool(1);
    expect_squares(own, 100);
    plait_pool_free(own);
    return 0;
}

static void a_fork_of_the_owner_can_not_use_its_pool(void **state)
{
    plait_pool *pool = new_pool(2);
    const size_t blocks = plait__heap_count(0);
    host_run(use_in_a_fork, pool);
    assert_int_equal(plait__heap_count(0), blocks);
    plait_process *process = plait_start(use_in_a_fork, pool, 0, NULL);
    assert_non_null(process);
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(process), 0);
    plait_process_free(process);
    expect_squares(pool, 100);
    plait_pool_free(pool);
}

static struct held {
    plait_pool *pool;
    _Atomic int held, go;
} held;

static void *hold_the_pool(void *unused)
{
    pthread_mutex_lock(&held.pool->tending);
    held.held = 1;
    test_until(is_set, &held.go);
    pthread_mutex_unlock(&held.pool->tending);
    return NULL;
}

static int ask_in_a_fork(void *pool)
{
    CHECK(plait_pool_worker_pid(pool, 0) == -EINVAL);
    plait_pool_free(pool);
    return 0;
}

/* The lock that some thread had stays locked in the fork. */
static void a_fork_of_the_owner_does_not_wait_for_its_threads(void **state)
{
    held.pool = new_pool(1);
    pthread_t thread = thread_start(hold_the_pool, NULL);
    test_until(is_set, &held.held);
    host_run(ask_in_a_fork, held.pool);
    held.go = 1;
    thread_end(thread);
    plait_pool_free(held.pool);
}

/* ---- what tasks may do ---- */

static int return_7(void *unused)
{
    return 7;
}

static int start_a_process(const void *in, void *out, void *context)
{
    plait_process *process = plait_start(return_7, NULL, 0, NULL);
    CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
    *(int *)out = plait_process_exitcode(process);
    return plait_process_free(process);
}

static int use_a_pool(const void *in, void *out, void *context)
{
    plait_pool *own = new_pool(2);
    expect_squares(own, 100);
    plait_pool_free(own);
    *(int *)out = 7;
    return 0;
}

static int leave_the_family(const void *in, void *out, void *context)
{
    plait_leave();
    *(int *)out = 7;
    return 0;
}

static void expect_sevens(plait_task task)
{
    plait_pool *pool = new_pool(2);
    for (int round = 0; round < 5; round++) {
        int out[6] = { 0 };
        assert_int_equal(plait_pool_map(pool, task, NULL, 0, out, sizeof out[0], 6, NULL), 0);
        for (int i = 0; i < 6; i++) assert_int_equal(out[i], 7);
    }
    plait_pool_free(pool);
}

static void a_task_may_start_processes(void **state)
{
    expect_sevens(start_a_process);
}

static void a_task_may_use_a_pool_of_its_own(void **state)
{
    expect_sevens(use_a_pool);
}

static void a_task_may_leave_the_family(void **state)
{
    expect_sevens(leave_the_family);
}

/* ---- the end of the owner ---- */

enum { WORKERS = 4 };

static struct notes {
    _Atomic int running;
    pid_t pids[WORKERS];
} *notes;

static int run_for_ever(const void *in, void *out, void *context)
{
    notes->running++;
    sleep_for_ever();
}

static void *map_for_ever(void *pool)
{
    CHECK(plait_pool_map(pool, run_for_ever, NULL, 0, NULL, 0, WORKERS, NULL) == 0);
    return NULL;
}

static void *make_pool_and_map(void *unused)
{
    plait_pool *pool = new_pool(WORKERS);
    for (int i = 0; i < WORKERS; i++) notes->pids[i] = plait_pool_worker_pid(pool, i);
    return map_for_ever(pool);
}

static int own_a_pool(void *in_a_thread)
{
    if (in_a_thread) thread_end(thread_start(make_pool_and_map, NULL));
    make_pool_and_map(NULL);
    return 0;
}

static bool all_run(void *unused)
{
    return notes->running == WORKERS;
}

static void expect_end_with_owner(void *in_a_thread)
{
    notes = test_shared(sizeof *notes);
    adopt_orphans();
    const pid_t owner = test_fork(own_a_pool, in_a_thread);
    test_until(all_run, NULL);
    const double since = seconds_now();
    assert_int_equal(kill(owner, SIGKILL), 0);
    assert_int_equal(test_wait_exit(owner), -SIGKILL);
    orphans_must_end(notes->pids, WORKERS, since);
}

static void workers_end_when_their_owner_is_killed_in_the_middle_of_a_map(void **state)
{
    expect_end_with_owner(NULL);
    expect_end_with_owner("in a thread");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(wrong_options_are_refused),
    cmocka_unit_test(without_a_pool_everything_is_EINVAL),
    cmocka_unit_test(workers_are_numbered_from_0),
    cmocka_unit_test(an_inline_pool_has_one_worker_and_no_process),
    cmocka_unit_test(there_are_as_many_workers_as_cpus_unless_told),
    cmocka_unit_test(sixty_four_workers_are_possible),
    cmocka_unit_test(workers_are_called_PoolWorker_or_as_told),
    cmocka_unit_test(workers_have_the_globals_of_the_moment_of_their_start),
    cmocka_unit_test(a_pool_leaves_nothing_behind),
    cmocka_unit_test(a_pool_may_be_freed_right_after_it_was_made),
    cmocka_unit_test(a_killed_worker_does_not_disturb_the_end),
    cmocka_unit_test(a_stopped_worker_does_not_disturb_the_end),
    cmocka_unit_test(text_that_tasks_print_appears_once),
    cmocka_unit_test(a_fork_of_the_owner_can_not_use_its_pool),
    cmocka_unit_test(a_fork_of_the_owner_does_not_wait_for_its_threads),
    cmocka_unit_test(a_task_may_start_processes),
    cmocka_unit_test(a_task_may_use_a_pool_of_its_own),
    cmocka_unit_test(a_task_may_leave_the_family),
    cmocka_unit_test(workers_end_when_their_owner_is_killed_in_the_middle_of_a_map),
};

TEST_MAIN(tests)
