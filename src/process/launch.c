#include "process/launch.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "family/wait.h"
#include "process/sentinel.h"

void plait__report(int fd, const struct plait__report *report)
{
    ssize_t written = write(fd, report, sizeof *report);   /* at once: a pipe takes so few bytes whole */
    (void)written;
}

void plait__kill_unwatched(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
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
    plait__kill_unwatched(process->pid);
    return plait__plan_failed(process->plan, &report);
}
