/* program.h - for tests that run a built example as a user would: what it prints, how it ends, and whom it leaves behind.
 *
 *     struct program program = { .input = "some\nlines\n" };
 *     program_run(&program, "wordcount", "-j", "2", NULL);
 *     assert_int_equal(program.status, 0);
 *     assert_string_equal(program.out, "...");
 *     program_free(&program);
 */
#ifndef PLAIT_TEST_PROGRAM_H
#define PLAIT_TEST_PROGRAM_H

#include "harness.h"

struct program {
    const char *input;         /* what it finds on standard input; NULL: /dev/null */
    int in, out_to, err_to;    /* > 0: files to be used instead, the caller's */
    unsigned closed;           /* bit 0, 1, 2: it is started without standard input, output, error */
    pid_t pid;                 /* it leads a process group of its own, with this number */
    int status;                /* afterwards: its exit code, or minus the signal that ended it */
    char *out, *err;           /* afterwards: what it wrote there, unless out_to and err_to were set */
    int out_file, err_file;
};

/* Start $PLAIT_BUILD/examples/NAME with these arguments, the last one NULL. */
void program_start(struct program *program, const char *name, ...) __attribute__((sentinel));

/* Wait for its end, and for that of every process of its group that it left behind: those become children of the test. */
void program_wait(struct program *program);

/* Both. */
#define program_run(program, ...) (program_start(program, __VA_ARGS__), program_wait(program))

/* Run it with this argument (NULL: none).  It has to work, and to print no error; the caller frees what it wrote. */
void program_run_well(struct program *program, const char *name, const char *argument);

/* Run it with an argument that it does not take: it has to say so, to print nothing else, and to end with 2. */
void program_wrong_argument(const char *name, const char *argument, const char *usage);

void program_free(struct program *program);

/* The children that a process has now, at most `most`; how many. */
size_t program_children(pid_t pid, pid_t *children, size_t most);

/* Has it ended, and nobody has waited for it yet? */
bool program_ended(const struct program *program);

#endif
