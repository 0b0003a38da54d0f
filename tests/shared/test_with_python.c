/* Shared memory and lists between this library and every stock Python of the machine, in both directions; and what is printed, and
 * which slices there are, compared with them. */
#include "names.h"
#include "python.h"

#include <inttypes.h>

#include <plait.h>

static struct python all[PYTHONS];
static int count;

/* Every Python of the machine; without any, the test is skipped. */
static void with_each(void (*test)(const struct python *python))
{
    count = pythons(all);
    if (!count) skip();
    for (int i = 0; i < count; i++) {
        printf("%s is %d\n", all[i].path, all[i].version);
        test(&all[i]);
    }
}

/* Attach without telling the tracker, which would unlink it at the end: see plait/shared_memory.h. */
#define ATTACH                                                                                        \
    "import sys\n"                                                                                    \
    "from multiprocessing import resource_tracker, shared_memory\n"                                   \
    "def attached(memory):\n"                                                                         \
    "    resource_tracker.unregister(\"/\" + memory.name, \"shared_memory\")\n"                       \
    "    return memory\n"

/* ---- shared memory ---- */

static void c_makes_python_attaches(const struct python *python)
{
    char name[NAME_SIZE], expected[100];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "ours"), 100);
    assert_non_null(memory);
    strcpy(plait_shared_memory_data(memory), "hello, Python");
    snprintf(expected, sizeof expected, "%s 100 b'hello, Python'\n", name);
    python_must_print(python, ATTACH
                      "memory = attached(shared_memory.SharedMemory(sys.argv[1]))\n"
                      "print(memory.name, memory.size, bytes(memory.buf[:13]))\n"
                      "memory.buf[:13] = b\"hello, plait!\"\n"
                      "memory.close()\n", name, expected);
    assert_string_equal(plait_shared_memory_data(memory), "hello, plait!");
    assert_true(is_there(name));
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void memory_of_plait_in_python(void **state)
{
    with_each(c_makes_python_attaches);
}

/* What Python has made goes with it, unless its tracker is told otherwise. */
static void python_makes_c_attaches(const struct python *python)
{
    char name[NAME_SIZE];
    python_must_print(python, ATTACH
                      "memory = attached(shared_memory.SharedMemory(sys.argv[1], create=True, size=5000))\n"
                      "memory.buf[:13] = b\"hello, plait!\"\n"
                      "memory.close()\n", name_of(name, "theirs"), "");
    plait_shared_memory *memory = plait_shared_memory_attach(name);
    assert_non_null(memory);
    assert_int_equal(plait_shared_memory_size(memory), 5000);
    assert_string_equal(plait_shared_memory_data(memory), "hello, plait!");
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void memory_of_python_in_plait(void **state)
{
    with_each(python_makes_c_attaches);
}

/* The trap that plait/shared_memory.h tells of: the tracker of a Python that only attached unlinks it.  What is mapped stays. */
static void python_unlinks_what_it_attached(const struct python *python)
{
    char name[NAME_SIZE], output[4096];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "tracked"), 100);
    const char *script = "import sys\nfrom multiprocessing import shared_memory\nshared_memory.SharedMemory(sys.argv[1]).close()\n";
    assert_int_equal(python_run(python->path, script, name, output, sizeof output), 0);
    assert_non_null(strstr(output, "leaked shared_memory objects"));
    assert_int_equal(plait_shared_memory_unlink(memory), -ENOENT);
    strcpy(plait_shared_memory_data(memory), "still there");
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void what_pythons_tracker_does(void **state)
{
    with_each(python_unlinks_what_it_attached);
}

static void python_does_not_track(const struct python *python)
{
    char name[NAME_SIZE];
    if (python->version < 313) return;
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "untracked"), 100);
    python_must_print(python, "import sys\nfrom multiprocessing import shared_memory\n"
                      "shared_memory.SharedMemory(sys.argv[1], track=False).close()\n", name, "");
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void without_pythons_tracker(void **state)
{
    with_each(python_does_not_track);
}

static void python_unlinks(const struct python *python)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "unlinked"), 100);
    python_must_print(python, "import sys\nfrom multiprocessing import shared_memory\n"
                      "memory = shared_memory.SharedMemory(sys.argv[1])\nmemory.close()\nmemory.unlink()\n", name, "");
    assert_false(is_there(name));
    assert_int_equal(plait_shared_memory_unlink(memory), -ENOENT);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void python_may_unlink_it(void **state)
{
    with_each(python_unlinks);
}

/* The same names and sizes are refused by both; Python says it by an exception. */
static void python_refuses_the_same(const struct python *python)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "taken"), 100);
    python_must_print(python,
                      "import sys\nfrom multiprocessing.shared_memory import SharedMemory\n"
                      "def say(*what, **how):\n"
                      "    try: SharedMemory(*what, **how)\n"
                      "    except OSError as error: print(error.errno)\n"
                      "    except ValueError as error: print(error)\n"
                      "say(sys.argv[1], create=True, size=10)\n"
                      "say(\"plait-nowhere\")\n"
                      "say(create=True, size=0)\n"
                      "say(create=True, size=-1)\n"
                      "say()\n"
                      "say(\"a/b\", create=True, size=10)\n"
                      "say(\"\", create=True, size=10)\n", name,
                      "17\n2\n'size' must be a positive number different from zero\n'size' must be a positive integer\n"
                      "'name' can only be None if create=True\n22\n22\n");
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void both_refuse_the_same(void **state)
{
    with_each(python_refuses_the_same);
}

/* ---- lists ---- */

#define TEXT "[1, -9223372036854775808, 2.5, inf, True, False, None, 'ab', 'h\xc3\xa9\xe2\x82\xac', b'\\x00\\xff', " \
             "'0123456789abcdef', '']"

static void c_makes_a_list(const struct python *python)
{
    const plait_list_item items[] = {
        plait_item_int(1), plait_item_int(INT64_MIN), plait_item_float(2.5), plait_item_float((double)__builtin_inf()),
        plait_item_bool(1), plait_item_bool(0), plait_item_none(), plait_item_str("ab"), plait_item_str("h\xc3\xa9\xe2\x82\xac"),
        plait_item_bytes("\0\xff", 2), plait_item_str("0123456789abcdef"), plait_item_str(""),
    };
    char name[NAME_SIZE], expected[400], text[400];
    if (python->version < 309) return;                     /* another layout: plait reads it, and does not write it */
    plait_shareable_list *list = plait_shareable_list_create(name_of(name, "list"), items, 12);
    snprintf(expected, sizeof expected, "ShareableList(" TEXT ", name='%s')\n", name);
    python_must_print(python, ATTACH
                      "list = shared_memory.ShareableList(name=sys.argv[1])\n"
                      "attached(list.shm)\n"
                      "print(repr(list))\n"
                      "list[0], list[1], list[2], list[4] = None, True, \"eight by\", 7\n"
                      "list[6], list[7], list[10] = 0.1, b\"x\", \"short\"\n"
                      "list.shm.close()\n", name, expected);
    assert_true(plait_shareable_list_repr(list, text, sizeof text) > 0);
    snprintf(expected, sizeof expected,
             "ShareableList([None, True, 'eight by', inf, 7, False, 0.1, b'x', 'h\xc3\xa9\xe2\x82\xac', b'\\x00\\xff', "
             "'short', ''], name='%s')", name);
    assert_string_equal(text, expected);
    assert_int_equal(plait_shared_memory_unlink(plait_shareable_list_shm(list)), 0);
    assert_int_equal(plait_shareable_list_free(list), 0);
}

static void lists_of_plait_in_python(void **state)
{
    with_each(c_makes_a_list);
}

/* Python 3.8 to 3.13 take the room of a str by its characters, which is too little for some. */
static void python_makes_a_list(const struct python *python)
{
    char name[NAME_SIZE], text[400], expected[400];
    python_must_print(python, ATTACH
                      "list = shared_memory.ShareableList([1, -(1 << 63), 2.5, float(\"inf\"), True, False, None, \"ab\",\n"
                      "    \"h\\u00e9\\u20ac\", b\"\\x00\\xff\", \"0123456789abcdef\", \"\"], name=sys.argv[1])\n"
                      "attached(list.shm)\n"
                      "list.shm.close()\n", name_of(name, "list"), "");
    plait_shareable_list *list = plait_shareable_list_attach(name);
    assert_non_null(list);
    assert_true(plait_shareable_list_repr(list, text, sizeof text) > 0);
    snprintf(expected, sizeof expected, "ShareableList(" TEXT ", name='%s')", name);
    assert_string_equal(text, expected);
    assert_int_equal(plait_shareable_list_set(list, 0, plait_item_str("from C")), 0);
    assert_int_equal(plait_shareable_list_set(list, 10, plait_item_int(-1)), 0);
    assert_int_equal(plait_shareable_list_set(list, -1, plait_item_bool(1)), 0);
    assert_int_equal(plait_shareable_list_set(list, 1, plait_item_bytes("12345678", 8)), 0);
    python_must_print(python, ATTACH
                      "list = shared_memory.ShareableList(name=sys.argv[1])\n"
                      "attached(list.shm)\n"
                      "print(list[0], list[1], list[10], list[11], len(list), list.format)\n"
                      "list.shm.close()\n", name, "from C b'12345678' -1 True 12 8s8sddxxxxxxx?xxxxxxx?xxxxxx?x8s8s8sqxxxxxxx?\n");
    assert_int_equal(plait_shared_memory_unlink(plait_shareable_list_shm(list)), 0);
    assert_int_equal(plait_shareable_list_free(list), 0);
}

static void lists_of_python_in_plait(void **state)
{
    with_each(python_makes_a_list);
}

/* Room for 7 characters is too little for their 21 bytes: Python cuts the third one, and can not read it then. */
static void python_cuts_a_character(const struct python *python)
{
    char name[NAME_SIZE], text[16], output[200];
    plait_list_item item;
    if (python->version > 313) return;
    python_must_print(python, ATTACH
                      "list = shared_memory.ShareableList([\"\\u20ac\" * 7], name=sys.argv[1])\n"
                      "attached(list.shm)\n"
                      "try: list[0]\n"
                      "except UnicodeDecodeError: print(\"cut\")\n"
                      "list.shm.close()\n", name_of(name, "cut"), "cut\n");
    plait_shareable_list *list = plait_shareable_list_attach(name);
    assert_non_null(list);
    assert_int_equal(plait_shareable_list_get(list, 0, &item, text, sizeof text), 0);
    assert_true(item.kind == PLAIT_ITEM_STR && item.size == 8);
    assert_memory_equal(text, "\xe2\x82\xac\xe2\x82\xac\xe2\x82", 9);
    assert_true(plait_shareable_list_repr(list, output, sizeof output) > 0);
    assert_non_null(strstr(output, "(['\xe2\x82\xac\xe2\x82\xac\\xe2\\x82'], "));
    assert_int_equal(plait_shared_memory_unlink(plait_shareable_list_shm(list)), 0);
    assert_int_equal(plait_shareable_list_free(list), 0);
}

static void characters_that_python_cuts(void **state)
{
    with_each(python_cuts_a_character);
}

/* ---- what is printed ---- */

enum { NUMBERS = 20000 };

/* Of any bits, of few digits, around powers of 2. */
static double number(uint64_t *random)
{
    union { uint64_t bits; double real; } any = { .bits = test_random(random) };
    switch (test_random(random) % 4) {
    case 0: return any.real;
    case 1: return (double)(any.bits % 100000) / 1000;
    case 2: any.bits = any.bits % 2047 << 52; any.bits += test_random(random) % 3 - 1; return any.real;
    default: any.bits >>= test_random(random) % 64; return any.real;
    }
}

/* Their bits are given to Python in shared memory, and what plait makes of them; it says which it would print otherwise. */
static void compare_floats(const struct python *python)
{
    char name[NAME_SIZE];
    uint64_t random = test_seed();
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "floats"), (size_t)NUMBERS * 40);
    assert_non_null(memory);
    for (int i = 0; i < NUMBERS; i++) {
        char *at = (char *)plait_shared_memory_data(memory) + (size_t)i * 40;
        const double real = number(&random);
        plait_shared_value *value = plait_shared_value_new('d', &real, &(plait_shared_options){ .no_lock = 1 });
        memcpy(at, &real, sizeof real);
        assert_true(plait_shared_value_repr(value, at + 8, 32) < 32);
        assert_int_equal(plait_shared_value_free(value), 0);
    }
    python_must_print(python, ATTACH
                      "import struct\n"
                      "memory = attached(shared_memory.SharedMemory(sys.argv[1]))\n"
                      "for at in range(0, memory.size - memory.size % 40, 40):\n"
                      "    number, text = struct.unpack_from(\"d32s\", memory.buf, at)\n"
                      "    if repr(number) != text.rstrip(b\"\\0\").decode(): print(repr(number), text)\n"
                      "memory.close()\n", name, "");
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void floats_are_printed_as_python_does(void **state)
{
    with_each(compare_floats);
}

enum { CHARACTERS = 0x1000 };

/* 'u' of the first 4096 characters, in lists of one: Python decides by all of Unicode which are to be seen. */
static void compare_characters(const struct python *python)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "characters"), CHARACTERS * 16);
    for (int i = 0; i < CHARACTERS; i++) {
        const wchar_t character = i;
        plait_shared_value *value = plait_shared_value_new('u', &character, NULL);
        plait_shared_value_repr(value, (char *)plait_shared_memory_data(memory) + i * 16, 16);
        assert_int_equal(plait_shared_value_free(value), 0);
    }
    python_must_print(python, ATTACH
                      "import unicodedata\n"
                      "memory = attached(shared_memory.SharedMemory(sys.argv[1]))\n"
                      "for i in range(0x1000):\n"
                      "    text = bytes(memory.buf[i * 16 : i * 16 + 16]).rstrip(b\"\\0\").decode()\n"
                      "    if text != repr(chr(i)) and unicodedata.category(chr(i)) not in (\"Cn\", \"Cf\"):\n"
                      "        print(i, text, repr(chr(i)))\n"
                      "memory.close()\n", name, "");
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void characters_are_printed_as_python_does(void **state)
{
    with_each(compare_characters);
}

/* ---- slices ---- */

static void print_slice(char **at, plait_shared_array *array, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t step)
{
    char items[8];
    const ssize_t length = plait_shared_array_slice_len(array, start, stop, step);
    assert_in_range(length, 0, 8);
    assert_int_equal(plait_shared_array_get_slice(array, start, stop, step, items, (size_t)length, PLAIT_NOW), 0);
    for (ssize_t i = 0; i < length; i++) *(*at)++ = (char)('0' + items[i]);
    *(*at)++ = '\n';
}

static const ptrdiff_t ends[] = { PLAIT_SLICE_NONE, -9, -5, -4, -3, -1, 0, 1, 2, 4, 5, 9 };
enum { ENDS = sizeof ends / sizeof ends[0] };

/* All slices of arrays of 0 to 5 items. */
static void compare_slices(const struct python *python)
{
    static char expected[1 << 18];
    char *at = expected;
    for (size_t length = 0; length <= 5; length++) {
        plait_shared_array *array = plait_shared_array_new('b', length, "\0\1\2\3\4", NULL);
        for (int i = 0; i < ENDS * ENDS * ENDS; i++)
            if (ends[i % ENDS]) print_slice(&at, array, ends[i / ENDS / ENDS], ends[i / ENDS % ENDS], ends[i % ENDS]);
        assert_int_equal(plait_shared_array_free(array), 0);
    }
    *at = 0;
    python_must_print(python,
                      "ends = None, -9, -5, -4, -3, -1, 0, 1, 2, 4, 5, 9\n"
                      "for length in range(6):\n"
                      "    for start in ends:\n"
                      "        for stop in ends:\n"
                      "            for step in ends:\n"
                      "                if step != 0: print(*range(length)[start:stop:step], sep=\"\")\n", "", expected);
}

static void slices_are_pythons(void **state)
{
    count = pythons(all);
    if (!count) skip();
    compare_slices(&all[0]);
}

static const struct CMUnitTest tests[] = {
    NAMED_TEST(memory_of_plait_in_python),
    NAMED_TEST(memory_of_python_in_plait),
    NAMED_TEST(what_pythons_tracker_does),
    NAMED_TEST(without_pythons_tracker),
    NAMED_TEST(python_may_unlink_it),
    NAMED_TEST(both_refuse_the_same),
    NAMED_TEST(lists_of_plait_in_python),
    NAMED_TEST(lists_of_python_in_plait),
    NAMED_TEST(characters_that_python_cuts),
    NAMED_TEST(floats_are_printed_as_python_does),
    NAMED_TEST(characters_are_printed_as_python_does),
    NAMED_TEST(slices_are_pythons),
};
TEST_MAIN_WITHIN(tests, 120)
