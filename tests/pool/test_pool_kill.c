/* Workers that others kill: idle ones, busy ones, stopped ones, newborn ones, again and again. */
#include "tasks.h"

#include "arena/heap.h"
#include "pool/board.h"

enum { WORKERS = 3 };

static struct notes {
    _Atomic int running, go, attempts;
    _Atomic pid_t pid;
    _Atomic int deadborn;               /* so many children die before they have done anything */
} *notes;

static plait_pool *pool;
static size_t blocks;

static int make_pool(void **state)
{
    if (!notes) notes = test_shared(sizeof *notes);
    memset(notes, 0, sizeof *notes);
    assert_int_equal(plait_init(NULL, NULL), 0);
    blocks = plait__heap_count(0);
    pool = new_pool(WORKERS);
    expect_squares(pool, 100);
    return 0;
}

static int end_pool(void **state)
{
    plait_pool_free(pool);
    assert_int_equal(plait__heap_count(0), blocks);
    return 0;
}

static void kill_worker(int i)
{
    const pid_t pid = plait_pool_worker_pid(pool, i);
    if (pid > 0) assert_int_equal(kill(pid, SIGKILL), 0);
}

static bool worker_is_idle(void *index)
{
    const struct plait__cell *cell = &pool->board->cells[*(int *)index];
    return atomic_load(&cell->owner) && !atomic_load(&cell->job) && test_thread_sleeps(plait_pool_worker_pid(pool, *(int *)index));
}

/* All workers are there, and sleep.  Who was killed a moment ago may still have to be replaced by a map. */
static void until_idle(void)
{
    for (int i = 0; i < WORKERS; i++)
        while (!worker_is_idle(&i)) expect_squares(pool, 1);
}

/* ---- idle ones ---- */

static void an_idle_worker_that_is_killed_is_replaced_by_the_next_map(void **state)
{
    for (int i = 0; i < WORKERS; i++) {
        until_idle();
        const pid_t before = plait_pool_worker_pid(pool, i);
        kill_worker(i);
        test_until(is_zombie, &(pid_t){ before });
        expect_squares(pool, 1000);
        assert_int_not_equal(plait_pool_worker_pid(pool, i), before);
        assert_true(plait_pool_worker_pid(pool, i) > 0);
    }
}

static void all_workers_may_be_killed_while_they_are_idle(void **state)
{
    for (int round = 0; round < 10; round++) {
        until_idle();
        for (int i = 0; i < WORKERS; i++) kill_worker(i);
        expect_squares(pool, round % 2 ? 1 : 1000);
    }
}

static void a_worker_may_be_killed_when_nobody_looks_after_it(void **state)
{
    for (int round = 0; round < 50; round++) {
        kill_worker(round % WORKERS);
        expect_squares(pool, 20);
    }
}

static void killed_workers_become_no_zombies_that_stay(void **state)
{
    for (int round = 0; round < 100; round++) {
        until_idle();
        const pid_t before = plait_pool_worker_pid(pool, 0);
        kill_worker(0);
        test_until(is_zombie, &(pid_t){ before });
        expect_squares(pool, 10);
    }
    expect_squares(pool, 10);
    siginfo_t info = { 0 };
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    assert_int_equal(info.si_pid, 0);
}

/* ---- busy ones ---- */

enum { STORM = 200, TASKS = 1000 };

static int square_slowly(const void *in, void *out, void *context)
{
    const double since = seconds_now();
    while (seconds_now() - since < 0.0002) {}
    return square(in, out, context);
}

static _Atomic int kills;

static void *kill_at_random(void *seed)
{
    uint64_t *state = seed;
    while (kills < STORM) {
        const pid_t pid = plait_pool_worker_pid(pool, (int)(test_random(state) % WORKERS));
        const int64_t pause = (int64_t)(test_random(state) % 2000000);
        nanosleep(&(struct timespec){ .tv_nsec = pause }, NULL);
        if (pid > 0 && kill(pid, SIGKILL) == 0) kills++;
    }
    return NULL;
}

/* Workers die at any moment until 200 kills are done: no map is wrong, none hangs. */
static void maps_are_right_while_random_workers_are_killed(void **state)
{
    uint64_t seed = test_seed();
    int in[TASKS], maps = 0;
    for (int i = 0; i < TASKS; i++) in[i] = i;
    pthread_t thread = thread_start(kill_at_random, &seed);
    while (kills < STORM) {
        int out[TASKS] = { 0 };
        const plait_map_options options = { .chunk = (size_t)maps++ % 10 + 1, .retries = 200 };
        const int result = plait_pool_map(pool, square_slowly, in, sizeof in[0], out, sizeof out[0], TASKS, &options);
        if (result) fail_msg("map %d returned %s (%s)", maps, plait_strerror(result), plait_error_detail());
        for (int i = 0; i < TASKS; i++) assert_int_equal(out[i], i * i);
    }
    thread_end(thread);
    expect_squares(pool, 100);
    printf("%d maps\n", maps);
}

static void *map_in_the_storm(void *unused)
{
    while (kills < STORM) expect_squares_with(pool, TASKS, &(plait_map_options){ .chunk = 3, .retries = 200 });
    return NULL;
}

static void maps_of_several_threads_are_right_while_random_workers_are_killed(void **state)
{
    uint64_t seed = test_seed();
    pthread_t killer = thread_start(kill_at_random, &seed), threads[3];
    for (int i = 0; i < 3; i++) threads[i] = thread_start(map_in_the_storm, NULL);
    for (int i = 0; i < 3; i++) thread_end(threads[i]);
    thread_end(killer);
    expect_squares(pool, 100);
}

/* ---- stopped ones ---- */

static int stop_once(const void *in, void *out, void *context)
{
    if (*(const int *)in == 5 && notes->attempts++ == 0) {
        notes->pid = getpid();
        raise(SIGSTOP);
    }
    return square(in, out, context);
}

static bool it_has_stopped(void *unused)
{
    return notes->pid && has_stopped((void *)&notes->pid);
}

static void *end_the_stopped_one(void *signal)
{
    test_until(it_has_stopped, NULL);
    CHECK(kill(notes->pid, *(int *)signal) == 0);
    return NULL;
}

static void expect_squares_with_one_stopped(int signal, int attempts)
{
    int in[20], out[20] = { 0 };
    for (int i = 0; i < 20; i++) in[i] = i;
    notes->attempts = notes->pid = 0;
    pthread_t thread = thread_start(end_the_stopped_one, &signal);
    const plait_map_options options = { .chunk = 1 };
    assert_int_equal(plait_pool_map(pool, stop_once, in, sizeof in[0], out, sizeof out[0], 20, &options), 0);
    thread_end(thread);
    for (int i = 0; i < 20; i++) assert_int_equal(out[i], i * i);
    assert_int_equal(notes->attempts, attempts);
}

static void a_worker_that_is_stopped_and_killed_loses_its_chunk(void **state)
{
    expect_squares_with_one_stopped(SIGKILL, 2);
    expect_squares(pool, 100);
}

static void a_worker_that_is_stopped_and_goes_on_keeps_its_chunk(void **state)
{
    expect_squares_with_one_stopped(SIGCONT, 1);
    expect_squares(pool, 100);
}

/* Whoever is stopped must not keep others from noticing a death. */
static void a_death_is_noticed_beside_a_stopped_worker(void **state)
{
    until_idle();
    const pid_t stopped = plait_pool_worker_pid(pool, 2);
    assert_int_equal(kill(stopped, SIGSTOP), 0);
    test_until(has_stopped, &(pid_t){ stopped });
    for (int i = 0; i < 2; i++) kill_worker(i);
    expect_squares_with(pool, 1000, &(plait_map_options){ .retries = 5 });
    assert_int_equal(kill(stopped, SIGCONT), 0);
    expect_squares(pool, 100);
}

/* ---- newborn ones ---- */

static void die_as_told(void)
{
    if (!notes || atomic_fetch_sub(&notes->deadborn, 1) <= 0) return;
    raise(SIGKILL);
}

/* Its children die within fork() from now on, so many of them. */
static void let_newborns_die(int count)
{
    static bool done;
    if (!done) assert_int_equal(pthread_atfork(NULL, NULL, die_as_told), 0);
    done = true;
    notes->deadborn = count;
}

static void workers_may_die_before_they_have_joined(void **state)
{
    for (int count = 1; count <= WORKERS; count++) {
        until_idle();
        for (int i = 0; i < WORKERS; i++) kill_worker(i);
        let_newborns_die(count);
        expect_squares(pool, 100);
    }
    let_newborns_die(2);
    plait_pool *another = new_pool(WORKERS);
    expect_squares(another, 100);
    plait_pool_free(another);
}

static void deaths_before_joining_do_not_add_up(void **state)
{
    for (int round = 0; round < 20; round++) {
        until_idle();
        const pid_t before = plait_pool_worker_pid(pool, 0);
        kill_worker(0);
        test_until(is_zombie, &(pid_t){ before });
        let_newborns_die(1);
        while (notes->deadborn > 0) expect_squares(pool, 100);
    }
    expect_squares(pool, 100);
}

/* A map that can't have any worker says so, and the next one may. */
static void when_all_workers_die_at_once_the_map_fails(void **state)
{
    until_idle();
    for (int i = 0; i < WORKERS; i++) kill_worker(i);
    for (int i = 0; i < WORKERS; i++) test_until(is_zombie, &(pid_t){ plait_pool_worker_pid(pool, i) });
    let_newborns_die(1000);
    assert_int_equal(plait_pool_map(pool, do_nothing, NULL, 0, NULL, 0, 100, NULL), PLAIT_EWORKERDIED);
    assert_non_null(strstr(plait_error_detail(), "workers in a row ended before they could work"));
    let_newborns_die(0);
    expect_squares(pool, 100);
}

static void a_worker_may_be_killed_right_after_its_start(void **state)
{
    for (int round = 0; round < 30; round++) {
        plait_pool *another = new_pool(2);
        for (int i = 0; i < 2; i++) assert_int_equal(kill(plait_pool_worker_pid(another, i), SIGKILL), 0);
        expect_squares(another, 50);
        plait_pool_free(another);
    }
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, make_pool, end_pool)

static const struct CMUnitTest tests[] = {
    WITH_POOL(an_idle_worker_that_is_killed_is_replaced_by_the_next_map),
    WITH_POOL(all_workers_may_be_killed_while_they_are_idle),
    WITH_POOL(a_worker_may_be_killed_when_nobody_looks_after_it),
    WITH_POOL(killed_workers_become_no_zombies_that_stay),
    WITH_POOL(maps_are_right_while_random_workers_are_killed),
    WITH_POOL(maps_of_several_threads_are_right_while_random_workers_are_killed),
    WITH_POOL(a_worker_that_is_stopped_and_killed_loses_its_chunk),
    WITH_POOL(a_worker_that_is_stopped_and_goes_on_keeps_its_chunk),
    WITH_POOL(a_death_is_noticed_beside_a_stopped_worker),
    WITH_POOL(workers_may_die_before_they_have_joined),
    WITH_POOL(deaths_before_joining_do_not_add_up),
    WITH_POOL(when_all_workers_die_at_once_the_map_fails),
    WITH_POOL(a_worker_may_be_killed_right_after_its_start),
};

TEST_MAIN(tests)
