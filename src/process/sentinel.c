#include "process/sentinel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "family/pidfd.h"

int plait__make_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC) < 0 ? -errno : plait__pair_above_stdio(ends);
}

int plait__sentinel_reserve(struct plait__reservation *reserved)
{
    *reserved = (struct plait__reservation){ -1, { -1, -1 } };
    reserved->parent = plait__pidfd_open(getpid());
    if (reserved->parent >= 0) return 0;
    if (reserved->parent != -ENOSYS && reserved->parent != -EPERM)
        return plait__fail(reserved->parent, "pidfd_open: %s", plait_strerror(reserved->parent));
    int error = plait__make_pipe(reserved->pipe);
    return error ? plait__fail(error, "pipe: %s", plait_strerror(error)) : 0;
}

void plait__sentinel_drop(const struct plait__reservation *reserved)
{
    if (reserved->parent >= 0) close(reserved->parent);
    if (reserved->pipe[0] >= 0) close(reserved->pipe[0]);
    if (reserved->pipe[1] >= 0) close(reserved->pipe[1]);
}

int plait__sentinel_in_child(const struct plait__reservation *reserved)
{
    if (reserved->pipe[0] >= 0) close(reserved->pipe[0]);
    return reserved->parent >= 0 ? reserved->parent : -1;
}

/* ---- ours ---- */

/* Remember which it is. */
static void set(plait_process *process, int fd, bool is_pidfd)
{
    process->file = plait__file_of(fd);
    process->is_pidfd = is_pidfd;
    process->sentinel = fd;
}

bool plait__sentinel_is_ours(const plait_process *process)
{
    return plait__is_file(process->sentinel, &process->file);
}

static int make_event(unsigned readable)
{
    int fd = eventfd(readable, EFD_CLOEXEC | EFD_NONBLOCK);
    return plait__above_stdio(fd < 0 ? -errno : fd);
}

int plait__sentinel_have(plait_process *process)
{
    if (plait__sentinel_is_ours(process)) return 0;
    bool runs = !process->has_ended && plait_process_kind(process) == PLAIT_PROCESSES;
    int fd = runs ? plait__pidfd_open(process->pid) : make_event(process->has_ended);
    if (fd >= 0) set(process, fd, runs);
    return fd < 0 ? fd : 0;
}

void plait__sentinel_tell(const plait_process *process)
{
    uint64_t one = 1;
    ssize_t written = plait__sentinel_is_ours(process) ? write(process->sentinel, &one, sizeof one) : 0;
    (void)written;
}

int plait__sentinel_take(plait_process *process, const struct plait__reservation *reserved)
{
    if (reserved->parent < 0) {
        close(reserved->pipe[1]);
        set(process, reserved->pipe[0], false);
        return 0;
    }
    close(reserved->parent);
    int fd = plait__pidfd_open(process->pid);
    if (fd != -ESRCH) set(process, fd, true);
    else set(process, fd = make_event(1), false);        /* reaped by the host already */
    return fd >= 0 ? 0 : fd;
}

int plait__sentinel_of_served(plait_process *process)
{
    int fd = plait__pidfd_open(process->pid);
    if (fd >= 0) set(process, fd, true);
    return fd >= 0 || fd == -ENOSYS || fd == -EPERM ? 0 : fd;
}

void plait__sentinel_keep(plait_process *process)
{
    if (process->sentinel < 0 || plait__sentinel_is_ours(process)) return;
    siginfo_t info;
    bool is_our_child = waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    int fd = is_our_child ? plait__pidfd_open(process->pid) : -1;
    set(process, fd >= 0 ? fd : -1, fd >= 0);
}

void plait__sentinel_close(const plait_process *process)
{
    if (plait__sentinel_is_ours(process)) close(process->sentinel);
}
