/* Messages in blocks of their own: given, taken, too large for the ring; and whose they are at each time. */
#include "harness.h"
#include "others.h"

#include <stdlib.h>
#include <string.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/family.h>
#include <plait/queue.h>

#include "arena/heap.h"
#include "family/repair.h"
#include "message/queue_internal.h"

enum kinds { RING, UNBOUNDED, LIFO, PRIORITY, KINDS, LEASES = KINDS };

static plait_queue *new_queue(int kind)
{
    static const plait_queue_options options[] = {
        [RING] = { .capacity = 1024 },
        [UNBOUNDED] = { .unbounded = 1 },
        [LIFO] = { .order = PLAIT_LIFO },
        [PRIORITY] = { .order = PLAIT_PRIORITY },
        [LEASES] = { .capacity = 1024, .leases = 1 },
    };
    plait_queue *queue = plait_queue_new(&options[kind]);
    assert_non_null(queue);
    return queue;
}

static void is_freed(plait_queue *queue, size_t others)
{
    assert_int_equal(plait_queue_free(queue), 0);
    test_notice_deaths();
    assert_int_equal(plait__heap_count(0), others);
}

static bool is_ours(const void *block)
{
    return plait__heap_tag(block) == plait__self.slot;
}

/* ---- hand to hand ---- */

static void the_block_itself_arrives(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        plait_queue *queue = new_queue(kind);
        for (size_t size = 1; size < 300000; size *= 7) {
            char *block = plait_message_alloc(size);
            void *taken = NULL;
            assert_non_null(block);
            memset(block, (int)size, size);
            assert_int_equal(plait_queue_give(queue, block, size, PLAIT_NOW), 0);
            assert_int_equal(plait__heap_tag(block), PLAIT__TAG_SHARED);
            assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), size);
            assert_int_equal(plait_queue_take(queue, &taken, PLAIT_NOW), size);
            assert_ptr_equal(taken, block);
            assert_true(is_ours(block));
            assert_int_equal(block[size - 1], (char)size);
            assert_int_equal(plait_free(block), 0);
        }
        is_freed(queue, 0);
    }
}

static void given_and_got_with_a_copy(void **state)
{
    for (int kind = 0; kind <= LEASES; kind++) {
        plait_queue *queue = new_queue(kind);
        char *block = plait_message_alloc(100), got[100] = "";
        strcpy(block, "hello");
        assert_int_equal(plait_queue_give(queue, block, 6, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_get(queue, got, 5, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_peek(queue, got, 5, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_peek(queue, got, sizeof got, PLAIT_NOW), 6);
        assert_string_equal(got, "hello");
        memset(got, 0, sizeof got);
        assert_int_equal(plait_queue_qsize(queue), 1);
        assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), 6);
        assert_string_equal(got, "hello");
        assert_int_equal(plait_block_size(block), 0);      /* the queue's, and freed */
        is_freed(queue, 0);
    }
}

static void put_and_taken_in_a_block(void **state)
{
    for (int kind = 0; kind <= LEASES; kind++) {
        plait_queue *queue = new_queue(kind);
        void *taken = NULL;
        assert_int_equal(plait_queue_put(queue, "hello", 6, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_take(queue, &taken, PLAIT_NOW), 6);
        assert_true(is_ours(taken));
        assert_string_equal(taken, "hello");
        assert_int_equal(plait_free(taken), 0);
        assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_take(queue, &taken, PLAIT_NOW), 0);
        assert_int_equal(plait_free(taken), 0);
        is_freed(queue, 0);
    }
}

/* Larger than the ring, several times, so that the records run over its end. */
static void larger_than_the_ring(void **state)
{
    static char message[100000], got[100000];
    for (int kind = 0; kind <= LEASES; kind++) {
        plait_queue *queue = new_queue(kind);
        for (int i = 0; i < 200; i++) {
            const size_t size = sizeof message - (size_t)i * 100, odd = (size_t)i * 7 % 60;
            memset(message, i, size);
            assert_int_equal(plait_queue_put(queue, message, size, PLAIT_NOW), 0);
            assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), size);
            assert_memory_equal(message, got, size);
            assert_int_equal(plait_queue_put(queue, message, odd, PLAIT_NOW), 0);
            assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), odd);
        }
        is_freed(queue, 0);
    }
}

static void a_large_message_is_leased_and_comes_back(void **state)
{
    static char message[5000], got[5000];
    plait_queue *queue = new_queue(LEASES);
    plait_lease lease;
    memset(message, 'x', sizeof message);
    for (int i = 0; i < 3; i++) assert_int_equal(plait_queue_put(queue, message, sizeof message, PLAIT_NOW), 0);
    assert_int_equal(plait__heap_count(0), 4);
    assert_int_equal(plait_queue_lease(queue, got, 10, &lease, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_queue_lease(queue, got, sizeof got, &lease, PLAIT_NOW), sizeof got);
    assert_int_equal(plait_queue_giveback(queue, lease), 0);
    assert_int_equal(plait_queue_lease(queue, got, sizeof got, &lease, PLAIT_NOW), sizeof got);
    assert_int_equal(lease.attempts, 1);
    assert_memory_equal(message, got, sizeof got);
    assert_int_equal(plait__heap_count(0), 4);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(plait__heap_count(0), 3);             /* its block went with the ack */
    is_freed(queue, 0);
}

/* ---- what is refused ---- */

static void a_block_that_is_none_is_refused(void **state)
{
    plait_queue *queue = new_queue(RING);
    char *block = plait_message_alloc(64), on_stack[64];
    assert_int_equal(plait_queue_give(queue, NULL, 1, PLAIT_NOW), PLAIT_ENOTOURS);
    assert_int_equal(plait_queue_give(queue, on_stack, 1, PLAIT_NOW), PLAIT_ENOTOURS);
    assert_int_equal(plait_queue_give(queue, block + 16, 1, PLAIT_NOW), PLAIT_ENOTOURS);
    assert_int_equal(plait_queue_give(queue, block, 65, PLAIT_NOW), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "65"));
    assert_int_equal(plait_queue_take(queue, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_free(block), 0);
    assert_int_equal(plait_queue_give(queue, block, 1, PLAIT_NOW), PLAIT_ENOTOURS);
    assert_int_equal(plait_queue_qsize(queue), 0);
    is_freed(queue, 0);
}

static void *give_it(void *argument)
{
    void **them = argument;
    assert_int_equal(plait_queue_give(them[0], them[1], 8, PLAIT_NOW), -EPERM);
    return NULL;
}

static void another_threads_block_is_refused(void **state)
{
    plait_queue *queue = new_queue(RING);
    void *them[] = { queue, plait_message_alloc(8) };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, give_it, them), 0);
    pthread_join(thread, NULL);
    assert_true(is_ours(them[1]));
    assert_int_equal(plait_free(them[1]), 0);
    is_freed(queue, 0);
}

static void after_an_error_it_is_the_callers_as_before(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        plait_queue_options options = { .maxsize = 1, .unbounded = kind == UNBOUNDED, .order = kind == LIFO ? PLAIT_LIFO : 0 };
        plait_queue *queue = plait_queue_new(&options);
        void *block = plait_message_alloc(8), *shared = plait_alloc(8);
        assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_give(queue, block, 8, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_queue_close(queue), 0);
        assert_int_equal(plait_queue_give(queue, block, 8, PLAIT_FOREVER), PLAIT_ECLOSED);
        assert_int_equal(plait_queue_give(queue, shared, 8, PLAIT_FOREVER), PLAIT_ECLOSED);
        assert_true(is_ours(block));
        assert_int_equal(plait__heap_tag(shared), PLAIT__TAG_SHARED);
        assert_int_equal(plait_free(block), 0);
        assert_int_equal(plait_free(shared), 0);
        is_freed(queue, 0);
    }
}

static void a_full_memory_keeps_the_message_where_it_is(void **state)
{
    plait__test_arena_size = 32ul << 20;
    plait_queue *queue = new_queue(RING);
    static char message[3 << 20];
    void *taken, *fillers[64];
    int n = 0;
    assert_int_equal(plait_queue_put(queue, "small", 6, PLAIT_NOW), 0);
    while (n < 64 && (fillers[n] = plait_alloc(1 << 20))) n++;
    while (plait_alloc(32768)) {}
    assert_int_equal(plait_queue_put(queue, message, sizeof message, PLAIT_NOW), -ENOMEM);
    while (plait_alloc(16)) {}
    assert_int_equal(plait_queue_take(queue, &taken, PLAIT_NOW), -ENOMEM);
    assert_int_equal(plait_queue_qsize(queue), 1);
    for (int i = 0; i < n; i++) plait_free(fillers[i]);
    assert_int_equal(plait_queue_take(queue, &taken, PLAIT_NOW), 6);
    assert_string_equal(taken, "small");
    assert_int_equal(plait_queue_put(queue, message, sizeof message, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_free(queue), 0);
}

/* ---- whose it is when somebody ends ---- */

static plait_queue *queue_of_children;

static int give_and_die(void *how)
{
    char *block = plait_message_alloc(100);
    strcpy(block, "from the dead");
    CHECK(plait_queue_give(queue_of_children, block, 14, PLAIT_NOW) == 0);
    if (how) raise(SIGKILL);
    plait_leave();
    return 0;
}

static int take_and_die(void *how)
{
    void *taken;
    CHECK(plait_queue_take(queue_of_children, &taken, PLAIT_NOW) == 14);
    if (how) raise(SIGKILL);
    plait_leave();
    return 0;
}

static void what_was_given_outlives_its_giver_and_what_was_taken_dies_with_its_taker(void **state)
{
    static int kill_it;
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < 4; i++) {
            queue_of_children = new_queue(kind);
            assert_int_equal(test_wait_exit(test_fork(give_and_die, i % 2 ? &kill_it : NULL)), i % 2 ? -SIGKILL : 0);
            test_notice_deaths();
            const size_t blocks = plait__heap_count(0);
            assert_int_equal(plait_queue_qsize(queue_of_children), 1);
            assert_int_equal(test_wait_exit(test_fork(take_and_die, i / 2 ? &kill_it : NULL)), i / 2 ? -SIGKILL : 0);
            test_notice_deaths();
            assert_true(plait__heap_count(0) < blocks);
            is_freed(queue_of_children, 0);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_block_itself_arrives),
    cmocka_unit_test(given_and_got_with_a_copy),
    cmocka_unit_test(put_and_taken_in_a_block),
    cmocka_unit_test(larger_than_the_ring),
    cmocka_unit_test(a_large_message_is_leased_and_comes_back),
    cmocka_unit_test(a_block_that_is_none_is_refused),
    cmocka_unit_test(another_threads_block_is_refused),
    cmocka_unit_test(after_an_error_it_is_the_callers_as_before),
    cmocka_unit_test(a_full_memory_keeps_the_message_where_it_is),
    cmocka_unit_test(what_was_given_outlives_its_giver_and_what_was_taken_dies_with_its_taker),
};
TEST_MAIN(tests)
