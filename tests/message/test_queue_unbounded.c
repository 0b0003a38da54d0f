/* Queues without a ring: a chain of segments that grows and shrinks with what is in it. */
#include "harness.h"
#include "others.h"

#include <stdlib.h>
#include <string.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/family.h>
#include <plait/queue.h>

#include "arena/heap.h"
#include "base/fault.h"
#include "message/place.h"

enum { SEGMENT = PLAIT__SEGMENT_UNITS * PLAIT__UNIT };

static unsigned char message[3 * SEGMENT], got[3 * SEGMENT];

static plait_queue *new_unbounded(size_t maxsize, int leases)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1, .maxsize = maxsize, .leases = leases });
    assert_non_null(queue);
    return queue;
}

static void fill(unsigned char *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(seed * 31 + i * 7 + i / 256);
}

static void put(plait_queue *queue, size_t size, unsigned seed)
{
    fill(message, size, seed);
    assert_int_equal(plait_queue_put(queue, message, size, PLAIT_NOW), 0);
}

static void get(plait_queue *queue, size_t size, unsigned seed)
{
    fill(message, size, seed);
    assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), size);
    assert_memory_equal(got, message, size);
}

/* The queue itself and one segment at most. */
static void is_small_again(plait_queue *queue)
{
    assert_int_equal(plait_queue_qsize(queue), 0);
    assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), -ETIMEDOUT);
    assert_in_range(plait__heap_count(0), 1, 2);
}

static void is_freed(plait_queue *queue)
{
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

/* ---- places ---- */

/* Begin with empty cursors at this position, behind the last unit of a segment that does not exist. */
static void begin_at(plait_queue *queue, uint64_t position)
{
    struct plait__cursor *const cursors[] = { &queue->tail, &queue->head, &queue->done };
    for (int i = 0; i < 3; i++) {
        atomic_store(&cursors[i]->word, position << PLAIT__PLACE_SHIFT);
        atomic_store(&cursors[i]->seen, position << PLAIT__PLACE_SHIFT);
        atomic_store(&cursors[i]->marks[0], plait__mark(position, UINT32_MAX - 3));
        cursors[i]->segments[plait__entry_of(position)] = &queue->before;
    }
}

/* Messages of one size, so that over time they end at every distance from a segment's end; some wait, so that there are several
 * segments; and over the end of all positions. */
static void check_size(size_t size, unsigned queued, int leases)
{
    plait_queue *queue = new_unbounded(0, leases);
    unsigned in = 0, out = 0;
    begin_at(queue, PLAIT__POSITIONS - 2 * PLAIT__SEGMENT_UNITS);
    while (in < queued) put(queue, size, in++);
    const unsigned turns = 5 * SEGMENT / (unsigned)(size + 8) + 10;
    for (unsigned i = 0; i < turns; i++) {
        put(queue, size, in++);
        get(queue, size, out++);
        assert_int_equal(plait_queue_qsize(queue), queued);
    }
    while (out < in) get(queue, size, out++);
    is_small_again(queue);
    is_freed(queue);
}

static void every_size(void **state)
{
    for (int leases = 0; leases < 2; leases++)
        for (size_t size = 0; size < 9000; size += 1 + size / 5 + size % 3)
            for (unsigned queued = 0; queued < 100; queued += 33) check_size(size, queued, leases);
}

/* Against a list of what is in it. */
static void random_sizes(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 10; round++) {
        plait_queue *queue = new_unbounded(0, round % 2);
        enum { MOST = 4096 };
        static size_t sizes[MOST];
        unsigned in = 0, out = 0;
        const size_t largest = (size_t)1 << (2 + test_random(&random) % 15);
        for (int i = 0; i < 20000; i++) {
            const bool more = in - out < MOST && (in == out || test_random(&random) % 100 < (i < 10000 ? 55 : 45));
            if (more) {
                sizes[in % MOST] = test_random(&random) % largest;
                put(queue, sizes[in % MOST], in);
                in++;
            } else {
                get(queue, sizes[out % MOST], out);
                out++;
            }
            assert_int_equal(plait_queue_qsize(queue), in - out);
        }
        if (round < 5) {
            for (; out < in; out++) get(queue, sizes[out % MOST], out);
            is_small_again(queue);
        }
        is_freed(queue);                                   /* with what is in it */
    }
}

/* ---- memory ---- */

static void it_takes_what_it_needs_and_gives_it_back(void **state)
{
    enum { MANY = 200000 };
    plait_queue *queue = new_unbounded(0, 0);
    assert_int_equal(plait__heap_count(0), 1);
    for (unsigned i = 0; i < MANY; i++) put(queue, 24, i);
    assert_in_range(plait__heap_count(0), MANY * 32 / SEGMENT, MANY * 32 / SEGMENT * 1.01 + 3);
    for (unsigned i = 0; i < MANY; i++) get(queue, 24, i);
    is_small_again(queue);
    is_freed(queue);
}

static void nothing_is_lost_when_the_memory_is_full(void **state)
{
    plait__test_arena_size = 64ul << 20;
    plait_queue *queue = new_unbounded(0, 0);
    unsigned in = 0, out = 0;
    for (int round = 0; round < 3; round++) {
        int error;
        fill(message, 1000, in);
        while (!(error = plait_queue_put(queue, message, 1000, PLAIT_FOREVER))) fill(message, 1000, ++in);
        assert_int_equal(error, -ENOMEM);
        assert_true(strlen(plait_error_detail()) > 0);
        assert_true(in - out > 1000);
        assert_int_equal(plait_queue_qsize(queue), in - out);
        for (int i = 0; i < 1000; i++) get(queue, 1000, out++);
    }
    while (out < in) get(queue, 1000, out++);
    is_small_again(queue);
    is_freed(queue);
}

static void thousands_of_queues(void **state)
{
    enum { QUEUES = 5000 };
    static plait_queue *queues[QUEUES];
    for (unsigned i = 0; i < QUEUES; i++) {
        const plait_queue_options small = { .capacity = 1024 };
        queues[i] = i % 2 ? new_unbounded(0, 0) : plait_queue_new(&small);
        assert_non_null(queues[i]);
        put(queues[i], 100, i);
    }
    for (unsigned i = 0; i < QUEUES; i++) put(queues[i], 200, i + 1);
    for (unsigned i = 0; i < QUEUES; i++) {
        get(queues[i], 100, i);
        get(queues[i], 200, i + 1);
        assert_int_equal(plait_queue_free(queues[i]), 0);
    }
    assert_int_equal(plait__heap_count(0), 0);
}

/* ---- limits and ends ---- */

static void maxsize_holds(void **state)
{
    plait_queue *queue = new_unbounded(3, 0);
    unsigned in = 0, out = 0;
    while (in < 3) put(queue, 5000, in++);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), -ETIMEDOUT);
        get(queue, 5000, out++);
        put(queue, 5000, in++);
    }
    is_freed(queue);
}

static void leases_come_back_from_any_segment(void **state)
{
    enum { MANY = 5000 };
    static plait_lease leases[MANY];
    plait_queue *queue = new_unbounded(0, 1);
    for (unsigned i = 0; i < MANY; i++) put(queue, 100, i);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(plait_queue_lease(queue, got, sizeof got, &leases[i], PLAIT_NOW), 100);
    for (unsigned i = 0; i < MANY; i += 3) assert_int_equal(plait_queue_giveback(queue, leases[i]), 0);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(plait_queue_ack(queue, leases[i]), i % 3 ? 0 : PLAIT_ENOLEASE);
    for (unsigned i = 0; i < MANY; i += 3) get(queue, 100, i);
    assert_int_equal(plait_queue_ack(queue, leases[1]), PLAIT_ENOLEASE);
    is_small_again(queue);
    is_freed(queue);
}

static void a_lease_of_another_queue_is_refused(void **state)
{
    plait_queue *one = new_unbounded(0, 1), *other = new_unbounded(0, 1);
    plait_lease lease;
    put(one, 10, 1);
    put(other, 10, 1);
    assert_int_equal(plait_queue_lease(one, got, sizeof got, &lease, PLAIT_NOW), 10);
    assert_int_equal(plait_queue_ack(other, lease), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_ack(one, lease), 0);
    assert_int_equal(plait_queue_free(one), 0);
    is_freed(other);
}

static void a_closed_one_is_drained(void **state)
{
    plait_queue *queue = new_unbounded(0, 0);
    for (unsigned i = 0; i < 1000; i++) put(queue, 100, i);
    assert_int_equal(plait_queue_close(queue), 0);
    assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_FOREVER), PLAIT_ECLOSED);
    for (unsigned i = 0; i < 1000; i++) get(queue, 100, i);
    assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_FOREVER), PLAIT_ECLOSED);
    is_freed(queue);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_size),
    cmocka_unit_test(random_sizes),
    cmocka_unit_test(it_takes_what_it_needs_and_gives_it_back),
    cmocka_unit_test(nothing_is_lost_when_the_memory_is_full),
    cmocka_unit_test(thousands_of_queues),
    cmocka_unit_test(maxsize_holds),
    cmocka_unit_test(leases_come_back_from_any_segment),
    cmocka_unit_test(a_lease_of_another_queue_is_refused),
    cmocka_unit_test(a_closed_one_is_drained),
};
TEST_MAIN(tests)
