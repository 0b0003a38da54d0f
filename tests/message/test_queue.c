/* The queue as one thread sees it, and one that waits: what the calls return. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/queue.h>

static plait_queue *new_queue(size_t capacity, size_t maxsize)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .capacity = capacity, .maxsize = maxsize });
    if (!queue) fail_msg("no queue: %s (%s)", plait_strerror(errno), plait_error_detail());
    return queue;
}

static void put(plait_queue *queue, int number)
{
    assert_int_equal(plait_queue_put(queue, &number, sizeof number, PLAIT_NOW), 0);
}

static int get(plait_queue *queue)
{
    int number = -1;
    assert_int_equal(plait_queue_get(queue, &number, sizeof number, PLAIT_NOW), sizeof number);
    return number;
}

/* --- in and out ------------------------------------------------------------------------------------------------------------ */

static void messages_come_out_as_they_went_in(void **state)
{
    plait_queue *queue = plait_queue_new(NULL);
    assert_non_null(queue);
    for (int i = 0; i < 10000; i++) put(queue, i);
    for (int i = 0; i < 10000; i++) assert_int_equal(get(queue), i);
    for (int i = 0; i < 100000; i++) {
        put(queue, i);
        assert_int_equal(get(queue), i);
    }
    assert_int_equal(plait_queue_free(queue), 0);
}

static void a_message_of_no_bytes_is_a_message(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    char byte = 'b';
    for (int i = 0; i < 3; i++) assert_int_equal(plait_queue_put(queue, i ? "" : NULL, 0, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_qsize(queue), 3);
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_get(queue, NULL, 0, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_get(queue, &byte, 0, PLAIT_NOW), 0);
    assert_int_equal(byte, 'b');
    assert_int_equal(plait_queue_qsize(queue), 0);
    assert_int_equal(plait_queue_free(queue), 0);
}

/* The largest message of an empty ring, and one byte more, which has a block of its own. */
static void check_limit(size_t capacity, size_t ring, int leases)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .capacity = capacity, .leases = leases });
    assert_non_null(queue);
    const size_t most = ring - (leases ? 16 : 8);
    char *message = malloc(most + 1), *got = malloc(most + 1);
    assert_true(message && got);
    for (size_t i = 0; i < most + 1; i++) message[i] = (char)(i * 7 + i / 256);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(plait_queue_put(queue, message, most + 1, PLAIT_FOREVER), 0);
        assert_int_equal(plait_queue_put(queue, message, most + 1, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_qsize(queue), 2);
        assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), most + 1);
        assert_int_equal(plait_queue_get(queue, got, most, PLAIT_NOW), -EMSGSIZE);
        for (int j = 0; j < 2; j++) {
            memset(got, 0, most + 1);
            assert_int_equal(plait_queue_get(queue, got, most + 1, PLAIT_NOW), most + 1);
            assert_memory_equal(message, got, most + 1);
        }
        assert_int_equal(plait_queue_put(queue, message, most, PLAIT_FOREVER), 0);
        assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_queue_get(queue, got, most, PLAIT_NOW), most);
        assert_memory_equal(message, got, most);
        assert_int_equal(plait_queue_put(queue, "shift", 5, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_get(queue, got, most, PLAIT_NOW), 5);
    }
    assert_int_equal(plait_queue_put(queue, message, SIZE_MAX, PLAIT_FOREVER), -ENOMEM);
    assert_int_equal(plait_queue_put(queue, message, SIZE_MAX - 20, PLAIT_FOREVER), -ENOMEM);
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait__heap_count(0), 0);
    free(message);
    free(got);
}

static void what_the_ring_has_no_room_for_goes_in_a_block(void **state)
{
    check_limit(0, 1 << 20, 0);
    check_limit(1, 1024, 0);
    check_limit(1024, 1024, 0);
    check_limit(1025, 2048, 0);
    check_limit(5000, 8192, 0);
    check_limit(100000, 131072, 0);
    check_limit(16 << 20, 16 << 20, 0);
    check_limit(0, 1 << 20, 1);
    check_limit(1, 1024, 1);
    check_limit(16 << 20, 16 << 20, 1);
}

static void the_whole_capacity_can_be_used(void **state)
{
    plait_queue *queue = new_queue(1024, 0);
    for (int i = 0; i < 64; i++) put(queue, i);         /* 8 bytes more than it has, rounded up to 16 */
    assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "full"));
    for (int i = 0; i < 64; i++) assert_int_equal(get(queue), i);
    assert_int_equal(plait_queue_free(queue), 0);
}

/* --- short buffers -------------------------------------------------------------------------------------------------------- */

static void a_short_buffer_leaves_the_message_where_it_is(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    char text[32] = "untouched";
    assert_int_equal(plait_queue_put(queue, "a long message", 14, PLAIT_NOW), 0);
    put(queue, 2);
    for (int i = 0; i < 14; i++) {
        assert_int_equal(plait_queue_get(queue, text, (size_t)i, PLAIT_FOREVER), -EMSGSIZE);
        assert_non_null(strstr(plait_error_detail(), "14"));
        assert_int_equal(plait_queue_next_size(queue, PLAIT_FOREVER), 14);
        assert_int_equal(plait_queue_qsize(queue), 2);
    }
    assert_string_equal(text, "untouched");
    assert_int_equal(plait_queue_get(queue, NULL, 0, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_queue_get(queue, text, 14, PLAIT_NOW), 14);
    assert_memory_equal(text, "a long message", 14);
    assert_int_equal(get(queue), 2);
    assert_int_equal(plait_queue_free(queue), 0);
}

static void the_next_size_is_told_and_nothing_taken(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    char buffer[100] = "";
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), -ETIMEDOUT);
    for (size_t size = 0; size < 100; size += 9) assert_int_equal(plait_queue_put(queue, buffer, size, PLAIT_NOW), 0);
    for (size_t size = 0; size < 100; size += 9) {
        for (int i = 0; i < 3; i++) assert_int_equal(plait_queue_next_size(queue, PLAIT_FOREVER), size);
        assert_int_equal(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_NOW), size);
    }
    assert_int_equal(plait_queue_free(queue), 0);
}

static void qsize_counts_what_is_queued(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    assert_int_equal(plait_queue_qsize(queue), 0);
    for (int i = 1; i <= 1000; i++) {
        put(queue, i);
        assert_int_equal(plait_queue_qsize(queue), i);
    }
    for (int i = 999; i >= 0; i--) {
        get(queue);
        assert_int_equal(plait_queue_qsize(queue), i);
    }
    assert_int_equal(plait_queue_free(queue), 0);
}

/* --- options ---------------------------------------------------------------------------------------------------------------- */

static void maxsize_counts_messages(void **state)
{
    for (int maxsize = 1; maxsize <= 100; maxsize += 33) {
        plait_queue *queue = new_queue(0, (size_t)maxsize);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < maxsize; i++) put(queue, i);
            assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), -ETIMEDOUT);
            assert_int_equal(plait_queue_put(queue, "x", 1, plait_after(0.002)), -ETIMEDOUT);
            assert_int_equal(plait_queue_qsize(queue), maxsize);
            assert_int_equal(get(queue), 0);
            put(queue, maxsize);
            assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), -ETIMEDOUT);
            for (int i = 1; i <= maxsize; i++) assert_int_equal(get(queue), i);
        }
        assert_int_equal(plait_queue_free(queue), 0);
    }
}

static void check_refused(plait_queue_options options, const char *word)
{
    errno = 0;
    assert_null(plait_queue_new(&options));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(plait_error_detail(), word));
}

static void options_out_of_range_are_refused(void **state)
{
    check_refused((plait_queue_options){ .capacity = (1 << 30) + 1 }, "capacity");
    check_refused((plait_queue_options){ .capacity = SIZE_MAX }, "capacity");
    check_refused((plait_queue_options){ .maxsize = SIZE_MAX }, "maxsize");
    check_refused((plait_queue_options){ .maxsize = (size_t)INT32_MAX + 1 }, "maxsize");
    check_refused((plait_queue_options){ .order = 3 }, "order");
    check_refused((plait_queue_options){ .order = -1 }, "order");
    check_refused((plait_queue_options){ .order = PLAIT_LIFO, .leases = 1 }, "leases");
    check_refused((plait_queue_options){ .unbounded = 1, .capacity = 1024 }, "capacity");
    check_refused((plait_queue_options){ .order = PLAIT_PRIORITY, .capacity = 1024 }, "capacity");
    for (int i = 0; i < 4; i++) {
        plait_queue_options options = { 0 };
        options.reserved[i] = 1;
        check_refused(options, "reserved");
    }
}

static void the_largest_options_work(void **state)
{
    plait_queue *queue = new_queue(1 << 30, 1 << 20);
    for (int i = 0; i < 1 << 20; i++) put(queue, i);
    assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_queue_qsize(queue), 1 << 20);
    for (int i = 0; i < 1 << 20; i++) assert_int_equal(get(queue), i);
    assert_int_equal(plait_queue_free(queue), 0);
}

/* --- no queue --------------------------------------------------------------------------------------------------------------- */

static void check_is_no_queue(plait_queue *pointer)
{
    plait_lease lease = { 0 };
    char byte;
    assert_int_equal(plait_queue_put(pointer, "x", 1, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_queue_get(pointer, &byte, 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_lease(pointer, &byte, 1, &lease, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_ack(pointer, lease), -EINVAL);
    assert_int_equal(plait_queue_giveback(pointer, lease), -EINVAL);
    assert_int_equal(plait_queue_next_size(pointer, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_qsize(pointer), -EINVAL);
    assert_int_equal(plait_queue_close(pointer), -EINVAL);
}

static void what_is_no_queue_is_refused(void **state)
{
    _Alignas(128) char memory[4096] = "";
    check_is_no_queue(NULL);
    assert_int_equal(plait_queue_free(NULL), 0);
    check_is_no_queue((plait_queue *)memory);
    assert_int_equal(plait_queue_free((plait_queue *)memory), -EINVAL);
}

static void a_freed_queue_is_refused(void **state)
{
    for (size_t capacity = 1024; capacity <= 1 << 20; capacity *= 32) {
        plait_queue *queue = new_queue(capacity, 0);
        put(queue, 1);
        assert_int_equal(plait_queue_free(queue), 0);
        check_is_no_queue(queue);
        assert_int_equal(plait_queue_free(queue), -EINVAL);
    }
    assert_int_equal(plait__heap_count(0), 0);
}

static void null_needs_a_size_of_zero(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    assert_int_equal(plait_queue_put(queue, NULL, 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_get(queue, NULL, 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_qsize(queue), 0);
    assert_int_equal(plait_queue_free(queue), 0);
}

static void leases_have_to_be_asked_for(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    plait_lease lease = { 0 };
    char byte;
    put(queue, 1);
    assert_int_equal(plait_queue_lease(queue, &byte, 1, &lease, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_ack(queue, lease), -EINVAL);
    assert_int_equal(plait_queue_giveback(queue, lease), -EINVAL);
    assert_int_equal(get(queue), 1);
    assert_int_equal(plait_queue_free(queue), 0);
}

/* --- waiting ---------------------------------------------------------------------------------------------------------------- */

static void deadlines_are_kept(void **state)
{
    plait_queue *queue = new_queue(0, 1);
    int number = 0;
    for (int full = 0; full < 2; full++) {
        const plait_deadline deadlines[] = { PLAIT_NOW, { plait__now() - 1 }, { -1 }, plait_after(0), plait_after(1e-9),
                                             plait_after(0.0005), plait_after(0.005), plait_after(0.02) };
        for (unsigned i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
            if (full) assert_int_equal(plait_queue_put(queue, &number, sizeof number, deadlines[i]), -ETIMEDOUT);
            else assert_int_equal(plait_queue_get(queue, &number, sizeof number, deadlines[i]), -ETIMEDOUT);
            if (!full) assert_int_equal(plait_queue_next_size(queue, deadlines[i]), -ETIMEDOUT);
            assert_true(plait__now() >= deadlines[i].at);
            assert_non_null(strstr(plait_error_detail(), full ? "full" : "empty"));
        }
        if (!full) put(queue, 7);
    }
    assert_int_equal(get(queue), 7);
    assert_int_equal(plait_queue_get(queue, &number, sizeof number, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_queue_free(queue), 0);
}

static void what_can_be_done_at_once_is_done_after_any_deadline(void **state)
{
    plait_queue *queue = new_queue(0, 0);
    int number = 5;
    const plait_deadline past = { plait__now() - PLAIT__SECOND };
    assert_int_equal(plait_queue_put(queue, &number, sizeof number, past), 0);
    assert_int_equal(plait_queue_next_size(queue, past), sizeof number);
    assert_int_equal(plait_queue_get(queue, &number, sizeof number, past), sizeof number);
    assert_int_equal(plait_queue_free(queue), 0);
}

static int gets_one(void *queue)
{
    int number = -1;
    CHECK(plait_queue_get(queue, &number, sizeof number, PLAIT_FOREVER) == sizeof number);
    return number;
}

static int puts_one(void *queue)
{
    const int number = 9;
    return plait_queue_put(queue, &number, sizeof number, plait_after(1000));
}

static int looks_at_one(void *queue)
{
    return (int)plait_queue_next_size(queue, PLAIT_FOREVER);
}

static void sleepers_are_woken(void **state)
{
    plait_queue *queue = new_queue(0, 1);
    struct test_thread thread, looker;
    for (int i = 0; i < 10; i++) {
        test_thread_start(&looker, looks_at_one, queue);
        test_until_waits(looker.tid);
        put(queue, 41);
        assert_int_equal(test_thread_join(&looker), sizeof(int));
        assert_int_equal(get(queue), 41);
        test_thread_start(&thread, gets_one, queue);
        if (i % 2) test_until_watches(thread.tid);
        else test_until_waits(thread.tid);
        put(queue, 42);
        assert_int_equal(test_thread_join(&thread), 42);
        put(queue, 43);
        test_thread_start(&thread, puts_one, queue);
        if (i % 2) test_until_watches(thread.tid);
        else test_until_waits(thread.tid);
        assert_int_equal(get(queue), 43);
        assert_int_equal(test_thread_join(&thread), 0);
        assert_int_equal(get(queue), 9);
    }
    assert_int_equal(plait_queue_free(queue), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(messages_come_out_as_they_went_in),
    cmocka_unit_test(a_message_of_no_bytes_is_a_message),
    cmocka_unit_test(what_the_ring_has_no_room_for_goes_in_a_block),
    cmocka_unit_test(the_whole_capacity_can_be_used),
    cmocka_unit_test(a_short_buffer_leaves_the_message_where_it_is),
    cmocka_unit_test(the_next_size_is_told_and_nothing_taken),
    cmocka_unit_test(qsize_counts_what_is_queued),
    cmocka_unit_test(maxsize_counts_messages),
    cmocka_unit_test(options_out_of_range_are_refused),
    cmocka_unit_test(the_largest_options_work),
    cmocka_unit_test(what_is_no_queue_is_refused),
    cmocka_unit_test(a_freed_queue_is_refused),
    cmocka_unit_test(null_needs_a_size_of_zero),
    cmocka_unit_test(leases_have_to_be_asked_for),
    cmocka_unit_test(deadlines_are_kept),
    cmocka_unit_test(what_can_be_done_at_once_is_done_after_any_deadline),
    cmocka_unit_test(sleepers_are_woken),
};
TEST_MAIN(tests)
