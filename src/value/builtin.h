/* value/builtin.h - Python's built-in classes that plait knows, as objects of calls. */
#ifndef PLAIT_VALUE_BUILTIN_H
#define PLAIT_VALUE_BUILTIN_H

#include "value/text.h"
#include "value/walk.h"

/* "builtins.range" for what a call of that made; NULL for anything else. */
const char *plait__called(const plait_value *value);

/* Its argument; NULL: it has fewer. */
const plait_value *plait__argument(const plait_value *object, uint32_t i);

/* Not slices and arrays. */
bool plait__is_hashable_builtin(const plait_value *object);

/* Ranges and complex numbers: what Python compares by what is in it, for sure. */
bool plait__is_builtin_number(const plait_value *object);

/* Whether it is a range; *word is the same for those that have the same numbers, whatever they were made of. */
bool plait__range_hash(const plait_value *object, uint64_t *word);

/* 1, 0; -1: these are not two ranges. */
int plait__range_equal(const plait_value *a, const plait_value *b);

/* How many numbers a range has, or items an array; -1: it is neither. */
ssize_t plait__builtin_len(const plait_value *object);

/* Only empty ranges and arrays, and the complex number 0 are false. */
bool plait__builtin_truth(const plait_value *object);

/* Print one that is known here, as repr() or str(); whether it is. */
bool plait__put_builtin(struct plait__text *text, const plait_value *object, struct plait__work *work);
bool plait__put_builtin_str(struct plait__text *text, const plait_value *object, struct plait__work *work);

/* array.c: whether a call of that name makes an array. */
bool plait__is_array(const plait_value *value);
bool plait__put_array(struct plait__text *text, const plait_value *array);

#endif
