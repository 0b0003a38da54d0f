/* Joining and leaving, cut off after every instruction.  What must hold: the slot is free again; what the member had is freed or
 * has come back, or (once it has left) stays as it left it; and others can join. */
#include "kill.h"

#include <string.h>

#include <plait.h>

#include "arena/heap.h"
#include "arena/spans.h"
#include "family/repair.h"
#include "family/roster.h"

/* ---- leaving ---- */

#define SMALL 1600u
#define LARGE 150000u

static plait_queue *queue;
static plait_lock *lock;
static size_t blocks_before;

static struct notes {
    void *block;                                           /* the family's, made by the victim */
    _Atomic uint32_t life;                                 /* of the victim */
    _Atomic int64_t got;
    _Atomic uint32_t attempts;
    _Atomic int done;
} *notes;

static bool is_locked(void *unused)
{
    return plait_lock_locked(lock) == 1;
}

/* Wait for the message that the victim leases, to come back. */
static int wait_for_message(void)
{
    int number = 0;
    plait_lease lease = { 0 };
    test_until(is_locked, NULL);
    CHECK(plait_queue_lease(queue, &number, sizeof number, &lease, plait_after(20)) == sizeof number);
    notes->got = number;
    notes->attempts = lease.attempts;
    CHECK(plait_queue_ack(queue, lease) == 0);
    notes->done = 1;
    return 0;
}

static struct member waiter;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = plait_queue_new(&(plait_queue_options){ .capacity = 1024, .leases = 1 });
    lock = plait_alloc(SMALL);                             /* a span of small blocks would have many more tags to sweep */
    assert_true(queue && lock);
    const int number = 42;
    MUST(plait_queue_put(queue, &number, sizeof number, PLAIT_NOW) == 0);
    blocks_before = plait__heap_count(0);
    waiter = member_start(wait_for_message);
}

/* Have some of everything. */
static void have_things(void)
{
    int number;
    plait_lease lease;
    CHECK(plait_message_alloc(SMALL) && plait_message_alloc(LARGE));
    CHECK((notes->block = plait_alloc(SMALL)));
    memset(notes->block, 0x77, SMALL);
    CHECK(plait_queue_lease(queue, &number, sizeof number, &lease, PLAIT_NOW) == sizeof number);
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    notes->life = (uint32_t)(plait__self.owner >> 32);
    member_until_sleeps(&waiter);
}

static bool has_left(const struct stepped *victim)
{
    return atomic_load(&plait__slot(victim->slot)->life) != notes->life;
}

static void must_own_nothing(uint32_t slot)
{
    MUST(plait__heap_count(slot) == 0);
    for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++) {
        uint64_t state = atomic_load(&plait__arena->table[span].state);
        MUST(plait__span_kind(state) != PLAIT__CLAIM && plait__span_owner(state) != slot);
    }
}

/* The lease comes back in any case.  The lock of one who has left stays locked, and anyone may release it. */
static void check_leave(const struct stepped *victim, bool left)
{
    MUST(member_wait(&waiter, "who waits for the lease") == 0);
    MUST(notes->got == 42 && notes->attempts == 1);
    member_until_repaired(victim->slot);
    must_own_nothing(victim->slot);
    if (left) {
        MUST(plait_lock_acquire(lock, plait_after(0.003)) == -ETIMEDOUT);
        MUST(plait_lock_release(lock) == 0);
    }
    MUST(plait_lock_acquire(lock, plait_after(10)) == (left ? 0 : PLAIT_OWNER_DIED));
    MUST(plait_lock_release(lock) == 0);
    for (size_t i = 0; i < SMALL; i++) MUST(((unsigned char *)notes->block)[i] == 0x77);
    MUST(plait_free(notes->block) == 0);
    MUST(plait__heap_count(0) == blocks_before);
}

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0 && plait_free(lock) == 0);
}

static const struct kill_case leave = {
    .operation = { .prepare = have_things, .run = plait_leave },
    .set_up = set_up,
    .look = has_left,
    .check = check_leave,
    .tear_down = tear_down,
    .regions = step_family_regions,
    .long_one = true,
};

/* ---- joining ---- */

static uint32_t slots_in_use(void)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= atomic_load(&plait__roster->made); i++) count += atomic_load(plait__pulse_word(i)) != 0;
    return count;
}

static uint32_t slots_before, made_before;

static void set_up_join(void)
{
    slots_before = slots_in_use();
    made_before = atomic_load(&plait__roster->made);
}

static void join(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

static int only_join(void)
{
    return 0;
}

/* All slots of members who are no more are free again; a sleeper sees to it. */
static bool slots_are_free(void *unused)
{
    struct member member = member_bystander();
    member_kill(&member);
    member_until_repaired(member.slot);
    return slots_in_use() == slots_before;
}

static void check_join(const struct stepped *victim, bool done)
{
    member_run(only_join, "the next to join");
    test_soon(slots_are_free, NULL, "a slot of the dead");
    MUST(plait_member_count() == (int)slots_before);
}

static const struct kill_case join_the_family = {
    .operation = { .run = join, .joins = true },
    .set_up = set_up_join,
    .look = nothing_to_see,
    .check = check_join,
    .regions = step_family_regions,
    .long_one = true,
};

/* There are no more slots than members, so that the victim has to make some, under a mutex.  `made` is put back for each round. */
static void set_up_full_house(void)
{
    set_up_join();
    atomic_store(&plait__roster->made, slots_before);
}

static void make_house_large(void)
{
    MUST(atomic_load(&plait__roster->made) > slots_before);
    atomic_store(&plait__roster->made, made_before);
}

static const struct kill_case join_a_full_house = {
    .operation = { .run = join, .joins = true },
    .set_up = set_up_full_house,
    .look = nothing_to_see,
    .check = check_join,
    .tear_down = make_house_large,
    .regions = step_family_regions,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(leave),
    KILL_TESTS(join_the_family),
    KILL_TESTS(join_a_full_house),
};

TEST_MAIN(tests)
