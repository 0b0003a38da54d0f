/* Equality, as Python's ==. */
#include "value/builtin.h"
#include "value/number.h"
#include "value/walk.h"

int plait__too_much(void)
{
    return plait__fail(-EOVERFLOW, "the value has more than %d parts in parts", PLAIT__VISITS);
}

int plait__deeper(struct plait__work *work)
{
    work->depth++;
    work->visits++;
    if (work->depth > PLAIT__DEPTH) return plait__fail(-EOVERFLOW, "the value is nested more than %d deep", PLAIT__DEPTH);
    return plait__check_visits(work);
}

static bool equal_bytes(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    size_t size_a, size_b;
    const char *of_a = plait__bytes_of(a, &size_a), *of_b = plait__bytes_of(b, &size_b);
    if (size_a != size_b) return false;
    work->visits += size_a / PLAIT__BYTES;
    return memcmp(of_a, of_b, size_a) == 0;
}

static int equal_lists(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    if (a->as.list.size != b->as.list.size) return 0;
    work->visits += a->as.list.size / PLAIT__ITEMS;
    for (uint32_t i = 0; i < a->as.list.size; i++) {
        int same = plait__same(a->as.list.items[i], b->as.list.items[i], work);
        if (same == 1 && plait__check_visits(work)) same = -EOVERFLOW;
        if (same != 1) return same;
    }
    return 1;
}

/* Dicts, and sets, which have no values. */
static int equal_tables(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    if (plait__table_len(a) != plait__table_len(b)) return 0;
    work->visits += plait__table_len(a) / PLAIT__ITEMS;
    size_t position = 0;
    for (struct plait__entry *of_a, *of_b; (of_a = plait__table_next(a, &position));) {
        int same = plait__table_find_hashed(b, of_a->key, of_a->hash, work, &of_b);
        if (same == 1 && of_a->value) same = plait__same(of_a->value, of_b->value, work);
        if (same == 1 && plait__check_visits(work)) same = -EOVERFLOW;
        if (same != 1) return same;
    }
    return 1;
}

static int equal_parts(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    if (a == b) return 1;
    return a && b ? plait__equal(a, b, work) : 0;
}

/* As dataclasses do it: made alike, with the same state. */
static int equal_states(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    plait_value *of_a = NULL, *of_b = NULL;
    int same = plait__object_state_now(a, &of_a);
    if (same >= 0) same = plait__object_state_now(b, &of_b);
    if (same >= 0) same = equal_parts(of_a, of_b, work);
    plait_value_free(of_a);
    plait_value_free(of_b);
    return same;
}

static int equal_objects(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    if (a == b) return 1;
    const int ranges = plait__range_equal(a, b);
    if (ranges >= 0) return ranges;
    if (work->apart && !plait__is_builtin_number(a)) return 0;
    const struct plait__object *of_a = a->as.object, *of_b = b->as.object;
    if (of_a->made != of_b->made) return 0;
    int same = equal_parts(of_a->callable, of_b->callable, work);
    if (same == 1) same = equal_parts(of_a->arguments, of_b->arguments, work);
    if (same == 1) same = equal_parts(of_a->keywords, of_b->keywords, work);
    if (same == 1) same = equal_parts(of_a->items, of_b->items, work);
    if (same == 1) same = equal_parts(of_a->pairs, of_b->pairs, work);
    return same == 1 ? equal_states(a, b, work) : same;
}

static bool is_bytes(const plait_value *value)
{
    return value->type == PLAIT_BYTES || value->type == PLAIT_BYTEARRAY;
}

static bool is_set(const plait_value *value)
{
    return value->type == PLAIT_SET || value->type == PLAIT_FROZENSET;
}

static int equal_containers(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    int same = plait__deeper(work);
    if (same == 0) {
        if (a->type == PLAIT_OBJECT) same = equal_objects(a, b, work);
        else if (a->type >= PLAIT_DICT) same = equal_tables(a, b, work);
        else same = equal_lists(a, b, work);
    }
    work->depth--;
    return same;
}

int plait__equal(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    if (plait__is_number(a) && plait__is_number(b)) return plait__number_equal(a, b);
    if (is_bytes(a) && is_bytes(b)) return equal_bytes(a, b, work);
    if (a->type != b->type && !(is_set(a) && is_set(b))) return 0;
    if (a->type == PLAIT_NONE) return 1;
    if (a->type == PLAIT_STRING) return equal_bytes(a, b, work);
    if (a->type == PLAIT_GLOBAL) return strcmp(a->as.global.name, b->as.global.name) == 0;
    return equal_containers(a, b, work);
}

int plait__same(const plait_value *a, const plait_value *b, struct plait__work *work)
{
    return a == b ? 1 : plait__equal(a, b, work);
}

int plait_value_equal(const plait_value *a, const plait_value *b)
{
    struct plait__work work = { .depth = 0 };
    if (!a || !b) return plait__fail(-EINVAL, "the value is NULL");
    return plait__equal(a, b, &work);
}
