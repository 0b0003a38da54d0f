/* plait/queue.h - messages from many to many, in order, between threads and processes.
 *
 * A message is bytes, copied in and copied out; or a block of shared memory that goes from hand to hand (give and take); or a value
 * (plait/value.h).  A put that returned 0 is never lost, a put cut off by death is there wholly or not at all.
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
 * Not for signal handlers, as all of plait (docs/guidelines.md): one that interrupts an operation on the same queue would wait for
 * itself.
 *
 * A worker that must not lose a message even if it is killed while it works on it takes a lease instead of a plain get:
 *
 *     n = plait_queue_lease(queue, &task, sizeof task, &lease, PLAIT_FOREVER);
 *     ... work ...
 *     plait_queue_ack(queue, lease);                                 // now it is gone; without this it goes to the next worker
 *
 * In a *joinable* queue every get does that by itself, and somebody can wait until all is done:
 *
 *     plait_queue *tasks = plait_queue_new(&(plait_queue_options){ .joinable = 1 });
 *     n = plait_queue_get(tasks, &task, sizeof task, PLAIT_FOREVER);           // a worker
 *     ... work ...
 *     plait_queue_task_done(tasks);
 *
 *     plait_queue_join(tasks, PLAIT_FOREVER);                        // whoever put them
 */
#ifndef PLAIT_QUEUE_H
#define PLAIT_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/value.h>

typedef struct plait_queue plait_queue;

/* In which order messages come out. */
enum plait_order {
    PLAIT_FIFO = 0,           /* the oldest first */
    PLAIT_LIFO = 1,           /* the youngest first.  Python: queue.LifoQueue */
    PLAIT_PRIORITY = 2        /* the lowest priority first, and among equals the oldest.  Python: queue.PriorityQueue */
};

/* All zero, or NULL instead of the struct: the defaults, a ring of 1 MiB. */
typedef struct plait_queue_options {
    size_t maxsize;           /* put blocks while so many messages are queued; 0: only the ring, or the family's memory, limits */
    size_t capacity;          /* bytes of the ring, rounded up to a power of two; a message takes 8 more (16 with leases) than it
                                 has, rounded up to 16.  0: 1 MiB.  At most 1 GiB.  Memory is used only when touched */
    int leases;               /* not 0: plait_queue_lease and plait_queue_join may be used; the room of a message is free again
                                 after its ack */
    int unbounded;            /* not 0: no ring, but as much memory as the messages need, given back when they are read: a put
                                 waits for nobody, unless there is a maxsize.  For thousands of queues, too */
    int order;                /* enum plait_order; other than PLAIT_FIFO: unbounded, without leases, each message in a block */
    int joinable;             /* not 0: a get takes a lease, which plait_queue_task_done settles, and plait_queue_join waits for all
                                 of them.  First in, first out; unbounded unless there is a capacity */
    uint64_t reserved[4];     /* zero */
} plait_queue_options;

/* A claim on a message that has been taken but not yet acknowledged. */
typedef struct plait_lease {
    uint64_t id;
    uint32_t attempts;        /* how many takers of this message died or gave it back before: 0 the first time */
    uint32_t reserved;        /* leave it as it is */
} plait_lease;

PLAIT_BEGIN

/* A new queue, owned by the family.  NULL: errno EINVAL (a limit is out of range; the detail says which), ENOMEM,
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  Python: multiprocessing.Queue(maxsize), which is .unbounded here, and JoinableQueue(maxsize),
 * which is .joinable. */
PLAIT_API plait_queue *plait_queue_new(const plait_queue_options *options);

/* Free it and what is in it.  For one owner, after all others are done with it.  NULL is fine.
 * 0, or -EINVAL when it is no queue (or was freed). */
PLAIT_API int plait_queue_free(plait_queue *queue);

/* Put a copy of `size` bytes at the end (0 bytes is a message too); waits while the queue is full.  A message larger than the ring
 * (or than 8 KiB, without a ring) is copied into a block of its own.
 * Returns 0; -ETIMEDOUT (nothing was put); PLAIT_ECLOSED; -ENOMEM (the family's memory has no room for it); -EINVAL (no queue, or
 * data NULL with a size).  Signals do not end the wait.  Python: queue.put(message, block, timeout); put_nowait: PLAIT_NOW. */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put(plait_queue *queue, const void *data, size_t size, plait_deadline deadline);

/* The same with a priority, lower ones first; for a queue of PLAIT_PRIORITY.  plait_queue_put and the others put with 0.
 * -EINVAL: any other queue, unless the priority is 0.  Python: queue.put((priority, message)). */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put_priority(plait_queue *queue, int64_t priority, const void *data, size_t size,
                                                        plait_deadline deadline);

/* Put n messages of `size` bytes each, which lie side by side, in their order; other putters' messages may come between them.
 * Waits while the queue is full.  Much faster than one by one.
 * Returns how many were put, fewer than n only if the time was up or an error came after the first; or an error as of put, and
 * then none was put.  Python has no such call. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_put_many(plait_queue *queue, const void *messages, size_t size, size_t n,
                                                        plait_deadline deadline);

/* Put a message without a copy: a block of shared memory, of which `size` bytes are the message.  It belongs to the queue then, and
 * to whoever takes it; after an error it is the caller's as before.  A block of plait_message_alloc must be the calling thread's
 * own; one of plait_alloc must not be used by others any more.
 * As plait_queue_put, and: PLAIT_ENOTOURS (no live block), -EPERM (another thread's), -EINVAL (the block is smaller than that). */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_give(plait_queue *queue, void *block, size_t size, plait_deadline deadline);

/* Take the first message into `buffer`; waits while the queue is empty.
 * Returns the message's size (>= 0); -ETIMEDOUT; PLAIT_ECLOSED (closed, and everything has been read); -EMSGSIZE (the buffer
 * is too short: the message stays first, plait_queue_next_size or the detail tells its size); -EINVAL.
 * A getter that is killed before the call returns may have taken the message with it, one at most; see plait_queue_lease.
 * A thread that holds leases of a closed queue and waits for ever for more waits for itself: settle them first.
 * From a joinable queue it is a task, which comes back to the queue, before all others, if this thread dies or ends without
 * plait_queue_task_done; and -ENOMEM is possible (nothing was taken).  Take and get_many are the same there.
 * Python: queue.get(block, timeout); queue.get_nowait() is a get until PLAIT_NOW. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_get(plait_queue *queue, void *buffer, size_t size, plait_deadline deadline);

/* Take the first message as a block, which belongs to the calling thread as one of plait_message_alloc does: *block is set when the
 * call returns >= 0.  What was given, or was too large for the ring, comes without a copy (but not from a queue with leases).
 * Returns the message's size; errors as get, without -EMSGSIZE; -ENOMEM (no room for a copy; the message stays). */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_take(plait_queue *queue, void **block, plait_deadline deadline);

/* Take up to n messages, each into its own `size` bytes of the buffer: waits for the first, then takes what else is there at once.
 * sizes[i] is told the size of the i-th, unless sizes is NULL.
 * Returns how many, at times fewer than there are: when one does not fit, or lies in a block of its own or, without a ring, in
 * another segment.  Or an error as of get, and then none was taken.
 * A getter that is killed may take all of them with it. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_get_many(plait_queue *queue, void *buffer, size_t size, size_t *sizes, size_t n,
                                                        plait_deadline deadline);

/* As get, but the message stays the first. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_peek(plait_queue *queue, void *buffer, size_t size, plait_deadline deadline);

/* As get, but the message comes back to the queue, before all others, if this thread dies or ends without plait_queue_ack.
 * For queues made with .leases or .joinable only (-EINVAL).  *lease is filled when the call returns >= 0. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_lease(plait_queue *queue, void *buffer, size_t size, plait_lease *lease,
                                                     plait_deadline deadline);

/* Put a value, as its pickle; with a priority for a queue of PLAIT_PRIORITY.  The value is given away, also on failure.
 * As plait_queue_put, and as plait_pickle_dumps: -EOVERFLOW; NULL is -EINVAL, or the error of the builder that failed.
 * Python: queue.put(object), queue.put((priority, object)). */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put_value(plait_queue *queue, plait_value *value, plait_deadline deadline);
PLAIT_API PLAIT_MUST_CHECK int plait_queue_put_value_priority(plait_queue *queue, int64_t priority, plait_value *value,
                                                              plait_deadline deadline);

/* Take the first message as a value, which is the caller's; also one that others put as bytes, if it is a pickle.  It is decoded
 * before it is taken, by one getter at a time, so a message that is none stays first (a plain get takes it), and nothing is lost
 * if this thread dies meanwhile.
 * NULL: errno as plait_queue_get, without EMSGSIZE, or as plait_pickle_loads: EBADMSG (no pickle), EOVERFLOW, ENOTSUP, ENOMEM.
 * Python: queue.get(block, timeout). */
PLAIT_API plait_value *plait_queue_get_value(plait_queue *queue, plait_deadline deadline);

/* The same with a lease, as plait_queue_lease; *lease is filled unless NULL is returned. */
PLAIT_API plait_value *plait_queue_lease_value(plait_queue *queue, plait_lease *lease, plait_deadline deadline);

/* The leased message is done with.  By the thread that leased it.  0; PLAIT_ENOLEASE (not this thread's lease, or settled);
 * -EINVAL.  Does not block. */
PLAIT_API int plait_queue_ack(plait_queue *queue, plait_lease lease);

/* Give the leased message back: somebody else gets it next, with attempts one higher.  Otherwise as plait_queue_ack. */
PLAIT_API int plait_queue_giveback(plait_queue *queue, plait_lease lease);

/* The task that this thread has had for the longest time, of those that it took by get, take or get_many, is done.  (A lease is
 * settled by plait_queue_ack instead.)  0; PLAIT_ENOLEASE (it was called too many times: this thread has no task of that queue);
 * -EINVAL (no queue, or not joinable).  Does not block.
 * Python: JoinableQueue.task_done(), which any thread may call, as it only counts; and its ValueError. */
PLAIT_API int plait_queue_task_done(plait_queue *queue);

/* Wait until nothing is unfinished: every message that was put has been taken, and told to be done, or acknowledged.  At once if
 * there is none; also if it is so for a moment only.  Tasks of the dead are unfinished until another has done them; if there is
 * nobody to take them, this waits for ever, and so does a thread for a task of its own.
 * For queues made with .joinable or .leases.  0; -ETIMEDOUT (the detail tells how many are unfinished, and who has them);
 * -EINVAL.  Signals do not end the wait.  Python: JoinableQueue.join(). */
PLAIT_API PLAIT_MUST_CHECK int plait_queue_join(plait_queue *queue, plait_deadline deadline);

/* The size of the message that a get would take now, waiting for one until the deadline; errors as get. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_queue_next_size(plait_queue *queue, plait_deadline deadline);

/* How many messages are queued now, not counting leased ones, nor those that came back; -EINVAL.  Only a momentary picture.
 * Python: queue.qsize(). */
PLAIT_API ssize_t plait_queue_qsize(const plait_queue *queue);

/* 1 if no message is queued, or if the next put would have to wait (without a ring and a maxsize never; a long message may have
 * to even if this is 0); else 0; -EINVAL.  Both may be wrong before the call returns: where others use the queue, too, try it, with
 * PLAIT_NOW.  A message that came back is not queued, but a get takes it.  Python: queue.empty(), queue.full(). */
PLAIT_API int plait_queue_empty(const plait_queue *queue);
PLAIT_API int plait_queue_full(const plait_queue *queue);

/* No more puts: from now on they return PLAIT_ECLOSED, and gets do so when the rest has been read (and every lease is settled,
 * as its message might come back).  A put that had already begun to write is still done.  All sleepers wake up.
 * 0, also when it was closed before; -EINVAL.  Does not block.  Python has no such call for Queue; Queue.shutdown of threads. */
PLAIT_API int plait_queue_close(plait_queue *queue);

PLAIT_END
#endif
