/* Whoever repairs after a death is held after every change and at many instructions, while another member runs a whole operation on
 * what the dead one had. */
#include "../message/numbers.h"

#include <signal.h>

#include "arena/heap.h"
#include "arena/spans.h"
#include "base/fault.h"
#include "family/repair.h"
#include "preempt.h"

#define SMALL 1600u
#define LARGE 150000u

static plait_queue *queue;
static size_t blocks_before;
static struct member dead;

static struct notes {
    _Atomic int there, third_done;
    _Atomic long got[2];
    _Atomic uint32_t attempts;
    void *block;
} *notes;

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

static void die_in(int leases, int (*body)(void))
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = new_number_queue(0, leases);
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    blocks_before = plait__heap_count(0);
    dead = member_start(body);
    test_soon(is_there, NULL, "who is to die");
    member_kill(&dead);
}

static void repair(void)
{
    plait__reap_all();
}

static const struct step_region *all_regions(void)
{
    static struct step_region regions[16];
    int count = 0;
    regions[count++] = (struct step_region){ queue, sizeof *queue };
    for (const struct step_region *of = step_family_regions(); of->size; of++) regions[count++] = *of;
    return regions;
}

static void must_be_repaired(void)
{
    member_until_repaired(dead.slot);
    MUST(plait__heap_count(dead.slot) == 0 && plait__heap_count(0) == blocks_before);
}

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

/* ---- put ---- */

static int stay_in_put(void)
{
    plait__point_hook = stay_at;
    return put_number(queue, 3, PLAIT_NOW);
}

static void set_up_put(void)
{
    die_in(0, stay_in_put);
}

static void put_4(void)
{
    notes->got[0] = put_number(queue, 4, PLAIT_FOREVER);
}

static void check_put(void)
{
    MUST(notes->got[0] == 0);
    for (long i = 1; i <= 4; i++)
        if (i != 3) MUST(get_number(queue, PLAIT_NOW) == i);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    must_be_repaired();
}

static const struct preempt_case repair_put = {
    .first = { .run = repair }, .second = put_4, .set_up = set_up_put, .check = check_put, .tear_down = tear_down,
    .regions = all_regions, .stride = 53,
};

/* ---- get ---- */

static int stay_in_get(void)
{
    plait__point_hook = stay_at;
    return (int)get_number(queue, PLAIT_NOW);
}

static void set_up_get(void)
{
    die_in(0, stay_in_get);
}

static void get_two(void)
{
    for (int i = 0; i < 2; i++) notes->got[i] = get_number(queue, PLAIT_FOREVER);
}

static void check_get(void)
{
    MUST(notes->got[0] == 1 && notes->got[1] == 2);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    must_be_repaired();
}

static const struct preempt_case repair_get = {
    .first = { .run = repair }, .second = get_two, .set_up = set_up_get, .check = check_get, .tear_down = tear_down,
    .regions = all_regions, .stride = 53,
};

/* ---- lease ---- */

static int stay_with_lease(void)
{
    plait_lease lease;
    CHECK(lease_number(queue, &lease, PLAIT_NOW) == 1);
    stay_here();
    return 0;
}

static void set_up_lease(void)
{
    die_in(1, stay_with_lease);
}

/* The message of the dead comes first or second, according to when its death is noticed; but once. */
static void lease_two(void)
{
    for (int i = 0; i < 2; i++) {
        plait_lease lease = { 0 };
        notes->got[i] = lease_number(queue, &lease, PLAIT_FOREVER);
        CHECK(lease.attempts == (notes->got[i] == 1));
        CHECK(plait_queue_ack(queue, lease) == 0);
    }
}

static void check_lease(void)
{
    MUST(notes->got[0] + notes->got[1] == 3 && notes->got[0] != notes->got[1]);
    must_be_repaired();
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_queue_close(queue) == 0 && get_number(queue, plait_after(10)) == PLAIT_ECLOSED);
}

static const struct preempt_case repair_lease = {
    .first = { .run = repair }, .second = lease_two, .set_up = set_up_lease, .check = check_lease, .tear_down = tear_down,
    .regions = all_regions, .stride = 53,
};

/* Two leases, and two who wait for them.  One is woken when the repairer unlocks the pulse at its end; so the other must have been
 * woken before, and after there was something to find. */
static int stay_with_leases(void)
{
    plait_lease lease;
    for (int i = 1; i <= 2; i++) CHECK(lease_number(queue, &lease, PLAIT_NOW) == i);
    stay_here();
    return 0;
}

static void set_up_leases(void)
{
    die_in(1, stay_with_leases);
}

static void lease_one(void)
{
    plait_lease lease = { 0 };
    long got = lease_number(queue, &lease, PLAIT_FOREVER);
    notes->got[got == 2] = got;
    CHECK(plait_queue_ack(queue, lease) == 0);
}

static int lease_the_other(void)
{
    lease_one();
    notes->third_done = 1;
    return 0;
}

static bool third_is_done_or_sleeps(void *third)
{
    return notes->third_done || member_sleeps(third);
}

static struct member third;

static void start_third(void)
{
    third = member_start(lease_the_other);
    test_soon(third_is_done_or_sleeps, &third, "the third");
}

static void wait_for_third(void)
{
    MUST(member_wait(&third, "the third") == 0);
}

static void check_leases(void)
{
    MUST(notes->got[0] == 1 && notes->got[1] == 2);
    must_be_repaired();
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
}

static const struct preempt_case repair_two_leases = {
    .first = { .run = repair }, .second = lease_one, .set_up = set_up_leases, .held = start_third,
    .both_done = wait_for_third, .check = check_leases, .tear_down = tear_down, .regions = all_regions, .stride = 211,
};

/* ---- memory ---- */

static int stay_with_blocks(void)
{
    char *large = plait_message_alloc(LARGE), *small = plait_message_alloc(SMALL);
    CHECK(large && small && (notes->block = plait_alloc(SMALL)));
    memset(notes->block, 0x77, SMALL);
    memset(small, 0x55, SMALL);
    memset(large, 0x55, LARGE);
    stay_here();
    return 0;
}

static void set_up_blocks(void)
{
    die_in(0, stay_with_blocks);
}

/* Gets memory that the dead one had, or its neighbour's. */
static void use_memory(void)
{
    char *large = plait_alloc(LARGE), *small[40];
    CHECK(large);
    for (size_t i = 0; i < LARGE; i++) CHECK(large[i] == 0);
    for (int i = 0; i < 40; i++) {
        CHECK((small[i] = plait_alloc(SMALL)) && small[i] != (char *)notes->block);
        for (size_t j = 0; j < SMALL; j++) CHECK(small[i][j] == 0);
        memset(small[i], 0x33, SMALL);
    }
    for (int i = 0; i < 40; i++) CHECK(plait_free(small[i]) == 0);
    CHECK(plait_free(large) == 0);
}

static void check_blocks(void)
{
    for (size_t i = 0; i < SMALL; i++) MUST(((char *)notes->block)[i] == 0x77);
    MUST(plait_free(notes->block) == 0);
    must_be_repaired();
    for (uint32_t span = 1; span < atomic_load(&plait__arena->top); span++)
        MUST(plait__span_kind(plait__arena->table[span].state) != PLAIT__CLAIM);
}

static const struct preempt_case repair_alloc = {
    .first = { .run = repair }, .second = use_memory, .set_up = set_up_blocks, .check = check_blocks, .tear_down = tear_down,
    .regions = all_regions, .stride = 97,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(repair_put),
    PREEMPT_TEST(repair_get),
    PREEMPT_TEST(repair_lease),
    PREEMPT_TEST(repair_two_leases),
    PREEMPT_TEST(repair_alloc),
};

TEST_MAIN(tests)
