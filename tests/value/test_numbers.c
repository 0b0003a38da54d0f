/* Ints of any size, and floats among them. */
#include "values.h"

#include <math.h>
#include <stdlib.h>

static void must_be(const char *digits, const char *expected)
{
    must_print(plait_int_parse(digits), expected);
}

static void digits_come_back(void **state)
{
    must_be("0", "0");
    must_be("-0", "0");
    must_be("+7", "7");
    must_be("0007", "7");
    must_be("9223372036854775807", "9223372036854775807");
    must_be("9223372036854775808", "9223372036854775808");
    must_be("-9223372036854775808", "-9223372036854775808");
    must_be("-9223372036854775809", "-9223372036854775809");
    must_be("18446744073709551615", "18446744073709551615");
    must_be("-123456789012345678901234567890", "-123456789012345678901234567890");
    must_be("100000000000000000000000000000000000000000", "100000000000000000000000000000000000000000");
}

static void other_texts_are_no_numbers(void **state)
{
    static const char *const bad[] = { "", "-", "+", "--1", "1_000", " 1", "1 ", "0x10", "1.0", "1e5", "abc", "12a" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_fails(plait_int_parse(bad[i]), EINVAL);
    assert_fails(plait_int_parse(NULL), EINVAL);
}

/* As in Python, whose limit is the same. */
static void thousands_of_digits(void **state)
{
    char digits[4303];
    memset(digits, '9', sizeof digits - 1);
    digits[4300] = 0;
    must_be(digits, digits);
    digits[0] = '-';
    must_be(digits, digits);
    digits[0] = digits[4300] = '1';
    digits[4301] = 0;
    assert_fails(plait_int_parse(digits), ERANGE);
}

/* Larger ones come from bytes; they are printed in a way that takes no time. */
static void a_mebibyte_is_a_number_too(void **state)
{
    const size_t size = 1 << 20;
    unsigned char *bytes = calloc(1, size);
    assert_non_null(bytes);
    bytes[size - 2] = 0xab;
    bytes[0] = 0x01;
    plait_value *value = plait_int_from_bytes(bytes, size);
    assert_memory_equal(plait_repr(value), "0xab000000", 10);
    assert_int_equal(strlen(plait_repr(value)), 2 + 2 * (size - 1));
    double real;
    assert_int_equal(plait_float_get(value, &real), -ERANGE);
    uint64_t hash;
    assert_int_equal(plait_value_hash(value, &hash), 0);
    plait_value_free(value);
    memset(bytes, 0, size);
    bytes[size - 1] = 0x80;
    value = plait_int_from_bytes(bytes, size);
    assert_memory_equal(plait_repr(value), "-0x80000000", 11);
    plait_value_free(value);
    free(bytes);
}

static void must_have_bytes(const char *digits, const char *expected, size_t size)
{
    unsigned char bytes[40];
    plait_value *value = plait_int_parse(digits);
    memset(bytes, 0x55, sizeof bytes);
    if (size) assert_int_equal(plait_int_to_bytes(value, bytes, size - 1), -ERANGE);
    assert_int_equal(plait_int_to_bytes(value, bytes, size), 0);
    if (size) assert_memory_equal(bytes, expected, size);
    assert_int_equal(bytes[size], 0x55);
    plait_value *again = plait_int_from_bytes(bytes, size);
    assert_int_equal(plait_value_equal(value, again), 1);
    assert_int_equal(plait_int_to_bytes(value, bytes, sizeof bytes), 0);       /* the rest is the sign */
    assert_int_equal(bytes[39], digits[0] == '-' ? 0xff : 0);
    plait_value_free(again);
    plait_value_free(value);
}

static void bytes_come_back(void **state)
{
    must_have_bytes("0", "", 0);
    must_have_bytes("1", "\x01", 1);
    must_have_bytes("-1", "\xff", 1);
    must_have_bytes("127", "\x7f", 1);
    must_have_bytes("128", "\x80\x00", 2);
    must_have_bytes("-128", "\x80", 1);
    must_have_bytes("-129", "\x7f\xff", 2);
    must_have_bytes("9223372036854775807", "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
    must_have_bytes("9223372036854775808", "\0\0\0\0\0\0\0\x80\0", 9);
    must_have_bytes("-9223372036854775808", "\0\0\0\0\0\0\0\x80", 8);
    must_have_bytes("-9223372036854775809", "\xff\xff\xff\xff\xff\xff\xff\x7f\xff", 9);
    assert_fails(plait_int_from_bytes(NULL, 1), EINVAL);
    plait_value *one = plait_int(1);
    assert_int_equal(plait_int_to_bytes(one, NULL, 1), -EINVAL);
    plait_value_free(one);
    assert_int_equal(plait_int_to_bytes(plait_none(), &(char){ 0 }, 1), -EINVAL);
}

/* As few bytes as can be, whatever came: one number has one form. */
static void bytes_that_say_nothing_are_left_out(void **state)
{
    unsigned char bytes[30] = { 42 };
    plait_value *value = plait_int_from_bytes(bytes, sizeof bytes);
    int64_t number;
    assert_int_equal(plait_int_get(value, &number), 0);
    assert_int_equal(number, 42);
    plait_value_free(value);
    memset(bytes, 0xff, sizeof bytes);
    must_print(plait_int_from_bytes(bytes, sizeof bytes), "-1");
    bytes[0] = 0;
    must_print(plait_int_from_bytes(bytes, sizeof bytes), "-256");
}

static void what_does_not_fit_is_said(void **state)
{
    static const struct {
        const char *digits;
        int as_int, as_uint;
    } rows[] = {
        { "9223372036854775807", 0, 0 },       { "9223372036854775808", -ERANGE, 0 },
        { "18446744073709551615", -ERANGE, 0 }, { "18446744073709551616", -ERANGE, -ERANGE },
        { "-1", 0, -ERANGE },                  { "-9223372036854775808", 0, -ERANGE },
        { "-9223372036854775809", -ERANGE, -ERANGE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        plait_value *value = plait_int_parse(rows[i].digits);
        int64_t number = 0;
        uint64_t large = 0;
        assert_int_equal(plait_int_get(value, &number), rows[i].as_int);
        if (rows[i].as_int == 0) assert_int_equal(number, strtoll(rows[i].digits, NULL, 10));
        assert_int_equal(plait_uint_get(value, &large), rows[i].as_uint);
        if (rows[i].as_uint == 0) assert_true(large == strtoull(rows[i].digits, NULL, 10));
        plait_value_free(value);
    }
}

static void must_be_float(const char *digits, double expected)
{
    double real = 0;
    plait_value *value = plait_int_parse(digits);
    assert_int_equal(plait_float_get(value, &real), 0);
    assert_true(real == expected);
    plait_value_free(value);
}

/* To the nearest, and of two to the even one. */
static void ints_as_floats(void **state)
{
    must_be_float("9007199254740993", 9007199254740992.0);
    must_be_float("36893488147419103233", 0x1p65);
    must_be_float("36893488147419107328", 0x1p65);                     /* in the middle */
    must_be_float("36893488147419107329", 0x1.0000000000001p65);
    must_be_float("-36893488147419107329", -0x1.0000000000001p65);
    must_be_float("100000000000000000000000000000000000000000", 1e41);
    char large[310] = "1";
    memset(large + 1, '0', 308);
    must_be_float(large, 1e308);
    large[0] = '2';
    double real;
    plait_value *value = plait_int_parse(large);
    assert_int_equal(plait_float_get(value, &real), -ERANGE);
    plait_value_free(value);
}

static void must_equal(plait_value *a, plait_value *b, int expected)
{
    uint64_t hash_a = 0, hash_b = 0;
    assert_int_equal(plait_value_equal(a, b), expected);
    assert_int_equal(plait_value_equal(b, a), expected);
    assert_int_equal(plait_value_hash(a, &hash_a), 0);
    assert_int_equal(plait_value_hash(b, &hash_b), 0);
    if (expected) assert_true(hash_a == hash_b);
    plait_value *dict = plait_dict(1, plait_value_ref(a), plait_none());       /* and as keys */
    assert_int_equal(plait_value_contains(dict, b), expected);
    plait_value_free(dict);
    plait_value_free(a);
    plait_value_free(b);
}

static void numbers_are_equal_whatever_their_type(void **state)
{
    must_equal(plait_int(1), plait_float(1), 1);
    must_equal(plait_bool(1), plait_float(1), 1);
    must_equal(plait_bool(0), plait_int(0), 1);
    must_equal(plait_float(-0.0), plait_int(0), 1);
    must_equal(plait_int(1), plait_float(1.5), 0);
    must_equal(plait_int(INT64_MAX), plait_float(0x1p63), 0);                  /* no float is this number */
    must_equal(plait_uint(UINT64_C(1) << 63), plait_float(0x1p63), 1);
    must_equal(plait_int(INT64_MIN), plait_float(-0x1p63), 1);
    must_equal(plait_int(9007199254740993), plait_float(9007199254740992.0), 0);
    must_equal(plait_int_parse("100000000000000000000000"), plait_float(1e23), 0);
    must_equal(plait_int_parse("99999999999999991611392"), plait_float(1e23), 1);
    must_equal(plait_int_parse("-99999999999999991611392"), plait_float(-1e23), 1);
    must_equal(plait_int_parse("-99999999999999991611392"), plait_float(1e23), 0);
    must_equal(plait_int_parse("99999999999999991611392"), plait_float((double)INFINITY), 0);
    must_equal(plait_int_parse("99999999999999991611392"), plait_int_parse("99999999999999991611392"), 1);
    must_equal(plait_int_parse("99999999999999991611392"), plait_int(5), 0);
    must_equal(plait_float((double)INFINITY), plait_float((double)INFINITY), 1);
    must_equal(plait_float((double)NAN), plait_float((double)NAN), 0);
}

static void must_hash(plait_value *value, int64_t expected)
{
    uint64_t hash;
    assert_int_equal(plait_value_hash(value, &hash), 0);
    assert_int_equal((int64_t)hash, expected);
    plait_value_free(value);
}

static void hashes_are_pythons(void **state)
{
    must_hash(plait_int(0), 0);
    must_hash(plait_int(-1), -2);
    must_hash(plait_int(-2), -2);
    must_hash(plait_bool(1), 1);
    must_hash(plait_int((INT64_C(1) << 61) - 1), 0);
    must_hash(plait_int((INT64_C(1) << 61)), 1);
    must_hash(plait_int(INT64_MIN), -4);
    must_hash(plait_int(INT64_MAX), 3);
    must_hash(plait_float(0.5), 1152921504606846976);
    must_hash(plait_float(-1.5), -1152921504606846977);
    must_hash(plait_float(1e300), 1224995262755759164);
    must_hash(plait_float((double)INFINITY), 314159);
    must_hash(plait_float(-(double)INFINITY), -314159);
    must_hash(plait_int_parse("-2305843009213693952"), -2);                    /* -1 is no hash */
    must_hash(plait_int_parse("123456789012345678901234567890"), 248789772095949448);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(digits_come_back),
    cmocka_unit_test(other_texts_are_no_numbers),
    cmocka_unit_test(thousands_of_digits),
    cmocka_unit_test(a_mebibyte_is_a_number_too),
    cmocka_unit_test(bytes_come_back),
    cmocka_unit_test(bytes_that_say_nothing_are_left_out),
    cmocka_unit_test(what_does_not_fit_is_said),
    cmocka_unit_test(ints_as_floats),
    cmocka_unit_test(numbers_are_equal_whatever_their_type),
    cmocka_unit_test(hashes_are_pythons),
};
TEST_MAIN(tests)
