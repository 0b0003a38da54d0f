/* Values and arrays whose lock's holder is killed: who comes next is told, once, whatever the lock is, and also after an error. */
#include "harness.h"

#include <signal.h>
#include <string.h>

#include <plait.h>

static int take_and_die(void *value)
{
    CHECK(plait_shared_value_acquire(value, PLAIT_NOW) >= 0);
    return raise(SIGKILL);
}

static void somebody_dies_with(plait_shared_value *value)
{
    assert_int_equal(test_wait_exit(test_fork(take_and_die, value)), -SIGKILL);
}

static int take_array_and_die(void *array)
{
    CHECK(plait_shared_array_acquire(array, PLAIT_NOW) >= 0);
    return raise(SIGKILL);
}

static void somebody_dies_with_array(plait_shared_array *array)
{
    assert_int_equal(test_wait_exit(test_fork(take_array_and_die, array)), -SIGKILL);
}

/* ---- told once ---- */

static int get(plait_shared_value *value) { return plait_shared_value_get_int(value, &(int64_t){ 0 }, PLAIT_NOW); }
static int set(plait_shared_value *value) { return plait_shared_value_set_int(value, 1, PLAIT_NOW); }
static int add(plait_shared_value *value) { return plait_shared_value_add_int(value, 1, NULL, PLAIT_NOW); }
static int get_all(plait_shared_value *value) { return plait_shared_value_get(value, &(int){ 0 }, sizeof(int), PLAIT_NOW); }
static int set_all(plait_shared_value *value) { return plait_shared_value_set(value, &(int){ 0 }, sizeof(int), PLAIT_NOW); }

static int acquire(plait_shared_value *value)
{
    const int got = plait_shared_value_acquire(value, PLAIT_NOW);
    assert_int_equal(plait_shared_value_release(value), 0);
    return got;
}

static void must_be_told_once(const plait_shared_options *options)
{
    int (*const calls[])(plait_shared_value *value) = { get, set, add, get_all, set_all, acquire };
    plait_shared_value *value = plait_shared_value_new('i', NULL, options);
    assert_non_null(value);
    for (int i = 0; i < 6; i++) {
        somebody_dies_with(value);
        assert_int_equal(calls[i](value), PLAIT_OWNER_DIED);
        assert_int_equal(calls[i](value), 0);
    }
    assert_int_equal(plait_shared_value_free(value), 0);
}

static void who_comes_next_is_told_once(void **state)
{
    plait_rlock *rlock = plait_rlock_new();
    plait_lock *lock = plait_lock_new();
    must_be_told_once(NULL);
    must_be_told_once(&(plait_shared_options){ .rlock = rlock });
    must_be_told_once(&(plait_shared_options){ .lock = lock });
    assert_int_equal(plait_rlock_free(rlock), 0);
    assert_int_equal(plait_lock_free(lock), 0);
}

/* ---- and after an error ---- */

static void a_death_is_told_after_an_error(void **state)
{
    plait_shared_value *value = plait_shared_value_new('b', &(signed char){ -128 }, NULL);
    uint64_t natural;
    somebody_dies_with(value);
    assert_int_equal(plait_shared_value_get_uint(value, &natural, PLAIT_NOW), -ERANGE);
    assert_int_equal(plait_shared_value_add_int(value, -1, NULL, PLAIT_NOW), -ERANGE);
    assert_int_equal(plait_shared_value_acquire(value, PLAIT_NOW), PLAIT_OWNER_DIED);
    assert_int_equal(plait_shared_value_release(value), 0);
    assert_int_equal(get(value), 0);
    somebody_dies_with(value);
    assert_int_equal(plait_shared_value_add_int(value, -1, NULL, PLAIT_NOW), -ERANGE);
    somebody_dies_with(value);
    assert_int_equal(get(value), PLAIT_OWNER_DIED);            /* of both */
    assert_int_equal(get(value), 0);
    assert_int_equal(plait_shared_value_free(value), 0);
}

static void a_death_is_told_after_a_short_buffer(void **state)
{
    char text[8];
    plait_shared_array *array = plait_shared_array_new('c', 8, "longer..", NULL);
    somebody_dies_with_array(array);
    assert_int_equal(plait_shared_array_get_value(array, text, sizeof text, NULL, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_shared_array_get_raw(array, text, sizeof text, PLAIT_NOW), PLAIT_OWNER_DIED);
    assert_int_equal(plait_shared_array_get_raw(array, text, sizeof text, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_free(array), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_comes_next_is_told_once),
    cmocka_unit_test(a_death_is_told_after_an_error),
    cmocka_unit_test(a_death_is_told_after_a_short_buffer),
};
TEST_MAIN(tests)
