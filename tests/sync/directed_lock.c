/* Two things about locks that no random test finds: a death in the moment between a waiter's last look and its sleep, and locks
 * whose holder's slot has had other lives since. */
#include "hold.h"
#include "member.h"

#include <plait.h>

#include "family/repair.h"
#include "family/roster.h"

static plait_lock *lock;

static struct notes {
    _Atomic int got;
    int wait_at;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!lock) lock = plait_lock_new();
    assert_non_null(lock);
    *lock = (plait_lock){ 0 };
    hold_forget();
}

/* ---- between last look and sleep ---- */

static bool is_held(void *unused)
{
    return atomic_load((_Atomic uint64_t *)&lock->word) != 0;
}

static int hold_for_ever(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    for (;;) pause();
}

static int wait_for_lock(void)
{
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    notes->got = plait_lock_acquire(lock, PLAIT_FOREVER);
    CHECK(plait_lock_release(lock) == 0);
    return 0;
}

static int live_on(void)
{
    return 0;
}

enum repaired { NOT_YET, REPAIRED, SLOT_TAKEN_AGAIN };

/* The lock is embedded and known to nobody; the waiter is the only one who could notice.  It is held before its first sleep, of a
 * millisecond, or before the long one. */
static void die_before_the_sleep(int wait_at, enum repaired repaired)
{
    set_up();
    notes->wait_at = wait_at;
    struct member holder = member_start(hold_for_ever);
    test_soon(is_held, NULL, "the holder");
    struct member waiter = member_start(wait_for_lock);
    hold_until_there();
    member_kill(&holder);
    if (repaired != NOT_YET) MUST(plait__reap_all() == 1);
    if (repaired == SLOT_TAKEN_AGAIN) MUST(member_start(live_on).slot == holder.slot);
    hold_let_go();
    MUST(member_wait(&waiter, "the waiter") == 0);
    MUST(notes->got == PLAIT_OWNER_DIED);
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0 && plait_lock_release(lock) == 0);
    member_all_leave();
    if (repaired == NOT_YET) member_until_repaired(holder.slot);
}

static void sixty_rounds(enum repaired repaired)
{
    test_family();
    for (int round = 0; round < 60; round++) {
        test_where[0] = round;
        die_before_the_sleep(1 + round % 2, repaired);
    }
}

static void holder_dies_before_the_sleep(void **state)
{
    sixty_rounds(NOT_YET);
}

static void holder_dies_and_is_repaired_before_the_sleep(void **state)
{
    sixty_rounds(REPAIRED);
}

static void holder_dies_and_its_slot_is_taken_before_the_sleep(void **state)
{
    sixty_rounds(SLOT_TAKEN_AGAIN);
}

/* ---- who is woken and leaves ----
 *
 * As exit() does in a signal handler: the wake was for that one only.  That it gives its pulse up wakes a bystander. */

static _Atomic int *left;

static void leave_when_woken(enum plait__point point)
{
    if (point != PLAIT__POINT_WOKEN || is_held(NULL)) return;
    plait_leave();
    *left = 1;
    for (;;) pause();
}

static int wait_and_leave(void)
{
    plait__point_hook = leave_when_woken;
    return plait_lock_acquire(lock, PLAIT_FOREVER);
}

static int wait_behind(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_FOREVER) == 0);
    return plait_lock_release(lock);
}

static bool has_left(void *unused)
{
    return *left != 0;
}

static void who_leaves_when_it_was_woken_leaves_nobody_asleep(void **state)
{
    test_family();
    set_up();
    left = test_shared(sizeof *left);
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    struct member bystander = member_bystander();
    member_until_sleeps(&bystander);
    struct member leaver = member_start(wait_and_leave);
    member_until_sleeps(&leaver);
    struct member waiter = member_start(wait_behind);
    member_until_sleeps(&waiter);
    MUST(plait_lock_release(lock) == 0);
    test_soon(has_left, NULL, "who leaves");
    MUST(member_wait(&waiter, "who slept behind") == 0);
    member_kill(&leaver);
    member_kill(&bystander);
    member_until_repaired(bystander.slot);
    member_all_leave();
}

/* ---- many lives of one slot ---- */

static int leave_with_lock(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    return 0;
}

static uint32_t the_slot;

/* Somebody lives in the slot, and ends. */
static void live_and_end(int (*body)(void), bool by_death)
{
    struct member member = member_start(body);
    if (!the_slot) the_slot = member.slot;
    MUST(member.slot == the_slot);
    if (body == hold_for_ever) test_soon(is_held, NULL, "the holder");
    else MUST(member_wait(&member, "a life") == 0);
    if (by_death) member_kill(&member);
    else member_leave(&member);
    if (by_death) member_until_repaired(the_slot);
}

static void start_with(int (*body)(void), bool by_death)
{
    test_family();
    set_up();
    live_and_end(body, by_death);
}

static void must_say_died(void)
{
    MUST(plait_lock_locked(lock) == 0);
    MUST(plait_lock_acquire(lock, plait_after(10)) == PLAIT_OWNER_DIED);
    MUST(plait_lock_release(lock) == 0);
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
}

static void a_death_is_known_after_forty_clean_lives(void **state)
{
    start_with(hold_for_ever, true);
    for (int i = 0; i < 40; i++) live_and_end(live_on, false);
    must_say_died();
}

static void a_death_is_known_after_forty_deaths(void **state)
{
    start_with(hold_for_ever, true);
    for (int i = 0; i < 40; i++) live_and_end(live_on, true);
    must_say_died();
}

static void a_death_is_known_after_forty_lives_of_both_kinds(void **state)
{
    start_with(hold_for_ever, true);
    for (int i = 0; i < 40; i++) live_and_end(live_on, i % 3 == 1);
    must_say_died();
}

/* A clean end is no death, whatever came later in its slot: the lock stays locked, and anyone may release it. */
static void a_clean_end_is_known_after_forty_lives(void **state)
{
    start_with(leave_with_lock, false);
    for (int i = 0; i < 40; i++) live_and_end(live_on, i % 2);
    MUST(plait_lock_locked(lock) == 1);
    MUST(plait_lock_acquire(lock, plait_after(0.01)) == -ETIMEDOUT);
    MUST(plait_lock_release(lock) == 0);
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
}

/* Somebody sleeps on the lock of one who left; whoever releases it wakes the sleeper. */
static int wait_plainly(void)
{
    notes->got = plait_lock_acquire(lock, PLAIT_FOREVER);
    return plait_lock_release(lock);
}

static void the_lock_of_one_who_left_is_released_by_another(void **state)
{
    start_with(leave_with_lock, false);
    notes->got = -1;
    struct member waiter = member_start(wait_plainly);
    member_until_sleeps(&waiter);
    MUST(plait_lock_release(lock) == 0);
    MUST(member_wait(&waiter, "the waiter") == 0 && notes->got == 0);
    member_all_leave();
}

/* ---- several who sleep ---- */

/* All of them stay members when they have had it: whoever leaves wakes others, too. */
static void a_release_wakes_one_after_the_other(void **state)
{
    struct member waiters[3];
    test_family();
    set_up();
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    for (int i = 0; i < 3; i++) {
        waiters[i] = member_start(wait_plainly);
        member_until_sleeps(&waiters[i]);
    }
    MUST(plait_lock_release(lock) == 0);
    for (int i = 0; i < 3; i++) MUST(member_wait(&waiters[i], "a waiter") == 0);
    member_all_leave();
}

/* The holder has left, which wakes one who watches it, and that is the bystander.  Somebody else who only tries makes the lock
 * nobody's; that must not make it forget the one who sleeps. */
static void whoever_only_tries_forgets_nobody(void **state)
{
    test_family();
    set_up();
    struct member bystander = member_bystander();
    member_until_sleeps(&bystander);
    struct member holder = member_start(leave_with_lock);
    MUST(member_wait(&holder, "the holder") == 0);
    struct member waiter = member_start(wait_plainly);
    member_until_sleeps(&waiter);
    member_leave(&holder);
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_lock_release(lock) == 0);
    MUST(member_wait(&waiter, "the waiter") == 0);
    member_kill(&bystander);
    member_all_leave();
    member_until_repaired(bystander.slot);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(holder_dies_before_the_sleep),
    cmocka_unit_test(holder_dies_and_is_repaired_before_the_sleep),
    cmocka_unit_test(holder_dies_and_its_slot_is_taken_before_the_sleep),
    cmocka_unit_test(a_death_is_known_after_forty_clean_lives),
    cmocka_unit_test(a_death_is_known_after_forty_deaths),
    cmocka_unit_test(a_death_is_known_after_forty_lives_of_both_kinds),
    cmocka_unit_test(a_clean_end_is_known_after_forty_lives),
    cmocka_unit_test(the_lock_of_one_who_left_is_released_by_another),
    cmocka_unit_test(a_release_wakes_one_after_the_other),
    cmocka_unit_test(whoever_only_tries_forgets_nobody),
    cmocka_unit_test(who_leaves_when_it_was_woken_leaves_nobody_asleep),
};

TEST_MAIN(tests)
