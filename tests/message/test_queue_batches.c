/* put_many and get_many, in all kinds of queues. */
#include "harness.h"
#include "others.h"

#include <stdlib.h>
#include <string.h>

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/family.h>
#include <plait/init.h>
#include <plait/queue.h>

#include "arena/heap.h"

static const plait_queue_options kinds[] = {
    { .capacity = 1024 },                 { .capacity = 1 << 16 },
    { .capacity = 1 << 16, .maxsize = 50 }, { .unbounded = 1 },
    { .unbounded = 1, .maxsize = 50 },    { .capacity = 1 << 16, .leases = 1 },
    { .unbounded = 1, .leases = 1 },      { .order = PLAIT_PRIORITY },
};
enum { KINDS = sizeof kinds / sizeof kinds[0], MOST = 3000, SIZE = 24 };

static char messages[MOST][SIZE], got[MOST][SIZE];

static void fill(unsigned first)
{
    for (unsigned i = 0; i < MOST; i++) {
        memset(messages[i], (int)(first + i), SIZE);
        memcpy(messages[i], &(unsigned){ first + i }, sizeof first);
    }
}

static void holds(size_t i, unsigned number)
{
    fill(number);
    assert_memory_equal(got[i], messages[0], SIZE);
}

static void is_freed(plait_queue *queue)
{
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait__heap_count(0), 0);
}

/* As many as fit go in, and come out in any portions. */
static void what_goes_in_comes_out(void **state)
{
    uint64_t random = test_seed();
    for (int kind = 0; kind < KINDS; kind++) {
        plait_queue *queue = plait_queue_new(&kinds[kind]);
        unsigned in = 0, out = 0;
        size_t sizes[MOST];
        for (int i = 0; i < 200; i++) {
            const size_t more = test_random(&random) % MOST, most = 1 + test_random(&random) % MOST;
            fill(in);
            const ssize_t put = plait_queue_put_many(queue, messages, SIZE, more, PLAIT_NOW);
            if (put < 0) assert_int_equal(put, -ETIMEDOUT);
            else in += (unsigned)put;
            assert_int_equal(plait_queue_qsize(queue), in - out);
            memset(sizes, 0, sizeof sizes);
            const ssize_t n = plait_queue_get_many(queue, got, SIZE, sizes, most, PLAIT_NOW);
            if (n < 0) assert_int_equal(in, out);
            for (ssize_t j = 0; j < n; j++) {
                assert_int_equal(sizes[j], SIZE);
                unsigned number;
                memcpy(&number, got[j], sizeof number);
                assert_int_equal(number, out++);
            }
            assert_int_equal(plait_queue_qsize(queue), in - out);
        }
        is_freed(queue);
    }
}

static void a_full_queue_takes_a_part(void **state)
{
    plait_queue *queue = plait_queue_new(&kinds[0]);       /* 32 messages of two units */
    fill(0);
    assert_int_equal(plait_queue_put_many(queue, messages, SIZE, 100, PLAIT_NOW), 32);
    assert_int_equal(plait_queue_put_many(queue, messages, SIZE, 100, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_queue_get_many(queue, got, SIZE, NULL, 5, PLAIT_NOW), 5);
    assert_int_equal(plait_queue_put_many(queue, messages[32], SIZE, 100, plait_after(0.001)), 5);
    assert_int_equal(plait_queue_get_many(queue, got, SIZE, NULL, 100, PLAIT_FOREVER), 32);
    for (unsigned i = 0; i < 32; i++) holds(i, i + 5);
    is_freed(queue);
}

static void sizes_may_differ_and_one_that_does_not_fit_stays(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        plait_queue *queue = plait_queue_new(&kinds[kind]);
        size_t sizes[10];
        for (size_t size = 0; size <= SIZE + 1; size++) {
            fill((unsigned)size);
            assert_int_equal(plait_queue_put(queue, messages, size, PLAIT_NOW), 0);
        }
        size_t size = 0;
        for (ssize_t n; (n = plait_queue_get_many(queue, got, SIZE, sizes, 10, PLAIT_NOW)) > 0;)
            for (ssize_t i = 0; i < n; i++) assert_int_equal(sizes[i], size++);
        assert_int_equal(size, SIZE + 1);
        assert_int_equal(plait_queue_get_many(queue, got, SIZE, sizes, 10, PLAIT_NOW), -EMSGSIZE);
        assert_int_equal(plait_queue_qsize(queue), 1);
        is_freed(queue);
    }
}

/* Blocks between messages in the ring come out in their order. */
static void large_ones_among_small_ones(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        static char large[3][70000], buffer[5][70000];
        plait_queue *queue = plait_queue_new(&kinds[kind]);
        size_t sizes[5];
        for (int i = 0; i < 3; i++) memset(large[i], 'a' + i, sizeof large[i]);
        assert_int_equal(plait_queue_put(queue, "1", 1, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_put_many(queue, large, sizeof large[0], 3, PLAIT_NOW), 3);
        assert_int_equal(plait_queue_put(queue, "2", 1, PLAIT_NOW), 0);
        for (int have = 0; have < 5;) {
            const size_t left = 5 - (size_t)have;
            const ssize_t n = plait_queue_get_many(queue, buffer[have], sizeof buffer[0], sizes + have, left, PLAIT_NOW);
            assert_true(n > 0);
            have += (int)n;
        }
        assert_true(sizes[0] == 1 && sizes[1] == 70000 && sizes[2] == 70000 && sizes[3] == 70000 && sizes[4] == 1);
        for (int i = 0; i < 3; i++) assert_memory_equal(buffer[i + 1], large[i], sizeof large[i]);
        assert_true(buffer[0][0] == '1' && buffer[4][0] == '2');
        is_freed(queue);
    }
}

static void wrong_arguments(void **state)
{
    plait_queue *queue = plait_queue_new(NULL);
    assert_int_equal(plait_queue_put_many(NULL, messages, SIZE, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_put_many(queue, NULL, SIZE, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_put_many(queue, messages, SIZE, 0, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_get_many(NULL, got, SIZE, NULL, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_get_many(queue, NULL, SIZE, NULL, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_get_many(queue, got, SIZE, NULL, 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_queue_get_many(queue, got, SIZE, NULL, 1, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_queue_close(queue), 0);
    assert_int_equal(plait_queue_put_many(queue, messages, SIZE, 1, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_queue_get_many(queue, got, SIZE, NULL, 1, PLAIT_FOREVER), PLAIT_ECLOSED);
    is_freed(queue);
}

/* ---- sleepers ---- */

static struct scene {
    plait_queue *queue;
    _Atomic int done, may_go, joined[3];
} *scene;

/* Who ends wakes those who sleep, and that would help them. */
static int stay(void)
{
    scene->done++;
    test_until_set(&scene->may_go);
    return 0;
}

static int get_one(void *place)
{
    unsigned char buffer[SIZE];
    CHECK(plait_init(NULL, NULL) == 0);
    scene->joined[*(int *)place] = 1;
    CHECK(plait_queue_get(scene->queue, buffer, sizeof buffer, PLAIT_FOREVER) == SIZE);
    return stay();
}

static int put_one(void *place)
{
    CHECK(plait_init(NULL, NULL) == 0);
    scene->joined[*(int *)place] = 1;
    CHECK(plait_queue_put(scene->queue, messages[0], SIZE, PLAIT_FOREVER) == 0);
    return stay();
}

static void start_three(int (*body)(void *), pid_t *pids)
{
    static int places[] = { 0, 1, 2 };
    scene->done = scene->may_go = 0;
    for (int i = 0; i < 3; i++) {
        scene->joined[i] = 0;
        pids[i] = test_fork(body, &places[i]);
        test_until_set(&scene->joined[i]);
        test_until_watches(pids[i]);                       /* asleep for long: who has just fallen asleep looks again by itself */
    }
}

static void end_three(const pid_t *pids)
{
    test_until_at_least(&scene->done, 3);
    scene->may_go = 1;
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(pids[i]), 0);
}

/* One commit of many messages wakes as many getters as it has messages for, one of much room as many putters. */
static void one_commit_wakes_them_all(void **state)
{
    scene = test_shared(sizeof *scene);
    for (int kind = 0; kind < 4; kind++) {
        const plait_queue_options options = { .unbounded = kind % 2, .maxsize = 3, .order = kind == 3 ? PLAIT_LIFO : PLAIT_FIFO };
        pid_t pids[3];
        scene->queue = plait_queue_new(&options);
        start_three(get_one, pids);
        assert_int_equal(plait_queue_put_many(scene->queue, messages, SIZE, 3, PLAIT_FOREVER), 3);
        end_three(pids);
        assert_int_equal(plait_queue_put_many(scene->queue, messages, SIZE, 3, PLAIT_FOREVER), 3);
        start_three(put_one, pids);
        assert_int_equal(plait_queue_get_many(scene->queue, got, SIZE, NULL, 3, PLAIT_FOREVER), 3);
        end_three(pids);
        assert_int_equal(plait_queue_free(scene->queue), 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_goes_in_comes_out),
    cmocka_unit_test(a_full_queue_takes_a_part),
    cmocka_unit_test(sizes_may_differ_and_one_that_does_not_fit_stays),
    cmocka_unit_test(large_ones_among_small_ones),
    cmocka_unit_test(wrong_arguments),
    cmocka_unit_test(one_commit_wakes_them_all),
};
TEST_MAIN(tests)
