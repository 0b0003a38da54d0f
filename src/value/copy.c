/* Deep copies: what is in two places of the value is one in its copy, too. */
#include <stdlib.h>

#include "value/walk.h"

struct copying {
    struct plait__seen seen;
    struct plait__work work;
};

/* 0, or an error; *copy is the caller's. */
static int copy_of(struct copying *copying, const plait_value *value, plait_value **copy);

static int copy_items(struct copying *copying, const plait_value *from, plait_value *to)
{
    int error = 0;
    for (uint32_t i = 0; i < from->as.list.size && !error; i++) {
        plait_value *item;
        error = copy_of(copying, from->as.list.items[i], &item);
        if (error) break;
        if (to->type == PLAIT_TUPLE) to->as.list.items[i] = item;
        if (plait__is_container(item)) atomic_store_explicit(&item->held, 1, memory_order_relaxed);
        if (to->type == PLAIT_LIST) to->as.list.items[to->as.list.size++] = item;
    }
    return error;
}

static int copy_list(struct copying *copying, const plait_value *from, plait_value **copy)
{
    const bool is_tuple = from->type == PLAIT_TUPLE;
    *copy = is_tuple ? plait__tuple_room(from->as.list.size) : plait__value_new(PLAIT_LIST);
    if (!*copy) return -ENOMEM;
    const int error = is_tuple ? 0 : plait__list_reserve(*copy, from->as.list.size);
    return error ? error : copy_items(copying, from, *copy);
}

static int copy_table(struct copying *copying, const plait_value *from, plait_value **copy)
{
    size_t position = 0;
    *copy = plait__value_new(from->type);
    if (!*copy) return -ENOMEM;
    int error = plait__table_reserve(*copy, plait__table_len(from));
    for (const struct plait__entry *entry; error >= 0 && (entry = plait__table_next(from, &position));) {
        plait_value *key, *value = NULL;
        error = copy_of(copying, entry->key, &key);
        if (error) break;
        if (entry->value) error = copy_of(copying, entry->value, &value);
        if (error) plait_value_free(key);
        else error = plait__table_put_apart(*copy, key, value);
    }
    return error < 0 ? error : 0;
}

static int copy_part(struct copying *copying, const plait_value *part, plait_value **copy)
{
    *copy = NULL;
    return part ? copy_of(copying, part, copy) : 0;
}

/* A struct is encoded: its copy is decoded when it is asked for. */
static int copy_state(struct copying *copying, const plait_value *from, plait_value *to)
{
    plait_value *state, *copied;
    int error = plait__object_state_now(from, &state);
    if (error) return error;
    error = copy_part(copying, state, &copied);
    plait_value_free(state);
    if (!error && copied) error = plait__object_build(to, copied);
    to->as.object->type = from->as.object->type;
    return error;
}

static int copy_object(struct copying *copying, const plait_value *from, plait_value **copy)
{
    const struct plait__object *object = from->as.object;
    plait_value *callable, *arguments, *keywords;
    int error = copy_of(copying, object->callable, &callable);
    if (error) return error;
    error = copy_part(copying, object->arguments, &arguments);
    if (!error && (error = copy_part(copying, object->keywords, &keywords))) plait_value_free(arguments);
    if (error) {
        plait_value_free(callable);
        return error;
    }
    *copy = plait__object_new(object->made, callable, arguments, keywords);
    if (!*copy) return -errno;
    error = copy_part(copying, object->items, &(*copy)->as.object->items);
    if (!error) error = copy_part(copying, object->pairs, &(*copy)->as.object->pairs);
    return error ? error : copy_state(copying, from, *copy);
}

static int copy_container(struct copying *copying, const plait_value *value, plait_value **copy)
{
    int error = plait__deeper(&copying->work);
    copying->work.visits = 0;                              /* each is visited once */
    if (!error) {
        if (value->type == PLAIT_OBJECT) error = copy_object(copying, value, copy);
        else if (value->type >= PLAIT_DICT) error = copy_table(copying, value, copy);
        else error = copy_list(copying, value, copy);
    }
    copying->work.depth--;
    return error;
}

static int copy_leaf(const plait_value *value, plait_value **copy)
{
    size_t size;
    if (value->type == PLAIT_GLOBAL) {
        const char *name = value->as.global.name;
        const size_t module = value->as.global.module;
        *copy = plait__global_new(name, module, name + module + 1, value->as.global.size - module - 1);
    } else if (value->type >= PLAIT_STRING || value->flags & PLAIT__BIG) {
        const char *bytes = plait__bytes_of(value, &size);
        *copy = plait__bytes_new(value->type, bytes, size);
        if (*copy) (*copy)->flags |= value->flags & (PLAIT__BIG | PLAIT__ASCII);
    } else if ((*copy = plait__value_new(value->type))) {
        (*copy)->as = value->as;
    }
    return *copy ? 0 : -ENOMEM;
}

static int copy_anew(struct copying *copying, const plait_value *value, plait_value **copy)
{
    *copy = NULL;
    const int error = plait__is_container(value) ? copy_container(copying, value, copy) : copy_leaf(value, copy);
    if (!error) return 0;
    plait_value_free(*copy);
    *copy = NULL;
    return error;
}

static int copy_of(struct copying *copying, const plait_value *value, plait_value **copy)
{
    if (value->type <= PLAIT_BOOL) {                       /* there are no others of their kind */
        *copy = (plait_value *)(uintptr_t)value;
        return 0;
    }
    if (atomic_load_explicit(&value->refs, memory_order_relaxed) == 1) return copy_anew(copying, value, copy);
    const int is_new = plait__see(&copying->seen, value);
    if (is_new < 0) return is_new;
    if (!is_new) {
        *copy = plait__ref(*plait__seen_copy(&copying->seen, value));
        return 0;
    }
    const int error = copy_anew(copying, value, copy);
    *plait__seen_copy(&copying->seen, value) = *copy;
    return error;
}

plait_value *plait_value_copy(const plait_value *value)
{
    struct copying copying = { .work.depth = 0 };
    plait_value *copy = NULL;
    if (!value) return plait__null(plait__fail(-EINVAL, "the value is NULL"));
    const int error = copy_of(&copying, value, &copy);
    plait__seen_free(&copying.seen);
    return error ? plait__null(error) : copy;
}
