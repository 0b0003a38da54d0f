/* Whoever sleeps notices the death of others: in small families and in those too large for one sleep to watch, on kernels that
 * lack this or that, and also when all others but one are stopped. */
#include "harness.h"
#include "others.h"

#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

enum { MOST = 300 };

enum awake { EVERYBODY, FIRST_ONLY, LAST_ONLY };        /* who is not stopped; the victim lives in a slot before them all */

#define OLD_KERNEL (PLAIT__WITHOUT_WAITV | PLAIT__WITHOUT_PIDFD | PLAIT__WITHOUT_ROBUST)

struct scene {
    plait_lock *lock;
    plait_queue *queue;
    _Atomic int held;
    int sleepers;
    pid_t victim, pids[MOST];
};

static int holds(void *argument)
{
    struct scene *scene = argument;
    CHECK(plait_lock_acquire(scene->lock, PLAIT_FOREVER) == 0);
    atomic_store(&scene->held, 1);
    for (;;) pause();
    return 0;
}

static int gets(void *argument)
{
    struct scene *scene = argument;
    char byte;
    CHECK(plait_queue_get(scene->queue, &byte, 1, PLAIT_FOREVER) == 1);
    plait_leave();
    return 0;
}

static int acquires(void *argument)
{
    struct scene *scene = argument;
    const int got = plait_lock_acquire(scene->lock, PLAIT_FOREVER);
    CHECK(got >= 0);
    CHECK(plait_lock_release(scene->lock) == 0);
    plait_leave();
    return got;
}

/* The victim holds the lock, and members - 1 others sleep for long. */
static struct scene *new_scene(int members, unsigned without, int (*sleep)(void *argument))
{
    struct scene *scene = test_shared(sizeof *scene);
    plait__set_without(without);
    assert_non_null(scene->lock = plait_lock_new());
    assert_non_null(scene->queue = plait_queue_new(NULL));
    plait_leave();
    scene->sleepers = members - 1;
    scene->victim = test_fork(holds, scene);
    test_until_set(&scene->held);
    for (int i = 0; i < scene->sleepers; i++) scene->pids[i] = test_fork(sleep, scene);
    for (int i = 0; i < scene->sleepers; i++) test_until_watches(scene->pids[i]);
    return scene;
}

static int awake_one(const struct scene *scene, enum awake awake)
{
    return awake == FIRST_ONLY ? 0 : scene->sleepers - 1;
}

static void stop_all_but(const struct scene *scene, enum awake awake)
{
    for (int i = 0; awake != EVERYBODY && i < scene->sleepers; i++)
        if (i != awake_one(scene, awake)) test_stop(scene->pids[i]);
}

static void continue_all(const struct scene *scene)
{
    for (int i = 0; i < scene->sleepers; i++) assert_int_equal(kill(scene->pids[i], SIGCONT), 0);
}

/* Nobody waits for anything that the victim has; still its slot is repaired. */
static void notice(int members, unsigned without, enum awake awake)
{
    struct scene *scene = new_scene(members, without, gets);
    stop_all_but(scene, awake);
    test_kill(scene->victim);
    test_until_no_member(scene->victim);
    continue_all(scene);
    for (int i = 0; i < scene->sleepers; i++) assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_FOREVER), 0);
    for (int i = 0; i < scene->sleepers; i++) assert_int_equal(test_wait_exit(scene->pids[i]), 0);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
}

/* They wait for what the victim has; one of them gets it. */
static void take_over(int members, unsigned without, enum awake awake)
{
    struct scene *scene = new_scene(members, without, acquires);
    stop_all_but(scene, awake);
    test_kill(scene->victim);
    const int only = awake_one(scene, awake);
    if (awake != EVERYBODY) assert_int_equal(test_wait_exit(scene->pids[only]), PLAIT_OWNER_DIED);
    int told = awake != EVERYBODY;
    for (int i = 0; i < scene->sleepers; i++)
        if (awake == EVERYBODY || i != only) {
            kill(scene->pids[i], SIGCONT);
            told += test_wait_exit(scene->pids[i]) == PLAIT_OWNER_DIED;
        }
    assert_int_equal(told, 1);
}

/* The first eight slots are full of sleepers when the next ones are made: they have to be told, for nobody else watches those. */
static void who_sleeps_notices_those_who_join_later(void **state)
{
    struct scene *scene = test_shared(sizeof *scene);
    assert_non_null(scene->lock = plait_lock_new());
    assert_non_null(scene->queue = plait_queue_new(NULL));
    for (int i = 0; i < 7; i++) scene->pids[i] = test_fork(gets, scene);
    for (int i = 0; i < 7; i++) test_until_watches(scene->pids[i]);
    scene->victim = test_fork(holds, scene);
    test_until_set(&scene->held);
    for (int i = 0; i < 7; i++) test_until_watches(scene->pids[i]);
    test_kill(scene->victim);
    test_until_no_member(scene->victim);
    for (int i = 0; i < 7; i++) assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_FOREVER), 0);
    for (int i = 0; i < 7; i++) assert_int_equal(test_wait_exit(scene->pids[i]), 0);
}

/* --- a test for each combination --- */

#define TEST(what, n, kernel, without, who, awake)                                                    \
    static void what##_by_##n##_##kernel##_##who(void **state) { what(n, without, awake); }
#define ROW(what, n, kernel, without, who, awake)                                                     \
    { .name = #what "_by_" #n "_" #kernel "_" #who, .test_func = what##_by_##n##_##kernel##_##who },

#define FOR_EACH_AWAKE(X, what, n, kernel, without)                                                   \
    X(what, n, kernel, without, all_awake, EVERYBODY)                                                 \
    X(what, n, kernel, without, first_awake, FIRST_ONLY)                                              \
    X(what, n, kernel, without, last_awake, LAST_ONLY)
#define FOR_EACH_KERNEL(X, what, n)                                                                   \
    FOR_EACH_AWAKE(X, what, n, new_kernel, 0)                                                         \
    FOR_EACH_AWAKE(X, what, n, no_waitv, PLAIT__WITHOUT_WAITV)                                        \
    FOR_EACH_AWAKE(X, what, n, no_pidfd, PLAIT__WITHOUT_PIDFD)                                        \
    FOR_EACH_AWAKE(X, what, n, no_robust, PLAIT__WITHOUT_ROBUST)                                      \
    FOR_EACH_AWAKE(X, what, n, old_kernel, OLD_KERNEL)
#define FOR_EACH(X)                                                                                   \
    FOR_EACH_KERNEL(X, notice, 2)                                                                     \
    FOR_EACH_KERNEL(X, notice, 20)                                                                    \
    FOR_EACH_KERNEL(X, notice, 130)                                                                   \
    FOR_EACH_KERNEL(X, notice, 300)                                                                   \
    FOR_EACH_KERNEL(X, take_over, 2)                                                                  \
    FOR_EACH_KERNEL(X, take_over, 20)                                                                 \
    FOR_EACH_AWAKE(X, take_over, 130, new_kernel, 0)                                                  \
    FOR_EACH_AWAKE(X, take_over, 300, new_kernel, 0)

FOR_EACH(TEST)

static const struct CMUnitTest tests[] = { FOR_EACH(ROW) cmocka_unit_test(who_sleeps_notices_those_who_join_later) };
TEST_MAIN(tests)
