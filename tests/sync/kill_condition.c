/* A condition whose user is killed after every instruction.  What must hold for the survivors: nobody hangs, whoever waited looks,
 * and the condition works as before. */
#include "kill.h"

#include <plait.h>

#include "family/roster.h"

static struct thing {
    plait_condition condition;
    _Alignas(64) int value;                                /* what the lock protects */
} *thing;

static struct notes {
    _Atomic int told, woken;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!thing) thing = plait_alloc(sizeof *thing);
    assert_non_null(thing);
    *thing = (struct thing){ .value = 0 };
}

static const struct step_region *condition_and_family(void)
{
    return step_object_and_roster(thing, sizeof *thing);
}

static void acquire(void)
{
    CHECK(plait_condition_acquire(&thing->condition, PLAIT_FOREVER) >= 0);
}

static void release(void)
{
    CHECK(plait_condition_release(&thing->condition) == 0);
}

/* ---- the others ---- */

static int has_value(void *unused)
{
    return thing->value != 0;
}

/* Wait until there is a value; the deadline is for a test that fails. */
static int wait_for_value(void)
{
    acquire();
    int got;
    do {
        got = plait_condition_wait_for(&thing->condition, has_value, NULL, plait_after(20));
        notes->told += got == PLAIT_OWNER_DIED;
    } while (got == PLAIT_OWNER_DIED);
    CHECK(got == 0 && thing->value == 1);
    notes->woken++;
    release();
    return 0;
}

static struct member waiters[2];

static void set_up_waiters(void)
{
    set_up();
    for (int i = 0; i < 2; i++) {
        waiters[i] = member_start(wait_for_value);
        member_until_sleeps(&waiters[i]);
    }
}

static void give_value(void)
{
    acquire();
    thing->value = 1;
    CHECK(plait_condition_notify_all(&thing->condition) >= 0);
    release();
}

static void end_waiters(void)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&waiters[i], "a waiter") == 0);
}

/* It works: one waits, and is the one that is woken. */
static void must_work(const struct stepped *victim)
{
    member_all_leave();
    member_until_repaired(victim->slot);
    thing->value = 0;
    struct member waiter = member_start(wait_for_value);
    member_until_sleeps(&waiter);
    acquire();
    thing->value = 1;
    MUST(plait_condition_notify(&thing->condition, 2) == 1);
    release();
    MUST(member_wait(&waiter, "the last waiter") == 0);
    MUST(plait_condition_acquire(&thing->condition, PLAIT_NOW) == 0);
    MUST(plait_condition_wait(&thing->condition, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_condition_notify_all(&thing->condition) == 0);
    release();
    member_all_leave();
}

/* ---- wait ---- */

static void wait_for_ever(void)
{
    for (int i = 0; i < 2; i++) acquire();
    CHECK(plait_condition_wait(&thing->condition, PLAIT_FOREVER) >= 0);
    CHECK(plait_rlock_depth(&thing->condition.own) == 2);
    for (int i = 0; i < 2; i++) release();
}

static bool notified;

static void start_waiter(void)
{
    waiters[0] = member_start(wait_for_value);
    member_until_sleeps(&waiters[0]);
}

static int notify_one(void)
{
    acquire();
    thing->value = 1;
    int woken = plait_condition_notify(&thing->condition, 1);
    release();
    return woken;
}

static void set_up_alone(void)
{
    set_up();
    notified = false;
}

/* The victim sleeps, another comes behind it, and one is notified: the victim. */
static void notify_the_victim(void)
{
    start_waiter();
    MUST(notify_one() == 1);
    notified = true;
}

/* The victim did not go on with what it was notified of: the other does. */
static void check_next_waiter(const struct stepped *victim, bool done)
{
    if (!notified) {
        member_until_repaired(victim->slot);
        start_waiter();
        MUST(notify_one() == 1);
    } else if (done) {
        give_value();
    }
    MUST(member_wait(&waiters[0], "the other waiter") == 0);
    must_work(victim);
}

static const struct kill_case wait_and_be_notified = {
    .operation = { .run = wait_for_ever, .wake = notify_the_victim },
    .set_up = set_up_alone,
    .check = check_next_waiter,
    .regions = condition_and_family,
    .long_one = true,
};

static void set_up_one_who_waits_too(void)
{
    set_up();
    start_waiter();
}

/* The victim and another are in one group.  Perhaps nobody has seen yet that the victim is dead. */
static void check_the_other(const struct stepped *victim, bool done)
{
    MUST(notify_one() >= 0);
    MUST(member_wait(&waiters[0], "the other waiter") == 0);
    must_work(victim);
}

static void wait_in_vain(void)
{
    acquire();
    int got = plait_condition_wait(&thing->condition, PLAIT_NOW);
    CHECK(got == -ETIMEDOUT || got >= 0);
    release();
}

static const struct kill_case wait_and_time_out = {
    .operation = { .run = wait_in_vain },
    .set_up = set_up_one_who_waits_too,
    .check = check_the_other,
    .regions = condition_and_family,
};

/* ---- notify ---- */

static void notify_all_of_them(void)
{
    CHECK(plait_condition_notify_all(&thing->condition) == 2);
    release();
}

static void acquire_and_set(void)
{
    acquire();
    thing->value = 1;
}

/* Whether they were notified, or learn by the death that they have to look: what they wait for is there. */
static void check_waiters(const struct stepped *victim, bool done)
{
    end_waiters();
    MUST(notes->told <= 1);
    must_work(victim);
}

static const struct kill_case notify_all = {
    .operation = { .prepare = acquire_and_set, .run = notify_all_of_them },
    .set_up = set_up_waiters,
    .check = check_waiters,
    .regions = condition_and_family,
};

static void notify_one_of_them(void)
{
    CHECK(plait_condition_notify(&thing->condition, 1) == 1);
    release();
}

/* If it was finished, the other one still waits, and the next notify is for that one. */
static void check_one_after_the_other(const struct stepped *victim, bool done)
{
    if (done) {
        member_until_repaired(victim->slot);
        give_value();
    }
    end_waiters();
    must_work(victim);
}

static const struct kill_case notify_some = {
    .operation = { .prepare = acquire_and_set, .run = notify_one_of_them },
    .set_up = set_up_waiters,
    .check = check_one_after_the_other,
    .regions = condition_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(wait_and_be_notified),
    KILL_TESTS(wait_and_time_out),
    KILL_TESTS(notify_all),
    KILL_TESTS(notify_some),
};

TEST_MAIN(tests)
