/* Pickles: what is read and written, byte by byte. */
#include <plait/object.h>

#include "corpus.h"

static plait_value *loads(const void *bytes, size_t size)
{
    plait_value *value = plait_pickle_loads(bytes, size, NULL);
    if (!value) fail_msg("%s", plait_error_detail());
    return value;
}

static void assert_reads(const char *hex, const char *repr)
{
    plait_value *value = loads_hex(hex);
    if (!value) fail_msg("%s: %s", repr, plait_error_detail());
    assert_string_equal(plait_repr(value), repr);
    plait_value_free(value);
}

static void assert_reads_text(const char *pickle, const char *repr)
{
    plait_value *value = loads(pickle, strlen(pickle));
    assert_string_equal(plait_repr(value), repr);
    plait_value_free(value);
}

static void assert_writes(plait_value *value, int protocol, const char *hex)
{
    size_t size, expected_size;
    unsigned char *expected = from_hex(hex, &expected_size);
    unsigned char *bytes = plait_pickle_dumps(value, &(plait_pickle_options){ .protocol = protocol }, &size);
    assert_non_null(bytes);
    assert_int_equal(size, expected_size);
    assert_memory_equal(bytes, expected, size);
    free(bytes);
    free(expected);
    plait_value_free(value);
}

static void as_the_header_says(void **state)
{
    plait_value *value = plait_list(2, plait_int(42), plait_string("hello"));
    size_t size;
    void *bytes = plait_pickle_dumps(value, NULL, &size);
    plait_value *same = bytes ? plait_pickle_loads(bytes, size, NULL) : NULL;
    assert_string_equal(plait_repr(same), "[42, 'hello']");
    plait_value_free(same);
    free(bytes);
    plait_value_free(value);
}

/* ---- writing ---- */

static void scalars_are_written_as_python_does(void **state)
{
    assert_writes(plait_none(), 0, "80044e2e");
    assert_writes(plait_none(), 2, "80024e2e");
    assert_writes(plait_bool(1), 5, "8005882e");
    assert_writes(plait_int(255), 3, "80034bff2e");
    assert_writes(plait_int(256), 3, "80034d00012e");
    assert_writes(plait_int(-1), 3, "80034affffffff2e");
    assert_writes(plait_int(INT64_C(1) << 31), 3, "80038a0500000080002e");
    assert_writes(plait_int(-(INT64_C(1) << 31) - 1), 3, "80038a05ffffff7fff2e");
    assert_writes(plait_int(INT64_MIN), 3, "80038a0800000000000000802e");
    assert_writes(plait_int_parse("18446744073709551616"), 3, "80038a090000000000000000012e");
    assert_writes(plait_float(1.5), 3, "8003473ff80000000000002e");
    assert_writes(plait_string("h"), 4, "80049504000000000000008c01682e");
    assert_writes(plait_string("h"), 2, "80025801000000682e");
    assert_writes(plait_bytes("\xff", 1), 3, "80034301ff2e");
    assert_writes(plait_bytes("\xff", 1), 2, "8002635f636f646563730a656e636f64650a5802000000c3bf58060000006c6174696e3186522e");
    assert_writes(plait_bytes("", 0), 2, "8002635f5f6275696c74696e5f5f0a62797465730a29522e");
    assert_writes(plait_bytearray("a", 1), 5, "8005950b000000000000009601000000000000006""12e");
}

static void containers_are_written_as_python_does(void **state)
{
    assert_writes(plait_list(0), 3, "80035d2e");
    assert_writes(plait_list(1, plait_int(1)), 3, "80035d4b01612e");
    assert_writes(plait_list(2, plait_int(1), plait_int(2)), 3, "80035d284b014b02652e");
    assert_writes(plait_tuple(0), 3, "8003292e");
    assert_writes(plait_tuple(1, plait_none()), 3, "80034e852e");
    assert_writes(plait_tuple(4, plait_none(), plait_none(), plait_none(), plait_none()), 3, "8003284e4e4e4e742e");
    assert_writes(plait_dict(1, plait_int(1), plait_int(2)), 3, "80037d4b014b02732e");
    assert_writes(plait_set(1, plait_int(1)), 4, "80049506000000000000008f284b01902e");
    assert_writes(plait_set(1, plait_int(1)), 3, "8003636275696c74696e730a7365740a5d4b016185522e");
    assert_writes(plait_frozenset(1, plait_int(1)), 4, "8004950500000000000000284b01912e");
    assert_writes(plait_global("a.b"), 3, "800363610a620a71002e");
}

/* Lists of 1,000 and 1,001. */
static void batches_are_of_1000(void **state)
{
    for (size_t n = 999; n <= 2001; n += 501) {
        plait_value *list = plait_list(0);
        for (size_t i = 0; i < n; i++) plait_list_append(list, plait_none());
        size_t size;
        unsigned char *bytes = plait_pickle_dumps(list, &(plait_pickle_options){ .protocol = 3 }, &size);
        size_t marks = 0;
        for (size_t i = 2; i < size; i++) marks += bytes[i] == '(';
        assert_int_equal(marks, (n + 998) / 1000);
        plait_value *back = loads(bytes, size);
        assert_int_equal(plait_value_equal(list, back), 1);
        plait_value_free(back);
        plait_value_free(list);
        free(bytes);
    }
}

static void what_is_in_two_places_stays_one_thing(void **state)
{
    plait_value *item = plait_list(1, plait_string("in it")), *text = plait_string("a text that is longer than a cell");
    plait_value *list = plait_list(4, plait_value_ref(item), plait_value_ref(text), item, text);
    for (int protocol = 2; protocol <= 5; protocol++) {
        plait_value *back = there_and_back(list, protocol);
        assert_ptr_equal(plait_list_get(back, 0), plait_list_get(back, 2));
        assert_ptr_equal(plait_list_get(back, 1), plait_list_get(back, 3));
        plait_value_free(back);
    }
    plait_value_free(list);
}

/* 2^60 leaves, in some 300 bytes. */
static void sharing_stays_small(void **state)
{
    plait_value *value = plait_int(1);
    for (int i = 0; i < 60; i++) value = plait_list(2, plait_value_ref(value), value);
    size_t size;
    void *bytes = plait_pickle_dumps(value, NULL, &size);
    assert_true(size < 400);
    plait_value_free(loads(bytes, size));
    free(bytes);
    plait_value_free(value);
}

/* More than 256 of them need larger indices. */
static void many_shared_ones(void **state)
{
    plait_value *list = plait_list(0);
    for (int i = 0; i < 600; i++) {
        plait_value *item = plait_list(1, plait_int(i));
        plait_list_append(list, plait_value_ref(item));
        plait_list_append(list, item);
    }
    for (int protocol = 2; protocol <= 5; protocol++) {
        plait_value *back = there_and_back(list, protocol);
        assert_int_equal(plait_value_equal(list, back), 1);
        for (int i = 0; i < 600; i++) assert_ptr_equal(plait_list_get(back, 2 * i), plait_list_get(back, 2 * i + 1));
        plait_value_free(back);
    }
    plait_value_free(list);
}

static void deep_ones_are_written_without_recursion(void **state)
{
    plait_value *value = plait_none();
    for (int i = 0; i < 200000; i++) value = plait_list(1, value);
    size_t size;
    void *bytes = plait_pickle_dumps(value, NULL, &size);
    assert_non_null(bytes);
    assert_null(plait_pickle_loads(bytes, size, NULL));
    assert_int_equal(errno, EOVERFLOW);
    free(bytes);
    plait_value_free(value);
}

static void misuse_is_an_error(void **state)
{
    plait_value *value = plait_none();
    size_t size;
    assert_null(plait_pickle_dumps(NULL, NULL, &size));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_pickle_dumps(value, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    for (int protocol = -1; protocol <= 6; protocol++) {
        if (protocol == 0 || (protocol >= 2 && protocol <= 5)) continue;
        assert_null(plait_pickle_dumps(value, &(plait_pickle_options){ .protocol = protocol }, &size));
        assert_int_equal(errno, EINVAL);
    }
    assert_null(plait_pickle_dumps(value, &(plait_pickle_options){ .reserved = { 0, 1 } }, &size));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_pickle_loads("N.", 2, &(plait_pickle_options){ .reserved = { 0, 1 } }));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_pickle_loads(NULL, 2, NULL));
    assert_int_equal(errno, EINVAL);
    plait_value *named = plait_global("module.two\nlines");
    assert_null(plait_pickle_dumps(named, &(plait_pickle_options){ .protocol = 3 }, &size));
    assert_int_equal(errno, EINVAL);
    plait_value_free(named);
}

/* ---- reading ---- */

/* What stock managers and their clients sent. */
static void messages_of_managers(void **state)
{
    assert_reads("8004951000000000000000284e8c0564756d6d7994297d9474942e", "(None, 'dummy', (), {})");
    assert_reads("8004950e000000000000008c072352455455524e944e86942e", "('#RETURN', None)");
    assert_reads("8004951900000000000000284e8c06637265617465948c044c6f636b9485947d9474942e", "(None, 'create', ('Lock',), {})");
    assert_reads("80049534000000000000008c072352455455524e948c0c376634336539303861323030948c0761637175697265948c0772656c65617365"
                 "948694869486942e", "('#RETURN', ('7f43e908a200', ('acquire', 'release')))");
    assert_reads("8004952100000000000000284e8c06696e63726566948c0c3766343365393033306338309485947d9474942e",
                 "(None, 'incref', ('7f43e9030c80',), {})");
    assert_reads("8004952b00000000000000284e8c116163636570745f636f6e6e656374696f6e948c0b4d61696e50726f636573739485947d9474942e",
                 "(None, 'accept_connection', ('MainProcess',), {})");
    assert_reads("8004952b00000000000000288c0c376634336539303861323030948c07616371756972659488473f847ae147ae147b86947d9474942e",
                 "('7f43e908a200', 'acquire', (True, 0.01), {})");
    assert_reads("80049530000000000000008c06234552524f52948c086275696c74696e73948c084b65794572726f729493948c056e6f6b65"
                 "79948594529486942e",
                 "('#ERROR', KeyError('nokey'))");
}

/* Token: a class, no arguments, its state; the answer to iter(d). */
static void a_token_is_an_object(void **state)
{
    plait_value *value = loads_hex(
        "80049589000000000000008c062350524f585994288c085f5f6e6578745f5f948c0473656e64948c057468726f77948c0563"
        "6c6f73659474948c186d756c74"
        "6970726f63657373696e672e6d616e6167657273948c05546f6b656e9493942981948c084974657261746f72948c09313237"
        "2e302e302e31944d4b9e86948c"
        "0c37663433653931653138353094879462869486942e");
    assert_non_null(value);
    plait_value *pair = plait_list_get(value, 1), *token = plait_list_get(pair, 1);
    assert_string_equal(plait_object_class(token), "multiprocessing.managers.Token");
    assert_string_equal(plait_repr(plait_object_state(token)), "('Iterator', ('127.0.0.1', 40523), '7f43e91e1850')");
    plait_value_free(value);
}

static void text_of_protocol_0(void **state)
{
    assert_reads_text("I42\n.", "42");
    assert_reads_text("I-42\n.", "-42");
    assert_reads_text("I01\n.", "True");
    assert_reads_text("I00\n.", "False");
    assert_reads_text("I001\n.", "1");
    assert_reads_text("L12345678901234567890123L\n.", "12345678901234567890123");
    assert_reads_text("L-5\n.", "-5");
    assert_reads_text("F-1.5e3\n.", "-1500.0");
    assert_reads_text("F.5\n.", "0.5");
    assert_reads_text("F1\n.", "1.0");
    assert_reads_text("F1e999999999999\n.", "inf");
    assert_reads_text("Fnan\n.", "nan");
    assert_reads_text("F-INF\n.", "-inf");
    assert_reads_text("S'a\\n\\x41\\101\\'\\q'\n.", "\"a\\nAA'\\\\q\"");
    assert_reads_text("S\"\\xff\"\n.", "b'\\xff'");         /* a str of Python 2 that is no text */
    assert_reads_text("Va\\u20ac\\U0001f600\\x\\\\u0041\xe9\n.", "'a\xe2\x82\xac\xf0\x9f\x98\x80\\\\x\\\\\\\\u0041\xc3\xa9'");
    assert_reads_text("(I1\nI2\nd.", "{1: 2}");
    assert_reads_text("(lp0\nI1\nag0\n0.", "[1]");
    assert_reads_text("(I1\n(I2\n1t.", "(1,)");
    assert_reads_text("I1\n2\x86.", "(1, 1)");
}

static void names_of_python_2(void **state)
{
    plait_value *value = loads("c__builtin__\nxrange\n.", 21);
    assert_string_equal(plait_global_name(value), "builtins.range");
    assert_writes(value, 2, "8002635f5f6275696c74696e5f5f0a7872616e67650a71002e");
    value = loads("cexceptions\nKeyError\n.", 22);
    assert_string_equal(plait_global_name(value), "builtins.KeyError");
    plait_value_free(value);
    value = loads("\x80\x03" "cexceptions\nKeyError\n.", 24);   /* not in protocol 3 */
    assert_string_equal(plait_global_name(value), "exceptions.KeyError");
    plait_value_free(value);
}

/* How protocols 2 and 3 name what is within a class. */
static void attributes_of_classes_are_names(void **state)
{
    plait_value *value = loads("cbuiltins\ngetattr\ncm\nOuter\nX\5\0\0\0Inner\x86R.", 40);
    assert_string_equal(plait_global_name(value), "m.Outer.Inner");
    for (int protocol = 2; protocol <= 5; protocol++) {
        plait_value *back = there_and_back(value, protocol);
        assert_int_equal(plait_value_equal(value, back), 1);
        plait_value_free(back);
    }
    plait_value_free(value);
}

static void what_is_behind_stop_is_not_looked_at(void **state)
{
    plait_value *value = loads("N.\x80\x01\xff", 5);
    assert_int_equal(plait_is_none(value), 1);
    plait_value_free(value);
    value = loads("K\1K\2.", 5);                           /* nor what is left on the stack */
    assert_string_equal(plait_repr(value), "2");
    plait_value_free(value);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(as_the_header_says),
    cmocka_unit_test(scalars_are_written_as_python_does),
    cmocka_unit_test(containers_are_written_as_python_does),
    cmocka_unit_test(batches_are_of_1000),
    cmocka_unit_test(what_is_in_two_places_stays_one_thing),
    cmocka_unit_test(sharing_stays_small),
    cmocka_unit_test(many_shared_ones),
    cmocka_unit_test(deep_ones_are_written_without_recursion),
    cmocka_unit_test(misuse_is_an_error),
    cmocka_unit_test(messages_of_managers),
    cmocka_unit_test(a_token_is_an_object),
    cmocka_unit_test(text_of_protocol_0),
    cmocka_unit_test(names_of_python_2),
    cmocka_unit_test(attributes_of_classes_are_names),
    cmocka_unit_test(what_is_behind_stop_is_not_looked_at),
};
TEST_MAIN(tests)
