/* A lock whose user is killed after every instruction.  What must hold for the survivors: nobody hangs, no two are inside at once,
 * and PLAIT_OWNER_DIED is told once to whoever follows a dead holder, and to nobody else. */
#include "kill.h"

#include <signal.h>

#include <plait.h>

#include "family/roster.h"

#define WAITERS (UINT64_C(1) << 31)

static plait_lock *lock;

/* What the others note down. */
static struct notes {
    _Atomic int inside;
    _Atomic int told;                                      /* how often somebody was told that the owner died */
    _Atomic int got;                                       /* how many got the lock */
    _Atomic int first_told;                                /* the first of them was */
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!lock) lock = plait_lock_new();
    assert_non_null(lock);
    *lock = (plait_lock){ 0 };
}

static bool is_held_by(uint64_t owner)
{
    return (atomic_load((_Atomic uint64_t *)&lock->word) & ~WAITERS) == owner;
}

/* ---- the others ---- */

/* Acquire and release; nobody else may be inside meanwhile. */
static int use(void)
{
    int got = plait_lock_acquire(lock, plait_after(20));
    CHECK(got >= 0);
    CHECK(atomic_exchange(&notes->inside, 1) == 0);
    if (atomic_fetch_add(&notes->got, 1) == 0) notes->first_told = got == PLAIT_OWNER_DIED;
    notes->told += got == PLAIT_OWNER_DIED;
    atomic_store(&notes->inside, 0);
    CHECK(plait_lock_release(lock) == 0);
    return 0;
}

static bool is_held(void *unused)
{
    return atomic_load((_Atomic uint64_t *)&lock->word) != 0;
}

static int use_after_the_victim(void)
{
    test_until(is_held, NULL);
    return use();
}

static struct member sleepers[2];

/* Two others will go to sleep on the lock as soon as the victim has it. */
static void set_up_sleepers(void)
{
    set_up();
    for (int i = 0; i < 2; i++) sleepers[i] = member_start(use_after_the_victim);
}

static void acquire_and_wait_for_sleepers(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    for (int i = 0; i < 2; i++) member_until_sleeps(&sleepers[i]);
}

static void end_sleepers(void)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&sleepers[i], "a waiter") == 0);
}

/* Nobody is there any more: the lock must be free, and work. */
static void must_be_free(int expected)
{
    MUST(plait_lock_acquire(lock, plait_after(10)) == expected);
    MUST(plait_lock_locked(lock) == 1);
    MUST(plait_lock_release(lock) == 0);
    MUST(lock->word == 0);
    MUST(plait_lock_release(lock) == PLAIT_EUNLOCKED);
}

static const struct step_region *lock_and_family(void)
{
    return step_object_and_roster(lock, sizeof *lock);
}

/* ---- acquire ---- */

static void acquire_it(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_FOREVER) == 0);
}

static bool victim_has_it(const struct stepped *victim)
{
    return is_held_by(victim->owner);
}

static void check_told_if_held(const struct stepped *victim, bool held)
{
    must_be_free(held ? PLAIT_OWNER_DIED : 0);
}

static const struct kill_case acquire_a_free_lock = {
    .operation = { .run = acquire_it },
    .set_up = set_up,
    .look = victim_has_it,
    .check = check_told_if_held,
    .regions = lock_and_family,
};

/* ---- acquire what a dead one holds ---- */

static int hold_for_ever(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) >= 0);
    for (;;) pause();
}

static struct member dead_holder;

static void set_up_dead_holder(void)
{
    set_up();
    dead_holder = member_start(hold_for_ever);
    test_soon(is_held, NULL, "the first holder");
    member_kill(&dead_holder);
}

static void acquire_from_the_dead(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
}

static void check_told_in_any_case(const struct stepped *victim, bool held)
{
    must_be_free(PLAIT_OWNER_DIED);
    member_until_repaired(dead_holder.slot);
}

static const struct kill_case acquire_the_lock_of_a_dead_holder = {
    .operation = { .run = acquire_from_the_dead },
    .set_up = set_up_dead_holder,
    .look = victim_has_it,
    .check = check_told_in_any_case,
    .regions = lock_and_family,
};

/* ---- acquire, asleep until it is free ---- */

static bool released;

static void set_up_held(void)
{
    set_up();
    released = false;
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
}

/* The victim sleeps; somebody else does so behind it; then the lock becomes free, and the victim is the one to be woken. */
static void release_to_both(void)
{
    sleepers[0] = member_start(use);
    member_until_sleeps(&sleepers[0]);
    MUST(plait_lock_release(lock) == 0);
    released = true;
}

/* Whoever comes after the victim is told: the sleeper, unless it has been quicker than the victim (where it wakes up by itself now
 * and then). */
static void check_next_sleeper(const struct stepped *victim, bool held)
{
    if (!released) release_to_both();
    MUST(member_wait(&sleepers[0], "the next waiter") == 0);
    MUST(notes->told <= held);
    must_be_free(held && !notes->told ? PLAIT_OWNER_DIED : 0);
}

static const struct kill_case acquire_after_a_sleep = {
    .operation = { .run = acquire_it, .wake = release_to_both },
    .set_up = set_up_held,
    .look = victim_has_it,
    .check = check_next_sleeper,
    .regions = lock_and_family,
    .long_one = true,
};

/* ---- release ---- */

static void acquire_now(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
}

static void release_it(void)
{
    CHECK(plait_lock_release(lock) == 0);
}

static bool victim_has_it_no_more(const struct stepped *victim)
{
    return !victim_has_it(victim);
}

static void check_told_unless_released(const struct stepped *victim, bool gone)
{
    must_be_free(gone ? 0 : PLAIT_OWNER_DIED);
}

static const struct kill_case release = {
    .operation = { .prepare = acquire_now, .run = release_it },
    .set_up = set_up,
    .look = victim_has_it_no_more,
    .check = check_told_unless_released,
    .regions = lock_and_family,
};

static void check_both_sleepers(const struct stepped *victim, bool gone)
{
    end_sleepers();
    MUST(notes->got == 2);
    MUST(notes->told == !gone && notes->first_told == !gone);
    must_be_free(0);
}

static const struct kill_case release_to_sleepers = {
    .operation = { .prepare = acquire_and_wait_for_sleepers, .run = release_it },
    .set_up = set_up_sleepers,
    .look = victim_has_it_no_more,
    .check = check_both_sleepers,
    .regions = lock_and_family,
};

/* ---- release by one who is no member yet, as the first thing that a forked child does ---- */

static void set_up_held_with_sleepers(void)
{
    set_up_sleepers();
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    for (int i = 0; i < 2; i++) member_until_sleeps(&sleepers[i]);
}

/* The tester has it, or somebody else after the release: nobody is told of a death. */
static bool is_tester_without_it(const struct stepped *unused)
{
    return !is_held_by(plait__self.owner);
}

static void check_sleepers_go_on(const struct stepped *victim, bool gone)
{
    if (!gone) MUST(plait_lock_release(lock) == 0);
    end_sleepers();
    MUST(notes->got == 2 && notes->told == 0);
    must_be_free(0);
}

static const struct kill_case release_to_sleepers_by_a_stranger = {
    .operation = { .run = release_it, .joins = true },
    .set_up = set_up_held_with_sleepers,
    .look = is_tester_without_it,
    .check = check_sleepers_go_on,
    .regions = lock_and_family,
    .long_one = true,
};

/* ---- disown ---- */

static void disown_it(void)
{
    CHECK(plait_lock_disown(lock) == 0);
}

static bool is_nobodys(const struct stepped *victim)
{
    return is_held_by(PLAIT__NOBODY);
}

/* A disowned lock stays locked whoever dies; anyone may release it. */
static void check_disowned(const struct stepped *victim, bool disowned)
{
    if (disowned) {
        MUST(plait_lock_acquire(lock, plait_after(0.003)) == -ETIMEDOUT);
        MUST(plait_lock_locked(lock) == 1);
        MUST(plait_lock_release(lock) == 0);
    }
    must_be_free(disowned ? 0 : PLAIT_OWNER_DIED);
}

static const struct kill_case disown = {
    .operation = { .prepare = acquire_now, .run = disown_it },
    .set_up = set_up,
    .look = is_nobodys,
    .check = check_disowned,
    .regions = lock_and_family,
};

static void check_disowned_with_sleepers(const struct stepped *victim, bool disowned)
{
    if (disowned) {
        member_until_repaired(victim->slot);
        for (int i = 0; i < 2; i++) member_until_sleeps(&sleepers[i]);
        MUST(notes->got == 0);
        MUST(plait_lock_release(lock) == 0);
    }
    end_sleepers();
    MUST(notes->told == !disowned && notes->first_told == !disowned);
    must_be_free(0);
}

static const struct kill_case disown_with_sleepers = {
    .operation = { .prepare = acquire_and_wait_for_sleepers, .run = disown_it },
    .set_up = set_up_sleepers,
    .look = is_nobodys,
    .check = check_disowned_with_sleepers,
    .regions = lock_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(acquire_a_free_lock),
    KILL_TESTS(acquire_the_lock_of_a_dead_holder),
    KILL_TESTS(acquire_after_a_sleep),
    KILL_TESTS(release),
    KILL_TESTS(release_to_sleepers),
    KILL_TESTS(release_to_sleepers_by_a_stranger),
    KILL_TESTS(disown),
    KILL_TESTS(disown_with_sleepers),
};

TEST_MAIN(tests)
