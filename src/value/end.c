/* How values end, and how they are kept from holding themselves. */
#include "value/value.h"

#include <stdlib.h>

#include "value/walk.h"

/* ---- all that a container holds ---- */

static plait_value *next_in_object(const struct plait__object *object, size_t *position)
{
    plait_value *const all[] = {
        object->callable, object->arguments, object->keywords, object->items, object->pairs, object->state,
    };
    while (*position < sizeof all / sizeof all[0]) {
        plait_value *value = all[(*position)++];
        if (value) return value;
    }
    return NULL;
}

static plait_value *next_in_table(const struct plait__table *table, size_t *position)
{
    while (table && *position < (size_t)table->filled * 2) {
        const struct plait__entry *entry = &table->entries[*position / 2];
        plait_value *value = *position & 1 ? entry->value : entry->key;
        ++*position;
        if (value) return value;
    }
    return NULL;
}

static plait_value *next_in_list(const plait_value *list, size_t *position)
{
    while (*position < list->as.list.size) {
        plait_value *value = list->as.list.items[(*position)++];
        if (value) return value;
    }
    return NULL;
}

plait_value *plait__next_inside(const plait_value *value, size_t *position)
{
    switch (value->type) {
    case PLAIT_LIST:
    case PLAIT_TUPLE: return next_in_list(value, position);
    case PLAIT_DICT:
    case PLAIT_SET:
    case PLAIT_FROZENSET: return next_in_table(value->as.dict.table, position);
    case PLAIT_OBJECT: return next_in_object(value->as.object, position);
    default: return NULL;
    }
}

/* ---- the end ---- */

static void free_bytes(plait_value *value)
{
    if (value->flags & PLAIT__SHORT || !value->as.bytes.data) return;
    if (value->as.bytes.size < PLAIT__CELL) plait__cell_free(value->as.bytes.data);
    else free(value->as.bytes.data);
}

static void end_leaf(plait_value *value)
{
    if (PLAIT__UNLIKELY(value->text != NULL)) free(value->text);
    if (value->type == PLAIT_GLOBAL) free(value->as.global.name);
    else if (value->type > PLAIT_FLOAT || value->flags & PLAIT__BIG) free_bytes(value);
    plait__cell_free(value);
}

static void end_object(struct plait__object *object)
{
    if (object->self && object->type->release) object->type->release(object->self);
    plait_value *native = atomic_load_explicit(&object->native, memory_order_relaxed);
    if (native) plait_value_free(native);
    free(object->self);
    free(object->str);
    free(object);
}

static void free_items(plait_value *list)
{
    const size_t room = list->type == PLAIT_LIST ? list->as.list.room : list->as.list.size;
    if (room <= PLAIT__ITEMS_IN_CELL && room) plait__cell_free(list->as.list.items);
    else free(list->as.list.items);
}

static void end_payload(plait_value *value)
{
    if (value->type == PLAIT_OBJECT) end_object(value->as.object);
    else if (value->type >= PLAIT_DICT) free(value->as.dict.table);
    else free_items(value);
}

/* Containers that wait for their end are a list, linked by what was their text: no stack grows, however deep they are. */
static inline void unref_one(plait_value *inside, plait_value **waiting)
{
    if (!plait__unref(inside)) return;
    if (!plait__is_container(inside)) {
        end_leaf(inside);
        return;
    }
    free(inside->text);
    inside->text = (char *)*waiting;
    *waiting = inside;
}

static void unref_table(const struct plait__table *table, plait_value **waiting)
{
    for (uint32_t i = 0; table && i < table->filled; i++) {
        const struct plait__entry *entry = &table->entries[i];
        if (entry->key) unref_one(entry->key, waiting);
        if (entry->value) unref_one(entry->value, waiting);
    }
}

static void unref_contents(const plait_value *value, plait_value **waiting)
{
    size_t position = 0;
    if (value->type >= PLAIT_DICT && value->type <= PLAIT_FROZENSET) {
        unref_table(value->as.dict.table, waiting);
        return;
    }
    for (plait_value *inside; (inside = plait__next_inside(value, &position));) unref_one(inside, waiting);
}

static void end_waiting(plait_value *value)
{
    while (value) {
        plait_value *waiting = (plait_value *)value->text;
        unref_contents(value, &waiting);
        end_payload(value);
        plait__cell_free(value);
        value = waiting;
    }
}

void plait__value_end(plait_value *value)
{
    int saved = errno;
    if (plait__is_container(value)) {
        free(value->text);
        value->text = NULL;
        end_waiting(value);
    } else {
        end_leaf(value);
    }
    errno = saved;
}

void plait__contents_end(plait_value *value)
{
    int saved = errno;
    plait_value *waiting = NULL;
    unref_contents(value, &waiting);
    if (plait__is_container(value)) end_payload(value);
    else free_bytes(value);
    end_waiting(waiting);
    errno = saved;
}

void plait_value_free(plait_value *value)
{
    if (value && plait__unref(value)) plait__value_end(value);
}

plait_value *plait_value_ref(plait_value *value)
{
    return value ? plait__ref(value) : NULL;
}

/* ---- the values that were seen on a walk ---- */

static size_t slot_of(const struct plait__seen *seen, const plait_value *value)
{
    size_t at = (size_t)((uintptr_t)value / PLAIT__CELL * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (seen->size - 1);
    while (seen->slots[at].value && seen->slots[at].value != value) at = (at + 1) & (seen->size - 1);
    return at;
}

static int grow_seen(struct plait__seen *seen)
{
    struct plait__seen larger = { .size = seen->size ? seen->size * 2 : 64, .used = seen->used };
    larger.slots = calloc(larger.size, sizeof larger.slots[0]);
    if (!larger.slots) return -plait__fail(ENOMEM, "there is no memory for a walk through values");
    for (size_t i = 0; i < seen->size; i++)
        if (seen->slots[i].value) larger.slots[slot_of(&larger, seen->slots[i].value)] = seen->slots[i];
    free(seen->slots);
    *seen = larger;
    return 0;
}

int plait__see(struct plait__seen *seen, const plait_value *value)
{
    if (seen->used * 2 >= seen->size) {
        int error = grow_seen(seen);
        if (error) return error;
    }
    const size_t at = slot_of(seen, value);
    const bool is_new = !seen->slots[at].value;
    seen->used += is_new;
    seen->slots[at].value = value;
    return is_new;
}

plait_value **plait__seen_copy(struct plait__seen *seen, const plait_value *value)
{
    return &seen->slots[slot_of(seen, value)].copy;
}

void plait__seen_free(struct plait__seen *seen)
{
    free(seen->slots);
}

/* ---- no value holds itself ---- */

struct walk {
    struct plait__seen seen;
    const plait_value **waiting;
    size_t count, room;
};

/* Those with one reference are met once only. */
static int visit_later(struct walk *walk, const plait_value *value)
{
    if (atomic_load_explicit(&value->refs, memory_order_relaxed) > 1) {
        const int is_new = plait__see(&walk->seen, value);
        if (is_new <= 0) return is_new;
    }
    if (walk->count == walk->room) {
        const size_t room = walk->room ? walk->room * 2 : 64;
        const size_t size = room * sizeof walk->waiting[0];
        const plait_value **larger = walk->waiting ? realloc(walk->waiting, size) : malloc(size);
        if (!larger) return -plait__fail(ENOMEM, "there is no memory for a walk through values");
        walk->waiting = larger;
        walk->room = room;
    }
    walk->waiting[walk->count++] = value;
    return 0;
}

static int look_below(struct walk *walk, const plait_value *value, const plait_value *wanted)
{
    size_t position = 0;
    for (const plait_value *inside; (inside = plait__next_inside(value, &position));) {
        if (inside == wanted) return 1;
        const int error = plait__is_container(inside) ? visit_later(walk, inside) : 0;
        if (error) return error;
    }
    return 0;
}

/* 1: `wanted` is somewhere below that value, 0: it is not; or an error. */
static int is_below(const plait_value *value, const plait_value *wanted)
{
    struct walk walk = { .count = 0 };
    int found = look_below(&walk, value, wanted);
    while (!found && walk.count) found = look_below(&walk, walk.waiting[--walk.count], wanted);
    free(walk.waiting);
    plait__seen_free(&walk.seen);
    return found;
}

/* A container that no other one has held is below none: only for the others the walk is needed. */
int plait__hold(const plait_value *container, plait_value *item)
{
    if (!plait__is_container(item)) return 0;
    int found = item == container;
    if (!found && atomic_load_explicit(&container->held, memory_order_relaxed)) found = is_below(item, container);
    if (found < 0) return found;
    if (found) return plait__fail(-ELOOP, "a value would come to hold itself");
    if (!atomic_load_explicit(&item->held, memory_order_relaxed)) atomic_store_explicit(&item->held, 1, memory_order_relaxed);
    return 0;
}
