/* message/connection_value.c - values over connections: each is one message, a pickle. */
#include <errno.h>
#include <stdlib.h>

#include <plait/connection.h>
#include <plait/pickle.h>

#include "base/error.h"

int plait_connection_send(plait_connection *connection, plait_value *value, plait_deadline deadline)
{
    size_t size;
    if (!value) return plait__fail(-EINVAL, "there is no value to send");
    void *bytes = plait_pickle_dumps(value, NULL, &size);
    int error = bytes ? 0 : -errno;
    plait_value_free(value);
    if (error) return error;
    error = plait_connection_send_bytes(connection, bytes, size, deadline);
    free(bytes);
    return error;
}

plait_value *plait_connection_recv(plait_connection *connection, plait_deadline deadline)
{
    void *bytes;
    ssize_t size = plait_connection_recv_alloc(connection, &bytes, SIZE_MAX, deadline);
    if (size < 0) return plait__null((int)size);
    plait_value *value = plait_pickle_loads(bytes, (size_t)size, NULL);
    int error = errno;
    free(bytes);
    errno = error;
    return value;
}
