/* plait/start_method.h - how child processes come into being.
 *
 * ```c
 * int main(int argc, char **argv)
 * {
 *     plait_init(&argc, &argv);                            // the first line: a spawned child goes no further
 *     plait_set_start_method(PLAIT_FORKSERVER, 0);
 *     plait_forkserver_start(&(plait_forkserver_options){ .stock = 8 });
 *     return 0;
 * }
 * ```
 *
 * | | fork | spawn | forkserver | forkserver with a stock |
 * | --- | --- | --- | --- | --- |
 * | what it is | a copy of this process | the same program, begun anew | a copy of a spawned server | the same, made in advance |
 * | global variables, memory | copies | as at the begin | as the server's | as the server's |
 * | descriptors | all | the standard streams, .fds | the standard streams, .fds | the standard streams |
 * | cwd, environment, limits | this process's | this process's | the server's | the server's |
 * | signals | this thread's mask, all handlers | none blocked, no handler; ignored ones | as the server's | as the server's |
 * | safe in programs with threads | no: what they hold stays held | yes | yes | yes |
 * | costs | more with every MiB in use | some ms | a fork of a small process | a wake-up |
 *
 * With spawn and forkserver the function goes by module and offset: the child finds it in the same program, or opens the same
 * shared object; its argument is a copy (size > 0), or a pointer into shared memory.
 *
 * All of these calls may be made by several threads at once.
 */
#ifndef PLAIT_START_METHOD_H
#define PLAIT_START_METHOD_H

#include <stdint.h>

#include <plait/export.h>

enum plait_start_method {
    PLAIT_FORK = 1,
    PLAIT_SPAWN = 2,
    PLAIT_FORKSERVER = 3
};

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_forkserver_options {
    int stock;                /* how many children to keep ready; 0: none; at most 256 */
    int reserved_int;
    int (*preload)(void);     /* runs in the server before it makes children, which inherit what it has set up; not 0: no server */
    uint64_t reserved[6];     /* zero */
} plait_forkserver_options;

PLAIT_BEGIN

/* The method of processes that name none in their options; PLAIT_FORK until it is set.  Children inherit it.
 * 0; -EALREADY (it was set before; force not 0: set it all the same); -EINVAL.  Python: set_start_method(method, force). */
PLAIT_API int plait_set_start_method(int method, int force);

/* Python: get_start_method(). */
PLAIT_API int plait_get_start_method(void);

/* Those that there are here, the default first, and a 0 behind them.  Python: get_all_start_methods(). */
PLAIT_API const int *plait_get_all_start_methods(void);

/* "fork", "spawn", "forkserver"; NULL for others. */
PLAIT_API const char *plait_start_method_name(int method);

/* The program that spawn and forkserver run instead of this one, such as the plait-host that is installed with the library: for a
 * plug-in in a program that does not call plait_init.  Its functions must then lie in shared objects.  NULL: this program again.
 * A program that does not call plait_init runs no function: the exit code is PLAIT_ENOINIT when it ends.
 * A relative path is meant as from the current folder of this call.
 * 0; -ENOMEM; -ENOENT, -ENAMETOOLONG (of that folder).  Python: set_executable(path). */
PLAIT_API int plait_set_executable(const char *path);

/* Start this process's forkserver, which else the first start by that method does, and wait until it is ready: until it has run
 * preload, and made its stock.  One that is there already goes on with this stock, which is not waited for, and its children stay.
 * Who forks, or asks for its number, does not wait for one that starts; who starts a child by it, or stops it, does.
 * 0; -EALREADY (it runs with another preload: stop it first); PLAIT_ENOINIT; -EINVAL; -EAGAIN, -ENOMEM, -EMFILE; PLAIT_ENOFUNCTION
 * (preload); -ECANCELED (preload did not return 0, or the server was killed); else as plait_process_start.
 * Python: set_forkserver_preload(modules) and forkserver.ensure_running(). */
PLAIT_API int plait_forkserver_start(const plait_forkserver_options *options);

/* End it, with the children that it keeps ready; those that run go on, and it ends with the last.  A fork of the process that has
 * started it only lets go of it.  Takes up to 2 s if it is stopped (SIGSTOP) or very busy.  0, also when there is none. */
PLAIT_API int plait_forkserver_stop(void);

/* Its process id; 0: there is none. */
PLAIT_API int plait_forkserver_pid(void);

PLAIT_END
#endif
