/* shared/shared_array.c - the face of shared arrays: Python's indexes and slices. */
#include <plait/shared_array.h>

#include <string.h>

#include "base/error.h"
#include "shared/shared.h"

struct plait_shared_array {
    struct plait__shared shared;
};

static int not_an_array(const plait_shared_array *array)
{
    return plait__fail(-EINVAL, array ? "there is no shared array at %p; was it freed?" : "the shared array is NULL",
                       (const void *)array);
}

static inline bool is_array(const plait_shared_array *array)
{
    return array && array->shared.stamp == PLAIT__ARRAY_STAMP;
}

/* ---- making ---- */

plait_shared_array *plait_shared_array_new(int type, size_t length, const void *items, const plait_shared_options *options)
{
    const struct plait__shape shape = { .stamp = PLAIT__ARRAY_STAMP, .code = type, .length = length };
    if (!type) return plait__null(plait__fail(-EINVAL, "there is no type code 0; plait_shared_array_new_struct is for structs"));
    return (plait_shared_array *)plait__shared_new(&shape, items, options);
}

plait_shared_array *plait_shared_array_new_struct(size_t size, size_t length, const void *items,
                                                  const plait_shared_options *options)
{
    const struct plait__shape shape = { .stamp = PLAIT__ARRAY_STAMP, .item_size = size, .length = length };
    return (plait_shared_array *)plait__shared_new(&shape, items, options);
}

int plait_shared_array_free(plait_shared_array *array)
{
    if (!array) return 0;
    return is_array(array) ? plait__shared_free(&array->shared) : not_an_array(array);
}

ssize_t plait_shared_array_len(const plait_shared_array *array)
{
    return is_array(array) ? (ssize_t)array->shared.length : not_an_array(array);
}

int plait_shared_array_type(const plait_shared_array *array)
{
    return is_array(array) ? array->shared.code : not_an_array(array);
}

size_t plait_shared_array_item_size(const plait_shared_array *array)
{
    return is_array(array) ? array->shared.item_size : 0;
}

/* ---- one item ---- */

/* Make the index one from the begin.  0, -EINVAL. */
static int find(const plait_shared_array *array, ptrdiff_t *index)
{
    if (!is_array(array)) return not_an_array(array);
    ptrdiff_t length = (ptrdiff_t)array->shared.length, asked = *index;
    if (*index < 0) *index += length;
    if (*index >= 0 && *index < length) return 0;
    return plait__fail(-EINVAL, "index out of range: %td, of an array of %td items", asked, length);
}

static int get(plait_shared_array *array, ptrdiff_t index, struct plait__target target, plait_deadline deadline)
{
    int error = find(array, &index);
    return error ? error : plait__shared_get(&array->shared, (size_t)index, target, deadline);
}

int plait_shared_array_get_int(plait_shared_array *array, ptrdiff_t index, int64_t *number, plait_deadline deadline)
{
    return get(array, index, (struct plait__target){ .integer = number }, deadline);
}

int plait_shared_array_get_uint(plait_shared_array *array, ptrdiff_t index, uint64_t *number, plait_deadline deadline)
{
    return get(array, index, (struct plait__target){ .natural = number }, deadline);
}

int plait_shared_array_get_double(plait_shared_array *array, ptrdiff_t index, double *number, plait_deadline deadline)
{
    return get(array, index, (struct plait__target){ .real = number }, deadline);
}

static int set(plait_shared_array *array, ptrdiff_t index, struct plait__number number, plait_deadline deadline)
{
    int error = find(array, &index);
    return error ? error : plait__shared_set(&array->shared, (size_t)index, number, deadline);
}

int plait_shared_array_set_int(plait_shared_array *array, ptrdiff_t index, int64_t number, plait_deadline deadline)
{
    return set(array, index, plait__integer(number), deadline);
}

int plait_shared_array_set_uint(plait_shared_array *array, ptrdiff_t index, uint64_t number, plait_deadline deadline)
{
    return set(array, index, plait__natural(number), deadline);
}

int plait_shared_array_set_double(plait_shared_array *array, ptrdiff_t index, double number, plait_deadline deadline)
{
    return set(array, index, plait__real(number), deadline);
}

static int add(plait_shared_array *array, ptrdiff_t index, struct plait__number more, struct plait__target sum,
               plait_deadline deadline)
{
    int error = find(array, &index);
    return error ? error : plait__shared_add(&array->shared, (size_t)index, more, sum, deadline);
}

int plait_shared_array_add_int(plait_shared_array *array, ptrdiff_t index, int64_t number, int64_t *sum, plait_deadline deadline)
{
    return add(array, index, plait__integer(number), (struct plait__target){ .integer = sum }, deadline);
}

int plait_shared_array_add_double(plait_shared_array *array, ptrdiff_t index, double number, double *sum, plait_deadline deadline)
{
    return add(array, index, plait__real(number), (struct plait__target){ .real = sum }, deadline);
}

int plait_shared_array_get(plait_shared_array *array, ptrdiff_t index, void *to, size_t size, plait_deadline deadline)
{
    int error = find(array, &index);
    return error ? error : plait__shared_read(&array->shared, (size_t)index, to, size, deadline);
}

int plait_shared_array_set(plait_shared_array *array, ptrdiff_t index, const void *from, size_t size, plait_deadline deadline)
{
    int error = find(array, &index);
    return error ? error : plait__shared_write(&array->shared, (size_t)index, from, size, deadline);
}

/* ---- slices ---- */

struct slice {
    ptrdiff_t start, step;
    size_t count;
};

/* An end of a slice within [least, most]; `none` if nothing was said. */
static ptrdiff_t cut(ptrdiff_t end, ptrdiff_t none, ptrdiff_t length, bool backwards)
{
    ptrdiff_t least = backwards ? -1 : 0, most = backwards ? length - 1 : length;
    if (end == PLAIT_SLICE_NONE) return none;
    if (end < 0) end += length;
    return end < least ? least : end > most ? most : end;
}

static int find_slice(const plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step, struct slice *slice)
{
    if (!is_array(array)) return not_an_array(array);
    if (!step) return plait__fail(-EINVAL, "slice step cannot be zero");
    ptrdiff_t length = (ptrdiff_t)array->shared.length;
    if (step == PLAIT_SLICE_NONE) step = 1;
    bool backwards = step < 0;
    start = cut(start, backwards ? length - 1 : 0, length, backwards);
    stop = cut(stop, backwards ? -1 : length, length, backwards);
    ptrdiff_t spanned = backwards ? start - stop : stop - start, stride = backwards ? -step : step;
    *slice = (struct slice){ start, step, spanned > 0 ? (size_t)((spanned - 1) / stride + 1) : 0 };
    return 0;
}

ssize_t plait_shared_array_slice_len(const plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step)
{
    struct slice slice;
    int error = find_slice(array, start, stop, step, &slice);
    return error ? error : (ssize_t)slice.count;
}

static int check_items(const struct slice *slice, const void *items, size_t count)
{
    if (slice->count != count) return plait__fail(-EINVAL, "the slice has %zu items, not %zu", slice->count, count);
    if (count && !items) return plait__fail(-EINVAL, "the items are NULL");
    return 0;
}

/* By steps of unsigned numbers: the last one may lead out of the array, and is not used. */
static size_t at(const struct slice *slice, size_t i)
{
    return (size_t)slice->start + i * (size_t)slice->step;
}

static void copy_out(const struct plait__shared *shared, const struct slice *slice, char *items)
{
    const size_t size = shared->item_size;
    if (slice->step == 1) memcpy(items, plait__shared_item(shared, (size_t)slice->start), slice->count * size);
    else for (size_t i = 0; i < slice->count; i++) plait__shared_copy_out(shared, at(slice, i), items + i * size);
}

static void copy_in(struct plait__shared *shared, const struct slice *slice, const char *items)
{
    const size_t size = shared->item_size;
    if (slice->step == 1) memcpy(plait__shared_item(shared, (size_t)slice->start), items, slice->count * size);
    else for (size_t i = 0; i < slice->count; i++) plait__shared_copy_in(shared, at(slice, i), items + i * size);
}

int plait_shared_array_get_slice(plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step, void *items,
                                 size_t count, plait_deadline deadline)
{
    struct slice slice;
    int got = find_slice(array, start, stop, step, &slice);
    if (!got) got = check_items(&slice, items, count);
    if (!got) got = plait__shared_enter(&array->shared, deadline);
    if (got < 0) return got;
    if (count) copy_out(&array->shared, &slice, items);
    return plait__shared_leave(&array->shared, got, 0);
}

int plait_shared_array_set_slice(plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step, const void *items,
                                 size_t count, plait_deadline deadline)
{
    struct slice slice;
    int got = find_slice(array, start, stop, step, &slice);
    if (!got) got = check_items(&slice, items, count);
    if (!got) got = plait__shared_enter(&array->shared, deadline);
    if (got < 0) return got;
    if (count) copy_in(&array->shared, &slice, items);
    return plait__shared_leave(&array->shared, got, 0);
}

/* ---- texts ---- */

static int too_long(size_t found, size_t size)
{
    return plait__fail(-EMSGSIZE, "the text has %zu bytes, there is room for %zu with a 0", found, size);
}

static int check_text(const plait_shared_array *array, const void *text)
{
    if (!is_array(array)) return not_an_array(array);
    if (array->shared.code != 'c') return plait__fail(-EINVAL, "only arrays of 'c' are texts");
    return text ? 0 : plait__fail(-EINVAL, "the text is NULL");
}

int plait_shared_array_get_value(plait_shared_array *array, char *text, size_t size, size_t *length, plait_deadline deadline)
{
    int got = check_text(array, text);
    if (!got) got = plait__shared_enter(&array->shared, deadline);
    if (got < 0) return got;
    const char *end = memchr(array->shared.items, 0, array->shared.length);
    size_t found = end ? (size_t)(end - array->shared.items) : array->shared.length;
    if (found >= size) return plait__shared_leave(&array->shared, got, too_long(found, size));
    memcpy(text, array->shared.items, found);
    text[found] = 0;
    if (length) *length = found;
    return plait__shared_leave(&array->shared, got, 0);
}

/* Copy them to the begin, with a 0 behind them if that is wanted and there is room for it. */
static int write_begin(plait_shared_array *array, const void *bytes, size_t size, bool ended, plait_deadline deadline)
{
    int got = check_text(array, bytes);
    if (got) return got;
    size_t length = array->shared.length;
    if (size > length) return plait__fail(-EMSGSIZE, "byte string too long: %zu bytes for %zu", size, length);
    got = plait__shared_enter(&array->shared, deadline);
    if (got < 0) return got;
    memcpy(array->shared.items, bytes, size);
    if (ended && size < length) array->shared.items[size] = 0;
    return plait__shared_leave(&array->shared, got, 0);
}

int plait_shared_array_set_value(plait_shared_array *array, const char *text, size_t length, plait_deadline deadline)
{
    return write_begin(array, text, length, true, deadline);
}

int plait_shared_array_get_raw(plait_shared_array *array, void *bytes, size_t size, plait_deadline deadline)
{
    int error = check_text(array, bytes);
    return error ? error : plait_shared_array_get_slice(array, PLAIT_SLICE_NONE, PLAIT_SLICE_NONE, 1, bytes, size, deadline);
}

int plait_shared_array_set_raw(plait_shared_array *array, const void *bytes, size_t size, plait_deadline deadline)
{
    return write_begin(array, bytes, size, false, deadline);
}

/* ---- lock and memory ---- */

int plait_shared_array_acquire(plait_shared_array *array, plait_deadline deadline)
{
    return is_array(array) ? plait__shared_acquire(&array->shared, deadline) : not_an_array(array);
}

int plait_shared_array_release(plait_shared_array *array)
{
    return is_array(array) ? plait__shared_release(&array->shared) : not_an_array(array);
}

plait_rlock *plait_shared_array_get_lock(plait_shared_array *array)
{
    return is_array(array) ? plait__shared_lock(&array->shared) : plait__null(not_an_array(array));
}

void *plait_shared_array_get_obj(plait_shared_array *array)
{
    return is_array(array) ? array->shared.items : plait__null(not_an_array(array));
}

/* ---- printing ---- */

static void put_items(struct plait__text *text, const struct plait__shared *shared)
{
    plait__put(text, "[");
    for (size_t i = 0; i < shared->length; i++) {
        if (i) plait__put(text, ", ");
        plait__shared_put_item(text, shared, i);
    }
    plait__put(text, "]");
}

ssize_t plait_shared_array_repr(const plait_shared_array *array, char *text, size_t size)
{
    struct plait__text all = plait__text_begin(text, text ? size : 0);
    if (!text && size) return plait__fail(-EINVAL, "the text is NULL");
    if (!is_array(array)) return not_an_array(array);
    const struct plait__shared *shared = &array->shared;
    if (shared->code == 'c') plait__put_bytes_repr(&all, shared->items, shared->length);
    else if (shared->code == 'u') plait__put_points_repr(&all, (const uint32_t *)(const void *)shared->items, shared->length);
    else put_items(&all, shared);
    return (ssize_t)all.length;
}
