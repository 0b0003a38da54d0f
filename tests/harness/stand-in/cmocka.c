#include <cmocka.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- tests ---- */

enum outcome { PASSED, FAILED, SKIPPED };

static jmp_buf end_of_test;

/* In a function of its own: what longjmp leaves undefined are the variables of the one that calls setjmp. */
static enum outcome run(const struct CMUnitTest *test)
{
    switch (setjmp(end_of_test)) {
    case 0:
        break;
    case 1 + SKIPPED:
        return SKIPPED;
    default:
        return FAILED;
    }
    void *state = test->initial_state;
    test->test_func(&state);
    return PASSED;
}

int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count, CMFixtureFunction group_setup,
                            CMFixtureFunction group_teardown)
{
    static const char *const marks[] = { [PASSED] = "       OK", [FAILED] = "  FAILED ", [SKIPPED] = "  SKIPPED" };
    int failed = group_setup || group_teardown;
    for (size_t i = 0; i < count; i++) {
        print_message("[ RUN      ] %s\n", tests[i].name);
        const enum outcome outcome = run(&tests[i]);
        print_message("[%s ] %s\n", marks[outcome], tests[i].name);
        failed += outcome == FAILED;
    }
    print_message("%s: %zu, %d failed\n", group, count, failed);
    return failed;
}

/* ---- in a test ---- */

void print_message(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

void print_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

void stand_in_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    print_error("\n%s:%d: error: Failure!\n", file, line);
    longjmp(end_of_test, 1 + FAILED);
}

void stand_in_skip(void)
{
    longjmp(end_of_test, 1 + SKIPPED);
}

void stand_in_check(bool holds, const char *file, int line, const char *condition)
{
    if (!holds) stand_in_fail(file, line, "%s", condition);
}

void stand_in_equal(uint64_t a, uint64_t b, bool wanted, const char *file, int line)
{
    if ((a == b) == wanted) return;
    stand_in_fail(file, line, "%#" PRIx64 " %s %#" PRIx64, a, wanted ? "!=" : "==", b);
}

void stand_in_range(uint64_t value, uint64_t low, uint64_t high, const char *file, int line)
{
    if (value >= low && value <= high) return;
    stand_in_fail(file, line, "%" PRIu64 " is not within %" PRIu64 "-%" PRIu64, value, low, high);
}

void stand_in_strings(const char *a, const char *b, bool wanted, const char *file, int line)
{
    if ((strcmp(a, b) == 0) == wanted) return;
    stand_in_fail(file, line, "\"%s\" %s \"%s\"", a, wanted ? "!=" : "==", b);
}

void stand_in_memory(const void *a, const void *b, size_t size, const char *file, int line)
{
    if (memcmp(a, b, size) != 0) stand_in_fail(file, line, "%zu bytes differ", size);
}
