/* plait/pickle.h - values as bytes, in Python's own format: data only, nothing is ever executed.
 *
 * ```c
 * plait_value *value = plait_list(2, plait_int(42), plait_string("hello"));
 * size_t size;
 * void *bytes = plait_pickle_dumps(value, NULL, &size);
 * plait_value *same = bytes ? plait_pickle_loads(bytes, size, NULL) : NULL;
 * if (same) puts(plait_repr(same));
 * plait_value_free(same);
 * free(bytes);
 * plait_value_free(value);
 * ```
 *
 * Nothing here blocks.  Thread-safe, as long as nobody changes the value.  Not for signal handlers.
 */
#ifndef PLAIT_PICKLE_H
#define PLAIT_PICKLE_H

#include <plait/value.h>

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_pickle_options {
    int protocol;             /* to write: 2 to 5; 0: 4, which every Python 3 of today reads */
    uint32_t max_depth;       /* to read: how many containers may lie within each other, at most 4,095.  0: 1,000 */
    size_t max_memory;        /* to read: how many bytes the value may take.  0: 64 MiB, and 64 for each byte of the pickle */
    uint64_t reserved[4];     /* zero */
} plait_pickle_options;

PLAIT_BEGIN

/* The value as a pickle, of *size bytes; free() it.  What is in it several times (the same value, not an equal one) is
 * written once, and will be one value again.  However deep it is, it takes no more stack.
 * NULL: errno EINVAL (no value, the options, or a name that the protocol cannot have), ENOMEM, EOVERFLOW (more than 4 GiB of text
 * or bytes in a protocol below 4), or the error of a class's encode().
 * Python: pickle.dumps(value, protocol). */
PLAIT_API void *plait_pickle_dumps(const plait_value *value, const plait_pickle_options *options, size_t *size);

/* The value that is in a pickle of any protocol, 0 to 5.  Classes and functions stay names, and calls of them, which are how Python
 * makes objects, stay written down: as objects (plait/object.h), which survive being written again.  What older protocols spell as
 * calls is what it was: bytes, sets, attributes of classes; names of Python 2 are those of Python 3.  A str of Python 2 that is not
 * ASCII is bytes.  Which classes compare their objects by what is in them cannot be known: nothing that a dict or a set has is left
 * out, so it may have several objects that look alike.  plait_dict_get finds each by itself, and the first by another one that
 * looks like it; such a dict is equal only to itself.  As in Python, what follows the pickle's end is not looked at.
 * NULL: errno EINVAL (the options), EBADMSG (no pickle; the detail says what is wrong, and at which byte), EOVERFLOW (nested too
 * deeply), ENOMEM (max_memory, too), ENOTSUP (a value that holds itself; what refers to something outside: persistent ids,
 * extension codes, buffers out of band; a function that is called only for what it does).
 * Python: pickle.loads(bytes), without running anything. */
PLAIT_API plait_value *plait_pickle_loads(const void *bytes, size_t size, const plait_pickle_options *options);

PLAIT_END
#endif
