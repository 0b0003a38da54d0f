/* Whatever is asked of the system to find a function may be refused: then it is not found, and the detail says why. */
#include "references.h"
#include "fail.h"

static struct reference *reference;

static int add_three(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + 3;
    return 0;
}

static int describe_one(void)
{
    return plait__function_describe((plait__code)add_three, &reference->function);
}

static void make_reference(void)
{
    reference = new_reference();
}

static void forget_reference(void)
{
    CHECK(munmap(reference, sizeof *reference) == 0);
}

static const struct fail_operation describing = {
    .prepare = make_reference, .run = describe_one, .finish = forget_reference, .may_need_nothing = true,
};

#if !TEST_IS_STATIC

static void make_plugin(void)
{
    CHECK(make_plugin_folder(NULL) == 0);
    put_plugin("one.so", "a.so");
    reference = describe_elsewhere("a.so");
}

static void make_plugin_without_id(void)
{
    CHECK(make_plugin_folder(NULL) == 0);
    put_plugin("other_one.so", "a.so");
    reference = describe_elsewhere("a.so");
}

static void remove_it(void)
{
    CHECK(remove_plugin_folder(NULL) == 0);
    forget_reference();
}

static int look_into_file(void)
{
    struct plait__build build;
    return plait__module_build_of_file(plugin_path("a.so").text, &build);
}

static const struct fail_operation looking_into_a_file = {
    .prepare = make_plugin, .run = look_into_file, .finish = remove_it,
};
static const struct fail_operation hashing_a_file = {
    .prepare = make_plugin_without_id, .run = look_into_file, .finish = remove_it,
};

/* A module that was opened stays: so in a child. */
static int find_it(void *unused)
{
    plait__code code;
    const int error = plait__function_find(&reference->function, (size_t)reference->size, &code);
    if (error) CHECK(error == PLAIT_ENOFUNCTION && strstr(plait_error_detail(), "a.so: build-id "));
    else CHECK(run(code) == 11);
    return 0;
}

static int find_in_a_child(void)
{
    CHECK(test_wait_exit(test_fork(find_it, NULL)) == 0);
    return 0;
}

static const struct fail_operation opening_a_module = {
    .prepare = make_plugin, .run = find_in_a_child, .finish = remove_it, .in_children = true,
};

#endif

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(describing),
#if !TEST_IS_STATIC
    FAIL_TESTS(looking_into_a_file),
    FAIL_TESTS(hashing_a_file),
    FAIL_TESTS(opening_a_module),
#endif
};
TEST_MAIN(tests)
