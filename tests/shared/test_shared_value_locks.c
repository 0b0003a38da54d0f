/* Shared values between threads: their locks, and that no addition is lost. */
#include "harness.h"
#include "others.h"

#include <string.h>

#include <plait.h>

static plait_shared_value *new_value(int type)
{
    plait_shared_value *value = plait_shared_value_new(type, NULL, NULL);
    assert_non_null(value);
    return value;
}

static void free_value(plait_shared_value *value)
{
    assert_int_equal(plait_shared_value_free(value), 0);
}

static int64_t int_of(plait_shared_value *value)
{
    int64_t number = -99;
    assert_int_equal(plait_shared_value_get_int(value, &number, PLAIT_NOW), 0);
    return number;
}

enum { ADDERS = 4, TIMES = 20000 };

static int adds(void *value)
{
    for (int i = 0; i < TIMES; i++) CHECK(plait_shared_value_add_int(value, 1, NULL, PLAIT_FOREVER) == 0);
    return 0;
}

static void check_adders(const plait_shared_options *options)
{
    struct test_thread threads[ADDERS];
    plait_shared_value *value = plait_shared_value_new('i', NULL, options);
    for (int i = 0; i < ADDERS; i++) test_thread_start(&threads[i], adds, value);
    for (int i = 0; i < ADDERS; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(int_of(value), ADDERS * TIMES);
    free_value(value);
}

static void no_addition_is_lost(void **state)
{
    plait_lock *lock = plait_lock_new();
    check_adders(NULL);
    check_adders(&(plait_shared_options){ .no_lock = 1 });
    check_adders(&(plait_shared_options){ .lock = lock });
    assert_int_equal(plait_lock_free(lock), 0);
}

/* Python: with value.get_lock(): value.value += 1 */
static int adds_by_hand(void *value)
{
    int64_t number;
    for (int i = 0; i < TIMES; i++) {
        CHECK(plait_shared_value_acquire(value, PLAIT_FOREVER) == 0);
        CHECK(plait_shared_value_get_int(value, &number, PLAIT_NOW) == 0);
        CHECK(plait_shared_value_set_int(value, number + 1, PLAIT_NOW) == 0);
        CHECK(plait_shared_value_release(value) == 0);
    }
    return 0;
}

static void who_has_the_lock_may_get_and_set(void **state)
{
    struct test_thread threads[2];
    plait_shared_value *value = new_value('i');
    for (int i = 0; i < 2; i++) test_thread_start(&threads[i], adds_by_hand, value);
    for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(int_of(value), 2 * TIMES);
    free_value(value);
}

static int tries(void *value)
{
    int64_t number;
    const int got[] = { plait_shared_value_get_int(value, &number, plait_after(0.01)),
                       plait_shared_value_set_int(value, 1, PLAIT_NOW),
                        plait_shared_value_add_int(value, 1, NULL, PLAIT_NOW), plait_shared_value_acquire(value, PLAIT_NOW) };
    for (int i = 0; i < 4; i++) CHECK(got[i] == -ETIMEDOUT);
    CHECK(strstr(plait_error_detail(), "held by MainProcess"));
    return 0;
}

static int may_go(void *value)
{
    return plait_shared_value_set_int(value, 1, PLAIT_NOW);
}

static int in_a_thread(int (*body)(void *value), plait_shared_value *value)
{
    struct test_thread thread;
    test_thread_start(&thread, body, value);
    return test_thread_join(&thread);
}

static void its_lock_keeps_others_out(void **state)
{
    plait_shared_value *value = new_value('i');
    for (int times = 0; times < 3; times++) assert_int_equal(plait_shared_value_acquire(value, PLAIT_NOW), 0);
    assert_int_equal(in_a_thread(tries, value), 0);
    assert_int_equal(plait_rlock_depth(plait_shared_value_get_lock(value)), 3);
    for (int times = 0; times < 3; times++) assert_int_equal(plait_shared_value_release(value), 0);
    assert_int_equal(plait_shared_value_release(value), PLAIT_EUNLOCKED);
    assert_int_equal(in_a_thread(may_go, value), 0);
    free_value(value);
}

static void somebody_elses_lock(void **state)
{
    plait_rlock *rlock = plait_rlock_new();
    plait_lock *lock = plait_lock_new();
    plait_shared_value *one = plait_shared_value_new('i', NULL, &(plait_shared_options){ .rlock = rlock });
    plait_shared_value *other = plait_shared_value_new('i', NULL, &(plait_shared_options){ .lock = lock });
    assert_ptr_equal(plait_shared_value_get_lock(one), rlock);
    assert_null(plait_shared_value_get_lock(other));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(plait_rlock_acquire(rlock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(in_a_thread(tries, one), 0);
    assert_int_equal(in_a_thread(tries, other), 0);
    assert_int_equal(plait_shared_value_set_int(one, 1, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_set_int(other, 1, PLAIT_NOW), -ETIMEDOUT);     /* not recursive */
    assert_int_equal(plait_shared_value_release(one), 0);
    assert_int_equal(plait_shared_value_release(other), 0);
    free_value(one);
    free_value(other);
    assert_int_equal(plait_rlock_free(rlock), 0);
    assert_int_equal(plait_lock_free(lock), 0);
}

static void without_a_lock(void **state)
{
    plait_shared_value *value = plait_shared_value_new('i', NULL, &(plait_shared_options){ .no_lock = 1 });
    assert_int_equal(plait_shared_value_acquire(value, PLAIT_NOW), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "without a lock"));
    assert_int_equal(plait_shared_value_release(value), -EINVAL);
    assert_null(plait_shared_value_get_lock(value));
    assert_int_equal(plait_shared_value_set_int(value, 1, PLAIT_NOW), 0);
    assert_int_equal(int_of(value), 1);
    free_value(value);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_addition_is_lost),
    cmocka_unit_test(who_has_the_lock_may_get_and_set),
    cmocka_unit_test(its_lock_keeps_others_out),
    cmocka_unit_test(somebody_elses_lock),
    cmocka_unit_test(without_a_lock),
};
TEST_MAIN(tests)
