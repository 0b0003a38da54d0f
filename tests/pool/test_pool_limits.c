/* Pools when the host may have no more processes, descriptors or shared memory: they do with what there is, or say what is
 * missing; never do they hang.  Each test runs in a host, with an arena of its own. */
#include "tasks.h"

#include "arena/heap.h"
#include "base/fault.h"

static _Atomic int *attempts;

static int square_but_one_kills_once(const void *in, void *out, void *context)
{
    if (*(const int *)in == 7 && (*attempts)++ == 0) raise(SIGKILL);
    return square(in, out, context);
}

static int kill_worker(const void *in, void *out, void *context)
{
    return raise(SIGKILL);
}

/* Tasks 0 to 19, each in a chunk of its own. */
static int map_twenty(plait_pool *pool, plait_task task)
{
    int in[20], out[20] = { 0 };
    for (int i = 0; i < 20; i++) in[i] = i;
    const plait_map_options options = { .chunk = 1 };
    const int result = plait_pool_map(pool, task, in, sizeof in[0], out, sizeof out[0], 20, &options);
    for (int i = 0; result == 0 && i < 20; i++) CHECK(out[i] == i * i);
    return result;
}

/* ---- processes ---- */

static int go_on_with_the_rest(void *unused)
{
    attempts = test_shared(sizeof *attempts);
    drop_root();
    plait_pool *pool = new_pool(3);
    expect_squares(pool, 100);
    forbid_processes(true);
    CHECK(map_twenty(pool, square_but_one_kills_once) == 0);
    CHECK(*attempts == 2);
    for (int i = 0; i < 10; i++) expect_squares(pool, 100);
    int missing = 0;
    for (int i = 0; i < 3; i++) missing += plait_pool_worker_pid(pool, i) == 0;
    CHECK(missing == 1);
    forbid_processes(false);
    expect_squares(pool, 100);
    for (int i = 0; i < 3; i++) CHECK(plait_pool_worker_pid(pool, i) > 0);
    plait_pool_free(pool);
    CHECK(has_no_child());
    return 0;
}

static void a_pool_goes_on_with_the_rest_if_a_worker_can_not_be_replaced(void **state)
{
    host_run(go_on_with_the_rest, NULL);
}

static int lose_all_workers(void *unused)
{
    drop_root();
    plait_pool *pool = new_pool(3);
    const size_t blocks = plait__heap_count(0);
    expect_squares(pool, 100);
    forbid_processes(true);
    CHECK(map_twenty(pool, kill_worker) == -EAGAIN);
    CHECK(strstr(plait_error_detail(), "RLIMIT_NPROC"));
    CHECK(map_twenty(pool, square) == -EAGAIN);
    for (int i = 0; i < 3; i++) CHECK(plait_pool_worker_pid(pool, i) == 0);
    CHECK(plait__heap_count(0) <= blocks);
    forbid_processes(false);
    CHECK(map_twenty(pool, square) == 0);
    plait_pool_free(pool);
    CHECK(has_no_child());
    return 0;
}

static void with_no_worker_left_a_map_returns_the_error_of_fork(void **state)
{
    host_run(lose_all_workers, NULL);
}

static int free_a_pool_without_workers(void *unused)
{
    drop_root();
    plait_pool *pool = new_pool(2);
    expect_squares(pool, 100);
    forbid_processes(true);
    CHECK(map_twenty(pool, kill_worker) == -EAGAIN);
    plait_pool_free(pool);
    CHECK(has_no_child());
    CHECK(plait__heap_count(0) == 0);
    return 0;
}

static void a_pool_without_workers_can_be_freed(void **state)
{
    host_run(free_a_pool_without_workers, NULL);
}

static int make_half_a_pool(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    drop_root();
    const int fds = open_fds();
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
    limit.rlim_cur = 4;                                    /* with luck, three workers can be started */
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    CHECK(!plait_pool_new(&(plait_pool_options){ .workers = 10 }) && errno == EAGAIN);
    CHECK(strstr(plait_error_detail(), "RLIMIT_NPROC"));
    CHECK(has_no_child());
    CHECK(open_fds() == fds);
    CHECK(plait__heap_count(0) == 0);
    forbid_processes(false);
    plait_pool *pool = new_pool(10);
    expect_squares(pool, 100);
    plait_pool_free(pool);
    return 0;
}

static void a_pool_that_can_not_have_all_workers_leaves_nothing_behind(void **state)
{
    host_run(make_half_a_pool, NULL);
}

/* ---- descriptors ---- */

static int make_a_pool_without_descriptors(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 30;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int fds = open_fds();
    CHECK(!plait_pool_new(&(plait_pool_options){ .workers = 40 }) && errno == EMFILE);
    CHECK(open_fds() == fds);
    CHECK(has_no_child());
    CHECK(plait__heap_count(0) == 0);
    plait_pool *pool = new_pool(5);
    CHECK(plait_pool_map(pool, kill_worker, NULL, 0, NULL, 0, 40, NULL) == PLAIT_EWORKERDIED);
    expect_squares(pool, 100);
    plait_pool_free(pool);
    CHECK(open_fds() == fds);
    return 0;
}

static void without_descriptors_a_pool_is_EMFILE(void **state)
{
    host_run(make_a_pool_without_descriptors, NULL);
}

/* ---- shared memory ---- */

static int map_in_a_small_arena(void *unused)
{
    plait__test_arena_size = 32 << 20;
    plait_pool *pool = new_pool(2);
    const size_t blocks = plait__heap_count(0), size = 64 << 20;
    char *in = calloc(1, size);
    CHECK(in);
    CHECK(plait_pool_map(pool, do_nothing, in, size / 8, NULL, 0, 8, NULL) == -ENOMEM);
    CHECK(strstr(plait_error_detail(), "for a map of 8 tasks"));
    CHECK(plait_pool_map(pool, do_nothing, in, 1 << 20, in, size / 8, 8, NULL) == -ENOMEM);
    CHECK(plait_pool_map(pool, do_nothing, NULL, 0, NULL, 0, 8,
                         &(plait_map_options){ .context = in, .context_size = size }) == -ENOMEM);
    CHECK(plait__heap_count(0) == blocks);
    expect_squares(pool, 1000);
    free(in);
    plait_pool_free(pool);
    return 0;
}

static void a_map_that_does_not_fit_the_arena_is_ENOMEM(void **state)
{
    host_run(map_in_a_small_arena, NULL);
}

static int make_pools_in_a_full_arena(void *unused)
{
    enum { MOST = 10000 };
    static void *blocks[MOST];
    int count = 0;
    plait__test_arena_size = 16 << 20;
    for (size_t size = 1 << 20; size >= 8; size /= 2)
        while (count < MOST && (blocks[count] = plait_alloc(size))) count++;
    CHECK(count < MOST);
    CHECK(!plait_pool_new(NULL) && errno == ENOMEM);
    CHECK(has_no_child());
    for (int i = 0; i < count; i++) CHECK(plait_free(blocks[i]) == 0);
    plait_pool *pool = new_pool(2);
    expect_squares(pool, 100);
    plait_pool_free(pool);
    CHECK(plait__heap_count(0) == 0);
    return 0;
}

static void a_pool_in_a_full_arena_is_ENOMEM(void **state)
{
    host_run(make_pools_in_a_full_arena, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_pool_goes_on_with_the_rest_if_a_worker_can_not_be_replaced),
    cmocka_unit_test(with_no_worker_left_a_map_returns_the_error_of_fork),
    cmocka_unit_test(a_pool_without_workers_can_be_freed),
    cmocka_unit_test(a_pool_that_can_not_have_all_workers_leaves_nothing_behind),
    cmocka_unit_test(without_descriptors_a_pool_is_EMFILE),
    cmocka_unit_test(a_map_that_does_not_fit_the_arena_is_ENOMEM),
    cmocka_unit_test(a_pool_in_a_full_arena_is_ENOMEM),
};

TEST_MAIN(tests)
