/* Members that read and write a table are killed at random.  A writer is alone, readers see whole tables, and one that a dead
 * writer has left half changed is never met without PLAIT_OWNER_DIED. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>

#include <plait.h>

enum { WORKERS = 6, ROWS = 8 };

static struct table {
    plait_rwlock *lock;
    volatile uint64_t rows[ROWS];                          /* all the same, but for a writer */
} *table;

static struct shared {
    _Atomic uint64_t rounds, reads, writes, told, timeouts, torn;
} *shared;

static bool is_whole(void)
{
    bool whole = true;
    for (int i = 1; i < ROWS; i++) whole &= table->rows[i] == table->rows[0];
    return whole;
}

/* Between these steps the writer may die. */
static void change(uint64_t random)
{
    const uint64_t next = table->rows[0] + 1;
    for (int i = 0; i < ROWS; i++) {
        table->rows[i] = next;
        for (volatile unsigned pause = random % 16; pause; pause--) continue;
    }
    if (random % 512 == 0) usleep(100);
}

static void enter(bool writes, int got, uint64_t random)
{
    if (got == PLAIT_OWNER_DIED) shared->told++;
    else if (!is_whole()) shared->torn++;
    if (writes) {
        if (got == PLAIT_OWNER_DIED)
            for (int i = 1; i < ROWS; i++) table->rows[i] = table->rows[0];
        change(random);
    }
    if (got != PLAIT_OWNER_DIED && !is_whole()) shared->torn++;
    CHECK(plait_rwlock_release(table->lock) == 0);
}

static void work(int place, uint64_t state)
{
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        const bool writes = random % 4 == 0, timed = random / 16 % 8 == 0;
        const plait_deadline deadline = timed ? plait_after((double)(random % 1000) * 1e-6) : PLAIT_FOREVER;
        int got = writes ? plait_rwlock_acquire_write(table->lock, deadline) : plait_rwlock_acquire_read(table->lock, deadline);
        if (timed && got == -ETIMEDOUT) {
            shared->timeouts++;
            continue;
        }
        CHECK(got >= 0);
        enter(writes, got, random / 4096);
        if (writes) shared->writes++;
        else shared->reads++;
        shared->rounds++;
    }
}

static void rwlocks(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    table = plait_alloc(sizeof *table);
    assert_non_null(table);
    table->lock = plait_rwlock_new(&(plait_rwlock_options){ .readers = 4 });       /* fewer than there are who read */
    assert_non_null(table->lock);
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->rounds };
    storm_rage(&storm);
    storm_end(&storm);
    printf("%ld kills, %ld stops, %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " timeouts; owner died %" PRIu64
           ", torn %" PRIu64 "; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->reads, shared->writes, shared->timeouts, shared->told, shared->torn,
           storm.longest_stall * 1e3);
    int got = plait_rwlock_acquire_write(table->lock, plait_after(5));
    assert_true(got >= 0);
    if (got == 0) assert_true(is_whole());
    assert_int_equal(plait_rwlock_release(table->lock), 0);
    assert_int_equal(plait_rwlock_readers(table->lock), 0);
    assert_int_equal(shared->torn, 0);
    assert_int_equal(plait_rwlock_free(table->lock), 0);
    assert_int_equal(plait_free(table), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(rwlocks) };

TEST_MAIN(tests)
