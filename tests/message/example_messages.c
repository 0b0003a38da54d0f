/* The examples fancy_message, queue_list, pipe_list and poison_pills. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#include <plait.h>

static void run_well(struct program *program, const char *name, const char *argument)
{
    *program = (struct program){ 0 };
    program_run(program, name, argument, NULL);
    assert_string_equal(program->err, "");
    assert_int_equal(program->status, 0);
}

static void fancy_message(void **state)
{
    struct program program;
    run_well(&program, "fancy_message", NULL);
    assert_string_equal(program.out, "Doing something fancy in Process-1 for Fancy Dan!\n");
    program_free(&program);
}

static void queue_list(void **state)
{
    struct program program;
    run_well(&program, "queue_list", NULL);
    assert_string_equal(program.out, "[42, None, 'hello']\n");
    program_free(&program);
}

static void pipe_list(void **state)
{
    struct program program;
    run_well(&program, "pipe_list", NULL);
    assert_string_equal(program.out, "[42, None, 'hello']\n");
    program_free(&program);
}

/* ---- poison_pills ---- */

/* Take the line out of the text; false: it has none. */
static bool take_line(char *text, const char *line)
{
    const size_t size = strlen(line);
    for (char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, line, size) != 0 || at[size] != '\n') continue;
        memmove(at, at + size + 1, strlen(at + size + 1) + 1);
        return true;
    }
    return false;
}

/* Which of the consumers says that? */
static bool some_consumer_says(char *text, int consumers, const char *what)
{
    char line[128];
    for (int i = 1; i <= consumers; i++) {
        snprintf(line, sizeof line, "Consumer-%d: %s", i, what);
        if (take_line(text, line)) return true;
    }
    return false;
}

static void check_pills(const char *argument, int consumers)
{
    struct program program;
    char line[64];
    run_well(&program, "poison_pills", argument);
    snprintf(line, sizeof line, "Creating %d consumers\n", consumers);
    assert_memory_equal(program.out, line, strlen(line));
    char *text = program.out + strlen(line);
    assert_true(strstr(text, "Result: ") > strstr(text, "* 9"));         /* results after all tasks */
    for (int i = 0; i < 10; i++) {
        snprintf(line, sizeof line, "%d * %d", i, i);
        assert_true(some_consumer_says(text, consumers, line));
        snprintf(line, sizeof line, "Result: %d * %d = %d", i, i, i * i);
        assert_true(take_line(text, line));
    }
    for (int i = 1; i <= consumers; i++) {
        snprintf(line, sizeof line, "Consumer-%d: Exiting", i);
        assert_true(take_line(text, line));
    }
    assert_string_equal(text, "");
    program_free(&program);
}

static void poison_pills(void **state)
{
    check_pills("16", 16);
    check_pills(NULL, 2 * plait_cpu_count());
    check_pills("5", 5);
}

static void poison_pills_wants_a_number(void **state)
{
    struct program program = { 0 };
    program_run(&program, "poison_pills", "none", NULL);
    assert_string_equal(program.out, "");
    assert_string_equal(program.err, "usage: poison_pills [CONSUMERS]\n");
    assert_int_equal(program.status, 2);
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fancy_message),
    cmocka_unit_test(queue_list),
    cmocka_unit_test(pipe_list),
    cmocka_unit_test(poison_pills),
    cmocka_unit_test(poison_pills_wants_a_number),
};

TEST_MAIN(tests)
