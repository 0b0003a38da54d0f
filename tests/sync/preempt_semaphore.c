/* One user of a semaphore, plain or with owners, is held after every instruction while another runs a whole operation: never are
 * more inside than there are permits, no permit is lost, and neither waits for ever for the other. */
#include "hold.h"
#include "preempt.h"

#include <signal.h>

#include <plait.h>

#include "family/repair.h"
#include "sync/owned_semaphore.h"

#define SLEEPERS UINT64_C(1)
#define ONE_SLEEPER (UINT64_C(1) << 40)

static plait_semaphore *plain, *semaphore;

static struct notes {
    _Atomic int inside, overlaps;
    _Atomic int first, second;                             /* what the calls returned */
    _Atomic int there;
} *notes;

static void clear_notes(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .first = -1, .second = -1 };
}

static void set_up_plain(uint64_t word)
{
    clear_notes();
    if (!plain) plain = plait_alloc(1600);                 /* not among very small blocks: those take long to sweep */
    assert_non_null(plain);
    semaphore = plain;
    *semaphore = (plait_semaphore){ .word = word };
}

static void set_up_0(void)
{
    set_up_plain(0);
}

static void set_up_1(void)
{
    set_up_plain(2);
}

/* One for all, of one permit. */
static void set_up_owned(void)
{
    static plait_semaphore *made;
    clear_notes();
    if (!made) made = plait_owned_semaphore_new(1);
    assert_non_null(made);
    semaphore = made;
    plait__owned_of(made)->holders[0] = 0;
    plait__owned_of(made)->bell = 0;
}

static const struct step_region *semaphore_and_family(void)
{
    return step_object_and_roster(semaphore, 64);
}

/* ---- both go in and out ---- */

static void enter_and_leave(void)
{
    if (atomic_fetch_add(&notes->inside, 1)) notes->overlaps++;
    atomic_fetch_sub(&notes->inside, 1);
}

static void use_first(void)
{
    notes->first = plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
    enter_and_leave();
    CHECK(plait_semaphore_release(semaphore) == 0);
}

static void use_second(void)
{
    notes->second = plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
    enter_and_leave();
    CHECK(plait_semaphore_release(semaphore) == 0);
}

static void must_be_free(void)
{
    MUST(notes->overlaps == 0);
    MUST(plait_semaphore_get_value(semaphore) == 1);
    MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0 && plait_semaphore_release(semaphore) == 0);
}

static void check_both_used(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    must_be_free();
}

static const struct preempt_case use_use = {
    .first = { .run = use_first }, .second = use_second, .set_up = set_up_1, .check = check_both_used,
};
static const struct preempt_case owned_use_use = {
    .first = { .run = use_first }, .second = use_second, .set_up = set_up_owned, .check = check_both_used,
};

static void acquire(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    notes->inside++;
}

static void release_first(void)
{
    notes->inside--;
    notes->first = plait_semaphore_release(semaphore);
}

static void release_second(void)
{
    notes->inside--;
    notes->second = plait_semaphore_release(semaphore);
}

static const struct preempt_case release_use = {
    .first = { .prepare = acquire, .run = release_first }, .second = use_second, .set_up = set_up_1, .check = check_both_used,
};
static const struct preempt_case owned_release_use = {
    .first = { .prepare = acquire, .run = release_first }, .second = use_second, .set_up = set_up_owned, .check = check_both_used,
};
static const struct preempt_case use_release = {
    .first = { .run = use_first }, .second = release_second, .prepare_second = acquire, .set_up = set_up_1,
    .check = check_both_used, .regions = semaphore_and_family, .stride = 1, .most = 150,
};
static const struct preempt_case owned_use_release = {
    .first = { .run = use_first }, .second = release_second, .prepare_second = acquire, .set_up = set_up_owned,
    .check = check_both_used, .regions = semaphore_and_family, .stride = 1, .most = 200,
};

/* ---- a bounded one is not released beyond its maximum ---- */

static void set_up_bounded(void)
{
    set_up_0();
    MUST(plait_bounded_semaphore_init(semaphore, 1) == 0);
    MUST(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
}

static void release_one(void)
{
    notes->first = plait_semaphore_release(semaphore);
}

static void release_too(void)
{
    notes->second = plait_semaphore_release(semaphore);
}

static void check_released_once(void)
{
    MUST((notes->first == 0) + (notes->second == 0) == 1);
    MUST(notes->first + notes->second == PLAIT_EUNLOCKED);
    must_be_free();
}

static const struct preempt_case bounded_release_release = {
    .first = { .run = release_one }, .second = release_too, .set_up = set_up_bounded, .check = check_released_once,
};

/* ---- the memory of a semaphore is free when its permit is had ----
 *
 * The word says that somebody sleeps, who has gone.  Who gets the permit uses the memory for a number of its own, which looks like
 * what the release has written. */

enum { NUMBER = 3 };

static void set_up_stale(void)
{
    set_up_plain(SLEEPERS);
}

static void take_it_and_use_the_memory(void)
{
    notes->second = plait_semaphore_acquire(semaphore, PLAIT_NOW);
    if (notes->second == 0) semaphore->word = NUMBER;
}

static void check_the_number(void)
{
    MUST(notes->first == 0);
    MUST(semaphore->word == NUMBER || notes->second == -ETIMEDOUT);
}

static const struct preempt_case release_reuse = {
    .first = { .run = release_one }, .second = take_it_and_use_the_memory, .set_up = set_up_stale, .check = check_the_number,
};

/* ---- who is woken ----
 *
 * Two sleep, and the word knows of one only.  The first is woken, and held after every instruction from then on, while one more
 * permit is released. */

static struct member sleeper;
static bool woken;

static int take_one(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_FOREVER) == 0);
    return 0;
}

static void set_up_two(void)
{
    set_up_0();
    woken = false;
}

static void take_first(void)
{
    notes->first = plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
}

static void do_nothing(void)
{
}

static void wake_the_first(void)
{
    sleeper = member_start(take_one);
    member_until_sleeps(&sleeper);
    semaphore->word = SLEEPERS + ONE_SLEEPER;
    MUST(plait_semaphore_release(semaphore) == 0);
    woken = true;
}

static void release_one_more(void)
{
    if (!woken) wake_the_first();
    MUST(plait_semaphore_release(semaphore) == 0);
}

static void both_have_theirs(void)
{
    MUST(member_wait(&sleeper, "who slept on") == 0);
}

static void check_none_is_left(void)
{
    MUST(notes->first == 0);
    MUST(plait_semaphore_get_value(semaphore) == 0);
}

static const struct preempt_case woken_release = {
    .first = { .run = take_first, .wake = wake_the_first }, .second = do_nothing, .set_up = set_up_two,
    .held = release_one_more, .both_done = both_have_theirs, .check = check_none_is_left,
    .regions = semaphore_and_family, .stride = 7, .when_woken = true,
};

/* ---- the holder dies, or its death is being repaired ---- */

static int hold(void)
{
    CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    notes->there = 1;
    for (;;) pause();
}

static bool is_there(void *unused)
{
    return notes->there != 0;
}

static struct member holder;

static void set_up_holder(void)
{
    set_up_owned();
    holder = member_start(hold);
    test_soon(is_there, NULL, "the holder");
}

static void kill_holder(void)
{
    member_kill(&holder);
}

static void set_up_dead_holder(void)
{
    set_up_holder();
    kill_holder();
}

static void repair(void)
{
    plait__reap_all();
}

static void check_second_was_told(void)
{
    MUST(notes->second == PLAIT_OWNER_DIED);
    must_be_free();
}

static const struct preempt_case repair_use = {
    .first = { .run = repair }, .second = use_second, .set_up = set_up_dead_holder, .check = check_second_was_told,
    .regions = semaphore_and_family, .stride = 13,
};

static void check_first_was_told(void)
{
    MUST(notes->first == PLAIT_OWNER_DIED);
    member_until_repaired(holder.slot);
    must_be_free();
}

static const struct preempt_case sleep_die = {
    .first = { .run = use_first }, .second = do_nothing, .set_up = set_up_holder, .held = kill_holder,
    .check = check_first_was_told, .regions = semaphore_and_family, .stride = 17,
};

/* Both want what a dead one held: one is told. */
static void check_one_was_told(void)
{
    MUST((notes->first == PLAIT_OWNER_DIED) + (notes->second == PLAIT_OWNER_DIED) == 1);
    MUST(notes->first + notes->second == PLAIT_OWNER_DIED);
    must_be_free();
}

static const struct preempt_case take_over_twice = {
    .first = { .run = use_first }, .second = use_second, .set_up = set_up_dead_holder, .check = check_one_was_told,
    .regions = semaphore_and_family, .stride = 3,
};

/* The holder leaves while somebody falls asleep. */
static void leave(void)
{
    notes->inside--;
    plait_leave();
    CHECK(plait_init(NULL, NULL) == 0);                    /* the harness wants a member */
}

static void check_first_used(void)
{
    MUST(notes->first == 0);
    must_be_free();
}

static const struct preempt_case use_leave = {
    .first = { .run = use_first }, .second = leave, .prepare_second = acquire, .set_up = set_up_owned,
    .check = check_first_used, .regions = semaphore_and_family, .stride = 17,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(use_use),
    PREEMPT_TEST(release_use),
    PREEMPT_TEST(use_release),
    PREEMPT_TEST(bounded_release_release),
    PREEMPT_TEST(release_reuse),
    PREEMPT_TEST(woken_release),
    PREEMPT_TEST(owned_use_use),
    PREEMPT_TEST(owned_release_use),
    PREEMPT_TEST(owned_use_release),
    PREEMPT_TEST(repair_use),
    PREEMPT_TEST(sleep_die),
    PREEMPT_TEST(take_over_twice),
    PREEMPT_TEST(use_leave),
};

TEST_MAIN(tests)
