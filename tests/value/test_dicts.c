/* Dicts and sets: keys by equality, in the order of insertion. */
#include "values.h"

#include "value/value.h"

static void must_have(plait_value *dict, plait_value *key, const char *expected)
{
    plait_value *value = plait_dict_get(dict, key);
    if (expected) assert_string_equal(plait_repr(value), expected);
    else assert_null(value);
    if (!expected) assert_int_equal(errno, ENOENT);
    assert_int_equal(plait_value_contains(dict, key), expected != NULL);
    plait_value_free(key);
}

static void keys_of_all_kinds(void **state)
{
    plait_value *dict = plait_dict(8, plait_none(), plait_int(1), plait_int(1), plait_int(2), plait_string("a"), plait_int(3),
                                   plait_bytes("a", 1),
                                   plait_int(4), plait_tuple(2, plait_int(1), plait_string("x")), plait_int(5),
                                   plait_frozenset(2, plait_int(1), plait_int(2)), plait_int(6), plait_global("a.b"), plait_int(7),
                                   plait_range(0, 10, 3), plait_int(8));
    assert_int_equal(plait_value_len(dict), 8);
    must_have(dict, plait_none(), "1");
    must_have(dict, plait_bool(1), "2");
    must_have(dict, plait_float(1), "2");
    must_have(dict, plait_string("a"), "3");
    must_have(dict, plait_bytes("a", 1), "4");
    must_have(dict, plait_tuple(2, plait_float(1), plait_string("x")), "5");
    must_have(dict, plait_frozenset(2, plait_int(2), plait_bool(1)), "6");
    must_have(dict, plait_global("a.b"), "7");
    must_have(dict, plait_range(0, 12, 3), "8");
    must_have(dict, plait_range(0, 13, 3), NULL);
    must_have(dict, plait_tuple(0), NULL);
    must_have(dict, plait_string("b"), NULL);
    plait_value_free(dict);
}

static void what_can_change_is_no_key(void **state)
{
    plait_value *bad[] = { plait_list(0), plait_dict(0), plait_set(0), plait_bytearray("x", 1),
                           plait_tuple(1, plait_tuple(1, plait_list(0))),
                           plait_slice(plait_none(), plait_int(1), plait_none()), plait_array('i', NULL, 0) };
    plait_value *dict = plait_dict(0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(plait_value_hash(bad[i], NULL), -EINVAL);
        assert_int_equal(plait_value_contains(dict, bad[i]), -EINVAL);
        assert_fails(plait_dict_get(dict, bad[i]), EINVAL);
        assert_fails(plait_dict_pop(dict, bad[i]), EINVAL);
        assert_int_equal(plait_dict_set(dict, bad[i], plait_none()), -EINVAL);
        assert_non_null(strstr(plait_error_detail(), "not hashable"));
    }
    plait_value_free(dict);
}

static void the_first_key_and_the_last_value_stay(void **state)
{
    plait_value *dict = plait_dict(2, plait_int(1), plait_string("old"), plait_float(1), plait_string("new"));
    assert_string_equal(plait_repr(dict), "{1: 'new'}");
    assert_int_equal(plait_dict_set(dict, plait_bool(1), plait_string("newer")), 0);
    assert_string_equal(plait_repr(dict), "{1: 'newer'}");
    plait_value_free(dict);
    must_print(plait_set(3, plait_int(1), plait_float(1), plait_bool(1)), "{1}");
}

static void pairs_come_in_the_order_of_insertion(void **state)
{
    plait_value *dict = plait_dict(0), *key, *value;
    for (int i = 0; i < 1000; i++) assert_int_equal(plait_dict_set(dict, plait_int(i * 7919 % 1000), plait_int(i)), 0);
    for (int i = 0; i < 1000; i += 2) {
        key = plait_int(i * 7919 % 1000);
        plait_value_free(plait_dict_pop(dict, key));
        plait_value_free(key);
    }
    for (int i = 0; i < 1000; i += 2) assert_int_equal(plait_dict_set(dict, plait_int(i * 7919 % 1000), plait_int(i)), 0);
    size_t position = 0;
    int64_t number, seen = 0;
    while (plait_dict_next(dict, &position, &key, &value) == 1) {
        assert_int_equal(plait_int_get(value, &number), 0);
        assert_int_equal(number, seen < 500 ? seen * 2 + 1 : (seen - 500) * 2);
        seen++;
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(plait_dict_next(dict, &position, NULL, NULL), 0);
    plait_value_free(dict);
}

static void strings_as_keys(void **state)
{
    plait_value *dict = plait_dict(0);
    char name[40];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%0*d", i % 30 + 5, i);
        assert_int_equal(plait_dict_set_string(dict, name, plait_int(i)), 0);
    }
    for (int i = 0; i < 3000; i++) {
        int64_t number = -1;
        snprintf(name, sizeof name, "%0*d", i % 30 + 5, i);
        assert_int_equal(plait_int_get(plait_dict_get_string(dict, name), &number), 0);
        assert_int_equal(number, i);
    }
    assert_fails(plait_dict_get_string(dict, "no"), ENOENT);
    assert_non_null(strstr(plait_error_detail(), "'no'"));
    assert_fails(plait_dict_get_string(dict, NULL), EINVAL);
    assert_int_equal(plait_dict_set_string(dict, NULL, plait_none()), -EINVAL);
    plait_value_free(dict);
}

static void what_cannot_be_put_is_freed(void **state)
{
    plait_value *kept = plait_string("kept"), *list = plait_list(0), *dict = plait_dict(0), *set = plait_set(0),
        *frozen = plait_frozenset(0);
    assert_int_equal(plait_dict_set(list, plait_value_ref(kept), plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_dict_set(NULL, plait_value_ref(kept), plait_value_ref(kept)), -EINVAL);
    errno = 0;
    assert_int_equal(plait_dict_set(dict, NULL, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_dict_set(dict, plait_value_ref(kept), NULL), -EINVAL);
    assert_int_equal(plait_dict_set(dict, plait_list(0), plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_dict_set_string(list, "x", plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_set_add(frozen, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_set_add(NULL, plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_set_add(set, plait_list(1, plait_value_ref(kept))), -EINVAL);
    errno = 0;
    assert_int_equal(plait_set_add(set, NULL), -EINVAL);
    assert_int_equal(plait_set_discard(frozen, kept), -EINVAL);
    assert_int_equal(plait_set_discard(set, NULL), -EINVAL);
    assert_fails(plait_dict_get(set, kept), EINVAL);
    assert_fails(plait_dict_get(dict, NULL), EINVAL);
    assert_fails(plait_dict_pop(dict, NULL), EINVAL);
    assert_fails(plait_dict_pop(dict, kept), ENOENT);
    assert_int_equal(plait_dict_next(set, &(size_t){ 0 }, NULL, NULL), -EINVAL);
    assert_int_equal(plait_dict_next(dict, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(plait_set_next(dict, &(size_t){ 0 }, NULL), -EINVAL);
    assert_int_equal(plait_set_next(set, NULL, NULL), -EINVAL);
    assert_refs(kept, 1);
    plait_value *all[] = { kept, list, dict, set, frozen };
    for (int i = 0; i < 5; i++) plait_value_free(all[i]);
}

static void no_dict_holds_itself(void **state)
{
    plait_value *dict = plait_dict(0);
    assert_int_equal(plait_dict_set(dict, plait_int(1), plait_value_ref(dict)), -ELOOP);
    assert_int_equal(plait_dict_set(dict, plait_int(1), plait_list(1, plait_value_ref(dict))), -ELOOP);
    assert_int_equal(plait_value_len(dict), 0);
    assert_refs(dict, 1);
    plait_value_free(dict);
}

static void sets_have_each_once(void **state)
{
    plait_value *set = plait_set(0), *item = NULL;
    for (int i = 0; i < 100; i++) assert_int_equal(plait_set_add(set, plait_int(i % 10)), i < 10);
    assert_int_equal(plait_value_len(set), 10);
    plait_value *five = plait_float(5);
    assert_int_equal(plait_set_discard(set, five), 1);
    assert_int_equal(plait_set_discard(set, five), 0);
    assert_int_equal(plait_value_contains(set, five), 0);
    plait_value_free(five);
    size_t position = 0;
    int count = 0;
    while (plait_set_next(set, &position, &item) == 1) count++;
    assert_int_equal(count, 9);
    assert_string_equal(plait_repr(set), "{0, 1, 2, 3, 4, 6, 7, 8, 9}");
    plait_value_free(set);
}

/* One object that is not equal to itself is found all the same, as in Python. */
static void nan_is_found_by_what_it_is(void **state)
{
    plait_value *nan = plait_float(__builtin_nan("")), *other = plait_float(__builtin_nan("")),
        *set = plait_set(1, plait_value_ref(nan));
    assert_int_equal(plait_value_contains(set, nan), 1);
    assert_int_equal(plait_value_contains(set, other), 0);
    assert_int_equal(plait_set_add(set, other), 1);
    plait_value *list = plait_list(1, plait_value_ref(nan)), *same = plait_list(1, nan);
    assert_int_equal(plait_value_equal(list, same), 1);
    assert_int_equal(plait_value_equal(nan, nan), 0);
    assert_int_equal(plait_value_contains(list, nan), 1);
    plait_value_free(set);
    plait_value_free(list);
    plait_value_free(same);
}

/* Multiples of 2^61 - 1, whose Python hashes are all 0: a dict of them must not take the square of their count. */
static void nobody_makes_keys_that_collide(void **state)
{
    plait_value *dict = plait_dict(0);
    for (uint64_t i = 1; i <= 50000; i++) {
        uint64_t hash;
        const unsigned __int128 number = (unsigned __int128)i * ((UINT64_C(1) << 61) - 1);
        plait_value *key = plait_int_from_bytes(&number, sizeof number);
        assert_int_equal(plait_value_hash(key, &hash), 0);
        assert_true(hash == 0);
        assert_int_equal(plait_dict_set(dict, key, plait_none()), 0);
    }
    assert_int_equal(plait_value_len(dict), 50000);
    plait_value_free(dict);
}

static void a_braid_may_be_a_key(void **state)
{
    plait_value *dict = plait_dict(1, braided(60), plait_int(1)), *deep = plait_tuple(0);
    for (int i = 0; i < 1000; i++) deep = plait_tuple(1, deep);
    assert_int_equal(plait_value_hash(deep, NULL), -EOVERFLOW);
    assert_int_equal(plait_dict_set(dict, deep, plait_none()), -EOVERFLOW);
    assert_int_equal(plait_value_len(dict), 1);
    plait_value_free(dict);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(keys_of_all_kinds),
    cmocka_unit_test(what_can_change_is_no_key),
    cmocka_unit_test(the_first_key_and_the_last_value_stay),
    cmocka_unit_test(pairs_come_in_the_order_of_insertion),
    cmocka_unit_test(strings_as_keys),
    cmocka_unit_test(what_cannot_be_put_is_freed),
    cmocka_unit_test(no_dict_holds_itself),
    cmocka_unit_test(sets_have_each_once),
    cmocka_unit_test(nan_is_found_by_what_it_is),
    cmocka_unit_test(nobody_makes_keys_that_collide),
    cmocka_unit_test(a_braid_may_be_a_key),
};
TEST_MAIN(tests)
