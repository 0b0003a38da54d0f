/* Globals, and objects of any class. */
#include "value/object.h"

#include <stdlib.h>

#include "value/container.h"

/* ---- globals ---- */

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
    const char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot > name && dot[1]) return plait__global_new(name, (size_t)(dot - name), dot + 1, strlen(dot + 1));
    plait__fail(-EINVAL, "'%.100s' is no name with a module before it", name ? name : "NULL");
    return plait__null(EINVAL);
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

/* A part that an object gets later, and that is made for it: nobody else can hold it, so it does not count as held. */
static int give_part(plait_value **part, plait_value *made)
{
    *part = made;
    return made ? 0 : -ENOMEM;
}

int plait__object_push(plait_value *object, plait_value *item)
{
    struct plait__object *of = object->as.object;
    int error = of->items ? 0 : give_part(&of->items, plait_list(0));
    if (!error) error = plait__hold(object, item);
    if (!error) return plait__list_push(of->items, item);
    plait_value_free(item);
    return error;
}

int plait__object_put(plait_value *object, plait_value *key, plait_value *value)
{
    struct plait__object *of = object->as.object;
    int error = of->pairs ? 0 : give_part(&of->pairs, plait_dict(0));
    if (!error) error = plait__hold(object, key);
    if (!error) error = plait__hold(object, value);
    if (!error) {
        error = plait__table_put(of->pairs, key, value);
        return error < 0 ? error : 0;
    }
    plait_value_free(key);
    plait_value_free(value);
    return error;
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
