/* A bell rings, again and again, for members that wait for it and are killed at random.  Whoever has begun to wait before it rang
 * gets through, and what was written before the ring is seen by all. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>

#include <plait.h>

enum { WORKERS = 6 };

static struct shared {
    plait_event bell;
    _Atomic uint64_t rings, through, timeouts, wrong;
    volatile uint64_t written;                             /* as `rings`, but nobody orders it except the event */
} *shared;

/* Place 0 rings, and the others wait; it is killed like them, and another goes on where it was. */
static void ring(uint64_t random)
{
    shared->written = shared->rings + 1;
    CHECK(plait_event_set(&shared->bell) == 0);
    shared->rings++;
    if (random % 4 == 0) usleep(random / 4 % 64);
    CHECK(plait_event_clear(&shared->bell) == 0);
    if (random % 16 == 1) usleep(random / 16 % 256);
}

static void wait_for_ring(uint64_t random)
{
    const bool timed = random % 4 == 0;
    const uint64_t before = shared->rings;
    const int waited = plait_event_wait(&shared->bell, timed ? plait_after((double)(random / 4 % 1000) * 1e-6) : PLAIT_FOREVER);
    CHECK(waited == 0 || (timed && waited == -ETIMEDOUT));
    if (waited == 0 && shared->written < before) shared->wrong++;
    shared->through += waited == 0;
    shared->timeouts += waited != 0;
}

static void work(int place, uint64_t state)
{
    while (!storm_is_over()) {
        if (place == 0) ring(test_random(&state));
        else wait_for_ring(test_random(&state));
    }
    CHECK(plait_event_set(&shared->bell) == 0);            /* and it stays set for those who still wait */
}

static void bell(void **state)
{
    storm_family();
    assert_non_null((shared = plait_alloc(sizeof *shared)));
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->through };
    storm_rage(&storm);
    storm_end(&storm);
    printf("%ld kills, %ld stops, %" PRIu64 " rings, %" PRIu64 " times through, %" PRIu64 " timeouts; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->rings, shared->through, shared->timeouts, storm.longest_stall * 1e3);
    assert_int_equal(shared->wrong, 0);
    assert_int_equal(plait_event_wait(&shared->bell, PLAIT_NOW), 0);
    assert_int_equal(plait_free(shared), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(bell) };

TEST_MAIN(tests)
