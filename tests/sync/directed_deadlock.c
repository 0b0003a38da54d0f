/* A word may still name the slot of somebody who has gone, in which somebody else lives by now: that one holds nothing. */
#include "member.h"
#include "report.h"

#include <string.h>

#include <plait.h>

static plait_lock *locks;                                  /* two */

static struct notes {
    _Atomic int ready;
} *notes;

static void set_up(void)
{
    test_family();
    notes = test_shared(sizeof *notes);
    locks = plait_alloc(2 * sizeof *locks);
    assert_non_null(locks);
}

static int take_the_first(void)
{
    CHECK(plait_lock_acquire(&locks[0], PLAIT_NOW) == 0);
    notes->ready = 1;
    return 0;
}

static bool is_ready(void *unused)
{
    return notes->ready != 0;
}

/* Has the second, and wants the first. */
static int take_both(void)
{
    CHECK(plait_lock_acquire(&locks[1], PLAIT_NOW) == 0);
    CHECK(plait_lock_acquire(&locks[0], PLAIT_FOREVER) >= 0);
    CHECK(plait_lock_release(&locks[1]) == 0);
    return plait_lock_release(&locks[0]);
}

static int want_the_second(void)
{
    CHECK(plait_lock_acquire(&locks[1], PLAIT_FOREVER) == 0);
    return plait_lock_release(&locks[1]);
}

/* The first holder ends, while another sleeps on what it had, and has no chance to look again; then somebody else lives in its
 * slot, and waits for that one. */
static void check_who_moves_in(bool by_death)
{
    set_up();
    struct member before = member_start(take_the_first);
    test_soon(is_ready, NULL, "the first holder");
    struct member sleeper = member_start(take_both);
    member_until_sleeps(&sleeper);
    member_stop(&sleeper);
    if (by_death) member_kill(&before);
    else member_leave(&before);
    if (by_death) member_until_repaired(before.slot);
    struct member after = member_start(want_the_second);
    MUST(after.slot == before.slot);
    member_until_sleeps(&after);
    MUST(reported() == 0);
    MUST(strstr(report, "waits for the lock at") && strstr(report, ", which is held by"));
    MUST(!strstr(strstr(report, ", which is held by") + 1, ", which is held by"));         /* of the second lock only */
    MUST(plait_lock_acquire(&locks[1], plait_after(0.02)) == -ETIMEDOUT);
    MUST(!strstr(plait_error_detail(), "deadlock"));
    member_continue(&sleeper);
    if (!by_death) MUST(plait_lock_release(&locks[0]) == 0);
    MUST(member_wait(&sleeper, "the sleeper") == 0);
    MUST(member_wait(&after, "who moved in") == 0);
    member_all_leave();
}

static void who_lives_where_another_has_left_holds_nothing(void **state)
{
    check_who_moves_in(false);
}

static void who_lives_where_another_has_died_holds_nothing(void **state)
{
    check_who_moves_in(true);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_lives_where_another_has_left_holds_nothing),
    cmocka_unit_test(who_lives_where_another_has_died_holds_nothing),
};

TEST_MAIN(tests)
