/* A plain semaphore whose user is killed after every instruction.  What must hold for the survivors: nobody hangs, a permit that
 * was released is there or somebody has it, and none is there twice. */
#include "kill.h"

#include <signal.h>

#include <plait.h>

#define SLEEPERS UINT64_C(1)

static plait_semaphore *semaphore;

static struct notes {
    _Atomic int got;                                       /* how many of the others got a permit; they keep it */
} *notes;

static void set_up_with(uint64_t word)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!semaphore) semaphore = plait_semaphore_new(0);
    assert_non_null(semaphore);
    *semaphore = (plait_semaphore){ .word = word };
}

static void set_up_0(void)
{
    set_up_with(0);
}

static void set_up_1(void)
{
    set_up_with(2);
}

/* Nobody is there any more: it has so many permits, and works. */
static void must_have(int value)
{
    MUST(plait_semaphore_get_value(semaphore) == value);
    for (int i = 0; i < value; i++) MUST(plait_semaphore_acquire(semaphore, plait_after(10)) == 0);
    MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_semaphore_release(semaphore) == 0);
    MUST(plait_semaphore_acquire(semaphore, plait_after(10)) == 0);
}

static const struct step_region *semaphore_and_family(void)
{
    return step_object_and_roster(semaphore, sizeof *semaphore);
}

static bool value_is_0(const struct stepped *victim)
{
    return plait_semaphore_get_value(semaphore) == 0;
}

static bool value_is_not_0(const struct stepped *victim)
{
    return plait_semaphore_get_value(semaphore) != 0;
}

/* ---- the others ---- */

static int take_one(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
    notes->got++;
    return 0;
}

static struct member sleepers[3];

static void start_sleepers(int count)
{
    for (int i = 0; i < count; i++) {
        sleepers[i] = member_start(take_one);
        member_until_sleeps(&sleepers[i]);
    }
}

static void end_sleepers(int count)
{
    for (int i = 0; i < count; i++) MUST(member_wait(&sleepers[i], "a sleeper") == 0);
    MUST(notes->got == count);
}

static bool have_got(void *count)
{
    return notes->got >= *(int *)count;
}

/* ---- acquire ---- */

static void acquire_it(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
}

/* Nobody knows who had it: it is lost with the dead one. */
static void check_lost_if_taken(const struct stepped *victim, bool taken)
{
    must_have(!taken);
}

static const struct kill_case acquire = {
    .operation = { .run = acquire_it },
    .set_up = set_up_1,
    .look = value_is_0,
    .check = check_lost_if_taken,
    .regions = semaphore_and_family,
};

/* The victim sleeps, somebody else does so behind it; then there is one permit. */
static bool released;

static void set_up_asleep(void)
{
    set_up_0();
    released = false;
}

static void release_to_both(void)
{
    start_sleepers(1);
    MUST(plait_semaphore_release(semaphore) == 0);
    released = true;
}

static bool victim_has_taken(const struct stepped *victim)
{
    return victim->finished || (released && notes->got == 0 && plait_semaphore_get_value(semaphore) == 0);
}

static void check_the_other_sleeper(const struct stepped *victim, bool taken)
{
    if (!released) release_to_both();
    if (taken) MUST(plait_semaphore_release(semaphore) == 0);
    end_sleepers(1);
    must_have(0);
}

static const struct kill_case acquire_after_a_sleep = {
    .operation = { .run = acquire_it, .wake = release_to_both },
    .set_up = set_up_asleep,
    .look = victim_has_taken,
    .check = check_the_other_sleeper,
    .regions = semaphore_and_family,
    .long_one = true,
};

static void try_for_a_moment(void)
{
    CHECK(plait_semaphore_acquire(semaphore, (plait_deadline){ 2 }) == -ETIMEDOUT);
}

static void check_none_there(const struct stepped *victim, bool finished)
{
    must_have(0);
}

static const struct kill_case give_up = {
    .operation = { .run = try_for_a_moment },
    .set_up = set_up_0,
    .check = check_none_there,
    .regions = semaphore_and_family,
    .long_one = true,
};

/* ---- release ---- */

static void release_it(void)
{
    CHECK(plait_semaphore_release(semaphore) == 0);
}

static void check_there_if_released(const struct stepped *victim, bool gone)
{
    must_have(gone);
}

static const struct kill_case release = {
    .operation = { .run = release_it },
    .set_up = set_up_0,
    .look = value_is_not_0,
    .check = check_there_if_released,
    .regions = semaphore_and_family,
};

static int expected;
static uint64_t word_before;

static void set_up_two_sleepers(void)
{
    set_up_0();
    start_sleepers(2);
    word_before = semaphore->word;
}

/* A permit that is out gets to a sleeper although nobody has woken it but the death. */
static bool somebody_may_have_it(const struct stepped *victim)
{
    return victim->finished || semaphore->word != word_before || notes->got;
}

static void check_one_sleeper(const struct stepped *victim, bool gone)
{
    expected = gone;
    test_soon(have_got, &expected, "one sleeper");
    MUST(notes->got == expected);
    MUST(plait_semaphore_release_many(semaphore, (uint32_t)(2 - expected)) == 0);
    end_sleepers(2);
    must_have(0);
}

static const struct kill_case release_to_sleepers = {
    .operation = { .run = release_it },
    .set_up = set_up_two_sleepers,
    .look = somebody_may_have_it,
    .check = check_one_sleeper,
    .regions = semaphore_and_family,
};

/* By one who is no member yet, as the first thing that a forked child does. */
static const struct kill_case release_to_sleepers_by_a_stranger = {
    .operation = { .run = release_it, .joins = true },
    .set_up = set_up_two_sleepers,
    .look = somebody_may_have_it,
    .check = check_one_sleeper,
    .regions = semaphore_and_family,
    .long_one = true,
};

static void set_up_three_sleepers(void)
{
    set_up_0();
    start_sleepers(3);
    word_before = semaphore->word;
}

static void release_two(void)
{
    CHECK(plait_semaphore_release_many(semaphore, 2) == 0);
}

static void check_two_sleepers(const struct stepped *victim, bool gone)
{
    expected = 2 * gone;
    test_soon(have_got, &expected, "two sleepers");
    MUST(notes->got == expected);
    MUST(plait_semaphore_release_many(semaphore, (uint32_t)(3 - expected)) == 0);
    end_sleepers(3);
    must_have(0);
}

static const struct kill_case release_many_to_sleepers = {
    .operation = { .run = release_two },
    .set_up = set_up_three_sleepers,
    .look = somebody_may_have_it,
    .check = check_two_sleepers,
    .regions = semaphore_and_family,
};

/* The word says that somebody sleeps, and nobody does any more. */
static void set_up_flag(void)
{
    set_up_with(SLEEPERS);
}

static void check_flag(const struct stepped *victim, bool gone)
{
    start_sleepers(gone ? 0 : 1);
    if (!gone) MUST(plait_semaphore_release(semaphore) == 0);
    end_sleepers(!gone);
    must_have(gone);
}

static const struct kill_case release_to_nobody = {
    .operation = { .run = release_it },
    .set_up = set_up_flag,
    .look = value_is_not_0,
    .check = check_flag,
    .regions = semaphore_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(acquire),
    KILL_TESTS(acquire_after_a_sleep),
    KILL_TESTS(give_up),
    KILL_TESTS(release),
    KILL_TESTS(release_to_sleepers),
    KILL_TESTS(release_to_sleepers_by_a_stranger),
    KILL_TESTS(release_many_to_sleepers),
    KILL_TESTS(release_to_nobody),
};

TEST_MAIN(tests)
