/* family/waitable.h - what the rooms tell about their objects to who waits for many at once (room `wait`, later event loops).
 *
 *     look without arming: ready?  Else place->word is where to be woken.
 *     (be known to those who wake: an armed bell, see bell.h)
 *     look and arm: still not ready?  Then sleep while *place->word is what it was, or on place->fd; and look again.
 */
#ifndef PLAIT_FAMILY_WAITABLE_H
#define PLAIT_FAMILY_WAITABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/futex.h"

/* What tells of a change: any of the three. */
struct plait__place {
    plait__word *word;                                     /* it is changed, and its sleepers are woken; NULL: no word */
    uint32_t expected;                                     /* what it was, before the look */
    int fd;                                                /* poll reports `events`; negative: no descriptor */
    short events;
    int64_t again;                                         /* nothing may tell: look again at this moment; 0: no need */
};

struct plait__waitable {
    /* Would a call that waits for the object go on at once?  1; 0 and *place; or an error with a detail.  `arms`: the flag that
     * somebody sleeps goes up before the look, so that who changes the object from then on wakes the sleepers of the word. */
    int (*look)(void *object, bool arms, struct plait__place *place);
    /* Somebody who slept on the word was woken in the place of another, and does not take what there is: wake the other.  NULL: all
     * sleepers are always woken.  The object may be gone. */
    void (*pass_on)(void *object);
};

static inline struct plait__place plait__place_at(plait__word *word, uint32_t expected)
{
    return (struct plait__place){ .word = word, .expected = expected, .fd = -1 };
}

#endif
