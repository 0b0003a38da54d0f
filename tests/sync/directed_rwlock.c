/* What no random test finds: a reader that leaves without a release, and a thread that reads again while a writer waits for it. */
#include "hold.h"
#include "member.h"

#include <string.h>

#include <plait.h>

static plait_rwlock *lock;

static struct notes {
    _Atomic int reads, may_go_on, got;
    int wait_at;
} *notes;

static void set_up(void)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ .got = -1 };
    if (lock) MUST(plait_rwlock_free(lock) == 0);
    lock = plait_rwlock_new(&(plait_rwlock_options){ .readers = 2 });
    assert_non_null(lock);
    hold_forget();
}

static bool goes_on(void *unused)
{
    return notes->may_go_on != 0;
}

static bool one_more_reads(void *before)
{
    return notes->reads == *(int *)before + 1;
}

static int write_it(void)
{
    notes->got = plait_rwlock_acquire_write(lock, PLAIT_FOREVER);
    return plait_rwlock_release(lock);
}

/* ---- a reader that leaves with what it has ---- */

static int read_and_keep(void)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0);
    notes->reads++;
    return 0;
}

static struct member start_reader(int (*body)(void))
{
    int before = notes->reads;
    struct member reader = member_start(body);
    test_soon(one_more_reads, &before, "the reader");
    return reader;
}

static void end_writer(const struct member *writer)
{
    MUST(member_wait(writer, "the writer") == 0);
    MUST(notes->got == 0);
    member_all_leave();
}

/* Whoever leaves lets go of its pulse, which wakes one who watches it: the bystander. */
static void who_leaves_as_a_reader_lets_the_writer_in(void **state)
{
    test_family();
    set_up();
    struct member reader = start_reader(read_and_keep);
    struct member bystander = member_bystander();
    struct member writer = member_start(write_it);
    member_until_sleeps(&writer);
    member_leave(&reader);
    end_writer(&writer);
    member_kill(&bystander);
    member_until_repaired(bystander.slot);
}

static int write_after_a_hold(void)
{
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    return write_it();
}

static void who_leaves_before_the_writer_sleeps_lets_it_in(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        set_up();
        notes->wait_at = 1 + round % 2;
        test_where[0] = round;
        struct member reader = start_reader(read_and_keep);
        struct member writer = member_start(write_after_a_hold);
        hold_until_there();
        member_leave(&reader);
        hold_let_go();
        end_writer(&writer);
    }
}

/* The same for who waits because there is no room. */
static int read_it(void)
{
    notes->got = plait_rwlock_acquire_read(lock, PLAIT_FOREVER);
    return plait_rwlock_release(lock);
}

static void who_leaves_as_a_reader_makes_room(void **state)
{
    test_family();
    set_up();
    struct member stays = start_reader(read_and_keep), leaves = start_reader(read_and_keep);
    struct member bystander = member_bystander();
    struct member next = member_start(read_it);
    member_until_sleeps(&next);
    member_leave(&leaves);
    MUST(member_wait(&next, "who waits for room") == 0);
    MUST(notes->got == 0);
    member_leave(&stays);
    member_all_leave();
    member_kill(&bystander);
    member_until_repaired(bystander.slot);
}

/* ---- who reads again ---- */

static int read_again(void)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0);
    notes->reads++;
    test_until(goes_on, NULL);
    for (int i = 0; i < 3; i++) CHECK(plait_rwlock_acquire_read(lock, plait_after(5)) == 0);
    for (int i = 0; i < 3; i++) CHECK(plait_rwlock_release(lock) == 0);
    CHECK(plait_rwlock_readers(lock) == 1);
    return plait_rwlock_release(lock);
}

/* A writer waits for the one who reads, which does not wait for the writer in turn. */
static void who_reads_may_read_again_while_a_writer_waits(void **state)
{
    test_family();
    set_up();
    struct member reader = start_reader(read_again);
    struct member writer = member_start(write_it);
    member_until_sleeps(&writer);
    notes->may_go_on = 1;
    MUST(member_wait(&reader, "the reader") == 0);
    end_writer(&writer);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_leaves_as_a_reader_lets_the_writer_in),
    cmocka_unit_test(who_leaves_before_the_writer_sleeps_lets_it_in),
    cmocka_unit_test(who_leaves_as_a_reader_makes_room),
    cmocka_unit_test(who_reads_may_read_again_while_a_writer_waits),
};

TEST_MAIN(tests)
