/* One user of a condition is held after every instruction while another runs a whole operation: a notify reaches whoever waited
 * when it came, and no more than it is for. */
#include "preempt.h"

#include <plait.h>

static struct thing {
    plait_condition condition;
    _Alignas(64) int value;
} *thing;

static struct notes {
    _Atomic int first, second;                             /* what the calls returned */
    _Atomic int notified;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ -1, -1, -1 };
    if (!thing) thing = plait_alloc(1600);
    assert_non_null(thing);
    *thing = (struct thing){ .value = 0 };
}

static const struct step_region *condition_and_family(void)
{
    return step_object_and_roster(thing, sizeof *thing);
}

static void acquire(void)
{
    CHECK(plait_condition_acquire(&thing->condition, PLAIT_FOREVER) == 0);
}

static void release(void)
{
    CHECK(plait_condition_release(&thing->condition) == 0);
}

static int has_value(void *unused)
{
    return thing->value > 0;
}

static int take_value(plait_deadline deadline)
{
    acquire();
    int got = plait_condition_wait_for(&thing->condition, has_value, NULL, deadline);
    if (got == 0) thing->value--;
    release();
    return got;
}

static void take_first(void) { notes->first = take_value(PLAIT_FOREVER); }
static void take_second(void) { notes->second = take_value(PLAIT_FOREVER); }
static void take_in_time(void) { notes->first = take_value(plait_after(0.002)); }

static int give(int values, int n)
{
    acquire();
    thing->value += values;
    int woken = plait_condition_notify(&thing->condition, n);
    release();
    return woken;
}

static void give_one(void) { notes->notified = give(1, 1); }

static void must_be_quiet(void)
{
    MUST(thing->value == 0);
    acquire();
    MUST(plait_condition_notify_all(&thing->condition) == 0);
    release();
}

/* ---- one waits, the other gives ---- */

static void check_taken(void)
{
    MUST(notes->first == 0 && notes->notified >= 0);
    must_be_quiet();
}

static const struct preempt_case take_give = {
    .first = { .run = take_first }, .second = give_one, .set_up = set_up, .check = check_taken,
    .regions = condition_and_family, .stride = 7,
};

static const struct preempt_case give_take = {
    .first = { .run = give_one }, .second = take_first, .set_up = set_up, .check = check_taken,
};

/* ---- two wait, and both get theirs, whoever gives ---- */

static bool given;

static void set_up_not_given(void)
{
    set_up();
    given = false;
}

static void give_both(void)
{
    if (!given) MUST(give(2, 2) >= 0);
    given = true;
}

/* Not the tester: the first may be held with the lock. */
static int give_two(void)
{
    return give(2, 2) < 0;
}

static void have_both_given(void)
{
    if (!given) member_start(give_two);
    given = true;
}

static void check_both_taken(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    must_be_quiet();
}

static const struct preempt_case take_take = {
    .first = { .run = take_first, .wake = give_both }, .second = take_second, .set_up = set_up_not_given, .held = have_both_given,
    .check = check_both_taken, .regions = condition_and_family, .stride = 29,
};

/* ---- one's time is up while the other gives ---- */

static void take_the_rest(void)
{
    if (notes->first == -ETIMEDOUT) MUST(take_value(PLAIT_NOW) == 0);
    else MUST(notes->first == 0);
}

static const struct preempt_case time_out_give = {
    .first = { .run = take_in_time }, .second = give_one, .set_up = set_up, .both_done = take_the_rest,
    .check = must_be_quiet, .regions = condition_and_family, .stride = 13,
};

static struct member waiter, other_waiter;

static int take_third(void)
{
    return take_value(PLAIT_FOREVER);
}

static void set_up_waiter(void)
{
    set_up();
    waiter = member_start(take_third);
    member_until_sleeps(&waiter);
}

/* One value, and one notify: it is for the one who waits, whatever becomes of the one whose time is up. */
static void somebody_has_taken(void)
{
    if (notes->first == 0) MUST(give(1, 1) >= 0);          /* 0: it was notified in vain, and is about to look again */
    MUST(member_wait(&waiter, "the patient one") == 0);
}

static const struct preempt_case time_out_beside_a_waiter_give = {
    .first = { .run = take_in_time }, .second = give_one, .set_up = set_up_waiter, .both_done = somebody_has_taken,
    .check = must_be_quiet, .regions = condition_and_family, .stride = 13,
};

/* ---- two give ---- */

static void set_up_two_waiters(void)
{
    set_up_waiter();
    other_waiter = member_start(take_third);
    member_until_sleeps(&other_waiter);
}

static void give_second(void)
{
    notes->second = give(1, 1);
}

static void check_both_given(void)
{
    MUST(notes->notified == 1 && notes->second == 1);
    must_be_quiet();
}

static void both_have_taken(void)
{
    MUST(member_wait(&waiter, "a waiter") == 0);
    MUST(member_wait(&other_waiter, "another waiter") == 0);
}

static const struct preempt_case give_give = {
    .first = { .run = give_one }, .second = give_second, .set_up = set_up_two_waiters, .both_done = both_have_taken,
    .check = check_both_given,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(take_give),
    PREEMPT_TEST(give_take),
    PREEMPT_TEST(take_take),
    PREEMPT_TEST(time_out_give),
    PREEMPT_TEST(time_out_beside_a_waiter_give),
    PREEMPT_TEST(give_give),
};

TEST_MAIN(tests)
