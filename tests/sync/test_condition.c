/* The condition in one process: what the calls return, its lock and the levels of that, predicates, mistakes. */
#include "conditions.h"
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/condition.h>
#include <plait/error.h>

/* --- alone ------------------------------------------------------------------------------------------------------------------ */

static void its_lock_is_an_rlock_of_its_own(void **state)
{
    for (int i = 0; i < 3; i++) lock(condition);
    assert_int_equal(plait_rlock_depth(&condition->own), 3);
    for (int i = 0; i < 3; i++) unlock(condition);
    assert_int_equal(plait_condition_release(condition), PLAIT_EUNLOCKED);
}

static void nobody_waits_or_notifies_without_the_lock(void **state)
{
    assert_int_equal(plait_condition_wait(condition, PLAIT_FOREVER), PLAIT_ENOTOWNER);
    assert_string_equal(plait_error_detail(), "must acquire() condition before using wait()");
    assert_int_equal(plait_condition_notify(condition, 1), PLAIT_ENOTOWNER);
    assert_string_equal(plait_error_detail(), "lock is not owned");
    assert_int_equal(plait_condition_notify_all(condition), PLAIT_ENOTOWNER);
    assert_string_equal(plait_error_detail(), "lock is not owned");
}

static int tries_without_the_lock(void *unused)
{
    CHECK(plait_condition_wait(condition, PLAIT_FOREVER) == PLAIT_ENOTOWNER);
    CHECK(plait_condition_notify(condition, 1) == PLAIT_ENOTOWNER);
    CHECK(plait_condition_notify_all(condition) == PLAIT_ENOTOWNER);
    CHECK(plait_condition_release(condition) == PLAIT_ENOTOWNER);
    return 0;
}

static void the_lock_of_another_thread_does_not_count(void **state)
{
    struct test_thread thread;
    lock(condition);
    test_thread_start(&thread, tries_without_the_lock, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    unlock(condition);
}

static void a_notify_without_waiters_is_nothing(void **state)
{
    lock(condition);
    assert_int_equal(plait_condition_notify(condition, 1), 0);
    assert_int_equal(plait_condition_notify_all(condition), 0);
    assert_int_equal(plait_condition_wait(condition, plait_after(0.01)), -ETIMEDOUT);
    unlock(condition);
}

static void a_wait_times_out_with_the_lock_held(void **state)
{
    const plait_deadline deadlines[] = { PLAIT_NOW, plait_after(-1), { plait__now() - 1 }, plait_after(0.001), plait_after(0.02) };
    lock(condition);
    lock(condition);
    for (unsigned i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        assert_int_equal(plait_condition_wait(condition, deadlines[i]), -ETIMEDOUT);
        assert_true(plait__now() >= deadlines[i].at);
        assert_non_null(strstr(plait_error_detail(), "was not notified"));
        assert_int_equal(plait_rlock_depth(&condition->own), 2);
        assert_int_equal(waiters_of(condition), 0);
    }
    unlock(condition);
    unlock(condition);
}

static void check_is_none(plait_condition *pointer)
{
    char text[8];
    assert_int_equal(plait_condition_acquire(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_condition_release(pointer), -EINVAL);
    assert_int_equal(plait_condition_wait(pointer, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_condition_notify(pointer, 1), -EINVAL);
    assert_int_equal(plait_condition_notify_all(pointer), -EINVAL);
    assert_int_equal(plait_condition_init(pointer, NULL), -EINVAL);
    assert_int_equal(plait_condition_repr(pointer, text, sizeof text), -EINVAL);
}

static void wrong_arguments_are_told(void **state)
{
    check_is_none(NULL);
    for (int shift = 1; shift < 8; shift++) check_is_none((plait_condition *)(void *)((char *)condition + shift));
    assert_int_equal(plait_condition_free(NULL), 0);
    assert_int_equal(plait_condition_repr(condition, NULL, 5), -EINVAL);
    lock(condition);
    assert_int_equal(plait_condition_notify(condition, -1), -EINVAL);
    assert_int_equal(plait_condition_notify(condition, 0), 0);
    assert_int_equal(plait_condition_wait_for(condition, NULL, NULL, PLAIT_NOW), -EINVAL);
    unlock(condition);
}

static void wrong_locks_are_refused(void **state)
{
    plait_lock private_lock = { 0 };
    plait_rlock private_rlock = { 0 };
    plait_lock *shared_lock = plait_lock_new();
    plait_rlock *shared_rlock = plait_rlock_new();
    const plait_condition_options wrong[] = {
        { .lock = &private_lock }, { .rlock = &private_rlock }, { .lock = shared_lock, .rlock = shared_rlock },
        { .lock = (plait_lock *)(void *)((char *)shared_lock + 4) },
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        errno = 0;
        assert_null(plait_condition_new(&wrong[i]));
        assert_int_equal(errno, EINVAL);
        assert_int_equal(plait_condition_init(condition, &wrong[i]), -EINVAL);
    }
    plait_condition local;
    assert_int_equal(plait_condition_init(&local, &wrong[0]), 0);
    assert_int_equal(plait_condition_init(&local, NULL), 0);
    assert_null(local.lock);
    assert_int_equal(plait_lock_free(shared_lock) + plait_rlock_free(shared_rlock), 0);
}

static void check_text(const plait_condition *of, const char *expected)
{
    char text[100], some[12];
    assert_int_equal(plait_condition_repr(of, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    assert_int_equal(plait_condition_repr(of, some, sizeof some), strlen(expected));
    assert_memory_equal(some, expected, sizeof some - 1);
    assert_int_equal(plait_condition_repr(of, NULL, 0), strlen(expected));
}

static void its_text_is_python_s(void **state)
{
    plait_lock *inner = plait_lock_new();
    plait_condition *with_lock = plait_condition_new(&(plait_condition_options){ .lock = inner });
    check_text(condition, "<Condition(<RLock(None, 0)>, 0)>");
    lock(condition);
    check_text(condition, "<Condition(<RLock(MainProcess, 1)>, 0)>");
    lock(condition);
    check_text(condition, "<Condition(<RLock(MainProcess, 2)>, 0)>");
    unlock(condition);
    unlock(condition);
    check_text(with_lock, "<Condition(<Lock(owner=None)>, 0)>");
    lock(with_lock);
    check_text(with_lock, "<Condition(<Lock(owner=MainProcess)>, 0)>");
    unlock(with_lock);
    assert_int_equal(plait_condition_free(with_lock) + plait_lock_free(inner), 0);
}

/* --- waiting for something ---------------------------------------------------------------------------------------------------- */

static int calls;

static int is_at_least(void *number)
{
    calls++;
    return *(int *)number >= 3 ? *(int *)number : 0;
}

static int fails(void *unused)
{
    return -EIO;
}

static void a_predicate_that_holds_waits_for_nobody(void **state)
{
    int number = 7;
    calls = 0;
    lock(condition);
    assert_int_equal(plait_condition_wait_for(condition, is_at_least, &number, PLAIT_NOW), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(plait_condition_wait_for(condition, fails, NULL, PLAIT_FOREVER), -EIO);
    unlock(condition);
    assert_int_equal(plait_condition_wait_for(condition, is_at_least, &number, PLAIT_NOW), PLAIT_ENOTOWNER);
}

static void a_predicate_that_never_holds_times_out(void **state)
{
    int number = 0;
    lock(condition);
    assert_int_equal(plait_condition_wait_for(condition, is_at_least, &number, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_condition_wait_for(condition, is_at_least, &number, plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(plait_rlock_depth(&condition->own), 1);
    unlock(condition);
}

static _Atomic int counted;

static int waits_for_three(void *unused)
{
    lock(condition);
    const int result = plait_condition_wait_for(condition, is_at_least, (int *)&counted, PLAIT_FOREVER);
    unlock(condition);
    return result;
}

static void the_predicate_is_asked_after_each_notify(void **state)
{
    struct test_thread thread;
    counted = calls = 0;
    test_thread_start(&thread, waits_for_three, NULL);
    for (int i = 1; i <= 3; i++) {
        while (waiters_of(condition) == 0) sched_yield();
        lock(condition);
        assert_int_equal(calls, i);
        counted++;
        assert_int_equal(plait_condition_notify(condition, 1), 1);
        unlock(condition);
    }
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(calls, 4);
}

/* All levels of the rlock are given back, and taken again. */
static int waits_at_depth_three(void *unused)
{
    for (int i = 0; i < 3; i++) lock(condition);
    CHECK(plait_condition_wait(condition, PLAIT_FOREVER) == 0);
    CHECK(plait_rlock_depth(&condition->own) == 3);
    for (int i = 0; i < 3; i++) unlock(condition);
    return plait_condition_release(condition);
}

static void a_wait_releases_all_levels(void **state)
{
    struct test_thread thread;
    test_thread_start(&thread, waits_at_depth_three, NULL);
    test_until_watches(thread.tid);
    assert_int_equal(plait_condition_acquire(condition, PLAIT_NOW), 0);
    assert_int_equal(plait_condition_notify_all(condition), 1);
    unlock(condition);
    assert_int_equal(test_thread_join(&thread), PLAIT_EUNLOCKED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_condition, free_condition)

static const struct CMUnitTest tests[] = {
    TEST(its_lock_is_an_rlock_of_its_own),
    TEST(nobody_waits_or_notifies_without_the_lock),
    TEST(the_lock_of_another_thread_does_not_count),
    TEST(a_notify_without_waiters_is_nothing),
    TEST(a_wait_times_out_with_the_lock_held),
    TEST(wrong_arguments_are_told),
    TEST(wrong_locks_are_refused),
    TEST(its_text_is_python_s),
    TEST(a_predicate_that_holds_waits_for_nobody),
    TEST(a_predicate_that_never_holds_times_out),
    TEST(the_predicate_is_asked_after_each_notify),
    TEST(a_wait_releases_all_levels),
};
TEST_MAIN(tests)
