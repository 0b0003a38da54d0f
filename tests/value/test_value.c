/* Values: made, read, counted, freed; whose they are. */
#include "values.h"

#include "value/value.h"

static void each_type_has_its_name_and_truth(void **state)
{
    const struct {
        plait_value *value;
        int type;
        const char *name;
        int truth;
        int len;
    } rows[] = {
        { plait_none(), PLAIT_NONE, "NoneType", 0, -EINVAL },
        { plait_bool(0), PLAIT_BOOL, "bool", 0, -EINVAL },
        { plait_bool(7), PLAIT_BOOL, "bool", 1, -EINVAL },
        { plait_int(0), PLAIT_INT, "int", 0, -EINVAL },
        { plait_int(-3), PLAIT_INT, "int", 1, -EINVAL },
        { plait_uint(UINT64_MAX), PLAIT_INT, "int", 1, -EINVAL },
        { plait_float(0), PLAIT_FLOAT, "float", 0, -EINVAL },
        { plait_float(-0.5), PLAIT_FLOAT, "float", 1, -EINVAL },
        { plait_string(""), PLAIT_STRING, "str", 0, 0 },
        { plait_string("h\xc3\xa4\xf0\x9f\x98\x80"), PLAIT_STRING, "str", 1, 3 },
        { plait_bytes("ab", 2), PLAIT_BYTES, "bytes", 1, 2 },
        { plait_bytes(NULL, 0), PLAIT_BYTES, "bytes", 0, 0 },
        { plait_bytearray("abc", 3), PLAIT_BYTEARRAY, "bytearray", 1, 3 },
        { plait_list(0), PLAIT_LIST, "list", 0, 0 },
        { plait_tuple(1, plait_none()), PLAIT_TUPLE, "tuple", 1, 1 },
        { plait_dict(1, plait_int(1), plait_none()), PLAIT_DICT, "dict", 1, 1 },
        { plait_set(0), PLAIT_SET, "set", 0, 0 },
        { plait_frozenset(2, plait_int(1), plait_float(1)), PLAIT_FROZENSET, "frozenset", 1, 1 },
        { plait_global("builtins.list"), PLAIT_GLOBAL, "global", 1, -EINVAL },
        { plait_object("__main__.Task", plait_none()), PLAIT_OBJECT, "__main__.Task", 1, -EINVAL },
        { plait_range(0, 10, 3), PLAIT_OBJECT, "range", 1, 4 },
        { plait_range(0, 0, 3), PLAIT_OBJECT, "range", 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_non_null(rows[i].value);
        assert_int_equal(plait_value_type(rows[i].value), rows[i].type);
        assert_string_equal(plait_value_type_name(rows[i].value), rows[i].name);
        assert_int_equal(plait_value_truth(rows[i].value), rows[i].truth);
        assert_int_equal(plait_value_len(rows[i].value), rows[i].len);
        assert_int_equal(plait_is_none(rows[i].value), i == 0);
        plait_value_free(rows[i].value);
    }
}

static void null_is_a_clear_error(void **state)
{
    assert_int_equal(plait_value_type(NULL), -EINVAL);
    assert_string_equal(plait_value_type_name(NULL), "NULL");
    assert_int_equal(plait_value_len(NULL), -EINVAL);
    assert_int_equal(plait_value_truth(NULL), -EINVAL);
    assert_int_equal(plait_is_none(NULL), 0);
    assert_int_equal(plait_value_equal(NULL, plait_none()), -EINVAL);
    assert_int_equal(plait_value_hash(NULL, NULL), -EINVAL);
    assert_int_equal(plait_value_contains(NULL, plait_none()), -EINVAL);
    assert_int_equal(plait_value_clear(NULL), -EINVAL);
    assert_string_equal(plait_repr(NULL), "NULL");
    assert_string_equal(plait_str(NULL), "NULL");
    assert_null(plait_value_ref(NULL));
    plait_value_free(NULL);
    assert_fails(plait_value_copy(NULL), EINVAL);
    assert_fails(plait_string(NULL), EINVAL);
    assert_fails(plait_string_sized(NULL, 3), EINVAL);
    assert_fails(plait_bytes(NULL, 3), EINVAL);
    assert_fails(plait_bytearray(NULL, 3), EINVAL);
    assert_fails((void *)plait_string_get(NULL, NULL), EINVAL);
    assert_fails((void *)plait_bytes_get(NULL, NULL), EINVAL);
    assert_int_equal(plait_bool_get(NULL, NULL), -EINVAL);
}

static void scalars_are_read_as_what_they_are(void **state)
{
    int truth = -1;
    double real = 0;
    int64_t number;
    plait_value *value = plait_int(-5);
    assert_int_equal(plait_int_get(value, &number), 0);
    assert_int_equal(number, -5);
    assert_int_equal(plait_float_get(value, &real), 0);
    assert_true(real == -5);
    assert_int_equal(plait_bool_get(value, &truth), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "'int'"));
    plait_value_free(value);
    assert_int_equal(plait_bool_get(plait_bool(1), &truth), 0);
    assert_int_equal(truth, 1);
    assert_int_equal(plait_int_get(plait_bool(1), &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(plait_int_get(plait_none(), &number), -EINVAL);
    value = plait_float(2.5);
    assert_int_equal(plait_float_get(value, &real), 0);
    assert_true(real == 2.5);
    assert_int_equal(plait_int_get(value, &number), -EINVAL);
    plait_value_free(value);
}

/* 15 bytes lie in the value, 31 in another cell, more in the heap. */
static void texts_of_any_length_come_back(void **state)
{
    char text[100];
    for (size_t size = 0; size < sizeof text; size++) {
        size_t got = 999;
        memset(text, 'x', size);
        plait_value *string = plait_string_sized(text, size), *bytes = plait_bytes(text, size);
        assert_memory_equal(plait_string_get(string, &got), text, size);
        assert_int_equal(got, size);
        assert_int_equal(strlen(plait_string_get(string, NULL)), size);
        assert_memory_equal(plait_bytes_get(bytes, &got), text, size);
        assert_int_equal(got, size);
        assert_null(plait_bytes_get(string, NULL));
        assert_null(plait_string_get(bytes, NULL));
        plait_value_free(string);
        plait_value_free(bytes);
    }
}

static void strings_are_utf_8_with_surrogates(void **state)
{
    static const char *const good[] = { "", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
                                        "\xed\xa0\x80",
                                        "eight...\xc3\xa4", "seven..\xc3\xa4 and so on" };
    static const char *const bad[] = { "\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xff", "abc\xe2\x82",
                                       "\xf8\x88",
                                       "eight...\xff", "\xc3\xa4\xc3" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        plait_value *value = plait_string(good[i]);
        assert_string_equal(plait_string_get(value, NULL), good[i]);
        plait_value_free(value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_fails(plait_string(bad[i]), EILSEQ);
}

static void a_zero_is_a_character(void **state)
{
    size_t size;
    plait_value *value = plait_string_sized("a\0b", 3);
    assert_memory_equal(plait_string_get(value, &size), "a\0b", 4);
    assert_int_equal(size, 3);
    assert_string_equal(plait_repr(value), "'a\\x00b'");
    plait_value_free(value);
}

static void owners_are_counted(void **state)
{
    plait_value *value = plait_string("x"), *list = plait_list(2, plait_value_ref(value), value);
    assert_refs(value, 2);
    assert_ptr_equal(plait_list_get(list, 0), plait_list_get(list, 1));
    plait_value_ref(value);
    plait_value_free(list);
    assert_refs(value, 1);
    assert_string_equal(plait_string_get(value, NULL), "x");
    errno = 77;
    plait_value_free(value);
    assert_int_equal(errno, 77);
}

static void none_and_bools_are_one_each(void **state)
{
    assert_ptr_equal(plait_none(), plait_none());
    assert_ptr_equal(plait_bool(1), plait_bool(5));
    for (int i = 0; i < 100; i++) {
        plait_value_ref(plait_none());
        plait_value_free(plait_none());
        plait_value_free(plait_none());
        plait_value_free(plait_bool(0));
    }
    assert_string_equal(plait_repr(plait_none()), "None");
    assert_string_equal(plait_repr(plait_bool(0)), "False");
    assert_string_equal(plait_repr(plait_bool(1)), "True");
}

/* Nobody has so much memory, but the count must not begin anew. */
static void a_count_that_is_full_stays_so(void **state)
{
    plait_value *value = plait_int(1);
    atomic_store(&value->refs, PLAIT__IMMORTAL - 1);
    plait_value_ref(value);
    plait_value_ref(value);
    assert_refs(value, PLAIT__IMMORTAL);
    plait_value_free(value);
    assert_refs(value, PLAIT__IMMORTAL);
    atomic_store(&value->refs, 1);
    plait_value_free(value);
}

/* A list in a list in a list, three million deep: as a chain of calls its end would need more stack than there is. */
static void deep_values_end(void **state)
{
    plait_value *all = plait_list(0), *inner = all;
    for (int i = 0; i < 3000000; i++) {
        plait_value *next = plait_list(0);
        assert_int_equal(plait_list_append(inner, next), 0);
        inner = next;
    }
    plait_value_free(all);
    plait_value *outer = nested(1000000);
    plait_value_free(outer);
}

static void a_builder_frees_what_it_was_given(void **state)
{
    plait_value *kept = plait_string("kept");
    assert_fails(plait_list(3, plait_value_ref(kept), NULL, plait_value_ref(kept)), EINVAL);
    assert_fails(plait_tuple(2, NULL, plait_value_ref(kept)), EINVAL);
    assert_fails(plait_dict(2, plait_value_ref(kept), NULL, plait_value_ref(kept), plait_value_ref(kept)), EINVAL);
    assert_fails(plait_dict(2, plait_list(0), plait_value_ref(kept), plait_value_ref(kept), plait_value_ref(kept)), EINVAL);
    assert_fails(plait_set(3, plait_value_ref(kept), plait_list(1, plait_value_ref(kept)), plait_value_ref(kept)), EINVAL);
    assert_fails(plait_frozenset(2, plait_bytearray("x", 1), plait_value_ref(kept)), EINVAL);
    assert_fails(plait_list_of(3, (plait_value *[]){ plait_value_ref(kept), NULL, plait_value_ref(kept) }), EINVAL);
    assert_fails(plait_list_of(3, NULL), EINVAL);
    assert_fails(plait_tuple_of(1, NULL), EINVAL);
    assert_refs(kept, 1);
    plait_value_free(kept);
}

/* The error of the inner builder is what the outer one says. */
static void errors_come_from_inside(void **state)
{
    assert_fails(plait_list(2, plait_int(1), plait_tuple(1, plait_string("\xff"))), EILSEQ);
    assert_non_null(strstr(plait_error_detail(), "UTF-8"));
    plait_value *dict = plait_dict(0);
    errno = 0;
    assert_int_equal(plait_dict_set(dict, plait_string("\xff"), plait_int(1)), -EILSEQ);
    errno = 0;
    assert_int_equal(plait_dict_set_string(dict, "\xff", plait_int(1)), -EILSEQ);
    errno = EAGAIN;                                        /* nothing that a builder says */
    assert_int_equal(plait_dict_set_string(dict, "x", NULL), -EINVAL);
    assert_int_equal(plait_value_len(dict), 0);
    plait_value_free(dict);
}

static void arrays_of_values_are_the_callers(void **state)
{
    plait_value *values[3] = { plait_int(1), plait_int(2), plait_int(3) };
    plait_value *list = plait_list_of(3, values);
    assert_string_equal(plait_repr(list), "[1, 2, 3]");
    plait_value_free(list);
    must_print(plait_tuple_of(0, NULL), "()");
    must_print(plait_tuple_of(1, (plait_value *[]){ plait_none() }), "(None,)");
}

static void copies_share_nothing(void **state)
{
    plait_value *inner = plait_list(1, plait_int(1));
    plait_value *value = plait_dict(3, plait_string("a"), plait_list(2, plait_value_ref(inner), inner),
                                    plait_tuple(2, plait_float(2), plait_none()),
                                    plait_set(2, plait_bytes("x", 1), plait_string("a string that is longer than what fits")),
                                        plait_uint(UINT64_MAX),
                                    plait_object("__main__.Task",
                                                 plait_dict(1, plait_string("b"), plait_frozenset(1, plait_global("a.b")))));
    plait_value *copy = plait_value_copy(value);
    assert_int_equal(plait_value_equal(value, copy), 1);
    assert_string_equal(plait_repr(value), plait_repr(copy));
    plait_value *list = plait_dict_get_string(copy, "a");
    assert_ptr_equal(plait_list_get(list, 0), plait_list_get(list, 1));        /* in two places, as before */
    assert_ptr_not_equal(plait_list_get(list, 0), inner);
    assert_int_equal(plait_list_append(plait_list_get(list, 0), plait_int(5)), 0);
    assert_int_equal(plait_value_len(inner), 1);
    assert_int_equal(plait_value_equal(value, copy), 0);
    plait_value_free(value);
    assert_string_equal(plait_repr(list), "[[1, 5], [1, 5]]");
    plait_value_free(copy);
}

/* 2^60 paths, 61 tuples. */
static void copies_of_braids_end(void **state)
{
    plait_value *value = braided(60), *copy = plait_value_copy(value);
    assert_non_null(copy);
    plait_value_free(value);
    plait_value_free(copy);
    value = nested(1000);
    assert_fails(plait_value_copy(value), EOVERFLOW);
    plait_value_free(value);
}

static void emptied(void **state)
{
    plait_value *values[] = { plait_list(5, plait_int(1), nested(3), plait_none(), plait_none(), plait_none()),
                              plait_dict(1, plait_int(1), nested(3)), plait_set(1, plait_tuple(0)), plait_bytearray("abc", 3),
                              plait_bytearray("longer than what fits into a value", 34) };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(plait_value_clear(values[i]), 0);
        assert_int_equal(plait_value_len(values[i]), 0);
        assert_int_equal(plait_value_clear(values[i]), 0);
        plait_value_free(values[i]);
    }
    plait_value *tuple = plait_tuple(1, plait_none());
    assert_int_equal(plait_value_clear(tuple), -EINVAL);
    plait_value_free(tuple);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_type_has_its_name_and_truth),
    cmocka_unit_test(null_is_a_clear_error),
    cmocka_unit_test(scalars_are_read_as_what_they_are),
    cmocka_unit_test(texts_of_any_length_come_back),
    cmocka_unit_test(strings_are_utf_8_with_surrogates),
    cmocka_unit_test(a_zero_is_a_character),
    cmocka_unit_test(owners_are_counted),
    cmocka_unit_test(none_and_bools_are_one_each),
    cmocka_unit_test(a_count_that_is_full_stays_so),
    cmocka_unit_test(deep_values_end),
    cmocka_unit_test(a_builder_frees_what_it_was_given),
    cmocka_unit_test(errors_come_from_inside),
    cmocka_unit_test(arrays_of_values_are_the_callers),
    cmocka_unit_test(copies_share_nothing),
    cmocka_unit_test(copies_of_braids_end),
    cmocka_unit_test(emptied),
};
TEST_MAIN(tests)
