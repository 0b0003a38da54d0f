#include <poll.h>

#include "base/deadline.h"
#include "base/error.h"
#include "message/connection_internal.h"
#include "message/waitables.h"

/* The descriptor does not tell of a sender in this family that dies in the middle of a message, as its end may still be open
 * elsewhere; nor of what another receiver took and left in memory. */
#define NOW_AND_THEN (20 * PLAIT__MILLISECOND)
#define RARELY (100 * PLAIT__MILLISECOND)

static int look_at_connection(void *object, bool arms, struct plait__place *place)
{
    (void)arms;
    plait_connection *connection = object;
    struct plait__detail detail;
    plait__keep_detail(&detail);
    int ready = plait_connection_poll(connection, PLAIT_NOW);
    if (ready >= 0) plait__restore_detail(&detail);
    if (ready) return ready;
    bool somebody_sends = connection->other && atomic_load(&connection->other->out.owner) != 0;
    *place = (struct plait__place){ .fd = connection->fd, .events = POLLIN,
                                    .again = plait__now() + (somebody_sends ? NOW_AND_THEN : RARELY) };
    return 0;
}

const struct plait__waitable plait__connection_waitable = { .look = look_at_connection };
