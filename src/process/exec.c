/* process/exec.c - children that begin anew: this program once more, for a function, or another program.
 *
 * vfork and exec: the child borrows our memory until it executes, so this costs the same however large we are; and unlike
 * posix_spawn it leaves room for all the settings, and for being tied to our life. */
#include "process/exec.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <plait/arena.h>

#include "arena/map.h"
#include "base/error.h"
#include "base/fd.h"
#include "process/launch.h"
#include "process/method.h"
#include "process/sentinel.h"
#include "process/server.h"
#include "process/stream.h"

/* Prepared by the parent: the child makes system calls only. */
struct launch {
    const struct plait__plan *plan;
    const char *path;
    const char *folders;                                   /* in which to look for it; NULL: the path is one */
    char *const *argv;
    struct plait__streams streams;
    pid_t parent;
    bool tied, is_program;
    volatile bool is_shared;                               /* set by the child: it has our memory, so it is done when we go on */
    int report, before;
    int kept[2];                                           /* descriptors to keep besides those of the plan; -1 */
};

/* ---- between vfork and exec ---- */

/* A handler must not run here, in our parent's memory.  Ignored signals stay ignored, as exec leaves them; but for programs those
 * two that a program ignores to get an error from write instead: others hardly expect that. */
static void reset_signals(bool is_program)
{
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) < 0 || action.sa_handler == SIG_DFL) continue;
        bool is_for_write = signal == SIGPIPE || signal == SIGXFSZ;
        if (action.sa_handler == SIG_IGN && !(is_program && is_for_write)) continue;
        action = (struct sigaction){ .sa_handler = SIG_DFL };
        sigaction(signal, &action, NULL);
    }
}

/* The mask of the thread that starts it means nothing to who begins anew. */
static void unblock_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

#define CLOSE_ON_EXEC 4u                                   /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */

static void close_all_on_exec(void)
{
    if (plait__close_range(3, CLOSE_ON_EXEC) == 0) return;
    struct rlimit limit = { .rlim_cur = 1024 };
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 3; fd < 65536 && (rlim_t)fd < limit.rlim_cur; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int keep(int fd)
{
    return fd < 0 ? 0 : fcntl(fd, F_SETFD, 0);
}

static int choose_descriptors(const struct launch *launch)
{
    close_all_on_exec();
    for (size_t i = 0; i < launch->plan->fd_count; i++)
        if (keep(launch->plan->fds[i]) < 0) return -1;
    return keep(launch->kept[0]) < 0 || keep(launch->kept[1]) < 0 ? -1 : 0;
}

/* The descriptors first, before there may be a limit on them. */
static int prepare(const struct launch *launch, struct plait__report *report)
{
    if (choose_descriptors(launch) == 0)
        return plait__plan_apply(launch->plan, launch->streams.sources, !launch->is_program, report);
    *report = (struct plait__report){ PLAIT__STEP_FDS, errno };
    return -1;
}

/* As execvp looks for it, but what is no program is none: it is not given to a shell. */
static void search_and_execute(const char *name, const char *folders, char *const *argv, char *const *environment)
{
    char path[PATH_MAX];
    bool is_denied = false;
    errno = ENOENT;
    for (const char *end; folders; folders = *end ? end + 1 : NULL) {
        end = folders + strcspn(folders, ":");
        size_t length = (size_t)(end - folders);
        if (length + strlen(name) + 2 > sizeof path) continue;
        memcpy(path, folders, length);
        path[length] = '/';
        strcpy(path + length + (length > 0), name);        /* an empty one is the current folder */
        execve(path, argv, environment);
        is_denied |= errno == EACCES;
        if (errno != EACCES && errno != ENOENT && errno != ENOTDIR) return;
    }
    errno = is_denied ? EACCES : ENOENT;
}

static void execute(const struct launch *launch)
{
    char *const *environment = launch->plan->environment ? launch->plan->environment : environ;
    if (launch->folders) search_and_execute(launch->path, launch->folders, launch->argv, environment);
    else execve(launch->path, launch->argv, environment);
}

__attribute__((noreturn)) static void be_child(struct launch *launch)
{
    struct plait__report report;
    launch->is_shared = true;
    plait__server_not_after_exec();
    reset_signals(launch->is_program);
    if (launch->tied) prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t parent = getppid();
    if (launch->tied && parent != launch->parent && parent != 0) _exit(127);           /* 0: it is in another pid namespace */
    if (prepare(launch, &report) == 0) {
        unblock_signals();
        execute(launch);
        report = (struct plait__report){ PLAIT__STEP_EXEC, errno };
    }
    plait__report(launch->report, &report);
    _exit(127);
}

/* In a function of its own: nothing of ours may live in registers that the child changes.  errno is shared, too. */
__attribute__((noinline)) static pid_t begin(struct launch *launch)
{
    launch->before = errno;
    pid_t pid = vfork();
    if (pid == 0) be_child(launch);
    if (pid > 0) errno = launch->before;
    return pid;
}

/* ---- the parent ---- */

static int begin_and_watch(plait_process *process, struct launch *launch)
{
    struct plait__reservation reserved;
    sigset_t all, before;
    int error = plait__sentinel_reserve(&reserved);
    if (error) return error;
    launch->kept[1] = reserved.pipe[1];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = begin(launch);
    error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return plait__watch_child(process, pid, error, &reserved);
}

static int begin_and_hear(plait_process *process, struct launch *launch)
{
    int report[2];
    int error = plait__make_pipe(report);
    if (error) return plait__fail(error, "a pipe: %s", plait_strerror(error));
    launch->report = report[1];
    error = begin_and_watch(process, launch);
    close(report[1]);
    if (!error) error = plait__hear(process, report[0], launch->is_shared ? PLAIT_NOW : PLAIT_FOREVER);
    close(report[0]);
    if (error) process->pid = 0;
    return error;
}

static const char *folders_for(const char *name)
{
    const char *path = getenv("PATH");
    return !*name || strchr(name, '/') ? NULL : path ? path : "/bin:/usr/bin";
}

static int launch(plait_process *process, const char *path, char *const *argv, int kept)
{
    const struct plait__plan *plan = process->plan;
    struct launch launch = {
        .plan = plan, .path = path, .argv = argv, .parent = getpid(), .is_program = plan->argv != NULL,
        .tied = !plan->detached && plait__is_main_thread(), .kept = { kept, -1 },
    };
    if (launch.is_program) launch.folders = folders_for(path);
    int error = plait__streams_make(process, &launch.streams);
    if (error) return error;
    error = begin_and_hear(process, &launch);
    if (error) plait__streams_drop(process, &launch.streams);
    else plait__streams_given(&launch.streams);
    return error;
}

/* ---- this program, for a function ---- */

static int start_function(plait_process *process)
{
    int error = plait__check_init();
    if (!error && plait__arena_resident() == 0)
        error = plait__fail(PLAIT_ENOARENA, "the descriptor of the shared memory was closed: no other program can get it");
    struct plait__spawned *spawned = error ? NULL : plait__spawned_new(process);
    if (!spawned) return error ? error : -errno;
    process->record = &spawned->record;
    char place[64];
    snprintf(place, sizeof place, "%d:%llx", plait__arena_fd, (unsigned long long)(uintptr_t)spawned);
    plait__flush_streams(true);
    char *argv[] = { (char *)(uintptr_t)plait__executable_name(), (char *)(uintptr_t)PLAIT__CHILD_MARK, place, NULL };
    error = launch(process, plait__executable(), argv, plait__arena_fd);
    if (!error) return 0;
    plait_free(spawned);
    process->record = NULL;
    return error;
}

static int start(plait_process *process)
{
    return process->plan->argv ? launch(process, process->plan->argv[0], process->plan->argv, -1) : start_function(process);
}

/* Why it could not run its function, it has told by itself; unless its program is one that knows nothing of that. */
static void note_failure(plait_process *process, struct plait__spawned *spawned)
{
    const struct plait__exit_record *record = &spawned->record;
    bool has_told = atomic_load(&record->has_ended) && record->code < 0;
    bool never_began = !atomic_load(&record->has_begun) && process->exitcode >= 0;
    if (!has_told && !never_began) return;
    if (never_began)
        snprintf(spawned->detail, sizeof spawned->detail, "its program ended (exit code %d) without a call of plait_init",
                 process->exitcode);
    process->exitcode = never_began ? PLAIT_ENOINIT : record->code;
    process->detail = spawned->detail;
}

/* (A program that is no child of the same family has no record, and tells nothing.) */
static bool look(plait_process *process)
{
    bool ended = plait__child_look(process);
    if (ended && process->record) note_failure(process, (struct plait__spawned *)process->record);
    return ended;
}

const struct plait__route plait__exec_route = {
    .start = start, .look = look, .wait = plait__child_wait, .signal = plait__child_signal, .destroy = plait__child_destroy,
};
