/* process/child.c - what happens between the start of a child and its end. */
#include "process/process_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <plait/family.h>
#include <plait/start_method.h>

#include "base/libc.h"
#include "family/roster.h"
#include "process/children.h"
#include "process/exit.h"

static struct {
    pid_t pid;                                             /* whose this is: a fork of the child inherits it */
    bool flush_all;
    struct plait__exit_record *record;
} self;

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
    if (ours) {
        self.record->code = status & 0xff;
        atomic_store(&self.record->has_ended, 1);
    }
    plait_leave();
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
    plait__log_get_state(&birth->log);
    memcpy(birth->name, process->name, sizeof birth->name);
    memcpy(birth->class_name, process->class_name, sizeof birth->class_name);
    memcpy(birth->identity, process->identity, sizeof birth->identity);
    memcpy(birth->parent_name, plait_current_process()->name, sizeof birth->parent_name);
}

void plait__child_run(const struct plait__birth *birth)
{
    self.pid = getpid();
    self.flush_all = birth->all_flushed;
    self.record = birth->record;
    plait__have_parent(birth);
    plait__be(birth);
    plait__children_forget();
    prctl(PR_SET_NAME, birth->name);
    plait__set_process_name(birth->name);
    plait__at_exit(end);
    (void)plait__shut_down_at_exit();                      /* and for a C library that tells no status: `end` does not run there */
    (void)plait__member();                                 /* an error shows again in the first call that needs it */
    plait__log(PLAIT_LOG_INFO, "child process calling self.run()");
    plait__exit(birth->function(birth->plan->argument));
}
