/* cmocka.h - stands in for cmocka where there is none for the C library in use (Debian's is for glibc): what our tests use of it,
 * with cmocka's names and meanings, and no more. */
#ifndef PLAIT_TEST_STAND_IN_CMOCKA_H
#define PLAIT_TEST_STAND_IN_CMOCKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tests ---- */

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func, teardown_func;
    void *initial_state;
};

#define cmocka_unit_test(function) { #function, function, NULL, NULL, NULL }
#define cmocka_unit_test_setup_teardown(function, setup, teardown) { #function, function, setup, teardown, NULL }

/* How many failed.  Fixtures of single tests are the harness's, those of the group must be NULL. */
int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count, CMFixtureFunction group_setup,
                            CMFixtureFunction group_teardown);

/* ---- in a test ---- */

/* Print it and end the test, from wherever in its thread it is. */
#define fail_msg(...) stand_in_fail(__FILE__, __LINE__, __VA_ARGS__)
#define fail() fail_msg("it ends here")
#define skip() stand_in_skip()

#define assert_true(condition) stand_in_check(!!(condition), __FILE__, __LINE__, #condition)
#define assert_false(condition) stand_in_check(!(condition), __FILE__, __LINE__, "!(" #condition ")")
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_null(pointer) assert_true((pointer) == NULL)

#define assert_int_equal(a, b) stand_in_equal((uint64_t)(a), (uint64_t)(b), true, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) stand_in_equal((uint64_t)(a), (uint64_t)(b), false, __FILE__, __LINE__)
#define assert_ptr_equal(a, b) stand_in_equal((uintptr_t)(a), (uintptr_t)(b), true, __FILE__, __LINE__)
#define assert_ptr_not_equal(a, b) stand_in_equal((uintptr_t)(a), (uintptr_t)(b), false, __FILE__, __LINE__)
#define assert_in_range(value, low, high) \
    stand_in_range((uint64_t)(value), (uint64_t)(low), (uint64_t)(high), __FILE__, __LINE__)
#define assert_string_equal(a, b) stand_in_strings(a, b, true, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) stand_in_strings(a, b, false, __FILE__, __LINE__)
#define assert_memory_equal(a, b, size) stand_in_memory(a, b, size, __FILE__, __LINE__)

void print_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- what the macros call ---- */

__attribute__((noreturn, format(printf, 3, 4))) void stand_in_fail(const char *file, int line, const char *format, ...);
__attribute__((noreturn)) void stand_in_skip(void);
void stand_in_check(bool holds, const char *file, int line, const char *condition);
void stand_in_equal(uint64_t a, uint64_t b, bool wanted, const char *file, int line);
void stand_in_range(uint64_t value, uint64_t low, uint64_t high, const char *file, int line);
void stand_in_strings(const char *a, const char *b, bool wanted, const char *file, int line);
void stand_in_memory(const void *a, const void *b, size_t size, const char *file, int line);

#ifdef __cplusplus
}
#endif

#endif
