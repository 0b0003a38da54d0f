/* One adds to a value and is held after every instruction, while another adds, too: no addition is lost, with a lock or without. */
#include "preempt.h"

#include <plait.h>

static plait_shared_value *value;

static void make(const plait_shared_options *options)
{
    value = plait_shared_value_new('d', NULL, options);
    assert_non_null(value);
}

static void set_up(void)
{
    make(NULL);
}

static void set_up_without_lock(void)
{
    make(&(plait_shared_options){ .no_lock = 1 });
}

static void add_one(void)
{
    CHECK(plait_shared_value_add_double(value, 1, NULL, PLAIT_FOREVER) == 0);
}

static void add_two(void)
{
    CHECK(plait_shared_value_add_int(value, 2, NULL, PLAIT_FOREVER) == 0);
}

/* Python: with value.get_lock(): value.value += 2 */
static void add_two_by_hand(void)
{
    double number;
    CHECK(plait_shared_value_acquire(value, PLAIT_FOREVER) == 0);
    CHECK(plait_shared_value_get_double(value, &number, PLAIT_FOREVER) == 0);
    CHECK(plait_shared_value_set_double(value, number + 2, PLAIT_FOREVER) == 0);
    CHECK(plait_shared_value_release(value) == 0);
}

static void must_be_three(void)
{
    double number = 0;
    MUST(plait_shared_value_get_double(value, &number, PLAIT_NOW) == 0 && number == 3);
    MUST(plait_shared_value_free(value) == 0);
}

static const struct preempt_case add_add = {
    .first = { .run = add_one }, .second = add_two, .set_up = set_up, .check = must_be_three,
};

static const struct preempt_case add_add_without_lock = {
    .first = { .run = add_one }, .second = add_two, .set_up = set_up_without_lock, .check = must_be_three,
};

static const struct preempt_case add_add_by_hand = {
    .first = { .run = add_one }, .second = add_two_by_hand, .set_up = set_up, .check = must_be_three,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(add_add),
    PREEMPT_TEST(add_add_without_lock),
    PREEMPT_TEST(add_add_by_hand),
};

TEST_MAIN(tests)
