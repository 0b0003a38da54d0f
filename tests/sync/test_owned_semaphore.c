/* The semaphore whose permits know their holders: only they release, and when they end, in whatever way, their permits
 * come back. */
#include "someone.h"

#include <limits.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/process.h>
#include <plait/semaphore.h>

static struct scene {
    _Atomic int got, inside, most, ready, end;
    long rounds;
} *scene;

static plait_semaphore *semaphore;

static void make(int permits)
{
    assert_int_equal(plait_semaphore_free(semaphore), 0);
    semaphore = plait_owned_semaphore_new(permits);
    assert_non_null(semaphore);
}

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    semaphore = plait_owned_semaphore_new(2);
    return scene && semaphore ? 0 : -1;
}

static int free_scene(void **state)
{
    const int error = plait_semaphore_free(semaphore);
    semaphore = NULL;
    return error ? error : plait_free(scene);
}

/* --- alone ----------------------------------------------------------------------------------------------------------------- */

static void the_value_is_counted(void **state)
{
    const int sizes[] = { 1, 2, 3, 7, 8, 9, 100, 5000, PLAIT_OWNED_SEMAPHORE_MAX };
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int some = sizes[i] < 200 ? sizes[i] : 200;
        make(sizes[i]);
        for (int j = 0; j < some; j++) {
            assert_int_equal(plait_semaphore_get_value(semaphore), sizes[i] - j);
            assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
        }
        assert_int_equal(plait_semaphore_release_many(semaphore, (uint32_t)some), 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), sizes[i]);
    }
}

static void one_thread_may_hold_several(void **state)
{
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_FOREVER), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_FOREVER), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(),
                        "the 2 permits are held by the calling thread itself, the calling thread itself");
    assert_int_equal(plait_semaphore_acquire(semaphore, plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(plait_semaphore_release_many(semaphore, 2), PLAIT_ENOTOWNER);           /* and nothing was released */
    assert_string_equal(plait_error_detail(), "the calling thread holds 1 of the 2 permits, not 2");
    assert_int_equal(plait_semaphore_get_value(semaphore), 1);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(plait_semaphore_release(semaphore), PLAIT_ENOTOWNER);
    assert_int_equal(plait_semaphore_release_many(semaphore, 0), -EINVAL);
    assert_int_equal(plait_semaphore_release_many(semaphore, UINT32_MAX), PLAIT_ENOTOWNER);
}

static void numbers_of_permits(void **state)
{
    const int wrong[] = { 0, -1, INT_MIN, INT_MAX, PLAIT_OWNED_SEMAPHORE_MAX + 1 };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        errno = 0;
        assert_null(plait_owned_semaphore_new(wrong[i]));
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(plait_error_detail(), "not 1 to 65535"));
    }
}

/* The names of all do not fit into the detail. */
static void a_long_list_of_holders_is_cut(void **state)
{
    make(100);
    for (int i = 0; i < 100; i++) assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), -ETIMEDOUT);
    const char *detail = plait_error_detail();
    assert_non_null(strstr(detail, "the 100 permits are held by the calling thread itself, "));
    assert_string_equal(detail + strlen(detail) - 5, ", ...");
    assert_int_equal(plait_semaphore_release_many(semaphore, 100), 0);
}

/* --- whose it is -------------------------------------------------------------------------------------------------------------- */

static int cannot_release(void *unused)
{
    CHECK(plait_semaphore_release(semaphore) == PLAIT_ENOTOWNER);
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    CHECK(plait_semaphore_release(semaphore) == 0);
    CHECK(plait_semaphore_release(semaphore) == PLAIT_ENOTOWNER);
    return 0;
}

static void nobody_releases_for_another(void **state)
{
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    for (int kind = 0; kind < SOMEONE_KINDS; kind++) {
        struct someone other;
        someone_start(&other, kind, cannot_release, NULL);
        assert_int_equal(someone_finish(&other), 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), 1);
    }
    assert_int_equal(plait_semaphore_release(semaphore), 0);
}

static int holds(void *unused)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) >= 0);
    scene->ready++;
    test_until_set(&scene->end);
    return plait_semaphore_release(semaphore);
}

static void the_detail_names_the_holders(void **state)
{
    struct someone one, other;
    char expected[200];
    someone_start(&one, A_THREAD, holds, NULL);
    test_until_at_least(&scene->ready, 1);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), -ETIMEDOUT);
    snprintf(expected, sizeof expected, "MainProcess/%d (pid %d)", one.tid, (int)getpid());
    assert_non_null(strstr(plait_error_detail(), expected));
    assert_non_null(strstr(plait_error_detail(), "the calling thread itself"));
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    scene->end = 1;
    assert_int_equal(someone_finish(&one), 0);

    make(1);
    scene->end = scene->ready = 0;
    someone_start(&other, A_PROCESS, holds, NULL);
    test_until_at_least(&scene->ready, 1);
    assert_int_equal(plait_semaphore_acquire(semaphore, plait_after(0.01)), -ETIMEDOUT);
    snprintf(expected, sizeof expected, "the permit is held by MainProcess (pid %d)", (int)other.tid);
    assert_string_equal(plait_error_detail(), expected);
    scene->end = 1;
    assert_int_equal(someone_finish(&other), 0);
}

/* --- waiting --------------------------------------------------------------------------------------------------------------- */

static int passes_it_on(void *unused)
{
    const int got = plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
    CHECK(got >= 0);
    scene->got++;
    CHECK(plait_semaphore_release(semaphore) == 0);
    return got;
}

static void who_waits_is_woken(void **state)
{
    make(1);
    for (int i = 0; i < 8; i++) {
        struct someone waiter;
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
        someone_start(&waiter, i % SOMEONE_KINDS, passes_it_on, NULL);
        if (i / 2 % 2) test_until_waits(waiter.tid);
        else test_until_watches(waiter.tid);
        assert_int_equal(plait_semaphore_release(semaphore), 0);
        assert_int_equal(someone_finish(&waiter), 0);
    }
}

static int keeps_it(void *unused)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) >= 0);
    scene->got++;
    test_until_set(&scene->end);
    return 0;
}

static void as_many_are_woken_as_permits_are_released(void **state)
{
    struct someone waiters[5];
    make(4);
    for (int i = 0; i < 4; i++) assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    for (int i = 0; i < 5; i++) someone_start(&waiters[i], i < 3 ? A_PROCESS : A_THREAD, keeps_it, NULL);
    for (int i = 0; i < 5; i++) test_until_watches(waiters[i].tid);
    assert_int_equal(plait_semaphore_release_many(semaphore, 3), 0);
    test_until_at_least(&scene->got, 3);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    test_until_at_least(&scene->got, 4);
    scene->end = 1;                                        /* who leaves gives its permit to the last one */
    for (int i = 0; i < 5; i++) assert_int_equal(someone_finish(&waiters[i]), 0);
    assert_int_equal(scene->got, 5);
    assert_int_equal(plait_semaphore_get_value(semaphore), 4);
}

/* --- ends ------------------------------------------------------------------------------------------------------------------ */

static int holds_and_ends(void *leaves)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) >= 0);
    if (leaves) plait_leave();
    return 0;
}

static void a_death_gives_the_permit_back_and_is_told_once(void **state)
{
    for (int i = 0; i < 5; i++) {
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
        assert_int_equal(test_wait_exit(test_fork(holds_and_ends, NULL)), 0);
        test_notice_deaths();
        assert_int_equal(plait_semaphore_get_value(semaphore), 1);
        assert_int_equal(plait_semaphore_acquire(semaphore, i % 2 ? PLAIT_FOREVER : PLAIT_NOW), PLAIT_OWNER_DIED);
        assert_int_equal(plait_semaphore_get_value(semaphore), 0);
        assert_int_equal(plait_semaphore_release_many(semaphore, 2), 0);
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
        assert_int_equal(plait_semaphore_release(semaphore), 0);
    }
}

static void a_clean_end_gives_the_permit_back(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct someone holder;
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
        someone_start(&holder, i % SOMEONE_KINDS, holds_and_ends, i / 2 ? NULL : &scene);     /* by plait_leave, and by its end */
        assert_int_equal(someone_finish(&holder), 0);
        test_until_no_member(holder.tid);
        assert_int_equal(plait_semaphore_get_value(semaphore), 1);
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_FOREVER), 0);
        assert_int_equal(plait_semaphore_release_many(semaphore, 2), 0);
    }
}

static void whoever_leaves_holds_it_no_more(void **state)
{
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    plait_leave();
    assert_int_equal(plait_semaphore_release(semaphore), PLAIT_ENOTOWNER);
    assert_int_equal(plait_semaphore_get_value(semaphore), 2);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_release_many(semaphore, 2), 0);
}

static int holds_until_the_end(void *unused)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) >= 0);
    scene->ready++;
    test_until_set(&scene->end);
    return 0;
}

/* All who wait look again; and one of two permits is enough for both, one after the other. */
static void who_waits_gets_the_permit_of_the_dead(void **state)
{
    struct someone holders[2], waiters[4];
    for (int i = 0; i < 2; i++) someone_start(&holders[i], A_PROCESS, holds_until_the_end, NULL);
    test_until_at_least(&scene->ready, 2);
    for (int i = 0; i < 4; i++) someone_start(&waiters[i], i < 2 ? A_PROCESS : A_THREAD, passes_it_on, NULL);
    for (int i = 0; i < 4; i++) test_until_watches(waiters[i].tid);
    test_kill(holders[0].tid);
    int told = 0;
    for (int i = 0; i < 4; i++) told += someone_finish(&waiters[i]);
    assert_int_equal(told, PLAIT_OWNER_DIED);
    test_kill(holders[1].tid);
    test_notice_deaths();
    assert_int_equal(plait_semaphore_get_value(semaphore), 2);
}

static int waits_and_stays(void *unused)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
    scene->got++;
    for (;;) pause();
}

/* A clean end wakes all, as a permit may be for each of them; not only those who watch the pulse of the one who leaves. */
static void who_waits_gets_the_permits_of_one_that_leaves(void **state)
{
    pid_t waiters[3];
    make(3);
    for (int i = 0; i < 3; i++) assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    for (int i = 0; i < 3; i++) waiters[i] = test_fork(waits_and_stays, NULL);
    for (int i = 0; i < 3; i++) test_until_watches(waiters[i]);
    plait_leave();
    test_until_at_least(&scene->got, 3);
    for (int i = 0; i < 3; i++) test_kill(waiters[i]);
    test_notice_deaths();
    assert_int_equal(plait_semaphore_get_value(semaphore), 3);
}

static int forks_and_ends(void *unused)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    const pid_t child = fork();
    if (child == 0) {
        CHECK(plait_semaphore_release(semaphore) == PLAIT_ENOTOWNER && plait_semaphore_get_value(semaphore) == 1);
        _exit(0);
    }
    CHECK(child > 0 && test_wait_exit(child) == 0);
    return plait_semaphore_release(semaphore);
}

static void a_forked_child_holds_nothing(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(forks_and_ends, NULL)), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), 2);
}

/* --- together ----------------------------------------------------------------------------------------------------------------- */

static int goes_in_and_out(void *unused)
{
    for (long i = 0; i < scene->rounds; i++) {
        const int got = plait_semaphore_acquire(semaphore, i % 5 ? PLAIT_FOREVER : plait_after(0.001));
        if (got == -ETIMEDOUT) continue;
        CHECK(got == 0);
        const int inside = atomic_fetch_add(&scene->inside, 1) + 1;
        if (inside > scene->most) scene->most = inside;
        if (i % 64 == 0) sched_yield();
        scene->inside--;
        CHECK(plait_semaphore_release(semaphore) == 0);
    }
    return 0;
}

static void never_more_than_its_permits_are_inside(void **state)
{
    for (int permits = 1; permits <= 4; permits++) {
        struct someone users[6];
        *scene = (struct scene){ .rounds = 8000 };
        make(permits);
        for (int i = 0; i < 6; i++) someone_start(&users[i], i < 3 ? A_PROCESS : A_THREAD, goes_in_and_out, NULL);
        for (int i = 0; i < 6; i++) assert_int_equal(someone_finish(&users[i]), 0);
        assert_true(scene->most <= permits && scene->most > 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), permits);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(the_value_is_counted),
    TEST(one_thread_may_hold_several),
    TEST(numbers_of_permits),
    TEST(a_long_list_of_holders_is_cut),
    TEST(nobody_releases_for_another),
    TEST(the_detail_names_the_holders),
    TEST(who_waits_is_woken),
    TEST(as_many_are_woken_as_permits_are_released),
    TEST(a_death_gives_the_permit_back_and_is_told_once),
    TEST(a_clean_end_gives_the_permit_back),
    TEST(whoever_leaves_holds_it_no_more),
    TEST(who_waits_gets_the_permit_of_the_dead),
    TEST(who_waits_gets_the_permits_of_one_that_leaves),
    TEST(a_forked_child_holds_nothing),
    TEST(never_more_than_its_permits_are_inside),
};
TEST_MAIN(tests)
