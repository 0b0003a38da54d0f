/* sync/barrier.c - who has come is in the cells, how it ended in the state; both name the generation that they are about.
 *
 * A generation is the time until all are there, or until a reset.  Who comes takes, in their order, the first cell that is not of
 * the present generation, by one compare-and-swap that writes who it is.  So those of a generation stand side by side from the
 * first cell on, and who takes the last cell is the last to come: it alone moves the generation on.  Cells of earlier generations
 * mean nothing any more.
 *
 *   state   63      32  31        4   3   2   0
 *          | history   | generation | W | why   |
 *   cell    63      32  31  30       16 15     0
 *          | life      | 0 | generation | slot  |             an owner word (owner.h), with the generation as its mark
 *
 * why: not 0 if it is broken.  W: somebody sleeps on the low half.  History: how the last 32 generations ended, the latest in the
 * lowest bit, 1: all were there.
 *
 * Nothing is half done: who was killed had come or not, and all were there or not.  Whoever waits looks, before each sleep and
 * after every death of the family, at those who have come, and breaks the barrier when one of them is no more. */
#include <plait/barrier.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <plait/arena.h>

#include "base/error.h"
#include "code/function.h"
#include "sync/owner.h"

#define STAMP 0x42415231u                                  /* "BAR1" */
#define WAITERS UINT64_C(8)
#define WHY UINT64_C(7)
#define HISTORY 32u

enum why { WHOLE, ABORTED, TIMED_OUT, DIED, LEFT, FAILED, RESET };

struct plait_barrier {
    uint32_t stamp, parties;
    uint32_t action_size;                                  /* 0: no action */
    _Atomic uint32_t resets;                               /* counted up before each */
    void *argument;
    _Alignas(64) _Atomic uint64_t state;
    _Alignas(64) _Atomic uint64_t cells[];                 /* of those who come, then as many of named parties, then the action */
};

static inline uint32_t generation_in(uint64_t state)
{
    return (uint32_t)state >> 4;
}

/* Still that one, and not broken. */
static inline bool is_open(uint64_t state, uint32_t generation)
{
    return generation_in(state) == generation && !(state & WHY);
}

static inline _Atomic uint64_t *names_of(const plait_barrier *barrier)
{
    return (_Atomic uint64_t *)(uintptr_t)barrier->cells + barrier->parties;
}

static inline struct plait__function *action_of(const plait_barrier *barrier)
{
    return (struct plait__function *)(uintptr_t)(names_of(barrier) + barrier->parties);
}

static inline bool is_barrier(const plait_barrier *barrier)
{
    return barrier && (uintptr_t)barrier % _Alignof(plait_barrier) == 0 && barrier->stamp == STAMP;
}

static int not_a_barrier(const plait_barrier *barrier)
{
    return plait__fail(-EINVAL, barrier ? "at %p is no barrier" : "the barrier is NULL", (const void *)barrier);
}

static int check(const plait_barrier *barrier)
{
    return is_barrier(barrier) ? plait__member() : not_a_barrier(barrier);
}

/* ---- cells ---- */

static inline uint64_t mark_of(uint32_t generation)
{
    return (uint64_t)(generation & 0x7fff) << 16;
}

static inline bool has_come(uint64_t cell, uint32_t generation)
{
    return plait__owner_slot(cell) && (cell & PLAIT__MARKS) == mark_of(generation);
}

static uint32_t count_come(const plait_barrier *barrier, uint32_t generation)
{
    uint32_t count = 0;
    while (count < barrier->parties && has_come(atomic_load(&barrier->cells[count]), generation)) count++;
    return count;
}

/* Take the first free cell: its number; as many as there are parties if none is free; or -1: the state is not `generation`,
 * unbroken, any more.  The look at the state between that at the cell and the swap is what keeps one who was stopped for long from
 * taking the cell of somebody in a later generation. */
static int come(plait_barrier *barrier, uint32_t generation)
{
    uint32_t i = 0;
    while (i < barrier->parties) {
        uint64_t seen = atomic_load(&barrier->cells[i]), state = atomic_load(&barrier->state);
        if (!is_open(state, generation)) return -1;
        if (has_come(seen, generation)) i++;
        else if (atomic_compare_exchange_strong(&barrier->cells[i], &seen, plait__self.owner | mark_of(generation))) break;
    }
    return (int)i;
}

/* ---- who is missing ---- */

static enum why fate_of(uint64_t owner)
{
    if (!plait__owner_slot(owner)) return WHOLE;
    enum plait__fate fate = plait__fate(plait__owner_in(owner));
    return fate == PLAIT__LIVES ? WHOLE : fate == PLAIT__DIED ? DIED : LEFT;
}

/* Of those who have come in this generation, and of the named ones, somebody has ended: how; or WHOLE. */
static enum why look_for_the_dead(const plait_barrier *barrier, uint32_t generation)
{
    enum why why = WHOLE;
    for (uint32_t i = 0; i < barrier->parties && !why; i++) {
        uint64_t cell = atomic_load(&barrier->cells[i]);
        if (!has_come(cell, generation)) break;
        why = fate_of(cell);
    }
    for (uint32_t i = 0; i < barrier->parties && !why; i++) why = fate_of(atomic_load(&names_of(barrier)[i]));
    return why;
}

/* ---- the state ---- */

static void wake(plait_barrier *barrier, uint64_t was)
{
    if (was & WAITERS) plait__wake(plait__low_half(&barrier->state), INT_MAX);
}

/* Break this generation.  False: it was broken already, or is over. */
static bool break_it(plait_barrier *barrier, uint32_t generation, enum why why)
{
    uint64_t seen = atomic_load(&barrier->state);
    do {
        if (!is_open(seen, generation)) return false;
    } while (!atomic_compare_exchange_weak(&barrier->state, &seen, (seen & ~WAITERS) | why));
    wake(barrier, seen);
    return true;
}

/* This generation ends, and the next one begins, if it is open (all have come), or if it is broken (a reset).  False: it was not,
 * or is over. */
static bool move_on(plait_barrier *barrier, uint32_t generation, bool open)
{
    uint64_t seen = atomic_load(&barrier->state), next;
    do {
        if (generation_in(seen) != generation || open == ((seen & WHY) != 0)) return false;
        uint32_t history = (uint32_t)(seen >> 32) << 1 | open;
        next = (uint64_t)history << 32 | (uint32_t)((generation + 1) << 4);
    } while (!atomic_compare_exchange_weak(&barrier->state, &seen, next));
    wake(barrier, seen);
    return true;
}

static int broken(enum why why)
{
    static const char *const texts[] = {
        [WHOLE] = "the barrier was reset", [ABORTED] = "the barrier was aborted",
        [TIMED_OUT] = "somebody's time was up before all were there", [DIED] = "a party of the barrier was killed",
        [LEFT] = "a party of the barrier has ended", [FAILED] = "the action of the barrier failed",
        [RESET] = "the barrier was reset",
    };
    return plait__fail(PLAIT_EBROKEN, "%s", texts[why <= RESET ? why : WHOLE]);
}

/* ---- waiting ---- */

/* One who has come, or is about to. */
struct party {
    uint32_t generation, resets;                           /* as they were before it came */
    uint32_t place;
};

/* How the generation of this one ended: its place, or PLAIT_EBROKEN. */
static int outcome(const plait_barrier *barrier, const struct party *me)
{
    uint64_t state = atomic_load(&barrier->state);
    uint32_t since = (generation_in(state) - me->generation) & (UINT32_MAX >> 4);
    if (!since) return broken((enum why)(state & WHY));
    bool all_were_there = since <= HISTORY ? (state >> (31 + since)) & 1 : atomic_load(&barrier->resets) == me->resets;
    return all_were_there ? (int)me->place : broken(WHOLE);
}

/* Sleep until this generation is over, or broken.  0, or -ETIMEDOUT. */
static int sleep_until_over(plait_barrier *barrier, uint32_t generation, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_BARRIER, barrier, deadline);
    for (;;) {
        uint64_t seen = atomic_load(&barrier->state);
        if (!is_open(seen, generation)) break;
        if (!plait__is_now(deadline) && plait__spin(&wait)) continue;
        enum why why = look_for_the_dead(barrier, generation);
        if (why) {
            break_it(barrier, generation, why);
            continue;
        }
        if (!(seen & WAITERS) && !atomic_compare_exchange_strong(&barrier->state, &seen, seen | WAITERS)) continue;
        if (plait__park(&wait, plait__low_half(&barrier->state), (uint32_t)(seen | WAITERS), 0) < 0) return -ETIMEDOUT;
    }
    plait__wait_end(&wait);
    return 0;
}

static int wait_for_others(plait_barrier *barrier, const struct party *me, plait_deadline deadline)
{
    int error = sleep_until_over(barrier, me->generation, deadline);
    uint32_t there = error ? count_come(barrier, me->generation) : 0;
    if (!error || !break_it(barrier, me->generation, TIMED_OUT)) return outcome(barrier, me);
    return plait__fail(error, "%u of %u parties were at the barrier", there, barrier->parties);
}

/* The function is looked for in this process, whichever described it. */
static int act(const plait_barrier *barrier)
{
    plait__code function;
    if (!barrier->action_size) return 0;
    int error = plait__function_find(action_of(barrier), barrier->action_size, &function);
    if (error) return error;
    int result = ((int (*)(void *))function)(barrier->argument);
    return result <= 0 ? result : plait__fail(PLAIT_EBROKEN, "the action of the barrier returned %d", result);
}

/* All have come, and only the caller can move on; but meanwhile somebody may die, abort or reset. */
static int let_all_go(plait_barrier *barrier, const struct party *me)
{
    if (!is_open(atomic_load(&barrier->state), me->generation)) return outcome(barrier, me);
    enum why why = look_for_the_dead(barrier, me->generation);
    int failed = why ? 0 : act(barrier);
    if (failed) why = FAILED;
    if (why) break_it(barrier, me->generation, why);
    else move_on(barrier, me->generation, true);
    return failed ? failed : outcome(barrier, me);
}

/* The last to come has a cell, and moves on when its action has ended: only from in there can it come once more. */
static bool is_in_action(const plait_barrier *barrier, uint32_t generation)
{
    uint64_t last = atomic_load(&barrier->cells[barrier->parties - 1]);
    return has_come(last, generation) && plait__owner_is_me(last);
}

/* Come in, when there is a place: if all are taken, the last to come is about to move on, and the caller is of the next. */
static int enter(plait_barrier *barrier, struct party *me, plait_deadline deadline)
{
    for (;;) {
        me->resets = atomic_load(&barrier->resets);
        uint64_t state = atomic_load(&barrier->state);
        if (state & WHY) return broken((enum why)(state & WHY));
        me->generation = generation_in(state);
        int place = come(barrier, me->generation);
        me->place = (uint32_t)place;
        if (place >= 0 && me->place < barrier->parties) return 0;
        if (place >= 0 && is_in_action(barrier, me->generation))
            return plait__fail(-EDEADLK, "the calling thread is in the action of the barrier");
        if (place >= 0 && sleep_until_over(barrier, me->generation, deadline) < 0)
            return plait__fail(-ETIMEDOUT, "all %u parties were at the barrier, and the last of them has not finished its action",
                               barrier->parties);
    }
}

int plait_barrier_wait(plait_barrier *barrier, plait_deadline deadline)
{
    struct party me;
    int result = check(barrier);
    if (result) return result;
    plait__tsan_release(&barrier->state);
    plait__self.parties++;
    result = enter(barrier, &me, deadline);
    if (!result) {
        bool last = me.place + 1 == barrier->parties;
        if (last) plait__tsan_acquire(&barrier->state);
        result = last ? let_all_go(barrier, &me) : wait_for_others(barrier, &me, deadline);
        if (last) plait__tsan_release(&barrier->state);
    }
    if (plait__self.parties) plait__self.parties--;        /* 0: the action has left the family */
    if (result >= 0) plait__tsan_acquire(&barrier->state);
    return result;
}

/* ---- breaking and mending ---- */

int plait_barrier_abort(plait_barrier *barrier)
{
    int error = check(barrier);
    if (error) return error;
    uint64_t seen = atomic_load(&barrier->state);
    while (!(seen & WHY) && !break_it(barrier, generation_in(seen), ABORTED)) seen = atomic_load(&barrier->state);
    return 0;
}

/* Nobody has come in this generation any more, which is broken; and no ended member has a name.  With cells of old, numbers of
 * generations that are used again would mean something; as in come(), the state is looked at behind the cell. */
static void empty(plait_barrier *barrier, uint32_t generation)
{
    for (uint32_t i = 0; i < barrier->parties; i++) {
        uint64_t cell = atomic_load(&barrier->cells[i]), name = atomic_load(&names_of(barrier)[i]);
        if (fate_of(name)) atomic_compare_exchange_strong(&names_of(barrier)[i], &name, 0);
        if (generation_in(atomic_load(&barrier->state)) != generation) return;
        atomic_compare_exchange_strong(&barrier->cells[i], &cell, 0);
    }
}

/* First it is broken, so that nobody comes while it is emptied; and if the caller is killed in between, it stays so. */
int plait_barrier_reset(plait_barrier *barrier)
{
    int error = check(barrier);
    if (error) return error;
    atomic_fetch_add(&barrier->resets, 1);
    for (;;) {
        uint64_t seen = atomic_load(&barrier->state);
        uint32_t generation = generation_in(seen);
        if (!(seen & WHY) && !break_it(barrier, generation, RESET)) continue;
        empty(barrier, generation);
        move_on(barrier, generation, false);               /* or another reset has */
        return 0;
    }
}

int plait_barrier_broken(plait_barrier *barrier)
{
    int error = check(barrier);
    if (error) return error;
    uint64_t state = atomic_load(&barrier->state);
    enum why why = state & WHY ? WHOLE : look_for_the_dead(barrier, generation_in(state));
    if (why) break_it(barrier, generation_in(state), why);
    return (atomic_load(&barrier->state) & WHY) != 0;
}

/* ---- named parties ---- */

static _Atomic uint64_t *my_name(const plait_barrier *barrier)
{
    for (uint32_t i = 0; i < barrier->parties; i++)
        if (atomic_load(&names_of(barrier)[i]) == plait__self.owner) return &names_of(barrier)[i];
    return NULL;
}

/* Where nobody is named, or one who has ended: that has broken the barrier, and when that is written down, nobody needs the name.
 * If the barrier is not broken then, a reset has taken the name away. */
static bool take_name(plait_barrier *barrier, _Atomic uint64_t *name)
{
    for (;;) {
        uint64_t seen = atomic_load(name);
        bool named = plait__owner_slot(seen) != 0;
        if (named && !fate_of(seen)) return false;
        if (named && plait_barrier_broken(barrier) != 1) continue;
        if (atomic_compare_exchange_strong(name, &seen, plait__self.owner)) return true;
    }
}

int plait_barrier_join(plait_barrier *barrier)
{
    int error = check(barrier);
    if (error || my_name(barrier)) return error;
    for (uint32_t i = 0; i < barrier->parties; i++) {
        if (!take_name(barrier, &names_of(barrier)[i])) continue;
        plait__self.parties++;
        return 0;
    }
    return plait__fail(-EINVAL, "all %u parties of the barrier have names", barrier->parties);
}

int plait_barrier_leave(plait_barrier *barrier)
{
    int error = check(barrier);
    if (error) return error;
    _Atomic uint64_t *name = my_name(barrier);
    if (!name) return plait__fail(-ENOENT, "the calling thread is no named party of the barrier");
    atomic_store(name, 0);
    if (plait__self.parties) plait__self.parties--;
    return 0;
}

/* ---- looking ---- */

int plait_barrier_parties(const plait_barrier *barrier)
{
    return is_barrier(barrier) ? (int)barrier->parties : not_a_barrier(barrier);
}

int plait_barrier_n_waiting(const plait_barrier *barrier)
{
    if (!is_barrier(barrier)) return not_a_barrier(barrier);
    uint64_t state = atomic_load(&barrier->state);
    return state & WHY ? 0 : (int)count_come(barrier, generation_in(state));
}

/* ---- making ---- */

static size_t size_with(int parties, int action_size)
{
    size_t size = sizeof(plait_barrier) + (size_t)parties * 2 * sizeof(uint64_t) + (size_t)action_size;
    return (size + 63) / 64 * 64;                          /* such blocks lie at the begin of a cache line */
}

plait_barrier *plait_barrier_new(int parties, const plait_barrier_options *options)
{
    struct plait__function action;
    int size = 0;
    if (parties < 1 || parties > (int)PLAIT__MEMBERS_MAX)
        return plait__null(plait__fail(-EINVAL, "%d parties; 1 to %u can meet", parties, PLAIT__MEMBERS_MAX));
    int error = options ? PLAIT__CHECK_RESERVED(options->reserved, 0) : 0;
    if (error) return plait__null(error);
    if (options && options->action) size = plait__function_describe((plait__code)options->action, &action);
    if (size < 0) return plait__null(size);
    plait_barrier *barrier = plait_alloc(size_with(parties, size));
    if (!barrier) return NULL;
    barrier->parties = (uint32_t)parties;
    barrier->action_size = (uint32_t)size;
    barrier->argument = options ? options->argument : NULL;
    if (size) memcpy(action_of(barrier), &action, (size_t)size);
    barrier->stamp = STAMP;
    return barrier;
}

int plait_barrier_free(plait_barrier *barrier)
{
    if (!barrier) return 0;
    if (!is_barrier(barrier)) return not_a_barrier(barrier);
    barrier->stamp = 0;
    return plait_free(barrier);
}
