#include "value/text.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- putting ---- */

struct plait__text plait__text_begin(char *at, size_t room)
{
    if (room) at[0] = 0;
    return (struct plait__text){ .at = at, .room = room };
}

void plait__put_bytes(struct plait__text *text, const char *what, size_t size)
{
    if (text->length + 1 < text->room) {
        size_t left = text->room - text->length - 1, fits = size < left ? size : left;
        memcpy(text->at + text->length, what, fits);
        text->at[text->length + fits] = 0;
    }
    text->length += size;
}

void plait__put(struct plait__text *text, const char *what)
{
    plait__put_bytes(text, what, strlen(what));
}

void plait__put_formatted(struct plait__text *text, const char *format, ...)
{
    char some[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(some, sizeof some, format, arguments);
    va_end(arguments);
    plait__put(text, some);
}

/* ---- floating-point numbers ---- */

/* value = 0.DIGITS * 10^point */
struct decimal {
    char digits[24];
    int count, point;
};

/* Read it back, as a whole number with an exponent: no locale has another point for those. */
static bool reads_back(const struct decimal *decimal, double value)
{
    char text[48];
    snprintf(text, sizeof text, "%.*se%d", decimal->count, decimal->digits, decimal->point - decimal->count);
    return strtod(text, NULL) == value;
}

static void cut_zeros(struct decimal *decimal)
{
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0') decimal->count--;
}

/* The decimal of so many digits that is next to it. */
static struct decimal next_to(double value, int digits)
{
    char text[48];
    struct decimal decimal = { .count = 0 };
    snprintf(text, sizeof text, "%.*e", digits - 1, value);
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9') decimal.digits[decimal.count++] = *at;
    decimal.point = atoi(at + 1) + 1;
    return decimal;
}

/* The one before or after it, of as many digits. */
static struct decimal neighbour(const struct decimal *of, int step)
{
    char text[24];
    struct decimal decimal = *of;
    snprintf(text, sizeof text, "%.*s", of->count, of->digits);
    unsigned long long number = strtoull(text, NULL, 10) + (unsigned long long)(long long)step;
    decimal.count = snprintf(decimal.digits, sizeof decimal.digits, "%llu", number);
    decimal.point += decimal.count - of->count;
    return decimal;
}

/* The shortest that reads back.  Of up to 15 digits it is the nearest of 15, without its zeros (but among the very smallest
 * doubles, which have fewer).  Of 16, the nearest does not read back where doubles lie closer on one side than on the other (powers
 * of 2), and another one may. */
static struct decimal shortest(double value)
{
    struct decimal decimal;
    for (int digits = value < DBL_MIN ? 1 : 15;; digits++) {
        decimal = next_to(value, digits);
        if (digits == 17 || reads_back(&decimal, value)) break;
        const struct decimal above = neighbour(&decimal, 1), below = neighbour(&decimal, -1);
        if (digits == 16 && reads_back(&above, value)) decimal = above;
        else if (digits == 16 && reads_back(&below, value)) decimal = below;
        else continue;
        break;
    }
    cut_zeros(&decimal);
    return decimal;
}

static void put_zeros(struct plait__text *text, int count)
{
    while (count-- > 0) plait__put(text, "0");
}

static void put_with_exponent(struct plait__text *text, const struct decimal *decimal)
{
    plait__put_bytes(text, decimal->digits, 1);
    if (decimal->count > 1) {
        plait__put(text, ".");
        plait__put_bytes(text, decimal->digits + 1, (size_t)decimal->count - 1);
    }
    plait__put_formatted(text, "e%+03d", decimal->point - 1);
}

static void put_plain(struct plait__text *text, const struct decimal *decimal)
{
    int before = decimal->point < 0 ? 0 : decimal->point < decimal->count ? decimal->point : decimal->count;
    if (decimal->point <= 0) plait__put(text, "0");
    plait__put_bytes(text, decimal->digits, (size_t)before);
    put_zeros(text, decimal->point - decimal->count);
    plait__put(text, ".");
    put_zeros(text, -decimal->point);
    if (before == decimal->count) plait__put(text, "0");
    plait__put_bytes(text, decimal->digits + before, (size_t)(decimal->count - before));
}

void plait__put_float(struct plait__text *text, double value)
{
    if (isnan(value)) {
        plait__put(text, "nan");
        return;
    }
    if (signbit(value)) {
        plait__put(text, "-");
        value = -value;
    }
    if (isinf(value) || value == 0) {
        plait__put(text, value == 0 ? "0.0" : "inf");
        return;
    }
    int saved = errno;
    const struct decimal decimal = shortest(value);
    errno = saved;
    if (decimal.point > -4 && decimal.point <= 16) put_plain(text, &decimal);
    else put_with_exponent(text, &decimal);
}

/* ---- bytes and strings ---- */

/* ', unless there are some in it and no ". */
static char quote_for(bool has_single, bool has_double)
{
    return has_single && !has_double ? '"' : '\'';
}

/* A backslash, a letter, and so many digits. */
static void put_hexadecimal(struct plait__text *text, char letter, int digits, uint32_t point)
{
    char escape[10] = { '\\', letter };
    for (int i = digits; i > 0; i--, point >>= 4) escape[1 + i] = "0123456789abcdef"[point & 15];
    plait__put_bytes(text, escape, 2 + (size_t)digits);
}

static void put_escaped(struct plait__text *text, uint32_t point, char quote)
{
    const char character[] = { '\\', (char)point };
    const bool needs_backslash = point == (unsigned char)quote || point == '\\';
    if (point == '\n') plait__put(text, "\\n");
    else if (point == '\r') plait__put(text, "\\r");
    else if (point == '\t') plait__put(text, "\\t");
    else if (point >= ' ' && point < 0x7f) plait__put_bytes(text, character + !needs_backslash, 1 + needs_backslash);
    else if (point <= 0xff) put_hexadecimal(text, 'x', 2, point);
    else if (point <= 0xffff) put_hexadecimal(text, 'u', 4, point);
    else put_hexadecimal(text, 'U', 8, point);
}

/* How many bytes from there on are written as they are. */
static size_t plain_at(const unsigned char *at, size_t size, char quote)
{
    size_t i = 0;
    while (i < size && at[i] >= ' ' && at[i] < 0x7f && at[i] != '\\' && at[i] != (unsigned char)quote) i++;
    return i;
}

static void put_all_escaped(struct plait__text *text, const unsigned char *at, size_t size, char quote)
{
    for (size_t i = 0; i < size; i++) {
        const size_t plain = plain_at(at + i, size - i, quote);
        plait__put_bytes(text, (const char *)at + i, plain);
        i += plain;
        if (i < size) put_escaped(text, at[i], quote);
    }
}

void plait__put_bytes_repr(struct plait__text *text, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    const char quote = quote_for(size && memchr(bytes, '\'', size), size && memchr(bytes, '"', size));
    plait__put_formatted(text, "b%c", quote);
    put_all_escaped(text, at, size, quote);
    plait__put_bytes(text, &quote, 1);
}

/* Python's own way: there a ' is escaped, whichever quotes are around it. */
void plait__put_bytearray_repr(struct plait__text *text, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    const char quote = quote_for(size && memchr(bytes, '\'', size), size && memchr(bytes, '"', size));
    plait__put_formatted(text, "bytearray(b%c", quote);
    put_all_escaped(text, at, size, '\'');
    plait__put_formatted(text, "%c)", quote);
}

static void put_utf8(struct plait__text *text, uint32_t point)
{
    char bytes[4];
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, point >>= 6) bytes[i] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)(0xff00u >> (more + 1) | point);      /* 110xxxxx, 1110xxxx, 11110xxx */
    plait__put_bytes(text, bytes, more + 1);
}

/* What Python prints as it is.  It knows all of Unicode; here are those of its invisible characters that do occur. */
static bool is_printable(uint32_t point)
{
    if (point < 0xa1) return point >= ' ' && point < 0x7f;
    if (point == 0xad || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    if (point >= 0x2000 && point <= 0x200f) return false;      /* spaces of all widths, marks of direction */
    if (point >= 0x2028 && point <= 0x202f) return false;
    if (point >= 0x205f && point <= 0x206f) return false;
    if (point >= 0xe000 && point <= 0xf8ff) return false;      /* private use */
    return point != 0x3000 && point != 0xfeff && (point & 0xfffe) != 0xfffe;
}

static void put_point(struct plait__text *text, uint32_t point, char quote)
{
    if (point > 0x7f && is_printable(point)) put_utf8(text, point);
    else put_escaped(text, point, quote);
}

void plait__put_points_repr(struct plait__text *text, const uint32_t *points, size_t count)
{
    bool has_single = false, has_double = false;
    for (size_t i = 0; i < count; i++) {
        has_single |= points[i] == '\'';
        has_double |= points[i] == '"';
    }
    const char quote = quote_for(has_single, has_double);
    plait__put_bytes(text, &quote, 1);
    for (size_t i = 0; i < count; i++) put_point(text, points[i], quote);
    plait__put_bytes(text, &quote, 1);
}

/* The code point that begins here, surrogates too, and how many bytes it takes; 0 bytes: there is none. */
static size_t read_any_point(const unsigned char *at, size_t size, uint32_t *point)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    size_t more = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
    if (more >= size || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4) return 0;
    *point = more ? at[0] & (0x3fu >> more) : at[0];
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        *point = *point << 6 | (at[i] & 0x3f);
    }
    return *point < least[more] || *point > 0x10ffff ? 0 : more + 1;
}

/* The same of UTF-8, which has no surrogates. */
static size_t read_point(const unsigned char *at, size_t size, uint32_t *point)
{
    const size_t length = read_any_point(at, size, point);
    return length && *point >= 0xd800 && *point <= 0xdfff ? 0 : length;
}

bool plait__is_utf8(const char *string, size_t size)
{
    uint32_t point;
    for (size_t i = 0, length; i < size; i += length)
        if (!(length = read_point((const unsigned char *)string + i, size - i, &point))) return false;
    return true;
}

bool plait__is_text(const char *string, size_t size)
{
    uint32_t point;
    for (size_t i = 0, length; i < size; i += length)
        if (!(length = read_any_point((const unsigned char *)string + i, size - i, &point))) return false;
    return true;
}

size_t plait__ascii_prefix(const char *string, size_t size)
{
    size_t i = 0;
    for (uint64_t eight; i + sizeof eight <= size; i += sizeof eight) {
        memcpy(&eight, string + i, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080)) return i;
    }
    while (i < size && !(string[i] & 0x80)) i++;
    return i;
}

void plait__put_str_repr(struct plait__text *text, const char *string, size_t size)
{
    const unsigned char *at = (const unsigned char *)string;
    const char quote = quote_for(size && memchr(string, '\'', size), size && memchr(string, '"', size));
    plait__put_bytes(text, &quote, 1);
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t point = at[i];
        length = plain_at(at + i, size - i, quote);
        plait__put_bytes(text, string + i, length);
        if (length) continue;
        length = read_any_point(at + i, size - i, &point);
        if (length) put_point(text, point, quote);
        else put_escaped(text, at[i], 0);
        length += !length;
    }
    plait__put_bytes(text, &quote, 1);
}
