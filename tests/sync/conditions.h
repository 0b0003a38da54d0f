/* conditions.h - what the tests of the condition do with it all the time. */
#ifndef PLAIT_TEST_CONDITIONS_H
#define PLAIT_TEST_CONDITIONS_H

#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <plait/condition.h>

static inline void lock(plait_condition *of)
{
    CHECK(plait_condition_acquire(of, PLAIT_FOREVER) == 0);
}

static inline void unlock(plait_condition *of)
{
    CHECK(plait_condition_release(of) == 0);
}

/* With the lock: how many it has woken. */
static inline int notify(plait_condition *of, int n)
{
    lock(of);
    const int woken = plait_condition_notify(of, n);
    unlock(of);
    return woken;
}

/* How many wait and were not notified, as its repr says. */
static inline int waiters_of(plait_condition *of)
{
    char text[100];
    assert_true(plait_condition_repr(of, text, sizeof text) > 0);
    return atoi(strrchr(text, ',') + 1);
}

/* ---- one for each test, with an rlock of its own: for cmocka_unit_test_setup_teardown ---- */

static plait_condition *condition;

static inline int make_condition(void **state)
{
    condition = plait_condition_new(NULL);
    return condition ? 0 : -1;
}

static inline int free_condition(void **state)
{
    return plait_condition_free(condition);
}

#endif
