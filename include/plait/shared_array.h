/* plait/shared_array.h - many numbers, or structs, of one type in shared memory, with a lock over all of them.
 *
 * The types and what calls return are those of <plait/shared_value.h>.
 *
 * ```c
 * const int numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
 * plait_shared_array *array = plait_shared_array_new('i', 10, numbers, NULL);
 * int evens[5];
 * char text[64];
 * if (!array) return;
 * if (plait_shared_array_set_int(array, -1, 90, PLAIT_FOREVER) < 0) return;                      // array[-1] = 90
 * if (plait_shared_array_get_slice(array, 0, PLAIT_SLICE_NONE, 2, evens, 5, PLAIT_FOREVER) < 0) return;       // array[::2]
 * plait_shared_array_repr(array, text, sizeof text);
 * puts(text);                                                                 // [0, 1, 2, 3, 4, 5, 6, 7, 8, 90]
 * plait_shared_array_free(array);
 * ```
 *
 * An index counts from the end if it is negative, as in Python; one beyond either end is -EINVAL ("index out of range").
 */
#ifndef PLAIT_SHARED_ARRAY_H
#define PLAIT_SHARED_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/lock.h>
#include <plait/rlock.h>
#include <plait/shared_value.h>

typedef struct plait_shared_array plait_shared_array;

/* In place of a slice's start, stop or step: what Python takes when nothing stands there. */
#define PLAIT_SLICE_NONE PTRDIFF_MIN

PLAIT_BEGIN

/* A new array of `length` items (0 too) of that type, owned by the family.  They are copied from `items`; NULL: they are zero.
 * NULL: errno as plait_shared_value_new.  Python: multiprocessing.Array(type, length or items, lock=...). */
PLAIT_API plait_shared_array *plait_shared_array_new(int type, size_t length, const void *items,
                                                     const plait_shared_options *options);

/* One of structs of `size` bytes.  Python: multiprocessing.Array(a ctypes.Structure, ...). */
PLAIT_API plait_shared_array *plait_shared_array_new_struct(size_t size, size_t length, const void *items,
                                                            const plait_shared_options *options);

/* For one owner, after all others are done with it.  NULL is fine.  As plait_shared_value_free. */
PLAIT_API int plait_shared_array_free(plait_shared_array *array);

/* How many items; -EINVAL.  Python: len(array). */
PLAIT_API ssize_t plait_shared_array_len(const plait_shared_array *array);

/* Its type code; 0: structs; -EINVAL.  And how many bytes an item has; 0: it is no array. */
PLAIT_API int plait_shared_array_type(const plait_shared_array *array);
PLAIT_API size_t plait_shared_array_item_size(const plait_shared_array *array);

/* ---- one item: as of a shared value ---- */

/* Python: array[index]. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get_int(plait_shared_array *array, ptrdiff_t index, int64_t *number,
                                                          plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get_uint(plait_shared_array *array, ptrdiff_t index, uint64_t *number,
                                                           plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get_double(plait_shared_array *array, ptrdiff_t index, double *number,
                                                             plait_deadline deadline);

/* Python: array[index] = number. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set_int(plait_shared_array *array, ptrdiff_t index, int64_t number,
                                                          plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set_uint(plait_shared_array *array, ptrdiff_t index, uint64_t number,
                                                           plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set_double(plait_shared_array *array, ptrdiff_t index, double number,
                                                             plait_deadline deadline);

/* Python: with array.get_lock(): array[index] += number. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_add_int(plait_shared_array *array, ptrdiff_t index, int64_t number, int64_t *sum,
                                                          plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_add_double(plait_shared_array *array, ptrdiff_t index, double number, double *sum,
                                                             plait_deadline deadline);

/* The item as the C type or struct that it is. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get(plait_shared_array *array, ptrdiff_t index, void *to, size_t size,
                                                      plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set(plait_shared_array *array, ptrdiff_t index, const void *from, size_t size,
                                                      plait_deadline deadline);

/* ---- slices ---- */

/* How many items array[start:stop:step] has, by Python's rules: negative ones count from the end, those beyond it are cut, a
 * negative step goes backwards.  -EINVAL: the step is 0 ("slice step cannot be zero"), no array. */
PLAIT_API ssize_t plait_shared_array_slice_len(const plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step);

/* Copy a slice out, or in, under the lock; `items` are `count` items of the C type side by side, not in the array itself.  It has
 * to be just as many as the slice has (-EINVAL): an array keeps its length.  Who is killed in the middle of the second has copied
 * some of them; the next one to take the lock is told PLAIT_OWNER_DIED.
 * Of an array without a lock nothing is copied in one piece, beside somebody who changes it: some items may be old and others new,
 * and one of them half of each.  That holds for the texts and bytes below, too.
 * Python: items = array[start:stop:step], array[start:stop:step] = items. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get_slice(plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop,
                                                            ptrdiff_t step, void *items, size_t count,
                                                            plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set_slice(plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop,
                                                            ptrdiff_t step, const void *items, size_t count,
                                                            plait_deadline deadline);

/* ---- arrays of 'c', as texts; of others: -EINVAL ---- */

/* What stands before the first 0, or everything, and a 0 behind it; *length (which may be NULL) is told how much that is.
 * -EMSGSIZE: text has no room for it and the 0.  Python: array.value. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get_value(plait_shared_array *array, char *text, size_t size, size_t *length,
                                                            plait_deadline deadline);

/* Copy `length` bytes to its begin, with a 0 behind them if there is room for it.  -EMSGSIZE: it is longer than the array ("byte
 * string too long").  Python: array.value = bytes. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set_value(plait_shared_array *array, const char *text, size_t length,
                                                            plait_deadline deadline);

/* All of its bytes, zeros too: `size` is its length (-EINVAL).  Python: array.raw. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_get_raw(plait_shared_array *array, void *bytes, size_t size,
                                                          plait_deadline deadline);

/* The first `size` bytes, nothing behind them.  -EMSGSIZE: they are more than it has.  Python: array.raw = bytes. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_set_raw(plait_shared_array *array, const void *bytes, size_t size,
                                                          plait_deadline deadline);

/* ---- its lock, and without it: as of a shared value ---- */

/* Python: array.acquire(), or with array; array.release(); array.get_lock(); array.get_obj(). */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_array_acquire(plait_shared_array *array, plait_deadline deadline);
PLAIT_API int plait_shared_array_release(plait_shared_array *array);
PLAIT_API plait_rlock *plait_shared_array_get_lock(plait_shared_array *array);
PLAIT_API void *plait_shared_array_get_obj(plait_shared_array *array);

/* "[0, -1, 2]"; of a 'c' "b'text'", of a 'u' "'text'".  Into `text`, cut to `size` bytes with the 0: how long it is, as snprintf;
 * -EINVAL.  Take the lock before, if others may change it meanwhile.  Python: repr(array[:]). */
PLAIT_API ssize_t plait_shared_array_repr(const plait_shared_array *array, char *text, size_t size);

PLAIT_END
#endif
