/* process/fork.c - children that are copies of this process. */
#include "process/process_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "base/fault.h"
#include "base/libc.h"
#include "process/launch.h"
#include "process/sentinel.h"
#include "process/stream.h"

/* ---- stdio ---- */

static void flush_if_free(FILE *stream)
{
    if (ftrylockfile(stream) != 0) return;
    fflush(stream);
    funlockfile(stream);
}

bool plait__flush_streams(bool all)
{
    if (all && plait__single_threaded()) {
        fflush(NULL);
        return true;
    }
    flush_if_free(stdout);
    flush_if_free(stderr);
    return false;
}

/* What the parent has read and not used is the parent's. */
static void forget_input(void)
{
    if (ftrylockfile(stdin) != 0) return;
    __fpurge(stdin);
    funlockfile(stdin);
}

/* ---- the child ---- */

/* A child that does without some of this is better than none; what the caller has asked for is another matter. */
static void apply(const struct plait__plan *plan, const struct plait__streams *streams, int report_to)
{
    struct plait__report report = { 0 };
    if (streams->sources[0] != -2) forget_input();
    int failed = plait__plan_apply(plan, streams->sources, false, &report);
    if (report_to >= 0) {
        plait__report(report_to, &report);
        if (failed) _exit(127);
        close(report_to);
    }
    for (int i = 0; i < 3; i++)
        if (streams->pipes[i] >= 0) close(streams->pipes[i]);
    if (plan->environment) environ = plan->environment;
}

/* ---- the parent ---- */

static void close_ours(const plait_process *process)
{
    for (int i = 0; i < 3; i++)
        if (process->streams[i] >= 0) close(process->streams[i]);
}

static int fork_child(plait_process *process, struct plait__birth *birth, struct plait__streams *streams, const int report[2])
{
    struct plait__reservation reserved;
    int error = plait__sentinel_reserve(&reserved);
    if (error) return error;
    birth->all_flushed = plait__flush_streams(true);       /* so that the child does not write the same bytes once more */
    pid_t pid = fork();
    if (pid == 0) {
        birth->parent_pidfd = plait__sentinel_in_child(&reserved);
        if (report[0] >= 0) close(report[0]);
        close_ours(process);
        birth->kept = process->block;                      /* it runs with that, also when it frees its copy of the object */
        process->block = NULL;
        apply(process->plan, streams, report[1]);
        plait__child_run(birth);
    }
    return plait__watch_child(process, pid, errno, &reserved);
}

/* With settings that can fail: wait until the child has them. */
static int fork_and_hear(plait_process *process, struct plait__birth *birth, struct plait__streams *streams)
{
    int report[2] = { -1, -1 };
    bool hear = plait__plan_may_fail(process->plan);
    int error = hear ? plait__make_pipe(report) : 0;
    if (error) return plait__fail(error, "a pipe: %s", plait_strerror(error));
    error = fork_child(process, birth, streams, report);
    if (!hear) return error;
    close(report[1]);
    if (!error) error = plait__hear(process, report[0], PLAIT_FOREVER);
    close(report[0]);
    return error;
}

static int start(plait_process *process)
{
    struct plait__streams streams;
    struct plait__birth birth;
    process->record = plait_alloc(sizeof *process->record);
    if (!process->record) return -errno;
    plait__birth_fill(&birth, process);
    int error = plait__streams_make(process, &streams);
    if (!error) {
        error = fork_and_hear(process, &birth, &streams);
        if (error) plait__streams_drop(process, &streams);
        else plait__streams_given(&streams);
    }
    if (!error) return 0;
    plait_free(process->record);
    process->record = NULL;
    process->pid = 0;
    return error;
}

const struct plait__route plait__fork_route = {
    .start = start, .look = plait__child_look, .wait = plait__child_wait, .signal = plait__child_signal,
    .destroy = plait__child_destroy,
};
