/* repr() and str(). */
#include "value/repr.h"

#include <stdlib.h>

#include "value/builtin.h"
#include "value/number.h"
#include "value/object.h"

/* Values that share others can have a text without end: nothing more begins at this length. */
enum { LONGEST = 64 << 20 };

bool plait__go_on(struct plait__text *text, bool *is_first)
{
    if (!*is_first) plait__put(text, ", ");
    *is_first = false;
    if (PLAIT__LIKELY(text->length <= LONGEST)) return true;
    plait__put(text, "...");
    return false;
}

void plait__put_items(struct plait__text *text, const plait_value *list, struct plait__work *work)
{
    bool is_first = true;
    for (uint32_t i = 0; i < list->as.list.size && plait__go_on(text, &is_first); i++)
        plait__put_repr(text, list->as.list.items[i], work);
}

static void put_tuple(struct plait__text *text, const plait_value *tuple, struct plait__work *work)
{
    plait__put(text, "(");
    plait__put_items(text, tuple, work);
    plait__put(text, tuple->as.list.size == 1 ? ",)" : ")");
}

/* A dict, or what is between the braces of a set. */
static void put_table(struct plait__text *text, const plait_value *dict, struct plait__work *work)
{
    size_t position = 0;
    bool is_first = true;
    plait__put(text, "{");
    for (const struct plait__entry *entry; (entry = plait__table_next(dict, &position)) && plait__go_on(text, &is_first);) {
        plait__put_repr(text, entry->key, work);
        if (!entry->value) continue;
        plait__put(text, ": ");
        plait__put_repr(text, entry->value, work);
    }
    plait__put(text, "}");
}

static void put_set(struct plait__text *text, const plait_value *set, struct plait__work *work)
{
    const bool frozen = set->type == PLAIT_FROZENSET, empty = plait__table_len(set) == 0;
    if (empty) {
        plait__put(text, frozen ? "frozenset()" : "set()");
        return;
    }
    if (frozen) plait__put(text, "frozenset(");
    put_table(text, set, work);
    if (frozen) plait__put(text, ")");
}

/* What a method of the class says, if there is one; whether there is. */
static bool put_called(struct plait__text *text, const plait_value *object, const char *method)
{
    size_t size;
    plait_value *said = plait__object_text(object, method);
    if (!said) return false;
    const char *bytes = plait__bytes_of(said, &size);
    plait__put_bytes(text, bytes, size);
    plait_value_free(said);
    return true;
}

static void put_object(struct plait__text *text, const plait_value *object, struct plait__work *work)
{
    if (put_called(text, object, "__repr__") || plait__put_builtin(text, object, work)) return;
    const char *name = plait__object_class(object);
    plait__put(text, "<");
    plait__put(text, name ? name : "unknown");
    plait__put(text, " object>");
}

static void put_container(struct plait__text *text, const plait_value *value, struct plait__work *work)
{
    switch (value->type) {
    case PLAIT_LIST:
        plait__put(text, "[");
        plait__put_items(text, value, work);
        plait__put(text, "]");
        break;
    case PLAIT_TUPLE: put_tuple(text, value, work); break;
    case PLAIT_DICT: put_table(text, value, work); break;
    case PLAIT_OBJECT: put_object(text, value, work); break;
    default: put_set(text, value, work);
    }
}

static void put_leaf(struct plait__text *text, const plait_value *value)
{
    size_t size = 0;
    const char *bytes = value->type >= PLAIT_STRING && value->type <= PLAIT_BYTEARRAY ? plait__bytes_of(value, &size) : NULL;
    switch (value->type) {
    case PLAIT_NONE: plait__put(text, "None"); break;
    case PLAIT_BOOL: plait__put(text, value->as.integer ? "True" : "False"); break;
    case PLAIT_INT: plait__put_int(text, value); break;
    case PLAIT_FLOAT: plait__put_float(text, value->as.real); break;
    case PLAIT_STRING: plait__put_str_repr(text, bytes, size); break;
    case PLAIT_BYTES: plait__put_bytes_repr(text, bytes, size); break;
    case PLAIT_BYTEARRAY: plait__put_bytearray_repr(text, bytes, size); break;
    default:
        plait__put(text, "<");
        plait__put(text, value->as.global.name);
        plait__put(text, ">");
    }
}

void plait__put_repr(struct plait__text *text, const plait_value *value, struct plait__work *work)
{
    if (!plait__is_container(value)) {
        if (text->length <= LONGEST) put_leaf(text, value);
        else plait__put(text, "...");
        return;
    }
    const bool goes_on = plait__deeper(work) == 0 && text->length <= LONGEST;
    if (goes_on) put_container(text, value, work);
    else plait__put(text, "...");
    work->depth--;
}

/* ---- texts that belong to values ---- */

static void put_text(struct plait__text *text, const plait_value *value, bool as_str)
{
    struct plait__work work = { .depth = 0 };
    if (as_str && (put_called(text, value, "__str__") || plait__put_builtin_str(text, value, &work))) return;
    plait__put_repr(text, value, &work);
}

/* Until the room is enough: a method may say another thing each time. */
static char *make_text(const plait_value *value, bool as_str)
{
    char *at = NULL;
    for (size_t room = 64;;) {
        char *larger = at ? realloc(at, room) : malloc(room);
        if (!larger) break;
        at = larger;
        struct plait__text text = plait__text_begin(at, room);
        put_text(&text, value, as_str);
        if (text.length < room) return at;
        room = text.length + 1;
    }
    free(at);
    return NULL;
}

/* The same text stays where it is, so that an earlier result is good until there is another one. */
static const char *keep_text(char **kept, char *made)
{
    if (*kept && strcmp(*kept, made) == 0) {
        free(made);
        return *kept;
    }
    free(*kept);
    return *kept = made;
}

static const char *text_of(const plait_value *value, bool as_str)
{
    struct plait__detail detail;
    plait_value *keeper = (plait_value *)(uintptr_t)value;
    const int saved = errno;
    plait__keep_detail(&detail);
    char *made = make_text(value, as_str);
    if (!made) {
        plait__no_memory();
        return "<out of memory>";
    }
    plait__restore_detail(&detail);
    errno = saved;
    return keep_text(as_str ? &value->as.object->str : &keeper->text, made);
}

const char *plait_repr(const plait_value *value)
{
    if (!value) return "NULL";
    if (value->type == PLAIT_NONE) return "None";
    if (value->type == PLAIT_BOOL) return value->as.integer ? "True" : "False";
    if (value->text && !plait__is_container(value) && value->type != PLAIT_BYTEARRAY) return value->text;
    return text_of(value, false);
}

const char *plait_str(const plait_value *value)
{
    size_t size;
    if (value && value->type == PLAIT_STRING) return plait__bytes_of(value, &size);
    return value && value->type == PLAIT_OBJECT ? text_of(value, true) : plait_repr(value);
}
