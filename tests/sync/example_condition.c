/* The example condition: what is baked is sold, although a customer is killed. */
#include "program.h"

#include <stdio.h>
#include <string.h>

static void check_bakery(const char *loaves, int expected)
{
    char text[200];
    struct program program;
    program_run_well(&program, "condition", loaves);
    int most = 0;
    const char *last = strrchr(program.out, ',');
    assert_non_null(last);
    assert_int_equal(sscanf(last, ", at most %d on the shelf", &most), 1);
    assert_in_range(most, 1, 3);
    snprintf(text, sizeof text, "a customer that waited ended with -9\n%d loaves baked, %d sold, 0 left, at most %d on the shelf\n",
             expected, expected, most);
    assert_string_equal(program.out, text);
    program_free(&program);
}

static void a_thousand_loaves_each(void **state) { check_bakery(NULL, 3000); }
static void one_loaf_each(void **state) { check_bakery("1", 3); }

static void wrong_arguments(void **state)
{
    const char *const wrong[] = { "0", "-1", "bread", "1000001" };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        program_wrong_argument("condition", wrong[i], "usage: condition [LOAVES]");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_thousand_loaves_each),
    cmocka_unit_test(one_loaf_each),
    cmocka_unit_test(wrong_arguments),
};

TEST_MAIN(tests)
