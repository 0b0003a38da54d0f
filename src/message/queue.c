/* message/queue.c - making, putting, getting, closing. */
#include "message/queue_internal.h"

#include <plait/arena.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/repair.h"

#define UNITS_MIN 64u
#define UNITS_MAX (PLAIT__POSITIONS / 2)
#define CAPACITY_DEFAULT (1u << 20)

_Static_assert(sizeof(plait_queue_options) == 64 && sizeof(plait_lease) == 16, "part of the ABI");

int plait__not_a_queue(const plait_queue *queue)
{
    return plait__fail(-EINVAL, queue ? "there is no queue at %p; was it freed?" : "the queue is NULL", (const void *)queue);
}

/* ---- making ---- */

static int check(const plait_queue_options *options)
{
    if (options->capacity > (size_t)UNITS_MAX * PLAIT__UNIT)
        return plait__fail(-EINVAL, "capacity %zu is above the most, %u bytes", options->capacity, UNITS_MAX * PLAIT__UNIT);
    if (options->maxsize > UNITS_MAX)
        return plait__fail(-EINVAL, "maxsize %zu is above the most, %u messages", options->maxsize, UNITS_MAX);
    for (unsigned i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i] || options->reserved_int) return plait__fail(-EINVAL, "a reserved field is not zero");
    return 0;
}

static uint32_t ring_units(size_t capacity)
{
    uint32_t units = UNITS_MIN;
    while ((size_t)units * PLAIT__UNIT < (capacity ? capacity : CAPACITY_DEFAULT)) units *= 2;
    return units;
}

plait_queue *plait_queue_new(const plait_queue_options *options)
{
    static const plait_queue_options defaults;
    if (!options) options = &defaults;
    int error = check(options);
    if (error) return plait__null(error);
    uint32_t units = ring_units(options->capacity);
    plait_queue *queue = plait_alloc(sizeof *queue + (size_t)units * PLAIT__UNIT);
    if (!queue) return NULL;
    queue->units = units;
    queue->maxsize = options->maxsize ? (uint32_t)options->maxsize : UINT32_MAX;
    queue->leases = options->leases != 0;
    queue->header = queue->leases ? 16 : 8;
    queue->owned.words = 3;
    queue->owned.offset = offsetof(struct plait_queue, tail);
    queue->owned.stride = sizeof(struct plait__cursor);
    queue->owned.stamp = PLAIT__QUEUE_STAMP;
    return queue;
}

int plait_queue_free(plait_queue *queue)
{
    if (!queue) return 0;
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    int error = plait__member();
    if (error) return error;
    plait__reap_all();                                     /* the repair of who died in it needs it */
    queue->owned.stamp = 0;
    return plait_free(queue);
}

/* ---- putting ---- */

static inline _Atomic uint64_t *room_word(plait_queue *queue)
{
    return queue->leases ? &queue->done.word : &queue->head.word;
}

/* With the two opposite cursors as they were at some moment: does a message of so many units fit? */
static inline bool fits(const plait_queue *queue, uint64_t tail, uint64_t freed, uint64_t taken, uint32_t units)
{
    return plait__units_between(freed, tail) + units <= queue->units &&
           plait__messages_between(taken, tail) < queue->maxsize;
}

/* The tail is ours.  Ask the note of the last owner first: to read the other side's cursor costs a cache miss. */
static inline bool has_room(plait_queue *queue, uint64_t tail, uint32_t units)
{
    uint64_t seen = atomic_load_explicit(&queue->tail.seen, memory_order_relaxed);
    if (PLAIT__LIKELY(!queue->leases && fits(queue, tail, seen, seen, units))) return true;
    uint64_t freed = atomic_load_explicit(room_word(queue), memory_order_acquire);
    uint64_t taken = atomic_load_explicit(&queue->head.word, memory_order_acquire);
    atomic_store_explicit(&queue->tail.seen, freed, memory_order_relaxed);
    return fits(queue, tail, freed, taken, units);
}

/* There may be room that somebody else can use who sleeps. */
static void pass_room_on(plait_queue *queue)
{
    plait__cursor_pass_on(&queue->head, PLAIT__WANT_MOVE);
    if (queue->leases) plait__cursor_pass_on(&queue->done, PLAIT__WANT_MOVE);
}

/* Sleep on the cursor that keeps the message out: too many queued is up to the head, no room to whoever frees it. */
static int wait_for_room(plait_queue *queue, uint32_t units, struct plait__wait *wait)
{
    uint64_t freed_before = 0, taken_before = 0;
    for (bool looked = false;; looked = true) {
        uint32_t head_bell = atomic_load(&queue->head.move_bell), done_bell = atomic_load(&queue->done.move_bell);
        if (queue->leases) {                               /* who acknowledged may have died before it set AGAIN */
            atomic_fetch_or(&queue->done.word, PLAIT__AGAIN);
            plait__reclaim(queue);
        }
        uint64_t freed = atomic_load(room_word(queue)), taken = atomic_load(&queue->head.word);
        uint64_t tail = atomic_load(&queue->tail.word);
        if ((tail & PLAIT__CLOSED) || fits(queue, tail, freed, taken, units)) return 0;
        if (plait__is_now(wait->deadline) && plait__give_up(plait__slot_of(plait__owner_in(taken))) < 0)
            return plait__fail(-ETIMEDOUT, "the queue is full");
        bool moved = !plait__same_place(freed, freed_before) || !plait__same_place(taken, taken_before);
        if (looked ? moved : wait->slept) pass_room_on(queue);           /* some room, but not enough for us */
        freed_before = freed;
        taken_before = taken;
        bool too_many = !queue->leases || plait__messages_between(taken, tail) >= queue->maxsize;
        int error = too_many ? plait__cursor_wait_move(&queue->head, taken, head_bell, wait)
                             : plait__cursor_wait_move(&queue->done, freed, done_bell, wait);
        if (error) return plait__fail(error, "the queue is full");
    }
}

static void write_record(plait_queue *queue, uint64_t tail, const void *data, size_t size)
{
    uint32_t position = plait__position_in(tail);
    struct plait__record *record = plait__record_at(queue, position);
    record->size = (uint32_t)size;
    record->number = plait__count_in(tail);
    if (queue->leases) atomic_store_explicit(&record->holder, 0, memory_order_relaxed);
    size_t offset = plait__payload_at(queue, position), room = (size_t)queue->units * PLAIT__UNIT - offset;
    size_t first = size < room ? size : room;
    if (PLAIT__LIKELY(size)) memcpy(queue->ring + offset, data, first);
    if (PLAIT__UNLIKELY(first < size)) memcpy(queue->ring, (const char *)data + first, size - first);
}

/* The tail was closed while we owned it: those who looked meanwhile sleep until they know whether we put something. */
static void tell_of_the_end(plait_queue *queue)
{
    if (PLAIT__UNLIKELY(atomic_load(&queue->tail.word) & PLAIT__CLOSED)) plait__cursor_ring_all(&queue->tail);
}

static int put(plait_queue *queue, const void *data, size_t size, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_until(deadline);
    uint32_t units = plait__units_for(queue, size);
    uint64_t tail = 0;
    plait__wait_in_stream(&wait, &queue->tail);
    for (;;) {
        int error = plait__cursor_own(&queue->tail, PLAIT__CLOSED, &tail, &wait);
        if (PLAIT__UNLIKELY(error)) {
            if (wait.slept) pass_room_on(queue);
            return error;
        }
        if (PLAIT__LIKELY(has_room(queue, tail, units))) break;
        plait__cursor_disown(&queue->tail);
        tell_of_the_end(queue);
        if ((error = wait_for_room(queue, units, &wait))) return error;
    }
    PLAIT__POINT(QUEUE_OWNED);
    plait__tsan_acquire(room_word(queue));
    write_record(queue, tail, data, size);
    if (PLAIT__UNLIKELY(plait__cursor_commit(&queue->tail, tail, units, 1) & PLAIT__CLOSED)) plait__cursor_ring_all(&queue->tail);
    if (PLAIT__UNLIKELY(wait.slept)) pass_room_on(queue);  /* we slept for room and had some: there may be more */
    plait__wait_end(&wait);
    return 0;
}

int plait_queue_put(plait_queue *queue, const void *data, size_t size, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__is_queue(queue))) return plait__not_a_queue(queue);
    if (PLAIT__UNLIKELY(!data && size)) return plait__fail(-EINVAL, "the data is NULL, its size %zu", size);
    size_t most = (size_t)queue->units * PLAIT__UNIT - queue->header;
    if (PLAIT__UNLIKELY(size > most))
        return plait__fail(-EMSGSIZE, "a message of %zu bytes; the queue's capacity allows %zu", size, most);
    int error = plait__member();
    if (PLAIT__UNLIKELY(error)) return error;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    error = put(queue, data, size, deadline);
    plait__leave_object(before);
    return error;
}

/* ---- getting ---- */

void plait__pass_message_on(plait_queue *queue)
{
    plait__cursor_pass_on(&queue->tail, PLAIT__WANT_MOVE);
}

int plait__too_short(plait_queue *queue, size_t message, size_t buffer)
{
    plait__pass_message_on(queue);
    return plait__fail(-EMSGSIZE, "the message has %zu bytes, the buffer %zu", message, buffer);
}

ssize_t plait__take_head(plait_queue *queue, uint64_t head, const struct plait__taking *taking)
{
    uint32_t position = plait__position_in(head);
    struct plait__record *record = plait__record_at(queue, position);
    size_t size = record->size;
    if (PLAIT__UNLIKELY(taking->only_look || size > taking->size)) {
        plait__cursor_disown(&queue->head);
        if (!taking->only_look) return plait__too_short(queue, size, taking->size);
        plait__pass_message_on(queue);
        return (ssize_t)size;
    }
    plait__copy_out(queue, position, taking->buffer, size);
    if (queue->leases) plait__lease_begin(queue, record, head, taking->lease);
    plait__cursor_commit(&queue->head, head, plait__units_for(queue, size), 1);
    return (ssize_t)size;
}

/* The head is ours.  Is a message there? */
static inline bool has_message(plait_queue *queue, uint64_t head)
{
    uint64_t tail = atomic_load_explicit(&queue->head.seen, memory_order_relaxed);
    if (PLAIT__LIKELY(!plait__same_place(tail, head))) return true;
    tail = atomic_load_explicit(&queue->tail.word, memory_order_acquire);
    atomic_store_explicit(&queue->head.seen, tail, memory_order_relaxed);
    return !plait__same_place(tail, head);
}

/* Nothing more can come: closed, no putter in the middle, and no lease that could come back. */
static bool is_drained(const plait_queue *queue, uint64_t tail)
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
    if (is_drained(queue, tail) && plait__same_place(tail, atomic_load(&queue->head.word)))
        return plait__fail(PLAIT_ECLOSED, "the queue was closed, and everything has been read");
    int error = plait__is_now(wait->deadline) ? plait__give_up(plait__slot_of(plait__owner_in(tail)))
                                              : plait__cursor_wait_move(&queue->tail, tail, bell, wait);
    if (error && queue->leases && plait__reap_all()) return 0;       /* where nobody sleeps, nobody has noticed what came back */
    return error ? plait__fail(error, "the queue is empty") : 0;
}

ssize_t plait__take(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_until(deadline);
    ssize_t result;
    plait__wait_in_stream(&wait, &queue->head);
    for (;;) {
        if (queue->leases && (result = plait__take_returned(queue, taking, &wait)) != -ENOENT) break;
        uint64_t head = 0;
        int error = plait__cursor_own(&queue->head, 0, &head, &wait);
        if (PLAIT__UNLIKELY(error)) {
            if (wait.slept) plait__pass_message_on(queue);
            return error;
        }
        if (PLAIT__LIKELY(has_message(queue, head))) {
            PLAIT__POINT(QUEUE_OWNED);
            plait__tsan_acquire(&queue->tail.word);
            result = plait__take_head(queue, head, taking);
            break;
        }
        plait__cursor_disown(&queue->head);
        if ((error = wait_for_message(queue, &wait))) return error;
    }
    plait__wait_end(&wait);
    return result;
}

static ssize_t take_inside(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline)
{
    int error = plait__member();
    if (PLAIT__UNLIKELY(error)) return error;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    ssize_t result = plait__take(queue, taking, deadline);
    plait__leave_object(before);
    return result;
}

ssize_t plait_queue_get(plait_queue *queue, void *buffer, size_t size, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__is_queue(queue))) return plait__not_a_queue(queue);
    if (PLAIT__UNLIKELY(!buffer && size)) return plait__fail(-EINVAL, "the buffer is NULL, its size %zu", size);
    plait_lease lease;
    struct plait__taking taking = { .buffer = buffer, .size = size, .lease = queue->leases ? &lease : NULL };
    ssize_t result = take_inside(queue, &taking, deadline);
    if (queue->leases && result >= 0) plait_queue_ack(queue, lease);
    return result;
}

ssize_t plait_queue_lease(plait_queue *queue, void *buffer, size_t size, plait_lease *lease, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if ((!buffer && size) || !lease) return plait__fail(-EINVAL, "the buffer or the lease is NULL");
    if (!queue->leases) return plait__fail(-EINVAL, "the queue was made without leases");
    struct plait__taking taking = { .buffer = buffer, .size = size, .lease = lease };
    return take_inside(queue, &taking, deadline);
}

ssize_t plait_queue_next_size(plait_queue *queue, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    struct plait__taking taking = { .only_look = true };
    return take_inside(queue, &taking, deadline);
}

ssize_t plait_queue_qsize(const plait_queue *queue)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    uint64_t head = atomic_load(&queue->head.word), tail = atomic_load(&queue->tail.word);
    return plait__messages_between(head, tail);            /* head first: it never overtakes a later tail */
}

/* ---- closing ---- */

int plait_queue_close(plait_queue *queue)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    int error = plait__member();
    if (error) return error;
    atomic_fetch_or(&queue->tail.word, PLAIT__CLOSED);
    plait__cursor_ring_all(&queue->tail);
    plait__cursor_ring_all(&queue->head);
    plait__cursor_ring_all(&queue->done);
    return 0;
}
