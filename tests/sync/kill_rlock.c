/* An rlock whose user is killed after every instruction: nobody hangs, no two are inside at once, PLAIT_OWNER_DIED is told once to
 * whoever follows a dead holder, however often that one had it, and the next one begins with depth 1. */
#include "kill.h"

#include <signal.h>

#include <plait.h>

#include "family/roster.h"

#define WAITERS (UINT64_C(1) << 31)

static plait_rlock *lock;

static struct notes {
    _Atomic int inside, told, got, first_told;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!lock) lock = plait_rlock_new();
    assert_non_null(lock);
    *lock = (plait_rlock){ 0 };
}

static uint64_t word(void)
{
    return atomic_load((_Atomic uint64_t *)&lock->word);
}

static bool victim_has_it(const struct stepped *victim)
{
    return (word() & ~WAITERS) == victim->owner;
}

static bool victim_has_it_no_more(const struct stepped *victim)
{
    return !victim_has_it(victim);
}

static bool is_held(void *unused)
{
    return word() != 0;
}

static int use(void)
{
    int got = plait_rlock_acquire(lock, plait_after(20));
    CHECK(got >= 0 && plait_rlock_depth(lock) == 1);
    CHECK(plait_rlock_acquire(lock, PLAIT_NOW) == 0 && plait_rlock_depth(lock) == 2);
    CHECK(atomic_exchange(&notes->inside, 1) == 0);
    if (atomic_fetch_add(&notes->got, 1) == 0) notes->first_told = got == PLAIT_OWNER_DIED;
    notes->told += got == PLAIT_OWNER_DIED;
    atomic_store(&notes->inside, 0);
    CHECK(plait_rlock_release(lock) == 0 && plait_rlock_release(lock) == 0);
    return 0;
}

static int use_after_the_victim(void)
{
    test_until(is_held, NULL);
    return use();
}

static struct member sleepers[2];

static void set_up_sleepers(void)
{
    set_up();
    for (int i = 0; i < 2; i++) sleepers[i] = member_start(use_after_the_victim);
}

static void must_be_free(int expected)
{
    MUST(plait_rlock_acquire(lock, plait_after(10)) == expected);
    MUST(plait_rlock_depth(lock) == 1);
    MUST(plait_rlock_release(lock) == 0);
    MUST(lock->word == 0);
    MUST(plait_rlock_release(lock) == PLAIT_EUNLOCKED);
}

static const struct step_region *lock_and_family(void)
{
    return step_object_and_roster(lock, sizeof *lock);
}

/* ---- acquire ---- */

static void acquire_it(void)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_FOREVER) == 0);
}

static void check_told_if_held(const struct stepped *victim, bool held)
{
    must_be_free(held ? PLAIT_OWNER_DIED : 0);
}

static const struct kill_case acquire_a_free_rlock = {
    .operation = { .run = acquire_it },
    .set_up = set_up,
    .look = victim_has_it,
    .check = check_told_if_held,
    .regions = lock_and_family,
};

static void acquire_twice(void)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_NOW) == 0 && plait_rlock_acquire(lock, PLAIT_NOW) == 0);
}

static const struct kill_case acquire_again = {
    .operation = { .prepare = acquire_twice, .run = acquire_it },
    .set_up = set_up,
    .look = victim_has_it,
    .check = check_told_if_held,
    .regions = lock_and_family,
};

/* ---- take over ---- */

static struct member dead_holder;

static int hold_for_ever(void)
{
    for (int i = 0; i < 3; i++) CHECK(plait_rlock_acquire(lock, PLAIT_NOW) >= 0);
    for (;;) pause();
}

static bool is_deep(void *unused)
{
    return lock->more == 2;
}

static void set_up_dead_holder(void)
{
    set_up();
    dead_holder = member_start(hold_for_ever);
    test_soon(is_deep, NULL, "the first holder");
    member_kill(&dead_holder);
}

static void acquire_from_the_dead(void)
{
    CHECK(plait_rlock_acquire(lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
}

static void check_told_in_any_case(const struct stepped *victim, bool held)
{
    must_be_free(PLAIT_OWNER_DIED);
    member_until_repaired(dead_holder.slot);
}

static const struct kill_case acquire_the_rlock_of_a_dead_holder = {
    .operation = { .run = acquire_from_the_dead },
    .set_up = set_up_dead_holder,
    .look = victim_has_it,
    .check = check_told_in_any_case,
    .regions = lock_and_family,
};

/* ---- release ---- */

static void release_twice(void)
{
    CHECK(plait_rlock_release(lock) == 0 && plait_rlock_release(lock) == 0);
}

static void check_told_unless_released(const struct stepped *victim, bool gone)
{
    must_be_free(gone ? 0 : PLAIT_OWNER_DIED);
}

static const struct kill_case release_both_levels = {
    .operation = { .prepare = acquire_twice, .run = release_twice },
    .set_up = set_up,
    .look = victim_has_it_no_more,
    .check = check_told_unless_released,
    .regions = lock_and_family,
};

static void acquire_and_wait_for_sleepers(void)
{
    acquire_twice();
    for (int i = 0; i < 2; i++) member_until_sleeps(&sleepers[i]);
}

static void check_both_sleepers(const struct stepped *victim, bool gone)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&sleepers[i], "a waiter") == 0);
    MUST(notes->got == 2);
    MUST(notes->told == !gone && notes->first_told == !gone);
    must_be_free(0);
}

static const struct kill_case release_to_sleepers = {
    .operation = { .prepare = acquire_and_wait_for_sleepers, .run = release_twice },
    .set_up = set_up_sleepers,
    .look = victim_has_it_no_more,
    .check = check_both_sleepers,
    .regions = lock_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(acquire_a_free_rlock),
    KILL_TESTS(acquire_again),
    KILL_TESTS(acquire_the_rlock_of_a_dead_holder),
    KILL_TESTS(release_both_levels),
    KILL_TESTS(release_to_sleepers),
};

TEST_MAIN(tests)
