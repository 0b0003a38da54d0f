/* contract_shared.h - the rows of test_contract for shared values, arrays, named memory and lists. */
#ifndef PLAIT_TEST_CONTRACT_SHARED_H
#define PLAIT_TEST_CONTRACT_SHARED_H

#include "harness.h"

#include <plait.h>

/* Each call has its own object: they are cheap. */
static char value_text[64];

static void use_value(int type)
{
    plait_shared_value *value = plait_shared_value_new(type, NULL, NULL);
    uint64_t natural;
    double real;
    CHECK(value && plait_shared_value_set_int(value, 3, PLAIT_NOW) == 0 && plait_shared_value_set_uint(value, 4, PLAIT_NOW) == 0);
    CHECK(plait_shared_value_set_double(value, 5, PLAIT_NOW) == (type == 'd' ? 0 : -EINVAL));
    CHECK(plait_shared_value_add_int(value, 1, NULL, PLAIT_NOW) == 0);
    CHECK(plait_shared_value_add_double(value, 1, NULL, PLAIT_NOW) == (type == 'd' ? 0 : -EINVAL));
    CHECK(plait_shared_value_get_int(value, &(int64_t){ 0 }, PLAIT_NOW) == (type == 'd' ? -EINVAL : 0));
    CHECK(plait_shared_value_get_uint(value, &natural, PLAIT_NOW) == (type == 'd' ? -EINVAL : 0));
    CHECK(plait_shared_value_get_double(value, &real, PLAIT_NOW) == 0 && real == (type == 'd' ? 7 : 5));
    CHECK(plait_shared_value_free(value) == 0);
}

static void use_struct_value(void)
{
    char bytes[24] = "";
    plait_shared_value *value = plait_shared_value_new_struct(sizeof bytes, bytes, NULL);
    CHECK(value && plait_shared_value_type(value) == 0 && plait_shared_value_size(value) == sizeof bytes);
    CHECK(plait_shared_value_acquire(value, PLAIT_NOW) == 0 && plait_shared_value_get_lock(value) &&
          plait_shared_value_get_obj(value));
    CHECK(plait_shared_value_set(value, bytes, sizeof bytes, PLAIT_NOW) == 0);
    CHECK(plait_shared_value_get(value, bytes, sizeof bytes, PLAIT_NOW) == 0 && plait_shared_value_release(value) == 0);
    CHECK(plait_shared_value_repr(value, value_text, sizeof value_text) == 24 * 4 + 3 && plait_shared_value_free(value) == 0);
}

static void use_array(void)
{
    plait_shared_array *array = plait_shared_array_new('d', 5, NULL, NULL);
    double items[3] = { 1, 2, 3 };
    CHECK(array && plait_shared_array_len(array) == 5 && plait_shared_array_type(array) == 'd' &&
          plait_shared_array_item_size(array) == 8);
    CHECK(plait_shared_array_set_int(array, 0, 1, PLAIT_NOW) == 0 && plait_shared_array_set_uint(array, 1, 1, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_set_double(array, 2, 1, PLAIT_NOW) == 0 && plait_shared_array_set(array, 3, items, 8, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_add_int(array, 4, 1, NULL, PLAIT_NOW) == 0 &&
          plait_shared_array_add_double(array, 4, 1, NULL, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_get_int(array, 0, &(int64_t){ 0 }, PLAIT_NOW) == -EINVAL);
    CHECK(plait_shared_array_get_uint(array, 0, &(uint64_t){ 0 }, PLAIT_NOW) == -EINVAL);
    CHECK(plait_shared_array_get_double(array, 0, items, PLAIT_NOW) == 0 &&
          plait_shared_array_get(array, 0, items, 8, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_slice_len(array, 0, 5, 2) == 3 &&
          plait_shared_array_set_slice(array, 0, 5, 2, items, 3, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_get_slice(array, 0, 5, 2, items, 3, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_acquire(array, PLAIT_NOW) == 0 && plait_shared_array_release(array) == 0);
    CHECK(plait_shared_array_get_lock(array) && plait_shared_array_get_obj(array));
    CHECK(plait_shared_array_repr(array, value_text, sizeof value_text) == 25 && plait_shared_array_free(array) == 0);
}

static void use_text(void)
{
    plait_shared_array *array = plait_shared_array_new('c', 8, (const char[8]){ "hello" }, NULL);
    char bytes[9];
    CHECK(array && plait_shared_array_set_value(array, "hi", 2, PLAIT_NOW) == 0 &&
          plait_shared_array_set_raw(array, "H", 1, PLAIT_NOW) == 0);
    CHECK(plait_shared_array_get_value(array, bytes, 9, NULL, PLAIT_NOW) == 0 && strcmp(bytes, "Hi") == 0);
    CHECK(plait_shared_array_get_raw(array, bytes, 8, PLAIT_NOW) == 0 && plait_shared_array_free(array) == 0);
}

static void use_struct_array(void)
{
    plait_shared_array *array = plait_shared_array_new_struct(24, 1000, NULL, NULL);
    CHECK(array && plait_shared_array_free(array) == 0);
}

static void use_memory(void)
{
    plait_shared_memory *memory = plait_shared_memory_create(NULL, 100);
    CHECK(memory && plait_shared_memory_size(memory) == 100 && plait_shared_memory_data(memory));
    plait_shared_memory *other = plait_shared_memory_attach(plait_shared_memory_name(memory));
    CHECK(other && plait_shared_memory_close(other) == 0 && plait_shared_memory_free(other) == 0);
    CHECK(plait_shared_memory_unlink(memory) == 0 && plait_shared_memory_free(memory) == 0);
}

static void use_shareable_list(void)
{
    const plait_list_item items[] = { plait_item_int(1), plait_item_str("two") };
    plait_list_item item;
    plait_shareable_list *list = plait_shareable_list_create(NULL, items, 2);
    plait_shareable_list *other = plait_shareable_list_attach(plait_shared_memory_name(plait_shareable_list_shm(list)));
    CHECK(list && other && plait_shareable_list_len(other) == 2 && plait_shareable_list_set(other, 0, plait_item_none()) == 0);
    CHECK(plait_shareable_list_get(list, 0, &item, NULL, 0) == 0 && plait_shareable_list_index(list, items[1]) == 1);
    CHECK(plait_shareable_list_count(list, items[0]) == 0 &&
          plait_shareable_list_format(list, value_text, sizeof value_text) == 10);
    CHECK(plait_shareable_list_repr(list, value_text, sizeof value_text) > 30 && plait_shareable_list_free(other) == 0);
    CHECK(plait_shared_memory_unlink(plait_shareable_list_shm(list)) == 0 && plait_shareable_list_free(list) == 0);
}

#define SHARED_FUNCTIONS(X)                                                                            \
    X(plait_shared_value_new, ANY_TIME, use_value('i'))                                               \
    X(plait_shared_value_new_struct, ANY_TIME, use_struct_value())                                    \
    X(plait_shared_value_free, ANY_TIME, use_value('i'))                                              \
    X(plait_shared_value_get_int, ANY_TIME, use_value('i'))                                           \
    X(plait_shared_value_get_uint, ANY_TIME, use_value('i'))                                          \
    X(plait_shared_value_get_double, ANY_TIME, use_value('d'))                                        \
    X(plait_shared_value_set_int, ANY_TIME, use_value('i'))                                           \
    X(plait_shared_value_set_uint, ANY_TIME, use_value('i'))                                          \
    X(plait_shared_value_set_double, ANY_TIME, use_value('d'))                                        \
    X(plait_shared_value_add_int, ANY_TIME, use_value('i'))                                           \
    X(plait_shared_value_add_double, ANY_TIME, use_value('d'))                                        \
    X(plait_shared_value_get, ANY_TIME, use_struct_value())                                           \
    X(plait_shared_value_set, ANY_TIME, use_struct_value())                                           \
    X(plait_shared_value_acquire, ANY_TIME, use_struct_value())                                       \
    X(plait_shared_value_release, ANY_TIME, use_struct_value())                                       \
    X(plait_shared_value_get_lock, ANY_TIME, use_struct_value())                                      \
    X(plait_shared_value_get_obj, ANY_TIME, use_struct_value())                                       \
    X(plait_shared_value_type, ANY_TIME, use_struct_value())                                          \
    X(plait_shared_value_size, ANY_TIME, use_struct_value())                                          \
    X(plait_shared_value_repr, ANY_TIME, use_struct_value())                                          \
    X(plait_shared_array_new, ANY_TIME, use_array())                                                  \
    X(plait_shared_array_new_struct, ANY_TIME, use_struct_array())                                    \
    X(plait_shared_array_free, ANY_TIME, use_array())                                                 \
    X(plait_shared_array_len, ANY_TIME, use_array())                                                  \
    X(plait_shared_array_type, ANY_TIME, use_array())                                                 \
    X(plait_shared_array_item_size, ANY_TIME, use_array())                                            \
    X(plait_shared_array_get_int, ANY_TIME, use_array())                                              \
    X(plait_shared_array_get_uint, ANY_TIME, use_array())                                             \
    X(plait_shared_array_get_double, ANY_TIME, use_array())                                           \
    X(plait_shared_array_set_int, ANY_TIME, use_array())                                              \
    X(plait_shared_array_set_uint, ANY_TIME, use_array())                                             \
    X(plait_shared_array_set_double, ANY_TIME, use_array())                                           \
    X(plait_shared_array_add_int, ANY_TIME, use_array())                                              \
    X(plait_shared_array_add_double, ANY_TIME, use_array())                                           \
    X(plait_shared_array_get, ANY_TIME, use_array())                                                  \
    X(plait_shared_array_set, ANY_TIME, use_array())                                                  \
    X(plait_shared_array_slice_len, ANY_TIME, use_array())                                            \
    X(plait_shared_array_get_slice, ANY_TIME, use_array())                                            \
    X(plait_shared_array_set_slice, ANY_TIME, use_array())                                            \
    X(plait_shared_array_get_value, ANY_TIME, use_text())                                             \
    X(plait_shared_array_set_value, ANY_TIME, use_text())                                             \
    X(plait_shared_array_get_raw, ANY_TIME, use_text())                                               \
    X(plait_shared_array_set_raw, ANY_TIME, use_text())                                               \
    X(plait_shared_array_acquire, ANY_TIME, use_array())                                              \
    X(plait_shared_array_release, ANY_TIME, use_array())                                              \
    X(plait_shared_array_get_lock, ANY_TIME, use_array())                                             \
    X(plait_shared_array_get_obj, ANY_TIME, use_array())                                              \
    X(plait_shared_array_repr, ANY_TIME, use_array())                                                 \
    X(plait_shared_memory_create, ANY_TIME, use_memory())                                             \
    X(plait_shared_memory_attach, ANY_TIME, use_memory())                                             \
    X(plait_shared_memory_close, ANY_TIME, use_memory())                                              \
    X(plait_shared_memory_free, ANY_TIME, use_memory())                                               \
    X(plait_shared_memory_unlink, ANY_TIME, use_memory())                                             \
    X(plait_shared_memory_data, ANY_TIME, use_memory())                                               \
    X(plait_shared_memory_size, ANY_TIME, use_memory())                                               \
    X(plait_shared_memory_name, ANY_TIME, use_memory())                                               \
    X(plait_shareable_list_create, ANY_TIME, use_shareable_list())                                    \
    X(plait_shareable_list_attach, ANY_TIME, use_shareable_list())                                    \
    X(plait_shareable_list_free, ANY_TIME, use_shareable_list())                                      \
    X(plait_shareable_list_shm, ANY_TIME, use_shareable_list())                                       \
    X(plait_shareable_list_len, ANY_TIME, use_shareable_list())                                       \
    X(plait_shareable_list_get, ANY_TIME, use_shareable_list())                                       \
    X(plait_shareable_list_set, ANY_TIME, use_shareable_list())                                       \
    X(plait_shareable_list_count, ANY_TIME, use_shareable_list())                                     \
    X(plait_shareable_list_index, ANY_TIME, use_shareable_list())                                     \
    X(plait_shareable_list_format, ANY_TIME, use_shareable_list())                                    \
    X(plait_shareable_list_repr, ANY_TIME, use_shareable_list())

#endif
