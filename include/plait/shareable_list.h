/* plait/shareable_list.h - a list of numbers and texts in named shared memory, as Python's ShareableList lays it out.
 *
 * ```c
 * const plait_list_item items[] = { plait_item_int(42), plait_item_float(2.5), plait_item_str("howdy"), plait_item_none() };
 * plait_shareable_list *list = plait_shareable_list_create("settings", items, 4);
 * if (!list) return;
 * plait_list_item item;
 * char text[16];                                               // in Python: ShareableList(name="settings")[2]
 * if (plait_shareable_list_get(list, 2, &item, text, sizeof text) == 0) printf("%s\n", text);
 * plait_shareable_list_set(list, -1, plait_item_bool(1));      // instead of None
 * plait_shared_memory_unlink(plait_shareable_list_shm(list));
 * plait_shareable_list_free(list);
 * ```
 *
 * Its length is fixed, and so is the room of each item: 8 bytes for numbers, for texts the next multiple of 8 above their size.
 * There is no lock in it: who writes while others read has to take one elsewhere, or they may meet half of an item.  Zeros at the
 * end of a text are not told from what fills its room: they are lost, as in Python.
 *
 * It is written as Python 3.9 and all later ones do (3.8 has another layout, which is read, too).  What is said of names and of
 * Python's tracker in <plait/shared_memory.h> holds for lists.
 */
#ifndef PLAIT_SHAREABLE_LIST_H
#define PLAIT_SHAREABLE_LIST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <plait/export.h>
#include <plait/shared_memory.h>

typedef struct plait_shareable_list plait_shareable_list;

enum plait_item_kind {
    PLAIT_ITEM_NONE = 0,
    PLAIT_ITEM_BOOL = 1,
    PLAIT_ITEM_INT = 2,
    PLAIT_ITEM_FLOAT = 3,
    PLAIT_ITEM_STR = 4,       /* UTF-8 */
    PLAIT_ITEM_BYTES = 5
};

/* One item.  Who makes one keeps the text that it points to until the call returns; a get points to its caller's buffer. */
typedef struct plait_list_item {
    int kind;                 /* enum plait_item_kind: which of these counts */
    int reserved;
    int64_t integer;          /* PLAIT_ITEM_INT, and 0 or 1 of a PLAIT_ITEM_BOOL */
    double real;              /* PLAIT_ITEM_FLOAT */
    const void *data;         /* PLAIT_ITEM_STR, PLAIT_ITEM_BYTES */
    size_t size;
} plait_list_item;

PLAIT_BEGIN

static inline plait_list_item plait_item_none(void)
{
    plait_list_item item = { PLAIT_ITEM_NONE, 0, 0, 0.0, NULL, 0 };
    return item;
}

static inline plait_list_item plait_item_bool(int truth)
{
    plait_list_item item = { PLAIT_ITEM_BOOL, 0, truth != 0, 0.0, NULL, 0 };
    return item;
}

static inline plait_list_item plait_item_int(int64_t number)
{
    plait_list_item item = { PLAIT_ITEM_INT, 0, number, 0.0, NULL, 0 };
    return item;
}

static inline plait_list_item plait_item_float(double number)
{
    plait_list_item item = { PLAIT_ITEM_FLOAT, 0, 0, number, NULL, 0 };
    return item;
}

static inline plait_list_item plait_item_str(const char *text)
{
    plait_list_item item = { PLAIT_ITEM_STR, 0, 0, 0.0, text, strlen(text) };
    return item;
}

static inline plait_list_item plait_item_bytes(const void *bytes, size_t size)
{
    plait_list_item item = { PLAIT_ITEM_BYTES, 0, 0, 0.0, bytes, size };
    return item;
}

/* A new list of `count` items (0 too), in new shared memory of that name, or of a new one with NULL.
 * NULL: errno as plait_shared_memory_create; EINVAL (an item is of no kind; a text of more than 9,999,991 bytes), EILSEQ (a str
 * that is not UTF-8).  Python: ShareableList(items, name=name). */
PLAIT_API plait_shareable_list *plait_shareable_list_create(const char *name, const plait_list_item *items, size_t count);

/* One that is there, of Python or of plait.  NULL: errno as plait_shared_memory_attach; EBADMSG (what is in it is no list).
 * Python: ShareableList(name=name). */
PLAIT_API plait_shareable_list *plait_shareable_list_attach(const char *name);

/* Unmap it, and free the handle; its memory and name stay.  NULL is fine.  0.  Python: list.shm.close(). */
PLAIT_API int plait_shareable_list_free(plait_shareable_list *list);

/* The shared memory that it lies in, for its name, for unlink and close; it belongs to the list: do not free it.  After it was
 * closed the calls below, but for len, return PLAIT_ECLOSED.  NULL: errno EINVAL.  Python: list.shm. */
PLAIT_API plait_shared_memory *plait_shareable_list_shm(const plait_shareable_list *list);

/* How many items; -EINVAL.  Python: len(list). */
PLAIT_API ssize_t plait_shareable_list_len(const plait_shareable_list *list);

/* The item at `index`, from the end if that is negative.  A text is copied into `buffer` of `room` bytes, with a 0 behind it, and
 * item->data points there; for lists of numbers buffer may be NULL.  A str is what lies there: of a Python up to 3.13, which takes
 * its room by its characters, it may be cut within one, and then it is no UTF-8 (in Python reading it is a UnicodeDecodeError).
 * 0; -EINVAL (index out of range); -EMSGSIZE (no room for the text and the 0; item->size tells how much it has); -EBADMSG (there is
 * no item of Python's).  Python: list[index]. */
PLAIT_API int plait_shareable_list_get(const plait_shareable_list *list, ptrdiff_t index, plait_list_item *item, void *buffer,
                                       size_t room);

/* Put another one in its place.  0; -EINVAL (assignment index out of range; no kind); -EMSGSIZE ("bytes/str item exceeds available
 * storage": a text is longer than the room that the item got when the list was made); -EILSEQ.  After an error all is as it was.
 * Python: list[index] = item. */
PLAIT_API int plait_shareable_list_set(plait_shareable_list *list, ptrdiff_t index, plait_list_item item);

/* How many items are equal to it, by Python's rules: 1, 1.0 and True are; a str and bytes never.  -EINVAL, -EBADMSG.
 * Python: list.count(item). */
PLAIT_API ssize_t plait_shareable_list_count(const plait_shareable_list *list, plait_list_item item);

/* The index of the first of them; -ENOENT: there is none.  -EINVAL, -EBADMSG.  Python: list.index(item). */
PLAIT_API ssize_t plait_shareable_list_index(const plait_shareable_list *list, plait_list_item item);

/* "qd8s", as Python's struct module would say it.  Into `text`, cut to `size` bytes with the 0: how long it is, as snprintf;
 * -EINVAL.  Python: list.format. */
PLAIT_API ssize_t plait_shareable_list_format(const plait_shareable_list *list, char *text, size_t size);

/* "ShareableList([42, 2.5, 'howdy', None], name='settings')", in the same way; -EBADMSG.  Python: repr(list). */
PLAIT_API ssize_t plait_shareable_list_repr(const plait_shareable_list *list, char *text, size_t size);

PLAIT_END
#endif
