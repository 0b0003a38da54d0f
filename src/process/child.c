/* process/child.c - what happens between the start of a child and its end. */
#include "process/process_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <plait/family.h>
#include <plait/start_method.h>

#include "base/fd.h"
#include "base/libc.h"
#include "family/roster.h"
#include "family/wait.h"
#include "process/children.h"
#include "process/exit.h"

static struct {
    pid_t pid;                                             /* whose this is: a fork of the child inherits it */
    bool flush_all, is_served;
    struct plait__exit_record *record;
} self;

static void tell(int status, bool wake)
{
    self.record->code = status & 0xff;
    atomic_store(&self.record->has_ended, PLAIT__TOLD);
    if (wake) plait__wake(&self.record->has_ended, INT32_MAX);
}

/* For the kernel to take a process apart lasts longer than a small function.  Who joins a child of the forkserver need not wait for
 * that: its descriptors are closed before it tells its exit code, so nothing of it can be noticed any more but its number. Not if
 * it has threads, which may still be at work; or before Linux 5.9: then the server tells, when all is over, or (the server may be
 * slow, or dead) whoever sees by a pidfd that all is over knows by its last words how. */
static void tell_early(int status)
{
    if (plait__single_threaded() && plait__close_range(0, 0) == 0) tell(status, true);
    else atomic_store(&self.record->last_words, PLAIT__LAST_WORDS | (uint32_t)(status & 0xff));
}

/* The first of the exit handlers to be registered in the child, so the last of its own to run; the parent's, registered before,
 * never do.  Also for a child that calls exit(), where the C library tells its status (base/libc.h): else that one leaves when the
 * library's destructors run, and whoever joins it learns the status from the kernel. */
static void end(int status)
{
    bool ours = self.pid == getpid();
    if (ours) {
        plait__at_exit(end);                               /* once more: a finalizer may call exit */
        plait__shut_down();
        plait__log(PLAIT_LOG_INFO, "process exiting with exitcode %d", status & 0xff);
    }
    plait__flush_streams(self.flush_all);
    if (ours && !self.is_served) tell(status, false);
    plait_leave();
    if (ours && self.is_served) tell_early(status);
    _exit(status);
}

void plait__birth_fill(struct plait__birth *birth, const plait_process *process)
{
    birth->plan = process->plan;
    birth->function = process->plan->function;
    birth->record = process->record;
    birth->parent = getpid();
    birth->parent_pidfd = -1;
    birth->from_main_thread = plait__is_main_thread();
    birth->method = plait_get_start_method();
    birth->is_served = false;
    birth->log = plait__log_get_state();
    memcpy(birth->name, process->name, sizeof birth->name);
    memcpy(birth->class_name, process->class_name, sizeof birth->class_name);
    memcpy(birth->identity, process->identity, sizeof birth->identity);
    snprintf(birth->parent_name, sizeof birth->parent_name, "%s", plait__process_name());
}

void plait__child_run(const struct plait__birth *birth)
{
    self.pid = getpid();
    self.flush_all = birth->all_flushed;
    self.record = birth->record;
    self.is_served = birth->is_served;
    plait__have_parent(birth);
    plait__be(birth);
    plait__children_forget(birth->plan);
    prctl(PR_SET_NAME, birth->name);
    plait__set_process_name(birth->name);
    plait__at_exit(end);
    (void)plait__shut_down_at_exit();                      /* and for a C library that tells no status: `end` does not run there */
    plait__log(PLAIT_LOG_INFO, "child process calling self.run()");
    plait__exit(birth->function(birth->plan->argument));
}
