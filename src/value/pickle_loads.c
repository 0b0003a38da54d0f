/* Reading pickles: from operation to operation. */
#include <endian.h>
#include <stdlib.h>

#include "value/pickle.h"
#include "value/pickle_read.h"

/* What a value may take by default: the least that its pickle needs, with plenty. */
enum { DEPTH = 1000, MEMORY_LEAST = 64 << 20, MEMORY_PER_BYTE = 64, WEIGHT_LEAST = 1 << 24, WEIGHT_PER_BYTE = 8 };

/* ---- arguments ---- */

static inline int has_bytes(const struct plait__reader *reader, uint64_t size)
{
    return PLAIT__LIKELY(size <= (uint64_t)(reader->end - reader->at)) ? 0 : plait__pickle_truncated(reader, size);
}

/* A number of so many bytes, the lowest first. */
static inline uint64_t number_at(const unsigned char *at, unsigned size)
{
    uint64_t number = 0;
    for (unsigned i = size; i > 0; i--) number = number << 8 | at[i - 1];
    return number;
}

static inline int take_number(struct plait__reader *reader, unsigned size, uint64_t *number)
{
    int error = has_bytes(reader, size);
    if (error) return error;
    *number = number_at(reader->at, size);
    reader->at += size;
    return 0;
}

/* A length of so many bytes, and what is so long. */
static inline int take_counted(struct plait__reader *reader, unsigned size, const char **bytes, size_t *count)
{
    uint64_t length;
    int error = take_number(reader, size, &length);
    if (!error) error = has_bytes(reader, length);
    if (PLAIT__UNLIKELY(error)) return error;
    *bytes = (const char *)reader->at;
    *count = (size_t)length;
    reader->at += length;
    return 0;
}

/* ---- numbers, text and bytes ---- */

static inline int integer(struct plait__reader *reader, unsigned size)
{
    uint64_t number;
    int error = take_number(reader, size, &number);
    if (!error) error = plait__pickle_spend(reader, PLAIT__CELL);
    if (PLAIT__UNLIKELY(error)) return error;
    return plait__pickle_push(reader, plait__int_new(size == 4 ? (int32_t)number : (int64_t)number));
}

static int real(struct plait__reader *reader)
{
    int error = has_bytes(reader, 8);
    if (!error) error = plait__pickle_spend(reader, PLAIT__CELL);
    if (error) return error;
    uint64_t word = 0;
    double number;
    for (int i = 0; i < 8; i++) word = word << 8 | reader->at[i];
    memcpy(&number, &word, sizeof number);
    reader->at += 8;
    return plait__pickle_push(reader, plait_float(number));
}

static int long_integer(struct plait__reader *reader, unsigned size)
{
    const char *bytes;
    size_t count;
    if (size == 4 && has_bytes(reader, 4) == 0 && reader->at[3] & 0x80)
        return plait__pickle_bad(reader, -EBADMSG, "an int of a negative size");
    int error = take_counted(reader, size, &bytes, &count);
    if (!error) error = plait__pickle_spend(reader, PLAIT__CELL + count);
    return error ? error : plait__pickle_push(reader, plait__int_from_bytes(bytes, count));
}

/* Nearly all: so short that it lies in the cell, and nothing but ASCII.  NULL: another one, or there is no memory. */
static inline plait_value *short_string(const struct plait__reader *reader, const char *text, size_t size)
{
    static const uint64_t keep[8] = { 0, 0xff, 0xffff, 0xffffff, UINT32_MAX, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff };
    uint64_t words[2];
    if (size > PLAIT__SHORT_SIZE || (const char *)reader->end - text < (ptrdiff_t)sizeof words) return NULL;
    memcpy(words, text, sizeof words);
    words[0] = size < 8 ? le64toh(words[0]) & keep[size] : le64toh(words[0]);
    words[1] = size < 8 ? 0 : le64toh(words[1]) & keep[size - 8];
    if ((words[0] | words[1]) & UINT64_C(0x8080808080808080)) return NULL;
    plait_value *value = plait__value_new(PLAIT_STRING);
    if (!value) return NULL;
    value->flags = PLAIT__SHORT | PLAIT__ASCII;
    value->size = (uint8_t)size;
    words[0] = htole64(words[0]);
    words[1] = htole64(words[1]);
    memcpy(value->as.small, words, sizeof words);
    return value;
}

static inline int string(struct plait__reader *reader, unsigned size)
{
    const char *text;
    size_t count;
    int error = take_counted(reader, size, &text, &count);
    if (!error) error = plait__pickle_spend(reader, PLAIT__CELL + count);
    if (PLAIT__UNLIKELY(error)) return error;
    plait_value *value = short_string(reader, text, count);
    return plait__pickle_push(reader, PLAIT__LIKELY(value != NULL) ? value : plait__string_new(text, count));
}

static int bytes(struct plait__reader *reader, unsigned size, int type)
{
    const char *data;
    size_t count;
    int error = take_counted(reader, size, &data, &count);
    if (!error) error = plait__pickle_spend(reader, PLAIT__CELL + count);
    return error ? error : plait__pickle_push(reader, plait__bytes_new(type, data, count));
}

static int old_string(struct plait__reader *reader, unsigned size)
{
    const char *text;
    size_t count;
    if (size == 4 && has_bytes(reader, 4) == 0 && reader->at[3] & 0x80)
        return plait__pickle_bad(reader, -EBADMSG, "a str of a negative size");
    int error = take_counted(reader, size, &text, &count);
    return error ? error : plait__pickle_old_string(reader, text, count);
}

/* ---- the stack, the memo, and what stands around ---- */

static int empty(struct plait__reader *reader, int type)
{
    int error = plait__pickle_spend(reader, PLAIT__CELL);
    return error ? error : plait__pickle_push_deep(reader, plait__value_new(type), 1);
}

static inline int tuple(struct plait__reader *reader, size_t count)
{
    int error = plait__pickle_has(reader, count);
    return error ? error : plait__pickle_tuple(reader, reader->count - count);
}

/* An operation on what lies above the mark, or on the topmost `count` values. */
static int above_mark(struct plait__reader *reader, int (*operation)(struct plait__reader *, size_t))
{
    size_t from;
    int error = plait__pickle_unmark(reader, &from);
    return error ? error : operation(reader, from);
}

static int on_topmost(struct plait__reader *reader, size_t count, int (*operation)(struct plait__reader *, size_t))
{
    int error = plait__pickle_has(reader, count);
    return error ? error : operation(reader, reader->count - count);
}

static int cut(struct plait__reader *reader, size_t from)
{
    plait__pickle_cut(reader, from);
    return 0;
}

static int duplicate(struct plait__reader *reader)
{
    int error = plait__pickle_has(reader, 1);
    return error ? error : plait__pickle_push_again(reader, reader->slots[reader->count - 1]);
}

/* An index of so many bytes, or 0: it is a line. */
static int with_index(struct plait__reader *reader, unsigned size, int (*operation)(struct plait__reader *, size_t))
{
    uint64_t number = 0;
    size_t index;
    int error = size ? take_number(reader, size, &number) : plait__pickle_index(reader, &index);
    return error ? error : operation(reader, size ? (size_t)number : index);
}

static int protocol(struct plait__reader *reader)
{
    uint64_t number;
    int error = take_number(reader, 1, &number);
    if (error) return error;
    if (number > PICKLE_HIGHEST) return plait__pickle_bad(reader, -EBADMSG, "unsupported pickle protocol: %d", (int)number);
    reader->protocol = (int)number;
    return 0;
}

/* How far a reader of files may read ahead.  What is in memory is only checked. */
static int frame(struct plait__reader *reader)
{
    uint64_t size;
    int error = take_number(reader, 8, &size);
    return error ? error : has_bytes(reader, size);
}

static int refused(struct plait__reader *reader, int code)
{
    switch (code) {
    case PICKLE_PERSID:
    case PICKLE_BINPERSID: return plait__pickle_bad(reader, -ENOTSUP, "it names something outside of it: a persistent id");
    case PICKLE_EXT1:
    case PICKLE_EXT2:
    case PICKLE_EXT4: return plait__pickle_bad(reader, -ENOTSUP, "it names a class by a number of Python's extension registry");
    case PICKLE_NEXT_BUFFER:
    case PICKLE_READONLY_BUFFER: return plait__pickle_bad(reader, -ENOTSUP, "it has buffers out of band");
    default: return plait__pickle_bad(reader, -EBADMSG, "there is no opcode 0x%02x", code);
    }
}

/* ---- one operation ---- */

/* Those of protocols 0 and 1 that the later ones do not write, and what is rare. */
static int old_operation(struct plait__reader *reader, int code)
{
    switch (code) {
    case PICKLE_INT:
    case PICKLE_LONG:
    case PICKLE_FLOAT:
    case PICKLE_STRING:
    case PICKLE_UNICODE: return plait__pickle_text(reader, code);
    case PICKLE_SHORT_BINSTRING: return old_string(reader, 1);
    case PICKLE_BINSTRING: return old_string(reader, 4);
    case PICKLE_LIST: return above_mark(reader, plait__pickle_list);
    case PICKLE_DICT: return above_mark(reader, plait__pickle_dict);
    case PICKLE_GET: return with_index(reader, 0, plait__pickle_get);
    case PICKLE_PUT: return with_index(reader, 0, plait__pickle_memoize);
    case PICKLE_INST: return plait__pickle_inst(reader);
    case PICKLE_OBJ: return plait__pickle_obj(reader);
    case PICKLE_POP: return plait__pickle_pop(reader);
    case PICKLE_POP_MARK: return above_mark(reader, cut);
    case PICKLE_DUP: return duplicate(reader);
    case PICKLE_BINUNICODE8: return string(reader, 8);
    case PICKLE_BINBYTES8: return bytes(reader, 8, PLAIT_BYTES);
    case PICKLE_BYTEARRAY8: return bytes(reader, 8, PLAIT_BYTEARRAY);
    default: return refused(reader, code);
    }
}

static int operation_of_classes(struct plait__reader *reader, int code)
{
    switch (code) {
    case PICKLE_GLOBAL: return plait__pickle_global(reader);
    case PICKLE_STACK_GLOBAL: return plait__pickle_stack_global(reader);
    case PICKLE_REDUCE: return plait__pickle_reduce(reader);
    case PICKLE_NEWOBJ: return plait__pickle_newobj(reader, false);
    case PICKLE_NEWOBJ_EX: return plait__pickle_newobj(reader, true);
    case PICKLE_BUILD: return plait__pickle_build(reader);
    case PICKLE_EMPTY_SET: return empty(reader, PLAIT_SET);
    case PICKLE_ADDITEMS: return above_mark(reader, plait__pickle_additems);
    case PICKLE_FROZENSET: return above_mark(reader, plait__pickle_frozenset);
    case PICKLE_LONG4: return long_integer(reader, 4);
    case PICKLE_SHORT_BINBYTES: return bytes(reader, 1, PLAIT_BYTES);
    case PICKLE_BINBYTES: return bytes(reader, 4, PLAIT_BYTES);
    case PICKLE_LONG_BINPUT: return with_index(reader, 4, plait__pickle_memoize);
    case PICKLE_LONG_BINGET: return with_index(reader, 4, plait__pickle_get);
    case PICKLE_PROTO: return protocol(reader);
    case PICKLE_FRAME: return frame(reader);
    default: return old_operation(reader, code);
    }
}

/* The frequent ones. */
static inline int operation(struct plait__reader *reader, int code)
{
    switch (code) {
    case PICKLE_SHORT_BINUNICODE: return string(reader, 1);
    case PICKLE_BINUNICODE: return string(reader, 4);
    case PICKLE_MEMOIZE: return plait__pickle_memoize_next(reader);
    case PICKLE_BININT1: return integer(reader, 1);
    case PICKLE_BININT2: return integer(reader, 2);
    case PICKLE_BININT: return integer(reader, 4);
    case PICKLE_LONG1: return long_integer(reader, 1);
    case PICKLE_BINFLOAT: return real(reader);
    case PICKLE_NONE: return plait__pickle_push(reader, &plait__none);
    case PICKLE_NEWTRUE: return plait__pickle_push(reader, &plait__true);
    case PICKLE_NEWFALSE: return plait__pickle_push(reader, &plait__false);
    case PICKLE_BINGET: return with_index(reader, 1, plait__pickle_get);
    case PICKLE_BINPUT: return with_index(reader, 1, plait__pickle_memoize);
    case PICKLE_MARK: return plait__pickle_mark(reader);
    case PICKLE_EMPTY_TUPLE: return tuple(reader, 0);
    case PICKLE_TUPLE1: return tuple(reader, 1);
    case PICKLE_TUPLE2: return tuple(reader, 2);
    case PICKLE_TUPLE3: return tuple(reader, 3);
    case PICKLE_TUPLE: return above_mark(reader, plait__pickle_tuple);
    case PICKLE_EMPTY_LIST: return empty(reader, PLAIT_LIST);
    case PICKLE_APPEND: return on_topmost(reader, 1, plait__pickle_appends);
    case PICKLE_APPENDS: return above_mark(reader, plait__pickle_appends);
    case PICKLE_EMPTY_DICT: return empty(reader, PLAIT_DICT);
    case PICKLE_SETITEM: return on_topmost(reader, 2, plait__pickle_setitems);
    case PICKLE_SETITEMS: return above_mark(reader, plait__pickle_setitems);
    default: return operation_of_classes(reader, code);
    }
}

static int run(struct plait__reader *reader)
{
    int error = 0;
    while (!error) {
        reader->code = reader->at;
        if (PLAIT__UNLIKELY(reader->at == reader->end))
            return plait__pickle_bad(reader, -EBADMSG, "it is cut off: there is no STOP");
        const int code = *reader->at++;
        if (PLAIT__UNLIKELY(code == PICKLE_STOP)) return plait__pickle_has(reader, 1);
        error = operation(reader, code);
    }
    return error;
}

/* ---- the whole ---- */

static void begin(struct plait__reader *reader, const void *pickle, size_t size, const plait_pickle_options *options)
{
    const size_t more = size < (SIZE_MAX - MEMORY_LEAST) / MEMORY_PER_BYTE ? size * MEMORY_PER_BYTE : SIZE_MAX - MEMORY_LEAST;
    reader->begin = reader->at = reader->code = pickle;
    reader->end = reader->begin + size;
    reader->slots = reader->some_slots;
    reader->memo = reader->some_memo;
    reader->marks = reader->some_marks;
    reader->room = PICKLE_SLOTS;
    reader->memo_room = PICKLE_MEMO;
    reader->mark_room = PICKLE_MARKS;
    reader->count = reader->deep = reader->fence = reader->mark_count = reader->memo_size = reader->memo_count = 0;
    reader->memory = options->max_memory ? options->max_memory : MEMORY_LEAST + more;
    reader->weight = WEIGHT_LEAST + size * WEIGHT_PER_BYTE;
    reader->max_depth = options->max_depth ? options->max_depth : DEPTH;
    if (reader->max_depth > PICKLE_DEEPEST) reader->max_depth = PICKLE_DEEPEST;
    reader->protocol = 0;
}

/* The topmost value is the result; what else was left is not looked at, as in Python. */
static plait_value *end(struct plait__reader *reader, int error)
{
    plait_value *result = error ? NULL : reader->slots[--reader->count];
    plait__pickle_cut(reader, 0);
    plait__pickle_memo_free(reader);
    if (reader->slots != reader->some_slots) free(reader->slots);
    if (reader->marks != reader->some_marks) free(reader->marks);
    return result ? result : plait__null(error);
}

plait_value *plait_pickle_loads(const void *bytes, size_t size, const plait_pickle_options *options)
{
    static const plait_pickle_options defaults;
    struct plait__reader reader;
    if (!options) options = &defaults;
    int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    if (!error) error = plait__pickle_check_protocol(options->protocol);
    if (!error && !bytes) error = plait__fail(-EINVAL, "the pickle is NULL");
    if (error) return plait__null(error);
    begin(&reader, bytes, size, options);
    return end(&reader, run(&reader));
}
