/* Any bytes as the other side of a handshake: it is refused, or it had the key; nothing waits, and no byte behind the end is read.
 * `make fuzz` runs it.
 *
 * The input is a series of things that the other side does: a byte says what, the next how much of what follows belongs to it. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait/error.h>

#include "net/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAY_BYTES, SAY_MESSAGE, ANSWER, WELCOME, CHALLENGE, DOES };

struct other {
    int fd, result;
    struct plait__handshake handshake;
};

static void need(int truth)
{
    if (!truth) abort();
}

static void say(const struct other *other, const void *bytes, size_t size)
{
    (void)!send(other->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_message(const struct other *other, const void *bytes, size_t size)
{
    const unsigned char head[4] = { 0, 0, (unsigned char)(size >> 8), (unsigned char)size };
    say(other, head, sizeof head);
    say(other, bytes, size);
}

/* The right response to our challenge, where there was one. */
static void answer(const struct other *other)
{
    struct plait__auth auth;
    unsigned char message[11 + PLAIT__CHALLENGE_SIZE] = "#CHALLENGE#";
    memcpy(message + 11, other->handshake.auth.challenge, PLAIT__CHALLENGE_SIZE);
    need(plait__auth_begin(&auth, PLAIT__ANSWERS, "secret", 6) == 0);
    if (plait__auth_take(&auth, message, sizeof message) == 0) say_message(other, auth.out.bytes, auth.out.size);
}

static void challenge(const struct other *other, const uint8_t *bytes, size_t size)
{
    unsigned char message[11 + 255] = "#CHALLENGE#";
    memcpy(message + 11, bytes, size);
    say_message(other, message, 11 + size);
}

static void act(const struct other *other, unsigned what, const uint8_t *bytes, size_t size)
{
    switch (what % DOES) {
    case SAY_BYTES: say(other, bytes, size); break;
    case SAY_MESSAGE: say_message(other, bytes, size); break;
    case ANSWER: answer(other); break;
    case WELCOME: say_message(other, "#WELCOME#", 9); break;
    default: challenge(other, bytes, size);
    }
}

/* What it did not have to read is still there. */
static void check_rest(const struct other *other)
{
    char byte = 0;
    say(other, "x", 1);
    while (recv(other->handshake.fd, &byte, 1, MSG_DONTWAIT) == 1) {}
    need(byte == 'x');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    struct other other = { .result = 0 };
    if (!size) return 0;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    other.fd = pair[0];
    memset(&other.handshake, 0, sizeof other.handshake);
    const enum plait__auth_role role = data[0] & 1 ? PLAIT__DELIVERS_FIRST : PLAIT__ANSWERS_FIRST;
    need(plait__handshake_begin(&other.handshake, pair[1], role, "secret", 6) == 0);
    size_t at = 1;
    while (at + 2 <= size && !other.result) {
        const size_t left = size - at - 2, length = data[at + 1] < left ? data[at + 1] : left;
        act(&other, data[at], data + at + 2, length);
        other.result = plait__handshake_go(&other.handshake);
        at += 2 + length;
    }
    if (other.result == 1) check_rest(&other);
    close(other.fd);
    if (!other.result) other.result = plait__handshake_go(&other.handshake);
    need(other.result == 1 || other.result == PLAIT_EAUTH);
    close(pair[1]);
    return 0;
}
