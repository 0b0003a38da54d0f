/* The machine that reads pickles: its stack, its marks and its memo.  What it does not do is to call anybody. */
#include "value/pickle_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- errors ---- */

int plait__pickle_bad(const struct plait__reader *reader, int error, const char *format, ...)
{
    char what[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return plait__fail(error, "%s, at byte %zu of the pickle", what, (size_t)(reader->code - reader->begin));
}

int plait__pickle_truncated(const struct plait__reader *reader, uint64_t size)
{
    return plait__pickle_bad(reader, -EBADMSG, "it is cut off: %llu more bytes should follow, and there are %zu",
                             (unsigned long long)size, (size_t)(reader->end - reader->at));
}

int plait__pickle_too_large(const struct plait__reader *reader)
{
    return plait__pickle_bad(reader, -ENOMEM, "the value takes more memory than max_memory");
}

/* What a builder said, of which only the memory is not the pickle's fault. */
int plait__pickle_failed(const struct plait__reader *reader)
{
    const int error = errno;
    if (error == ENOMEM || error == EOVERFLOW) return -error;
    return plait__pickle_bad(reader, -EBADMSG, "%s", plait_error_detail());
}

/* ---- the stack ---- */

/* Twice the room for what lies in *array, which lies in `some` at first. */
static int double_room(struct plait__reader *reader, void **array, const void *some, size_t *room, size_t size)
{
    int error = plait__pickle_spend(reader, *room * 2 * size);
    if (error) return error;
    void *larger = realloc(*array == some ? NULL : *array, *room * 2 * size);
    if (!larger) return plait__pickle_bad(reader, -ENOMEM, "there is no memory for the stack");
    if (*array == some) memcpy(larger, some, *room * size);
    else reader->memory += *room * size;
    *array = larger;
    *room *= 2;
    return 0;
}

int plait__pickle_more_slots(struct plait__reader *reader)
{
    void *slots = reader->slots;
    int error = double_room(reader, &slots, reader->some_slots, &reader->room, sizeof reader->slots[0]);
    reader->slots = slots;
    return error;
}

int plait__pickle_underflow(const struct plait__reader *reader)
{
    return plait__pickle_bad(reader, -EBADMSG, "the stack has too few values above the last mark, %zu, for opcode 0x%02x",
                             reader->count - reader->fence, *reader->code);
}

void plait__pickle_cut(struct plait__reader *reader, size_t count)
{
    while (reader->count > count) plait_value_free(reader->slots[--reader->count]);
}

int plait__pickle_mark(struct plait__reader *reader)
{
    if (reader->mark_count == reader->mark_room) {
        void *marks = reader->marks;
        int error = double_room(reader, &marks, reader->some_marks, &reader->mark_room, sizeof reader->marks[0]);
        reader->marks = marks;
        if (error) return error;
    }
    reader->marks[reader->mark_count++] = reader->count;
    reader->fence = reader->count;
    return 0;
}

int plait__pickle_unmark(struct plait__reader *reader, size_t *mark)
{
    if (reader->mark_count == 0) return plait__pickle_bad(reader, -EBADMSG, "no mark is left for opcode 0x%02x", *reader->code);
    *mark = reader->marks[--reader->mark_count];
    reader->fence = reader->mark_count ? reader->marks[reader->mark_count - 1] : 0;
    return 0;
}

/* ---- depth ---- */

int plait__pickle_depth_of(struct plait__reader *reader, size_t from, uint32_t *depth)
{
    uint32_t most = 0;
    for (size_t i = from; i < reader->count && reader->deep > from; i++) {
        plait_value *value = reader->slots[i];
        if (!plait__is_container(value)) continue;
        if (plait__pickle_depth(value) > most) most = plait__pickle_depth(value);
        atomic_store_explicit(&value->held, 1, memory_order_relaxed);
    }
    if (most >= reader->max_depth)
        return plait__pickle_bad(reader, -EOVERFLOW, "nested too deeply: more than %u containers", reader->max_depth);
    if (reader->deep > from) reader->deep = from;
    *depth = most + 1;
    return 0;
}

/* A container that was fetched from the memo, or doubled, may be below what it takes in, and others may have counted its depth.
 * Python's own pickles change such a one only if it does hold itself. */
int plait__pickle_takes(struct plait__reader *reader, size_t container)
{
    uint32_t depth = 1;
    plait_value *value = reader->slots[container];
    int error = plait__pickle_depth_of(reader, container + 1, &depth);
    if (error || !plait__is_container(value)) return error;
    if (depth > 1 && value->flags & PICKLE_ALIASED)
        return plait__pickle_bad(reader, -ENOTSUP, "a %s would hold itself", plait_value_type_name(value));
    if (depth > plait__pickle_depth(value)) plait__pickle_set_depth(value, depth);
    return 0;
}

/* ---- the memo ---- */

static int grow_memo(struct plait__reader *reader, size_t index)
{
    size_t room = reader->memo_room;
    while (room <= index) room *= 2;
    int error = plait__pickle_spend(reader, (room - reader->memo_room) * sizeof reader->memo[0]);
    if (error) return error;
    plait_value **memo = realloc(reader->memo == reader->some_memo ? NULL : reader->memo, room * sizeof memo[0]);
    if (!memo) return plait__pickle_bad(reader, -ENOMEM, "there is no memory for a memo of %zu entries", room);
    if (reader->memo == reader->some_memo) memcpy(memo, reader->some_memo, reader->memo_size * sizeof memo[0]);
    reader->memo = memo;
    reader->memo_room = room;
    return 0;
}

static int make_room_in_memo(struct plait__reader *reader, size_t index)
{
    if (index > (size_t)(reader->end - reader->begin))
        return plait__pickle_bad(reader, -EBADMSG, "index %zu of the memo is beyond what a pickle of %zu bytes needs", index,
                                 (size_t)(reader->end - reader->begin));
    int error = index < reader->memo_room ? 0 : grow_memo(reader, index);
    if (error) return error;
    while (reader->memo_size <= index) reader->memo[reader->memo_size++] = NULL;
    return 0;
}

int plait__pickle_memoize(struct plait__reader *reader, size_t index)
{
    int error = plait__pickle_has(reader, 1);
    if (!error && PLAIT__UNLIKELY(index >= reader->memo_size)) error = make_room_in_memo(reader, index);
    if (PLAIT__UNLIKELY(error)) return error;
    plait_value **entry = &reader->memo[index], *before = *entry;
    *entry = plait__ref_alone(reader->slots[reader->count - 1]);
    if (before) plait_value_free(before);
    else reader->memo_count++;
    return 0;
}

int plait__pickle_push_again(struct plait__reader *reader, plait_value *value)
{
    if (plait__is_container(value)) {
        value->flags |= PICKLE_ALIASED;
        reader->deep = reader->count + 1;
    }
    return plait__pickle_push(reader, plait__ref_alone(value));
}

int plait__pickle_get(struct plait__reader *reader, size_t index)
{
    if (index < reader->memo_size && reader->memo[index]) return plait__pickle_push_again(reader, reader->memo[index]);
    return plait__pickle_bad(reader, -EBADMSG, "the memo has no entry %zu", index);
}

/* Nobody else has these values yet, so their references are counted without atomic operations; each is fetched before its turn. */
static inline void forget(plait_value *value)
{
    const uint32_t refs = value ? atomic_load_explicit(&value->refs, memory_order_relaxed) : PLAIT__IMMORTAL;
    if (PLAIT__UNLIKELY(refs == 1)) plait__value_end(value);
    else if (refs < PLAIT__IMMORTAL) atomic_store_explicit(&value->refs, refs - 1, memory_order_relaxed);
}

void plait__pickle_memo_free(struct plait__reader *reader)
{
    enum { AHEAD = 8 };
    for (size_t i = 0; i < reader->memo_size; i++) {
        if (i + AHEAD < reader->memo_size) __builtin_prefetch(reader->memo[i + AHEAD], 1);
        forget(reader->memo[i]);
    }
    if (reader->memo != reader->some_memo) free(reader->memo);
}
