/* Somebody dies in the middle of something, and who repairs that is killed too, after every step of the repair.  The next survivors
 * must find everything as after one death: here one who slept, was stopped while the others died, and goes on. */
#include "../message/numbers.h"

#include <signal.h>

#include "arena/heap.h"
#include "arena/spans.h"
#include "base/fault.h"
#include "family/repair.h"
#include "family/roster.h"

#define SOON plait_after(10)
#define AT_LAST plait_after(20)
#define SMALL 1600u
#define LARGE 150000u

static plait_queue *queue;
static plait_lock *lock;
static size_t blocks_before;

static struct notes {
    _Atomic int there;                                     /* the first victim stands where it will die */
    _Atomic long got;
    _Atomic uint32_t attempts;
} *notes;

/* ---- the first victim, and one who sleeps ---- */

static struct member dead, sleeper;

static void stay_here(void)
{
    notes->there = 1;
    for (;;) pause();
}

static void stay_at(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) stay_here();
}

static bool is_there(void *unused)
{
    return notes->there != 0;
}

static void set_up(int leases)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!lock) lock = plait_alloc(SMALL);
    *lock = (plait_lock){ 0 };
    queue = new_number_queue(0, leases);
    MUST(put_number(queue, 1, PLAIT_NOW) == 0);
    blocks_before = plait__heap_count(0);
}

/* The first victim comes to its place, the other falls asleep and is stopped, the first is killed. */
static void die_beside(int (*victim)(void), int (*other)(void))
{
    dead = member_start(victim);
    test_soon(is_there, NULL, "the first victim");
    if (other) {
        sleeper = member_start(other);
        member_until_sleeps(&sleeper);
        member_stop(&sleeper);
    }
    member_kill(&dead);
}

static void repair_all(void)
{
    CHECK(plait__reap_all() == 1);
}

static bool nothing_to_see(const struct stepped *repairer)
{
    return true;
}

static void sleeper_goes_on(void)
{
    member_continue(&sleeper);
    MUST(member_wait(&sleeper, "the sleeper") == 0);
}

/* Both slots are free, and nothing is left of those who had them. */
static void must_be_repaired(const struct stepped *repairer)
{
    const uint32_t slots[] = { dead.slot, repairer->slot };
    for (int i = 0; i < 2; i++) {
        member_until_repaired(slots[i]);
        MUST(plait__heap_count(slots[i]) == 0);
        for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++) {
            uint64_t state = atomic_load(&plait__arena->table[span].state);
            MUST(plait__span_kind(state) != PLAIT__CLAIM && plait__span_owner(state) != slots[i]);
        }
    }
    MUST(plait__heap_count(0) == blocks_before);
}

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

static const struct step_region *all_regions(void)
{
    static struct step_region regions[16];
    int count = 0;
    regions[count++] = (struct step_region){ queue, sizeof *queue + 1024 };
    regions[count++] = (struct step_region){ lock, sizeof *lock };
    for (const struct step_region *of = step_family_regions(); of->size; of++) regions[count++] = *of;
    return regions;
}

#define REPAIR_CASE(of, set_up_of, check_of)                                                          \
    static const struct kill_case of = {                                                              \
        .operation = { .run = repair_all },                                                           \
        .set_up = set_up_of,                                                                          \
        .look = nothing_to_see,                                                                       \
        .check = check_of,                                                                            \
        .tear_down = tear_down,                                                                       \
        .regions = all_regions,                                                                       \
        .long_one = true,                                                                             \
    }

/* ---- who died was in the middle of a put ---- */

static int stay_in_put(void)
{
    plait__point_hook = stay_at;
    return put_number(queue, 2, PLAIT_NOW);
}

static int put_3(void)
{
    return put_number(queue, 3, AT_LAST);
}

static void set_up_put(void)
{
    set_up(0);
    die_beside(stay_in_put, put_3);
}

static void check_put(const struct stepped *repairer, bool done)
{
    sleeper_goes_on();
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 1 && get_number(queue, SOON) == 3 && get_number(queue, SOON) == 4);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    must_be_repaired(repairer);
}

REPAIR_CASE(repair_after_death_in_put, set_up_put, check_put);

/* ---- in the middle of a get ---- */

static int stay_in_get(void)
{
    plait__point_hook = stay_at;
    return (int)get_number(queue, PLAIT_NOW);
}

static int get_one(void)
{
    notes->got = get_number(queue, AT_LAST);
    return 0;
}

static void set_up_get(void)
{
    set_up(0);
    die_beside(stay_in_get, get_one);
}

static void check_get(const struct stepped *repairer, bool done)
{
    sleeper_goes_on();
    MUST(notes->got == 1);
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 4);
    must_be_repaired(repairer);
}

REPAIR_CASE(repair_after_death_in_get, set_up_get, check_get);

/* ---- holding a lock ---- */

static int stay_with_lock(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    stay_here();
    return 0;
}

static int use_lock(void)
{
    notes->got = plait_lock_acquire(lock, AT_LAST);
    CHECK(plait_lock_release(lock) == 0);
    return 0;
}

static void set_up_lock(void)
{
    set_up(0);
    die_beside(stay_with_lock, use_lock);
}

static void check_lock(const struct stepped *repairer, bool done)
{
    sleeper_goes_on();
    MUST(notes->got == PLAIT_OWNER_DIED);
    MUST(plait_lock_acquire(lock, SOON) == 0 && plait_lock_release(lock) == 0);
    must_be_repaired(repairer);
}

REPAIR_CASE(repair_after_death_with_a_lock, set_up_lock, check_lock);

/* Nobody waited for the lock; who comes later is told all the same. */
static void set_up_lock_alone(void)
{
    set_up(0);
    die_beside(stay_with_lock, NULL);
}

static void check_lock_alone(const struct stepped *repairer, bool done)
{
    must_be_repaired(repairer);
    MUST(plait_lock_locked(lock) == 0);
    MUST(plait_lock_acquire(lock, SOON) == PLAIT_OWNER_DIED);
    MUST(plait_lock_release(lock) == 0);
}

REPAIR_CASE(repair_after_death_with_a_lock_that_nobody_wants, set_up_lock_alone, check_lock_alone);

/* ---- with a lease ---- */

static int stay_with_lease(void)
{
    plait_lease lease;
    CHECK(lease_number(queue, &lease, PLAIT_NOW) == 1);
    stay_here();
    return 0;
}

static int lease_one(void)
{
    plait_lease lease = { 0 };
    notes->got = lease_number(queue, &lease, AT_LAST);
    notes->attempts = lease.attempts;
    return plait_queue_ack(queue, lease);
}

static void set_up_lease(void)
{
    set_up(1);
    die_beside(stay_with_lease, lease_one);
}

static void check_lease(const struct stepped *repairer, bool done)
{
    sleeper_goes_on();
    MUST(notes->got == 1 && notes->attempts == 1);
    must_be_repaired(repairer);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait__same_place(queue->done.word, queue->tail.word));
}

REPAIR_CASE(repair_after_death_with_a_lease, set_up_lease, check_lease);

/* ---- with blocks ---- */

static int stay_with_blocks(void)
{
    CHECK(plait_message_alloc(SMALL) && plait_message_alloc(SMALL) && plait_message_alloc(LARGE));
    stay_here();
    return 0;
}

static void set_up_blocks(void)
{
    set_up(0);
    die_beside(stay_with_blocks, NULL);
}

static void check_blocks(const struct stepped *repairer, bool done)
{
    must_be_repaired(repairer);
    char *block = plait_alloc(LARGE);
    MUST(block);
    for (size_t i = 0; i < LARGE; i++) MUST(block[i] == 0);
    MUST(plait_free(block) == 0);
}

REPAIR_CASE(repair_after_death_with_blocks, set_up_blocks, check_blocks);

/* ---- the next user is the repairer ---- */

static void put_5(void)
{
    CHECK(put_number(queue, 5, PLAIT_FOREVER) == 0);
}

static void set_up_put_alone(void)
{
    set_up(0);
    die_beside(stay_in_put, NULL);
}

static bool has_put(const struct stepped *victim)
{
    return plait_queue_qsize(queue) == 2;
}

static void check_put_behind(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 1);
    if (done) MUST(get_number(queue, SOON) == 5);
    MUST(get_number(queue, SOON) == 4 && get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    must_be_repaired(victim);
}

static const struct kill_case put_behind_a_dead_putter = {
    .operation = { .run = put_5 },
    .set_up = set_up_put_alone,
    .look = has_put,
    .check = check_put_behind,
    .tear_down = tear_down,
    .regions = all_regions,
    .long_one = true,
};

static void get_1(void)
{
    CHECK(get_number(queue, PLAIT_FOREVER) == 1);
}

static void set_up_get_alone(void)
{
    set_up(0);
    die_beside(stay_in_get, NULL);
}

static bool has_got(const struct stepped *victim)
{
    return plait_queue_qsize(queue) == 0;
}

static void check_get_behind(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    if (!done) MUST(get_number(queue, SOON) == 1);
    MUST(get_number(queue, SOON) == 4 && get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    must_be_repaired(victim);
}

static const struct kill_case get_behind_a_dead_getter = {
    .operation = { .run = get_1 },
    .set_up = set_up_get_alone,
    .look = has_got,
    .check = check_get_behind,
    .tear_down = tear_down,
    .regions = all_regions,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(repair_after_death_in_put),
    KILL_TESTS(repair_after_death_in_get),
    KILL_TESTS(repair_after_death_with_a_lock),
    KILL_TESTS(repair_after_death_with_a_lock_that_nobody_wants),
    KILL_TESTS(repair_after_death_with_a_lease),
    KILL_TESTS(repair_after_death_with_blocks),
    KILL_TESTS(put_behind_a_dead_putter),
    KILL_TESTS(get_behind_a_dead_getter),
};

TEST_MAIN(tests)
