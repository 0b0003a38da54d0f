/* message/place.h - where a position of a queue lies: in its ring, or in its chain of segments.
 *
 * In a ring, modulo its size; behind its last unit comes the first one.
 *
 * Of segments, position / 2048 is the number of one and position % 2048 the unit in it.  Unit 0 is its header, so records begin
 * behind that, and a message that goes on in the next segment does so behind the header there.  It touches two of them at most.
 * Each cursor knows the segment of the unit *before* its position, by the last bit of its number; the next one follows from there.
 * Who moves from one segment to the next writes the other entry before the commit: which one counts is a matter of the position
 * alone, so what somebody wrote who died before it committed is never looked at.  In the same way `next` counts only when the tail
 * has got there.
 *
 * The segment that a cursor leaves behind is freed by whoever moves it, in that commit: the head, or with leases `done`.  Nobody
 * else needs it any more: the tail has got further, or the cursor could not have moved past its end.
 */
#ifndef PLAIT_MESSAGE_PLACE_H
#define PLAIT_MESSAGE_PLACE_H

#include "message/queue_internal.h"

/* A position, and the segment of the unit before it. */
struct plait__walk {
    uint64_t position;
    struct plait__segment *segment;
};

/* The bytes of a message: `room` of them at `at`, the others at `rest`. */
struct plait__bytes {
    char *at, *rest;
    size_t room;
};

static inline unsigned plait__entry_of(uint64_t position)
{
    return (unsigned)((position - 1) / PLAIT__SEGMENT_UNITS) & 1;
}

static inline struct plait__walk plait__walk_from(const plait_queue *queue, const struct plait__cursor *cursor, uint64_t word)
{
    uint64_t position = plait__position_in(word);
    return (struct plait__walk){ position, queue->units ? NULL : cursor->segments[plait__entry_of(position)] };
}

/* As a cursor's word would tell it. */
static inline uint64_t plait__place_of(const struct plait__walk *walk)
{
    return walk->position << PLAIT__PLACE_SHIFT;
}

static inline uint32_t plait__units_for(const plait_queue *queue, size_t size)
{
    return (uint32_t)((queue->header + size + PLAIT__UNIT - 1) / PLAIT__UNIT);
}

static inline bool plait__at_boundary(const struct plait__walk *walk)
{
    return walk->position % PLAIT__SEGMENT_UNITS == 0;
}

/* Behind the header of the segment. */
static inline uint64_t plait__first_unit(const struct plait__walk *walk)
{
    return walk->position % PLAIT__SEGMENT_UNITS + plait__at_boundary(walk);
}

/* Does a message of so many units that begins here touch a segment other than walk->segment? */
static inline bool plait__needs_next(const plait_queue *queue, const struct plait__walk *walk, uint32_t units)
{
    if (PLAIT__LIKELY(queue->units)) return false;
    return plait__at_boundary(walk) || plait__first_unit(walk) + units > PLAIT__SEGMENT_UNITS;
}

static inline char *plait__start_of(plait_queue *queue, const struct plait__walk *walk)
{
    if (PLAIT__LIKELY(queue->units)) return queue->ring + (walk->position & (queue->units - 1)) * PLAIT__UNIT;
    struct plait__segment *segment = plait__at_boundary(walk) ? walk->segment->next : walk->segment;
    return (char *)segment + plait__first_unit(walk) * PLAIT__UNIT;
}

static inline struct plait__record *plait__record_at(plait_queue *queue, const struct plait__walk *walk)
{
    return (struct plait__record *)plait__start_of(queue, walk);
}

/* Of the message whose record is here, if it has `size` bytes. */
static inline struct plait__bytes plait__bytes_at(plait_queue *queue, const struct plait__walk *walk, size_t size)
{
    struct plait__bytes bytes = { .at = plait__start_of(queue, walk) + queue->header };
    if (PLAIT__LIKELY(queue->units)) {
        bytes.room = (size_t)(queue->ring + (size_t)queue->units * PLAIT__UNIT - bytes.at);
        bytes.rest = queue->ring;
        return bytes;
    }
    bytes.room = (PLAIT__SEGMENT_UNITS - plait__first_unit(walk)) * PLAIT__UNIT - queue->header;
    bytes.rest = size > bytes.room ? (char *)(walk->segment->next + 1) : NULL;       /* it began in walk->segment then */
    return bytes;
}

/* As memcpy, without a call for what is small. */
static inline void plait__copy_few(void *to, const void *from, size_t size)
{
    if (PLAIT__LIKELY(size == 8)) {
        memcpy(to, from, 8);
    } else if (PLAIT__LIKELY(size >= 16 && size <= 128)) {
        for (size_t i = 0; i + 16 < size; i += 16) memcpy((char *)to + i, (const char *)from + i, 16);
        memcpy((char *)to + size - 16, (const char *)from + size - 16, 16);
    } else {
        memcpy(to, from, size);
    }
}

static inline void plait__copy_in(const struct plait__bytes *to, const void *data, size_t size)
{
    size_t first = size < to->room ? size : to->room;
    if (PLAIT__LIKELY(first)) plait__copy_few(to->at, data, first);
    if (PLAIT__UNLIKELY(first < size)) memcpy(to->rest, (const char *)data + first, size - first);
}

static inline void plait__copy_out(void *buffer, const struct plait__bytes *from, size_t size)
{
    size_t first = size < from->room ? size : from->room;
    if (PLAIT__LIKELY(first)) plait__copy_few(buffer, from->at, first);
    if (PLAIT__UNLIKELY(first < size)) memcpy((char *)buffer + first, from->rest, size - first);
}

/* Over a message of so many units. */
static inline void plait__step(const plait_queue *queue, struct plait__walk *walk, uint32_t units)
{
    if (PLAIT__UNLIKELY(!queue->units)) {
        uint64_t first = plait__first_unit(walk);
        if (plait__needs_next(queue, walk, units)) walk->segment = walk->segment->next;
        walk->position += first + units - walk->position % PLAIT__SEGMENT_UNITS + (first + units > PLAIT__SEGMENT_UNITS);
    } else {
        walk->position += units;
    }
    walk->position &= PLAIT__POSITIONS - 1;
}

/* Bytes that the message has in the ring or the segments. */
static inline size_t plait__size_there(const struct plait__record *record)
{
    return record->size == PLAIT__IN_BLOCK ? sizeof(struct plait__block) : record->size;
}

/* Where the message lies that has a block of its own. */
static inline struct plait__block plait__block_at(plait_queue *queue, const struct plait__walk *walk)
{
    struct plait__block block;
    struct plait__bytes bytes = plait__bytes_at(queue, walk, sizeof block);
    plait__copy_out(&block, &bytes, sizeof block);
    return block;
}

/* The cursor is ours and goes on to where the walk has got, over so many messages.  `frees`: the segment behind it is not needed
 * any more.  A walk that is committed has come to one other segment at most. */
void plait__commit_walk(plait_queue *queue, struct plait__cursor *cursor, uint64_t word, const struct plait__walk *walk,
                        uint32_t messages, bool frees);

/* Copy the message here into the buffer, or into a fresh block of ours.  Its size; -EMSGSIZE, -ENOMEM. */
ssize_t plait__copy_message(plait_queue *queue, const struct plait__walk *walk, const struct plait__taking *taking);

#endif
