/* Structs of C as objects, and their methods. */
#include <stdlib.h>

#include "value/container.h"
#include "value/object.h"

/* ---- the classes of this process: a list to which some are added, and from which none goes ---- */

struct registered {
    const plait_class *type;
    struct registered *next;
};

static _Atomic(struct registered *) all;

/* Among those from `from` on. */
static const plait_class *find_among(const struct registered *from, const char *name)
{
    while (from && strcmp(from->type->name, name) != 0) from = from->next;
    return from ? from->type : NULL;
}

const plait_class *plait__class_find(const char *name)
{
    return find_among(atomic_load_explicit(&all, memory_order_acquire), name);
}

static int check_class(const plait_class *type)
{
    if (!type) return plait__fail(-EINVAL, "the class is NULL");
    if (plait__check_global(type->name)) return plait__fail(-EINVAL, "the class has no name with a module before it");
    if (!type->size) return plait__fail(-EINVAL, "the class %.100s has no size", type->name);
    if (!type->encode || !type->decode) return plait__fail(-EINVAL, "the class %.100s cannot be encoded or decoded", type->name);
    return PLAIT__CHECK_RESERVED(type->reserved, 0);
}

int plait_class_register(const plait_class *object_class)
{
    const int error = check_class(object_class);
    if (error) return error;
    struct registered *own = malloc(sizeof *own);
    if (!own) return plait__fail(-ENOMEM, "there is no memory for a class");
    struct registered *first = atomic_load_explicit(&all, memory_order_acquire);
    do {
        const plait_class *there = find_among(first, object_class->name);
        if (there) {
            free(own);
            return there == object_class ? 0 : plait__fail(-EEXIST, "there is another class %.100s", object_class->name);
        }
        *own = (struct registered){ object_class, first };
    } while (!atomic_compare_exchange_weak_explicit(&all, &first, own, memory_order_acq_rel, memory_order_acquire));
    return 0;
}

/* ---- structs ---- */

static void *copy_of(const void *self, size_t size)
{
    void *copy = malloc(size);
    if (!copy) return plait__no_memory();
    return memcpy(copy, self, size);
}

plait_value *plait_instance(const plait_class *object_class, const void *self)
{
    int error = check_class(object_class);
    if (!error && !self) error = plait__fail(-EINVAL, "the struct is NULL");
    if (error) return plait__null(error);
    plait_value *object = plait_object(object_class->name, plait_none());
    void *copy = object ? copy_of(self, object_class->size) : NULL;
    if (copy) {
        object->as.object->type = object_class;
        object->as.object->self = copy;
        return object;
    }
    plait_value_free(object);
    return plait__null(ENOMEM);
}

int plait__object_state_now(const plait_value *value, plait_value **state)
{
    const struct plait__object *object = value->as.object;
    *state = NULL;
    if (!object->self) {
        if (object->state) *state = plait__ref(object->state);
        return 0;
    }
    errno = 0;
    *state = object->type->encode(object->self);
    if (*state) return 0;
    if (!errno) return plait__fail(-EINVAL, "the class %.100s could not encode its struct", object->type->name);
    return -errno;
}

/* The state has gone into the struct, which is the truth from then on. */
static int decode(struct plait__object *object, const plait_class *type)
{
    void *self = calloc(1, type->size);
    if (!self) return -plait__fail(ENOMEM, "there is no memory for a struct of %.100s", type->name);
    const int error = type->decode(self, object->state ? object->state : &plait__none);
    if (error < 0) {
        free(self);
        return error;
    }
    plait_value_free(object->state);
    object->state = NULL;
    object->type = type;
    object->self = self;
    return 0;
}

static bool is_of(const plait_value *object, const plait_class *type)
{
    const char *name = plait__object_class(object);
    if (object->as.object->self) return object->as.object->type == type;
    return name && strcmp(name, type->name) == 0;
}

void *plait_instance_get(plait_value *object, const plait_class *object_class)
{
    int error = check_class(object_class);
    if (!error && (!object || object->type != PLAIT_OBJECT)) error = plait__is_no(object, "object");
    if (!error && !is_of(object, object_class))
        error = plait__fail(-EINVAL, "the object is a %s, not a %s", plait_value_type_name(object), object_class->name);
    if (!error && !object->as.object->self) error = decode(object->as.object, object_class);
    return error ? plait__null(error) : object->as.object->self;
}

/* ---- methods ---- */

static const plait_class *class_of(const plait_value *object)
{
    const char *name = plait__object_class(object);
    if (object->as.object->type) return object->as.object->type;
    return name ? plait__class_find(name) : NULL;
}

static const plait_method *method_of(const plait_class *type, const char *name)
{
    const plait_method *method = type->methods;
    while (method && method->name && strcmp(method->name, name) != 0) method++;
    return method && method->name && method->call ? method : NULL;
}

static plait_value *call(plait_value *object, const plait_class *type, const plait_method *method, const plait_value *arguments)
{
    void *self = plait_instance_get(object, type);
    if (!self) return NULL;
    const int saved = errno;
    errno = 0;
    plait_value *result = method->call(self, arguments);
    if (result) {
        errno = saved;
    } else if (!errno) {
        plait__fail(-EINVAL, "%.100s.%.100s failed without saying why", type->name, method->name);
        errno = EINVAL;
    }
    return result;
}

/* ENOENT, EINVAL: there is nothing to call. */
static int look_up(const plait_value *object, const char *name, const plait_class **type, const plait_method **method)
{
    *type = class_of(object);
    if (!*type) return plait__fail(ENOENT, "no class %.100s is registered in this process", plait_value_type_name(object));
    *method = method_of(*type, name);
    return *method ? 0 : plait__fail(ENOENT, "the class %.100s has no method '%.100s'", (*type)->name, name);
}

plait_value *plait_object_call(plait_value *object, const char *method, plait_value *arguments)
{
    const plait_class *type;
    const plait_method *found;
    int error = object && object->type == PLAIT_OBJECT ? 0 : plait__is_no(object, "object");
    if (!error && !method) error = plait__fail(-EINVAL, "the name of the method is NULL");
    if (!error && arguments && arguments->type != PLAIT_TUPLE) error = plait__is_no(arguments, "tuple");
    if (!error) error = look_up(object, method, &type, &found);
    plait_value *result = error ? plait__null(error) : call(object, type, found, arguments);
    error = errno;
    plait_value_free(arguments);
    errno = error;
    return result;
}

plait_value *plait__object_text(const plait_value *value, const char *method)
{
    plait_value *object = (plait_value *)(uintptr_t)value;
    const plait_class *type = class_of(object);
    const plait_method *found = type ? method_of(type, method) : NULL;
    plait_value *said = found ? call(object, type, found, NULL) : NULL;
    if (!said || said->type == PLAIT_STRING) return said;
    plait_value_free(said);
    return NULL;
}
