/* process/child.c - what happens between the fork and the child's end. */
#include "process/process_internal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <plait/family.h>

#include "base/deadline.h"
#include "base/libc.h"
#include "family/roster.h"
#include "family/wait.h"

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
    plait__flush_streams(self.flush_all);
    if (self.pid == getpid()) {
        self.record->code = status & 0xff;
        atomic_store(&self.record->has_ended, 1);
    }
    plait_leave();
    _exit(status);
}

__attribute__((noreturn)) void plait__child_run(const struct plait__birth *birth)
{
    self.pid = getpid();
    self.flush_all = birth->all_flushed;
    self.record = birth->record;
    bool thread_bound = !birth->from_main_thread;
    if (birth->daemon) plait__end_with_parent(birth, thread_bound);
    if (birth->parent_pidfd >= 0 && !(birth->daemon && thread_bound)) close(birth->parent_pidfd);
    atomic_store(&plait__children_started, 0);
    memcpy(plait__identity, birth->identity, sizeof plait__identity);
    prctl(PR_SET_NAME, birth->name);
    plait__set_process_name(birth->name);
    plait__at_exit(end);
    (void)plait__member();                                 /* an error shows again in the first call that needs it */
    plait__exit(birth->function(birth->argument));
}

/* ---- ending with the parent ---- */

static struct {
    pid_t pid;
    int pidfd;
} parent;

/* A parent in another pid namespace has no number here: it looks like 0, and so does, to the first process of a namespace, whoever
 * comes after it. */
static bool parent_is_gone(void)
{
    pid_t now = getppid();
    if (now == parent.pid) return false;
    return now != 0 || (parent.pidfd >= 0 && plait__wait_fd(parent.pidfd, POLLIN, PLAIT_NOW) > 0);
}

static void *watch_parent(void *unused)
{
    (void)unused;
    while (!parent_is_gone()) {
        int64_t patience = parent.pidfd >= 0 ? INT64_MAX / 4 : PLAIT__SECOND / 5;
        if (plait__wait_fd(parent.pidfd, POLLIN, (plait_deadline){ plait__now() + patience }) > 0) break;
    }
    kill(getpid(), SIGKILL);
    return NULL;
}

/* A thread with all signals blocked, that does nothing but wait. */
static void start_watcher(void)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, watch_parent, NULL) != 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);                  /* better too early than never */
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The kernel's own way costs nothing, but goes by the thread that forked.  A main thread lives as long as its process, nearly
 * always; for others the child has to watch by itself. */
void plait__end_with_parent(const struct plait__birth *birth, bool thread_bound)
{
    parent.pid = birth->parent;
    parent.pidfd = birth->parent_pidfd;
    if (thread_bound) start_watcher();
    else prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent_is_gone()) kill(getpid(), SIGKILL);         /* it was gone before */
}
