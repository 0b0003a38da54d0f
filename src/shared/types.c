/* shared/types.c - the type codes, and which numbers fit them.  Where Python's ctypes cuts a number off (300 becomes 44 in a 'b'),
 * here it is an error. */
#include "shared/types.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <wchar.h>

#include "base/error.h"

#define UNICODE_LAST 0x10ffffu

const struct plait__type *plait__type_of(int code)
{
    static const struct plait__type types[] = {
        { 'c', 1, PLAIT__CHAR },
        { 'u', sizeof(wchar_t), PLAIT__UNICODE },
        { '?', sizeof(bool), PLAIT__BOOL },
        { 'b', 1, PLAIT__SIGNED },
        { 'B', 1, PLAIT__UNSIGNED },
        { 'h', sizeof(short), PLAIT__SIGNED },
        { 'H', sizeof(short), PLAIT__UNSIGNED },
        { 'i', sizeof(int), PLAIT__SIGNED },
        { 'I', sizeof(int), PLAIT__UNSIGNED },
        { 'l', sizeof(long), PLAIT__SIGNED },
        { 'L', sizeof(long), PLAIT__UNSIGNED },
        { 'q', sizeof(long long), PLAIT__SIGNED },
        { 'Q', sizeof(long long), PLAIT__UNSIGNED },
        { 'f', sizeof(float), PLAIT__FLOATING },
        { 'd', sizeof(double), PLAIT__FLOATING },
    };
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == code) return &types[i];
    return NULL;
}

/* ---- into memory ---- */

static int out_of_range(const struct plait__type *type, struct plait__number number)
{
    if (number.family == PLAIT__FLOATING)
        return plait__fail(-ERANGE, "%g is out of the range of a '%c'", number.is.real, type->code);
    if (number.family == PLAIT__SIGNED)
        return plait__fail(-ERANGE, "%lld is out of the range of a '%c'", (long long)number.is.integer, type->code);
    return plait__fail(-ERANGE, "%llu is out of the range of a '%c'", (unsigned long long)number.is.natural, type->code);
}

static uint64_t largest(const struct plait__type *type)
{
    if (type->family == PLAIT__UNICODE) return UNICODE_LAST;
    unsigned bits = type->size * 8u - (type->family == PLAIT__SIGNED);
    return UINT64_MAX >> (64 - bits);
}

static int encode_real(const struct plait__type *type, struct plait__number number, uint64_t *bits)
{
    double real = plait__as_real(number);
    float small = (float)real;
    if (type->size == sizeof real) {
        memcpy(bits, &real, sizeof real);
        return 0;
    }
    if (isinf(small) && !isinf(real)) return out_of_range(type, number);
    uint32_t half;
    memcpy(&half, &small, sizeof half);
    *bits = half;
    return 0;
}

int plait__encode(const struct plait__type *type, struct plait__number number, uint64_t *bits)
{
    if (type->family == PLAIT__FLOATING) return encode_real(type, number, bits);
    if (number.family == PLAIT__FLOATING)
        return plait__fail(-EINVAL, "a '%c' takes whole numbers, not %g", type->code, number.is.real);
    *bits = number.is.natural;
    if (type->family == PLAIT__BOOL) {
        *bits = *bits != 0;
        return 0;
    }
    bool negative = number.family == PLAIT__SIGNED && number.is.integer < 0;
    uint64_t most = largest(type);
    if (negative ? type->family != PLAIT__SIGNED || ~number.is.natural > most : number.is.natural > most)
        return out_of_range(type, number);
    return 0;
}

/* ---- out of memory ---- */

static double real_of(const struct plait__type *type, uint64_t bits)
{
    double real;
    float small;
    uint32_t half = (uint32_t)bits;
    memcpy(&real, &bits, sizeof real);
    memcpy(&small, &half, sizeof small);
    return type->size == sizeof real ? real : (double)small;
}

struct plait__number plait__decode(const struct plait__type *type, uint64_t bits)
{
    unsigned unused = 64 - type->size * 8u;
    switch (type->family) {
    case PLAIT__FLOATING: return plait__real(real_of(type, bits));
    case PLAIT__SIGNED: return plait__integer((int64_t)(bits << unused) >> unused);
    case PLAIT__BOOL: return plait__integer(bits != 0);
    default: return plait__natural(bits);
    }
}

int plait__to_integer(struct plait__number number, int64_t *value)
{
    if (number.family == PLAIT__FLOATING) return plait__fail(-EINVAL, "it is a floating-point number: get it as a double");
    if (number.family == PLAIT__UNSIGNED)
        return plait__fail(-ERANGE, "%llu is above the most an int64_t has", (unsigned long long)number.is.natural);
    *value = number.is.integer;
    return 0;
}

int plait__to_natural(struct plait__number number, uint64_t *value)
{
    if (number.family == PLAIT__FLOATING) return plait__fail(-EINVAL, "it is a floating-point number: get it as a double");
    if (number.family == PLAIT__SIGNED && number.is.integer < 0)
        return plait__fail(-ERANGE, "%lld is negative", (long long)number.is.integer);
    *value = number.is.natural;
    return 0;
}

/* ---- adding ---- */

static int too_much(const struct plait__type *type)
{
    return plait__fail(-ERANGE, "the sum is out of the range of a '%c'", type->code);
}

/* a >= 0, or b >= 0: else both are SIGNED. */
static int sum_of_integers(const struct plait__type *type, struct plait__number a, struct plait__number b,
                           struct plait__number *sum)
{
    int64_t small;
    uint64_t natural;
    if (a.family == PLAIT__SIGNED && b.family == PLAIT__SIGNED && !__builtin_add_overflow(a.is.integer, b.is.integer, &small)) {
        *sum = plait__integer(small);
        return 0;
    }
    bool a_negative = a.family == PLAIT__SIGNED && a.is.integer < 0, b_negative = b.family == PLAIT__SIGNED && b.is.integer < 0;
    if (a_negative && b_negative) return too_much(type);
    natural = a.is.natural + b.is.natural;                 /* of one that is negative, modulo 2^64: the same as to subtract */
    if (!a_negative && !b_negative && natural < a.is.natural) return too_much(type);
    *sum = plait__natural(natural);
    return 0;
}

int plait__sum(const struct plait__type *type, struct plait__number a, struct plait__number b, struct plait__number *sum)
{
    if (type->family < PLAIT__SIGNED) return plait__fail(-EINVAL, "nothing can be added to a '%c'", type->code);
    if (type->family == PLAIT__FLOATING) {
        *sum = plait__real(plait__as_real(a) + plait__as_real(b));
        return 0;
    }
    if (b.family == PLAIT__FLOATING) return plait__fail(-EINVAL, "a '%c' takes whole numbers, not %g", type->code, b.is.real);
    return sum_of_integers(type, a, b, sum);
}

/* ---- one item ---- */

#define AT(bits, item) ((_Atomic uint##bits##_t *)(item))

uint64_t plait__load_item(const void *item, unsigned size)
{
    void *at = (void *)(uintptr_t)item;
    switch (size) {
    case 1: return atomic_load_explicit(AT(8, at), memory_order_relaxed);
    case 2: return atomic_load_explicit(AT(16, at), memory_order_relaxed);
    case 4: return atomic_load_explicit(AT(32, at), memory_order_relaxed);
    default: return atomic_load_explicit(AT(64, at), memory_order_relaxed);
    }
}

void plait__store_item(void *item, unsigned size, uint64_t bits)
{
    switch (size) {
    case 1: atomic_store_explicit(AT(8, item), (uint8_t)bits, memory_order_relaxed); break;
    case 2: atomic_store_explicit(AT(16, item), (uint16_t)bits, memory_order_relaxed); break;
    case 4: atomic_store_explicit(AT(32, item), (uint32_t)bits, memory_order_relaxed); break;
    default: atomic_store_explicit(AT(64, item), bits, memory_order_relaxed); break;
    }
}

#define TAKE(bits) { uint##bits##_t some; memcpy(&some, bytes, sizeof some); return some; }
#define GIVE(bits) { const uint##bits##_t some = (uint##bits##_t)from; memcpy(bytes, &some, sizeof some); break; }

uint64_t plait__from_bytes(const void *bytes, unsigned size)
{
    switch (size) {
    case 1: TAKE(8)
    case 2: TAKE(16)
    case 4: TAKE(32)
    default: TAKE(64)
    }
}

void plait__to_bytes(void *bytes, unsigned size, uint64_t from)
{
    switch (size) {
    case 1: GIVE(8)
    case 2: GIVE(16)
    case 4: GIVE(32)
    default: GIVE(64)
    }
}

#define SWAP(bits)                                                                                    \
    {                                                                                                 \
        uint##bits##_t was = (uint##bits##_t)*seen;                                                   \
        bool done = atomic_compare_exchange_strong(AT(bits, item), &was, (uint##bits##_t)wanted);     \
        *seen = was;                                                                                  \
        return done;                                                                                  \
    }

bool plait__swap_item(void *item, unsigned size, uint64_t *seen, uint64_t wanted)
{
    switch (size) {
    case 1: SWAP(8)
    case 2: SWAP(16)
    case 4: SWAP(32)
    default: SWAP(64)
    }
}
