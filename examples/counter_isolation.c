/* counter_isolation - two count on one global variable, as processes and as threads.
 *
 * A process has copies of all variables, as they are at its start: each of the two counts its own from 10 to 15, and here it is 10
 * as before.  Threads have the variables of their process: they count the same one, and at the end it is 20.
 *
 * usage: counter_isolation [processes | threads]      default: processes
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <plait.h>

static atomic_int counter = 10;                            /* atomic: threads add to it at the same time */

static int complain(const char *what, int error)
{
    fprintf(stderr, "counter_isolation: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int hello(void *name)
{
    const struct timespec pause = { 0, 50000000 };         /* 0.05 s, so that both get their turns */
    for (int i = 0; i < 5; i++) {
        const int counted = ++counter;
        nanosleep(&pause, NULL);
        if (printf("hello %s %d\n", (const char *)name, counted) < 0) return 1;
    }
    return 0;
}

static plait_process *start(const char *name, int kind)
{
    plait_process *process = plait_start(hello, name, strlen(name) + 1, &(plait_process_options){ .kind = kind });
    if (!process) complain(name, errno);
    return process;
}

static int finish(plait_process *process)
{
    if (!process) return 1;
    const int error = plait_process_join(process, PLAIT_FOREVER);
    if (error) return complain("join", error);
    const int failed = plait_process_exitcode(process) != 0;
    if (failed) fprintf(stderr, "counter_isolation: %s failed\n", plait_process_name(process));
    plait_process_free(process);
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int in_threads = argc == 2 && strcmp(argv[1], "threads") == 0;
    if (argc > 2 || (argc == 2 && !in_threads && strcmp(argv[1], "processes") != 0)) {
        fprintf(stderr, "usage: counter_isolation [processes | threads]\n");
        return 2;
    }
    const int kind = in_threads ? PLAIT_THREADS : PLAIT_PROCESSES;
    plait_process *one = start("world", kind), *other = start("myself", kind);
    const int one_failed = finish(one), other_failed = finish(other);
    printf("counter is %d\n", counter);
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return one_failed || other_failed;
}
