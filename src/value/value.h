/* value/value.h - what a value is made of; for this room only.
 *
 * Each value is a cell of 32 bytes.  Short texts and all numbers of 64 bits lie in it, up to four items of a list or a tuple in a
 * second one, everything larger in memory of its own.  Each thread keeps the cells that it frees, up to a limit, for its next ones.
 *
 * Who may do what: `refs` and `held` are changed by whoever has a reference, atomically.  `text` belongs to plait_repr and
 * plait_str.  Everything else is changed only by who is alone with the value.
 */
#ifndef PLAIT_VALUE_VALUE_H
#define PLAIT_VALUE_VALUE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <plait/object.h>
#include <plait/value.h>

#include "base/atomics.h"
#include "base/error.h"

/* ---- cells ---- */

enum { PLAIT__CELL = 32 };

/* The free cells of this thread.  left: how many more it may keep. */
struct plait__cells {
    struct plait__cell {
        struct plait__cell *next;
    } *first;
    unsigned left;
};
extern _Thread_local struct plait__cells plait__cells;

void *plait__cell_from_heap(void);
void plait__cell_to_heap(void *cell);

/* 32 bytes with anything in them; NULL: there is no memory (errno, detail). */
static inline void *plait__cell_new(void)
{
    struct plait__cell *cell = plait__cells.first;
    if (PLAIT__UNLIKELY(!cell)) return plait__cell_from_heap();
    plait__cells.first = cell->next;
    plait__cells.left++;
    return cell;
}

static inline void plait__cell_free(void *freed)
{
    struct plait__cell *cell = freed;
    if (PLAIT__UNLIKELY(plait__cells.left == 0)) {
        plait__cell_to_heap(cell);
        return;
    }
    cell->next = plait__cells.first;
    plait__cells.first = cell;
    plait__cells.left--;
}

/* This thread gives its free cells back, and keeps at most so many from now on. */
void plait__cells_keep(unsigned count);

/* ---- values ---- */

enum {                                                     /* flags */
    PLAIT__SHORT = 1,         /* string, bytes, bytearray, big int: `size` bytes in the cell itself */
    PLAIT__BIG = 2,           /* an int beyond 64 bits: two's complement in as.bytes, the lowest first, as few bytes as can be */
    PLAIT__ASCII = 4,         /* a string of nothing else */
    PLAIT__OBJECTS = 2,       /* dict, set, frozenset: there are, or were, objects in its keys */
};

enum { PLAIT__SHORT_SIZE = 15 };                           /* and a 0 behind it */
#define PLAIT__IMMORTAL 0x80000000u                        /* so many references are never counted again */

/* Pairs in the order of insertion; of a set only the keys.  Behind `capacity` entries lies the index, 2^bits slots: which entry,
 * counted from 1, in the lowest bits, above them some of its hash; 0: empty.  bits 0: there is none, look through all of them. */
struct plait__entry {
    uint64_t hash;
    plait_value *key, *value;                              /* key NULL: it was taken out */
};

struct plait__table {
    uint32_t used, filled, capacity, bits;                 /* filled: entries, with those taken out */
    struct plait__entry entries[];
};

struct plait_value {
    uint8_t type, flags, size;
    _Atomic uint8_t held;                                  /* containers: another one has held it, so it may be below another */
    _Atomic uint32_t refs;
    char *text;                                            /* what plait_repr returned */
    union {
        int64_t integer;                                   /* bool, too */
        double real;
        char small[PLAIT__SHORT_SIZE + 1];
        struct {
            char *data;
            size_t size;
        } bytes;
        struct {                                           /* tuple, too, but for `room` */
            plait_value **items;
            uint32_t size, room;
        } list;
        struct {
            plait_value **items;
            uint32_t size;
            _Atomic uint32_t hash;                         /* 0: not known yet */
        } tuple;
        struct {
            struct plait__table *table;                    /* NULL: nothing in it yet */
        } dict;                                            /* sets, too */
        struct {                                           /* "module.name", and how long the module is */
            char *name;
            uint32_t size, module;
        } global;
        struct plait__object *object;
    } as;
};
_Static_assert(sizeof(struct plait_value) == PLAIT__CELL, "a value is one cell");

extern plait_value plait__none, plait__false, plait__true;

/* A cell of that type with one reference and an empty payload; NULL: errno ENOMEM. */
static inline plait_value *plait__value_new(int type)
{
    plait_value *value = plait__cell_new();
    if (PLAIT__UNLIKELY(!value)) return NULL;
    value->type = (uint8_t)type;
    value->flags = value->size = 0;
    atomic_init(&value->held, 0);
    atomic_init(&value->refs, 1);
    value->text = NULL;
    value->as.bytes.data = NULL;
    value->as.bytes.size = 0;
    return value;
}

static inline plait_value *plait__int_new(int64_t number)
{
    plait_value *value = plait__value_new(PLAIT_INT);
    if (PLAIT__LIKELY(value != NULL)) value->as.integer = number;
    return value;
}

/* Whether it may hold other values. */
static inline bool plait__is_container(const plait_value *value)
{
    return (value->type >= PLAIT_LIST && value->type <= PLAIT_FROZENSET) || value->type == PLAIT_OBJECT;
}

/* One more owner; the value is not NULL. */
static inline plait_value *plait__ref(plait_value *value)
{
    if (atomic_load_explicit(&value->refs, memory_order_relaxed) < PLAIT__IMMORTAL)
        atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
    return value;
}

/* The same for who is alone with the value: no other thread has a reference. */
static inline plait_value *plait__ref_alone(plait_value *value)
{
    const uint32_t refs = atomic_load_explicit(&value->refs, memory_order_relaxed);
    if (refs < PLAIT__IMMORTAL) atomic_store_explicit(&value->refs, refs + 1, memory_order_relaxed);
    return value;
}

/* One owner less: whether it was the last one, who has to end it.  Who sees a count of 1 is alone: nobody else can add to it. */
static inline bool plait__unref(plait_value *value)
{
    const uint32_t refs = atomic_load_explicit(&value->refs, memory_order_acquire);
    if (refs == 1) return true;
    if (refs >= PLAIT__IMMORTAL) return false;
    return atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) == 1;
}

/* It goes, and what only it holds.  Takes no more stack for deep ones. */
void plait__value_end(plait_value *value);

/* errno ENOMEM, with a detail. */
void *plait__no_memory(void);

/* The error for a value that is NULL: that of the builder which failed, otherwise EINVAL.  Positive. */
int plait__null_given(void);

/* ---- strings, bytes, big ints ---- */

/* The bytes of a string, bytes, a bytearray or a big int. */
static inline const char *plait__bytes_of(const plait_value *value, size_t *size)
{
    if (value->flags & PLAIT__SHORT) {
        *size = value->size;
        return value->as.small;
    }
    *size = value->as.bytes.size;
    return value->as.bytes.data;
}

/* One of these types with room for that many bytes, which are the caller's to fill; a 0 lies behind them. */
plait_value *plait__bytes_room(int type, size_t size, char **bytes);
plait_value *plait__bytes_new(int type, const void *data, size_t size);

/* A string of what is UTF-8, or a surrogate that is encoded like other characters; NULL: errno EILSEQ, ENOMEM. */
plait_value *plait__string_new(const char *text, size_t size);

/* An int of two's complement, the lowest byte first. */
plait_value *plait__int_from_bytes(const void *bytes, size_t size);

static inline bool plait__is_big(const plait_value *value)
{
    return value->type == PLAIT_INT && value->flags & PLAIT__BIG;
}

/* ---- containers.  What is given away is freed, too, when that fails. ---- */

/* 0; -ELOOP: the container would come to hold itself.  Afterwards the item counts as held. */
int plait__hold(const plait_value *container, plait_value *item);

/* Room for n items in all. */
int plait__list_reserve(plait_value *list, size_t n);

/* Append; the item is not NULL. */
int plait__list_push(plait_value *list, plait_value *item);

/* A tuple of n items, which are NULL at first: fill as.list.items. */
plait_value *plait__tuple_room(size_t n);

/* Room for n more entries; type: a dict or any set. */
int plait__table_reserve(plait_value *dict, size_t n);

/* dict[key] = value; for sets, frozen ones as well, value is NULL.  1: the key is new, 0: it was there (a dict has the new value
 * then). */
int plait__table_put(plait_value *dict, plait_value *key, plait_value *value);

/* The same of what another dict or set held: objects that only look alike stay different keys. */
int plait__table_put_apart(plait_value *dict, plait_value *key, plait_value *value);

/* Several at once, a key and its value in turn: all keys are strings, the dict has room for them and more than PLAIT__AT_ONCE
 * entries, and nothing in them holds the dict. */
enum { PLAIT__AT_ONCE = 16 };
void plait__table_put_strings(plait_value *dict, plait_value *const *pairs, size_t count);

/* The entry of that key: 1, 0: there is none, or an error. */
int plait__table_find(const plait_value *dict, const plait_value *key, struct plait__entry **found);

/* The next entry from *position on; NULL at the end. */
static inline struct plait__entry *plait__table_next(const plait_value *dict, size_t *position)
{
    struct plait__table *table = dict->as.dict.table;
    while (table && *position < table->filled) {
        struct plait__entry *entry = &table->entries[(*position)++];
        if (PLAIT__LIKELY(entry->key != NULL)) return entry;
    }
    return NULL;
}

static inline size_t plait__table_len(const plait_value *dict)
{
    return dict->as.dict.table ? dict->as.dict.table->used : 0;
}

/* ---- globals and objects ---- */

/* Text that every protocol of pickle can have as the name of a module; "Outer.Inner": no part of it is empty, either. */
bool plait__is_name(const char *name, size_t size);
bool plait__is_path(const char *name, size_t size);

/* Module and name of a global that a program names, "collections.OrderedDict": 0, or -EINVAL. */
int plait__check_global(const char *name);

/* Module and name, "collections" and "OrderedDict.x", which are such ones. */
plait_value *plait__global_new(const char *module, size_t module_size, const char *name, size_t name_size);

enum plait__made {
    PLAIT__BY_NEW,            /* class.__new__(class, *arguments) */
    PLAIT__BY_NEW_EX,         /* the same with **keywords */
    PLAIT__BY_CALL            /* callable(*arguments) */
};

/* All may be NULL but the callable.  An instance has a struct in `self`, which is its state then: `state` is at most a copy that
 * plait_object_state made. */
struct plait__object {
    enum plait__made made;
    plait_value *callable;                                 /* as a rule a global; any value in odd pickles */
    plait_value *arguments, *keywords;                     /* a tuple, a dict */
    plait_value *items;                                    /* a list: appended when it was made */
    plait_value *pairs;                                    /* a dict: set when it was made */
    plait_value *state;                                    /* given to it in the end */
    const plait_class *type;
    void *self;
    char *str;                                             /* what plait_str returned */
    _Atomic(plait_value *) native;                         /* the items of an array, in this machine's order, if it has another */
};

/* Everything is given away; arguments and keywords may be NULL.  EINVAL: arguments that are no tuple, keywords that are no dict. */
plait_value *plait__object_new(enum plait__made made, plait_value *callable, plait_value *arguments, plait_value *keywords);

/* What pickle's APPEND, SETITEM and BUILD do to an object.  A second state takes the place of the first. */
int plait__object_push(plait_value *object, plait_value *item);
int plait__object_put(plait_value *object, plait_value *key, plait_value *value);
int plait__object_build(plait_value *object, plait_value *state);

/* The state that travels, the caller's: of an instance its struct encoded, otherwise the state; NULL (and 0) if there is none. */
int plait__object_state_now(const plait_value *object, plait_value **state);

/* NULL: no such class is registered. */
const plait_class *plait__class_find(const char *name);

#endif
