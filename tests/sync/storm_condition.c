/* Members that put into a small store and take from it, by two conditions of one lock, are killed at random.  Nobody waits for ever
 * for room or for things that are there, and what was put is what was taken and what is left. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>

#include <plait.h>

enum { WORKERS = 8, ROOM = 3, STORES = 2 };

static struct store {
    plait_lock lock;
    plait_condition has_room, has_things;
    volatile uint64_t put, taken;                          /* under the lock */
} *stores;

static struct shared {
    _Atomic uint64_t rounds, told, timeouts, wrong;
} *shared;

static int has_room(void *of)
{
    const struct store *store = of;
    return store->put - store->taken < ROOM || storm_is_over();
}

static int has_things(void *of)
{
    const struct store *store = of;
    return store->put != store->taken || storm_is_over();
}

static void change(struct store *store, bool puts)
{
    if (puts) store->put++;
    else store->taken++;
    if (store->put - store->taken > ROOM) shared->wrong++;
    shared->rounds++;
}

/* One turn: wait until it can be done, do it, and tell one of the others. */
static void turn(struct store *store, bool puts, uint64_t random)
{
    plait_condition *mine = puts ? &store->has_room : &store->has_things, *theirs = puts ? &store->has_things : &store->has_room;
    const plait_deadline until = random % 8 ? PLAIT_FOREVER : plait_after((double)(random / 8 % 2000) * 1e-6);
    int got = plait_condition_acquire(mine, PLAIT_FOREVER);
    CHECK(got >= 0);
    do {
        shared->told += got == PLAIT_OWNER_DIED;
        got = plait_condition_wait_for(mine, puts ? has_room : has_things, store, until);
    } while (got == PLAIT_OWNER_DIED);
    CHECK(got == 0 || got == -ETIMEDOUT);
    if (got < 0) {
        shared->timeouts++;
    } else if (!storm_is_over()) {
        change(store, puts);
        CHECK(plait_condition_notify(theirs, 1) >= 0);
    }
    CHECK(plait_condition_release(mine) == 0);
}

static void work(int place, uint64_t state)
{
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        turn(&stores[place % STORES], place / STORES % 2, random);
    }
}

static void end_all_waits(void)
{
    for (int i = 0; i < STORES; i++) {
        assert_true(plait_condition_acquire(&stores[i].has_room, plait_after(5)) >= 0);
        assert_true(plait_condition_notify_all(&stores[i].has_room) >= 0);
        assert_true(plait_condition_notify_all(&stores[i].has_things) >= 0);
        assert_int_equal(plait_condition_release(&stores[i].has_room), 0);
    }
}

static void conditions(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    stores = plait_alloc(STORES * sizeof *stores);
    assert_non_null(stores);
    for (int i = 0; i < STORES; i++) {
        const plait_condition_options same = { .lock = &stores[i].lock };
        assert_int_equal(plait_condition_init(&stores[i].has_room, &same) + plait_condition_init(&stores[i].has_things, &same), 0);
    }
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->rounds };
    storm_rage(&storm);
    end_all_waits();
    storm_end(&storm);
    printf("%ld kills, %ld stops, %" PRIu64 " rounds, %" PRIu64 " timeouts, owner died %" PRIu64 "; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->rounds, shared->timeouts, shared->told, storm.longest_stall * 1e3);
    assert_int_equal(shared->wrong, 0);
    assert_true(shared->told <= (uint64_t)storm.kills);
    for (int i = 0; i < STORES; i++) assert_true(stores[i].put - stores[i].taken <= ROOM);
    assert_int_equal(plait_free(stores), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(conditions) };

TEST_MAIN(tests)
