/* One user of an event is held after every instruction while another runs a whole operation: who waits for a set gets through. */
#include "preempt.h"

#include <plait.h>

static plait_event *event;

static struct notes {
    _Atomic int first, second;                             /* what the calls returned */
    _Atomic int data;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .first = -1, .second = -1 };
    if (!event) event = plait_alloc(1600);                 /* not among very small blocks: those take long to sweep */
    assert_non_null(event);
    *event = (plait_event){ 0 };
}

static const struct step_region *event_and_family(void)
{
    return step_object_and_roster(event, sizeof *event);
}

static void wait_first(void)
{
    notes->first = plait_event_wait(event, PLAIT_FOREVER);
}

static void wait_second(void)
{
    notes->second = plait_event_wait(event, PLAIT_FOREVER);
}

static void set_first(void)
{
    notes->first = plait_event_set(event);
}

static void set_second(void)
{
    notes->second = plait_event_set(event);
}

static void check_both(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    MUST(plait_event_is_set(event) == 1);
    MUST(event->word == 3);                                /* set once, and nobody sleeps */
}

static const struct preempt_case set_wait = {
    .first = { .run = set_first }, .second = wait_second, .set_up = set_up, .check = check_both,
};
static const struct preempt_case wait_set = {
    .first = { .run = wait_first }, .second = set_second, .set_up = set_up, .check = check_both,
    .regions = event_and_family, .stride = 1, .most = 200,
};
static const struct preempt_case set_set = {
    .first = { .run = set_first }, .second = set_second, .set_up = set_up, .check = check_both,
};

/* A set that is cleared at once, where the wait began before it. */
static bool slept;

static void set_up_asleep(void)
{
    set_up();
    slept = false;
}

static void set_and_clear(void)
{
    notes->second = plait_event_set(event);
    CHECK(plait_event_clear(event) == 0);
}

static void set_and_clear_by_tester(void)
{
    set_and_clear();
    slept = true;
}

/* A wait that perhaps had not yet begun when it was cleared again is let through by this. */
static void set_for_a_late_begin(void)
{
    if (!slept) MUST(plait_event_set(event) == 0);
}

static void check_through(void)
{
    MUST(notes->first == 0 && notes->second == 0);
}

static const struct preempt_case wait_set_and_clear = {
    .first = { .run = wait_first, .wake = set_and_clear_by_tester }, .second = set_and_clear, .set_up = set_up_asleep,
    .held = set_for_a_late_begin, .check = check_through, .regions = event_and_family, .stride = 17,
};

/* "clear, look, wait" against "write, set": either it is seen, or the wait is let through; also when it was set before. */
static void set_up_set(void)
{
    set_up();
    MUST(plait_event_set(event) == 0);
}

static void clear_look_and_wait(void)
{
    CHECK(plait_event_clear(event) == 0);
    notes->first = notes->data ? 0 : plait_event_wait(event, PLAIT_FOREVER);
}

static void write_and_set(void)
{
    notes->data = 1;
    notes->second = plait_event_set(event);
}

static const struct preempt_case look_write = {
    .first = { .run = clear_look_and_wait }, .second = write_and_set, .set_up = set_up_set, .check = check_through,
    .regions = event_and_family, .stride = 1, .most = 200,
};

static void look_second(void)
{
    CHECK(plait_event_clear(event) == 0);
    notes->second = notes->data ? 0 : plait_event_wait(event, PLAIT_FOREVER);
}

static void write_first(void)
{
    notes->data = 1;
    notes->first = plait_event_set(event);
}

static const struct preempt_case write_look = {
    .first = { .run = write_first }, .second = look_second, .set_up = set_up_set, .check = check_through,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(set_wait),
    PREEMPT_TEST(wait_set),
    PREEMPT_TEST(set_set),
    PREEMPT_TEST(wait_set_and_clear),
    PREEMPT_TEST(look_write),
    PREEMPT_TEST(write_look),
};

TEST_MAIN(tests)
