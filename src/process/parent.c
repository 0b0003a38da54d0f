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
    _Atomic int pidfd;                                     /* -1: there is none, yet, or the program has closed it */
    struct plait__file file;                               /* which the pidfd is */
    bool is_over;                                          /* its number is nobody's, or another one's.  Under `reaping` */
} tie = { .pidfd = -1 };
static plait_process parent;

/* ---- ending with it ---- */

/* The program may have closed it, and opened its own at that number. */
static int held(void)
{
    int fd = tie.pidfd;
    return plait__is_file(fd, &tie.file) ? fd : -1;
}

/* What is told by a descriptor is believed only if that was ours until after. */
static bool pidfd_tells_end(void)
{
    int fd = held();
    int result = fd >= 0 ? plait__wait_fd(fd, POLLIN, PLAIT_NOW) : 0;
    return result > 0 && (result & POLLIN) && held() == fd;
}

/* A parent in another pid namespace has no number here: it looks like 0, and so does, to the first process of a namespace, whoever
 * comes after it. */
static bool is_gone(void)
{
    pid_t now = getppid();
    if (tie.is_parent && now == parent.pid) return false;
    return (tie.is_parent && now != 0) || tie.is_over || pidfd_tells_end();
}

/* A poll that is woken goes by the number once more: were another file there by then, it would sleep on.  So nobody relies on it
 * for longer than this. */
#define TRUST PLAIT__SECOND

/* Without a descriptor, or with one that says what is not so, it looks more often. */
static void *watch(void *unused)
{
    (void)unused;
    for (bool has_lied = false; !is_gone();) {
        int fd = has_lied ? -1 : held();
        int64_t patience = fd >= 0 ? TRUST : PLAIT__SECOND / 5;
        has_lied = plait__wait_fd(fd, POLLIN, (plait_deadline){ plait__now() + patience }) > 0;
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

static void set_pidfd(int fd)
{
    if (!plait__is_file(fd, &tie.file)) tie.file = plait__file_of(fd);
    tie.pidfd = fd;
}

/* The number may be another process's by now, unless the kernel calls that one our parent, or it is the same file as before. */
static void open_pidfd(void)
{
    int fd = plait__pidfd_open(parent.pid);
    bool is_known = tie.file.inode != 0;
    if (tie.is_parent || fd < 0) tie.is_over = !tie.is_parent && fd == -ESRCH;
    else tie.is_over = is_known && !plait__is_file(fd, &tie.file);
    if (fd >= 0 && tie.is_over) close(fd);
    else if (fd >= 0) set_pidfd(fd);
}

/* With `reaping` locked: have a descriptor, if that can be done. */
static void keep_pidfd(void)
{
    if (tie.is_over || held() >= 0) return;
    tie.pidfd = -1;
    if (!tie.is_parent || getppid() == parent.pid) open_pidfd();
}

static bool look(plait_process *process)
{
    (void)process;
    if (!tie.is_parent) keep_pidfd();                      /* else the kernel tells */
    return is_gone();
}

int plait__parent_descriptor(void)
{
    pthread_mutex_lock(&parent.reaping);
    keep_pidfd();
    pthread_mutex_unlock(&parent.reaping);
    return held();
}

static int wait_for_parent(plait_process *process, plait_deadline deadline)
{
    (void)process;
    plait__parent_descriptor();
    if (is_gone()) return 0;                               /* so the descriptor is not of a later one with the same number */
    int fd = held();
    int64_t patience = fd >= 0 ? TRUST : 20 * PLAIT__MILLISECOND;
    int result = plait__wait_fd(fd, POLLIN, (plait_deadline){ plait__earlier(deadline, plait__now() + patience) });
    if (result > 0 && !is_gone())                          /* it was closed meanwhile */
        result = plait__wait_fd(-1, 0, (plait_deadline){ plait__earlier(deadline, plait__now() + PLAIT__MILLISECOND) });
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
    tie.is_over = false;
    bool by_kernel = birth->from_main_thread || birth->is_served;        /* a server has no other thread */
    bool watched = !birth->plan->detached && !by_kernel;
    bool has_one = birth->parent_pidfd >= 0 || (by_kernel && !birth->is_served);
    set_pidfd(has_one ? birth->parent_pidfd : plait__pidfd_open(birth->parent));
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
