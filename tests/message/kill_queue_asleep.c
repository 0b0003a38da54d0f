/* A queue whose user is killed after every instruction, as in kill_queue.c: while it puts or gets and sleeps until it can, and
 * while it closes the queue beside others who sleep. */
#include "killed_queue.h"

/* ---- put, asleep until there is room ---- */

static bool woken;

static void set_up_full_for_sleep(void)
{
    woken = false;
    set_up_full();
}

/* The victim sleeps; another putter does so behind it; then one message is taken, and the victim is the one to be woken. */
static void make_room(void)
{
    others[0] = member_start(put_7);
    member_until_sleeps(&others[0]);
    MUST(get_number(queue, SOON) == 1);
    woken = true;
}

static bool other_is_done_or_sleeps(void *unused)
{
    return notes->done || member_sleeps(&others[0]);
}

/* The other puts its message now, or, if the victim has used the room, when there is more. */
static void check_put_after_a_sleep(const struct stepped *victim, bool done)
{
    if (!woken) make_room();
    member_until_repaired(victim->slot);
    test_soon(other_is_done_or_sleeps, NULL, "the other putter");
    const bool other_waits = plait_queue_qsize(queue) == 2 && !notes->done;
    MUST(done || !other_waits);
    MUST(get_number(queue, SOON) == 2);
    MUST(member_wait(&others[0], "the other putter") == 0);
    if (other_waits) must_hold(3, 7, 0);
    else must_hold(7, 0, 0);
}

static const struct kill_case put_after_a_sleep = {
    .operation = { .run = put_3, .wake = make_room },
    .set_up = set_up_full_for_sleep,
    .look = has_put,
    .check = check_put_after_a_sleep,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- get, asleep until there is a message ---- */

static void set_up_empty_for_sleep(void)
{
    woken = false;
    set_up_empty();
}

static void put_a_message(void)
{
    others[0] = member_start(get_one);
    member_until_sleeps(&others[0]);
    MUST(put_number(queue, 1, SOON) == 0);
    woken = true;
}

/* The other gets the message, or, if the victim has taken that with it, the next. */
static void check_get_after_a_sleep(const struct stepped *victim, bool done)
{
    if (!woken) put_a_message();
    member_until_repaired(victim->slot);
    test_soon(other_is_done_or_sleeps, NULL, "the other getter");
    const bool other_waits = plait_queue_qsize(queue) == 0 && !notes->done;
    MUST(done || !other_waits);
    if (other_waits) MUST(put_number(queue, 4, SOON) == 0);
    MUST(member_wait(&others[0], "the other getter") == 0);
    MUST(notes->got[0] == (other_waits ? 4 : 1));
    must_hold(0, 0, 0);
}

static const struct kill_case get_after_a_sleep = {
    .operation = { .run = get_1, .wake = put_a_message },
    .set_up = set_up_empty_for_sleep,
    .look = has_got,
    .check = check_get_after_a_sleep,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- close ---- */

static void close_it(void)
{
    CHECK(plait_queue_close(queue) == 0);
}

static bool is_closed(const struct stepped *victim)
{
    return (atomic_load(&queue->tail.word) & PLAIT__CLOSED) != 0;
}

/* After a death both look again, so either may be the first. */
static bool got_both(int one, int other)
{
    return (notes->got[0] == one && notes->got[1] == other) || (notes->got[0] == other && notes->got[1] == one);
}

static void check_close_beside_getters(const struct stepped *victim, bool done)
{
    if (!done) MUST(put_number(queue, 3, SOON) == 0 && put_number(queue, 4, SOON) == 0);
    end_others();
    MUST(done ? got_both(PLAIT_ECLOSED, PLAIT_ECLOSED) : got_both(3, 4));
    MUST(put_number(queue, 5, PLAIT_NOW) == (done ? PLAIT_ECLOSED : 0));
    MUST(get_number(queue, PLAIT_NOW) == (done ? PLAIT_ECLOSED : 5));
}

static const struct kill_case close_beside_sleeping_getters = {
    .operation = { .run = close_it },
    .set_up = set_up_two_getters,
    .look = is_closed,
    .check = check_close_beside_getters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void check_close_beside_putters(const struct stepped *victim, bool done)
{
    if (done) end_others();
    MUST(get_number(queue, SOON) == 1 && get_number(queue, SOON) == 2);
    if (!done) end_others();
    for (int i = 0; i < 2; i++) MUST(notes->got[i] == (done ? PLAIT_ECLOSED : 0));
    MUST(plait_queue_qsize(queue) == (done ? 0 : 2));
    if (done) MUST(get_number(queue, SOON) == PLAIT_ECLOSED);
}

static const struct kill_case close_beside_sleeping_putters = {
    .operation = { .run = close_it },
    .set_up = set_up_two_putters,
    .look = is_closed,
    .check = check_close_beside_putters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(put_after_a_sleep),
    KILL_TESTS(get_after_a_sleep),
    KILL_TESTS(close_beside_sleeping_getters),
    KILL_TESTS(close_beside_sleeping_putters),
};

TEST_MAIN(tests)
