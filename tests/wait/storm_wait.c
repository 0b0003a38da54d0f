/* Members that wait for many things at once, in every way, and take what is ready, beside others who make it so; all of them are
 * killed at random.  Nobody sleeps beside something ready: the storm stalls otherwise. */
#include "storm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>

#include <plait.h>

enum { WORKERS = 6, MAKERS = 2, QUEUES = 2 };

static struct shared {
    _Atomic uint64_t taken, timeouts, bytes_written, watched;
    plait_queue *queues[QUEUES];
    plait_semaphore semaphore;
    plait_event event;
} *shared;
static int pipe_ends[2];

/* The makers never have more than a few under way, so that a consumer that is missed makes them stop. */
static void make(uint64_t random)
{
    const plait_deadline soon = plait_after(0.1);
    switch (random % 4) {
    case 0: case 1: (void)!plait_queue_put(shared->queues[random % 2], "x", 1, soon); break;
    case 2:
        if (plait_semaphore_get_value(&shared->semaphore) < 3) (void)!plait_semaphore_release(&shared->semaphore);
        break;
    case 3:
        if (write(pipe_ends[1], "x", 1) == 1) shared->bytes_written++;
        break;
    }
    if (random / 4 % 8 == 0) usleep(random / 32 % 128);
}

static void take(const plait_waitable *things)
{
    char byte;
    for (int i = 0; i < QUEUES; i++)
        if (things[i].ready && plait_queue_get(shared->queues[i], &byte, 1, PLAIT_NOW) == 1) shared->taken++;
    if (things[QUEUES].ready && plait_semaphore_acquire(&shared->semaphore, PLAIT_NOW) == 0) shared->taken++;
    if (things[QUEUES + 1].ready && read(pipe_ends[0], &byte, 1) == 1) shared->taken++;
}

static void fill(plait_waitable *things)
{
    for (int i = 0; i < QUEUES; i++) things[i] = (plait_waitable){ PLAIT_WAIT_QUEUE, .object = shared->queues[i] };
    things[QUEUES] = (plait_waitable){ PLAIT_WAIT_SEMAPHORE, .object = &shared->semaphore };
    things[QUEUES + 1] = (plait_waitable){ PLAIT_WAIT_FD, .fd = pipe_ends[0] };
    things[QUEUES + 2] = (plait_waitable){ PLAIT_WAIT_EVENT, .object = &shared->event };
}

static void wait_and_take(uint64_t random)
{
    plait_waitable things[QUEUES + 3];
    fill(things);
    const bool timed = random % 4 == 0;
    if (random % 3 == 0) things[QUEUES + 1].kind = PLAIT_WAIT_NOTHING;     /* then on words alone */
    const int ready = plait_wait(things, QUEUES + 3, timed ? plait_after((double)(random / 4 % 1000) * 1e-6) : PLAIT_FOREVER);
    CHECK(ready > 0 || (timed && ready == -ETIMEDOUT));
    shared->timeouts += ready < 0;
    if (ready > 0 && random / 64 % 8) take(things);                        /* else it is left to others */
}

/* The last place waits in a loop of its own. */
static void watch(void)
{
    plait_waitable things[QUEUES + 3];
    fill(things);
    plait_watch *watch = plait_watch_new(things, QUEUES + 3);
    CHECK(watch);
    struct pollfd fd = { .fd = plait_watch_fd(watch), .events = POLLIN };
    for (int i = 0; i < 100 && !storm_is_over(); i++) {
        CHECK(poll(&fd, 1, -1) == 1);
        const int ready = plait_watch_check(watch, things, QUEUES + 3);
        CHECK(ready >= 0);
        if (ready > 0) take(things);
        shared->watched += ready > 0;
    }
    CHECK(plait_watch_free(watch) == 0);
}

static void work(int place, uint64_t state)
{
    while (!storm_is_over()) {
        if (place < MAKERS) make(test_random(&state));
        else if (place == WORKERS - 1) watch();
        else wait_and_take(test_random(&state));
    }
    CHECK(plait_event_set(&shared->event) == 0);
}

static void many_things(void **state)
{
    storm_family();
    assert_non_null((shared = plait_alloc(sizeof *shared)));
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
    for (int i = 0; i < QUEUES; i++) {
        shared->queues[i] = plait_queue_new(&(plait_queue_options){ .maxsize = 4, .order = i ? PLAIT_LIFO : PLAIT_FIFO });
        assert_non_null(shared->queues[i]);
    }
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->taken };
    storm_rage(&storm);
    storm_end(&storm);
    printf("%ld kills, %ld stops, %" PRIu64 " taken, a watch told %" PRIu64 " times, %" PRIu64 " timeouts; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->taken, shared->watched, shared->timeouts, storm.longest_stall * 1e3);
    for (int i = 0; i < QUEUES; i++) assert_int_equal(plait_queue_free(shared->queues[i]), 0);
    assert_int_equal(plait_free(shared), 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    plait_leave();
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(many_things) };

TEST_MAIN(tests)
