/* Maps that are not finished in time: they return, nobody writes to their arrays any more, and the pool goes on. */
#include "tasks.h"

#include "arena/heap.h"
#include "base/fault.h"
#include "pool/board.h"

static plait_pool *pool;

static struct notes {
    _Atomic int running, go, runs;
    _Atomic int other_runs, other_may_end;
} *notes;

static int make_pool(void **state)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    pool = new_pool(2);
    return 0;
}

static int end_pool(void **state)
{
    plait_pool_free(pool);
    return 0;
}

/* Writes to `out` as fast as it can, until notes->go. */
static int scribble(const void *in, void *out, void *context)
{
    _Atomic int *number = out;
    notes->running++;
    while (!notes->go) ++*number;
    return 0;
}

static int wait_for_go(const void *in, void *out, void *context)
{
    notes->running++;
    test_until(is_set, &notes->go);
    return 0;
}

static void expect_timeout(plait_task task, void *out, size_t size, size_t n, plait_deadline deadline)
{
    const plait_map_options options = { .chunk = 1, .deadline = deadline };
    assert_int_equal(plait_pool_map(pool, task, NULL, 0, out, size, n, &options), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), "the map was not finished in time");
}

static void a_map_returns_at_its_deadline(void **state)
{
    expect_squares(pool, 10);
    const double before = seconds_now();
    expect_timeout(wait_for_go, NULL, 0, 10, plait_after(0.05));
    assert_true(seconds_now() - before >= 0.049);
    expect_squares(pool, 100);
}

static void a_map_that_is_finished_before_its_deadline_succeeds(void **state)
{
    expect_squares_with(pool, 1000, &(plait_map_options){ .deadline = plait_after(1e6) });
}

static void a_map_with_the_deadline_now_does_not_wait(void **state)
{
    expect_squares(pool, 10);
    expect_timeout(wait_for_go, NULL, 0, 4, PLAIT_NOW);
    expect_squares(pool, 100);
}

static void expect_stillness(const _Atomic int *out, size_t count)
{
    int then[64], changed = 0;
    memcpy(then, (const void *)out, count * sizeof *then);
    const double since = seconds_now();
    while (seconds_now() - since < 0.02) changed |= memcmp(then, (const void *)out, count * sizeof *then);
    assert_false(changed);
}

/* The victims scribble over shared memory: after the call it must stand still. */
static void nobody_writes_to_out_after_the_call(void **state)
{
    _Atomic int *out = plait_alloc(64 * sizeof *out);
    for (int round = 0; round < 5; round++) {
        expect_squares(pool, 10);
        expect_timeout(scribble, (void *)out, sizeof *out, 64, plait_after(0.02));
        expect_stillness(out, 64);
    }
    assert_true(notes->running > 0);
    plait_free((void *)out);
}

static bool both_run(void *unused)
{
    return notes->running >= 2;
}

struct map {
    plait_deadline deadline;
    int result;
};

static void *map_in_a_thread(void *argument)
{
    struct map *map = argument;
    const plait_map_options options = { .chunk = 1, .deadline = map->deadline };
    map->result = plait_pool_map(pool, wait_for_go, NULL, 0, NULL, 0, 2, &options);
    return NULL;
}

static void busy_workers_are_replaced(void **state)
{
    const int before[] = { plait_pool_worker_pid(pool, 0), plait_pool_worker_pid(pool, 1) };
    struct map map = { plait_after(0.05), 1 };
    pthread_t thread = thread_start(map_in_a_thread, &map);
    test_until(both_run, NULL);
    thread_end(thread);
    assert_int_equal(map.result, -ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(plait_pool_worker_pid(pool, i), before[i]);
        assert_true(plait_pool_worker_pid(pool, i) > 0);
        assert_true(is_gone(&(pid_t){ before[i] }) || is_zombie(&(pid_t){ before[i] }));
    }
    expect_squares(pool, 100);
}

/* The other map's worker is busy with that one: it is left alone. */
static void workers_of_other_maps_go_on(void **state)
{
    struct map other = { PLAIT_FOREVER, 1 };
    pthread_t thread = thread_start(map_in_a_thread, &other);
    test_until(both_run, NULL);
    const int before[] = { plait_pool_worker_pid(pool, 0), plait_pool_worker_pid(pool, 1) };
    expect_timeout(do_nothing, NULL, 0, 100, plait_after(0.02));
    for (int i = 0; i < 2; i++) assert_int_equal(plait_pool_worker_pid(pool, i), before[i]);
    notes->go = 1;
    thread_end(thread);
    assert_int_equal(other.result, 0);
    assert_int_equal(notes->running, 2);
    expect_squares(pool, 100);
}

/* ---- the worker goes on before it is killed ---- */

static int run_for_the_other(const void *in, void *out, void *context)
{
    notes->other_runs = 1;
    test_until(is_set, &notes->other_may_end);
    return 0;
}

static struct {
    pthread_t thread;
    bool started;
    int result;
    pid_t worker;
} other;

static void *map_the_other(void *unused)
{
    other.result = plait_pool_map(pool, run_for_the_other, NULL, 0, NULL, 0, 1, &(plait_map_options){ .retries = -1 });
    return NULL;
}

static bool both_are_hung_up(void *unused)
{
    int jobs = 0;
    for (unsigned i = 0; i < PLAIT__JOBS_MAX; i++) jobs += pool->board->jobs[i] != NULL;
    return jobs == 2;
}

static bool worker_has_gone_on(void *unused)
{
    return notes->other_runs || test_thread_sleeps(other.worker);
}

/* Another map waits for the worker.  Its task ends just now, and it would take the other's if it could. */
static void let_the_worker_go_on(enum plait__point point)
{
    if (point != PLAIT__POINT_END_WORKER || other.started) return;
    other.started = true;
    other.thread = thread_start(map_the_other, NULL);
    test_until(both_are_hung_up, NULL);
    notes->go = 1;
    test_until(worker_has_gone_on, NULL);
}

static void no_other_map_pays_for_a_timeout(void **state)
{
    plait_pool_free(pool);
    pool = new_pool(1);
    for (int round = 0; round < 10; round++) {
        *notes = (struct notes){ 0 };
        expect_squares(pool, 10);
        other.started = false;
        other.worker = plait_pool_worker_pid(pool, 0);
        plait__point_hook = let_the_worker_go_on;
        while (!other.started) expect_timeout(wait_for_go, NULL, 0, 1, plait_after(0.01));
        plait__point_hook = NULL;
        notes->other_may_end = 1;
        thread_end(other.thread);
        assert_int_equal(other.result, 0);
    }
}

/* ---- tasks that end their worker's membership, or its thread, but not the process ---- */

static int leave_and_stay(const void *in, void *out, void *context)
{
    plait_leave();
    sleep_for_ever();
}

static int leave_and_return(const void *in, void *out, void *context)
{
    plait_leave();
    return 0;
}

static int end_the_thread(const void *in, void *out, void *context)
{
    pthread_exit(NULL);
}

/* Such a task has had its attempt; the deadline may come first, or be none. */
static void expect_end_of_worker(plait_task task)
{
    for (int forever = 0; forever < 2; forever++) {
        const plait_map_options options = { .retries = -1, .deadline = forever ? PLAIT_FOREVER : plait_after(0.02) };
        const int result = plait_pool_map(pool, task, NULL, 0, NULL, 0, 1, &options);
        CHECK(result == PLAIT_EWORKERDIED || (result == -ETIMEDOUT && !forever));
        expect_squares(pool, 100);
    }
}

static void a_worker_that_leaves_holds_nothing_up(void **state)
{
    expect_end_of_worker(leave_and_stay);
}

/* It finishes the task. */
static void a_worker_that_leaves_and_goes_on_loses_nothing(void **state)
{
    for (int round = 0; round < 20; round++) {
        const plait_map_options options = { .chunk = 1, .retries = -1 };
        assert_int_equal(plait_pool_map(pool, leave_and_return, NULL, 0, NULL, 0, 4, &options), 0);
        expect_squares(pool, 100);
    }
}

static int leave_first_then_scribble(const void *in, void *out, void *context)
{
    if (*(const int *)in == 0) return leave_and_return(in, out, context);
    return scribble(in, out, context);
}

static int leave_and_scribble(const void *in, void *out, void *context)
{
    plait_leave();
    return scribble(in, out, context);
}

/* It takes no other task, and is ended like all others when the time is up. */
static void expect_no_scribble_after(plait_task task, int rounds)
{
    static const int in[] = { 0, 1, 1, 1 };
    _Atomic int *out = plait_alloc(4 * sizeof *out);
    for (int round = 0; round < rounds; round++) {
        expect_squares(pool, 10);
        const plait_map_options options = { .chunk = 1, .deadline = plait_after(0.02), .retries = 200 };
        assert_int_equal(plait_pool_map(pool, task, in, sizeof in[0], (void *)out, sizeof *out, 4, &options), -ETIMEDOUT);
        expect_stillness(out, 4);
    }
    plait_free((void *)out);
}

static void a_worker_that_leaves_takes_no_more(void **state)
{
    expect_no_scribble_after(leave_first_then_scribble, 10);
}

static void a_worker_that_leaves_does_not_write_after_the_call(void **state)
{
    expect_no_scribble_after(leave_and_scribble, 2);
}

static void a_worker_whose_thread_ends_holds_nothing_up(void **state)
{
    expect_end_of_worker(end_the_thread);
}

static void *make_pool_in_a_thread(void *unused)
{
    pool = new_pool(2);
    expect_end_of_worker(end_the_thread);
    return NULL;
}

/* Such a pool's workers have another thread, that watches over their parent. */
static void a_worker_whose_thread_ends_beside_another_holds_nothing_up(void **state)
{
    plait_pool_free(pool);
    thread_end(thread_start(make_pool_in_a_thread, NULL));
}

static int count_and_wait(const void *in, void *out, void *context)
{
    notes->runs++;
    notes->running++;
    test_until(is_set, &notes->go);
    return 0;
}

static void tasks_that_were_not_begun_are_never_run(void **state)
{
    expect_squares(pool, 10);
    expect_timeout(count_and_wait, NULL, 0, 50, plait_after(0.03));
    assert_true(notes->runs <= 2);
    notes->go = 1;
    const int runs = notes->runs;
    for (int i = 0; i < 20; i++) expect_squares(pool, 100);
    assert_int_equal(notes->runs, runs);
}

static int wait_if_odd(const void *in, void *out, void *context)
{
    const int i = *(const int *)in;
    if (i % 2) test_until(is_set, &notes->go);
    *(int *)out = i + 1;
    return 0;
}

static void what_was_finished_is_there(void **state)
{
    const int in[] = { 0, 2, 4, 6, 7 };
    int out[5] = { 0 };
    expect_squares(pool, 10);
    plait_map_options options = { .chunk = 1, .deadline = plait_after(0.1) };
    assert_int_equal(plait_pool_map(pool, wait_if_odd, in, sizeof in[0], out, sizeof out[0], 5, &options), -ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        if (out[i]) assert_int_equal(out[i], in[i] + 1);
    assert_int_equal(out[4], 0);
}

static void many_timeouts_leave_nothing_behind(void **state)
{
    const size_t blocks = plait__heap_count(0);
    for (int i = 0; i < 30; i++) expect_timeout(wait_for_go, NULL, 0, 5, plait_after(0.002));
    notes->go = 1;
    expect_squares(pool, 100);
    /* A few ended workers are remembered: a record of each.  Jobs and arrays are not. */
    assert_true(plait__heap_count(0) <= blocks + 64);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, end_pool)

static const struct CMUnitTest tests[] = {
    WITH_POOL(a_map_returns_at_its_deadline),
    WITH_POOL(a_map_that_is_finished_before_its_deadline_succeeds),
    WITH_POOL(a_map_with_the_deadline_now_does_not_wait),
    WITH_POOL(nobody_writes_to_out_after_the_call),
    WITH_POOL(busy_workers_are_replaced),
    WITH_POOL(workers_of_other_maps_go_on),
    WITH_POOL(no_other_map_pays_for_a_timeout),
    WITH_POOL(a_worker_that_leaves_holds_nothing_up),
    WITH_POOL(a_worker_that_leaves_and_goes_on_loses_nothing),
    WITH_POOL(a_worker_that_leaves_takes_no_more),
    WITH_POOL(a_worker_that_leaves_does_not_write_after_the_call),
    WITH_POOL(a_worker_whose_thread_ends_holds_nothing_up),
    WITH_POOL(a_worker_whose_thread_ends_beside_another_holds_nothing_up),
    WITH_POOL(tasks_that_were_not_begun_are_never_run),
    WITH_POOL(what_was_finished_is_there),
    WITH_POOL(many_timeouts_leave_nothing_behind),
};

TEST_MAIN(tests)
