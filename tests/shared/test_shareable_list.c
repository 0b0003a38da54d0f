/* Lists in shared memory: items, their room, comparing, the layout byte by byte, and what is no list. */
#include "names.h"

#include <math.h>
#include <sys/mman.h>

#include <plait.h>

static plait_shareable_list *make(const char *name, const plait_list_item *items, size_t count)
{
    plait_shareable_list *list = plait_shareable_list_create(name, items, count);
    if (!list) fail_msg("%s (%s)", plait_strerror(errno), plait_error_detail());
    return list;
}

static void unlink_and_free(plait_shareable_list *list)
{
    assert_int_equal(plait_shared_memory_unlink(plait_shareable_list_shm(list)), 0);
    assert_int_equal(plait_shareable_list_free(list), 0);
}

static void must_print(const plait_shareable_list *list, const char *items)
{
    char text[400], expected[400];
    snprintf(expected, sizeof expected, "ShareableList(%s, name='%s')", items,
             plait_shared_memory_name(plait_shareable_list_shm(list)));
    assert_int_equal(plait_shareable_list_repr(list, text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

/* One of each kind, as in the dump of CPython's that the_layout_is_pythons has. */
static const plait_list_item *each(void)
{
    static plait_list_item items[7];
    const plait_list_item these[] = {
        plait_item_int(1), plait_item_float(2.5), plait_item_bool(1), plait_item_none(), plait_item_str("ab"),
        plait_item_bytes("xyz", 3), plait_item_str("0123456789"),
    };
    return memcpy(items, these, sizeof items);
}

static void items_of_each_kind(void **state)
{
    char name[NAME_SIZE], text[16];
    plait_list_item item;
    plait_shareable_list *list = make(name_of(name, "each"), each(), 7), *other = plait_shareable_list_attach(name);
    assert_non_null(other);
    must_print(other, "[1, 2.5, True, None, 'ab', b'xyz', '0123456789']");
    assert_int_equal(plait_shareable_list_len(other), 7);
    assert_int_equal(plait_shareable_list_get(other, 0, &item, NULL, 0), 0);
    assert_true(item.kind == PLAIT_ITEM_INT && item.integer == 1);
    assert_int_equal(plait_shareable_list_get(other, 1, &item, NULL, 0), 0);
    assert_true(item.kind == PLAIT_ITEM_FLOAT && item.real == 2.5);
    assert_int_equal(plait_shareable_list_get(other, 2, &item, NULL, 0), 0);
    assert_true(item.kind == PLAIT_ITEM_BOOL && item.integer == 1);
    assert_int_equal(plait_shareable_list_get(other, 3, &item, NULL, 0), 0);
    assert_int_equal(item.kind, PLAIT_ITEM_NONE);
    assert_int_equal(plait_shareable_list_get(other, -1, &item, text, sizeof text), 0);
    assert_true(item.kind == PLAIT_ITEM_STR && item.size == 10 && item.data == text);
    assert_string_equal(text, "0123456789");
    assert_int_equal(plait_shareable_list_get(other, -2, &item, text, 4), 0);
    assert_true(item.kind == PLAIT_ITEM_BYTES && item.size == 3);
    assert_string_equal(text, "xyz");
    assert_int_equal(plait_shareable_list_free(other), 0);
    unlink_and_free(list);
}

static void buffers_that_are_too_short(void **state)
{
    plait_list_item item;
    char text[11];
    plait_shareable_list *list = make(NULL, each(), 7);
    assert_int_equal(plait_shareable_list_get(list, 6, &item, text, 10), -EMSGSIZE);
    assert_int_equal(item.size, 10);
    assert_non_null(strstr(plait_error_detail(), "10 bytes"));
    assert_int_equal(plait_shareable_list_get(list, 6, &item, NULL, 10), -EMSGSIZE);
    assert_int_equal(plait_shareable_list_get(list, 6, &item, text, 11), 0);
    assert_int_equal(plait_shareable_list_get(list, 6, NULL, text, 11), -EINVAL);
    unlink_and_free(list);
}

static void indexes(void **state)
{
    static const ptrdiff_t wrong[] = { 7, -8, 100, PTRDIFF_MAX, PTRDIFF_MIN };
    plait_list_item item;
    plait_shareable_list *list = make(NULL, each(), 7);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(plait_shareable_list_get(list, wrong[i], &item, NULL, 0), -EINVAL);
        assert_memory_equal(plait_error_detail(), "index out of range", 18);
        assert_int_equal(plait_shareable_list_set(list, wrong[i], plait_item_int(1)), -EINVAL);
        assert_memory_equal(plait_error_detail(), "assignment index out of range", 29);
    }
    unlink_and_free(list);
}

/* ---- setting ---- */

static void items_change_their_kind(void **state)
{
    plait_shareable_list *list = make(NULL, each(), 7);
    assert_int_equal(plait_shareable_list_set(list, 0, plait_item_str("12345678")), 0);        /* all of its room, without a zero */
    assert_int_equal(plait_shareable_list_set(list, 1, plait_item_none()), 0);
    assert_int_equal(plait_shareable_list_set(list, 2, plait_item_int(-5)), 0);
    assert_int_equal(plait_shareable_list_set(list, 3, plait_item_float(0.5)), 0);
    assert_int_equal(plait_shareable_list_set(list, 4, plait_item_bytes("\0\xff", 2)), 0);
    assert_int_equal(plait_shareable_list_set(list, 5, plait_item_bool(0)), 0);
    assert_int_equal(plait_shareable_list_set(list, 6, plait_item_int(7)), 0);
    must_print(list, "['12345678', None, -5, 0.5, b'\\x00\\xff', False, 7]");
    assert_int_equal(plait_shareable_list_set(list, 6, plait_item_str("as long as 16 b.")), 0);
    must_print(list, "['12345678', None, -5, 0.5, b'\\x00\\xff', False, 'as long as 16 b.']");
    assert_int_equal(plait_shareable_list_set(list, 6, plait_item_str("")), 0);
    must_print(list, "['12345678', None, -5, 0.5, b'\\x00\\xff', False, '']");
    unlink_and_free(list);
}

static void texts_that_exceed_their_room(void **state)
{
    plait_shareable_list *list = make(NULL, each(), 7);
    assert_int_equal(plait_shareable_list_set(list, 0, plait_item_str("123456789")), -EMSGSIZE);
    assert_non_null(strstr(plait_error_detail(), "bytes/str item exceeds available storage"));
    assert_int_equal(plait_shareable_list_set(list, 4, plait_item_bytes("123456789", 9)), -EMSGSIZE);
    assert_int_equal(plait_shareable_list_set(list, 6, plait_item_str("longer than 16 b.")), -EMSGSIZE);
    must_print(list, "[1, 2.5, True, None, 'ab', b'xyz', '0123456789']");
    unlink_and_free(list);
}

static void zeros_at_the_end_of_a_text_are_lost(void **state)
{
    const plait_list_item item = plait_item_bytes("a\0b\0\0", 5);
    plait_shareable_list *list = make(NULL, &item, 1);
    must_print(list, "[b'a\\x00b']");
    unlink_and_free(list);
}

static void no_list_is_made_of(plait_list_item item, int error)
{
    plait_shareable_list *list = make(NULL, each(), 7);
    errno = 0;
    assert_null(plait_shareable_list_create(NULL, &item, 1));
    assert_int_equal(errno, error);
    assert_int_equal(plait_shareable_list_set(list, 6, item), -error);
    assert_int_equal(plait_shareable_list_count(list, item), -error);
    must_print(list, "[1, 2.5, True, None, 'ab', b'xyz', '0123456789']");
    unlink_and_free(list);
}

static void what_is_no_item(void **state)
{
    no_list_is_made_of((plait_list_item){ .kind = 6 }, EINVAL);
    no_list_is_made_of((plait_list_item){ .kind = -1 }, EINVAL);
    no_list_is_made_of((plait_list_item){ .kind = PLAIT_ITEM_STR, .size = 1 }, EINVAL);
    no_list_is_made_of((plait_list_item){ .kind = PLAIT_ITEM_BYTES, .data = "x", .size = 9999992 }, EINVAL);
    no_list_is_made_of(plait_item_str("\xff"), EILSEQ);
    no_list_is_made_of(plait_item_str("\xc0\x80"), EILSEQ);              /* a 0 in two bytes */
    no_list_is_made_of(plait_item_str("\xed\xa0\x80"), EILSEQ);          /* half of a pair */
    no_list_is_made_of(plait_item_str("\xf4\x90\x80\x80"), EILSEQ);      /* above the last one */
    no_list_is_made_of(plait_item_str("a\xe2\x82"), EILSEQ);             /* cut */
    assert_null(plait_shareable_list_create(NULL, NULL, 1));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_shareable_list_create(NULL, each(), SIZE_MAX / 2));
    assert_int_equal(errno, EINVAL);
}

static void lists_of_nothing(void **state)
{
    char name[NAME_SIZE], text[4] = "xxx";
    plait_list_item item;
    plait_shareable_list *list = make(name_of(name, "empty"), NULL, 0), *other = plait_shareable_list_attach(name);
    assert_int_equal(plait_shared_memory_size(plait_shareable_list_shm(list)), 16);
    assert_int_equal(plait_shareable_list_len(other), 0);
    assert_int_equal(plait_shareable_list_get(other, 0, &item, NULL, 0), -EINVAL);
    assert_int_equal(plait_shareable_list_format(other, text, sizeof text), 0);
    assert_string_equal(text, "");
    must_print(other, "[]");
    assert_int_equal(plait_shareable_list_free(other), 0);
    unlink_and_free(list);
}

/* ---- comparing ---- */

static void equality_is_pythons(void **state)
{
    const plait_list_item items[] = {
        plait_item_int(1), plait_item_float(1), plait_item_bool(1), plait_item_str("a"), plait_item_bytes("a", 1),
        plait_item_none(),
        plait_item_float((double)NAN), plait_item_int(INT64_MAX), plait_item_float(0x1p63), plait_item_float(0.5),
        plait_item_bool(0),
        plait_item_float(-0.0), plait_item_none(),
    };
    plait_shareable_list *list = make(NULL, items, sizeof items / sizeof items[0]);
    assert_int_equal(plait_shareable_list_count(list, plait_item_int(1)), 3);
    assert_int_equal(plait_shareable_list_count(list, plait_item_float(1)), 3);
    assert_int_equal(plait_shareable_list_count(list, plait_item_bool(1)), 3);
    assert_int_equal(plait_shareable_list_count(list, plait_item_int(0)), 2);
    assert_int_equal(plait_shareable_list_count(list, plait_item_none()), 2);
    assert_int_equal(plait_shareable_list_index(list, plait_item_str("a")), 3);
    assert_int_equal(plait_shareable_list_count(list, plait_item_str("a")), 1);
    assert_int_equal(plait_shareable_list_index(list, plait_item_bytes("a", 1)), 4);
    assert_int_equal(plait_shareable_list_count(list, plait_item_float((double)NAN)), 0);
    assert_int_equal(plait_shareable_list_index(list, plait_item_int(INT64_MAX)), 7);
    assert_int_equal(plait_shareable_list_count(list, plait_item_int(INT64_MAX)), 1);
    assert_int_equal(plait_shareable_list_index(list, plait_item_float(0x1p63)), 8);
    assert_int_equal(plait_shareable_list_index(list, plait_item_none()), 5);
    assert_int_equal(plait_shareable_list_index(list, plait_item_int(2)), -ENOENT);
    assert_int_equal(plait_shareable_list_index(list, plait_item_str("b")), -ENOENT);
    unlink_and_free(list);
}

/* ---- layout ---- */

/* As CPython 3.11 writes these seven. */
static void the_layout_is_pythons(void **state)
{
    static const char dump[] =
        "\7\0\0\0\0\0\0\0"
        "\0\0\0\0\0\0\0\0" "\x08\0\0\0\0\0\0\0" "\x10\0\0\0\0\0\0\0" "\x18\0\0\0\0\0\0\0"
        "\x20\0\0\0\0\0\0\0" "\x28\0\0\0\0\0\0\0" "\x30\0\0\0\0\0\0\0" "\x40\0\0\0\0\0\0\0"
        "\1\0\0\0\0\0\0\0" "\0\0\0\0\0\0\x04\x40" "\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\0"
        "ab\0\0\0\0\0\0" "xyz\0\0\0\0\0" "0123456789\0\0\0\0\0\0"
        "q\0\0\0\0\0\0\0" "d\0\0\0\0\0\0\0" "xxxxxxx?" "xxxxxx?x" "8s\0\0\0\0\0\0" "8s\0\0\0\0\0\0" "16s\0\0\0\0\0"
        "\0\0\0\3\1\2\1";
    char text[64];
    plait_shareable_list *list = make(NULL, each(), 7);
    plait_shared_memory *memory = plait_shareable_list_shm(list);
    assert_int_equal(sizeof dump - 1, 199);
    assert_int_equal(plait_shared_memory_size(memory), 199);
    assert_memory_equal(plait_shared_memory_data(memory), dump, 199);
    assert_int_equal(plait_shareable_list_format(list, text, sizeof text), 25);
    assert_string_equal(text, "qdxxxxxxx?xxxxxx?x8s8s16s");
    unlink_and_free(list);
}

/* Write something into shared memory, and attach it as a list. */
static plait_shareable_list *attach_to(const void *content, size_t size)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "raw"), size);
    memcpy(plait_shared_memory_data(memory), content, size);
    plait_shareable_list *list = plait_shareable_list_attach(name);
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_free(memory), 0);
    return list;
}

static void a_list_of_python_3_8_is_read(void **state)
{
    static const char dump[] = "\2\0\0\0\0\0\0\0" "\x08\0\0\0\0\0\0\0" "\x10\0\0\0\0\0\0\0" "\5\0\0\0\0\0\0\0"
                               "0123456789\0\0\0\0\0\0" "q\0\0\0\0\0\0\0" "16s\0\0\0\0\0" "\0\1";
    char text[16];
    plait_list_item item;
    plait_shareable_list *list = attach_to(dump, sizeof dump - 1);
    assert_non_null(list);
    assert_int_equal(plait_shareable_list_get(list, 0, &item, NULL, 0), 0);
    assert_true(item.kind == PLAIT_ITEM_INT && item.integer == 5);
    assert_int_equal(plait_shareable_list_get(list, 1, &item, text, sizeof text), 0);
    assert_string_equal(text, "0123456789");
    assert_int_equal(plait_shareable_list_free(list), 0);
}

static void must_be_no_list(const void *content, size_t size)
{
    errno = 0;
    assert_null(attach_to(content, size));
    assert_int_equal(errno, EBADMSG);
}

static void what_is_no_list(void **state)
{
    must_be_no_list("x", 1);
    must_be_no_list(&(int64_t){ -1 }, 8);
    must_be_no_list(&(int64_t){ INT64_MAX }, 8);
    must_be_no_list((int64_t[]){ 1, 0, 8 }, 24);                              /* no room for the item and what is told of it */
    must_be_no_list((int64_t[5]){ 1, 0, 100 }, 40);                           /* the item ends beyond the memory */
    must_be_no_list((int64_t[5]){ 1, 0, 4 }, 40);                             /* less than 8 bytes */
    must_be_no_list((int64_t[5]){ 1, 0, -8 }, 40);
    must_be_no_list((int64_t[5]){ 1, -8 }, 40);
    must_be_no_list((int64_t[9]){ 2, 0, 16, 8 }, 72);                         /* backwards */
    must_be_no_list((int64_t[5]){ 1, INT64_MAX }, 40);                        /* of 3.8, and too large */
    must_be_no_list((int64_t[1000]){ 0x6c6c6568 }, 8000);                     /* a text */
    assert_null(plait_shareable_list_attach(NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_shareable_list_attach("plait-nowhere"));
    assert_int_equal(errno, ENOENT);
}

static void must_be_no_item(size_t at, const void *bytes, size_t size)
{
    char text[32], dump[199];
    plait_list_item item;
    plait_shareable_list *good = make(NULL, each(), 7);
    memcpy(dump, plait_shared_memory_data(plait_shareable_list_shm(good)), sizeof dump);
    memcpy(dump + at, bytes, size);
    plait_shareable_list *list = attach_to(dump, sizeof dump);
    assert_int_equal(plait_shareable_list_get(list, 4, &item, text, sizeof text), -EBADMSG);
    assert_int_equal(plait_shareable_list_count(list, plait_item_int(1)), -EBADMSG);
    assert_int_equal(plait_shareable_list_repr(list, text, sizeof text), -EBADMSG);
    assert_int_equal(plait_shareable_list_free(list), 0);
    unlink_and_free(good);
}

/* The format of item 4, which is 8s, lies at 168, and its code at 196. */
static void items_that_are_none_of_pythons(void **state)
{
    must_be_no_item(168, "16s", 3);
    must_be_no_item(168, "9999999s", 8);
    must_be_no_item(168, "-1s", 3);
    must_be_no_item(168, "q\0", 2);
    must_be_no_item(168, "99999999", 8);                   /* without an end */
    must_be_no_item(196, "\0", 1);                         /* a number of 8s */
    must_be_no_item(196, "\4", 1);
    must_be_no_item(196, "\xff", 1);
}

enum { PAGE = 4096, HEAD = 10 * 8, TAIL = 8 * 9 };         /* of a list of 8 items */

/* A list that fills a page to its last byte. */
static plait_shareable_list *of_a_page(void)
{
    static char text[3880];
    plait_list_item items[8];
    memcpy(items, each(), 7 * sizeof items[0]);
    items[7] = plait_item_bytes(memset(text, 'x', sizeof text - 1), sizeof text - 1);
    plait_shareable_list *list = make(NULL, items, 8);
    assert_int_equal(plait_shared_memory_size(plait_shareable_list_shm(list)), PAGE);
    return list;
}

/* Two holes of a page each, between pages that nobody may touch: the next mappings lie in them, the first one in the higher one, if
 * the kernel fills the highest holes first. */
static char *make_holes(void)
{
    enum { PAGES = 1000 };
    char *pages = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(pages != MAP_FAILED);
    for (int i = 0; i < PAGES; i++) mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(munmap(pages + (PAGES - 2) * PAGE, PAGE) == 0 && munmap(pages + (PAGES - 4) * PAGE, PAGE) == 0);
    return pages + (PAGES - 4) * PAGE;
}

static void use_each(plait_shareable_list *list, uint64_t *random)
{
    static char text[8 * 4 * PAGE];
    plait_list_item item;
    for (ptrdiff_t i = 0; i < plait_shareable_list_len(list); i++) {
        int result = plait_shareable_list_get(list, i, &item, text, sizeof text);
        assert_true(result == 0 || result == -EBADMSG);
        if (result == 0 && (item.kind == PLAIT_ITEM_STR || item.kind == PLAIT_ITEM_BYTES)) assert_true(item.size < PAGE);
        item = test_random(random) % 2 ? plait_item_bytes(text, test_random(random) % PAGE) : plait_item_float(0.5);
        result = plait_shareable_list_set(list, i, item);
        assert_true(result == 0 || (result == -EMSGSIZE && item.size > 8));
    }
    const ssize_t length = plait_shareable_list_repr(list, text, sizeof text);
    assert_true(length == -EBADMSG || (length > 0 && (size_t)length == strlen(text)));
    assert_in_range(plait_shareable_list_format(list, text, sizeof text), 0, 8 * PAGE);
}

/* Every byte of a list may be anything: nothing is touched beyond its memory, and each get says what it got or -EBADMSG. */
static void lists_of_noise(void **state)
{
    uint64_t random = test_seed();
    plait_shareable_list *good = of_a_page();
    char dump[PAGE], noise[PAGE];
    memcpy(dump, plait_shared_memory_data(plait_shareable_list_shm(good)), PAGE);
    unlink_and_free(good);
    const char *hole = make_holes();        /* the first mapping is who writes the noise */
    int lists = 0, guarded = 0;
    for (int i = 0; i < 4000; i++) {
        memcpy(noise, dump, PAGE);
        for (int j = 0; j < 3; j++) {
            const size_t at = test_random(&random) % (HEAD + TAIL);
            noise[at < HEAD ? at : PAGE - TAIL + (at - HEAD)] = (char)(test_random(&random) >> test_random(&random) % 8);
        }
        plait_shareable_list *list = attach_to(noise, PAGE);
        if (!list) continue;
        lists++;
        guarded += plait_shared_memory_data(plait_shareable_list_shm(list)) == hole;
        use_each(list, &random);
        assert_int_equal(plait_shareable_list_free(list), 0);
    }
    printf("%d lists, %d of them between guards\n", lists, guarded);
    assert_true(lists > 0);
}

/* Python: list.shm.close() */
static void lists_that_were_closed(void **state)
{
    char name[NAME_SIZE], text[100];
    plait_list_item item;
    plait_shareable_list *list = make(name_of(name, "closed"), each(), 7);
    assert_int_equal(plait_shared_memory_close(plait_shareable_list_shm(list)), 0);
    assert_int_equal(plait_shareable_list_get(list, 0, &item, text, sizeof text), PLAIT_ECLOSED);
    assert_int_equal(plait_shareable_list_set(list, 0, plait_item_int(1)), PLAIT_ECLOSED);
    assert_int_equal(plait_shareable_list_count(list, plait_item_int(1)), PLAIT_ECLOSED);
    assert_int_equal(plait_shareable_list_index(list, plait_item_int(1)), PLAIT_ECLOSED);
    assert_int_equal(plait_shareable_list_format(list, text, sizeof text), PLAIT_ECLOSED);
    assert_int_equal(plait_shareable_list_repr(list, text, sizeof text), PLAIT_ECLOSED);
    assert_int_equal(plait_shareable_list_len(list), 7);
    assert_true(is_there(name));
    unlink_and_free(list);
}

static void null(void **state)
{
    plait_list_item item;
    char text[8];
    assert_int_equal(plait_shareable_list_len(NULL), -EINVAL);
    assert_int_equal(plait_shareable_list_get(NULL, 0, &item, NULL, 0), -EINVAL);
    assert_int_equal(plait_shareable_list_set(NULL, 0, plait_item_int(1)), -EINVAL);
    assert_int_equal(plait_shareable_list_count(NULL, plait_item_int(1)), -EINVAL);
    assert_int_equal(plait_shareable_list_index(NULL, plait_item_int(1)), -EINVAL);
    assert_int_equal(plait_shareable_list_format(NULL, text, sizeof text), -EINVAL);
    assert_int_equal(plait_shareable_list_repr(NULL, text, sizeof text), -EINVAL);
    assert_null(plait_shareable_list_shm(NULL));
    assert_int_equal(plait_shareable_list_free(NULL), 0);
}

static const struct CMUnitTest tests[] = {
    NAMED_TEST(items_of_each_kind),
    NAMED_TEST(buffers_that_are_too_short),
    NAMED_TEST(indexes),
    NAMED_TEST(items_change_their_kind),
    NAMED_TEST(texts_that_exceed_their_room),
    NAMED_TEST(zeros_at_the_end_of_a_text_are_lost),
    NAMED_TEST(what_is_no_item),
    NAMED_TEST(lists_of_nothing),
    NAMED_TEST(equality_is_pythons),
    NAMED_TEST(the_layout_is_pythons),
    NAMED_TEST(a_list_of_python_3_8_is_read),
    NAMED_TEST(what_is_no_list),
    NAMED_TEST(items_that_are_none_of_pythons),
    NAMED_TEST(lists_of_noise),
    NAMED_TEST(lists_that_were_closed),
    NAMED_TEST(null),
};
TEST_MAIN(tests)
