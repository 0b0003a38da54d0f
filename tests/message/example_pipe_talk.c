/* The example pipe_talk: three lines, in this order. */
#include "program.h"

static void they_talk(void **state)
{
    struct program program = { 0 };
    program_run(&program, "pipe_talk", NULL);
    assert_string_equal(program.err, "");
    assert_string_equal(program.out, "Dari process 1: Hi, aku Imam\nDari process 2: OK, Imam\nDari process 1: OK, bye\n");
    assert_int_equal(program.status, 0);
    program_free(&program);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(they_talk) };

TEST_MAIN(tests)
