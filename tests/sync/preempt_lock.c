/* One user of a lock is held after every instruction while another runs a whole operation: never two inside, and neither waits
 * for ever for the other.  Also while a death is being repaired. */
#include "preempt.h"

#include <signal.h>

#include <plait.h>

#include "family/repair.h"
#include "family/roster.h"

static plait_lock *lock;

static struct notes {
    _Atomic int inside, overlaps;
    _Atomic int first, second;                             /* what the calls returned */
    _Atomic int there;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (!lock) lock = plait_alloc(1600);                   /* not among very small blocks: those take long to sweep */
    assert_non_null(lock);
    *lock = (plait_lock){ 0 };
}

static void enter_and_leave(void)
{
    if (atomic_fetch_add(&notes->inside, 1)) notes->overlaps++;
    atomic_fetch_sub(&notes->inside, 1);
}

static void use_first(void)
{
    notes->first = plait_lock_acquire(lock, PLAIT_FOREVER);
    enter_and_leave();
    CHECK(plait_lock_release(lock) == 0);
}

static void use_second(void)
{
    notes->second = plait_lock_acquire(lock, PLAIT_FOREVER);
    enter_and_leave();
    CHECK(plait_lock_release(lock) == 0);
}

static void must_be_free(void)
{
    MUST(notes->overlaps == 0);
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0 && plait_lock_release(lock) == 0);
    MUST(lock->word == 0);
}

/* ---- both want it ---- */

static void check_both_used(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    must_be_free();
}

static const struct preempt_case use_use = {
    .first = { .run = use_first }, .second = use_second, .set_up = set_up, .check = check_both_used,
};

static void acquire(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    notes->inside++;
}

static void release_first(void)
{
    notes->inside--;
    notes->first = plait_lock_release(lock);
}

static const struct preempt_case release_use = {
    .first = { .prepare = acquire, .run = release_first }, .second = use_second, .set_up = set_up, .check = check_both_used,
};

static void release_second(void)
{
    notes->inside--;
    notes->second = plait_lock_release(lock);
}

static const struct step_region *lock_and_family(void)
{
    return step_object_and_roster(lock, sizeof *lock);
}

static const struct preempt_case use_release = {
    .first = { .run = use_first }, .second = release_second, .prepare_second = acquire, .set_up = set_up,
    .check = check_both_used, .regions = lock_and_family, .stride = 1, .most = 150,
};

/* The first has slept, and was woken when the lock became free; meanwhile the second has come and gone. */
static bool released;

static void set_up_held(void)
{
    set_up();
    MUST(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    released = false;
}

static void release_by_tester(void)
{
    if (!released) MUST(plait_lock_release(lock) == 0);
    released = true;
}

static const struct preempt_case woken_use_use = {
    .first = { .run = use_first, .wake = release_by_tester }, .second = use_second, .set_up = set_up_held,
    .held = release_by_tester, .check = check_both_used, .regions = lock_and_family, .stride = 31,
};

/* Whoever releases what nobody holds is told so. */
static void check_released_once(void)
{
    MUST((notes->first == 0) + (notes->second == 0) == 1);
    MUST(notes->first + notes->second == PLAIT_EUNLOCKED);
    must_be_free();
}

static void release_too(void)
{
    notes->second = plait_lock_release(lock);
}

static const struct preempt_case release_release = {
    .first = { .prepare = acquire, .run = release_first }, .second = release_too, .set_up = set_up,
    .check = check_released_once,
};

/* The holder gives it up for somebody else to release. */
static void disown_first(void)
{
    notes->inside--;
    notes->first = plait_lock_disown(lock);
}

static void release_what_was_disowned(void)
{
    MUST(plait_lock_release(lock) == 0);
}

static const struct preempt_case disown_use = {
    .first = { .prepare = acquire, .run = disown_first }, .second = use_second, .set_up = set_up,
    .first_done = release_what_was_disowned, .check = check_both_used,
};

/* ---- one repairs, the other wants it ---- */

static int hold(void)
{
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);
    notes->there = 1;
    for (;;) pause();
}

static bool is_there(void *unused)
{
    return notes->there != 0;
}

static void set_up_dead_holder(void)
{
    set_up();
    struct member holder = member_start(hold);
    test_soon(is_there, NULL, "the holder");
    member_kill(&holder);
}

static void repair(void)
{
    plait__reap_all();
}

static void check_told(void)
{
    MUST(notes->second == PLAIT_OWNER_DIED);
    must_be_free();
}

static const struct preempt_case repair_use = {
    .first = { .run = repair }, .second = use_second, .set_up = set_up_dead_holder, .check = check_told,
    .regions = lock_and_family, .stride = 13,
};

/* ---- one falls asleep, and whoever it waits for dies meanwhile ---- */

static struct member holder;

static void set_up_holder(void)
{
    set_up();
    holder = member_start(hold);
    test_soon(is_there, NULL, "the holder");
}

static void do_nothing(void)
{
}

static void kill_holder(void)
{
    member_kill(&holder);
}

static void check_told_first(void)
{
    MUST(notes->first == PLAIT_OWNER_DIED);
    member_until_repaired(holder.slot);
    must_be_free();
}

static const struct preempt_case sleep_die = {
    .first = { .run = use_first }, .second = do_nothing, .set_up = set_up_holder, .held = kill_holder, .check = check_told_first,
    .regions = lock_and_family, .stride = 17,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(use_use),
    PREEMPT_TEST(release_use),
    PREEMPT_TEST(use_release),
    PREEMPT_TEST(woken_use_use),
    PREEMPT_TEST(release_release),
    PREEMPT_TEST(disown_use),
    PREEMPT_TEST(repair_use),
    PREEMPT_TEST(sleep_die),
};

TEST_MAIN(tests)
