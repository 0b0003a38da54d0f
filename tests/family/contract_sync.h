/* contract_sync.h - the rows of test_contract for locks and what is like them. */
#ifndef PLAIT_TEST_CONTRACT_SYNC_H
#define PLAIT_TEST_CONTRACT_SYNC_H

#include "harness.h"

#include <plait.h>

/* All in one block, zeroed when the contract begins: unlocked. */
static struct sync_objects {
    plait_lock lock;
    plait_rlock rlock;
    plait_condition condition;
    plait_barrier *barrier;
    plait_rwlock *rwlock;
    plait_semaphore semaphore;
    plait_event event;
    plait_semaphore *owned;
} *with;

static void make_sync_objects(void)
{
    CHECK((with = plait_alloc(sizeof *with)) && (with->rwlock = plait_rwlock_new(NULL)));
    CHECK((with->owned = plait_owned_semaphore_new(2)) && (with->barrier = plait_barrier_new(1, NULL)));
}

static void free_sync_objects(void)
{
    CHECK(plait_semaphore_free(with->owned) == 0 && plait_barrier_free(with->barrier) == 0);
    CHECK(plait_rwlock_free(with->rwlock) == 0 && plait_free(with) == 0);
}

static void acquire_and_release_lock(void)
{
    CHECK(plait_lock_acquire(&with->lock, PLAIT_NOW) == 0);
    CHECK(plait_lock_acquire(&with->lock, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_lock_release(&with->lock) == 0);
}

static void disown_lock(void)
{
    CHECK(plait_lock_acquire(&with->lock, PLAIT_NOW) == 0 && plait_lock_disown(&with->lock) == 0);
    CHECK(plait_lock_release(&with->lock) == 0);
}

static void acquire_and_release_rlock(void)
{
    CHECK(plait_rlock_acquire(&with->rlock, PLAIT_NOW) == 0 && plait_rlock_acquire(&with->rlock, PLAIT_NOW) == 0);
    CHECK(plait_rlock_depth(&with->rlock) == 2);
    CHECK(plait_rlock_release(&with->rlock) == 0 && plait_rlock_release(&with->rlock) == 0);
}

static int is_there(void *unused)
{
    return 1;
}

/* No bit of what is kept for later. */
static void reserved_fields_are_zero(void)
{
    plait_condition_options condition = { 0 };
    plait_barrier_options barrier = { 0 };
    plait_rwlock_options rwlock = { 0 };
    for (int i = 0; i < 4; i++) {
        condition.reserved[i] = barrier.reserved[i] = UINT64_C(1) << 63;
        CHECK(!plait_condition_new(&condition) && errno == EINVAL);
        CHECK(plait_condition_init(&with->condition, &condition) == -EINVAL);
        CHECK(!plait_barrier_new(1, &barrier) && errno == EINVAL);
        condition.reserved[i] = barrier.reserved[i] = 0;
    }
    for (int i = 0; i < 3; i++) {
        rwlock.reserved[i] = UINT64_C(1) << 63;
        CHECK(!plait_rwlock_new(&rwlock) && errno == EINVAL);
        rwlock.reserved[i] = 0;
    }
}

static void use_condition(void)
{
    reserved_fields_are_zero();
    CHECK(plait_condition_init(&with->condition, NULL) == 0 && plait_condition_acquire(&with->condition, PLAIT_NOW) == 0);
    CHECK(plait_condition_wait(&with->condition, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_condition_wait_for(&with->condition, is_there, NULL, PLAIT_NOW) == 0);
    CHECK(plait_condition_notify(&with->condition, 1) == 0 && plait_condition_notify_all(&with->condition) == 0);
    CHECK(plait_condition_release(&with->condition) == 0);
}

static void wait_in_vain_at_barrier(void)
{
    plait_barrier *barrier = plait_barrier_new(2, &(plait_barrier_options){ .action = is_there });
    CHECK(barrier && plait_barrier_wait(barrier, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_barrier_broken(barrier) == 1 && plait_barrier_reset(barrier) == 0 && plait_barrier_abort(barrier) == 0);
    CHECK(plait_barrier_free(barrier) == 0);
}

static void join_and_leave_barrier(void)
{
    CHECK(plait_barrier_join(with->barrier) == 0 && plait_barrier_wait(with->barrier, PLAIT_NOW) == 0);
    CHECK(plait_barrier_leave(with->barrier) == 0);
}

static void use_rwlock(int (*acquire)(plait_rwlock *lock, plait_deadline deadline), int readers, int writers)
{
    CHECK(acquire(with->rwlock, PLAIT_NOW) == 0 && plait_rwlock_readers(with->rwlock) == readers);
    CHECK(plait_rwlock_has_writer(with->rwlock) == writers);
    CHECK(plait_rwlock_release(with->rwlock) == 0);
}

static void acquire_and_release_semaphore(void)
{
    CHECK(plait_semaphore_release(&with->semaphore) == 0 && plait_semaphore_acquire(&with->semaphore, PLAIT_NOW) == 0);
    CHECK(plait_semaphore_acquire(&with->semaphore, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_semaphore_acquire(with->owned, PLAIT_NOW) == 0 && plait_semaphore_release(with->owned) == 0);
}

static void release_many_of_semaphore(void)
{
    CHECK(plait_semaphore_release_many(&with->semaphore, 2) == 0 && plait_semaphore_acquire(&with->semaphore, PLAIT_NOW) == 0);
    CHECK(plait_semaphore_acquire(&with->semaphore, PLAIT_NOW) == 0);
    CHECK(plait_semaphore_release_many(with->owned, 2) == PLAIT_ENOTOWNER);
}

static void init_semaphore(int (*init)(plait_semaphore *semaphore, int value))
{
    plait_semaphore semaphore;
    CHECK(init(&semaphore, 2) == 0 && plait_semaphore_get_value(&semaphore) == 2 && init(&semaphore, -1) == -EINVAL);
}

static void set_and_clear_event(void)
{
    CHECK(plait_event_set(&with->event) == 0 && plait_event_wait(&with->event, PLAIT_FOREVER) == 0);
    CHECK(plait_event_clear(&with->event) == 0 && plait_event_is_set(&with->event) == 0);
}

static void report_deadlocks(void)
{
    FILE *file = tmpfile();
    CHECK(file && plait_deadlock_report(file) == 0 && fclose(file) == 0);
}

#define SYNC_FUNCTIONS(X)                                                                             \
    X(plait_lock_new, ANY_TIME, CHECK(plait_lock_free(plait_lock_new()) == 0))                        \
    X(plait_lock_free, ANY_TIME, CHECK(plait_lock_free(NULL) == 0))                                   \
    X(plait_lock_acquire, 0, acquire_and_release_lock())                                              \
    X(plait_lock_release, 0, CHECK(plait_lock_release(&with->lock) == PLAIT_EUNLOCKED))               \
    X(plait_lock_disown, 0, disown_lock())                                                            \
    X(plait_lock_locked, 0, CHECK(plait_lock_locked(&with->lock) == 0))                               \
    X(plait_lock_repr, 0, CHECK(plait_lock_repr(&with->lock, NULL, 0) == 18))                         \
    X(plait_rlock_new, ANY_TIME, CHECK(plait_rlock_free(plait_rlock_new()) == 0))                     \
    X(plait_rlock_free, ANY_TIME, CHECK(plait_rlock_free(NULL) == 0))                                 \
    X(plait_rlock_acquire, 0, acquire_and_release_rlock())                                            \
    X(plait_rlock_release, 0, CHECK(plait_rlock_release(&with->rlock) == PLAIT_EUNLOCKED))            \
    X(plait_rlock_depth, 0, CHECK(plait_rlock_depth(&with->rlock) == 0))                              \
    X(plait_rlock_locked, 0, CHECK(plait_rlock_locked(&with->rlock) == 0))                            \
    X(plait_rlock_repr, 0, CHECK(plait_rlock_repr(&with->rlock, NULL, 0) == 16))                      \
    X(plait_condition_new, ANY_TIME, CHECK(plait_condition_free(plait_condition_new(NULL)) == 0))     \
    X(plait_condition_init, 0, CHECK(plait_condition_init(&with->condition, NULL) == 0))              \
    X(plait_condition_free, ANY_TIME, CHECK(plait_condition_free(NULL) == 0))                         \
    X(plait_condition_acquire, 0, use_condition())                                                    \
    X(plait_condition_release, 0, CHECK(plait_condition_release(&with->condition) == PLAIT_EUNLOCKED)) \
    X(plait_condition_wait, 0, CHECK(plait_condition_wait(&with->condition, PLAIT_NOW) == PLAIT_ENOTOWNER))  \
    X(plait_condition_wait_for, 0, use_condition())                                                   \
    X(plait_condition_notify, 0, CHECK(plait_condition_notify(&with->condition, 1) == PLAIT_ENOTOWNER)) \
    X(plait_condition_notify_all, 0, use_condition())                                                 \
    X(plait_condition_repr, 0, CHECK(plait_condition_repr(&with->condition, NULL, 0) == 32))          \
    X(plait_barrier_new, ANY_TIME, CHECK(plait_barrier_free(plait_barrier_new(3, NULL)) == 0))        \
    X(plait_barrier_free, ANY_TIME, CHECK(plait_barrier_free(NULL) == 0))                             \
    X(plait_barrier_wait, 0, wait_in_vain_at_barrier())                                               \
    X(plait_barrier_abort, 0, wait_in_vain_at_barrier())                                              \
    X(plait_barrier_reset, 0, CHECK(plait_barrier_reset(with->barrier) == 0))                         \
    X(plait_barrier_broken, 0, CHECK(plait_barrier_broken(with->barrier) == 0))                       \
    X(plait_barrier_parties, 0, CHECK(plait_barrier_parties(with->barrier) == 1))                     \
    X(plait_barrier_n_waiting, 0, CHECK(plait_barrier_n_waiting(with->barrier) == 0))                 \
    X(plait_barrier_join, 0, join_and_leave_barrier())                                                \
    X(plait_barrier_leave, 0, CHECK(plait_barrier_leave(with->barrier) == -ENOENT))                   \
    X(plait_rwlock_new, ANY_TIME, CHECK(plait_rwlock_free(plait_rwlock_new(NULL)) == 0))              \
    X(plait_rwlock_free, ANY_TIME, CHECK(plait_rwlock_free(NULL) == 0))                               \
    X(plait_rwlock_acquire_read, 0, use_rwlock(plait_rwlock_acquire_read, 1, 0))                      \
    X(plait_rwlock_acquire_write, 0, use_rwlock(plait_rwlock_acquire_write, 0, 1))                    \
    X(plait_rwlock_release, 0, CHECK(plait_rwlock_release(with->rwlock) == PLAIT_EUNLOCKED))          \
    X(plait_rwlock_readers, 0, CHECK(plait_rwlock_readers(with->rwlock) == 0))                        \
    X(plait_rwlock_has_writer, 0, CHECK(plait_rwlock_has_writer(with->rwlock) == 0))                  \
    X(plait_semaphore_new, ANY_TIME, CHECK(plait_semaphore_free(plait_semaphore_new(3)) == 0))        \
    X(plait_bounded_semaphore_new, ANY_TIME, CHECK(plait_semaphore_free(plait_bounded_semaphore_new(3)) == 0))               \
    X(plait_owned_semaphore_new, ANY_TIME, CHECK(plait_semaphore_free(plait_owned_semaphore_new(3)) == 0))                   \
    X(plait_semaphore_init, ANY_TIME, init_semaphore(plait_semaphore_init))                           \
    X(plait_bounded_semaphore_init, ANY_TIME, init_semaphore(plait_bounded_semaphore_init))           \
    X(plait_semaphore_free, ANY_TIME, CHECK(plait_semaphore_free(NULL) == 0))                         \
    X(plait_semaphore_acquire, 0, acquire_and_release_semaphore())                                    \
    X(plait_semaphore_release, 0, acquire_and_release_semaphore())                                    \
    X(plait_semaphore_release_many, 0, release_many_of_semaphore())                                   \
    X(plait_semaphore_get_value, 0, CHECK(plait_semaphore_get_value(&with->semaphore) == 0))          \
    X(plait_semaphore_repr, 0, CHECK(plait_semaphore_repr(with->owned, NULL, 0) == 36))               \
    X(plait_event_new, ANY_TIME, CHECK(plait_event_free(plait_event_new()) == 0))                     \
    X(plait_event_free, ANY_TIME, CHECK(plait_event_free(NULL) == 0))                                 \
    X(plait_event_wait, 0, CHECK(plait_event_wait(&with->event, plait_after(0.02)) == -ETIMEDOUT))    \
    X(plait_event_set, 0, set_and_clear_event())                                                      \
    X(plait_event_clear, 0, set_and_clear_event())                                                    \
    X(plait_event_is_set, 0, CHECK(plait_event_is_set(&with->event) == 0))                            \
    X(plait_deadlock_report, 0, report_deadlocks())

#endif
