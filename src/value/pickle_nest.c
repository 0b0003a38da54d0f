/* Writing pickles: containers, without recursion: a stack of those that are begun. */
#include <stdlib.h>

#include "value/pickle_write.h"

enum { BATCH = 1000 };                                     /* as Python does it: the reader's stack stays small */

/* ---- the nests ---- */

static int more_nests(struct plait__writer *writer)
{
    const bool is_first = writer->nests == writer->some_nests;
    struct plait__nest *nests = realloc(is_first ? NULL : writer->nests, writer->room * 2 * sizeof nests[0]);
    if (!nests) return plait__fail(-ENOMEM, "there is no memory for %zu containers within each other", writer->room * 2);
    if (is_first) memcpy(nests, writer->some_nests, sizeof writer->some_nests);
    writer->nests = nests;
    writer->room *= 2;
    return 0;
}

int plait__pickle_nest(struct plait__writer *writer, const plait_value *value)
{
    int error = writer->count < writer->room ? 0 : more_nests(writer);
    if (!error) writer->nests[writer->count++] = (struct plait__nest){ .value = value };
    return error;
}

static struct plait__nest *topmost(struct plait__writer *writer)
{
    return &writer->nests[writer->count - 1];
}

/* ---- beginning ---- */

static bool has_set_codes(const struct plait__writer *writer)
{
    return writer->protocol >= 4;
}

/* A set of protocols 2 and 3 is a call with a list. */
static int begin_set(struct plait__writer *writer, const plait_value *set)
{
    const bool frozen = set->type == PLAIT_FROZENSET;
    int error = 0;
    if (!has_set_codes(writer)) {
        error = plait__pickle_write_name(writer, "builtins", frozen ? "frozenset" : "set");
        if (!error) error = plait__pickle_code(writer, PICKLE_EMPTY_LIST);
    } else if (frozen) {
        error = plait__pickle_code(writer, PICKLE_MARK);
    } else {
        error = plait__pickle_code(writer, PICKLE_EMPTY_SET);
        if (!error) error = plait__pickle_remember(writer, set);
    }
    return error ? error : plait__pickle_nest(writer, set);
}

static int begin_tuple(struct plait__writer *writer, const plait_value *tuple)
{
    if (tuple->as.list.size == 0) return plait__pickle_code(writer, PICKLE_EMPTY_TUPLE);
    int error = tuple->as.list.size > 3 ? plait__pickle_code(writer, PICKLE_MARK) : 0;
    return error ? error : plait__pickle_nest(writer, tuple);
}

/* Those that are there before what they hold. */
static int begin_empty(struct plait__writer *writer, const plait_value *value, int code)
{
    int error = plait__pickle_code(writer, code);
    if (!error) error = plait__pickle_remember(writer, value);
    return error ? error : plait__pickle_nest(writer, value);
}

static int begin_other(struct plait__writer *writer, const plait_value *value)
{
    switch (value->type) {
    case PLAIT_LIST: return begin_empty(writer, value, PICKLE_EMPTY_LIST);
    case PLAIT_DICT: return begin_empty(writer, value, PICKLE_EMPTY_DICT);
    case PLAIT_TUPLE: return begin_tuple(writer, value);
    case PLAIT_OBJECT: return plait__pickle_nest(writer, value);
    default: return begin_set(writer, value);
    }
}

/* What is remembered when it is there: text, bytes and names. */
static int write_flat(struct plait__writer *writer, const plait_value *value)
{
    size_t size;
    if (value->type == PLAIT_GLOBAL) return plait__pickle_write_global(writer, value);
    const char *text = plait__bytes_of(value, &size);
    int error = value->type == PLAIT_STRING ? plait__pickle_write_text(writer, text, size)
                                            : plait__pickle_write_bytes(writer, value);
    return error ? error : plait__pickle_remember(writer, value);
}

int plait__pickle_write(struct plait__writer *writer, const plait_value *value)
{
    switch (value->type) {
    case PLAIT_NONE: return plait__pickle_code(writer, PICKLE_NONE);
    case PLAIT_BOOL: return plait__pickle_code(writer, value->as.integer ? PICKLE_NEWTRUE : PICKLE_NEWFALSE);
    case PLAIT_INT: return plait__pickle_write_int(writer, value);
    case PLAIT_FLOAT: return plait__pickle_write_float(writer, value->as.real);
    }
    if (plait__pickle_is_shared(value)) {
        const int again = plait__pickle_again(writer, value);
        if (again) return again < 0 ? again : 0;
    }
    return plait__is_container(value) ? begin_other(writer, value) : write_flat(writer, value);
}

/* ---- going on ---- */

/* Around what one batch holds: a mark before it, and a code behind it.  A single item needs no mark. */
static int between_batches(struct plait__writer *writer, const struct plait__nest *nest, size_t size, int one, int many)
{
    int error = 0;
    if (nest->done && (nest->done % BATCH == 0 || nest->done == size)) {
        const bool single = one && (nest->done - 1) % BATCH == 0;
        error = plait__pickle_code(writer, single ? one : many);
    }
    if (error || nest->done == size || nest->done % BATCH) return error;
    return one && size - nest->done == 1 ? 0 : plait__pickle_code(writer, PICKLE_MARK);
}

/* The nest is done. */
static int leave(struct plait__writer *writer)
{
    writer->count--;
    return 0;
}

static int go_on_with_list(struct plait__writer *writer)
{
    const size_t depth = writer->count;
    while (writer->count == depth) {
        struct plait__nest *nest = topmost(writer);
        const size_t size = nest->value->as.list.size;
        int error = between_batches(writer, nest, size, PICKLE_APPEND, PICKLE_APPENDS);
        if (error || nest->done == size) return error ? error : leave(writer);
        error = plait__pickle_write(writer, nest->value->as.list.items[nest->done++]);
        if (error) return error;
    }
    return 0;
}

static int end_tuple(struct plait__writer *writer, const plait_value *tuple)
{
    static const unsigned char codes[] = { PICKLE_TUPLE, PICKLE_TUPLE1, PICKLE_TUPLE2, PICKLE_TUPLE3 };
    const size_t size = tuple->as.list.size;
    int error = plait__pickle_code(writer, codes[size > 3 ? 0 : size]);
    if (!error) error = plait__pickle_remember(writer, tuple);
    return error ? error : leave(writer);
}

static int go_on_with_tuple(struct plait__writer *writer)
{
    const size_t depth = writer->count;
    while (writer->count == depth) {
        struct plait__nest *nest = topmost(writer);
        if (nest->done == nest->value->as.list.size) return end_tuple(writer, nest->value);
        int error = plait__pickle_write(writer, nest->value->as.list.items[nest->done++]);
        if (error) return error;
    }
    return 0;
}

/* The value of the key before, or the next key. */
static int next_of_dict(struct plait__writer *writer, struct plait__nest *nest)
{
    plait_value *value = nest->pending;
    if (value) {
        nest->pending = NULL;
        nest->done++;
        return plait__pickle_write(writer, value);
    }
    const struct plait__entry *entry = plait__table_next(nest->value, &nest->position);
    nest->pending = entry->value;
    return plait__pickle_write(writer, entry->key);
}

static int go_on_with_dict(struct plait__writer *writer)
{
    const size_t depth = writer->count;
    while (writer->count == depth) {
        struct plait__nest *nest = topmost(writer);
        const size_t size = plait__table_len(nest->value);
        int error = nest->pending ? 0 : between_batches(writer, nest, size, PICKLE_SETITEM, PICKLE_SETITEMS);
        if (error || nest->done == size) return error ? error : leave(writer);
        error = next_of_dict(writer, nest);
        if (error) return error;
    }
    return 0;
}

static int end_set(struct plait__writer *writer, const plait_value *set)
{
    static const unsigned char call[] = { PICKLE_TUPLE1, PICKLE_REDUCE };
    int error = 0;
    if (!has_set_codes(writer)) error = plait__pickle_put(writer, call, sizeof call);
    else if (set->type == PLAIT_FROZENSET) error = plait__pickle_code(writer, PICKLE_FROZENSET);
    else return leave(writer);
    if (!error) error = plait__pickle_remember(writer, set);
    return error ? error : leave(writer);
}

/* A frozen set is one batch. */
static int set_batches(struct plait__writer *writer, const struct plait__nest *nest, size_t size)
{
    if (!has_set_codes(writer)) return between_batches(writer, nest, size, PICKLE_APPEND, PICKLE_APPENDS);
    return nest->value->type == PLAIT_SET ? between_batches(writer, nest, size, 0, PICKLE_ADDITEMS) : 0;
}

static int go_on_with_set(struct plait__writer *writer)
{
    const size_t depth = writer->count;
    while (writer->count == depth) {
        struct plait__nest *nest = topmost(writer);
        const size_t size = plait__table_len(nest->value);
        int error = set_batches(writer, nest, size);
        if (error || nest->done == size) return error ? error : end_set(writer, nest->value);
        nest->done++;
        error = plait__pickle_write(writer, plait__table_next(nest->value, &nest->position)->key);
        if (error) return error;
    }
    return 0;
}

static int go_on(struct plait__writer *writer)
{
    switch (topmost(writer)->value->type) {
    case PLAIT_LIST: return go_on_with_list(writer);
    case PLAIT_TUPLE: return go_on_with_tuple(writer);
    case PLAIT_DICT: return go_on_with_dict(writer);
    case PLAIT_OBJECT: return plait__pickle_write_object(writer);
    default: return go_on_with_set(writer);
    }
}

int plait__pickle_write_all(struct plait__writer *writer, const plait_value *value)
{
    int error = plait__pickle_write(writer, value);
    while (!error && writer->count) error = go_on(writer);
    return error;
}
