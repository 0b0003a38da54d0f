/* process/parent.c - the process that started this one: ending with it, and its object. */
#include "process/process_internal.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "family/pidfd.h"
#include "family/wait.h"
#include "process/sentinel.h"

/* Written by plait__have_parent. */
static struct {
    bool is_parent;                                        /* for the kernel too; else another one forks for it */
    _Atomic int pidfd;                                     /* -1: there is none, yet */
} tie = { .pidfd = -1 };
static plait_process parent;

/* ---- ending with it ---- */

/* A parent in another pid namespace has no number here: it looks like 0, and so does, to the first process of a namespace, whoever
 * comes after it. */
static bool is_gone(void)
{
    pid_t now = getppid();
    if (tie.is_parent && now == parent.pid) return false;
    return (tie.is_parent && now != 0) || (tie.pidfd >= 0 && plait__wait_fd(tie.pidfd, POLLIN, PLAIT_NOW) > 0);
}

static void *watch(void *unused)
{
    (void)unused;
    while (!is_gone()) {
        int64_t patience = tie.pidfd >= 0 ? INT64_MAX / 4 : PLAIT__SECOND / 5;
        if (plait__wait_fd(tie.pidfd, POLLIN, (plait_deadline){ plait__now() + patience }) > 0) break;
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
    if (pthread_create(&thread, &attributes, watch, NULL) != 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);                  /* better too early than never */
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The kernel's own way costs nothing, but goes by the thread that forked.  A main thread lives as long as its process, nearly
 * always; for others the child has to watch by itself.  A child of the forkserver ends with the server, which sees to the rest. */
static void end_with_it(bool by_kernel)
{
    if (by_kernel && tie.is_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);           /* a server's child has it from its begin */
    else if (by_kernel) return;
    else start_watcher();
    if (is_gone()) kill(getpid(), SIGKILL);                /* it was gone before */
}

/* ---- its object ---- */

static bool look(plait_process *process)
{
    (void)process;
    return is_gone();
}

static int wait_for_parent(plait_process *process, plait_deadline deadline)
{
    pthread_mutex_lock(&process->reaping);
    if (tie.pidfd < 0 && tie.is_parent) tie.pidfd = plait__pidfd_open(parent.pid);
    pthread_mutex_unlock(&process->reaping);
    if (is_gone()) return 0;                               /* so the descriptor is not of a later one with the same number */
    int64_t patience = tie.pidfd >= 0 ? INT64_MAX / 4 : 20 * PLAIT__MILLISECOND;
    int result = plait__wait_fd(tie.pidfd, POLLIN, (plait_deadline){ plait__earlier(deadline, plait__now() + patience) });
    return result == -ETIMEDOUT && plait__expired(deadline) ? -ETIMEDOUT : 0;
}

static const struct plait__route route = { .look = look, .wait = wait_for_parent };

void plait__have_parent(const struct plait__birth *birth)
{
    parent = (plait_process){
        .class_name = "Process", .route = &route, .owner = getpid(), .parent = -1, .pid = birth->parent, .stage = PLAIT__STARTED,
        .sentinel = -1, .exitcode = PLAIT_EREAPED, .reaping = PTHREAD_MUTEX_INITIALIZER,
    };
    memcpy(parent.name, birth->parent_name, sizeof parent.name);
    tie.is_parent = !birth->is_served;
    bool by_kernel = birth->from_main_thread || birth->is_served;        /* a server has no other thread */
    bool watched = !birth->plan->detached && !by_kernel;
    tie.pidfd = birth->parent_pidfd >= 0 || (by_kernel && !birth->is_served)
        ? birth->parent_pidfd : plait__pidfd_open(birth->parent);
    if (birth->plan->detached) prctl(PR_SET_PDEATHSIG, 0);
    else end_with_it(by_kernel);
    if (watched || birth->is_served || tie.pidfd < 0) return;
    close(tie.pidfd);
    tie.pidfd = -1;
}

plait_process *plait_parent_process(void)
{
    return parent.owner == getpid() ? &parent : NULL;
}
