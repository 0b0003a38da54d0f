#include <poll.h>

#include "base/deadline.h"
#include "message/connection_internal.h"
#include "message/waitables.h"

/* The descriptor tells of everything but of a sender in this family that dies in the middle of a message: its end may still be open
 * elsewhere. */
#define NOW_AND_THEN (20 * PLAIT__MILLISECOND)

static int look_at_connection(void *object, bool arms, struct plait__place *place)
{
    (void)arms;
    plait_connection *connection = object;
    int ready = plait_connection_poll(connection, PLAIT_NOW);
    if (ready) return ready;
    bool in_the_middle = connection->other && plait__is_torn(&connection->other->out);
    *place = (struct plait__place){ .fd = connection->fd, .events = POLLIN,
                                    .again = in_the_middle ? plait__now() + NOW_AND_THEN : 0 };
    return 0;
}

const struct plait__waitable plait__connection_waitable = { .look = look_at_connection };
