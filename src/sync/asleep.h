/* sync/asleep.h - for words with a bit for "somebody sleeps", which anyone may change. */
#ifndef PLAIT_SYNC_ASLEEP_H
#define PLAIT_SYNC_ASLEEP_H

#include "base/error.h"
#include "family/roster.h"

/* Somebody may sleep, and the next change of the word has to wake it.  Be a member before that change: if we are killed between
 * both, our death wakes everybody.  Of one who can not be one nobody takes notice, which is no reason not to wake. */
static inline void plait__before_waking(void)
{
    if (PLAIT__LIKELY(plait__is_member())) return;
    struct plait__detail detail;
    plait__keep_detail(&detail);
    if (plait__join()) plait__restore_detail(&detail);
}

#endif
