/* Queues that are last in, first out, and queues with priorities. */
#include "harness.h"
#include "others.h"

#include <stdlib.h>
#include <string.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/family.h>
#include <plait/queue.h>

#include "arena/heap.h"
#include "message/queue_internal.h"

static plait_queue *new_queue(int order, size_t maxsize)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .order = order, .maxsize = maxsize });
    assert_non_null(queue);
    return queue;
}

static void put(plait_queue *queue, int64_t priority, unsigned number)
{
    assert_int_equal(plait_queue_put_priority(queue, priority, &number, sizeof number, PLAIT_NOW), 0);
}

static unsigned get(plait_queue *queue)
{
    unsigned number;
    assert_int_equal(plait_queue_get(queue, &number, sizeof number, PLAIT_NOW), sizeof number);
    return number;
}

static void is_freed(plait_queue *queue)
{
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

static void the_youngest_first(void **state)
{
    plait_queue *queue = new_queue(PLAIT_LIFO, 0);
    for (unsigned most = 1; most < 5000; most = most * 3 + 1) {
        for (unsigned i = 0; i < most; i++) put(queue, 0, i);
        assert_int_equal(plait_queue_qsize(queue), most);
        for (unsigned i = most; i-- > 0;) assert_int_equal(get(queue), i);
        assert_int_equal(plait_queue_get(queue, NULL, 0, PLAIT_NOW), -ETIMEDOUT);
    }
    assert_int_equal(plait__heap_count(0), 1);
    is_freed(queue);
}

static void the_lowest_priority_first_and_among_equals_the_oldest(void **state)
{
    static const int64_t priorities[] = { 5, -3, INT64_MAX, 5, INT64_MIN, 0, -3, 5, INT64_MIN };
    static const unsigned expected[] = { 4, 8, 1, 6, 5, 0, 3, 7, 2 };
    plait_queue *queue = new_queue(PLAIT_PRIORITY, 0);
    for (unsigned i = 0; i < 9; i++) put(queue, priorities[i], i);
    for (unsigned i = 0; i < 9; i++) assert_int_equal(get(queue), expected[i]);
    is_freed(queue);
}

/* Against a plain list, in which the next one is looked for. */
static void it_does_what_a_simple_model_does(void **state)
{
    enum { MOST = 1500 };                                  /* beyond one leaf */
    static struct { int64_t priority; unsigned number; } list[MOST];
    uint64_t random = test_seed();
    for (int round = 0; round < 6; round++) {
        plait_queue *queue = new_queue(PLAIT_PRIORITY, 0);
        unsigned count = 0, numbers = 0;
        for (int i = 0; i < 10000; i++) {
            const bool more = count < MOST && (!count || test_random(&random) % 100 < (i < 5000 ? 60 : 40));
            if (more) {
                list[count].priority = (int64_t)(test_random(&random) % (round % 2 ? 10 : 100000));
                list[count].number = numbers++;
                put(queue, list[count].priority, list[count].number);
                count++;
            } else {
                unsigned first = 0;
                for (unsigned j = 1; j < count; j++)
                    if (list[j].priority < list[first].priority) first = j;
                assert_int_equal(get(queue), list[first].number);
                memmove(list + first, list + first + 1, (count - first - 1) * sizeof list[0]);
                count--;
            }
            assert_int_equal(plait_queue_qsize(queue), count);
        }
        is_freed(queue);                                   /* with what is in it */
    }
}

/* The ends of leaves, back and forth, and of a directory. */
static void leaves_come_and_go(void **state)
{
    for (int order = PLAIT_LIFO; order <= PLAIT_PRIORITY; order++) {
        plait_queue *queue = new_queue(order, 0);
        unsigned count = 0;
        for (int i = 0; i < 20; i++) {
            const unsigned up = 1024 * 3 + 5 - (unsigned)i, down = 1024 - (unsigned)i % 3;
            for (; count < up; count++) put(queue, order == PLAIT_LIFO ? 0 : -(int64_t)count, count);
            for (; count > down; count--) assert_int_equal(get(queue), count - 1);
            assert_int_equal(plait__heap_count(0), 1 + 1 + (count + 1023) / 1024 + count);
        }
        is_freed(queue);
    }
}

static void millions_of_messages(void **state)
{
    enum { MANY = 4096 * 1024 + 10 };
    plait_queue *queue = new_queue(PLAIT_LIFO, 0);
    for (unsigned i = 0; i < MANY; i++) put(queue, 0, i);
    for (unsigned i = 0; i < 20; i++) assert_int_equal(get(queue), MANY - 1 - i);
    for (unsigned i = 0; i < 20; i++) put(queue, 0, i);
    is_freed(queue);
}

static void maxsize_and_close(void **state)
{
    for (int order = PLAIT_LIFO; order <= PLAIT_PRIORITY; order++) {
        plait_queue *queue = new_queue(order, 2);
        put(queue, 0, 1);
        put(queue, 0, 2);
        assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_queue_put(queue, "x", 1, plait_after(0.01)), -ETIMEDOUT);
        assert_non_null(strstr(plait_error_detail(), "full"));
        assert_int_equal(plait_queue_close(queue), 0);
        assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_FOREVER), PLAIT_ECLOSED);
        get(queue);
        get(queue);
        assert_int_equal(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), PLAIT_ECLOSED);
        is_freed(queue);
    }
}

static void looking_and_short_buffers_take_nothing(void **state)
{
    for (int order = PLAIT_LIFO; order <= PLAIT_PRIORITY; order++) {
        plait_queue *queue = new_queue(order, 0);
        unsigned number = 0;
        put(queue, 0, 7);
        assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), sizeof number);
        assert_int_equal(plait_queue_get(queue, &number, 3, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_peek(queue, &number, 3, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_peek(queue, &number, sizeof number, PLAIT_NOW), sizeof number);
        assert_int_equal(number, 7);
        assert_int_equal(plait_queue_qsize(queue), 1);
        assert_int_equal(get(queue), 7);
        is_freed(queue);
    }
}

static void priorities_are_for_queues_that_have_them(void **state)
{
    for (int order = PLAIT_FIFO; order <= PLAIT_LIFO; order++) {
        plait_queue *queue = new_queue(order, 0);
        assert_int_equal(plait_queue_put_priority(queue, 1, "x", 1, PLAIT_NOW), -EINVAL);
        assert_int_equal(plait_queue_put_priority(queue, 0, "x", 1, PLAIT_NOW), 0);
        is_freed(queue);
    }
}

/* ---- processes ---- */

enum { EACH = 20000, PRODUCERS = 2, CONSUMERS = 2 };

static struct crew {
    plait_queue *queue;
    _Atomic long taken, sum;
    _Atomic int next;
} *crew;

static int produce(void *unused)
{
    const int which = crew->next++;
    (void)unused;
    for (int i = 0; i < EACH; i++) {
        const long number = which * EACH + i + 1;
        CHECK(plait_queue_put(crew->queue, &number, sizeof number, PLAIT_FOREVER) == 0);
    }
    plait_leave();
    return 0;
}

static int consume(void *unused)
{
    long number;
    (void)unused;
    while (plait_queue_get(crew->queue, &number, sizeof number, PLAIT_FOREVER) == sizeof number) {
        crew->sum += number;
        crew->taken++;
    }
    plait_leave();
    return 0;
}

static void many_processes_lose_nothing(void **state)
{
    crew = test_shared(sizeof *crew);
    for (int order = PLAIT_LIFO; order <= PLAIT_PRIORITY; order++)
        for (size_t maxsize = 0; maxsize < 3; maxsize += 2) {
            pid_t pids[PRODUCERS + CONSUMERS];
            *crew = (struct crew){ .queue = new_queue(order, maxsize) };
            for (int i = 0; i < PRODUCERS + CONSUMERS; i++) pids[i] = test_fork(i < PRODUCERS ? produce : consume, NULL);
            for (int i = 0; i < PRODUCERS; i++) assert_int_equal(test_wait_exit(pids[i]), 0);
            assert_int_equal(plait_queue_close(crew->queue), 0);
            for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++) assert_int_equal(test_wait_exit(pids[i]), 0);
            const long all = PRODUCERS * EACH;
            assert_int_equal(crew->taken, all);
            assert_int_equal(crew->sum, all * (all + 1) / 2);
            is_freed(crew->queue);
        }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_youngest_first),
    cmocka_unit_test(the_lowest_priority_first_and_among_equals_the_oldest),
    cmocka_unit_test(it_does_what_a_simple_model_does),
    cmocka_unit_test(leaves_come_and_go),
    cmocka_unit_test(millions_of_messages),
    cmocka_unit_test(maxsize_and_close),
    cmocka_unit_test(looking_and_short_buffers_take_nothing),
    cmocka_unit_test(priorities_are_for_queues_that_have_them),
    cmocka_unit_test(many_processes_lose_nothing),
};
TEST_MAIN(tests)
