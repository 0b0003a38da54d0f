/* message/connection_recv.c - receiving messages.
 *
 * First the header, then the rest, and not one byte of what comes behind.  The header, and the rest of small messages, are gathered
 * in shared memory: what has not wholly come when the deadline passes, or who received it is killed, is there for the next.  The
 * rest of larger ones is taken straight into the caller's memory if it has come already, or if the caller waits for ever; else it
 * is gathered in a block of shared memory.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/roster.h"
#include "message/connection_internal.h"
#include "sync/owner.h"

enum purpose { INTO_BUFFER, INTO_NEW, ONLY_SIZE, DESCRIPTOR };

struct taking {
    enum purpose purpose;
    void *buffer;                                          /* INTO_NEW: made when the size is known */
    size_t room;                                           /* or the maximum */
    size_t made;                                           /* so much new memory; another message may come instead */
    struct plait__wait wait;
};

static bool is_in_the_middle(struct plait__direction *in)
{
    const struct plait__progress *record = plait__progress_of(in);
    return record->stage != PLAIT__HOLDS_FD && (record->stage != PLAIT__IN_HEADER || plait__done(record) != 0);
}

/* ---- what a call says that brought nothing, or something else ---- */

static ssize_t stopped(struct plait__direction *in, ssize_t result)
{
    if (result == -EAGAIN) return result;
    if (result != 0 && result != -ECONNRESET) return plait__fail((int)result, "receiving: %s", plait_strerror((int)result));
    if (is_in_the_middle(in)) return plait__fail(PLAIT_EBROKEN, "got end of file during message");
    return plait__fail(PLAIT_ECLOSED, "the other side of the connection is gone");
}

static int message_is_next(void)
{
    return plait__fail(-EPROTO, "what comes next is a message, not a descriptor");
}

static int descriptor_is_next(void)
{
    return plait__fail(-EPROTO, "what comes next is a descriptor, not a message");
}

/* The next message has come, all of it. */
static void taken(struct plait__direction *in)
{
    plait__begin(in, &(struct plait__progress){ 0 });
    atomic_fetch_add_explicit(&in->news, 1, memory_order_relaxed);
}

/* Whether the caller takes a message of that size; new memory for it.  0, -EMSGSIZE, -ENOMEM. */
static int make_room(struct taking *taking, uint64_t size)
{
    if (PLAIT__UNLIKELY(size > taking->room))
        return plait__fail(-EMSGSIZE, "the message has %llu bytes, the buffer %zu", (unsigned long long)size, taking->room);
    if (taking->purpose != INTO_NEW) return 0;
    if (taking->made <= size) {
        free(taking->buffer);
        taking->buffer = malloc(size + 1);
        taking->made = taking->buffer ? size + 1 : 0;
    }
    if (!taking->buffer) return plait__fail(-ENOMEM, "no memory for a message of %llu bytes", (unsigned long long)size);
    ((char *)taking->buffer)[size] = 0;
    return 0;
}

/* ---- the rest, into private memory ---- */

/* With the direction in hand to the end. */
static ssize_t take_private(plait_connection *connection, struct taking *taking, uint64_t size)
{
    struct plait__direction *in = &connection->in;
    plait__begin(in, &(struct plait__progress){ .stage = PLAIT__IN_PRIVATE, .total = size });
    for (;;) {
        uint32_t news = plait__news_of_other(connection);
        uint64_t done = plait__done(plait__progress_of(in));
        if (done == size) break;
        ssize_t got = plait__recv_step(connection, (char *)taking->buffer + done, size - done);
        if (got > 0) continue;
        if (got != -EAGAIN) return stopped(in, got);
        int error = plait__wait_to_recv(connection, &taking->wait, news, plait__standing(in));
        if (error == PLAIT_EBROKEN) return plait__fail(error, "who was sending the message died, or gave up");
        if (error) return plait__fail(PLAIT_EBROKEN, "somebody else reads from the connection's descriptor");
    }
    taken(in);
    return (ssize_t)size;
}

/* Somebody was about to take the rest, and has not. */
static void take_back(struct plait__direction *in)
{
    plait__begin(in, &(struct plait__progress){ .stage = PLAIT__IN_HEADER, .total = PLAIT__FRAME_LONG,
                                              .before = plait__frame_header_size(in->header, PLAIT__FRAME_SHORT) });
}

/* Somebody was killed while it took a message: the rest of that belongs to nobody. */
static ssize_t skip(plait_connection *connection)
{
    struct plait__direction *in = &connection->in;
    char nothing[4096];
    for (;;) {
        const struct plait__progress *record = plait__progress_of(in);
        uint64_t left = record->total - plait__done(record);
        if (left == 0) break;
        ssize_t got = plait__recv_step(connection, nothing, left < sizeof nothing ? left : sizeof nothing);
        if (got <= 0) return stopped(in, got);
    }
    taken(in);
    return 0;
}

/* ---- the rest, into shared memory ---- */

/* Take what there is of a step.  0: there are as many bytes as wanted. */
static ssize_t gather(plait_connection *connection, unsigned char *place, uint64_t wanted)
{
    for (;;) {
        uint64_t done = plait__done(plait__progress_of(&connection->in));
        if (done >= wanted) return 0;
        ssize_t got = plait__recv_step(connection, place + done, wanted - done);
        if (got <= 0) return stopped(&connection->in, got);
    }
}

/* A block that nobody knows yet dies with us. */
static void *new_block(uint64_t size)
{
    void *block = plait_message_alloc(size);
    if (block) plait_block_share(block);
    else plait__add_detail("to keep a message of %llu bytes that has not wholly come yet", (unsigned long long)size);
    return block;
}

static ssize_t begin_kept(plait_connection *connection, uint64_t size)
{
    struct plait__direction *in = &connection->in;
    void *kept = size <= PLAIT__SMALL ? in->small : new_block(size);
    if (!kept) return -errno;
    plait__begin(in, &(struct plait__progress){ .stage = PLAIT__IN_KEPT, .total = size, .kept = kept });
    return 0;
}

static ssize_t take_kept(plait_connection *connection, struct taking *taking)
{
    struct plait__direction *in = &connection->in;
    uint64_t size = plait__progress_of(in)->total;
    void *kept = plait__progress_of(in)->kept;
    ssize_t error = gather(connection, kept, size);
    if (!error) error = make_room(taking, size);
    if (PLAIT__UNLIKELY(error)) return error;
    if (size) memcpy(taking->buffer, kept, size);
    taken(in);
    if (kept != in->small) plait_free(kept);
    return (ssize_t)size;
}

/* ---- the header ---- */

/* A descriptor came instead of a message: this process keeps it for who asks for it. */
static int descriptor_came(struct plait__direction *in, int came, int fd)
{
    if (came > 0) plait__hold_descriptor(in, fd);
    else taken(in);
    if (came == -EMFILE) return plait__fail(came, "a descriptor has come, for which this process has no room: it is lost");
    return came < 0 ? came : descriptor_is_next();
}

static ssize_t gather_header(plait_connection *connection, uint64_t *size)
{
    struct plait__direction *in = &connection->in;
    if (PLAIT__LIKELY(plait__done(plait__progress_of(in)) == 0)) {
        ssize_t got = plait__recv_first(connection, PLAIT__FRAME_SHORT);
        if (got <= 0) return stopped(in, got);
        int fd, came = plait__came_with(plait__progress_of(in), &fd);
        if (PLAIT__UNLIKELY(came) && got == 1) return descriptor_came(in, came, fd);
        if (PLAIT__UNLIKELY(came > 0)) close(fd);          /* beside a message, which is what was sent */
    }
    ssize_t error = gather(connection, in->header, PLAIT__FRAME_SHORT);
    if (!error && PLAIT__UNLIKELY(plait__frame_header_size(in->header, PLAIT__FRAME_SHORT) == PLAIT__FRAME_LONG))
        error = gather(connection, in->header, PLAIT__FRAME_LONG);
    return error ? error : plait__frame_size(in->header, size);
}

/* So many bytes can be had at once. */
static bool has_come(const plait_connection *connection, uint64_t size)
{
    int bytes = 0;
    return ioctl(connection->fd, FIONREAD, &bytes) == 0 && bytes >= 0 && (uint64_t)bytes >= size;
}

static ssize_t take_message(plait_connection *connection, struct taking *taking)
{
    uint64_t size = 0;
    ssize_t error = gather_header(connection, &size);
    if (PLAIT__UNLIKELY(error)) return error;
    if (PLAIT__UNLIKELY(taking->purpose == ONLY_SIZE)) return (ssize_t)size;
    error = make_room(taking, size);
    if (PLAIT__UNLIKELY(error)) return error;
    if (size > PLAIT__SMALL && (plait__is_forever(taking->wait.deadline) || has_come(connection, size)))
        return take_private(connection, taking, size);
    error = begin_kept(connection, size);
    return PLAIT__UNLIKELY(error) ? error : take_kept(connection, taking);
}

/* ---- descriptors ---- */

static ssize_t take_descriptor(plait_connection *connection)
{
    struct plait__direction *in = &connection->in;
    int fd, came = plait__take_descriptor(connection, &fd);
    if (came == 0) return message_is_next();
    if (came == -EAGAIN || came == -EMFILE) return came;
    if (came != 1 && came != -EPROTO) return stopped(in, came == -ENODATA ? 0 : came);
    taken(in);
    return came == 1 ? fd : came;
}

/* It came to a process that had asked for a message; the thread that had may be gone. */
static int is_elsewhere(const struct plait__held *held)
{
    char name[64];
    snprintf(name, sizeof name, "process %d", (int)held->pid);
    if (plait__fate(held->holder) == PLAIT__LIVES) plait__describe_member(plait__owner_slot(held->holder), name, sizeof name);
    return plait__fail(-EPROTO, "the descriptor came to %s, which has asked for a message", name);
}

static ssize_t take_held(struct plait__direction *in, const struct taking *taking)
{
    if (taking->purpose != DESCRIPTOR) return descriptor_is_next();
    if (!plait__holds_here(in)) return is_elsewhere(&in->held);
    int fd = in->held.fd;
    taken(in);
    return fd;
}

/* ---- all of it ---- */

/* What a dead one has left. */
static ssize_t clear_up(plait_connection *connection)
{
    struct plait__direction *in = &connection->in;
    const struct plait__progress *record = plait__progress_of(in);
    if (record->is_unsure) return plait__fail(PLAIT_EBROKEN, "somebody died while it read from the pipe");
    if (record->stage == PLAIT__IN_PRIVATE && plait__done(record) != 0) return skip(connection);
    if (record->stage == PLAIT__IN_PRIVATE) take_back(in);
    else if (record->stage == PLAIT__HOLDS_FD && plait__holds_no_more(in)) taken(in);
    else if (record->stage == PLAIT__IN_HEADER && plait__brought_descriptor(record)) taken(in);
    return 0;
}

/* With the direction ours.  -EAGAIN: not yet. */
static ssize_t recv_now(plait_connection *connection, struct taking *taking)
{
    struct plait__direction *in = &connection->in;
    if (PLAIT__UNLIKELY(!plait__is_at_border(plait__progress_of(in)))) {
        ssize_t error = clear_up(connection);
        if (error) return error;
    }
    const struct plait__progress *record = plait__progress_of(in);
    if (PLAIT__UNLIKELY(record->stage == PLAIT__HOLDS_FD)) return take_held(in, taking);
    if (PLAIT__UNLIKELY(taking->purpose == DESCRIPTOR))
        return is_in_the_middle(in) ? message_is_next() : take_descriptor(connection);
    if (PLAIT__LIKELY(record->stage == PLAIT__IN_HEADER)) return take_message(connection, taking);
    return taking->purpose == ONLY_SIZE ? (ssize_t)record->total : take_kept(connection, taking);
}

static int timed_out(bool in_the_middle)
{
    if (in_the_middle) return plait__fail(-ETIMEDOUT, "the rest of the message has not come; its begin is kept");
    return plait__fail(-ETIMEDOUT, "no message has come");
}

static int no_rest(int error)
{
    return error == -ETIMEDOUT ? timed_out(true) : plait__fail(error, "who was sending the message died, or gave up");
}

/* As many messages were received as were sent: to ask the kernel for another would be in vain.  If one has come that is not counted
 * yet, or that somebody has sent who does not count, the wait ends at once. */
static bool seems_empty(plait_connection *connection, const struct taking *taking, uint32_t news)
{
    if (!connection->other || plait__is_now(taking->wait.deadline)) return false;
    struct plait__direction *in = &connection->in;
    return atomic_load_explicit(&in->news, memory_order_relaxed) == news && plait__is_at_border(plait__progress_of(in));
}

/* With the direction ours for a moment; with -EAGAIN, *standing: where it is left. */
static ssize_t try_once(plait_connection *connection, struct taking *taking, bool may_skip, uint32_t news, uint64_t *standing)
{
    int error = plait__direction_own(&connection->in, connection, taking->wait.deadline);
    if (error) return error;
    ssize_t result = may_skip && seems_empty(connection, taking, news) ? -EAGAIN : recv_now(connection, taking);
    if (PLAIT__UNLIKELY(result == -EAGAIN)) *standing = plait__standing(&connection->in);
    plait__direction_disown(&connection->in);
    return result;
}

/* Nobody waits with the direction in hand, unless what it has of a message lies in its own memory. */
static ssize_t receive(plait_connection *connection, struct taking *taking)
{
    bool may_skip = true;
    uint64_t standing = 0;
    for (;;) {
        uint32_t news = plait__news_of_other(connection);
        ssize_t result = try_once(connection, taking, may_skip, news, &standing);
        if (PLAIT__LIKELY(result != -EAGAIN)) {
            plait__wait_end(&taking->wait);
            return result;
        }
        may_skip = false;
        int error = plait__wait_to_recv(connection, &taking->wait, news, standing);
        if (error) return standing ? no_rest(error) : timed_out(false);
    }
}

static ssize_t begin(plait_connection *connection, struct taking *taking, plait_deadline deadline)
{
    taking->wait = plait__wait_for(PLAIT__FOR_MESSAGE, connection, deadline);
    int error = plait__connection_check(connection);
    if (PLAIT__UNLIKELY(error)) return error;
    if (PLAIT__UNLIKELY(!connection->readable)) return plait__not_readable();
    ssize_t result = receive(connection, taking);
    if (result >= 0 && connection->other) plait__tsan_acquire((void *)&connection->other->out);
    return result;
}

ssize_t plait_connection_recv_bytes(plait_connection *connection, void *buffer, size_t size, plait_deadline deadline)
{
    if (PLAIT__UNLIKELY(!buffer && size)) return plait__fail(-EINVAL, "the buffer is NULL, its size %zu", size);
    return begin(connection, &(struct taking){ .purpose = INTO_BUFFER, .buffer = buffer, .room = size }, deadline);
}

ssize_t plait_connection_recv_alloc(plait_connection *connection, void **data, size_t maximum, plait_deadline deadline)
{
    if (!data) return plait__fail(-EINVAL, "there is no place for the data");
    *data = NULL;
    if (maximum >= SSIZE_MAX) maximum = SSIZE_MAX - 1;
    struct taking taking = { .purpose = INTO_NEW, .room = maximum };
    ssize_t size = begin(connection, &taking, deadline);
    if (size >= 0) *data = taking.buffer;
    else free(taking.buffer);
    return size;
}

ssize_t plait_connection_next_size(plait_connection *connection, plait_deadline deadline)
{
    return begin(connection, &(struct taking){ .purpose = ONLY_SIZE }, deadline);
}

int plait_connection_recv_fd(plait_connection *connection, plait_deadline deadline)
{
    if (plait__is_connection(connection) && !connection->is_local) return plait__not_local();
    return (int)begin(connection, &(struct taking){ .purpose = DESCRIPTOR }, deadline);
}

/* ---- poll ---- */

/* Whether a call would bring something, though nothing comes any more: what was gathered is whole, or makes no sense. */
static bool can_receive(plait_connection *connection, uint64_t *standing)
{
    struct plait__direction *in = &connection->in;
    *standing = 0;
    if (plait__direction_own(in, connection, PLAIT_NOW) < 0) return false;
    const struct plait__progress *record = plait__progress_of(in);
    bool result = record->is_unsure || (record->stage == PLAIT__HOLDS_FD && !plait__holds_no_more(in));
    if (record->stage == PLAIT__IN_KEPT) result = plait__is_whole(record);
    if (record->stage == PLAIT__IN_HEADER && plait__done(record)) {
        uint64_t done = plait__done(record), size;
        result = done >= plait__frame_header_size(in->header, done) && (plait__frame_size(in->header, &size) < 0 || size == 0);
    }
    *standing = plait__standing(in);
    plait__direction_disown(in);
    return result;
}

int plait_connection_poll(plait_connection *connection, plait_deadline deadline)
{
    int error = plait__connection_check(connection);
    if (error) return error;
    if (!connection->readable) return plait__not_readable();
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_MESSAGE, connection, deadline);
    for (;;) {
        uint64_t standing;
        uint32_t news = plait__news_of_other(connection);
        if (can_receive(connection, &standing) || plait__wait_fd(connection->fd, POLLIN, PLAIT_NOW) != -ETIMEDOUT) break;
        error = plait__wait_to_recv(connection, &wait, news, standing);
        if (error == -ETIMEDOUT) return 0;
        if (error) break;
    }
    plait__wait_end(&wait);
    return 1;
}
