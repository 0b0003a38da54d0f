/* plait/program.h - another program as a child process, with the object of <plait/process.h>.
 *
 * ```c
 * int main(void)
 * {
 *     char *argv[] = { "sort", "-u", NULL };
 *     plait_process_options options = { .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE };
 *     plait_process *sort = plait_start_program(argv, &options);
 *     if (!sort) return 1;
 *     plait_captured captured;
 * if (plait_process_communicate(sort, "b\na\nb\n", 6, &captured, PLAIT_FOREVER) == 0) fputs(captured.output, stdout); // a, b
 * plait_captured_free(&captured);
 *     return plait_process_free(sort);
 * }
 * ```
 */
#ifndef PLAIT_PROGRAM_H
#define PLAIT_PROGRAM_H

#include <stddef.h>

#include <plait/process.h>

/* What a child wrote into its pipes.  The texts end with a 0 that is not counted; NULL: there was no such pipe. */
typedef struct plait_captured {
    char *output, *errors;
    size_t output_size, errors_size;
} plait_captured;

PLAIT_BEGIN

/* Of these calls, those for the streams of one object are made by one thread at a time; all others by any. */

/* The object of a process that will run a program: argv[0] is looked for as execvp does, argv ends with NULL.  Of the options, kind
 * and method mean nothing.  It gets the standard streams and .fds, no other descriptor.  It begins with no signal
 * blocked; those with a handler here have their default action, as have SIGPIPE and SIGXFSZ; what else is ignored stays ignored.
 * It ends with this process like a function's process; but if another thread than main's starts it, it may outlive it.
 * The rest as plait_process_new.  Python: subprocess.Popen(argv), without the start. */
PLAIT_API plait_process *plait_program_new(char *const argv[], const plait_process_options *options);

/* And start it; that fails with what exec says: ENOENT, EACCES, ENOEXEC.  Python: subprocess.Popen(argv). */
PLAIT_API plait_process *plait_start_program(char *const argv[], const plait_process_options *options);

/* Our end of its standard stream 0, 1 or 2, if the options said PLAIT_STREAM_PIPE; owned by the object. -EINVAL: there is none,
 * or it was closed. Also for processes that run a function. Python: popen.stdin, popen.stdout, popen.stderr. */
PLAIT_API int plait_process_stream(const plait_process *process, int number);

/* Close it: an end of file for the child, or a broken pipe.  0; -EINVAL.  Python: popen.stdin.close(). */
PLAIT_API int plait_process_close_stream(plait_process *process, int number);

/* Write `size` bytes into its standard input and close that, read what it writes into its pipes until it closes them, and join it.
 * 0: captured holds everything, to be freed with plait_captured_free; a child that does not want all its input is no error.
 * -ETIMEDOUT: it was not ready in time.  Nothing is lost: the call may be made again, with the same input; -ENOMEM; -EINVAL; and as
 * plait_process_join.  Python: popen.communicate(input, timeout). */
PLAIT_API int plait_process_communicate(plait_process *process, const void *input, size_t size, plait_captured *captured,
                                        plait_deadline deadline);

/* Free its texts. */
PLAIT_API void plait_captured_free(plait_captured *captured);

PLAIT_END
#endif
