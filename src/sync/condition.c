/* sync/condition.c - who waits belongs to a group: the older or the newer one.
 *
 * A notify is for those who waited when it came, so who comes later must not take it.  It serves the older group: all of it, and
 * then the group is *closed* (a number that its members remember is counted up), or some of it, whoever of them comes first, and
 * then it has so many *notified*.  When the older is closed, the newer is the older, and the closed one takes those who come.
 *
 * All of it is written by who holds the lock, but for ASLEEP, which sleepers set in the word that they sleep on.  Nothing here has
 * to survive a death: after each, everybody who waits looks again, and who comes next begins anew (`endings`). */
#define PLAIT_NO_INLINE
#include <plait/condition.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <plait/arena.h>

#include "base/error.h"
#include "sync/owner.h"
#include "sync/rlock.h"

_Static_assert(sizeof(plait_condition) == 80, "part of the ABI");

/* The word of a group: how often somebody of it was notified, and ASLEEP: somebody of it may sleep. */
#define ASLEEP 1u
#define ONE_MORE 2u

/* One who waits. */
struct waiter {
    plait__waiters *group;
    uint32_t closed, endings;                              /* what they were when it came */
    uint32_t more;                                         /* how often it held the rlock beyond the first time */
};

/* ---- fields, which others may look at while they are written ---- */

static inline _Atomic uint32_t *atomic_of(const uint32_t *field)
{
    return (_Atomic uint32_t *)(uintptr_t)field;
}

static inline uint32_t get(const uint32_t *field)
{
    return atomic_load_explicit(atomic_of(field), memory_order_relaxed);
}

static inline void set(uint32_t *field, uint32_t value)
{
    atomic_store_explicit(atomic_of(field), value, memory_order_relaxed);
}

static void close_group(plait__waiters *group)
{
    set(&group->closed, get(&group->closed) + 1);
    set(&group->notified, 0);
    set(&group->count, 0);
}

/* A life has ended since: all who wait look again by themselves, and are counted no more.  What the dead one may have left half
 * done is over with that. */
static void begin_anew_after_a_death(plait_condition *condition)
{
    uint32_t endings = atomic_load(&plait__roster->endings);
    if (get(&condition->endings) == endings) return;
    close_group(&condition->groups[0]);
    close_group(&condition->groups[1]);
    set(&condition->endings, endings);
}

/* ---- the lock ---- */

static plait_rlock *rlock_of(const plait_condition *condition)
{
    return condition->rlock ? condition->rlock : (plait_rlock *)(uintptr_t)&condition->own;
}

static bool holds_lock(const plait_condition *condition)
{
    if (condition->lock) return plait__owner_is_me(atomic_load(plait__owner_word(&condition->lock->word)));
    return plait__rlock_is_mine(rlock_of(condition));
}

static uint32_t give_lock(plait_condition *condition)
{
    if (!condition->lock) return plait__rlock_release_all(rlock_of(condition));
    plait_lock_release(condition->lock);
    return 0;
}

static int take_lock(plait_condition *condition, uint32_t more)
{
    if (condition->lock) return plait_lock_acquire(condition->lock, PLAIT_FOREVER);
    return plait__rlock_acquire_all(rlock_of(condition), more);
}

static inline bool is_condition(const plait_condition *condition)
{
    return condition && (uintptr_t)condition % _Alignof(plait_condition) == 0;
}

static int not_a_condition(const plait_condition *condition)
{
    return plait__misplaced("condition", condition, _Alignof(plait_condition));
}

int plait_condition_acquire(plait_condition *condition, plait_deadline deadline)
{
    if (!is_condition(condition)) return not_a_condition(condition);
    if (condition->lock) return plait_lock_acquire(condition->lock, deadline);
    return plait_rlock_acquire(rlock_of(condition), deadline);
}

int plait_condition_release(plait_condition *condition)
{
    if (!is_condition(condition)) return not_a_condition(condition);
    return condition->lock ? plait_lock_release(condition->lock) : plait_rlock_release(rlock_of(condition));
}

/* What wait and notify begin with. */
static int check_holder(const plait_condition *condition, const char *otherwise)
{
    if (!is_condition(condition)) return not_a_condition(condition);
    int error = plait__member();
    if (error) return error;
    return holds_lock(condition) ? 0 : plait__fail(PLAIT_ENOTOWNER, "%s", otherwise);
}

/* ---- waiting ---- */

static struct waiter come(plait_condition *condition)
{
    begin_anew_after_a_death(condition);
    plait__waiters *group = &condition->groups[get(&condition->newer) & 1];
    set(&group->count, get(&group->count) + 1);
    return (struct waiter){ .group = group, .closed = get(&group->closed), .endings = get(&condition->endings) };
}

/* Whether there may be news for this one: asked without the lock, after a look at the word. */
static bool may_be_told(const struct waiter *me)
{
    if (get(&me->group->closed) != me->closed || get(&me->group->notified)) return true;
    return atomic_load(&plait__roster->endings) != me->endings;
}

/* Sleep until there may be news.  0, or -ETIMEDOUT. */
static int sleep_until_told(const struct waiter *me, struct plait__wait *wait)
{
    plait__word *word = atomic_of(&me->group->word);
    for (;;) {
        uint32_t seen = atomic_load(word);
        if (may_be_told(me)) return 0;
        if (!plait__is_now(wait->deadline) && plait__spin(wait)) continue;
        if (!(seen & ASLEEP) && !atomic_compare_exchange_strong(word, &seen, seen | ASLEEP)) continue;
        if (plait__park(wait, word, seen | ASLEEP, 0) < 0) return -ETIMEDOUT;
    }
}

/* With the lock again: whether this one has to go on.  If not, it is -EAGAIN: others were quicker.  Who goes takes a notification
 * with it if there is one, even if its time is up: it may be the one who was woken for it.  Or it passes the call on, if it goes
 * for another reason: those who came after a death sleep on the same word, and a call for one of them may have reached this one,
 * whom the death had woken but who had not run yet. */
static int go(plait_condition *condition, const struct waiter *me, int locked, int slept)
{
    begin_anew_after_a_death(condition);
    uint32_t notified = get(&me->group->notified), count = get(&me->group->count);
    if (get(&condition->endings) != me->endings || get(&me->group->closed) != me->closed) {
        if (notified) plait__wake(atomic_of(&me->group->word), 1);
        return locked;
    }
    if (!notified && !locked && !slept) return -EAGAIN;
    if (notified) set(&me->group->notified, notified - 1);
    if (count) set(&me->group->count, count - 1);
    return notified || locked ? locked : slept;
}

int plait_condition_wait(plait_condition *condition, plait_deadline deadline)
{
    int result = check_holder(condition, "must acquire() condition before using wait()");
    if (result) return result;
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_CONDITION, condition, deadline);
    plait__may_be_woken();
    struct waiter me = come(condition);
    do {
        me.more = give_lock(condition);
        int slept = sleep_until_told(&me, &wait);
        int locked = take_lock(condition, me.more);
        result = locked < 0 ? locked : go(condition, &me, locked, slept);
    } while (result == -EAGAIN);
    plait__no_more_woken();
    plait__wait_end(&wait);
    return result == -ETIMEDOUT ? plait__fail(result, "the condition at %p was not notified", (void *)condition) : result;
}

int plait_condition_wait_for(plait_condition *condition, int (*predicate)(void *argument), void *argument,
                             plait_deadline deadline)
{
    if (!predicate) return plait__fail(-EINVAL, "the predicate is NULL");
    int result = check_holder(condition, "must acquire() condition before using wait_for()");
    while (!result) {
        int is_so = predicate(argument);
        if (is_so) return is_so < 0 ? is_so : 0;
        result = plait_condition_wait(condition, deadline);
    }
    /* A last look: the time was up, but perhaps it has become so meanwhile. */
    if (result == -ETIMEDOUT) {
        int is_so = predicate(argument);
        if (is_so) return is_so < 0 ? is_so : 0;
    }
    return result;
}

/* ---- notifying ---- */

/* After the accounts are written.  ASLEEP stays as long as somebody of the group may sleep. */
static void tell(plait__waiters *group, uint32_t count, bool all)
{
    plait__word *word = atomic_of(&group->word);
    uint32_t seen = atomic_load(word);
    while (!atomic_compare_exchange_weak(word, &seen, (seen + ONE_MORE) & ~(all ? ASLEEP : 0u))) {}
    if (seen & ASLEEP) plait__wake(word, all || count > INT_MAX ? INT_MAX : (int)count);
}

/* Notify so many of the group, or all who were not yet.  How many. */
static uint32_t serve(plait__waiters *group, uint32_t most)
{
    uint32_t notified = get(&group->notified), count = get(&group->count);
    uint32_t left = count > notified ? count - notified : 0, served = most < left ? most : left;
    if (!left || !served) return 0;
    if (served == left) close_group(group);
    else set(&group->notified, notified + served);
    tell(group, served, served == left);
    return served;
}

static int notify(plait_condition *condition, uint32_t n)
{
    begin_anew_after_a_death(condition);
    uint32_t newer = get(&condition->newer) & 1, served = serve(&condition->groups[!newer], n);
    if (served == n || !get(&condition->groups[newer].count)) return (int)served;
    set(&condition->newer, !newer);                        /* the older is closed: now it is the one to come into */
    return (int)(served + serve(&condition->groups[newer], n - served));
}

int plait_condition_notify(plait_condition *condition, int n)
{
    int error = check_holder(condition, "lock is not owned");
    if (error) return error;
    if (n < 0) return plait__fail(-EINVAL, "%d is no number of waiters", n);
    return notify(condition, (uint32_t)n);
}

int plait_condition_notify_all(plait_condition *condition)
{
    int error = check_holder(condition, "lock is not owned");
    return error ? error : notify(condition, INT_MAX);
}

/* ---- making, looking ---- */

static int check_options(const plait_condition_options *options, bool is_shared)
{
    int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    if (error) return error;
    const void *lock = options->lock ? (const void *)options->lock : options->rlock;
    if (options->lock && options->rlock) return plait__fail(-EINVAL, "a condition has one lock, not two");
    if ((uintptr_t)lock % _Alignof(plait_lock)) return plait__misplaced("lock", lock, _Alignof(plait_lock));
    if (lock && is_shared && !plait_is_shared(lock)) return plait__fail(-EINVAL, "the lock at %p is not in shared memory", lock);
    return 0;
}

int plait_condition_init(plait_condition *condition, const plait_condition_options *options)
{
    static const plait_condition_options none;
    if (!options) options = &none;
    if (!is_condition(condition)) return not_a_condition(condition);
    int error = check_options(options, plait_is_shared(condition));
    if (error) return error;
    memset(condition, 0, sizeof *condition);
    condition->lock = options->lock;
    condition->rlock = options->rlock;
    return 0;
}

plait_condition *plait_condition_new(const plait_condition_options *options)
{
    int error = options ? check_options(options, true) : 0;
    if (error) return plait__null(error);
    plait_condition *condition = plait_alloc(128);         /* two cache lines of its own */
    if (condition && options) {
        condition->lock = options->lock;
        condition->rlock = options->rlock;
    }
    return condition;
}

int plait_condition_free(plait_condition *condition)
{
    return plait_free(condition);
}

static uint32_t count_waiters(const plait_condition *condition)
{
    uint32_t waiters = 0;
    if (get(&condition->endings) != atomic_load(&plait__roster->endings)) return 0;
    for (int i = 0; i < 2; i++) {
        uint32_t count = get(&condition->groups[i].count), notified = get(&condition->groups[i].notified);
        waiters += count > notified ? count - notified : 0;
    }
    return waiters;
}

int plait_condition_repr(const plait_condition *condition, char *text, size_t size)
{
    char lock[64];
    if (!is_condition(condition) || (!text && size)) return not_a_condition(condition);
    int error = plait__member();
    if (error) return error;
    int length = condition->lock ? plait_lock_repr(condition->lock, lock, sizeof lock)
                                 : plait_rlock_repr(rlock_of(condition), lock, sizeof lock);
    return length < 0 ? length : snprintf(text, size, "<Condition(%s, %u)>", lock, count_waiters(condition));
}
