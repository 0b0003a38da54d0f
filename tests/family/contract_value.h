/* contract_value.h - the rows of test_contract for values. */
#ifndef PLAIT_TEST_CONTRACT_VALUE_H
#define PLAIT_TEST_CONTRACT_VALUE_H

#include "harness.h"

#include <string.h>

#include <plait.h>

/* It worked; and the value goes. */
static void have_value(plait_value *value)
{
    CHECK(value);
    plait_value_free(value);
}

static void use_scalars(void)
{
    plait_value *large = plait_uint(UINT64_MAX), *text = plait_string("text"), *bytes = plait_bytes("bytes", 5);
    CHECK(plait_uint_get(large, &(uint64_t){ 0 }) == 0 && plait_int_get(large, &(int64_t){ 0 }) == -ERANGE);
    CHECK(plait_float_get(large, &(double){ 0 }) == 0 && plait_int_to_bytes(large, &(char[9]){ 0 }, 9) == 0);
    CHECK(plait_bool_get(plait_bool(1), &(int){ 0 }) == 0 && plait_is_none(plait_none()));
    CHECK(plait_string_get(text, NULL) && plait_bytes_get(bytes, NULL));
    plait_value_free(large);
    plait_value_free(text);
    plait_value_free(bytes);
}

static void use_list(void)
{
    plait_value *list = plait_list_of(2, (plait_value *[]){ plait_int(1), plait_float(2) });
    CHECK(plait_list_append(list, plait_string("x")) == 0 && plait_list_insert(list, 0, plait_none()) == 0);
    CHECK(plait_list_set(list, 1, plait_tuple_of(0, NULL)) == 0 && plait_list_get(list, 1));
    have_value(plait_list_pop(list, -1));
    CHECK(plait_value_len(list) == 3 && plait_value_truth(list) == 1 && plait_value_contains(list, plait_none()) == 1);
    CHECK(plait_value_type(list) == PLAIT_LIST && strcmp(plait_value_type_name(list), "list") == 0);
    plait_value *copy = plait_value_copy(list);
    CHECK(plait_value_equal(copy, list) == 1 && strcmp(plait_repr(copy), plait_str(list)) == 0);
    plait_value_free(plait_value_ref(copy));
    CHECK(plait_value_clear(list) == 0);
    plait_value_free(copy);
    plait_value_free(list);
}

static void use_dict(void)
{
    plait_value *dict = plait_dict(1, plait_int(1), plait_none()), *set = plait_set(1, plait_int(1)), *key = plait_int(1), *item;
    CHECK(plait_dict_set(dict, plait_int(2), plait_none()) == 0 && plait_dict_set_string(dict, "x", plait_none()) == 0);
    CHECK(plait_dict_get(dict, key) && plait_dict_get_string(dict, "x") && plait_dict_next(dict, &(size_t){ 0 }, &item, NULL) == 1);
    CHECK(plait_dict_pop(dict, key) == plait_none() && plait_value_hash(key, &(uint64_t){ 0 }) == 0);
    CHECK(plait_set_add(set, plait_int(2)) == 1 && plait_set_next(set, &(size_t){ 0 }, &item) == 1);
    CHECK(plait_set_discard(set, key) == 1);
    plait_value *all[] = { dict, set, key };
    for (int i = 0; i < 3; i++) plait_value_free(all[i]);
}

static void use_object(void)
{
    plait_value *object = plait_object("a.B", plait_none()), *called = plait_object_of_call("a.b", plait_tuple(0));
    CHECK(plait_object_set(object, "x", plait_int(1)) == 0 && plait_object_get(object, "x") && plait_object_state(object));
    CHECK(plait_object_arguments(called) && strcmp(plait_object_class(object), "a.B") == 0);
    plait_value_free(object);
    plait_value_free(called);
}

static void use_builtins(void)
{
    plait_value *range = plait_range(0, 5, 1), *slice = plait_slice(plait_int(1), plait_none(), plait_none()), *start;
    plait_value *array = plait_array('i', (int[]){ 1, 2 }, 2), *global = plait_global("a.b");
    CHECK(plait_range_get(range, NULL, NULL, NULL) == 0 && plait_slice_get(slice, &start, NULL, NULL) == 0);
    CHECK(plait_array_get(array, NULL, NULL) && strcmp(plait_global_name(global), "a.b") == 0);
    plait_value *all[] = { range, slice, array, global };
    for (int i = 0; i < 4; i++) plait_value_free(all[i]);
}

static plait_value *encode_number(const void *self)
{
    return plait_int(*(const int *)self);
}

static int decode_number(void *self, const plait_value *state)
{
    int64_t number;
    const int error = plait_int_get(state, &number);
    *(int *)self = (int)number;
    return error;
}

static plait_value *call_number(void *self, const plait_value *arguments)
{
    return plait_int(*(int *)self + (arguments != NULL));
}

static void use_class(void)
{
    static const plait_method methods[] = { { "get", call_number }, { NULL, NULL } };
    static const plait_class number = { .name = "a.Number", .size = sizeof(int), .encode = encode_number, .decode = decode_number,
                                        .methods = methods };
    CHECK(plait_class_register(&number) == 0);
    plait_value *instance = plait_instance(&number, &(int){ 5 }), *object = plait_object("a.Number", plait_int(6));
    CHECK(*(int *)plait_instance_get(instance, &number) == 5 && *(int *)plait_instance_get(object, &number) == 6);
    have_value(plait_object_call(object, "get", plait_tuple(0)));
    plait_value_free(instance);
    plait_value_free(object);
}

#define VALUE_FUNCTIONS(X)                                                                           \
    X(plait_none, ANY_TIME, have_value(plait_none()))                                                 \
    X(plait_bool, ANY_TIME, have_value(plait_bool(0)))                                                \
    X(plait_int, ANY_TIME, have_value(plait_int(1)))                                                  \
    X(plait_uint, ANY_TIME, have_value(plait_uint(UINT64_MAX)))                                       \
    X(plait_int_from_bytes, ANY_TIME, have_value(plait_int_from_bytes("123456789", 9)))               \
    X(plait_int_parse, ANY_TIME, have_value(plait_int_parse("-12345678901234567890")))                \
    X(plait_float, ANY_TIME, have_value(plait_float(1)))                                              \
    X(plait_string, ANY_TIME, have_value(plait_string("a text that is not too short for a cell")))    \
    X(plait_string_sized, ANY_TIME, have_value(plait_string_sized("abc", 2)))                         \
    X(plait_bytes, ANY_TIME, have_value(plait_bytes("abc", 3)))                                       \
    X(plait_bytearray, ANY_TIME, have_value(plait_bytearray("abc", 3)))                               \
    X(plait_list, ANY_TIME, have_value(plait_list(1, plait_none())))                                  \
    X(plait_tuple, ANY_TIME, have_value(plait_tuple(1, plait_none())))                                \
    X(plait_dict, ANY_TIME, have_value(plait_dict(1, plait_string("x"), plait_none())))               \
    X(plait_set, ANY_TIME, have_value(plait_set(1, plait_string("x"))))                               \
    X(plait_frozenset, ANY_TIME, have_value(plait_frozenset(1, plait_string("x"))))                   \
    X(plait_list_of, ANY_TIME, use_list())                                                            \
    X(plait_tuple_of, ANY_TIME, have_value(plait_tuple_of(0, NULL)))                                  \
    X(plait_value_ref, ANY_TIME, use_list())                                                          \
    X(plait_value_free, ANY_TIME, plait_value_free(NULL))                                             \
    X(plait_value_copy, ANY_TIME, use_list())                                                         \
    X(plait_value_type, ANY_TIME, use_list())                                                         \
    X(plait_value_type_name, ANY_TIME, use_list())                                                    \
    X(plait_is_none, ANY_TIME, use_scalars())                                                         \
    X(plait_value_len, ANY_TIME, use_list())                                                          \
    X(plait_value_truth, ANY_TIME, use_list())                                                        \
    X(plait_value_equal, ANY_TIME, use_list())                                                        \
    X(plait_value_hash, ANY_TIME, use_dict())                                                         \
    X(plait_repr, ANY_TIME, use_list())                                                               \
    X(plait_str, ANY_TIME, use_list())                                                                \
    X(plait_int_get, ANY_TIME, use_scalars())                                                         \
    X(plait_uint_get, ANY_TIME, use_scalars())                                                        \
    X(plait_int_to_bytes, ANY_TIME, use_scalars())                                                    \
    X(plait_float_get, ANY_TIME, use_scalars())                                                       \
    X(plait_bool_get, ANY_TIME, use_scalars())                                                        \
    X(plait_string_get, ANY_TIME, use_scalars())                                                      \
    X(plait_bytes_get, ANY_TIME, use_scalars())                                                       \
    X(plait_list_get, ANY_TIME, use_list())                                                           \
    X(plait_list_append, ANY_TIME, use_list())                                                        \
    X(plait_list_insert, ANY_TIME, use_list())                                                        \
    X(plait_list_set, ANY_TIME, use_list())                                                           \
    X(plait_list_pop, ANY_TIME, use_list())                                                           \
    X(plait_dict_get, ANY_TIME, use_dict())                                                           \
    X(plait_dict_get_string, ANY_TIME, use_dict())                                                    \
    X(plait_dict_set, ANY_TIME, use_dict())                                                           \
    X(plait_dict_set_string, ANY_TIME, use_dict())                                                    \
    X(plait_dict_pop, ANY_TIME, use_dict())                                                           \
    X(plait_dict_next, ANY_TIME, use_dict())                                                          \
    X(plait_set_add, ANY_TIME, use_dict())                                                            \
    X(plait_set_discard, ANY_TIME, use_dict())                                                        \
    X(plait_set_next, ANY_TIME, use_dict())                                                           \
    X(plait_value_contains, ANY_TIME, use_list())                                                     \
    X(plait_value_clear, ANY_TIME, use_list())                                                        \
    X(plait_global, ANY_TIME, use_builtins())                                                         \
    X(plait_global_name, ANY_TIME, use_builtins())                                                    \
    X(plait_object, ANY_TIME, use_object())                                                           \
    X(plait_object_of_call, ANY_TIME, use_object())                                                   \
    X(plait_object_class, ANY_TIME, use_object())                                                     \
    X(plait_object_arguments, ANY_TIME, use_object())                                                 \
    X(plait_object_state, ANY_TIME, use_object())                                                     \
    X(plait_object_get, ANY_TIME, use_object())                                                       \
    X(plait_object_set, ANY_TIME, use_object())                                                       \
    X(plait_range, ANY_TIME, use_builtins())                                                          \
    X(plait_slice, ANY_TIME, use_builtins())                                                          \
    X(plait_array, ANY_TIME, use_builtins())                                                          \
    X(plait_range_get, ANY_TIME, use_builtins())                                                      \
    X(plait_slice_get, ANY_TIME, use_builtins())                                                      \
    X(plait_array_get, ANY_TIME, use_builtins())                                                      \
    X(plait_class_register, ANY_TIME, use_class())                                                    \
    X(plait_instance, ANY_TIME, use_class())                                                          \
    X(plait_instance_get, ANY_TIME, use_class())                                                      \
    X(plait_object_call, ANY_TIME, use_class())

#endif
