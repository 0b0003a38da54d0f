/* The examples log_to_stderr and get_logger: the lines, in their order, with those of the worker in between. */
#include "program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Both outputs go to one file, as they do in a terminal. */
static void must_print(const char *name, const char *expected)
{
    char path[] = "lines-XXXXXX", text[4096] = "";
    const int file = mkstemp(path);
    assert_true(file > 0 && unlink(path) == 0 && fcntl(file, F_SETFL, O_APPEND) == 0);
    struct program program = { .out_to = file, .err_to = file };
    program_run(&program, name, NULL);
    assert_int_equal(program.status, 0);
    assert_true(pread(file, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, expected);
    close(file);
    program_free(&program);
}

static void log_to_stderr(void **state)
{
    must_print("log_to_stderr",
               "[INFO/Process-1] child process calling self.run()\n"
               "Doing some work\n"
               "[INFO/Process-1] process shutting down\n"
               "[DEBUG/Process-1] running all \"atexit\" finalizers with priority >= 0\n"
               "[DEBUG/Process-1] running the remaining \"atexit\" finalizers\n"
               "[INFO/Process-1] process exiting with exitcode 0\n"
               "[INFO/MainProcess] process shutting down\n"
               "[DEBUG/MainProcess] running all \"atexit\" finalizers with priority >= 0\n"
               "[DEBUG/MainProcess] running the remaining \"atexit\" finalizers\n");
}

static void get_logger(void **state)
{
    must_print("get_logger",
               "[INFO/Process-1] child process calling self.run()\n"
               "Doing some work\n"
               "[INFO/Process-1] process shutting down\n"
               "[INFO/Process-1] process exiting with exitcode 0\n"
               "[INFO/MainProcess] process shutting down\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(log_to_stderr),
    cmocka_unit_test(get_logger),
};

TEST_MAIN(tests)
