/* Things about conditions and barriers that no random test finds: what happens between the last look of one who waits and its
 * sleep; and repairers that are killed, while whoever waits is stopped. */
#include "hold.h"
#include "member.h"
#include "step.h"

#include <plait.h>

#include "family/repair.h"
#include "family/roster.h"

static plait_condition *condition;
static plait_barrier *barrier;

static struct notes {
    _Atomic int got, others_got;
    int wait_at;
} *notes;

static void set_up(int parties)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .got = -1, .others_got = -1 };
    if (!condition) condition = plait_condition_new(NULL);
    assert_int_equal(plait_condition_init(condition, NULL), 0);
    barrier = plait_barrier_new(parties, NULL);
    assert_non_null(barrier);
    hold_forget();
}

static void tear_down(void)
{
    member_all_leave();
    MUST(plait_barrier_free(barrier) == 0);
}

static int live_and_die(void)
{
    for (;;) pause();
    return 0;
}

/* ---- who waits, held before its first or second sleep, the short or the long one ---- */

static void begin_round(int round, int parties)
{
    test_where[0] = round;
    set_up(parties);
    notes->wait_at = 1 + round % 2;
}

static struct member start_held(int (*body)(void))
{
    struct member waiter = member_start(body);
    hold_until_there();
    return waiter;
}

static int wait_to_be_notified(void)
{
    CHECK(plait_condition_acquire(condition, PLAIT_FOREVER) == 0);
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    notes->got = plait_condition_wait(condition, PLAIT_FOREVER);
    return plait_condition_release(condition);
}

static int wait_at_barrier(void)
{
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    notes->got = plait_barrier_wait(barrier, PLAIT_FOREVER);
    return 0;
}

static int notify(int n)
{
    MUST(plait_condition_acquire(condition, PLAIT_FOREVER) == 0);
    int woken = plait_condition_notify(condition, n);
    MUST(plait_condition_release(condition) == 0);
    return woken;
}

static int wait_plainly(void)
{
    CHECK(plait_condition_acquire(condition, PLAIT_FOREVER) == 0);
    notes->others_got = plait_condition_wait(condition, PLAIT_FOREVER);
    return plait_condition_release(condition);
}

/* With the lock given back, and not asleep yet. */
static void a_notify_between_unlock_and_sleep(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        begin_round(round, 2);
        struct member waiter = start_held(wait_to_be_notified);
        MUST(notify(round % 3 ? 1 : 5) == 1);
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter") == 0 && notes->got == 0);
        tear_down();
    }
}

/* Two notifies, one after the other, and two who wait, one of them about to sleep. */
static void two_notifies_between_unlock_and_sleep(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        begin_round(round, 2);
        struct member waiter = start_held(wait_to_be_notified);
        struct member other = member_start(wait_plainly);
        member_until_sleeps(&other);
        for (int i = 0; i < 2; i++) MUST(notify(1) == 1);
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter") == 0 && notes->got == 0);
        MUST(member_wait(&other, "the other waiter") == 0 && notes->others_got == 0);
        tear_down();
    }
}

/* One notify, for two: one of them is about to sleep, and the kernel wakes the other.  The notify is for one, and for one only. */
static bool one_has_got(void *unused)
{
    return notes->got + notes->others_got == -1;
}

static void one_notify_for_two(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        begin_round(round, 2);
        struct member waiter = start_held(wait_to_be_notified);
        struct member other = member_start(wait_plainly);
        member_until_sleeps(&other);
        MUST(notify(1) == 1);
        if (round % 4 < 2) test_soon(one_has_got, NULL, "the one that sleeps");
        hold_let_go();
        test_soon(one_has_got, NULL, "one of the two");
        member_until_sleeps(notes->got == 0 ? &other : &waiter);
        MUST(notify(1) == 1);
        MUST(member_wait(&waiter, "the waiter") == 0 && notes->got == 0);
        MUST(member_wait(&other, "the other waiter") == 0 && notes->others_got == 0);
        tear_down();
    }
}

static void the_last_comes_between_look_and_sleep(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        begin_round(round, 2);
        struct member waiter = start_held(wait_at_barrier);
        if (round % 4 < 2) MUST(plait_barrier_wait(barrier, PLAIT_FOREVER) == 1);
        else MUST(plait_barrier_abort(barrier) == 0);
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter") == 0);
        MUST(notes->got == (round % 4 < 2 ? 0 : PLAIT_EBROKEN));
        tear_down();
    }
}

enum repaired { NOT_YET, REPAIRED, SLOT_TAKEN_AGAIN };

static int live_on(void)
{
    return 0;
}

static void die(const struct member *member, enum repaired repaired)
{
    member_kill(member);
    if (repaired != NOT_YET) MUST(plait__reap_all() == 1);
    if (repaired == SLOT_TAKEN_AGAIN) MUST(member_start(live_on).slot == member->slot);
}

static void check_deaths_between_look_and_sleep(int (*body)(void), int (*victim)(void), int expected)
{
    test_family();
    for (int round = 0; round < 30; round++) {
        begin_round(round, 3);
        struct member other = member_start(victim);
        if (victim != live_and_die) member_until_sleeps(&other);
        struct member waiter = start_held(body);
        die(&other, (enum repaired)(round % 3));
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter") == 0);
        MUST(notes->got == expected);
        tear_down();
        if (round % 3 == NOT_YET) member_until_repaired(other.slot);
    }
}

static int come_plainly(void)
{
    return plait_barrier_wait(barrier, PLAIT_FOREVER);
}

static int be_named(void)
{
    CHECK(plait_barrier_join(barrier) == 0);
    plait_queue *queue = plait_queue_new(NULL);
    char byte;
    return (int)plait_queue_get(queue, &byte, 1, PLAIT_FOREVER);
}

static void another_waiter_dies_between_look_and_sleep(void **state)
{
    check_deaths_between_look_and_sleep(wait_to_be_notified, wait_plainly, 0);
}

static void anybody_dies_between_look_and_sleep(void **state)
{
    check_deaths_between_look_and_sleep(wait_to_be_notified, live_and_die, 0);
}

static void a_party_dies_between_look_and_sleep(void **state)
{
    check_deaths_between_look_and_sleep(wait_at_barrier, come_plainly, PLAIT_EBROKEN);
}

static void a_named_party_dies_between_look_and_sleep(void **state)
{
    check_deaths_between_look_and_sleep(wait_at_barrier, be_named, PLAIT_EBROKEN);
}

/* Who leaves gives its pulse up, which wakes one who watches: the bystander.  The one who waits at the barrier learns it all the
 * same. */
static int be_named_and_leave(void)
{
    return plait_barrier_join(barrier);
}

static void a_named_party_leaves_beside_a_bystander(void **state)
{
    test_family();
    set_up(3);
    struct member bystander = member_bystander();
    member_until_sleeps(&bystander);
    struct member named = member_start(be_named_and_leave);
    MUST(member_wait(&named, "the named party") == 0);
    notes->wait_at = 0;
    struct member waiter = member_start(wait_at_barrier);
    member_until_sleeps(&waiter);
    member_leave(&named);
    MUST(member_wait(&waiter, "the waiter") == 0 && notes->got == PLAIT_EBROKEN);
    member_kill(&bystander);
    member_until_repaired(bystander.slot);
    tear_down();
}

/* ---- who repairs is killed, too ---- */

static void repair(void)
{
    CHECK(plait__reap_all() >= 0);
}

static int wait_for_either(int (*wait)(void))
{
    notes->wait_at = 0;
    return wait();
}

static int wait_on_condition(void) { return wait_for_either(wait_to_be_notified); }
static int come_to_barrier(void) { return wait_for_either(wait_at_barrier); }

/* One waits and is stopped, another who waits with it is killed, and so is who repairs that, after the k-th change.  The first goes
 * on. */
static bool kill_repairer_at(long k, int (*body)(void), int (*victim)(void), int expected)
{
    static const struct step_operation repairs = { .run = repair };
    test_where[0] = k;
    set_up(3);
    struct member dead = member_start(victim), waiter = member_start(body);
    member_until_sleeps(&dead);
    member_until_sleeps(&waiter);
    member_stop(&waiter);
    member_kill(&dead);
    struct stepped repairer = step_to_change(&repairs, step_family_regions(), k);
    step_kill(&repairer);
    member_continue(&waiter);
    MUST(member_wait(&waiter, "the waiter") == 0);
    MUST(notes->got == expected);
    member_until_repaired(dead.slot);
    member_until_repaired(repairer.slot);
    tear_down();
    return repairer.finished;
}

static void check_killed_repairers(int (*body)(void), int (*victim)(void), int expected)
{
    test_family();
    long k = 0;
    while (!kill_repairer_at(k, body, victim, expected)) k++;
    printf("%ld repairers were killed\n", k);
    assert_true(k > 5);
}

static void a_repairer_dies_beside_a_condition(void **state)
{
    check_killed_repairers(wait_on_condition, wait_plainly, 0);
}

static void a_repairer_dies_beside_a_barrier(void **state)
{
    check_killed_repairers(come_to_barrier, come_plainly, PLAIT_EBROKEN);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_notify_between_unlock_and_sleep),
    cmocka_unit_test(two_notifies_between_unlock_and_sleep),
    cmocka_unit_test(one_notify_for_two),
    cmocka_unit_test(the_last_comes_between_look_and_sleep),
    cmocka_unit_test(another_waiter_dies_between_look_and_sleep),
    cmocka_unit_test(anybody_dies_between_look_and_sleep),
    cmocka_unit_test(a_party_dies_between_look_and_sleep),
    cmocka_unit_test(a_named_party_dies_between_look_and_sleep),
    cmocka_unit_test(a_named_party_leaves_beside_a_bystander),
    cmocka_unit_test(a_repairer_dies_beside_a_condition),
    cmocka_unit_test(a_repairer_dies_beside_a_barrier),
};

TEST_MAIN(tests)
