/* The example sort: what it says is right for few and many numbers, with few and many workers. */
#include "program.h"

#include <string.h>

static unsigned number(size_t i)
{
    return (unsigned)i * 2654435761u ^ 0x5bd1e995u;
}

static void expect_sorted(const char *workers, size_t count)
{
    struct program program = { 0 };
    char size[24], expected[80];
    unsigned least = count ? UINT32_MAX : 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = number(i) < least ? number(i) : least;
        most = number(i) > most ? number(i) : most;
    }
    snprintf(size, sizeof size, "%zu", count);
    snprintf(expected, sizeof expected, "%zu numbers, from %u to %u: sorted\n%s workers, ", count, least, most, workers);
    program_run(&program, "sort", "-j", workers, size, NULL);
    assert_string_equal(program.err, "");
    assert_int_equal(program.status, 0);
    if (strncmp(program.out, expected, strlen(expected))) assert_string_equal(program.out, expected);
    program_free(&program);
}

static void so_many_numbers(void **state)
{
    static const size_t counts[] = { 0, 1, 2, 20000, 20001, 77777, 1000000 };
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) expect_sorted("2", counts[i]);
}

static void so_many_workers(void **state)
{
    static const char *const workers[] = { "1", "3", "8" };
    for (unsigned i = 0; i < sizeof workers / sizeof workers[0]; i++) expect_sorted(workers[i], 300000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(so_many_numbers),
    cmocka_unit_test(so_many_workers),
};

TEST_MAIN(tests)
