/* plait/queue.h - messages from many to many, first in, first out, between threads and processes.
 *
 * A message is bytes; it is copied in and copied out.  A put that returned 0 is never lost, a put cut off by death is there
 * wholly or not at all.
 *
 * ```c
 * plait_queue *queue = plait_queue_new(NULL);
 * int number = 42, got;
 * if (plait_queue_put(queue, &number, sizeof number, PLAIT_FOREVER) < 0) return;
 * plait_queue_close(queue);                                          // no more puts: readers drain it, then get PLAIT_ECLOSED
 * while (plait_queue_get(queue, &got, sizeof got, PLAIT_FOREVER) >= 0) printf("%d\n", got);
 * plait_queue_free(queue);
 * ```
 *
 * Not for signal handlers: one that interrupts an operation on the same queue would wait for itself.
 *
 * A worker that must not lose a message even if it is killed while it works on it takes a lease instead of a plain get:
 *
 *     n = plait_queue_lease(queue, &task, sizeof task, &lease, PLAIT_FOREVER);
 *     ... work ...
 *     plait_queue_ack(queue, lease);                                 // now it is gone; without this it goes to the next worker
 */
#ifndef PLAIT_QUEUE_H
#define PLAIT_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>

typedef struct plait_queue plait_queue;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_queue_options {
    size_t maxsize;           /* put blocks while so many messages are queued; 0: only `capacity` limits */
    size_t capacity;          /* bytes of the ring, rounded up to a power of two; a message takes 8 more (16 with leases) than it
                                 has, rounded up to 16.  0: 1 MiB.  At most 16 MiB.  Memory is used only when touched */
    int leases;               /* not 0: plait_queue_lease may be used; the room of a message is free again after its ack */
    int reserved_int;
    uint64_t reserved[5];     /* zero */
} plait_queue_options;

/* A claim on a message that has been taken but not yet acknowledged. */
typedef struct plait_lease {
    uint64_t id;
    uint32_t attempts;        /* how many takers of this message died or gave it back before: 0 the first time */
    uint32_t reserved;
} plait_lease;

PLAIT_BEGIN

/* A new queue, owned by the family.  NULL: errno EINVAL (a limit is out of range; the detail says which), ENOMEM,
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  Python: multiprocessing.Queue(maxsize). */
PLAIT_API plait_queue *plait_queue_new(const plait_queue_options *options);

/* Free it and what is in it.  For one owner, after all others are done with it.  NULL is fine.
 * 0, or -EINVAL when it is no queue (or was freed). */
PLAIT_API int plait_queue_free(plait_queue *queue);

/* Put a copy of `size` bytes at the end (0 bytes is a message too); waits while the queue is full.
 * Returns 0; -ETIMEDOUT (nothing was put); PLAIT_ECLOSED; -EMSGSIZE (would not even fit an empty queue; the detail says how
 * much would); -EINVAL (no queue, or data NULL with a size).  Signals do not end the wait.
 * Python: queue.put(message, block, timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put(plait_queue *queue, const void *data, size_t size, plait_deadline deadline);

/* Take the first message into `buffer`; waits while the queue is empty.
 * Returns the message's size (>= 0); -ETIMEDOUT; PLAIT_ECLOSED (closed, and everything has been read); -EMSGSIZE (the buffer
 * is too short: the message stays first, plait_queue_next_size or the detail tells its size); -EINVAL.
 * A getter that is killed before the call returns may have taken the message with it, one at most; see plait_queue_lease.
 * A thread that holds leases of a closed queue and waits for ever for more waits for itself: settle them first.
 * Python: queue.get(block, timeout). */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_get(plait_queue *queue, void *buffer, size_t size, plait_deadline deadline);

/* As get, but the message comes back to the queue, before all others, if this thread dies or ends without plait_queue_ack.
 * For queues made with .leases only (-EINVAL).  *lease is filled when the call returns >= 0. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_lease(plait_queue *queue, void *buffer, size_t size, plait_lease *lease,
                                                     plait_deadline deadline);

/* The leased message is done with.  By the thread that leased it.  0; PLAIT_ENOLEASE (not this thread's lease, or settled);
 * -EINVAL.  Does not block.  Python: JoinableQueue.task_done, per message. */
PLAIT_API int plait_queue_ack(plait_queue *queue, plait_lease lease);

/* Give the leased message back: somebody else gets it next, with attempts one higher.  Otherwise as plait_queue_ack. */
PLAIT_API int plait_queue_giveback(plait_queue *queue, plait_lease lease);

/* The size of the message that a get would take now, waiting for one until the deadline; errors as get. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_next_size(plait_queue *queue, plait_deadline deadline);

/* How many messages are queued now, not counting leased ones, nor those that came back; -EINVAL.  Only a momentary picture.
 * Python: queue.qsize(). */
PLAIT_API ssize_t plait_queue_qsize(const plait_queue *queue);

/* No more puts: from now on they return PLAIT_ECLOSED, and gets do so when the rest has been read (and every lease is settled,
 * as its message might come back).  A put that had already begun to write is still done.  All sleepers wake up.
 * 0, also when it was closed before; -EINVAL.  Does not block.  Python has no such call for Queue; Queue.shutdown of threads. */
PLAIT_API int plait_queue_close(plait_queue *queue);

PLAIT_END
#endif
