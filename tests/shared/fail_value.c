/* Whatever making values, named memory and lists asks for may be refused: they say so, and leave no name. */
#include "fail.h"
#include "names.h"

#include <plait.h>

#include "base/fault.h"

static void *made;
static char name[NAME_SIZE];

static int make(void *object)
{
    made = object;
    return object ? 0 : -errno;
}

/* ---- in the arena ---- */

static int call_value_new(void) { return make(plait_shared_value_new('d', NULL, NULL)); }
static int call_array_new(void) { return make(plait_shared_array_new('i', 100000, NULL, NULL)); }

static void free_value(void)
{
    CHECK(plait_shared_value_add_double(made, 1, NULL, PLAIT_NOW) == 0 && plait_shared_value_free(made) == 0);
}

static void free_array(void)
{
    CHECK(plait_shared_array_add_int(made, -1, 1, NULL, PLAIT_NOW) == 0 && plait_shared_array_free(made) == 0);
}

static const struct fail_operation first_value = { .run = call_value_new, .finish = free_value };
static const struct fail_operation first_array = { .run = call_array_new, .finish = free_array };

/* ---- with names ---- */

static void choose_name(void)
{
    name_of(name, "fail");
}

static int unless_left(int result)
{
    if (result < 0) CHECK(!is_there(name));
    return result;
}

static int call_create(void) { return unless_left(make(plait_shared_memory_create(name, 10000))); }
static int call_create_unnamed(void) { return make(plait_shared_memory_create(NULL, 10000)); }

static void free_memory(void)
{
    CHECK(plait_shared_memory_unlink(made) == 0 && plait_shared_memory_free(made) == 0);
}

static void choose_name_without_stdin(void)
{
    close(STDIN_FILENO);
    choose_name();
}

static void choose_name_without_tmpfile(void)
{
    plait__set_without(PLAIT__WITHOUT_TMPFILE);
    close(STDIN_FILENO);
    choose_name();
}

static const struct fail_operation create = { .set_up = choose_name, .run = call_create, .finish = free_memory };
static const struct fail_operation create_unnamed = { .set_up = choose_name, .run = call_create_unnamed, .finish = free_memory };
static const struct fail_operation create_without_stdin = {
    .set_up = choose_name_without_stdin, .run = call_create, .finish = free_memory,
};
static const struct fail_operation create_by_name_first = {
    .set_up = choose_name_without_tmpfile, .run = call_create, .finish = free_memory,
};

static plait_shared_memory *there;

static void make_it_before(void)
{
    choose_name();
    CHECK((there = plait_shared_memory_create(name, 10000)));
}

static int call_attach(void) { return make(plait_shared_memory_attach(name)); }

static void free_both(void)
{
    CHECK(plait_shared_memory_free(made) == 0);
    CHECK(plait_shared_memory_unlink(there) == 0 && plait_shared_memory_free(there) == 0);
}

static const struct fail_operation attach = { .prepare = make_it_before, .run = call_attach, .finish = free_both };

static plait_shareable_list *new_list(void)
{
    const plait_list_item items[] = { plait_item_int(1), plait_item_str("two") };
    return plait_shareable_list_create(name, items, 2);
}

static int call_list_create(void) { return unless_left(make(new_list())); }

static void free_list(void)
{
    CHECK(plait_shareable_list_index(made, plait_item_str("two")) == 1);
    CHECK(plait_shared_memory_unlink(plait_shareable_list_shm(made)) == 0 && plait_shareable_list_free(made) == 0);
}

static const struct fail_operation list_create = { .set_up = choose_name, .run = call_list_create, .finish = free_list };

static plait_shareable_list *list_there;

static void make_list_before(void)
{
    choose_name();
    CHECK((list_there = new_list()));
}

static int call_list_attach(void) { return make(plait_shareable_list_attach(name)); }

static void free_both_lists(void)
{
    CHECK(plait_shareable_list_free(list_there) == 0);
    free_list();
}

static const struct fail_operation list_attach = {
    .prepare = make_list_before, .run = call_list_attach, .finish = free_both_lists,
};

/* ---- signals ---- */

static void memory_is_made_however_often_signals_come(void **state)
{
    struct stat status;
    fail_fallocate_above = 10000;
    choose_name();
    plait_shared_memory *memory = plait_shared_memory_create(name, 6000001);
    assert_non_null(memory);
    assert_true(look_up(name, &status) && status.st_size == 6000001 && status.st_blocks * 512 >= 6000001);
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(first_value),
    FAIL_TESTS(first_array),
    FAIL_TESTS(create),
    FAIL_TESTS(create_unnamed),
    FAIL_TESTS(create_without_stdin),
    FAIL_TESTS(create_by_name_first),
    FAIL_TESTS(attach),
    FAIL_TESTS(list_create),
    FAIL_TESTS(list_attach),
    NAMED_TEST(memory_is_made_however_often_signals_come),
};
TEST_MAIN(tests)
