/* peers.h - for tests of listeners and clients: who is on the other side. */
#ifndef PLAIT_TEST_PEERS_H
#define PLAIT_TEST_PEERS_H

#include "harness.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <plait.h>
#include <plait/net.h>

#include "net/address.h"

#define KEY .authkey = "secret", .authkey_size = 6
static const plait_listener_options with_key __attribute__((unused)) = { KEY };
static const plait_client_options client_with_key __attribute__((unused)) = { KEY };
static const plait_client_options client_with_another __attribute__((unused)) = { .authkey = "Secret", .authkey_size = 6 };

enum { MET = 0, NOT_MET = 10, REFUSED = 11, TOO_LATE = 12, OTHERWISE = 13 };

/* What a constructor failed with. */
#define assert_fails(pointer, error)                                                                  \
    do {                                                                                              \
        errno = 0;                                                                                    \
        assert_null(pointer);                                                                         \
        const int code = errno;                                                                       \
        if (code != (error) && -code != (error))                                                      \
            fail_msg("%s (%s) instead of %s", plait_strerrorname(code), plait_error_detail(), plait_strerrorname(error)); \
    } while (0)

#define assert_detail(text)                                                                           \
    do {                                                                                              \
        const char *said = plait_error_detail();                                                      \
        if (!strstr(said, text)) fail_msg("the detail is \"%s\", without \"%s\"", said, text);        \
    } while (0)

static inline plait_listener *listen_at(const char *address, const plait_listener_options *options)
{
    plait_listener *listener = plait_listener_new(address, options);
    if (!listener) fail_msg("%s: %s (%s)", address ? address : "NULL", plait_strerrorname(errno), plait_error_detail());
    return listener;
}

/* Who came last. */
static inline const char *last_of(const plait_listener *listener)
{
    static char last[PLAIT__ADDRESS_TEXT];
    const int length = plait_listener_last_accepted(listener, last, sizeof last);
    assert_int_equal(length, strlen(last));
    return last;
}

/* ---- a client with plait's own hands, in a process of its own ---- */

struct client {
    char address[PLAIT__ADDRESS_TEXT];
    const plait_client_options *options;
    plait_deadline deadline;
};

static inline int meet(plait_connection *connection)
{
    char text[16];
    const bool met = plait_connection_send_bytes(connection, "hello", 5, PLAIT_FOREVER) == 0
        && plait_connection_recv_bytes(connection, text, sizeof text, PLAIT_FOREVER) == 3 && memcmp(text, "bye", 3) == 0;
    CHECK(plait_connection_free(connection) == 0);
    return met ? MET : NOT_MET;
}

static inline int run_client(void *argument)
{
    const struct client *client = argument;
    plait_connection *connection = plait_client(client->address, client->options, client->deadline);
    if (connection) return meet(connection);
    if (errno == -PLAIT_EAUTH) return REFUSED;
    return errno == ETIMEDOUT ? TOO_LATE : OTHERWISE;
}

static inline pid_t start_client(const plait_listener *listener, const plait_client_options *options)
{
    struct client client = { .options = options };
    snprintf(client.address, sizeof client.address, "%s", plait_listener_address(listener));
    return test_fork(run_client, &client);
}

/* The other side of meet. */
static inline void meet_client(plait_connection *connection)
{
    char text[16];
    if (!connection) fail_msg("%s (%s)", plait_strerrorname(errno), plait_error_detail());
    assert_int_equal(plait_connection_recv_bytes(connection, text, sizeof text, PLAIT_FOREVER), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(plait_connection_send_bytes(connection, "bye", 3, PLAIT_FOREVER), 0);
    assert_int_equal(plait_connection_free(connection), 0);
}

/* ---- a bare socket, that says what the test wants ---- */

static inline int bare_client(const plait_listener *listener)
{
    struct plait__address found[PLAIT__ADDRESSES];
    CHECK(plait__address_parse(plait_listener_address(listener), false, found) >= 1);
    const int fd = socket(found[0].is.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, &found[0].is.any, found[0].size) == 0);
    return fd;
}

static inline void say_bytes(int fd, const void *bytes, size_t size)
{
    CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* In a frame. */
static inline void say(int fd, const char *text)
{
    const uint32_t size = htonl((uint32_t)strlen(text));
    say_bytes(fd, &size, sizeof size);
    say_bytes(fd, text, strlen(text));
}

/* The next frame is this one. */
static inline void hear(int fd, const char *begin, size_t size)
{
    unsigned char frame[260];
    CHECK(recv(fd, frame, 4 + size, MSG_WAITALL) == (ssize_t)(4 + size));
    CHECK(frame[0] == 0 && frame[1] == 0 && frame[2] * 256u + frame[3] == size && memcmp(frame + 4, begin, strlen(begin)) == 0);
}

static inline bool hears_the_end(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

#endif
