/* value/builtin.h - Python's built-in classes that plait knows, as objects of calls. */
#ifndef PLAIT_VALUE_BUILTIN_H
#define PLAIT_VALUE_BUILTIN_H

#include "value/text.h"
#include "value/value.h"

/* "builtins.range" for what a call of that made; NULL for anything else. */
const char *plait__called(const plait_value *value);

/* Not slices and arrays. */
bool plait__is_hashable_builtin(const plait_value *object);

/* Of ranges that have the same numbers, whatever they were made of: whether it is a range. */
bool plait__range_hash(const plait_value *object, uint64_t *word);

/* 1, 0; -1: these are not two ranges. */
int plait__range_equal(const plait_value *a, const plait_value *b);

/* How many numbers a range has, or items an array; -1: it is neither. */
ssize_t plait__builtin_len(const plait_value *object);

#endif
