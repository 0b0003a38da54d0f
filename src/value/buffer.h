/* value/buffer.h - bytes that grow at their end. */
#ifndef PLAIT_VALUE_BUFFER_H
#define PLAIT_VALUE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/atomics.h"

/* All zero: empty.  What was written stays where it is in the buffer, not in memory: `at` changes as it grows. */
struct plait__buffer {
    unsigned char *at;
    size_t size, room;
};

/* Room for so many bytes in all; 0, or -ENOMEM: the buffer is as before. */
int plait__buffer_grow(struct plait__buffer *buffer, size_t size);

/* Give its memory back; it is empty then. */
void plait__buffer_free(struct plait__buffer *buffer);

/* Room for so many more. */
static inline int plait__buffer_reserve(struct plait__buffer *buffer, size_t more)
{
    if (PLAIT__LIKELY(more <= buffer->room - buffer->size)) return 0;
    return more > SIZE_MAX - buffer->size ? plait__buffer_grow(buffer, SIZE_MAX) : plait__buffer_grow(buffer, buffer->size + more);
}

static inline int plait__buffer_put(struct plait__buffer *buffer, const void *bytes, size_t size)
{
    int error = plait__buffer_reserve(buffer, size);
    if (PLAIT__UNLIKELY(error)) return error;
    if (size) memcpy(buffer->at + buffer->size, bytes, size);
    buffer->size += size;
    return 0;
}

#endif
