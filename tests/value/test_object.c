/* Objects: globals, attributes, and structs of C with methods. */
#include "values.h"

#include "value/value.h"

static void globals_have_a_module_and_a_name(void **state)
{
    plait_value *global = plait_global("collections.abc.Mapping");
    assert_string_equal(plait_global_name(global), "collections.abc.Mapping");
    assert_int_equal(global->as.global.module, strlen("collections.abc"));
    plait_value_free(global);
    assert_fails(plait_global("list"), EINVAL);
    assert_fails(plait_global(".list"), EINVAL);
    assert_fails(plait_global("builtins."), EINVAL);
    assert_fails(plait_global(""), EINVAL);
    assert_fails(plait_global("a..b"), EINVAL);
    assert_fails(plait_global(".b.c"), EINVAL);
    assert_fails(plait_global("m\xff.X"), EINVAL);
    assert_fails(plait_global("m.X\n"), EINVAL);
    assert_fails(plait_object("m\n.X", plait_none()), EINVAL);
    assert_fails(plait_object_of_call("m.\xff", plait_tuple(0)), EINVAL);
    assert_fails(plait_global(NULL), EINVAL);
    assert_fails((void *)plait_global_name(plait_none()), EINVAL);
}

static void an_object_is_a_class_and_a_state(void **state)
{
    plait_value *object = plait_object("__main__.Task", plait_dict(1, plait_string("a"), plait_int(1)));
    assert_string_equal(plait_object_class(object), "__main__.Task");
    assert_int_equal(plait_value_len(plait_object_arguments(object)), 0);
    assert_string_equal(plait_repr(plait_object_state(object)), "{'a': 1}");
    assert_string_equal(plait_repr(plait_object_get(object, "a")), "1");
    assert_fails(plait_object_get(object, "b"), ENOENT);
    assert_string_equal(plait_error_detail(), "'__main__.Task' object has no attribute 'b'");
    assert_int_equal(plait_object_set(object, "b", plait_string("new")), 0);
    assert_int_equal(plait_object_set(object, "a", plait_none()), 0);
    assert_string_equal(plait_repr(plait_object_state(object)), "{'a': None, 'b': 'new'}");
    must_print(object, "<__main__.Task object>");
}

static void attributes_come_into_being(void **state)
{
    plait_value *object = plait_object("__main__.Task", plait_none());
    assert_fails(plait_object_state(object), ENOENT);
    assert_fails(plait_object_get(object, "a"), ENOENT);
    assert_int_equal(plait_object_set(object, "a", plait_int(1)), 0);
    assert_string_equal(plait_repr(plait_object_get(object, "a")), "1");
    plait_value_free(object);
}

/* Classes with __slots__: a tuple of the dict, if there is one, and the slots. */
static void attributes_in_slots(void **state)
{
    plait_value *object = plait_object("a.B", plait_tuple(2, plait_none(), plait_dict(1, plait_string("x"), plait_int(1))));
    assert_string_equal(plait_repr(plait_object_get(object, "x")), "1");
    assert_int_equal(plait_object_set(object, "x", plait_int(2)), 0);
    assert_int_equal(plait_object_set(object, "y", plait_int(3)), 0);
    assert_string_equal(plait_repr(plait_object_state(object)), "(None, {'x': 2, 'y': 3})");
    plait_value_free(object);
    object = plait_object("a.B", plait_tuple(2, plait_dict(0), plait_dict(1, plait_string("x"), plait_int(1))));
    assert_int_equal(plait_object_set(object, "x", plait_int(2)), 0);
    assert_int_equal(plait_object_set(object, "y", plait_int(3)), 0);
    assert_string_equal(plait_repr(plait_object_state(object)), "({'y': 3}, {'x': 2})");
    plait_value_free(object);
}

static void what_is_wrong_is_said(void **state)
{
    plait_value *kept = plait_string("kept"), *list = plait_list(0), *odd = plait_object("a.B", plait_int(5));
    assert_fails(plait_object("noname", plait_value_ref(kept)), EINVAL);
    assert_fails(plait_object(NULL, plait_value_ref(kept)), EINVAL);
    assert_fails(plait_object_of_call("noname", plait_tuple(1, plait_value_ref(kept))), EINVAL);
    assert_fails(plait_object_of_call("a.b", plait_list(1, plait_value_ref(kept))), EINVAL);
    assert_int_equal(plait_object_set(list, "x", plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_object_set(NULL, "x", plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_object_set(odd, "x", plait_value_ref(kept)), -EINVAL);
    assert_int_equal(plait_object_set(odd, NULL, plait_value_ref(kept)), -EINVAL);
    errno = 0;
    assert_int_equal(plait_object_set(odd, "x", NULL), -EINVAL);
    assert_fails(plait_object_get(odd, "x"), ENOENT);
    assert_fails(plait_object_get(odd, NULL), EINVAL);
    assert_fails(plait_object_get(list, "x"), EINVAL);
    assert_fails((void *)plait_object_class(list), EINVAL);
    assert_fails(plait_object_arguments(list), EINVAL);
    assert_fails(plait_object_state(NULL), EINVAL);
    assert_fails(plait_object_call(list, "x", plait_tuple(1, plait_value_ref(kept))), EINVAL);
    assert_fails(plait_object_call(odd, NULL, NULL), EINVAL);
    assert_fails(plait_object_call(odd, "x", plait_list(1, plait_value_ref(kept))), EINVAL);
    assert_fails(plait_object_call(odd, "x", plait_tuple(1, plait_value_ref(kept))), ENOENT);
    assert_refs(kept, 1);
    plait_value_free(kept);
    plait_value_free(list);
    plait_value_free(odd);
}

static void no_object_holds_itself(void **state)
{
    plait_value *object = plait_object("a.B", plait_none());
    assert_int_equal(plait_object_set(object, "self", plait_value_ref(object)), -ELOOP);
    assert_int_equal(plait_object_set(object, "self", plait_list(1, plait_value_ref(object))), -ELOOP);
    assert_fails(plait_object_state(object), ENOENT);      /* what failed left nothing */
    assert_int_equal(plait_object_set(object, "a", plait_int(1)), 0);
    assert_int_equal(plait_object_set(object, "self", plait_value_ref(object)), -ELOOP);
    assert_int_equal(plait_dict_set_string(plait_object_state(object), "self", plait_value_ref(object)), -ELOOP);
    assert_refs(object, 1);
    plait_value_free(object);
}

/* What Python's pickle does to objects that are lists or dicts, too. */
static void items_and_pairs(void **state)
{
    plait_value *object = plait_object_of_call("collections.deque", plait_tuple(0)), *copy;
    assert_int_equal(plait__object_push(object, plait_int(1)), 0);
    assert_int_equal(plait__object_push(object, plait_list(0)), 0);
    assert_int_equal(plait__object_push(object, plait_list(1, plait_value_ref(object))), -ELOOP);
    assert_int_equal(plait__object_put(object, plait_int(1), plait_list(0)), 0);
    assert_int_equal(plait__object_put(object, plait_int(2), plait_value_ref(object)), -ELOOP);
    assert_int_equal(plait__object_put(object, plait_list(0), plait_int(1)), -EINVAL);
    copy = plait_value_copy(object);
    assert_int_equal(plait_value_equal(object, copy), 1);
    assert_int_equal(plait__object_push(copy, plait_int(3)), 0);
    assert_int_equal(plait_value_equal(object, copy), 0);
    plait_value_free(object);
    plait_value_free(copy);
}

/* ---- structs ---- */

struct point {
    int x, y;
    char *name;
};

static int released;

static plait_value *encode_point(const void *self)
{
    const struct point *point = self;
    return plait_dict(2, plait_string("x"), plait_int(point->x), plait_string("y"), plait_int(point->y));
}

static int decode_point(void *self, const plait_value *state)
{
    struct point *point = self;
    int64_t x, y;
    int error = plait_int_get(plait_dict_get_string(state, "x"), &x);
    if (!error) error = plait_int_get(plait_dict_get_string(state, "y"), &y);
    if (error) return error;
    point->x = (int)x;
    point->y = (int)y;
    return 0;
}

static void release_point(void *self)
{
    released += ((struct point *)self)->x;
}

static plait_value *call_move(void *self, const plait_value *arguments)
{
    int64_t by;
    struct point *point = self;
    int error = plait_int_get(plait_list_get(arguments, 0), &by);
    if (error) return errno = -error, NULL;
    return plait_int(point->x += (int)by);
}

static plait_value *call_fail(void *self, const plait_value *arguments)
{
    return NULL;
}

static plait_value *call_str(void *self, const plait_value *arguments)
{
    char text[40];
    snprintf(text, sizeof text, "at %d, %d", ((struct point *)self)->x, ((struct point *)self)->y);
    return plait_string(text);
}

static plait_value *call_repr(void *self, const plait_value *arguments)
{
    return plait_string("Point()");
}

static const plait_method methods[] = {
    { "move", call_move }, { "fail", call_fail }, { "__str__", call_str }, { "__repr__", call_repr }, { NULL, NULL },
};
static const plait_class point_class = {
    .name = "__main__.Point", .size = sizeof(struct point), .encode = encode_point, .decode = decode_point,
        .release = release_point,
    .methods = methods,
};

static void classes_are_checked(void **state)
{
    plait_class wrong[6];
    for (int i = 0; i < 6; i++) wrong[i] = point_class;
    wrong[0].name = NULL;
    wrong[1].name = "Point";
    wrong[2].size = 0;
    wrong[3].encode = NULL;
    wrong[4].decode = NULL;
    wrong[5].reserved[3] = 1;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(plait_class_register(&wrong[i]), -EINVAL);
        assert_fails(plait_instance(&wrong[i], &(struct point){ 1, 2, NULL }), EINVAL);
    }
    assert_int_equal(plait_class_register(NULL), -EINVAL);
    assert_int_equal(plait_class_register(&point_class), 0);
    assert_int_equal(plait_class_register(&point_class), 0);
    static plait_class other;
    other = point_class;
    assert_int_equal(plait_class_register(&other), -EEXIST);
}

static void a_struct_is_an_object(void **state)
{
    plait_value *object = plait_instance(&point_class, &(struct point){ 3, 4, NULL });
    struct point *point = plait_instance_get(object, &point_class);
    assert_int_equal(point->y, 4);
    assert_string_equal(plait_repr(plait_object_state(object)), "{'x': 3, 'y': 4}");
    point->x = 5;
    assert_string_equal(plait_repr(plait_object_get(object, "x")), "5");
    assert_int_equal(plait_object_set(object, "x", plait_int(1)), -EINVAL);
    assert_int_equal(plait_value_hash(object, NULL), -EINVAL);
    plait_value *copy = plait_value_copy(object);
    assert_int_equal(plait_value_equal(object, copy), 1);
    point->x = 6;
    assert_int_equal(plait_value_equal(object, copy), 0);
    struct point *copied = plait_instance_get(copy, &point_class);
    assert_true(copied != point && copied->x == 5 && copied->y == 4);
    released = 0;
    plait_value_free(object);
    assert_int_equal(released, 6);
    plait_value_free(copy);
    assert_int_equal(released, 11);
    assert_fails(plait_instance(&point_class, NULL), EINVAL);
}

static void objects_that_came_are_decoded(void **state)
{
    plait_value *object = plait_object("__main__.Point", plait_dict(2, plait_string("x"), plait_int(7), plait_string("y"),
                                                                    plait_int(8)));
    struct point *point = plait_instance_get(object, &point_class);
    assert_true(point && point->x == 7 && point->y == 8);
    assert_ptr_equal(plait_instance_get(object, &point_class), point);
    plait_value_free(object);
    object = plait_object("__main__.Point", plait_dict(1, plait_string("x"), plait_int(7)));
    released = 0;
    assert_fails(plait_instance_get(object, &point_class), EINVAL);            /* decode's own */
    plait_value_free(object);
    assert_int_equal(released, 0);
    object = plait_object("__main__.Other", plait_none());
    assert_fails(plait_instance_get(object, &point_class), EINVAL);
    assert_fails(plait_instance_get(NULL, &point_class), EINVAL);
    assert_fails(plait_instance_get(object, NULL), EINVAL);
    plait_value_free(object);
}

static void methods_are_called(void **state)
{
    assert_int_equal(plait_class_register(&point_class), 0);
    plait_value *object = plait_object("__main__.Point", plait_dict(2, plait_string("x"), plait_int(7), plait_string("y"),
                                                                    plait_int(8)));
    must_print(plait_object_call(object, "move", plait_tuple(1, plait_int(3))), "10");
    assert_fails(plait_object_call(object, "move", plait_tuple(1, plait_string("x"))), EINVAL);
    assert_fails(plait_object_call(object, "move", NULL), EINVAL);
    assert_fails(plait_object_call(object, "none", NULL), ENOENT);
    assert_fails(plait_object_call(object, "fail", NULL), EINVAL);
    assert_non_null(strstr(plait_error_detail(), "__main__.Point.fail"));
    assert_string_equal(plait_str(object), "at 10, 8");
    assert_string_equal(plait_repr(object), "Point()");
    must_print(plait_list(1, plait_value_ref(object)), "[Point()]");
    plait_value_free(object);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(globals_have_a_module_and_a_name),
    cmocka_unit_test(an_object_is_a_class_and_a_state),
    cmocka_unit_test(attributes_come_into_being),
    cmocka_unit_test(attributes_in_slots),
    cmocka_unit_test(what_is_wrong_is_said),
    cmocka_unit_test(no_object_holds_itself),
    cmocka_unit_test(items_and_pairs),
    cmocka_unit_test(classes_are_checked),
    cmocka_unit_test(a_struct_is_an_object),
    cmocka_unit_test(objects_that_came_are_decoded),
    cmocka_unit_test(methods_are_called),
};
TEST_MAIN(tests)
