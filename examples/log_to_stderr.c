/* log_to_stderr - what plait does, told in lines on standard error: a process from its start to its end, and the end of this one.
 *
 * usage: log_to_stderr
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

static int worker(void *nothing)
{
    (void)nothing;
    return puts("Doing some work") < 0 || fflush(stdout) != 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "log_to_stderr: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

int main(int argc, char **argv)
{
    int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    if (!plait_log_to_stderr(PLAIT_LOG_DEBUG)) return complain("no log", errno);
    plait_process *process = plait_start(worker, NULL, 0, NULL);
    if (!process) return complain("no process", errno);
    error = plait_process_join(process, PLAIT_FOREVER);
    const int failed = error ? complain("join", error) : plait_process_exitcode(process) != 0;
    plait_process_free(process);
    return failed;
}
