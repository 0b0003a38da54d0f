/* worker_class - five workers of a class, which say their names.
 *
 * A class of processes is a function, a struct with what each one has for itself, and a class name: objects without a name of their
 * own are called Worker-1, Worker-2, ...  The same class makes threads: one word in the options changes.
 *
 * usage: worker_class [processes | threads]      default: processes
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

enum { JOBS = 5 };

struct worker {
    const char *text;
};

static int run(void *argument)
{
    const struct worker *self = argument;
    return printf("%s %s\n", self->text, plait_process_name(plait_current())) < 0;
}

static plait_process *new_worker(int kind)
{
    const struct worker worker = { "In" };
    return plait_process_new(run, &worker, sizeof worker, &(plait_process_options){ .class_name = "Worker", .kind = kind });
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "worker_class: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* Of one that was started or not: plait_process_free takes both. */
static int finish(plait_process *job)
{
    int error = plait_process_join(job, PLAIT_FOREVER);
    if (!error) error = plait_process_exitcode(job);
    plait_process_free(job);
    return error;
}

int main(int argc, char **argv)
{
    plait_process *jobs[JOBS];
    int count = 0, failed = 0, error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int in_threads = argc == 2 && strcmp(argv[1], "threads") == 0;
    if (argc > 2 || (argc == 2 && !in_threads && strcmp(argv[1], "processes") != 0)) {
        fprintf(stderr, "usage: worker_class [processes | threads]\n");
        return 2;
    }
    while (count < JOBS && !failed) {
        plait_process *job = new_worker(in_threads ? PLAIT_THREADS : PLAIT_PROCESSES);
        if (!job) {
            failed = complain("no worker", errno);
            break;
        }
        jobs[count++] = job;
        error = plait_process_start(job);
        if (error) failed = complain(plait_process_name(job), error);
    }
    for (int i = 0; i < count; i++)
        if (finish(jobs[i]) != 0) failed = 1;
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return failed;
}
