/* Leases as one process sees them: settled once, by who took it, in any order; and the room they keep. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/queue.h>

#include "message/queue_internal.h"

static plait_queue *queue;

static void make_queue(plait_queue_options options)
{
    options.leases = 1;
    assert_non_null(queue = plait_queue_new(&options));
}

static int make_default(void **state)
{
    make_queue((plait_queue_options){ 0 });
    return 0;
}

static int free_queue(void **state)
{
    return plait_queue_free(queue);
}

static void put(int number)
{
    assert_int_equal(plait_queue_put(queue, &number, sizeof number, PLAIT_NOW), 0);
}

/* Lease the next: its number, or the error. */
static int lease_next(plait_lease *lease)
{
    int number;
    const ssize_t got = plait_queue_lease(queue, &number, sizeof number, lease, PLAIT_NOW);
    return got < 0 ? (int)got : number;
}

static int get_next(void)
{
    int number;
    const ssize_t got = plait_queue_get(queue, &number, sizeof number, PLAIT_NOW);
    return got < 0 ? (int)got : number;
}

/* --- settling ------------------------------------------------------------------------------------------------------------- */

static void a_message_is_leased_and_acknowledged(void **state)
{
    for (int i = 0; i < 1000; i++) {
        plait_lease lease;
        put(i);
        assert_int_equal(lease_next(&lease), i);
        assert_int_equal(lease.attempts, 0);
        assert_int_equal(plait_queue_qsize(queue), 0);
        assert_int_equal(plait_queue_ack(queue, lease), 0);
        assert_int_equal(lease_next(&lease), -ETIMEDOUT);
    }
}

static void a_lease_is_settled_once(void **state)
{
    plait_lease lease, other;
    put(1);
    put(2);
    assert_int_equal(lease_next(&lease), 1);
    assert_int_equal(lease_next(&other), 2);
    assert_int_equal(plait_queue_ack(queue, other), 0);
    assert_int_equal(plait_queue_ack(queue, other), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_giveback(queue, other), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(plait_queue_ack(queue, lease), PLAIT_ENOLEASE);
    assert_non_null(strstr(plait_error_detail(), "no such lease"));
    assert_int_equal(plait_queue_giveback(queue, lease), PLAIT_ENOLEASE);
    put(3);
    assert_int_equal(plait_queue_ack(queue, lease), PLAIT_ENOLEASE);
    assert_int_equal(get_next(), 3);
}

static void what_is_no_lease_is_refused(void **state)
{
    static const uint64_t ids[] = { 0, 1, UINT32_MAX, UINT64_MAX, (uint64_t)1 << 32, (uint64_t)1 << 63, 12345678901234 };
    plait_lease lease;
    put(1);
    put(2);
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_int_equal(plait_queue_ack(queue, (plait_lease){ .id = ids[i] }), PLAIT_ENOLEASE);
        assert_int_equal(plait_queue_giveback(queue, (plait_lease){ .id = ids[i] }), PLAIT_ENOLEASE);
    }
    assert_int_equal(lease_next(&lease), 1);
    plait_lease wrong = lease;
    for (uint64_t step = 1; step < 100; step++) {
        wrong.id = lease.id + step;
        assert_int_equal(plait_queue_ack(queue, wrong), PLAIT_ENOLEASE);
        wrong.id = lease.id + (step << 32);
        assert_int_equal(plait_queue_ack(queue, wrong), PLAIT_ENOLEASE);
    }
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(get_next(), 2);
}

static void a_lease_given_back_comes_first(void **state)
{
    plait_lease lease;
    for (int i = 0; i < 3; i++) put(i);
    for (uint32_t attempts = 0; attempts < 5; attempts++) {
        assert_int_equal(lease_next(&lease), 0);
        assert_int_equal(lease.attempts, attempts);
        assert_int_equal(plait_queue_giveback(queue, lease), 0);
        assert_int_equal(plait_queue_giveback(queue, lease), PLAIT_ENOLEASE);
        assert_int_equal(plait_queue_ack(queue, lease), PLAIT_ENOLEASE);
    }
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), sizeof(int));
    for (int i = 0; i < 3; i++) assert_int_equal(get_next(), i);
    assert_int_equal(get_next(), -ETIMEDOUT);
}

/* The message is leased again, by the same: the lease that was given back is no lease of it any more. */
static void a_lease_given_back_is_none_when_it_is_leased_again(void **state)
{
    plait_lease old, new;
    put(7);
    assert_int_equal(lease_next(&old), 7);
    assert_int_equal(plait_queue_giveback(queue, old), 0);
    assert_int_equal(lease_next(&new), 7);
    assert_int_equal(plait_queue_ack(queue, old), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_giveback(queue, old), PLAIT_ENOLEASE);
    assert_int_equal(lease_next(&old), -ETIMEDOUT);
    assert_int_equal(plait_queue_ack(queue, new), 0);
}

static void several_given_back_come_in_their_order(void **state)
{
    plait_lease leases[6];
    for (int i = 0; i < 8; i++) put(i);
    for (int i = 0; i < 6; i++) assert_int_equal(lease_next(&leases[i]), i);
    static const int back[] = { 4, 1, 3 };
    for (int i = 0; i < 3; i++) assert_int_equal(plait_queue_giveback(queue, leases[back[i]]), 0);
    plait_lease again;
    assert_int_equal(lease_next(&again), 1);
    assert_int_equal(again.attempts, 1);
    assert_int_equal(get_next(), 3);
    assert_int_equal(get_next(), 4);
    assert_int_equal(get_next(), 6);
    assert_int_equal(plait_queue_ack(queue, leases[0]), 0);
    assert_int_equal(plait_queue_ack(queue, leases[2]), 0);
    assert_int_equal(plait_queue_ack(queue, leases[5]), 0);
    assert_int_equal(plait_queue_ack(queue, again), 0);
    assert_int_equal(get_next(), 7);
}

static void attempts_stop_at_what_fits(void **state)
{
    plait_lease lease;
    put(1);
    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(lease_next(&lease), 1);
        assert_int_equal(lease.attempts, i < 255 ? i : 255);
        assert_int_equal(plait_queue_giveback(queue, lease), 0);
    }
    assert_int_equal(get_next(), 1);
}

static void a_short_buffer_keeps_what_came_back(void **state)
{
    plait_lease lease;
    char byte;
    put(5);
    put(6);
    assert_int_equal(lease_next(&lease), 5);
    assert_int_equal(plait_queue_giveback(queue, lease), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plait_queue_lease(queue, &byte, 1, &lease, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), sizeof(int));
    }
    assert_int_equal(lease_next(&lease), 5);
    assert_int_equal(lease.attempts, 1);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(get_next(), 6);
}

static void a_plain_get_needs_no_ack(void **state)
{
    for (int i = 0; i < 200000; i++) {                  /* more than the ring has room for */
        put(i);
        assert_int_equal(get_next(), i);
    }
    plait_lease lease;
    put(1);
    put(2);
    assert_int_equal(lease_next(&lease), 1);
    assert_int_equal(get_next(), 2);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
}

static void nulls_are_refused(void **state)
{
    plait_lease lease;
    char byte;
    put(1);
    assert_int_equal(plait_queue_lease(queue, &byte, 1, NULL, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_lease(queue, NULL, 1, &lease, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_lease(NULL, &byte, 1, &lease, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_ack(NULL, lease), -EINVAL);
    assert_int_equal(get_next(), 1);
}

/* --- by another thread ------------------------------------------------------------------------------------------------------ */

static int settles_the_lease_of_another(void *lease)
{
    CHECK(plait_queue_ack(queue, *(plait_lease *)lease) == PLAIT_ENOLEASE);
    CHECK(plait_queue_giveback(queue, *(plait_lease *)lease) == PLAIT_ENOLEASE);
    return 0;
}

static void only_the_taker_settles(void **state)
{
    plait_lease lease;
    struct test_thread thread;
    put(1);
    assert_int_equal(lease_next(&lease), 1);
    test_thread_start(&thread, settles_the_lease_of_another, &lease);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
}

static int leases_and_returns(void *lease)
{
    return lease_next(lease);
}

static void the_lease_of_a_thread_that_returns_comes_back(void **state)
{
    plait_lease lease, again;
    struct test_thread thread;
    put(7);
    put(8);
    for (uint32_t i = 0; i < 3; i++) {
        test_thread_start(&thread, leases_and_returns, &lease);
        assert_int_equal(test_thread_join(&thread), 7);
        assert_int_equal(lease.attempts, i);
        assert_int_equal(plait_queue_ack(queue, lease), PLAIT_ENOLEASE);
    }
    assert_int_equal(lease_next(&again), 7);
    assert_int_equal(again.attempts, 3);
    assert_int_equal(plait_queue_ack(queue, again), 0);
    assert_int_equal(get_next(), 8);
}

static void whoever_leaves_gives_back(void **state)
{
    plait_lease lease, again;
    put(7);
    assert_int_equal(lease_next(&lease), 7);
    plait_leave();
    assert_int_equal(plait_queue_ack(queue, lease), PLAIT_ENOLEASE);
    assert_int_equal(lease_next(&again), 7);
    assert_int_equal(again.attempts, 1);
    assert_int_equal(plait_queue_ack(queue, again), 0);
}

/* --- room --------------------------------------------------------------------------------------------------------------------- */

static void the_room_is_free_again_after_acks_in_any_order(void **state)
{
    enum { MANY = 32 };                                 /* of 16 bytes and 16 more: all of 1024 */
    plait_lease leases[MANY];
    char text[16] = "";
    uint64_t random = test_seed();
    make_queue((plait_queue_options){ .capacity = 1024 });
    for (int round = 0; round < 200; round++) {
        int order[MANY];
        for (int i = 0; i < MANY; i++) assert_int_equal(plait_queue_put(queue, text, 16, PLAIT_NOW), 0);
        for (int i = 0; i < MANY; i++) assert_int_equal(plait_queue_lease(queue, text, 16, &leases[i], PLAIT_NOW), 16);
        for (int i = 0; i < MANY; i++) {
            const int with = (int)(test_random(&random) % (uint64_t)(i + 1));
            order[i] = order[with];
            order[with] = i;
        }
        for (int i = 0; i < MANY; i++) {
            const bool front_is_free = atomic_load(&queue->done.word) >> 19 != atomic_load(&queue->head.word) >> 19 && i == 0;
            if (front_is_free) assert_int_equal(plait_queue_put(queue, text, 16, PLAIT_NOW), -ETIMEDOUT);
            assert_int_equal(plait_queue_ack(queue, leases[order[i]]), 0);
        }
        assert_int_equal(atomic_load(&queue->done.word) >> 19, atomic_load(&queue->head.word) >> 19);
    }
}

static int puts_sixteen(void *unused)
{
    return plait_queue_put(queue, "sixteen bytes...", 16, PLAIT_FOREVER);
}

static void a_putter_sleeps_until_the_ack(void **state)
{
    plait_lease leases[32];
    char text[16] = "";
    make_queue((plait_queue_options){ .capacity = 1024 });
    for (int i = 0; i < 32; i++) assert_int_equal(plait_queue_put(queue, text, 16, PLAIT_NOW), 0);
    struct test_thread thread;
    test_thread_start(&thread, puts_sixteen, NULL);
    test_until_watches(thread.tid);
    for (int i = 0; i < 32; i++) assert_int_equal(plait_queue_lease(queue, text, 16, &leases[i], PLAIT_NOW), 16);
    for (int i = 31; i > 0; i--) {
        assert_int_equal(plait_queue_ack(queue, leases[i]), 0);
        if (i % 8 == 0) test_until_watches(thread.tid);  /* only the first one's room is of use */
    }
    assert_int_equal(plait_queue_qsize(queue), 0);
    assert_int_equal(plait_queue_ack(queue, leases[0]), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(plait_queue_get(queue, text, 16, PLAIT_NOW), 16);
}

static void maxsize_does_not_count_leased_messages(void **state)
{
    plait_lease lease;
    make_queue((plait_queue_options){ .maxsize = 1 });
    for (int i = 0; i < 10; i++) {
        put(i);
        assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(lease_next(&lease), i);
    }
    assert_int_equal(plait_queue_qsize(queue), 0);
}

/* Big messages wrap the position several times; the lease of each is its own all the same. */
static void many_rounds_of_big_messages(void **state)
{
    static char message[30000], got[30000];
    plait_lease lease, last = { 0 };
    make_queue((plait_queue_options){ .capacity = 65536 });
    for (int i = 0; i < 5000; i++) {
        const size_t size = sizeof message - (size_t)(i * 13 % 5000);
        memcpy(message, &i, sizeof i);
        message[size - 1] = (char)i;
        assert_int_equal(plait_queue_put(queue, message, size, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_lease(queue, got, sizeof got, &lease, PLAIT_NOW), size);
        assert_memory_equal(got, &i, sizeof i);
        assert_int_equal(got[size - 1], (char)i);
        if (i % 10 == 0) {
            assert_int_equal(plait_queue_giveback(queue, lease), 0);
            assert_int_equal(plait_queue_lease(queue, got, sizeof got, &lease, PLAIT_NOW), size);
            assert_int_equal(lease.attempts, 1);
        }
        assert_int_equal(plait_queue_ack(queue, lease), 0);
        if (i) assert_int_equal(plait_queue_ack(queue, last), PLAIT_ENOLEASE);
        last = lease;
    }
}

/* --- segments that go from queue to queue ----------------------------------------------------------------------------- */

static void empty_a_segment(plait_queue *from, plait_lease *first)
{
    char message[100] = "";
    plait_lease lease;
    for (unsigned i = 0; plait__position_in(from->done.word) <= PLAIT__SEGMENT_UNITS; i++) {
        assert_int_equal(plait_queue_put(from, message, sizeof message, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_lease(from, message, sizeof message, i ? &lease : first, PLAIT_NOW), sizeof message);
        assert_int_equal(plait_queue_ack(from, i ? lease : *first), 0);
    }
}

/* The second queue gets the segment that the first one has freed, and has a message with the same number at the same place. */
static void an_old_lease_settles_nothing_of_another_queue(void **state)
{
    const plait_queue_options unbounded = { .unbounded = 1, .leases = 1 };
    plait_queue *one = plait_queue_new(&unbounded), *other = plait_queue_new(&unbounded);
    plait_lease old, lease;
    char message[100] = "";
    empty_a_segment(one, &old);
    assert_int_equal(plait_queue_put(other, message, sizeof message, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_lease(other, message, sizeof message, &lease, PLAIT_NOW), sizeof message);
    assert_int_equal(lease.id, old.id);                    /* it could not be worse */
    assert_int_equal(plait_queue_ack(one, old), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_giveback(one, old), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_ack(other, lease), 0);
    assert_int_equal(plait_queue_free(one), 0);
    assert_int_equal(plait_queue_free(other), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_default, free_queue)

static const struct CMUnitTest tests[] = {
    TEST(a_message_is_leased_and_acknowledged),
    TEST(a_lease_is_settled_once),
    TEST(what_is_no_lease_is_refused),
    TEST(a_lease_given_back_comes_first),
    TEST(a_lease_given_back_is_none_when_it_is_leased_again),
    TEST(several_given_back_come_in_their_order),
    TEST(attempts_stop_at_what_fits),
    TEST(a_short_buffer_keeps_what_came_back),
    TEST(a_plain_get_needs_no_ack),
    TEST(nulls_are_refused),
    TEST(only_the_taker_settles),
    TEST(the_lease_of_a_thread_that_returns_comes_back),
    TEST(whoever_leaves_gives_back),
    TEST(the_room_is_free_again_after_acks_in_any_order),
    TEST(a_putter_sleeps_until_the_ack),
    TEST(maxsize_does_not_count_leased_messages),
    TEST(many_rounds_of_big_messages),
    TEST(an_old_lease_settles_nothing_of_another_queue),
};
TEST_MAIN(tests)
