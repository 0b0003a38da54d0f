/* The lock between processes: handing over, releasing for another, counting together; and what is left by those who end. */
#include "harness.h"
#include "others.h"

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>

enum { MANY = 6 };

struct scene {
    plait_lock many[MANY];
    plait_lock lock, other;                             /* embedded: all-zero bytes are unlocked */
    _Atomic int ready, end, signals;
    long counter, rounds;
    int lines;
    char log[32][24];
};

static struct scene *scene;

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    return scene ? 0 : -1;
}

static int free_scene(void **state)
{
    return plait_free(scene);
}

/* --- waiting and waking -------------------------------------------------------------------------------------------------- */

static int acquires(void *unused)
{
    const int got = plait_lock_acquire(&scene->lock, PLAIT_FOREVER);
    plait_leave();
    return got;
}

static void a_process_that_waits_is_woken(void **state)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), 0);
        const pid_t child = test_fork(acquires, NULL);
        if (i % 2) test_until_waits(child);
        else test_until_watches(child);
        assert_int_equal(plait_lock_release(&scene->lock), 0);
        assert_int_equal(test_wait_exit(child), 0);
        assert_int_equal(plait_lock_release(&scene->lock), 0);
    }
}

static int passes_it_on(void *unused)
{
    const int got = plait_lock_acquire(&scene->lock, PLAIT_FOREVER);
    scene->counter++;
    CHECK(plait_lock_release(&scene->lock) == 0);
    plait_leave();
    return got;
}

static void each_release_wakes_the_next(void **state)
{
    pid_t children[10];
    assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), 0);
    for (int i = 0; i < 10; i++) children[i] = test_fork(passes_it_on, NULL);
    for (int i = 0; i < 10; i++) test_until_watches(children[i]);
    assert_int_equal(plait_lock_release(&scene->lock), 0);
    for (int i = 0; i < 10; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(scene->counter, 10);
    assert_int_equal(plait_lock_locked(&scene->lock), 0);
}

static int tries_for_a_while(void *unused)
{
    const int got = plait_lock_acquire(&scene->lock, plait_after(0.005));
    CHECK(got == 0 || got == -ETIMEDOUT);
    if (got == 0) CHECK(plait_lock_release(&scene->lock) == 0);
    plait_leave();
    return 0;
}

static void whoever_gives_up_keeps_nobody_asleep(void **state)
{
    for (int i = 0; i < 20; i++) {
        assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_FOREVER), 0);
        const pid_t patient = test_fork(passes_it_on, NULL), hasty = test_fork(tries_for_a_while, NULL);
        test_until_waits(patient);
        if (i % 2) assert_int_equal(test_wait_exit(hasty), 0);
        assert_int_equal(plait_lock_release(&scene->lock), 0);
        assert_int_equal(test_wait_exit(patient), 0);
        if (i % 2 == 0) assert_int_equal(test_wait_exit(hasty), 0);
        assert_int_equal(plait_lock_locked(&scene->lock), 0);
    }
}

/* --- who holds it ----------------------------------------------------------------------------------------------------------- */

static int holds_under_a_name(void *name)
{
    plait__set_process_name(name);
    CHECK(plait_lock_acquire(&scene->lock, PLAIT_FOREVER) >= 0);
    atomic_store(&scene->ready, 1);
    for (;;) pause();
    return 0;
}

static void the_detail_names_the_holder(void **state)
{
    char expected[64];
    const pid_t child = test_fork(holds_under_a_name, (void *)(uintptr_t)"Worker-3");
    test_until_set(&scene->ready);
    snprintf(expected, sizeof expected, "the lock is held by Worker-3 (pid %d)", (int)child);
    assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), expected);
    assert_int_equal(plait_lock_acquire(&scene->lock, plait_after(0.01)), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), expected);
    test_kill(child);
}

static int releases(void *unused)
{
    CHECK(plait_lock_locked(&scene->lock) == 1);
    CHECK(plait_lock_release(&scene->lock) == 0);
    CHECK(plait_lock_release(&scene->lock) == PLAIT_EUNLOCKED);
    plait_leave();
    return 0;
}

static void another_process_may_release_it(void **state)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), 0);
        assert_int_equal(test_wait_exit(test_fork(releases, NULL)), 0);
        assert_int_equal(plait_lock_release(&scene->lock), PLAIT_EUNLOCKED);
    }
}

static int disowns_and_dies(void *unused)
{
    CHECK(plait_lock_acquire(&scene->lock, PLAIT_NOW) == 0);
    CHECK(plait_lock_disown(&scene->lock) == 0);
    return 0;                                           /* by _exit: a death */
}

static void the_death_of_a_disowner_frees_nothing(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(disowns_and_dies, NULL)), 0);
    assert_int_equal(plait_lock_locked(&scene->lock), 1);
    assert_int_equal(plait_lock_acquire(&scene->lock, plait_after(0.02)), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "nobody in particular"));
    assert_int_equal(plait_lock_release(&scene->lock), 0);
    assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), 0);
}

/* --- ends ------------------------------------------------------------------------------------------------------------------- */

static int holds_and_ends(void *leaves)
{
    CHECK(plait_lock_acquire(&scene->lock, PLAIT_FOREVER) >= 0);
    if (leaves) plait_leave();
    return 0;
}

static void a_death_is_told_once(void **state)
{
    for (int i = 0; i < 5; i++) {
        assert_int_equal(test_wait_exit(test_fork(holds_and_ends, NULL)), 0);
        test_notice_deaths();
        assert_int_equal(plait_lock_locked(&scene->lock), 0);
        assert_int_equal(plait_lock_acquire(&scene->lock, i % 2 ? PLAIT_FOREVER : PLAIT_NOW), PLAIT_OWNER_DIED);
        assert_int_equal(plait_lock_locked(&scene->lock), 1);
        assert_int_equal(plait_lock_release(&scene->lock), 0);
        assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), 0);
        assert_int_equal(plait_lock_release(&scene->lock), 0);
    }
}

static void one_of_many_waiters_is_told(void **state)
{
    pid_t children[10];
    const pid_t holder = test_fork(holds_under_a_name, (void *)(uintptr_t)"victim");
    test_until_set(&scene->ready);
    for (int i = 0; i < 10; i++) children[i] = test_fork(passes_it_on, NULL);
    for (int i = 0; i < 10; i++) test_until_watches(children[i]);
    test_kill(holder);
    int told = 0;
    for (int i = 0; i < 10; i++) told += test_wait_exit(children[i]);
    assert_int_equal(told, PLAIT_OWNER_DIED);
    assert_int_equal(scene->counter, 10);
}

static int holds_many(void *unused)
{
    for (int i = 0; i < MANY; i++) CHECK(plait_lock_acquire(&scene->many[i], PLAIT_FOREVER) == 0);
    scene->ready = 1;
    for (;;) pause();
    return 0;
}

/* And stays a member: whose end would wake another. */
static int acquires_this(void *lock)
{
    const int got = plait_lock_acquire(lock, PLAIT_FOREVER);
    scene->signals++;
    test_until_set(&scene->end);
    return got;
}

static bool all_have_theirs(void *unused)
{
    return scene->signals == MANY;
}

/* The kernel wakes one of them, and so does who gives the pulse of the dead one up; the others are left to the repairer. */
static void all_who_wait_for_locks_of_a_dead_one_get_them(void **state)
{
    pid_t waiters[MANY];
    const pid_t holder = test_fork(holds_many, NULL);
    test_until_set(&scene->ready);
    for (int i = 0; i < MANY; i++) waiters[i] = test_fork(acquires_this, &scene->many[i]);
    for (int i = 0; i < MANY; i++) test_until_watches(waiters[i]);
    test_kill(holder);
    test_until(all_have_theirs, NULL);
    scene->end = 1;
    for (int i = 0; i < MANY; i++) assert_int_equal(test_wait_exit(waiters[i]), PLAIT_OWNER_DIED);
}

static void the_death_of_a_waiter_changes_nothing(void **state)
{
    pid_t children[6];
    assert_int_equal(plait_lock_acquire(&scene->lock, PLAIT_NOW), 0);
    for (int i = 0; i < 6; i++) children[i] = test_fork(passes_it_on, NULL);
    for (int i = 0; i < 6; i++) test_until_watches(children[i]);
    for (int i = 0; i < 6; i += 2) test_kill(children[i]);
    assert_int_equal(plait_lock_release(&scene->lock), 0);
    for (int i = 1; i < 6; i += 2) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(scene->counter, 3);
}

static void a_clean_end_keeps_it_locked_for_waiters_too(void **state)
{
    const pid_t holder = test_fork(holds_and_ends, &scene);
    assert_int_equal(test_wait_exit(holder), 0);
    const pid_t waiter = test_fork(acquires, NULL);
    test_until_watches(waiter);
    assert_int_equal(plait_lock_release(&scene->lock), 0);
    assert_int_equal(test_wait_exit(waiter), 0);
    assert_int_equal(plait_lock_locked(&scene->lock), 1);
}

static int dies(void *unused)
{
    return plait_init(NULL, NULL);
}

static int leaves(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    plait_leave();
    return 0;
}

/* Its holder's slot has had many lives since: how that one ended is still known, or taken for a death. */
static void a_lock_remembers_how_its_holder_ended(void **state)
{
    static plait_lock *dead, *left;
    dead = &scene->lock;
    left = &scene->other;
    assert_int_equal(plait_lock_acquire(left, PLAIT_NOW), 0);
    plait_leave();
    assert_int_equal(test_wait_exit(test_fork(holds_and_ends, NULL)), 0);
    for (int i = 0; i < 40; i++) assert_int_equal(test_wait_exit(test_fork(leaves, NULL)), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(test_wait_exit(test_fork(dies, NULL)), 0);
        test_notice_deaths();
        assert_int_equal(plait_lock_locked(dead), 0);
        assert_int_equal(plait_lock_locked(left), 1);
    }
    assert_int_equal(plait_lock_acquire(dead, PLAIT_NOW), PLAIT_OWNER_DIED);
    assert_int_equal(plait_lock_acquire(left, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_lock_release(dead), 0);
    assert_int_equal(test_wait_exit(test_fork(holds_and_ends, NULL)), 0);
    for (int i = 0; i < 400; i++) assert_int_equal(test_wait_exit(test_fork(dies, NULL)), 0);
    test_notice_deaths();
    assert_int_equal(plait_lock_acquire(dead, PLAIT_NOW), PLAIT_OWNER_DIED);
}

/* --- together ----------------------------------------------------------------------------------------------------------------- */

static int counts(void *unused)
{
    for (long i = 0; i < scene->rounds; i++) {
        CHECK(plait_lock_acquire(&scene->lock, PLAIT_FOREVER) == 0);
        scene->counter++;
        CHECK(plait_lock_release(&scene->lock) == 0);
    }
    plait_leave();
    return 0;
}

static void no_count_is_lost(int processes, long rounds)
{
    pid_t children[8];
    scene->rounds = rounds;
    scene->counter = 0;
    for (int i = 0; i < processes; i++) children[i] = test_fork(counts, NULL);
    for (int i = 0; i < processes; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(scene->counter, processes * rounds);
    assert_int_equal(scene->lock.word & 0xffff, 0);
}

static void no_count_of_two_processes_is_lost(void **state) { no_count_is_lost(2, 200000); }
static void no_count_of_three_processes_is_lost(void **state) { no_count_is_lost(3, 80000); }
static void no_count_of_four_processes_is_lost(void **state) { no_count_is_lost(4, 60000); }
static void no_count_of_eight_processes_is_lost(void **state) { no_count_is_lost(8, 30000); }

static int counts_with_deadlines(void *unused)
{
    for (long i = 0; i < scene->rounds;) {
        const int got = plait_lock_acquire(&scene->lock, i % 3 ? plait_after(0.0001) : PLAIT_NOW);
        if (got == -ETIMEDOUT) continue;
        CHECK(got == 0);
        scene->counter++;
        i++;
        CHECK(plait_lock_release(&scene->lock) == 0);
    }
    plait_leave();
    return 0;
}

static void no_count_is_lost_when_some_give_up(void **state)
{
    pid_t children[4];
    scene->rounds = 20000;
    for (int i = 0; i < 4; i++) children[i] = test_fork(i % 2 ? counts : counts_with_deadlines, NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(scene->counter, 80000);
}

/* Two processes, two locks: each acquires its own and releases the other's.  Each counts for itself, from 10. */
static int pings(void *argument)
{
    const char *name = argument;
    const bool first = strcmp(name, "ping") == 0;
    plait_lock *mine = first ? &scene->lock : &scene->other, *others = first ? &scene->other : &scene->lock;
    for (int counter = 10; counter < 15; counter++) {
        CHECK(plait_lock_acquire(mine, PLAIT_FOREVER) == 0);
        snprintf(scene->log[scene->lines++], sizeof scene->log[0], "%s %d", name, counter);
        CHECK(plait_lock_release(others) == 0);
    }
    plait_leave();
    return 0;
}

static void ping_and_pong_take_turns(void **state)
{
    for (int round = 0; round < 20; round++) {
        scene->lines = 0;
        assert_int_equal(plait_lock_acquire(&scene->other, PLAIT_NOW), 0);         /* ping enters first */
        const pid_t ping = test_fork(pings, (void *)(uintptr_t)"ping"), pong = test_fork(pings, (void *)(uintptr_t)"pong");
        assert_int_equal(test_wait_exit(ping), 0);
        assert_int_equal(test_wait_exit(pong), 0);
        assert_int_equal(plait_lock_release(&scene->other), 0);
        assert_int_equal(scene->lines, 10);
        for (int i = 0; i < 10; i++) {
            char expected[24];
            snprintf(expected, sizeof expected, "%s %d", i % 2 ? "pong" : "ping", 10 + i / 2);
            assert_string_equal(scene->log[i], expected);
        }
        assert_int_equal(plait_lock_locked(&scene->lock), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(a_process_that_waits_is_woken),
    TEST(each_release_wakes_the_next),
    TEST(whoever_gives_up_keeps_nobody_asleep),
    TEST(the_detail_names_the_holder),
    TEST(another_process_may_release_it),
    TEST(the_death_of_a_disowner_frees_nothing),
    TEST(a_death_is_told_once),
    TEST(one_of_many_waiters_is_told),
    TEST(all_who_wait_for_locks_of_a_dead_one_get_them),
    TEST(the_death_of_a_waiter_changes_nothing),
    TEST(a_clean_end_keeps_it_locked_for_waiters_too),
    TEST(a_lock_remembers_how_its_holder_ended),
    TEST(no_count_of_two_processes_is_lost),
    TEST(no_count_of_three_processes_is_lost),
    TEST(no_count_of_four_processes_is_lost),
    TEST(no_count_of_eight_processes_is_lost),
    TEST(no_count_is_lost_when_some_give_up),
    TEST(ping_and_pong_take_turns),
};
TEST_MAIN(tests)
