/* plait/wait.h - waiting for many things at once: whichever comes first.
 *
 * ```c
 * plait_queue *queue = plait_queue_new(NULL);
 * plait_event *stop = plait_event_new();
 * if (!queue || !stop) return;
 * plait_waitable things[] = {
 *     { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_EVENT, .object = stop }, { PLAIT_WAIT_FD, .fd = STDIN_FILENO },
 * };
 * int number;
 * while (plait_wait(things, 3, PLAIT_FOREVER) > 0) {
 *     if (things[0].ready && plait_queue_get(queue, &number, sizeof number, PLAIT_NOW) >= 0) printf("%d\n", number);
 *     if (things[1].ready || things[2].ready) break;
 * }
 * ```
 *
 * A thing is *ready* when a call that waits for it would go on at once: it need not be new.  Nothing is taken: by the time that the
 * caller tries, with PLAIT_NOW, others may have been faster.  What can't change any more is ready as well: a queue that was closed
 * and read, an end that has come.
 *
 * For a program that has an event loop of its own, a *watch* turns any number of things into one file descriptor for its poll.
 */
#ifndef PLAIT_WAIT_H
#define PLAIT_WAIT_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

/* What a thing is, and when it is ready. */
enum plait_wait_kind {
    PLAIT_WAIT_NOTHING,        /* left out: never ready */
    PLAIT_WAIT_FD,             /* a file descriptor: poll() reports one of `events`, or an error, or a hang-up */
    PLAIT_WAIT_QUEUE,          /* plait_queue: there is a message to get; or it is closed, and nothing can come any more */
    PLAIT_WAIT_QUEUE_ROOM,     /* plait_queue: there is room to put a message of up to 8 bytes; or it is closed */
    PLAIT_WAIT_PROCESS,        /* plait_process: it has ended (of a child of this process, or the parent) */
    PLAIT_WAIT_EVENT,          /* plait_event: it is set */
    PLAIT_WAIT_SEMAPHORE,      /* plait_semaphore of any kind: there is a permit */
    PLAIT_WAIT_CONNECTION,     /* plait_connection: there is something to receive, as plait_connection_poll says */
    PLAIT_WAIT_THREAD = PLAIT_WAIT_PROCESS                  /* plait_thread: its function has returned, or was left */
};

typedef struct plait_waitable {
    int kind;                  /* enum plait_wait_kind */
    void *object;              /* NULL for descriptors */
    int fd;                    /* only for PLAIT_WAIT_FD */
    int events;                /* of poll(); 0: POLLIN */
    int ready;                 /* set by plait: 0; 1, or for a descriptor what poll() has reported (POLLIN, POLLHUP, ...) */
    int reserved;              /* 0 */
} plait_waitable;

/* Things behind one descriptor, in private memory. */
typedef struct plait_watch plait_watch;

PLAIT_BEGIN

/* Wait until at least one of n things is ready, or for the deadline.  PLAIT_NOW only looks.  How many are ready: for each of them
 * `ready` is not 0.  The things are the caller's; plait keeps nothing of them.  n may be 0: a sleep until the deadline.
 * Whoever waits for descriptors (also those of processes) beside other things, or for more than 32, needs one descriptor, which the
 * thread keeps until it leaves the family or ends.
 * > 0; -ETIMEDOUT; -EINVAL (an unknown kind, no object; n is 0 and there is no deadline); -EBADF (a descriptor that is not open);
 * what a wait for the object alone says of it: -ECHILD, PLAIT_ENOTSTARTED, -EDEADLK (a wait for one's own end); -EMFILE; -ENOMEM;
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  The detail says which thing it was.  On an error none is ready.
 * Signals do not end the wait.  Python: multiprocessing.connection.wait(objects, timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_wait(plait_waitable *things, size_t n, plait_deadline deadline);

/* ---- for your own event loop ---- */

/* Watch n things, of which it keeps a copy.  The objects and descriptors have to stay until it is freed.
 * Use it like this, with any loop around poll, select, epoll, libuv or GLib that is level-triggered:
 *
 *     when plait_watch_fd(watch) is readable:
 *         plait_watch_check(watch, things, n), and use what is ready
 *
 * NULL with errno: as plait_wait; EPERM (a file, which is always ready).  It belongs to this process: a forked child can only free
 * its copy. */
PLAIT_API plait_watch *plait_watch_new(const plait_waitable *things, size_t n);

/* The descriptor.  It is readable whenever something may be ready that the last plait_watch_check has not looked at, or has found
 * ready; at times without any reason.  It is the watch's: only poll it.  -EINVAL (NULL). */
PLAIT_API int plait_watch_fd(const plait_watch *watch);

/* Look, and have the descriptor tell of the next change: of what changes after this look, however soon.  The first n things are
 * copied to `things` (may be NULL), with `ready`.  How many of all are ready, or 0; errors as plait_wait; -ECHILD in a fork.
 * Never blocks.  One thread at a time. */
PLAIT_API int plait_watch_check(plait_watch *watch, plait_waitable *things, size_t n);

/* NULL is fine.  0; frees nothing that is watched. */
PLAIT_API int plait_watch_free(plait_watch *watch);

PLAIT_END
#endif
