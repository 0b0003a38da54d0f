/* Numbers among each other: equality and hash. */
#include "value/number.h"

#include <math.h>

#include "value/walk.h"

struct plait__magnitude plait__magnitude_of(const plait_value *big)
{
    struct plait__magnitude of = { .lowest = 0 };
    of.bytes = (const unsigned char *)plait__bytes_of(big, &of.size);
    of.negative = of.bytes[of.size - 1] & 0x80;
    while (of.lowest + 1 < of.size && !of.bytes[of.lowest]) of.lowest++;
    return of;
}

size_t plait__int_trim(const unsigned char *bytes, size_t size)
{
    const unsigned char sign = size && bytes[size - 1] & 0x80 ? 0xff : 0;
    while (size > 1 && bytes[size - 1] == sign && ((bytes[size - 2] ^ sign) & 0x80) == 0) size--;
    return size;
}

size_t plait__float_to_bytes(double number, unsigned char bytes[PLAIT__FLOAT_BYTES])
{
    int exponent;
    uint64_t digits = (uint64_t)ldexp(frexp(fabs(number), &exponent), 53);
    exponent -= 53;
    memset(bytes, 0, PLAIT__FLOAT_BYTES);
    unsigned __int128 shifted = (unsigned __int128)digits << exponent % 8;
    for (size_t i = (size_t)exponent / 8; shifted; i++, shifted >>= 8) bytes[i] = (unsigned char)shifted;
    unsigned carry = 1;
    for (size_t i = 0; number < 0 && i < PLAIT__FLOAT_BYTES; i++) {
        carry += bytes[i] ^ 0xffu;
        bytes[i] = (unsigned char)carry;
        carry >>= 8;
    }
    return plait__int_trim(bytes, PLAIT__FLOAT_BYTES);
}

/* Without floor(), for which some compilers want libm: from 2^53 on there are only whole ones. */
static bool is_whole(double number)
{
    return isfinite(number) && (number >= 0x1p53 || number <= -0x1p53 || (double)(int64_t)number == number);
}

static bool fits_64_bits(double number)
{
    return number >= -0x1p63 && number < 0x1p63;
}

static bool int_equals_float(const plait_value *number, double real)
{
    if (!is_whole(real)) return false;
    if (!plait__is_big(number)) return fits_64_bits(real) && (int64_t)real == number->as.integer;
    if (fits_64_bits(real)) return false;
    unsigned char of_real[PLAIT__FLOAT_BYTES];
    size_t size;
    const char *bytes = plait__bytes_of(number, &size);
    return plait__float_to_bytes(real, of_real) == size && memcmp(bytes, of_real, size) == 0;
}

static bool equal_ints(const plait_value *a, const plait_value *b)
{
    if (plait__is_big(a) != plait__is_big(b)) return false;
    if (!plait__is_big(a)) return a->as.integer == b->as.integer;
    size_t size_a, size_b;
    const char *of_a = plait__bytes_of(a, &size_a), *of_b = plait__bytes_of(b, &size_b);
    return size_a == size_b && memcmp(of_a, of_b, size_a) == 0;
}

bool plait__number_equal(const plait_value *a, const plait_value *b)
{
    if (a->type == PLAIT_FLOAT && b->type == PLAIT_FLOAT) return a->as.real == b->as.real;
    if (a->type == PLAIT_FLOAT) return int_equals_float(b, a->as.real);
    if (b->type == PLAIT_FLOAT) return int_equals_float(a, b->as.real);
    return equal_ints(a, b);
}

/* ---- Python's hash ---- */

#define PRIME ((UINT64_C(1) << 61) - 1)

/* Times 2^by, modulo 2^61 - 1: a rotation of 61 bits. */
static uint64_t times_power(uint64_t residue, unsigned by)
{
    by %= 61;
    return by ? (residue << by & PRIME) | residue >> (61 - by) : residue;
}

static int64_t with_sign(uint64_t residue, bool negative)
{
    const int64_t hash = negative ? -(int64_t)residue : (int64_t)residue;
    return hash == -1 ? -2 : hash;
}

static int64_t hash_big(const plait_value *number)
{
    const struct plait__magnitude of = plait__magnitude_of(number);
    uint64_t residue = 0;
    for (size_t i = of.size; i-- > 0;) residue = (times_power(residue, 8) + plait__magnitude_byte(&of, i)) % PRIME;
    return with_sign(residue, of.negative);
}

/* Which NaN it is goes by where it lies: one is not equal to another. */
static int64_t hash_float(const plait_value *number)
{
    const double real = number->as.real;
    if (isnan(real)) return (int64_t)((uintptr_t)number >> 4);
    if (isinf(real)) return real < 0 ? -314159 : 314159;
    int exponent;
    const uint64_t digits = (uint64_t)ldexp(frexp(fabs(real), &exponent), 53);
    return with_sign(times_power(digits, (unsigned)(exponent - 53 + 61 * 32)), real < 0);
}

int64_t plait__number_hash(const plait_value *number)
{
    if (number->type == PLAIT_FLOAT) return hash_float(number);
    if (plait__is_big(number)) return hash_big(number);
    const int64_t integer = number->as.integer;
    return with_sign((integer < 0 ? -(uint64_t)integer : (uint64_t)integer) % PRIME, integer < 0);
}

/* ---- what dicts go by ---- */

uint64_t plait__number_word(const plait_value *number)
{
    unsigned char of_real[PLAIT__FLOAT_BYTES];
    size_t size;
    uint64_t word;
    if (plait__is_big(number)) {
        const char *bytes = plait__bytes_of(number, &size);
        return plait__string_hash(bytes, size);
    }
    if (number->type != PLAIT_FLOAT) return (uint64_t)number->as.integer;
    const double real = number->as.real;
    if (isnan(real)) return (uint64_t)(uintptr_t)number >> 4;
    if (is_whole(real)) {
        if (fits_64_bits(real)) return (uint64_t)(int64_t)real;
        size = plait__float_to_bytes(real, of_real);
        return plait__string_hash(of_real, size);
    }
    memcpy(&word, &real, sizeof word);
    return word;
}
