/* process/end.c - the end of a child: waiting for it, learning how it came, bringing it about. */
#include "process/process_internal.h"
#include "process/sentinel.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/pidfd.h"
#include "family/repair.h"
#include "family/wait.h"
#include "sync/graph.h"

/* ---- whose it is ---- */

int plait__check_ours(const plait_process *process)
{
    if (!process) return plait__fail(-EINVAL, "the process is NULL");
    if (process->owner == getpid()) return 0;
    return plait__fail(-ECHILD, "%s was made by process %d, only that one can wait for it", process->name, (int)process->owner);
}

int plait__check_started(const plait_process *process)
{
    int error = plait__check_ours(process);
    bool runs = process == plait__this_thread;             /* though who started it may not yet be back */
    if (error || runs || atomic_load(&process->stage) == PLAIT__STARTED) return error;
    return plait__fail(PLAIT_ENOTSTARTED, "%s was not started", process->name);
}

/* ---- children of this process ---- */

int plait__status_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
}

/* waitid by the descriptor, where there is one: were the status taken by a wait() of the host, the pid could be another child's.
 * EINVAL: a kernel that can't; EBADF: the host has put another one in its place. */
static int wait_for(const plait_process *process, siginfo_t *info, int flags)
{
    *info = (siginfo_t){ 0 };
    if (process->is_pidfd && waitid((idtype_t)P_PIDFD, (id_t)process->sentinel, info, WEXITED | WNOHANG | flags) == 0) return 0;
    if (process->is_pidfd && errno != EINVAL && errno != EBADF) return -errno;
    return waitid(P_PID, (id_t)process->pid, info, WEXITED | WNOHANG | flags) < 0 ? -errno : 0;
}

/* The zombie is looked at before it is reaped: as long as it is there, its pid is nobody else's, and the pulses of its threads must
 * have fallen. */
bool plait__child_look(plait_process *process)
{
    plait__sentinel_keep(process);
    siginfo_t info;
    if (wait_for(process, &info, WNOWAIT) == 0) {
        bool gone = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
        if (info.si_pid == 0 || !gone) return false;       /* not gone: stopped, in a host that traces its own children */
        plait__process_is_gone(process->pid);
        process->exitcode = plait__status_of(&info);
        wait_for(process, &info, 0);
    } else {                                               /* ECHILD: the host took it; EINTR can't be with WNOHANG */
        plait__reap_all();
        const struct plait__exit_record *record = process->record;           /* NULL: a program, which tells nothing */
        process->exitcode = record && atomic_load(&record->has_ended) ? record->code : PLAIT_EREAPED;
    }
    return true;
}

/* looks at a child that has told its exit code: it will be gone at once */
#define LAST_STEPS 100u

/* To be woken on an idle CPU takes 40 us: a child that ends soon is spun for. First on the word by which it tells its exit code;
 * from there to its end the kernel takes some ten microseconds. */
void plait__spin_for_end(const plait_process *process)
{
    const struct plait__exit_record *record = process->record;
    if (!record || process->sentinel < 0 || !plait__is_member() || !plait__self.spin_limit) return;
    const plait__word *has_ended = &record->has_ended;
    struct plait__wait wait = plait__wait_until(PLAIT_FOREVER);
    while (!atomic_load(has_ended) && plait__spin(&wait)) {}
    if (!atomic_load(has_ended)) {
        plait__spinning_failed();
        return;
    }
    plait__wait_end(&wait);
    for (unsigned i = 0; i < LAST_STEPS && plait__wait_fd(process->sentinel, POLLIN, PLAIT_NOW) == -ETIMEDOUT; i++) plait__relax();
}

/* The end of a pipe comes a little before the zombie; and a raw fork of the child may keep it open after. */
int plait__child_wait(plait_process *process, plait_deadline deadline)
{
    if (!plait__is_now(deadline)) plait__spin_for_end(process);
    int64_t patience = process->is_pidfd ? INT64_MAX / 4 : 20 * PLAIT__MILLISECOND;
    plait_deadline slice = { plait__earlier(deadline, plait__now() + patience) };
    int result = plait__wait_fd(process->sentinel, POLLIN, slice);
    if (!process->is_pidfd && result > 0) plait__wait_fd(-1, 0, (plait_deadline){ plait__now() + PLAIT__MILLISECOND / 4 });
    if (result >= 0 || (result == -ETIMEDOUT && !plait__expired(deadline))) return 0;
    return result == -ETIMEDOUT ? result : plait__fail(result, "poll: %s", plait_strerror(result));
}

int plait__child_signal(plait_process *process, int signal)
{
    int error = process->is_pidfd ? plait__pidfd_signal(process->sentinel, signal) : 0;
    bool refused = error == -ENOSYS || error == -EPERM || error == -EBADF;         /* a sandbox may know only the older call */
    if (!process->is_pidfd || refused) error = kill(process->pid, signal) < 0 ? -errno : 0;
    return error;
}

void plait__child_destroy(plait_process *process)
{
    plait__sentinel_close(process);
    if (process->owner == getpid()) plait_free(process->record);         /* not a fork's copy of the object */
}

/* ---- all kinds ---- */

/* With `reaping` locked. */
static bool look(plait_process *process)
{
    if (!process->has_ended) process->has_ended = process->route->look(process);
    return process->has_ended;
}

bool plait__is_over(plait_process *process)
{
    pthread_mutex_lock(&process->reaping);
    bool ended = look(process);
    pthread_mutex_unlock(&process->reaping);
    return ended;
}

static int wait_for_end(plait_process *process, plait_deadline deadline)
{
    int error = 0;
    plait__announce_join(process->pid);
    do error = process->route->wait(process, deadline);
    while (!error && !plait__is_over(process));
    plait__announce_join(0);
    return error;
}

static int still_runs(const plait_process *process)
{
    plait__fail(-ETIMEDOUT, "%s (pid %d) is still running", process->name, (int)process->pid);
    plait__blame_join(process->pid);
    return -ETIMEDOUT;
}

int plait_process_join(plait_process *process, plait_deadline deadline)
{
    int error = plait__check_started(process);
    if (!error && !plait__is_over(process)) error = wait_for_end(process, deadline);
    if (error && !(error == -ETIMEDOUT && plait__is_over(process)))
        return error == -ETIMEDOUT ? still_runs(process) : error;
    return process->route->finish ? process->route->finish(process, deadline) : 0;
}

int plait_process_exitcode(plait_process *process)
{
    int error = plait__check_started(process);
    if (error) return error == -ECHILD ? PLAIT_EREAPED : error;
    if (!plait__is_over(process)) return PLAIT_ERUNNING;
    return process->detail ? plait__fail(process->exitcode, "%s: %s", process->name, process->detail) : process->exitcode;
}

int plait_process_is_alive(plait_process *process)
{
    int error = plait__check_started(process);
    if (error) return error == PLAIT_ENOTSTARTED ? 0 : error;
    return !plait__is_over(process);
}

static int send_signal(plait_process *process, int signal)
{
    int error = plait__check_started(process);
    if (error) return error;
    if (plait_process_kind(process) == PLAIT_THREADS)
        return plait__is_over(process) ? 0 : plait__fail(-ENOTSUP, "%s: a thread can't be ended from outside", process->name);
    if (!process->plan) return plait__fail(-EINVAL, "%s was not made by plait_process_new", process->name);
    pthread_mutex_lock(&process->reaping);
    if (!look(process)) error = process->route->signal(process, signal);
    pthread_mutex_unlock(&process->reaping);
    if (!error || error == -ESRCH) return 0;
    return plait__fail(error, "kill(%d, %d): %s", (int)process->pid, signal, plait_strerror(error));
}

int plait_process_terminate(plait_process *process)
{
    return send_signal(process, SIGTERM);
}

int plait_process_kill(plait_process *process)
{
    return send_signal(process, SIGKILL);
}

/* ---- for the program's own poll ---- */

int plait_process_sentinel(plait_process *process)
{
    int error = plait__check_started(process);
    if (!error && !process->plan) error = plait__fail(-EINVAL, "%s has no sentinel", process->name);
    if (error) return error;
    pthread_mutex_lock(&process->reaping);
    look(process);
    error = plait__sentinel_have(process);
    int fd = process->sentinel;
    pthread_mutex_unlock(&process->reaping);
    if (error) return plait__fail(error, "a descriptor to watch %s by: %s", process->name, plait_strerror(error));
    if (fd < 0) return plait__fail(-ENOTSUP, "%s: there are no pidfds to watch it by", process->name);
    return fd;
}
