/* Ints: of 64 bits in the value itself, larger ones as bytes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/number.h"

/* Python's limit, too: both ways between digits and bits take time that grows with the square. */
enum { MOST_DIGITS = 4300, MOST_DECIMAL_BYTES = 1786, MOST_LIMBS = MOST_DECIMAL_BYTES / 4 + 2 };

plait_value *plait__int_from_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    size = plait__int_trim(at, size);
    if (size > 8) {
        plait_value *value = plait__bytes_new(PLAIT_INT, bytes, size);
        if (value) value->flags |= PLAIT__BIG;
        return value;
    }
    uint64_t number = size && at[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = size; i-- > 0;) number = number << 8 | at[i];
    return plait__int_new((int64_t)number);
}

plait_value *plait_int_from_bytes(const void *bytes, size_t size)
{
    if (bytes || !size) return plait__int_from_bytes(bytes, size);
    plait__fail(-EINVAL, "%zu bytes at NULL", size);
    return plait__null(EINVAL);
}

plait_value *plait_uint(uint64_t number)
{
    unsigned char bytes[9] = { 0 };
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(number >> 8 * i);
    return number <= INT64_MAX ? plait__int_new((int64_t)number) : plait__int_from_bytes(bytes, sizeof bytes);
}

/* ---- out of digits ---- */

/* limbs = limbs * 10^9 + next */
static size_t multiply_and_add(uint32_t *limbs, size_t count, uint32_t factor, uint32_t next)
{
    uint64_t carry = next;
    for (size_t i = 0; i < count; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) limbs[count++] = (uint32_t)carry;
    return count;
}

static plait_value *from_limbs(const uint32_t *limbs, size_t count, bool negative)
{
    unsigned char bytes[MOST_LIMBS * 4 + 1] = { 0 };
    unsigned carry = 1;
    for (size_t i = 0; i < count * 4; i++) bytes[i] = (unsigned char)(limbs[i / 4] >> 8 * (i % 4));
    for (size_t i = 0; negative && i <= count * 4; i++) {
        carry += bytes[i] ^ 0xffu;
        bytes[i] = (unsigned char)carry;
        carry >>= 8;
    }
    return plait__int_from_bytes(bytes, count * 4 + 1);
}

static plait_value *parse(const char *digits, size_t size, bool negative)
{
    uint32_t limbs[MOST_LIMBS] = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < size;) {
        uint32_t chunk = 0, factor = 1;
        for (int j = 0; j < 9 && i < size; j++, i++, factor *= 10) chunk = chunk * 10 + (uint32_t)(digits[i] - '0');
        count = multiply_and_add(limbs, count, factor, chunk);
    }
    return from_limbs(limbs, count, negative);
}

plait_value *plait_int_parse(const char *digits)
{
    const bool negative = digits && *digits == '-';
    if (digits) digits += negative || *digits == '+';
    const size_t size = digits ? strspn(digits, "0123456789") : 0;
    if (!size || digits[size]) {
        plait__fail(-EINVAL, "'%.40s' is no number in decimal digits", digits ? digits : "NULL");
        return plait__null(EINVAL);
    }
    if (size <= MOST_DIGITS) return parse(digits, size, negative);
    plait__fail(-ERANGE, "a number of %zu digits; %d is the most", size, MOST_DIGITS);
    return plait__null(ERANGE);
}

/* ---- into digits ---- */

static void put_hexadecimal(struct plait__text *text, const struct plait__magnitude *of)
{
    size_t i = of->size;
    while (i > 1 && !plait__magnitude_byte(of, i - 1)) i--;
    plait__put_formatted(text, "%s0x%x", of->negative ? "-" : "", plait__magnitude_byte(of, --i));
    char some[256];
    for (size_t length = 0; i > 0;) {
        const unsigned byte = plait__magnitude_byte(of, --i);
        some[length++] = "0123456789abcdef"[byte >> 4];
        some[length++] = "0123456789abcdef"[byte & 15];
        if (length < sizeof some && i > 0) continue;
        plait__put_bytes(text, some, length);
        length = 0;
    }
}

static size_t to_limbs(uint32_t *limbs, const struct plait__magnitude *of)
{
    const size_t count = (of->size + 3) / 4;
    memset(limbs, 0, count * sizeof limbs[0]);
    for (size_t i = 0; i < of->size; i++) limbs[i / 4] |= (uint32_t)plait__magnitude_byte(of, i) << 8 * (i % 4);
    return count;
}

/* limbs = limbs / 10^9; what is left over. */
static uint32_t divide(uint32_t *limbs, size_t *count)
{
    uint64_t rest = 0;
    for (size_t i = *count; i-- > 0;) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / 1000000000);
        rest %= 1000000000;
    }
    while (*count && !limbs[*count - 1]) --*count;
    return (uint32_t)rest;
}

static void put_decimal(struct plait__text *text, const struct plait__magnitude *of)
{
    uint32_t limbs[MOST_LIMBS], chunks[MOST_LIMBS + MOST_LIMBS / 8];
    size_t count = to_limbs(limbs, of), made = 0;
    while (count) chunks[made++] = divide(limbs, &count);
    plait__put_formatted(text, "%s%" PRIu32, of->negative ? "-" : "", chunks[--made]);
    while (made-- > 0) plait__put_formatted(text, "%09" PRIu32, chunks[made]);
}

void plait__put_int(struct plait__text *text, const plait_value *number)
{
    if (!plait__is_big(number)) {
        plait__put_formatted(text, "%" PRId64, number->as.integer);
        return;
    }
    const struct plait__magnitude of = plait__magnitude_of(number);
    if (of.size > MOST_DECIMAL_BYTES) put_hexadecimal(text, &of);
    else put_decimal(text, &of);
}

/* ---- reading ---- */

/* 0: it is an int, or a bool. */
static int check_int(const plait_value *value)
{
    if (!value) return plait__fail(-EINVAL, "the value is NULL");
    if (value->type == PLAIT_INT || value->type == PLAIT_BOOL) return 0;
    return plait__fail(-EINVAL, "an int was wanted, the value is of type '%s'", plait_value_type_name(value));
}

int plait_int_get(const plait_value *value, int64_t *number)
{
    const int error = check_int(value);
    if (error) return error;
    if (plait__is_big(value)) return plait__fail(-ERANGE, "the int does not fit into 64 bits");
    if (number) *number = value->as.integer;
    return 0;
}

/* 64 bits without a sign, and a 0 above them. */
static bool is_large_unsigned(const plait_value *value)
{
    size_t size;
    return plait__is_big(value) && plait__bytes_of(value, &size)[8] == 0 && size == 9;
}

int plait_uint_get(const plait_value *value, uint64_t *number)
{
    const int error = check_int(value);
    if (error) return error;
    uint64_t all = (uint64_t)value->as.integer;
    if (plait__is_big(value)) {
        if (!is_large_unsigned(value)) return plait__fail(-ERANGE, "the int does not fit into 64 bits without a sign");
        all = 0;
        for (int i = 7; i >= 0; i--) all = all << 8 | (unsigned char)value->as.small[i];
    } else if (value->as.integer < 0) {
        return plait__fail(-ERANGE, "the int is negative");
    }
    if (number) *number = all;
    return 0;
}

int plait_int_to_bytes(const plait_value *value, void *bytes, size_t size)
{
    int error = check_int(value);
    if (!error && !bytes && size) error = plait__fail(-EINVAL, "%zu bytes at NULL", size);
    if (error) return error;
    unsigned char own[8], *to = bytes;
    size_t needed = sizeof own;
    for (int i = 0; i < 8; i++) own[i] = (unsigned char)((uint64_t)value->as.integer >> 8 * i);
    const unsigned char *from = own;
    if (plait__is_big(value)) from = (const unsigned char *)plait__bytes_of(value, &needed);
    needed = plait__int_trim(from, needed);
    if (needed == 1 && !from[0]) needed = 0;
    if (needed > size) return plait__fail(-ERANGE, "the int needs %zu bytes, not %zu", needed, size);
    if (needed) memcpy(to, from, needed);
    if (size > needed) memset(to + needed, needed && from[needed - 1] & 0x80 ? 0xff : 0, size - needed);
    return 0;
}

/* To the nearest: the highest 57 bits or more, of which the lowest says whether there is anything below them. */
static double big_to_float(const plait_value *value)
{
    const struct plait__magnitude of = plait__magnitude_of(value);
    size_t top = of.size;
    while (top > 1 && !plait__magnitude_byte(&of, top - 1)) top--;
    if (top > PLAIT__FLOAT_BYTES) return of.negative ? -(double)INFINITY : (double)INFINITY;
    uint64_t digits = 0;
    for (size_t i = 0; i < 8; i++) digits = digits << 8 | plait__magnitude_byte(&of, top - 1 - i);
    digits |= of.lowest < top - 8;
    const double number = ldexp((double)digits, (int)(top - 8) * 8);
    return of.negative ? -number : number;
}

int plait_float_get(const plait_value *value, double *number)
{
    double real;
    if (value && value->type == PLAIT_FLOAT) {
        real = value->as.real;
    } else {
        const int error = check_int(value);
        if (error) return error;
        real = plait__is_big(value) ? big_to_float(value) : (double)value->as.integer;
        if (isinf(real)) return plait__fail(-ERANGE, "the int is too large for a float");
    }
    if (number) *number = real;
    return 0;
}
