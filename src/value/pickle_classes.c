/* Reading pickles: classes and functions, which stay names, and what is made by calling them, which stays written down. */
#include "value/pickle_names.h"
#include "value/pickle_read.h"

enum { OBJECT = PLAIT__CELL + sizeof(struct plait__object) };

/* ---- names ---- */

static int push_global(struct plait__reader *reader, struct plait__pickle_name name)
{
    if (!plait__is_name(name.module, name.module_size) || !plait__is_path(name.name, name.name_size))
        return plait__pickle_bad(reader, -EBADMSG, "a global whose module or name is empty, or no text");
    if (reader->protocol < 3) plait__pickle_name_from_2(&name);
    int error = plait__pickle_spend(reader, PLAIT__CELL + name.module_size + name.name_size + 2);
    if (error) return error;
    return plait__pickle_push(reader, plait__global_new(name.module, name.module_size, name.name, name.name_size));
}

int plait__pickle_global(struct plait__reader *reader)
{
    struct plait__pickle_name name;
    int error = plait__pickle_line(reader, &name.module, &name.module_size);
    if (!error) error = plait__pickle_line(reader, &name.name, &name.name_size);
    return error ? error : push_global(reader, name);
}

int plait__pickle_stack_global(struct plait__reader *reader)
{
    int error = plait__pickle_has(reader, 2);
    if (error) return error;
    const plait_value *module = reader->slots[reader->count - 2], *text = reader->slots[reader->count - 1];
    if (module->type != PLAIT_STRING || text->type != PLAIT_STRING)
        return plait__pickle_bad(reader, -EBADMSG, "STACK_GLOBAL requires str: %s and %s", plait_value_type_name(module),
                                 plait_value_type_name(text));
    struct plait__pickle_name name;
    name.module = plait__bytes_of(module, &name.module_size);
    name.name = plait__bytes_of(text, &name.name_size);
    error = push_global(reader, name);
    if (error) return error;
    plait_value *global = reader->slots[--reader->count];
    plait__pickle_cut(reader, reader->count - 2);
    return plait__pickle_push(reader, global);
}

/* ---- objects ---- */

/* Put a value in the place of the topmost `count`; depth: if it is a container. */
static int replace(struct plait__reader *reader, size_t count, plait_value *value, uint32_t depth)
{
    plait__pickle_cut(reader, reader->count - count);
    return value && plait__is_container(value) ? plait__pickle_push_deep(reader, value, depth) : plait__pickle_push(reader, value);
}

/* The topmost `count` are what to call, its arguments, and perhaps keywords: they become an object. */
static int make(struct plait__reader *reader, enum plait__made made, size_t count)
{
    plait_value *const *slots = &reader->slots[reader->count - count];
    uint32_t depth;
    int error = plait__pickle_spend(reader, OBJECT);
    if (!error) error = plait__pickle_depth_of(reader, reader->count - count, &depth);
    if (error) return error;
    plait_value *object = plait__object_new(made, plait__ref_alone(slots[0]), plait__ref_alone(slots[1]),
                                            count == 3 ? plait__ref_alone(slots[2]) : NULL);
    return replace(reader, count, object, depth);
}

/* A callable is a name, or an object that another call gave. */
static int check_call(struct plait__reader *reader, size_t count)
{
    int error = plait__pickle_has(reader, count);
    if (error) return error;
    plait_value *const *slots = &reader->slots[reader->count - count];
    if (slots[0]->type != PLAIT_GLOBAL && slots[0]->type != PLAIT_OBJECT)
        return plait__pickle_bad(reader, -EBADMSG, "a %s is called", plait_value_type_name(slots[0]));
    if (slots[1]->type != PLAIT_TUPLE)
        return plait__pickle_bad(reader, -EBADMSG, "the arguments are no tuple, but a %s", plait_value_type_name(slots[1]));
    if (count == 3 && slots[2]->type != PLAIT_DICT)
        return plait__pickle_bad(reader, -EBADMSG, "the keywords are no dict, but a %s", plait_value_type_name(slots[2]));
    return 0;
}

int plait__pickle_reduce(struct plait__reader *reader)
{
    int error = check_call(reader, 2);
    if (error) return error;
    plait_value *arguments = reader->slots[reader->count - 1], *plain;
    const int is_plain = plait__pickle_plain(reader, reader->slots[reader->count - 2], arguments, &plain);
    if (is_plain < 0) return is_plain;
    return is_plain ? replace(reader, 2, plain, plait__pickle_depth(arguments)) : make(reader, PLAIT__BY_CALL, 2);
}

int plait__pickle_newobj(struct plait__reader *reader, bool keywords)
{
    const size_t count = keywords ? 3 : 2;
    int error = check_call(reader, count);
    return error ? error : make(reader, keywords ? PLAIT__BY_NEW_EX : PLAIT__BY_NEW, count);
}

/* As Python 3 does it: a class without arguments is not called. */
static int instantiate(struct plait__reader *reader)
{
    const plait_value *arguments = reader->slots[reader->count - 1];
    return arguments->as.list.size ? plait__pickle_reduce(reader) : plait__pickle_newobj(reader, false);
}

int plait__pickle_obj(struct plait__reader *reader)
{
    size_t from;
    int error = plait__pickle_unmark(reader, &from);
    if (!error && reader->count == from) error = plait__pickle_bad(reader, -EBADMSG, "OBJ without a class");
    if (!error) error = plait__pickle_tuple(reader, from + 1);
    return error ? error : instantiate(reader);
}

int plait__pickle_inst(struct plait__reader *reader)
{
    size_t from;
    int error = plait__pickle_unmark(reader, &from);
    if (!error) error = plait__pickle_tuple(reader, from);
    if (!error) error = plait__pickle_global(reader);
    if (error) return error;
    plait_value **top = &reader->slots[reader->count - 1], *class = *top;
    *top = top[-1];
    top[-1] = class;
    reader->deep = reader->count;
    return instantiate(reader);
}

int plait__pickle_build(struct plait__reader *reader)
{
    int error = plait__pickle_has(reader, 2);
    if (!error) error = plait__pickle_takes(reader, reader->count - 2);
    if (error) return error;
    plait_value *object = reader->slots[reader->count - 2];
    if (object->type != PLAIT_OBJECT)
        return plait__pickle_bad(reader, -EBADMSG, "a %s is given a state", plait_value_type_name(object));
    return plait__object_build(object, reader->slots[--reader->count]);
}

/* Some classes have a function set their state: it is called, and its result thrown away.  Nobody could call it later. */
int plait__pickle_pop(struct plait__reader *reader)
{
    size_t mark;
    if (reader->mark_count && reader->fence == reader->count) return plait__pickle_unmark(reader, &mark);
    int error = plait__pickle_has(reader, 1);
    if (error) return error;
    const plait_value *top = reader->slots[reader->count - 1];
    if (top->type == PLAIT_OBJECT && top->as.object->made == PLAIT__BY_CALL && atomic_load(&top->refs) == 1)
        return plait__pickle_bad(reader, -ENOTSUP, "%s is called only for what it does", plait_value_type_name(top));
    plait__pickle_cut(reader, reader->count - 1);
    return 0;
}
