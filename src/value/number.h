/* value/number.h - numbers: bools, ints of any size, floats. */
#ifndef PLAIT_VALUE_NUMBER_H
#define PLAIT_VALUE_NUMBER_H

#include "value/text.h"
#include "value/value.h"

static inline bool plait__is_number(const plait_value *value)
{
    return value->type >= PLAIT_BOOL && value->type <= PLAIT_FLOAT;
}

/* Of two numbers, exactly: no float rounds an int. */
bool plait__number_equal(const plait_value *a, const plait_value *b);

/* Python's hash: the number modulo 2^61 - 1, also if it has a fraction. */
int64_t plait__number_hash(const plait_value *number);

/* Equal numbers have equal words. */
uint64_t plait__number_word(const plait_value *number);

/* How few of the bytes, the lowest first, are the same number in two's complement. */
size_t plait__int_trim(const unsigned char *bytes, size_t size);

/* A whole float of 2^63 or more into two's complement; how many bytes. */
enum { PLAIT__FLOAT_BYTES = 136 };
size_t plait__float_to_bytes(double number, unsigned char bytes[PLAIT__FLOAT_BYTES]);

/* The absolute value of a big int, byte by byte. */
struct plait__magnitude {
    const unsigned char *bytes;
    size_t size, lowest;                                   /* the lowest byte that is not 0 */
    bool negative;
};
struct plait__magnitude plait__magnitude_of(const plait_value *big);

static inline unsigned plait__magnitude_byte(const struct plait__magnitude *of, size_t i)
{
    if (!of->negative || i < of->lowest) return of->bytes[i];
    return (0xffu - of->bytes[i] + (i == of->lowest)) & 0xff;
}

/* In decimal, up to 4,300 digits or so; larger ones as Python's hex(), which takes no time. */
void plait__put_int(struct plait__text *text, const plait_value *number);

#endif
