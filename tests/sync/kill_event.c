/* An event whose user is killed after every instruction: it is set or it is not, and nobody who waits for it hangs. */
#include "kill.h"

#include <signal.h>

#include <plait.h>

static plait_event *event, *gate;

static struct notes {
    _Atomic int past_gate, through;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!event) event = plait_event_new();
    assert_non_null(event);
    if (!gate) gate = plait_event_new();
    assert_non_null(gate);
    *event = *gate = (plait_event){ 0 };
}

static void must_work(bool is_set)
{
    MUST(plait_event_is_set(event) == is_set);
    MUST(plait_event_wait(event, PLAIT_NOW) == (is_set ? 0 : -ETIMEDOUT));
    MUST(plait_event_clear(event) == 0);
    MUST(plait_event_wait(event, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_event_set(event) == 0);
    MUST(plait_event_wait(event, PLAIT_FOREVER) == 0);
}

static const struct step_region *event_and_family(void)
{
    return step_object_and_roster(event, sizeof *event);
}

/* ---- the others ---- */

static bool all_are_past_the_gate(void *unused)
{
    return notes->past_gate == 3;
}

static int wait_for_it(void)
{
    CHECK(plait_event_wait(gate, PLAIT_FOREVER) == 0);
    notes->past_gate++;
    CHECK(plait_event_wait(event, PLAIT_FOREVER) == 0);
    notes->through++;
    return 0;
}

static struct member sleepers[3];

static void start_sleepers(void)
{
    for (int i = 0; i < 3; i++) sleepers[i] = member_start(wait_for_it);
}

static void let_them_sleep(void)
{
    MUST(plait_event_set(gate) == 0);
    test_soon(all_are_past_the_gate, NULL, "the sleepers");
    for (int i = 0; i < 3; i++) member_until_sleeps(&sleepers[i]);
}

static void end_sleepers(void)
{
    for (int i = 0; i < 3; i++) MUST(member_wait(&sleepers[i], "a sleeper") == 0);
    MUST(notes->through == 3);
}

static void set_up_sleepers(void)
{
    set_up();
    start_sleepers();
    let_them_sleep();
}

/* ---- set ---- */

static void set_it(void)
{
    CHECK(plait_event_set(event) == 0);
}

static bool it_is_set(const struct stepped *victim)
{
    return plait_event_is_set(event) == 1;
}

static void check_set(const struct stepped *victim, bool done)
{
    must_work(done);
}

static const struct kill_case set = {
    .operation = { .run = set_it },
    .set_up = set_up,
    .look = it_is_set,
    .check = check_set,
    .regions = event_and_family,
};

/* When it is set, all go on, although its setter may have died before it could wake them. */
static void check_sleepers(const struct stepped *victim, bool done)
{
    if (!done) MUST(notes->through == 0 && plait_event_set(event) == 0);
    end_sleepers();
    must_work(true);
}

static const struct kill_case set_for_sleepers = {
    .operation = { .run = set_it },
    .set_up = set_up_sleepers,
    .look = it_is_set,
    .check = check_sleepers,
    .regions = event_and_family,
};

/* By one who is no member yet, as the first thing that a forked child does. */
static const struct kill_case set_for_sleepers_by_a_stranger = {
    .operation = { .run = set_it, .joins = true },
    .set_up = set_up_sleepers,
    .look = it_is_set,
    .check = check_sleepers,
    .regions = event_and_family,
    .long_one = true,
};

/* Also when it is cleared before they look: they see that it was set. */
static void check_sleepers_after_a_clear(const struct stepped *victim, bool done)
{
    if (done) MUST(plait_event_clear(event) == 0);
    else MUST(plait_event_set(event) == 0);
    end_sleepers();
    must_work(!done);
}

static const struct kill_case set_for_sleepers_and_a_clear = {
    .operation = { .run = set_it },
    .set_up = set_up_sleepers,
    .look = it_is_set,
    .check = check_sleepers_after_a_clear,
    .regions = event_and_family,
};

/* ---- clear ---- */

static void set_up_set(void)
{
    set_up();
    MUST(plait_event_set(event) == 0);
}

static void clear_it(void)
{
    CHECK(plait_event_clear(event) == 0);
}

static bool it_is_cleared(const struct stepped *victim)
{
    return plait_event_is_set(event) == 0;
}

static void check_cleared(const struct stepped *victim, bool cleared)
{
    must_work(!cleared);
}

static const struct kill_case clear = {
    .operation = { .run = clear_it },
    .set_up = set_up_set,
    .look = it_is_cleared,
    .check = check_cleared,
    .regions = event_and_family,
};

/* ---- wait ---- */

static void wait_here(void)
{
    CHECK(plait_event_wait(event, PLAIT_FOREVER) == 0);
}

static bool was_set;

static void set_up_asleep(void)
{
    set_up();
    was_set = false;
    start_sleepers();
}

static void set_for_all(void)
{
    let_them_sleep();
    MUST(plait_event_set(event) == 0);
    was_set = true;
}

/* In Python, the set() after the death of a waiter hangs. */
static void check_other_sleepers(const struct stepped *victim, bool finished)
{
    if (!was_set) set_for_all();
    end_sleepers();
    must_work(true);
}

static const struct kill_case wait_asleep = {
    .operation = { .run = wait_here, .wake = set_for_all },
    .set_up = set_up_asleep,
    .check = check_other_sleepers,
    .regions = event_and_family,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(set),
    KILL_TESTS(set_for_sleepers),
    KILL_TESTS(set_for_sleepers_by_a_stranger),
    KILL_TESTS(set_for_sleepers_and_a_clear),
    KILL_TESTS(clear),
    KILL_TESTS(wait_asleep),
};

TEST_MAIN(tests)
