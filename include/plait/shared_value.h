/* plait/shared_value.h - one number, or one struct, in shared memory, with a lock of its own.
 *
 * What it holds is told by one of Python's type codes:
 *
 *     'b' signed char     'h' short             'i' int         'l' long             'q' long long
 *     'B' unsigned char   'H' unsigned short    'I' unsigned    'L' unsigned long    'Q' unsigned long long
 *     'c' char            'u' wchar_t           'f' float       'd' double           '?' bool (in Python: ctypes.c_bool)
 *
 * ```c
 * plait_shared_value *number = plait_shared_value_new('d', NULL, NULL);          // 0.0
 * char text[32];
 * if (!number) return;
 * if (plait_shared_value_set_double(number, 3.1415927, PLAIT_FOREVER) < 0) return;
 * plait_shared_value_repr(number, text, sizeof text);
 * puts(text);                                                                    // 3.1415927
 * plait_shared_value_free(number);
 * ```
 *
 * Each get and each set takes the lock and gives it back, so `get, add 1, set` loses what others add in between, in Python's
 * `v.value += 1` as here.  Either one call does it all, or the lock is held meanwhile:
 *
 *     plait_shared_value_add_int(count, 1, NULL, PLAIT_FOREVER);
 *
 *     if (plait_shared_value_acquire(count, PLAIT_FOREVER) < 0) return;      // Python: with count.get_lock():
 *     ... get, set ...                                                       // who has it may take it again
 *     plait_shared_value_release(count);
 *
 * A number that does not fit its type is an error (-ERANGE), and nothing is changed: Python cuts it off (300 becomes 44 in a 'b').
 */
#ifndef PLAIT_SHARED_VALUE_H
#define PLAIT_SHARED_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/lock.h>
#include <plait/rlock.h>

typedef struct plait_shared_value plait_shared_value;

/* Of values and of arrays.  All zero, or NULL instead of the struct: a recursive lock of its own. */
typedef struct plait_shared_options {
    int no_lock;              /* not 0: none.  One number is still read and written in one piece, and added to without loss; but
                                 nothing more is said by that: who sees a new number need not see yet what was written to other
                                 memory before it (a relaxed atomic, in the words of C11).  Structs, slices and texts may be met
                                 half changed.  Python: lock=False, RawValue, RawArray */
    int reserved_int;
    plait_lock *lock;         /* somebody else's, in shared memory, which has to last as long; who holds it must not call what takes
                                 it again.  Python: lock=Lock() */
    plait_rlock *rlock;       /* the same, recursive.  Python: lock=RLock() */
    uint64_t reserved[5];     /* zero */
} plait_shared_options;

PLAIT_BEGIN

/* A new value of that type, owned by the family, valid in all its processes.  `initial` points to an object of the C type, which is
 * copied; NULL: zero.
 * NULL: errno EINVAL (no such type code; a lock that is not in shared memory), ENOMEM, PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Python: multiprocessing.Value(type, initial, lock=...). */
PLAIT_API plait_shared_value *plait_shared_value_new(int type, const void *initial, const plait_shared_options *options);

/* One of a struct of `size` bytes (or of anything else), aligned to 16 bytes.  Otherwise the same.
 * Python: multiprocessing.Value(a ctypes.Structure). */
PLAIT_API plait_shared_value *plait_shared_value_new_struct(size_t size, const void *initial, const plait_shared_options *options);

/* Free it, and its own lock.  For one owner, after all others are done with it.  NULL is fine.
 * 0, -EINVAL (no value, or freed before), or as plait_free. */
PLAIT_API int plait_shared_value_free(plait_shared_value *value);

/* ---- what it holds ----
 *
 * These wait for the lock until the deadline.  They return 0; PLAIT_OWNER_DIED (> 0: done; but the last one who held the lock was
 * killed inside, which you are told and nobody else: check what belongs together); -ETIMEDOUT; -ERANGE (the number has no place
 * there); -EINVAL (no value; a struct where a number is wanted; a whole number of a 'd', a fraction into an 'i'); as the lock.
 * After an error nothing is changed, and of a death that could not be told because of it the next call tells. */

/* The number, as an int64_t, uint64_t or double: whatever fits will do for whole ones.  A 'c' is 0 to 255, a '?' is 0 or 1.
 * Python: value.value. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_get_int(plait_shared_value *value, int64_t *number, plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_get_uint(plait_shared_value *value, uint64_t *number, plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_get_double(plait_shared_value *value, double *number, plait_deadline deadline);

/* Python: value.value = number. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_set_int(plait_shared_value *value, int64_t number, plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_set_uint(plait_shared_value *value, uint64_t number, plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_set_double(plait_shared_value *value, double number, plait_deadline deadline);

/* Add to it.  *sum is what it is then, unless sum is NULL; a sum that fits the value but not *sum is -ERANGE, too.  Of
 * 'c', 'u', '?': -EINVAL.  Without a lock it is just as whole.  Python: with value.get_lock(): value.value += number. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_add_int(plait_shared_value *value, int64_t number, int64_t *sum,
                                                          plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_add_double(plait_shared_value *value, double number, double *sum,
                                                             plait_deadline deadline);

/* Copy all of it out, or in, as the C type or the struct that it is, of just so many bytes (-EINVAL). */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_get(plait_shared_value *value, void *to, size_t size, plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_set(plait_shared_value *value, const void *from, size_t size,
                                                      plait_deadline deadline);

/* ---- its lock ---- */

/* Take the lock; who has it may do so again, and gives it back as often (unless .lock is a plain one).  As plait_lock_acquire,
 * and -EINVAL: it was made without a lock.  Python: value.acquire(), or with value. */
PLAIT_API PLAIT_MUST_CHECK int plait_shared_value_acquire(plait_shared_value *value, plait_deadline deadline);

/* Python: value.release(). */
PLAIT_API int plait_shared_value_release(plait_shared_value *value);

/* The lock itself, for a condition or another value; it belongs to the value.  NULL: errno EINVAL, it has none, or a plain one,
 * which you know.  Python: value.get_lock(). */
PLAIT_API plait_rlock *plait_shared_value_get_lock(plait_shared_value *value);

/* ---- without the lock ---- */

/* Where it lies in shared memory: a `double *` for a 'd', and so on, valid in every process, until it is freed.  NULL: errno
 * EINVAL.  Python: value.get_obj(). */
PLAIT_API void *plait_shared_value_get_obj(plait_shared_value *value);

/* Its type code; 0: a struct; -EINVAL. */
PLAIT_API int plait_shared_value_type(const plait_shared_value *value);

/* How many bytes it has; 0: it is no value. */
PLAIT_API size_t plait_shared_value_size(const plait_shared_value *value);

/* What it holds now, as Python would print it: "3.1415927", "b'x'", "True"; of a struct its bytes.  Into `text`, cut to `size`
 * bytes with the 0: how long it is, as snprintf; -EINVAL.  Python: repr(value.value). */
PLAIT_API ssize_t plait_shared_value_repr(const plait_shared_value *value, char *text, size_t size);

PLAIT_END
#endif
