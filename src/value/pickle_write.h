/* value/pickle_write.h - writing pickles: what its parts share. */
#ifndef PLAIT_VALUE_PICKLE_WRITE_H
#define PLAIT_VALUE_PICKLE_WRITE_H

#include "value/buffer.h"
#include "value/pickle_codes.h"
#include "value/value.h"

/* A container that is being written. */
struct plait__nest {
    const plait_value *value;
    plait_value *pending;                                  /* of a dict: the value of the key that was just written */
    size_t position;                                       /* in the dict or set; of an object: the next part of it */
    size_t done;                                           /* how many items are written, or begun */
};

/* Which index of the memo a value has; by its address, value NULL: free. */
struct plait__known {
    const plait_value *value;
    size_t index;
};

enum { PICKLE_NESTS = 24, PICKLE_GLOBALS = 8 };

struct plait__writer {
    struct plait__buffer *buffer;
    int protocol;
    size_t memo_count;                                     /* how many have an index */
    struct plait__known *known;                            /* a hash table of `known_room`, a power of 2; NULL: none yet */
    size_t known_used, known_room;
    struct plait__nest *nests;
    size_t count, room;
    plait_value *made;                                     /* states made for this: nothing else must get their addresses */
    struct plait__known globals[PICKLE_GLOBALS];           /* the last ones: the same class has a value of its own in each object */
    size_t global_count;
    struct plait__nest some_nests[PICKLE_NESTS];
};

static inline int plait__pickle_put(struct plait__writer *writer, const void *bytes, size_t size)
{
    return plait__buffer_put(writer->buffer, bytes, size);
}

static inline int plait__pickle_code(struct plait__writer *writer, int code)
{
    int error = plait__buffer_reserve(writer->buffer, 1);
    if (PLAIT__LIKELY(!error)) writer->buffer->at[writer->buffer->size++] = (unsigned char)code;
    return error;
}

/* ---- scalars (pickle_scalars.c) ---- */

int plait__pickle_write_int(struct plait__writer *writer, const plait_value *value);
int plait__pickle_write_float(struct plait__writer *writer, double number);
int plait__pickle_write_text(struct plait__writer *writer, const char *text, size_t size);
int plait__pickle_write_bytes(struct plait__writer *writer, const plait_value *value);

/* "builtins", "set": by its names, which are Python 3's. */
int plait__pickle_write_name(struct plait__writer *writer, const char *module, const char *name);
int plait__pickle_write_global(struct plait__writer *writer, const plait_value *global);

/* ---- the memo (pickle_memo.c) ---- */

/* A value that others hold, too, may have been written before: 1: it was, and stands there again.  0: it was not. */
int plait__pickle_again(struct plait__writer *writer, const plait_value *value);

/* It was written; if others hold it, too, it gets an index. */
int plait__pickle_remember(struct plait__writer *writer, const plait_value *value);

/* It gets an index, which is given back. */
int plait__pickle_number(struct plait__writer *writer, size_t *index);
int plait__pickle_write_get(struct plait__writer *writer, size_t index);

static inline bool plait__pickle_is_shared(const plait_value *value)
{
    return atomic_load_explicit(&value->refs, memory_order_relaxed) > 1;
}

/* ---- containers and objects (pickle_nest.c, pickle_object.c) ---- */

/* Write a value; if it holds others it is only begun, and lies on top of the nests. */
int plait__pickle_write(struct plait__writer *writer, const plait_value *value);

/* Go on with a container whose own beginning is written. */
int plait__pickle_nest(struct plait__writer *writer, const plait_value *value);

/* Go on with the topmost one, which is an object. */
int plait__pickle_write_object(struct plait__writer *writer);

/* The value and all that it holds. */
int plait__pickle_write_all(struct plait__writer *writer, const plait_value *value);

#endif
