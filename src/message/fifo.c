/* message/fifo.c - queues that are first in, first out. */
#include <stdlib.h>

#include <plait/arena.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/handover.h"
#include "family/repair.h"
#include "message/place.h"
#include "message/stream.h"

/* ---- segments ---- */

void plait__fifo_begin(plait_queue *queue)
{
    struct plait__cursor *const cursors[] = { &queue->tail, &queue->head, &queue->done };
    for (int i = 0; i < 3; i++) cursors[i]->segments[plait__entry_of(0)] = &queue->before;
}

/* The tail is ours: make the segment that a message of so many units needs, if it needs another one.  0, -ENOMEM. */
static int make_segment(plait_queue *queue, const struct plait__walk *walk, uint32_t units)
{
    if (PLAIT__LIKELY(!plait__needs_next(queue, walk, units))) return 0;
    struct plait__segment *fresh = plait_message_alloc(PLAIT__SEGMENT_UNITS * PLAIT__UNIT);
    if (!fresh) return -ENOMEM;
    fresh->next = NULL;
    atomic_store_explicit(&fresh->queue, queue, memory_order_relaxed);
    plait__give(PLAIT__NOTE_SEGMENT, fresh);
    struct plait__walk after = { walk->position, walk->segment };
    walk->segment->next = fresh;
    plait__step(queue, &after, units);
    queue->tail.segments[plait__entry_of(after.position)] = fresh;
    return 0;
}

void plait__commit_walk(plait_queue *queue, struct plait__cursor *cursor, uint64_t word, const struct plait__walk *walk,
                        uint32_t messages, bool frees)
{
    struct plait__segment *old = plait__walk_from(queue, cursor, word).segment;
    if (PLAIT__LIKELY(old == walk->segment)) {
        plait__cursor_commit(cursor, word, walk->position, messages);
        return;
    }
    frees = frees && old != &queue->before;
    cursor->segments[plait__entry_of(walk->position)] = walk->segment;
    if (frees) plait__take(PLAIT__NOTE_SEGMENT, old);
    plait__cursor_commit(cursor, word, walk->position, messages);
    if (!frees) return;
    plait__taken(PLAIT__NOTE_SEGMENT, old);
    plait_free(old);
}

/* All blocks of a queue that nobody uses any more. */
void plait__fifo_free(plait_queue *queue)
{
    struct plait__cursor *from = queue->leases ? &queue->done : &queue->head;
    struct plait__walk walk = plait__walk_from(queue, from, atomic_load(&from->word));
    uint64_t end = plait__position_in(atomic_load(&queue->tail.word));
    while (walk.position != end) {
        const struct plait__record *record = plait__record_at(queue, &walk);
        uint32_t units = plait__units_for(queue, plait__size_there(record));
        if (record->size == PLAIT__IN_BLOCK) plait_free(plait__block_at(queue, &walk).data);
        struct plait__segment *behind = walk.segment;
        plait__step(queue, &walk, units);
        if (walk.segment != behind && behind != &queue->before) plait_free(behind);
    }
    if (walk.segment && walk.segment != &queue->before) plait_free(walk.segment);
}

/* ---- streams ---- */

/* To wait in a stream through this cursor.  Or `looks` is true: by our note there is nothing to do, and we are going to see whether
 * there is. */
static inline struct plait__wait wait_at(const struct plait__cursor *cursor, bool looks, plait_deadline deadline)
{
    plait__stream_enter(cursor);
    plait__self.stream.known = NULL;
    if (PLAIT__UNLIKELY(looks)) plait__stream_linger(deadline);
    return plait__wait_until(deadline);
}

/* ---- room ---- */

static inline const _Atomic uint64_t *room_word(const plait_queue *queue)
{
    return queue->leases ? &queue->done.word : &queue->head.word;
}

static inline bool has_maxsize(const plait_queue *queue)
{
    return queue->maxsize != UINT32_MAX;
}

/* With the cursors as they were at some moment: does a message of so many units fit? */
static inline bool fits(const plait_queue *queue, uint64_t tail, uint64_t freed, uint32_t queued, uint32_t units)
{
    if (queue->units && plait__units_between(freed, tail) + units > queue->units) return false;
    return !has_maxsize(queue) || queued < queue->maxsize;
}

/* The next message is to lie at `place`, as the one of this number.  As far as the last owner of the tail saw, is there room? */
static inline bool noted_room(const plait_queue *queue, uint64_t place, uint32_t number, uint32_t units)
{
    uint64_t seen = atomic_load_explicit(&queue->tail.seen, memory_order_relaxed);
    return fits(queue, place, seen, number - atomic_load_explicit(&queue->tail.seen_number, memory_order_relaxed), units);
}

/* The same for the owner of the tail, who looks if need be: to read the other side's cursor costs a cache miss. */
static inline bool has_room(plait_queue *queue, uint64_t place, uint32_t number, uint32_t units)
{
    if (PLAIT__LIKELY(noted_room(queue, place, number, units))) return true;
    uint64_t freed = atomic_load_explicit(room_word(queue), memory_order_acquire), taken;
    plait__stream_looked(queue, plait__units_between(atomic_load_explicit(&queue->tail.seen, memory_order_relaxed), freed));
    atomic_store_explicit(&queue->tail.seen, freed, memory_order_relaxed);
    if (has_maxsize(queue)) {
        uint32_t first = plait__look_at_number(&queue->head, &taken);
        atomic_store_explicit(&queue->tail.seen_number, first, memory_order_relaxed);
    }
    return noted_room(queue, place, number, units);
}

bool plait__fifo_has_room(const plait_queue *queue)
{
    uint64_t freed = atomic_load(room_word(queue));        /* first: it never overtakes a later tail */
    return !queue->units || plait__units_between(freed, atomic_load(&queue->tail.word)) < queue->units;
}

/* There may be room that somebody else can use who sleeps. */
void plait__pass_room_on(plait_queue *queue)
{
    plait__cursor_pass_on(&queue->head, PLAIT__WANT_MOVE);
    if (queue->leases) plait__cursor_pass_on(&queue->done, PLAIT__WANT_MOVE);
}

struct plait__room plait__look_at_room(plait_queue *queue)
{
    struct plait__room room;
    if (queue->leases) plait__reclaim_all(queue);          /* who acknowledged may have died before it could */
    uint32_t first = plait__look_at_number(&queue->head, &room.taken);
    room.freed = queue->leases ? atomic_load(&queue->done.word) : room.taken;
    room.queued = plait__look_at_number(&queue->tail, &room.tail) - first;
    room.too_many = !queue->leases || (has_maxsize(queue) && room.queued >= queue->maxsize);
    return room;
}

bool plait__room_suffices(const plait_queue *queue, const struct plait__room *room, uint32_t units)
{
    return (room->tail & PLAIT__CLOSED) || fits(queue, room->tail, room->freed, room->queued, units);
}

/* Sleep on the cursor that keeps the message out: too many queued is up to the head, no room to whoever frees it. */
static int wait_for_room(plait_queue *queue, uint32_t units, struct plait__wait *wait)
{
    uint64_t freed_before = 0, taken_before = 0;
    for (bool looked = false;; looked = true) {
        uint32_t head_bell = atomic_load(&queue->head.move_bell), done_bell = atomic_load(&queue->done.move_bell);
        struct plait__room room = plait__look_at_room(queue);
        if (plait__room_suffices(queue, &room, units)) return 0;
        uint64_t taken = room.taken, freed = room.freed;
        if (plait__is_now(wait->deadline) && plait__give_up(plait__slot_of(plait__owner_in(taken))) < 0)
            return plait__fail(-ETIMEDOUT, "the queue is full");
        bool moved = !plait__same_place(freed, freed_before) || !plait__same_place(taken, taken_before);
        if (looked ? moved : wait->slept) plait__pass_room_on(queue);    /* some room, but not enough for us */
        freed_before = freed;
        taken_before = taken;
        int error = room.too_many ? plait__cursor_wait_move(&queue->head, taken, head_bell, wait)
                                  : plait__cursor_wait_move(&queue->done, freed, done_bell, wait);
        if (error) return plait__fail(error, "the queue is full");
    }
}

/* ---- putting ---- */

static inline struct plait__wait wait_to_put(const plait_queue *queue, uint32_t units, plait_deadline deadline)
{
    uint64_t tail = atomic_load_explicit(&queue->tail.word, memory_order_relaxed);
    bool looks = !noted_room(queue, tail, plait__number_at(&queue->tail, tail), units);      /* it need not be exact */
    return wait_at(&queue->tail, looks, deadline);
}

/* The tail was closed while we owned it: those who looked meanwhile sleep until they know whether we put something. */
static void tell_of_the_end(plait_queue *queue)
{
    if (PLAIT__UNLIKELY(atomic_load(&queue->tail.word) & PLAIT__CLOSED)) plait__cursor_ring_all(&queue->tail);
}

void plait__give_tail_up(plait_queue *queue)
{
    plait__cursor_disown(&queue->tail);
    tell_of_the_end(queue);
}

/* Own the tail, with room for a message of so many units. */
static inline int own_tail(plait_queue *queue, uint32_t units, uint64_t *tail, struct plait__wait *wait)
{
    for (;;) {
        int error = plait__cursor_own(&queue->tail, PLAIT__CLOSED, tail, wait);
        if (PLAIT__UNLIKELY(error)) {
            if (wait->slept) plait__pass_room_on(queue);
            return error;
        }
        uint32_t number = has_maxsize(queue) ? plait__number_at(&queue->tail, *tail) : 0;
        if (PLAIT__LIKELY(has_room(queue, *tail, number, units))) break;
        plait__give_tail_up(queue);
        if ((error = wait_for_room(queue, units, wait))) return error;
    }
    PLAIT__POINT(QUEUE_OWNED);
    plait__tsan_acquire((void *)room_word(queue));
    plait__tell_joiners(queue);                            /* that a rest ends */
    return 0;
}

static inline void write_record(plait_queue *queue, const struct plait__walk *walk, uint32_t number, uint32_t size_field,
                                const void *data, size_t size)
{
    struct plait__record *record = plait__record_at(queue, walk);
    record->size = size_field;
    record->number = number;
    if (queue->leases) atomic_store_explicit(&record->holder, 0, memory_order_relaxed);
    struct plait__bytes bytes = plait__bytes_at(queue, walk, size);
    plait__copy_in(&bytes, data, size);
}

/* The tail is ours and there is room: commit what was written up to where the walk has got. */
static inline void commit_tail(plait_queue *queue, uint64_t tail, const struct plait__walk *walk, uint32_t messages,
                               const struct plait__wait *wait)
{
    bool grew = plait__walk_from(queue, &queue->tail, tail).segment != walk->segment;
    uint64_t flags = plait__cursor_commit(&queue->tail, tail, walk->position, messages);
    if (PLAIT__UNLIKELY(grew)) plait__handed_over(PLAIT__NOTE_SEGMENT);
    if (PLAIT__UNLIKELY(flags & PLAIT__CLOSED)) plait__cursor_ring_all(&queue->tail);
    if (PLAIT__UNLIKELY(wait->slept)) plait__pass_room_on(queue); /* we slept for room and had some: there may be more */
    plait__stream_waited(queue, wait);
}

int plait__fifo_put(plait_queue *queue, struct plait__message *message, plait_deadline deadline)
{
    const struct plait__block block = { message->block, message->size };
    bool in_block = message->block != NULL;
    size_t size = in_block ? sizeof block : message->size;
    uint32_t units = plait__units_for(queue, size);
    uint64_t tail = 0;
    struct plait__wait wait = wait_to_put(queue, units, deadline);
    int error = own_tail(queue, units, &tail, &wait);
    if (PLAIT__UNLIKELY(error)) return error;
    struct plait__walk walk = plait__walk_from(queue, &queue->tail, tail);
    if (PLAIT__UNLIKELY(make_segment(queue, &walk, units))) {
        plait__give_tail_up(queue);
        plait__pass_room_on(queue);
        return -ENOMEM;
    }
    if (message->is_private) plait__give(PLAIT__NOTE_MESSAGE, message->block);
    write_record(queue, &walk, plait__number_at(&queue->tail, tail), in_block ? PLAIT__IN_BLOCK : (uint32_t)size,
                 in_block ? &block : message->data, size);
    plait__step(queue, &walk, units);
    commit_tail(queue, tail, &walk, 1, &wait);
    if (message->is_private) plait__handed_over(PLAIT__NOTE_MESSAGE);
    return 0;
}

/* Write as many of the messages as there is room for now, one at least, but come to one new segment at most. */
static size_t write_many(plait_queue *queue, uint64_t tail, struct plait__walk *walk, const char *data, size_t size, size_t n)
{
    uint32_t units = plait__units_for(queue, size), number = plait__number_at(&queue->tail, tail);
    struct plait__segment *first = walk->segment;
    for (size_t i = 0;; i++) {
        bool grows = plait__needs_next(queue, walk, units);
        if (i == n || (i && !has_room(queue, plait__place_of(walk), number + (uint32_t)i, units))) return i;
        if (grows && (walk->segment != first || make_segment(queue, walk, units))) return i;
        write_record(queue, walk, number + (uint32_t)i, (uint32_t)size, data + i * size, size);
        plait__step(queue, walk, units);
    }
}

ssize_t plait__fifo_put_many(plait_queue *queue, const char *data, size_t size, size_t n, plait_deadline deadline)
{
    size_t done = 0;
    while (done < n) {
        uint32_t units = plait__units_for(queue, size);
        struct plait__wait wait = wait_to_put(queue, units, deadline);
        uint64_t tail = 0;
        int error = own_tail(queue, units, &tail, &wait);
        if (error) return done ? (ssize_t)done : error;
        struct plait__walk walk = plait__walk_from(queue, &queue->tail, tail);
        size_t written = write_many(queue, tail, &walk, data + done * size, size, n - done);
        if (written) {
            commit_tail(queue, tail, &walk, (uint32_t)written, &wait);
        } else {
            plait__give_tail_up(queue);
            plait__pass_room_on(queue);
            return done ? (ssize_t)done : -ENOMEM;
        }
        done += written;
    }
    return (ssize_t)done;
}

/* ---- getting ---- */

void plait__pass_message_on(plait_queue *queue)
{
    plait__cursor_pass_on(&queue->tail, PLAIT__WANT_MOVE);
}

/* We leave the message where it is. */
static ssize_t leave_it(plait_queue *queue, ssize_t result)
{
    plait__cursor_disown(&queue->head);
    plait__pass_message_on(queue);
    return result;
}

/* A pickle that does not lie in one piece is put together first. */
static ssize_t read_value(const struct plait__bytes *from, size_t size, const struct plait__taking *taking)
{
    if (size <= from->room) return plait__read_value(from->at, size, taking);
    char *whole = malloc(size);
    if (!whole) return plait__fail(-ENOMEM, "a pickle of %zu bytes", size);
    plait__copy_out(whole, from, size);
    ssize_t result = plait__read_value(whole, size, taking);
    free(whole);
    return result;
}

ssize_t plait__copy_message(plait_queue *queue, const struct plait__walk *walk, const struct plait__taking *taking)
{
    const struct plait__record *record = plait__record_at(queue, walk);
    struct plait__block block = { NULL, record->size };
    if (PLAIT__UNLIKELY(record->size == PLAIT__IN_BLOCK)) block = plait__block_at(queue, walk);
    if (taking->only_look) return (ssize_t)block.size;
    struct plait__bytes bytes = { .at = block.data, .room = block.size };
    if (PLAIT__LIKELY(!block.data)) bytes = plait__bytes_at(queue, walk, block.size);
    if (taking->value) return read_value(&bytes, block.size, taking);
    if (PLAIT__UNLIKELY(!taking->block && block.size > taking->size)) return plait__too_short(block.size, taking->size);
    void *to = taking->buffer;
    if (taking->block && !(to = *taking->block = plait_message_alloc(block.size ? block.size : 1))) return -ENOMEM;
    plait__copy_out(to, &bytes, block.size);
    return (ssize_t)block.size;
}

/* The head is ours, and the message there has a block of its own, which becomes ours. */
static ssize_t take_block(plait_queue *queue, uint64_t head, const struct plait__taking *taking)
{
    struct plait__walk walk = plait__walk_from(queue, &queue->head, head);
    struct plait__block block = plait__block_at(queue, &walk);
    ssize_t result = taking->value ? plait__read_value(block.data, block.size, taking)
                     : taking->block || block.size <= taking->size ? 0 : plait__too_short(block.size, taking->size);
    if (result < 0) return leave_it(queue, result);
    plait__take(PLAIT__NOTE_MESSAGE, block.data);
    plait__step(queue, &walk, plait__units_for(queue, sizeof block));
    plait__commit_walk(queue, &queue->head, head, &walk, 1, true);
    plait__taken(PLAIT__NOTE_MESSAGE, block.data);
    return plait__hand_out(&block, taking);
}

/* The head is ours, and a message is there.  It is given up in any case. */
static ssize_t take_head(plait_queue *queue, uint64_t head, const struct plait__taking *taking)
{
    struct plait__walk walk = plait__walk_from(queue, &queue->head, head);
    struct plait__record *record = plait__record_at(queue, &walk);
    bool leaves = taking->only_look || taking->stays;
    if (PLAIT__UNLIKELY(record->size == PLAIT__IN_BLOCK && !queue->leases && !leaves)) return take_block(queue, head, taking);
    ssize_t size = plait__copy_message(queue, &walk, taking);
    if (PLAIT__UNLIKELY(size < 0 || leaves)) return leave_it(queue, size);
    if (queue->leases) plait__lease_begin(queue, record, taking->lease);
    plait__step(queue, &walk, plait__units_for(queue, plait__size_there(record)));
    plait__commit_walk(queue, &queue->head, head, &walk, 1, !queue->leases);
    return size;
}

/* We were woken, and several messages may have come at once. */
static void pass_more_on(plait_queue *queue)
{
    if (!plait__same_place(atomic_load(&queue->head.word), atomic_load(&queue->tail.word))) plait__pass_message_on(queue);
}

/* The head is ours.  Is a message at this place? */
static inline bool has_message(plait_queue *queue, uint64_t place)
{
    uint64_t tail = atomic_load_explicit(&queue->head.seen, memory_order_relaxed);
    if (PLAIT__LIKELY(!plait__same_place(tail, place))) return true;
    tail = atomic_load_explicit(&queue->tail.word, memory_order_acquire);
    plait__stream_looked(queue, plait__units_between(place, tail));
    atomic_store_explicit(&queue->head.seen, tail, memory_order_relaxed);
    return !plait__same_place(tail, place);
}

static inline struct plait__wait wait_to_get(const plait_queue *queue, plait_deadline deadline)
{
    uint64_t head = atomic_load_explicit(&queue->head.word, memory_order_relaxed);
    bool looks = plait__same_place(head, atomic_load_explicit(&queue->head.seen, memory_order_relaxed));
    return wait_at(&queue->head, looks, deadline);
}

bool plait__is_drained(const plait_queue *queue, uint64_t tail)
{
    return (tail & PLAIT__CLOSED) && !plait__is_owned(tail) && plait__all_settled(queue);
}

/* Nothing at the head: sleep until the tail moves, or a leased message comes back (then all sleepers of the tail are rung). */
static int wait_for_message(plait_queue *queue, struct plait__wait *wait)
{
    uint32_t bell = atomic_load(&queue->tail.move_bell);
    if (queue->leases && plait__may_have_returned(queue)) return 0;
    uint64_t head = atomic_load(&queue->head.word), tail = atomic_load(&queue->tail.word);
    if (!plait__same_place(tail, head)) return 0;
    if (plait__is_drained(queue, tail) && plait__same_place(tail, atomic_load(&queue->head.word)))
        return plait__fail(PLAIT_ECLOSED, "the queue was closed, and everything has been read");
    int error = plait__is_now(wait->deadline) ? plait__give_up(plait__slot_of(plait__owner_in(tail)))
                                              : plait__cursor_wait_move(&queue->tail, tail, bell, wait);
    if (!error) return 0;
    if (queue->leases && plait__reap_all()) return 0;      /* where nobody sleeps, nobody has noticed what came back */
    if (!wait->watching && !plait__all_settled(queue)) {   /* nor has anybody been told if the repairer was stopped */
        wait->watching = true;
        return 0;
    }
    return plait__fail(error, "the queue is empty");
}

/* Own the head, with a message there.  0; 1: *returned is the outcome of taking a leased message that came back; or an error. */
static inline int own_head(plait_queue *queue, const struct plait__taking *taking, uint64_t *head, ssize_t *returned,
                           struct plait__wait *wait)
{
    for (;;) {
        if (queue->leases && (*returned = plait__take_returned(queue, taking, wait)) != -ENOENT) return 1;
        int error = plait__cursor_own(&queue->head, 0, head, wait);
        if (PLAIT__UNLIKELY(error)) {
            if (wait->slept) plait__pass_message_on(queue);
            return error;
        }
        if (PLAIT__LIKELY(has_message(queue, *head))) break;
        plait__cursor_disown(&queue->head);
        if ((error = wait_for_message(queue, wait))) return error;
    }
    PLAIT__POINT(QUEUE_OWNED);
    plait__tsan_acquire(&queue->tail.word);
    return 0;
}

ssize_t plait__fifo_take(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline)
{
    struct plait__wait wait = wait_to_get(queue, deadline);
    uint64_t head = 0;
    ssize_t result = 0;
    int error = own_head(queue, taking, &head, &result, &wait);
    if (PLAIT__UNLIKELY(error < 0)) return error;
    if (PLAIT__LIKELY(!error)) result = take_head(queue, head, taking);
    if (PLAIT__UNLIKELY(wait.slept)) pass_more_on(queue);
    plait__stream_waited(queue, &wait);
    return result;
}

/* Copy the messages that are there and lie in the ring or the segments, but leave one segment behind at most.  How many; 0: the
 * first one has a block of its own; -EMSGSIZE: it does not fit. */
static ssize_t read_many(plait_queue *queue, struct plait__walk *walk, char *buffer, size_t size, size_t *sizes, size_t n)
{
    struct plait__segment *first = walk->segment;
    size_t i = 0;
    for (; i < n && (!i || has_message(queue, plait__place_of(walk))); i++) {
        const struct plait__record *record = plait__record_at(queue, walk);
        if (record->size == PLAIT__IN_BLOCK) break;
        uint32_t units = plait__units_for(queue, record->size);
        if (walk->segment != first && plait__needs_next(queue, walk, units)) break;
        if (record->size > size) return i ? (ssize_t)i : plait__too_short(record->size, size);
        struct plait__bytes bytes = plait__bytes_at(queue, walk, record->size);
        plait__copy_out(buffer + i * size, &bytes, record->size);
        if (sizes) sizes[i] = record->size;
        plait__step(queue, walk, units);
    }
    return (ssize_t)i;
}

ssize_t plait__fifo_get_many(plait_queue *queue, char *buffer, size_t size, size_t *sizes, size_t n, plait_deadline deadline)
{
    struct plait__wait wait = wait_to_get(queue, deadline);
    uint64_t head = 0;
    ssize_t result = 0;
    const struct plait__taking one = { .buffer = buffer, .size = size };
    int error = own_head(queue, &one, &head, &result, &wait);
    if (error < 0) return error;
    struct plait__walk walk = plait__walk_from(queue, &queue->head, head);
    ssize_t count = read_many(queue, &walk, buffer, size, sizes, n);
    if (count > 0) {
        plait__commit_walk(queue, &queue->head, head, &walk, (uint32_t)count, true);
    } else if (count < 0) {
        leave_it(queue, count);
    } else {                                               /* the first one has a block */
        result = take_head(queue, head, &one);
        if (result >= 0 && sizes) sizes[0] = (size_t)result;
        count = result < 0 ? result : 1;
    }
    if (wait.slept) pass_more_on(queue);
    plait__stream_waited(queue, &wait);
    return count;
}
