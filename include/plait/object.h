/* plait/object.h - values that are instances of classes: those of Python programs, and structs of your own.
 *
 * To plait an object is how Python's pickle describes it: a class (or another callable) by its name, the arguments it was called with, and the
 * state it was given afterwards.  Nobody is called when one arrives; objects of unknown classes survive the round trip.
 *
 * A class registered here gives such objects a C struct, and methods:
 *
 * ```c
 * struct fancy { char name[32]; };
 *
 * static plait_value *encode(const void *self)                        // its state, as a Python object's __dict__
 * {
 *     return plait_dict(1, plait_string("name"), plait_string(((const struct fancy *)self)->name));
 * }
 *
 * static int decode(void *self, const plait_value *state)
 * {
 *     const char *name = plait_string_get(plait_dict_get_string(state, "name"), NULL);
 *     if (!name) return -errno;
 *     snprintf(((struct fancy *)self)->name, sizeof(struct fancy), "%s", name);
 *     return 0;
 * }
 *
 * static plait_value *do_something(void *self, const plait_value *arguments)
 * {
 *     (void)arguments;
 *     printf("Doing something fancy for %s!\n", ((struct fancy *)self)->name);
 *     return plait_none();
 * }
 *
 * static const plait_method methods[] = { { "do_something", do_something }, { NULL, NULL } };
 * static const plait_class fancy_class = {
 *     .name = "__main__.MyFancyClass", .size = sizeof(struct fancy), .encode = encode, .decode = decode, .methods = methods,
 * };
 *
 *     plait_class_register(&fancy_class);                             // once in each process, before such objects arrive
 *     plait_value *object = plait_instance(&fancy_class, &(struct fancy){ "Fancy Dan" });
 *     plait_value_free(plait_object_call(object, "do_something", NULL));
 * ```
 */
#ifndef PLAIT_OBJECT_H
#define PLAIT_OBJECT_H

#include <plait/value.h>

typedef struct plait_method {
    const char *name;         /* as in Python; "__call__" and "__str__", too.  NULL: the end of the list */
    /* The result is the caller's; NULL with errno: it failed.  `arguments`: a tuple, or NULL for none; it stays the caller's. */
    plait_value *(*call)(void *self, const plait_value *arguments);
} plait_method;

typedef struct plait_class {
    const char *name;         /* module and qualified name, as Python has it: "__main__.MyFancyClass" */
    size_t size;              /* of the C struct */
    plait_value *(*encode)(const void *self);              /* its state; NULL with errno: it failed */
    int (*decode)(void *self, const plait_value *state);   /* fill the zeroed struct; 0, or a negative error */
    void (*release)(void *self);                           /* before the struct goes; NULL: there is nothing to do */
    const plait_method *methods;                           /* may be NULL */
    uint64_t reserved[4];     /* zero */
} plait_class;

PLAIT_BEGIN

/* ---- objects of any class ---- */

/* A global by its full name, "builtins.list": PLAIT_GLOBAL.  EINVAL: no dot in it, or nothing before or behind it. */
PLAIT_API plait_value *plait_global(const char *name);

/* Its name; it lives as long as the value.  NULL: errno EINVAL. */
PLAIT_API const char *plait_global_name(const plait_value *global);

/* A plain instance of that class with that state (as a rule a dict of its attributes; plait_none(): none), which is given away.
 * Python: an instance that pickles without a __reduce__ of its own. */
PLAIT_API plait_value *plait_object(const char *class_name, plait_value *state);

/* The object that the callable of that name would give for these arguments, a tuple, which is given away.
 * Python: what a __reduce__ returns, as in plait_object_of_call("builtins.KeyError", plait_tuple(1, plait_string("k"))). */
PLAIT_API plait_value *plait_object_of_call(const char *callable, plait_value *arguments);

/* The full name of its class (or callable); it lives as long as the object.  NULL: errno EINVAL. */
PLAIT_API const char *plait_object_class(const plait_value *object);

/* Borrowed: the arguments (a tuple), the state.  NULL: errno ENOENT (it has none), EINVAL (no object). */
PLAIT_API plait_value *plait_object_arguments(const plait_value *object);
PLAIT_API plait_value *plait_object_state(const plait_value *object);

/* An attribute, from a state that is a dict; borrowed.  NULL: errno ENOENT, EINVAL.  Python: getattr(object, name). */
PLAIT_API plait_value *plait_object_get(const plait_value *object, const char *name);

/* Set one; the value is given away.  An object without state gets a dict.  0; -EINVAL, -ENOMEM, -ELOOP.
 * Python: setattr(object, name, value). */
PLAIT_API int plait_object_set(plait_value *object, const char *name, plait_value *value);

/* ---- what Python's built-in classes are, as objects ---- */

PLAIT_API plait_value *plait_range(int64_t start, int64_t stop, int64_t step);                    /* EINVAL: step 0 */
PLAIT_API plait_value *plait_slice(plait_value *start, plait_value *stop, plait_value *step);     /* given away; ints or None */
PLAIT_API plait_value *plait_array(int typecode, const void *items, size_t n);                    /* array.array; EINVAL: no such code */

/* 0; -EINVAL: it is no such object; -ERANGE: a number that does not fit. */
PLAIT_API int plait_range_get(const plait_value *range, int64_t *start, int64_t *stop, int64_t *step);
PLAIT_API int plait_slice_get(const plait_value *slice, plait_value **start, plait_value **stop, plait_value **step);

/* The items, in this machine's byte order, borrowed; their number in *n, their type code in *typecode. */
PLAIT_API const void *plait_array_get(const plait_value *array, int *typecode, size_t *n);

/* ---- structs of your own ---- */

/* From now on objects of that name can be decoded and called in this process.  The class is not copied.
 * 0; -EINVAL (what is missing in it); -EEXIST (another class has that name); -ENOMEM.  Thread-safe. */
PLAIT_API int plait_class_register(const plait_class *object_class);

/* An object that holds a copy of the struct.  It is encoded when it travels. */
PLAIT_API plait_value *plait_instance(const plait_class *object_class, const void *self);

/* Its struct, which belongs to the object: decoded at the first call.  NULL: errno EINVAL (another class), or decode's error. */
PLAIT_API void *plait_instance_get(plait_value *object, const plait_class *object_class);

/* Call a method of a registered class.  `arguments`: a tuple, given away; NULL: none.  The result is the caller's.
 * NULL: errno ENOENT (no such class or method here), EINVAL, decode's, or the method's. */
PLAIT_API plait_value *plait_object_call(plait_value *object, const char *method, plait_value *arguments);

PLAIT_END
#endif
