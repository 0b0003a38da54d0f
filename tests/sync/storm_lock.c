/* Members that share data under locks are killed at random.  Never are two inside at once, and data that a dead holder has left
 * half changed is never met without PLAIT_OWNER_DIED. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>

#include <plait.h>

enum { WORKERS = 6, ACCOUNTS = 3 };

static struct account {
    plait_lock lock;
    volatile uint64_t one, other;                          /* the same, but for whoever is inside */
    _Atomic int inside;
} *accounts;

static struct shared {
    _Atomic uint64_t rounds, told, timeouts, torn, overlaps;
} *shared;

/* Between these steps the holder may die. */
static void change(struct account *account, uint64_t random)
{
    account->one++;
    for (volatile unsigned i = random % 64; i; i--) continue;
    if (random % 512 == 0) usleep(100);
    account->other++;
}

static void enter(struct account *account, int got, uint64_t random)
{
    if (got == PLAIT_OWNER_DIED) {
        shared->told++;
        account->other = account->one;
        atomic_store(&account->inside, 0);
    }
    if (atomic_fetch_add(&account->inside, 1)) shared->overlaps++;
    if (account->one != account->other) shared->torn++;
    change(account, random);
    if (atomic_fetch_sub(&account->inside, 1) != 1) shared->overlaps++;
    CHECK(plait_lock_release(&account->lock) == 0);
}

static void work(int place, uint64_t state)
{
    while (!storm_is_over()) {
        const uint64_t random = test_random(&state);
        struct account *account = &accounts[random % ACCOUNTS];
        const bool timed = random / 16 % 8 == 0;
        int got = plait_lock_acquire(&account->lock, timed ? plait_after((double)(random % 1000) * 1e-6) : PLAIT_FOREVER);
        if (timed && got == -ETIMEDOUT) {
            shared->timeouts++;
            continue;
        }
        CHECK(got >= 0);
        enter(account, got, random / 4096);
        shared->rounds++;
    }
}

/* Nobody is there any more. */
static void must_be_in_order(struct account *account)
{
    int got = plait_lock_acquire(&account->lock, plait_after(5));
    assert_true(got >= 0);
    if (got == 0) {
        assert_int_equal(account->one, account->other);
        assert_int_equal(account->inside, 0);
    }
    assert_int_equal(plait_lock_release(&account->lock), 0);
    assert_int_equal(account->lock.word, 0);
}

static void locks(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    accounts = plait_alloc(ACCOUNTS * sizeof *accounts);
    assert_non_null(accounts);
    struct storm storm = { .workers = WORKERS, .body = work, .progress = &shared->rounds };
    storm_rage(&storm);
    storm_end(&storm);
    printf("%ld kills, %ld stops, %" PRIu64 " rounds, %" PRIu64 " timeouts; owner died %" PRIu64 ", torn %" PRIu64
           ", overlaps %" PRIu64 "; longest stall %.1f ms\n",
           storm.kills, storm.stops, shared->rounds, shared->timeouts, shared->told, shared->torn, shared->overlaps,
           storm.longest_stall * 1e3);
    for (int i = 0; i < ACCOUNTS; i++) must_be_in_order(&accounts[i]);
    assert_int_equal(shared->torn + shared->overlaps, 0);
    assert_true(shared->told <= (uint64_t)storm.kills);
    assert_int_equal(plait_free(accounts), 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(locks) };

TEST_MAIN(tests)
