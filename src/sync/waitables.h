/* sync/waitables.h - what of this room can be waited for together with other things. */
#ifndef PLAIT_SYNC_WAITABLES_H
#define PLAIT_SYNC_WAITABLES_H

#include "family/waitable.h"

extern const struct plait__waitable plait__event_waitable, plait__semaphore_waitable;

#endif
