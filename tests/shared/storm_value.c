/* Members that add to values, with a lock and without, and that move amounts from one item of an array to another under its lock,
 * are killed at random: no addition is lost or done twice, and amounts that a dead one has left half moved are never met without
 * PLAIT_OWNER_DIED. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>

#include <plait.h>

enum { WORKERS = 6, ITEMS = 5, TOTAL = 1000 };

static plait_shared_value *locked, *unlocked;
static plait_shared_array *accounts;

static struct shared {
    _Atomic uint64_t rounds, told, torn;
    _Atomic uint64_t added[WORKERS];                       /* additions to each value that were finished */
} *shared;

static int64_t total(const int64_t items[ITEMS])
{
    int64_t sum = 0;
    for (int i = 0; i < ITEMS; i++) sum += items[i];
    return sum;
}

/* All of them at once; the first of them makes up for what is missing, if somebody died. */
static void look(bool died)
{
    int64_t items[ITEMS];
    const int got = plait_shared_array_get_slice(accounts, PLAIT_SLICE_NONE, PLAIT_SLICE_NONE, 1, items, ITEMS, PLAIT_FOREVER);
    CHECK(got == 0);                                       /* who calls has the lock */
    if (died) CHECK(plait_shared_array_add_int(accounts, 0, TOTAL - total(items), NULL, PLAIT_FOREVER) == 0);
    else if (total(items) != TOTAL) shared->torn++;
}

static void move(uint64_t random)
{
    const ptrdiff_t from = (ptrdiff_t)(random % ITEMS), to = -1 - (ptrdiff_t)(random / ITEMS % ITEMS);
    const int got = plait_shared_array_acquire(accounts, PLAIT_FOREVER);
    CHECK(got >= 0);
    shared->told += got == PLAIT_OWNER_DIED;
    look(got == PLAIT_OWNER_DIED);
    CHECK(plait_shared_array_add_int(accounts, from, -7, NULL, PLAIT_FOREVER) == 0);
    for (volatile unsigned i = random / 64 % 64; i; i--) continue;
    CHECK(plait_shared_array_add_int(accounts, to, 7, NULL, PLAIT_FOREVER) == 0);
    CHECK(plait_shared_array_release(accounts) == 0);
}

static void work(int place, uint64_t state)
{
    while (!storm_is_over()) {
        CHECK(plait_shared_value_add_int(locked, 1, NULL, PLAIT_FOREVER) >= 0);
        CHECK(plait_shared_value_add_int(unlocked, 1, NULL, PLAIT_FOREVER) == 0);
        shared->added[place]++;
        move(test_random(&state));
        shared->rounds++;
    }
}

/* Each of the killed may have added once more than it has noted. */
static void must_have_added(plait_shared_value *value, uint64_t added, long kills)
{
    int64_t number = 0;
    assert_true(plait_shared_value_get_int(value, &number, plait_after(5)) >= 0);
    assert_true((uint64_t)number >= added && (uint64_t)number <= added + (uint64_t)kills);
    assert_int_equal(plait_shared_value_free(value), 0);
}

static void values(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    locked = plait_shared_value_new('q', NULL, NULL);
    unlocked = plait_shared_value_new('q', NULL, &(plait_shared_options){ .no_lock = 1 });
    accounts = plait_shared_array_new('q', ITEMS, (int64_t[ITEMS]){ TOTAL }, NULL);
    assert_true(locked && unlocked && accounts);
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->rounds };
    storm_rage(&storm);
    storm_end(&storm);
    uint64_t added = 0;
    for (int i = 0; i < WORKERS; i++) added += shared->added[i];
    printf("%ld kills, %ld stops, %" PRIu64 " rounds; owner died %" PRIu64 ", torn %" PRIu64 "; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->rounds, shared->told, shared->torn, storm.longest_stall * 1e3);
    must_have_added(locked, added, storm.kills);
    must_have_added(unlocked, added, storm.kills);
    assert_int_equal(shared->torn, 0);
    assert_true(shared->told <= (uint64_t)storm.kills);
    assert_int_equal(plait_shared_array_free(accounts), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(values) };

TEST_MAIN(tests)
