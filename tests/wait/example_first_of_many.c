/* The example first_of_many: all squares are printed, and the ends of all workers, in any order. */
#include "program.h"

#include <string.h>

static void must_print(const char *out, const char *line)
{
    assert_non_null(strstr(out, line));
}

static void squares_and_ends(void **state)
{
    struct program program = { .input = "3\n4\n0\n5\n" };
    program_run(&program, "first_of_many", NULL);
    assert_string_equal(program.err, "");
    assert_int_equal(program.status, 0);
    must_print(program.out, "9\n");
    must_print(program.out, "16\n");
    must_print(program.out, "25\n");
    must_print(program.out, "has ended: 3\n");
    must_print(program.out, "has ended: 0\n");
    program_free(&program);
}

static void no_input(void **state)
{
    struct program program = { 0 };
    program_run(&program, "first_of_many", NULL);
    assert_int_equal(program.status, 0);
    assert_null(strstr(program.out, "ended: 3"));
    must_print(program.out, "Process-3 has ended: 0\n");
    program_free(&program);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(squares_and_ends), cmocka_unit_test(no_input) };
TEST_MAIN(tests)
