/* process/seat.c - the stock of a forkserver: children that are ready, and wait for something to do. */
#include "process/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "arena/map.h"
#include "base/fault.h"
#include "family/wait.h"

/* ---- whoever wants a child ---- */

/* One that was killed while it sat may still look READY: then this one has been killed before it began, and the server tells.  Between
 * the look at the number and the exchange another child may have come to sit there. */
static enum plait__taken take(struct plait__seat *seat, struct plait__spawned *spawned)
{
    uint64_t birth = PLAIT__READY;
    if (atomic_load(&seat->birth) != PLAIT__READY) return PLAIT__NONE_TAKEN;
    pid_t pid = atomic_load(&seat->pid);
    atomic_store(&spawned->service.pid, pid);
    if (!atomic_compare_exchange_strong(&seat->birth, &birth, (uintptr_t)spawned)) return PLAIT__NONE_TAKEN;
    return atomic_load(&seat->pid) == pid ? PLAIT__TAKEN : PLAIT__TAKEN_UNKNOWN;
}

enum plait__taken plait__take_seat(struct plait__server_board *board, struct plait__spawned *spawned)
{
    uint32_t stock = atomic_load(&board->stock), first = atomic_load(&board->first);
    if (stock > PLAIT__SEATS_MAX) stock = PLAIT__SEATS_MAX;
    for (uint32_t i = 0; i < stock; i++) {
        struct plait__seat *seat = &board->seats[(first + i) % stock];
        enum plait__taken taken = take(seat, spawned);
        if (taken == PLAIT__NONE_TAKEN) continue;
        PLAIT__POINT(SEAT_TAKEN);
        atomic_store(&board->first, (first + i + 1) % stock);
        plait__wake(plait__low_half(&seat->birth), 1);
        return taken;
    }
    return PLAIT__NONE_TAKEN;
}

/* ---- the child ---- */

/* It is no member yet: nobody has to watch whether it lives, and it watches nobody.  With its server it ends; a taker who dies before
 * he has woken it is noticed by the server. */
void plait__sit(const struct plait__server_board *board, struct plait__seat *seat)
{
    uint64_t ready = PLAIT__READY;
    plait__warm_up();
    atomic_store(&seat->pid, getpid());
    atomic_store(&seat->birth, PLAIT__READY);
    bool is_wanted = seat - board->seats < (ptrdiff_t)atomic_load(&board->stock);          /* the stock may be a smaller one meanwhile */
    if (!is_wanted && atomic_compare_exchange_strong(&seat->birth, &ready, PLAIT__EMPTY)) _exit(0);
    while (atomic_load(&seat->birth) == PLAIT__READY) plait__wait_unwatchful(plait__low_half(&seat->birth), 0);
    struct plait__spawned *spawned = (struct plait__spawned *)(uintptr_t)atomic_load(&seat->birth);
    atomic_store(&seat->has_left, 1);
    plait__serve_one(spawned, NULL, 0);
}

/* ---- being what was asked for ---- */

static bool is_wanted(const struct plait__plan *plan, int fd)
{
    for (size_t i = 0; i < plan->fd_count; i++)
        if (plan->fds[i] == fd) return true;
    return fd < 3;
}

/* Out of the way of the numbers that are wanted; not below `least`, which grows, as those there have been seen to be wanted or in use. */
static int move_away(const struct plait__plan *plan, int fd, int *least)
{
    int moved = fd;
    while (moved >= 0 && is_wanted(plan, moved)) {
        if (moved != fd) close(moved);
        moved = fcntl(fd, F_DUPFD_CLOEXEC, *least);
        *least = moved + 1;
    }
    if (moved != fd) close(fd);
    return moved;
}

static int place_descriptors(const struct plait__spawned *spawned, int *sent, unsigned count)
{
    const struct plait__plan *plan = spawned->birth.plan;
    int least = 3;
    plait__arena_fd = move_away(plan, plait__arena_fd, &least);
    for (unsigned i = 0; i < count; i++)
        if ((sent[i] = move_away(plan, sent[i], &least)) < 0) return -1;
    unsigned first = count - (unsigned)plan->fd_count;
    for (size_t i = 0; i < plan->fd_count; i++)
        if (dup2(sent[first + i], plan->fds[i]) < 0) return -1;
    return 0;
}

static int apply(const struct plait__spawned *spawned, int *sent, unsigned count, struct plait__report *report)
{
    int sources[3];
    if (place_descriptors(spawned, sent, count) < 0) {
        *report = (struct plait__report){ PLAIT__STEP_FDS, errno };
        return -1;
    }
    for (int i = 0; i < 3; i++) sources[i] = spawned->service.given[i] >= 0 ? sent[spawned->service.given[i]] : spawned->service.given[i];
    int error = plait__plan_apply(spawned->birth.plan, sources, false, report);
    for (unsigned i = 0; i < count; i++) close(sent[i]);
    return error;
}

void plait__serve_one(struct plait__spawned *spawned, int *sent, unsigned count)
{
    struct plait__report report;
    const struct plait__plan *plan = spawned->birth.plan;
    atomic_store(&spawned->service.pid, getpid());
    if (apply(spawned, sent, count, &report) < 0) {
        plait__answer(spawned, &report);
        _exit(127);
    }
    if (plan->environment) environ = plan->environment;
    if (plan->detached) prctl(PR_SET_PDEATHSIG, 0);        /* who has started it may be gone as soon as he has the answer */
    plait__answer(spawned, NULL);
    plait__spawned_run(spawned);
}
