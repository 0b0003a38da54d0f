/* message/quick.h - the quick road: one message while nobody is in the way.
 *
 * It takes the steps of fifo.c, in their order, for a message that lies in one piece in the ring, or in the present segment.  When
 * the cursor is owned, or there is no room, or no message, or anything else is out of the ordinary, it has done nothing, and fifo.c
 * has to do it.
 *
 * What it costs is two atomic operations on the cursor, to own it and to commit.  To read the cursor right after one of them takes
 * as long as another half; so a thread remembers what it left there, and owns it if that is still true.
 */
#ifndef PLAIT_MESSAGE_QUICK_H
#define PLAIT_MESSAGE_QUICK_H

#include "base/fault.h"
#include "message/place.h"
#include "message/stream.h"

/* How far ahead of us, in units, we ask for the cache line that we are going to use: without that each commit waits until the line
 * of its record has come over from the other side. */
#define PLAIT__AHEAD 32u

static inline void plait__will_write(const void *at)
{
#if defined __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));         /* the builtin would ask for it to read */
#else
    __builtin_prefetch(at, 1);
#endif
}

/* ---- the cursor ---- */

/* What it is, or was when we left it. */
static inline uint64_t plait__quick_word(const struct plait__cursor *cursor)
{
    return PLAIT__LIKELY(plait__self.stream.known == cursor) ? plait__self.stream.word
                                                             : atomic_load_explicit(&cursor->word, memory_order_relaxed);
}

static inline bool plait__quick_own(struct plait__cursor *cursor, uint64_t *word)
{
    uint64_t seen = *word;
    *word |= plait__self.short_owner;
    bool owned = atomic_compare_exchange_strong_explicit(&cursor->word, &seen, *word, memory_order_acquire, memory_order_relaxed);
    if (!owned) return false;
    PLAIT__POINT(QUEUE_OWNED);
    plait__tsan_acquire(&cursor->word);
    return true;
}

/* One message further, by so many units.  Who was woken may have changed the flags, so then nothing is known. */
static inline void plait__quick_commit(struct plait__cursor *cursor, uint64_t word, uint32_t units)
{
    uint64_t position = plait__position_in(word) + units, flags = plait__cursor_commit(cursor, word, position, 1);
    if (PLAIT__UNLIKELY(plait__self.stream.known != cursor)) {
        plait__stream_enter(cursor);
        plait__self.stream.known = cursor;
    }
    plait__self.stream.word = position << PLAIT__PLACE_SHIFT;
    if (PLAIT__UNLIKELY(flags)) plait__self.stream.known = NULL;
    if (PLAIT__UNLIKELY(flags & PLAIT__CLOSED)) plait__cursor_ring_all(cursor);
}

/* Where it stands: units of the ring, or of the segment, from `base` on. */
static inline char *plait__quick_base(plait_queue *queue, const struct plait__cursor *cursor, uint64_t word)
{
    return PLAIT__LIKELY(queue->units) ? queue->ring : (char *)cursor->segments[plait__entry_of(plait__position_in(word))];
}

static inline char *plait__quick_at(const plait_queue *queue, char *base, uint64_t word, uint32_t ahead)
{
    return base + ((plait__position_in(word) + ahead) & queue->mask) * PLAIT__UNIT;
}

/* So many units from here on lie side by side.  Not at the first unit of a segment, its header: who gets there has a segment to
 * make, or to free. */
static inline bool plait__quick_fits(const plait_queue *queue, uint64_t word, uint32_t units)
{
    uint32_t at = (uint32_t)plait__position_in(word) & queue->mask;
    return at + units <= queue->mask + 1 && (PLAIT__LIKELY(queue->units) || at);
}

/* ---- the road ---- */

static inline bool plait__quick_room(const plait_queue *queue, uint64_t word, uint32_t units)
{
    uint64_t seen = atomic_load_explicit(&queue->tail.seen, memory_order_relaxed);
    return !queue->units || plait__units_between(seen, word) + units <= queue->units;
}

/* Only for the owner: numbers are true of the present word. */
static inline bool plait__quick_too_many(const plait_queue *queue, uint64_t word)
{
    if (PLAIT__LIKELY(queue->maxsize == UINT32_MAX)) return false;
    uint32_t seen = atomic_load_explicit(&queue->tail.seen_number, memory_order_relaxed);
    return plait__number_at(&queue->tail, word) - seen >= queue->maxsize;
}

static inline void plait__quick_write(plait_queue *queue, uint64_t word, const void *data, size_t size)
{
    char *base = plait__quick_base(queue, &queue->tail, word), *at = plait__quick_at(queue, base, word, 0);
    plait__will_write(plait__quick_at(queue, base, word, PLAIT__AHEAD));
    plait__tsan_acquire(&queue->head.word);
    struct plait__record *record = (struct plait__record *)at;
    record->size = (uint32_t)size;
    if (queue->leases) {
        record->number = plait__number_at(&queue->tail, word);
        atomic_store_explicit(&record->holder, 0, memory_order_relaxed);
        plait__tell_joiners(queue);
    }
    plait__copy_few(at + queue->header, data, size);
}

/* True: it was put. */
static inline bool plait__quick_put(plait_queue *queue, const void *data, size_t size)
{
    struct plait__cursor *tail = &queue->tail;
    uint64_t word = plait__quick_word(tail);
    uint32_t units = plait__units_for(queue, size);
    bool done = false;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    if (PLAIT__LIKELY(!(word & (PLAIT__CLOSED | 0xffff)) && plait__quick_fits(queue, word, units) &&
                      plait__quick_room(queue, word, units) && plait__quick_own(tail, &word))) {
        if (PLAIT__LIKELY(!plait__quick_too_many(queue, word))) {
            plait__quick_write(queue, word, data, size);
            plait__quick_commit(tail, word, units);
            done = true;
        } else {
            plait__give_tail_up(queue);
        }
    }
    plait__leave_object(before);
    if (PLAIT__UNLIKELY(!done)) plait__self.stream.known = NULL;
    return done;
}

/* By our note, which may be older than the word, but whatever is ahead of that has been put. */
static inline bool plait__quick_ready(const plait_queue *queue, uint64_t word)
{
    uint64_t seen = atomic_load_explicit(&queue->head.seen, memory_order_relaxed);
    return plait__units_between(word, seen) - 1 < PLAIT__POSITIONS / 2;
}

/* The size of the message that was taken; -1: none was.  With leases, *lease is that of it; what came back goes another way. */
static inline ssize_t plait__quick_get(plait_queue *queue, void *buffer, size_t size, plait_lease *lease)
{
    struct plait__cursor *head = &queue->head;
    uint64_t word = plait__quick_word(head);
    ssize_t result = -1;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    bool may = !(word & 0xffff) && plait__quick_ready(queue, word) && !(lease && plait__may_have_returned(queue));
    if (PLAIT__LIKELY(may && plait__quick_own(head, &word))) {
        plait__tsan_acquire(&queue->tail.word);
        char *base = plait__quick_base(queue, head, word), *at = plait__quick_at(queue, base, word, 0);
        __builtin_prefetch(plait__quick_at(queue, base, word, PLAIT__AHEAD));
        uint32_t has = ((struct plait__record *)at)->size, units = plait__units_for(queue, has);
        if (PLAIT__LIKELY(has <= size && has < queue->quick_below && plait__quick_fits(queue, word, units))) {
            plait__copy_few(buffer, at + queue->header, has);
            if (lease) plait__lease_begin(queue, (struct plait__record *)at, lease);
            plait__quick_commit(head, word, units);
            result = has;
        } else {
            plait__cursor_disown(head);
        }
    }
    plait__leave_object(before);
    if (PLAIT__UNLIKELY(result < 0)) plait__self.stream.known = NULL;
    return result;
}

#endif
