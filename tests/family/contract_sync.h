/* contract_sync.h - the rows of test_contract for locks and what is like them. */
#ifndef PLAIT_TEST_CONTRACT_SYNC_H
#define PLAIT_TEST_CONTRACT_SYNC_H

#include "harness.h"

#include <plait.h>

/* All in one block, zeroed when the contract begins: unlocked. */
static struct sync_objects {
    plait_lock lock;
    plait_rlock rlock;
} *with;

static void make_sync_objects(void)
{
    CHECK((with = plait_alloc(sizeof *with)));
}

static void free_sync_objects(void)
{
    CHECK(plait_free(with) == 0);
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
    X(plait_deadlock_report, 0, report_deadlocks())

#endif
