/* Members that use a semaphore with owners are killed at random: never are more than n of the living inside, and at the end all
 * permits are back.  Plain ones as signals: none is lost, but for those that a dead one had in its hands. */
#include "storm.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>

#include <plait.h>

#include "family/roster.h"

enum { WORKERS = 6, PERMITS = 3 };

static plait_semaphore *semaphore;

static struct shared {
    _Atomic uint64_t rounds, told, timeouts, overlaps;
    _Atomic uint64_t inside, members[WORKERS];             /* a bit for each place; who is or was there */
} *shared;

static void must_have_all(int permits)
{
    uint64_t told = 0;
    assert_int_equal(plait_semaphore_get_value(semaphore), permits);
    for (int i = 0; i < permits; i++) {
        const int got = plait_semaphore_acquire(semaphore, plait_after(5));
        assert_true(got == 0 || got == PLAIT_OWNER_DIED);
        told += got == PLAIT_OWNER_DIED;
    }
    assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_semaphore_release_many(semaphore, (uint32_t)permits), 0);
    shared->told += told;
}

/* ---- with owners ---- */

/* How many live of those who were inside when `inside` was read.  It is their bits; a dead one's stays until somebody follows in
 * its place.  So only those count who were the member of their place before that, and still are. */
static int count_living(const uint64_t *before, uint64_t inside)
{
    int living = 0;
    for (int i = 0; i < WORKERS; i++)
        living += (inside >> i & 1) && shared->members[i] == before[i] && plait__fate(before[i]) == PLAIT__LIVES;
    return living;
}

static void go_in_and_out(int place, uint64_t random)
{
    uint64_t before[WORKERS];
    const uint64_t mine = UINT64_C(1) << place;
    shared->members[place] = plait__self.owner;
    for (int i = 0; i < WORKERS; i++) before[i] = shared->members[i];
    if (count_living(before, atomic_fetch_or(&shared->inside, mine) | mine) > PERMITS) shared->overlaps++;
    for (volatile unsigned i = random % 64; i; i--) continue;
    if (random % 512 == 0) usleep(100);
    if (random % 64 == 1) sched_yield();
    atomic_fetch_and(&shared->inside, ~mine);
}

static void work(int place, uint64_t state)
{
    atomic_fetch_and(&shared->inside, ~(UINT64_C(1) << place));
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        const bool timed = random % 8 == 0;
        const int got = plait_semaphore_acquire(semaphore, timed ? plait_after((double)(random % 1000) * 1e-6) : PLAIT_FOREVER);
        if (timed && got == -ETIMEDOUT) {
            shared->timeouts++;
            continue;
        }
        CHECK(got == 0 || got == PLAIT_OWNER_DIED);
        shared->told += got == PLAIT_OWNER_DIED;
        go_in_and_out(place, random / 4096);
        CHECK(plait_semaphore_release(semaphore) == 0);
        shared->rounds++;
        if (random / 16 % 1024 == 0) plait_leave();
    }
}

static void with_owners(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    semaphore = plait_owned_semaphore_new(PERMITS);
    assert_non_null(semaphore);
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->rounds };
    storm_rage(&storm);
    storm_end(&storm);
    must_have_all(PERMITS);
    printf("%ld kills, %ld stops, %" PRIu64 " rounds, %" PRIu64 " timeouts; owner died %" PRIu64 ", overlaps %" PRIu64
           "; longest stall %.1f ms\n", storm.kills, storm.stops, shared->rounds, shared->timeouts, shared->told,
           shared->overlaps, storm.longest_stall * 1e3);
    assert_int_equal(shared->overlaps, 0);
    assert_true(shared->told <= (uint64_t)storm.kills);
    assert_int_equal(plait_semaphore_free(semaphore), 0);
}

/* ---- signals ---- */

enum { RINGS = 3, PERMITS_AT_FIRST = 4 };

/* Permits go round through three semaphores: each worker takes one here and puts it there.  It says when it may have one in its
 * hands; that one may be lost when it is killed. */
static struct round {
    plait_semaphore at[RINGS];
    _Atomic int busy[WORKERS];
    _Atomic uint64_t moves;
    int perhaps_lost, added;
} *rounds;

static void move(int place, uint64_t state)
{
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        const unsigned from = random % RINGS;
        const bool timed = random / 8 % 4 == 0;
        rounds->busy[place] = 1;
        const plait_deadline deadline = timed ? plait_after((double)(random / 64 % 2000) * 1e-6) : PLAIT_FOREVER;
        const int got = plait_semaphore_acquire(&rounds->at[from], deadline);
        CHECK(got == 0 || (timed && got == -ETIMEDOUT));
        if (random / 65536 % 64 == 0) usleep(50);
        if (got == 0) CHECK(plait_semaphore_release(&rounds->at[(from + 1) % RINGS]) == 0);
        rounds->busy[place] = 0;
        rounds->moves += got == 0;
    }
}

static int count_all(void)
{
    int count = 0;
    for (int i = 0; i < RINGS; i++) count += plait_semaphore_get_value(&rounds->at[i]);
    return count;
}

static void add(unsigned to, uint32_t count)
{
    CHECK(plait_semaphore_release_many(&rounds->at[to], count) == 0);
    rounds->added += (int)count;
}

/* If there are none any more, one more comes in. */
static void note_loss(int place)
{
    rounds->perhaps_lost += atomic_exchange(&rounds->busy[place], 0);
    if (count_all() == 0) add((unsigned)place % RINGS, 1);
}

static void signals(void **state)
{
    storm_family();
    assert_non_null((rounds = plait_alloc(sizeof *rounds)));
    add(0, PERMITS_AT_FIRST);
    struct storm storm = { .workers = WORKERS, .body = move, .killed = note_loss, .progress = &rounds->moves };
    storm_rage(&storm);
    for (unsigned i = 0; i < RINGS; i++) add(i, WORKERS);      /* for those who sleep */
    storm_end(&storm);
    const int lost = rounds->added - count_all();
    printf("%ld kills, %ld stops, %" PRIu64 " moves; %d permits added, %d lost, of at most %d; longest stall %.1f ms\n",
           storm.kills, storm.stops, rounds->moves, rounds->added, lost, rounds->perhaps_lost, storm.longest_stall * 1e3);
    assert_true(lost >= 0 && lost <= rounds->perhaps_lost);
    assert_int_equal(plait_free(rounds), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(with_owners), cmocka_unit_test(signals) };

TEST_MAIN(tests)
