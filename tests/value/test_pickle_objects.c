/* Objects as pickles: structs of registered classes, and calls as Python wrote them. */
#include <plait/object.h>

#include "corpus.h"

struct fancy {
    int64_t number;
};

static plait_value *encode(const void *self)
{
    const struct fancy *fancy = self;
    if (fancy->number < 0) {
        errno = ERANGE;
        return NULL;
    }
    plait_value *both = plait_list(1, plait_int(fancy->number));
    return plait_dict(2, plait_string("number"), both, plait_string("again"), plait_value_ref(both));
}

static int decode(void *self, const plait_value *state)
{
    return plait_int_get(plait_list_get(plait_dict_get_string(state, "number"), 0), &((struct fancy *)self)->number);
}

static const plait_class fancy_class = {
    .name = "__main__.Fancy", .size = sizeof(struct fancy), .encode = encode, .decode = decode,
};

static void a_struct_travels(void **state)
{
    assert_int_equal(plait_class_register(&fancy_class), 0);
    plait_value *object = plait_instance(&fancy_class, &(struct fancy){ 7 });
    for (int protocol = 2; protocol <= 5; protocol++) {
        plait_value *back = there_and_back(object, protocol);
        const struct fancy *fancy = plait_instance_get(back, &fancy_class);
        assert_non_null(fancy);
        assert_int_equal(fancy->number, 7);
        plait_value_free(back);
    }
    plait_value_free(object);
}

static void what_encode_says_is_the_error(void **state)
{
    size_t size;
    plait_value *list = plait_list(2, plait_int(1), plait_instance(&fancy_class, &(struct fancy){ -1 }));
    assert_null(plait_pickle_dumps(list, NULL, &size));
    assert_int_equal(errno, ERANGE);
    plait_value_free(list);
}

/* Each state has a list that is in it twice, so its address is noted. */
static void states_stay_until_the_end(void **state)
{
    plait_value *list = plait_list(0);
    for (int i = 0; i < 50; i++) plait_list_append(list, plait_instance(&fancy_class, &(struct fancy){ i }));
    plait_value *back = there_and_back(list, 4);
    for (int i = 0; i < 50; i++) {
        const struct fancy *fancy = plait_instance_get(plait_list_get(back, i), &fancy_class);
        assert_non_null(fancy);
        assert_int_equal(fancy->number, i);
    }
    plait_value_free(back);
    plait_value_free(list);
}

/* The name of a class is written once, though each object has a value of its own for it. */
static void a_class_is_named_once(void **state)
{
    plait_value *list = plait_list(0);
    for (int i = 0; i < 100; i++) plait_list_append(list, plait_object("a_module_with_a_long_name.Class", NULL));
    size_t size;
    free(plait_pickle_dumps(list, NULL, &size));
    assert_true(size < 100 * 5 + 80);
    plait_value_free(list);
}

static void each_part_of_an_object_survives(void **state)
{
    for (int i = 0; i < PICKLES; i++) {
        plait_value *value = pickles[i].repr ? NULL : loads_hex(pickles[i].hex);
        if (!value || plait_value_type(value) != PLAIT_OBJECT) {
            plait_value_free(value);
            continue;
        }
        for (int protocol = 2; protocol <= 5; protocol++) {
            plait_value *back = there_and_back(value, protocol);
            assert_string_equal(plait_value_type_name(back), plait_value_type_name(value));
            assert_int_equal(plait_value_equal(back, value), 1);
            plait_value_free(back);
        }
        plait_value_free(value);
    }
}

/* It is no name of an encoding that has a 0 in it. */
static void an_encoding_to_its_end(void **state)
{
    static const char pickle[] = "c_codecs\nencode\n(X\1\0\0\0aX\10\0\0\0latin1\0xtR.";
    plait_value *value = plait_pickle_loads(pickle, sizeof pickle - 1, NULL);
    assert_int_equal(plait_value_type(value), PLAIT_OBJECT);
    plait_value_free(value);
}

/* What the inner one said is what the outer one says. */
static void errors_of_pickles_go_up(void **state)
{
    errno = 0;
    assert_null(plait_list(1, plait_pickle_loads("x", 1, NULL)));
    assert_int_equal(errno, EBADMSG);
    assert_null(plait_list(1, plait_pickle_loads("Pid\n.", 5, NULL)));
    assert_int_equal(errno, ENOTSUP);
    errno = -PLAIT_ECLOSED;
    assert_null(plait_list(1, NULL));
    assert_int_equal(errno, -PLAIT_ECLOSED);
    errno = EINTR;
    assert_null(plait_list(1, NULL));
    assert_int_equal(errno, EINVAL);
}

/* {Node(): 0, Node(): 1, ...}: each is a key of its own, and that takes no time that grows with their square. */
static void keys_that_look_alike(void **state)
{
    enum { NODES = 100000 };
    static const char begin[] = "\x80\4c__main__\nNode\nq\0}(", each[] = "h\0)\x81J";
    char *bytes = malloc(sizeof begin + NODES * (sizeof each + 4) + 2), *at = bytes;
    at = (char *)memcpy(at, begin, sizeof begin - 1) + sizeof begin - 1;
    for (int32_t i = 0; i < NODES; i++) {
        at = (char *)memcpy(at, each, sizeof each - 1) + sizeof each - 1;
        for (int j = 0; j < 4; j++) *at++ = (char)(i >> 8 * j);
    }
    at = (char *)memcpy(at, "u.", 2) + 2;
    plait_value *dict = plait_pickle_loads(bytes, (size_t)(at - bytes), NULL), *copy = plait_value_copy(dict);
    plait_value *like = plait_object("__main__.Node", plait_none()), *key, *value, *first = NULL;
    assert_int_equal(plait_value_len(dict), NODES);
    assert_int_equal(plait_value_len(copy), NODES);
    assert_string_equal(plait_repr(plait_dict_get(dict, like)), "0");
    for (size_t position = 0; plait_dict_next(dict, &position, &key, &value) == 1;) {
        if (!first) first = key;
        assert_ptr_equal(plait_dict_get(dict, key), value);
    }
    assert_int_equal(plait_value_equal(dict, dict), 1);
    assert_int_equal(plait_value_equal(dict, copy), 0);
    plait_value_free(plait_dict_pop(dict, first));
    assert_ptr_equal(plait_dict_get(dict, key), value);    /* the last one is still there */
    assert_int_equal(plait_dict_set(dict, plait_value_ref(key), plait_none()), 0);
    assert_int_equal(plait_value_len(dict), NODES - 1);
    plait_value_free(like);
    plait_value_free(copy);
    plait_value_free(dict);
    free(bytes);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_struct_travels),
    cmocka_unit_test(what_encode_says_is_the_error),
    cmocka_unit_test(states_stay_until_the_end),
    cmocka_unit_test(a_class_is_named_once),
    cmocka_unit_test(each_part_of_an_object_survives),
    cmocka_unit_test(an_encoding_to_its_end),
    cmocka_unit_test(errors_of_pickles_go_up),
    cmocka_unit_test(keys_that_look_alike),
};
TEST_MAIN(tests)
