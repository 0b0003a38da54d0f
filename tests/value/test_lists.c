/* Lists and tuples: Python's indices, whose the items are, and no list in itself. */
#include "values.h"

#include "value/value.h"

static void items_by_number_from_both_ends(void **state)
{
    plait_value *list = plait_list(3, plait_int(10), plait_int(20), plait_int(30)), *tuple = plait_tuple(1, plait_int(5));
    assert_string_equal(plait_repr(plait_list_get(list, 0)), "10");
    assert_string_equal(plait_repr(plait_list_get(list, 2)), "30");
    assert_string_equal(plait_repr(plait_list_get(list, -1)), "30");
    assert_string_equal(plait_repr(plait_list_get(list, -3)), "10");
    assert_string_equal(plait_repr(plait_list_get(tuple, -1)), "5");
    assert_fails(plait_list_get(list, 3), ERANGE);
    assert_fails(plait_list_get(list, -4), ERANGE);
    assert_fails(plait_list_get(tuple, 1), ERANGE);
    assert_fails(plait_list_get(plait_none(), 0), EINVAL);
    assert_fails(plait_list_get(NULL, 0), EINVAL);
    plait_value_free(list);
    plait_value_free(tuple);
}

static void items_are_put_anywhere(void **state)
{
    plait_value *list = plait_list(0);
    for (int i = 0; i < 3; i++) assert_int_equal(plait_list_append(list, plait_int(i)), 0);
    assert_int_equal(plait_list_insert(list, 0, plait_string("first")), 0);
    assert_int_equal(plait_list_insert(list, -1, plait_string("before the last")), 0);
    assert_int_equal(plait_list_insert(list, 99, plait_string("last")), 0);
    assert_int_equal(plait_list_insert(list, -99, plait_string("before all")), 0);
    assert_string_equal(plait_repr(list), "['before all', 'first', 0, 1, 'before the last', 2, 'last']");
    assert_int_equal(plait_list_set(list, 0, plait_none()), 0);
    assert_int_equal(plait_list_set(list, -1, plait_none()), 0);
    assert_int_equal(plait_list_set(list, 7, plait_none()), -ERANGE);
    assert_string_equal(plait_repr(list), "[None, 'first', 0, 1, 'before the last', 2, None]");
    must_print(plait_list_pop(list, 1), "'first'");
    must_print(plait_list_pop(list, -1), "None");
    assert_string_equal(plait_repr(list), "[None, 0, 1, 'before the last', 2]");
    assert_fails(plait_list_pop(list, 5), ERANGE);
    for (int i = 0; i < 5; i++) plait_value_free(plait_list_pop(list, 0));
    assert_fails(plait_list_pop(list, 0), ERANGE);
    plait_value_free(list);
}

static void a_list_grows_and_shrinks(void **state)
{
    plait_value *list = plait_list(0);
    for (int i = 0; i < 10000; i++) assert_int_equal(plait_list_append(list, plait_int(i)), 0);
    assert_int_equal(plait_value_len(list), 10000);
    for (int i = 9999; i >= 0; i--) {
        int64_t number;
        plait_value *item = plait_list_pop(list, -1);
        assert_int_equal(plait_int_get(item, &number), 0);
        assert_int_equal(number, i);
        plait_value_free(item);
    }
    plait_value_free(list);
}

static void what_cannot_be_put_is_freed(void **state)
{
    plait_value *kept = plait_string("kept"), *list = plait_list(0), *tuple = plait_tuple(0);
    assert_int_equal(plait_list_append(tuple, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_list_append(NULL, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_list_insert(tuple, 0, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_list_set(tuple, 0, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_list_set(list, 0, plait_value_ref(kept)), -ERANGE);
    errno = 0;
    assert_int_equal(plait_list_append(list, NULL), -EINVAL);
    assert_int_equal(plait_list_insert(list, 0, NULL), -EINVAL);
    assert_int_equal(plait_list_set(list, 0, NULL), -EINVAL);
    assert_fails(plait_list_pop(tuple, 0), EINVAL);
    assert_refs(kept, 1);
    assert_int_equal(plait_value_len(list), 0);
    plait_value_free(kept);
    plait_value_free(list);
    plait_value_free(tuple);
}

static void no_list_holds_itself(void **state)
{
    plait_value *list = plait_list(0);
    assert_int_equal(plait_list_append(list, plait_value_ref(list)), -ELOOP);
    assert_int_equal(plait_list_insert(list, 0, plait_value_ref(list)), -ELOOP);
    assert_int_equal(plait_list_append(list, plait_tuple(1, plait_dict(1, plait_int(1), plait_value_ref(list)))), -ELOOP);
    assert_refs(list, 1);
    assert_int_equal(plait_list_append(list, plait_int(1)), 0);
    assert_int_equal(plait_list_set(list, 0, plait_list(1, plait_value_ref(list))), -ELOOP);
    assert_string_equal(plait_repr(list), "[1]");
    plait_value_free(list);
}

/* The outer one is given away, and is in nobody's hands but the inner one's: it would never be freed. */
static void not_by_way_of_an_item_that_is_borrowed(void **state)
{
    plait_value *outer = plait_list(1, plait_list(1, plait_dict(1, plait_string("x"), plait_list(0))));
    plait_value *inner = plait_dict_get_string(plait_list_get(plait_list_get(outer, 0), 0), "x");
    assert_int_equal(plait_list_append(inner, plait_value_ref(outer)), -ELOOP);
    assert_int_equal(plait_list_append(inner, plait_value_ref(plait_list_get(outer, 0))), -ELOOP);
    assert_int_equal(plait_list_append(inner, plait_list(0)), 0);
    assert_string_equal(plait_repr(outer), "[[{'x': [[]]}]]");
    plait_value_free(outer);
}

static void what_was_taken_out_may_hold_the_other(void **state)
{
    plait_value *a = plait_list(1, plait_list(0)), *b = plait_list_pop(a, 0);
    assert_int_equal(atomic_load(&b->held), 0);
    assert_int_equal(plait_list_append(b, a), 0);
    assert_string_equal(plait_repr(b), "[[]]");
    plait_value_free(b);
}

/* 2^60 paths lead through it: the search for a loop goes each only once. */
static void a_search_in_a_braid_ends(void **state)
{
    plait_value *outer = plait_list(1, plait_list(0)), *list = plait_list_get(outer, 0);
    assert_int_equal(plait_list_append(list, braided(60)), 0);
    assert_int_equal(plait_list_append(list, plait_tuple(2, braided(60), plait_value_ref(outer))), -ELOOP);
    plait_value_free(outer);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(items_by_number_from_both_ends),
    cmocka_unit_test(items_are_put_anywhere),
    cmocka_unit_test(a_list_grows_and_shrinks),
    cmocka_unit_test(what_cannot_be_put_is_freed),
    cmocka_unit_test(no_list_holds_itself),
    cmocka_unit_test(not_by_way_of_an_item_that_is_borrowed),
    cmocka_unit_test(what_was_taken_out_may_hold_the_other),
    cmocka_unit_test(a_search_in_a_braid_ends),
};
TEST_MAIN(tests)
