/* As preempt_queue.c, with a joinable queue: whoever is held in the middle, a joiner sees every rest, and none that was not. */
#include "held.h"

#include <stdlib.h>

static void set_up_tasks(int tasks)
{
    set_up(0, 0, 0);
    MUST(plait_queue_free(queue) == 0);
    MUST(queue = plait_queue_new(&(plait_queue_options){ .joinable = 1 }));
    for (int i = 1; i <= tasks; i++) MUST(put_number(queue, (uint64_t)i, PLAIT_NOW) == 0);
}

static void set_up_task(void) { set_up_tasks(1); }
static void set_up_two_tasks(void) { set_up_tasks(2); }

static void first_takes(void) { notes->first = get_number(queue, PLAIT_NOW); }
static void second_takes(void) { notes->second = get_number(queue, PLAIT_NOW); }
static void first_finishes(void) { notes->first = plait_queue_task_done(queue); }
static void second_finishes(void) { notes->second = plait_queue_task_done(queue); }
static void first_joins(void) { notes->first = plait_queue_join(queue, SOON); }
static void second_joins(void) { notes->second = plait_queue_join(queue, SOON); }

static void must_rest(void)
{
    MUST(plait_queue_join(queue, PLAIT_NOW) == 0);
    MUST(plait__same_place(queue->done.word, queue->tail.word));
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
}

static void both_went_well_and_rest(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    must_rest();
}

/* ---- the last task is done while somebody begins to join ---- */

static const struct preempt_case done_join = {
    .first = { .prepare = first_takes, .run = first_finishes }, .second = second_joins,
    .set_up = set_up_task, .check = both_went_well_and_rest, .tear_down = tear_down,
};

static const struct preempt_case join_done = {
    .first = { .run = first_joins }, .second = second_finishes, .prepare_second = second_takes,
    .set_up = set_up_task, .check = both_went_well_and_rest, .tear_down = tear_down,
    LONG_ONE,
};

/* ---- two tasks are done ---- */

/* Without the help of somebody who joins. */
static void both_must_be_passed(void)
{
    MUST(plait__same_place(queue->done.word, queue->tail.word));
}

static const struct preempt_case done_done = {
    .first = { .prepare = first_takes, .run = first_finishes }, .second = second_finishes, .prepare_second = second_takes,
    .set_up = set_up_two_tasks, .both_done = both_must_be_passed, .check = both_went_well_and_rest, .tear_down = tear_down,
};

/* ---- a rest that is over when the sleeper gets to look: nobody does the next task ---- */

static void set_up_taken(void)
{
    set_up_task();
    MUST(get_number(queue, PLAIT_NOW) == 1);
}

static void finish_it(void) { MUST(plait_queue_task_done(queue) == 0); }
static void second_puts_now(void) { notes->second = put_number(queue, 7, PLAIT_NOW); }

static void second_puts_after_the_rest(void)
{
    if (plait_queue_join(queue, PLAIT_NOW) == 0) second_puts_now();
}

/* Held before it has fallen asleep, the first is not yet woken. */
static void finish_it_if_need_be(void)
{
    if (plait_queue_join(queue, PLAIT_NOW) < 0) plait_queue_task_done(queue);
}

static void check_joined_with_a_task_left(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    if (get_number(queue, PLAIT_NOW) == 7) finish_it();
    must_rest();
}

static const struct preempt_case join_put = {
    .first = { .run = first_joins, .wake = finish_it }, .second = second_puts_after_the_rest,
    .set_up = set_up_taken, .held = finish_it_if_need_be, .check = check_joined_with_a_task_left, .tear_down = tear_down,
    .regions = queue_and_family, .stride = 40, .most = 240, .when_woken = true,
};

/* ---- who has done the last task is held; another ends the rest ---- */

static struct member joiners[2];

/* Sooner than anybody who sleeps would look by itself. */
static int join_beside(void)
{
    CHECK(plait_queue_join(queue, plait_after(5)) == 0);
    notes->ended++;
    return 0;
}

static void set_up_task_and_joiners(void)
{
    set_up_task();
    for (int i = 0; i < 2; i++) joiners[i] = member_start(join_beside);
    for (int i = 0; i < 2; i++) member_until_sleeps(&joiners[i]);
}

/* The put may have come before the task was done; then there was no rest yet. */
static void check_joiners_beside(void)
{
    if (!notes->ended && plait_queue_join(queue, PLAIT_NOW) < 0) {
        MUST(get_number(queue, PLAIT_NOW) == 7);
        MUST(plait_queue_task_done(queue) == 0);
    }
    for (int i = 0; i < 2; i++) MUST(member_wait(&joiners[i], "a joiner") == 0);
    if (get_number(queue, PLAIT_NOW) == 7) MUST(plait_queue_task_done(queue) == 0);
    must_rest();
}

static const struct preempt_case done_put_beside_joiners = {
    .first = { .prepare = first_takes, .run = first_finishes }, .second = second_puts_now,
    .set_up = set_up_task_and_joiners, .both_done = check_joiners_beside, .check = both_went_well_and_rest, .tear_down = tear_down,
};

/* ---- who puts is held; the last task before that is done meanwhile ---- */

static void first_puts_now(void) { notes->first = put_number(queue, 7, PLAIT_NOW); }

static const struct preempt_case put_done_beside_joiners = {
    .first = { .run = first_puts_now }, .second = second_finishes, .prepare_second = second_takes,
    .set_up = set_up_task_and_joiners, .both_done = check_joiners_beside, .check = both_went_well_and_rest, .tear_down = tear_down,
};

/* ---- a join that tells who has the tasks looks at them while they are done ---- */

static void first_looks(void) { notes->first = plait_queue_join(queue, PLAIT_NOW); }

static void check_look(void)
{
    MUST(notes->first == 0 || notes->first == -ETIMEDOUT);
    MUST(notes->second == 0);
    must_rest();
}

static const struct preempt_case look_done = {
    .first = { .run = first_looks }, .second = second_finishes, .prepare_second = second_takes,
    .set_up = set_up_task, .check = check_look, .tear_down = tear_down,
    LONG_ONE,
};

/* ---- there is no rest at any time, as the second puts before it is done ---- */

static void second_puts_and_finishes(void)
{
    CHECK(put_number(queue, 7, PLAIT_NOW) == 0);
    second_finishes();
}

static void check_no_rest(void)
{
    MUST(notes->first == -ETIMEDOUT && notes->second == 0);
    MUST(get_number(queue, PLAIT_NOW) == 7);
    finish_it();
    must_rest();
}

static const struct preempt_case look_put_done = {
    .first = { .run = first_looks }, .second = second_puts_and_finishes, .prepare_second = second_takes,
    .set_up = set_up_task, .check = check_no_rest, .tear_down = tear_down,
    LONG_ONE,
};

/* ---- a join counts what is unfinished while others are taken and done ---- */

static void first_counts(void)
{
    MUST(plait_queue_join(queue, PLAIT_NOW) == -ETIMEDOUT);
    const char *number = strpbrk(plait_error_detail(), "0123456789");
    notes->first = number ? strtol(number, NULL, 10) : -1;
}

static void second_has_three(void)
{
    for (int i = 0; i < 3; i++) {
        CHECK(put_number(queue, 7, PLAIT_NOW) == 0);
        CHECK(get_number(queue, PLAIT_NOW) == 7);
        CHECK(plait_queue_task_done(queue) == 0);
    }
}

static void check_count(void)
{
    MUST(notes->first >= 0 && notes->first <= 4);
    finish_it();
    must_rest();
}

static const struct preempt_case count_done = {
    .first = { .run = first_counts }, .second = second_has_three,
    .set_up = set_up_taken, .check = check_count, .tear_down = tear_down,
    LONG_ONE,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(done_join),
    PREEMPT_TEST(join_done),
    PREEMPT_TEST(done_done),
    PREEMPT_TEST(join_put),
    PREEMPT_TEST(done_put_beside_joiners),
    PREEMPT_TEST(put_done_beside_joiners),
    PREEMPT_TEST(look_done),
    PREEMPT_TEST(look_put_done),
    PREEMPT_TEST(count_done),
};

TEST_MAIN(tests)
