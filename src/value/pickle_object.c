/* Writing pickles: objects, as they were made. */
#include "value/pickle_write.h"

/* What an object is written as, one behind the other; nest->position counts them. */
enum { BEFORE, CALLABLE, ARGUMENTS, KEYWORDS, MADE, ITEMS, PAIRS, STATE, BUILT, PARTS };

/* Objects with keywords are calls before protocol 4. */
static bool is_call_of_new_ex(const struct plait__writer *writer, const struct plait__object *object)
{
    return object->made == PLAIT__BY_NEW_EX && writer->protocol < 4;
}

static int write_arguments(struct plait__writer *writer, const struct plait__object *object)
{
    return object->arguments ? plait__pickle_write(writer, object->arguments) : plait__pickle_code(writer, PICKLE_EMPTY_TUPLE);
}

static int write_keywords(struct plait__writer *writer, const struct plait__object *object)
{
    if (object->made != PLAIT__BY_NEW_EX) return 0;
    return object->keywords ? plait__pickle_write(writer, object->keywords) : plait__pickle_code(writer, PICKLE_EMPTY_DICT);
}

static int write_made(struct plait__writer *writer, const plait_value *value)
{
    static const int codes[] = {
        [PLAIT__BY_NEW] = PICKLE_NEWOBJ, [PLAIT__BY_NEW_EX] = PICKLE_NEWOBJ_EX, [PLAIT__BY_CALL] = PICKLE_REDUCE,
    };
    static const unsigned char call[] = { PICKLE_TUPLE3, PICKLE_REDUCE };
    const struct plait__object *object = value->as.object;
    int error = is_call_of_new_ex(writer, object) ? plait__pickle_put(writer, call, sizeof call)
                                                  : plait__pickle_code(writer, codes[object->made]);
    return error ? error : plait__pickle_remember(writer, value);
}

/* The state as it is now; it stays until all is written, as what is made later must not lie where it lay. */
static int write_state(struct plait__writer *writer, struct plait__nest *nest)
{
    plait_value *state;
    int error = plait__object_state_now(nest->value, &state);
    if (error) return error;
    if (!state) {
        nest->position = PARTS;
        return 0;
    }
    if (!writer->made) writer->made = plait__value_new(PLAIT_LIST);
    if (!writer->made) {
        plait_value_free(state);
        return -ENOMEM;
    }
    error = plait__list_push(writer->made, plait__ref(state));
    if (!error) error = plait__pickle_write(writer, state);
    plait_value_free(state);
    return error;
}

static int write_part(struct plait__writer *writer, struct plait__nest *nest, size_t part)
{
    const struct plait__object *object = nest->value->as.object;
    switch (part) {
    case BEFORE: return is_call_of_new_ex(writer, object) ? plait__pickle_write_name(writer, "copyreg", "__newobj_ex__") : 0;
    case CALLABLE: return plait__pickle_write(writer, object->callable);
    case ARGUMENTS: return write_arguments(writer, object);
    case KEYWORDS: return write_keywords(writer, object);
    case MADE: return write_made(writer, nest->value);
    case ITEMS: return object->items ? plait__pickle_nest(writer, object->items) : 0;
    case PAIRS: return object->pairs ? plait__pickle_nest(writer, object->pairs) : 0;
    case STATE: return write_state(writer, nest);
    default: return plait__pickle_code(writer, PICKLE_BUILD);
    }
}

int plait__pickle_write_object(struct plait__writer *writer)
{
    const size_t depth = writer->count;
    while (writer->count == depth) {
        struct plait__nest *nest = &writer->nests[writer->count - 1];
        if (nest->position >= PARTS) {
            writer->count--;
            return 0;
        }
        int error = write_part(writer, nest, nest->position++);
        if (error) return error;
    }
    return 0;
}
