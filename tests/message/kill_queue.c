/* A queue whose user is killed after every instruction.  What must hold for the survivors: nobody sleeps beside a message or beside
 * room, a message is wholly there or not at all, none is lost but the one that the victim had taken, none comes twice, and their
 * order is kept. */
#include "killed_queue.h"

/* ---- put ---- */

static void check_put(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 1);
    must_hold(2, done ? 3 : 0, 4);
}

static const struct kill_case put = {
    .operation = { .run = put_3 },
    .set_up = set_up_two,
    .look = has_put,
    .check = check_put,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void check_put_to_sleepers(const struct stepped *victim, bool done)
{
    if (done) others_done(1);
    MUST(put_number(queue, 4, SOON) == 0);
    if (!done) others_done(1);
    if (!done) MUST(put_number(queue, 5, SOON) == 0);
    end_others();
    MUST(notes->got[0] == (done ? 3 : 4) && notes->got[1] == (done ? 4 : 5));
    must_hold(0, 0, 0);
}

static const struct kill_case put_to_sleepers = {
    .operation = { .run = put_3 },
    .set_up = set_up_two_getters,
    .look = has_put,
    .check = check_put_to_sleepers,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- get ---- */

static void check_get(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    must_hold(done ? 0 : 1, 2, 4);
}

static const struct kill_case get = {
    .operation = { .run = get_1 },
    .set_up = set_up_two,
    .look = has_got,
    .check = check_get,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void check_get_beside_sleepers(const struct stepped *victim, bool done)
{
    if (!done) MUST(get_number(queue, SOON) == 1);
    others_done(1);
    MUST(get_number(queue, SOON) == 2);
    end_others();
    MUST(notes->got[0] == 0 && notes->got[1] == 0);
    long first = get_number(queue, SOON);
    MUST(first == 7 || first == 8);
    must_hold(7 + 8 - first, 0, 0);
}

static const struct kill_case get_beside_sleepers = {
    .operation = { .run = get_1 },
    .set_up = set_up_two_putters,
    .look = has_got,
    .check = check_get_beside_sleepers,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- look without taking ---- */

static void look_at_size(void)
{
    CHECK(plait_queue_next_size(queue, PLAIT_FOREVER) == sizeof(struct number));
}

static void get_into_too_little(void)
{
    char buffer[8];
    CHECK(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_FOREVER) == -EMSGSIZE);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

static void check_nothing_happened(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    must_hold(1, 2, 4);
}

static const struct kill_case next_size = {
    .operation = { .run = look_at_size },
    .set_up = set_up_two,
    .look = nothing_to_see,
    .check = check_nothing_happened,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

static const struct kill_case get_into_a_short_buffer = {
    .operation = { .run = get_into_too_little },
    .set_up = set_up_two,
    .look = nothing_to_see,
    .check = check_nothing_happened,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- by the quick road: no message runs over the end of the ring ---- */

static void set_up_past_the_end(void)
{
    set_up(0);
    MUST(put_number(queue, 9, PLAIT_NOW) == 0 && get_number(queue, PLAIT_NOW) == 9);
    remember();
}

static void set_up_two_past_the_end(void)
{
    set_up_past_the_end();
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    remember();
}

static void set_up_getters_past_the_end(void)
{
    set_up_past_the_end();
    start_others(get_one, get_one);
}

static const struct kill_case quick_put_to_sleepers = {
    .operation = { .run = put_3 },
    .set_up = set_up_getters_past_the_end,
    .look = has_put,
    .check = check_put_to_sleepers,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static const struct kill_case quick_get = {
    .operation = { .run = get_1 },
    .set_up = set_up_two_past_the_end,
    .look = has_got,
    .check = check_get,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* The second of two puts, by what the thread remembers of the first. */
static void put_2_and_3(void)
{
    CHECK(put_number(queue, 2, PLAIT_FOREVER) == 0 && put_number(queue, 3, PLAIT_FOREVER) == 0);
}

static void set_up_one_past_the_end(void)
{
    set_up_past_the_end();
    MUST(put_number(queue, 1, PLAIT_NOW) == 0);
    remember();
    puts_before++;
}

static bool has_put_both(const struct stepped *victim)
{
    return puts_of(queue) == puts_before + 1;
}

static void check_put_both(const struct stepped *victim, bool done)
{
    bool one = done || puts_of(queue) == puts_before;
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 1);
    if (one) MUST(get_number(queue, SOON) == 2);
    must_hold(done ? 3 : 0, 4, 0);
}

static const struct kill_case quick_put_put = {
    .operation = { .run = put_2_and_3 },
    .set_up = set_up_one_past_the_end,
    .look = has_put_both,
    .check = check_put_both,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(put),
    KILL_TESTS(put_to_sleepers),
    KILL_TESTS(get),
    KILL_TESTS(get_beside_sleepers),
    KILL_TESTS(next_size),
    KILL_TESTS(get_into_a_short_buffer),
    KILL_TESTS(quick_put_to_sleepers),
    KILL_TESTS(quick_get),
    KILL_TESTS(quick_put_put),
};

TEST_MAIN(tests)
