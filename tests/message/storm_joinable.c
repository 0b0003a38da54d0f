/* Producers, workers and joiners of one joinable queue are killed at random.  Every task that was put is done at least once, and
 * more than once only if a worker was killed that had it; a join returns only when all is done that had been put before it began;
 * and joins return. */
#include "storm.h"

#include <inttypes.h>

#include <plait.h>

#include "arena/heap.h"

enum { PRODUCERS = 2, WORKERS = 3, JOINERS = 2, AT_ONCE = 3 };
#define MOST (1u << 20)                                    /* tasks of one producer's place */

struct lane {
    _Atomic uint64_t begun, sent;                          /* before, after the put of a number */
    _Atomic uint8_t done[MOST];                            /* how often */
    _Atomic uint8_t cut[MOST];                             /* its put was cut off: it may have been put or not */
};

static struct shared {
    _Atomic uint64_t finished, joined, early, again;
    struct lane lanes[PRODUCERS];
} *shared;

static plait_queue *queue;

struct task {
    uint32_t lane;
    uint64_t number;
};

static bool has_been_done(const struct lane *lane, uint64_t number)
{
    return lane->done[number] || lane->cut[number];
}

/* In bursts, so that there are rests.  A number whose put was cut off is not put again. */
static void produce(uint32_t place, uint64_t random)
{
    struct lane *lane = &shared->lanes[place];
    while (!storm_is_over() && lane->begun < MOST - 100) {
        for (uint64_t i = test_random(&random) % 30 + 1; i > 0; i--) {
            const struct task task = { place, ++lane->begun };
            int error = plait_queue_put(queue, &task, sizeof task, PLAIT_FOREVER);
            if (error == PLAIT_ECLOSED) lane->begun--;
            if (error == PLAIT_ECLOSED) return;
            CHECK(error == 0);
            lane->sent = task.number;
        }
        usleep((unsigned)(test_random(&random) % 300));
    }
}

/* Some at a time; what was done before its taker was killed may be done again. */
static bool work(uint64_t *random)
{
    const uint64_t most = test_random(random) % AT_ONCE + 1;
    uint64_t taken = 0;
    for (; taken < most; taken++) {
        struct task task;
        ssize_t size = plait_queue_get(queue, &task, sizeof task, taken ? PLAIT_NOW : PLAIT_FOREVER);
        if (size == -ETIMEDOUT || size == PLAIT_ECLOSED) break;
        CHECK(size == sizeof task && task.lane < PRODUCERS && task.number < MOST);
        if (atomic_fetch_add(&shared->lanes[task.lane].done[task.number], 1)) shared->again++;
    }
    for (uint64_t i = 0; i < taken; i++) CHECK(plait_queue_task_done(queue) == 0);
    shared->finished += taken;
    return taken > 0;
}

static void join(void)
{
    uint64_t sent[PRODUCERS];
    while (!storm_is_over()) {
        static uint64_t from[PRODUCERS];
        for (int i = 0; i < PRODUCERS; i++) sent[i] = shared->lanes[i].sent;
        CHECK(plait_queue_join(queue, PLAIT_FOREVER) == 0);
        for (int i = 0; i < PRODUCERS; i++)
            for (; from[i] < sent[i]; from[i]++)
                shared->early += !has_been_done(&shared->lanes[i], from[i] + 1);
        shared->joined++;
        usleep(20);
    }
}

static void take_part(int place, uint64_t random)
{
    if (place < PRODUCERS) produce((uint32_t)place, random);
    else if (place < PRODUCERS + WORKERS) while (work(&random)) {}
    else join();
}

static void look_at_the_dead(int place)
{
    if (place >= PRODUCERS) return;
    struct lane *lane = &shared->lanes[place];
    for (uint64_t number = lane->sent + 1; number <= lane->begun; number++) lane->cut[number] = 1;
}

static uint64_t count_lost(void)
{
    uint64_t lost = 0;
    for (int i = 0; i < PRODUCERS; i++)
        for (uint64_t number = 1; number <= shared->lanes[i].sent; number++)
            lost += !has_been_done(&shared->lanes[i], number);
    return lost;
}

static void storm_over(const plait_queue_options *options)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    const size_t blocks = plait__heap_count(0);
    assert_non_null(queue = plait_queue_new(options));
    struct storm storm = { .workers = PRODUCERS + WORKERS + JOINERS, .body = take_part, .killed = look_at_the_dead,
                           .progress = &shared->finished };
    storm_rage(&storm);
    assert_int_equal(plait_queue_close(queue), 0);
    storm_end(&storm);
    uint64_t kills = 0, lost = count_lost();
    for (int i = PRODUCERS; i < PRODUCERS + WORKERS; i++) kills += (uint64_t)storm.kills_of[i];
    printf("%ld kills (%" PRIu64 " of workers), %" PRIu64 " tasks done, %" PRIu64 " again, %" PRIu64 " joins; lost %" PRIu64
           ", early %" PRIu64 "; longest stall %.1f ms\n", storm.kills, kills, shared->finished, shared->again, shared->joined,
           lost, shared->early, storm.longest_stall * 1e3);
    assert_int_equal(lost + shared->early, 0);
    assert_true(shared->again <= kills * AT_ONCE);
    assert_true(shared->joined > 0);
    assert_int_equal(plait_queue_join(queue, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait__heap_count(0), blocks);
}

static void without_a_ring(void **state)
{
    storm_over(&(plait_queue_options){ .joinable = 1 });
}

static void in_a_ring(void **state)
{
    storm_over(&(plait_queue_options){ .joinable = 1, .capacity = 1024, .maxsize = 20 });
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_a_ring),
    cmocka_unit_test(in_a_ring),
};

TEST_MAIN(tests)
