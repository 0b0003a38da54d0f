#include "process/launch.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "family/wait.h"

void plait__report(int fd, const struct plait__report *report)
{
    ssize_t written = write(fd, report, sizeof *report);   /* at once: a pipe takes so few bytes whole */
    (void)written;
}

static void kill_unwatched(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static int fork_failed(int error)
{
    struct rlimit limit = { 0 };
    getrlimit(RLIMIT_NPROC, &limit);
    if (error == EAGAIN && limit.rlim_cur != RLIM_INFINITY)
        return plait__fail(-error, "fork: [Errno %d] %s; this user may have %llu processes (RLIMIT_NPROC)", error,
                           plait_strerror(error), (unsigned long long)limit.rlim_cur);
    return plait__fail(-error, "fork: [Errno %d] %s", error, plait_strerror(error));
}

int plait__watch_child(plait_process *process, pid_t pid, int error, const struct plait__reservation *reserved)
{
    if (pid < 0) {
        plait__sentinel_drop(reserved);
        return fork_failed(error);
    }
    process->pid = pid;
    error = plait__sentinel_take(process, reserved);
    if (!error) return 0;
    kill_unwatched(pid);
    return plait__fail(error, "a descriptor to watch the child by: %s", plait_strerror(error));
}

/* Also until the child has ended: another thread may fork in this moment, and its child keeps a copy of the pipe open. */
static bool read_report(plait_process *process, int fd, plait_deadline deadline, struct plait__report *report)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = process->sentinel, .events = POLLIN } };
    while (plait__wait_fds(fds, 2, deadline) == -EINTR) {}
    ssize_t got;
    do got = (fds[0].revents & POLLIN) ? read(fd, report, sizeof *report) : 0;
    while (got < 0 && errno == EINTR);
    return got == sizeof *report;
}

int plait__hear(plait_process *process, int fd, plait_deadline deadline)
{
    struct plait__report report;
    if (!read_report(process, fd, deadline, &report) || !report.error) return 0;
    plait__sentinel_close(process);
    process->sentinel = -1;
    kill_unwatched(process->pid);
    return plait__plan_failed(process->plan, &report);
}
