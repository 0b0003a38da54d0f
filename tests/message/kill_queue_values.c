/* As kill_queue.c, with values: whoever is killed while it encodes one has put nothing, while it decodes one taken nothing. */
#include "killed_queue.h"

static void put_one_value(int number, plait_deadline deadline)
{
    CHECK(plait_queue_put_value(queue, plait_list(1, plait_int(number)), deadline) == 0);
}

/* The number in the list that comes next; -1: there is none. */
static long get_one_value(plait_deadline deadline)
{
    int64_t number = -1;
    plait_value *list = plait_queue_get_value(queue, deadline);
    if (list) CHECK(plait_int_get(plait_list_get(list, 0), &number) == 0);
    plait_value_free(list);
    return (long)number;
}

static void must_hold_values(long first, long second)
{
    if (first) MUST(get_one_value(SOON) == first);
    if (second) MUST(get_one_value(SOON) == second);
    MUST(get_one_value(PLAIT_NOW) == -1);
}

static void put_value_3(void) { put_one_value(3, PLAIT_FOREVER); }
static void get_value_1(void) { CHECK(get_one_value(PLAIT_FOREVER) == 1); }

static void check_put(const struct stepped *victim, bool was_put)
{
    must_hold_values(was_put ? 3 : 0, 0);
}

static const struct kill_case put_value = {
    .operation = { .run = put_value_3 },
    .set_up = set_up_empty, .look = has_put, .check = check_put, .tear_down = tear_down, .regions = queue_and_family,
    .long_one = true,
};

static void set_up_two_values(void)
{
    set_up(0);
    put_one_value(1, PLAIT_NOW);
    put_one_value(2, PLAIT_NOW);
    remember();
}

/* Others need not wait for the repair: the head of the dead one is free to take. */
static void check_get(const struct stepped *victim, bool taken)
{
    must_hold_values(taken ? 0 : 1, 2);
}

static const struct kill_case get_value = {
    .operation = { .run = get_value_1 },
    .set_up = set_up_two_values, .look = has_got, .check = check_get, .tear_down = tear_down, .regions = queue_and_family,
    .long_one = true,
};

/* What is no pickle stays, whoever looks at it. */
static void set_up_no_pickle(void)
{
    set_up(0);
    MUST(plait_queue_put(queue, "no pickle", 9, PLAIT_NOW) == 0);
    remember();
}

static void get_none(void) { CHECK(plait_queue_get_value(queue, PLAIT_NOW) == NULL); }

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

static void check_none(const struct stepped *victim, bool unused)
{
    char got[16];
    MUST(!has_got(victim) && plait_queue_get(queue, got, sizeof got, SOON) == 9);
}

static const struct kill_case get_no_value = {
    .operation = { .run = get_none },
    .set_up = set_up_no_pickle, .look = nothing_to_see, .check = check_none, .tear_down = tear_down, .regions = queue_and_family,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(put_value),
    KILL_TESTS(get_value),
    KILL_TESTS(get_no_value),
};

TEST_MAIN(tests)
