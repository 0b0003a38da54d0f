/* Shared values in one process: types, what fits them, mistakes. */
#include "harness.h"
#include "others.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <wchar.h>

#include <plait.h>

static plait_shared_value *new_value(int type)
{
    plait_shared_value *value = plait_shared_value_new(type, NULL, NULL);
    assert_non_null(value);
    assert_int_equal(plait_shared_value_type(value), type);
    return value;
}

static void free_value(plait_shared_value *value)
{
    assert_int_equal(plait_shared_value_free(value), 0);
}

static void must_print(const plait_shared_value *value, const char *expected)
{
    char text[80];
    assert_int_equal(plait_shared_value_repr(value, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

static int64_t int_of(plait_shared_value *value)
{
    int64_t number = -99;
    assert_int_equal(plait_shared_value_get_int(value, &number, PLAIT_NOW), 0);
    return number;
}

/* ---- types ---- */

static const struct {
    char code;
    size_t size;
    int64_t least;
    uint64_t most;
} whole[] = {
    { 'c', 1, 0, UCHAR_MAX },
    { 'u', sizeof(wchar_t), 0, 0x10ffff },
    { 'b', 1, SCHAR_MIN, SCHAR_MAX },
    { 'B', 1, 0, UCHAR_MAX },
    { 'h', sizeof(short), SHRT_MIN, SHRT_MAX },
    { 'H', sizeof(short), 0, USHRT_MAX },
    { 'i', sizeof(int), INT_MIN, INT_MAX },
    { 'I', sizeof(int), 0, UINT_MAX },
    { 'l', sizeof(long), LONG_MIN, LONG_MAX },
    { 'L', sizeof(long), 0, ULONG_MAX },
    { 'q', sizeof(long long), LLONG_MIN, LLONG_MAX },
    { 'Q', sizeof(long long), 0, ULLONG_MAX },
};
enum { WHOLE = sizeof whole / sizeof whole[0] };

static void whole_numbers_up_to_their_limits(void **state)
{
    for (int i = 0; i < WHOLE; i++) {
        plait_shared_value *value = new_value(whole[i].code);
        uint64_t natural;
        assert_int_equal(plait_shared_value_size(value), whole[i].size);
        assert_int_equal(int_of(value), 0);
        assert_int_equal(plait_shared_value_set_int(value, whole[i].least, PLAIT_NOW), 0);
        assert_int_equal(int_of(value), whole[i].least);
        assert_int_equal(plait_shared_value_set_uint(value, whole[i].most, PLAIT_NOW), 0);
        assert_int_equal(plait_shared_value_get_uint(value, &natural, PLAIT_NOW), 0);
        assert_true(natural == whole[i].most);
        free_value(value);
    }
}

/* Where Python's ctypes cuts the number off, nothing is changed. */
static void whole_numbers_beyond_their_limits(void **state)
{
    for (int i = 0; i < WHOLE; i++) {
        plait_shared_value *value = new_value(whole[i].code);
        assert_int_equal(plait_shared_value_set_int(value, 7, PLAIT_NOW), 0);
        if (whole[i].most < ULLONG_MAX) {
            assert_int_equal(plait_shared_value_set_uint(value, whole[i].most + 1, PLAIT_NOW), -ERANGE);
            assert_int_equal(plait_shared_value_set_uint(value, ULLONG_MAX, PLAIT_NOW), -ERANGE);
        }
        if (whole[i].least > LLONG_MIN) {
            assert_int_equal(plait_shared_value_set_int(value, whole[i].least - 1, PLAIT_NOW), -ERANGE);
            assert_int_equal(plait_shared_value_set_int(value, LLONG_MIN, PLAIT_NOW), -ERANGE);
            assert_non_null(strstr(plait_error_detail(), "-9223372036854775808 is out of the range of a '"));
        }
        assert_int_equal(int_of(value), 7);
        free_value(value);
    }
}

static void what_does_not_fit_the_callers_type(void **state)
{
    plait_shared_value *value = new_value('Q'), *negative = new_value('q');
    int64_t number = 5;
    uint64_t natural = 5;
    double real;
    assert_int_equal(plait_shared_value_set_uint(value, ULLONG_MAX, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_get_int(value, &number, PLAIT_NOW), -ERANGE);
    assert_int_equal(plait_shared_value_get_double(value, &real, PLAIT_NOW), 0);
    assert_true(real == 0x1p64);
    assert_int_equal(plait_shared_value_set_int(negative, -1, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_get_uint(negative, &natural, PLAIT_NOW), -ERANGE);
    assert_int_equal(number, 5);
    assert_int_equal(natural, 5);
    must_print(value, "18446744073709551615");
    must_print(negative, "-1");
    free_value(value);
    free_value(negative);
}

static void floating_point(void **state)
{
    plait_shared_value *small = new_value('f'), *large = new_value('d');
    double real;
    int64_t number;
    assert_int_equal(plait_shared_value_size(small), sizeof(float));
    assert_int_equal(plait_shared_value_set_double(small, 0.1, PLAIT_NOW), 0);
    must_print(small, "0.10000000149011612");
    assert_int_equal(plait_shared_value_set_double(small, 1e300, PLAIT_NOW), -ERANGE);
    assert_int_equal(plait_shared_value_set_double(small, (double)INFINITY, PLAIT_NOW), 0);
    must_print(small, "inf");
    assert_int_equal(plait_shared_value_set_double(large, 3.1415927, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_get_double(large, &real, PLAIT_NOW), 0);
    assert_true(real == 3.1415927);
    must_print(large, "3.1415927");
    assert_int_equal(plait_shared_value_get_int(large, &number, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get_uint(large, &(uint64_t){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set_int(large, -3, PLAIT_NOW), 0);             /* Python: Value('d', -3) */
    must_print(large, "-3.0");
    free_value(small);
    free_value(large);
}

static void no_fractions_into_whole_numbers(void **state)
{
    plait_shared_value *value = new_value('i');
    assert_int_equal(plait_shared_value_set_double(value, 1.5, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set_double(value, 1, PLAIT_NOW), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "whole numbers"));
    assert_int_equal(int_of(value), 0);
    free_value(value);
}

static void truth(void **state)
{
    plait_shared_value *value = new_value('?');
    must_print(value, "False");
    assert_int_equal(plait_shared_value_set_int(value, 256, PLAIT_NOW), 0);
    assert_int_equal(int_of(value), 1);
    must_print(value, "True");
    free_value(value);
}

static void initial_values(void **state)
{
    const double pi = 3.5;
    const short number = -7;
    plait_shared_value *real = plait_shared_value_new('d', &pi, NULL), *whole_one = plait_shared_value_new('h', &number, NULL);
    must_print(real, "3.5");
    must_print(whole_one, "-7");
    free_value(real);
    free_value(whole_one);
}

static void structs(void **state)
{
    struct point { int x, y; } point = { 3, -4 }, got;
    plait_shared_value *value = plait_shared_value_new_struct(sizeof point, &point, NULL);
    assert_non_null(value);
    assert_int_equal(plait_shared_value_type(value), 0);
    assert_int_equal(plait_shared_value_size(value), sizeof point);
    assert_int_equal(plait_shared_value_get(value, &got, sizeof got, PLAIT_NOW), 0);
    assert_true(got.x == 3 && got.y == -4);
    point.y = 5;
    assert_int_equal(plait_shared_value_set(value, &point, sizeof point, PLAIT_NOW), 0);
    assert_int_equal(((struct point *)plait_shared_value_get_obj(value))->y, 5);
    assert_int_equal((uintptr_t)plait_shared_value_get_obj(value) % 16, 0);
    must_print(value, "b'\\x03\\x00\\x00\\x00\\x05\\x00\\x00\\x00'");
    assert_int_equal(plait_shared_value_get(value, &got, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set_int(value, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get_int(value, &(int64_t){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_add_int(value, 1, NULL, PLAIT_NOW), -EINVAL);
    free_value(value);
}

/* All of a number, as its C type, which may lie anywhere. */
static void bytes_of_numbers(void **state)
{
    for (int i = 0; i < WHOLE; i++) {
        plait_shared_value *value = new_value(whole[i].code);
        unsigned char bytes[17] = "";
        assert_int_equal(plait_shared_value_set_int(value, 0x41, PLAIT_NOW), 0);
        assert_int_equal(plait_shared_value_get(value, bytes + 1, whole[i].size, PLAIT_NOW), 0);
        assert_memory_equal(bytes + 1, plait_shared_value_get_obj(value), whole[i].size);
        assert_int_equal(plait_shared_value_set_int(value, 0, PLAIT_NOW), 0);
        assert_int_equal(plait_shared_value_set(value, bytes + 1, whole[i].size, PLAIT_NOW), 0);
        assert_int_equal(int_of(value), 0x41);
        free_value(value);
    }
}

/* ---- adding ---- */

static void sums(void **state)
{
    plait_shared_value *value = new_value('i'), *real = new_value('d');
    int64_t sum = 0;
    double real_sum = 0;
    assert_int_equal(plait_shared_value_add_int(value, 5, &sum, PLAIT_NOW), 0);
    assert_int_equal(sum, 5);
    assert_int_equal(plait_shared_value_add_int(value, -7, NULL, PLAIT_NOW), 0);
    assert_int_equal(int_of(value), -2);
    assert_int_equal(plait_shared_value_add_double(value, 1, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_add_double(real, 0.5, &real_sum, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_add_int(real, 2, NULL, PLAIT_NOW), 0);
    assert_true(real_sum == 0.5);
    must_print(real, "2.5");
    free_value(value);
    free_value(real);
}

static void sums_beyond_the_limits(void **state)
{
    for (int i = 0; i < WHOLE; i++) {
        plait_shared_value *value = new_value(whole[i].code);
        const bool counts = !strchr("cu", whole[i].code);
        assert_int_equal(plait_shared_value_set_uint(value, whole[i].most, PLAIT_NOW), 0);
        assert_int_equal(plait_shared_value_add_int(value, 1, NULL, PLAIT_NOW), counts ? -ERANGE : -EINVAL);
        assert_int_equal(plait_shared_value_set_int(value, whole[i].least, PLAIT_NOW), 0);
        assert_int_equal(plait_shared_value_add_int(value, -1, NULL, PLAIT_NOW), counts ? -ERANGE : -EINVAL);
        assert_int_equal(plait_shared_value_add_int(value, INT64_MIN, NULL, PLAIT_NOW), counts ? -ERANGE : -EINVAL);
        assert_int_equal(int_of(value), whole[i].least);
        free_value(value);
    }
}

static void sums_of_large_ones(void **state)
{
    plait_shared_value *value = new_value('Q'), *small = new_value('f');
    int64_t sum = 1;
    assert_int_equal(plait_shared_value_set_uint(value, (uint64_t)1 << 63, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_add_int(value, INT64_MAX, NULL, PLAIT_NOW), 0);
    must_print(value, "18446744073709551615");
    assert_int_equal(plait_shared_value_add_int(value, -1, &sum, PLAIT_NOW), -ERANGE);         /* of *sum */
    must_print(value, "18446744073709551615");
    assert_int_equal(plait_shared_value_add_int(value, INT64_MIN, &sum, PLAIT_NOW), 0);
    assert_true(sum == INT64_MAX);
    assert_int_equal(plait_shared_value_set_double(small, 3e38, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_value_add_double(small, 3e38, NULL, PLAIT_NOW), -ERANGE);
    free_value(value);
    free_value(small);
}

/* ---- mistakes ---- */

static void no_value_is_made(int type, const plait_shared_options *options, int error, const char *detail)
{
    errno = 0;
    assert_null(plait_shared_value_new(type, NULL, options));
    assert_int_equal(errno, error);
    if (!strstr(plait_error_detail(), detail)) fail_msg("%s, not %s", plait_error_detail(), detail);
}

static void wrong_types_and_options(void **state)
{
    plait_lock private_lock = { 0 }, *lock = plait_lock_new();
    no_value_is_made('x', NULL, EINVAL, "no type code 'x'");
    no_value_is_made('D', NULL, EINVAL, "no type code 'D'");
    no_value_is_made(0, NULL, EINVAL, "new_struct");
    no_value_is_made(-1, NULL, EINVAL, "no type code -1");
    no_value_is_made('i' + 256, NULL, EINVAL, "no type code 361");
    no_value_is_made('i', &(plait_shared_options){ .reserved = { 0, 1 } }, EINVAL, "reserved");
    no_value_is_made('i', &(plait_shared_options){ .reserved_int = 1 }, EINVAL, "reserved");
    no_value_is_made('i', &(plait_shared_options){ .lock = lock, .no_lock = 1 }, EINVAL, "at most one");
    no_value_is_made('i', &(plait_shared_options){ .lock = &private_lock }, EINVAL, "shared memory");
    no_value_is_made('i', &(plait_shared_options){ .lock = (plait_lock *)(void *)((char *)lock + 1) }, EINVAL, "aligned");
    assert_null(plait_shared_value_new_struct(0, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_shared_value_new_struct(SIZE_MAX - 10, NULL, NULL));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(plait_lock_free(lock), 0);
}

static void check_is_none(plait_shared_value *value)
{
    int64_t number;
    char text[8] = "";
    assert_int_equal(plait_shared_value_get_int(value, &number, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get_uint(value, &(uint64_t){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get_double(value, &(double){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set_int(value, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set_uint(value, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set_double(value, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_add_int(value, 1, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_add_double(value, 1, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get(value, &number, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set(value, &number, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_acquire(value, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_release(value), -EINVAL);
    assert_null(plait_shared_value_get_lock(value));
    assert_null(plait_shared_value_get_obj(value));
    assert_int_equal(plait_shared_value_type(value), -EINVAL);
    assert_int_equal(plait_shared_value_size(value), 0);
    assert_int_equal(plait_shared_value_repr(value, text, sizeof text), -EINVAL);
}

static void what_is_no_value(void **state)
{
    plait_shared_value *freed = new_value('i');
    plait_shared_array *array = plait_shared_array_new('i', 1, NULL, NULL);
    assert_int_equal(plait_shared_value_free(NULL), 0);
    check_is_none(NULL);
    assert_non_null(strstr(plait_error_detail(), "NULL"));
    free_value(freed);
    assert_int_equal(plait_shared_value_free(freed), -EINVAL);
    check_is_none(freed);
    assert_non_null(strstr(plait_error_detail(), "was it freed?"));
    check_is_none((plait_shared_value *)(void *)array);
    assert_int_equal(plait_shared_array_free(array), 0);
}

static void places_that_are_null(void **state)
{
    plait_shared_value *value = new_value('i');
    assert_int_equal(plait_shared_value_get_int(value, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get_uint(value, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get_double(value, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_get(value, NULL, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_set(value, NULL, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_value_repr(value, NULL, 4), -EINVAL);
    assert_int_equal(plait_shared_value_repr(value, NULL, 0), 1);
    assert_int_equal(plait_shared_value_acquire(value, PLAIT_NOW), 0);                 /* nobody has kept it */
    assert_int_equal(plait_shared_value_release(value), 0);
    free_value(value);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(whole_numbers_up_to_their_limits),
    cmocka_unit_test(whole_numbers_beyond_their_limits),
    cmocka_unit_test(what_does_not_fit_the_callers_type),
    cmocka_unit_test(floating_point),
    cmocka_unit_test(no_fractions_into_whole_numbers),
    cmocka_unit_test(truth),
    cmocka_unit_test(initial_values),
    cmocka_unit_test(structs),
    cmocka_unit_test(bytes_of_numbers),
    cmocka_unit_test(sums),
    cmocka_unit_test(sums_beyond_the_limits),
    cmocka_unit_test(sums_of_large_ones),
    cmocka_unit_test(wrong_types_and_options),
    cmocka_unit_test(what_is_no_value),
    cmocka_unit_test(places_that_are_null),
};
TEST_MAIN(tests)
