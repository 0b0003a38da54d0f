/* The example semaphore: three at a time, and the place of the car that breaks down comes back. */
#include "program.h"

#include <string.h>

static void run(const char *kind, int broken)
{
    struct program program;
    int most, broken_down, places, length = 0;
    program_run_well(&program, "semaphore", kind);
    for (int i = 1; i <= 10; i++) {
        char line[32];
        snprintf(line, sizeof line, "car %d: parked\n", i);
        assert_int_equal(test_times_in(program.out, line), 1);
    }
    assert_int_equal(test_times_in(program.out, ": cleared the place of a broken car\n"), broken);
    assert_int_equal(test_times_in(program.out, "\n"), 11 + broken);
    const char *last = strstr(program.out, "at most ");
    assert_non_null(last);
    const char *format = "at most %d at a time, %d broken down, %d places free\n%n";
    assert_int_equal(sscanf(last, format, &most, &broken_down, &places, &length), 3);
    assert_int_equal(last[length], 0);
    assert_true(most >= 1 && most <= 3);
    assert_int_equal(broken_down, broken);
    assert_int_equal(places, 3);
    program_free(&program);
}

static void as_processes(void **state)
{
    run(NULL, 1);
    run("processes", 1);
}

static void as_threads(void **state)
{
    run("threads", 0);
}

static void wrong_argument(void **state)
{
    program_wrong_argument("semaphore", "nonsense", "usage: semaphore [processes | threads]\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(as_processes),
    cmocka_unit_test(as_threads),
    cmocka_unit_test(wrong_argument),
};

TEST_MAIN(tests)
