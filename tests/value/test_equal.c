/* Equality and hashes of values: Python's == (numbers are in test_numbers). */
#include "values.h"

#include "value/walk.h"

static void must_be(plait_value *a, plait_value *b, int expected)
{
    uint64_t hash_a, hash_b;
    assert_int_equal(plait_value_equal(a, b), expected);
    assert_int_equal(plait_value_equal(b, a), expected);
    if (expected && plait_value_hash(a, &hash_a) == 0 && plait_value_hash(b, &hash_b) == 0) assert_true(hash_a == hash_b);
    plait_value_free(a);
    plait_value_free(b);
}

static void other_types_are_other_values(void **state)
{
    must_be(plait_none(), plait_none(), 1);
    must_be(plait_none(), plait_int(0), 0);
    must_be(plait_string("a"), plait_bytes("a", 1), 0);
    must_be(plait_bytes("a", 1), plait_bytearray("a", 1), 1);
    must_be(plait_bytes("a", 1), plait_bytearray("b", 1), 0);
    must_be(plait_list(0), plait_tuple(0), 0);
    must_be(plait_set(1, plait_int(1)), plait_frozenset(1, plait_float(1)), 1);
    must_be(plait_set(0), plait_dict(0), 0);
    must_be(plait_string("1"), plait_int(1), 0);
    must_be(plait_global("a.b"), plait_global("a.b"), 1);
    must_be(plait_global("a.b"), plait_string("a.b"), 0);
}

static void item_by_item(void **state)
{
    must_be(plait_list(2, plait_int(1), plait_list(1, plait_float(2))), plait_list(2, plait_float(1), plait_list(1, plait_int(2))),
            1);
    must_be(plait_list(2, plait_int(1), plait_int(2)), plait_list(2, plait_int(2), plait_int(1)), 0);
    must_be(plait_list(1, plait_int(1)), plait_list(2, plait_int(1), plait_int(2)), 0);
    must_be(plait_tuple(1, plait_string("a long string that is in the heap")),
            plait_tuple(1, plait_string("a long string that is in the heap")), 1);
    must_be(plait_tuple(1, plait_bool(1)), plait_tuple(1, plait_float(1)), 1);
}

static void in_any_order(void **state)
{
    must_be(plait_dict(2, plait_int(1), plait_string("a"), plait_int(2), plait_string("b")),
            plait_dict(2, plait_float(2), plait_string("b"), plait_bool(1), plait_string("a")), 1);
    must_be(plait_dict(1, plait_int(1), plait_string("a")), plait_dict(1, plait_int(1), plait_string("b")), 0);
    must_be(plait_dict(1, plait_int(1), plait_string("a")), plait_dict(1, plait_int(2), plait_string("a")), 0);
    must_be(plait_set(2, plait_int(1), plait_int(2)), plait_set(2, plait_int(2), plait_int(1)), 1);
    must_be(plait_frozenset(2, plait_frozenset(2, plait_int(1), plait_int(2)), plait_int(3)),
            plait_frozenset(2, plait_int(3), plait_frozenset(2, plait_int(2), plait_int(1))), 1);
    must_be(plait_set(1, plait_int(1)), plait_set(2, plait_int(1), plait_int(2)), 0);
}

static plait_value *task(const char *class_name, int number)
{
    return plait_object(class_name, plait_dict(1, plait_string("a"), plait_int(number)));
}

/* What dataclasses do; of plain objects Python would say: only one and the same. */
static void objects_by_how_they_were_made(void **state)
{
    must_be(task("__main__.Task", 1), task("__main__.Task", 1), 1);
    must_be(task("__main__.Task", 1), task("__main__.Task", 2), 0);
    must_be(task("__main__.Task", 1), task("__main__.Other", 1), 0);
    must_be(task("__main__.Task", 1), plait_object("__main__.Task", plait_none()), 0);
    must_be(plait_object_of_call("a.B", plait_tuple(1, plait_int(1))), plait_object_of_call("a.B", plait_tuple(1, plait_float(1))),
            1);
    must_be(plait_object_of_call("a.B", plait_tuple(1, plait_list(0))), plait_object_of_call("a.B", plait_tuple(1, plait_list(0))),
            1);
    must_be(plait_object_of_call("a.B", plait_tuple(0)), plait_object("a.B", plait_none()), 0);
}

static void as_keys(void **state)
{
    plait_value *dict = plait_dict(0);
    for (int i = 0; i < 20000; i++) assert_int_equal(plait_dict_set(dict, task("__main__.Task", i), plait_int(i)), 0);
    assert_int_equal(plait_value_len(dict), 20000);
    plait_value *key = task("__main__.Task", 777);
    assert_string_equal(plait_repr(plait_dict_get(dict, key)), "777");
    plait_value_free(key);
    plait_value_free(dict);
}

/* A tuple keeps its hash, but not if something in it can change. */
static void a_changed_object_has_another_hash(void **state)
{
    plait_value *object = task("__main__.Task", 1), *tuple = plait_tuple(1, plait_value_ref(object));
    uint64_t before, after;
    assert_int_equal(plait_value_hash(tuple, &before), 0);
    assert_int_equal(plait_object_set(object, "a", plait_int(2)), 0);
    assert_int_equal(plait_value_hash(tuple, &after), 0);
    assert_true(before != after);
    plait_value *other = plait_tuple(1, task("__main__.Task", 2));
    assert_int_equal(plait_value_hash(other, &before), 0);
    assert_true(before == after);
    plait_value_free(other);
    plait_value_free(tuple);
    plait_value_free(object);
}

static void too_deep_and_too_much_are_errors(void **state)
{
    plait_value *a = nested(1000), *b = nested(1000);
    assert_int_equal(plait_value_equal(a, b), -EOVERFLOW);
    plait_value_free(a);
    plait_value_free(b);
    a = braided(60);
    b = braided(60);
    assert_int_equal(plait_value_equal(a, b), -EOVERFLOW);
    plait_value_free(a);
    plait_value_free(b);
    a = nested(400);
    b = nested(400);
    assert_int_equal(plait_value_equal(a, b), 1);
    plait_value_free(a);
    plait_value_free(b);
}

/* So much of the limit is left: of it items and bytes take their part. */
static struct plait__work work_left(unsigned visits)
{
    return (struct plait__work){ .visits = PLAIT__VISITS - visits };
}

static plait_value *list_of(int n, size_t bytes)
{
    static const char text[4096];
    plait_value *list = plait_list(0);
    for (int i = 0; i < n; i++)
        assert_int_equal(plait_list_append(list, bytes ? plait_bytes(text, bytes) : plait_int(1000 + i)), 0);
    return list;
}

static void leaves_count_too(void **state)
{
    const size_t bytes[] = { 0, 4096 };
    for (int i = 0; i < 2; i++) {
        plait_value *a = list_of(1000, bytes[i]), *b = list_of(1000, bytes[i]), *object;
        struct plait__work work = work_left(100), enough = work_left(20000);
        assert_int_equal(plait__equal(a, b, &work), -EOVERFLOW);
        assert_non_null(strstr(plait_error_detail(), "parts"));
        assert_int_equal(plait__equal(a, b, &enough), 1);
        uint64_t hash;
        object = plait_object("a.B", a);
        work = work_left(100);
        enough = work_left(80000);
        assert_int_equal(plait__key_hash(object, &hash, &work), -EOVERFLOW);
        assert_int_equal(plait__key_hash(object, &hash, &enough), 0);
        plait_value_free(object);
        plait_value_free(b);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(other_types_are_other_values),
    cmocka_unit_test(item_by_item),
    cmocka_unit_test(in_any_order),
    cmocka_unit_test(objects_by_how_they_were_made),
    cmocka_unit_test(as_keys),
    cmocka_unit_test(a_changed_object_has_another_hash),
    cmocka_unit_test(too_deep_and_too_much_are_errors),
    cmocka_unit_test(leaves_count_too),
};
TEST_MAIN(tests)
