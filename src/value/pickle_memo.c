/* Writing pickles: values that are held more than once are written once. */
#include <stdlib.h>

#include "value/pickle_write.h"

enum { KNOWN_AT_FIRST = 64 };

static size_t place_of(const struct plait__writer *writer, const plait_value *value)
{
    const uint64_t mixed = (uint64_t)(uintptr_t)value * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 32) & (writer->known_room - 1);
    while (writer->known[at].value && writer->known[at].value != value) at = (at + 1) & (writer->known_room - 1);
    return at;
}

static int make_room(struct plait__writer *writer)
{
    struct plait__known *before = writer->known;
    const size_t room = writer->known_room;
    struct plait__known *known = calloc(room ? room * 2 : KNOWN_AT_FIRST, sizeof *known);
    if (!known) return plait__fail(-ENOMEM, "there is no memory to note %zu values that are held more than once", room);
    writer->known = known;
    writer->known_room = room ? room * 2 : KNOWN_AT_FIRST;
    for (size_t i = 0; i < room; i++)
        if (before[i].value) known[place_of(writer, before[i].value)] = before[i];
    free(before);
    return 0;
}

/* In one byte, or in four. */
static int put_index(struct plait__writer *writer, int few, int many, size_t index)
{
    unsigned char bytes[5] = { (unsigned char)(index < 256 ? few : many) };
    const size_t size = index < 256 ? 1 : 4;
    for (size_t i = 0; i < size; i++) bytes[1 + i] = (unsigned char)(index >> (8 * i));
    return plait__pickle_put(writer, bytes, 1 + size);
}

int plait__pickle_write_get(struct plait__writer *writer, size_t index)
{
    return put_index(writer, PICKLE_BINGET, PICKLE_LONG_BINGET, index);
}

int plait__pickle_again(struct plait__writer *writer, const plait_value *value)
{
    if (!writer->known) return 0;
    const struct plait__known *known = &writer->known[place_of(writer, value)];
    if (!known->value) return 0;
    int error = plait__pickle_write_get(writer, known->index);
    return error ? error : 1;
}

int plait__pickle_number(struct plait__writer *writer, size_t *index)
{
    const size_t next = *index = writer->memo_count;
    if (next > UINT32_MAX) return plait__fail(-EOVERFLOW, "more than 2^32 values are held more than once");
    writer->memo_count++;
    if (writer->protocol >= 4) return plait__pickle_code(writer, PICKLE_MEMOIZE);
    return put_index(writer, PICKLE_BINPUT, PICKLE_LONG_BINPUT, next);
}

int plait__pickle_remember(struct plait__writer *writer, const plait_value *value)
{
    if (PLAIT__LIKELY(!plait__pickle_is_shared(value))) return 0;
    size_t index;
    int error = writer->known_used < writer->known_room / 2 ? 0 : make_room(writer);
    if (!error) error = plait__pickle_number(writer, &index);
    if (error) return error;
    writer->known[place_of(writer, value)] = (struct plait__known){ value, index };
    writer->known_used++;
    return 0;
}
