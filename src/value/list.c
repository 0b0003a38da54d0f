/* Lists and tuples. */
#include "value/value.h"

#include <stdarg.h>
#include <stdlib.h>

#include "value/container.h"
#include "value/walk.h"

/* ---- where the items lie: up to four in a cell ---- */

static plait_value **items_room(size_t n)
{
    if (n <= PLAIT__ITEMS_IN_CELL) return plait__cell_new();
    plait_value **items = n < UINT32_MAX ? malloc(n * sizeof items[0]) : NULL;
    return items ? items : plait__no_memory();
}

static int change_room(plait_value *list, size_t n)
{
    const size_t before = list->as.list.room;
    plait_value **items;
    if (before > PLAIT__ITEMS_IN_CELL) {
        items = n < UINT32_MAX ? realloc(list->as.list.items, n * sizeof items[0]) : NULL;
        if (!items) plait__no_memory();
    } else if ((items = items_room(n)) && before) {
        memcpy(items, list->as.list.items, list->as.list.size * sizeof items[0]);
        plait__cell_free(list->as.list.items);
    }
    if (!items) return -ENOMEM;
    list->as.list.items = items;
    list->as.list.room = (uint32_t)(n < PLAIT__ITEMS_IN_CELL ? PLAIT__ITEMS_IN_CELL : n);
    return 0;
}

int plait__list_reserve(plait_value *list, size_t n)
{
    return n > list->as.list.room ? change_room(list, n) : 0;
}

/* One more: half as many again. */
static int room_for_another(plait_value *list)
{
    const size_t room = list->as.list.room;
    if (PLAIT__LIKELY(list->as.list.size < room)) return 0;
    return change_room(list, room < 8 ? room + 4 : room + room / 2);
}

int plait__list_push(plait_value *list, plait_value *item)
{
    int error = room_for_another(list);
    if (!error) error = plait__hold(list, item);
    if (PLAIT__UNLIKELY(error)) {
        plait_value_free(item);
        return error;
    }
    list->as.list.items[list->as.list.size++] = item;
    return 0;
}

plait_value *plait__tuple_room(size_t n)
{
    plait_value *tuple = plait__value_new(PLAIT_TUPLE);
    if (!tuple || n == 0) return tuple;
    tuple->as.list.items = items_room(n);
    if (!tuple->as.list.items) {
        plait__cell_free(tuple);
        return NULL;
    }
    memset(tuple->as.list.items, 0, n * sizeof tuple->as.list.items[0]);
    tuple->as.list.size = (uint32_t)n;
    return tuple;
}

/* ---- builders ---- */

static plait_value *list_room(size_t n)
{
    plait_value *list = plait__value_new(PLAIT_LIST);
    if (!list || plait__list_reserve(list, n) == 0) return list;
    plait__cell_free(list);
    return NULL;
}

/* A new container is below none. */
static void put_item(plait_value *container, size_t i, plait_value *item)
{
    if (plait__is_container(item)) (void)plait__hold(container, item);
    container->as.list.items[i] = item;
    if (container->type == PLAIT_LIST) container->as.list.size = (uint32_t)i + 1;
}

/* The next value that was given: from an array, or from the arguments of a call. */
struct given {
    plait_value *const *values;
    va_list *arguments;
    size_t left;
};

static plait_value *next_given(struct given *given)
{
    given->left--;
    return given->values ? *given->values++ : va_arg(*given->arguments, plait_value *);
}

/* All of them are taken, also if that fails. */
static plait_value *fill(plait_value *container, struct given *given, int error)
{
    for (size_t i = 0; given->left > 0; i++) {
        plait_value *item = next_given(given);
        if (!item && !error) error = plait__null_given();
        if (error) plait_value_free(item);
        else put_item(container, i, item);
    }
    if (!error) return container;
    plait_value_free(container);
    return plait__null(error);
}

static plait_value *build(int type, struct given given)
{
    plait_value *container = type == PLAIT_LIST ? list_room(given.left) : plait__tuple_room(given.left);
    return fill(container, &given, container ? 0 : ENOMEM);
}

plait_value *plait_list(size_t n, ...)
{
    va_list arguments;
    va_start(arguments, n);
    plait_value *list = build(PLAIT_LIST, (struct given){ .arguments = &arguments, .left = n });
    va_end(arguments);
    return list;
}

plait_value *plait_tuple(size_t n, ...)
{
    va_list arguments;
    va_start(arguments, n);
    plait_value *tuple = build(PLAIT_TUPLE, (struct given){ .arguments = &arguments, .left = n });
    va_end(arguments);
    return tuple;
}

static plait_value *build_of(int type, size_t n, plait_value *const *values)
{
    if (values || !n) return build(type, (struct given){ .values = values, .left = n });
    plait__fail(-EINVAL, "%zu values at NULL", n);
    return plait__null(EINVAL);
}

plait_value *plait_list_of(size_t n, plait_value *const *values)
{
    return build_of(PLAIT_LIST, n, values);
}

plait_value *plait_tuple_of(size_t n, plait_value *const *values)
{
    return build_of(PLAIT_TUPLE, n, values);
}

/* ---- items ---- */

/* The index among `size` items, negative ones from the end; -1: there is no such item. */
static ssize_t index_of(const plait_value *list, ssize_t i)
{
    const ssize_t size = list->as.list.size, at = i < 0 ? i + size : i;
    if (at >= 0 && at < size) return at;
    plait__fail(-ERANGE, "there is no item %zd among %zd", i, size);
    return -1;
}

plait_value *plait_list_get(const plait_value *list, ssize_t i)
{
    if (!list || (list->type != PLAIT_LIST && list->type != PLAIT_TUPLE)) return plait__null(plait__is_no(list, "list"));
    const ssize_t at = index_of(list, i);
    return at < 0 ? plait__null(ERANGE) : list->as.list.items[at];
}

/* 0: it is a list, the item is there and may be held; otherwise the item is freed. */
static int check_change(plait_value *list, plait_value *item)
{
    int error = !list || list->type != PLAIT_LIST ? plait__is_no(list, "list") : item ? 0 : -plait__null_given();
    if (!error) error = plait__hold(list, item);
    if (error) plait_value_free(item);
    return error;
}

int plait_list_append(plait_value *list, plait_value *item)
{
    if (list && list->type == PLAIT_LIST && item) return plait__list_push(list, item);
    return check_change(list, item);
}

int plait_list_insert(plait_value *list, ssize_t i, plait_value *item)
{
    int error = check_change(list, item);
    if (error) return error;
    if ((error = room_for_another(list)) < 0) {
        plait_value_free(item);
        return error;
    }
    const ssize_t size = list->as.list.size, at = i < 0 ? (i + size < 0 ? 0 : i + size) : i > size ? size : i;
    plait_value **items = list->as.list.items;
    memmove(items + at + 1, items + at, (size_t)(size - at) * sizeof items[0]);
    items[at] = item;
    list->as.list.size++;
    return 0;
}

int plait_list_set(plait_value *list, ssize_t i, plait_value *item)
{
    const int error = check_change(list, item);
    if (error) return error;
    const ssize_t at = index_of(list, i);
    if (at < 0) {
        plait_value_free(item);
        return -ERANGE;
    }
    plait_value *before = list->as.list.items[at];
    list->as.list.items[at] = item;
    plait_value_free(before);
    return 0;
}

plait_value *plait_list_pop(plait_value *list, ssize_t i)
{
    if (!list || list->type != PLAIT_LIST) return plait__null(plait__is_no(list, "list"));
    const ssize_t at = index_of(list, i);
    if (at < 0) return plait__null(ERANGE);
    plait_value **items = list->as.list.items, *item = items[at];
    memmove(items + at, items + at + 1, (size_t)(--list->as.list.size - (uint32_t)at) * sizeof items[0]);
    plait__let_go(item);
    return item;
}
