/* sync/owned_semaphore.h - the semaphore whose permits know their holders, behind the functions of plait/semaphore.h. */
#ifndef PLAIT_SYNC_OWNED_SEMAPHORE_H
#define PLAIT_SYNC_OWNED_SEMAPHORE_H

#include <stdatomic.h>
#include <stdint.h>

#include <plait/semaphore.h>

#include "family/waitable.h"

#define PLAIT__OWNED_SEMAPHORE 1u                          /* `kind` of a plait_semaphore */

struct plait__owned_semaphore {
    plait_semaphore face;                                  /* what users see */
    plait__word bell;                                      /* see owned_semaphore.c */
    uint32_t permits;
    _Atomic uint64_t holders[];                            /* of each permit: life << 32 | slot; 0: nobody */
};

static inline struct plait__owned_semaphore *plait__owned_of(const plait_semaphore *semaphore)
{
    return (struct plait__owned_semaphore *)(uintptr_t)semaphore;
}

/* The one who holds all permits, as an owner word; 0: several do, or one can be had.  For who asks why nothing goes on: the memory
 * may have become something else. */
uint64_t plait__owned_semaphore_holder(const struct plait__owned_semaphore *owned);

/* The caller is a member.  As plait_semaphore_acquire. */
int plait__owned_semaphore_acquire(struct plait__owned_semaphore *owned, plait_deadline deadline);

/* As plait_semaphore_release_many and plait_semaphore_get_value. */
int plait__owned_semaphore_release(struct plait__owned_semaphore *owned, uint32_t count);
int plait__owned_semaphore_get_value(const struct plait__owned_semaphore *owned);

/* As the functions of struct plait__waitable. */
int plait__owned_semaphore_look(struct plait__owned_semaphore *owned, bool arms, struct plait__place *place);
void plait__owned_semaphore_pass_on(struct plait__owned_semaphore *owned);

#endif
