/* Dicts. */
#include "value/container.h"

#include <stdarg.h>

#include "value/walk.h"

int plait__is_no(const plait_value *value, const char *wanted)
{
    if (!value) return plait__fail(-EINVAL, "the %s is NULL", wanted);
    return plait__fail(-EINVAL, "the value is of type '%s', not a %s", plait_value_type_name(value), wanted);
}

static bool is_dict(const plait_value *value)
{
    return value && value->type == PLAIT_DICT;
}

/* ---- builders ---- */

static plait_value *dict_room(size_t n)
{
    plait_value *dict = plait__value_new(PLAIT_DICT);
    if (!dict || plait__table_reserve(dict, n) == 0) return dict;
    plait_value_free(dict);
    return NULL;
}

/* One pair; both are taken, also if there was an error before.  The error, positive. */
static int fill_pair(plait_value *dict, plait_value *key, plait_value *value, int error)
{
    if (!error && (!key || !value)) error = plait__null_given();
    if (!error) {
        const int put = plait__table_put(dict, key, value);
        return put < 0 ? -put : 0;
    }
    plait_value_free(key);
    plait_value_free(value);
    return error;
}

plait_value *plait_dict(size_t n, ...)
{
    va_list arguments;
    va_start(arguments, n);
    plait_value *dict = dict_room(n);
    int error = dict ? 0 : ENOMEM;
    for (size_t i = 0; i < n; i++) {
        plait_value *key = va_arg(arguments, plait_value *);
        error = fill_pair(dict, key, va_arg(arguments, plait_value *), error);
    }
    va_end(arguments);
    if (!error) return dict;
    plait_value_free(dict);
    return plait__null(error);
}

/* ---- reading ---- */

static plait_value *value_of(const plait_value *dict, const plait_value *key)
{
    struct plait__entry *entry;
    const int found = plait__table_find(dict, key, &entry);
    if (found == 1) return entry->value;
    return plait__null(found ? found : plait__fail(ENOENT, "the dict has no such key"));
}

plait_value *plait_dict_get(const plait_value *dict, const plait_value *key)
{
    if (!is_dict(dict)) return plait__null(plait__is_no(dict, "dict"));
    if (!key) return plait__null(plait__fail(-EINVAL, "the key is NULL"));
    return value_of(dict, key);
}

plait_value *plait_dict_get_string(const plait_value *dict, const char *key)
{
    if (!is_dict(dict)) return plait__null(plait__is_no(dict, "dict"));
    if (!key) return plait__null(plait__fail(-EINVAL, "the key is NULL"));
    plait_value string = { .type = PLAIT_STRING, .refs = 1 };
    string.as.bytes.data = (char *)(uintptr_t)key;
    string.as.bytes.size = strlen(key);
    plait_value *value = value_of(dict, &string);
    if (!value && errno == ENOENT) plait__fail(ENOENT, "the dict has no key '%.100s'", key);
    return value;
}

int plait_dict_next(const plait_value *dict, size_t *position, plait_value **key, plait_value **value)
{
    if (!is_dict(dict)) return plait__is_no(dict, "dict");
    if (!position) return plait__fail(-EINVAL, "the position is NULL");
    const struct plait__entry *entry = plait__table_next(dict, position);
    if (!entry) return 0;
    if (key) *key = entry->key;
    if (value) *value = entry->value;
    return 1;
}

/* ---- changing ---- */

int plait_dict_set(plait_value *dict, plait_value *key, plait_value *value)
{
    int error = is_dict(dict) ? 0 : plait__is_no(dict, "dict");
    if (!error && (!key || !value)) error = -plait__null_given();
    if (!error) {
        error = plait__table_put(dict, key, value);
        return error < 0 ? error : 0;
    }
    plait_value_free(key);
    plait_value_free(value);
    return error;
}

int plait_dict_set_string(plait_value *dict, const char *key, plait_value *value)
{
    if (!value) return plait_dict_set(dict, NULL, NULL);
    plait_value *string = plait_string(key);
    if (string) return plait_dict_set(dict, string, value);
    const int error = -errno;
    plait_value_free(value);
    return error;
}

plait_value *plait_dict_pop(plait_value *dict, const plait_value *key)
{
    struct plait__entry *entry;
    if (!is_dict(dict)) return plait__null(plait__is_no(dict, "dict"));
    if (!key) return plait__null(plait__fail(-EINVAL, "the key is NULL"));
    const int found = plait__table_find(dict, key, &entry);
    if (found < 0) return plait__null(found);
    if (found == 0) return plait__null(plait__fail(ENOENT, "the dict has no such key"));
    plait_value *own = entry->key, *value = entry->value;
    plait__table_take(dict, entry);
    plait_value_free(own);
    plait__let_go(value);
    return value;
}
