/* message/connection_internal.h - an end of a pipe: a descriptor, and for each direction a turn and an exact count.
 *
 * The turn of a direction is a word that names its owner, as a lock's.  What the owner is doing with the stream stands in one of
 * two *records*; the word `turn` says which one is valid, so that one store begins every step.
 *
 * How many bytes have gone over the descriptor is known exactly, whenever the owner is killed: sendmmsg and recvmmsg write the
 * number of bytes into `call`, which lies here in shared memory, before they come back from the kernel, and nobody is killed in
 * between.  So `before` + what the kernel wrote is the truth, and the next owner goes by it, without any repair.  Pipes that are no
 * sockets have no such calls: there a step is marked as unsure while it is under way.
 */
#ifndef PLAIT_MESSAGE_CONNECTION_INTERNAL_H
#define PLAIT_MESSAGE_CONNECTION_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <plait/connection.h>

#include "base/atomics.h"
#include "base/fd.h"
#include "family/wait.h"
#include "message/frame.h"

#define PLAIT__CONNECTION_STAMP 0x636e6e63u

/* Of the direction that receives; the other one is always at BORDER. */
enum plait__stage {
    PLAIT__AT_BORDER,                                      /* of two messages */
    PLAIT__IN_HEADER,                                      /* its bytes so far are in `header` */
    PLAIT__IN_KEPT,                                        /* the header is complete; the bytes behind it so far are in `kept` */
    PLAIT__IN_PRIVATE,                                     /* they are, or were, in the memory of a member: who finds that has to
                                                              skip the rest */
};

struct plait__record {
    uint64_t before;                                       /* bytes that went in the calls before this one */
    uint64_t total;                                        /* so many make the step complete */
    void *kept;
    uint32_t stage;                                        /* enum plait__stage */
    bool is_unsure;                                        /* a call is under way that does not tell how far it came */
    bool has_header;                                       /* IN_PRIVATE: the header was taken by a step before */
    struct mmsghdr call;                                   /* msg_len: by the kernel */
};

struct plait__direction {
    _Alignas(64) _Atomic uint64_t owner;                   /* see sync/owner.h */
    _Atomic uint32_t turn;                                 /* which record is valid: its low bit.  By the owner */
    plait__word news;                                      /* messages sent so far, for who spins.  By the owner */
    struct plait__record records[2];                       /* by the owner: the one that is not valid */
    unsigned char header[PLAIT__FRAME_LONG];
};

struct plait_connection {
    uint32_t stamp;
    int32_t fd;
    struct plait__file file;
    uint64_t identity;                                     /* of fd and file, never 0 */
    plait_connection *other;                               /* the other end, if this family made it; it may be freed */
    _Atomic uint32_t *ends;                                /* how many of both are not freed yet */
    bool readable, writable, is_socket;
    struct plait__direction out, in;
};

/* ---- connection.c ---- */

static inline bool plait__is_connection(const plait_connection *connection)
{
    return connection && (uintptr_t)connection % 64 == 0 && connection->stamp == PLAIT__CONNECTION_STAMP;
}

/* What every call begins with: it is a connection, open in this process; the caller is a member.  0, or an error. */
int plait__connection_check(plait_connection *connection);
int plait__not_readable(void);
int plait__not_writable(void);

/* ---- connection_step.c ---- */

/* Take turns.  0, -ETIMEDOUT with a detail. */
int plait__direction_own(struct plait__direction *direction, plait_connection *connection, plait_deadline deadline);
void plait__direction_disown(struct plait__direction *direction);

static inline struct plait__record *plait__record_of(struct plait__direction *direction)
{
    return &direction->records[atomic_load_explicit(&direction->turn, memory_order_relaxed) & 1];
}

/* How many bytes of the step have gone. */
static inline uint64_t plait__done(const struct plait__record *record)
{
    return record->before + record->call.msg_len;
}

static inline bool plait__is_whole(const struct plait__record *record)
{
    return plait__done(record) == record->total;
}

/* From now on the direction is at this stage, with so many bytes before. */
void plait__begin(struct plait__direction *direction, const struct plait__record *as);

/* The valid record's next call: send or receive what the parts name.  How many bytes; 0: end of file; -EAGAIN: it would block;
 * -errno.  Never blocks. */
ssize_t plait__send_step(plait_connection *connection, struct iovec *parts, unsigned count);
ssize_t plait__recv_step(plait_connection *connection, struct iovec *parts, unsigned count);

/* A message was cut off in this direction, and nobody goes on with it. */
bool plait__is_torn(struct plait__direction *direction);

/* Wait until there may be something to receive, or until something can be sent.  0, -ETIMEDOUT. */
int plait__wait_to_send(plait_connection *connection, plait_deadline deadline);
int plait__wait_to_recv(plait_connection *connection, struct plait__wait *wait, uint32_t news);

/* In the middle of a message: 0, -ETIMEDOUT; PLAIT_EBROKEN: who was sending it is dead. */
int plait__wait_for_rest(plait_connection *connection, plait_deadline deadline);

#endif
