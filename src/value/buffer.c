/* Bytes that grow at their end. */
#include "value/buffer.h"

#include <stdlib.h>

#include "base/error.h"

enum { AT_FIRST = 256 };

/* By halves: what is written once and freed wastes less than by doubling, and realloc moves large blocks without copying them. */
int plait__buffer_grow(struct plait__buffer *buffer, size_t size)
{
    size_t room = buffer->room + buffer->room / 2;
    if (room < size || room < buffer->room) room = size;
    if (room < AT_FIRST) room = AT_FIRST;
    unsigned char *at = size <= PTRDIFF_MAX ? realloc(buffer->at, room) : NULL;
    if (!at) return plait__fail(-ENOMEM, "there is no memory for %zu bytes", size);
    buffer->at = at;
    buffer->room = room;
    return 0;
}

void plait__buffer_free(struct plait__buffer *buffer)
{
    free(buffer->at);
    *buffer = (struct plait__buffer){ .at = NULL };
}
