/* process/waitables.h - what of this room can be waited for together with other things. */
#ifndef PLAIT_PROCESS_WAITABLES_H
#define PLAIT_PROCESS_WAITABLES_H

#include "family/waitable.h"

/* The end of a process or thread. */
extern const struct plait__waitable plait__process_waitable;

#endif
