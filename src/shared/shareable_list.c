/* shared/shareable_list.c - lists as Python's ShareableList lays them out in named shared memory:
 *
 *     int64 n | int64 offset[n + 1] | data | char format[n][8] | int8 code[n]
 *
 * Offsets count from the begin of the data; the last one is its end, and offset[0] is 0.  (Python 3.8 has int64 size[n] there: its
 * first is at least 8, so the two are told apart.)  A format is one of Python's struct module; the code says what to make of it: 0
 * a number, 1 a str, 2 bytes, 3 None.  Where an item lies never changes, and is copied when the list is attached; the rest is
 * looked at with mistrust, as others write there.
 */
#include <plait/shareable_list.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "shared/shared_memory.h"
#include "value/text.h"
#include "shared/types.h"

#define WORD sizeof(int64_t)
#define FORMAT_SIZE 8u
#define TEXT_MAX 9999991u                                  /* "9999992s" has 8 characters */

enum code { CODE_NUMBER, CODE_STR, CODE_BYTES, CODE_NONE };

struct plait_shareable_list {
    plait_shared_memory *memory;
    char *data, *formats, *codes;                          /* in it */
    size_t length;
    size_t offsets[];                                      /* length + 1 */
};

static int no_list(void)
{
    return plait__fail(-EINVAL, "the list is NULL");
}

/* Python's way to close one is list.shm.close(). */
static int check_list(const plait_shareable_list *list)
{
    if (!list) return no_list();
    return plait_shared_memory_data(list->memory) ? 0 : PLAIT_ECLOSED;
}

/* ---- items, as they are written ---- */

static bool is_text(const plait_list_item *item)
{
    return item->kind == PLAIT_ITEM_STR || item->kind == PLAIT_ITEM_BYTES;
}

static int check_item(const plait_list_item *item)
{
    if (item->kind < PLAIT_ITEM_NONE || item->kind > PLAIT_ITEM_BYTES)
        return plait__fail(-EINVAL, "there is no kind %d of items", item->kind);
    if (!is_text(item)) return 0;
    if (!item->data && item->size) return plait__fail(-EINVAL, "the text is NULL, its size %zu", item->size);
    if (item->size > TEXT_MAX) return plait__fail(-EINVAL, "a text of %zu bytes is above the most, %u", item->size, TEXT_MAX);
    if (item->kind == PLAIT_ITEM_STR && !plait__is_utf8(item->data, item->size))
        return plait__fail(-EILSEQ, "the str is not UTF-8");
    return 0;
}

/* The room for it: there is always a zero more than the text has. */
static size_t room_for(const plait_list_item *item)
{
    return is_text(item) ? (item->size / WORD + 1) * WORD : WORD;
}

static void write_format(char *format, const plait_list_item *item, size_t room)
{
    static const char *const formats[] = { "xxxxxx?x", "xxxxxxx?", "q", "d" };
    char text[FORMAT_SIZE + 1] = "";
    const unsigned size = room > TEXT_MAX ? TEXT_MAX + 1 : (unsigned)room;       /* more is not to be said in it */
    if (is_text(item)) snprintf(text, sizeof text, "%us", size % (TEXT_MAX + 2));
    else snprintf(text, sizeof text, "%s", formats[item->kind]);
    memcpy(format, text, FORMAT_SIZE);                     /* with zeros behind it, or none */
}

static char code_of(const plait_list_item *item)
{
    static const char codes[] = { CODE_NONE, CODE_NUMBER, CODE_NUMBER, CODE_NUMBER, CODE_STR, CODE_BYTES };
    return codes[item->kind];
}

static void write_data(char *data, const plait_list_item *item, size_t room)
{
    if (is_text(item)) {
        if (item->size) memcpy(data, item->data, item->size);
        memset(data + item->size, 0, room - item->size);
    } else if (item->kind == PLAIT_ITEM_FLOAT) {
        memcpy(data, &item->real, WORD);
    } else if (item->kind == PLAIT_ITEM_INT) {
        memcpy(data, &item->integer, WORD);
    } else {
        const char word[WORD] = { [WORD - 1] = item->kind == PLAIT_ITEM_BOOL && item->integer };
        memcpy(data, word, WORD);
    }
}

/* ---- making ---- */

struct contents {
    const plait_list_item *items;
    size_t count, data_size;
};

static size_t data_start(size_t count)
{
    return (count + 2) * WORD;
}

static void put_word(void *data, size_t number, size_t word)
{
    const int64_t value = (int64_t)word;
    memcpy((char *)data + number * WORD, &value, WORD);
}

static void fill(void *memory, const void *argument)
{
    const struct contents *contents = argument;
    char *data = (char *)memory + data_start(contents->count), *formats = data + contents->data_size;
    char *codes = formats + contents->count * FORMAT_SIZE;
    size_t offset = 0;
    put_word(memory, 0, contents->count);
    for (size_t i = 0; i < contents->count; i++) {
        const plait_list_item *item = &contents->items[i];
        const size_t room = room_for(item);
        put_word(memory, 1 + i, offset);
        write_data(data + offset, item, room);
        write_format(formats + i * FORMAT_SIZE, item, room);
        codes[i] = code_of(item);
        offset += room;
    }
    put_word(memory, 1 + contents->count, offset);
}

static int check_items(struct contents *contents)
{
    if (contents->count && !contents->items) return plait__fail(-EINVAL, "the items are NULL");
    if (contents->count > PTRDIFF_MAX / (16 * (size_t)TEXT_MAX))
        return plait__fail(-EINVAL, "%zu items are too many", contents->count);
    for (size_t i = 0; i < contents->count; i++) {
        int error = check_item(&contents->items[i]);
        if (error) return error;
        contents->data_size += room_for(&contents->items[i]);
    }
    return 0;
}

static plait_shareable_list *read_list(plait_shared_memory *memory);

plait_shareable_list *plait_shareable_list_create(const char *name, const plait_list_item *items, size_t count)
{
    struct contents contents = { items, count, 0 };
    int error = check_items(&contents);
    if (error) return plait__null(error);
    const size_t size = data_start(count) + contents.data_size + count * (FORMAT_SIZE + 1);
    plait_shared_memory *memory = plait__shared_memory_make(name, size, (struct plait__content){ fill, &contents });
    plait_shareable_list *list = memory ? read_list(memory) : NULL;
    if (memory && !list) plait_shared_memory_unlink(memory), plait_shared_memory_free(memory);
    return list;
}

/* ---- attaching ---- */

/* Read once: what was looked at is what is used, whoever writes there meanwhile. */
static int64_t word_at(const plait_shared_memory *memory, size_t number)
{
    return (int64_t)plait__load_item((const char *)plait_shared_memory_data(memory) + number * WORD, WORD);
}

/* The numbers behind the first word are offsets, of which there is one more than items; or, of Python 3.8, sizes. */
static bool has_offsets(const plait_shared_memory *memory, size_t length)
{
    return !length || word_at(memory, 1) == 0;
}

/* Fill in where the items lie.  False: it is no list. */
static bool read_offsets(plait_shareable_list *list, size_t left)
{
    const bool offsets = has_offsets(list->memory, list->length);
    list->offsets[0] = 0;
    for (size_t i = 0; i < list->length; i++) {
        const int64_t word = word_at(list->memory, offsets ? i + 2 : i + 1);
        const uint64_t end = offsets ? (uint64_t)word : (uint64_t)word + list->offsets[i];
        if (word < 0 || end > left || end < list->offsets[i] + WORD) return false;
        list->offsets[i + 1] = (size_t)end;
    }
    return true;
}

static bool read_layout(plait_shareable_list *list)
{
    const size_t size = plait_shared_memory_size(list->memory), length = list->length;
    const size_t head = length ? (length + 1 + has_offsets(list->memory, length)) * WORD : WORD, tail = length * (FORMAT_SIZE + 1);
    if (head + tail > size || !read_offsets(list, size - head - tail)) return false;
    list->data = (char *)plait_shared_memory_data(list->memory) + head;
    list->formats = list->data + list->offsets[length];
    list->codes = list->formats + length * FORMAT_SIZE;
    return true;
}

/* The list in that memory, which is its own then.  NULL: it stays the caller's. */
static plait_shareable_list *read_list(plait_shared_memory *memory)
{
    const size_t size = plait_shared_memory_size(memory);
    const int64_t length = size < WORD ? -1 : word_at(memory, 0);
    if (length < 0 || (uint64_t)length > size / (3 * WORD))       /* the least that each takes: offset, data, format */
        return plait__null(plait__fail(-EBADMSG, "the shared memory '%s' holds no list", plait_shared_memory_name(memory)));
    plait_shareable_list *list = calloc(1, sizeof *list + ((size_t)length + 1) * sizeof list->offsets[0]);
    if (!list) return plait__null(plait__fail(-ENOMEM, "no private memory for a list of %lld items", (long long)length));
    list->memory = memory;
    list->length = (size_t)length;
    if (read_layout(list)) return list;
    free(list);
    return plait__null(plait__fail(-EBADMSG, "the shared memory '%s' holds no list", plait_shared_memory_name(memory)));
}

plait_shareable_list *plait_shareable_list_attach(const char *name)
{
    plait_shared_memory *memory = plait_shared_memory_attach(name);
    plait_shareable_list *list = memory ? read_list(memory) : NULL;
    if (!list) plait_shared_memory_free(memory);
    return list;
}

int plait_shareable_list_free(plait_shareable_list *list)
{
    if (!list) return 0;
    plait_shared_memory_free(list->memory);
    free(list);
    return 0;
}

plait_shared_memory *plait_shareable_list_shm(const plait_shareable_list *list)
{
    return list ? list->memory : plait__null(no_list());
}

ssize_t plait_shareable_list_len(const plait_shareable_list *list)
{
    return list ? (ssize_t)list->length : no_list();
}

/* ---- items, as they are read ---- */

static int no_item(size_t index)
{
    return plait__fail(-EBADMSG, "what lies at index %zu is none of Python's items", index);
}

static int read_text(const plait_shareable_list *list, size_t index, const char *format, plait_list_item *item)
{
    char *end;
    const unsigned long size = strtoul(format, &end, 10);
    if (*end != 's' || size > list->offsets[index + 1] - list->offsets[index]) return no_item(index);
    item->data = list->data + list->offsets[index];
    item->size = size;
    while (item->size && !((const char *)item->data)[item->size - 1]) item->size--;
    return 0;
}

static int read_number(const plait_shareable_list *list, size_t index, const char *format, plait_list_item *item)
{
    const char *data = list->data + list->offsets[index];
    int64_t word;
    double real;
    memcpy(&word, data, WORD);
    memcpy(&real, data, WORD);
    if (strcmp(format, "q") == 0) *item = plait_item_int(word);
    else if (strcmp(format, "d") == 0) *item = plait_item_float(real);
    else if (strcmp(format, "xxxxxxx?") == 0) *item = plait_item_bool(data[WORD - 1]);
    else return no_item(index);
    return 0;
}

/* A text stays where it is. */
static int read_item(const plait_shareable_list *list, size_t index, plait_list_item *item)
{
    char format[FORMAT_SIZE + 1] = "";
    memcpy(format, list->formats + index * FORMAT_SIZE, FORMAT_SIZE);
    *item = plait_item_none();
    switch (list->codes[index]) {
    case CODE_NONE: return 0;
    case CODE_NUMBER: return read_number(list, index, format, item);
    case CODE_STR: item->kind = PLAIT_ITEM_STR; return read_text(list, index, format, item);
    case CODE_BYTES: item->kind = PLAIT_ITEM_BYTES; return read_text(list, index, format, item);
    default: return no_item(index);
    }
}

static int find(const plait_shareable_list *list, ptrdiff_t *index, const char *what)
{
    int error = check_list(list);
    if (error) return error;
    const ptrdiff_t length = (ptrdiff_t)list->length, asked = *index;
    if (*index < 0) *index += length;
    if (*index >= 0 && *index < length) return 0;
    return plait__fail(-EINVAL, "%sindex out of range: %td, of a list of %td items", what, asked, length);
}

int plait_shareable_list_get(const plait_shareable_list *list, ptrdiff_t index, plait_list_item *item, void *buffer, size_t room)
{
    int error = find(list, &index, "");
    if (!error && !item) error = plait__fail(-EINVAL, "the place for the item is NULL");
    if (!error) error = read_item(list, (size_t)index, item);
    if (error || !is_text(item)) return error;
    const void *text = item->data;
    item->data = NULL;
    if (!buffer || item->size >= room)
        return plait__fail(-EMSGSIZE, "the text has %zu bytes, there is room for %zu with a 0", item->size, buffer ? room : 0);
    memcpy(buffer, text, item->size);
    ((char *)buffer)[item->size] = 0;
    item->data = buffer;
    return 0;
}

int plait_shareable_list_set(plait_shareable_list *list, ptrdiff_t index, plait_list_item item)
{
    int error = find(list, &index, "assignment ");
    if (!error) error = check_item(&item);
    if (error) return error;
    const size_t at = (size_t)index, room = list->offsets[at + 1] - list->offsets[at];
    if (is_text(&item) && item.size > room)
        return plait__fail(-EMSGSIZE, "bytes/str item exceeds available storage: %zu bytes, of %zu", item.size, room);
    write_format(list->formats + at * FORMAT_SIZE, &item, room);
    list->codes[at] = code_of(&item);
    write_data(list->data + list->offsets[at], &item, room);
    return 0;
}

/* ---- comparing ---- */

/* A double compares with a whole number as exactly as in Python. */
static bool same_number(int64_t integer, double real)
{
    return real >= -0x1p63 && real < 0x1p63 && (int64_t)real == integer && (double)(int64_t)real == real;
}

static bool equal(const plait_list_item *one, const plait_list_item *other)
{
    if (is_text(one) || is_text(other))
        return one->kind == other->kind && one->size == other->size &&
               (!one->size || memcmp(one->data, other->data, one->size) == 0);
    if (one->kind == PLAIT_ITEM_NONE || other->kind == PLAIT_ITEM_NONE) return one->kind == other->kind;
    if (one->kind != PLAIT_ITEM_FLOAT && other->kind != PLAIT_ITEM_FLOAT) return one->integer == other->integer;
    if (one->kind == other->kind) return one->real == other->real;
    return one->kind == PLAIT_ITEM_FLOAT ? same_number(other->integer, one->real) : same_number(one->integer, other->real);
}

/* How many are equal from *index on, up to `most` of them; *index is that of the last one then. */
static ssize_t search(const plait_shareable_list *list, const plait_list_item *wanted, size_t *index, ssize_t most)
{
    ssize_t found = 0;
    plait_list_item item;
    int error = check_list(list);
    if (!error) error = check_item(wanted);
    if (error) return error;
    for (size_t i = *index; i < list->length && found < most; i++) {
        error = read_item(list, i, &item);
        if (error) return error;
        if (!equal(&item, wanted)) continue;
        *index = i;
        found++;
    }
    return found;
}

ssize_t plait_shareable_list_count(const plait_shareable_list *list, plait_list_item item)
{
    return search(list, &item, &(size_t){ 0 }, SSIZE_MAX);
}

ssize_t plait_shareable_list_index(const plait_shareable_list *list, plait_list_item item)
{
    size_t index = 0;
    ssize_t found = search(list, &item, &index, 1);
    if (found < 0) return found;
    return found ? (ssize_t)index : plait__fail(-ENOENT, "it is not in this container");
}

/* ---- printing ---- */

static int check_place(const plait_shareable_list *list, const char *text, size_t size)
{
    int error = check_list(list);
    if (error) return error;
    return text || !size ? 0 : plait__fail(-EINVAL, "the text is NULL");
}

ssize_t plait_shareable_list_format(const plait_shareable_list *list, char *text, size_t size)
{
    struct plait__text all = plait__text_begin(text, text ? size : 0);
    int error = check_place(list, text, size);
    if (error) return error;
    for (size_t i = 0; i < list->length; i++) {
        const char *format = list->formats + i * FORMAT_SIZE;
        plait__put_bytes(&all, format, strnlen(format, FORMAT_SIZE));
    }
    return (ssize_t)all.length;
}

static void put_item(struct plait__text *text, const plait_list_item *item)
{
    switch (item->kind) {
    case PLAIT_ITEM_BOOL: plait__put(text, item->integer ? "True" : "False"); break;
    case PLAIT_ITEM_INT: plait__put_formatted(text, "%lld", (long long)item->integer); break;
    case PLAIT_ITEM_FLOAT: plait__put_float(text, item->real); break;
    case PLAIT_ITEM_STR: plait__put_str_repr(text, item->data, item->size); break;
    case PLAIT_ITEM_BYTES: plait__put_bytes_repr(text, item->data, item->size); break;
    default: plait__put(text, "None"); break;
    }
}

ssize_t plait_shareable_list_repr(const plait_shareable_list *list, char *text, size_t size)
{
    struct plait__text all = plait__text_begin(text, text ? size : 0);
    int error = check_place(list, text, size);
    if (error) return error;
    plait__put(&all, "ShareableList([");
    for (size_t i = 0; i < list->length; i++) {
        plait_list_item item;
        error = read_item(list, i, &item);
        if (error) return error;
        if (i) plait__put(&all, ", ");
        put_item(&all, &item);
    }
    const char *name = plait_shared_memory_name(list->memory);
    plait__put(&all, "], name=");
    plait__put_str_repr(&all, name, strlen(name));
    plait__put(&all, ")");
    return (ssize_t)all.length;
}
