/* message/queue_internal.h - the queue as it lies in the arena. */
#ifndef PLAIT_MESSAGE_QUEUE_INTERNAL_H
#define PLAIT_MESSAGE_QUEUE_INTERNAL_H

#include <string.h>

#include <plait/queue.h>

#include "family/waitable.h"
#include "message/cursor.h"

#define PLAIT__QUEUE_STAMP (PLAIT__OWNED_STAMP << 16 | 0x5155u)

/* Before each message, at a multiple of 16 bytes; the message may go on in the next segment, or at the beginning of the ring. */
struct plait__record {
    uint32_t size;                                         /* or PLAIT__IN_BLOCK: what follows is a struct plait__block */
    uint32_t number;                                       /* as plait__number_at, to know a lease again */
    _Atomic uint64_t holder;                               /* only with leases: see lease.c */
};

/* A message too large for the ring, or that was given away by its owner, lies in a block of its own, which the queue owns. */
#define PLAIT__IN_BLOCK UINT32_MAX
struct plait__block {
    void *data;
    size_t size;
};

/* A queue without a ring is a chain of these.  The first unit of each is this header; the rest are records. */
#define PLAIT__SEGMENT_UNITS 2048u
struct plait__segment {
    struct plait__segment *next;                           /* true once the tail has got there */
    _Atomic(const plait_queue *) queue;                    /* whose it is, for those who ask about leases of old */
};

/* Which of the notes of family/handover.h are about what. */
enum { PLAIT__NOTE_MESSAGE, PLAIT__NOTE_SEGMENT, PLAIT__NOTE_DIRECTORY };

/* For those who join, see joinable.c. */
struct plait__rest {
    _Alignas(128) _Atomic uint32_t joiners;                /* how many there are; more, if some died */
    plait__word bell;
    _Atomic uint64_t place;                                /* where the last rest was that anybody noted */
};

/* Where the owner of `done` goes on to look for leases that came back: each look passes so many messages only. */
struct plait__looked {
    _Atomic uint64_t from;                                 /* where `done` was, with bit 0; anything else: at `done` */
    uint64_t position;                                     /* as struct plait__walk; true if `done` is where it was */
    struct plait__segment *segment;
};

#define PLAIT__LOOK_MOST 10000u

/* The first words of every queue.  In one that is first in, first out, messages lie in [done, tail); those in [head, tail) wait to
 * be taken.  Without leases done is not used: head frees the room.  In the others (ordered.c) tail only counts the messages, head
 * is where putters wait for room, and done is not used. */
struct plait_queue {
    struct plait__owned owned;                             /* the three cursor words, for repair */
    uint32_t order;                                        /* enum plait_order */
    uint32_t units;                                        /* of the ring, a power of two; 0: segments */
    uint32_t maxsize;                                      /* messages; UINT32_MAX: as many as there is room for */
    uint32_t header;                                       /* bytes before a message: 8, or 16 with leases */
    uint32_t leases;
    uint32_t joinable;                                     /* a get takes a lease, which the thread remembers: see joinable.c */
    uint32_t quick_below;                                  /* bytes: smaller messages may take the road of quick.h */
    uint32_t mask;                                         /* how many units the ring or a segment has, less one */
    uint32_t linger_most;                                  /* pauses, see stream.h */
    uint32_t inline_max;                                   /* bytes; larger messages lie in blocks */
    _Atomic uint32_t closing;                              /* raised before the tail is closed: settlers have to look at that */
    _Atomic uint32_t givebacks;                            /* how many messages were given back */
    _Atomic uint64_t settled;                              /* lease.c: no lease was open to take over when this was the state */
    struct plait__cursor tail, head, done;
    struct plait__rest rest;
    struct plait__looked looked;
    struct plait__segment before;                          /* what the first segment follows */
    _Alignas(128) char ring[];                             /* in ordered.c a struct plait__tree */
};

static inline bool plait__is_queue(const plait_queue *queue)
{
    return queue && queue->owned.stamp == PLAIT__QUEUE_STAMP;
}

int plait__not_a_queue(const plait_queue *queue);

/* ---- messages ---- */

/* What a putter brings. */
struct plait__message {
    const void *data;
    size_t size;
    void *block;                                           /* not NULL: the data lies in it, and it goes over to the queue */
    bool is_private;                                       /* the block is the caller's now; else the family's */
    int64_t priority;
};

/* What a getter asks for. */
struct plait__taking {
    void *buffer;
    size_t size;
    void **block;                                          /* not NULL: as a block, instead of in the buffer */
    bool only_look;                                        /* tell the size, take nothing */
    bool stays;                                            /* copy it, take nothing */
    plait_value **value;                                   /* not NULL: as the value whose pickle it is, instead of in the buffer */
    plait_lease *lease;                                    /* NULL: without */
};

/* A message that is to lie in a block gets one.  0, -ENOMEM. */
int plait__message_box(struct plait__message *message);

/* Make the value of a message that has not been taken yet: its size; or a negative error of plait_pickle_loads, and it stays. */
ssize_t plait__read_value(const void *data, size_t size, const struct plait__taking *taking);

/* A block with the message has been taken and is ours: hand it out, or copy it out and free it.  Its size. */
ssize_t plait__hand_out(const struct plait__block *block, const struct plait__taking *taking);

/* Too short a buffer: the message stays. */
int plait__too_short(size_t message, size_t buffer);

/* ---- queue.c ---- */

/* As plait_queue_get does it: in a queue with leases the one is settled at once, or remembered as a task. */
ssize_t plait__take_plainly(plait_queue *queue, struct plait__taking *taking, plait_deadline deadline);

/* For taking->lease, in a queue with leases. */
ssize_t plait__take_with_lease(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline);

/* ---- fifo.c, ordered.c ---- */

void plait__fifo_begin(plait_queue *queue);
void plait__fifo_free(plait_queue *queue);
int plait__fifo_put(plait_queue *queue, struct plait__message *message, plait_deadline deadline);
ssize_t plait__fifo_take(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline);

uint32_t plait__ordered_count(const plait_queue *queue);
size_t plait__ordered_size(void);                          /* what it needs instead of a ring */
void plait__ordered_free(plait_queue *queue);
int plait__ordered_put(plait_queue *queue, struct plait__message *message, plait_deadline deadline);
ssize_t plait__ordered_take(plait_queue *queue, const struct plait__taking *taking, plait_deadline deadline);

/* Room in the ring for the shortest message; without a ring there is always. */
bool plait__fifo_has_room(const plait_queue *queue);

/* Many of them of one size each, side by side, with one commit for as many as fit at a time; only where they need no blocks. */
ssize_t plait__fifo_put_many(plait_queue *queue, const char *data, size_t size, size_t n, plait_deadline deadline);
ssize_t plait__fifo_get_many(plait_queue *queue, char *buffer, size_t size, size_t *sizes, size_t n, plait_deadline deadline);

/* For waitables.c, which has entered the queue: as the function of struct plait__waitable. */
int plait__ordered_look(plait_queue *queue, bool arms, struct plait__place *place);
int plait__ordered_look_for_room(plait_queue *queue, bool arms, struct plait__place *place);

/* In a queue that is first in, first out: is there room, and what keeps a message out? */
struct plait__room {
    uint64_t taken, tail, freed;                           /* head, tail, and what room goes by, which is slept on */
    uint32_t queued;
    bool too_many;                                         /* of messages: it is up to the head */
};

struct plait__room plait__look_at_room(plait_queue *queue);
bool plait__room_suffices(const plait_queue *queue, const struct plait__room *room, uint32_t units);

/* Nothing more can come: closed, no putter in the middle, and no lease that could come back. */
bool plait__is_drained(const plait_queue *queue, uint64_t tail);

/* Somebody who slept for room leaves it. */
void plait__pass_room_on(plait_queue *queue);

/* We owned the tail and put nothing. */
void plait__give_tail_up(plait_queue *queue);

/* We were woken for a message and leave it there: whoever else sleeps may take it. */
void plait__pass_message_on(plait_queue *queue);

/* ---- lease.c ---- */

/* What would have to change for a lease to become free to take. */
static inline uint64_t plait__lease_changes(const plait_queue *queue)
{
    uint32_t endings = atomic_load(&plait__roster->endings);
    return (uint64_t)endings << 32 | atomic_load(&queue->givebacks);
}

/* Worth a call of the next function: something has changed since a look found nothing. */
static inline bool plait__may_have_returned(const plait_queue *queue)
{
    return atomic_load(&queue->settled) != plait__lease_changes(queue);
}

/* Take over a message whose holder died, left, or gave it back.  Its size; -ENOENT: there is none; -EMSGSIZE; -ETIMEDOUT. */
ssize_t plait__take_returned(plait_queue *queue, const struct plait__taking *taking, struct plait__wait *wait);

/* The word of a record that is being taken at the head. */
void plait__lease_begin(plait_queue *queue, struct plait__record *record, plait_lease *lease);

/* Free the room of the messages at `done` that are acknowledged. */
void plait__reclaim(plait_queue *queue);

/* The same, also for acknowledgers that died before they could. */
void plait__reclaim_all(plait_queue *queue);

/* Is everything that was taken acknowledged?  Always, without leases. */
bool plait__all_settled(const plait_queue *queue);

/* Does the calling thread hold it?  Also to be asked of a queue that may have been freed. */
bool plait__is_held(plait_queue *queue, plait_lease lease);

/* For whoever asks why nothing goes on: who holds the oldest leases.  Only a picture, and none if somebody else looks at them right
 * now. */
enum { PLAIT__OPEN_MOST = 3 };
struct plait__open {
    uint32_t holders[PLAIT__OPEN_MOST];                    /* 0: it came back */
    unsigned count;
    uint32_t settled;                                      /* how many messages between them are done with */
    bool is_all;                                           /* that was taken */
};
struct plait__open plait__open_leases(plait_queue *queue);

/* ---- joinable.c ---- */

/* Whoever moved `done`, or is about to move the tail, tells those who join if everything is done. */
void plait__note_rest(plait_queue *queue);

static inline void plait__tell_joiners(plait_queue *queue)
{
    if (PLAIT__UNLIKELY(atomic_load(&queue->rest.joiners))) plait__note_rest(queue);
}

/* The thread remembers leases of joinable queues, in their order.  There must be room before it takes one: 0, -ENOMEM. */
int plait__room_to_remember(void);
void plait__remember(plait_queue *queue, plait_lease lease);

/* The queue is freed: nothing of it is to be remembered. */
void plait__forget(const plait_queue *queue);

#endif
