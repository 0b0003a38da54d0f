/* Who has looked at an event, and is about to sleep, is let through by a set() that a clear() follows at once, and by one whose
 * setter is killed before it wakes anybody. */
#include "hold.h"
#include "member.h"

#include <signal.h>

#include <plait.h>

static plait_event *event;

static struct notes {
    _Atomic int through;
    int wait_at;
} *notes;

static int wait_for_it(void)
{
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    CHECK(plait_event_wait(event, PLAIT_FOREVER) == 0);
    notes->through++;
    return 0;
}

/* Before its first sleep, a short one, or before the long one. */
static struct member start_waiter(int round)
{
    test_where[0] = round;
    if (!notes) notes = test_shared(sizeof *notes);
    if (!event) event = plait_event_new();
    *notes = (struct notes){ .wait_at = 1 + round % 2 };
    *event = (plait_event){ 0 };
    hold_forget();
    struct member waiter = member_start(wait_for_it);
    hold_until_there();
    return waiter;
}

static void end_waiter(const struct member *waiter)
{
    hold_let_go();
    MUST(member_wait(waiter, "the waiter") == 0);
    MUST(notes->through == 1);
    member_all_leave();
}

static void a_set_and_a_clear_before_the_sleep_are_seen(void **state)
{
    test_family();
    for (int round = 0; round < 40; round++) {
        struct member waiter = start_waiter(round);
        for (int i = 0; i <= round % 5; i++) MUST(plait_event_set(event) == 0 && plait_event_clear(event) == 0);
        end_waiter(&waiter);
        MUST(plait_event_is_set(event) == 0);
    }
}

static int set_and_be_killed(void)
{
    CHECK(plait_event_set(event) == 0);
    return raise(SIGKILL);
}

static void one_who_sets_it_and_dies_before_the_sleep(void **state)
{
    test_family();
    for (int round = 0; round < 40; round++) {
        struct member waiter = start_waiter(round);
        struct member setter = member_start(set_and_be_killed);
        MUST(member_wait(&setter, "the setter") == -SIGKILL);
        if (round / 2 % 2) MUST(plait_event_clear(event) == 0);
        end_waiter(&waiter);
        member_until_repaired(setter.slot);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_set_and_a_clear_before_the_sleep_are_seen),
    cmocka_unit_test(one_who_sets_it_and_dies_before_the_sleep),
};

TEST_MAIN(tests)
