/* message/value_queue.c - values as messages: their pickles.
 *
 * A value is encoded before its putter owns anything, into memory of its own.  It is decoded by who owns the head, from where the
 * message lies, before that is taken: so what can't be decoded stays, as does the message of who dies meanwhile.
 */
#include <errno.h>

#include <plait/pickle.h>

#include "base/error.h"
#include "message/queue_internal.h"
#include "value/pickle.h"
#include "value/value.h"

/* ---- putting ---- */

static int put_pickle(plait_queue *queue, int64_t priority, const plait_value *value, plait_deadline deadline)
{
    struct plait__buffer pickle = { NULL, 0, 0 };
    int error = plait__pickle_into(&pickle, value, 0);
    if (!error) error = priority ? plait_queue_put_priority(queue, priority, pickle.at, pickle.size, deadline)
                                 : plait_queue_put(queue, pickle.at, pickle.size, deadline);
    plait__buffer_free(&pickle);
    return error;
}

int plait_queue_put_value_priority(plait_queue *queue, int64_t priority, plait_value *value, plait_deadline deadline)
{
    int error = value ? 0 : -plait__null_given();
    if (!plait__is_queue(queue)) error = plait__not_a_queue(queue);
    if (!error) error = put_pickle(queue, priority, value, deadline);
    plait_value_free(value);
    return error;
}

int plait_queue_put_value(plait_queue *queue, plait_value *value, plait_deadline deadline)
{
    return plait_queue_put_value_priority(queue, 0, value, deadline);
}

/* ---- getting ---- */

ssize_t plait__read_value(const void *data, size_t size, const struct plait__taking *taking)
{
    *taking->value = plait_pickle_loads(data, size, NULL);
    return *taking->value ? (ssize_t)size : -errno;
}

static plait_value *value_or_null(plait_value *value, ssize_t result)
{
    return result < 0 ? plait__null((int)result) : value;
}

plait_value *plait_queue_get_value(plait_queue *queue, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__null(plait__not_a_queue(queue));
    plait_value *value = NULL;
    struct plait__taking taking = { .value = &value };
    const ssize_t result = plait__take_plainly(queue, &taking, deadline);
    return value_or_null(value, result);
}

plait_value *plait_queue_lease_value(plait_queue *queue, plait_lease *lease, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__null(plait__not_a_queue(queue));
    if (!lease) return plait__null(plait__fail(-EINVAL, "the lease is NULL"));
    if (!queue->leases) return plait__null(plait__fail(-EINVAL, "the queue was made without leases"));
    plait_value *value = NULL;
    const struct plait__taking taking = { .value = &value, .lease = lease };
    const ssize_t result = plait__take_with_lease(queue, &taking, deadline);
    return value_or_null(value, result);
}
