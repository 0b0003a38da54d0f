/* A semaphore with owners whose user is killed after every instruction: all permits come back, PLAIT_OWNER_DIED is told for each
 * that a dead one held, and for no other, and nobody who waits hangs. */
#include "kill.h"

#include <signal.h>

#include <plait.h>

#include "sync/owned_semaphore.h"

static plait_semaphore *semaphore;
static struct plait__owned_semaphore *owned;

static struct notes {
    _Atomic int got, told, inside, end;
} *notes;

static void set_up_of(int permits)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    semaphore = plait_owned_semaphore_new(permits);
    assert_non_null(semaphore);
    owned = plait__owned_of(semaphore);
}

static void set_up_1(void)
{
    set_up_of(1);
}

static void tear_down(void)
{
    MUST(plait_semaphore_free(semaphore) == 0);
}

/* Nobody is there any more: all permits are, and so many of them were a dead one's. */
static void must_be_free(int told)
{
    const int permits = (int)owned->permits;
    MUST(plait_semaphore_get_value(semaphore) == permits);
    for (int i = 0; i < permits; i++) {
        int got = plait_semaphore_acquire(semaphore, plait_after(10));
        MUST(got == 0 || got == PLAIT_OWNER_DIED);
        told -= got == PLAIT_OWNER_DIED;
    }
    MUST(told == 0);
    MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_semaphore_release_many(semaphore, (uint32_t)permits) == 0);
    MUST(plait_semaphore_release(semaphore) == PLAIT_ENOTOWNER);
    for (int i = 0; i < permits; i++) MUST(owned->holders[i] == 0);
}

static const struct step_region *semaphore_and_family(void)
{
    return step_object_and_roster(owned, sizeof *owned + owned->permits * sizeof owned->holders[0]);
}

static int held_by(uint64_t owner)
{
    int held = 0;
    for (uint32_t i = 0; i < owned->permits; i++) held += atomic_load(&owned->holders[i]) == owner;
    return held;
}

static bool victim_has_one(const struct stepped *victim)
{
    return held_by(victim->owner) > 0;
}

static bool victim_has_none(const struct stepped *victim)
{
    return held_by(victim->owner) == 0;
}

/* ---- the others ---- */

static int use(void)
{
    int got = plait_semaphore_acquire(semaphore, plait_after(20));
    CHECK(got >= 0);
    CHECK(atomic_fetch_add(&notes->inside, 1) < (int)owned->permits);
    notes->told += got == PLAIT_OWNER_DIED;
    notes->got++;
    atomic_fetch_sub(&notes->inside, 1);
    CHECK(plait_semaphore_release(semaphore) == 0);
    return 0;
}

static bool all_are_taken(void *unused)
{
    return plait_semaphore_get_value(semaphore) == 0;
}

static int use_after_the_victim(void)
{
    test_until(all_are_taken, NULL);
    return use();
}

static struct member sleepers[2];

static void set_up_sleepers(int permits)
{
    set_up_of(permits);
    for (int i = 0; i < 2; i++) sleepers[i] = member_start(use_after_the_victim);
}

static void set_up_1_and_sleepers(void)
{
    set_up_sleepers(1);
}

static void set_up_2_and_sleepers(void)
{
    set_up_sleepers(2);
}

static void acquire_all_and_wait_for_sleepers(void)
{
    for (uint32_t i = 0; i < owned->permits; i++) CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    for (int i = 0; i < 2; i++) member_until_sleeps(&sleepers[i]);
}

static void end_sleepers(void)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&sleepers[i], "a waiter") == 0);
    MUST(notes->got == 2);
}

/* ---- acquire ---- */

static void acquire_it(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
}

static void check_told_if_held(const struct stepped *victim, bool held)
{
    must_be_free(held);
}

static const struct kill_case acquire_a_free_one = {
    .operation = { .run = acquire_it },
    .set_up = set_up_1,
    .look = victim_has_one,
    .check = check_told_if_held,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
};

/* ---- acquire what a dead one holds, of three that it holds ---- */

static int hold_for_ever(void)
{
    for (int i = 0; i < 3; i++) CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) >= 0);
    for (;;) pause();
}

static struct member dead_holder;

static void set_up_dead_holder(void)
{
    set_up_of(3);
    dead_holder = member_start(hold_for_ever);
    test_soon(all_are_taken, NULL, "the first holder");
    member_kill(&dead_holder);
}

static void acquire_from_the_dead(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
}

/* The victim's is told to the next, too. */
static void check_all_are_told(const struct stepped *victim, bool held)
{
    must_be_free(3);
    member_until_repaired(dead_holder.slot);
}

static const struct kill_case acquire_from_a_dead_holder = {
    .operation = { .run = acquire_from_the_dead },
    .set_up = set_up_dead_holder,
    .look = victim_has_one,
    .check = check_all_are_told,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
};

/* ---- acquire, asleep until there is one ---- */

static bool released;

static void set_up_held(void)
{
    set_up_1();
    released = false;
    MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
}

static void release_to_both(void)
{
    sleepers[0] = member_start(use);
    member_until_sleeps(&sleepers[0]);
    MUST(plait_semaphore_release(semaphore) == 0);
    released = true;
}

static void check_next_sleeper(const struct stepped *victim, bool held)
{
    if (!released) release_to_both();
    MUST(member_wait(&sleepers[0], "the next waiter") == 0);
    MUST(notes->told <= held);
    must_be_free(held && !notes->told);
}

static const struct kill_case acquire_after_a_sleep = {
    .operation = { .run = acquire_it, .wake = release_to_both },
    .set_up = set_up_held,
    .look = victim_has_one,
    .check = check_next_sleeper,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
    .long_one = true,
};

/* ---- release ---- */

static void acquire_now(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
}

static void release_it(void)
{
    CHECK(plait_semaphore_release(semaphore) == 0);
}

static void check_told_unless_released(const struct stepped *victim, bool gone)
{
    must_be_free(!gone);
}

static const struct kill_case release = {
    .operation = { .prepare = acquire_now, .run = release_it },
    .set_up = set_up_1,
    .look = victim_has_none,
    .check = check_told_unless_released,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
};

static void check_both_sleepers(const struct stepped *victim, bool gone)
{
    end_sleepers();
    MUST(notes->told == !gone);
    must_be_free(0);
}

static const struct kill_case release_to_sleepers = {
    .operation = { .prepare = acquire_all_and_wait_for_sleepers, .run = release_it },
    .set_up = set_up_1_and_sleepers,
    .look = victim_has_none,
    .check = check_both_sleepers,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
};

/* Of two, one or both have been released when it dies. */
static void release_both(void)
{
    CHECK(plait_semaphore_release_many(semaphore, 2) == 0);
}

static int still_held;

static bool look_how_many(const struct stepped *victim)
{
    still_held = held_by(victim->owner);
    return still_held == 0;
}

static void check_both_sleepers_of_two(const struct stepped *victim, bool gone)
{
    end_sleepers();
    MUST(notes->told <= still_held);
    must_be_free(still_held - notes->told);
}

static const struct kill_case release_many_to_sleepers = {
    .operation = { .prepare = acquire_all_and_wait_for_sleepers, .run = release_both },
    .set_up = set_up_2_and_sleepers,
    .look = look_how_many,
    .check = check_both_sleepers_of_two,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
};

/* ---- leave ---- */

static bool victim_has_left(const struct stepped *victim)
{
    return victim->finished;
}

/* Told only if it died as a holder; where its life is just counted up, nobody else can say. */
static void check_left(const struct stepped *victim, bool gone)
{
    end_sleepers();
    MUST(notes->told <= !gone);
    must_be_free(0);
}

static const struct kill_case leave_with_one = {
    .operation = { .prepare = acquire_all_and_wait_for_sleepers, .run = plait_leave },
    .set_up = set_up_1_and_sleepers,
    .look = victim_has_left,
    .check = check_left,
    .tear_down = tear_down,
    .regions = semaphore_and_family,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(acquire_a_free_one),
    KILL_TESTS(acquire_from_a_dead_holder),
    KILL_TESTS(acquire_after_a_sleep),
    KILL_TESTS(release),
    KILL_TESTS(release_to_sleepers),
    KILL_TESTS(release_many_to_sleepers),
    KILL_TESTS(leave_with_one),
};

TEST_MAIN(tests)
