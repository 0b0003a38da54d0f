/* Many producers and consumers, threads or processes: nothing is lost, doubled, torn or out of order. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/queue.h>

enum { MOST = 4, MESSAGES = 100000 };

struct message {
    uint32_t producer, number;
    uint64_t check;
};

struct crew {
    plait_queue *queue;
    int producers, consumers, each;                     /* messages of each producer */
    unsigned extra;                                     /* up to so many bytes more, by number */
    bool with_leases, with_deadlines;
    _Atomic int producers_left;
    _Atomic long taken;
    _Atomic uint64_t sum;
    _Atomic int next_producer;
};

static uint64_t check_of(uint32_t producer, uint32_t number)
{
    return (number + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ producer * UINT64_C(0x94d049bb133111eb);
}

static size_t size_of(const struct crew *crew, uint32_t number)
{
    return sizeof(struct message) + (crew->extra ? number * 37 % crew->extra : 0);
}

static plait_deadline deadline_of(const struct crew *crew, uint32_t number)
{
    if (!crew->with_deadlines) return PLAIT_FOREVER;
    return number % 3 == 0 ? PLAIT_NOW : plait_after(0.0001);
}

static int produce(void *argument)
{
    struct crew *crew = argument;
    const uint32_t me = (uint32_t)atomic_fetch_add(&crew->next_producer, 1);
    char bytes[2000];
    for (uint32_t i = 0; i < (uint32_t)crew->each; i++) {
        const size_t size = size_of(crew, i);
        const struct message message = { me, i, check_of(me, i) };
        memset(bytes, (int)(i & 0xff), size);
        memcpy(bytes, &message, sizeof message);
        int result;
        do result = plait_queue_put(crew->queue, bytes, size, deadline_of(crew, i));
        while (result == -ETIMEDOUT && crew->with_deadlines);
        CHECK(result == 0);
    }
    if (atomic_fetch_sub(&crew->producers_left, 1) == 1) CHECK(plait_queue_close(crew->queue) == 0);
    plait_leave();
    return 0;
}

static ssize_t take(struct crew *crew, void *bytes, size_t size, uint32_t number)
{
    const plait_deadline deadline = deadline_of(crew, number);
    if (!crew->with_leases) return plait_queue_get(crew->queue, bytes, size, deadline);
    plait_lease lease;
    const ssize_t got = plait_queue_lease(crew->queue, bytes, size, &lease, deadline);
    if (got >= 0) {
        CHECK(lease.attempts == 0);
        CHECK(plait_queue_ack(crew->queue, lease) == 0);
    }
    return got;
}

static void check_message(const struct crew *crew, const char *bytes, ssize_t got, int64_t *last)
{
    struct message message;
    memcpy(&message, bytes, sizeof message);
    CHECK(message.producer < (uint32_t)crew->producers && message.number < (uint32_t)crew->each);
    CHECK(message.check == check_of(message.producer, message.number));
    CHECK((size_t)got == size_of(crew, message.number));
    for (ssize_t i = sizeof message; i < got; i++) CHECK((unsigned char)bytes[i] == (message.number & 0xff));
    CHECK((int64_t)message.number > last[message.producer]);
    last[message.producer] = message.number;
}

static int consume(void *argument)
{
    struct crew *crew = argument;
    int64_t last[MOST] = { -1, -1, -1, -1 };
    uint64_t sum = 0;
    char bytes[2000];
    long taken = 0;
    for (uint32_t tries = 0;; tries++) {
        const ssize_t got = take(crew, bytes, sizeof bytes, tries);
        if (got == PLAIT_ECLOSED) break;
        if (got == -ETIMEDOUT && crew->with_deadlines) continue;
        CHECK(got > 0);
        check_message(crew, bytes, got, last);
        sum += ((struct message *)(void *)bytes)->check;
        taken++;
    }
    atomic_fetch_add(&crew->taken, taken);
    atomic_fetch_add(&crew->sum, sum);
    plait_leave();
    return 0;
}

static struct crew *new_crew(int producers, int consumers, plait_queue_options options)
{
    struct crew *crew = test_shared(sizeof *crew);
    crew->producers = producers;
    crew->consumers = consumers;
    crew->each = MESSAGES / producers;
    crew->with_leases = options.leases;
    atomic_store(&crew->producers_left, producers);
    assert_non_null(crew->queue = plait_queue_new(&options));
    return crew;
}

static void check_crew(struct crew *crew)
{
    uint64_t sum = 0;
    for (int p = 0; p < crew->producers; p++)
        for (int i = 0; i < crew->each; i++) sum += check_of((uint32_t)p, (uint32_t)i);
    assert_int_equal(atomic_load(&crew->taken), (long)crew->each * crew->producers);
    assert_int_equal(atomic_load(&crew->sum), sum);
    assert_int_equal(plait_queue_qsize(crew->queue), 0);
    assert_int_equal(plait_queue_free(crew->queue), 0);
}

static void run_in_threads(struct crew *crew)
{
    struct test_thread threads[2 * MOST];
    for (int i = 0; i < crew->consumers; i++) test_thread_start(&threads[MOST + i], consume, crew);
    for (int i = 0; i < crew->producers; i++) test_thread_start(&threads[i], produce, crew);
    for (int i = 0; i < crew->producers; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    for (int i = 0; i < crew->consumers; i++) assert_int_equal(test_thread_join(&threads[MOST + i]), 0);
    check_crew(crew);
}

static void run_in_processes(struct crew *crew)
{
    pid_t pids[2 * MOST];
    for (int i = 0; i < crew->consumers; i++) pids[MOST + i] = test_fork(consume, crew);
    for (int i = 0; i < crew->producers; i++) pids[i] = test_fork(produce, crew);
    for (int i = 0; i < crew->producers; i++) assert_int_equal(test_wait_exit(pids[i]), 0);
    for (int i = 0; i < crew->consumers; i++) assert_int_equal(test_wait_exit(pids[MOST + i]), 0);
    check_crew(crew);
}

/* --- who and how many ------------------------------------------------------------------------------------------------------ */

static const plait_queue_options plain;

static void one_to_one_in_threads(void **state) { run_in_threads(new_crew(1, 1, plain)); }
static void two_to_two_in_threads(void **state) { run_in_threads(new_crew(2, 2, plain)); }
static void four_to_one_in_threads(void **state) { run_in_threads(new_crew(4, 1, plain)); }
static void one_to_four_in_threads(void **state) { run_in_threads(new_crew(1, 4, plain)); }
static void one_to_one_in_processes(void **state) { run_in_processes(new_crew(1, 1, plain)); }
static void two_to_two_in_processes(void **state) { run_in_processes(new_crew(2, 2, plain)); }
static void four_to_one_in_processes(void **state) { run_in_processes(new_crew(4, 1, plain)); }
static void one_to_four_in_processes(void **state) { run_in_processes(new_crew(1, 4, plain)); }

/* --- where they have to wait for each other ---------------------------------------------------------------------------- */

static void through_a_small_ring(void **state)
{
    struct crew *crew = new_crew(2, 2, (plait_queue_options){ .capacity = 1024 });
    crew->extra = 900;
    crew->each /= 3;
    run_in_processes(crew);
}

static void through_a_small_ring_in_threads(void **state)
{
    struct crew *crew = new_crew(3, 3, (plait_queue_options){ .capacity = 1024 });
    crew->extra = 900;
    crew->each /= 3;
    run_in_threads(crew);
}

static void through_a_queue_of_one(void **state)
{
    struct crew *crew = new_crew(2, 2, (plait_queue_options){ .maxsize = 1 });
    crew->each /= 5;
    run_in_processes(crew);
}

static void through_a_queue_of_three(void **state)
{
    struct crew *crew = new_crew(4, 4, (plait_queue_options){ .maxsize = 3 });
    crew->each /= 5;
    run_in_processes(crew);
}

static void with_deadlines(void **state)
{
    struct crew *crew = new_crew(2, 2, (plait_queue_options){ .capacity = 1024, .maxsize = 9 });
    crew->with_deadlines = true;
    crew->extra = 200;
    crew->each /= 5;
    run_in_processes(crew);
}

static void with_leases(void **state)
{
    run_in_processes(new_crew(2, 2, (plait_queue_options){ .leases = 1 }));
}

static void with_leases_through_a_small_ring(void **state)
{
    struct crew *crew = new_crew(2, 3, (plait_queue_options){ .capacity = 1024, .leases = 1 });
    crew->extra = 900;
    crew->each /= 4;
    run_in_processes(crew);
}

static void with_leases_and_deadlines_through_a_small_queue(void **state)
{
    struct crew *crew = new_crew(2, 2, (plait_queue_options){ .capacity = 1024, .maxsize = 5, .leases = 1 });
    crew->with_deadlines = true;
    crew->extra = 300;
    crew->each /= 8;
    run_in_processes(crew);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_to_one_in_threads),
    cmocka_unit_test(two_to_two_in_threads),
    cmocka_unit_test(four_to_one_in_threads),
    cmocka_unit_test(one_to_four_in_threads),
    cmocka_unit_test(one_to_one_in_processes),
    cmocka_unit_test(two_to_two_in_processes),
    cmocka_unit_test(four_to_one_in_processes),
    cmocka_unit_test(one_to_four_in_processes),
    cmocka_unit_test(through_a_small_ring),
    cmocka_unit_test(through_a_small_ring_in_threads),
    cmocka_unit_test(through_a_queue_of_one),
    cmocka_unit_test(through_a_queue_of_three),
    cmocka_unit_test(with_deadlines),
    cmocka_unit_test(with_leases),
    cmocka_unit_test(with_leases_through_a_small_ring),
    cmocka_unit_test(with_leases_and_deadlines_through_a_small_queue),
};
TEST_MAIN(tests)
