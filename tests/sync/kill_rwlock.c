/* An rwlock whose user is killed after every instruction: nobody hangs, no writer is inside beside anybody else, and the death of
 * a writer that was inside is told until another has written; that of a reader, or of one who still waited, is not. */
#include "kill.h"

#include <signal.h>

#include <plait.h>

#include "family/roster.h"

static plait_rwlock *lock;

static struct notes {
    _Atomic int has_it;                                    /* the victim is inside: its call has returned */
    _Atomic int readers, writers, told;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    if (lock) MUST(plait_rwlock_free(lock) == 0);
    lock = plait_rwlock_new(&(plait_rwlock_options){ .readers = 2 });
    assert_non_null(lock);
}

static const struct step_region *lock_and_family(void)
{
    return step_object_and_roster(lock, plait_block_size(lock));
}

/* ---- the others ---- */

static int read_it(void)
{
    int got = plait_rwlock_acquire_read(lock, plait_after(20));
    CHECK(got >= 0);
    notes->readers++;
    CHECK(notes->writers == 0);
    notes->told += got == PLAIT_OWNER_DIED;
    notes->readers--;
    CHECK(plait_rwlock_release(lock) == 0);
    return 0;
}

static int write_it(void)
{
    int got = plait_rwlock_acquire_write(lock, plait_after(20));
    CHECK(got >= 0);
    CHECK(notes->writers++ == 0 && notes->readers == 0);
    notes->told += got == PLAIT_OWNER_DIED;
    notes->writers--;
    CHECK(plait_rwlock_release(lock) == 0);
    return 0;
}

static struct member reader, writer;

static bool has_it(void *unused)
{
    return notes->has_it != 0;
}

static int read_after_the_victim(void)
{
    test_until(has_it, NULL);
    return read_it();
}

static int write_after_the_victim(void)
{
    test_until(has_it, NULL);
    return write_it();
}

/* Nobody is there any more.  told: whether the first to come is told of a death. */
static void must_be_free(bool told)
{
    const int expected = told ? PLAIT_OWNER_DIED : 0;
    for (int i = 0; i < 2; i++) {
        MUST(plait_rwlock_acquire_read(lock, plait_after(10)) == expected);
        MUST(plait_rwlock_release(lock) == 0);
    }
    MUST(plait_rwlock_acquire_write(lock, plait_after(10)) == expected);
    MUST(plait_rwlock_release(lock) == 0);
    MUST(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0 && plait_rwlock_release(lock) == 0);
    MUST(plait_rwlock_readers(lock) == 0);
    MUST(plait_rwlock_release(lock) == PLAIT_EUNLOCKED);
}

/* ---- alone ---- */

static void acquire_to_write(void)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_FOREVER) == 0);
}

static void acquire_to_read(void)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_FOREVER) == 0);
}

static void release_it(void)
{
    CHECK(plait_rwlock_release(lock) == 0);
}

static bool victim_writes(const struct stepped *victim)
{
    return plait_rwlock_has_writer(lock) == 1;
}

static bool victim_writes_no_more(const struct stepped *victim)
{
    return !victim_writes(victim);
}

static bool victim_reads(const struct stepped *victim)
{
    return plait_rwlock_readers(lock) == 1;
}

static bool victim_reads_no_more(const struct stepped *victim)
{
    return plait_rwlock_readers(lock) != 1;
}

static void check_told_if(const struct stepped *victim, bool written)
{
    must_be_free(written);
}

static void check_told_unless(const struct stepped *victim, bool released)
{
    must_be_free(!released);
}

static void check_not_told(const struct stepped *victim, bool unused)
{
    must_be_free(false);
}

static const struct kill_case write_a_free_one = {
    .operation = { .run = acquire_to_write }, .set_up = set_up, .look = victim_writes, .check = check_told_if,
    .regions = lock_and_family,
};

static const struct kill_case read_a_free_one = {
    .operation = { .run = acquire_to_read }, .set_up = set_up, .look = victim_reads, .check = check_not_told,
    .regions = lock_and_family,
};

static const struct kill_case release_the_writer = {
    .operation = { .prepare = acquire_to_write, .run = release_it }, .set_up = set_up, .look = victim_writes_no_more,
    .check = check_told_unless, .regions = lock_and_family,
};

static const struct kill_case release_a_reader = {
    .operation = { .prepare = acquire_to_read, .run = release_it }, .set_up = set_up, .look = victim_reads_no_more,
    .check = check_not_told, .regions = lock_and_family,
};

/* Who reads twice has one cell, which is free at once when it dies. */
static void acquire_to_read_twice(void)
{
    acquire_to_read();
    acquire_to_read();
}

static bool victim_reads_twice(const struct stepped *victim)
{
    return plait_rwlock_readers(lock) == 2;
}

static const struct kill_case read_again = {
    .operation = { .prepare = acquire_to_read, .run = acquire_to_read }, .set_up = set_up, .look = victim_reads_twice,
    .check = check_not_told, .regions = lock_and_family,
};

static const struct kill_case release_the_second_time = {
    .operation = { .prepare = acquire_to_read_twice, .run = release_it }, .set_up = set_up, .look = victim_reads,
    .check = check_not_told, .regions = lock_and_family,
};

/* ---- others sleep ---- */

static void set_up_sleepers(void)
{
    set_up();
    reader = member_start(read_after_the_victim);
    writer = member_start(write_after_the_victim);
}

static void write_and_wait_for_sleepers(void)
{
    acquire_to_write();
    notes->has_it = 1;
    member_until_sleeps(&reader);
    member_until_sleeps(&writer);
}

/* With the victim as a reader, the writer sleeps, and the other reader behind that one, or reads. */
static void read_and_wait_for_writer(void)
{
    acquire_to_read();
    notes->has_it = 1;
    member_until_sleeps(&writer);
}

static void end_sleepers(void)
{
    MUST(member_wait(&reader, "the reader") == 0);
    MUST(member_wait(&writer, "the writer") == 0);
}

/* The writer is told for certain if the victim died inside, the reader if it came first. */
static void check_sleepers_of_a_writer(const struct stepped *victim, bool released)
{
    end_sleepers();
    MUST(released ? notes->told == 0 : notes->told >= 1);
    must_be_free(false);
}

static void check_sleepers_of_a_reader(const struct stepped *victim, bool unused)
{
    end_sleepers();
    MUST(notes->told == 0);
    must_be_free(false);
}

static const struct kill_case release_the_writer_to_sleepers = {
    .operation = { .prepare = write_and_wait_for_sleepers, .run = release_it }, .set_up = set_up_sleepers,
    .look = victim_writes_no_more, .check = check_sleepers_of_a_writer, .regions = lock_and_family,
};

static const struct kill_case release_a_reader_to_a_sleeping_writer = {
    .operation = { .prepare = read_and_wait_for_writer, .run = release_it }, .set_up = set_up_sleepers,
    .look = victim_reads_no_more, .check = check_sleepers_of_a_reader, .regions = lock_and_family,
};

/* ---- the victim sleeps ---- */

static void set_up_read(void)
{
    set_up();
    MUST(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0);
}

static void release_to_the_victim(void)
{
    while (plait_rwlock_release(lock) == 0) continue;
}

/* Another reader waits behind the writer who was killed while it waited; it must get in. */
static void check_after_a_waiting_writer(const struct stepped *victim, bool written)
{
    struct member next = member_start(read_it);
    release_to_the_victim();
    MUST(member_wait(&next, "the next reader") == 0);
    MUST(notes->told == written);
    must_be_free(written);
}

static const struct kill_case write_after_a_sleep = {
    .operation = { .run = acquire_to_write, .wake = release_to_the_victim }, .set_up = set_up_read, .look = victim_writes,
    .check = check_after_a_waiting_writer, .regions = lock_and_family, .long_one = true,
};

static void set_up_written(void)
{
    set_up();
    MUST(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0);
}

static void check_after_a_waiting_reader(const struct stepped *victim, bool unused)
{
    release_to_the_victim();
    must_be_free(false);
}

static const struct kill_case read_after_a_sleep = {
    .operation = { .run = acquire_to_read, .wake = release_to_the_victim }, .set_up = set_up_written, .look = victim_reads,
    .check = check_after_a_waiting_reader, .regions = lock_and_family, .long_one = true,
};

/* ---- after a death ---- */

static int write_for_ever(void)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0);
    notes->has_it = 1;
    for (;;) pause();
}

static struct member dead_writer;

static void set_up_dead_writer(void)
{
    set_up();
    dead_writer = member_start(write_for_ever);
    test_soon(has_it, NULL, "the first writer");
    member_kill(&dead_writer);
}

static void read_after_the_dead(void)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
}

static void write_after_the_dead(void)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
}

static void check_told_in_any_case(const struct stepped *victim, bool unused)
{
    must_be_free(true);
    member_until_repaired(dead_writer.slot);
}

static const struct kill_case read_what_a_dead_writer_has = {
    .operation = { .run = read_after_the_dead }, .set_up = set_up_dead_writer, .look = victim_reads,
    .check = check_told_in_any_case, .regions = lock_and_family,
};

static const struct kill_case write_what_a_dead_writer_has = {
    .operation = { .run = write_after_the_dead }, .set_up = set_up_dead_writer, .look = victim_writes,
    .check = check_told_in_any_case, .regions = lock_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(write_a_free_one),
    KILL_TESTS(read_a_free_one),
    KILL_TESTS(release_the_writer),
    KILL_TESTS(release_a_reader),
    KILL_TESTS(read_again),
    KILL_TESTS(release_the_second_time),
    KILL_TESTS(release_the_writer_to_sleepers),
    KILL_TESTS(release_a_reader_to_a_sleeping_writer),
    KILL_TESTS(write_after_a_sleep),
    KILL_TESTS(read_after_a_sleep),
    KILL_TESTS(read_what_a_dead_writer_has),
    KILL_TESTS(write_what_a_dead_writer_has),
};

TEST_MAIN(tests)
