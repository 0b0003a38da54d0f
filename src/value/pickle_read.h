/* value/pickle_read.h - the machine that reads pickles: a stack of values, marks in it, and a memo. */
#ifndef PLAIT_VALUE_PICKLE_READ_H
#define PLAIT_VALUE_PICKLE_READ_H

#include "value/pickle_codes.h"
#include "value/value.h"

/* While a container is read, its cell has a flag: it was fetched from the memo, so it may be in several places; and its depth, that
 * is, of how many containers within each other it consists: 8 bits in `size`, 4 in `flags`. */
enum { PICKLE_ALIASED = 0x80, PICKLE_DEPTH_FLAGS = 0x78, PICKLE_DEPTH_SHIFT = 5, PICKLE_DEEPEST = 0xfff };

static inline uint32_t plait__pickle_depth(const plait_value *container)
{
    return container->size | (container->flags & (uint32_t)PICKLE_DEPTH_FLAGS) << PICKLE_DEPTH_SHIFT;
}

static inline void plait__pickle_set_depth(plait_value *container, uint32_t depth)
{
    container->size = (uint8_t)depth;
    container->flags = (uint8_t)((container->flags & ~PICKLE_DEPTH_FLAGS) | (depth >> PICKLE_DEPTH_SHIFT & PICKLE_DEPTH_FLAGS));
}

enum { PICKLE_SLOTS = 48, PICKLE_MARKS = 16, PICKLE_MEMO = 32 };       /* without a malloc */

struct plait__reader {
    const unsigned char *begin, *at, *end;
    const unsigned char *code;                             /* the operation that is being done */
    plait_value **slots, **memo;                           /* each owns a reference */
    size_t count, room;                                    /* of the stack */
    size_t deep;                                           /* no container lies at this place of the stack or above it */
    size_t fence;                                          /* the topmost mark: what is below is not to be popped */
    size_t *marks, mark_count, mark_room;
    size_t memo_size, memo_room;                           /* how many entries there are, with those that have no value */
    size_t memo_count;                                     /* how many have a value: MEMOIZE takes this index */
    size_t memory;                                         /* bytes that the value may still take */
    size_t weight;                                         /* how much may still be in keys */
    uint32_t max_depth;
    int protocol;
    plait_value *some_slots[PICKLE_SLOTS], *some_memo[PICKLE_MEMO];
    size_t some_marks[PICKLE_MARKS];
};

/* Set the detail, with the place, and return the error. */
int plait__pickle_bad(const struct plait__reader *reader, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The pickle ends before so many more bytes.  -EBADMSG. */
int plait__pickle_truncated(const struct plait__reader *reader, uint64_t size);

/* So many bytes of memory more are needed; -ENOMEM: they are too many. */
int plait__pickle_too_large(const struct plait__reader *reader);
static inline int plait__pickle_spend(struct plait__reader *reader, size_t size)
{
    if (PLAIT__UNLIKELY(size > reader->memory)) return plait__pickle_too_large(reader);
    reader->memory -= size;
    return 0;
}

/* ---- the stack ---- */

int plait__pickle_more_slots(struct plait__reader *reader);

/* Push what is given away.  NULL: errno says why, after a builder. */
int plait__pickle_failed(const struct plait__reader *reader);
static inline int plait__pickle_push(struct plait__reader *reader, plait_value *value)
{
    if (PLAIT__UNLIKELY(!value)) return plait__pickle_failed(reader);
    if (PLAIT__UNLIKELY(reader->count == reader->room)) {
        int error = plait__pickle_more_slots(reader);
        if (error) {
            plait_value_free(value);
            return error;
        }
    }
    reader->slots[reader->count++] = value;
    return 0;
}

/* The same for a container that is so deep. */
static inline int plait__pickle_push_deep(struct plait__reader *reader, plait_value *container, uint32_t depth)
{
    int error = plait__pickle_push(reader, container);
    if (PLAIT__UNLIKELY(error)) return error;
    plait__pickle_set_depth(container, depth);
    reader->deep = reader->count;
    return 0;
}

/* Push what is in several places from now on: from the memo, or doubled. */
int plait__pickle_push_again(struct plait__reader *reader, plait_value *value);

/* So many values lie above the topmost mark; -EBADMSG. */
int plait__pickle_underflow(const struct plait__reader *reader);
static inline int plait__pickle_has(const struct plait__reader *reader, size_t count)
{
    return PLAIT__LIKELY(reader->count - reader->fence >= count) ? 0 : plait__pickle_underflow(reader);
}

/* Take the topmost mark away: where it was. */
int plait__pickle_mark(struct plait__reader *reader);
int plait__pickle_unmark(struct plait__reader *reader, size_t *mark);

/* Free what lies above. */
void plait__pickle_cut(struct plait__reader *reader, size_t count);

/* The depth of a container of all that lies from there on, which becomes held. */
int plait__pickle_depth_of(struct plait__reader *reader, size_t from, uint32_t *depth);

/* A container takes in all that lies above it: may it?  It is that deep then. */
int plait__pickle_takes(struct plait__reader *reader, size_t container);

/* ---- the memo ---- */

/* The topmost value gets the next index, as MEMOIZE does it, or one that is named. */
int plait__pickle_memoize(struct plait__reader *reader, size_t index);
static inline int plait__pickle_memoize_next(struct plait__reader *reader)
{
    const size_t index = reader->memo_count;
    if (PLAIT__UNLIKELY(index != reader->memo_size || index == reader->memo_room || reader->count == reader->fence))
        return plait__pickle_memoize(reader, index);
    reader->memo[index] = plait__ref_alone(reader->slots[reader->count - 1]);
    reader->memo_size = reader->memo_count = index + 1;
    return 0;
}

int plait__pickle_get(struct plait__reader *reader, size_t index);
void plait__pickle_memo_free(struct plait__reader *reader);

/* ---- operations: containers (pickle_containers.c), text (pickle_text.c), classes (pickle_classes.c) ---- */

int plait__pickle_tuple(struct plait__reader *reader, size_t from);
int plait__pickle_list(struct plait__reader *reader, size_t from);
int plait__pickle_dict(struct plait__reader *reader, size_t from);
int plait__pickle_frozenset(struct plait__reader *reader, size_t from);
int plait__pickle_appends(struct plait__reader *reader, size_t from);
int plait__pickle_setitems(struct plait__reader *reader, size_t from);
int plait__pickle_additems(struct plait__reader *reader, size_t from);

/* A set of the items of a list or a tuple; type: PLAIT_SET or PLAIT_FROZENSET. */
int plait__pickle_set_of(struct plait__reader *reader, int type, const plait_value *list, plait_value **set);

int plait__pickle_line(struct plait__reader *reader, const char **line, size_t *size);
int plait__pickle_text(struct plait__reader *reader, int code);
int plait__pickle_index(struct plait__reader *reader, size_t *index);          /* of GET and PUT */
int plait__pickle_old_string(struct plait__reader *reader, const char *bytes, size_t size);

int plait__pickle_global(struct plait__reader *reader);
int plait__pickle_stack_global(struct plait__reader *reader);
int plait__pickle_reduce(struct plait__reader *reader);
int plait__pickle_newobj(struct plait__reader *reader, bool keywords);
int plait__pickle_obj(struct plait__reader *reader);
int plait__pickle_inst(struct plait__reader *reader);
int plait__pickle_build(struct plait__reader *reader);
int plait__pickle_pop(struct plait__reader *reader);

/* What a call of that name with this tuple of arguments gives, if it is plain: 1, and it is in *result; 0: it stays a call; or an
 * error. */
int plait__pickle_plain(struct plait__reader *reader, const plait_value *callable, const plait_value *arguments,
                        plait_value **result);

#endif
