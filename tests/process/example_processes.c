/* The examples say_hi, counter_isolation, worker_class and refused_start. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

/* ---- say_hi ---- */

static void two_pids(const char *way)
{
    struct program program;
    int one, other, length = 0;
    program_run_well(&program, "say_hi", way);
    assert_int_equal(sscanf(program.out, "Hi from pid: %d\nHi from pid: %d\n%n", &one, &other, &length), 2);
    assert_int_equal(length, strlen(program.out));
    assert_true(one > 0 && other > 0 && one != other && one != program.pid && other != program.pid);
    program_free(&program);
}

static void say_hi(void **state)
{
    two_pids(NULL);
    two_pids("target");
    two_pids("class");
    program_wrong_argument("say_hi", "nonsense", "usage: say_hi [target | class]\n");
}

/* ---- counter_isolation ---- */

/* The lines of one name have rising numbers from 11 to 20 at most; the sum of them. */
static int counted_by(const char *text, const char *name, int *lines)
{
    char start[32];
    int before = 10, sum = 0;
    snprintf(start, sizeof start, "hello %s ", name);
    for (*lines = 0; (text = strstr(text, start)) != NULL; ++*lines) {
        const int number = atoi(text += strlen(start));
        assert_true(number > before && number <= 20);
        sum += before = number;
    }
    return sum;
}

static void check_counts(const char *kind, int sum, const char *end)
{
    struct program program;
    int world_lines, myself_lines;
    program_run_well(&program, "counter_isolation", kind);
    const int world = counted_by(program.out, "world", &world_lines), myself = counted_by(program.out, "myself", &myself_lines);
    assert_int_equal(world_lines, 5);
    assert_int_equal(myself_lines, 5);
    assert_int_equal(world + myself, sum);
    assert_string_equal(program.out + strlen(program.out) - strlen(end), end);
    assert_int_equal(test_times_in(program.out, "\n"), 11);
    program_free(&program);
}

static void counter_isolation(void **state)
{
    const int of_a_copy = 11 + 12 + 13 + 14 + 15;
    check_counts(NULL, 2 * of_a_copy, "\ncounter is 10\n");
    check_counts("processes", 2 * of_a_copy, "\ncounter is 10\n");
    check_counts("threads", 2 * of_a_copy + 25, "\ncounter is 20\n");
    program_wrong_argument("counter_isolation", "nonsense", "usage: counter_isolation [processes | threads]\n");
}

/* ---- worker_class ---- */

static void five_names(const char *kind)
{
    struct program program;
    program_run_well(&program, "worker_class", kind);
    for (int i = 1; i <= 5; i++) {
        char line[32];
        snprintf(line, sizeof line, "In Worker-%d\n", i);
        assert_int_equal(test_times_in(program.out, line), 1);
    }
    assert_int_equal(test_times_in(program.out, "\n"), 5);
    program_free(&program);
}

static void worker_class(void **state)
{
    five_names(NULL);
    five_names("processes");
    five_names("threads");
    program_wrong_argument("worker_class", "nonsense", "usage: worker_class [processes | threads]\n");
}

/* ---- refused_start ---- */

/* How many are refused depends on how many processes the user has: three may start at most. */
static void refused_start(void **state)
{
    struct program program = { 0 };
    char summary[64];
    program_run(&program, "refused_start", NULL);
    assert_int_equal(program.status, 0);
    const int refused = test_times_in(program.err, " is refused: [Errno 11] Resource temporarily unavailable\n");
    assert_in_range(refused, 2, 5);
    assert_int_equal(test_times_in(program.err, "\n"), refused);
    snprintf(summary, sizeof summary, "%d of 5 were refused and start now\n", refused);
    assert_int_equal(test_times_in(program.out, summary), 1);
    for (int i = 0; i < 5; i++) {
        char line[32];
        snprintf(line, sizeof line, "phil %d is eating\n", i);
        assert_int_equal(test_times_in(program.out, line), 2);
        snprintf(line, sizeof line, "phil %d is thinking\n", i);
        assert_int_equal(test_times_in(program.out, line), 2);
    }
    assert_int_equal(test_times_in(program.out, "left behind: 0 processes, 0 blocks\n"), 1);
    assert_int_equal(test_times_in(program.out, "\n"), 22);
    program_free(&program);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(say_hi),
    cmocka_unit_test(counter_isolation),
    cmocka_unit_test(worker_class),
    cmocka_unit_test(refused_start),
};

TEST_MAIN(tests)
