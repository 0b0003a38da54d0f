/* message/waitables.h - what of this room can be waited for together with other things. */
#ifndef PLAIT_MESSAGE_WAITABLES_H
#define PLAIT_MESSAGE_WAITABLES_H

#include "family/waitable.h"

/* A queue, for a message; for room. */
extern const struct plait__waitable plait__queue_waitable, plait__room_waitable;

/* An end of a pipe, for something to receive. */
extern const struct plait__waitable plait__connection_waitable;

#endif
