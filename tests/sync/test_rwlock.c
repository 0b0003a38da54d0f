/* Many readers or one writer: who is let in, what the calls return, what is left by those who end. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/rwlock.h>

#include "family/roster.h"

static plait_rwlock *lock;
static struct notes {
    _Atomic int readers, writers, wrong, ready, end;
    long counter, other;
} *notes;

static int make_lock(void **state)
{
    lock = plait_rwlock_new(NULL);
    notes = plait_alloc(sizeof *notes);
    return lock && notes ? 0 : -1;
}

static int free_lock(void **state)
{
    return plait_rwlock_free(lock) || plait_free(notes);
}

/* ---- alone ---- */

static void it_is_read_by_many_and_written_by_one(void **state)
{
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
        assert_int_equal(plait_rwlock_readers(lock), i);
    }
    for (int i = 9; i >= 0; i--) {
        assert_int_equal(plait_rwlock_release(lock), 0);
        assert_int_equal(plait_rwlock_readers(lock), i);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_FOREVER), 0);
        assert_int_equal(plait_rwlock_readers(lock), 0);
        assert_int_equal(plait_rwlock_has_writer(lock), 1);
        assert_int_equal(plait_rwlock_release(lock), 0);
    }
    assert_int_equal(plait_rwlock_readers(lock), 0);
}

static void what_nobody_has_is_not_released(void **state)
{
    assert_int_equal(plait_rwlock_release(lock), PLAIT_EUNLOCKED);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_release(lock), PLAIT_EUNLOCKED);
}

static void who_has_it_already_is_told_so(void **state)
{
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_FOREVER), -EDEADLK);
    assert_int_equal(plait_rwlock_readers(lock), 1);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_FOREVER), -EDEADLK);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_FOREVER), -EDEADLK);
    assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_release(lock), PLAIT_EUNLOCKED);
}

/* As often as 15 bits can count. */
static void who_reads_far_too_often_is_told_so(void **state)
{
    enum { MOST = 32768 };
    for (int i = 0; i < MOST; i++) assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_FOREVER), -EAGAIN);
    assert_int_equal(plait_rwlock_readers(lock), MOST);
    for (int i = 0; i < MOST; i++) assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_release(lock), PLAIT_EUNLOCKED);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
}

static void check_is_no_rwlock(plait_rwlock *pointer)
{
    assert_int_equal(plait_rwlock_acquire_read(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_rwlock_acquire_write(pointer, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_rwlock_release(pointer), -EINVAL);
    assert_int_equal(plait_rwlock_readers(pointer), -EINVAL);
    assert_int_equal(plait_rwlock_has_writer(pointer), -EINVAL);
}

static void other_pointers_are_no_rwlocks(void **state)
{
    _Alignas(64) char memory[256] = "";
    plait_rwlock *freed = plait_rwlock_new(NULL);
    assert_int_equal(plait_rwlock_free(freed), 0);
    assert_int_equal(plait_rwlock_free(freed), -EINVAL);
    check_is_no_rwlock(freed);
    check_is_no_rwlock(NULL);
    check_is_no_rwlock((plait_rwlock *)(void *)memory);
    check_is_no_rwlock((plait_rwlock *)(void *)((char *)lock + 8));
    assert_int_equal(plait_rwlock_free((plait_rwlock *)(void *)memory), -EINVAL);
    assert_int_equal(plait_rwlock_free(NULL), 0);
}

static void bad_options_are_refused(void **state)
{
    const plait_rwlock_options bad[] = {
        { .readers = -1 }, { .readers = 8193 }, { .reserved_int = 1 }, { .reserved = { 0, 0, 1 } },
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(plait_rwlock_new(&bad[i]));
        assert_int_equal(errno, EINVAL);
    }
    plait_rwlock *largest = plait_rwlock_new(&(plait_rwlock_options){ .readers = 8192 });
    assert_non_null(largest);
    assert_int_equal(plait_rwlock_acquire_write(largest, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_release(largest), 0);
    assert_int_equal(plait_rwlock_free(largest), 0);
}

static void a_full_arena_is_an_error(void **state)
{
    assert_int_equal(plait_arena_set_limit(1), 0);
    assert_null(plait_rwlock_new(&(plait_rwlock_options){ .readers = 8192 }));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(plait_arena_set_limit(UINT64_C(1) << 30), 0);
}

/* ---- with others ---- */

static int reads(void *unused)
{
    const int got = plait_rwlock_acquire_read(lock, PLAIT_FOREVER);
    CHECK(got >= 0 && plait_rwlock_release(lock) == 0);
    return got;
}

static int writes(void *unused)
{
    const int got = plait_rwlock_acquire_write(lock, PLAIT_FOREVER);
    CHECK(got >= 0 && plait_rwlock_release(lock) == 0);
    return got;
}

static int reads_and_waits(void *unused)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_FOREVER) == 0);
    atomic_fetch_add(&notes->ready, 1);
    test_until_set(&notes->end);
    return plait_rwlock_release(lock);
}

static int writes_and_waits(void *unused)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_FOREVER) == 0);
    atomic_fetch_add(&notes->ready, 1);
    test_until_set(&notes->end);
    return plait_rwlock_release(lock);
}

static int is_not_let_in(void *unused)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(strstr(plait_error_detail(), "the rwlock is held by"));
    return 0;
}

static void a_writer_waits_for_readers_and_readers_for_a_writer(void **state)
{
    struct test_thread writer, reader;
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    test_thread_start(&writer, writes_and_waits, NULL);
    test_until_watches(writer.tid);
    test_thread_start(&reader, is_not_let_in, NULL);       /* writers go first */
    assert_int_equal(test_thread_join(&reader), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
    test_until_set(&notes->ready);
    test_thread_start(&reader, reads, NULL);
    test_until_watches(reader.tid);
    atomic_store(&notes->end, 1);
    assert_int_equal(test_thread_join(&writer), 0);
    assert_int_equal(test_thread_join(&reader), 0);
}

/* Whoever was in stays a member: to leave would wake those who watch its pulse. */
static int reads_or_writes_and_stays(void *writer)
{
    CHECK((writer ? writes(NULL) : reads(NULL)) == 0);
    atomic_fetch_add(&notes->ready, 1);
    test_until_set(&notes->end);
    return 0;
}

static bool all_were_in(void *unused)
{
    return notes->ready == 6;
}

static void all_who_wait_for_a_writer_get_in(void **state)
{
    struct test_thread waiters[6];
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), 0);
    for (int i = 0; i < 6; i++) {
        test_thread_start(&waiters[i], reads_or_writes_and_stays, i % 3 ? NULL : lock);
        test_until_watches(waiters[i].tid);
    }
    assert_int_equal(plait_rwlock_release(lock), 0);
    test_until(all_were_in, NULL);
    notes->end = 1;
    for (int i = 0; i < 6; i++) assert_int_equal(test_thread_join(&waiters[i]), 0);
}

static void a_writer_that_gives_up_lets_readers_in(void **state)
{
    struct test_thread reader, other;
    test_thread_start(&reader, reads_and_waits, NULL);
    test_until_set(&notes->ready);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_rwlock_acquire_write(lock, plait_after(0.01)), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "the rwlock is held by MainProcess/"));
    test_thread_start(&other, reads, NULL);
    assert_int_equal(test_thread_join(&other), 0);
    atomic_store(&notes->end, 1);
    assert_int_equal(test_thread_join(&reader), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
}

static void others_cannot_release_it(void **state)
{
    struct test_thread reader;
    test_thread_start(&reader, reads_and_waits, NULL);
    test_until_set(&notes->ready);
    assert_int_equal(plait_rwlock_release(lock), PLAIT_ENOTOWNER);
    atomic_store(&notes->end, 1);
    assert_int_equal(test_thread_join(&reader), 0);
}

static bool three_are_in(void *unused)
{
    return notes->ready == 3;
}

static int finds_no_room_then_reads(void *unused)
{
    if (plait_rwlock_acquire_read(lock, plait_after(0.001)) == 0) return plait_rwlock_release(lock);     /* a place is free again */
    CHECK(strstr(plait_error_detail(), "no room"));
    return reads(NULL);
}

static void more_readers_than_there_is_room_for_wait(void **state)
{
    struct test_thread others[3], thread;
    assert_int_equal(plait_rwlock_free(lock), 0);
    lock = plait_rwlock_new(&(plait_rwlock_options){ .readers = 3 });
    for (int i = 0; i < 3; i++) test_thread_start(&others[i], reads_and_waits, NULL);
    test_until(three_are_in, NULL);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);                  /* 3, rounded up */
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);                  /* again, which needs no room */
    assert_int_equal(plait_rwlock_readers(lock), 5);
    assert_int_equal(plait_rwlock_release(lock), 0);
    for (int i = 0; i < 10; i++) {
        test_thread_start(&thread, finds_no_room_then_reads, NULL);
        if (i % 2) test_until_watches(thread.tid);
        assert_int_equal(plait_rwlock_release(lock), 0);
        assert_int_equal(test_thread_join(&thread), 0);
        assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    }
    assert_int_equal(plait_rwlock_release(lock), 0);
    notes->end = 1;
    for (int i = 0; i < 3; i++) assert_int_equal(test_thread_join(&others[i]), 0);
}

/* Neither waits for the other to stop reading. */
static void of_two_readers_that_want_to_write_both_are_told(void **state)
{
    struct test_thread other;
    test_thread_start(&other, reads_and_waits, NULL);
    test_until_set(&notes->ready);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, plait_after(10)), -EDEADLK);
    assert_int_equal(plait_rwlock_readers(lock), 2);
    assert_int_equal(plait_rwlock_release(lock), 0);
    notes->end = 1;
    assert_int_equal(test_thread_join(&other), 0);
}

/* ---- ends ---- */

static int writes_until_killed(void *unused)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_FOREVER) >= 0);
    notes->ready = 1;
    for (;;) pause();
}

static int reads_until_killed(void *unused)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_FOREVER) >= 0);
    notes->ready = 1;
    for (;;) pause();
}

static pid_t one_who(int (*body)(void *unused))
{
    notes->ready = 0;
    pid_t child = test_fork(body, NULL);
    test_until_set(&notes->ready);
    return child;
}

static void the_death_of_a_writer_is_told_until_another_has_written(void **state)
{
    for (int round = 0; round < 2; round++) {
        test_kill(one_who(writes_until_killed));
        for (int i = 0; i < 3; i++) {
            assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
            assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), PLAIT_OWNER_DIED);
            assert_int_equal(plait_rwlock_release(lock), 0);
            assert_int_equal(plait_rwlock_release(lock), 0);
        }
        test_kill(one_who(writes_until_killed));
        assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
        assert_int_equal(plait_rwlock_release(lock), 0);
        assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_FOREVER), 0);
        assert_int_equal(plait_rwlock_release(lock), 0);
    }
}

static void the_death_of_a_reader_lets_a_writer_in(void **state)
{
    struct test_thread writer;
    pid_t reader = one_who(reads_until_killed);
    test_thread_start(&writer, writes, NULL);
    test_until_watches(writer.tid);
    test_kill(reader);
    assert_int_equal(test_thread_join(&writer), 0);        /* nothing was changed: no news */
    assert_int_equal(plait_rwlock_readers(lock), 0);
}

static void the_death_of_a_writer_that_only_waited_is_no_news(void **state)
{
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), 0);
    pid_t writer = test_fork(writes, NULL);
    test_until_watches(writer);
    test_kill(writer);
    struct test_thread reader;
    test_thread_start(&reader, reads, NULL);
    assert_int_equal(test_thread_join(&reader), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_FOREVER), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
}

static int writes_and_leaves(void *unused)
{
    CHECK(plait_rwlock_acquire_write(lock, PLAIT_NOW) == 0);
    plait_leave();
    return 0;
}

static int reads_and_leaves(void *unused)
{
    CHECK(plait_rwlock_acquire_read(lock, PLAIT_NOW) == 0);
    plait_leave();
    return 0;
}

static void what_a_writer_leaves_anyone_may_release(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(writes_and_leaves, NULL)), 0);
    assert_int_equal(plait_rwlock_acquire_read(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "nobody in particular"));
    assert_int_equal(plait_rwlock_release(lock), 0);
    assert_int_equal(plait_rwlock_release(lock), PLAIT_EUNLOCKED);
    assert_int_equal(test_wait_exit(test_fork(reads_and_leaves, NULL)), 0);
    assert_int_equal(plait_rwlock_readers(lock), 0);
    assert_int_equal(plait_rwlock_acquire_write(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_rwlock_release(lock), 0);
}

/* ---- many ---- */

static int works(void *place)
{
    for (int i = 0; i < 20000; i++) {
        if ((i + (int)(intptr_t)place) % 8) {
            CHECK(plait_rwlock_acquire_read(lock, PLAIT_FOREVER) == 0);
            notes->wrong += notes->counter != notes->other;
        } else {
            CHECK(plait_rwlock_acquire_write(lock, PLAIT_FOREVER) == 0);
            notes->counter++;
            notes->other++;
        }
        CHECK(plait_rwlock_release(lock) == 0);
    }
    return 0;
}

static void no_reader_sees_half_a_change(void **state)
{
    struct test_thread threads[4];
    for (int i = 0; i < 4; i++) test_thread_start(&threads[i], works, (void *)(intptr_t)i);
    for (int i = 0; i < 4; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(notes->wrong, 0);
    assert_int_equal(notes->counter, 4 * 20000 / 8);
    assert_int_equal(plait_rwlock_readers(lock), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_lock, free_lock)

static const struct CMUnitTest tests[] = {
    TEST(it_is_read_by_many_and_written_by_one),
    TEST(what_nobody_has_is_not_released),
    TEST(who_has_it_already_is_told_so),
    TEST(who_reads_far_too_often_is_told_so),
    TEST(other_pointers_are_no_rwlocks),
    TEST(bad_options_are_refused),
    TEST(a_full_arena_is_an_error),
    TEST(a_writer_waits_for_readers_and_readers_for_a_writer),
    TEST(all_who_wait_for_a_writer_get_in),
    TEST(a_writer_that_gives_up_lets_readers_in),
    TEST(others_cannot_release_it),
    TEST(more_readers_than_there_is_room_for_wait),
    TEST(of_two_readers_that_want_to_write_both_are_told),
    TEST(the_death_of_a_writer_is_told_until_another_has_written),
    TEST(the_death_of_a_reader_lets_a_writer_in),
    TEST(the_death_of_a_writer_that_only_waited_is_no_news),
    TEST(what_a_writer_leaves_anyone_may_release),
    TEST(no_reader_sees_half_a_change),
};
TEST_MAIN(tests)
