/* Threads that read, keep and free the same values at once. */
#include "values.h"

#include <pthread.h>

#include "value/value.h"

enum { THREADS = 4, TURNS = 3000 };

static plait_value *shared;
static const plait_class *no_class;

/* All that reads: it may happen side by side. */
static void read_all(void)
{
    uint64_t hash;
    size_t position = 0, n;
    plait_value *key, *value;
    plait_value *dict = plait_list_get(shared, 0);
    while (plait_dict_next(dict, &position, &key, &value) == 1) CHECK(plait_dict_get(dict, key) == value);
    CHECK(plait_dict_get_string(dict, "a") && plait_value_len(dict) == 20);
    CHECK(plait_value_hash(plait_list_get(shared, 1), &hash) == 0);
    CHECK(plait_value_equal(shared, shared) == 1);
    CHECK(plait_value_contains(shared, plait_list_get(shared, 1)) == 1);
    CHECK(plait_array_get(plait_list_get(shared, 2), NULL, &n) && n == 2);
    plait_value *copy = plait_value_copy(plait_list_get(shared, 1));
    CHECK(copy);
    plait_value_free(copy);
}

static void *use(void *unused)
{
    for (int i = 0; i < TURNS; i++) {
        plait_value *kept = plait_value_ref(shared), *inner = plait_value_ref(plait_list_get(kept, i % 2));
        if (i % 100 == 0) read_all();
        plait_value *mine = plait_list(2, inner, plait_value_ref(kept));
        CHECK(mine);
        plait_value_free(kept);
        plait_value_free(mine);
    }
    return NULL;
}

static plait_value *make_shared(void)
{
    plait_value *dict = plait_dict(1, plait_string("a"), plait_int(1));
    for (int i = 1; i < 20; i++) CHECK(plait_dict_set(dict, plait_int(i), plait_none()) == 0);
    plait_value *array = plait_object_of_call("array.array", plait_tuple(2, plait_string("i"),
                                                                         plait_list(2, plait_int(1), plait_int(2))));
    return plait_list(3, dict, plait_tuple(2, plait_int(1), plait_tuple(1, plait_string("x"))), array);
}

static void threads_share_values(void **state)
{
    pthread_t threads[THREADS];
    shared = make_shared();
    assert_non_null(shared);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, use, NULL), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_refs(shared, 1);
    assert_refs(plait_list_get(shared, 0), 1);
    plait_value_free(shared);
}

/* One makes them, another one frees them: the last owner ends each, wherever that is. */
static void *free_half(void *values)
{
    for (plait_value **at = values; *at; at++) plait_value_free(*at);
    return NULL;
}

static void whoever_is_last_ends_a_value(void **state)
{
    static plait_value *first[5001], *second[5001];
    pthread_t threads[2];
    for (int i = 0; i < 5000; i++) {
        first[i] = plait_list(2, plait_string("a string that is in the heap, not in a cell"), plait_int(i));
        second[i] = plait_value_ref(first[i]);
    }
    assert_int_equal(pthread_create(&threads[0], NULL, free_half, first), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, free_half, second), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static int nothing(void *self, const plait_value *state)
{
    return 0;
}

static plait_value *encode_nothing(const void *self)
{
    return plait_none();
}

static plait_class classes[THREADS][100];
static char names[100][20];
static _Atomic int registered;

static void *register_all(void *own)
{
    for (int i = 0; i < 100; i++) {
        plait_class *type = (plait_class *)own + i;
        *type = (plait_class){ .name = names[i], .size = 1, .encode = encode_nothing, .decode = nothing };
        const int result = plait_class_register(type);
        CHECK(result == 0 || result == -EEXIST);
        registered += result == 0;
        CHECK(plait__class_find(names[i]));
    }
    return NULL;
}

static void each_class_is_registered_once(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < 100; i++) snprintf(names[i], sizeof names[i], "m.C%d", i);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, register_all, classes[i]), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(registered, 100);
    assert_ptr_equal(plait__class_find("m.none"), no_class);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(threads_share_values),
    cmocka_unit_test(whoever_is_last_ends_a_value),
    cmocka_unit_test(each_class_is_registered_once),
};
TEST_MAIN(tests)
