/* The example race_condition: with the lock nothing may be lost. */
#include "program.h"

#include <fcntl.h>
#include <string.h>

/* A line for each of the four races, as "%s %s expected %ld, got %ld: %s". */
struct line {
    char who[16];
    bool locked;
    long expected, got;
    char verdict[64];
};

static void read_line(const char **text, struct line *line)
{
    char with[16];
    int length = 0;
    assert_int_equal(sscanf(*text, "two %15s %15[^,], expected %ld, got %ld: %63[^\n]%n", line->who, with, &line->expected,
                            &line->got, line->verdict, &length), 5);
    assert_int_equal((*text)[length], '\n');
    *text += length + 1;
    line->locked = strcmp(with, "with a lock") == 0;
    assert_true(line->locked || strcmp(with, "without lock") == 0);
}

static void check_race(const char **text, const char *who, bool locked, long expected)
{
    struct line line;
    char lost[64];
    read_line(text, &line);
    assert_string_equal(line.who, who);
    assert_int_equal(line.locked, locked);
    assert_int_equal(line.expected, expected);
    snprintf(lost, sizeof lost, "%ld lost", expected - line.got);
    if (locked) assert_int_equal(line.got, expected);
    assert_string_equal(line.verdict, locked ? "exact" : line.got == expected ? "nothing lost, by luck" : lost);
}

static void check_races(const char *text, long expected)
{
    check_race(&text, "processes", false, expected);
    check_race(&text, "processes", true, expected);
    check_race(&text, "threads", false, expected);
    check_race(&text, "threads", true, expected);
    assert_string_equal(text, "");
}

static void a_million_times(void **state)
{
    struct program program;
    program_run_well(&program, "race_condition", NULL);
    check_races(program.out, 2000000);
    program_free(&program);
}

static void so_many_times(void **state)
{
    struct program program = { 0 };
    program_run(&program, "race_condition", "1", NULL);
    assert_int_equal(program.status, 0);
    check_races(program.out, 2);
    program_free(&program);
}

/* Somewhere among a few runs an addition is lost: otherwise the example shows nothing.  On one CPU it may take long. */
static void without_a_lock_something_is_lost(void **state)
{
    for (bool lost = false; !lost;) {
        struct program program = { 0 };
        program_run(&program, "race_condition", "3000000", NULL);
        assert_int_equal(program.status, 0);
        lost = strstr(program.out, " lost\n");
        program_free(&program);
    }
}

static void wrong_arguments(void **state)
{
    static const char *const wrong[] = { "0", "-1", "x", "10x", "", "1000000001", "99999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        program_wrong_argument("race_condition", wrong[i], "usage: race_condition [TIMES]");
}

/* --- output that goes nowhere ------------------------------------------------------------------------------------------ */

static void a_full_disk(void **state)
{
    struct program program = { .out_to = open("/dev/full", O_WRONLY | O_CLOEXEC) };
    assert_true(program.out_to > 0);
    program_run(&program, "race_condition", "10", NULL);
    assert_string_equal(program.err, "race_condition: standard output: No space left on device\n");
    assert_int_equal(program.status, 1);
    close(program.out_to);
    program_free(&program);
}

/* What it prints must not get into a file of the library's that has the number of the one that was closed. */
static void started_with_closed_descriptors(void **state)
{
    for (unsigned closed = 1; closed < 8; closed++) {
        struct program program = { .closed = closed };
        const bool can_print = !(closed & 1u << STDOUT_FILENO), can_complain = !(closed & 1u << STDERR_FILENO);
        program_run(&program, "race_condition", "10", NULL);
        assert_int_equal(program.status, can_print ? 0 : 1);
        if (can_print) check_races(program.out, 20);
        else assert_string_equal(program.out, "");
        assert_string_equal(program.err, can_print || !can_complain ? ""
                                                                    : "race_condition: standard output: Bad file descriptor\n");
        program_free(&program);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_million_times),
    cmocka_unit_test(so_many_times),
    cmocka_unit_test(without_a_lock_something_is_lost),
    cmocka_unit_test(wrong_arguments),
    cmocka_unit_test(a_full_disk),
    cmocka_unit_test(started_with_closed_descriptors),
};

TEST_MAIN(tests)
