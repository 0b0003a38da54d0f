/* The example barrier: four work in step, and are told when one of them is killed. */
#include "program.h"

static void they_work_in_step(void **state)
{
    for (int i = 0; i < 5; i++) {
        struct program program = { 0 };
        program_run(&program, "barrier", NULL);
        assert_string_equal(program.err, "");
        assert_string_equal(program.out,
            "all four live: 200 steps; 4 of 4 came to the end, 0 were told that the barrier is broken, 0 killed\n"
            "the middle has 197.138 degrees, as with one process\n"
            "one is killed: 100 steps; 0 of 4 came to the end, 3 were told that the barrier is broken, 1 killed\n");
        assert_int_equal(program.status, 0);
        program_free(&program);
    }
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(they_work_in_step) };

TEST_MAIN(tests)
