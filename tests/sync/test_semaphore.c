/* The plain and the bounded semaphore: what the calls return, in any memory, and waiting for them, of threads and processes. */
#include "someone.h"

#include <limits.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/semaphore.h>

/* The functions that the library has, for whoever does not inline those of the header. */
static int (*volatile acquire_itself)(plait_semaphore *semaphore, plait_deadline deadline) = plait_semaphore_acquire;
static int (*volatile release_itself)(plait_semaphore *semaphore) = plait_semaphore_release;

static struct scene {
    plait_semaphore semaphore, done;                       /* all-zero bytes: plain, and 0 */
    _Atomic int got, inside, most, end;
    long rounds, counter;
} *scene;

static plait_semaphore *semaphore;

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    if (scene) semaphore = &scene->semaphore;
    return scene ? 0 : -1;
}

static int free_scene(void **state)
{
    return plait_free(scene);
}

/* --- alone ----------------------------------------------------------------------------------------------------------------- */

static void the_value_is_counted(void **state)
{
    assert_int_equal(plait_semaphore_init(semaphore, 3), 0);
    for (int i = 3; i > 0; i--) {
        assert_int_equal(plait_semaphore_get_value(semaphore), i);
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_FOREVER), 0);
    }
    assert_int_equal(plait_semaphore_get_value(semaphore), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), -ETIMEDOUT);
    for (int i = 1; i < 10; i++) {                         /* a plain one may be released beyond what it had */
        assert_int_equal(plait_semaphore_release(semaphore), 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), i);
    }
}

static void zeroed_memory_is_a_semaphore_of_value_0(void **state)
{
    plait_semaphore local = { 0 };
    assert_int_equal(plait_semaphore_get_value(&local), 0);
    assert_int_equal(plait_semaphore_acquire(&local, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "nobody has released"));
    assert_int_equal(plait_semaphore_release(&local), 0);
    assert_int_equal(plait_semaphore_acquire(&local, PLAIT_NOW), 0);
    assert_int_equal(local.word, 0);
    assert_int_equal(sizeof local, 16);
    assert_int_equal(_Alignof(plait_semaphore), 8);
}

static void a_fresh_one_lies_in_a_cache_line_of_its_own(void **state)
{
    plait_semaphore *(*const news[])(int value) = { plait_semaphore_new, plait_bounded_semaphore_new, plait_owned_semaphore_new };
    for (int i = 0; i < 3; i++) {
        plait_semaphore *fresh = news[i](5);
        assert_true(plait_is_shared(fresh));
        assert_int_equal((uintptr_t)fresh % 64, 0);
        assert_int_equal(plait_semaphore_get_value(fresh), 5);
        assert_int_equal(plait_semaphore_free(fresh), 0);
    }
}

static void a_bounded_one_is_not_released_more_often_than_acquired(void **state)
{
    assert_int_equal(plait_bounded_semaphore_init(semaphore, 2), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plait_semaphore_release(semaphore), PLAIT_EUNLOCKED);
        assert_string_equal(plait_error_detail(), "the semaphore has all its 2 permits");
        assert_int_equal(release_itself(semaphore), PLAIT_EUNLOCKED);
        assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
        assert_int_equal(plait_semaphore_release_many(semaphore, 2), PLAIT_EUNLOCKED);      /* and it has changed nothing */
        assert_int_equal(plait_semaphore_get_value(semaphore), 1);
        assert_int_equal(plait_semaphore_release(semaphore), 0);
    }
    assert_int_equal(plait_semaphore_get_value(semaphore), 2);
}

static void a_bounded_one_of_0_is_never_released(void **state)
{
    assert_int_equal(plait_bounded_semaphore_init(semaphore, 0), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_semaphore_release(semaphore), PLAIT_EUNLOCKED);
    assert_int_equal(plait_semaphore_get_value(semaphore), 0);
}

static void the_value_ends_at_2147483647(void **state)
{
    assert_int_equal(PLAIT_SEMAPHORE_MAX, INT_MAX);
    assert_int_equal(plait_semaphore_init(semaphore, INT_MAX), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), INT_MAX);
    assert_int_equal(plait_semaphore_release(semaphore), -EOVERFLOW);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(plait_semaphore_init(semaphore, 7), 0);
    assert_int_equal(plait_semaphore_release_many(semaphore, INT_MAX), -EOVERFLOW);
    assert_int_equal(plait_semaphore_release_many(semaphore, UINT32_MAX), -EOVERFLOW);
    assert_int_equal(plait_semaphore_release_many(semaphore, INT_MAX - 7), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), INT_MAX);
}

static void many_are_released_at_once(void **state)
{
    assert_int_equal(plait_semaphore_release_many(semaphore, 5), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), 5);
    assert_int_equal(plait_semaphore_release_many(semaphore, 0), -EINVAL);
    assert_int_equal(plait_semaphore_get_value(semaphore), 5);
}

static void a_bounded_one_ends_before_the_greatest_value(void **state)
{
    assert_int_equal(plait_bounded_semaphore_init(semaphore, INT_MAX), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "a bounded semaphore of 2147483647 permits"));
    errno = 0;
    assert_null(plait_bounded_semaphore_new(INT_MAX));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(plait_bounded_semaphore_init(semaphore, INT_MAX - 1), 0);
    assert_int_equal(plait_semaphore_release(semaphore), PLAIT_EUNLOCKED);
    assert_int_equal(plait_semaphore_get_value(semaphore), INT_MAX - 1);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(plait_semaphore_release(semaphore), PLAIT_EUNLOCKED);
}

static void negative_values_are_refused(void **state)
{
    assert_int_equal(plait_semaphore_init(semaphore, -1), -EINVAL);
    assert_int_equal(plait_bounded_semaphore_init(semaphore, INT_MIN), -EINVAL);
    errno = 0;
    assert_null(plait_semaphore_new(-1));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(plait_bounded_semaphore_new(-1));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(plait_error_detail(), "-1 permits"));
}

static void what_is_inlined_and_what_is_not_go_together(void **state)
{
    assert_int_equal(release_itself(semaphore), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(acquire_itself(semaphore, PLAIT_NOW), 0);
    assert_int_equal(acquire_itself(semaphore, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(acquire_itself(NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(release_itself((plait_semaphore *)((char *)semaphore + 4)), -EINVAL);
}

static void check_repr(const plait_semaphore *of, const char *expected)
{
    char text[64] = "";
    assert_int_equal(plait_semaphore_repr(of, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    assert_int_equal(plait_semaphore_repr(of, text, 6), strlen(expected));
    assert_int_equal(strlen(text), 5);
    assert_int_equal(plait_semaphore_repr(of, NULL, 0), strlen(expected));
    assert_int_equal(plait_semaphore_repr(of, NULL, 1), -EINVAL);
}

static void it_is_printed_as_in_python(void **state)
{
    assert_int_equal(plait_semaphore_init(semaphore, 3), 0);
    check_repr(semaphore, "<Semaphore(value=3)>");
    assert_int_equal(plait_bounded_semaphore_init(semaphore, 2), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    check_repr(semaphore, "<BoundedSemaphore(value=1, maxvalue=2)>");
    plait_semaphore *owned = plait_owned_semaphore_new(2);
    assert_int_equal(plait_semaphore_acquire(owned, PLAIT_NOW), 0);
    check_repr(owned, "<OwnedSemaphore(value=1, permits=2)>");
    assert_int_equal(plait_semaphore_free(owned), 0);
    assert_int_equal(plait_semaphore_repr(NULL, NULL, 0), -EINVAL);
}

static void check_is_no_semaphore(plait_semaphore *pointer)
{
    assert_int_equal(plait_semaphore_acquire(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_semaphore_release(pointer), -EINVAL);
    assert_int_equal(plait_semaphore_release_many(pointer, 2), -EINVAL);
    assert_int_equal(plait_semaphore_get_value(pointer), -EINVAL);
    assert_int_equal(plait_semaphore_init(pointer, 1), -EINVAL);
    assert_int_equal(plait_bounded_semaphore_init(pointer, 1), -EINVAL);
}

static void null_and_misaligned_pointers_are_no_semaphores(void **state)
{
    _Alignas(16) char memory[64] = "";
    check_is_no_semaphore(NULL);
    for (int shift = 1; shift < 8; shift++) {
        check_is_no_semaphore((plait_semaphore *)(void *)(memory + shift));
        assert_non_null(strstr(plait_error_detail(), "aligned"));
    }
    for (int i = 0; i < 64; i++) assert_int_equal(memory[i], 0);
    assert_int_equal(plait_semaphore_free(NULL), 0);
    assert_int_equal(plait_semaphore_free((plait_semaphore *)(void *)(memory + 8)), PLAIT_ENOTOURS);
}

static void a_deadline_that_is_over_does_not_wait(void **state)
{
    const plait_deadline over[] = { { plait__now() - PLAIT__SECOND }, { -1 }, plait_after(-3), plait_after(0) };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(plait_semaphore_acquire(semaphore, over[i]), -ETIMEDOUT);
        assert_int_equal(plait_semaphore_release(semaphore), 0);
        assert_int_equal(plait_semaphore_acquire(semaphore, over[i]), 0);
    }
    const plait_deadline deadline = plait_after(0.02);
    assert_int_equal(plait_semaphore_acquire(semaphore, deadline), -ETIMEDOUT);
    assert_true(plait__now() >= deadline.at);
}

/* --- others wait ------------------------------------------------------------------------------------------------------------ */

static int acquires(void *unused)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
    scene->got++;
    return 0;
}

/* Whoever ends wakes others; so it stays. */
static int acquires_and_stays(void *unused)
{
    acquires(NULL);
    test_until_set(&scene->end);
    return 0;
}

static void who_waits_is_woken(void **state)
{
    for (int i = 0; i < 8; i++) {
        struct someone waiter;
        someone_start(&waiter, i % SOMEONE_KINDS, acquires, NULL);
        if (i / 2 % 2) test_until_waits(waiter.tid);
        else test_until_watches(waiter.tid);
        assert_int_equal(plait_semaphore_get_value(semaphore), 0);         /* that somebody sleeps is no part of it */
        assert_int_equal(plait_semaphore_release(semaphore), 0);
        assert_int_equal(someone_finish(&waiter), 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), 0);
    }
}

static void who_waits_outside_the_arena_is_woken(void **state)
{
    plait_semaphore local = { 0 };
    struct someone waiter;
    semaphore = &local;
    someone_start(&waiter, A_THREAD, acquires, NULL);
    test_until_watches(waiter.tid);
    assert_int_equal(plait_semaphore_release(&local), 0);
    assert_int_equal(someone_finish(&waiter), 0);
}

static void as_many_are_woken_as_permits_are_released(void **state)
{
    struct someone waiters[6];
    for (int i = 0; i < 6; i++) someone_start(&waiters[i], i < 3 ? A_PROCESS : A_THREAD, acquires_and_stays, NULL);
    for (int i = 0; i < 6; i++) test_until_watches(waiters[i].tid);
    assert_int_equal(plait_semaphore_release_many(semaphore, 4), 0);
    test_until_at_least(&scene->got, 4);
    assert_int_equal(scene->got, 4);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    test_until_at_least(&scene->got, 5);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    test_until_at_least(&scene->got, 6);
    scene->end = 1;
    for (int i = 0; i < 6; i++) assert_int_equal(someone_finish(&waiters[i]), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), 0);
}

/* When nobody sleeps any more, the word says so: releases are quick again. */
static void the_last_sleeper_is_forgotten(void **state)
{
    struct someone waiter;
    someone_start(&waiter, A_PROCESS, acquires, NULL);
    test_until_watches(waiter.tid);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(someone_finish(&waiter), 0);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(semaphore->word, 2);
}

/* A bounded one that somebody waits for knows its maximum, too. */
static void a_bounded_one_counts_beside_sleepers(void **state)
{
    struct someone waiter;
    assert_int_equal(plait_bounded_semaphore_init(semaphore, 1), 0);
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    someone_start(&waiter, A_PROCESS, acquires, NULL);
    test_until_watches(waiter.tid);
    assert_int_equal(plait_semaphore_release_many(semaphore, 2), PLAIT_EUNLOCKED);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(someone_finish(&waiter), 0);
    assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(plait_semaphore_release(semaphore), PLAIT_EUNLOCKED);
}

static int gives_up(void *unused)
{
    const int got = plait_semaphore_acquire(semaphore, plait_after(0.005));
    CHECK(got == 0 || got == -ETIMEDOUT);
    if (got == 0) CHECK(plait_semaphore_release(semaphore) == 0);
    return 0;
}

static void whoever_gives_up_keeps_nobody_asleep(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct someone patient, hasty;
        someone_start(&patient, i % SOMEONE_KINDS, acquires, NULL);
        someone_start(&hasty, i % SOMEONE_KINDS, gives_up, NULL);
        test_until_waits(patient.tid);
        if (i % 3) assert_int_equal(someone_finish(&hasty), 0);
        assert_int_equal(plait_semaphore_release(semaphore), 0);
        assert_int_equal(someone_finish(&patient), 0);
        if (i % 3 == 0) assert_int_equal(someone_finish(&hasty), 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), 0);
    }
}

/* Anyone may release, also who is no member: it becomes one when somebody sleeps, so that its death would be noticed. */
static int releases_first(void *unused)
{
    CHECK(!plait__is_member());
    CHECK(plait_semaphore_release(semaphore) == 0);
    CHECK(plait__is_member());
    return 0;
}

static void who_was_nobody_wakes_as_a_member(void **state)
{
    struct someone waiter, other;
    someone_start(&waiter, A_PROCESS, acquires, NULL);
    test_until_watches(waiter.tid);
    someone_start(&other, A_PROCESS, releases_first, NULL);
    assert_int_equal(someone_finish(&other), 0);
    assert_int_equal(someone_finish(&waiter), 0);
}

/* --- ends ------------------------------------------------------------------------------------------------------------------- */

static int acquires_and_dies(void *unused)
{
    return plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
}

/* Nobody knows whose a permit of a plain one is. */
static void the_permits_of_the_dead_are_lost(void **state)
{
    assert_int_equal(plait_semaphore_init(semaphore, 2), 0);
    assert_int_equal(test_wait_exit(test_fork(acquires_and_dies, NULL)), 0);
    test_notice_deaths();
    assert_int_equal(plait_semaphore_get_value(semaphore), 1);
}

static void the_death_of_a_waiter_changes_nothing(void **state)
{
    struct someone waiters[4];
    for (int i = 0; i < 4; i++) someone_start(&waiters[i], A_PROCESS, acquires, NULL);
    for (int i = 0; i < 4; i++) test_until_watches(waiters[i].tid);
    for (int i = 0; i < 4; i += 2) test_kill(waiters[i].tid);
    assert_int_equal(plait_semaphore_release_many(semaphore, 2), 0);
    for (int i = 1; i < 4; i += 2) assert_int_equal(someone_finish(&waiters[i]), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), 0);
}

/* --- together ----------------------------------------------------------------------------------------------------------------- */

static void enter(void)
{
    const int inside = atomic_fetch_add(&scene->inside, 1) + 1;
    int most = scene->most;
    while (inside > most && !atomic_compare_exchange_weak(&scene->most, &most, inside)) {}
}

static int goes_in_and_out(void *unused)
{
    for (long i = 0; i < scene->rounds; i++) {
        const int got = plait_semaphore_acquire(semaphore, i % 5 ? PLAIT_FOREVER : plait_after(0.001));
        if (got == -ETIMEDOUT) continue;
        CHECK(got == 0);
        enter();
        if (i % 64 == 0) sched_yield();
        scene->inside--;
        CHECK(plait_semaphore_release(semaphore) == 0);
    }
    return 0;
}

static void never_more_than_its_value_are_inside(void **state)
{
    for (int value = 1; value <= 3; value++) {
        struct someone users[6];
        *scene = (struct scene){ .rounds = 10000 };
        assert_int_equal(plait_bounded_semaphore_init(semaphore, value), 0);
        for (int i = 0; i < 6; i++) someone_start(&users[i], i < 3 ? A_PROCESS : A_THREAD, goes_in_and_out, NULL);
        for (int i = 0; i < 6; i++) assert_int_equal(someone_finish(&users[i]), 0);
        assert_true(scene->most <= value && scene->most > 0);
        assert_int_equal(plait_semaphore_get_value(semaphore), value);
    }
}

static int signals(void *unused)
{
    for (long i = 0; i < scene->rounds; i++)
        CHECK(i % 7 ? plait_semaphore_release(semaphore) == 0 : plait_semaphore_release_many(semaphore, 3) == 0);
    return 0;
}

static int takes_signals(void *count)
{
    for (long i = *(long *)count; i; i--) CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
    return 0;
}

static void no_signal_is_lost(void **state)
{
    struct someone others[6];
    scene->rounds = 7 * 2000;
    long each = scene->rounds / 7 * (6 + 3);
    for (int i = 0; i < 6; i++) someone_start(&others[i], i < 3 ? A_PROCESS : A_THREAD, i % 2 ? signals : takes_signals, &each);
    for (int i = 0; i < 6; i++) assert_int_equal(someone_finish(&others[i]), 0);
    assert_int_equal(plait_semaphore_get_value(semaphore), 0);
}

/* What it protects is seen by the next; also by ThreadSanitizer. */
static int counts(void *unused)
{
    for (long i = 0; i < scene->rounds; i++) {
        CHECK(plait_semaphore_acquire(semaphore, i % 7 ? PLAIT_FOREVER : plait_after(100)) == 0);
        scene->counter++;
        CHECK((i % 2 ? plait_semaphore_release(semaphore) : plait_semaphore_release_many(semaphore, 1)) == 0);
    }
    return 0;
}

static void no_count_is_lost(void **state)
{
    plait_semaphore *some[] = { plait_semaphore_new(1), plait_bounded_semaphore_new(1), plait_owned_semaphore_new(1) };
    for (int i = 0; i < 3; i++) {
        struct test_thread threads[4];
        *scene = (struct scene){ .rounds = 20000 };
        semaphore = some[i];
        for (int j = 0; j < 4; j++) test_thread_start(&threads[j], counts, NULL);
        for (int j = 0; j < 4; j++) assert_int_equal(test_thread_join(&threads[j]), 0);
        assert_int_equal(scene->counter, 4 * scene->rounds);
        assert_int_equal(plait_semaphore_free(some[i]), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(the_value_is_counted),
    TEST(zeroed_memory_is_a_semaphore_of_value_0),
    TEST(a_fresh_one_lies_in_a_cache_line_of_its_own),
    TEST(a_bounded_one_is_not_released_more_often_than_acquired),
    TEST(a_bounded_one_of_0_is_never_released),
    TEST(the_value_ends_at_2147483647),
    TEST(many_are_released_at_once),
    TEST(a_bounded_one_ends_before_the_greatest_value),
    TEST(negative_values_are_refused),
    TEST(what_is_inlined_and_what_is_not_go_together),
    TEST(it_is_printed_as_in_python),
    TEST(null_and_misaligned_pointers_are_no_semaphores),
    TEST(a_deadline_that_is_over_does_not_wait),
    TEST(who_waits_is_woken),
    TEST(who_waits_outside_the_arena_is_woken),
    TEST(as_many_are_woken_as_permits_are_released),
    TEST(the_last_sleeper_is_forgotten),
    TEST(a_bounded_one_counts_beside_sleepers),
    TEST(whoever_gives_up_keeps_nobody_asleep),
    TEST(who_was_nobody_wakes_as_a_member),
    TEST(the_permits_of_the_dead_are_lost),
    TEST(the_death_of_a_waiter_changes_nothing),
    TEST(never_more_than_its_value_are_inside),
    TEST(no_signal_is_lost),
    TEST(no_count_is_lost),
};
TEST_MAIN(tests)
