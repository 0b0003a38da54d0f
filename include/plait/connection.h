/* plait/connection.h - pipes: messages between two ends, also to a Python program on the other one.
 *
 * ```c
 * plait_connection *ends[2];
 * char text[64];
 * if (plait_pipe(1, ends) < 0) return;                                    // both ends send and receive
 * if (plait_connection_send_bytes(ends[0], "hello", 5, PLAIT_FOREVER) < 0) return;
 * ssize_t got = plait_connection_recv_bytes(ends[1], text, sizeof text, plait_after(1.0));
 * if (got >= 0) printf("%.*s\n", (int)got, text);
 * else if (got == PLAIT_ECLOSED) puts("the other side is gone");
 * plait_connection_free(ends[0]);
 * plait_connection_free(ends[1]);
 * ```
 *
 * What goes over the descriptor are the frames of Python's multiprocessing.connection, byte for byte, so that the other end may be
 * a multiprocessing.Connection of any Python from 3.8 on.
 *
 * The object lies in the family's memory, the descriptor in each process that has it.  A forked child has it by itself; a child of
 * spawn or of the forkserver has it if its number, plait_connection_fileno, is listed in the child's options:
 *
 *     plait_process_options options = { .fds = (int[]){ plait_connection_fileno(end) }, .fd_count = 1 };
 *     plait_start(child, &end, sizeof end, &options);                     // the child uses the same pointer
 *
 * In a process without it every call is -EBADF.  Who receives is told that the other side is gone, PLAIT_ECLOSED, when *every*
 * process that had the other end has closed it or ended: so close in each process the ends that it does not use
 * (plait_connection_close), in the parent after the children were started.
 *
 * Any number of threads and processes may use one end at a time: each message is sent and received as a whole, by one of them.
 * Of what happens when one is killed meanwhile (at the ends of a plait_pipe; see plait_connection_from_fd for others):
 *   - who is killed while it sends has sent the whole message, or nothing; or, if the kernel had taken only a part of it, this
 *     direction is at its end: the next who sends on this end gets PLAIT_EBROKEN, and so does who receives, after what came before.
 *   - who is killed while it receives may have taken that message with it, one at most; the others go on with the next one.
 */
#ifndef PLAIT_CONNECTION_H
#define PLAIT_CONNECTION_H

#include <stddef.h>
#include <sys/types.h>

#include <plait/deadline.h>
#include <plait/export.h>
#include <plait/value.h>

typedef struct plait_connection plait_connection;

PLAIT_BEGIN

/* ---- making ---- */

/* A pipe with two ends.  duplex 0: ends[0] receives and ends[1] sends; else both do both.  It is a pair of sockets in either case:
 * to send to who is gone is an error then, never a SIGPIPE.  The descriptors are closed on exec.
 * 0; -EMFILE, -ENFILE, -ENOMEM, -EINVAL (ends is NULL), PLAIT_ENOARENA, PLAIT_ETOOMANY.  After an error both ends are NULL.
 * Python: multiprocessing.Pipe(duplex). */
PLAIT_API int plait_pipe(int duplex, plait_connection *ends[2]);

/* A connection of a descriptor that is open already: a stream socket, or one end of a pipe.  It belongs to the connection then, and
 * is closed on exec.  (On a pipe, which is not a pair of sockets, who is killed in the middle of sending or receiving always breaks
 * that direction; and nobody else should read or write there.)  What one family has on both ends of a pipe as two such connections
 * it does not know to belong together: there, and where strangers send, who receives is told of a sender that was killed, or gave
 * up, in the middle of a message only when the last descriptor of the other end is closed, and waits until then, or its deadline.
 * NULL: errno EBADF (not open), EINVAL (neither socket nor pipe; neither readable nor writable; a pipe's other end; the detail
 * says which), ENOMEM, PLAIT_ENOARENA, PLAIT_ETOOMANY; the descriptor is the caller's as before.
 * Python: multiprocessing.connection.Connection(handle, readable, writable). */
PLAIT_API plait_connection *plait_connection_from_fd(int fd, int readable, int writable);

/* Close it in this process; others that have it go on.  Not while another thread of this process uses it.
 * 0, -EBADF (this process does not have it, or has closed it), -EINVAL.  Python: connection.close(). */
PLAIT_API int plait_connection_close(plait_connection *connection);

/* Close it in this process, if it is open, and free the object.  For one owner, after all others are done with it: in the others,
 * and where others still use it, it is plait_connection_close that gives an end up.  NULL is fine.
 * 0, or -EINVAL when it is no connection (or was freed); PLAIT_ENOARENA, PLAIT_ETOOMANY. */
PLAIT_API int plait_connection_free(plait_connection *connection);

/* ---- bytes ---- */

/* Send a message of `size` bytes (0 bytes is a message too); waits while the other side does not read.
 * 0; -ETIMEDOUT (nothing was sent); -EPIPE (the other side is gone); PLAIT_EBROKEN (the deadline has passed when a part was sent
 * already, which nobody can take back, or this has happened before, or somebody was killed then: no more can be sent on this end,
 * and the other side gets the same error after what was sent before); -EBADF (read-only, or not open in this process); -EINVAL;
 * PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end the wait.
 * Python: connection.send_bytes(data). */
PLAIT_API PLAIT_MUST_CHECK int plait_connection_send_bytes(plait_connection *connection, const void *data, size_t size,
                                                           plait_deadline deadline);

/* Receive a message into `buffer`; waits for one.
 * Its size (>= 0); -EMSGSIZE (the buffer is too short: the message stays the next, plait_connection_next_size or the detail tells
 * its size); -ETIMEDOUT (what had come of a message is kept, and the next call goes on with it); PLAIT_ECLOSED (the other side is
 * gone, and everything has been received); PLAIT_EBROKEN (it is gone in the middle of a message); -EBADMSG (what came is no
 * message: no more can be received); -EPROTO (a descriptor comes next: plait_connection_recv_fd); -ENOMEM (with a deadline, a
 * message that has not wholly come yet is kept in the family's memory, which has no room for it; the message stays); -EBADF
 * (write-only, or not open in this process); -EINVAL; PLAIT_ENOARENA, PLAIT_ETOOMANY.  Signals do not end the wait.
 * Python: connection.recv_bytes_into(buffer). */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_connection_recv_bytes(plait_connection *connection, void *buffer, size_t size,
                                                               plait_deadline deadline);

/* Receive a message into new memory, which the caller frees by free(): *data is set when the call returns >= 0.  Behind its last
 * byte stands a 0.
 * Its size; -EMSGSIZE (it has more than `maximum` bytes, and stays the next; Python would give the connection up); -ENOMEM (it
 * stays); otherwise as plait_connection_recv_bytes.  Python: connection.recv_bytes(maxlength). */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_connection_recv_alloc(plait_connection *connection, void **data, size_t maximum,
                                                               plait_deadline deadline);

/* The size of the message that would be received now, waiting for one until the deadline; errors as recv_bytes. */
PLAIT_API PLAIT_MUST_CHECK ssize_t plait_connection_next_size(plait_connection *connection, plait_deadline deadline);

/* Wait until there is something to receive: a message, or the begin of one, or news of the end.  1, 0 (the deadline has passed), or
 * an error: -EBADF, -EINVAL, PLAIT_ENOARENA, PLAIT_ETOOMANY.  Python: connection.poll(timeout). */
PLAIT_API PLAIT_MUST_CHECK int plait_connection_poll(plait_connection *connection, plait_deadline deadline);

/* ---- values ---- */

/* Send a value as a message of its own, a pickle of protocol 4, as Python's Connection.recv() takes it.  The value is given away,
 * also if the call fails.
 * As plait_connection_send_bytes, and: -EINVAL (no value: the builder has failed, errno says why), -ENOMEM, -EOVERFLOW (nested too
 * deeply).
 * Python: connection.send(value). */
PLAIT_API PLAIT_MUST_CHECK int plait_connection_send(plait_connection *connection, plait_value *value, plait_deadline deadline);

/* Receive a message that is a pickle, of any protocol; the value is the caller's (plait_value_free).
 * NULL: errno as plait_connection_recv_alloc without a maximum; or EBADMSG (it is no pickle), EOVERFLOW, ENOTSUP, ENOMEM as
 * plait_pickle_loads: then the message is gone.
 * Python: connection.recv(). */
PLAIT_API PLAIT_MUST_CHECK plait_value *plait_connection_recv(plait_connection *connection, plait_deadline deadline);

/* ---- descriptors ---- */

/* Send a copy of `fd`, which stays the caller's; the other side receives it by plait_connection_recv_fd at the same place between
 * the messages.  Only over local sockets: a plait_pipe, or AF_UNIX.
 * 0; -ETIMEDOUT; -EPIPE; PLAIT_EBROKEN; -EINVAL (fd is not open); -EOPNOTSUPP (not such a connection); -ETOOMANYREFS (too many are
 * under way); -EBADF; PLAIT_ENOARENA, PLAIT_ETOOMANY.
 * Python: multiprocessing.reduction.send_handle(connection, fd, pid). */
PLAIT_API PLAIT_MUST_CHECK int plait_connection_send_fd(plait_connection *connection, int fd, plait_deadline deadline);

/* Receive a descriptor, which is the caller's to close (closed on exec).
 * It (>= 0); -EPROTO (a message comes next, or several descriptors at once: it stays the next); -EMFILE (no room for one more: it
 * stays the next); -EOPNOTSUPP; otherwise as plait_connection_recv_bytes.
 * Python: multiprocessing.reduction.recv_handle(connection). */
PLAIT_API PLAIT_MUST_CHECK int plait_connection_recv_fd(plait_connection *connection, plait_deadline deadline);

/* ---- what it is ---- */

/* The descriptor, for a poll loop and for .fds; it stays the connection's.  The same in each process that has it.
 * -EBADF (not open in this process), -EINVAL.  Python: connection.fileno(). */
PLAIT_API int plait_connection_fileno(plait_connection *connection);

/* 1 or 0; -EINVAL.  closed: in this process.  Python: connection.readable, writable, closed. */
PLAIT_API int plait_connection_readable(const plait_connection *connection);
PLAIT_API int plait_connection_writable(const plait_connection *connection);
PLAIT_API int plait_connection_closed(plait_connection *connection);

PLAIT_END
#endif
