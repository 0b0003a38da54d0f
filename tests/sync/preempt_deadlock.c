/* Who gives up tells of a deadlock only if there is one: also when it is held at any instruction while the other one of what could
 * be a cycle gives back what it waited for. */
#include "preempt.h"

#include <string.h>

#include <plait.h>

static plait_lock *wanted, *other;                         /* the second has the one, the first has the other */
static plait_semaphore *permit;                            /* instead of the one */

static struct notes {
    _Atomic int first, second, alarms;                     /* what the calls returned; how often a deadlock was told */
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .first = -1, .second = -1 };
    if (!wanted) wanted = plait_alloc(3200);               /* not among very small blocks: those take long to sweep */
    assert_non_null(wanted);
    other = wanted + 100;
    *wanted = *other = (plait_lock){ 0 };
    MUST(plait_semaphore_free(permit) == 0);
    permit = plait_owned_semaphore_new(1);
    assert_non_null(permit);
}

static void take_the_other(void)
{
    CHECK(plait_lock_acquire(other, PLAIT_NOW) == 0);
}

static void wait_for_the_other(void)
{
    notes->second = plait_lock_acquire(other, PLAIT_FOREVER);
    CHECK(plait_lock_release(other) == 0);
}

static void release_the_other(void)
{
    MUST(plait_lock_release(other) == 0);
}

/* When the second sleeps, it has given back what the first wants. */
static void check_no_alarm(void)
{
    MUST(notes->alarms == 0);
    MUST(notes->first == 0 || notes->first == -ETIMEDOUT);
    MUST(notes->second == 0);
}

static void count_alarm(void)
{
    notes->alarms += notes->first == -ETIMEDOUT && strstr(plait_error_detail(), "deadlock");
}

/* ---- of two locks ---- */

static void try_lock(void)
{
    notes->first = plait_lock_acquire(wanted, PLAIT_NOW);
    count_alarm();
}

static void take_lock(void)
{
    CHECK(plait_lock_acquire(wanted, PLAIT_NOW) == 0);
}

static void release_lock_and_wait(void)
{
    CHECK(plait_lock_release(wanted) == 0);
    wait_for_the_other();
}

static const struct preempt_case try_lock_release_and_wait = {
    .first = { .prepare = take_the_other, .run = try_lock }, .second = release_lock_and_wait, .prepare_second = take_lock,
    .set_up = set_up, .first_done = release_the_other, .check = check_no_alarm,
};

/* ---- of a lock and a permit ---- */

static void try_permit(void)
{
    notes->first = plait_semaphore_acquire(permit, PLAIT_NOW);
    count_alarm();
}

static void take_permit(void)
{
    CHECK(plait_semaphore_acquire(permit, PLAIT_NOW) == 0);
}

static void release_permit_and_wait(void)
{
    CHECK(plait_semaphore_release(permit) == 0);
    wait_for_the_other();
}

static const struct preempt_case try_permit_release_and_wait = {
    .first = { .prepare = take_the_other, .run = try_permit }, .second = release_permit_and_wait, .prepare_second = take_permit,
    .set_up = set_up, .first_done = release_the_other, .check = check_no_alarm,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(try_lock_release_and_wait),
    PREEMPT_TEST(try_permit_release_and_wait),
};

TEST_MAIN(tests)
