/* Reading pickles: what protocol 0 wrote as lines of text. */
#include <stdlib.h>
#include <stdio.h>

#include "value/pickle_read.h"

/* Numbers: longer ones would take time that grows with the square of their length (Python itself refuses beyond 4,300 digits). */
enum { INT_DIGITS = 100000, FLOAT_CHARACTERS = 1000 };

int plait__pickle_line(struct plait__reader *reader, const char **line, size_t *size)
{
    const unsigned char *end = reader->at < reader->end ? memchr(reader->at, '\n', (size_t)(reader->end - reader->at)) : NULL;
    if (!end) return plait__pickle_bad(reader, -EBADMSG, "it is cut off: a line does not end");
    *line = (const char *)reader->at;
    *size = (size_t)(end - reader->at);
    reader->at = end + 1;
    return 0;
}

/* ---- numbers ---- */

static bool is_digits(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return size > 0;
}

static bool is_whole(const char *text, size_t size)
{
    const size_t sign = size > 0 && (*text == '-' || *text == '+');
    return is_digits(text + sign, size - sign);
}

int plait__pickle_index(struct plait__reader *reader, size_t *index)
{
    const char *line;
    size_t size;
    int error = plait__pickle_line(reader, &line, &size);
    if (error) return error;
    if (!is_digits(line, size) || size > 18) return plait__pickle_bad(reader, -EBADMSG, "a line that is no index of the memo");
    *index = (size_t)strtoull(line, NULL, 10);             /* the line's end ends it */
    return 0;
}

/* Of any size: INT, and LONG without its L. */
static int whole(struct plait__reader *reader, const char *text, size_t size)
{
    char some[32];
    if (!is_whole(text, size)) return plait__pickle_bad(reader, -EBADMSG, "a line that is no int");
    if (size > INT_DIGITS) return plait__pickle_bad(reader, -EOVERFLOW, "an int of more than %d digits", INT_DIGITS);
    int error = plait__pickle_spend(reader, PLAIT__CELL + size);
    char *copy = error ? NULL : size < sizeof some ? some : malloc(size + 1);
    if (!copy) return error ? error : plait__pickle_bad(reader, -ENOMEM, "there is no memory for an int");
    const size_t plus = *text == '+';
    memcpy(copy, text + plus, size - plus);
    copy[size - plus] = 0;
    error = plait__pickle_push(reader, plait_int_parse(copy));
    if (copy != some) free(copy);
    return error;
}

/* "00" and "01" are what protocol 0 has for bools. */
static int integer(struct plait__reader *reader, const char *text, size_t size)
{
    if (size == 2 && text[0] == '0' && (text[1] == '0' || text[1] == '1'))
        return plait__pickle_push(reader, plait_bool(text[1] == '1'));
    return whole(reader, text, size);
}

static bool is_word(const char *text, size_t size, const char *word)
{
    if (strlen(word) != size) return false;
    for (size_t i = 0; i < size; i++)
        if ((text[i] | 0x20) != word[i]) return false;
    return true;
}

/* inf and nan in all their forms, behind the sign. */
static bool special(const char *text, size_t size, double *number)
{
    if (is_word(text, size, "inf") || is_word(text, size, "infinity")) *number = __builtin_inf();
    else if (is_word(text, size, "nan")) *number = __builtin_nan("");
    else return false;
    return true;
}

/* How many digits `text` begins with; they are added to `digits`. */
static size_t take_digits(const char *text, const char *end, char *digits, size_t *count)
{
    size_t taken = 0;
    while (text + taken < end && text[taken] >= '0' && text[taken] <= '9') digits[(*count)++] = text[taken++];
    return taken;
}

/* Given to strtod as a whole number with an exponent, which is the same in every locale. */
static bool decimal(const char *text, size_t size, double *number)
{
    char digits[FLOAT_CHARACTERS + 32];
    const char *end = text + size;
    size_t count = 0, fraction = 0;
    long exponent = 0;
    text += take_digits(text, end, digits, &count);
    if (text < end && *text == '.') {
        text++;
        fraction = take_digits(text, end, digits, &count);
        text += fraction;
    }
    if (count == 0) return false;
    if (text < end && (*text | 0x20) == 'e') {
        if (!is_whole(text + 1, (size_t)(end - text - 1))) return false;
        exponent = strtol(text + 1, NULL, 10);             /* the line's end ends it; too large ones become the largest */
        text = end;
    }
    exponent = exponent > 99999 ? 99999 : exponent < -99999 ? -99999 : exponent;
    snprintf(digits + count, 32, "e%ld", exponent - (long)fraction);
    *number = strtod(digits, NULL);
    return text == end;
}

static int real(struct plait__reader *reader, const char *text, size_t size)
{
    double number;
    const size_t sign = size > 0 && (*text == '-' || *text == '+');
    if (size > FLOAT_CHARACTERS || (!special(text + sign, size - sign, &number) && !decimal(text + sign, size - sign, &number)))
        return plait__pickle_bad(reader, -EBADMSG, "a line that is no float");
    int error = plait__pickle_spend(reader, PLAIT__CELL);
    return error ? error : plait__pickle_push(reader, plait_float(sign && *text == '-' ? -number : number));
}

/* ---- strings ---- */

/* A str of Python 2: text if it is ASCII, as in Python 3; other ones are bytes. */
int plait__pickle_old_string(struct plait__reader *reader, const char *bytes, size_t size)
{
    bool is_text = true;
    for (size_t i = 0; i < size && is_text; i++) is_text = (unsigned char)bytes[i] < 0x80;
    int error = plait__pickle_spend(reader, PLAIT__CELL + size);
    if (error) return error;
    return plait__pickle_push(reader, is_text ? plait__string_new(bytes, size) : plait__bytes_new(PLAIT_BYTES, bytes, size));
}

/* So many digits of that base; how many there are. */
static size_t take_number(const char *text, const char *end, size_t most, int base, uint32_t *number)
{
    size_t taken = 0;
    *number = 0;
    for (; taken < most && text + taken < end; taken++) {
        const char c = (char)(text[taken] | 0x20);
        const int digit = text[taken] >= '0' && text[taken] <= '9' ? text[taken] - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base) break;
        *number = *number * (uint32_t)base + (uint32_t)digit;
    }
    return taken;
}

/* What stands behind a backslash in a str of Python 2; how many characters that was, 0: it is wrong. */
static size_t unescape(const char *text, const char *end, char *out, size_t *size)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *known = *text ? strchr(from, *text) : NULL;
    uint32_t number;
    if (known) {
        out[(*size)++] = to[known - from];
        return 1;
    }
    if (*text == 'x') {
        if (take_number(text + 1, end, 2, 16, &number) != 2) return 0;
        out[(*size)++] = (char)number;
        return 3;
    }
    const size_t octal = take_number(text, end, 3, 8, &number);
    if (octal == 0) {
        out[(*size)++] = '\\';                             /* not one of these: both characters stay */
        out[(*size)++] = *text;
        return 1;
    }
    out[(*size)++] = (char)number;
    return octal;
}

static bool unescape_all(const char *text, const char *end, char *out, size_t *size)
{
    while (text < end) {
        if (*text != '\\') {
            out[(*size)++] = *text++;
            continue;
        }
        const size_t taken = text + 1 < end ? unescape(text + 1, end, out, size) : 0;
        if (!taken) return false;
        text += 1 + taken;
    }
    return true;
}

static bool is_quoted(const char *text, size_t size)
{
    return size >= 2 && (*text == '\'' || *text == '"') && text[size - 1] == *text;
}

static int old_string(struct plait__reader *reader, const char *text, size_t size)
{
    if (!is_quoted(text, size)) return plait__pickle_bad(reader, -EBADMSG, "a str without quotes");
    size_t length = 0;
    char *out = malloc(size);
    if (!out) return plait__pickle_bad(reader, -ENOMEM, "there is no memory for a str");
    int error = unescape_all(text + 1, text + size - 1, out, &length)
                    ? plait__pickle_old_string(reader, out, length)
                    : plait__pickle_bad(reader, -EBADMSG, "a str with a backslash that nothing follows");
    free(out);
    return error;
}

static void put_utf8(uint32_t point, char *out, size_t *size)
{
    const size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, point >>= 6) out[*size + i] = (char)(0x80 | (point & 0x3f));
    out[*size] = (char)(more ? (0xff00u >> (more + 1) | point) & 0xff : point);       /* 110xxxxx, 1110xxxx, 11110xxx */
    *size += more + 1;
}

/* What is not \u1234 or \U00012345 is one of the first 256 characters.  Two backslashes stay two. */
static bool from_raw(const char *text, const char *end, char *out, size_t *size)
{
    while (text < end) {
        const char c = *text++;
        put_utf8((unsigned char)c, out, size);
        if (c != '\\' || text == end) continue;
        const size_t digits = *text == 'u' ? 4 : *text == 'U' ? 8 : 0;
        uint32_t point = (unsigned char)*text++;
        if (digits) {
            if (take_number(text, end, digits, 16, &point) != digits || point > 0x10ffff) return false;
            text += digits;
            --*size;                                       /* the backslash */
        }
        put_utf8(point, out, size);
    }
    return true;
}

static int unicode(struct plait__reader *reader, const char *text, size_t size)
{
    int error = plait__pickle_spend(reader, PLAIT__CELL + 2 * size);
    char *out = error ? NULL : malloc(2 * size + 1);
    if (!out) return error ? error : plait__pickle_bad(reader, -ENOMEM, "there is no memory for a str");
    size_t length = 0;
    error = from_raw(text, text + size, out, &length)
                ? plait__pickle_push(reader, plait__string_new(out, length))
                : plait__pickle_bad(reader, -EBADMSG, "a str with an escape that is no character");
    free(out);
    return error;
}

int plait__pickle_text(struct plait__reader *reader, int code)
{
    const char *line;
    size_t size;
    int error = plait__pickle_line(reader, &line, &size);
    if (error) return error;
    switch (code) {
    case PICKLE_INT: return integer(reader, line, size);
    case PICKLE_LONG: return whole(reader, line, size > 1 && line[size - 1] == 'L' ? size - 1 : size);
    case PICKLE_FLOAT: return real(reader, line, size);
    case PICKLE_STRING: return old_string(reader, line, size);
    default: return unicode(reader, line, size);
    }
}
