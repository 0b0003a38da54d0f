/* Shared arrays in one process: indexes, slices by Python's rules, texts, printing, mistakes. */
#include "harness.h"

#include <string.h>

#include <plait.h>

#define NONE PLAIT_SLICE_NONE

static plait_shared_array *new_range(int length)
{
    plait_shared_array *array = plait_shared_array_new('i', (size_t)length, NULL, NULL);
    assert_non_null(array);
    for (int i = 0; i < length; i++) assert_int_equal(plait_shared_array_set_int(array, i, i, PLAIT_NOW), 0);
    return array;
}

static void free_array(plait_shared_array *array)
{
    assert_int_equal(plait_shared_array_free(array), 0);
}

static void must_print(const plait_shared_array *array, const char *expected)
{
    char text[200];
    assert_int_equal(plait_shared_array_repr(array, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

/* ---- items ---- */

static void indexes_from_both_ends(void **state)
{
    plait_shared_array *array = new_range(5);
    int64_t number;
    for (ptrdiff_t i = -5; i < 5; i++) {
        assert_int_equal(plait_shared_array_get_int(array, i, &number, PLAIT_NOW), 0);
        assert_int_equal(number, i < 0 ? i + 5 : i);
    }
    assert_int_equal(plait_shared_array_set_int(array, -1, 40, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_add_int(array, -2, -10, &number, PLAIT_NOW), 0);
    assert_int_equal(number, -7);
    must_print(array, "[0, 1, 2, -7, 40]");
    free_array(array);
}

static void indexes_out_of_range(void **state)
{
    plait_shared_array *array = new_range(5), *empty = new_range(0);
    static const ptrdiff_t wrong[] = { 5, -6, 100, PTRDIFF_MAX, PTRDIFF_MIN };
    int64_t number;
    int item;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(plait_shared_array_get_int(array, wrong[i], &number, PLAIT_NOW), -EINVAL);
        assert_non_null(strstr(plait_error_detail(), "index out of range"));
        assert_int_equal(plait_shared_array_set_int(array, wrong[i], 1, PLAIT_NOW), -EINVAL);
        assert_int_equal(plait_shared_array_add_int(array, wrong[i], 1, NULL, PLAIT_NOW), -EINVAL);
        assert_int_equal(plait_shared_array_get(array, wrong[i], &item, sizeof item, PLAIT_NOW), -EINVAL);
        assert_int_equal(plait_shared_array_set(array, wrong[i], &item, sizeof item, PLAIT_NOW), -EINVAL);
    }
    assert_int_equal(plait_shared_array_get_int(empty, 0, &number, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_int(empty, -1, &number, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_len(empty), 0);
    must_print(empty, "[]");
    free_array(array);
    free_array(empty);
}

static void numbers_of_all_kinds(void **state)
{
    plait_shared_array *reals = plait_shared_array_new('d', 3, (double[]){ 0.5, 1e16, -0.0 }, NULL);
    plait_shared_array *large = plait_shared_array_new('Q', 2, NULL, NULL);
    uint64_t natural;
    double real;
    must_print(reals, "[0.5, 1e+16, -0.0]");
    assert_int_equal(plait_shared_array_set_double(reals, 1, 2.25, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_add_double(reals, 1, 0.5, &real, PLAIT_NOW), 0);
    assert_true(real == 2.75);
    assert_int_equal(plait_shared_array_get_double(reals, 1, &real, PLAIT_NOW), 0);
    assert_true(real == 2.75);
    assert_int_equal(plait_shared_array_set_uint(large, 1, UINT64_MAX, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_get_uint(large, 1, &natural, PLAIT_NOW), 0);
    assert_true(natural == UINT64_MAX);
    assert_int_equal(plait_shared_array_set_int(large, 1, -1, PLAIT_NOW), -ERANGE);
    must_print(large, "[0, 18446744073709551615]");
    assert_int_equal(plait_shared_array_type(large), 'Q');
    assert_int_equal(plait_shared_array_item_size(large), 8);
    free_array(reals);
    free_array(large);
}

static void arrays_of_structs(void **state)
{
    struct point { char x, y, z; } points[3] = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }, point, back[3];
    plait_shared_array *array = plait_shared_array_new_struct(sizeof point, 3, points, NULL);
    assert_int_equal(plait_shared_array_type(array), 0);
    assert_int_equal(plait_shared_array_item_size(array), 3);
    assert_int_equal(plait_shared_array_get(array, 1, &point, sizeof point, PLAIT_NOW), 0);
    assert_int_equal(point.y, 5);
    point.y = 'A';
    assert_int_equal(plait_shared_array_set(array, 1, &point, sizeof point, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_get_slice(array, NONE, NONE, -1, back, 3, PLAIT_NOW), 0);
    assert_true(back[0].x == 7 && back[1].y == 'A' && back[2].z == 3);
    assert_int_equal(plait_shared_array_set_int(array, 0, 1, PLAIT_NOW), -EINVAL);
    must_print(array, "[b'\\x01\\x02\\x03', b'\\x04A\\x06', b'\\x07\\x08\\t']");
    free_array(array);
}

/* ---- slices ---- */

/* What CPython 3.11 says of list(range(7))[start:stop:step]. */
static const struct {
    ptrdiff_t start, stop, step;
    const char *items;
} slices[] = {
    { NONE, NONE, NONE, "0123456" }, { NONE, NONE, 1, "0123456" }, { 0, 7, 1, "0123456" }, { 2, 5, 1, "234" },
    { -3, NONE, 1, "456" }, { NONE, -2, 1, "01234" }, { -100, 100, 1, "0123456" }, { 5, 2, 1, "" }, { 7, 9, 1, "" },
    { 3, 3, 1, "" }, { 0, 7, 2, "0246" }, { 1, 7, 2, "135" }, { 1, 6, 3, "14" }, { 0, 1, 100, "0" },
    { NONE, NONE, -1, "6543210" }, { NONE, NONE, -2, "6420" }, { 5, 1, -2, "53" }, { 100, NONE, -3, "630" },
    { -1, -8, -1, "6543210" }, { -1, -100, -1, "6543210" }, { 2, NONE, -1, "210" }, { 1, 5, -1, "" }, { -100, NONE, -1, "" },
    { NONE, 3, -1, "654" }, { NONE, 0, -1, "654321" }, { 0, NONE, PTRDIFF_MAX, "0" }, { NONE, NONE, PTRDIFF_MIN + 1, "6" },
    { PTRDIFF_MAX, PTRDIFF_MIN + 1, -1, "6543210" }, { PTRDIFF_MIN + 1, PTRDIFF_MAX, 1, "0123456" },
};
enum { SLICES = sizeof slices / sizeof slices[0] };

static void check_slice(plait_shared_array *array, int s)
{
    const ptrdiff_t start = slices[s].start, stop = slices[s].stop, step = slices[s].step;
    const size_t count = strlen(slices[s].items);
    int items[8], all[7];
    assert_int_equal(plait_shared_array_slice_len(array, start, stop, step), count);
    assert_int_equal(plait_shared_array_get_slice(array, start, stop, step, items, count, PLAIT_NOW), 0);
    for (size_t i = 0; i < count; i++) assert_int_equal(items[i], slices[s].items[i] - '0');
    for (size_t i = 0; i < count; i++) items[i] = 100 + (int)i;
    assert_int_equal(plait_shared_array_set_slice(array, start, stop, step, items, count, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_get_slice(array, NONE, NONE, 1, all, 7, PLAIT_NOW), 0);
    for (int i = 0; i < 7; i++) {
        const char *place = strchr(slices[s].items, '0' + i);
        assert_int_equal(all[i], place ? 100 + (place - slices[s].items) : i);
    }
}

static void slices_by_pythons_rules(void **state)
{
    for (int s = 0; s < SLICES; s++) {
        plait_shared_array *array = new_range(7);
        check_slice(array, s);
        free_array(array);
    }
}

static void slices_of_another_length(void **state)
{
    plait_shared_array *array = new_range(7);
    int items[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
    for (size_t count = 0; count < 8; count++) {
        if (count == 3) continue;
        assert_int_equal(plait_shared_array_set_slice(array, 0, 3, 1, items, count, PLAIT_NOW), -EINVAL);
        assert_int_equal(plait_shared_array_get_slice(array, 0, 3, 1, items, count, PLAIT_NOW), -EINVAL);
        assert_non_null(strstr(plait_error_detail(), "the slice has 3 items"));
    }
    assert_int_equal(plait_shared_array_get_slice(array, 0, 3, 1, NULL, 3, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_slice(array, 3, 3, 1, NULL, 0, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_get_slice(array, 0, 3, 0, items, 3, PLAIT_NOW), -EINVAL);
    assert_non_null(strstr(plait_error_detail(), "slice step cannot be zero"));
    assert_int_equal(plait_shared_array_slice_len(array, 0, 3, 0), -EINVAL);
    must_print(array, "[0, 1, 2, 3, 4, 5, 6]");
    free_array(array);
}

static void slices_of_none(void **state)
{
    plait_shared_array *empty = new_range(0);
    for (int s = 0; s < SLICES; s++) {
        assert_int_equal(plait_shared_array_slice_len(empty, slices[s].start, slices[s].stop, slices[s].step), 0);
        assert_int_equal(plait_shared_array_get_slice(empty, slices[s].start, slices[s].stop, slices[s].step, NULL, 0, PLAIT_NOW),
                         0);
    }
    free_array(empty);
}

/* ---- texts ---- */

static void must_have(plait_shared_array *array, const char *value, const char *raw, size_t size)
{
    char text[16] = "---------------", bytes[16];
    size_t length = 99;
    assert_int_equal(plait_shared_array_get_value(array, text, sizeof text, &length, PLAIT_NOW), 0);
    assert_string_equal(text, value);
    assert_int_equal(length, strlen(value));
    assert_int_equal(plait_shared_array_get_raw(array, bytes, size, PLAIT_NOW), 0);
    assert_memory_equal(bytes, raw, size);
}

/* As CPython's: a = Array('c', b'hello'); a.value = b'hi' leaves b'hi\0lo'. */
static void value_and_raw(void **state)
{
    plait_shared_array *array = plait_shared_array_new('c', 5, "hello", NULL);
    must_have(array, "hello", "hello", 5);
    assert_int_equal(plait_shared_array_set_value(array, "hi", 2, PLAIT_NOW), 0);
    must_have(array, "hi", "hi\0lo", 5);
    must_print(array, "b'hi\\x00lo'");
    assert_int_equal(plait_shared_array_set_value(array, "world", 5, PLAIT_NOW), 0);
    must_have(array, "world", "world", 5);
    assert_int_equal(plait_shared_array_set_raw(array, "ab", 2, PLAIT_NOW), 0);
    must_have(array, "abrld", "abrld", 5);
    assert_int_equal(plait_shared_array_set_value(array, "", 0, PLAIT_NOW), 0);
    must_have(array, "", "\0brld", 5);
    free_array(array);
}

static void texts_that_do_not_fit(void **state)
{
    plait_shared_array *array = plait_shared_array_new('c', 5, "hello", NULL), *numbers = new_range(5);
    char text[8] = "";
    assert_int_equal(plait_shared_array_set_value(array, "longer", 6, PLAIT_NOW), -EMSGSIZE);
    assert_non_null(strstr(plait_error_detail(), "byte string too long"));
    assert_int_equal(plait_shared_array_set_raw(array, "longer", 6, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_shared_array_get_value(array, text, 5, NULL, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_shared_array_get_value(array, text, 6, NULL, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_get_raw(array, text, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_value(array, NULL, 8, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_value(array, NULL, 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_value(numbers, text, 8, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_value(numbers, "x", 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_raw(numbers, text, 8, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_raw(numbers, "x", 1, PLAIT_NOW), -EINVAL);
    must_have(array, "hello", "hello", 5);
    free_array(array);
    free_array(numbers);
}

static void wide_texts(void **state)
{
    plait_shared_array *array = plait_shared_array_new('u', 3, L"h\xe9'", NULL);
    must_print(array, "\"h\xc3\xa9'\"");
    free_array(array);
}

/* ---- locks and mistakes ---- */

static void its_lock(void **state)
{
    plait_shared_array *array = new_range(3), *raw = plait_shared_array_new('i', 3, NULL, &(plait_shared_options){ .no_lock = 1 });
    assert_int_equal(plait_shared_array_acquire(array, PLAIT_NOW), 0);
    assert_int_equal(plait_rlock_depth(plait_shared_array_get_lock(array)), 1);
    assert_int_equal(plait_shared_array_set_int(array, 0, 5, PLAIT_NOW), 0);
    assert_int_equal(plait_shared_array_release(array), 0);
    assert_int_equal(plait_shared_array_release(array), PLAIT_EUNLOCKED);
    assert_int_equal(plait_shared_array_acquire(raw, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_release(raw), -EINVAL);
    assert_null(plait_shared_array_get_lock(raw));
    ((int *)plait_shared_array_get_obj(raw))[2] = 7;
    must_print(raw, "[0, 0, 7]");
    free_array(array);
    free_array(raw);
}

static void check_is_none(plait_shared_array *array)
{
    char bytes[8] = "";
    assert_int_equal(plait_shared_array_len(array), -EINVAL);
    assert_int_equal(plait_shared_array_type(array), -EINVAL);
    assert_int_equal(plait_shared_array_item_size(array), 0);
    assert_int_equal(plait_shared_array_get_int(array, 0, &(int64_t){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_uint(array, 0, &(uint64_t){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_double(array, 0, &(double){ 0 }, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_int(array, 0, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_uint(array, 0, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_double(array, 0, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_add_int(array, 0, 1, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_add_double(array, 0, 1, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get(array, 0, bytes, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set(array, 0, bytes, 4, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_slice_len(array, 0, 0, 1), -EINVAL);
    assert_int_equal(plait_shared_array_get_slice(array, 0, 0, 1, bytes, 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_slice(array, 0, 0, 1, bytes, 0, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_value(array, bytes, 8, NULL, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_value(array, bytes, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_get_raw(array, bytes, 8, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_set_raw(array, bytes, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_acquire(array, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_shared_array_release(array), -EINVAL);
    assert_null(plait_shared_array_get_lock(array));
    assert_null(plait_shared_array_get_obj(array));
    assert_int_equal(plait_shared_array_repr(array, bytes, sizeof bytes), -EINVAL);
}

static void what_is_no_array(void **state)
{
    plait_shared_array *freed = new_range(3);
    plait_shared_value *value = plait_shared_value_new('i', NULL, NULL);
    assert_int_equal(plait_shared_array_free(NULL), 0);
    check_is_none(NULL);
    free_array(freed);
    assert_int_equal(plait_shared_array_free(freed), -EINVAL);
    check_is_none(freed);
    check_is_none((plait_shared_array *)(void *)value);
    assert_int_equal(plait_shared_value_free(value), 0);
}

static void what_can_not_be_made(void **state)
{
    assert_null(plait_shared_array_new('z', 3, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_shared_array_new(0, 3, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_shared_array_new_struct(0, 3, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_shared_array_new('d', SIZE_MAX / 8 + 2, NULL, NULL));        /* 8 bytes, modulo 2^64 */
    assert_int_equal(errno, ENOMEM);
    assert_null(plait_shared_array_new('c', (size_t)-1, NULL, NULL));              /* a length of -1 */
    assert_int_equal(errno, ENOMEM);
    assert_null(plait_shared_array_new('d', (size_t)1 << 50, NULL, NULL));
    assert_int_equal(errno, ENOMEM);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(indexes_from_both_ends),
    cmocka_unit_test(indexes_out_of_range),
    cmocka_unit_test(numbers_of_all_kinds),
    cmocka_unit_test(arrays_of_structs),
    cmocka_unit_test(slices_by_pythons_rules),
    cmocka_unit_test(slices_of_another_length),
    cmocka_unit_test(slices_of_none),
    cmocka_unit_test(value_and_raw),
    cmocka_unit_test(texts_that_do_not_fit),
    cmocka_unit_test(wide_texts),
    cmocka_unit_test(its_lock),
    cmocka_unit_test(what_is_no_array),
    cmocka_unit_test(what_can_not_be_made),
};
TEST_MAIN(tests)
