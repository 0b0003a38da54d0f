/* What comes over a connection byte by byte: half messages, other forms of the length, garbage; and what goes out.  The other side
 * is a bare socket, or a pipe. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <plait/arena.h>
#include <plait/connection.h>
#include <plait/error.h>

#include "base/fault.h"
#include "message/frame.h"

#define SOON plait_after(10)
#define BRIEFLY plait_after(0.002)

static plait_connection *end;
static int far;
static char text[1000];

enum { SOCKET, PIPE, WAYS };

static void make(int way)
{
    int fds[2];
    assert_int_equal(way == SOCKET ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
    assert_non_null(end = plait_connection_from_fd(fds[0], 1, way == SOCKET));
    far = fds[1];
}

static void unmake(void)
{
    assert_int_equal(plait_connection_free(end), 0);
    if (far >= 0) assert_int_equal(close(far), 0);
}

static void put(const void *bytes, size_t size)
{
    assert_int_equal(write(far, bytes, size), size);
}

static ssize_t get(plait_deadline deadline)
{
    return plait_connection_recv_bytes(end, text, sizeof text, deadline);
}

/* ---- received ---- */

struct frame {
    const char *bytes;
    size_t size;
    const char *body;
    ssize_t body_size;
};

#define LONG(low) "\xff\xff\xff\xff\0\0\0\0\0\0\0" low
static const struct frame frames[] = {
    { "\0\0\0\5hello", 9, "hello", 5 },
    { "\0\0\0\0", 4, "", 0 },
    { LONG("\5") "hello", 17, "hello", 5 },
    { LONG("\0"), 12, "", 0 },
};
enum { FRAMES = sizeof frames / sizeof frames[0] };

static void whole(int way)
{
    make(way);
    for (int i = 0; i < FRAMES; i++) {
        put(frames[i].bytes, frames[i].size);
        assert_int_equal(plait_connection_next_size(end, SOON), frames[i].body_size);
        assert_int_equal(get(i % 2 ? SOON : PLAIT_FOREVER), frames[i].body_size);
        assert_memory_equal(text, frames[i].body, frames[i].body_size);
        assert_int_equal(get(PLAIT_NOW), -ETIMEDOUT);
    }
    unmake();
}

static void both_forms_of_the_length(void **state)
{
    for (int way = 0; way < WAYS; way++) whole(way);
}

/* Each frame comes in two pieces, cut at each place: nothing is lost while nobody waits for the rest. */
static void cut_at(int way, const struct frame *frame, size_t at)
{
    make(way);
    if (at) put(frame->bytes, at);
    assert_int_equal(plait_connection_poll(end, PLAIT_NOW), at != 0);
    for (int i = 0; i < 2; i++) assert_int_equal(get(i ? BRIEFLY : PLAIT_NOW), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), at ? "the rest of the message has not come; its begin is kept"
                                                 : "no message has come");
    assert_int_equal(plait_connection_poll(end, PLAIT_NOW), 0);
    put(frame->bytes + at, frame->size - at);
    put(frames[0].bytes, frames[0].size);
    assert_int_equal(plait_connection_poll(end, SOON), 1);
    assert_int_equal(plait_connection_recv_bytes(end, text, 4, SOON), frame->body_size > 4 ? -EMSGSIZE : 0);
    if (frame->body_size > 4) {
        assert_int_equal(plait_connection_next_size(end, SOON), frame->body_size);
        assert_int_equal(get(SOON), frame->body_size);
    }
    assert_memory_equal(text, frame->body, frame->body_size);
    assert_int_equal(get(SOON), 5);
    assert_memory_equal(text, "hello", 5);
    unmake();
}

static void halves_are_kept(void **state)
{
    for (int way = 0; way < WAYS; way++)
        for (int i = 0; i < FRAMES; i++)
            for (size_t at = 0; at < frames[i].size; at++) cut_at(way, &frames[i], at);
}

/* The other side closes in the middle. */
static void ends_at(int way, const struct frame *frame, size_t at, plait_deadline deadline)
{
    make(way);
    if (at) put(frame->bytes, at);
    close(far);
    far = -1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get(deadline), at ? PLAIT_EBROKEN : PLAIT_ECLOSED);
        assert_string_equal(plait_error_detail(), at ? "got end of file during message"
                                                     : "the other side of the connection is gone");
        assert_int_equal(plait_connection_poll(end, deadline), 1);
    }
    unmake();
}

static void ends_in_the_middle(void **state)
{
    for (int way = 0; way < WAYS; way++)
        for (int i = 0; i < FRAMES; i++)
            for (size_t at = 0; at < frames[i].size; at++)
                for (int forever = 0; forever < 2; forever++) ends_at(way, &frames[i], at, forever ? PLAIT_FOREVER : SOON);
}

static void lengths_that_are_none(void **state)
{
    static const char *const bad[] = { "\xff\xff\xff\xfbhello...", "\x80\0\0\0hello...", "GET / HTTP/1.0",
                                       "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0" };
    for (int way = 0; way < WAYS; way++) {
        for (int i = 0; i < 4; i++) {
            void *data;
            make(way);
            put(bad[i], 12);
            bool is_a_length = i == 2;                     /* of 1.2 GB */
            for (int again = 0; again < 2; again++) {
                assert_int_equal(get(PLAIT_FOREVER), is_a_length ? -EMSGSIZE : -EBADMSG);
                assert_int_equal(plait_connection_recv_alloc(end, &data, 256, SOON), is_a_length ? -EMSGSIZE : -EBADMSG);
                assert_int_equal(plait_connection_poll(end, PLAIT_NOW), 1);
            }
            unmake();
        }
    }
}

/* Under a sanitizer to ask for so much ends the program. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define TOO_MUCH_IS_AN_ERROR 0
#elif defined __has_feature
#define TOO_MUCH_IS_AN_ERROR (!__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer))
#else
#define TOO_MUCH_IS_AN_ERROR 1
#endif

/* The largest length there is: neither waits for so much, nor is it taken for less. */
static void a_length_beyond_all_memory(void **state)
{
    static const char most[] = "\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xf0" "abc";
    void *data;
    make(SOCKET);
    put(most, sizeof most - 1);
    assert_int_equal(get(SOON), -EMSGSIZE);
    assert_int_equal(plait_connection_next_size(end, SOON), 0x7ffffffffffffff0);
    if (TOO_MUCH_IS_AN_ERROR) assert_int_equal(plait_connection_recv_alloc(end, &data, SIZE_MAX, SOON), -ENOMEM);
    if (TOO_MUCH_IS_AN_ERROR) assert_null(data);
    unmake();
}

/* A message that has not wholly come, and the family has no room to keep it: it stays. */
static void no_room_to_keep_it(void **state)
{
    static char large[4 << 20];
    plait_arena_figures figures;
    make(SOCKET);
    assert_int_equal(plait_arena_stats(&figures), 0);
    assert_int_equal(plait_arena_set_limit(figures.used + (1 << 20)), 0);
    put("\0\x20\0\0hello", 9);
    assert_int_equal(plait_connection_recv_bytes(end, large, sizeof large, BRIEFLY), -ENOMEM);
    assert_non_null(strstr(plait_error_detail(), "to keep a message of 2097152 bytes"));
    assert_int_equal(plait_arena_set_limit(figures.limit), 0);
    assert_int_equal(plait_connection_recv_bytes(end, large, sizeof large, BRIEFLY), -ETIMEDOUT);
    assert_int_equal(plait_connection_next_size(end, BRIEFLY), 2 << 20);
    unmake();                                              /* and what is kept is freed with it */
    plait_arena_figures after;
    assert_int_equal(plait_arena_stats(&after), 0);
    assert_true(after.shared <= figures.shared);
}

/* ---- sent ---- */

static void must_be_sent(const char *data, size_t size, const char *header, size_t header_size)
{
    char got[sizeof text + 12];
    make(SOCKET);
    assert_int_equal(plait_connection_send_bytes(end, data, size, SOON), 0);
    assert_int_equal(recv(far, got, sizeof got, 0), size + header_size);
    assert_memory_equal(got, header, header_size);
    assert_memory_equal(got + header_size, data, size);
    unmake();
}

static void the_bytes_that_python_sends(void **state)
{
    must_be_sent("hello", 5, "\0\0\0\5", 4);
    must_be_sent("", 0, "\0\0\0\0", 4);
    memset(text, 7, sizeof text);
    must_be_sent(text, 900, "\0\0\3\x84", 4);
    plait__test_short_frames = 899;                        /* as if it were 2 GiB */
    must_be_sent(text, 900, "\xff\xff\xff\xff\0\0\0\0\0\0\3\x84", 12);
    must_be_sent(text, 899, "\0\0\3\x83", 4);
    plait__test_short_frames = 0;
}

/* ---- without an object ---- */

static void frames_without_an_object(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        plait__test_short_frames = i;                      /* both forms */
        assert_int_equal(plait__frame_send(fds[0], "hello", 5, SOON), 0);
        assert_int_equal(plait__frame_recv(fds[1], text, 5, SOON), 5);
        assert_memory_equal(text, "hello", 5);
    }
    plait__test_short_frames = 0;
    assert_int_equal(plait__frame_recv(fds[1], text, 5, BRIEFLY), -ETIMEDOUT);
    assert_int_equal(plait__frame_send(fds[0], "", 0, SOON), 0);
    assert_int_equal(plait__frame_recv(fds[1], text, 5, SOON), 0);
    assert_int_equal(plait__frame_send(fds[0], "hello!", 6, SOON), 0);
    assert_int_equal(plait__frame_recv(fds[1], text, 5, SOON), -EMSGSIZE);
    assert_int_equal(recv(fds[1], text, 6, 0), 6);
    assert_int_equal(send(fds[0], "\xff\xff\xff\xfe", 4, 0), 4);
    assert_int_equal(plait__frame_recv(fds[1], text, 5, SOON), -EBADMSG);
    assert_int_equal(send(fds[0], "\0\0\0\5hell", 8, 0), 8);
    assert_int_equal(plait__frame_recv(fds[1], text, 5, BRIEFLY), -ETIMEDOUT);
    assert_int_equal(send(fds[0], "\0\0\0\5hell", 8, 0), 8);
    close(fds[0]);
    assert_int_equal(plait__frame_recv(fds[1], text, 5, SOON), PLAIT_EBROKEN);
    assert_int_equal(plait__frame_recv(fds[1], text, 5, SOON), PLAIT_ECLOSED);
    assert_int_equal(plait__frame_send(fds[1], "hello", 5, SOON), -EPIPE);
    close(fds[1]);
}

/* A large message to who does not read. */
static void a_frame_that_nobody_reads(void **state)
{
    int fds[2];
    char *large = calloc(1, 4 << 20);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(plait__frame_send(fds[0], large, 4 << 20, BRIEFLY), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), " of 4194308 bytes were sent"));
    free(large);
    close(fds[0]);
    close(fds[1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_forms_of_the_length),
    cmocka_unit_test(halves_are_kept),
    cmocka_unit_test(ends_in_the_middle),
    cmocka_unit_test(lengths_that_are_none),
    cmocka_unit_test(a_length_beyond_all_memory),
    cmocka_unit_test(no_room_to_keep_it),
    cmocka_unit_test(the_bytes_that_python_sends),
    cmocka_unit_test(frames_without_an_object),
    cmocka_unit_test(a_frame_that_nobody_reads),
};

TEST_MAIN(tests)
