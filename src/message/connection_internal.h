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

/* What the step is about.  To send: always IN_HEADER, for header and bytes together. */
enum plait__stage {
    PLAIT__IN_HEADER,                                      /* what came of it is in `header`; with 0 bytes: between two messages */
    PLAIT__IN_KEPT,                                        /* the header is complete; what came of the rest is in `kept` */
    PLAIT__IN_PRIVATE,                                     /* the same, in the memory of a member: who finds that has to skip the
                                                              rest, unless that has not yet begun to come */
    PLAIT__HOLDS_FD,                                       /* the holder's process has a descriptor that nobody has asked for */
};

struct plait__progress {
    uint64_t before;                                       /* bytes that went in the calls before this one */
    uint64_t total;                                        /* so many make the step complete */
    void *kept;                                            /* a block, or `small` */
    uint16_t stage;                                        /* enum plait__stage */
    bool is_unsure;                                        /* a call is under way that does not tell how far it came */
    struct mmsghdr call;                                   /* by the kernel: msg_len, and what came beside the bytes */
};

/* A descriptor that nobody has asked for, and the process that it came to: of all of its threads, and the thread that met it may
 * be gone before it.  Written before the stage says so; not to be believed before. */
struct plait__held {
    uint64_t holder;                                       /* the thread, as in sync/owner.h */
    uint64_t process;                                      /* what no other process with that pid is called */
    struct plait__file file;                               /* the process may have closed the descriptor */
    int32_t fd, pid;
    uint32_t pid_namespace;
};

#define PLAIT__SMALL 512u                                  /* bytes of a message that are always received into shared memory */

struct plait__direction {
    _Alignas(64) _Atomic uint64_t owner;                   /* see sync/owner.h */
    _Atomic uint32_t turn;                                 /* which record is valid: its low bit.  By the owner */
    plait__word news;                                      /* so many messages were sent, or received.  By the owner */
    struct plait__progress records[2];                     /* by the owner: the one that is not valid */
    struct plait__held held;                               /* by the owner, at any stage but PLAIT__HOLDS_FD */
    unsigned char header[PLAIT__FRAME_LONG];
    _Alignas(16) char control[64];                         /* what came beside the header's first byte: see connection_fd.c */
    unsigned char small[PLAIT__SMALL];
};

struct plait_connection {
    uint32_t stamp;
    int32_t fd;
    struct plait__file file;
    uint64_t identity;                                     /* of fd and file, never 0 */
    plait_connection *other;                               /* the other end, if this family made it; it may be freed */
    _Atomic uint32_t *ends;                                /* how many of both are not freed yet */
    bool readable, writable, is_socket, is_local;           /* local: AF_UNIX */
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

/* ---- connection_fd.c ---- */

/* Of the call that brought the first byte: whether a descriptor came with it.  1, with the first of them; 0; -EMFILE: it is lost,
 * as there was no room; -EPROTO: there were several, which are closed now. */
int plait__came_with(const struct plait__progress *record, int *fd);

/* The first byte of a message, or of a descriptor: that, or 0 if it is a message; an error as of plait__recv_step, or -EMFILE. */
int plait__take_descriptor(plait_connection *connection, int *fd);

/* The same of a record that a dead one has left: whether its process got a descriptor. */
bool plait__brought_descriptor(const struct plait__progress *record);

/* The calling process keeps a descriptor for whoever asks for it there. */
void plait__hold_descriptor(struct plait__direction *in, int fd);

/* At PLAIT__HOLDS_FD: this process holds it; or whoever did is gone, and the descriptor with it. */
bool plait__holds_here(struct plait__direction *in);
bool plait__holds_no_more(struct plait__direction *in);

/* Before this process closes the connection it closes what it holds. */
void plait__drop_held(plait_connection *connection);

int plait__not_local(void);

/* ---- connection_step.c ---- */

/* Take turns.  0, -ETIMEDOUT with a detail. */
int plait__direction_own(struct plait__direction *direction, plait_connection *connection, plait_deadline deadline);
void plait__direction_disown(struct plait__direction *direction);

static inline struct plait__progress *plait__progress_of(struct plait__direction *direction)
{
    return &direction->records[atomic_load_explicit(&direction->turn, memory_order_relaxed) & 1];
}

/* How many bytes of the step have gone. */
static inline uint64_t plait__done(const struct plait__progress *record)
{
    return record->before + record->call.msg_len;
}

static inline bool plait__is_whole(const struct plait__progress *record)
{
    return plait__done(record) == record->total;
}

/* From now on the direction is at this stage, with so many bytes before. */
void plait__begin(struct plait__direction *direction, const struct plait__progress *as);

/* The valid record's next call: send what the parts name, or receive up to `size` bytes.  How many bytes; 0: end of file;
 * -EAGAIN: it would block; -errno.  Never blocks. */
ssize_t plait__send_step(plait_connection *connection, struct iovec *parts, unsigned count, void *control, size_t control_size);
ssize_t plait__recv_step(plait_connection *connection, void *place, size_t size);

/* The same for the first bytes of a header, with room for what comes beside them. */
ssize_t plait__recv_first(plait_connection *connection, size_t size);

/* A message was cut off in this direction, and nobody goes on with it. */
bool plait__is_torn(struct plait__direction *direction);

/* Wait until something can be sent.  0, -ETIMEDOUT. */
int plait__wait_to_send(plait_connection *connection, plait_deadline deadline);

/* Between two messages, and nobody has left anything. */
static inline bool plait__is_at_border(const struct plait__progress *record)
{
    return record->stage == PLAIT__IN_HEADER && plait__done(record) == 0 && !record->is_unsure;
}

/* What receivers share, in a number: 0 at the border between two messages, else it changes with whatever comes. */
static inline uint64_t plait__standing(struct plait__direction *in)
{
    const struct plait__progress *record = plait__progress_of(in);
    if (PLAIT__LIKELY(plait__is_at_border(record))) return 0;
    uint64_t number = (uint64_t)atomic_load_explicit(&in->news, memory_order_relaxed) << 32;
    return (number + plait__done(record) * 8 + record->is_unsure * 4u + record->stage) | UINT64_C(1) << 63;
}

/* Wait until there may be something to receive, from the kernel or from another receiver: `in` stood at `standing` when the caller
 * looked.  0, -ETIMEDOUT; in the middle of a message PLAIT_EBROKEN: who was sending it is dead, or has given up. */
int plait__wait_to_recv(plait_connection *connection, struct plait__wait *wait, uint32_t news, uint64_t standing);

/* How many messages the other end has sent, if it is the family's.  They may have come a moment before they are counted. */
static inline uint32_t plait__news_of_other(const plait_connection *connection)
{
    return connection->other ? atomic_load_explicit(&connection->other->out.news, memory_order_relaxed) : 0;
}

#endif
