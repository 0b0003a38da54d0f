/* A function of the program, of a library, of a plug-in is found in another process: where it lies there. */
#include "references.h"

#include <link.h>
#include <sys/auxv.h>

static int add_three(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + 3;
    return 0;
}

/* ---- of the program ---- */

static int find_and_run(void *reference)
{
    return run(must_find(reference));
}

static void a_static_function_of_the_program(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    assert_int_equal(run(must_find(reference)), 13);
    assert_int_equal(test_wait_exit(test_fork(find_and_run, reference)), 13);
}

static void the_reference_is_short_and_names_no_file(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    assert_true(reference->function.is_program);
    assert_string_equal(reference->function.path, "");
    assert_in_range(reference->size, 69, 80);
}

static void a_program_at_another_address(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    reference->function.address += 1 << 20;
    assert_int_equal(run(must_find(reference)), 13);
    reference->function.address = 0;
    assert_int_equal(run(must_find(reference)), 13);
}

static void another_program_is_refused(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    reference->function.build.bytes[5] ^= 1;
    must_not_find(reference, "the program: ");
    assert_non_null(strstr(plait_error_detail(), " expected, "));
    assert_non_null(strstr(plait_error_detail(), " found"));
}

/* This program, as a file that is there no more when it starts. */
static int become_a_removed_program(void *test)
{
    struct content content = read_file("/proc/self/exe");
    write_file(plugin_path("program").text, content.bytes, content.size);
    const int fd = open(plugin_path("program").text, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    remove_plugin("program");
    fexecve(fd, (char *[]){ "another name", test, NULL }, environ);
    return 98;
}

static void a_program_without_a_file(void **state)
{
    host_run(become_a_removed_program, "a_static_function_of_the_program");
    host_run(become_a_removed_program, "another_program_is_refused");
}

/* ---- of libraries ---- */

static void functions_of_libraries(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)strlen, reference);
    assert_int_equal(((size_t (*)(const char *))must_find(reference))("four"), 4);
    describe((plait__code)plait_strerror, reference);
    assert_ptr_equal(must_find(reference), plait_strerror);
}

static void the_name_of_a_library_is_enough_where_it_is_open(void **state)
{
    SKIP_IF_STATIC();
    struct reference *reference = new_reference();
    describe((plait__code)getpid, reference);
    reference->function.address = 0;
    assert_int_equal(((pid_t (*)(void))must_find(reference))(), getpid());
}

#if !TEST_IS_STATIC

/* ---- of plug-ins ---- */

static void a_plug_in_is_opened(void **state)
{
    put_plugin("one.so", "a.so");
    struct reference *reference = describe_elsewhere("a.so");
    assert_false(one_was_opened());
    assert_int_equal(run(must_find(reference)), 11);
    assert_true(one_was_opened());
    remove_plugin("a.so");
    assert_int_equal(run(must_find(reference)), 11);
}

static void at_another_address(void **state)
{
    put_plugin("one.so", "a.so");
    struct reference *reference = describe_elsewhere("a.so");
    be_in_its_place(reference);
    assert_int_equal(run(must_find(reference)), 11);
    assert_int_not_equal((uintptr_t)must_find(reference), reference->function.address);
}

static void open_already_and_at_another_address(void **state)
{
    put_plugin("one.so", "a.so");
    struct reference *reference = describe_elsewhere("a.so");
    be_in_its_place(reference);
    void *handle = open_plugin("a.so");
    remove_plugin("a.so");
    assert_ptr_equal(must_find(reference), task_of(handle));
    assert_int_equal(dlclose(handle), 0);
    assert_int_equal(run(must_find(reference)), 11);
}

/* Another one may lie at the same place by now. */
static void closed_meanwhile(void **state)
{
    put_plugin("one.so", "a.so");
    put_plugin("two.so", "b.so");
    struct reference *reference = new_reference();
    for (int i = 0; i < 3; i++) {
        void *handle = open_plugin("a.so");
        describe((plait__code)task_of(handle), reference);
        assert_int_equal(dlclose(handle), 0);
        void *other = open_plugin("b.so");
        printf("%s place\n", (uintptr_t)task_of(other) == reference->function.address ? "the same" : "another");
        assert_int_equal(run(must_find(reference)), 11);
        assert_int_equal(run((plait__code)task_of(other)), 12);
        assert_int_equal(dlclose(other), 0);
    }
}

static void replaced_by_another_build_at_the_same_place(void **state)
{
    put_plugin("one.so", "a.so");
    struct reference *reference = new_reference();
    void *handle = open_plugin("a.so");
    describe((plait__code)task_of(handle), reference);
    assert_int_equal(dlclose(handle), 0);
    put_plugin("two.so", "a.so");
    open_plugin("a.so");
    must_not_find(reference, "/a.so: build-id ");
    assert_non_null(strstr(plait_error_detail(), " expected, build-id "));
}

static void the_same_build_under_two_names_is_two_modules(void **state)
{
    put_plugin("one.so", "a.so");
    put_plugin("one.so", "b.so");
    struct reference *a = describe_elsewhere("a.so"), *b = describe_elsewhere("b.so");
    const plait__code of_a = must_find(a), of_b = must_find(b);
    assert_ptr_equal(of_a, task_of(open_plugin("a.so")));
    assert_ptr_equal(of_b, task_of(open_plugin("b.so")));
    assert_ptr_not_equal(of_a, of_b);
}

static int open_relatively(void *reference)
{
    CHECK(chdir(plugin_folder) == 0);
    void *handle = dlopen("./a.so", RTLD_NOW | RTLD_LOCAL);
    CHECK(handle);
    describe((plait__code)task_of(handle), reference);
    CHECK(chdir("/") == 0);
    CHECK(run(must_find(reference)) == 11);
    return 0;
}

static void a_relative_path(void **state)
{
    put_plugin("one.so", "a.so");
    struct reference *reference = new_reference();
    host_run(open_relatively, reference);
    assert_int_equal(run(must_find(reference)), 11);
}

static void without_a_build_id(void **state)
{
    put_plugin("other_one.so", "a.so");
    struct reference *reference = describe_elsewhere("a.so");
    be_in_its_place(reference);
    assert_int_equal(reference->function.build.kind, PLAIT__BUILD_HASH);
    put_plugin("other_two.so", "a.so");
    must_not_find(reference, "content with hash ");
    assert_false(one_was_opened());
    put_plugin("one.so", "a.so");
    must_not_find(reference, " found");
    assert_false(one_was_opened());
    put_plugin("other_one.so", "a.so");
    assert_int_equal(run(must_find(reference)), 11);
}

/* ---- whoever holds a lock of the loader ---- */

static _Atomic int inside, may_leave;

static int hold_the_lock(struct dl_phdr_info *info, size_t size, void *unused)
{
    inside = 1;
    test_until(is_set, &may_leave);
    return 1;
}

static void *look_at_modules(void *unused)
{
    dl_iterate_phdr(hold_the_lock, NULL);
    return NULL;
}

static int find_both(void *references)
{
    struct reference **both = references;
    CHECK(run(must_find(both[0])) == 11);
    CHECK(run(must_find(both[1])) == 13);
    describe((plait__code)add_three, both[0]);
    return 0;
}

/* Its lock is copied locked: the child may not need it for what was open before. */
static void a_fork_while_a_thread_is_in_the_loader(void **state)
{
    put_plugin("one.so", "a.so");
    struct reference *both[] = { new_reference(), new_reference() };
    describe((plait__code)task_of(open_plugin("a.so")), both[0]);
    describe((plait__code)add_three, both[1]);
    const pthread_t thread = thread_start(look_at_modules, NULL);
    test_until(is_set, &inside);
    const pid_t child = test_fork(find_both, both);
    const int status = test_wait_exit(child);
    may_leave = 1;
    thread_end(thread);
    assert_int_equal(status, 0);
}

#endif

/* ---- many at a time ---- */

static void *describe_often(void *unused)
{
    struct reference *reference = malloc(sizeof *reference);
    for (int i = 0; i < 1000; i++) {
        describe((plait__code)add_three, reference);
        CHECK(run(must_find(reference)) == 13);
    }
    free(reference);
    return NULL;
}

static int describe_in_threads(void *unused)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = thread_start(describe_often, NULL);
    for (int i = 0; i < 20; i++) {
        struct reference *reference = new_reference();
        describe((plait__code)add_three, reference);
        CHECK(test_wait_exit(test_fork(find_and_run, reference)) == 13);
    }
    for (int i = 0; i < 4; i++) thread_end(threads[i]);
    return 0;
}

static void from_several_threads_and_in_forks_of_them(void **state)
{
    for (int i = 0; i < 3; i++) host_run(describe_in_threads, NULL);
}

#if !TEST_IS_STATIC

/* ---- children that don't find it ---- */

/* Why, they tell, whatever else fails before somebody asks. */
static int start_what_is_gone(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    put_plugin("one.so", "a.so");
    int (*const function)(void *) = (int (*)(void *))(plait__code)task_of(open_plugin("a.so"));
    remove_plugin("a.so");
    const int methods[] = { PLAIT_SPAWN, PLAIT_FORKSERVER };
    for (int i = 0; i < 2; i++) {
        plait_process *process = plait_start(function, NULL, 0, &(plait_process_options){ .method = methods[i] });
        CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
        CHECK(plait_process_join(NULL, PLAIT_NOW) == -EINVAL);
        CHECK(plait_process_exitcode(process) == PLAIT_ENOFUNCTION && strstr(plait_error_detail(), "a.so"));
        CHECK(plait_process_free(process) == 0);
    }
    return 0;
}

static void a_child_tells_what_it_has_not_found(void **state)
{
    host_run(start_what_is_gone, NULL);
}

#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_static_function_of_the_program),
    cmocka_unit_test(the_reference_is_short_and_names_no_file),
    cmocka_unit_test(a_program_at_another_address),
    cmocka_unit_test(another_program_is_refused),
    WITH_PLUGINS(a_program_without_a_file),
    cmocka_unit_test(functions_of_libraries),
    cmocka_unit_test(the_name_of_a_library_is_enough_where_it_is_open),
#if !TEST_IS_STATIC
    WITH_PLUGINS(a_plug_in_is_opened),
    WITH_PLUGINS(at_another_address),
    WITH_PLUGINS(open_already_and_at_another_address),
    WITH_PLUGINS(closed_meanwhile),
    WITH_PLUGINS(replaced_by_another_build_at_the_same_place),
    WITH_PLUGINS(the_same_build_under_two_names_is_two_modules),
    WITH_PLUGINS(a_relative_path),
    WITH_PLUGINS(without_a_build_id),
    WITH_PLUGINS(a_child_tells_what_it_has_not_found),
    WITH_PLUGINS(a_fork_while_a_thread_is_in_the_loader),
#endif
    cmocka_unit_test(from_several_threads_and_in_forks_of_them),
};

TEST_MAIN(tests)
