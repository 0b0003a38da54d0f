/* process/process.c - starting, joining, signalling. */
#include "process/process_internal.h"
#include "process/sentinel.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "base/fault.h"
#include "base/libc.h"
#include "family/pidfd.h"
#include "family/repair.h"
#include "family/roster.h"
#include "family/wait.h"

_Static_assert(sizeof(plait_process_options) == 72, "part of the ABI");

_Atomic uint32_t plait__children_started;
char plait__identity[48];

/* ---- the object ---- */

static int check(int (*function)(void *), const void *argument, size_t size, const plait_process_options *options)
{
    if (!function) return plait__fail(-EINVAL, "the function is NULL");
    if (!argument && size) return plait__fail(-EINVAL, "the argument is NULL, its size %zu", size);
    for (unsigned i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i] || options->reserved_int) return plait__fail(-EINVAL, "a reserved field is not zero");
    return 0;
}

static void destroy(plait_process *process)
{
    plait__sentinel_close(process);
    if (process->parent == getpid()) plait_free(process->record);         /* not a fork's copy of the object */
    pthread_mutex_destroy(&process->reaping);
    free(process);
}

static plait_process *create(void)
{
    plait_process *process = calloc(1, sizeof *process);
    if (!process) {
        plait__fail(-ENOMEM, "no private memory for a process object");
        return plait__null(-ENOMEM);
    }
    process->sentinel = -1;
    process->parent = getpid();
    pthread_mutex_init(&process->reaping, NULL);
    process->record = plait_alloc(sizeof *process->record);
    if (process->record) return process;
    int error = errno;
    destroy(process);
    return plait__null(error);
}

/* "Worker-2", in a child "Worker-1:2"; `identity` gets the part after the dash. */
static void give_name(plait_process *process, const plait_process_options *options, char *identity, size_t size)
{
    unsigned number = atomic_fetch_add(&plait__children_started, 1) + 1;
    snprintf(identity, size, "%.32s%s%u", plait__identity, *plait__identity ? ":" : "", number);
    if (options->name) snprintf(process->name, sizeof process->name, "%s", options->name);
    else snprintf(process->name, sizeof process->name, "%.30s-%.32s", options->class_name ? options->class_name : "Process",
                  identity);
}

/* ---- starting ---- */

static void flush_if_free(FILE *stream)
{
    if (ftrylockfile(stream) != 0) return;
    fflush(stream);
    funlockfile(stream);
}

bool plait__flush_streams(bool all)
{
    if (all && plait__single_threaded()) {
        fflush(NULL);
        return true;
    }
    flush_if_free(stdout);
    flush_if_free(stderr);
    return false;
}

static int fork_failed(int error)
{
    struct rlimit limit = { 0 };
    getrlimit(RLIMIT_NPROC, &limit);
    if (error == EAGAIN && limit.rlim_cur != RLIM_INFINITY)
        return plait__fail(-error, "fork: %s; this user may have %llu processes (RLIMIT_NPROC)", plait_strerror(error),
                           (unsigned long long)limit.rlim_cur);
    return plait__fail(-error, "fork: %s", plait_strerror(error));
}

static void kill_unwatched(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static int fork_child(plait_process *process, struct plait__birth *birth)
{
    struct plait__reservation reserved;
    int error = plait__sentinel_reserve(&reserved);
    if (error) return error;
    birth->all_flushed = plait__flush_streams(true);       /* so that the child does not write the same bytes once more */
    pid_t pid = fork();
    if (pid == 0) {
        birth->parent_pidfd = plait__sentinel_in_child(&reserved);
        plait__child_run(birth);
    }
    if (pid < 0) {
        error = fork_failed(errno);
        plait__sentinel_drop(&reserved);
        return error;
    }
    process->pid = pid;
    error = plait__sentinel_take(process, &reserved);
    if (!error) return 0;
    kill_unwatched(pid);
    return plait__fail(error, "a descriptor to watch the child by: %s", plait_strerror(error));
}

/* A copy that the child inherits: what the caller's pointer points to may change before the child reads it. */
static void *copy_argument(const void *argument, size_t size)
{
    void *copy = malloc(size);
    if (copy) return memcpy(copy, argument, size);
    plait__fail(-ENOMEM, "no private memory for an argument of %zu bytes: %s", size, plait_strerror(-ENOMEM));
    return plait__null(-ENOMEM);
}

plait_process *plait_start(int (*function)(void *argument), const void *argument, size_t size,
                           const plait_process_options *options)
{
    static const plait_process_options defaults;
    if (!options) options = &defaults;
    int error = check(function, argument, size, options);
    if (!error) error = plait__member();
    if (error) return plait__null(error);

    void *copy = size ? copy_argument(argument, size) : NULL;
    plait_process *process = size && !copy ? NULL : create();
    char identity[sizeof plait__identity];
    if (process) {
        give_name(process, options, identity, sizeof identity);
        struct plait__birth birth = {
            .function = function,
            .argument = size ? copy : (void *)(uintptr_t)argument,
            .name = process->name,
            .identity = identity,
            .record = process->record,
            .parent = getpid(),
            .daemon = options->daemon != 0,
            .from_main_thread = syscall(SYS_gettid) == getpid(),
        };
        error = fork_child(process, &birth);
    } else {
        error = -errno;
    }
    free(copy);
    if (!error) return process;
    if (process) destroy(process);
    return plait__null(error);
}

/* ---- its end ---- */

static int status_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
}

#ifndef P_PIDFD
#define P_PIDFD 3                                          /* Linux 5.4 */
#endif

/* waitid by the descriptor, where there is one: were the status taken by a wait() of the host, the pid could be another child's.
 * EINVAL: a kernel that can't; EBADF: the host has put another one in its place. */
static int wait_for(const plait_process *process, siginfo_t *info, int flags)
{
    *info = (siginfo_t){ 0 };
    if (process->is_pidfd && waitid((idtype_t)P_PIDFD, (id_t)process->sentinel, info, WEXITED | WNOHANG | flags) == 0) return 0;
    if (process->is_pidfd && errno != EINVAL && errno != EBADF) return -errno;
    return waitid(P_PID, (id_t)process->pid, info, WEXITED | WNOHANG | flags) < 0 ? -errno : 0;
}

/* Has it ended?  With `reaping` locked.  The zombie is looked at before it is reaped: as long as it is there, its pid is nobody
 * else's, and the pulses of its threads must have fallen. */
static bool look(plait_process *process)
{
    if (process->has_ended) return true;
    plait__sentinel_keep(process);
    siginfo_t info;
    if (wait_for(process, &info, WNOWAIT) == 0) {
        bool gone = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
        if (info.si_pid == 0 || !gone) return false;       /* not gone: stopped, in a host that traces its own children */
        plait__process_is_gone(process->pid);
        process->exitcode = status_of(&info);
        wait_for(process, &info, 0);
    } else {                                               /* ECHILD: the host took it; EINTR can't be with WNOHANG */
        plait__reap_all();
        bool told = atomic_load(&process->record->has_ended);
        process->exitcode = told ? process->record->code : PLAIT_EREAPED;
    }
    return process->has_ended = true;
}

static bool has_ended(plait_process *process)
{
    pthread_mutex_lock(&process->reaping);
    bool ended = look(process);
    pthread_mutex_unlock(&process->reaping);
    return ended;
}

static int check_ours(const plait_process *process)
{
    if (!process) return plait__fail(-EINVAL, "the process is NULL");
    if (process->parent == getpid()) return 0;
    return plait__fail(-ECHILD, "%s was started by process %d, only that one can wait for it", process->name, (int)process->parent);
}

int plait_process_join(plait_process *process, plait_deadline deadline)
{
    int error = check_ours(process);
    if (error) return error;
    while (!has_ended(process)) {
        /* The end of a pipe comes a little before the zombie; and a raw fork of the child may keep it open after. */
        int64_t patience = process->is_pidfd ? INT64_MAX / 4 : 20 * PLAIT__MILLISECOND;
        plait_deadline slice = { plait__earlier(deadline, plait__now() + patience) };
        int result = plait__wait_fd(process->sentinel, POLLIN, slice);
        if (result < 0 && result != -ETIMEDOUT) return plait__fail(result, "poll: %s", plait_strerror(result));
        if (!process->is_pidfd && result > 0) plait__wait_fd(-1, 0, (plait_deadline){ plait__now() + PLAIT__MILLISECOND / 4 });
        if (result == -ETIMEDOUT && plait__expired(deadline) && !has_ended(process))
            return plait__fail(-ETIMEDOUT, "%s (pid %d) is still running", process->name, (int)process->pid);
    }
    return 0;
}

int plait_process_exitcode(plait_process *process)
{
    int error = check_ours(process);
    if (error) return error == -ECHILD ? PLAIT_EREAPED : error;
    return has_ended(process) ? process->exitcode : PLAIT_ERUNNING;
}

int plait_process_is_alive(plait_process *process)
{
    int error = check_ours(process);
    return error ? error : !has_ended(process);
}

pid_t plait_process_pid(const plait_process *process)
{
    return process ? process->pid : plait__fail(-EINVAL, "the process is NULL");
}

const char *plait_process_name(const plait_process *process)
{
    return process ? process->name : "";
}

int plait_process_sentinel(const plait_process *process)
{
    return process ? process->sentinel : plait__fail(-EINVAL, "the process is NULL");
}

static int send_signal(plait_process *process, int signal)
{
    int error = check_ours(process);
    if (error) return error;
    pthread_mutex_lock(&process->reaping);
    if (!look(process)) {
        if (process->is_pidfd) error = plait__pidfd_signal(process->sentinel, signal);
        bool refused = error == -ENOSYS || error == -EPERM || error == -EBADF;         /* a sandbox may know only the older call */
        if (!process->is_pidfd || refused) error = kill(process->pid, signal) < 0 ? -errno : 0;
    }
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

int plait_process_free(plait_process *process)
{
    if (!process) return 0;
    if (process->parent == getpid() && !has_ended(process))
        return plait__fail(PLAIT_ERUNNING, "%s (pid %d) is still running", process->name, (int)process->pid);
    destroy(process);
    return 0;
}
