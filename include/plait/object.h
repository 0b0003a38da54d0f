/* plait/object.h - values that are instances of classes: those of Python programs, and structs of your own.
 *
 * To plait an object is how Python's pickle describes it: a class (or another callable) by its name, the arguments it was called
 * with, and the state it was given afterwards.  Nobody is called when one arrives; objects of unknown classes survive the round
 * trip.  Two of them are equal if they look alike (plait_value_equal), but never become one key of a dict on the way.
 *
 * ```c
 * plait_value *task = plait_object("__main__.Task", plait_dict(1, plait_string("a"), plait_int(6)));
 * if (!task) return;
 * puts(plait_repr(plait_object_get(task, "a")));                      // 6
 * plait_value_free(task);
 * ```
 *
 * A class that is registered here (plait_class_register) gives such objects a C struct, and methods: see plait_class.
 */
#ifndef PLAIT_OBJECT_H
#define PLAIT_OBJECT_H

#include <plait/value.h>

typedef struct plait_method {
    const char *name;         /* as in Python; "__call__" and "__str__", too.  NULL: the end of the list */
    /* The result is the caller's; NULL with errno: it failed.  `arguments`: a tuple, or NULL for none; it stays the caller's. */
    plait_value *(*call)(void *self, const plait_value *arguments);
} plait_method;

/* struct fancy { char name[32]; };
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
 *     printf("Doing something fancy for %s!\n", ((struct fancy *)self)->name);
 *     return plait_none();
 * }
 *
 * static const plait_method methods[] = { { "do_something", do_something }, { NULL, NULL } };
 * static const plait_class fancy_class = {
 *     .name = "__main__.MyFancyClass", .size = sizeof(struct fancy), .encode = encode, .decode = decode, .methods = methods,
 * };
 *
 * In each process, before such objects arrive: plait_class_register(&fancy_class).  Then
 *
 *     plait_value *object = plait_instance(&fancy_class, &(struct fancy){ "Fancy Dan" });
 *     plait_value_free(plait_object_call(object, "do_something", NULL));
 *
 * The class is not copied: it lives as long as the process, or the plug-in that it is in must not be unloaded. */
typedef struct plait_class {
    const char *name;         /* module and qualified name, as Python has it: "__main__.MyFancyClass" */
    size_t size;              /* of the C struct */
    plait_value *(*encode)(const void *self);              /* its state, the caller's; NULL with errno: it failed */
    int (*decode)(void *self, const plait_value *state);   /* fill the zeroed struct; 0, or a negative error and nothing to free */
    void (*release)(void *self);                           /* before the struct goes; NULL: there is nothing to do */
    const plait_method *methods;                           /* may be NULL */
    uint64_t reserved[4];     /* zero */
} plait_class;

PLAIT_BEGIN

/* ---- objects of any class ---- */

/* A global by its full name, "builtins.list": PLAIT_GLOBAL.  EINVAL: no dot in it, nothing before or behind
 * one, a line's end in it, or no UTF-8. */
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

/* Borrowed: the arguments (a tuple), the state.  NULL: errno ENOENT (it has none), EINVAL (no object).  Of a struct the state is
 * encoded anew by each call, and what an earlier call returned goes then: not for two threads at once. */
PLAIT_API plait_value *plait_object_arguments(const plait_value *object);
PLAIT_API plait_value *plait_object_state(const plait_value *object);

/* An attribute, from a state that is a dict; borrowed.  NULL: errno ENOENT, EINVAL.  Python: getattr(object, name). */
PLAIT_API plait_value *plait_object_get(const plait_value *object, const char *name);

/* Set one; the value is given away, also if that fails.  An object without state gets a dict.  0; -EINVAL (no object, a state that
 * is no dict, a struct: change that itself), -ENOMEM, -ELOOP.  Python: setattr(object, name, value). */
PLAIT_API int plait_object_set(plait_value *object, const char *name, plait_value *value);

/* ---- what Python's built-in classes are, as objects ---- */

/* EINVAL: a step of 0.  Python: range(start, stop, step). */
PLAIT_API plait_value *plait_range(int64_t start, int64_t stop, int64_t step);

/* Of ints and None, which are given away.  EINVAL: something else.  Python: slice(start, stop, step). */
PLAIT_API plait_value *plait_slice(plait_value *start, plait_value *stop, plait_value *step);

/* Of n items that lie side by side, which are copied: b B h H i I l L q Q f d, and u or w of uint32_t.  EINVAL: another code, or
 * NULL with an n.  Python: array.array(typecode, items). */
PLAIT_API plait_value *plait_array(int typecode, const void *items, size_t n);

/* 0; -EINVAL: it is no such object; -ERANGE: a number that does not fit. */
PLAIT_API int plait_range_get(const plait_value *range, int64_t *start, int64_t *stop, int64_t *step);
PLAIT_API int plait_slice_get(const plait_value *slice, plait_value **start, plait_value **stop, plait_value **step);

/* The items, in this machine's byte order, borrowed; their number in *n, their type code in *typecode.  NULL: errno EINVAL (no
 * array), ERANGE (an item does not fit the type), ENOMEM (it came from another kind of machine, and is converted). */
PLAIT_API const void *plait_array_get(const plait_value *array, int *typecode, size_t *n);

/* ---- structs of your own ---- */

/* From now on objects of that name can be decoded and called in this process.  The class is not copied.
 * 0; -EINVAL (what is missing in it); -EEXIST (another class has that name); -ENOMEM.  Thread-safe. */
PLAIT_API int plait_class_register(const plait_class *object_class);

/* An object that holds a copy of the struct, with what release() releases.  It is encoded when it travels, is copied or compared.
 * NULL: errno EINVAL (the class lacks something, or the struct is NULL: it stays the caller's then), ENOMEM. */
PLAIT_API plait_value *plait_instance(const plait_class *object_class, const void *self);

/* Its struct, which belongs to the object: decoded at the first call, and its state from then on.  NULL: errno EINVAL (another
 * class), ENOMEM, or decode's error; the object is as before then. */
PLAIT_API void *plait_instance_get(plait_value *object, const plait_class *object_class);

/* Call a method of a registered class.  `arguments`: a tuple, given away; NULL: none.  The result is the caller's.
 * NULL: errno ENOENT (no such class or method here), EINVAL, decode's, or the method's.  plait_repr and plait_str call "__repr__"
 * and "__str__", if the class has them.  Python: object.method(*arguments). */
PLAIT_API plait_value *plait_object_call(plait_value *object, const char *method, plait_value *arguments);

PLAIT_END
#endif
