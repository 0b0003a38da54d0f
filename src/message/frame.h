/* message/frame.h - how a message looks on a connection, as Python's multiprocessing.connection writes it:
 *
 *     n <= 0x7fffffff:  int32 big-endian n  |  n bytes
 *     n >  0x7fffffff:  ff ff ff ff  |  uint64 big-endian n  |  n bytes
 *
 * The long form is understood for any n.  No other length is negative.
 */
#ifndef PLAIT_MESSAGE_FRAME_H
#define PLAIT_MESSAGE_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <plait/deadline.h>

#define PLAIT__FRAME_SHORT 4u                              /* bytes of a header */
#define PLAIT__FRAME_LONG 12u

/* Write the header of a message of `size` bytes: how long the header is. */
unsigned plait__frame_begin(unsigned char header[PLAIT__FRAME_LONG], uint64_t size);

/* How long a header is that begins with these bytes. */
unsigned plait__frame_header_size(const unsigned char *header, size_t have);

/* The size that a whole header tells.  0, or -EBADMSG with a detail. */
int plait__frame_size(const unsigned char *header, uint64_t *size);

/* ---- without an object, for who talks before there is one: needs no shared memory, one thread at a time ---- */

/* Send a message on a stream socket.  0; -ETIMEDOUT (perhaps in the middle: then only closing is left); -EPIPE; -errno. */
int plait__frame_send(int fd, const void *data, size_t size, plait_deadline deadline);

/* Receive one of at most `maximum` bytes, and not one byte that comes behind it.  Its size; -ETIMEDOUT (perhaps in the middle);
 * PLAIT_ECLOSED (at its border), PLAIT_EBROKEN (in the middle), -EBADMSG, -EMSGSIZE (the header is read, the rest is not),
 * -errno. */
ssize_t plait__frame_recv(int fd, void *buffer, size_t maximum, plait_deadline deadline);

#endif
