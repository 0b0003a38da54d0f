/* How values are printed, here the shared ones: as Python does. */
#include "harness.h"

#include <locale.h>
#include <math.h>
#include <string.h>

#include <plait.h>

static void must_print(plait_shared_value *value, const char *expected)
{
    char text[80];
    assert_non_null(value);
    assert_int_equal(plait_shared_value_repr(value, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    assert_int_equal(plait_shared_value_free(value), 0);
}

static void must_print_real(double real, const char *expected)
{
    plait_shared_value *value = plait_shared_value_new('d', &real, NULL);
    must_print(value, expected);
}

static void floats_as_python_prints_them(void **state)
{
    must_print_real(0.0, "0.0");
    must_print_real(-0.0, "-0.0");
    must_print_real(1, "1.0");
    must_print_real(0.1, "0.1");
    must_print_real(0.1 + 0.2, "0.30000000000000004");
    must_print_real(1e15, "1000000000000000.0");
    must_print_real(1e16, "1e+16");
    must_print_real(123456789012345680.0, "1.2345678901234568e+17");
    must_print_real(0.0001, "0.0001");
    must_print_real(0.00001, "1e-05");
    must_print_real(1e22, "1e+22");
    must_print_real(1e100, "1e+100");
    must_print_real(0x1p-44, "5.684341886080802e-14");       /* the nearest of 16 digits does not read back */
    must_print_real(9007199254740993.0, "9007199254740992.0");
    must_print_real(5e-324, "5e-324");
    must_print_real(1.7976931348623157e308, "1.7976931348623157e+308");
    must_print_real((double)INFINITY, "inf");
    must_print_real((double)-INFINITY, "-inf");
    must_print_real((double)NAN, "nan");
}

/* A guest does not care for the program's locale. */
static void floats_in_a_country_with_commas(void **state)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR" };
    int there = 0;
    for (int i = 0; i < 4; i++) {
        if (!setlocale(LC_NUMERIC, names[i])) continue;
        must_print_real(2.5, "2.5");
        there++;
    }
    setlocale(LC_NUMERIC, "C");
    if (!there) skip();                                    /* the machine knows no such country */
}

static void must_print_char(int type, int64_t number, const char *expected)
{
    plait_shared_value *value = plait_shared_value_new(type, NULL, NULL);
    assert_int_equal(plait_shared_value_set_int(value, number, PLAIT_NOW), 0);
    must_print(value, expected);
}

static void characters_as_python_prints_them(void **state)
{
    must_print_char('c', 'x', "b'x'");
    must_print_char('c', 0, "b'\\x00'");
    must_print_char('c', 255, "b'\\xff'");
    must_print_char('c', '\'', "b\"'\"");
    must_print_char('c', '"', "b'\"'");
    must_print_char('c', '\\', "b'\\\\'");
    must_print_char('c', '\n', "b'\\n'");
    must_print_char('u', 'x', "'x'");
    must_print_char('u', 0xe9, "'\xc3\xa9'");
    must_print_char('u', 0x20ac, "'\xe2\x82\xac'");
    must_print_char('u', 0x1f600, "'\xf0\x9f\x98\x80'");
    must_print_char('u', 0xa0, "'\\xa0'");
    must_print_char('u', 0x200b, "'\\u200b'");
    must_print_char('u', 0xd800, "'\\ud800'");
    must_print_char('u', 0x10ffff, "'\\U0010ffff'");
}

static void texts_are_cut_where_their_room_ends(void **state)
{
    plait_shared_value *value = plait_shared_value_new('i', &(int){ 12345 }, NULL);
    for (size_t room = 0; room < 8; room++) {
        char text[9] = "--------";
        assert_int_equal(plait_shared_value_repr(value, text, room), 5);
        assert_memory_equal(text, "12345", room && room < 6 ? room - 1 : room ? 5 : 0);
        if (room) assert_int_equal(text[room < 6 ? room - 1 : 5], 0);
        assert_int_equal(text[room < 6 ? room : 6], '-');
    }
    assert_int_equal(plait_shared_value_free(value), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(floats_as_python_prints_them),
    cmocka_unit_test(floats_in_a_country_with_commas),
    cmocka_unit_test(characters_as_python_prints_them),
    cmocka_unit_test(texts_are_cut_where_their_room_ends),
};
TEST_MAIN(tests)
