/* family/claim.h - a word that says who works on something: a leased message, a chunk of a map.
 *
 *   63      32 31   24 23      16 15   0
 *   | life   | state | attempts | slot |
 *
 * What the states are is up to the room.  A claim whose life has ended may be taken over by whoever swaps its own name in, so
 * that a death needs no repair.
 */
#ifndef PLAIT_FAMILY_CLAIM_H
#define PLAIT_FAMILY_CLAIM_H

#include <stdint.h>

#include "family/roster.h"

static inline uint64_t plait__claim(unsigned state, uint32_t attempts)
{
    return plait__self.owner | (uint64_t)state << 24 | (uint64_t)(attempts < 255 ? attempts : 255) << 16;
}

/* The same claim in another state. */
static inline uint64_t plait__claim_with_state(uint64_t claim, unsigned state)
{
    return (claim & ~UINT64_C(0xff000000)) | (uint64_t)state << 24;
}

static inline unsigned plait__claim_state(uint64_t claim)
{
    return (unsigned)(claim >> 24) & 0xff;
}

static inline uint32_t plait__claim_attempts(uint64_t claim)
{
    return (uint32_t)(claim >> 16) & 0xff;
}

/* The claimer, as plait__fate wants it. */
static inline uint64_t plait__claim_owner(uint64_t claim)
{
    return claim & ~UINT64_C(0xffff0000);
}

#endif
