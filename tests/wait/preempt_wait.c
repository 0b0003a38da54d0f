/* One who waits for many things, or wakes one who does, is held after every instruction while another runs a whole operation. */
#include "preempt.h"

#include <fcntl.h>

#include <plait.h>

#include "base/deadline.h"
#include "base/fault.h"
#include "family/roster.h"

static plait_queue *queue;
static plait_event *event;
static int pipe_ends[2];

static struct notes {
    _Atomic int first, second;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .first = -1, .second = -1 };
    plait__test_short_sleep = plait__test_round = 60 * PLAIT__SECOND;     /* who is not rung is stuck */
    event = plait_alloc(1600);
    queue = plait_queue_new(&(plait_queue_options){ .capacity = 1024 });
    assert_true(event && queue);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
}

static void tear_down(void)
{
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    MUST(plait_free(event) == 0 && plait_queue_free(queue) == 0);
}

static int wait_on(bool both)
{
    plait_waitable things[] = {
        { PLAIT_WAIT_EVENT, .object = event }, { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] },
    };
    return plait_wait(things, both ? 3 : 2, PLAIT_FOREVER);
}

static void wait_both_first(void)
{
    notes->first = wait_on(true);
}

static void wait_both_second(void)
{
    notes->second = wait_on(true);
}

static void wait_words_first(void)
{
    notes->first = wait_on(false);
}

static void wait_words_second(void)
{
    notes->second = wait_on(false);
}

static void set_first(void)
{
    notes->first = 1 + plait_event_set(event);
}

static void set_second(void)
{
    notes->second = 1 + plait_event_set(event);
}

static void put_first(void)
{
    notes->first = 1 + plait_queue_put(queue, "x", 1, PLAIT_FOREVER);
}

static void put_second(void)
{
    notes->second = 1 + plait_queue_put(queue, "x", 1, PLAIT_FOREVER);
}

static void check_both(void)
{
    MUST(notes->first == 1 && notes->second == 1);
}

static const struct step_region *all_of_it(void)
{
    static struct step_region regions[4];
    regions[0] = (struct step_region){ queue, 512 };
    regions[1] = (struct step_region){ event, sizeof *event };
    regions[2] = (struct step_region){ plait__roster->bell, 2 * sizeof *plait__roster->bell };
    return regions;
}

#define CASE(name, first_, second_, stride_)                                                          \
    static const struct preempt_case name = {                                                         \
        .first = { .run = first_ }, .second = second_, .set_up = set_up, .check = check_both, .tear_down = tear_down,   \
        .regions = all_of_it, .stride = stride_,                                                      \
    }

CASE(wait_for_both_set, wait_both_first, set_second, 101);
CASE(wait_for_both_put, wait_both_first, put_second, 101);
CASE(wait_for_words_set, wait_words_first, set_second, 31);
CASE(wait_for_words_put, wait_words_first, put_second, 31);
CASE(set_wait_for_both, set_first, wait_both_second, 7);
CASE(put_wait_for_both, put_first, wait_both_second, 7);
CASE(set_wait_for_words, set_first, wait_words_second, 7);
CASE(put_wait_for_words, put_first, wait_words_second, 7);

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(wait_for_both_set), PREEMPT_TEST(wait_for_both_put), PREEMPT_TEST(wait_for_words_set),
    PREEMPT_TEST(wait_for_words_put), PREEMPT_TEST(set_wait_for_both), PREEMPT_TEST(put_wait_for_both),
    PREEMPT_TEST(set_wait_for_words), PREEMPT_TEST(put_wait_for_words),
};

TEST_MAIN_WITHIN(tests, 300)
