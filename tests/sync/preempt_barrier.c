/* One party of a barrier is held after every instruction while another runs a whole operation: all learn the same. */
#include "preempt.h"

#include <plait.h>

#include "family/repair.h"

static plait_barrier *barrier;

static struct notes {
    _Atomic int first, second;                             /* what the calls returned */
    _Atomic int acted;
} *notes;

static int act(void *unused)
{
    notes->acted++;
    return 0;
}

static void make(int parties)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ -1, -1, 0 };
    barrier = plait_barrier_new(parties, &(plait_barrier_options){ .action = act });
    assert_non_null(barrier);
}

static void set_up(void)
{
    make(2);
}

static void tear_down(void)
{
    MUST(plait_barrier_free(barrier) == 0);
}

static const struct step_region *barrier_and_family(void)
{
    return step_object_and_roster(barrier, 256);
}

static void come_first(void) { notes->first = plait_barrier_wait(barrier, PLAIT_FOREVER); }
static void come_second(void) { notes->second = plait_barrier_wait(barrier, PLAIT_FOREVER); }

static struct member third, fourth;

static int come_third(void)
{
    int place = plait_barrier_wait(barrier, plait_after(20));
    return place < 0 && place != PLAIT_EBROKEN;
}

/* ---- two come ---- */

static void check_met(void)
{
    MUST(notes->first + notes->second == 1 && notes->first * notes->second == 0);
    MUST(notes->acted == 1);
    MUST(plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
}

static const struct preempt_case come_come = {
    .first = { .run = come_first }, .second = come_second, .set_up = set_up, .check = check_met, .tear_down = tear_down,
    .regions = barrier_and_family, .stride = 11,
};

/* Twice: the second time begins while one is still held on its way out of the first. */
static void come_first_twice(void)
{
    for (int i = 0; i < 2; i++) come_first();
}

static void come_second_twice(void)
{
    for (int i = 0; i < 2; i++) come_second();
}

static void check_met_twice(void)
{
    MUST(notes->first >= 0 && notes->second >= 0 && notes->first + notes->second == 1);
    MUST(notes->acted == 2 && plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
}

static const struct preempt_case come_come_twice = {
    .first = { .run = come_first_twice }, .second = come_second_twice, .set_up = set_up, .check = check_met_twice,
    .tear_down = tear_down, .regions = barrier_and_family, .stride = 37,
};

/* One who has slept is held on its way out, and the next time begins without it: a third comes in its place. */
static bool met;

static void meet_now(void)
{
    MUST(plait_barrier_wait(barrier, PLAIT_FOREVER) == 1);
    met = true;
}

static void come_again(void)
{
    if (!met) return;
    third = member_start(come_third);
    MUST(member_wait(&third, "the third") == 0);
}

static void set_up_not_met(void)
{
    set_up();
    met = false;
}

/* Held before anybody came, the second is the one that it meets. */
static void check_place(void)
{
    MUST(notes->first >= 0);
    MUST(plait_barrier_broken(barrier) == 0);
}

static const struct preempt_case woken_come_come = {
    .first = { .run = come_first, .wake = meet_now }, .second = come_second, .set_up = set_up_not_met, .held = come_again,
    .check = check_place, .tear_down = tear_down, .regions = barrier_and_family, .stride = 41, .when_woken = true,
};

/* ---- one comes, the other breaks or mends it ---- */

static void abort_second(void)
{
    notes->second = plait_barrier_abort(barrier);
}

static void check_broken(void)
{
    MUST(notes->first == PLAIT_EBROKEN && notes->second == 0);
    MUST(plait_barrier_broken(barrier) == 1);
}

static const struct preempt_case come_abort = {
    .first = { .run = come_first }, .second = abort_second, .set_up = set_up, .check = check_broken, .tear_down = tear_down,
    .regions = barrier_and_family, .stride = 11,
};

static void reset_it(void)
{
    notes->first = plait_barrier_reset(barrier);
}

/* Who comes meanwhile is told, or is the first to come after the reset. */
static bool second_waits_or_is_done(void *unused)
{
    return plait_barrier_n_waiting(barrier) == 1 || notes->second != -1;
}

static void meet_it_if_it_waits(void)
{
    test_soon(second_waits_or_is_done, NULL, "the second");
    if (notes->second == -1) MUST(plait_barrier_wait(barrier, PLAIT_NOW) == 1);
}

static void check_reset(void)
{
    MUST(notes->first == 0 && (notes->second == PLAIT_EBROKEN || notes->second == 0));
    MUST(plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
}

static const struct preempt_case reset_come = {
    .first = { .run = reset_it }, .second = come_second, .set_up = set_up, .first_done = meet_it_if_it_waits,
    .check = check_reset, .tear_down = tear_down,
};

/* All come whom the barrier is for, during a reset: they meet, or are told. */
static void set_up_one(void)
{
    make(2);
    third = member_start(come_third);
    member_until_sleeps(&third);
}

static void third_is_done(void)
{
    MUST(member_wait(&third, "the one who waited") == 0);
}

static void check_reset_or_met(void)
{
    MUST(notes->first == 0 && (notes->second == PLAIT_EBROKEN || notes->second == 1));
    MUST(plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
    MUST(notes->acted == (notes->second == 1));
}

static void meet_it_too(void)
{
    meet_it_if_it_waits();
    third_is_done();
}

static void check_reset_at_last(void)
{
    if (notes->second == 0) {                              /* it came after the reset, and the tester was the last */
        notes->acted--;
        notes->second = PLAIT_EBROKEN;
    }
    check_reset_or_met();
}

static const struct preempt_case reset_come_last = {
    .first = { .run = reset_it }, .second = come_second, .set_up = set_up_one, .first_done = meet_it_too,
    .check = check_reset_at_last, .tear_down = tear_down,
};

static void check_aborted_or_met(void)
{
    MUST(notes->second == 0 && (notes->first == PLAIT_EBROKEN || notes->first == 1));
    MUST(plait_barrier_broken(barrier) == 1);
    MUST(notes->acted == 1 || notes->first == PLAIT_EBROKEN);
}

static const struct preempt_case come_last_abort = {
    .first = { .run = come_first }, .second = abort_second, .set_up = set_up_one, .both_done = third_is_done,
    .check = check_aborted_or_met, .tear_down = tear_down,
};

/* ---- two for one place ---- */

/* The one who does not get it comes for the next time, as does a fourth. */
static void start_fourth(void)
{
    fourth = member_start(come_third);
}

static void all_are_done(void)
{
    third_is_done();
    MUST(member_wait(&fourth, "the fourth") == 0);
}

static void check_met_two_times(void)
{
    MUST(notes->first >= 0 && notes->second >= 0 && notes->acted == 2);
    MUST(plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
}

static const struct preempt_case last_last = {
    .first = { .run = come_first }, .second = come_second, .set_up = set_up_one, .held = start_fourth,
    .both_done = all_are_done, .check = check_met_two_times, .tear_down = tear_down,
    .regions = barrier_and_family, .stride = 11,
};

/* One has come already, and the second comes twice: with that one, and with the first, or whoever comes.  The first must not take
 * the place that the second has the second time. */
static _Atomic int *meetings;

static void come_and_count(void)
{
    for (int i = 0; i < 2; i++) {
        if (plait_barrier_wait(barrier, PLAIT_FOREVER) >= 0) ++*meetings;
    }
}

static void set_up_one_who_came(void)
{
    if (!meetings) meetings = test_shared(sizeof *meetings);
    *meetings = 0;
    set_up_one();
}

static bool second_has_met_twice(void *unused)
{
    if (*meetings < 2 && plait_barrier_n_waiting(barrier) == 1) MUST(plait_barrier_wait(barrier, PLAIT_NOW) == 1);
    return *meetings == 2;
}

static void meet_the_second(void)
{
    test_soon(second_has_met_twice, NULL, "the second");
    third_is_done();
}

static void check_all_met(void)
{
    MUST(notes->first >= 0 && plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
}

static const struct preempt_case come_beside_two_meetings = {
    .first = { .run = come_first }, .second = come_and_count, .set_up = set_up_one_who_came, .first_done = meet_the_second,
    .check = check_all_met, .tear_down = tear_down,
};

/* ---- one repairs, the other comes ---- */

static void set_up_dead(void)
{
    make(3);
    third = member_start(come_third);
    member_until_sleeps(&third);
    member_kill(&third);
}

static void repair(void)
{
    plait__reap_all();
}

static void check_told(void)
{
    MUST(notes->second == PLAIT_EBROKEN);
}

static const struct preempt_case repair_come = {
    .first = { .run = repair }, .second = come_second, .set_up = set_up_dead, .check = check_told, .tear_down = tear_down,
    .regions = barrier_and_family, .stride = 13,
};

/* ---- the time of one is up when the other comes: both were there, or neither is told so ---- */

static void come_in_time(void)
{
    notes->first = plait_barrier_wait(barrier, PLAIT_NOW);
}

static void check_met_or_late(void)
{
    if (notes->first != -ETIMEDOUT) {
        check_met();
        return;
    }
    MUST(notes->second == PLAIT_EBROKEN && notes->acted == 0);
    MUST(plait_barrier_broken(barrier) == 1);
}

static const struct preempt_case time_out_come = {
    .first = { .run = come_in_time }, .second = come_second, .set_up = set_up, .check = check_met_or_late, .tear_down = tear_down,
};

/* ---- one takes the name of a dead one, the other resets, which takes that name away ---- */

static void join(void)
{
    notes->first = plait_barrier_join(barrier);
}

static void take_names_away(void)
{
    notes->second = plait_barrier_reset(barrier);
}

static int join_third(void)
{
    return plait_barrier_join(barrier);
}

static void set_up_dead_name(void)
{
    make(1);
    third = member_start(join_third);
    MUST(member_wait(&third, "the one who will die") == 0);
    member_kill(&third);
    MUST(plait_barrier_broken(barrier) == 1);
}

static void check_joined(void)
{
    MUST(notes->first == 0 && notes->second == 0);
}

static const struct preempt_case join_reset = {
    .first = { .run = join }, .second = take_names_away, .set_up = set_up_dead_name, .check = check_joined, .tear_down = tear_down,
};

/* One falls asleep, and another who has come dies meanwhile. */
static void do_nothing(void)
{
}

static void set_up_one_of_three(void)
{
    make(3);
    third = member_start(come_third);
    member_until_sleeps(&third);
}

static void kill_third(void)
{
    member_kill(&third);
}

static void check_told_first(void)
{
    MUST(notes->first == PLAIT_EBROKEN);
    member_until_repaired(third.slot);
}

static const struct preempt_case sleep_die = {
    .first = { .run = come_first }, .second = do_nothing, .set_up = set_up_one_of_three, .held = kill_third,
    .check = check_told_first, .tear_down = tear_down, .regions = barrier_and_family, .stride = 17,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(come_come),
    PREEMPT_TEST(come_come_twice),
    PREEMPT_TEST(woken_come_come),
    PREEMPT_TEST(come_abort),
    PREEMPT_TEST(reset_come),
    PREEMPT_TEST(reset_come_last),
    PREEMPT_TEST(come_last_abort),
    PREEMPT_TEST(last_last),
    PREEMPT_TEST(come_beside_two_meetings),
    PREEMPT_TEST(repair_come),
    PREEMPT_TEST(time_out_come),
    PREEMPT_TEST(join_reset),
    PREEMPT_TEST(sleep_die),
};

TEST_MAIN(tests)
