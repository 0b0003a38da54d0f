/* joinable.h - what the tests of joinable queues share: one queue, tasks with numbers. */
#ifndef PLAIT_TEST_JOINABLE_H
#define PLAIT_TEST_JOINABLE_H

#include "harness.h"
#include "others.h"

#include <plait.h>

#include "message/queue_internal.h"

static plait_queue *queue;

static inline void make_queue(plait_queue_options options)
{
    options.joinable = 1;
    assert_non_null(queue = plait_queue_new(&options));
}

static inline int make_default(void **state)
{
    make_queue((plait_queue_options){ 0 });
    return 0;
}

static inline int free_queue(void **state)
{
    return plait_queue_free(queue);
}

static inline void put(int number)
{
    CHECK(plait_queue_put(queue, &number, sizeof number, PLAIT_NOW) == 0);
}

/* The number, or the error. */
static inline int get_from(plait_queue *from, plait_deadline deadline)
{
    int number;
    const ssize_t got = plait_queue_get(from, &number, sizeof number, deadline);
    return got < 0 ? (int)got : number;
}

static inline int get(void)
{
    return get_from(queue, PLAIT_NOW);
}

static inline int done(void)
{
    return plait_queue_task_done(queue);
}

static inline int join(void)
{
    return plait_queue_join(queue, PLAIT_NOW);
}

static inline void must_say(const char *what)
{
    if (!strstr(plait_error_detail(), what)) fail_msg("the detail is \"%s\", not \"%s\"", plait_error_detail(), what);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_default, free_queue)

#endif
