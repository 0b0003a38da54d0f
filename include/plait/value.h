/* plait/value.h - values without a fixed shape: what a Python program would put into a message.
 *
 * ```c
 * plait_value *list = plait_list(3, plait_int(42), plait_none(), plait_string("hello"));
 * if (!list) return;                                                  // errno: ENOMEM
 * puts(plait_repr(list));                                             // [42, None, 'hello']
 * int64_t number;
 * if (plait_int_get(plait_list_get(list, 0), &number) == 0) printf("%lld\n", (long long)number);
 * plait_value_free(list);
 * ```
 *
 * Who owns what.  A builder returns a value that belongs to the caller, who frees it, or gives it away: what is put into a list, a
 * tuple, a dict, a set or an object belongs to that from then on, also if the call fails (it is freed then), so builders can be
 * nested.  A builder that is given NULL, because the inner one failed, frees the rest and returns NULL with the inner one's errno.
 * What a getter returns is borrowed: it lives as long as what it was got from holds it.  plait_value_ref makes it the caller's,
 * too: values are counted, and one may be in several places at once, as in Python.  A container that would come to hold itself is
 * refused (-ELOOP).
 *
 * Values are private memory of the process.  They go to others as messages, or as bytes.  Threads may read, ref and free the same
 * value at once; who changes one, or prints it (plait_repr and plait_str keep the text in it), must be alone with it.
 * Nothing here blocks.  Not for signal handlers.
 */
#ifndef PLAIT_VALUE_H
#define PLAIT_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/export.h>

typedef struct plait_value plait_value;

enum plait_type {
    PLAIT_NONE, PLAIT_BOOL, PLAIT_INT, PLAIT_FLOAT,
    PLAIT_STRING,             /* UTF-8; a lone surrogate is three bytes, as Python's "surrogatepass" has it */
    PLAIT_BYTES, PLAIT_BYTEARRAY,
    PLAIT_LIST, PLAIT_TUPLE,
    PLAIT_DICT, PLAIT_SET, PLAIT_FROZENSET,                /* in the order of insertion */
    PLAIT_GLOBAL,             /* a class or a function, of which only the name is known: "builtins.list" */
    PLAIT_OBJECT              /* an instance of a class: plait/object.h */
};

PLAIT_BEGIN

/* ---- builders: NULL with errno ENOMEM, or EINVAL where it is said ---- */

PLAIT_API plait_value *plait_none(void);
PLAIT_API plait_value *plait_bool(int truth);
PLAIT_API plait_value *plait_int(int64_t number);
PLAIT_API plait_value *plait_uint(uint64_t number);

/* An int of any size: `size` bytes, the lowest first, in two's complement.
 * Python: int.from_bytes(bytes, 'little', signed=True). */
PLAIT_API plait_value *plait_int_from_bytes(const void *bytes, size_t size);

/* An int of any size from its decimal digits: "-12345678901234567890".  EINVAL: something else; ERANGE: more than 4,300 digits, as
 * in Python.  Python: int(digits). */
PLAIT_API plait_value *plait_int_parse(const char *digits);

PLAIT_API plait_value *plait_float(double number);

/* A copy of a text in UTF-8, which may have lone surrogates.  EILSEQ: it is not UTF-8; EINVAL: NULL. */
PLAIT_API plait_value *plait_string(const char *text);
PLAIT_API plait_value *plait_string_sized(const char *text, size_t size);

/* A copy of the bytes.  EINVAL: NULL with a size.  Python: bytes(data), bytearray(data). */
PLAIT_API plait_value *plait_bytes(const void *data, size_t size);
PLAIT_API plait_value *plait_bytearray(const void *data, size_t size);

/* Of n values, which are given away.  plait_dict: of n pairs, a key and its value in turn; a later one of an equal key wins.
 * EINVAL: a key, or a member of a set, that is not hashable (list, dict, set, bytearray, slice, array, a struct of C).
 * EOVERFLOW: one that is nested more than 400 deep. */
PLAIT_API plait_value *plait_list(size_t n, ...);
PLAIT_API plait_value *plait_tuple(size_t n, ...);
PLAIT_API plait_value *plait_dict(size_t n, ...);
PLAIT_API plait_value *plait_set(size_t n, ...);
PLAIT_API plait_value *plait_frozenset(size_t n, ...);

/* The same of n values that lie side by side; they are given away, the array is not. */
PLAIT_API plait_value *plait_list_of(size_t n, plait_value *const *values);
PLAIT_API plait_value *plait_tuple_of(size_t n, plait_value *const *values);

/* ---- any value ---- */

/* One more owner.  The value; NULL for NULL.  Thread-safe. */
PLAIT_API plait_value *plait_value_ref(plait_value *value);

/* One owner less; the last one frees it and what it holds.  NULL is fine.  Thread-safe.  Keeps errno. */
PLAIT_API void plait_value_free(plait_value *value);

/* One that shares nothing with it; what is in several places of the value is one in its copy, too.
 * NULL: errno EINVAL, ENOMEM, EOVERFLOW (nested more than 400 deep), or encode's error.  Python: copy.deepcopy(value). */
PLAIT_API plait_value *plait_value_copy(const plait_value *value);

/* enum plait_type; -EINVAL for NULL. */
PLAIT_API int plait_value_type(const plait_value *value);

/* "int", "str", "NoneType", ..., or the class of an object: "collections.deque".  Never NULL. */
PLAIT_API const char *plait_value_type_name(const plait_value *value);

/* 1: yes, 0: no.  Python: value is None. */
PLAIT_API int plait_is_none(const plait_value *value);

/* How many items, pairs, characters (of a string: code points) or bytes; -EINVAL: what has no length.  Python: len(value). */
PLAIT_API ssize_t plait_value_len(const plait_value *value);

/* 1: yes, 0: no; -EINVAL for NULL.  Python: bool(value). */
PLAIT_API int plait_value_truth(const plait_value *value);

/* As Python's ==: 1 == 1.0 == True, lists and tuples item by item, dicts and sets in any order, NaN is not itself.  Objects are
 * equal if they were made alike and have equal states, as dataclasses are (plain objects of Python are equal to themselves only;
 * as keys of a dict or members of a set that comes from Python, or is copied, they stay apart: see plait_pickle_loads).
 * 1, 0; -EINVAL for NULL; -EOVERFLOW: nested more than 400 deep, or a braid of more than 16 million parts (8
 * items that are no containers count as one, and so do 256 bytes); encode's error. */
PLAIT_API int plait_value_equal(const plait_value *a, const plait_value *b);

/* Equal values have equal hashes; numbers have Python's own, others another one in each process.  0; -EINVAL: not hashable;
 * -EOVERFLOW.  Python: hash(value). */
PLAIT_API int plait_value_hash(const plait_value *value, uint64_t *hash);

/* As Python's repr() and str(), but that sets are in the order of insertion, ints of more than 4,300 digits hexadecimal, and
 * objects without an address: <__main__.Task object>; of the characters that cannot be seen only the common ones are escaped.  What
 * is nested more than 400 deep is "...", and so is all that would begin behind 64 MiB of text.  The text belongs to the value and
 * lives until that is freed or changed.  Never NULL: where there is no memory it is "<out of memory>".  Not for two threads at once
 * with one value. */
PLAIT_API const char *plait_repr(const plait_value *value);
PLAIT_API const char *plait_str(const plait_value *value);

/* ---- scalars: 0, or -EINVAL: it is of another type (the detail says which) ---- */

/* A bool is an int, too.  -ERANGE: it does not fit. */
PLAIT_API int plait_int_get(const plait_value *value, int64_t *number);
PLAIT_API int plait_uint_get(const plait_value *value, uint64_t *number);

/* An int of any size into `size` bytes, the lowest first, two's complement.  -ERANGE: it needs more.
 * Python: value.to_bytes(size, 'little', signed=True). */
PLAIT_API int plait_int_to_bytes(const plait_value *value, void *bytes, size_t size);

/* An int is fine, too; -ERANGE: too large an int.  Python: float(value). */
PLAIT_API int plait_float_get(const plait_value *value, double *number);

PLAIT_API int plait_bool_get(const plait_value *value, int *truth);

/* The text, with a 0 behind it; its bytes in *size unless that is NULL.  NULL: errno EINVAL. */
PLAIT_API const char *plait_string_get(const plait_value *value, size_t *size);

/* The same for bytes and bytearrays. */
PLAIT_API const void *plait_bytes_get(const plait_value *value, size_t *size);

/* ---- lists and tuples ---- */

/* The i-th item, borrowed; negative ones count from the end, as in Python.  Of a list or a tuple.
 * NULL: errno ERANGE (there is no such item), EINVAL (neither of the two). */
PLAIT_API plait_value *plait_list_get(const plait_value *list, ssize_t i);

/* Lists only.  0; -ERANGE, -EINVAL, -ENOMEM, -ELOOP: the item is freed, the list as before.  Insert takes any i, as Python does. */
PLAIT_API int plait_list_append(plait_value *list, plait_value *item);
PLAIT_API int plait_list_insert(plait_value *list, ssize_t i, plait_value *item);
PLAIT_API int plait_list_set(plait_value *list, ssize_t i, plait_value *item);

/* Take the i-th item out of a list; it is the caller's.  NULL: errno ERANGE, EINVAL.  Python: list.pop(i). */
PLAIT_API plait_value *plait_list_pop(plait_value *list, ssize_t i);

/* ---- dicts: keys by Python's equality ---- */

/* The value of that key, borrowed; the key stays the caller's.  NULL: errno ENOENT (no such key), EINVAL (no dict, or not
 * hashable). */
PLAIT_API plait_value *plait_dict_get(const plait_value *dict, const plait_value *key);

/* The same for a string as the key. */
PLAIT_API plait_value *plait_dict_get_string(const plait_value *dict, const char *key);

/* 0; -EINVAL, -ENOMEM, -ELOOP: key and value are freed, the dict as before.  Python: dict[key] = value. */
PLAIT_API int plait_dict_set(plait_value *dict, plait_value *key, plait_value *value);
PLAIT_API int plait_dict_set_string(plait_value *dict, const char *key, plait_value *value);

/* Take it out; the value is the caller's.  NULL: errno ENOENT, EINVAL.  Python: dict.pop(key). */
PLAIT_API plait_value *plait_dict_pop(plait_value *dict, const plait_value *key);

/* The next pair, in the order of insertion, both borrowed: 1, or 0 at the end; -EINVAL.  *position is 0 at first, and is the
 * dict's own otherwise; the dict must not change meanwhile, but for the values of keys that it has.  Either may be NULL. */
PLAIT_API int plait_dict_next(const plait_value *dict, size_t *position, plait_value **key, plait_value **value);

/* ---- sets; those that change one: not of frozen ones ---- */

/* 1: it was added, 0: it was in it (and is freed); -EINVAL, -ENOMEM.  Python: set.add(item). */
PLAIT_API int plait_set_add(plait_value *set, plait_value *item);

/* 1: it was taken out, 0: it was not in it; -EINVAL.  Python: set.discard(item). */
PLAIT_API int plait_set_discard(plait_value *set, const plait_value *item);

/* The next item, as plait_dict_next. */
PLAIT_API int plait_set_next(const plait_value *set, size_t *position, plait_value **item);

/* ---- */

/* 1, 0; -EINVAL.  For lists, tuples, sets, and the keys of dicts.  Python: item in container. */
PLAIT_API int plait_value_contains(const plait_value *container, const plait_value *item);

/* Empty it: a list, dict, set or bytearray.  0; -EINVAL.  Python: value.clear(). */
PLAIT_API int plait_value_clear(plait_value *value);

PLAIT_END
#endif
