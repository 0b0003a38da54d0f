/* plait/process.h - run a C function in a process of its own, or in a thread.
 *
 * ```c
 * static int child(void *argument)
 * {
 *     printf("hello %s\n", (const char *)argument);
 *     return 3;                                                       // the exit code
 * }
 *
 * int main(int argc, char **argv)
 * {
 *     plait_init(&argc, &argv);
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
 *
 * A Process class of Python, with its run method and its fields, is a function, a struct that is its argument, and a class name:
 *
 * ```c
 * struct worker { int number; };
 *
 * static int run(void *argument)
 * {
 *     struct worker *self = argument;
 *     return printf("In %s: %d\n", plait_process_name(plait_current()), self->number) < 0;
 * }
 *
 * plait_process *new_worker(int number)
 * {
 *     struct worker worker = { number };
 *     return plait_process_new(run, &worker, sizeof worker, &(plait_process_options){ .class_name = "Worker" });
 * }
 * ```
 */
#ifndef PLAIT_PROCESS_H
#define PLAIT_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/kind.h>

/* A process that this process makes, or a thread of this process.  The object lives in the memory of the process that made it:
 * only that one starts and joins.  Several threads may use one object at once, but nobody while it is freed, and nobody may read
 * its name or options while they are set. */
typedef struct plait_process plait_process;

/* What a standard stream of a new process is.  Or PLAIT_STREAM_FD(fd): a copy of that descriptor. */
enum plait_stream {
    PLAIT_STREAM_DEFAULT = 0, /* standard input of a function: as NULL; everything else: as INHERIT */
    PLAIT_STREAM_INHERIT = 1, /* the same as here */
    PLAIT_STREAM_NULL = 2,    /* /dev/null */
    PLAIT_STREAM_PIPE = 3,    /* a pipe; plait_process_stream is our end */
    PLAIT_STREAM_OUTPUT = 4   /* standard error only: where standard output goes */
};
#define PLAIT_STREAM_FD(fd) ((fd) + 16)

/* A limit of setrlimit for a new process, such as { RLIMIT_NOFILE, { 100, 100 } }. */
typedef struct plait_limit {
    int resource;
    struct rlimit limit;
} plait_limit;

/* All zero, or NULL instead of the struct: the defaults.  Everything is copied.  For a thread: name, class_name, kind, daemon and
 * cpus. */
typedef struct plait_process_options {
    const char *name;         /* its name; NULL: class_name-N.  At most 63 bytes are kept; ps and gdb show the first 15 */
    const char *class_name;   /* NULL: "Process", or "Thread" */
    int kind;                 /* PLAIT_PROCESSES or PLAIT_THREADS, see kind.h */
    int method;               /* enum plait_start_method; 0: the program's, see plait_set_start_method */
    int daemon;               /* not 0: the program's end does not wait for it, but ends it.  (A daemon's threads are daemons.) */
    int detached;             /* not 0: it goes on when this process has ended.  0: it is killed then */
    const char *cwd;          /* its current folder */
    char *const *environment; /* all of its environment: "NAME=value" strings and a NULL */
    const plait_limit *limits;
    const int *cpus;          /* the numbers of the CPUs that it may run on */
    const int *fds;           /* spawn, forkserver and programs: the descriptors that it has besides the standard streams, under the
                                 numbers that they have here; a fork has all, but of the pipes to other children only these */
    int limit_count, cpu_count, fd_count;
    int nice;                 /* added to ours: a positive number is a lower priority */
    int input, output, errors;      /* its standard streams: enum plait_stream or PLAIT_STREAM_FD(fd) */
    int reserved_int;
    uint64_t reserved[6];     /* zero */
} plait_process_options;

PLAIT_BEGIN

/* ---- making, starting ---- */

/* A process (thread) that is not started yet, which will run function(argument).  size > 0: `size` bytes at `argument` are copied
 * before the call returns, the child gets its own copy.  size 0: the pointer itself is passed, for shared memory or for nothing
 * (NULL).  The options are copied, too.
 * The caller owns the object: plait_process_free.  NULL: errno EINVAL (the detail says what), ENOMEM, EBADF (.fds, or a stream, is
 * not open).  Does not block.
 * Python: Process(target=..., args=...), or a class of one's own. */
PLAIT_API plait_process *plait_process_new(int (*function)(void *argument), const void *argument, size_t size,
                                           const plait_process_options *options);

/* Start it.  The result of the function is the exit code (its low 8 bits, as with exit()).  stdio streams are flushed before a fork
 * and at the child's end; in a program that has, or had, other threads: stdout and stderr only, so that the child has to fclose or
 * fflush what it opened.
 * The child may call exit(), but never runs its parent's atexit handlers, and reads nothing from standard input unless .input says
 * so.  After a fork, its global variables and signal handlers are copies of its parent's, and its first thread can't be cancelled
 * unless it allows that; what other start methods give it: start_method.h.
 * A child ends when the process that started it ends, however that happens, unless it is detached; a program that called plait_init
 * first waits at its exit for those that are no daemons. (A child that was started by another thread than main's is watched over
 * by a small thread inside the child. One that was started by the main thread ends when the main thread ends, even if that calls
 * pthread_exit; one that is stopped while it starts may outlive its parent until it goes on; and so may one that calls setuid.)
 * 0; -EAGAIN (a limit on processes), -ENOMEM, -EMFILE, -EALREADY (it was started before), PLAIT_EDAEMON (this process is a daemon:
 * those may not have children), PLAIT_ENOARENA, PLAIT_ETOOMANY; when an option can't be met, what the system says: -ENOENT (cwd),
 * -EPERM, -EINVAL; -EBADF (.fds, or a stream, was closed meanwhile); PLAIT_ENOINIT, PLAIT_ENOFUNCTION with other methods than
 * fork, -ECANCELED (the forkserver was killed, and so was the next one, or it was stopped meanwhile).  After a failure it may be
 * tried again; nothing is left behind.  Does not block for longer than the start takes; it is no cancellation point.
 * Python: process.start(). */
PLAIT_API int plait_process_start(plait_process *process);

/* Both in one call: the object of a started process, or NULL with errno; nothing is left behind. */
PLAIT_API plait_process *plait_start(int (*function)(void *argument), const void *argument, size_t size,
                                     const plait_process_options *options);

/* ---- its end ---- */

/* Wait until it has ended.  (A thread has ended when its function has returned, or was left; for what the C library still does for
 * it then, such as destructors of pthread_key_create, this waits until the deadline, and plait_process_free for ever.  A child of
 * the forkserver without threads has then told its exit code and closed its descriptors; the kernel may need a tenth of a
 * millisecond more to take it apart.)
 * 0, -ETIMEDOUT, -EINVAL (NULL), -ECHILD (not a child of this process), PLAIT_ENOTSTARTED, -EDEADLK (a thread joins itself). May
 * be called again and from several threads. Python: process.join(timeout). */
PLAIT_API int plait_process_join(plait_process *process, plait_deadline deadline);

/* Its exit code 0..255, or -signal if a signal ended it, or PLAIT_ERUNNING, PLAIT_ENOTSTARTED (Python's None); PLAIT_EREAPED when
 * nobody knows: the program took the status by a wait of its own and the child did not end by itself; or its forkserver was killed;
 * or another process asks; PLAIT_ENOFUNCTION when a child that begins anew has not found its function (the detail says why),
 * PLAIT_ENOINIT when its program ended before it called plait_init; -EINVAL.  Does not block.  Python: process.exitcode. */
PLAIT_API int plait_process_exitcode(plait_process *process);

/* 1 while it runs, 0 before and after, -EINVAL, -ECHILD (another process asks).  Does not block.  Python: process.is_alive(). */
PLAIT_API int plait_process_is_alive(plait_process *process);

/* Ask it to end (SIGTERM), or end it (SIGKILL).  0, also when it has ended already; -EINVAL; -EPERM; -ECHILD; PLAIT_ENOTSTARTED;
 * -ENOTSUP (a thread can't be ended from outside).  Do not block.
 * Python: process.terminate(), process.kill(). */
PLAIT_API int plait_process_terminate(plait_process *process);
PLAIT_API int plait_process_kill(plait_process *process);

/* A file descriptor that becomes readable (poll) when it has ended; owned by the object, do not read or close it.  (If the
 * program closes it all the same, as one that closes all from 3 up does, the other calls get another one.)  How a child of the
 * forkserver was killed is known a moment later, which a join waits for; at most 0.1 s, then it is PLAIT_EREAPED.
 * -EINVAL; PLAIT_ENOTSTARTED; -EMFILE (a thread has one from the first call on).  Python: process.sentinel. */
PLAIT_API int plait_process_sentinel(plait_process *process);

/* Free the object of a process that has ended, or was never started.  0 (also for NULL); PLAIT_ERUNNING while it runs: then nothing
 * was freed.  Python: process.close(). */
PLAIT_API int plait_process_free(plait_process *process);

/* ---- what it is ---- */

/* Its process id, also after its end (of a thread: its thread id); 0 before the start; -EINVAL.  Python: process.pid. */
PLAIT_API pid_t plait_process_pid(const plait_process *process);

/* Its name, which lives as long as the object or until it is set; "" for NULL.  Python: process.name. */
PLAIT_API const char *plait_process_name(const plait_process *process);

/* 0; -EINVAL (NULL, or a name of 0 or more than 63 bytes).  A process that runs already goes on under its old one. */
PLAIT_API int plait_process_set_name(plait_process *process, const char *name);

/* 1 or 0; -EINVAL.  Python: process.daemon. */
PLAIT_API int plait_process_daemon(const plait_process *process);

/* Before it is started: 0, -EALREADY, -EINVAL.  Python: process.daemon = True. */
PLAIT_API int plait_process_set_daemon(plait_process *process, int daemon);

/* PLAIT_PROCESSES or PLAIT_THREADS; -EINVAL. */
PLAIT_API int plait_process_kind(const plait_process *process);

/* "<Worker name='Worker-1' pid=17 parent=3 stopped exitcode=-SIGTERM daemon>" into `text`, cut to `size` bytes with the 0: how
 * long it is, as snprintf; -EINVAL. Python: repr(process). */
PLAIT_API int plait_process_repr(plait_process *process, char *text, size_t size);

/* ---- who is there ---- */

/* The object of this process: "MainProcess", or what plait_start has made of it.  It is nobody's to free; of the calls above, those
 * that ask (name, pid, daemon, kind, repr, is_alive) and set_name can be used.  Never NULL.  Python: current_process(). */
PLAIT_API plait_process *plait_current_process(void);

/* What this code was started as: the thread, if plait has started the calling thread, else the process.  Never NULL. */
PLAIT_API plait_process *plait_current(void);

/* The process that started this one; NULL in the main process. It can be asked for name, pid and is_alive, and joined: that is,
 * its end can be waited for. It is nobody's to free. Python: parent_process(). */
PLAIT_API plait_process *plait_parent_process(void);

/* How many children of this process are alive, and up to `max` of their objects.  They belong to who made them, and live until he
 * frees them.  Python: active_children(). */
PLAIT_API size_t plait_active_children(plait_process **children, size_t max);

/* ---- at exit ---- */

/* Call function(argument) when this process exits: by returning from main (from its function, in a child) or by exit(), not when
 * it is killed or calls _exit. Higher priorities first, equal ones in the reverse order of these calls. First those with priority
 * >= 0
 * run; then daemon children are ended and the others joined; then the rest. A forked child begins with none.
 * 0; -ENOMEM, -EINVAL (NULL).  Python: multiprocessing.util.Finalize(None, function, args, exitpriority=priority). */
PLAIT_API int plait_at_exit(void (*function)(void *argument), void *argument, int priority);

PLAIT_END
#endif
