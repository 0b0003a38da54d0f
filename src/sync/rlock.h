/* sync/rlock.h - for the condition, which gives its lock back at once, however often it was acquired. */
#ifndef PLAIT_SYNC_RLOCK_H
#define PLAIT_SYNC_RLOCK_H

#include <stdbool.h>

#include <plait/rlock.h>

bool plait__rlock_is_mine(const plait_rlock *lock);

/* The caller holds it.  How often it did, beyond the first time. */
uint32_t plait__rlock_release_all(plait_rlock *lock);

/* As plait_rlock_acquire for ever, and it is held so often then, beyond the first time. */
int plait__rlock_acquire_all(plait_rlock *lock, uint32_t more);

#endif
