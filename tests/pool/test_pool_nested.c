/* Maps in tasks, on the pool that the task runs in: to any depth, with any number of workers, for those who may. */
#include "tree.h"

/* ---- trees of maps ---- */

static void every_depth_with_every_number_of_workers(void **state)
{
    static const int workers[] = { 1, 2, 4 };
    for (int i = 0; i < 3; i++) {
        make_pool_of(PLAIT_PROCESSES, workers[i]);
        for (int depth = 1; depth <= 4; depth++) {
            expect_sum(depth, 3, 1);
            expect_sum(depth, 4, 0);
        }
        expect_sum(30, 1, 0);
        end_pool(NULL);
    }
}

static void inline_maps_nest_too(void **state)
{
    make_pool_of(PLAIT_INLINE, 0);
    for (int depth = 1; depth <= 4; depth++) expect_sum(depth, 4, 1);
    end_pool(NULL);
}

static void *sum_up_often(void *unused)
{
    for (int i = 0; i < 20; i++) expect_sum(3, 3, 1);
    return NULL;
}

static void from_several_threads_at_once(void **state)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = thread_start(sum_up_often, NULL);
    for (int i = 0; i < 4; i++) thread_end(threads[i]);
}

/* ---- who may ---- */

static int map_on(plait_pool *which)
{
    const int in = 7;
    int out = 0;
    const int error = plait_pool_map(which, square, &in, sizeof in, &out, sizeof out, 1, NULL);
    return error ? error : out == 49 ? 0 : 1;
}

static int map_by_context(const void *in, void *out, void *context)
{
    plait_pool *mine = *(plait_pool **)context;
    return mine == plait_pool_current() ? map_on(mine) : 2;
}

static void the_pool_may_come_by_the_context(void **state)
{
    const plait_map_options options = { .context = &pool, .context_size = sizeof pool };
    assert_int_equal(plait_pool_map(pool, map_by_context, NULL, 0, NULL, 0, 20, &options), 0);
    assert_null(plait_pool_current());
}

static void *map_in_a_thread(void *unused)
{
    notes->refused += plait_pool_current() == NULL && map_on(pool) == -EINVAL;
    return NULL;
}

static int map_in_a_fork(void *unused)
{
    plait_pool *inherited = plait__at_work.pool;
    return plait_pool_current() == NULL && map_on(inherited) == -EINVAL ? 0 : 1;
}

static int let_others_try(const void *in, void *out, void *context)
{
    pool = plait_pool_current();
    pthread_t thread = thread_start(map_in_a_thread, NULL);
    thread_end(thread);
    const pid_t child = fork();
    if (child == 0) _exit(map_in_a_fork(NULL));
    notes->refused += test_wait_exit(child) == 0;
    return map_on(pool);
}

static void other_threads_and_forks_of_the_worker_may_not(void **state)
{
    assert_int_equal(plait_pool_map(pool, let_others_try, NULL, 0, NULL, 0, 1, NULL), 0);
    assert_int_equal(notes->refused, 2);
}

static int use_two_pools(const void *in, void *out, void *context)
{
    plait_pool *outer = plait_pool_current();
    plait_pool *own = plait_pool_new(&(plait_pool_options){ .kind = PLAIT_INLINE });
    int error = map_on(own);
    if (!error) error = plait_pool_map(own, map_by_context, NULL, 0, NULL, 0, 2,
                                       &(plait_map_options){ .context = &own, .context_size = sizeof own });
    plait_pool_free(own);
    if (!error && plait_pool_current() != outer) error = 3;
    return error ? error : map_on(outer);
}

static void a_task_may_have_a_pool_of_its_own_beside(void **state)
{
    assert_int_equal(plait_pool_map(pool, use_two_pools, NULL, 0, NULL, 0, 4, NULL), 0);
}

/* ---- arrays and contexts ---- */

enum { ROWS = 6, COLUMNS = 50 };

/* Where the arrays are, as the task above sees it. */
struct arrays {
    const char *in, *out;
    size_t size;
    bool copied;
};

static bool lies_in(const void *pointer, const char *array, size_t size)
{
    return (uintptr_t)pointer - (uintptr_t)array < size;
}

static int square_at_its_place(const void *in, void *out, void *context)
{
    const struct arrays *arrays = context;
    if (lies_in(in, arrays->in, arrays->size) == arrays->copied) return 4;
    if (lies_in(out, arrays->out, arrays->size) == arrays->copied) return 5;
    return square(in, out, NULL);
}

static int square_all(const void *in, void *out, size_t n, bool copied)
{
    struct arrays arrays = { in, out, n * sizeof(int), copied };
    const plait_map_options options = { .context = &arrays, .context_size = sizeof arrays };
    return plait_pool_map(plait_pool_current(), square_at_its_place, in, sizeof(int), out, sizeof(int), n, &options);
}

static int square_row(const void *in, void *out, void *context)
{
    return square_all(in, out, COLUMNS, false);
}

static void rows_are_used_where_they_are(void **state)
{
    int in[ROWS][COLUMNS], out[ROWS][COLUMNS] = { { 0 } };
    for (int i = 0; i < ROWS * COLUMNS; i++) in[i / COLUMNS][i % COLUMNS] = i;
    assert_int_equal(plait_pool_map(pool, square_row, in, sizeof in[0], out, sizeof out[0], ROWS, NULL), 0);
    for (int i = 0; i < ROWS * COLUMNS; i++) assert_int_equal(out[i / COLUMNS][i % COLUMNS], i * i);
}

/* Small blocks and large ones, from the middle on. */
static int use_private_blocks(const void *in, void *out, void *context)
{
    for (size_t n = 10; n <= 100000; n *= 100) {
        int *numbers = plait_message_alloc(2 * n * sizeof *numbers);
        CHECK(numbers);
        for (size_t i = 0; i < n; i++) numbers[n + i] = (int)i % 1000;
        int error = square_all(numbers + n, numbers + n, n, true);
        for (size_t i = 0; i < n && !error; i++) error = numbers[n + i] != (int)(i % 1000 * (i % 1000));
        const plait_map_options options = { .context = numbers + n };
        if (!error && plait_pool_map(plait_pool_current(), do_nothing, NULL, 0, NULL, 0, n, &options) != -EINVAL) error = 6;
        CHECK(plait_free(numbers) == 0);
        if (error) return error;
    }
    return 0;
}

static void private_blocks_are_copied_or_refused(void **state)
{
    assert_int_equal(plait_pool_map(pool, use_private_blocks, NULL, 0, NULL, 0, 4, NULL), 0);
}

static int fail_at_3(const void *in, void *out, void *context)
{
    return *(const int *)in == 3 ? 33 : 0;
}

static int map_what_fails(const void *in, void *out, void *context)
{
    const int numbers[] = { 0, 1, 2, 3, 4 };
    const int code = plait_pool_map(plait_pool_current(), fail_at_3, numbers, sizeof numbers[0], NULL, 0, 5, NULL);
    return code == 33 && strstr(plait_error_detail(), "task 3 returned 33") ? 44 : 1;
}

static void codes_come_up_level_by_level(void **state)
{
    assert_int_equal(plait_pool_map(pool, map_what_fails, NULL, 0, NULL, 0, 1, NULL), 44);
}

/* ---- a board that is full ---- */

static int wait_and_map(const void *in, void *out, void *context)
{
    notes->inside++;
    test_until(is_set, &notes->go);
    return map_on(plait_pool_current()) ? 1 : square_row(in, out, context);
}

static void *map_one_row(void *unused)
{
    int in[COLUMNS] = { 0 }, out[COLUMNS];
    in[COLUMNS - 1] = 9;
    CHECK(plait_pool_map(pool, wait_and_map, in, sizeof in, out, sizeof out, 1, NULL) == 0);
    CHECK(out[COLUMNS - 1] == 81);
    return NULL;
}

static bool board_is_full(void *unused)
{
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++)
        if (!pool->board->jobs[place]) return false;
    return true;
}

static void without_a_place_on_the_board_the_worker_does_all(void **state)
{
    pthread_t threads[PLAIT__JOBS_MAX + 4];
    for (unsigned i = 0; i < PLAIT__JOBS_MAX + 4; i++) threads[i] = thread_start(map_one_row, NULL);
    test_until(board_is_full, NULL);
    notes->go = 1;
    for (unsigned i = 0; i < PLAIT__JOBS_MAX + 4; i++) thread_end(threads[i]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_depth_with_every_number_of_workers),
    cmocka_unit_test(inline_maps_nest_too),
    WITH_POOL(from_several_threads_at_once),
    WITH_POOL(the_pool_may_come_by_the_context),
    WITH_POOL(other_threads_and_forks_of_the_worker_may_not),
    WITH_POOL(a_task_may_have_a_pool_of_its_own_beside),
    WITH_POOL(rows_are_used_where_they_are),
    WITH_POOL(private_blocks_are_copied_or_refused),
    WITH_POOL(codes_come_up_level_by_level),
    WITH_POOL(without_a_place_on_the_board_the_worker_does_all),
};

TEST_MAIN(tests)
