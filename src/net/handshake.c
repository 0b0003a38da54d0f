#include "net/handshake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "family/wait.h"

/* ---- out ---- */

/* The next message, once the last one has gone. */
static void pack(struct plait__handshake *handshake)
{
    struct plait__auth_message *message = &handshake->auth.out;
    const unsigned char head[PLAIT__SHORT_HEAD] = { 0, 0, (unsigned char)(message->size >> 8), (unsigned char)message->size };
    memcpy(handshake->out, head, sizeof head);
    memcpy(handshake->out + sizeof head, message->bytes, message->size);
    handshake->out_size = message->size ? (uint32_t)sizeof head + message->size : 0;
    handshake->out_gone = 0;
    message->size = 0;
}

static int broken_off(const struct plait__handshake *handshake)
{
    return plait__fail(PLAIT_EAUTH, "the other side has gone in the middle of the handshake: there was %s",
                       plait__auth_missing(&handshake->auth));
}

/* 1: all has gone, 0: wait. */
static int flush(struct plait__handshake *handshake)
{
    while (handshake->out_gone < handshake->out_size) {
        const unsigned char *rest = handshake->out + handshake->out_gone;
        const ssize_t gone = send(handshake->fd, rest, handshake->out_size - handshake->out_gone, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (gone < 0 && errno == EINTR) continue;
        if (gone < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (gone < 0) return broken_off(handshake);
        handshake->out_gone += (uint32_t)gone;
    }
    return 1;
}

/* ---- in ---- */

static uint64_t number(const unsigned char *bytes, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++) value = value << 8 | bytes[i];
    return value;
}

/* How many bytes of the frame are to come before there is more to know of it; *head, *length: what is known. */
static uint64_t wanted(const struct plait__handshake *handshake, uint32_t *head, uint64_t *length)
{
    *head = PLAIT__SHORT_HEAD;
    *length = 0;
    if (handshake->in_got < PLAIT__SHORT_HEAD) return PLAIT__SHORT_HEAD;
    *length = number(handshake->in, PLAIT__SHORT_HEAD);
    if (*length == UINT32_MAX) {
        *head = PLAIT__LONG_HEAD;
        *length = 0;
        if (handshake->in_got < PLAIT__LONG_HEAD) return PLAIT__LONG_HEAD;
        *length = number(handshake->in + PLAIT__SHORT_HEAD, PLAIT__LONG_HEAD - PLAIT__SHORT_HEAD);
    }
    return *length > PLAIT__AUTH_LONGEST ? UINT64_MAX : *head + *length;
}

/* 1: a frame is there, with *length bytes at *head; 0: wait. */
static int fill(struct plait__handshake *handshake, uint32_t *head, uint64_t *length)
{
    for (;;) {
        const uint64_t until = wanted(handshake, head, length);
        if (until == UINT64_MAX)
            return plait__fail(PLAIT_EAUTH, "a message of %llu bytes came, which is none of a handshake: the other side has "
                               "probably no authkey, or is no multiprocessing at all", (unsigned long long)*length);
        if (handshake->in_got == until) return 1;
        const ssize_t got = recv(handshake->fd, handshake->in + handshake->in_got, (size_t)until - handshake->in_got, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (got <= 0) return broken_off(handshake);
        handshake->in_got += (uint32_t)got;
    }
}

/* ---- both ---- */

int plait__handshake_begin(struct plait__handshake *handshake, int fd, enum plait__auth_role role, const void *key, size_t key_size)
{
    handshake->fd = fd;
    handshake->ends = false;
    handshake->in_got = 0;
    const int error = plait__auth_begin(&handshake->auth, role, key, key_size);
    if (!error) pack(handshake);
    return error;
}

/* One message of the other side's.  1: there was one; 0: wait.  Who is refused is told so, if there is room for it. */
static int take(struct plait__handshake *handshake)
{
    uint32_t head;
    uint64_t length;
    const int there = fill(handshake, &head, &length);
    if (there <= 0) return there;
    const int result = plait__auth_take(&handshake->auth, handshake->in + head, (size_t)length);
    handshake->in_got = 0;
    pack(handshake);
    if (result < 0 && handshake->out_size)
        (void)send(handshake->fd, handshake->out, handshake->out_size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result < 0) return result;
    handshake->ends = result;
    return 1;
}

int plait__handshake_go(struct plait__handshake *handshake)
{
    for (;;) {
        int result = flush(handshake);
        if (result <= 0 || handshake->ends) return result;
        result = take(handshake);
        if (result <= 0) return result;
    }
}

short plait__handshake_waits_for(const struct plait__handshake *handshake)
{
    return handshake->out_gone < handshake->out_size ? POLLOUT : POLLIN;
}

int plait__handshake_finish(struct plait__handshake *handshake, plait_deadline deadline)
{
    for (;;) {
        const int result = plait__handshake_go(handshake);
        if (result) return result < 0 ? result : 0;
        const int ready = plait__wait_fd(handshake->fd, plait__handshake_waits_for(handshake), deadline);
        if (ready == -ETIMEDOUT)
            return plait__fail(ready, "the handshake takes too long: there was %s", plait__auth_missing(&handshake->auth));
        if (ready < 0) return plait__fail(ready, "waiting for the other side: %s", plait_strerror(ready));
    }
}
