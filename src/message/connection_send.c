/* message/connection_send.c - sending messages. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "message/connection_internal.h"

struct sending {
    unsigned char header[PLAIT__FRAME_LONG];
    unsigned header_size;
    const void *data;
    uint64_t total;                                        /* of header and data */
    void *control;                                         /* what goes beside the first byte; NULL: nothing */
    size_t control_size;
    plait_deadline deadline;
};

/* What is left of both. */
static unsigned parts_from(const struct sending *sending, uint64_t sent, struct iovec parts[2])
{
    unsigned count = 0;
    uint64_t header = sending->header_size;
    if (sent < header) parts[count++] = (struct iovec){ (void *)(uintptr_t)(sending->header + sent), header - sent };
    uint64_t of_data = sent < header ? 0 : sent - header;
    uint64_t left = sending->total - header - of_data;
    if (left) parts[count++] = (struct iovec){ (char *)(uintptr_t)sending->data + of_data, left };
    return count;
}

/* Who receives would wait for the rest for ever; now it gets an end of file instead. */
static int broken(plait_connection *connection, const char *why)
{
    const struct plait__progress *record = plait__progress_of(&connection->out);
    if (connection->is_socket) shutdown(connection->fd, SHUT_WR);
    if (record->is_unsure) return plait__fail(PLAIT_EBROKEN, "%s", why);
    return plait__fail(PLAIT_EBROKEN, "%s: %llu of its %llu bytes were sent", why, (unsigned long long)plait__done(record),
                       (unsigned long long)record->total);
}

/* The kernel takes no more: `error`. */
static int stopped(plait_connection *connection, int error)
{
    if (error == -EPIPE) {
        plait__begin(&connection->out, &(struct plait__progress){ 0 });
        return plait__fail(-EPIPE, "the other side of the connection is gone");
    }
    if (plait__done(plait__progress_of(&connection->out)) == 0) return plait__fail(error, "sending: %s", plait_strerror(error));
    if (error == -ETIMEDOUT) return broken(connection, "the deadline has passed in the middle of a message");
    return broken(connection, plait_strerror(error));
}

/* With the direction ours.  0; -EAGAIN: nothing was sent, it would block. */
static int send_now(plait_connection *connection, const struct sending *sending)
{
    struct plait__direction *out = &connection->out;
    if (PLAIT__UNLIKELY(plait__is_torn(out))) return broken(connection, "a message was cut off when its sender died or gave up");
    plait__begin(out, &(struct plait__progress){ .total = sending->total });
    for (;;) {
        struct iovec parts[2];
        uint64_t sent = plait__done(plait__progress_of(out));
        if (sent == sending->total) break;
        ssize_t result = plait__send_step(connection, parts, parts_from(sending, sent, parts), sending->control,
                                          sending->control_size);
        if (result == -EAGAIN) {
            if (sent == 0) return -EAGAIN;
            result = plait__wait_to_send(connection, sending->deadline);
        }
        if (PLAIT__UNLIKELY(result < 0)) return stopped(connection, (int)result);
    }
    atomic_fetch_add_explicit(&out->news, 1, memory_order_relaxed);
    return 0;
}

static int timed_out(void)
{
    return plait__fail(-ETIMEDOUT, "the other side of the connection does not read");
}

/* Nobody waits for room with the direction in hand, unless it has to send the rest of a message. */
static int send_frame(plait_connection *connection, const struct sending *sending)
{
    for (;;) {
        int result = plait__direction_own(&connection->out, connection, sending->deadline);
        if (result) return result;
        result = send_now(connection, sending);
        plait__direction_disown(&connection->out);
        if (PLAIT__LIKELY(result != -EAGAIN)) return result;
        if (plait__wait_to_send(connection, sending->deadline) < 0) return timed_out();
    }
}

static int check(plait_connection *connection)
{
    int error = plait__connection_check(connection);
    if (PLAIT__UNLIKELY(error)) return error;
    return PLAIT__LIKELY(connection->writable) ? 0 : plait__not_writable();
}

int plait_connection_send_bytes(plait_connection *connection, const void *data, size_t size, plait_deadline deadline)
{
    int error = check(connection);
    if (PLAIT__UNLIKELY(error)) return error;
    if (PLAIT__UNLIKELY((!data && size) || size > SSIZE_MAX))
        return plait__fail(-EINVAL, "the data is %p, its size %zu", data, size);
    struct sending sending = { .data = data, .deadline = deadline };
    sending.header_size = plait__frame_begin(sending.header, size);
    sending.total = sending.header_size + (uint64_t)size;
    plait__tsan_release(&connection->out);
    return send_frame(connection, &sending);
}

/* ---- descriptors ---- */

int plait__not_local(void)
{
    return plait__fail(-EOPNOTSUPP, "descriptors go over local sockets only (plait_pipe, AF_UNIX)");
}

int plait_connection_send_fd(plait_connection *connection, int fd, plait_deadline deadline)
{
    int error = check(connection);
    if (error) return error;
    if (!connection->is_local) return plait__not_local();
    if (fcntl(fd, F_GETFD) < 0)
        return plait__fail(errno == EBADF ? -EINVAL : -errno, "the descriptor to be sent, %d, is not open", fd);
    union {
        struct cmsghdr header;                             /* aligned as it wants to be */
        char room[CMSG_SPACE(sizeof fd)];
    } control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) } };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    struct sending sending = { .header = { 1 }, .header_size = 1, .total = 1, .deadline = deadline, .control = &control,
                               .control_size = CMSG_SPACE(sizeof fd) };
    return send_frame(connection, &sending);
}
