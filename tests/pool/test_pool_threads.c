/* Several maps in one pool: side by side from several threads, and many one after the other. */
#include "tasks.h"

#include "arena/heap.h"
#include "pool/board.h"

static int cube(const void *in, void *out, void *context)
{
    const int x = *(const int *)in;
    *(int *)out = x * x * x;
    return 0;
}

static int add(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + *(const int *)context;
    return 0;
}

static int fail_above(const void *in, void *out, void *context)
{
    *(int *)out = 1;
    return *(const int *)in > *(const int *)context ? *(const int *)in : 0;
}

/* ---- side by side ---- */

enum { N = 500 };

static plait_pool *pool;

static void map(plait_task task, int context, int result, int *out)
{
    int in[N];
    for (int i = 0; i < N; i++) in[i] = i;
    const plait_map_options options = { .context = &context, .context_size = sizeof context, .chunk = (size_t)context % 40 };
    CHECK(plait_pool_map(pool, task, in, sizeof in[0], out, sizeof out[0], N, &options) == result);
}

static void *map_cubes(void *unused)
{
    int out[N];
    for (int round = 0; round < 50; round++) {
        map(cube, round, 0, out);
        for (int i = 0; i < N; i++) CHECK(out[i] == i * i * i);
    }
    return NULL;
}

static void *map_sums(void *unused)
{
    int out[N];
    for (int round = 0; round < 50; round++) {
        map(add, round, 0, out);
        for (int i = 0; i < N; i++) CHECK(out[i] == i + round);
    }
    return NULL;
}

static void *map_failures(void *unused)
{
    int out[N];
    for (int round = 0; round < 50; round++) map(fail_above, round, round + 1, out);
    return NULL;
}

static void *map_squares(void *unused)
{
    for (int round = 0; round < 50; round++) expect_squares(pool, N);
    return NULL;
}

static void map_from_four_threads(void)
{
    void *(*const bodies[])(void *) = { map_cubes, map_sums, map_failures, map_squares };
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = thread_start(bodies[i], NULL);
    for (int i = 0; i < 4; i++) thread_end(threads[i]);
}

static void four_threads_map_different_functions_side_by_side(void **state)
{
    for (int workers = 1; workers <= 4; workers++) {
        pool = new_pool(workers);
        map_from_four_threads();
        plait_pool_free(pool);
    }
}

static void threads_may_map_inline_side_by_side(void **state)
{
    pool = plait_pool_new(&(plait_pool_options){ .kind = PLAIT_INLINE });
    assert_non_null(pool);
    map_from_four_threads();
    plait_pool_free(pool);
}

static void two_pools_do_not_disturb_each_other(void **state)
{
    plait_pool *other = new_pool(2);
    pool = new_pool(2);
    pthread_t thread = thread_start(map_cubes, NULL);
    for (int i = 0; i < 50; i++) expect_squares(other, N);
    thread_end(thread);
    plait_pool_free(pool);
    expect_squares(other, N);
    plait_pool_free(other);
}

/* ---- one after the other ---- */

static void two_thousand_maps_run_one_after_the_other(void **state)
{
    pool = new_pool(2);
    expect_squares(pool, 10);
    const size_t blocks = plait__heap_count(0);
    const int fds = open_fds();
    const int pids[] = { plait_pool_worker_pid(pool, 0), plait_pool_worker_pid(pool, 1) };
    for (int i = 0; i < 2000; i++) expect_squares(pool, i % 50 + 1);
    assert_true(plait__heap_count(0) <= blocks + 2);       /* a worker may still look at the last job */
    assert_int_equal(open_fds(), fds);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_pool_worker_pid(pool, i), pids[i]);
    plait_pool_free(pool);
}

/* ---- too many at a time ---- */

enum { MOST = 64 };

static struct gate {
    _Atomic int waiting, open;
} *gate;

static int wait_at_the_gate(const void *in, void *out, void *context)
{
    gate->waiting++;
    test_until(is_set, &gate->open);
    return 0;
}

static _Atomic int succeeded;

static void *map_at_the_gate(void *unused)
{
    if (plait_pool_map(pool, wait_at_the_gate, NULL, 0, NULL, 0, 1, NULL) == 0) succeeded++;
    return NULL;
}

static bool all_places_are_taken(void *unused)
{
    int taken = 0;
    for (unsigned i = 0; i < PLAIT__JOBS_MAX; i++) taken += pool->board->jobs[i] != NULL;
    return taken == MOST;
}

static bool so_many_queue(void *count)
{
    return pool->board->queuing == *(uint32_t *)count;
}

/* One worker, so that the first map holds up all others: each of them still takes a place. */
static void more_than_64_maps_wait_for_a_place(void **state)
{
    enum { ALL = MOST + 6 };
    gate = plait_alloc(sizeof *gate);
    pool = new_pool(1);
    succeeded = 0;
    pthread_t threads[ALL];
    for (int i = 0; i < ALL; i++) threads[i] = thread_start(map_at_the_gate, NULL);
    test_until(all_places_are_taken, NULL);
    test_until(so_many_queue, &(uint32_t){ ALL - MOST });
    gate->open = 1;
    for (int i = 0; i < ALL; i++) thread_end(threads[i]);
    assert_int_equal(succeeded, ALL);
    assert_int_equal(pool->board->queuing, 0);
    expect_squares(pool, 100);
    plait_pool_free(pool);
    plait_free(gate);
}

static void the_sixty_fifth_says_why_it_was_late(void **state)
{
    gate = plait_alloc(sizeof *gate);
    pool = new_pool(1);
    pthread_t threads[MOST];
    for (int i = 0; i < MOST; i++) threads[i] = thread_start(map_at_the_gate, NULL);
    test_until(all_places_are_taken, NULL);
    const size_t blocks = plait__heap_count(0);
    const plait_map_options options = { .deadline = plait_after(0.01) };
    assert_int_equal(plait_pool_map(pool, do_nothing, NULL, 0, NULL, 0, 1, &options), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), "64 other maps were running in this pool");
    assert_int_equal(plait__heap_count(0), blocks);
    gate->open = 1;
    for (int i = 0; i < MOST; i++) thread_end(threads[i]);
    plait_pool_free(pool);
    plait_free(gate);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(four_threads_map_different_functions_side_by_side),
    cmocka_unit_test(threads_may_map_inline_side_by_side),
    cmocka_unit_test(two_pools_do_not_disturb_each_other),
    cmocka_unit_test(two_thousand_maps_run_one_after_the_other),
    cmocka_unit_test(more_than_64_maps_wait_for_a_place),
    cmocka_unit_test(the_sixty_fifth_says_why_it_was_late),
};

TEST_MAIN(tests)
