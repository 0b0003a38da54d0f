/* What every test program shares: a main that runs cmocka's tests one by one, a check for leftovers after each of them, and
 * helpers for tests in which processes and threads meet.
 *
 *     static void adds(void **state) { assert_int_equal(1 + 1, 2); }
 *
 *     static const struct CMUnitTest tests[] = { cmocka_unit_test(adds) };
 *     TEST_MAIN(tests)
 *
 * `prog` runs all its tests, `prog NAME` one of them, `prog --list` prints their names.  tools/run-tests uses the last two: each
 * test gets a process of its own and a watchdog, so nothing in here guards against hanging.
 */
#ifndef PLAIT_TEST_HARNESS_H
#define PLAIT_TEST_HARNESS_H

#include <setjmp.h>                     /* cmocka.h wants these four before it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {                            /* which old cmockas do not say themselves */
#include <cmocka.h>
}
#else
#include <cmocka.h>
#endif

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- main ------------------------------------------------------------------------------------------------------------- */

/* The main function of a test program.  After each test's body: every fd is as it was, except that one memfd of plait's may be
 * new (the arena, which stays for the process's lifetime); and no child is left, running or zombie.  Anything else fails it. */
#define TEST_MAIN(tests) TEST_MAIN_WITHIN(tests, 0)

/* The same for slow programs: the watchdog lets each test run for so many seconds; 0 means the runner's default. */
#define TEST_MAIN_WITHIN(tests, seconds)                                                              \
    int main(int argc, char **argv)                                                                   \
    {                                                                                                 \
        test_timeout = (seconds);                                                                     \
        return test_main((tests), sizeof(tests) / sizeof((tests)[0]), argc, argv);                    \
    }

extern int test_timeout;
int test_main(const struct CMUnitTest *tests, size_t count, int argc, char **argv);

/* --- randomness ------------------------------------------------------------------------------------------------------- */

/* The seed of this run: $PLAIT_TEST_SEED, or a fresh one.  Printed when first asked for; ask before you fork. */
uint64_t test_seed(void);

/* The next of a series of random numbers; any state is a good start. */
uint64_t test_random(uint64_t *state);

/* --- texts ------------------------------------------------------------------------------------------------------------ */

/* How often `wanted` is in the text, without overlaps. */
int test_times_in(const char *text, const char *wanted);

/* --- processes -------------------------------------------------------------------------------------------------------- */

/* Zeroed memory, shared with the children forked after this call.  For what a test notes down; not the arena. */
void *test_shared(size_t size);

/* Fork; the child runs body(argument) and leaves by _exit with its result.  The child is killed when the thread that called
 * this ends, so that no test leaves anybody behind. */
pid_t test_fork(int (*body)(void *argument), void *argument);

/* Wait for a child: its exit code, or minus the signal that killed it. */
int test_wait_exit(pid_t child);

/* For children, which must never get into cmocka's reporting: say what was wrong and leave with 99. */
#define CHECK(condition)                                                                              \
    do {                                                                                              \
        if (!(condition)) test_check_failed(__FILE__, __LINE__, #condition);                          \
    } while (0)

enum { TEST_CHECK_FAILED = 99 };
__attribute__((noreturn)) void test_check_failed(const char *file, int line, const char *condition);

/* --- waiting for states, never for time --------------------------------------------------------------------------------- */

/* Poll until the condition holds. */
void test_until(bool (*condition)(void *argument), void *argument);

/* Does this thread sleep in the kernel, in a futex or a poll?  (A pid names the first thread of that process.) */
bool test_thread_sleeps(pid_t tid);

/* Poll until it does. */
void test_until_sleeps(pid_t tid);

#ifdef __cplusplus
}
#endif

#endif
