/* Whatever a value asks for may be refused: it says so, frees what it was given, and changes nothing. */
#include "fail.h"

#include <plait.h>

#include "value/value.h"

static plait_value *made, *target;

static int keep(plait_value *value)
{
    made = value;
    return value ? 0 : -errno;
}

static void keep_no_cells(void)
{
    plait__cells_keep(0);                                  /* each cell is one of the heap's */
}

static void free_made(void)
{
    plait_value_free(made);
}

#define LONG_TEXT "a text that is too long for a value, and for a cell"

/* All types, one in another. */
static plait_value *all_types(void)
{
    return plait_list(8, plait_string(LONG_TEXT), plait_tuple(2, plait_float(1), plait_uint(UINT64_MAX)), plait_bytearray("xyz", 3),
                      plait_dict(2, plait_string("a string of 20 bytes"), plait_list(1, plait_int(1)), plait_tuple(0),
                                 plait_global("a.b")),
                      plait_set(2, plait_int(1), plait_frozenset(0)), plait_range(0, 1, 1),
                      plait_object("__main__.Task", plait_dict(1, plait_string("a"), plait_int(5))),
                          plait_array('i', (int[]){ 1, 2 }, 2));
}

static int call_build(void) { return keep(all_types()); }

static int call_large_dict(void)
{
    plait_value *dict = plait_dict(0);
    int error = dict ? 0 : -errno;
    for (int i = 0; i < 20 && !error; i++) error = plait_dict_set(dict, plait_int(i), plait_list(1, plait_int(i)));
    if (!error) return keep(dict);
    plait_value_free(dict);
    return error;
}

static const struct fail_operation build = { .set_up = keep_no_cells, .run = call_build, .finish = free_made };
static const struct fail_operation large_dict = { .set_up = keep_no_cells, .run = call_large_dict, .finish = free_made };

static void make_target(void)
{
    CHECK((target = all_types()));
}

static void free_both(void)
{
    plait_value_free(made);
    plait_value_free(target);
}

static int call_copy(void)
{
    const int error = keep(plait_value_copy(target));
    if (!error) CHECK(plait_value_equal(made, target) == 1);
    return error;
}

static const struct fail_operation copy = { .set_up = keep_no_cells, .prepare = make_target, .run = call_copy,
                                            .finish = free_both };

/* Ten appends: those that failed left it as it was. */
static int call_append(void)
{
    int error = 0;
    made = NULL;
    for (int i = 0; i < 10 && !error; i++) {
        const ssize_t len = plait_value_len(target);
        error = plait_list_append(target, plait_list(1, plait_string("x")));
        CHECK(plait_value_len(target) == len + !error);
    }
    while (error && plait_value_len(target) > 8) plait_value_free(plait_list_pop(target, -1));
    return error;
}

static int call_insert(void)
{
    const int error = plait_list_insert(target, 0, plait_value_ref(target->as.list.items[0]));
    made = NULL;
    return error;
}

static const struct fail_operation append = { .set_up = keep_no_cells, .prepare = make_target, .run = call_append,
                                              .finish = free_both };
static const struct fail_operation insert = { .set_up = keep_no_cells, .prepare = make_target, .run = call_insert,
                                              .finish = free_both };

static void make_object(void)
{
    CHECK((target = plait_object("__main__.Task", plait_none())));
}

static int call_set(void)
{
    made = NULL;
    return plait_object_set(target, "a", plait_string(LONG_TEXT));
}

static int call_push(void)
{
    made = NULL;
    return plait__object_push(target, plait_none());
}

static int call_put(void)
{
    made = NULL;
    return plait__object_put(target, plait_bool(1), plait_none());
}

static const struct fail_operation set = { .set_up = keep_no_cells, .prepare = make_object, .run = call_set, .finish = free_both };
static const struct fail_operation push = { .set_up = keep_no_cells, .prepare = make_object, .run = call_push,
                                            .finish = free_both };
static const struct fail_operation put = { .set_up = keep_no_cells, .prepare = make_object, .run = call_put, .finish = free_both };

/* ---- structs ---- */

static plait_value *encode(const void *self)
{
    return plait_dict(1, plait_string("x"), plait_int(*(const int *)self));
}

static int decode(void *self, const plait_value *state)
{
    int64_t x;
    const int error = plait_int_get(plait_dict_get_string(state, "x"), &x);
    *(int *)self = (int)x;
    return error;
}

static const plait_class type = { .name = "__main__.X", .size = sizeof(int), .encode = encode, .decode = decode };

static int call_instance(void)
{
    const int error = keep(plait_instance(&type, &(int){ 5 }));
    return error || plait_object_get(made, "x") ? error : (plait_value_free(made), -errno);
}

static int call_decode(void)
{
    const int error = keep(plait_object("__main__.X", plait_dict(1, plait_string("x"), plait_int(1))));
    return error || plait_instance_get(made, &type) ? error : (plait_value_free(made), -errno);
}

static const struct fail_operation instance = { .set_up = keep_no_cells, .run = call_instance, .finish = free_made };
static const struct fail_operation decoded = { .set_up = keep_no_cells, .run = call_decode, .finish = free_made };

/* ---- what never fails ---- */

static void make_print(void)
{
    keep_no_cells();
    make_target();
}

static int call_print(void)
{
    made = NULL;
    const char *text = plait_repr(target);
    CHECK(text && *text);
    return strcmp(text, "<out of memory>") == 0 ? -ENOMEM : 0;
}

static const struct fail_operation print = { .prepare = make_print, .run = call_print, .finish = free_both };

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(build),
    FAIL_TESTS(large_dict),
    FAIL_TESTS(copy),
    FAIL_TESTS(append),
    FAIL_TESTS(insert),
    FAIL_TESTS(set),
    FAIL_TESTS(push),
    FAIL_TESTS(put),
    FAIL_TESTS(instance),
    FAIL_TESTS(decoded),
    FAIL_TESTS(print),
};
TEST_MAIN(tests)
