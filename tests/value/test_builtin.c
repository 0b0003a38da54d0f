/* Ranges, slices, arrays, exceptions and complex numbers: objects that Python's built-in classes make. */
#include "values.h"

#include <math.h>

static plait_value *call(const char *name, plait_value *arguments)
{
    return plait_object_of_call(name, arguments);
}

static void must_str(plait_value *value, const char *expected)
{
    assert_non_null(value);
    assert_string_equal(plait_str(value), expected);
    plait_value_free(value);
}

static void ranges(void **state)
{
    int64_t start, stop, step;
    plait_value *range = plait_range(0, 10, 3);
    assert_int_equal(plait_range_get(range, &start, &stop, &step), 0);
    assert_true(start == 0 && stop == 10 && step == 3);
    assert_int_equal(plait_value_len(range), 4);
    assert_string_equal(plait_value_type_name(range), "range");
    assert_string_equal(plait_object_class(range), "builtins.range");
    must_print(range, "range(0, 10, 3)");
    must_print(plait_range(0, 3, 1), "range(0, 3)");
    must_print(call("builtins.range", plait_tuple(1, plait_int(5))), "range(0, 5)");
    assert_fails(plait_range(0, 1, 0), EINVAL);
    assert_int_equal(plait_range_get(plait_none(), NULL, NULL, NULL), -EINVAL);
    plait_value *large = call("builtins.range", plait_tuple(3, plait_int(0), plait_uint(UINT64_MAX), plait_int(1)));
    assert_int_equal(plait_range_get(large, NULL, NULL, NULL), -ERANGE);
    assert_int_equal(plait_value_len(large), -EINVAL);
    must_print(large, "range(0, 18446744073709551615, 1)");
    plait_value *odd = call("builtins.range", plait_tuple(1, plait_string("x")));
    assert_int_equal(plait_range_get(odd, NULL, NULL, NULL), -EINVAL);
    plait_value_free(odd);
}

static void must_have_len(int64_t start, int64_t stop, int64_t step, ssize_t len)
{
    plait_value *range = plait_range(start, stop, step);
    assert_int_equal(plait_value_len(range), len);
    plait_value_free(range);
}

static void lengths_of_ranges(void **state)
{
    must_have_len(0, 0, 1, 0);
    must_have_len(3, 0, 1, 0);
    must_have_len(0, 3, -1, 0);
    must_have_len(3, 0, -1, 3);
    must_have_len(3, 0, -2, 2);
    must_have_len(0, INT64_MAX, 1, INT64_MAX);
    must_have_len(INT64_MIN, INT64_MAX, INT64_MAX, 3);
    must_have_len(INT64_MAX, INT64_MIN, INT64_MIN, 2);
    must_have_len(INT64_MIN, INT64_MAX, 1, -EINVAL);       /* Python raises OverflowError */
}

static void ranges_of_the_same_numbers_are_equal(void **state)
{
    plait_value *a = plait_range(0, 3, 2), *b = plait_range(0, 4, 2), *empty = plait_range(5, 0, 1), *none = plait_range(0, 0, 7);
    assert_int_equal(plait_value_equal(a, b), 1);
    assert_int_equal(plait_value_equal(empty, none), 1);
    assert_int_equal(plait_value_equal(a, none), 0);
    plait_value *all[] = { a, b, empty, none };
    for (int i = 0; i < 4; i++) plait_value_free(all[i]);
}

static void slices(void **state)
{
    plait_value *slice = plait_slice(plait_int(1), plait_int(3), plait_none()), *start, *stop, *step;
    assert_int_equal(plait_slice_get(slice, &start, &stop, &step), 0);
    assert_string_equal(plait_repr(start), "1");
    assert_true(plait_is_none(step));
    must_print(slice, "slice(1, 3, None)");
    assert_fails(plait_slice(plait_string("x"), plait_none(), plait_none()), EINVAL);
    assert_fails(plait_slice(NULL, plait_none(), plait_none()), EINVAL);
    assert_int_equal(plait_slice_get(plait_none(), NULL, NULL, NULL), -EINVAL);
}

static void arrays(void **state)
{
    const int numbers[] = { 1, -2, 3 };
    const double reals[] = { 0.5, -1 };
    const unsigned char bytes[] = { 0, 255 };
    const uint32_t points[] = { 'h', 0xe9 };
    int code;
    size_t n;
    plait_value *array = plait_array('i', numbers, 3);
    const int *got = plait_array_get(array, &code, &n);
    assert_memory_equal(got, numbers, sizeof numbers);
    assert_true(code == 'i' && n == 3);
    assert_int_equal(plait_value_len(array), 3);
    assert_string_equal(plait_object_class(array), "array.array");
    must_print(array, "array('i', [1, -2, 3])");
    must_print(plait_array('d', reals, 2), "array('d', [0.5, -1.0])");
    must_print(plait_array('B', bytes, 2), "array('B', [0, 255])");
    must_print(plait_array('b', bytes, 2), "array('b', [0, -1])");
    must_print(plait_array('Q', &(uint64_t){ UINT64_MAX }, 1), "array('Q', [18446744073709551615])");
    must_print(plait_array('f', &(float){ 0.25f }, 1), "array('f', [0.25])");
    must_print(plait_array('u', points, 2), "array('u', 'h\xc3\xa9')");
    must_print(plait_array('h', NULL, 0), "array('h')");
    assert_fails(plait_array('x', NULL, 0), EINVAL);
    assert_fails(plait_array('i', NULL, 1), EINVAL);
    assert_fails((void *)plait_array_get(plait_none(), NULL, NULL), EINVAL);
}

static plait_value *sent(const char *code, int format, const char *bytes, size_t size)
{
    return call("array._array_reconstructor",
                plait_tuple(4, plait_global("array.array"), plait_string(code), plait_int(format), plait_bytes(bytes, size)));
}

/* Another order of the bytes, another size, or a list of numbers: Python's older protocols send that. */
static void arrays_of_other_machines(void **state)
{
    must_print(sent("i", 9, "\0\0\0\1\xff\xff\xff\xfe", 8), "array('i', [1, -2])");
    must_print(sent("l", 8, "\1\0\0\0\xff\xff\xff\xff", 8), "array('l', [1, -1])");
    must_print(sent("d", 17, "\x3f\xe0\0\0\0\0\0\0", 8), "array('d', [0.5])");
    must_print(sent("d", 14, "\0\0\0\x3f", 4), "array('d', [0.5])");
    must_print(call("array.array", plait_tuple(2, plait_string("h"), plait_list(2, plait_int(7), plait_int(-8)))),
               "array('h', [7, -8])");
    must_print(call("array.array", plait_tuple(1, plait_string("h"))), "array('h')");
    plait_value *array = sent("i", 13, "\0\0\0\1\0\0\0\0", 8);
    assert_fails((void *)plait_array_get(array, NULL, NULL), ERANGE);
    must_print(array, "<array.array object>");
}

/* What multiprocessing sends: the bytes as they lie in the machine. */
static void arrays_of_bytes(void **state)
{
    const int numbers[] = { 1, -2 };
    int code;
    size_t n;
    plait_value *array = call("array.array", plait_tuple(2, plait_string("i"), plait_bytes(numbers, sizeof numbers)));
    const int *got = plait_array_get(array, &code, &n);
    assert_non_null(got);
    assert_memory_equal(got, numbers, sizeof numbers);
    assert_true(code == 'i' && n == 2);
    assert_int_equal(plait_value_len(array), 2);
    must_print(array, "array('i', [1, -2])");
    must_print(call("array.array", plait_tuple(2, plait_string("d"), plait_bytes("", 0))), "array('d')");
    must_print(call("array.array", plait_tuple(2, plait_string("u"), plait_bytes(&(uint32_t){ 0xe9 }, 4))),
               "array('u', '\xc3\xa9')");
}

static void odd_arrays_are_errors(void **state)
{
    plait_value *odd[] = { sent("i", 99, "", 0), sent("i", 8, "abc", 3), sent("ii", 8, "", 0), sent("i", 16, "12345678", 8),
                           sent("?", 1, "", 0),
                           call("array.array", plait_tuple(2, plait_string("h"), plait_list(1, plait_int(70000)))),
                           call("array.array", plait_tuple(2, plait_string("h"), plait_list(1, plait_string("x")))),
                           call("array.array", plait_tuple(2, plait_string("h"), plait_int(3))),
                           call("array.array", plait_tuple(2, plait_string("h"), plait_bytes("abc", 3))),
                               call("array.array", plait_tuple(0)),
                           call("array._array_reconstructor", plait_tuple(1, plait_int(3))) };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        size_t n;
        errno = 0;
        assert_null(plait_array_get(odd[i], NULL, &n));
        assert_true(errno == EINVAL || errno == ERANGE);
        assert_int_equal(plait_value_len(odd[i]), -EINVAL);
        assert_non_null(strstr(plait_repr(odd[i]), "object>"));
        plait_value_free(odd[i]);
    }
}

static void exceptions(void **state)
{
    must_print(call("builtins.KeyError", plait_tuple(1, plait_string("x"))), "KeyError('x')");
    must_print(call("builtins.ValueError", plait_tuple(0)), "ValueError()");
    must_print(call("builtins.StopIteration", plait_tuple(2, plait_int(1), plait_int(2))), "StopIteration(1, 2)");
    must_str(call("builtins.KeyError", plait_tuple(1, plait_string("x"))), "'x'");
    must_str(call("builtins.ValueError", plait_tuple(1, plait_string("bad news"))), "bad news");
    must_str(call("builtins.ValueError", plait_tuple(2, plait_string("a"), plait_int(1))), "('a', 1)");
    must_str(call("builtins.ValueError", plait_tuple(0)), "");
    must_str(call("builtins.OSError", plait_tuple(2, plait_int(2), plait_string("No such file"))), "[Errno 2] No such file");
    must_str(call("builtins.FileNotFoundError", plait_tuple(3, plait_int(2), plait_string("No such file"), plait_string("f"))),
             "[Errno 2] No such file: 'f'");
    must_print(call("builtins.FileNotFoundError", plait_tuple(3, plait_int(2), plait_string("No such file"), plait_string("f"))),
               "FileNotFoundError(2, 'No such file')");
    must_print(call("other.KeyError", plait_tuple(1, plait_string("x"))), "<other.KeyError object>");
}

/* Each says what the one in it says. */
static void exceptions_within_each_other(void **state)
{
    plait_value *error = call("builtins.ValueError", plait_tuple(1, plait_string("why")));
    for (int i = 0; i < 1000000; i++) {
        if (i == 300) assert_string_equal(plait_str(error), "why");
        error = call("builtins.ValueError", plait_tuple(1, error));
    }
    assert_string_equal(plait_str(error), "...");
    plait_value_free(error);
}

static void must_be_complex(double real, double imaginary, const char *expected)
{
    must_print(call("builtins.complex", plait_tuple(2, plait_float(real), plait_float(imaginary))), expected);
}

static void complex_numbers(void **state)
{
    must_be_complex(1, 2, "(1+2j)");
    must_be_complex(0, 1, "1j");
    must_be_complex(0, -1.5, "-1.5j");
    must_be_complex(-0.0, 1, "(-0+1j)");
    must_be_complex(1e16, -0.0, "(1e+16-0j)");
    must_be_complex((double)NAN, (double)INFINITY, "(nan+infj)");
    must_print(call("builtins.complex", plait_tuple(0)), "<builtins.complex object>");
}

static int truth_of(plait_value *value)
{
    const int truth = plait_value_truth(value);
    plait_value_free(value);
    return truth;
}

static void truth(void **state)
{
    assert_int_equal(truth_of(call("builtins.complex", plait_tuple(2, plait_float(0), plait_float(-0.0)))), 0);
    assert_int_equal(truth_of(call("builtins.complex", plait_tuple(2, plait_float(0), plait_float(1)))), 1);
    assert_int_equal(truth_of(call("builtins.complex", plait_tuple(0))), 1);
    assert_int_equal(truth_of(plait_range(0, 0, 1)), 0);
    assert_int_equal(truth_of(plait_range(0, 1, 1)), 1);
    assert_int_equal(truth_of(plait_array('h', NULL, 0)), 0);
    assert_int_equal(truth_of(call("a.B", plait_tuple(0))), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ranges),
    cmocka_unit_test(lengths_of_ranges),
    cmocka_unit_test(ranges_of_the_same_numbers_are_equal),
    cmocka_unit_test(slices),
    cmocka_unit_test(arrays),
    cmocka_unit_test(arrays_of_other_machines),
    cmocka_unit_test(arrays_of_bytes),
    cmocka_unit_test(odd_arrays_are_errors),
    cmocka_unit_test(exceptions),
    cmocka_unit_test(exceptions_within_each_other),
    cmocka_unit_test(complex_numbers),
    cmocka_unit_test(truth),
};
TEST_MAIN(tests)
