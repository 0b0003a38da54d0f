/* shared/shared_value.c - the face of shared values: an array of one. */
#include <plait/shared_value.h>

#include "base/error.h"
#include "shared/shared.h"

struct plait_shared_value {
    struct plait__shared shared;
};

static int not_a_value(const plait_shared_value *value)
{
    return plait__fail(-EINVAL, value ? "there is no shared value at %p; was it freed?" : "the shared value is NULL",
                       (const void *)value);
}

static inline bool is_value(const plait_shared_value *value)
{
    return value && value->shared.stamp == PLAIT__VALUE_STAMP;
}

/* ---- making ---- */

plait_shared_value *plait_shared_value_new(int type, const void *initial, const plait_shared_options *options)
{
    const struct plait__shape shape = { .stamp = PLAIT__VALUE_STAMP, .code = type, .length = 1 };
    if (!type) return plait__null(plait__fail(-EINVAL, "there is no type code 0; plait_shared_value_new_struct is for structs"));
    return (plait_shared_value *)plait__shared_new(&shape, initial, options);
}

plait_shared_value *plait_shared_value_new_struct(size_t size, const void *initial, const plait_shared_options *options)
{
    const struct plait__shape shape = { .stamp = PLAIT__VALUE_STAMP, .item_size = size, .length = 1 };
    return (plait_shared_value *)plait__shared_new(&shape, initial, options);
}

int plait_shared_value_free(plait_shared_value *value)
{
    if (!value) return 0;
    return is_value(value) ? plait__shared_free(&value->shared) : not_a_value(value);
}

/* ---- numbers ---- */

static int get(plait_shared_value *value, struct plait__target target, plait_deadline deadline)
{
    return is_value(value) ? plait__shared_get(&value->shared, 0, target, deadline) : not_a_value(value);
}

int plait_shared_value_get_int(plait_shared_value *value, int64_t *number, plait_deadline deadline)
{
    return get(value, (struct plait__target){ .integer = number }, deadline);
}

int plait_shared_value_get_uint(plait_shared_value *value, uint64_t *number, plait_deadline deadline)
{
    return get(value, (struct plait__target){ .natural = number }, deadline);
}

int plait_shared_value_get_double(plait_shared_value *value, double *number, plait_deadline deadline)
{
    return get(value, (struct plait__target){ .real = number }, deadline);
}

static int set(plait_shared_value *value, struct plait__number number, plait_deadline deadline)
{
    return is_value(value) ? plait__shared_set(&value->shared, 0, number, deadline) : not_a_value(value);
}

int plait_shared_value_set_int(plait_shared_value *value, int64_t number, plait_deadline deadline)
{
    return set(value, plait__integer(number), deadline);
}

int plait_shared_value_set_uint(plait_shared_value *value, uint64_t number, plait_deadline deadline)
{
    return set(value, plait__natural(number), deadline);
}

int plait_shared_value_set_double(plait_shared_value *value, double number, plait_deadline deadline)
{
    return set(value, plait__real(number), deadline);
}

static int add(plait_shared_value *value, struct plait__number more, struct plait__target sum, plait_deadline deadline)
{
    return is_value(value) ? plait__shared_add(&value->shared, 0, more, sum, deadline) : not_a_value(value);
}

int plait_shared_value_add_int(plait_shared_value *value, int64_t number, int64_t *sum, plait_deadline deadline)
{
    return add(value, plait__integer(number), (struct plait__target){ .integer = sum }, deadline);
}

int plait_shared_value_add_double(plait_shared_value *value, double number, double *sum, plait_deadline deadline)
{
    return add(value, plait__real(number), (struct plait__target){ .real = sum }, deadline);
}

/* ---- all of it ---- */

int plait_shared_value_get(plait_shared_value *value, void *to, size_t size, plait_deadline deadline)
{
    return is_value(value) ? plait__shared_read(&value->shared, 0, to, size, deadline) : not_a_value(value);
}

int plait_shared_value_set(plait_shared_value *value, const void *from, size_t size, plait_deadline deadline)
{
    return is_value(value) ? plait__shared_write(&value->shared, 0, from, size, deadline) : not_a_value(value);
}

int plait_shared_value_acquire(plait_shared_value *value, plait_deadline deadline)
{
    return is_value(value) ? plait__shared_acquire(&value->shared, deadline) : not_a_value(value);
}

int plait_shared_value_release(plait_shared_value *value)
{
    return is_value(value) ? plait__shared_release(&value->shared) : not_a_value(value);
}

plait_rlock *plait_shared_value_get_lock(plait_shared_value *value)
{
    return is_value(value) ? plait__shared_lock(&value->shared) : plait__null(not_a_value(value));
}

void *plait_shared_value_get_obj(plait_shared_value *value)
{
    return is_value(value) ? value->shared.items : plait__null(not_a_value(value));
}

int plait_shared_value_type(const plait_shared_value *value)
{
    return is_value(value) ? value->shared.code : not_a_value(value);
}

size_t plait_shared_value_size(const plait_shared_value *value)
{
    return is_value(value) ? value->shared.item_size : 0;
}

ssize_t plait_shared_value_repr(const plait_shared_value *value, char *text, size_t size)
{
    struct plait__text all = plait__text_begin(text, text ? size : 0);
    if (!text && size) return plait__fail(-EINVAL, "the text is NULL");
    if (!is_value(value)) return not_a_value(value);
    plait__shared_put_item(&all, &value->shared, 0);
    return (ssize_t)all.length;
}
