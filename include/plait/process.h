/* plait/process.h - run a C function in a process of its own.
 *
 * ```c
 * static int child(void *argument)
 * {
 *     printf("hello %s\n", (const char *)argument);
 *     return 3;                                                       // the exit code
 * }
 *
 * int main(void)
 * {
 *     plait_process *process = plait_start(child, "world", sizeof "world", NULL);
 *     if (!process) {
 *         fprintf(stderr, "%s: %s\n", plait_strerror(errno), plait_error_detail());
 *         return 1;
 *     }
 *     plait_process_join(process, PLAIT_FOREVER);
 *     int exitcode = plait_process_exitcode(process);                 // 3; -9 had it been killed by SIGKILL
 *     plait_process_free(process);
 *     return exitcode != 3;
 * }
 * ```
 */
#ifndef PLAIT_PROCESS_H
#define PLAIT_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>

/* A process that this process started.  The object lives in the memory of the process that made it: only that one joins. */
typedef struct plait_process plait_process;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_process_options {
    const char *name;         /* its name; NULL: class_name-N.  Copied.  ps and gdb show the first 15 bytes */
    const char *class_name;   /* NULL: "Process" */
    int daemon;               /* not 0: it is killed when this process ends, however that ends */
    int reserved_int;
    uint64_t reserved[6];     /* zero */
} plait_process_options;

PLAIT_BEGIN

/* Start function(argument) in a child (fork).  size > 0: `size` bytes at `argument` are copied before the call returns, the
 * child gets its own copy.  size 0: the pointer itself is passed, for shared memory or for nothing (NULL).
 * The result of function is the exit code (its low 8 bits, as with exit()).  stdio streams are flushed before the fork and at the
 * child's end; in a program that has, or had, other threads: stdout and stderr only, so that the child has to fclose or fflush
 * what it opened.
 * The child may call exit(), but never runs its parent's atexit handlers.  Its global variables and signal handlers are copies of
 * its parent's.
 * The caller owns the object: plait_process_free.  NULL: errno EAGAIN (a limit on processes), ENOMEM, EMFILE, EINVAL (function
 * NULL, or argument NULL with a size), PLAIT_ENOARENA, PLAIT_ETOOMANY; nothing is left behind.
 * A daemon that was started by another thread than main's is watched over by a small thread inside the child.  One that was
 * started by the main thread ends when the main thread ends, even if that calls pthread_exit; and one that is stopped while it
 * starts may outlive its parent until it goes on.
 * Does not block.  Python: Process(target=..., args=...).start(). */
PLAIT_API plait_process *plait_start(int (*function)(void *argument), const void *argument, size_t size,
                                     const plait_process_options *options);

/* Wait until it has ended.  0, -ETIMEDOUT, -EINVAL (NULL), -ECHILD (not a child of this process).  May be called again and from
 * several threads.  Python: process.join(timeout). */
PLAIT_API int plait_process_join(plait_process *process, plait_deadline deadline);

/* Its exit code 0..255, or -signal if a signal ended it, or PLAIT_ERUNNING; PLAIT_EREAPED when the program took the status by a
 * wait of its own and the child did not end by itself, or when another process asks; -EINVAL.  Does not block.
 * Python: process.exitcode. */
PLAIT_API int plait_process_exitcode(plait_process *process);

/* 1 while it runs, 0 when it has ended, -EINVAL, -ECHILD (another process asks).  Does not block.  Python: process.is_alive(). */
PLAIT_API int plait_process_is_alive(plait_process *process);

/* Its process id, also after its end; -EINVAL.  Python: process.pid. */
PLAIT_API pid_t plait_process_pid(const plait_process *process);

/* Its name, which lives as long as the object; "" for NULL.  Python: process.name. */
PLAIT_API const char *plait_process_name(const plait_process *process);

/* Ask it to end (SIGTERM), or end it (SIGKILL).  0, also when it has ended already; -EINVAL; -EPERM; -ECHILD.
 * Do not block.
 * Python: process.terminate(), process.kill(). */
PLAIT_API int plait_process_terminate(plait_process *process);
PLAIT_API int plait_process_kill(plait_process *process);

/* A file descriptor that becomes readable (poll) when the process has ended; owned by the object, do not read or close it.  (If the
 * program closes it all the same, as one that closes all from 3 up does, the other calls get another one.)
 * -EINVAL.  Python: process.sentinel. */
PLAIT_API int plait_process_sentinel(const plait_process *process);

/* Free the object of a process that has ended.  0 (also for NULL); PLAIT_ERUNNING while it runs: then nothing was freed.
 * Python: process.close(). */
PLAIT_API int plait_process_free(plait_process *process);

PLAIT_END
#endif
