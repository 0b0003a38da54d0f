/* Trees of maps while workers, or the owner, are killed at random: no sum is wrong, and nothing is left. */
#include "tree.h"

static _Atomic int kills, over;

/* So long each of the four storms lasts, in seconds. */
static double duration(void)
{
    const char *wish = getenv("PLAIT_STORM_SECONDS");
    return (wish ? atof(wish) : 2) / 4;
}

static void *kill_at_random(void *seed)
{
    uint64_t *state = seed;
    while (!over) {
        const pid_t pid = plait_pool_worker_pid(pool, (int)(test_random(state) % (uint64_t)pool->size));
        nanosleep(&(struct timespec){ .tv_nsec = (long)(test_random(state) % 4000000) }, NULL);
        if (pid > 0 && kill(pid, SIGKILL) == 0) kills++;
    }
    return NULL;
}

/* A worker may be hit more often than tasks are tried again: then the map is to say so, and the next one to be right. */
static void rage(int workers)
{
    uint64_t seed = test_seed() + (uint64_t)workers;
    make_pool_of(PLAIT_PROCESSES, workers);
    const double end = seconds_now() + duration();
    kills = over = 0;
    pthread_t killer = thread_start(kill_at_random, &seed);
    const struct node root = { .depth = 4, .fan = 4, .chunk = 1, .turns = 3000 };
    const long n = leaves_of(&root);
    int maps = 0, given_up = 0;
    for (; seconds_now() < end; maps++) {
        long sums[2] = { 0 };
        const struct node roots[2] = { root, root };
        const int code = plait_pool_map(pool, sum_up, roots, sizeof root, sums, sizeof sums[0], 2,
                                        &(plait_map_options){ .retries = 200 });
        if (code && code != PLAIT_EWORKERDIED) fail_msg("%s (%s)", plait_strerrorname(code), plait_error_detail());
        given_up += code != 0;
        for (int i = 0; i < 2 && !code; i++) assert_int_equal(sums[i], n * (n - 1) / 2);
    }
    over = 1;
    thread_end(killer);
    printf("%d workers: %d maps, %d of them given up, %d kills\n", workers, maps, given_up, (int)kills);
    for (int i = 0; i < 3; i++) expect_sum(4, 4, 1);
    end_pool(NULL);
}

static void the_only_worker_is_killed(void **state)
{
    rage(1);
}

static void one_of_two_workers_is_killed(void **state)
{
    rage(2);
}

static void one_of_four_workers_is_killed(void **state)
{
    rage(4);
}

static int host_maps(void *unused)
{
    make_pool_of(PLAIT_PROCESSES, 3);
    notes->caller = getpid();
    for (;;) expect_sum(4, 4, 1);
    return 0;
}

static bool host_has_mapped(void *unused)
{
    return notes->caller != 0;
}

static bool all_have_left(void *unused)
{
    plait__reap_all();
    return plait_member_count() == 1;
}

/* Its workers end with it, in the middle of whatever.  (Its board stays until the family ends.) */
static void the_owner_is_killed(void **state)
{
    uint64_t seed = test_seed();
    adopt_orphans();
    make_pool_of(PLAIT_INLINE, 1);
    plait_pool_free(pool);
    for (const double end = seconds_now() + duration(); seconds_now() < end;) {
        notes->caller = 0;
        const pid_t host = test_fork(host_maps, NULL);
        test_until(host_has_mapped, NULL);
        nanosleep(&(struct timespec){ .tv_nsec = (long)(test_random(&seed) % 10000000) }, NULL);
        assert_int_equal(kill(host, SIGKILL), 0);
        const double since = seconds_now();
        while (waitpid(-1, NULL, 0) > 0) {}
        assert_true(seconds_now() - since < 5);
        test_until(all_have_left, NULL);
    }
    make_pool_of(PLAIT_PROCESSES, 2);
    expect_sum(4, 4, 1);
    end_pool(NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_only_worker_is_killed),
    cmocka_unit_test(one_of_two_workers_is_killed),
    cmocka_unit_test(one_of_four_workers_is_killed),
    cmocka_unit_test(the_owner_is_killed),
};

TEST_MAIN(tests)
