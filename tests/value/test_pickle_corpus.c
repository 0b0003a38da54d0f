/* Pickles of every Python and protocol: what they are, and that they survive being written again. */
#include "corpus.h"

/* Those that hold themselves. */
static bool is_refused(const struct pickle *pickle)
{
    return strcmp(pickle->name, "itself") == 0 || strcmp(pickle->name, "parent") == 0;
}

static void each_is_read(void **state)
{
    for (int i = 0; i < PICKLES; i++) {
        plait_value *value = loads_hex(pickles[i].hex);
        if (is_refused(&pickles[i])) {
            assert_null(value);
            assert_int_equal(errno, ENOTSUP);
            assert_non_null(strstr(plait_error_detail(), "would hold itself"));
            continue;
        }
        if (!value)
            fail_msg("%s, protocol %d of Python %s: %s", pickles[i].name, pickles[i].protocol, pickles[i].by, plait_error_detail());
        plait_value_free(value);
    }
}

static void plain_ones_print_as_in_python(void **state)
{
    for (int i = 0; i < PICKLES; i++) {
        if (!pickles[i].repr) continue;
        plait_value *value = loads_hex(pickles[i].hex);
        assert_string_equal(plait_repr(value), pickles[i].repr);
        plait_value_free(value);
    }
}

static void each_survives_every_protocol(void **state)
{
    for (int i = 0; i < PICKLES; i++) {
        plait_value *value = loads_hex(pickles[i].hex);
        for (int protocol = 2; value && protocol <= 5; protocol++) {
            plait_value *back = there_and_back(value, protocol);
            if (!back) fail_msg("%s in protocol %d: %s", pickles[i].name, protocol, plait_error_detail());
            if (plait_value_equal(value, back) != 1 && strcmp(pickles[i].name, "floats") != 0)
                fail_msg("%s of Python %s in protocol %d: %s became %s", pickles[i].name, pickles[i].by, protocol,
                         plait_repr(value), plait_repr(back));
            plait_value_free(back);
        }
        plait_value_free(value);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_is_read),
    cmocka_unit_test(plain_ones_print_as_in_python),
    cmocka_unit_test(each_survives_every_protocol),
};
TEST_MAIN(tests)
