/* Globals, and objects of any class. */
#include "value/object.h"

#include <stdlib.h>

#include "value/container.h"
#include "value/text.h"

/* ---- globals ---- */

bool plait__is_name(const char *name, size_t size)
{
    return size > 0 && !memchr(name, 0, size) && !memchr(name, '\n', size) && plait__is_utf8(name, size);
}

bool plait__is_path(const char *name, size_t size)
{
    if (!plait__is_name(name, size) || *name == '.' || name[size - 1] == '.') return false;
    for (size_t i = 1; i < size; i++)
        if (name[i] == '.' && name[i - 1] == '.') return false;
    return true;
}

int plait__check_global(const char *name)
{
    if (name && strchr(name, '.') && plait__is_path(name, strlen(name))) return 0;
    return plait__fail(-EINVAL, "'%.100s' is no name with a module before it", name ? name : "NULL");
}

static plait_value *new_global(const char *name, size_t module, size_t size)
{
    plait_value *global = plait__value_new(PLAIT_GLOBAL);
    if (!global) return NULL;
    global->as.global.name = malloc(size + 1);
    if (!global->as.global.name) {
        plait__cell_free(global);
        return plait__no_memory();
    }
    if (name) memcpy(global->as.global.name, name, size);
    global->as.global.name[size] = 0;
    global->as.global.size = (uint32_t)size;
    global->as.global.module = (uint32_t)module;
    return global;
}

plait_value *plait__global_new(const char *module, size_t module_size, const char *name, size_t name_size)
{
    if (!module_size || !name_size || module_size + name_size >= INT32_MAX) {
        plait__fail(-EINVAL, "a global without a module or a name");
        return plait__null(EINVAL);
    }
    plait_value *global = new_global(NULL, module_size, module_size + 1 + name_size);
    if (!global) return NULL;
    memcpy(global->as.global.name, module, module_size);
    global->as.global.name[module_size] = '.';
    memcpy(global->as.global.name + module_size + 1, name, name_size);
    return global;
}

plait_value *plait_global(const char *name)
{
    const int error = plait__check_global(name);
    if (error) return plait__null(error);
    const char *dot = strrchr(name, '.');
    return plait__global_new(name, (size_t)(dot - name), dot + 1, strlen(dot + 1));
}

const char *plait_global_name(const plait_value *global)
{
    if (global && global->type == PLAIT_GLOBAL) return global->as.global.name;
    return plait__null(plait__is_no(global, "global"));
}

/* ---- made ---- */

static void free_parts(plait_value *callable, plait_value *arguments, plait_value *keywords)
{
    plait_value_free(callable);
    plait_value_free(arguments);
    plait_value_free(keywords);
}

static int check_parts(const plait_value *callable, const plait_value *arguments, const plait_value *keywords)
{
    if (!callable) return -plait__null_given();
    if (arguments && arguments->type != PLAIT_TUPLE) return plait__is_no(arguments, "tuple");
    if (keywords && keywords->type != PLAIT_DICT) return plait__is_no(keywords, "dict");
    return 0;
}

/* A new object is below none: what it holds needs no walk. */
static void hold_part(const plait_value *object, plait_value *part)
{
    if (part) (void)plait__hold(object, part);
}

plait_value *plait__object_new(enum plait__made made, plait_value *callable, plait_value *arguments, plait_value *keywords)
{
    int error = check_parts(callable, arguments, keywords);
    plait_value *value = error ? NULL : plait__value_new(PLAIT_OBJECT);
    if (value) value->as.object = calloc(1, sizeof *value->as.object);
    if (value && value->as.object) {
        *value->as.object =
            (struct plait__object){ .made = made, .callable = callable, .arguments = arguments, .keywords = keywords };
        hold_part(value, callable);
        hold_part(value, arguments);
        hold_part(value, keywords);
        return value;
    }
    if (value) plait__cell_free(value);
    free_parts(callable, arguments, keywords);
    return error ? plait__null(error) : plait__no_memory();
}

/* A part that an object gets with the first thing in it.  It is the object's alone, so it does not count as held. */
static plait_value *part_for(plait_value *there, int type)
{
    return there ? there : plait__value_new(type);
}

static int keep_part(plait_value **there, plait_value *part, int error)
{
    if (error >= 0) *there = part;
    else if (!*there) plait_value_free(part);
    return error < 0 ? error : 0;
}

int plait__object_push(plait_value *object, plait_value *item)
{
    struct plait__object *of = object->as.object;
    plait_value *items = part_for(of->items, PLAIT_LIST);
    int error = items ? plait__hold(object, item) : -ENOMEM;
    if (!error) return keep_part(&of->items, items, plait__list_push(items, item));
    plait_value_free(item);
    return keep_part(&of->items, items, error);
}

int plait__object_put(plait_value *object, plait_value *key, plait_value *value)
{
    struct plait__object *of = object->as.object;
    plait_value *pairs = part_for(of->pairs, PLAIT_DICT);
    int error = pairs ? plait__hold(object, key) : -ENOMEM;
    if (!error) error = plait__hold(object, value);
    if (!error) return keep_part(&of->pairs, pairs, plait__table_put_apart(pairs, key, value));
    plait_value_free(key);
    plait_value_free(value);
    return keep_part(&of->pairs, pairs, error);
}

int plait__object_build(plait_value *object, plait_value *state)
{
    const int error = plait__hold(object, state);
    if (error) {
        plait_value_free(state);
        return error;
    }
    plait_value_free(object->as.object->state);
    object->as.object->state = state;
    return 0;
}

/* ---- of any class ---- */

plait_value *plait_object(const char *class_name, plait_value *state)
{
    int error = state ? 0 : plait__null_given();
    plait_value *callable = error ? NULL : plait_global(class_name);
    plait_value *object = callable ? plait__object_new(PLAIT__BY_NEW, callable, plait__tuple_room(0), NULL) : NULL;
    if (!error && !object) error = errno;
    if (error || state->type == PLAIT_NONE) plait_value_free(state);
    else error = -plait__object_build(object, state);
    if (!error) return object;
    plait_value_free(object);
    return plait__null(error);
}

plait_value *plait_object_of_call(const char *callable, plait_value *arguments)
{
    const int error = arguments ? 0 : plait__null_given();
    if (error) return plait__null(error);
    plait_value *function = plait_global(callable);
    if (function) return plait__object_new(PLAIT__BY_CALL, function, arguments, NULL);
    const int why = errno;
    plait_value_free(arguments);
    return plait__null(why);
}

/* Calls that make an object of the class that is their first argument. */
static bool has_class_as_argument(const struct plait__object *object)
{
    const char *name = object->callable->as.global.name;
    if (object->made != PLAIT__BY_CALL || !object->arguments || !object->arguments->as.list.size) return false;
    if (object->arguments->as.list.items[0]->type != PLAIT_GLOBAL) return false;
    return strcmp(name, "array._array_reconstructor") == 0 || strcmp(name, "copyreg._reconstructor") == 0;
}

const char *plait__object_class(const plait_value *value)
{
    const struct plait__object *object = value->as.object;
    if (object->callable->type != PLAIT_GLOBAL) return NULL;
    return (has_class_as_argument(object) ? object->arguments->as.list.items[0] : object->callable)->as.global.name;
}

static bool is_object(const plait_value *value)
{
    return value && value->type == PLAIT_OBJECT;
}

const char *plait_object_class(const plait_value *object)
{
    if (!is_object(object)) return plait__null(plait__is_no(object, "object"));
    const char *name = plait__object_class(object);
    return name ? name : plait__null(plait__fail(-EINVAL, "the object was made by something without a name"));
}

plait_value *plait_object_arguments(const plait_value *object)
{
    if (!is_object(object)) return plait__null(plait__is_no(object, "object"));
    plait_value *arguments = object->as.object->arguments;
    return arguments ? arguments : plait__null(plait__fail(ENOENT, "the object has no arguments"));
}

/* That of a struct is made anew each time, and kept, as it is borrowed. */
plait_value *plait_object_state(const plait_value *object)
{
    plait_value *state, *keeper = (plait_value *)(uintptr_t)object;
    if (!is_object(object)) return plait__null(plait__is_no(object, "object"));
    int error = plait__object_state_now(object, &state);
    if (!error && object->as.object->self) error = plait__object_build(keeper, plait_value_ref(state));
    plait_value_free(state);
    if (error) return plait__null(error);
    return state ? state : plait__null(plait__fail(ENOENT, "the object has no state"));
}

/* ---- attributes ---- */

/* Of a class with __slots__ the state is a tuple of two: the dict, and those in the slots. */
static plait_value *attributes_of(plait_value *state, uint32_t i)
{
    if (state->type == PLAIT_DICT) return i == 0 ? state : NULL;
    if (state->type != PLAIT_TUPLE || state->as.list.size != 2 || i > 1) return NULL;
    plait_value *part = state->as.list.items[i];
    return part->type == PLAIT_DICT ? part : NULL;
}

plait_value *plait_object_get(const plait_value *object, const char *name)
{
    plait_value *state = plait_object_state(object);
    if (!state) return NULL;
    if (!name) return plait__null(plait__fail(-EINVAL, "the name is NULL"));
    for (uint32_t i = 0; i < 2; i++) {
        plait_value *attributes = attributes_of(state, i);
        plait_value *value = attributes ? plait_dict_get_string(attributes, name) : NULL;
        if (value) return value;
    }
    return plait__null(plait__fail(ENOENT, "'%s' object has no attribute '%.100s'", plait_value_type_name(object), name));
}

/* Where one goes: into a slot if there is such a one, otherwise into the dict.  NULL: there is none, errno. */
static plait_value *attributes_for(plait_value *state, const char *name)
{
    plait_value *attributes = attributes_of(state, 0), *slots = attributes_of(state, 1);
    if (slots && (!attributes || plait_dict_get_string(slots, name))) return slots;
    if (attributes) return attributes;
    return plait__null(plait__fail(-EINVAL, "the state of the object is no dict"));
}

static int set_first(plait_value *object, const char *name, plait_value *value)
{
    plait_value *state = plait_dict(1, plait_string(name), value);
    return state ? plait__object_build(object, state) : -errno;
}

int plait_object_set(plait_value *object, const char *name, plait_value *value)
{
    int error = is_object(object) ? 0 : plait__is_no(object, "object");
    if (!error && !name) error = plait__fail(-EINVAL, "the name is NULL");
    if (!error && !value) error = -plait__null_given();
    if (!error && object->as.object->self)
        error = plait__fail(-EINVAL, "the object is a struct: change that, plait_instance_get has it");
    if (!error) {
        if (!object->as.object->state) return set_first(object, name, value);
        plait_value *attributes = attributes_for(object->as.object->state, name);
        if (attributes) return plait_dict_set_string(attributes, name, value);
        error = -errno;
    }
    plait_value_free(value);
    return error;
}
