/* The example wait_for_event: the lines of its model in Python, in their order where they have one. */
#include "program.h"

#include <string.h>

/* The first three come in any order, and so do the last two. */
static void check_lines(const char *out)
{
    static const char *const lines[] = {
        "main: waiting before calling Event.set()\n", "wait_for_event: starting\n", "wait_for_event_timeout: starting\n",
        "wait_for_event_timeout: e.is_set()-> False\n", "main: event is set\n", "wait_for_event: e.is_set()-> True\n",
    };
    size_t length = 0;
    const char *at[6];
    for (int i = 0; i < 6; i++) {
        at[i] = strstr(out, lines[i]);
        assert_non_null(at[i]);
        length += strlen(lines[i]);
    }
    assert_int_equal(strlen(out), length);
    for (int i = 0; i < 3; i++) assert_true(at[i] < at[3]);
    assert_true(at[3] < at[4] && at[3] < at[5]);
}

static void run(const char *kind)
{
    struct program program;
    program_run_well(&program, "wait_for_event", kind);
    check_lines(program.out);
    program_free(&program);
}

static void as_processes(void **state)
{
    run(NULL);
    run("processes");
}

static void as_threads(void **state)
{
    run("threads");
}

static void wrong_argument(void **state)
{
    program_wrong_argument("wait_for_event", "nonsense", "usage: wait_for_event [processes | threads]\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(as_processes),
    cmocka_unit_test(as_threads),
    cmocka_unit_test(wrong_argument),
};

TEST_MAIN(tests)
