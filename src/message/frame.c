#include "message/frame.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/wait.h"

#define SHORT_MAX (plait__test_short_frames ? plait__test_short_frames : 0x7fffffffu)

unsigned plait__frame_begin(unsigned char header[PLAIT__FRAME_LONG], uint64_t size)
{
    bool is_short = size <= SHORT_MAX;
    uint32_t first = htobe32(is_short ? (uint32_t)size : UINT32_MAX);
    uint64_t whole = htobe64(size);
    memcpy(header, &first, sizeof first);
    if (is_short) return PLAIT__FRAME_SHORT;
    memcpy(header + sizeof first, &whole, sizeof whole);
    return PLAIT__FRAME_LONG;
}

unsigned plait__frame_header_size(const unsigned char *header, size_t have)
{
    static const unsigned char is_long[4] = { 0xff, 0xff, 0xff, 0xff };
    return have >= sizeof is_long && memcmp(header, is_long, sizeof is_long) == 0 ? PLAIT__FRAME_LONG : PLAIT__FRAME_SHORT;
}

int plait__frame_size(const unsigned char *header, uint64_t *size)
{
    uint32_t first;
    memcpy(&first, header, sizeof first);
    *size = be32toh(first);
    if (plait__frame_header_size(header, PLAIT__FRAME_SHORT) == PLAIT__FRAME_LONG) {
        memcpy(size, header + sizeof first, sizeof *size);
        *size = be64toh(*size);
        if (*size <= SSIZE_MAX) return 0;
    } else if (*size <= INT32_MAX) {
        return 0;
    }
    return plait__fail(-EBADMSG, "what came is no message: its first bytes are %02x %02x %02x %02x, and no length", header[0],
                       header[1], header[2], header[3]);
}

/* ---- without an object ---- */

int plait__frame_send(int fd, const void *data, size_t size, plait_deadline deadline)
{
    unsigned char header[PLAIT__FRAME_LONG];
    size_t begin = plait__frame_begin(header, size), sent = 0;
    while (sent < begin + size) {
        size_t of_header = sent < begin ? begin - sent : 0, of_data = sent < begin ? 0 : sent - begin;
        struct iovec parts[] = { { header + begin - of_header, of_header }, { (char *)(uintptr_t)data + of_data, size - of_data } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = size > of_data ? 2 : 1 };
        ssize_t done = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done >= 0) {
            sent += (size_t)done;
        } else if (errno == EAGAIN) {
            int ready = plait__wait_fd(fd, POLLOUT, deadline);
            if (ready == -ETIMEDOUT) return plait__fail(ready, "%zu of %zu bytes were sent", sent, begin + size);
            if (ready < 0 && ready != -EINTR) return ready;
        } else if (errno != EINTR) {
            return errno == ECONNRESET ? -EPIPE : -errno;
        }
    }
    return 0;
}

/* Exactly `size` bytes.  0, or an error. */
static int receive(int fd, void *buffer, size_t size, bool in_the_middle, plait_deadline deadline)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = recv(fd, (char *)buffer + have, size - have, MSG_DONTWAIT);
        if (got > 0) {
            have += (size_t)got;
        } else if (got < 0 && errno == EAGAIN) {
            int ready = plait__wait_fd(fd, POLLIN, deadline);
            if (ready == -ETIMEDOUT) return plait__fail(ready, "the other side has sent nothing, or only a part of a message");
            if (ready < 0 && ready != -EINTR) return ready;
        } else if (got == 0 || errno == ECONNRESET) {
            if (have || in_the_middle) return plait__fail(PLAIT_EBROKEN, "got end of file during message");
            return plait__fail(PLAIT_ECLOSED, "the other side is gone");
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

ssize_t plait__frame_recv(int fd, void *buffer, size_t maximum, plait_deadline deadline)
{
    unsigned char header[PLAIT__FRAME_LONG];
    uint64_t size;
    int error = receive(fd, header, PLAIT__FRAME_SHORT, false, deadline);
    if (!error && plait__frame_header_size(header, PLAIT__FRAME_SHORT) == PLAIT__FRAME_LONG)
        error = receive(fd, header + PLAIT__FRAME_SHORT, PLAIT__FRAME_LONG - PLAIT__FRAME_SHORT, true, deadline);
    if (!error) error = plait__frame_size(header, &size);
    if (!error && size > maximum)
        error = plait__fail(-EMSGSIZE, "the message has %llu bytes, at most %zu are allowed", (unsigned long long)size, maximum);
    if (!error) error = receive(fd, buffer, size, true, deadline);
    return error ? error : (ssize_t)size;
}
