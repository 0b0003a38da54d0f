/* wait_for_event - two wait for one event: one as long as it takes, the other for 2 seconds.
 *
 * The main process sets the event after 3 seconds.  By then the second has given up, and the first goes on.
 *
 * usage: wait_for_event [processes | threads]      default: processes
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <plait.h>

struct waiting {
    plait_event *event;
    plait_deadline deadline;                               /* all zeros: none */
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "wait_for_event: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int tell(const char *who, plait_event *event)
{
    printf("%s: e.is_set()-> %s\n", who, plait_event_is_set(event) == 1 ? "True" : "False");
    return fflush(stdout) != 0;
}

/* Wait for the event to be set before doing anything. */
static int wait_for_event(void *argument)
{
    const struct waiting *waiting = argument;
    printf("wait_for_event: starting\n");
    fflush(stdout);
    const int waited = plait_event_wait(waiting->event, PLAIT_FOREVER);
    if (waited < 0) return complain("wait", waited);
    return tell("wait_for_event", waiting->event);
}

/* Wait some seconds, and then give up. */
static int wait_for_event_timeout(void *argument)
{
    const struct waiting *waiting = argument;
    printf("wait_for_event_timeout: starting\n");
    fflush(stdout);
    const int waited = plait_event_wait(waiting->event, waiting->deadline);
    if (waited < 0 && waited != -ETIMEDOUT) return complain("wait", waited);
    return tell("wait_for_event_timeout", waiting->event);
}

static plait_process *start(const char *name, int (*body)(void *argument), const struct waiting *waiting, int kind)
{
    const plait_process_options options = { .name = name, .kind = kind };
    plait_process *process = plait_start(body, waiting, sizeof *waiting, &options);
    if (!process) complain(name, errno);
    return process;
}

static int finish(plait_process *process)
{
    if (!process) return 1;
    const int error = plait_process_join(process, PLAIT_FOREVER);
    if (error) return complain("join", error);
    const int failed = plait_process_exitcode(process) != 0;
    if (failed) fprintf(stderr, "wait_for_event: %s failed\n", plait_process_name(process));
    plait_process_free(process);
    return failed;
}

static int run(int kind)
{
    plait_event *event = plait_event_new();
    if (!event) return complain("no event", errno);
    plait_process *block = start("block", wait_for_event, &(struct waiting){ .event = event }, kind);
    const struct waiting for_2_s = { .event = event, .deadline = plait_after(2) };
    plait_process *non_block = start("non-block", wait_for_event_timeout, &for_2_s, kind);
    printf("main: waiting before calling Event.set()\n");
    fflush(stdout);
    nanosleep(&(struct timespec){ .tv_sec = 3 }, NULL);
    plait_event_set(event);
    printf("main: event is set\n");
    fflush(stdout);
    const int block_failed = finish(block), non_block_failed = finish(non_block);
    plait_event_free(event);
    return block_failed || non_block_failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int in_threads = argc == 2 && strcmp(argv[1], "threads") == 0;
    if (argc > 2 || (argc == 2 && !in_threads && strcmp(argv[1], "processes") != 0)) {
        fprintf(stderr, "usage: wait_for_event [processes | threads]\n");
        return 2;
    }
    const int failed = run(in_threads ? PLAIT_THREADS : PLAIT_PROCESSES);
    if (fflush(stdout) == 0 && !ferror(stdout)) return failed;
    return complain("standard output", -errno);
}
