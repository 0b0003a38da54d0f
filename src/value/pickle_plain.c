/* Reading pickles: plain values that older protocols spell as calls. */
#include <stdlib.h>

#include "value/pickle_read.h"

static const plait_value *argument(const plait_value *tuple, uint32_t i, int type)
{
    if (i >= tuple->as.list.size) return NULL;
    const plait_value *item = tuple->as.list.items[i];
    return item->type == type ? item : NULL;
}

static uint32_t count_of(const plait_value *tuple)
{
    return tuple->as.list.size;
}

/* After a builder. */
static int made(const struct plait__reader *reader, plait_value *value)
{
    return value ? 1 : plait__pickle_failed(reader);
}

/* ---- bytes.  What is looked through is paid for before: it may be fetched from the memo again and again. ---- */

/* A str whose characters are below 256, a byte each; 0: it has others. */
static int from_latin1(struct plait__reader *reader, int type, const plait_value *text, plait_value **result)
{
    size_t size, length = 0;
    const unsigned char *at = (const unsigned char *)plait__bytes_of(text, &size), *end = at + size;
    int is_latin1 = plait__pickle_spend(reader, size);
    char *out = is_latin1 < 0 ? NULL : malloc(size + 1);
    if (!out) return is_latin1 < 0 ? is_latin1 : plait__pickle_bad(reader, -ENOMEM, "there is no memory for bytes");
    for (; at < end; at++) {
        if (*at > 0xc3) break;
        out[length++] = (char)(*at < 0x80 ? *at : (*at & 3) << 6 | (at[1] & 0x3f));
        at += *at >= 0x80;
    }
    is_latin1 = at == end;
    if (is_latin1) is_latin1 = made(reader, *result = plait__bytes_new(type, out, length));
    free(out);
    return is_latin1;
}

static bool is_latin1(const plait_value *name)
{
    static const char *const names[] = { "latin1", "latin-1", "latin_1", "iso-8859-1" };
    size_t size;
    const char *text = name ? plait__bytes_of(name, &size) : NULL;
    for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (size == strlen(names[i]) && memcmp(text, names[i], size) == 0) return true;
    return false;
}

/* bytes([1, 2]) */
static int from_ints(struct plait__reader *reader, int type, const plait_value *list, plait_value **result)
{
    char *bytes;
    int error = plait__pickle_spend(reader, list->as.list.size);
    if (error) return error;
    plait_value *value = plait__bytes_room(type, list->as.list.size, &bytes);
    for (uint32_t i = 0; value && i < list->as.list.size; i++) {
        int64_t number;
        if (plait_int_get(list->as.list.items[i], &number) < 0 || number < 0 || number > 255) {
            plait_value_free(value);
            return 0;
        }
        bytes[i] = (char)number;
    }
    return made(reader, *result = value);
}

/* bytes and bytearray: of nothing, of bytes, of text in Latin 1, of ints. */
static int bytes_of(struct plait__reader *reader, int type, const plait_value *arguments, plait_value **result)
{
    const plait_value *bytes = argument(arguments, 0, PLAIT_BYTES), *text = argument(arguments, 0, PLAIT_STRING);
    const plait_value *list = argument(arguments, 0, PLAIT_LIST);
    size_t size = 0;
    const char *data = bytes ? plait__bytes_of(bytes, &size) : "";
    if (count_of(arguments) == 0 || (bytes && count_of(arguments) == 1)) {
        int error = plait__pickle_spend(reader, size);
        if (error) return error;
        return made(reader, *result = plait__bytes_new(type, data, size));
    }
    if (text && count_of(arguments) == 2 && is_latin1(argument(arguments, 1, PLAIT_STRING)))
        return from_latin1(reader, type, text, result);
    return list && count_of(arguments) == 1 ? from_ints(reader, type, list, result) : 0;
}

static int encoded(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    const plait_value *text = argument(arguments, 0, PLAIT_STRING), *how = argument(arguments, 1, PLAIT_STRING);
    if (!text || count_of(arguments) != 2 || !is_latin1(how)) return 0;
    return from_latin1(reader, PLAIT_BYTES, text, result);
}

static int bytes(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    return bytes_of(reader, PLAIT_BYTES, arguments, result);
}

static int byte_array(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    return bytes_of(reader, PLAIT_BYTEARRAY, arguments, result);
}

/* ---- sets ---- */

static int set_of(struct plait__reader *reader, int type, const plait_value *arguments, plait_value **result)
{
    const plait_value *list = argument(arguments, 0, PLAIT_LIST);
    if (!list) list = argument(arguments, 0, PLAIT_TUPLE);
    if (count_of(arguments) == 0) return made(reader, *result = plait__value_new(type));
    if (!list || count_of(arguments) != 1) return 0;
    int error = plait__pickle_set_of(reader, type, list, result);
    return error ? error : 1;
}

static int set(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    return set_of(reader, PLAIT_SET, arguments, result);
}

static int frozen_set(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    return set_of(reader, PLAIT_FROZENSET, arguments, result);
}

/* ---- objects ---- */

static int object(const struct plait__reader *reader, enum plait__made how, plait_value *class_name, plait_value *arguments,
                  plait_value *keywords, plait_value **result)
{
    if (class_name->type != PLAIT_GLOBAL && class_name->type != PLAIT_OBJECT) {
        plait_value_free(arguments);
        return 0;
    }
    if (keywords) plait__ref_alone(keywords);
    return made(reader, *result = plait__object_new(how, plait__ref_alone(class_name), arguments, keywords));
}

/* A plain instance, as protocols 0 and 1 make it: of (class, object, None).  Those of other bases have a state of their own. */
static int reconstructed(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    plait_value *const *items = arguments->as.list.items;
    const plait_value *base = argument(arguments, 1, PLAIT_GLOBAL);
    if (count_of(arguments) != 3 || !base || strcmp(base->as.global.name, "builtins.object") != 0 ||
        items[2]->type != PLAIT_NONE)
        return 0;
    plait_value *none = plait__tuple_room(0);
    return none ? object(reader, PLAIT__BY_NEW, items[0], none, NULL, result) : plait__pickle_failed(reader);
}

/* copyreg.__newobj__(class, *arguments) */
static int new_object(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    const plait_value *tuple = arguments;
    if (count_of(tuple) == 0) return 0;
    int error = plait__pickle_spend(reader, count_of(tuple) * sizeof tuple->as.list.items[0]);
    if (error) return error;
    plait_value *rest = plait__tuple_room(count_of(tuple) - 1);
    if (!rest) return plait__pickle_failed(reader);
    for (uint32_t i = 1; i < count_of(tuple); i++) rest->as.list.items[i - 1] = plait__ref_alone(tuple->as.list.items[i]);
    return object(reader, PLAIT__BY_NEW, tuple->as.list.items[0], rest, NULL, result);
}

/* copyreg.__newobj_ex__(class, arguments, keywords) */
static int new_object_ex(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    plait_value *const *items = arguments->as.list.items;
    if (count_of(arguments) != 3 || items[1]->type != PLAIT_TUPLE || items[2]->type != PLAIT_DICT) return 0;
    return object(reader, PLAIT__BY_NEW_EX, items[0], plait__ref_alone(items[1]), items[2], result);
}

/* getattr(class, "name") is what protocols below 4 have for a name with a dot. */
static int attribute(struct plait__reader *reader, const plait_value *arguments, plait_value **result)
{
    const plait_value *of = argument(arguments, 0, PLAIT_GLOBAL), *name = argument(arguments, 1, PLAIT_STRING);
    if (count_of(arguments) != 2 || !of || !name) return 0;
    size_t size;
    const char *text = plait__bytes_of(name, &size);
    const size_t before = of->as.global.size - of->as.global.module;      /* with the dot before it */
    if (!plait__is_name(text, size) || memchr(text, '.', size)) return 0;
    int error = plait__pickle_spend(reader, of->as.global.size + size);
    char *whole = error ? NULL : malloc(before + size + 1);
    if (!whole) return error ? error : plait__pickle_bad(reader, -ENOMEM, "there is no memory for a name");
    memcpy(whole, of->as.global.name + of->as.global.module + 1, before - 1);
    whole[before - 1] = '.';
    memcpy(whole + before, text, size);
    *result = plait__global_new(of->as.global.name, of->as.global.module, whole, before + size);
    free(whole);
    return made(reader, *result);
}

static const struct {
    const char *name;
    int (*call)(struct plait__reader *reader, const plait_value *arguments, plait_value **result);
} calls[] = {
    { "_codecs.encode", encoded }, { "builtins.bytearray", byte_array }, { "builtins.bytes", bytes },
    { "builtins.frozenset", frozen_set }, { "builtins.getattr", attribute }, { "builtins.set", set },
    { "copyreg.__newobj__", new_object }, { "copyreg.__newobj_ex__", new_object_ex }, { "copyreg._reconstructor", reconstructed },
};

int plait__pickle_plain(struct plait__reader *reader, const plait_value *callable, const plait_value *arguments,
                        plait_value **result)
{
    if (callable->type != PLAIT_GLOBAL) return 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(callable->as.global.name, calls[i].name) != 0) continue;
        int error = plait__pickle_spend(reader, PLAIT__CELL + sizeof(struct plait__object));
        return error ? error : calls[i].call(reader, arguments, result);
    }
    return 0;
}
