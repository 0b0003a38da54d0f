/* Members that meet at a barrier again and again are killed at random, or give up.  All who were there at one time learn the same,
 * each has a place of its own, and they meet again after a reset. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>

#include <plait.h>

enum { PARTIES = 4, TIMES = 1 << 16 };

static plait_barrier *barrier;

static struct shared {
    _Atomic uint64_t met, broken, timeouts, resets;
    _Atomic uint64_t wrong;
    _Atomic uint64_t acted;
    _Atomic uint8_t places[TIMES];                         /* of each time, who was told that all were there */
} *shared;

static int act(void *unused)
{
    atomic_store(&shared->places[(shared->acted + TIMES / 2) % TIMES], 0);
    shared->acted++;
    return 0;
}

/* Nobody meets without this one, so the number of times stays as it is until it comes again. */
static void note_place(int place)
{
    const uint64_t time = shared->acted;
    if (atomic_fetch_or(&shared->places[time % TIMES], 1 << place) & 1 << place) shared->wrong++;
    shared->met++;
}

static void mend(void)
{
    shared->broken++;
    if (plait_barrier_broken(barrier) != 1) return;
    CHECK(plait_barrier_reset(barrier) == 0);
    shared->resets++;
}

static void work(int place, uint64_t state)
{
    const bool named = place % 2;
    if (named) CHECK(plait_barrier_join(barrier) == 0);
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        const int got = plait_barrier_wait(barrier, random % 64 ? PLAIT_FOREVER : plait_after((double)(random % 3000) * 1e-6));
        if (got >= 0) note_place(got);
        else if (got == -ETIMEDOUT) shared->timeouts++;
        else CHECK(got == PLAIT_EBROKEN);
        if (got < 0) mend();
    }
}

static void barriers(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    barrier = plait_barrier_new(PARTIES, &(plait_barrier_options){ .action = act });
    assert_non_null(barrier);
    struct storm storm = { .workers = PARTIES, .body = work, .progress = &shared->met };
    storm_rage(&storm);
    assert_int_equal(plait_barrier_abort(barrier), 0);
    storm_end(&storm);
    printf("%ld kills, %ld stops, met %" PRIu64 " in %" PRIu64 " times, broken %" PRIu64 ", timeouts %" PRIu64 ", resets %" PRIu64
           ", wrong %" PRIu64 "; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->met, shared->acted, shared->broken, shared->timeouts, shared->resets, shared->wrong,
           storm.longest_stall * 1e3);
    assert_int_equal(shared->wrong, 0);
    assert_true(shared->met <= shared->acted * PARTIES);
    assert_int_equal(plait_barrier_free(barrier), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(barriers) };

TEST_MAIN(tests)
