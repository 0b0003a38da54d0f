/* Writing pickles: numbers, text, bytes and names. */
#include "value/pickle_names.h"
#include "value/pickle_write.h"

/* A code, and a number of so many bytes, the lowest first. */
static inline int put_number(struct plait__writer *writer, int code, uint64_t number, unsigned size)
{
    int error = plait__buffer_reserve(writer->buffer, 9);
    if (PLAIT__UNLIKELY(error)) return error;
    unsigned char *at = writer->buffer->at + writer->buffer->size;
    at[0] = (unsigned char)code;
    for (unsigned i = 0; i < size; i++) at[1 + i] = (unsigned char)(number >> (8 * i));
    writer->buffer->size += 1 + size;
    return 0;
}

/* ---- numbers ---- */

/* Two's complement, the lowest byte first. */
static int put_long(struct plait__writer *writer, const void *bytes, size_t size)
{
    if (size > INT32_MAX) return plait__fail(-EOVERFLOW, "an int of %zu bytes", size);
    int error = size < 256 ? put_number(writer, PICKLE_LONG1, size, 1) : put_number(writer, PICKLE_LONG4, size, 4);
    return error ? error : plait__pickle_put(writer, bytes, size);
}

static int put_eight_bytes(struct plait__writer *writer, int64_t number)
{
    unsigned char bytes[8];
    size_t size = 8;
    for (unsigned i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)number >> (8 * i));
    while (bytes[size - 1] == (number < 0 ? 0xff : 0) && (bytes[size - 2] & 0x80) == (number < 0 ? 0x80 : 0)) size--;
    return put_long(writer, bytes, size);
}

int plait__pickle_write_int(struct plait__writer *writer, const plait_value *value)
{
    if (PLAIT__UNLIKELY(plait__is_big(value))) {
        size_t size;
        const char *bytes = plait__bytes_of(value, &size);
        return put_long(writer, bytes, size);
    }
    const int64_t number = value->as.integer;
    if (number >= 0 && number < 0x10000)
        return number < 0x100 ? put_number(writer, PICKLE_BININT1, (uint64_t)number, 1)
                              : put_number(writer, PICKLE_BININT2, (uint64_t)number, 2);
    if (number >= INT32_MIN && number <= INT32_MAX) return put_number(writer, PICKLE_BININT, (uint64_t)number, 4);
    return put_eight_bytes(writer, number);
}

int plait__pickle_write_float(struct plait__writer *writer, double number)
{
    uint64_t word;
    memcpy(&word, &number, sizeof word);
    return put_number(writer, PICKLE_BINFLOAT, __builtin_bswap64(word), 8);
}

/* ---- text and bytes ---- */

/* A length in the smallest of three forms; those of protocol 4 have 0 before it. */
static inline int put_length(struct plait__writer *writer, size_t size, int code1, int code4, int code8)
{
    if (code1 && size < 256) return put_number(writer, code1, size, 1);
    if (size <= UINT32_MAX) return put_number(writer, code4, size, 4);
    if (!code8) return plait__fail(-EOVERFLOW, "%zu bytes need protocol 4", size);
    return put_number(writer, code8, size, 8);
}

int plait__pickle_write_text(struct plait__writer *writer, const char *text, size_t size)
{
    const bool new_codes = writer->protocol >= 4;
    int error = put_length(writer, size, new_codes ? PICKLE_SHORT_BINUNICODE : 0, PICKLE_BINUNICODE,
                           new_codes ? PICKLE_BINUNICODE8 : 0);
    return error ? error : plait__pickle_put(writer, text, size);
}

/* Bytes as text, a character each: what protocol 2 has. */
static int put_as_latin1(struct plait__writer *writer, const char *bytes, size_t size)
{
    size_t more = 0;
    for (size_t i = 0; i < size; i++) more += (unsigned char)bytes[i] >= 0x80;
    int error = put_length(writer, size + more, 0, PICKLE_BINUNICODE, 0);
    if (!error) error = plait__buffer_reserve(writer->buffer, size + more);
    if (error) return error;
    unsigned char *at = writer->buffer->at + writer->buffer->size;
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x80) *at++ = (unsigned char)(0xc0 | byte >> 6);
        *at++ = byte < 0x80 ? byte : (unsigned char)(0x80 | (byte & 0x3f));
    }
    writer->buffer->size += size + more;
    return 0;
}

static int put_bytes(struct plait__writer *writer, const char *bytes, size_t size)
{
    int error = put_length(writer, size, PICKLE_SHORT_BINBYTES, PICKLE_BINBYTES, writer->protocol >= 4 ? PICKLE_BINBYTES8 : 0);
    return error ? error : plait__pickle_put(writer, bytes, size);
}

/* A call of `function` with what follows: nothing, text and the name of Latin 1, or bytes. */
static int put_call(struct plait__writer *writer, const char *module, const char *function, const char *bytes, size_t size)
{
    static const unsigned char latin1[] = {
        PICKLE_BINUNICODE, 6, 0, 0, 0, 'l', 'a', 't', 'i', 'n', '1', PICKLE_TUPLE2, PICKLE_REDUCE,
    };
    static const unsigned char nothing[] = { PICKLE_EMPTY_TUPLE, PICKLE_REDUCE }, one[] = { PICKLE_TUPLE1, PICKLE_REDUCE };
    int error = plait__pickle_write_name(writer, module, function);
    if (error || size == 0) return error ? error : plait__pickle_put(writer, nothing, sizeof nothing);
    if (writer->protocol < 3) {
        error = put_as_latin1(writer, bytes, size);
        return error ? error : plait__pickle_put(writer, latin1, sizeof latin1);
    }
    error = put_bytes(writer, bytes, size);
    return error ? error : plait__pickle_put(writer, one, sizeof one);
}

int plait__pickle_write_bytes(struct plait__writer *writer, const plait_value *value)
{
    size_t size;
    const char *bytes = plait__bytes_of(value, &size);
    if (value->type == PLAIT_BYTEARRAY) {
        if (writer->protocol < 5) return put_call(writer, "builtins", "bytearray", bytes, size);
        int error = put_number(writer, PICKLE_BYTEARRAY8, size, 8);
        return error ? error : plait__pickle_put(writer, bytes, size);
    }
    if (writer->protocol >= 3) return put_bytes(writer, bytes, size);
    return size ? put_call(writer, "_codecs", "encode", bytes, size) : put_call(writer, "builtins", "bytes", bytes, size);
}

/* ---- names ---- */

static int put_line(struct plait__writer *writer, const char *text, size_t size)
{
    if (memchr(text, '\n', size))
        return plait__fail(-EINVAL, "a name with the end of a line in it, which protocol %d cannot have", writer->protocol);
    int error = plait__pickle_put(writer, text, size);
    return error ? error : plait__pickle_code(writer, '\n');
}

static int put_global(struct plait__writer *writer, struct plait__pickle_name name)
{
    if (writer->protocol < 3) plait__pickle_name_to_2(&name);
    int error = plait__pickle_code(writer, PICKLE_GLOBAL);
    if (!error) error = put_line(writer, name.module, name.module_size);
    return error ? error : put_line(writer, name.name, name.name_size);
}

/* Before protocol 4 what stands behind a dot is got by getattr. */
static int put_attributes(struct plait__writer *writer, struct plait__pickle_name name)
{
    static const unsigned char call[] = { PICKLE_TUPLE2, PICKLE_REDUCE };
    const char *end = name.name + name.name_size, *dot = name.name;
    int error = 0;
    for (; dot < end && !error; dot++)
        if (*dot == '.') error = plait__pickle_write_name(writer, "builtins", "getattr");
    dot = memchr(name.name, '.', name.name_size);
    if (dot) name.name_size = (size_t)(dot - name.name);
    if (!error) error = put_global(writer, name);
    while (dot && !error) {
        const char *from = dot + 1;
        dot = memchr(from, '.', (size_t)(end - from));
        error = plait__pickle_write_text(writer, from, (size_t)((dot ? dot : end) - from));
        if (!error) error = plait__pickle_put(writer, call, sizeof call);
    }
    return error;
}

static int put_names(struct plait__writer *writer, struct plait__pickle_name name)
{
    if (writer->protocol < 4) return put_attributes(writer, name);
    int error = plait__pickle_write_text(writer, name.module, name.module_size);
    if (!error) error = plait__pickle_write_text(writer, name.name, name.name_size);
    return error ? error : plait__pickle_code(writer, PICKLE_STACK_GLOBAL);
}

int plait__pickle_write_name(struct plait__writer *writer, const char *module, const char *name)
{
    return put_names(writer, (struct plait__pickle_name){ module, name, strlen(module), strlen(name) });
}

static bool same_name(const plait_value *a, const plait_value *b)
{
    return a == b || (a->as.global.size == b->as.global.size && a->as.global.module == b->as.global.module &&
                      memcmp(a->as.global.name, b->as.global.name, a->as.global.size) == 0);
}

int plait__pickle_write_global(struct plait__writer *writer, const plait_value *global)
{
    const size_t filled = writer->global_count < PICKLE_GLOBALS ? writer->global_count : PICKLE_GLOBALS;
    for (size_t i = 0; i < filled; i++)
        if (same_name(writer->globals[i].value, global)) return plait__pickle_write_get(writer, writer->globals[i].index);
    const size_t module = global->as.global.module;
    const char *name = global->as.global.name;
    size_t index;
    const size_t rest = global->as.global.size - module - 1;
    int error = put_names(writer, (struct plait__pickle_name){ name, name + module + 1, module, rest });
    if (!error) error = plait__pickle_number(writer, &index);
    if (error) return error;
    writer->globals[writer->global_count++ % PICKLE_GLOBALS] = (struct plait__known){ global, index };
    return 0;
}
