/* Tasks of a plug-in that was opened after the pool was made: its workers open it, or the map says why they can not. */
#include "tasks.h"
#include "plugins.h"

static plait_pool *pool;
enum { WORKERS = 2, N = 100 };
static pid_t workers[WORKERS];

static void make_pool(void)
{
    pool = new_pool(WORKERS);
    expect_squares(pool, N);
    for (int i = 0; i < WORKERS; i++) workers[i] = plait_pool_worker_pid(pool, i);
}

/* Nobody has died. */
static void end_pool(void)
{
    expect_squares(pool, N);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(plait_pool_worker_pid(pool, i), workers[i]);
    plait_pool_free(pool);
}

/* Each of N inputs and what the task makes of it, which is more by one if there is no error. */
static int map_on(plait_pool *which, plait_task task, size_t chunk)
{
    int in[N], out[N];
    for (int i = 0; i < N; i++) in[i] = i;
    const plait_map_options options = { .chunk = chunk };
    const int error = plait_pool_map(which, task, in, sizeof in[0], out, sizeof out[0], N, &options);
    for (int i = 0; !error && i < N; i++) CHECK(out[i] == i + 1);
    return error;
}

static int map_with(plait_task task, size_t chunk)
{
    return map_on(pool, task, chunk);
}

static void must_be_refused(plait_task task, size_t chunk, const char *why)
{
    assert_int_equal(map_with(task, chunk), PLAIT_ENOFUNCTION);
    if (!strstr(plait_error_detail(), why)) fail_msg("%s", plait_error_detail());
}

static void code_that_was_made_at_run_time_is_refused(void **state)
{
    make_pool();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    must_be_refused((plait_task)page, 0, "made at run time");
    munmap(page, 4096);
    end_pool();
}

#if !TEST_IS_STATIC

/* ---- opened by the workers ---- */

static void a_plug_in_is_opened_by_the_workers(void **state)
{
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_task task = task_of(open_plugin("a.so"));
    for (size_t chunk = 0; chunk < 3; chunk++) assert_int_equal(map_with(task, chunk), 0);
    remove_plugin("a.so");
    assert_int_equal(map_with(task, N), 0);
    end_pool();
}

struct place {
    uintptr_t address;
    _Atomic int takers;
};

static bool all_have_taken_it(void *place)
{
    return ((struct place *)place)->takers == WORKERS;
}

/* One in each worker. */
static int take_place(const void *in, void *out, void *context)
{
    struct place *place = context;
    be_in_the_place_of(place->address);
    place->takers++;
    test_until(all_have_taken_it, place);
    return 0;
}

static void at_another_address(void **state)
{
    struct place *place = plait_alloc(sizeof *place);
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_task task = task_of(open_plugin("a.so"));
    place->address = (uintptr_t)task;
    const plait_map_options options = { .chunk = 1, .context = place };
    assert_int_equal(plait_pool_map(pool, take_place, NULL, 0, NULL, 0, WORKERS, &options), 0);
    for (size_t chunk = 0; chunk < 3; chunk++) assert_int_equal(map_with(task, chunk), 0);
    plait_free(place);
    end_pool();
}

static void its_task_and_its_reduce(void **state)
{
    int in[N], sum = 0;
    make_pool();
    put_plugin("other_one.so", "a.so");
    void *handle = open_plugin("a.so");
    for (int i = 0; i < N; i++) in[i] = i;
    const int error = plait_pool_map_reduce(pool, task_of(handle), in, sizeof in[0], N, reduce_of(handle), &sum, sizeof sum, NULL);
    assert_int_equal(error, 0);
    assert_int_equal(sum, N * (N - 1) / 2 + N);
    end_pool();
}

/* ---- refused ---- */

static void a_plug_in_that_is_gone(void **state)
{
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_task task = task_of(open_plugin("a.so"));
    remove_plugin("a.so");
    for (size_t chunk = 0; chunk < 3; chunk++) must_be_refused(task, chunk, "/a.so: build-id ");
    must_be_refused(task, N, "No such file");
    end_pool();
}

static void a_plug_in_that_was_replaced(void **state)
{
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_task task = task_of(open_plugin("a.so"));
    put_plugin("two.so", "a.so");
    must_be_refused(task, 1, " expected, build-id ");
    put_plugin("one.so", "a.so");
    assert_int_equal(map_with(task, 1), 0);
    end_pool();
}

static void a_reduce_that_is_gone(void **state)
{
    const int in[N] = { 0 };
    int sum = 0;
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_reduce reduce = reduce_of(open_plugin("a.so"));
    remove_plugin("a.so");
    assert_int_equal(plait_pool_map_reduce(pool, square, in, sizeof in[0], N, reduce, &sum, sizeof sum, NULL), PLAIT_ENOFUNCTION);
    assert_non_null(strstr(plait_error_detail(), "/a.so: "));
    end_pool();
}

static void then_there_are_no_results(void **state)
{
    plait_result results[N];
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_task task = task_of(open_plugin("a.so"));
    remove_plugin("a.so");
    memset(results, 0xee, sizeof results);
    assert_int_equal(plait_pool_map_results(pool, task, NULL, 0, results, N, NULL), PLAIT_ENOFUNCTION);
    for (int i = 0; i < N; i++) assert_null(results[i].data);
    end_pool();
}

/* They are forked from a process that has it open. */
static void new_workers_have_it(void **state)
{
    make_pool();
    put_plugin("one.so", "a.so");
    const plait_task task = task_of(open_plugin("a.so"));
    remove_plugin("a.so");
    must_be_refused(task, 1, "No such file");
    for (int i = 0; i < WORKERS; i++) {
        CHECK(kill(workers[i], SIGKILL) == 0);
        test_until(is_zombie, &workers[i]);
    }
    assert_int_equal(map_with(task, 1), 0);
    plait_pool_free(pool);
}

/* ---- beside others ---- */

static _Atomic int done;

static void *map_squares(void *unused)
{
    while (!done) expect_squares_with(pool, 20, &(plait_map_options){ .chunk = 1 });
    return NULL;
}

static void others_go_on(void **state)
{
    pthread_t threads[2];
    make_pool();
    put_plugin("one.so", "a.so");
    put_plugin("one.so", "b.so");
    const plait_task task = task_of(open_plugin("a.so")), lost = task_of(open_plugin("b.so"));
    remove_plugin("b.so");
    for (int i = 0; i < 2; i++) threads[i] = thread_start(map_squares, NULL);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(map_with(task, 1), 0);
        must_be_refused(lost, 1, "/b.so: ");
    }
    done = 1;
    for (int i = 0; i < 2; i++) thread_end(threads[i]);
    end_pool();
}

/* ---- in tasks ---- */

enum { KEPT, REMOVED };

/* A plug-in that only this worker has opened; the nested maps are repeated until another worker has taken part. */
static int map_in_a_task(const void *in, void *out, void *context)
{
    const int what = *(const int *)in;
    const plait_task task = task_of(open_plugin("a.so"));
    if (what == KEPT) return map_on(plait_pool_current(), task, 1);
    remove_plugin("a.so");
    int error = 0;
    while (error == 0) error = map_on(plait_pool_current(), task, 1);
    CHECK(error == PLAIT_ENOFUNCTION && strstr(plait_error_detail(), "/a.so: "));
    return 0;
}

static void expect_nested(int what)
{
    make_pool();
    put_plugin("one.so", "a.so");
    const int error = plait_pool_map(pool, map_in_a_task, &what, sizeof what, NULL, 0, 1, NULL);
    if (error) fail_msg("%d: %s", error, plait_error_detail());
    end_pool();
}

static void in_a_task(void **state)
{
    expect_nested(KEPT);
}

static void in_a_task_and_gone(void **state)
{
    expect_nested(REMOVED);
}

#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(code_that_was_made_at_run_time_is_refused),
#if !TEST_IS_STATIC
    WITH_PLUGINS(a_plug_in_is_opened_by_the_workers),
    WITH_PLUGINS(at_another_address),
    WITH_PLUGINS(its_task_and_its_reduce),
    WITH_PLUGINS(a_plug_in_that_is_gone),
    WITH_PLUGINS(a_plug_in_that_was_replaced),
    WITH_PLUGINS(a_reduce_that_is_gone),
    WITH_PLUGINS(then_there_are_no_results),
    WITH_PLUGINS(new_workers_have_it),
    WITH_PLUGINS(others_go_on),
    WITH_PLUGINS(in_a_task),
    WITH_PLUGINS(in_a_task_and_gone),
#endif
};

TEST_MAIN(tests)
