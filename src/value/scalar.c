/* Values without other values in them: made, read. */
#include "value/value.h"

#include <stdlib.h>

#include "value/text.h"

#define IMMORTAL_VALUE(of_type, number) \
    { .type = of_type, .refs = PLAIT__IMMORTAL, .as = { .integer = number } }

plait_value plait__none = IMMORTAL_VALUE(PLAIT_NONE, 0);
plait_value plait__false = IMMORTAL_VALUE(PLAIT_BOOL, 0);
plait_value plait__true = IMMORTAL_VALUE(PLAIT_BOOL, 1);

void *plait__no_memory(void)
{
    plait__fail(-ENOMEM, "there is no memory for a value");
    return plait__null(ENOMEM);
}

int plait__null_given(void)
{
    switch (errno) {
    case ENOMEM:
    case EILSEQ:
    case ELOOP:
    case EOVERFLOW:
    case ERANGE:
    case EBADMSG:
    case ENOTSUP:
    case ENOENT: return errno;
    }
    if (errno > 4096) return errno;                        /* plait's own */
    return plait__fail(EINVAL, "a value is NULL");
}

/* ---- numbers ---- */

plait_value *plait_none(void)
{
    return &plait__none;
}

plait_value *plait_bool(int truth)
{
    return truth ? &plait__true : &plait__false;
}

plait_value *plait_int(int64_t number)
{
    return plait__int_new(number);
}

plait_value *plait_float(double number)
{
    plait_value *value = plait__value_new(PLAIT_FLOAT);
    if (value) value->as.real = number;
    return value;
}

/* ---- bytes ---- */

/* In the cell, in another cell, or in the heap. */
plait_value *plait__bytes_room(int type, size_t size, char **bytes)
{
    plait_value *value = plait__value_new(type);
    if (!value) return NULL;
    if (size <= PLAIT__SHORT_SIZE) {
        value->flags = PLAIT__SHORT;
        value->size = (uint8_t)size;
        *bytes = value->as.small;
    } else {
        char *data = size < PLAIT__CELL ? plait__cell_new() : size < PTRDIFF_MAX ? malloc(size + 1) : NULL;
        if (!data) {
            plait__cell_free(value);
            return plait__no_memory();
        }
        value->as.bytes.data = *bytes = data;
        value->as.bytes.size = size;
    }
    (*bytes)[size] = 0;
    return value;
}

plait_value *plait__bytes_new(int type, const void *data, size_t size)
{
    char *bytes;
    plait_value *value = plait__bytes_room(type, size, &bytes);
    if (value && size) memcpy(bytes, data, size);
    return value;
}

static plait_value *new_bytes(int type, const void *data, size_t size)
{
    if (data || !size) return plait__bytes_new(type, data, size);
    plait__fail(-EINVAL, "%zu bytes at NULL", size);
    return plait__null(EINVAL);
}

plait_value *plait_bytes(const void *data, size_t size)
{
    return new_bytes(PLAIT_BYTES, data, size);
}

plait_value *plait_bytearray(const void *data, size_t size)
{
    return new_bytes(PLAIT_BYTEARRAY, data, size);
}

/* ---- strings ---- */

plait_value *plait__string_new(const char *text, size_t size)
{
    const size_t ascii = plait__ascii_prefix(text, size);
    if (PLAIT__UNLIKELY(ascii < size && !plait__is_text(text + ascii, size - ascii))) {
        plait__fail(-EILSEQ, "the string is not UTF-8");
        return plait__null(EILSEQ);
    }
    plait_value *value = plait__bytes_new(PLAIT_STRING, text, size);
    if (value && ascii == size) value->flags |= PLAIT__ASCII;
    return value;
}

plait_value *plait_string_sized(const char *text, size_t size)
{
    if (text || !size) return plait__string_new(text, size);
    plait__fail(-EINVAL, "%zu bytes at NULL", size);
    return plait__null(EINVAL);
}

plait_value *plait_string(const char *text)
{
    if (text) return plait__string_new(text, strlen(text));
    plait__fail(-EINVAL, "the text is NULL");
    return plait__null(EINVAL);
}

/* ---- reading ---- */

/* For a value that is NULL or of another type than the one that was wanted. */
static int is_no(const plait_value *value, const char *wanted)
{
    if (!value) return plait__fail(-EINVAL, "the value is NULL");
    return plait__fail(-EINVAL, "%s was wanted, the value is of type '%s'", wanted, plait_value_type_name(value));
}

int plait_bool_get(const plait_value *value, int *truth)
{
    if (!value || value->type != PLAIT_BOOL) return is_no(value, "a bool");
    if (truth) *truth = (int)value->as.integer;
    return 0;
}

const char *plait_string_get(const plait_value *value, size_t *size)
{
    size_t bytes;
    if (!value || value->type != PLAIT_STRING) return plait__null(is_no(value, "a string"));
    return plait__bytes_of(value, size ? size : &bytes);
}

const void *plait_bytes_get(const plait_value *value, size_t *size)
{
    size_t bytes;
    if (!value || (value->type != PLAIT_BYTES && value->type != PLAIT_BYTEARRAY)) return plait__null(is_no(value, "bytes"));
    return plait__bytes_of(value, size ? size : &bytes);
}
