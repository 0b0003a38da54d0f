/* The example accounts, in C++: the killed child's transfer is undone. */
#include "program.h"

static void the_books_are_right_in_the_end(void **state)
{
    struct program program = { 0 };
    program_run(&program, "accounts", NULL);
    assert_string_equal(program.err, "");
    assert_string_equal(program.out, "a child ended with 0\n"
                                     "a child ended with -9\n"
                                     "someone died in a transfer of 10; it is undone\n"
                                     "a child ended with 0\n"
                                     "80 + 20 = 100\n");
    assert_int_equal(program.status, 0);
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_books_are_right_in_the_end),
};
TEST_MAIN(tests)
