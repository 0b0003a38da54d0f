/* The rlock: as often released as acquired, by its holder only, between threads and processes; what is left by those who end. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/rlock.h>

#include "family/roster.h"

static plait_rlock *lock;
static struct notes {
    _Atomic int ready, end;
    long counter;
} *notes;

static int make_lock(void **state)
{
    lock = plait_rlock_new();
    notes = plait_alloc(sizeof *notes);
    return lock && notes ? 0 : -1;
}

static int free_lock(void **state)
{
    return plait_rlock_free(lock) || plait_free(notes);
}

/* The functions that the library has, for whoever does not inline those of the header. */
static int (*volatile acquire_itself)(plait_rlock *lock, plait_deadline deadline) = plait_rlock_acquire;
static int (*volatile release_itself)(plait_rlock *lock) = plait_rlock_release;

static int releases(void *unused)
{
    return plait_rlock_release(lock);
}

static int tries(void *unused)
{
    return plait_rlock_acquire(lock, PLAIT_NOW);
}

static int in_a_thread(int (*body)(void *unused))
{
    struct test_thread thread;
    test_thread_start(&thread, body, NULL);
    return test_thread_join(&thread);
}

/* ---- alone ---- */

static void it_is_free_when_released_as_often_as_acquired(void **state)
{
    for (int i = 1; i <= 100; i++) {
        assert_int_equal(i % 2 ? plait_rlock_acquire(lock, PLAIT_NOW) : acquire_itself(lock, PLAIT_NOW), 0);
        assert_int_equal(plait_rlock_depth(lock), i);
    }
    for (int i = 99; i >= 0; i--) {
        assert_int_equal(plait_rlock_locked(lock), 1);
        assert_int_equal(i % 3 ? plait_rlock_release(lock) : release_itself(lock), 0);
        assert_int_equal(plait_rlock_depth(lock), i);
    }
    assert_int_equal(plait_rlock_locked(lock), 0);
    assert_int_equal(lock->word, 0);
}

static void only_its_holder_releases_it(void **state)
{
    assert_int_equal(plait_rlock_release(lock), PLAIT_EUNLOCKED);
    assert_int_equal(release_itself(lock), PLAIT_EUNLOCKED);
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(in_a_thread(releases), PLAIT_ENOTOWNER);
    assert_int_equal(test_wait_exit(test_fork(releases, NULL)), PLAIT_ENOTOWNER & 0xff);
    assert_int_equal(plait_rlock_depth(lock), 1);
    assert_int_equal(in_a_thread(tries), -ETIMEDOUT);
    assert_int_equal(plait_rlock_release(lock), 0);
    assert_int_equal(plait_rlock_release(lock), PLAIT_EUNLOCKED);
}

static void it_can_be_embedded_and_stand_on_the_stack(void **state)
{
    plait_rlock local = { 0 };
    struct tree {
        char name[8];
        plait_rlock lock;
        long nodes;
    } *tree = plait_alloc(sizeof *tree);
    plait_rlock *both[] = { &local, &tree->lock };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plait_rlock_acquire(both[i], PLAIT_NOW), 0);
        assert_int_equal(plait_rlock_acquire(both[i], PLAIT_NOW), 0);
        assert_int_equal(plait_rlock_release(both[i]), 0);
        assert_int_equal(plait_rlock_release(both[i]), 0);
        assert_int_equal(plait_rlock_locked(both[i]), 0);
    }
    assert_int_equal(tree->nodes, 0);
    assert_int_equal(plait_free(tree), 0);
    assert_int_equal(sizeof(plait_rlock), 16);
    assert_int_equal((uintptr_t)lock % 64, 0);
}

static void check_is_no_rlock(plait_rlock *pointer)
{
    char text[40];
    assert_int_equal(plait_rlock_acquire(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(acquire_itself(pointer, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_rlock_release(pointer), -EINVAL);
    assert_int_equal(release_itself(pointer), -EINVAL);
    assert_int_equal(plait_rlock_depth(pointer), -EINVAL);
    assert_int_equal(plait_rlock_locked(pointer), -EINVAL);
    assert_int_equal(plait_rlock_repr(pointer, text, sizeof text), -EINVAL);
}

static void null_and_misaligned_pointers_are_no_rlocks(void **state)
{
    _Alignas(16) char memory[64] = "";
    check_is_no_rlock(NULL);
    for (int shift = 1; shift < 8; shift++) check_is_no_rlock((plait_rlock *)(void *)(memory + shift));
    for (int i = 0; i < 64; i++) assert_int_equal(memory[i], 0);
    assert_int_equal(plait_rlock_free(NULL), 0);
    assert_int_equal(plait_rlock_free((plait_rlock *)(void *)memory), PLAIT_ENOTOURS);
    assert_int_equal(plait_rlock_repr(lock, NULL, 10), -EINVAL);
    assert_string_equal(plait_error_detail(), "no text of 10 bytes");
}

static void too_many_levels_are_an_error(void **state)
{
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
    lock->more = UINT32_MAX - 1;
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), -EAGAIN);
    assert_int_equal(acquire_itself(lock, PLAIT_FOREVER), -EAGAIN);
    assert_int_equal(plait_rlock_depth(lock), INT64_C(1) << 32);
    lock->more = 0;
    assert_int_equal(plait_rlock_release(lock), 0);
}

/* ---- its text ---- */

static char text[64];

static int prints(void *unused)
{
    return plait_rlock_repr(lock, text, sizeof text);
}

static int prints_elsewhere(void *unused)
{
    CHECK(plait_rlock_repr(lock, text, sizeof text) == 28);
    CHECK(strcmp(text, "<RLock(SomeOtherProcess, 1)>") == 0);
    return 0;
}

static void its_text_is_that_of_python(void **state)
{
    assert_int_equal(plait_rlock_repr(lock, text, sizeof text), 16);
    assert_string_equal(text, "<RLock(None, 0)>");
    for (int i = 0; i < 2; i++) assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rlock_repr(lock, text, sizeof text), 23);
    assert_string_equal(text, "<RLock(MainProcess, 2)>");
    assert_int_equal(plait_rlock_repr(lock, text, 10), 23);
    assert_string_equal(text, "<RLock(Ma");
    assert_int_equal(in_a_thread(prints), 27);
    assert_string_equal(text, "<RLock(SomeOtherThread, 1)>");
    for (int i = 0; i < 2; i++) assert_int_equal(plait_rlock_release(lock), 0);
}

/* ---- with others ---- */

static int holds_twice(void *unused)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0 && plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
    notes->ready = 1;
    test_until_set(&notes->end);
    CHECK(plait_rlock_release(lock) == 0 && plait_rlock_release(lock) == 0);
    return 0;
}

static void the_detail_names_its_holder(void **state)
{
    struct test_thread thread;
    char expected[80];
    test_thread_start(&thread, holds_twice, NULL);
    test_until_set(&notes->ready);
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
    snprintf(expected, sizeof expected, "the rlock is held by MainProcess/%d (pid %d)", atomic_load(&thread.tid), (int)getpid());
    assert_string_equal(plait_error_detail(), expected);
    assert_int_equal(plait_rlock_release(lock), PLAIT_ENOTOWNER);
    assert_non_null(strstr(plait_error_detail(), "not owned by the thread"));
    assert_non_null(strstr(plait_error_detail(), "MainProcess/"));
    assert_int_equal(plait_rlock_depth(lock), 0);
    notes->end = 1;
    assert_int_equal(test_thread_join(&thread), 0);
}

static int acquires_twice(void *unused)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0 && plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
    CHECK(plait_rlock_depth(lock) == 2);
    CHECK(plait_rlock_release(lock) == 0 && plait_rlock_release(lock) == 0);
    return 0;
}

static void who_waits_is_woken_by_the_last_release(void **state)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
        assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
        const pid_t child = test_fork(acquires_twice, NULL);
        if (i % 2) test_until_waits(child);
        else test_until_watches(child);
        assert_int_equal(plait_rlock_release(lock), 0);
        test_until_waits(child);
        assert_int_equal(plait_rlock_depth(lock), 1);
        assert_int_equal(i % 3 ? plait_rlock_release(lock) : release_itself(lock), 0);
        assert_int_equal(test_wait_exit(child), 0);
    }
}

static int counts(void *unused)
{
    for (long i = 0; i < 50000; i++) {
        for (int level = 0; level < 1 + i % 3; level++) CHECK(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
        notes->counter++;
        for (int level = 0; level < 1 + i % 3; level++) CHECK(plait_rlock_release(lock) == 0);
    }
    return 0;
}

static void no_count_of_four_threads_is_lost(void **state)
{
    struct test_thread threads[4];
    for (int i = 0; i < 4; i++) test_thread_start(&threads[i], counts, NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(notes->counter, 200000);
    assert_int_equal(plait_rlock_locked(lock), 0);
}

/* ---- ends ---- */

static int holds_until_killed(void *unused)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_FOREVER) >= 0 && plait_rlock_acquire(lock, PLAIT_FOREVER) >= 0);
    notes->ready = 1;
    for (;;) pause();
}

static void a_death_is_told_once_and_all_its_levels_are_gone(void **state)
{
    for (int i = 0; i < 3; i++) {
        notes->ready = 0;
        const pid_t child = test_fork(holds_until_killed, NULL);
        test_until_set(&notes->ready);
        test_kill(child);
        assert_int_equal(plait_rlock_release(lock), PLAIT_ENOTOWNER);
        assert_non_null(strstr(plait_error_detail(), "it is held by one who was killed"));
        assert_int_equal(plait_rlock_acquire(lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
        assert_int_equal(plait_rlock_depth(lock), 1);
        assert_int_equal(plait_rlock_acquire(lock, PLAIT_FOREVER), 0);
        assert_int_equal(plait_rlock_release(lock), 0);
        assert_int_equal(plait_rlock_release(lock), 0);
        assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
        assert_int_equal(plait_rlock_release(lock), 0);
    }
}

static int leaves_with_it(void *unused)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_NOW) == 0 && plait_rlock_acquire(lock, PLAIT_NOW) == 0);
    plait_leave();
    return 0;
}

static void what_was_left_anyone_may_release(void **state)
{
    assert_int_equal(in_a_thread(leaves_with_it), 0);
    assert_int_equal(plait_rlock_locked(lock), 1);
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(test_wait_exit(test_fork(prints_elsewhere, NULL)), 0);
    assert_int_equal(plait_rlock_release(lock), 0);
    assert_int_equal(plait_rlock_release(lock), PLAIT_EUNLOCKED);
    assert_int_equal(in_a_thread(leaves_with_it), 0);
    struct test_thread thread;
    test_thread_start(&thread, acquires_twice, NULL);
    test_until_watches(thread.tid);
    assert_int_equal(plait_rlock_release(lock), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(plait_rlock_locked(lock), 0);
}

static int forks_with_it(void *unused)
{
    CHECK(plait_rlock_depth(lock) == 0);                   /* it is the parent's */
    CHECK(plait_rlock_release(lock) == PLAIT_ENOTOWNER);
    return plait_rlock_acquire(lock, PLAIT_NOW) == -ETIMEDOUT ? 0 : 1;
}

static void a_forked_child_does_not_hold_it(void **state)
{
    assert_int_equal(plait_rlock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(test_wait_exit(test_fork(forks_with_it, NULL)), 0);
    assert_int_equal(plait_rlock_release(lock), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_lock, free_lock)

static const struct CMUnitTest tests[] = {
    TEST(it_is_free_when_released_as_often_as_acquired),
    TEST(only_its_holder_releases_it),
    TEST(it_can_be_embedded_and_stand_on_the_stack),
    TEST(null_and_misaligned_pointers_are_no_rlocks),
    TEST(too_many_levels_are_an_error),
    TEST(its_text_is_that_of_python),
    TEST(the_detail_names_its_holder),
    TEST(who_waits_is_woken_by_the_last_release),
    TEST(no_count_of_four_threads_is_lost),
    TEST(a_death_is_told_once_and_all_its_levels_are_gone),
    TEST(what_was_left_anyone_may_release),
    TEST(a_forked_child_does_not_hold_it),
};
TEST_MAIN(tests)
