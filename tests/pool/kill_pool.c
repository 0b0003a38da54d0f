/* A worker that is killed after every instruction of its work on a map that changes what others can see: the map ends, and is
 * right, each time.  The tester's main thread maps; another one steps through the worker by ptrace. */
#include "stepping.h"

static plait_pool *pool;
static size_t blocks;

static struct notes {
    _Atomic int runs[8];                /* how often each task was begun */
    _Atomic int hold_newborns;          /* a child waits at the end of fork() until it is seized */
    _Atomic pid_t newborn;
    _Atomic int seized;
    _Atomic pid_t first;                /* if not 0: others hold their task until this worker is dead or has no more work */
} *notes;

/* ---- maps ---- */

static int square_and_note(const void *in, void *out, void *context)
{
    notes->runs[*(const int *)in]++;
    if (notes->first != getpid()) test_until(is_clear, &notes->first);
    return square(in, out, context);
}

/* Each task may have been begun twice, where its worker was killed in the middle. */
static void map_and_check(size_t n, size_t chunk)
{
    const int in[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    int out[8] = { 0 };
    for (int i = 0; i < 8; i++) notes->runs[i] = 0;
    const plait_map_options options = { .chunk = chunk, .deadline = plait_after(20) };
    const int result = plait_pool_map(pool, square_and_note, in, sizeof in[0], out, sizeof out[0], n, &options);
    if (result) fail_msg("the map returned %s (%s)", plait_strerrorname(result), plait_error_detail());
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(out[i], i < n ? i * i : 0);
        assert_in_range(notes->runs[i], i < n, 2 * (i < n));
    }
}

static bool worker_sleeps(int i)
{
    const struct plait__cell *cell = &pool->board->cells[i];
    return atomic_load(&cell->owner) && !atomic_load(&cell->job) && test_thread_sleeps(plait_pool_worker_pid(pool, i));
}

/* One that was killed behind its work is replaced by the next map only. */
static void until_worker_sleeps(int i)
{
    while (!worker_sleeps(i)) map_and_check(1, 1);
}

/* ---- at work ---- */

/* One map, during which worker 0 dies.  What became of it. */
static struct stepping kill_at_work(long k, bool count_instructions, size_t n, size_t chunk)
{
    until_worker_sleeps(0);
    struct stepping stepping = {
        .pool = pool, .victim = plait_pool_worker_pid(pool, 0), .mapper = getpid(), .held_for = &notes->first,
        .k = k, .count_instructions = count_instructions,
    };
    notes->first = stepping.victim;
    pthread_t thread = thread_start(step_through_work, &stepping);
    test_until(is_set, &stepping.ready);
    stepping.mapping = 1;
    map_and_check(n, chunk);
    thread_end(thread);
    return stepping;
}

/* Kill it after every change, until it survives. */
static void kill_everywhere_at_work(size_t n, size_t chunk)
{
    struct stepping last;
    long deaths = 0;
    do last = kill_at_work(deaths++, false, n, chunk);
    while (!last.slept);
    printf("%ld instructions, %ld deaths\n", last.instructions, deaths - 1);
    assert_true(deaths > 8);
}

/* The changes tell all there is to be seen.  This is to be sure of that. */
static void every_fiftieth_instruction_of_the_work_on_one_chunk(void **state)
{
    struct stepping last;
    long deaths = 0;
    do last = kill_at_work(deaths++ * 50, true, 1, 1);
    while (!last.slept);
    printf("%ld instructions, %ld deaths\n", last.instructions, deaths - 1);
}

static void the_work_on_one_chunk(void **state)
{
    kill_everywhere_at_work(1, 1);
}

static void the_work_on_three_chunks(void **state)
{
    kill_everywhere_at_work(3, 1);
}

static void the_work_on_a_chunk_of_three(void **state)
{
    kill_everywhere_at_work(3, 3);
}

static bool worker_1_has_stopped(void *unused)
{
    return has_stopped(&(pid_t){ plait_pool_worker_pid(pool, 1) });
}

static void the_work_beside_a_stopped_worker(void **state)
{
    until_worker_sleeps(1);
    kill(plait_pool_worker_pid(pool, 1), SIGSTOP);
    test_until(worker_1_has_stopped, NULL);
    kill_everywhere_at_work(2, 1);
    kill(plait_pool_worker_pid(pool, 1), SIGCONT);
}

static void the_work_beside_another_worker(void **state)
{
    kill_everywhere_at_work(3, 1);
}

/* ---- at birth ---- */

static void wait_to_be_seized(void)
{
    if (!notes || !notes->hold_newborns) return;
    notes->newborn = getpid();
    while (!notes->seized) sched_yield();
}

static void *step_through_birth(void *argument)
{
    struct stepping *stepping = argument;
    test_until(is_set, &notes->newborn);
    stepping->victim = notes->newborn;
    seize(stepping->victim);
    notes->hold_newborns = 0;
    notes->seized = 1;
    step_and_kill(stepping);
    return NULL;
}

static bool worker_0_is_zombie(void *unused)
{
    return is_zombie(&(pid_t){ plait_pool_worker_pid(pool, 0) });
}

/* The worker dies while nobody looks; the one that replaces it at the next map dies after k changes. */
static struct stepping kill_at_birth(long k)
{
    struct stepping stepping = { .pool = pool, .k = k };
    until_worker_sleeps(0);
    kill(plait_pool_worker_pid(pool, 0), SIGKILL);
    test_until(worker_0_is_zombie, NULL);
    notes->newborn = notes->seized = 0;
    notes->hold_newborns = 1;
    pthread_t thread = thread_start(step_through_birth, &stepping);
    map_and_check(2, 1);
    thread_end(thread);
    return stepping;
}

static void the_birth_of_a_worker(void **state)
{
    assert_int_equal(pthread_atfork(NULL, NULL, wait_to_be_seized), 0);
    struct stepping last;
    long deaths = 0;
    /* Most of it is not of the pool's making: every third change will do. */
    do last = kill_at_birth(3 * deaths++);
    while (!last.slept);
    printf("%ld instructions, %ld deaths\n", last.instructions, deaths - 1);
}

/* ---- at the end ---- */

static struct stepping kill_at_the_end(long k)
{
    plait_pool *another = new_pool(1);
    struct stepping stepping = { .pool = another, .victim = plait_pool_worker_pid(another, 0), .mapper = getpid(), .k = k };
    expect_squares(another, 10);
    test_until_sleeps(stepping.victim);
    pthread_t thread = thread_start(step_through_work, &stepping);
    test_until(is_set, &stepping.ready);
    stepping.mapping = 1;
    plait_pool_free(another);
    thread_end(thread);
    return stepping;
}

static void the_end_of_a_worker(void **state)
{
    struct stepping last;
    long deaths = 0;
    do last = kill_at_the_end(deaths++);
    while (!last.ended);
    printf("%ld instructions, %ld deaths\n", last.instructions, deaths - 1);
}

/* ---- */

static void make_pool(int workers)
{
    stay_on_one_cpu();
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    assert_int_equal(plait_init(NULL, NULL), 0);
    blocks = plait__heap_count(0);
    pool = new_pool(workers);
    map_and_check(8, 1);
}

static int make_one_worker(void **state)
{
    make_pool(1);
    return 0;
}

static int make_two_workers(void **state)
{
    make_pool(2);
    return 0;
}

static int end_pool(void **state)
{
    map_and_check(8, 1);
    plait_pool_free(pool);
    assert_int_equal(plait__heap_count(0), blocks);
    return 0;
}

#define ALONE(test) cmocka_unit_test_setup_teardown(test, make_one_worker, end_pool)
#define WITH_ANOTHER(test) cmocka_unit_test_setup_teardown(test, make_two_workers, end_pool)

static const struct CMUnitTest tests[] = {
    ALONE(the_work_on_one_chunk),
    ALONE(every_fiftieth_instruction_of_the_work_on_one_chunk),
    ALONE(the_work_on_three_chunks),
    ALONE(the_work_on_a_chunk_of_three),
    WITH_ANOTHER(the_work_beside_a_stopped_worker),
    WITH_ANOTHER(the_work_beside_another_worker),
    ALONE(the_birth_of_a_worker),
    ALONE(the_end_of_a_worker),
};

TEST_MAIN(tests)
