/* What is printed of values: as Python prints them. */
#include "values.h"

#include <math.h>
#include <stdlib.h>

static void scalars(void **state)
{
    must_print(plait_int(-42), "-42");
    must_print(plait_int(INT64_MIN), "-9223372036854775808");
    must_print(plait_float(1), "1.0");
    must_print(plait_float(1e16), "1e+16");
    must_print(plait_float(-(double)INFINITY), "-inf");
    must_print(plait_bytes("a'\n\xff", 4), "b\"a'\\n\\xff\"");
    must_print(plait_bytearray("abc", 3), "bytearray(b'abc')");
    must_print(plait_bytearray("'\"", 2), "bytearray(b'\\'\"')");
    must_print(plait_global("builtins.list"), "<builtins.list>");
}

static void strings(void **state)
{
    must_print(plait_string("hello"), "'hello'");
    must_print(plait_string("it's"), "\"it's\"");
    must_print(plait_string("\"it's\""), "'\"it\\'s\"'");
    must_print(plait_string("a\tb\r\n\\\x01\x7f"), "'a\\tb\\r\\n\\\\\\x01\\x7f'");
    must_print(plait_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "'\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80'");
    must_print(plait_string("\xc2\xa0\xe2\x80\x8b"), "'\\xa0\\u200b'");
    must_print(plait_string("\xed\xa0\x80"), "'\\ud800'");
}

static void containers(void **state)
{
    must_print(plait_list(0), "[]");
    must_print(plait_list(3, plait_int(42), plait_none(), plait_string("hello")), "[42, None, 'hello']");
    must_print(plait_tuple(0), "()");
    must_print(plait_tuple(1, plait_int(1)), "(1,)");
    must_print(plait_tuple(2, plait_int(1), plait_bool(0)), "(1, False)");
    must_print(plait_dict(0), "{}");
    must_print(plait_dict(2, plait_string("a"), plait_int(1), plait_tuple(1, plait_int(2)), plait_list(0)), "{'a': 1, (2,): []}");
    must_print(plait_set(0), "set()");
    must_print(plait_set(2, plait_int(1), plait_string("x")), "{1, 'x'}");
    must_print(plait_frozenset(0), "frozenset()");
    must_print(plait_frozenset(1, plait_frozenset(1, plait_int(1))), "frozenset({frozenset({1})})");
}

static void str_is_repr_but_of_strings(void **state)
{
    plait_value *string = plait_string("it's"), *list = plait_list(1, plait_value_ref(string));
    assert_string_equal(plait_str(string), "it's");
    assert_string_equal(plait_repr(string), "\"it's\"");
    assert_string_equal(plait_str(list), "[\"it's\"]");
    plait_value_free(string);
    plait_value_free(list);
}

/* Both live until the value changes; and also then, if the text does not. */
static void texts_live_with_their_value(void **state)
{
    plait_value *list = plait_list(1, plait_list(0));
    const char *text = plait_repr(list);
    assert_ptr_equal(plait_repr(list), text);
    assert_int_equal(plait_list_append(plait_list_get(list, 0), plait_int(1)), 0);
    assert_string_equal(plait_repr(list), "[[1]]");
    plait_value *error = plait_object_of_call("builtins.KeyError", plait_tuple(1, plait_string("k")));
    const char *as_repr = plait_repr(error), *as_str = plait_str(error);
    assert_string_equal(as_repr, "KeyError('k')");
    assert_string_equal(as_str, "'k'");
    plait_value_free(error);
    plait_value_free(list);
}

static void what_is_too_deep_is_left_out(void **state)
{
    plait_value *value = nested(1000);
    const char *text = plait_repr(value);
    assert_int_equal(strlen(text), 400 + 3 + 400);
    assert_non_null(strstr(text, "[...]"));
    assert_string_equal(plait_error_detail(), "");         /* it is no failure */
    plait_value_free(value);
}

static void large_ones_are_whole(void **state)
{
    plait_value *list = plait_list(0);
    for (int i = 0; i < 20000; i++) assert_int_equal(plait_list_append(list, plait_int(1000 + i % 1000)), 0);
    assert_int_equal(strlen(plait_repr(list)), 20000 * 6);
    plait_value_free(list);
}

/* 20 KB, 100,000 times: the text ends, and there is no time that it would take. */
static void too_long_ones_end(void **state)
{
    enum { LENGTH = 20000, TIMES = 100000, LONGEST = 64 << 20 };
    char text[LENGTH];
    memset(text, 'a', sizeof text);
    plait_value *string = plait_string_sized(text, sizeof text), *list = plait_list(0), *dict = plait_dict(0), *tuple;
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(plait_list_append(list, plait_value_ref(string)), 0);
        assert_int_equal(plait_dict_set(dict, plait_int(i), plait_value_ref(string)), 0);
    }
    plait_value *values[] = { list, dict, tuple = plait_tuple(2, plait_value_ref(list), plait_value_ref(dict)) };
    for (int i = 0; i < 3; i++) {
        const char *repr = plait_repr(values[i]);
        const size_t length = strlen(repr);
        assert_true(length > LONGEST && length < LONGEST + 2 * LENGTH);
        assert_non_null(strstr(repr + LONGEST, ", ..."));
        plait_value_free(values[i]);
    }
    plait_value_free(string);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(scalars),
    cmocka_unit_test(strings),
    cmocka_unit_test(containers),
    cmocka_unit_test(str_is_repr_but_of_strings),
    cmocka_unit_test(texts_live_with_their_value),
    cmocka_unit_test(what_is_too_deep_is_left_out),
    cmocka_unit_test(large_ones_are_whole),
    cmocka_unit_test(too_long_ones_end),
};
TEST_MAIN(tests)
