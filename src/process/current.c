/* process/current.c - who this process, and the calling thread, is. */
#include "process/process_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "family/roster.h"

char plait__identity[PLAIT__IDENTITY_SIZE];
_Atomic uint32_t plait__children_made, plait__threads_made;
_Thread_local plait_process *plait__this_thread;

static bool is_daemon, may_not_have_children;

static bool run_on(plait_process *process)
{
    (void)process;
    return false;
}

static int wait_for_oneself(plait_process *process, plait_deadline deadline)
{
    (void)deadline;
    return plait__fail(-EDEADLK, "%s is this process: it can't wait for its own end", process->name);
}

static const struct plait__route route = { .look = run_on, .wait = wait_for_oneself };

static plait_process current = {
    .name = "MainProcess", .class_name = "Process", .route = &route, .stage = PLAIT__STARTED, .sentinel = -1,
    .reaping = PTHREAD_MUTEX_INITIALIZER,
};

/* The process whose numbers are in it, or are about to be. */
static _Atomic pid_t claimed;

void plait__be(const struct plait__birth *birth)
{
    atomic_store(&plait__children_made, 0);
    atomic_store(&plait__threads_made, 0);
    plait__this_thread = NULL;
    memcpy(plait__identity, birth->identity, sizeof plait__identity);
    memcpy(current.name, birth->name, sizeof current.name);
    memcpy(current.class_name, birth->class_name, sizeof current.class_name);
    is_daemon = birth->plan->daemon;
    may_not_have_children = is_daemon && !birth->plan->may_have_children;
    atomic_store(&claimed, 0);                             /* the numbers are asked for when they are wanted */
    atomic_store(&current.owner, 0);
}

bool plait__is_daemon(void)
{
    return is_daemon;
}

bool plait__may_have_children(void)
{
    return !may_not_have_children;
}

bool plait__is_main_thread(void)
{
    return syscall(SYS_gettid) == getpid();
}

void plait__be_current_thread(plait_process *thread)
{
    thread->route = &route;
    thread->stage = PLAIT__STARTED;
    thread->sentinel = -1;
    thread->owner = getpid();
    thread->parent = getppid();
    thread->pid = (pid_t)syscall(SYS_gettid);
    snprintf(thread->class_name, sizeof thread->class_name, "Thread");
}

/* A fork that the program made by itself goes under the same name, as in Python.  Of several threads that ask first, one fills in
 * the numbers. */
plait_process *plait_current_process(void)
{
    pid_t pid = getpid(), before = atomic_load(&claimed);
    if (atomic_load(&current.owner) == pid) return &current;
    if (before != pid && atomic_compare_exchange_strong(&claimed, &before, pid)) {
        current.parent = getppid();
        atomic_store(&current.pid, pid);
        pthread_mutex_init(&current.reaping, NULL);
        atomic_store(&current.owner, pid);
    }
    while (atomic_load(&current.owner) != pid) sched_yield();
    return &current;
}

plait_process *plait_current(void)
{
    return plait__this_thread ? plait__this_thread : plait_current_process();
}
