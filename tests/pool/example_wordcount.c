/* The example wordcount: what it counts, compared with a second way of counting, and how it takes what is wrong. */
#include "program.h"
#include "tally.h"

#define ALL_WORDS "-n1000000"
#define TREE "tree"

/* --- a tree with everything in it ------------------------------------------------------------------------------------- */

static void add_file(struct tally *tally, const char *name, const void *content, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, TREE "/%s", name);
    make_file(path, content, size);
    tally_file(tally, content, size);
}

static void add_text(struct tally *tally, const char *name, const char *text)
{
    add_file(tally, name, text, strlen(text));
}

static void add_words(struct tally *tally)
{
    make_folder(TREE "/folder");
    make_folder(TREE "/folder/in a folder");
    make_folder(TREE "/folder/empty");
    add_text(tally, "plain", "The cat and the dog.\nTHE END\n");
    add_text(tally, "empty", "");
    add_text(tally, "no words", " \n.,;:!?()[]{}<>@#$%^&*-+=|\\/~`'\"\t\r\v\f\x01\x1f\x7f");
    add_text(tally, "no newline", "snake_case _x 42 0x2a it's");
    add_text(tally, "folder/letters", "caf\xc3\xa9 CAF\xc3\x89 na\xc3\xafve \xff\x80 \xe6\xbc\xa2\xe5\xad\x97");
    add_text(tally, "folder/in a folder/one", "one");
    add_text(tally, "folder/in a folder/all bounds", "@AZ[`az{/09:^_\x7f\x80");
    add_text(tally, "folder/.hidden", "hidden");
}

static void add_long_words(struct tally *tally)
{
    static const size_t lengths[] = { 6, 7, 8, 9, 15, 16, 17, 247, 248, 254, 255, 256, 257, 1000 };
    static unsigned char text[70000];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char name[32];
        memset(text, 'L', sizeof text);
        memcpy(text + lengths[i], "! word", 6);
        snprintf(name, sizeof name, "long-%zu", lengths[i]);
        add_file(tally, name, text, lengths[i] + 6);
    }
    memset(text, 'x', sizeof text);
    add_file(tally, "longer than what is read at a time", text, sizeof text);
    text[300] = ' ';
    add_file(tally, "two", text, sizeof text);
}

/* Not text: the first has a zero early, the second a little too late to be called binary. */
static void add_binaries(struct tally *tally)
{
    static unsigned char bytes[9000];
    memset(bytes, 'b', sizeof bytes);
    bytes[8191] = 0;
    make_file(TREE "/binary", bytes, sizeof bytes);
    bytes[8191] = 'b';
    bytes[8192] = 0;
    add_file(tally, "nearly binary", bytes, sizeof bytes);
}

/* Large files are cut into pieces and read in parts: here words lie across all the borders. */
static void add_large_files(struct tally *tally, uint64_t *random)
{
    enum { SIZE = 3500000 };
    unsigned char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    random_text(bytes, SIZE, random);
    add_file(tally, "large", bytes, SIZE);
    for (size_t at = 1 << 20; at < SIZE; at += 1 << 20) memset(bytes + at - 150, 'k', 400);
    bytes[(2 << 20) - 1] = ' ';
    bytes[3 << 20] = ' ';
    add_file(tally, "words across borders", bytes, SIZE);
    memset(bytes + 50, 'g', SIZE - 100);
    add_file(tally, "one giant word", bytes, SIZE);
    memset(bytes, 'g', SIZE);
    add_file(tally, "only one giant word", bytes, SIZE);
    for (size_t at = 0; at < SIZE; at += 2) bytes[at] = '\n';
    add_file(tally, "short words", bytes, SIZE);
    free(bytes);
}

/* What is left out of folders: links, folders again, and what is no file. */
static void add_others(void)
{
    assert_int_equal(symlink("..", TREE "/folder/loop"), 0);
    assert_int_equal(symlink("plain", TREE "/link to a file"), 0);
    assert_int_equal(symlink("nowhere", TREE "/link to nothing"), 0);
    assert_int_equal(mkfifo(TREE "/pipe", 0644), 0);
}

static char *make_tree(struct tally *tally)
{
    uint64_t random = test_seed();
    make_folder(TREE);
    add_words(tally);
    add_long_words(tally);
    add_binaries(tally);
    add_large_files(tally, &random);
    add_others();
    tally_merge(tally);
    return tally_report(tally, 1, "; 1 binary skipped");
}

/* --- what it counts --------------------------------------------------------------------------------------------------- */

static void counts_with(const char *workers)
{
    struct tally tally = { 0 };
    char *report = make_tree(&tally);
    struct program program = { 0 };
    program_run(&program, "wordcount", workers, ALL_WORDS, TREE, NULL);
    assert_string_equal(program.err, "");
    assert_int_equal(program.status, 0);
    assert_report(program.out, report);
    program_free(&program);
    free(report);
    tally_free(&tally);
    remove_folder(TREE);
}

static void one_worker(void **state)
{
    counts_with("-j1");
}

static void two_workers(void **state)
{
    counts_with("-j2");
}

static void more_workers_than_cpus(void **state)
{
    counts_with("-j50");
}

static void top_words(void **state)
{
    make_file("a", "b c\nb a C c\n", 12);
    struct program program = { 0 };
    program_run(&program, "wordcount", "-n", "2", "a", NULL);
    assert_report(program.out, "wordcount: 1 file, 0.0 MB, 6 words, 3 different\n"
                               "              3  c\n"
                               "              2  b\n"
                               "Reading");
    program_free(&program);
    program_run(&program, "wordcount", "-n0", "a", "a", NULL);
    assert_report(program.out, "wordcount: 2 files, 0.0 MB, 12 words, 3 different\nReading");
    program_free(&program);
    remove("a");
}

static void names_from_standard_input(void **state)
{
    struct tally tally = { 0 };
    char *report = make_tree(&tally), *with_unreadable = tally_report(&tally, 1, "; 1 binary skipped; 1 unreadable");
    struct program program = { .input = TREE };             /* no newline at the end */
    program_run(&program, "wordcount", ALL_WORDS, "-", NULL);
    assert_string_equal(program.err, "");
    assert_report(program.out, report);
    program_free(&program);
    program.input = "\n\nmissing\n" TREE "\n\n";
    program_run(&program, "wordcount", ALL_WORDS, "-", NULL);
    assert_string_equal(program.err, "wordcount: missing: No such file or directory\n");
    assert_report(program.out, with_unreadable);
    assert_int_equal(program.status, 0);
    program_free(&program);
    free(report);
    free(with_unreadable);
    tally_free(&tally);
    remove_folder(TREE);
}

/* So many files that lists have to grow, and more than can be open at a time. */
static void a_hundred_thousand_files(void **state)
{
    enum { FOLDERS = 50, FILES = 2000 };
    struct tally tally = { 0 };
    make_folder(TREE);
    for (int folder = 0; folder < FOLDERS; folder++) {
        char path[64], first[64];
        snprintf(path, sizeof path, TREE "/%d", folder);
        make_folder(path);
        snprintf(first, sizeof first, TREE "/%d/0", folder);
        make_file(first, "two words", 9);
        for (int file = 1; file < FILES; file++) {
            snprintf(path, sizeof path, TREE "/%d/%d", folder, file);
            assert_int_equal(link(first, path), 0);
        }
    }
    tally_file(&tally, "two words", 9);
    tally_merge(&tally);
    char *report = tally_report(&tally, FOLDERS * FILES, "");
    struct program program = { 0 };
    program_run(&program, "wordcount", TREE, NULL);
    assert_string_equal(program.err, "");
    assert_report(program.out, report);
    program_free(&program);
    free(report);
    tally_free(&tally);
    remove_folder(TREE);
}

/* Nothing but words that are there only once: more than the first guess at the memory they need. */
static void many_different_words(void **state)
{
    enum { WORDS = 400000, LENGTH = 8 };
    static char text[WORDS * LENGTH + 1];
    for (int i = 0; i < WORDS; i++) sprintf(text + i * LENGTH, "w%06x\n", i * 37);
    struct tally tally = { 0 };
    tally_file(&tally, text, sizeof text - 1);
    tally_merge(&tally);
    char *report = tally_report(&tally, 1, "");
    make_file("a", text, sizeof text - 1);
    struct program program = { 0 };
    program_run(&program, "wordcount", ALL_WORDS, "a", NULL);
    assert_string_equal(program.err, "");
    assert_report(program.out, report);
    program_free(&program);
    free(report);
    tally_free(&tally);
    remove("a");
}

static void default_folders(void **state)
{
    struct program program = { 0 };
    program_run(&program, "wordcount", NULL);
    assert_int_equal(program.status, 0);
    assert_report(program.out, "wordcount: ");
    program_free(&program);
}

/* --- what is wrong ---------------------------------------------------------------------------------------------------- */

static void refuses(int status, const char *message, const char *one, const char *two)
{
    struct program program = { 0 };
    program_run(&program, "wordcount", one, two, NULL);
    assert_string_equal(program.out, "");
    assert_non_null(strstr(program.err, message));
    assert_int_equal(program.status, status);
    program_free(&program);
}

static void wrong_options(void **state)
{
    static const char *const numbers[] = { "0", "-1", "x", "2x", "", "1025", "99999999999999999999" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        refuses(2, "wordcount: -j wants a number from 1 to 1024, not '", "-j", numbers[i]);
    refuses(2, "wordcount: -n wants a number", "-n", "-1");
    refuses(2, "usage: wordcount", "-x", NULL);
    refuses(2, "usage: wordcount", "-j", NULL);
    struct program program = { 0 };
    program_run(&program, "wordcount", "-h", NULL);
    assert_int_equal(program.status, 0);
    assert_non_null(strstr(program.out, "usage: wordcount"));
    program_free(&program);
}

static void nothing_to_read(void **state)
{
    make_folder(TREE);
    refuses(1, "wordcount: no files there\n", TREE, NULL);
    refuses(1, "wordcount: no files there\n", "-", NULL);
    remove_folder(TREE);
    struct program program = { 0 };
    program_run(&program, "wordcount", "missing", "/dev/null", NULL);
    assert_string_equal(program.err, "wordcount: missing: No such file or directory\n"
                                     "wordcount: /dev/null: neither a file nor a folder\n");
    assert_int_equal(program.status, 1);
    program_free(&program);
}

static void only_empty_or_binary_files(void **state)
{
    make_file("empty", "", 0);
    make_file("binary", "", 1);
    struct program program = { 0 };
    program_run(&program, "wordcount", "empty", "binary", NULL);
    assert_string_equal(program.err, "");
    assert_int_equal(program.status, 0);
    assert_report(program.out, "wordcount: 1 file, 0.0 MB, 0 words, 0 different; 1 binary skipped\nReading");
    program_free(&program);
    remove("empty");
    remove("binary");
}

static void unreadable_files(void **state)
{
    make_file("a", "a", 1);
    assert_int_equal(symlink("loop", "loop"), 0);
    struct program program = { 0 };
    program_run(&program, "wordcount", "1", "loop", "3", "a", "4", "5", "6", "7", NULL);
    assert_string_equal(program.err, "wordcount: 1: No such file or directory\n"
                                     "wordcount: loop: Too many levels of symbolic links\n"
                                     "wordcount: 3: No such file or directory\n"
                                     "wordcount: 4: No such file or directory\n"
                                     "wordcount: 5: No such file or directory\n"
                                     "wordcount: and 2 more could not be read\n");
    assert_report(program.out, "wordcount: 1 file, 0.0 MB, 1 word, 1 different; 7 unreadable\n              1  a\nReading");
    assert_int_equal(program.status, 0);
    program_free(&program);
    remove("loop");
    remove("a");
}

/* Files that the kernel lists but does not let us read, or that are gone: found only when they are opened. */
static void files_that_fail_late(void **state)
{
    struct program program = { 0 };
    make_file("a", "a", 1);
    program_run(&program, "wordcount", "/proc/self/mem", "a", NULL);
    assert_string_equal(program.err, "wordcount: /proc/self/mem: Input/output error\n");
    assert_int_equal(program.status, 0);
    program_free(&program);
    remove("a");
}

static void names_and_links_as_arguments(void **state)
{
    make_folder(TREE);
    make_file(TREE "/a", "a", 1);
    assert_int_equal(symlink(TREE, "link"), 0);
    assert_int_equal(symlink(TREE "/a", "link to a"), 0);
    struct program program = { 0 };
    program_run(&program, "wordcount", "link", "link to a", TREE "/", "./" TREE "//a", NULL);
    assert_string_equal(program.err, "");
    assert_report(program.out, "wordcount: 4 files, 0.0 MB, 4 words, 1 different\n              4  a\nReading");
    program_free(&program);
    remove("link");
    remove("link to a");
    remove_folder(TREE);
}

static void an_output_that_is_full(void **state)
{
    struct program program = { .out_to = open("/dev/full", O_WRONLY | O_CLOEXEC) };
    make_file("a", "a", 1);
    program_run(&program, "wordcount", "a", NULL);
    assert_string_equal(program.err, "wordcount: standard output: No space left on device\n");
    assert_int_equal(program.status, 1);
    program_free(&program);
    close(program.out_to);
    remove("a");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_worker),
    cmocka_unit_test(two_workers),
    cmocka_unit_test(more_workers_than_cpus),
    cmocka_unit_test(top_words),
    cmocka_unit_test(names_from_standard_input),
    cmocka_unit_test(a_hundred_thousand_files),
    cmocka_unit_test(many_different_words),
    cmocka_unit_test(default_folders),
    cmocka_unit_test(wrong_options),
    cmocka_unit_test(nothing_to_read),
    cmocka_unit_test(only_empty_or_binary_files),
    cmocka_unit_test(unreadable_files),
    cmocka_unit_test(files_that_fail_late),
    cmocka_unit_test(names_and_links_as_arguments),
    cmocka_unit_test(an_output_that_is_full),
};

TEST_MAIN_WITHIN(tests, 120)
