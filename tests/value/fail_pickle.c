/* Whatever reading and writing pickles asks for may be refused: it is said, and nothing is left behind. */
#include "fail.h"

#include <stdlib.h>
#include <string.h>

#include <plait.h>

#include "value/value.h"

static plait_value *value, *loaded;
static void *bytes;
static size_t size;

static void keep_no_cells(void)
{
    plait__cells_keep(0);                                  /* each cell is one of the heap's */
}

struct number {
    int64_t number;
};

static plait_value *encode(const void *self)
{
    return plait_dict(1, plait_string("number"), plait_int(((const struct number *)self)->number));
}

static int decode(void *self, const plait_value *state)
{
    return plait_int_get(plait_dict_get_string(state, "number"), &((struct number *)self)->number);
}

static const plait_class number_class = {
    .name = "__main__.Number", .size = sizeof(struct number), .encode = encode, .decode = decode,
};

static plait_value *of_all_types(void)
{
    return plait_list(10, plait_string("a text that is too long for a cell of 32"), plait_bytes("\xff", 1),
                      plait_bytearray("abc", 3), plait_float(1.5), plait_uint(UINT64_MAX), plait_frozenset(1, plait_int(1)),
                      plait_set(2, plait_int(1), plait_none()),
                      plait_object_of_call("collections.Counter", plait_tuple(1, plait_dict(1, plait_int(1), plait_int(2)))),
                      plait_global("module.Class"), plait_instance(&number_class, &(struct number){ 5 }));
}

/* More of everything than there is room for without asking: nests, shared values, items on the stack, marks, the memo. */
static void make_value(void)
{
    CHECK((value = of_all_types()));
    for (int i = 0; i < 34; i++) {
        plait_value *item = plait_string("an item that is held by two lists at once");
        CHECK((value = plait_list(4, plait_value_ref(item), item, value, plait_int(i))));
    }
}

static void free_value(void)
{
    plait_value_free(value);
}

/* ---- writing ---- */

static int call_dumps(int protocol)
{
    bytes = plait_pickle_dumps(value, &(plait_pickle_options){ .protocol = protocol }, &size);
    return bytes ? 0 : -errno;
}

static int call_dumps_2(void) { return call_dumps(2); }
static int call_dumps_5(void) { return call_dumps(5); }

static void free_bytes(void)
{
    free(bytes);
    free_value();
}

static const struct fail_operation dumps_2 = {
    .set_up = keep_no_cells, .prepare = make_value, .run = call_dumps_2, .finish = free_bytes,
};
static const struct fail_operation dumps_5 = {
    .set_up = keep_no_cells, .prepare = make_value, .run = call_dumps_5, .finish = free_bytes,
};

/* ---- reading ---- */

static void make_pickle_2(void)
{
    make_value();
    CHECK(call_dumps(2) == 0);
}

static void make_pickle_5(void)
{
    make_value();
    CHECK(call_dumps(5) == 0);
}

static void make_text(void)
{
    static const char text[] = "(lp0\nI12345678901234567890123\naS'a\\x41'\naVa\\u20ac\naF1.5\na(i__builtin__\nxrange\naL5L\na"
                               "cbuiltins\ngetattr\n(cm\nOuter\nVInner\ntRa.";
    make_value();
    CHECK((bytes = malloc(sizeof text)));
    memcpy(bytes, text, size = sizeof text - 1);
}

static int call_loads(void)
{
    loaded = plait_pickle_loads(bytes, size, NULL);
    return loaded ? 0 : -errno;
}

static void free_all(void)
{
    plait_value_free(loaded);
    free_bytes();
}

static const struct fail_operation loads_2 = {
    .set_up = keep_no_cells, .prepare = make_pickle_2, .run = call_loads, .finish = free_all,
};
static const struct fail_operation loads_5 = {
    .set_up = keep_no_cells, .prepare = make_pickle_5, .run = call_loads, .finish = free_all,
};
static const struct fail_operation loads_text = {
    .set_up = keep_no_cells, .prepare = make_text, .run = call_loads, .finish = free_all,
};

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(dumps_2), FAIL_TESTS(dumps_5), FAIL_TESTS(loads_2), FAIL_TESTS(loads_5), FAIL_TESTS(loads_text),
};
TEST_MAIN(tests)
