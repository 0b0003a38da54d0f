/* process/served.c - the children of a forkserver, as it sees them. */
#include "process/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "family/repair.h"
#include "family/wait.h"

/* Private to the server. */
static struct child {
    pid_t pid;
    struct plait__seat *seat;                              /* where it sits; NULL: it has something to do */
    struct plait__spawned *spawned;                        /* what it is; NULL: it sits */
    bool is_orphan;                                        /* who asked for it is dead */
} *children;
static size_t count, room;
static bool has_late;                                      /* zombies that have to stay */
static bool has_taken;                                     /* some who were taken, and have not got up yet */

/* ---- new ones ---- */

static bool make_room(void)
{
    if (count < room) return true;
    size_t more = room ? room * 2 : 64;
    struct child *larger = realloc(children, more * sizeof *children);
    if (!larger) return false;
    children = larger;
    room = more;
    return true;
}

pid_t plait__make_child(struct plait__seat *seat, struct plait__spawned *spawned)
{
    if (!make_room()) return -1;
    pid_t server = getpid(), pid = fork();
    if (pid == 0) plait__be_served(server);
    if (pid > 0) children[count++] = (struct child){ .pid = pid, .seat = seat, .spawned = spawned };
    return pid;
}

static bool is_taken(const struct plait__seat *seat)
{
    for (size_t i = 0; i < count; i++)
        if (children[i].seat == seat) return true;
    return false;
}

bool plait__fill_a_seat(struct plait__server_board *board)
{
    uint32_t stock = atomic_load(&board->stock);
    for (uint32_t i = 0; i < stock && i < PLAIT__SEATS_MAX; i++) {
        struct plait__seat *seat = &board->seats[i];
        if (atomic_load(&seat->birth) != PLAIT__EMPTY || is_taken(seat)) continue;
        atomic_store(&seat->has_left, 0);
        pid_t pid = plait__make_child(seat, NULL);
        if (pid == 0) plait__sit(board, seat);
        return pid > 0;
    }
    return false;
}

void plait__empty_seats(struct plait__server_board *board)
{
    const struct plait__seat *first = &board->seats[atomic_load(&board->stock)];
    for (size_t i = 0; i < count; i++) {
        struct plait__seat *seat = children[i].seat;
        uint64_t birth = PLAIT__READY;
        bool sits = seat && seat >= first && atomic_compare_exchange_strong(&seat->birth, &birth, PLAIT__EMPTY);
        if (sits) kill(children[i].pid, SIGKILL);
    }
}

/* ---- those that were taken ---- */

static struct plait__spawned *spawned_in(const struct plait__seat *seat)
{
    uint64_t birth = atomic_load(&seat->birth);
    return birth == PLAIT__READY || birth == PLAIT__EMPTY ? NULL : (struct plait__spawned *)(uintptr_t)birth;
}

/* It has got up, and its seat can be given to another.  Or it still sleeps: who has taken it may have died before he woke it. */
static void note_those_who_left(void)
{
    has_taken = false;
    for (size_t i = 0; i < count; i++) {
        struct plait__seat *seat = children[i].seat;
        if (!seat || !spawned_in(seat)) continue;
        if (!atomic_load(&seat->has_left)) {
            has_taken = true;
            plait__wake(plait__low_half(&seat->birth), 1);
            continue;
        }
        children[i].spawned = spawned_in(seat);
        children[i].seat = NULL;
        atomic_store(&seat->birth, PLAIT__EMPTY);
    }
}

/* ---- ends ---- */

/* Tell who asked for it. */
static void settle(struct child *child, int status)
{
    struct plait__spawned *spawned = child->spawned;
    if (!spawned) return;
    struct plait__service *service = &spawned->service;
    service->status = status;
    atomic_store(&service->has_status, 1);
    uint32_t runs = PLAIT__RUNS;
    atomic_compare_exchange_strong(&spawned->record.has_ended, &runs, PLAIT__ENDED_UNTOLD);
    plait__wake(&spawned->record.has_ended, INT32_MAX);
    plait__spawned_drop(spawned, PLAIT__HELD_BY_SERVER | (child->is_orphan ? PLAIT__HELD_BY_USER : 0));
}

/* It died before it could say that it had begun: who asked has to learn its number, else he would never watch it. Or it died
 * between saying so and waking him. */
static void answer_for(const struct child *child)
{
    if (!child->spawned || atomic_load(&child->spawned->service.is_watched)) return;
    if (atomic_load(&child->spawned->service.answer) != PLAIT__UNANSWERED) {
        plait__wake(&child->spawned->service.answer, 1);
        return;
    }
    atomic_store(&child->spawned->service.pid, child->pid);
    plait__answer(child->spawned, NULL);
}

/* Who asked has a descriptor for the number, or will never have one. */
static bool may_go(const struct child *child)
{
    return !child->spawned || child->is_orphan || atomic_load(&child->spawned->service.is_watched);
}

/* False: its zombie has to stay for now.  One that sits may have been taken in the moment of its death. */
static bool bury(size_t i, const siginfo_t *info)
{
    struct child *child = &children[i];
    if (child->seat) {
        child->spawned = spawned_in(child->seat);
        uint64_t birth = PLAIT__READY;
        if (!child->spawned && !atomic_compare_exchange_strong(&child->seat->birth, &birth, PLAIT__EMPTY))
            child->spawned = spawned_in(child->seat);
    }
    answer_for(child);
    if (!may_go(child)) return false;
    siginfo_t unused;
    plait__process_is_gone(child->pid);
    waitid(P_PID, (id_t)child->pid, &unused, WEXITED | WNOHANG);
    if (child->seat) atomic_store(&child->seat->birth, PLAIT__EMPTY);
    settle(child, plait__status_of(info));
    children[i] = children[--count];
    return true;
}

static size_t find(pid_t pid)
{
    size_t i = 0;
    while (i < count && children[i].pid != pid) i++;
    return i;
}

/* In the order in which the kernel has them, until one has to stay. */
static bool bury_in_order(void)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return true;
        size_t i = find(info.si_pid);
        if (i == count) waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);        /* one that preload has made */
        else if (!bury(i, &info)) return false;
    }
}

void plait__bury_children(void)
{
    note_those_who_left();
    has_late = !bury_in_order();
    for (size_t i = count; has_late && i-- > 0;) {
        siginfo_t info = { 0 };
        if (waitid(P_PID, (id_t)children[i].pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) bury(i, &info);
    }
}

/* They have nothing left to do but to be taken apart, which may be waited for: also one that was stopped in its last step ends. */
void plait__bury_those_who_told(void)
{
    note_those_who_left();
    for (size_t i = 0; i < count; i++) {
        siginfo_t unused;
        const struct plait__spawned *spawned = children[i].spawned;
        if (!spawned || atomic_load(&spawned->record.has_ended) != PLAIT__TOLD) continue;
        kill(children[i].pid, SIGKILL);
        waitid(P_PID, (id_t)children[i].pid, &unused, WEXITED | WNOWAIT);
    }
    plait__bury_children();
}

bool plait__has_late_children(void)
{
    return has_late || has_taken;
}

/* Those that were killed in their seats have nothing to do. */
static bool has_children(bool (*is_one)(const struct plait__spawned *))
{
    note_those_who_left();
    for (size_t i = 0; i < count; i++) {
        const struct plait__spawned *spawned = children[i].seat ? spawned_in(children[i].seat) : children[i].spawned;
        if (spawned && !spawned->birth.plan->detached && is_one(spawned)) return true;
    }
    return false;
}

static bool is_any(const struct plait__spawned *spawned)
{
    (void)spawned;
    return true;
}

static bool runs(const struct plait__spawned *spawned)
{
    return atomic_load(&spawned->record.has_ended) == PLAIT__RUNS;
}

bool plait__has_children(void)
{
    return has_children(is_any);
}

bool plait__has_running_children(void)
{
    return has_children(runs);
}

void plait__children_of(pid_t user)
{
    note_those_who_left();
    for (size_t i = 0; i < count; i++) {
        struct plait__spawned *spawned = children[i].seat ? spawned_in(children[i].seat) : children[i].spawned;
        if (!spawned || (user && spawned->birth.parent != user)) continue;
        children[i].is_orphan = true;
        if (!spawned->birth.plan->detached) kill(children[i].pid, SIGKILL);
    }
}
