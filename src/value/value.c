/* What can be asked of any value. */
#include "value/value.h"

#include <stdlib.h>

#include "value/builtin.h"
#include "value/container.h"
#include "value/walk.h"

int plait_value_type(const plait_value *value)
{
    return value ? value->type : plait__fail(-EINVAL, "the value is NULL");
}

int plait_is_none(const plait_value *value)
{
    return value && value->type == PLAIT_NONE;
}

/* Python leaves the module out if it is its own. */
static const char *object_type_name(const plait_value *object)
{
    const char *name = plait_object_class(object);
    if (!name) return "object";
    return strncmp(name, "builtins.", 9) == 0 ? name + 9 : name;
}

const char *plait_value_type_name(const plait_value *value)
{
    static const char *const names[] = {
        [PLAIT_NONE] = "NoneType", [PLAIT_BOOL] = "bool", [PLAIT_INT] = "int", [PLAIT_FLOAT] = "float", [PLAIT_STRING] = "str",
        [PLAIT_BYTES] = "bytes", [PLAIT_BYTEARRAY] = "bytearray", [PLAIT_LIST] = "list", [PLAIT_TUPLE] = "tuple",
        [PLAIT_DICT] = "dict", [PLAIT_SET] = "set", [PLAIT_FROZENSET] = "frozenset", [PLAIT_GLOBAL] = "global",
    };
    if (!value) return "NULL";
    return value->type == PLAIT_OBJECT ? object_type_name(value) : names[value->type];
}

/* Code points: all bytes that do not go on with one. */
static ssize_t count_points(const plait_value *string)
{
    size_t size, count = 0;
    const char *bytes = plait__bytes_of(string, &size);
    if (string->flags & PLAIT__ASCII) return (ssize_t)size;
    for (size_t i = 0; i < size; i++) count += (bytes[i] & 0xc0) != 0x80;
    return (ssize_t)count;
}

/* -1: it has none. */
static ssize_t len_of(const plait_value *value)
{
    size_t size;
    switch (value->type) {
    case PLAIT_STRING: return count_points(value);
    case PLAIT_BYTES:
    case PLAIT_BYTEARRAY: plait__bytes_of(value, &size); return (ssize_t)size;
    case PLAIT_LIST:
    case PLAIT_TUPLE: return value->as.list.size;
    case PLAIT_DICT:
    case PLAIT_SET:
    case PLAIT_FROZENSET: return (ssize_t)plait__table_len(value);
    case PLAIT_OBJECT: return plait__builtin_len(value);
    default: return -1;
    }
}

ssize_t plait_value_len(const plait_value *value)
{
    if (!value) return plait__fail(-EINVAL, "the value is NULL");
    const ssize_t len = len_of(value);
    return len >= 0 ? len : plait__fail(-EINVAL, "a value of type '%s' has no length", plait_value_type_name(value));
}

int plait_value_truth(const plait_value *value)
{
    if (!value) return plait__fail(-EINVAL, "the value is NULL");
    switch (value->type) {
    case PLAIT_NONE: return 0;
    case PLAIT_BOOL: return (int)value->as.integer;
    case PLAIT_INT: return value->flags & PLAIT__BIG || value->as.integer != 0;
    case PLAIT_FLOAT: return value->as.real != 0;
    case PLAIT_OBJECT: return plait__builtin_truth(value);
    default: return len_of(value) != 0;
    }
}

/* ---- containers of any kind ---- */

static int list_contains(const plait_value *list, const plait_value *item)
{
    for (uint32_t i = 0; i < list->as.list.size; i++) {
        struct plait__work work = { .depth = 0 };
        const int same = plait__same(list->as.list.items[i], item, &work);
        if (same) return same;
    }
    return 0;
}

int plait_value_contains(const plait_value *container, const plait_value *item)
{
    struct plait__entry *entry;
    if (!container || !item) return plait__fail(-EINVAL, "the value is NULL");
    if (container->type == PLAIT_LIST || container->type == PLAIT_TUPLE) return list_contains(container, item);
    if (container->type >= PLAIT_DICT && container->type <= PLAIT_FROZENSET) return plait__table_find(container, item, &entry);
    return plait__fail(-EINVAL, "a value of type '%s' contains nothing", plait_value_type_name(container));
}

/* What it held goes as the content of another value, which is none of the caller's. */
int plait_value_clear(plait_value *value)
{
    if (!value) return plait__fail(-EINVAL, "the value is NULL");
    if (value->type != PLAIT_LIST && value->type != PLAIT_DICT && value->type != PLAIT_SET && value->type != PLAIT_BYTEARRAY)
        return plait__fail(-EINVAL, "a value of type '%s' cannot be cleared", plait_value_type_name(value));
    struct plait_value content = { .type = value->type, .flags = value->flags, .refs = 1 };
    content.as = value->as;
    plait__contents_end(&content);
    value->as.bytes.data = NULL;
    value->as.bytes.size = 0;
    if (value->type == PLAIT_BYTEARRAY) value->flags = PLAIT__SHORT;
    value->size = 0;
    return 0;
}
