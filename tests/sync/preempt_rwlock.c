/* One user of an rwlock is held after every instruction while another runs a whole operation: a writer is alone, and neither waits
 * for ever for the other. */
#include "preempt.h"

#include <plait.h>

static plait_rwlock *lock;

static struct notes {
    _Atomic int readers, writers, overlaps;
    _Atomic int first, second;                             /* what the calls returned */
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .first = -1, .second = -1 };
    if (lock) MUST(plait_rwlock_free(lock) == 0);
    lock = plait_rwlock_new(&(plait_rwlock_options){ .readers = 16 });     /* not among small blocks: those take long to sweep */
    assert_non_null(lock);
}

static int use_to_read(void)
{
    int got = plait_rwlock_acquire_read(lock, PLAIT_FOREVER);
    notes->readers++;
    if (notes->writers) notes->overlaps++;
    notes->readers--;
    CHECK(plait_rwlock_release(lock) == 0);
    return got;
}

static int use_to_write(void)
{
    int got = plait_rwlock_acquire_write(lock, PLAIT_FOREVER);
    if (notes->writers++ || notes->readers) notes->overlaps++;
    notes->writers--;
    CHECK(plait_rwlock_release(lock) == 0);
    return got;
}

static void read_first(void) { notes->first = use_to_read(); }
static void read_second(void) { notes->second = use_to_read(); }
static void write_first(void) { notes->first = use_to_write(); }
static void write_second(void) { notes->second = use_to_write(); }

static void check_both_used(void)
{
    MUST(notes->first == 0 && notes->second == 0 && notes->overlaps == 0);
    MUST(plait_rwlock_readers(lock) == 0);
    MUST(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0 && plait_rwlock_release(lock) == 0);
}

static const struct step_region *lock_and_family(void)
{
    return step_object_and_roster(lock, plait_block_size(lock));
}

#define EACH_CHANGE .regions = lock_and_family, .stride = 7

static const struct preempt_case read_write = {
    .first = { .run = read_first }, .second = write_second, .set_up = set_up, .check = check_both_used, EACH_CHANGE,
};
static const struct preempt_case write_read = {
    .first = { .run = write_first }, .second = read_second, .set_up = set_up, .check = check_both_used, EACH_CHANGE,
};
static const struct preempt_case write_write = {
    .first = { .run = write_first }, .second = write_second, .set_up = set_up, .check = check_both_used, EACH_CHANGE,
};
static const struct preempt_case read_read = {
    .first = { .run = read_first }, .second = read_second, .set_up = set_up, .check = check_both_used, EACH_CHANGE,
};

/* ---- both try, and keep it ---- */

static void try_to_read_first(void) { notes->first = plait_rwlock_acquire_read(lock, PLAIT_NOW); }
static void try_to_read_second(void) { notes->second = plait_rwlock_acquire_read(lock, PLAIT_NOW); }
static void try_to_write_first(void) { notes->first = plait_rwlock_acquire_write(lock, PLAIT_NOW); }
static void try_to_write_second(void) { notes->second = plait_rwlock_acquire_write(lock, PLAIT_NOW); }

static void check_one_at_most(void)
{
    MUST(notes->first == 0 || notes->first == -ETIMEDOUT);
    MUST(notes->second == 0 || notes->second == -ETIMEDOUT);
    MUST(notes->first != 0 || notes->second != 0);
}

static const struct preempt_case try_read_write = {
    .first = { .run = try_to_read_first }, .second = try_to_write_second, .set_up = set_up, .check = check_one_at_most,
};
static const struct preempt_case try_write_read = {
    .first = { .run = try_to_write_first }, .second = try_to_read_second, .set_up = set_up, .check = check_one_at_most,
};

/* After the death of a writer the reader goes the slow way, although there is nobody to wait for. */
static int write_for_ever(void)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0);
    notes->writers = 1;
    for (;;) pause();
}

static bool somebody_writes(void *unused)
{
    return notes->writers != 0;
}

static void set_up_dead_writer(void)
{
    set_up();
    struct member writer = member_start(write_for_ever);
    test_soon(somebody_writes, NULL, "the writer");
    member_kill(&writer);
    member_until_repaired(writer.slot);
    MUST(plait_rwlock_acquire_read(lock, PLAIT_NOW) == PLAIT_OWNER_DIED);
    MUST(plait_rwlock_release(lock) == 0);
}

static void check_one_at_most_after_a_death(void)
{
    MUST(notes->first == PLAIT_OWNER_DIED || notes->first == -ETIMEDOUT);
    MUST(notes->second == PLAIT_OWNER_DIED || notes->second == -ETIMEDOUT);
    MUST(notes->first < 0 || notes->second < 0);
}

static const struct preempt_case try_read_write_after_a_death = {
    .first = { .run = try_to_read_first }, .second = try_to_write_second, .set_up = set_up_dead_writer,
    .check = check_one_at_most_after_a_death,
};

/* ---- one has it already ---- */

static void acquire_write(void)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0);
    notes->writers++;
}

static void release_write(void)
{
    notes->writers--;
    notes->first = plait_rwlock_release(lock);
}

static void acquire_read(void)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0);
    notes->readers++;
}

static void release_read(void)
{
    notes->readers--;
    notes->first = plait_rwlock_release(lock);
}

static const struct preempt_case release_write_read = {
    .first = { .prepare = acquire_write, .run = release_write }, .second = read_second, .set_up = set_up, .check = check_both_used,
};
static const struct preempt_case release_write_write = {
    .first = { .prepare = acquire_write, .run = release_write }, .second = write_second, .set_up = set_up, .check = check_both_used,
};
static const struct preempt_case release_read_write = {
    .first = { .prepare = acquire_read, .run = release_read }, .second = write_second, .set_up = set_up, .check = check_both_used,
};

/* ---- the first sleeps, and is woken by the tester ---- */

static bool released;

static void set_up_read(void)
{
    set_up();
    MUST(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0);
    released = false;
}

static void set_up_written(void)
{
    set_up();
    MUST(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0);
    released = false;
}

static void release_by_tester(void)
{
    if (!released) MUST(plait_rwlock_release(lock) == 0);
    released = true;
}

static const struct preempt_case woken_write_read = {
    .first = { .run = write_first, .wake = release_by_tester }, .second = read_second, .set_up = set_up_read,
    .held = release_by_tester, .check = check_both_used, .regions = lock_and_family, .stride = 37,
};
static const struct preempt_case woken_read_write = {
    .first = { .run = read_first, .wake = release_by_tester }, .second = write_second, .set_up = set_up_written,
    .held = release_by_tester, .check = check_both_used, .regions = lock_and_family, .stride = 37,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(read_write),
    PREEMPT_TEST(write_read),
    PREEMPT_TEST(write_write),
    PREEMPT_TEST(read_read),
    PREEMPT_TEST(try_read_write),
    PREEMPT_TEST(try_write_read),
    PREEMPT_TEST(try_read_write_after_a_death),
    PREEMPT_TEST(release_write_read),
    PREEMPT_TEST(release_write_write),
    PREEMPT_TEST(release_read_write),
    PREEMPT_TEST(woken_write_read),
    PREEMPT_TEST(woken_read_write),
};

TEST_MAIN(tests)
