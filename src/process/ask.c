/* process/ask.c - children of a forkserver, for who asks for them. */
#include "process/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/pidfd.h"
#include "family/wait.h"
#include "process/sentinel.h"
#include "process/serve.h"
#include "process/stream.h"

static bool server_is_dead(const struct plait__service *service)
{
    return plait__fate(service->server) != PLAIT__LIVES;
}

/* ---- asking ---- */

/* The descriptor that is to become a standard stream; -1: /dev/null; -2: as the server's. */
static int source_of(const plait_process *process, const struct plait__streams *streams, int number)
{
    int stream = process->plan->streams[number];
    if (stream == PLAIT_STREAM_DEFAULT) return -2;         /* its standard input is /dev/null */
    if (stream != PLAIT_STREAM_INHERIT) return streams->sources[number];
    return fcntl(number, F_GETFD) < 0 ? -1 : number;
}

/* Which descriptors have to be sent, and what becomes of them. */
static unsigned choose_descriptors(const plait_process *process, const struct plait__streams *streams,
                                   struct plait__service *service, int *fds)
{
    const struct plait__plan *plan = process->plan;
    unsigned count = 0;
    for (int i = 0; i < 3; i++) {
        int source = source_of(process, streams, i);
        service->given[i] = source < 0 ? source : (int32_t)count;
        if (source >= 0) fds[count++] = source;
    }
    for (size_t i = 0; i < plan->fd_count; i++) fds[count++] = plan->fds[i];
    return service->sent = count;
}

/* Until it, or the server for it, has answered.  What it answered before the server died counts. */
static int wait_for_answer(const plait_process *process, struct plait__service *service)
{
    struct plait__wait wait = plait__wait_until(PLAIT_FOREVER);
    bool dead = false;
    while (atomic_load(&service->answer) == PLAIT__UNANSWERED && !dead) {
        dead = server_is_dead(service);
        if (!dead) plait__wait(&wait, &service->answer, PLAIT__UNANSWERED, (uint32_t)service->server & 0xffff);
    }
    plait__wait_end(&wait);
    switch (atomic_load(&service->answer)) {
    case PLAIT__BEGUN: return 0;
    case PLAIT__FAILED: return plait__plan_failed(process->plan, &service->report);
    default: return plait__fail(-ECANCELED, "the forkserver was killed");
    }
}

/* Fewer than half of those that there should be are ready: they are made now, not when a child ends. */
static bool is_low(const struct plait__server_board *board)
{
    uint32_t stock = atomic_load(&board->stock), ready = 0;
    for (uint32_t i = 0; i < stock && i < PLAIT__SEATS_MAX; i++) ready += atomic_load(&board->seats[i].birth) == PLAIT__READY;
    return ready * 2 < stock;
}

/* A child of the stock has all that it needs, but for settings that it may fail to apply; and who lets go of it has to know that it
 * is free of the server. */
static bool must_answer(const struct plait__plan *plan)
{
    return plan->detached || plait__plan_may_fail(plan);
}

/* 0; else nobody was told of it, the block is ours alone. */
static int ask(const struct plait__server *server, struct plait__spawned *spawned, const int *fds, unsigned count, bool *wait)
{
    *wait = true;
    enum plait__taken taken = count ? PLAIT__NONE_TAKEN : plait__take_seat(server->board, spawned);
    if (taken == PLAIT__NONE_TAKEN) return plait__server_ask(server, spawned, fds, count);
    if (is_low(server->board)) plait__server_look(server);
    *wait = taken == PLAIT__TAKEN_UNKNOWN || must_answer(spawned->birth.plan);
    return 0;
}

/* The number is the child's as long as the server lives: its zombie stays until it is watched. */
static int watch(plait_process *process, struct plait__service *service)
{
    process->pid = atomic_load(&service->pid);
    int error = plait__sentinel_of_served(process);
    if (!error) return 0;
    if (server_is_dead(service)) return plait__fail(-ECANCELED, "the forkserver was killed");
    kill(process->pid, SIGKILL);
    return plait__fail(error, "a descriptor to watch the child by: %s", plait_strerror(error));
}

/* What a dead server held it holds no longer.  But a child of it, which is being killed, may: if in doubt, the block stays. */
static void give_back(struct plait__spawned *spawned, bool child_has_gone)
{
    bool is_all_ours = child_has_gone && server_is_dead(&spawned->service);
    plait__spawned_drop(spawned, PLAIT__HELD_BY_USER | (is_all_ours ? PLAIT__HELD_BY_SERVER : 0));
}

#define LAST_STEPS PLAIT__SECOND

/* One that was never watched, of a dead server. */
static bool wait_until_gone(const struct plait__service *service)
{
    pid_t pid = atomic_load(&service->pid);
    int fd = pid ? plait__pidfd_open(pid) : -EINVAL;
    bool gone = fd == -ESRCH || (fd >= 0 && plait__wait_fd(fd, POLLIN, (plait_deadline){ plait__now() + LAST_STEPS }) > 0);
    if (fd >= 0) close(fd);
    return gone;
}

static int wait_and_watch(plait_process *process, struct plait__spawned *spawned, bool wait)
{
    struct plait__service *service = &spawned->service;
    PLAIT__POINT(ASKED);
    int error = wait ? wait_for_answer(process, service) : 0;
    if (!error) error = watch(process, service);
    atomic_store(&service->is_watched, 1);
    if (!error) process->record = &spawned->record;
    else give_back(spawned, server_is_dead(service) && wait_until_gone(service));
    return error;
}

static int start_spawned(plait_process *process, const struct plait__server *server, struct plait__spawned *spawned,
                         const struct plait__streams *streams)
{
    int fds[PLAIT__SENT_MAX];
    bool wait;
    unsigned count = choose_descriptors(process, streams, &spawned->service, fds);
    spawned->birth.is_served = true;
    spawned->service.server = atomic_load(&server->board->owner);
    atomic_store(&spawned->service.holders, PLAIT__HELD_BY_USER | PLAIT__HELD_BY_SERVER);
    int error = ask(server, spawned, fds, count, &wait);
    if (!error) return wait_and_watch(process, spawned, wait);
    plait_free(spawned);
    return error;
}

/* There is room for a descriptor to watch it by, as far as that can be known before there is a child. */
static int check_room(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) fd = open("/", O_PATH | O_CLOEXEC);
    if (fd < 0) return plait__fail(-errno, "a descriptor to watch the child by: %s", plait_strerror(-errno));
    close(fd);
    return 0;
}

static int start_by(plait_process *process, const struct plait__server *server)
{
    struct plait__streams streams;
    int error = plait__streams_make(process, &streams);
    if (error) return error;
    error = check_room();
    struct plait__spawned *spawned = error ? NULL : plait__spawned_new(process);
    if (!error) error = spawned ? start_spawned(process, server, spawned, &streams) : -errno;
    if (error) plait__streams_drop(process, &streams);
    else plait__streams_given(&streams);
    return error;
}

/* One that dies meanwhile is replaced, once: a child that had begun has ended with it. */
static int start(plait_process *process)
{
    if (process->plan->fd_count > PLAIT__SENT_MAX - 3)
        return plait__fail(-EINVAL, "%zu descriptors; 250 are possible", process->plan->fd_count);
    int error = -ECANCELED;
    for (int tries = 0; tries < 2 && error == -ECANCELED; tries++) {
        struct plait__server *server = plait__server_use();
        if (!server) return -errno;
        error = start_by(process, server);
        plait__server_release(server);
    }
    if (error) process->pid = 0;
    return error;
}

/* ---- its end ---- */

static struct plait__spawned *spawned_of(const plait_process *process)
{
    return (struct plait__spawned *)process->record;
}

/* Until the child has told, or its server for it, or nobody can any more. */
static int wait_until_told(struct plait__spawned *spawned, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_END, NULL, deadline);
    plait__word *has_ended = &spawned->record.has_ended;
    int error = 0;
    while (!error && atomic_load(has_ended) == PLAIT__RUNS && !server_is_dead(&spawned->service))
        error = plait__wait(&wait, has_ended, PLAIT__RUNS, (uint32_t)spawned->service.server & 0xffff);
    plait__wait_end(&wait);
    return error;
}

/* The program may have closed the descriptor: another one, for a number that is the child's as long as the server has not told
 * how it ended. */
static void keep_sentinel(plait_process *process, const struct plait__service *service)
{
    if (process->sentinel < 0 || plait__sentinel_is_ours(process)) return;
    process->sentinel = -1;
    process->is_pidfd = false;
    if (!server_is_dead(service) && !atomic_load(&service->has_status)) plait__sentinel_of_served(process);
}

static bool has_gone(plait_process *process)
{
    return process->is_pidfd && plait__wait_fd(process->sentinel, POLLIN, PLAIT_NOW) > 0;
}

/* Those of a dead server get another parent, which may be this process (PR_SET_CHILD_SUBREAPER, or the first one of a
 * container).  Of others only they themselves can have said it. */
static int status_untold(const plait_process *process)
{
    siginfo_t info = { 0 };
    uint32_t last_words = atomic_load(&spawned_of(process)->record.last_words);
    bool is_adopted = process->is_pidfd && waitid((idtype_t)P_PIDFD, (id_t)process->sentinel, &info, WEXITED | WNOHANG) == 0;
    if (is_adopted && info.si_pid) return plait__status_of(&info);
    return last_words ? (int)(last_words & 0xff) : PLAIT_EREAPED;
}

/* Why it could not run its function, it has told by itself. */
static void set_exitcode(plait_process *process, uint32_t told)
{
    const struct plait__spawned *spawned = spawned_of(process);
    if (told == PLAIT__TOLD) process->exitcode = spawned->record.code;
    else if (told == PLAIT__ENDED_UNTOLD) process->exitcode = spawned->service.status;
    else process->exitcode = status_untold(process);
    if (told == PLAIT__TOLD && process->exitcode < 0) process->detail = spawned->detail;
}

#define PATIENCE (PLAIT__SECOND / 10)

/* The descriptor has told of its end, and nobody of how it came.  The server will, unless it is stopped, or dead; if there are last
 * words, that need not be waited for. */
static bool is_overdue(plait_process *process)
{
    if (atomic_load(&spawned_of(process)->record.last_words)) return true;
    int64_t now = plait__now(), none = 0;
    atomic_compare_exchange_strong(&process->gone_since, &none, now);
    return now - atomic_load(&process->gone_since) >= PATIENCE || server_is_dead(&spawned_of(process)->service);
}

/* Without a pidfd: the children of a dead server die with it, soon. */
static bool is_taken_for_dead(const plait_process *process)
{
    return !process->is_pidfd && server_is_dead(&spawned_of(process)->service);
}

/* The child tells its exit code by itself; how it was killed tells the server, soon after the descriptor does. */
static bool look(plait_process *process)
{
    struct plait__spawned *spawned = spawned_of(process);
    keep_sentinel(process, &spawned->service);
    bool is_told = atomic_load(&spawned->record.has_ended) != PLAIT__RUNS;
    bool has_ended = is_told || (has_gone(process) && is_overdue(process)) || is_taken_for_dead(process);
    if (has_ended) set_exitcode(process, atomic_load(&spawned->record.has_ended));
    return has_ended;
}

/* Longer than that the descriptor is waited for, which tells of every end, but some time after the child has. */
#define AT_FIRST (20 * PLAIT__MILLISECOND)

/* The descriptor, if there is one that has something to tell.  Who is no member, because the family is full, looks again and again
 * for what the server tells. */
static int wait_for_descriptor(const plait_process *process, bool has_descriptor, plait_deadline deadline)
{
    plait_deadline slice = { plait__earlier(deadline, plait__now() + PLAIT__MILLISECOND) };
    int result = plait__wait_fd(has_descriptor ? process->sentinel : -1, POLLIN, has_descriptor ? deadline : slice);
    return result == -ETIMEDOUT && plait__expired(deadline) ? -ETIMEDOUT : 0;
}

static int wait_for_end(plait_process *process, plait_deadline deadline)
{
    struct plait__spawned *spawned = spawned_of(process);
    bool is_member = plait__member() == 0, has_descriptor = process->is_pidfd && plait__sentinel_is_ours(process);
    int64_t gone = atomic_load(&process->gone_since);
    int64_t until = gone ? gone + PATIENCE : has_descriptor ? plait__now() + AT_FIRST : INT64_MAX / 4;
    if (is_member) wait_until_told(spawned, (plait_deadline){ plait__earlier(deadline, until) });
    if (atomic_load(&spawned->record.has_ended) != PLAIT__RUNS) return 0;
    if (gone && is_member) return plait__expired(deadline) ? -ETIMEDOUT : 0;
    return wait_for_descriptor(process, has_descriptor && !gone, deadline);
}

/* A server that died holds the block no longer; but a child that has left it may go on, and without a pidfd nobody knows. */
static void destroy(plait_process *process)
{
    struct plait__spawned *spawned = spawned_of(process);
    bool knows_end = process->is_pidfd || !process->plan->detached;
    plait__sentinel_close(process);
    if (process->owner != getpid()) return;
    give_back(spawned, knows_end);
}

const struct plait__route plait__server_route = {
    .start = start, .look = look, .wait = wait_for_end, .signal = plait__child_signal, .destroy = destroy,
};
