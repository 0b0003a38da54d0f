/* message/connection_recv.c - receiving messages.
 *
 * The usual way, on a socket: look at the header without taking it (MSG_PEEK), so that a message that does not fit, or is a
 * descriptor, stays where it is; then take header and message by one call, straight into the caller's memory.
 *
 * What has not wholly come by then must not get lost if the deadline passes.  So it is gathered in shared memory, first the header
 * and then the rest, where any later call goes on with it, by whomever.  Only who waits for ever takes it into its own memory.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <plait/arena.h>

#include "base/error.h"
#include "message/connection_internal.h"

#define LOOK 256u                                          /* bytes at the begin: a message as short as that is seen to be whole */

enum purpose { INTO_BUFFER, INTO_NEW, ONLY_SIZE };

struct taking {
    enum purpose purpose;
    void *buffer;                                          /* INTO_NEW: made when the size is known */
    size_t room;                                           /* or the maximum */
    size_t made;                                           /* so much new memory; another message may come instead */
    plait_deadline deadline;
};

/* ---- ends and errors ---- */

static int ended(const struct plait__record *record)
{
    if (record->stage != PLAIT__AT_BORDER && (record->stage != PLAIT__IN_HEADER || plait__done(record)))
        return plait__fail(PLAIT_EBROKEN, "got end of file during message");
    return plait__fail(PLAIT_ECLOSED, "the other side of the connection is gone");
}

/* What a call said that brought nothing. */
static ssize_t stopped(const struct plait__record *record, ssize_t result)
{
    if (result == 0 || result == -ECONNRESET) return ended(record);
    return result == -EAGAIN ? result : plait__fail((int)result, "receiving: %s", plait_strerror((int)result));
}

/* Whether the caller takes a message of that size; new memory for it.  0, -EMSGSIZE, -ENOMEM. */
static int make_room(struct taking *taking, uint64_t size)
{
    if (size > taking->room)
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

/* ---- into private memory ---- */

/* The bytes from `done` on of a header, unless it was taken before, and the data. */
static unsigned parts_from(const struct plait__record *record, unsigned char *header, char *data, uint64_t size,
                           struct iovec parts[2])
{
    uint64_t done = plait__done(record), to_data = record->total - size, of_data = done < to_data ? 0 : done - to_data;
    unsigned count = 0;
    if (done < to_data) parts[count++] = (struct iovec){ header, to_data - done };
    if (of_data < size) parts[count++] = (struct iovec){ data + of_data, size - of_data };
    return count;
}

/* The header, unless it was taken before (header_size 0), and the data, with the direction in hand. */
static ssize_t take_private(plait_connection *connection, struct taking *taking, unsigned header_size, uint64_t size)
{
    struct plait__direction *in = &connection->in;
    unsigned char header[PLAIT__FRAME_LONG];
    struct iovec parts[2];
    plait__begin(in, &(struct plait__record){ .stage = PLAIT__IN_PRIVATE, .total = header_size + size,
                                              .has_header = !header_size });
    for (;;) {
        const struct plait__record *record = plait__record_of(in);
        if (plait__is_whole(record)) break;
        ssize_t got = plait__recv_step(connection, parts, parts_from(record, header, taking->buffer, size, parts));
        if (got > 0) continue;
        if (got != -EAGAIN) return stopped(plait__record_of(in), got);
        int error = plait__wait_for_rest(connection, taking->deadline);
        if (error == PLAIT_EBROKEN) return plait__fail(error, "who was sending the message died, or gave up");
        if (error) return plait__fail(PLAIT_EBROKEN, "somebody else reads from the connection's descriptor");
    }
    plait__begin(in, &(struct plait__record){ 0 });
    return (ssize_t)size;
}

/* Somebody was about to take a message, and has not. */
static void take_back(struct plait__direction *in)
{
    if (!plait__record_of(in)->has_header) plait__begin(in, &(struct plait__record){ 0 });
    else plait__begin(in, &(struct plait__record){ .stage = PLAIT__IN_HEADER, .total = PLAIT__FRAME_LONG,
                                                   .before = plait__frame_header_size(in->header, PLAIT__FRAME_SHORT) });
}

/* Somebody was killed while it took a message: the rest of that belongs to nobody. */
static ssize_t skip(plait_connection *connection)
{
    struct plait__direction *in = &connection->in;
    char nothing[4096];
    for (;;) {
        const struct plait__record *record = plait__record_of(in);
        uint64_t left = record->total - plait__done(record);
        if (left == 0) break;
        struct iovec part = { nothing, left < sizeof nothing ? left : sizeof nothing };
        ssize_t got = plait__recv_step(connection, &part, 1);
        if (got <= 0) return stopped(plait__record_of(in), got);
    }
    plait__begin(in, &(struct plait__record){ 0 });
    return 0;
}

/* ---- by way of shared memory ---- */

/* Take what there is of a step whose bytes lie in shared memory.  0: it is whole. */
static ssize_t gather(plait_connection *connection, unsigned char *place, uint64_t wanted)
{
    for (;;) {
        const struct plait__record *record = plait__record_of(&connection->in);
        uint64_t done = plait__done(record);
        if (done >= wanted) return 0;
        struct iovec part = { place + done, wanted - done };
        ssize_t got = plait__recv_step(connection, &part, 1);
        if (got <= 0) return stopped(plait__record_of(&connection->in), got);
    }
}

static ssize_t gather_header(plait_connection *connection, uint64_t *size)
{
    struct plait__direction *in = &connection->in;
    ssize_t error = gather(connection, in->header, PLAIT__FRAME_SHORT);
    if (!error && plait__frame_header_size(in->header, PLAIT__FRAME_SHORT) == PLAIT__FRAME_LONG)
        error = gather(connection, in->header, PLAIT__FRAME_LONG);
    return error ? error : plait__frame_size(in->header, size);
}

/* So many bytes can be had at once. */
static bool has_come(const plait_connection *connection, uint64_t size)
{
    int bytes = 0;
    return ioctl(connection->fd, FIONREAD, &bytes) == 0 && bytes >= 0 && (uint64_t)bytes >= size;
}

static bool may_be_private(const plait_connection *connection, const struct taking *taking, uint64_t size)
{
    return plait__is_forever(taking->deadline) || has_come(connection, size);
}

/* A block that nobody knows yet dies with us. */
static ssize_t begin_kept(plait_connection *connection, uint64_t size)
{
    void *kept = plait_message_alloc(size);
    if (!kept) {
        plait__add_detail("to keep a message of %llu bytes that has not wholly come yet", (unsigned long long)size);
        return -errno;
    }
    plait_block_share(kept);
    plait__begin(&connection->in, &(struct plait__record){ .stage = PLAIT__IN_KEPT, .total = size, .kept = kept });
    return 0;
}

static ssize_t take_kept(plait_connection *connection, struct taking *taking)
{
    struct plait__record *record = plait__record_of(&connection->in);
    uint64_t size = record->total;
    void *kept = record->kept;
    ssize_t error = gather(connection, kept, size);
    if (!error) error = make_room(taking, size);
    if (error) return error;
    memcpy(taking->buffer, kept, size);
    plait__begin(&connection->in, &(struct plait__record){ 0 });
    plait_free(kept);
    return (ssize_t)size;
}

static ssize_t take_gathered(plait_connection *connection, struct taking *taking)
{
    uint64_t size;
    ssize_t error = gather_header(connection, &size);
    if (error) return error;
    if (taking->purpose == ONLY_SIZE) return (ssize_t)size;
    error = make_room(taking, size);
    if (error) return error;
    if (may_be_private(connection, taking, size)) return take_private(connection, taking, 0, size);
    error = begin_kept(connection, size);
    return error ? error : take_kept(connection, taking);
}

/* ---- at a border ---- */

static ssize_t begin_header(plait_connection *connection, struct taking *taking)
{
    plait__begin(&connection->in, &(struct plait__record){ .stage = PLAIT__IN_HEADER, .total = PLAIT__FRAME_LONG });
    return take_gathered(connection, taking);
}

static int descriptor_is_next(void)
{
    return plait__fail(-EPROTO, "what comes next is a descriptor, not a message");
}

/* See what comes next, without taking it.  How many bytes of it are there, at most `room`; an error. */
static ssize_t look(plait_connection *connection, unsigned char *bytes, size_t room)
{
    struct iovec part = { bytes, room };
    for (int tries = 0;;) {
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t seen = recvmsg(connection->fd, &message, MSG_PEEK | MSG_DONTWAIT);
        if (seen > 0 && (message.msg_flags & MSG_CTRUNC)) return descriptor_is_next();
        if (seen > 0) return seen;
        if (seen == 0) return ended(plait__record_of(&connection->in));
        if (errno == ECONNRESET && tries++ == 0) continue;
        if (errno == ECONNRESET) return ended(plait__record_of(&connection->in));
        if (errno != EINTR) return errno == EAGAIN ? -EAGAIN : stopped(plait__record_of(&connection->in), -errno);
    }
}

static ssize_t take_next(plait_connection *connection, struct taking *taking)
{
    unsigned char bytes[LOOK];
    uint64_t size;
    if (PLAIT__UNLIKELY(!connection->is_socket)) return begin_header(connection, taking);
    ssize_t seen = look(connection, bytes, sizeof bytes);
    if (seen < 0) return seen;
    unsigned header_size = plait__frame_header_size(bytes, (size_t)seen);
    if (PLAIT__UNLIKELY(seen < (ssize_t)header_size)) return begin_header(connection, taking);
    ssize_t error = plait__frame_size(bytes, &size);
    if (PLAIT__UNLIKELY(error)) return error;
    if (taking->purpose == ONLY_SIZE) return (ssize_t)size;
    error = make_room(taking, size);
    if (PLAIT__UNLIKELY(error)) return error;
    if ((uint64_t)seen >= header_size + size || may_be_private(connection, taking, header_size + size))
        return take_private(connection, taking, header_size, size);
    return begin_header(connection, taking);
}

/* ---- all of it ---- */

/* With the direction ours.  -EAGAIN: not yet. */
static ssize_t recv_now(plait_connection *connection, struct taking *taking)
{
    const struct plait__record *record = plait__record_of(&connection->in);
    if (PLAIT__UNLIKELY(record->is_unsure)) return plait__fail(PLAIT_EBROKEN, "somebody died while it read from the pipe");
    if (PLAIT__UNLIKELY(record->stage == PLAIT__IN_PRIVATE) && plait__done(record) == 0) {
        take_back(&connection->in);
    } else if (PLAIT__UNLIKELY(record->stage == PLAIT__IN_PRIVATE)) {
        ssize_t error = skip(connection);
        if (error) return error;
    }
    record = plait__record_of(&connection->in);
    if (PLAIT__LIKELY(record->stage == PLAIT__AT_BORDER)) return take_next(connection, taking);
    if (record->stage == PLAIT__IN_HEADER) return take_gathered(connection, taking);
    return taking->purpose == ONLY_SIZE ? (ssize_t)record->total : take_kept(connection, taking);
}

static bool is_in_the_middle(struct plait__direction *in)
{
    const struct plait__record *record = plait__record_of(in);
    return record->stage != PLAIT__AT_BORDER && (record->stage != PLAIT__IN_HEADER || plait__done(record));
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

/* Nobody waits with the direction in hand, unless what it has of a message lies in its own memory. */
static ssize_t receive(plait_connection *connection, struct taking *taking)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_MESSAGE, connection, taking->deadline);
    const plait_connection *other = connection->other;
    for (;;) {
        uint32_t news = other ? atomic_load_explicit(&other->out.news, memory_order_relaxed) : 0;
        int error = plait__direction_own(&connection->in, connection, taking->deadline);
        if (error) return error;
        ssize_t result = recv_now(connection, taking);
        bool in_the_middle = PLAIT__UNLIKELY(result == -EAGAIN) && is_in_the_middle(&connection->in);
        plait__direction_disown(&connection->in);
        if (PLAIT__LIKELY(result != -EAGAIN)) {
            plait__wait_end(&wait);
            return result;
        }
        error = in_the_middle ? plait__wait_for_rest(connection, taking->deadline) : plait__wait_to_recv(connection, &wait, news);
        if (error) return in_the_middle ? no_rest(error) : timed_out(false);
    }
}

static ssize_t begin(plait_connection *connection, struct taking *taking)
{
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
    return begin(connection, &(struct taking){ .purpose = INTO_BUFFER, .buffer = buffer, .room = size, .deadline = deadline });
}

ssize_t plait_connection_recv_alloc(plait_connection *connection, void **data, size_t maximum, plait_deadline deadline)
{
    if (!data) return plait__fail(-EINVAL, "there is no place for the data");
    *data = NULL;
    if (maximum >= SSIZE_MAX) maximum = SSIZE_MAX - 1;
    struct taking taking = { .purpose = INTO_NEW, .room = maximum, .deadline = deadline };
    ssize_t size = begin(connection, &taking);
    if (size >= 0) *data = taking.buffer;
    else free(taking.buffer);
    return size;
}

ssize_t plait_connection_next_size(plait_connection *connection, plait_deadline deadline)
{
    return begin(connection, &(struct taking){ .purpose = ONLY_SIZE, .deadline = deadline });
}

/* ---- poll ---- */

/* Whether a call would bring something, though nothing comes any more: what was gathered is whole, or makes no sense. */
static bool can_receive(plait_connection *connection, bool *in_the_middle)
{
    struct plait__direction *in = &connection->in;
    *in_the_middle = false;
    if (plait__direction_own(in, connection, PLAIT_NOW) < 0) return false;
    const struct plait__record *record = plait__record_of(in);
    bool result = record->is_unsure || (record->stage == PLAIT__IN_KEPT && plait__is_whole(record));
    if (record->stage == PLAIT__IN_HEADER) {
        uint64_t done = plait__done(record), size;
        result = done >= plait__frame_header_size(in->header, done) && (plait__frame_size(in->header, &size) < 0 || size == 0);
    }
    *in_the_middle = is_in_the_middle(in);
    plait__direction_disown(in);
    return result;
}

int plait_connection_poll(plait_connection *connection, plait_deadline deadline)
{
    int error = plait__connection_check(connection);
    if (error) return error;
    if (!connection->readable) return plait__not_readable();
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_MESSAGE, connection, deadline);
    const plait_connection *other = connection->other;
    for (;;) {
        bool in_the_middle;
        uint32_t news = other ? atomic_load_explicit(&other->out.news, memory_order_relaxed) : 0;
        if (can_receive(connection, &in_the_middle) || plait__wait_fd(connection->fd, POLLIN, PLAIT_NOW) != -ETIMEDOUT) break;
        error = in_the_middle ? plait__wait_for_rest(connection, deadline) : plait__wait_to_recv(connection, &wait, news);
        if (error == -ETIMEDOUT) return 0;
        if (error) break;
    }
    plait__wait_end(&wait);
    return 1;
}
