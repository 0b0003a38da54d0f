/* shared/types.h - Python's type codes: what C type is behind each, and numbers on their way into and out of memory.
 *
 * An item of up to 8 bytes is read and written by one instruction, so that nobody, also no survivor of who was killed in the
 * middle, ever meets half of one.
 */
#ifndef PLAIT_SHARED_TYPES_H
#define PLAIT_SHARED_TYPES_H

#include <stdbool.h>
#include <stdint.h>

enum plait__family_of_types { PLAIT__CHAR, PLAIT__UNICODE, PLAIT__BOOL, PLAIT__SIGNED, PLAIT__UNSIGNED, PLAIT__FLOATING };

struct plait__type {
    char code;
    uint8_t size;
    uint8_t family;                                        /* enum plait__family_of_types */
};

/* NULL: Python has no such code (0 is that of structs, which are no numbers). */
const struct plait__type *plait__type_of(int code);

/* A number as it comes from the user or out of memory.  A whole one is SIGNED, or UNSIGNED if it is above INT64_MAX. */
struct plait__number {
    uint8_t family;                                        /* PLAIT__SIGNED, PLAIT__UNSIGNED or PLAIT__FLOATING */
    union {
        int64_t integer;
        uint64_t natural;
        double real;
    } is;
};

static inline struct plait__number plait__integer(int64_t value)
{
    return (struct plait__number){ .family = PLAIT__SIGNED, .is.integer = value };
}

static inline struct plait__number plait__natural(uint64_t value)
{
    if (value <= INT64_MAX) return plait__integer((int64_t)value);
    return (struct plait__number){ .family = PLAIT__UNSIGNED, .is.natural = value };
}

static inline struct plait__number plait__real(double value)
{
    return (struct plait__number){ .family = PLAIT__FLOATING, .is.real = value };
}

static inline double plait__as_real(struct plait__number number)
{
    if (number.family == PLAIT__FLOATING) return number.is.real;
    return number.family == PLAIT__SIGNED ? (double)number.is.integer : (double)number.is.natural;
}

/* The bits of an item of that type that is this number.  0; -ERANGE: it has none; -EINVAL: a whole number was wanted. */
int plait__encode(const struct plait__type *type, struct plait__number number, uint64_t *bits);
struct plait__number plait__decode(const struct plait__type *type, uint64_t bits);

/* What a get into that C type gives.  0, -ERANGE, -EINVAL. */
int plait__to_integer(struct plait__number number, int64_t *value);
int plait__to_natural(struct plait__number number, uint64_t *value);

/* The sum, as an item of that type would have it.  0; -ERANGE; -EINVAL: that type does not count. */
int plait__sum(const struct plait__type *type, struct plait__number a, struct plait__number b, struct plait__number *sum);

/* An item of 1, 2, 4 or 8 bytes. */
uint64_t plait__load_item(const void *item, unsigned size);
void plait__store_item(void *item, unsigned size, uint64_t bits);

/* The same, of the user's memory: no matter how it is aligned. */
uint64_t plait__from_bytes(const void *bytes, unsigned size);
void plait__to_bytes(void *bytes, unsigned size, uint64_t bits);

/* Make it `wanted` if it is *seen; else false, and *seen is what it is. */
bool plait__swap_item(void *item, unsigned size, uint64_t *seen, uint64_t wanted);

#endif
