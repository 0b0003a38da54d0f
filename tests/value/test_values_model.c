/* Random operations on a list, a dict and a set beside simple models of them: arrays of small numbers. */
#include "values.h"

#include "value/value.h"

enum { TURNS = 20000, KEYS = 60 };

static uint64_t random_state;

static int below(int limit)
{
    return (int)(test_random(&random_state) % (uint64_t)limit);
}

static int number_of(const plait_value *value)
{
    int64_t number = -1;
    assert_int_equal(plait_int_get(value, &number), 0);
    return (int)number;
}

/* ---- a list ---- */

static int model[200], count;

static void insert(int at, int number)
{
    memmove(model + at + 1, model + at, (size_t)(count++ - at) * sizeof model[0]);
    model[at] = number;
}

static int take(int at)
{
    const int number = model[at];
    memmove(model + at, model + at + 1, (size_t)(--count - at) * sizeof model[0]);
    return number;
}

static void change_list(plait_value *list, int number)
{
    const int at = below(count + 3), from_end = below(2) ? at - count : at;
    const bool is_there = at < count;
    switch (count > 150 ? 3 : below(4)) {
    case 0:
        insert(count, number);
        assert_int_equal(plait_list_append(list, plait_int(number)), 0);
        break;
    case 1:
        insert(is_there ? at : count, number);
        assert_int_equal(plait_list_insert(list, is_there ? from_end : at, plait_int(number)), 0);
        break;
    case 2:
        if (is_there) model[at] = number;
        assert_int_equal(plait_list_set(list, is_there ? from_end : at, plait_int(number)), is_there ? 0 : -ERANGE);
        break;
    default: {
        plait_value *got = plait_list_pop(list, is_there ? from_end : at);
        if (is_there) assert_int_equal(number_of(got), take(at));
        else assert_null(got);
        plait_value_free(got);
    }
    }
}

static void a_list_is_an_array(void **state)
{
    random_state = test_seed();
    plait_value *list = plait_list(0);
    for (int turn = 0; turn < TURNS; turn++) {
        change_list(list, turn);
        assert_int_equal(plait_value_len(list), count);
        if (count) assert_int_equal(number_of(plait_list_get(list, turn % count)), model[turn % count]);
    }
    for (int i = 0; i < count; i++) assert_int_equal(number_of(plait_list_get(list, i)), model[i]);
    plait_value_free(list);
}

/* ---- a dict and a set ---- */

/* The keys in the order of insertion, and the value of each; -1: not in it. */
static int order[KEYS], value_of[KEYS], known;

static plait_value *key_of(int number)
{
    char text[40];
    snprintf(text, sizeof text, "%0*d", 3 + number % 37, number);
    switch (number % 5) {
    case 0: return plait_string(text);
    case 1: return plait_int(number);
    case 2: return plait_float(number + 0.5);
    case 3: return plait_tuple(2, plait_int(number), plait_string(text));
    default: return plait_frozenset(1, plait_bytes(text, strlen(text)));
    }
}

static void model_put(int key, int value)
{
    if (value_of[key] < 0) order[known++] = key;
    value_of[key] = value;
}

static void model_take(int key)
{
    int at = 0;
    while (order[at] != key) at++;
    memmove(order + at, order + at + 1, (size_t)(--known - at) * sizeof order[0]);
    value_of[key] = -1;
}

static void check_order(const plait_value *dict, const plait_value *set)
{
    size_t in_dict = 0, in_set = 0;
    plait_value *key, *value, *item;
    for (int i = 0; i < known; i++) {
        plait_value *expected = key_of(order[i]);
        assert_int_equal(plait_dict_next(dict, &in_dict, &key, &value), 1);
        assert_int_equal(plait_set_next(set, &in_set, &item), 1);
        assert_int_equal(plait_value_equal(key, expected), 1);
        assert_int_equal(plait_value_equal(item, expected), 1);
        assert_int_equal(number_of(value), value_of[order[i]]);
        plait_value_free(expected);
    }
    assert_int_equal(plait_dict_next(dict, &in_dict, &key, &value), 0);
    assert_int_equal(plait_set_next(set, &in_set, &item), 0);
}

static void change_dict(plait_value *dict, plait_value *set, int number, int share)
{
    const int which = below(KEYS);
    plait_value *key = key_of(which);
    const bool is_there = value_of[which] >= 0;
    assert_int_equal(plait_value_contains(dict, key), is_there);
    if (below(10) < share) {
        model_put(which, number);
        assert_int_equal(plait_dict_set(dict, plait_value_ref(key), plait_int(number)), 0);
        assert_int_equal(plait_set_add(set, plait_value_ref(key)), !is_there);
    } else {
        plait_value *got = plait_dict_pop(dict, key);
        assert_int_equal(plait_set_discard(set, key), is_there);
        if (is_there) assert_int_equal(number_of(got), value_of[which]);
        else assert_null(got);
        if (is_there) model_take(which);
        plait_value_free(got);
    }
    plait_value_free(key);
}

static void dicts_and_sets_keep_their_order(void **state)
{
    random_state = test_seed();
    for (int i = 0; i < KEYS; i++) value_of[i] = -1;
    plait_value *dict = plait_dict(0), *set = plait_set(0);
    for (int turn = 0; turn < TURNS; turn++) {
        change_dict(dict, set, turn, turn / 1000 % 10);    /* now they grow, now they shrink */
        assert_int_equal(plait_value_len(dict), known);
        if (turn % 50 == 0) check_order(dict, set);
    }
    plait_value_free(dict);
    plait_value_free(set);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_list_is_an_array),
    cmocka_unit_test(dicts_and_sets_keep_their_order),
};
TEST_MAIN(tests)
