/* The lock in one process: what the calls return, between threads, in any memory. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>

#include "family/roster.h"

static plait_lock *lock;

static int make_lock(void **state)
{
    lock = plait_lock_new();
    return lock ? 0 : -1;
}

static int free_lock(void **state)
{
    return plait_lock_free(lock);
}

/* The functions that the library has, for whoever does not inline those of the header. */
static int (*volatile acquire_itself)(plait_lock *lock, plait_deadline deadline) = plait_lock_acquire;
static int (*volatile release_itself)(plait_lock *lock) = plait_lock_release;

/* --- alone ----------------------------------------------------------------------------------------------------------------- */

static void it_is_acquired_and_released(void **state)
{
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(plait_lock_locked(lock), 0);
        assert_int_equal(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
        assert_int_equal(plait_lock_locked(lock), 1);
        assert_int_equal(plait_lock_release(lock), 0);
    }
    assert_int_equal(plait_lock_locked(lock), 0);
    assert_int_equal(lock->word, 0);
}

static void any_deadline_will_do_for_a_free_lock(void **state)
{
    const plait_deadline deadlines[] = { PLAIT_FOREVER, PLAIT_NOW, plait_after(100), { plait__now() - 1 }, { -7 }, { INT64_MAX } };
    for (unsigned i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        assert_int_equal(plait_lock_acquire(lock, deadlines[i]), 0);
        assert_int_equal(plait_lock_release(lock), 0);
    }
}

static void a_fresh_lock_lies_in_a_cache_line_of_its_own(void **state)
{
    assert_true(plait_is_shared(lock));
    assert_int_equal((uintptr_t)lock % 64, 0);
    assert_true(plait_block_size(lock) >= 64);
    assert_int_equal(sizeof(plait_lock), 16);
    assert_int_equal(_Alignof(plait_lock), 8);
}

static void it_can_be_embedded_anywhere_in_zeroed_memory(void **state)
{
    struct account {
        char name[8];
        plait_lock lock;
        long balance;
        plait_lock others[20];
    } *account = plait_alloc(sizeof *account);
    assert_non_null(account);
    assert_int_equal(plait_lock_locked(&account->lock), 0);
    assert_int_equal(plait_lock_acquire(&account->lock, PLAIT_NOW), 0);
    for (int i = 0; i < 20; i++) assert_int_equal(plait_lock_acquire(&account->others[i], PLAIT_NOW), 0);
    assert_int_equal(account->balance, 0);
    assert_string_equal(account->name, "");
    assert_int_equal(plait_lock_release(&account->lock), 0);
    for (int i = 0; i < 20; i++) assert_int_equal(plait_lock_release(&account->others[i]), 0);
    assert_int_equal(plait_free(account), 0);
}

static void it_can_stand_on_the_stack(void **state)
{
    plait_lock local = { 0 };
    assert_int_equal(plait_lock_acquire(&local, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_acquire(&local, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_lock_release(&local), 0);
    assert_int_equal(plait_lock_release(&local), PLAIT_EUNLOCKED);
    assert_int_equal(local.word, 0);
}

static void it_is_not_released_more_often_than_acquired(void **state)
{
    assert_int_equal(plait_lock_release(lock), PLAIT_EUNLOCKED);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(lock), 0);
    assert_int_equal(plait_lock_release(lock), PLAIT_EUNLOCKED);
    assert_non_null(strstr(plait_error_detail(), "nobody holds"));
    assert_int_equal(plait_lock_disown(lock), PLAIT_EUNLOCKED);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(lock), 0);
}

static int takes_it_as_its_first_call(void *unused)
{
    CHECK(acquire_itself(lock, PLAIT_NOW) == 0);
    CHECK(lock->word == plait__self.owner);
    CHECK(release_itself(lock) == 0);
    plait_leave();
    CHECK(plait_lock_acquire(lock, PLAIT_NOW) == 0);        /* and now as another member */
    CHECK(lock->word == plait__self.owner);
    return plait_lock_release(lock);
}

static void what_is_inlined_and_what_is_not_go_together(void **state)
{
    assert_int_equal(acquire_itself(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_lock_release(lock), 0);
    assert_int_equal(release_itself(lock), PLAIT_EUNLOCKED);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(acquire_itself(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(release_itself(lock), 0);
    struct test_thread thread;
    test_thread_start(&thread, takes_it_as_its_first_call, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(acquire_itself(NULL, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(release_itself((plait_lock *)((char *)lock + 4)), -EINVAL);
}

static void check_is_no_lock(plait_lock *pointer)
{
    assert_int_equal(plait_lock_acquire(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_lock_release(pointer), -EINVAL);
    assert_int_equal(plait_lock_disown(pointer), -EINVAL);
    assert_int_equal(plait_lock_locked(pointer), -EINVAL);
}

static void null_and_misaligned_pointers_are_no_locks(void **state)
{
    _Alignas(16) char memory[64] = "";
    check_is_no_lock(NULL);
    for (int shift = 1; shift < 8; shift++) {
        check_is_no_lock((plait_lock *)(void *)(memory + shift));
        assert_non_null(strstr(plait_error_detail(), "aligned"));
    }
    for (int i = 0; i < 64; i++) assert_int_equal(memory[i], 0);
    plait_lock *shifted = (plait_lock *)(void *)(memory + 8);
    assert_int_equal(plait_lock_acquire(shifted, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(shifted), 0);
    assert_int_equal(plait_lock_free(NULL), 0);
    assert_int_equal(plait_lock_free(shifted), PLAIT_ENOTOURS);
}

static void the_holder_waits_for_itself(void **state)
{
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "the calling thread itself"));
    const plait_deadline deadline = plait_after(0.02);
    assert_int_equal(plait_lock_acquire(lock, deadline), -ETIMEDOUT);
    assert_true(plait__now() >= deadline.at);
    assert_non_null(strstr(plait_error_detail(), "the calling thread itself"));
    assert_int_equal(plait_lock_release(lock), 0);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(lock), 0);
}

static void a_deadline_that_is_over_does_not_wait(void **state)
{
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_acquire(lock, (plait_deadline){ plait__now() - PLAIT__SECOND }), -ETIMEDOUT);
    assert_int_equal(plait_lock_acquire(lock, (plait_deadline){ -1 }), -ETIMEDOUT);
    assert_int_equal(plait_lock_acquire(lock, plait_after(-3)), -ETIMEDOUT);
    assert_int_equal(plait_lock_release(lock), 0);
    assert_int_equal(plait_lock_locked(lock), 0);
}

static void a_disowned_lock_stays_locked_until_somebody_releases_it(void **state)
{
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plait_lock_disown(lock), 0);
        assert_int_equal(plait_lock_locked(lock), 1);
        assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
        assert_non_null(strstr(plait_error_detail(), "nobody in particular"));
    }
    assert_int_equal(plait_lock_release(lock), 0);
    assert_int_equal(plait_lock_locked(lock), 0);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(lock), 0);
}

static void whoever_leaves_disowns_its_locks(void **state)
{
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    plait_leave();
    assert_int_equal(plait_lock_locked(lock), 1);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "nobody in particular"));
    assert_int_equal(plait_lock_release(lock), 0);
}

/* --- between threads ------------------------------------------------------------------------------------------------------- */

static int acquires(void *argument)
{
    return plait_lock_acquire(argument, PLAIT_FOREVER);
}

static int acquires_for_long(void *argument)
{
    return plait_lock_acquire(argument, plait_after(1000));
}

static int releases(void *argument)
{
    return plait_lock_release(argument);
}

static void check_waiter_is_woken(plait_lock *in, int (*body)(void *argument), bool after_long)
{
    struct test_thread thread, other;
    assert_int_equal(plait_lock_acquire(in, PLAIT_NOW), 0);
    test_thread_start(&thread, body, in);
    if (after_long) test_until_watches(thread.tid);
    else test_until_waits(thread.tid);
    assert_int_equal(plait_lock_release(in), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    test_thread_start(&other, releases, in);            /* somebody else's lock: it has left with that thread */
    assert_int_equal(test_thread_join(&other), 0);
    assert_int_equal(plait_lock_locked(in), 0);
}

static void a_thread_that_waits_is_woken(void **state)
{
    plait_lock local = { 0 }, *heap = calloc(1, sizeof *heap);
    for (int i = 0; i < 5; i++) {
        check_waiter_is_woken(lock, acquires, false);
        check_waiter_is_woken(lock, acquires, true);
        check_waiter_is_woken(lock, acquires_for_long, true);
        check_waiter_is_woken(&local, acquires, true);
        check_waiter_is_woken(heap, acquires, true);
    }
    free(heap);
}

static void disowning_keeps_waiters_waiting(void **state)
{
    struct test_thread thread;
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), 0);
    test_thread_start(&thread, acquires, lock);
    test_until_watches(thread.tid);
    assert_int_equal(plait_lock_disown(lock), 0);
    plait_leave();
    test_until_watches(thread.tid);
    assert_int_equal(plait_lock_release(lock), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(plait_lock_release(lock), 0);
}

static _Atomic int held, may_end;

static int holds(void *argument)
{
    CHECK(plait_lock_acquire(argument, PLAIT_NOW) == 0);
    atomic_store(&held, 1);
    test_until_set(&may_end);
    return plait_lock_release(argument);
}

static void the_detail_names_the_thread_that_holds_it(void **state)
{
    struct test_thread thread;
    char expected[80];
    test_thread_start(&thread, holds, lock);
    test_until_set(&held);
    assert_int_equal(plait_lock_acquire(lock, PLAIT_NOW), -ETIMEDOUT);
    snprintf(expected, sizeof expected, "the lock is held by MainProcess/%d (pid %d)", atomic_load(&thread.tid), (int)getpid());
    assert_string_equal(plait_error_detail(), expected);
    atomic_store(&may_end, 1);
    assert_int_equal(test_thread_join(&thread), 0);
}

struct counting {
    plait_lock *lock;
    long rounds, counter;
};

static int counts(void *argument)
{
    struct counting *counting = argument;
    for (long i = 0; i < counting->rounds; i++) {
        CHECK(plait_lock_acquire(counting->lock, PLAIT_FOREVER) == 0);
        counting->counter++;
        CHECK(plait_lock_release(counting->lock) == 0);
    }
    return 0;
}

static void check_threads_count(plait_lock *in, int count, long rounds)
{
    struct test_thread threads[8];
    struct counting counting = { .lock = in, .rounds = rounds };
    for (int i = 0; i < count; i++) test_thread_start(&threads[i], counts, &counting);
    for (int i = 0; i < count; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(counting.counter, count * rounds);
    assert_int_equal(in->word & 0xffff, 0);
}

static void no_count_of_two_threads_is_lost(void **state) { check_threads_count(lock, 2, 200000); }
static void no_count_of_eight_threads_is_lost(void **state) { check_threads_count(lock, 8, 30000); }

static void no_count_is_lost_outside_the_arena(void **state)
{
    plait_lock local = { 0 };
    check_threads_count(&local, 4, 50000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_lock, free_lock)

static const struct CMUnitTest tests[] = {
    TEST(it_is_acquired_and_released),
    TEST(any_deadline_will_do_for_a_free_lock),
    TEST(a_fresh_lock_lies_in_a_cache_line_of_its_own),
    TEST(it_can_be_embedded_anywhere_in_zeroed_memory),
    TEST(it_can_stand_on_the_stack),
    TEST(it_is_not_released_more_often_than_acquired),
    TEST(what_is_inlined_and_what_is_not_go_together),
    TEST(null_and_misaligned_pointers_are_no_locks),
    TEST(the_holder_waits_for_itself),
    TEST(a_deadline_that_is_over_does_not_wait),
    TEST(a_disowned_lock_stays_locked_until_somebody_releases_it),
    TEST(whoever_leaves_disowns_its_locks),
    TEST(a_thread_that_waits_is_woken),
    TEST(disowning_keeps_waiters_waiting),
    TEST(the_detail_names_the_thread_that_holds_it),
    TEST(no_count_of_two_threads_is_lost),
    TEST(no_count_of_eight_threads_is_lost),
    TEST(no_count_is_lost_outside_the_arena),
};
TEST_MAIN(tests)
