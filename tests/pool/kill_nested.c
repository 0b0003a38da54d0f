/* Workers that are killed after every change that others can see: one that maps in its task, alone or while another helps it, and
 * one that helps.  The tasks make results, too.  Each time the map ends, and is right, and nothing is left. */
#include "stepping.h"

static plait_pool *pool;
static size_t blocks;

static struct notes {
    _Atomic int arrived;                /* the victim is in its outer task */
    _Atomic pid_t first;                /* the victim, until it is dead or has no more work */
} *notes;

static enum part { MAPS_ALONE, IS_HELPED, HELPS } part;

/* ---- tasks ---- */

static bool is_victim(void)
{
    return notes->first == getpid();
}

/* If there are others, they hold it. */
static int give_square(const void *in, void *out, void *context)
{
    const int square = *(const int *)in * *(const int *)in;
    if (notes->first && !is_victim()) test_until(is_clear, &notes->first);
    return plait_result_set(out, &square, sizeof square);
}

static int map_three(void *out)
{
    const int in[] = { 1, 2, 3 };
    plait_result results[3];
    const plait_map_options options = { .chunk = 1 };
    const int error = plait_pool_map_results(plait_pool_current(), give_square, in, sizeof in[0], results, 3, &options);
    int sum = 0;
    for (int i = 0; i < 3 && !error; i++) sum += *(int *)results[i].data;
    plait_results_free(results, 3);
    return error ? error : plait_result_set(out, &sum, sizeof sum);
}

static int give_14(void *out)
{
    const int sum = 14;
    return plait_result_set(out, &sum, sizeof sum);
}

static bool may_go_on(void *unused)
{
    return notes->arrived || !notes->first;
}

/* The sum of three squares; whoever is not to map gets it without. */
static int outer(const void *in, void *out, void *context)
{
    const pid_t first = notes->first;
    if (!first) return map_three(out);
    if (first == getpid()) {
        notes->arrived = 1;
        return part == HELPS ? give_14(out) : map_three(out);
    }
    if (part == HELPS) return map_three(out);
    test_until(may_go_on, NULL);
    return give_14(out);
}

/* ---- the loop ---- */

static void map_and_check(void)
{
    plait_result out[2];
    const size_t n = (size_t)pool->size;
    const plait_map_options options = { .chunk = 1, .deadline = plait_after(20) };
    const int result = plait_pool_map_results(pool, outer, NULL, 0, out, n, &options);
    if (result) fail_msg("the map returned %s (%s)", plait_strerrorname(result), plait_error_detail());
    for (size_t i = 0; i < n; i++) assert_int_equal(*(int *)out[i].data, 14);
    plait_results_free(out, n);
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) assert_null(pool->board->jobs[place]);
}

static bool worker_sleeps(int i)
{
    const struct plait__cell *cell = &pool->board->cells[i];
    return atomic_load(&cell->owner) && !atomic_load(&cell->job) && test_thread_sleeps(plait_pool_worker_pid(pool, i));
}

static struct stepping kill_at_work(long k)
{
    for (int i = 0; i < pool->size; i++)
        while (!worker_sleeps(i)) map_and_check();
    struct stepping stepping = {
        .pool = pool, .victim = plait_pool_worker_pid(pool, 0), .mapper = getpid(), .held_for = &notes->first, .k = k,
    };
    notes->arrived = 0;
    notes->first = stepping.victim;
    pthread_t thread = thread_start(step_through_work, &stepping);
    test_until(is_set, &stepping.ready);
    stepping.mapping = 1;
    map_and_check();
    thread_end(thread);
    return stepping;
}

static void kill_everywhere(enum part which, int workers)
{
    part = which;
    stay_on_one_cpu();
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    assert_int_equal(plait_init(NULL, NULL), 0);
    blocks = plait__heap_count(0);
    pool = new_pool(workers);
    struct stepping last;
    long deaths = 0;
    do last = kill_at_work(deaths++);
    while (!last.slept);
    printf("%ld instructions, %ld deaths\n", last.instructions, deaths - 1);
    assert_true(deaths > 20);
    map_and_check();
    plait_pool_free(pool);
    assert_int_equal(plait__heap_count(0), blocks);
}

static void who_maps_alone(void **state)
{
    kill_everywhere(MAPS_ALONE, 1);
}

static void who_maps_while_another_helps(void **state)
{
    kill_everywhere(IS_HELPED, 2);
}

static void who_helps(void **state)
{
    kill_everywhere(HELPS, 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_maps_alone),
    cmocka_unit_test(who_maps_while_another_helps),
    cmocka_unit_test(who_helps),
};

TEST_MAIN(tests)
