/* message/queue.c - the face of queues: making, checking what is asked for, closing. */
#include <limits.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/repair.h"
#include "message/quick.h"

#define UNITS_MIN 64u
#define UNITS_MAX (1u << 26)
#define CAPACITY_DEFAULT (1u << 20)
#define SEGMENT_INLINE_MAX (8u << 10)

_Static_assert(sizeof(plait_queue_options) == 64 && sizeof(plait_lease) == 16, "part of the ABI");

int plait__not_a_queue(const plait_queue *queue)
{
    return plait__fail(-EINVAL, queue ? "there is no queue at %p; was it freed?" : "the queue is NULL", (const void *)queue);
}

/* ---- making ---- */

static int check_order(const plait_queue_options *options)
{
    if (options->order < PLAIT_FIFO || options->order > PLAIT_PRIORITY)
        return plait__fail(-EINVAL, "there is no order %d", options->order);
    if (options->order != PLAIT_FIFO && (options->leases || options->joinable))
        return plait__fail(-EINVAL, "leases are for queues that are first in, first out, and so is joining");
    if (options->capacity && (options->unbounded || options->order != PLAIT_FIFO))
        return plait__fail(-EINVAL, "a queue without a ring has no capacity; maxsize limits it");
    return 0;
}

static int check(const plait_queue_options *options)
{
    if (options->capacity > (size_t)UNITS_MAX * PLAIT__UNIT)
        return plait__fail(-EINVAL, "capacity %zu is above the most, %u bytes", options->capacity, UNITS_MAX * PLAIT__UNIT);
    if (options->maxsize > INT32_MAX)
        return plait__fail(-EINVAL, "maxsize %zu is above the most, %d messages", options->maxsize, INT32_MAX);
    int error = PLAIT__CHECK_RESERVED(options->reserved, 0);
    return error ? error : check_order(options);
}

static uint32_t ring_units(const plait_queue_options *options)
{
    uint32_t units = UNITS_MIN;
    if (options->unbounded || options->order != PLAIT_FIFO) return 0;
    if (options->joinable && !options->capacity) return 0;
    while ((size_t)units * PLAIT__UNIT < (options->capacity ? options->capacity : CAPACITY_DEFAULT)) units *= 2;
    return units;
}

plait_queue *plait_queue_new(const plait_queue_options *options)
{
    static const plait_queue_options defaults;
    if (!options) options = &defaults;
    int error = check(options);
    if (error) return plait__null(error);
    uint32_t units = ring_units(options);
    size_t more = options->order == PLAIT_FIFO ? (size_t)units * PLAIT__UNIT : plait__ordered_size();
    plait_queue *queue = plait_alloc(sizeof *queue + more);
    if (!queue) return NULL;
    queue->order = (uint32_t)options->order;
    queue->units = units;
    queue->maxsize = options->maxsize ? (uint32_t)options->maxsize : UINT32_MAX;
    queue->joinable = options->joinable != 0;
    queue->leases = options->leases || queue->joinable;
    queue->header = queue->leases ? 16 : 8;
    queue->inline_max = units ? units * PLAIT__UNIT - queue->header : options->order == PLAIT_FIFO ? SEGMENT_INLINE_MAX : 0;
    queue->quick_below = options->order == PLAIT_FIFO ? queue->inline_max + 1 : 0;
    queue->mask = units ? units - 1 : PLAIT__SEGMENT_UNITS - 1;
    queue->linger_most = plait__linger_most(units, queue->maxsize);
    queue->owned.words = 3;
    queue->owned.offset = offsetof(struct plait_queue, tail);
    queue->owned.stride = sizeof(struct plait__cursor);
    plait__fifo_begin(queue);
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
    plait__forget(queue);
    struct plait__cursor *const cursors[] = { &queue->tail, &queue->head, &queue->done };
    for (int i = 0; i < 3; i++) plait__cursor_end(cursors[i]);           /* or may be under way, by somebody who was stopped */
    queue->owned.stamp = 0;
    if (queue->order == PLAIT_FIFO) plait__fifo_free(queue);
    else plait__ordered_free(queue);
    return plait_free(queue);
}

/* ---- messages with a block ---- */

/* The queue can only name a block of at least one byte. */
int plait__message_box(struct plait__message *message)
{
    if (message->block) return 0;
    void *block = plait_message_alloc(message->size ? message->size : 1);
    if (!block) return -ENOMEM;
    if (message->size) memcpy(block, message->data, message->size);
    message->block = block;
    message->is_private = true;
    return 0;
}

ssize_t plait__hand_out(const struct plait__block *block, const struct plait__taking *taking)
{
    if (taking->block) {
        *taking->block = block->data;
    } else if (taking->value) {
        plait_free(block->data);
    } else {
        if (block->size) memcpy(taking->buffer, block->data, block->size);
        plait_free(block->data);
    }
    return (ssize_t)block->size;
}

int plait__too_short(size_t message, size_t buffer)
{
    return plait__fail(-EMSGSIZE, "the message has %zu bytes, the buffer %zu", message, buffer);
}

/* ---- putting ---- */

static int put_inside(plait_queue *queue, struct plait__message *message, plait_deadline deadline)
{
    struct plait__owned *before = plait__enter_object(&queue->owned);
    int error = PLAIT__LIKELY(queue->order == PLAIT_FIFO) ? plait__fifo_put(queue, message, deadline)
                                                          : plait__ordered_put(queue, message, deadline);
    plait__leave_object(before);
    return error;
}

/* By way of a block of our own, which goes over to the queue. */
static int put_boxed(plait_queue *queue, struct plait__message *message, plait_deadline deadline)
{
    int error = plait__message_box(message);
    if (error) return error;
    error = put_inside(queue, message, deadline);
    if (error) plait_free(message->block);
    return error;
}

int plait_queue_put_priority(plait_queue *queue, int64_t priority, const void *data, size_t size, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!plait__is_queue(queue))) return plait__not_a_queue(queue);
    if (PLAIT__UNLIKELY(!data && size)) return plait__fail(-EINVAL, "the data is NULL, its size %zu", size);
    if (PLAIT__UNLIKELY(priority && queue->order != PLAIT_PRIORITY))
        return plait__fail(-EINVAL, "priority %lld in a queue without priorities", (long long)priority);
    int error = plait__member();
    if (PLAIT__UNLIKELY(error)) return error;
    struct plait__message message = { .data = data, .size = size, .priority = priority };
    if (PLAIT__LIKELY(queue->inline_max && size <= queue->inline_max)) return put_inside(queue, &message, deadline);
    return put_boxed(queue, &message, deadline);
}

int plait_queue_put(plait_queue *queue, const void *data, size_t size, plait_deadline deadline)
{
    if (PLAIT__LIKELY(plait__is_queue(queue) && size < queue->quick_below && data && plait__is_member()) &&
        PLAIT__LIKELY(plait__quick_put(queue, data, size)))
        return 0;
    return plait_queue_put_priority(queue, 0, data, size, deadline);
}

int plait_queue_give(plait_queue *queue, void *block, size_t size, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    int error = plait__member();
    if (error) return error;
    size_t has = plait_block_size(block);
    if (!has) return plait__fail(PLAIT_ENOTOURS, "%p is not the start of a live block", block);
    if (size > has) return plait__fail(-EINVAL, "the message has %zu bytes, its block only %zu", size, has);
    unsigned tag = plait__heap_tag(block);
    if (tag != PLAIT__TAG_SHARED && tag != plait__self.slot)
        return plait__fail(-EPERM, "the block at %p belongs to another thread", block);
    struct plait__message message = { .block = block, .size = size, .is_private = tag != PLAIT__TAG_SHARED };
    return put_inside(queue, &message, deadline);
}

ssize_t plait_queue_put_many(plait_queue *queue, const void *messages, size_t size, size_t n, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!messages && size && n) return plait__fail(-EINVAL, "the messages are NULL, their size %zu", size);
    int error = plait__member();
    if (error) return error;
    if (n > SSIZE_MAX) n = SSIZE_MAX;
    size_t done = 0;
    if (queue->inline_max && size <= queue->inline_max) {
        struct plait__owned *before = plait__enter_object(&queue->owned);
        ssize_t result = plait__fifo_put_many(queue, messages, size, n, deadline);
        plait__leave_object(before);
        return result;
    }
    for (; done < n && !error; done += !error) {
        struct plait__message message = { .data = (const char *)messages + done * size, .size = size };
        error = put_boxed(queue, &message, deadline);
    }
    return done || !error ? (ssize_t)done : error;
}

/* ---- getting ---- */

static ssize_t take_inside(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline)
{
    int error = plait__member();
    if (PLAIT__UNLIKELY(error)) return error;
    struct plait__owned *before = plait__enter_object(&queue->owned);
    ssize_t result = PLAIT__LIKELY(queue->order == PLAIT_FIFO) ? plait__fifo_take(queue, taking, deadline)
                                                               : plait__ordered_take(queue, taking, deadline);
    plait__leave_object(before);
    return result;
}

ssize_t plait__take_with_lease(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline)
{
    if (PLAIT__LIKELY(taking->buffer && plait__is_member())) {
        ssize_t result = plait__quick_get(queue, taking->buffer, taking->size, taking->lease);
        if (PLAIT__LIKELY(result >= 0)) return result;
    }
    return take_inside(queue, taking, deadline);
}

/* In a queue with leases every taking is one.  It is settled at once, or in a joinable one by task_done. */
static ssize_t take_leased(plait_queue *queue, struct plait__taking *taking, plait_deadline deadline)
{
    plait_lease lease;
    int error = plait__member();
    if (!error && queue->joinable) error = plait__room_to_remember();
    if (error) return error;
    taking->lease = &lease;
    ssize_t result = plait__take_with_lease(queue, taking, deadline);
    if (result < 0) return result;
    if (queue->joinable) plait__remember(queue, lease);
    else plait_queue_ack(queue, lease);
    return result;
}

ssize_t plait__take_plainly(plait_queue *queue, struct plait__taking *taking, plait_deadline deadline)
{
    return PLAIT__LIKELY(!queue->leases) ? take_inside(queue, taking, deadline) : take_leased(queue, taking, deadline);
}

ssize_t plait_queue_get(plait_queue *queue, void *buffer, size_t size, plait_deadline deadline)
{
    if (PLAIT__LIKELY(plait__is_queue(queue) && queue->quick_below && !queue->leases && buffer && plait__is_member())) {
        ssize_t result = plait__quick_get(queue, buffer, size, NULL);
        if (PLAIT__LIKELY(result >= 0)) return result;
    }
    if (PLAIT__UNLIKELY(!plait__is_queue(queue))) return plait__not_a_queue(queue);
    if (PLAIT__UNLIKELY(!buffer && size)) return plait__fail(-EINVAL, "the buffer is NULL, its size %zu", size);
    struct plait__taking taking = { .buffer = buffer, .size = size };
    return plait__take_plainly(queue, &taking, deadline);
}

ssize_t plait_queue_take(plait_queue *queue, void **block, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!block) return plait__fail(-EINVAL, "there is no place for the block's address");
    void *taken = NULL;
    struct plait__taking taking = { .block = &taken };
    ssize_t result = plait__take_plainly(queue, &taking, deadline);
    if (result >= 0) *block = taken;
    return result;
}

ssize_t plait_queue_get_many(plait_queue *queue, void *buffer, size_t size, size_t *sizes, size_t n, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!buffer && size) return plait__fail(-EINVAL, "the buffer is NULL, its size %zu", size);
    if (!n) return plait__fail(-EINVAL, "0 messages were asked for");
    int error = plait__member();
    if (error) return error;
    if (n > SSIZE_MAX) n = SSIZE_MAX;
    if (queue->order == PLAIT_FIFO && !queue->leases) {
        struct plait__owned *before = plait__enter_object(&queue->owned);
        ssize_t result = plait__fifo_get_many(queue, buffer, size, sizes, n, deadline);
        plait__leave_object(before);
        return result;
    }
    for (size_t done = 0;; done++) {
        if (done == n) return (ssize_t)n;
        ssize_t got = plait_queue_get(queue, (char *)buffer + done * size, size, done ? PLAIT_NOW : deadline);
        if (got < 0) return done ? (ssize_t)done : got;
        if (sizes) sizes[done] = (size_t)got;
    }
}

ssize_t plait_queue_peek(plait_queue *queue, void *buffer, size_t size, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if (!buffer && size) return plait__fail(-EINVAL, "the buffer is NULL, its size %zu", size);
    struct plait__taking taking = { .buffer = buffer, .size = size, .stays = true };
    return take_inside(queue, &taking, deadline);
}

ssize_t plait_queue_lease(plait_queue *queue, void *buffer, size_t size, plait_lease *lease, plait_deadline deadline)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    if ((!buffer && size) || !lease) return plait__fail(-EINVAL, "the buffer or the lease is NULL");
    if (!queue->leases) return plait__fail(-EINVAL, "the queue was made without leases");
    const struct plait__taking taking = { .buffer = buffer, .size = size, .lease = lease };
    return plait__take_with_lease(queue, &taking, deadline);
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
    if (queue->order != PLAIT_FIFO) return plait__ordered_count(queue);
    uint64_t head, tail;
    uint32_t first = plait__look_at_number(&queue->head, &head);         /* head first: it never overtakes a later tail */
    return plait__look_at_number(&queue->tail, &tail) - first;
}

int plait_queue_empty(const plait_queue *queue)
{
    ssize_t count = plait_queue_qsize(queue);
    return count < 0 ? (int)count : count == 0;
}

int plait_queue_full(const plait_queue *queue)
{
    ssize_t count = plait_queue_qsize(queue);
    if (count < 0) return (int)count;
    return (uint32_t)count >= queue->maxsize || (queue->order == PLAIT_FIFO && !plait__fifo_has_room(queue));
}

/* ---- closing ---- */

int plait_queue_close(plait_queue *queue)
{
    if (!plait__is_queue(queue)) return plait__not_a_queue(queue);
    int error = plait__member();
    if (error) return error;
    atomic_store(&queue->closing, 1);
    atomic_fetch_or(&queue->tail.word, PLAIT__CLOSED);
    plait__cursor_ring_all(&queue->tail);
    plait__cursor_ring_all(&queue->head);
    plait__cursor_ring_all(&queue->done);
    return 0;
}
