/* What no random test finds: somebody falls asleep between a wake that finds nobody and the flag's clearing; releases while the one
 * who is to pass the wake on is held; a death between the last look and the sleep; many lives of a holder's slot. */
#include "hold.h"
#include "member.h"

#include <string.h>

#include <plait.h>

#include "family/repair.h"
#include "sync/owned_semaphore.h"

#define FLAG (UINT32_C(1) << 31)

static plait_semaphore *semaphore;
static struct plait__owned_semaphore *owned;

static struct notes {
    _Atomic int got, here, end;
    int wait_at;
} *notes;

static void set_up(int permits)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .got = -1 };
    MUST(plait_semaphore_free(semaphore) == 0);
    semaphore = plait_owned_semaphore_new(permits);
    assert_non_null(semaphore);
    owned = plait__owned_of(semaphore);
    hold_forget();
}

static int use(void)
{
    notes->got = plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
    CHECK(plait_semaphore_release(semaphore) == 0);
    return 0;
}

/* ---- a wake that finds nobody ---- */

static bool ended(void *unused)
{
    return notes->end != 0;
}

static int release_and_be_held(void)
{
    hold_at(PLAIT__POINT_UNHEARD, 1);
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    CHECK(plait_semaphore_release(semaphore) == 0);
    return 0;
}

/* Of two permits the tester has one, and the one that was released, when the next falls asleep. */
static void who_falls_asleep_before_the_flag_is_cleared_is_woken(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        set_up(2);
        owned->bell = FLAG;
        MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
        struct member releaser = member_start(release_and_be_held);
        hold_until_there();
        MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
        struct member sleeper = member_start(use);
        member_until_sleeps(&sleeper);
        hold_let_go();
        MUST(member_wait(&releaser, "who has woken nobody") == 0);
        MUST(plait_semaphore_release(semaphore) == 0);
        MUST(member_wait(&sleeper, "who fell asleep late") == 0);
        member_all_leave();
    }
}

/* ---- between last look and sleep ---- */

static int hold_for_ever(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) >= 0);
    notes->here++;
    for (;;) pause();
}

static bool is_here(void *unused)
{
    return notes->here > 0;
}

static int wait_for_it(void)
{
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    return use();
}

static int live_on(void)
{
    return 0;
}

enum repaired { NOT_YET, REPAIRED, SLOT_TAKEN_AGAIN };

static void die_before_the_sleep(int wait_at, enum repaired repaired)
{
    set_up(1);
    notes->wait_at = wait_at;
    struct member holder = member_start(hold_for_ever);
    test_soon(is_here, NULL, "the holder");
    struct member waiter = member_start(wait_for_it);
    hold_until_there();
    member_kill(&holder);
    if (repaired != NOT_YET) MUST(plait__reap_all() == 1);
    if (repaired == SLOT_TAKEN_AGAIN) MUST(member_start(live_on).slot == holder.slot);
    hold_let_go();
    MUST(member_wait(&waiter, "the waiter") == 0);
    MUST(notes->got == PLAIT_OWNER_DIED);
    MUST(plait_semaphore_get_value(semaphore) == 1);
    member_all_leave();
    if (repaired == NOT_YET) member_until_repaired(holder.slot);
}

static void the_holder_dies_before_the_sleep(void **state)
{
    test_family();
    for (int round = 0; round < 60; round++) {
        test_where[0] = round;
        die_before_the_sleep(1 + round % 2, (enum repaired)(round / 2 % 3));
    }
}

/* A release between look and sleep. */
static void a_release_before_the_sleep_is_seen(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        set_up(1);
        notes->wait_at = 1 + round % 2;
        MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
        struct member waiter = member_start(wait_for_it);
        hold_until_there();
        MUST(plait_semaphore_release(semaphore) == 0);
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter") == 0);
        MUST(notes->got == 0);
        member_all_leave();
    }
}

/* Two releases before the sleep, and then somebody else sets the flag again.  The waiter must not sleep on a bell that looks as it
 * did before. */
static void a_flag_that_went_down_and_up_before_the_sleep_is_seen(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        set_up(2);
        notes->wait_at = 2;
        for (int i = 0; i < 2; i++) MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
        struct member waiter = member_start(wait_for_it);
        hold_until_there();
        MUST(plait_semaphore_release_many(semaphore, 2) == 0);
        MUST(!(owned->bell & FLAG));
        owned->bell |= FLAG;
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter") == 0);
        member_all_leave();
    }
}

/* ---- many lives of one slot ---- */

static int leave_with_it(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    return 0;
}

static uint32_t the_slot;

static void live_and_end(int (*body)(void), bool by_death)
{
    struct member member = member_start(body);
    if (!the_slot) the_slot = member.slot;
    MUST(member.slot == the_slot);
    if (body == hold_for_ever) test_soon(is_here, NULL, "the holder");
    else MUST(member_wait(&member, "a life") == 0);
    if (by_death) member_kill(&member);
    else member_leave(&member);
    if (by_death) member_until_repaired(the_slot);
}

static void how_a_holder_ended_is_known_after_forty_lives(void **state)
{
    test_family();
    for (int died = 0; died < 2; died++) {
        set_up(3);
        live_and_end(died ? hold_for_ever : leave_with_it, died);
        for (int i = 0; i < 40; i++) live_and_end(live_on, i % 3 == 1);
        MUST(plait_semaphore_get_value(semaphore) == 3);
        int told = 0;
        for (int i = 0; i < 3; i++) {
            int got = plait_semaphore_acquire(semaphore, PLAIT_NOW);
            MUST(got == 0 || got == PLAIT_OWNER_DIED);
            told += got == PLAIT_OWNER_DIED;
        }
        MUST(told == died);
        MUST(plait_semaphore_release_many(semaphore, 3) == 0);
    }
}

/* ---- several who sleep ---- */

static void a_release_wakes_one_after_the_other(void **state)
{
    struct member waiters[3];
    test_family();
    set_up(1);
    MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    for (int i = 0; i < 3; i++) {
        waiters[i] = member_start(use);
        member_until_sleeps(&waiters[i]);
    }
    MUST(plait_semaphore_release(semaphore) == 0);
    for (int i = 0; i < 3; i++) MUST(member_wait(&waiters[i], "a waiter") == 0);
    member_all_leave();
}

static int keep_it(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
    notes->here++;
    test_until(ended, NULL);
    return 0;
}

static bool three_are_here(void *unused)
{
    return notes->here == 3;
}

/* Whoever leaves with three permits wakes all three, not only the one that the kernel wakes. */
static int leave_with_three(void)
{
    for (int i = 0; i < 3; i++) CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    notes->here = 3;
    return 0;
}

static void the_permits_of_one_that_leaves_are_for_all(void **state)
{
    struct member waiters[3];
    test_family();
    set_up(3);
    struct member holder = member_start(leave_with_three);
    test_soon(three_are_here, NULL, "the holder");
    notes->here = 0;
    for (int i = 0; i < 3; i++) waiters[i] = member_start(keep_it);
    for (int i = 0; i < 3; i++) member_until_sleeps(&waiters[i]);
    member_leave(&holder);
    test_soon(three_are_here, NULL, "those who waited");
    notes->end = 1;
    for (int i = 0; i < 3; i++) MUST(member_wait(&waiters[i], "a waiter") == 0);
    member_all_leave();
}

/* ---- a plain one: who is woken passes it on ---- */

static plait_semaphore *plain;

static int take_one(void)
{
    CHECK(plait_semaphore_acquire(plain, PLAIT_FOREVER) == 0);
    return 0;
}

static int take_one_and_be_held(void)
{
    hold_at(PLAIT__POINT_GONE, 1);
    return take_one();
}

/* Three sleep, and the word knows of one only: so the first clears the flag, and the two permits that come then wake nobody.  The
 * first wakes the second, and that one the third. */
static void who_is_woken_without_the_flag_wakes_the_next(void **state)
{
    struct member takers[3];
    test_family();
    set_up(1);
    plain = plait_semaphore_new(0);
    for (int i = 0; i < 3; i++) {
        takers[i] = member_start(i ? take_one : take_one_and_be_held);
        member_until_sleeps(&takers[i]);
    }
    plain->word = 1 | UINT64_C(1) << 40;
    MUST(plait_semaphore_release(plain) == 0);
    hold_until_there();
    MUST(plain->word == 0);
    MUST(plait_semaphore_release_many(plain, 2) == 0);
    hold_let_go();
    for (int i = 0; i < 3; i++) MUST(member_wait(&takers[i], "a taker") == 0);
    member_all_leave();
    MUST(plait_semaphore_free(plain) == 0);
}

/* ---- who is woken and leaves, as exit() does in a signal handler; that it gives its pulse up wakes a bystander ---- */

static plait_semaphore *wanted;

static void leave_when_woken(enum plait__point point)
{
    if (point != PLAIT__POINT_WOKEN || plait_semaphore_get_value(wanted) == 0) return;
    plait_leave();
    notes->end = 1;
    for (;;) pause();
}

static int wait_and_leave(void)
{
    plait__point_hook = leave_when_woken;
    return plait_semaphore_acquire(wanted, PLAIT_FOREVER);
}

static int wait_for_any_and_leave(void)
{
    plait_waitable thing = { PLAIT_WAIT_SEMAPHORE, .object = wanted };
    plait__point_hook = leave_when_woken;
    return plait_wait(&thing, 1, PLAIT_FOREVER);
}

static int wait_behind(void)
{
    CHECK(plait_semaphore_acquire(wanted, PLAIT_FOREVER) == 0);
    return plait_semaphore_release(wanted);
}

static void who_leaves_when_it_was_woken_leaves_nobody_asleep(void **state)
{
    test_family();
    plain = plait_semaphore_new(1);
    for (int way = 0; way < 3; way++) {
        set_up(1);
        wanted = way ? plain : semaphore;
        MUST(plait_semaphore_acquire(wanted, PLAIT_NOW) == 0);
        struct member bystander = member_bystander();
        member_until_sleeps(&bystander);
        struct member leaver = member_start(way == 2 ? wait_for_any_and_leave : wait_and_leave);
        member_until_sleeps(&leaver);
        struct member waiter = member_start(wait_behind);
        member_until_sleeps(&waiter);
        MUST(plait_semaphore_release(wanted) == 0);
        test_soon(ended, NULL, "who leaves");
        MUST(member_wait(&waiter, "who slept behind") == 0);
        member_kill(&leaver);
        member_kill(&bystander);
        member_until_repaired(bystander.slot);
        member_all_leave();
    }
    MUST(plait_semaphore_free(plain) == 0);
}

/* A cycle of a semaphore of one permit and a lock. */
static plait_lock *lock;

static int wait_for_the_lock(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    notes->here++;
    CHECK(plait_lock_acquire(lock, PLAIT_FOREVER) == 0);
    CHECK(plait_lock_release(lock) == 0);
    return plait_semaphore_release(semaphore);
}

static void a_deadlock_is_told(void **state)
{
    test_family();
    set_up(1);
    lock = plait_lock_new();
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    struct member other = member_start(wait_for_the_lock);
    test_soon(is_here, NULL, "the other");
    member_until_sleeps(&other);
    MUST(plait_semaphore_acquire(semaphore, plait_after(0.02)) == -ETIMEDOUT);
    MUST(strstr(plait_error_detail(), "the permit is held by"));
    MUST(strstr(plait_error_detail(), ": a deadlock: "));
    MUST(plait_lock_release(lock) == 0);
    MUST(member_wait(&other, "the other") == 0);
    member_all_leave();
    MUST(plait_lock_free(lock) == 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_falls_asleep_before_the_flag_is_cleared_is_woken),
    cmocka_unit_test(the_holder_dies_before_the_sleep),
    cmocka_unit_test(a_release_before_the_sleep_is_seen),
    cmocka_unit_test(a_flag_that_went_down_and_up_before_the_sleep_is_seen),
    cmocka_unit_test(how_a_holder_ended_is_known_after_forty_lives),
    cmocka_unit_test(a_release_wakes_one_after_the_other),
    cmocka_unit_test(the_permits_of_one_that_leaves_are_for_all),
    cmocka_unit_test(who_is_woken_without_the_flag_wakes_the_next),
    cmocka_unit_test(who_leaves_when_it_was_woken_leaves_nobody_asleep),
    cmocka_unit_test(a_deadlock_is_told),
};

TEST_MAIN(tests)
