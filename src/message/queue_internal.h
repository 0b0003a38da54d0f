/* message/queue_internal.h - the queue as it lies in the arena. */
#ifndef PLAIT_MESSAGE_QUEUE_INTERNAL_H
#define PLAIT_MESSAGE_QUEUE_INTERNAL_H

#include <string.h>

#include <plait/queue.h>

#include "message/cursor.h"

#define PLAIT__QUEUE_STAMP (PLAIT__OWNED_STAMP << 16 | 0x5155u)

/* Before each message in the ring, at a multiple of 16 bytes.  A message may run over the end of the ring to its beginning. */
struct plait__record {
    uint32_t size;
    uint32_t number;                                       /* count of the head cursor when it is taken, to know a lease again */
    _Atomic uint64_t holder;                               /* only with leases: see lease.c */
};

/* Messages lie in [done, tail); those in [head, tail) wait to be taken.  Without leases done is not used: head frees the room. */
struct plait_queue {
    struct plait__owned owned;                             /* the three cursor words, for repair */
    uint32_t units;                                        /* of the ring, a power of two */
    uint32_t maxsize;                                      /* messages; never more than fit a cursor's count */
    uint32_t header;                                       /* bytes before a message: 8, or 16 with leases */
    uint32_t leases;
    _Atomic uint32_t givebacks;                            /* how many messages were given back */
    _Atomic uint64_t settled;                              /* lease.c: no lease was open to take over when this was the state */
    struct plait__cursor tail, head, done;
    _Alignas(128) char ring[];
};

static inline bool plait__is_queue(const plait_queue *queue)
{
    return queue && queue->owned.stamp == PLAIT__QUEUE_STAMP;
}

int plait__not_a_queue(const plait_queue *queue);

static inline uint32_t plait__units_for(const plait_queue *queue, size_t size)
{
    return (uint32_t)((queue->header + size + PLAIT__UNIT - 1) / PLAIT__UNIT);
}

static inline struct plait__record *plait__record_at(plait_queue *queue, uint32_t position)
{
    return (struct plait__record *)(queue->ring + (size_t)(position & (queue->units - 1)) * PLAIT__UNIT);
}

/* Where the bytes of the message at `position` begin, as an offset into the ring. */
static inline size_t plait__payload_at(const plait_queue *queue, uint32_t position)
{
    size_t offset = (size_t)(position & (queue->units - 1)) * PLAIT__UNIT + queue->header;
    return offset == (size_t)queue->units * PLAIT__UNIT ? 0 : offset;
}

static inline void plait__copy_out(const plait_queue *queue, uint32_t position, void *buffer, size_t size)
{
    size_t offset = plait__payload_at(queue, position), room = (size_t)queue->units * PLAIT__UNIT - offset;
    size_t first = size < room ? size : room;
    if (PLAIT__LIKELY(size)) memcpy(buffer, queue->ring + offset, first);
    if (PLAIT__UNLIKELY(first < size)) memcpy((char *)buffer + first, queue->ring, size - first);
}

/* What a getter asks for. */
struct plait__taking {
    void *buffer;
    size_t size;
    bool only_look;                                        /* tell the size, take nothing */
    plait_lease *lease;                                    /* NULL: without */
};

/* Take the message at the head, which is ours.  Its size, or -EMSGSIZE; the head is given up in any case. */
ssize_t plait__take_head(plait_queue *queue, uint64_t head, const struct plait__taking *taking);

/* Wait until there is something to take; see queue.c. */
ssize_t plait__take(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline);

/* We were woken for a message and leave it there: whoever else sleeps may take it. */
void plait__pass_message_on(plait_queue *queue);

/* Too short a buffer: the message stays. */
int plait__too_short(plait_queue *queue, size_t message, size_t buffer);

/* ---- lease.c ---- */

/* Worth a call of the next function: something has changed since a look found nothing. */
bool plait__may_have_returned(const plait_queue *queue);

/* Take over a message whose holder died, left, or gave it back.  Its size; -ENOENT: there is none; -EMSGSIZE; -ETIMEDOUT. */
ssize_t plait__take_returned(plait_queue *queue, const struct plait__taking *taking, struct plait__wait *wait);

/* The word of a record that is being taken at the head. */
void plait__lease_begin(plait_queue *queue, struct plait__record *record, uint64_t head, plait_lease *lease);

/* Free the room of the messages at `done` that are acknowledged. */
void plait__reclaim(plait_queue *queue);

/* Is everything that was taken acknowledged?  Always, without leases. */
bool plait__all_settled(const plait_queue *queue);

#endif
