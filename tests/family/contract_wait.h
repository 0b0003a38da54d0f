/* contract_wait.h - the rows of test_contract for waiting for many things. */
#ifndef PLAIT_TEST_CONTRACT_WAIT_H
#define PLAIT_TEST_CONTRACT_WAIT_H

#include "harness.h"

#include <unistd.h>

#include <plait.h>

/* It sleeps on words, and beside a descriptor; the thread's own one goes when it leaves. */
static void wait_for_many(void)
{
    plait_event *event = plait_event_new();
    int ends[2];
    CHECK(event && pipe(ends) == 0);
    plait_waitable things[] = { { PLAIT_WAIT_EVENT, .object = event }, { PLAIT_WAIT_FD, .fd = ends[0] } };
    CHECK(plait_wait(things, 1, plait_after(0.007)) == -ETIMEDOUT && plait_wait(things, 2, plait_after(0.007)) == -ETIMEDOUT);
    CHECK(plait_event_set(event) == 0 && plait_wait(things, 2, PLAIT_FOREVER) == 1);
    CHECK(plait_event_free(event) == 0);
    close(ends[0]);
    close(ends[1]);
    plait_leave();
}

static void use_watch(void)
{
    plait_event *event = plait_event_new();
    plait_waitable thing = { PLAIT_WAIT_EVENT, .object = event };
    plait_watch *watch = plait_watch_new(&thing, 1);
    CHECK(watch && plait_watch_fd(watch) > 2 && plait_watch_check(watch, &thing, 1) == 0);
    CHECK(plait_event_set(event) == 0 && plait_watch_check(watch, &thing, 1) == 1);
    CHECK(plait_watch_free(watch) == 0 && plait_event_free(event) == 0);
}

#define WAIT_FUNCTIONS(X)                                                                             \
    X(plait_wait, ANY_TIME, wait_for_many())                                                          \
    X(plait_watch_new, ANY_TIME, use_watch())                                                         \
    X(plait_watch_fd, ANY_TIME, use_watch())                                                          \
    X(plait_watch_check, ANY_TIME, use_watch())                                                       \
    X(plait_watch_free, ANY_TIME, use_watch())

#endif
