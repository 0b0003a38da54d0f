/* What can not travel, and what is not opened: no code of it runs, and nobody jumps to where nothing is. */
#include "references.h"

#include <elf.h>
#include <sys/auxv.h>

static int add_three(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + 3;
    return 0;
}

/* ---- no functions of a module ---- */

static void must_not_travel(const void *address, const char *why)
{
    struct plait__function function;
    assert_int_equal(plait__function_describe((plait__code)(uintptr_t)address, &function), PLAIT_ENOFUNCTION);
    if (!strstr(plait_error_detail(), why)) fail_msg("%s", plait_error_detail());
}

static void null(void **state)
{
    must_not_travel(NULL, "NULL");
}

static void code_that_was_made_at_run_time(void **state)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    must_not_travel(page, "made at run time");
    munmap(page, 4096);
    must_not_travel(page, "made at run time");
}

static int some_data = 1;
static const int a_constant = 1;

static void data(void **state)
{
    int local;
    void *allocated = malloc(16);
    must_not_travel(&some_data, "data of the program");
    must_not_travel(&a_constant, "data of the program");
    must_not_travel(&local, "no module");
    must_not_travel(allocated, "no module");
    must_not_travel((void *)1, "no module");
    must_not_travel((void *)UINTPTR_MAX, "no module");
    free(allocated);
}

static void functions_of_the_kernel(void **state)
{
    const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
    if (!vdso) skip();
    must_not_travel((void *)(vdso + ((const ElfW(Ehdr) *)vdso)->e_entry), "no module");
    must_not_travel((void *)(vdso + 0x800), "no module");
}

/* ---- damaged references ---- */

static void every_length_that_is_too_short(void **state)
{
    struct reference *reference = new_reference();
    plait__code code;
    describe((plait__code)add_three, reference);
    for (size_t size = 0; size < (size_t)reference->size; size++)
        assert_int_equal(plait__function_find(&reference->function, size, &code), PLAIT_ENOFUNCTION);
}

static void fields_that_make_no_sense(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    const struct plait__function good = reference->function;
    reference->function.path_length = UINT32_MAX;
    must_not_find(reference, "damaged");
    reference->function = good;
    reference->function.name = 1;
    must_not_find(reference, "damaged");
    reference->function = good;
    reference->function.path[0] = 'x';
    must_not_find(reference, "damaged");
    reference->function = good;
    reference->function.build.kind = PLAIT__NO_BUILD;
    must_not_find(reference, "damaged");
    reference->function = good;
    reference->function.is_program = 0;
    must_not_find(reference, "damaged");
}

static void offsets_outside_of_the_code(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    const uint64_t offset = reference->function.offset;
    const uint64_t others[] = { 0, offset + (1 << 30), UINT64_MAX, offset + ((uintptr_t)&some_data - (uintptr_t)add_three) };
    for (int i = 0; i < 4; i++) {
        reference->function.offset = others[i];
        must_not_find(reference, "outside of its code");
    }
}

#if TEST_IS_STATIC

static void a_static_program_opens_nothing(void **state)
{
    struct reference *reference = new_reference();
    describe((plait__code)add_three, reference);
    reference->function.is_program = 0;
    reference->function.path_length = (uint32_t)strlen(strcpy(reference->function.path, "/lib/x.so"));
    reference->size += 9;
    must_not_find(reference, "/lib/x.so: ");
    must_not_find(reference, "this program is static");
}

#else

/* ---- files ---- */

static struct reference *make_reference(void)
{
    put_plugin("one.so", "a.so");
    return describe_elsewhere("a.so");
}

static void expect_no_trace(const struct reference *reference, const char *why)
{
    must_not_find(reference, why);
    must_not_find(reference, "/a.so: build-id ");
    assert_false(one_was_opened());
}

static void another_build(void **state)
{
    struct reference *reference = make_reference();
    put_plugin("two.so", "a.so");
    expect_no_trace(reference, " expected, build-id ");
    put_plugin("other_one.so", "a.so");
    expect_no_trace(reference, " expected, content with hash ");
}

static void no_file(void **state)
{
    struct reference *reference = make_reference();
    remove_plugin("a.so");
    expect_no_trace(reference, "No such file or directory");
}

static void no_file_that_may_be_read(void **state)
{
    struct reference *reference = make_reference();
    remove_plugin("a.so");
    assert_int_equal(mkdir(plugin_path("a.so").text, 0700), 0);
    expect_no_trace(reference, "it is no file");
    assert_int_equal(rmdir(plugin_path("a.so").text), 0);
    assert_int_equal(mkfifo(plugin_path("a.so").text, 0700), 0);
    expect_no_trace(reference, "it is no file");
    assert_int_equal(unlink(plugin_path("a.so").text), 0);
    assert_int_equal(symlink("a.so", plugin_path("a.so").text), 0);
    expect_no_trace(reference, "symbolic links");
}

static void no_shared_object(void **state)
{
    struct reference *reference = make_reference();
    static const char text[5000] = "#!/bin/sh\n";
    const size_t sizes[] = { 0, 1, 10, 63, 64, sizeof text };
    for (int i = 0; i < 6; i++) {
        remove_plugin("a.so");
        write_file(plugin_path("a.so").text, text, sizes[i]);
        expect_no_trace(reference, "it is no shared object");
    }
}

static void a_program(void **state)
{
    struct reference *reference = make_reference();
    struct content content = read_file("/proc/self/exe");
    remove_plugin("a.so");
    write_file(plugin_path("a.so").text, content.bytes, content.size);
    expect_no_trace(reference, "");
    free(content.bytes);
}

/* Behind what is loaded there are tables that nobody needs. */
static size_t loaded_size(const struct content *content)
{
    const ElfW(Ehdr) *header = (const void *)content->bytes;
    const ElfW(Phdr) *headers = (const void *)(content->bytes + header->e_phoff);
    size_t size = 0;
    for (int i = 0; i < header->e_phnum; i++)
        if (headers[i].p_type == PT_LOAD && headers[i].p_offset + headers[i].p_filesz > size)
            size = headers[i].p_offset + headers[i].p_filesz;
    return size;
}

static void every_file_that_is_cut_short(void **state)
{
    struct reference *reference = make_reference();
    struct content content = plugin_content("one.so");
    const size_t whole = loaded_size(&content);
    for (size_t size = 0; size < whole; size += size < 1000 || size > whole - 10 ? 1 : 97) {
        remove_plugin("a.so");
        write_file(plugin_path("a.so").text, content.bytes, size);
        expect_no_trace(reference, size < sizeof(ElfW(Ehdr)) ? "it is no shared object" : "it is cut short");
    }
    free(content.bytes);
}

/* Nobody trusts what is written in there. */
static void every_damaged_byte_of_the_tables(void **state)
{
    struct content content = plugin_content("one.so");
    struct plait__build build;
    static const unsigned char others[] = { 0x01, 0x80, 0xff };
    for (size_t i = 0; i < 1200; i++) {
        for (int j = 0; j < 3; j++) {
            content.bytes[i] = (char)((unsigned char)content.bytes[i] ^ others[j]);
            unlink(plugin_path("a.so").text);
            write_file(plugin_path("a.so").text, content.bytes, content.size);
            const int error = plait__module_build_of_file(plugin_path("a.so").text, &build);
            assert_true(error == 0 || error == PLAIT_ENOFUNCTION);
            content.bytes[i] = (char)((unsigned char)content.bytes[i] ^ others[j]);
        }
    }
    free(content.bytes);
}

/* What the loader says. */
static void a_file_that_the_loader_does_not_take(void **state)
{
    struct reference *reference = make_reference();
    struct content content = plugin_content("one.so");
    ((ElfW(Ehdr) *)(void *)content.bytes)->e_machine ^= 1;
    remove_plugin("a.so");
    write_file(plugin_path("a.so").text, content.bytes, content.size);
    expect_no_trace(reference, "a.so");
    free(content.bytes);
}

static void a_place_in_a_plug_in_that_is_no_code(void **state)
{
    struct reference *reference = make_reference();
    reference->function.offset = 0;
    must_not_find(reference, "outside of its code");
    must_not_travel(dlsym(open_plugin("a.so"), "plugin_data"), "/a.so");
}

#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(null),
    cmocka_unit_test(code_that_was_made_at_run_time),
    cmocka_unit_test(data),
    cmocka_unit_test(functions_of_the_kernel),
    cmocka_unit_test(every_length_that_is_too_short),
    cmocka_unit_test(fields_that_make_no_sense),
    cmocka_unit_test(offsets_outside_of_the_code),
#if TEST_IS_STATIC
    cmocka_unit_test(a_static_program_opens_nothing),
#else
    WITH_PLUGINS(another_build),
    WITH_PLUGINS(no_file),
    WITH_PLUGINS(no_file_that_may_be_read),
    WITH_PLUGINS(no_shared_object),
    WITH_PLUGINS(a_program),
    WITH_PLUGINS(every_file_that_is_cut_short),
    WITH_PLUGINS(every_damaged_byte_of_the_tables),
    WITH_PLUGINS(a_file_that_the_loader_does_not_take),
    WITH_PLUGINS(a_place_in_a_plug_in_that_is_no_code),
#endif
};

TEST_MAIN(tests)
