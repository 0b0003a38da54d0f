/* values.h - what the tests of values share. */
#ifndef PLAIT_TEST_VALUES_H
#define PLAIT_TEST_VALUES_H

#include "harness.h"

#include <string.h>

#include <plait/error.h>
#include <plait/object.h>
#include <plait/value.h>

/* It is printed like this; and it is freed. */
static inline void must_print(plait_value *value, const char *expected)
{
    assert_non_null(value);
    assert_string_equal(plait_repr(value), expected);
    plait_value_free(value);
}

/* The constructor failed like this. */
#define assert_fails(constructor, error)                                                              \
    do {                                                                                              \
        errno = 0;                                                                                    \
        assert_null(constructor);                                                                     \
        assert_int_equal(errno, error);                                                               \
    } while (0)

/* Who counts the references of a value finds this many. */
#define assert_refs(value, count) assert_int_equal(atomic_load(&(value)->refs), count)

/* [[[...]]], so many. */
static inline plait_value *nested(int depth)
{
    plait_value *value = plait_list(0);
    while (--depth > 0 && value) value = plait_list(1, value);
    return value;
}

/* ((x, x), (x, x)), so deep: each is in it twice. */
static inline plait_value *braided(int depth)
{
    plait_value *value = plait_tuple(0);
    while (depth-- > 0 && value) value = plait_tuple(2, plait_value_ref(value), value);
    return value;
}

#endif
