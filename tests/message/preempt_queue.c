/* One user of a queue is held after every instruction while another runs a whole operation: nothing is lost, doubled or out of
 * order, and neither waits for ever for the other. */
#include "held.h"

/* ---- both do the same ---- */

/* Both numbers are there, in either order, and nothing else. */
static void must_hold_both(long one, long other)
{
    long got = get_number(queue, PLAIT_NOW);
    MUST(got == one || got == other);
    must_hold(one + other - got, 0, 0);
}

static void check_put_put(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    MUST(get_number(queue, PLAIT_NOW) == 1);
    must_hold_both(7, 8);
}

static const struct preempt_case put_put = {
    .first = { .run = first_puts }, .second = second_puts,
    .set_up = set_up_one, .check = check_put_put, .tear_down = tear_down,
};

static void check_both(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    must_hold_both(7, 8);
}

/* The first message runs over the end of the ring. */
static const struct preempt_case put_put_over_the_end = {
    .first = { .run = first_puts }, .second = second_puts,
    .set_up = set_up_empty, .check = check_both, .tear_down = tear_down,
};

static void check_get_get(void)
{
    MUST(notes->first + notes->second == 1 + 2 && notes->first && notes->second);
    must_hold(3, 0, 0);
}

static const struct preempt_case get_get = {
    .first = { .run = first_gets }, .second = second_gets,
    .set_up = set_up_three, .check = check_get_get, .tear_down = tear_down,
};

/* ---- one waits for the other ---- */

static void check_handed_over(void)
{
    MUST(notes->first + notes->second == 7 || notes->first + notes->second == 8);
    must_hold(0, 0, 0);
}

static const struct preempt_case get_put_on_an_empty_queue = {
    .first = { .run = first_gets }, .second = second_puts,
    .set_up = set_up_empty, .check = check_handed_over, .tear_down = tear_down,
    LONG_ONE,
};

static const struct preempt_case put_get_on_an_empty_queue = {
    .first = { .run = first_puts }, .second = second_gets,
    .set_up = set_up_empty, .check = check_handed_over, .tear_down = tear_down,
};

static void check_put_get_on_full(void)
{
    MUST(notes->first == 0 && notes->second == 1);
    must_hold(2, 7, 0);
}

static const struct preempt_case put_get_on_a_full_queue = {
    .first = { .run = first_puts }, .second = second_gets,
    .set_up = set_up_full, .check = check_put_get_on_full, .tear_down = tear_down,
    LONG_ONE,
};

static void check_get_put_on_full(void)
{
    MUST(notes->first == 1 && notes->second == 0);
    must_hold(2, 8, 0);
}

static const struct preempt_case get_put_on_a_full_queue = {
    .first = { .run = first_gets }, .second = second_puts,
    .set_up = set_up_full, .check = check_get_put_on_full, .tear_down = tear_down,
};

/* The first has slept and been woken; meanwhile the second takes what it was woken for. */
static void put_one_more(void)
{
    MUST(put_number(queue, 9, SOON) == 0);
}

static void second_gets_now_and_puts(void)
{
    notes->second = get_number(queue, PLAIT_NOW);
    CHECK(put_number(queue, 8, PLAIT_FOREVER) == 0);
}

static void check_taken_away(void)
{
    long got = notes->first;
    if (notes->second == -ETIMEDOUT) {
        long other = get_number(queue, PLAIT_NOW);         /* the one that the tester put, or nothing if it did not have to */
        MUST(got == 8 || got == 9);
        MUST(other == (got == 9 ? 8 : -ETIMEDOUT));
    } else {
        MUST(notes->second == 9 && got == 8);
    }
    must_hold(0, 0, 0);
}

static const struct preempt_case woken_get_get = {
    .first = { .run = first_gets, .wake = put_one_more }, .second = second_gets_now_and_puts,
    .set_up = set_up_empty, .check = check_taken_away, .tear_down = tear_down,
    .regions = queue_and_family, .stride = 11, .most = 600, .when_woken = true,
};

/* The first is woken twice, in vain: others were faster.  The second time nobody seemed to sleep, so that the flag is down when it
 * looks again; and it does not sleep shortly, which would hide what it forgets to look at. */
static void sleep_long_at_once(void)
{
    plait__test_short_sleep = 1;
}

static void put_and_get_twice(void)
{
    for (int i = 0; i < 2; i++) MUST(put_number(queue, 5, PLAIT_NOW) == 0 && get_number(queue, PLAIT_NOW) == 5);
}

static const struct preempt_case woken_in_vain_put = {
    .first = { .prepare = sleep_long_at_once, .run = first_gets, .wake = put_and_get_twice }, .second = second_puts,
    .set_up = set_up_empty, .check = check_handed_over, .tear_down = tear_down,
    .regions = queue_and_family, .stride = 11, .most = 600, .when_woken = true,
};

/* The first owns the head for a moment and finds nothing; the second sleeps until it gives the head up. */
static void first_polls(void) { notes->first = get_number(queue, PLAIT_NOW); }
static void tester_puts(void) { MUST(put_number(queue, 7, PLAIT_NOW) == 0); }

static void check_polled(void)
{
    MUST(notes->first == -ETIMEDOUT && notes->second == 7);
    must_hold(0, 0, 0);
}

static const struct preempt_case poll_get = {
    .first = { .run = first_polls }, .second = second_gets,
    .set_up = set_up_empty, .first_done = tester_puts, .check = check_polled, .tear_down = tear_down,
    LONG_ONE,
};

/* ---- close ---- */

static void first_closes(void) { notes->first = plait_queue_close(queue); }

static void check_close_put(void)
{
    MUST(notes->first == 0 && (notes->second == 0 || notes->second == PLAIT_ECLOSED));
    must_hold(notes->second == 0 ? 8 : 0, 0, 0);
    MUST(get_number(queue, SOON) == PLAIT_ECLOSED);
}

static const struct preempt_case close_put = {
    .first = { .run = first_closes }, .second = second_puts,
    .set_up = set_up_empty, .check = check_close_put, .tear_down = tear_down,
};

static const struct preempt_case close_get = {
    .first = { .run = first_closes }, .second = second_gets,
    .set_up = set_up_empty, .check = check_close_waiting, .tear_down = tear_down,
};

static const struct preempt_case close_put_on_a_full_queue = {
    .first = { .run = first_closes }, .second = second_puts,
    .set_up = set_up_full, .check = check_close_waiting, .tear_down = tear_down,
};

/* Two getters sleep; a put is cut in two by a close, after which they look and may sleep again.  In the end one gets the message,
 * the other learns that there will be no more. */
static struct member sleepers[2];

static int get_third(void)
{
    long got = get_number(queue, plait_after(20));
    CHECK(got == 7 || got == PLAIT_ECLOSED);
    notes->third += got == 7;
    notes->ended++;
    return 0;
}

static void start_two_sleepers(void)
{
    for (int i = 0; i < 2; i++) {
        sleepers[i] = member_start(get_third);
        member_until_sleeps(&sleepers[i]);
    }
}

static void set_up_sleepers(void)
{
    set_up_empty();
    start_two_sleepers();
}

static bool have_looked(void *unused)
{
    return notes->ended + member_sleeps(&sleepers[0]) + member_sleeps(&sleepers[1]) == 2;
}

static void second_closes(void)
{
    notes->second = plait_queue_close(queue);
    test_until(have_looked, NULL);
}

static void sleepers_are_done(void)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&sleepers[i], "a sleeping getter") == 0);
}

static void check_put_close(void)
{
    MUST(notes->second == 0 && (notes->first == 0 || notes->first == PLAIT_ECLOSED));
    MUST(notes->third == (notes->first == 0));
    must_hold(0, 0, 0);
}

static const struct preempt_case put_close_beside_getters = {
    .first = { .run = first_puts }, .second = second_closes, .set_up = set_up_sleepers,
    .both_done = sleepers_are_done, .check = check_put_close, .tear_down = tear_down,
};

/* Three getters sleep; the first put rings for one of them, and while it does two more are put: a message for each. */
static struct member three[3];

static int get_one(void)
{
    CHECK(get_number(queue, PLAIT_FOREVER) > 0);
    notes->ended++;
    return 0;
}

static void set_up_three_sleepers(void)
{
    set_up_empty();
    for (int i = 0; i < 3; i++) {
        three[i] = member_start(get_one);
        member_until_sleeps(&three[i]);
    }
}

static void second_puts_two(void)
{
    for (uint64_t i = 8; i <= 9; i++) CHECK(put_number(queue, i, PLAIT_FOREVER) == 0);
    notes->second = 2;
}

static void three_are_done(void)
{
    for (int i = 0; i < 3; i++) MUST(member_wait(&three[i], "a getter, beside its message") == 0);
}

static void check_three(void)
{
    MUST(notes->first == 0 && notes->second == 2 && notes->ended == 3);
    must_hold(0, 0, 0);
}

static const struct preempt_case put_put_put_for_three_getters = {
    .first = { .run = first_puts }, .second = second_puts_two, .set_up = set_up_three_sleepers,
    .both_done = three_are_done, .check = check_three, .tear_down = tear_down,
};

/* The first finds the queue full; meanwhile the second empties it, closes it and waits for more. */
static void second_drains_and_closes(void)
{
    CHECK(get_number(queue, PLAIT_FOREVER) == 1 && get_number(queue, PLAIT_FOREVER) == 2);
    CHECK(plait_queue_close(queue) == 0);
    notes->second = get_number(queue, PLAIT_FOREVER);
    notes->third = get_number(queue, PLAIT_FOREVER);
}

static void check_drained(void)
{
    MUST(notes->first == 0 || notes->first == PLAIT_ECLOSED);
    MUST(notes->second == (notes->first == 0 ? 7 : PLAIT_ECLOSED));
    MUST(notes->third == PLAIT_ECLOSED);
}

static const struct preempt_case put_drain_and_close = {
    .first = { .run = first_puts }, .second = second_drains_and_closes,
    .set_up = set_up_full, .check = check_drained, .tear_down = tear_down,
    LONG_ONE,
};

/* ---- by the quick road: no message runs over the end of the ring ---- */

static void set_up_past_the_end(int messages)
{
    set_up(0, 0, 0);
    MUST(put_number(queue, 9, PLAIT_NOW) == 0 && get_number(queue, PLAIT_NOW) == 9);
    for (int i = 1; i <= messages; i++) MUST(put_number(queue, (uint64_t)i, PLAIT_NOW) == 0);
}

static void set_up_empty_past(void) { set_up_past_the_end(0); }
static void set_up_three_past(void) { set_up_past_the_end(3); }

static void set_up_sleepers_past(void)
{
    set_up_empty_past();
    start_two_sleepers();
}

static const struct preempt_case quick_get_get = {
    .first = { .run = first_gets }, .second = second_gets,
    .set_up = set_up_three_past, .check = check_get_get, .tear_down = tear_down,
};

static const struct preempt_case quick_put_get_on_an_empty_queue = {
    .first = { .run = first_puts }, .second = second_gets,
    .set_up = set_up_empty_past, .check = check_handed_over, .tear_down = tear_down,
};

static const struct preempt_case quick_close_put = {
    .first = { .run = first_closes }, .second = second_puts,
    .set_up = set_up_empty_past, .check = check_close_put, .tear_down = tear_down,
};

static const struct preempt_case quick_put_close_beside_getters = {
    .first = { .run = first_puts }, .second = second_closes, .set_up = set_up_sleepers_past,
    .both_done = sleepers_are_done, .check = check_put_close, .tear_down = tear_down,
};

/* What the first remembers of its last get, that there were two more messages, is old when it goes on. */
static void get_1(void) { CHECK(get_number(queue, PLAIT_FOREVER) == 1); }
static void first_gets_now(void) { notes->first = get_number(queue, PLAIT_NOW); }

static void second_drains_and_puts(void)
{
    for (long got; (got = get_number(queue, PLAIT_NOW)) > 0;) notes->third += got;
    notes->second = put_number(queue, 8, PLAIT_FOREVER);
}

/* Each of the three came once, and those that are left come in order. */
static void check_drained_and_put(void)
{
    long sum = notes->third + (notes->first > 0 ? notes->first : 0), last = 0;
    for (long got; (got = get_number(queue, PLAIT_NOW)) > 0; last = got) {
        MUST(got > last && got > notes->first);
        sum += got;
    }
    MUST(notes->second == 0 && sum == 2 + 3 + 8);
}

static const struct preempt_case quick_get_drain_and_put = {
    .first = { .prepare = get_1, .run = first_gets_now }, .second = second_drains_and_puts,
    .set_up = set_up_three_past, .check = check_drained_and_put, .tear_down = tear_down,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(put_put),
    PREEMPT_TEST(put_put_over_the_end),
    PREEMPT_TEST(get_get),
    PREEMPT_TEST(get_put_on_an_empty_queue),
    PREEMPT_TEST(put_get_on_an_empty_queue),
    PREEMPT_TEST(put_get_on_a_full_queue),
    PREEMPT_TEST(get_put_on_a_full_queue),
    PREEMPT_TEST(woken_get_get),
    PREEMPT_TEST(woken_in_vain_put),
    PREEMPT_TEST(poll_get),
    PREEMPT_TEST(close_put),
    PREEMPT_TEST(close_get),
    PREEMPT_TEST(close_put_on_a_full_queue),
    PREEMPT_TEST(put_close_beside_getters),
    PREEMPT_TEST(put_put_put_for_three_getters),
    PREEMPT_TEST(put_drain_and_close),
    PREEMPT_TEST(quick_get_get),
    PREEMPT_TEST(quick_put_get_on_an_empty_queue),
    PREEMPT_TEST(quick_close_put),
    PREEMPT_TEST(quick_put_close_beside_getters),
    PREEMPT_TEST(quick_get_drain_and_put),
};

TEST_MAIN(tests)
