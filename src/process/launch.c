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
    _exit(127);
}

void plait__kill_unwatched(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static ssize_t read_whole(int fd, struct plait__report *report)
{
    ssize_t got;
    do {
        plait__wait_fd(fd, POLLIN, PLAIT_FOREVER);
        got = read(fd, report, sizeof *report);
    } while (got < 0 && errno == EINTR);
    return got;
}

int plait__hear(plait_process *process, int fd)
{
    struct plait__report report;
    if (read_whole(fd, &report) != sizeof report) return 0;
    plait__sentinel_close(process);
    process->sentinel = -1;
    plait__kill_unwatched(process->pid);
    return plait__plan_failed(process->plan, &report);
}
