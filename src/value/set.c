/* Sets and frozen sets. */
#include <stdarg.h>

#include "value/container.h"

static bool is_set(const plait_value *value)
{
    return value && (value->type == PLAIT_SET || value->type == PLAIT_FROZENSET);
}

/* ---- builders ---- */

static plait_value *set_room(int type, size_t n)
{
    plait_value *set = plait__value_new(type);
    if (!set || plait__table_reserve(set, n) == 0) return set;
    plait_value_free(set);
    return NULL;
}

/* The items are taken, also if that fails. */
static plait_value *build(int type, size_t n, va_list *arguments)
{
    plait_value *set = set_room(type, n);
    int error = set ? 0 : ENOMEM;
    for (size_t i = 0; i < n; i++) {
        plait_value *item = va_arg(*arguments, plait_value *);
        if (!error && !item) error = plait__null_given();
        const int put = error ? 0 : plait__table_put(set, item, NULL);
        if (error) plait_value_free(item);
        if (put < 0) error = -put;
    }
    if (!error) return set;
    plait_value_free(set);
    return plait__null(error);
}

plait_value *plait_set(size_t n, ...)
{
    va_list arguments;
    va_start(arguments, n);
    plait_value *set = build(PLAIT_SET, n, &arguments);
    va_end(arguments);
    return set;
}

plait_value *plait_frozenset(size_t n, ...)
{
    va_list arguments;
    va_start(arguments, n);
    plait_value *set = build(PLAIT_FROZENSET, n, &arguments);
    va_end(arguments);
    return set;
}

/* ---- items ---- */

int plait_set_add(plait_value *set, plait_value *item)
{
    int error = set && set->type == PLAIT_SET ? 0 : plait__is_no(set, "set");
    if (!error && !item) error = -plait__null_given();
    if (!error) return plait__table_put(set, item, NULL);
    plait_value_free(item);
    return error;
}

int plait_set_discard(plait_value *set, const plait_value *item)
{
    struct plait__entry *entry;
    if (!set || set->type != PLAIT_SET) return plait__is_no(set, "set");
    if (!item) return plait__fail(-EINVAL, "the item is NULL");
    const int found = plait__table_find(set, item, &entry);
    if (found != 1) return found;
    plait_value *own = entry->key;
    plait__table_take(set, entry);
    plait_value_free(own);
    return 1;
}

int plait_set_next(const plait_value *set, size_t *position, plait_value **item)
{
    if (!is_set(set)) return plait__is_no(set, "set");
    if (!position) return plait__fail(-EINVAL, "the position is NULL");
    const struct plait__entry *entry = plait__table_next(set, position);
    if (entry && item) *item = entry->key;
    return entry != NULL;
}
