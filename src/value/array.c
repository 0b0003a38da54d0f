/* array.array: items of one type, side by side. */
#include <stdlib.h>

#include "value/builtin.h"
#include "value/container.h"
#include "value/repr.h"

/* How Python names what lies in an array, whatever the machine: the place in the table, without the order of the bytes. */
enum { INTEGER, SIGNED, REAL, TEXT };                      /* what the items are */

static const struct format {
    unsigned size, kind;
} formats[] = {
    { 1, INTEGER }, { 1, SIGNED }, { 2, INTEGER }, { 2, INTEGER }, { 2, SIGNED }, { 2, SIGNED }, { 4, INTEGER }, { 4, INTEGER },
    { 4, SIGNED }, { 4, SIGNED }, { 8, INTEGER }, { 8, INTEGER }, { 8, SIGNED }, { 8, SIGNED }, { 4, REAL }, { 4, REAL },
    { 8, REAL }, { 8, REAL }, { 2, TEXT }, { 2, TEXT }, { 4, TEXT }, { 4, TEXT },
};
enum { FORMATS = sizeof formats / sizeof formats[0], BIG_ENDIAN_HERE = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ };

static bool is_big_endian(int64_t format)
{
    return format >= 2 && format & 1;
}

/* What a type code means on this machine; size 0: there is none. */
static struct format format_of(int code)
{
    switch (code) {
    case 'b': return (struct format){ 1, SIGNED };
    case 'B': return (struct format){ 1, INTEGER };
    case 'h': return (struct format){ sizeof(short), SIGNED };
    case 'H': return (struct format){ sizeof(short), INTEGER };
    case 'i': return (struct format){ sizeof(int), SIGNED };
    case 'I': return (struct format){ sizeof(int), INTEGER };
    case 'l': return (struct format){ sizeof(long), SIGNED };
    case 'L': return (struct format){ sizeof(long), INTEGER };
    case 'q': return (struct format){ 8, SIGNED };
    case 'Q': return (struct format){ 8, INTEGER };
    case 'f': return (struct format){ 4, REAL };
    case 'd': return (struct format){ 8, REAL };
    case 'u':
    case 'w': return (struct format){ 4, TEXT };
    default: return (struct format){ 0, 0 };
    }
}

static int64_t number_of(struct format format)
{
    for (int64_t i = 0; i < FORMATS; i++)
        if (formats[i].size == format.size && formats[i].kind == format.kind && (i < 2 || is_big_endian(i) == BIG_ENDIAN_HERE))
            return i;
    return -1;
}

plait_value *plait_array(int typecode, const void *items, size_t n)
{
    const struct format format = format_of(typecode);
    const char code[] = { (char)typecode, 0 };
    if (!format.size || (!items && n) || n > PTRDIFF_MAX / 8) {
        plait__fail(-EINVAL, format.size ? "%zu items at NULL" : "%zu items of a type that Python's arrays do not have", n);
        return plait__null(EINVAL);
    }
    return plait_object_of_call("array._array_reconstructor",
                                plait_tuple(4, plait_global("array.array"), plait_string(code), plait_int(number_of(format)),
                                            plait_bytes(items, n * format.size)));
}

/* ---- what an array is made of ---- */

struct array {
    int code;
    struct format format;                                  /* of that code, here */
    const plait_value *items;                              /* bytes, or a list of numbers */
    int64_t sent;                                          /* which of the formats the bytes have */
};

bool plait__is_array(const plait_value *value)
{
    const char *called = plait__called(value);
    return called && (strcmp(called, "array._array_reconstructor") == 0 || strcmp(called, "array.array") == 0);
}

static int code_of(const plait_value *value)
{
    size_t size;
    const char *code = value && value->type == PLAIT_STRING ? plait__bytes_of(value, &size) : NULL;
    return code && size == 1 ? *code : 0;
}

/* array.array('i', [1, 2]), the same of bytes as they lie in this machine, which multiprocessing sends, or the other form, which
 * Python writes since protocol 3. */
static int take_apart(const plait_value *value, struct array *array)
{
    const bool sent = plait__called(value)[5] == '.' && plait__called(value)[6] == '_';
    *array = (struct array){ .code = code_of(plait__argument(value, sent)), .items = plait__argument(value, sent ? 3 : 1),
                             .sent = -1 };
    array->format = format_of(array->code);
    if (!array->format.size) return plait__fail(-EINVAL, "an array without a type");
    const bool has_bytes = array->items && array->items->type == PLAIT_BYTES;
    if (!sent && has_bytes) {
        array->sent = number_of(array->format);
        if ((size_t)plait_value_len(array->items) % array->format.size == 0) return 0;
        return plait__fail(-EINVAL, "an array with a part of an item");
    }
    if (!sent) return array->items && array->items->type != PLAIT_LIST ? plait__fail(-EINVAL, "an array without items") : 0;
    if (!has_bytes || plait_int_get(plait__argument(value, 2), &array->sent) < 0 ||
        array->sent < 0 || array->sent >= FORMATS || (size_t)plait_value_len(array->items) % formats[array->sent].size)
        return plait__fail(-EINVAL, "an array of a form that Python does not send");
    return 0;
}

static bool is_native(const struct array *array)
{
    const struct format sent = formats[array->sent];
    return sent.size == array->format.size && sent.kind == array->format.kind &&
           (sent.size == 1 || is_big_endian(array->sent) == BIG_ENDIAN_HERE);
}

/* ---- items of other machines ---- */

/* One number on its way from a form to another. */
struct item {
    bool negative;
    uint64_t whole;                                        /* two's complement */
    double real;
};

static uint64_t bits_at(const unsigned char *at, unsigned size, bool big_endian)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < size; i++) bits = bits << 8 | at[big_endian ? i : size - 1 - i];
    return bits;
}

static struct item read_item(const unsigned char *at, int64_t sent)
{
    const struct format format = formats[sent];
    struct item item = { .whole = bits_at(at, format.size, is_big_endian(sent)) };
    const uint32_t half = (uint32_t)item.whole;
    float single;
    memcpy(&single, &half, sizeof single);
    memcpy(&item.real, &item.whole, sizeof item.real);
    if (format.kind == REAL && format.size == 4) item.real = (double)single;
    item.negative = format.kind == SIGNED && item.whole >> (format.size * 8 - 1);
    if (item.negative && format.size < 8) item.whole |= UINT64_MAX << format.size * 8;
    return item;
}

static int item_of_value(const plait_value *value, struct format format, struct item *item)
{
    *item = (struct item){ .whole = 0 };
    if (format.kind == REAL) return plait_float_get(value, &item->real);
    if (format.kind == TEXT) return plait__fail(-EINVAL, "an array of characters as a list");
    int64_t number;
    int error = plait_int_get(value, &number);
    if (error == -ERANGE) return plait_uint_get(value, &item->whole);
    item->negative = !error && number < 0;
    item->whole = error ? 0 : (uint64_t)number;
    return error;
}

static bool item_fits(const struct item *item, struct format format)
{
    const unsigned bits = format.size * 8;
    if (format.kind == REAL || format.kind == TEXT) return true;
    if (format.kind == INTEGER) return !item->negative && (bits == 64 || item->whole >> bits == 0);
    const uint64_t above = item->whole >> (bits - 1);      /* all of these are as the sign is */
    return item->negative ? above == UINT64_MAX >> (bits - 1) : above == 0;
}

static int write_item(char *to, const struct item *item, struct format format)
{
    if (!item_fits(item, format)) return plait__fail(-ERANGE, "an item of the array does not fit its type");
    const float single = (float)item->real;
    if (format.kind == REAL) {
        memcpy(to, format.size == 4 ? (const void *)&single : (const void *)&item->real, format.size);
        return 0;
    }
    const uint64_t shifted = BIG_ENDIAN_HERE ? item->whole << (64 - format.size * 8) : item->whole;
    memcpy(to, &shifted, format.size);
    return 0;
}

static size_t count_of(const struct array *array)
{
    if (array->sent < 0) return array->items ? array->items->as.list.size : 0;
    return (size_t)plait_value_len(array->items) / formats[array->sent].size;
}

static int convert(const struct array *array, char *to)
{
    size_t size = 0;
    const unsigned char *bytes = array->sent < 0 ? NULL : (const unsigned char *)plait__bytes_of(array->items, &size);
    for (size_t i = 0, n = count_of(array); i < n; i++, to += array->format.size) {
        struct item item;
        if (bytes) item = read_item(bytes + i * formats[array->sent].size, array->sent);
        int error = bytes ? 0 : item_of_value(array->items->as.list.items[i], array->format, &item);
        if (!error) error = write_item(to, &item, array->format);
        if (error) return error;
    }
    return 0;
}

/* Readers may come here side by side: what the first one made is kept. */
static const plait_value *native_of(const plait_value *value, const struct array *array)
{
    _Atomic(plait_value *) *kept = &value->as.object->native;
    plait_value *there = atomic_load_explicit(kept, memory_order_acquire);
    if (there) return there;
    char *bytes;
    if (array->sent >= 0 && (formats[array->sent].kind == REAL) != (array->format.kind == REAL))
        return plait__null(plait__fail(-EINVAL, "an array of a form that Python does not send"));
    plait_value *made = plait__bytes_room(PLAIT_BYTES, count_of(array) * array->format.size, &bytes);
    if (!made) return NULL;
    const int error = convert(array, bytes);
    if (!error && atomic_compare_exchange_strong_explicit(kept, &there, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    plait_value_free(made);
    return error ? plait__null(error) : there;
}

const void *plait_array_get(const plait_value *value, int *typecode, size_t *n)
{
    struct array array;
    size_t size;
    int error = plait__is_array(value) ? take_apart(value, &array) : plait__is_no(value, "array");
    if (error) return plait__null(error);
    const plait_value *native = array.sent >= 0 && is_native(&array) ? array.items : native_of(value, &array);
    if (!native) return NULL;
    const char *bytes = plait__bytes_of(native, &size);
    if (typecode) *typecode = array.code;
    if (n) *n = size / array.format.size;
    return bytes;
}

/* ---- printing ---- */

static void put_item(struct plait__text *text, const char *at, struct format format)
{
    struct item item = read_item((const unsigned char *)at, number_of(format));
    if (format.kind == REAL) plait__put_float(text, item.real);
    else if (format.kind == SIGNED) plait__put_formatted(text, "%lld", (long long)item.whole);
    else plait__put_formatted(text, "%llu", (unsigned long long)item.whole);
}

static void put_items(struct plait__text *text, const char *items, size_t n, struct format format)
{
    plait__put(text, ", [");
    bool is_first = true;
    for (size_t i = 0; i < n && plait__go_on(text, &is_first); i++) put_item(text, items + i * format.size, format);
    plait__put(text, "]");
}

bool plait__put_array(struct plait__text *text, const plait_value *value)
{
    int code;
    size_t n;
    struct plait__detail detail;
    plait__keep_detail(&detail);
    const char *items = plait_array_get(value, &code, &n);
    plait__restore_detail(&detail);
    if (!items) return false;
    plait__put_formatted(text, "array('%c'", code);
    if (n && format_of(code).kind == TEXT) {
        plait__put(text, ", ");
        plait__put_points_repr(text, (const uint32_t *)(const void *)items, n);
    } else if (n) {
        put_items(text, items, n, format_of(code));
    }
    plait__put(text, ")");
    return true;
}
