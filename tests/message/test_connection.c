/* Pipes between threads of one process: what goes over them, how long it takes at most, and what is refused. */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <plait/arena.h>
#include <plait/connection.h>
#include <plait/error.h>

#define SOON plait_after(10)

static plait_connection *ends[2];
static char text[1 << 20];

static void make(int duplex)
{
    assert_int_equal(plait_pipe(duplex, ends), 0);
}

static void unmake(void)
{
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_free(ends[i]), 0);
}

static void send_text(int end, const char *what)
{
    assert_int_equal(plait_connection_send_bytes(ends[end], what, strlen(what), SOON), 0);
}

static void must_get(int end, const char *what)
{
    memset(text, 0, 64);
    assert_int_equal(plait_connection_recv_bytes(ends[end], text, sizeof text, SOON), strlen(what));
    assert_memory_equal(text, what, strlen(what));
}

/* ---- what goes over it ---- */

static void messages_keep_their_borders_and_order(void **state)
{
    make(1);
    send_text(0, "one");
    send_text(0, "");
    send_text(0, "three");
    send_text(1, "back");
    must_get(1, "one");
    must_get(1, "");
    must_get(1, "three");
    must_get(0, "back");
    assert_int_equal(plait_connection_recv_bytes(ends[0], NULL, 0, PLAIT_NOW), -ETIMEDOUT);
    unmake();
}

static void a_simplex_pipe_goes_one_way(void **state)
{
    make(0);
    assert_int_equal(plait_connection_readable(ends[0]), 1);
    assert_int_equal(plait_connection_writable(ends[0]), 0);
    assert_int_equal(plait_connection_readable(ends[1]), 0);
    assert_int_equal(plait_connection_writable(ends[1]), 1);
    send_text(1, "hello");
    must_get(0, "hello");
    assert_int_equal(plait_connection_send_bytes(ends[0], "no", 2, SOON), -EBADF);
    assert_string_equal(plait_error_detail(), "connection is read-only");
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, 2, SOON), -EBADF);
    assert_string_equal(plait_error_detail(), "connection is write-only");
    assert_int_equal(plait_connection_poll(ends[1], SOON), -EBADF);
    unmake();
}

struct echo {
    plait_connection *end;
    int count;
};

static void *echoes(void *argument)
{
    const struct echo *echo = argument;
    for (int i = 0; i < echo->count; i++) {
        void *data;
        ssize_t size = plait_connection_recv_alloc(echo->end, &data, SIZE_MAX, SOON);
        CHECK(size >= 0 && ((char *)data)[size] == 0);
        CHECK(plait_connection_send_bytes(echo->end, data, (size_t)size, SOON) == 0);
        free(data);
    }
    return NULL;
}

/* Of all sizes, those that are longer than the socket's buffer too; by who has a deadline, and by who has none. */
static void messages_of_all_sizes(void **state)
{
    static char got[sizeof text];
    struct echo echo = { NULL, 0 };
    pthread_t thread;
    make(1);
    echo.end = ends[1];
    for (size_t size = 0; size <= sizeof text; size = size * 2 + (size % 3 == 0)) echo.count += 2;
    assert_int_equal(pthread_create(&thread, NULL, echoes, &echo), 0);
    for (size_t size = 0; size <= sizeof text; size = size * 2 + (size % 3 == 0)) {
        for (size_t i = 0; i < size; i++) text[i] = (char)(i * 7 + size);
        for (int i = 0; i < 2; i++) {
            plait_deadline deadline = i ? PLAIT_FOREVER : SOON;
            assert_int_equal(plait_connection_send_bytes(ends[0], text, size, deadline), 0);
            assert_int_equal(plait_connection_recv_bytes(ends[0], got, sizeof got, deadline), size);
            assert_memory_equal(got, text, size);
        }
    }
    pthread_join(thread, NULL);
    unmake();
}

static void a_short_buffer_leaves_the_message(void **state)
{
    void *data = text;
    make(1);
    send_text(0, "hello");
    assert_int_equal(plait_connection_next_size(ends[1], SOON), 5);
    for (size_t size = 0; size < 5; size++) {
        assert_int_equal(plait_connection_recv_bytes(ends[1], text, size, SOON), -EMSGSIZE);
        assert_string_equal(plait_error_detail(), size == 4 ? "the message has 5 bytes, the buffer 4" : plait_error_detail());
    }
    assert_int_equal(plait_connection_recv_alloc(ends[1], &data, 4, SOON), -EMSGSIZE);
    assert_null(data);
    assert_int_equal(plait_connection_recv_alloc(ends[1], &data, 5, SOON), 5);
    assert_string_equal(data, "hello");
    free(data);
    unmake();
}

/* ---- values ---- */

static void values(void **state)
{
    make(1);
    assert_int_equal(plait_connection_send(ends[0], plait_list(2, plait_int(42), plait_string("hello")), SOON), 0);
    plait_value *value = plait_connection_recv(ends[1], SOON);
    assert_string_equal(plait_repr(value), "[42, 'hello']");
    assert_int_equal(plait_connection_send(ends[0], NULL, SOON), -EINVAL);
    assert_int_equal(plait_connection_send(NULL, value, SOON), -EINVAL);          /* the value is gone all the same */
    assert_null(plait_connection_recv(ends[1], PLAIT_NOW));
    assert_int_equal(errno, ETIMEDOUT);
    send_text(0, "no pickle");
    assert_null(plait_connection_recv(ends[1], SOON));
    assert_int_equal(errno, EBADMSG);
    send_text(0, "next");
    must_get(1, "next");
    assert_int_equal(plait_connection_close(ends[0]), 0);
    assert_null(plait_connection_recv(ends[1], SOON));
    assert_int_equal(errno, -PLAIT_ECLOSED);
    unmake();
}

/* ---- deadlines ---- */

static void nothing_comes(void **state)
{
    void *data = text;
    make(1);
    for (int i = 0; i < 2; i++) {
        plait_deadline deadline = i ? plait_after(0.01) : PLAIT_NOW;
        assert_int_equal(plait_connection_recv_bytes(ends[0], text, 10, deadline), -ETIMEDOUT);
        assert_string_equal(plait_error_detail(), "no message has come");
        assert_int_equal(plait_connection_recv_alloc(ends[0], &data, 10, deadline), -ETIMEDOUT);
        assert_null(data);
        assert_int_equal(plait_connection_next_size(ends[0], deadline), -ETIMEDOUT);
        assert_int_equal(plait_connection_poll(ends[0], deadline), 0);
    }
    unmake();
}

/* Small messages, until there is no room: the last one was not sent at all. */
static void nobody_reads(void **state)
{
    int count = 0, result;
    make(1);
    memset(text, 'x', 1000);
    while ((result = plait_connection_send_bytes(ends[0], text, 1000, PLAIT_NOW)) == 0) count++;
    assert_int_equal(result, -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), "the other side of the connection does not read");
    for (int i = 0; i < count; i++) assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, PLAIT_NOW), 1000);
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, PLAIT_NOW), -ETIMEDOUT);
    send_text(0, "again");
    must_get(1, "again");
    unmake();
}

/* A large one can't be taken back: that direction is at its end, on both sides; the other one is not. */
static void the_deadline_passes_in_the_middle(void **state)
{
    make(1);
    send_text(0, "before");
    assert_int_equal(plait_connection_send_bytes(ends[0], text, sizeof text, plait_after(0.01)), PLAIT_EBROKEN);
    assert_non_null(strstr(plait_error_detail(), "the deadline has passed in the middle of a message: "));
    assert_int_equal(plait_connection_send_bytes(ends[0], "x", 1, SOON), PLAIT_EBROKEN);
    assert_non_null(strstr(plait_error_detail(), "a message was cut off"));
    must_get(1, "before");
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, SOON), PLAIT_EBROKEN);
    assert_string_equal(plait_error_detail(), "got end of file during message");
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, PLAIT_FOREVER), PLAIT_EBROKEN);
    send_text(1, "still");
    must_get(0, "still");
    unmake();
}


/* ---- the end ---- */

static void end_of_file_comes_after_what_was_sent(void **state)
{
    make(1);
    send_text(0, "last");
    assert_int_equal(plait_connection_close(ends[0]), 0);
    assert_int_equal(plait_connection_poll(ends[1], SOON), 1);
    must_get(1, "last");
    assert_int_equal(plait_connection_poll(ends[1], SOON), 1);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_recv_bytes(ends[1], text, 10, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_connection_next_size(ends[1], PLAIT_FOREVER), PLAIT_ECLOSED);
    unmake();
}

/* The kernel says "connection reset" once when not all had been read; what was sent before comes all the same. */
static void end_of_file_beside_what_was_not_read(void **state)
{
    make(1);
    send_text(1, "not read");
    send_text(0, "first");
    send_text(0, "second");
    assert_int_equal(plait_connection_close(ends[0]), 0);
    must_get(1, "first");
    must_get(1, "second");
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_recv_bytes(ends[1], text, 10, PLAIT_FOREVER), PLAIT_ECLOSED);
    unmake();
}

static void sending_to_nobody(void **state)
{
    for (int duplex = 0; duplex < 2; duplex++) {
        for (int unread = 0; unread < 2; unread++) {
            make(duplex);
            if (unread) send_text(1, "not read");
            assert_int_equal(plait_connection_close(ends[0]), 0);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(plait_connection_send_bytes(ends[1], "x", 1, PLAIT_FOREVER), -EPIPE);
                assert_string_equal(plait_error_detail(), "the other side of the connection is gone");
            }
            unmake();
        }
    }
}

/* ---- misuse ---- */

static void what_is_no_connection_is_refused(void **state)
{
    void *data;
    char *nothing = plait_alloc(4096);
    assert_non_null(nothing);
    plait_connection *const bad[] = { NULL, (plait_connection *)(void *)nothing, (plait_connection *)(void *)(nothing + 8) };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plait_connection_send_bytes(bad[i], "x", 1, PLAIT_FOREVER), -EINVAL);
        assert_int_equal(plait_connection_recv_bytes(bad[i], text, 1, PLAIT_FOREVER), -EINVAL);
        assert_int_equal(plait_connection_recv_alloc(bad[i], &data, 1, PLAIT_FOREVER), -EINVAL);
        assert_int_equal(plait_connection_next_size(bad[i], PLAIT_FOREVER), -EINVAL);
        assert_int_equal(plait_connection_poll(bad[i], PLAIT_FOREVER), -EINVAL);
        assert_int_equal(plait_connection_fileno(bad[i]), -EINVAL);
        assert_int_equal(plait_connection_readable(bad[i]), -EINVAL);
        assert_int_equal(plait_connection_writable(bad[i]), -EINVAL);
        assert_int_equal(plait_connection_closed(bad[i]), -EINVAL);
        assert_int_equal(plait_connection_close(bad[i]), -EINVAL);
        assert_int_equal(plait_connection_free(bad[i]), i == 0 ? 0 : -EINVAL);
    }
    assert_int_equal(plait_free(nothing), 0);
}

static void senseless_arguments_are_refused(void **state)
{
    assert_int_equal(plait_pipe(1, NULL), -EINVAL);
    make(1);
    assert_int_equal(plait_connection_send_bytes(ends[0], NULL, 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_connection_send_bytes(ends[0], "x", (size_t)1 << 63, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_connection_recv_bytes(ends[0], NULL, 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_connection_recv_alloc(ends[0], NULL, 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_connection_recv_bytes(ends[0], text, 1, PLAIT_NOW), -ETIMEDOUT);
    unmake();
}

static void a_closed_end_is_refused(void **state)
{
    make(1);
    int fd = plait_connection_fileno(ends[0]);
    assert_true(fd > 2);
    assert_int_equal(plait_connection_closed(ends[0]), 0);
    assert_int_equal(plait_connection_close(ends[0]), 0);
    assert_int_equal(plait_connection_closed(ends[0]), 1);
    assert_int_equal(dup2(STDIN_FILENO, fd), fd);          /* something else has its number now */
    assert_int_equal(plait_connection_close(ends[0]), -EBADF);
    assert_int_equal(plait_connection_fileno(ends[0]), -EBADF);
    assert_int_equal(plait_connection_send_bytes(ends[0], "x", 1, PLAIT_FOREVER), -EBADF);
    assert_non_null(strstr(plait_error_detail(), "this process does not have the connection's descriptor"));
    assert_int_equal(plait_connection_recv_bytes(ends[0], text, 1, PLAIT_FOREVER), -EBADF);
    assert_int_equal(plait_connection_poll(ends[0], PLAIT_FOREVER), -EBADF);
    unmake();
    assert_int_equal(close(fd), 0);                        /* it was left alone */
}

static void a_freed_end_is_refused(void **state)
{
    make(1);
    assert_int_equal(plait_connection_free(ends[0]), 0);
    assert_int_equal(plait_connection_free(ends[0]), -EINVAL);
    assert_int_equal(plait_connection_send_bytes(ends[0], "x", 1, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, 1, PLAIT_FOREVER), PLAIT_ECLOSED);
    assert_int_equal(plait_connection_free(ends[1]), 0);
}

/* ---- of descriptors from elsewhere ---- */

static void what_is_no_stream_is_refused(void **state)
{
    int pipes[2], datagrams[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
    const struct sockaddr any_name = { .sa_family = AF_UNIX };
    assert_int_equal(bind(listener, &any_name, sizeof any_name.sa_family), 0);
    assert_int_equal(listen(listener, 1), 0);
    const struct {
        int fd, readable, writable, error;
    } bad[] = { { -1, 1, 1, EBADF }, { 12345, 1, 1, EBADF }, { pipes[0], 0, 0, EINVAL }, { pipes[0], 1, 1, EINVAL },
                { pipes[1], 1, 0, EINVAL }, { datagrams[0], 1, 1, EINVAL }, { listener, 1, 1, EINVAL } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        errno = 0;
        assert_null(plait_connection_from_fd(bad[i].fd, bad[i].readable, bad[i].writable));
        assert_int_equal(errno, bad[i].error);
        assert_string_not_equal(plait_error_detail(), "");
    }
    close(listener);
    for (int i = 0; i < 2; i++) {
        close(pipes[i]);
        close(datagrams[i]);
    }
}

static void *drains(void *argument)
{
    static char got[sizeof text];
    CHECK(plait_connection_recv_bytes(argument, got, sizeof got, SOON) == sizeof got && memcmp(got, text, sizeof got) == 0);
    return NULL;
}

/* A pipe of the kernel's, as Python makes for Pipe(False).  To write where nobody reads gives no SIGPIPE either. */
static void both_ends_of_a_pipe(void **state)
{
    int fds[2];
    pthread_t thread;
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < 2; i++) assert_non_null(ends[i] = plait_connection_from_fd(fds[i], i == 0, i == 1));
    assert_int_equal(plait_connection_recv_bytes(ends[0], text, 10, plait_after(0.01)), -ETIMEDOUT);
    send_text(1, "hello");
    send_text(1, "");
    assert_int_equal(plait_connection_next_size(ends[0], SOON), 5);
    assert_int_equal(plait_connection_recv_bytes(ends[0], text, 4, SOON), -EMSGSIZE);
    must_get(0, "hello");
    must_get(0, "");
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 13);
    assert_int_equal(pthread_create(&thread, NULL, drains, ends[0]), 0);
    assert_int_equal(plait_connection_send_bytes(ends[1], text, sizeof text, SOON), 0);
    pthread_join(thread, NULL);
    assert_int_equal(plait_connection_close(ends[0]), 0);
    assert_int_equal(plait_connection_send_bytes(ends[1], "x", 1, SOON), -EPIPE);
    unmake();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(messages_keep_their_borders_and_order),
    cmocka_unit_test(a_simplex_pipe_goes_one_way),
    cmocka_unit_test(messages_of_all_sizes),
    cmocka_unit_test(a_short_buffer_leaves_the_message),
    cmocka_unit_test(values),
    cmocka_unit_test(nothing_comes),
    cmocka_unit_test(nobody_reads),
    cmocka_unit_test(the_deadline_passes_in_the_middle),
    cmocka_unit_test(end_of_file_comes_after_what_was_sent),
    cmocka_unit_test(end_of_file_beside_what_was_not_read),
    cmocka_unit_test(sending_to_nobody),
    cmocka_unit_test(what_is_no_connection_is_refused),
    cmocka_unit_test(senseless_arguments_are_refused),
    cmocka_unit_test(a_closed_end_is_refused),
    cmocka_unit_test(a_freed_end_is_refused),
    cmocka_unit_test(what_is_no_stream_is_refused),
    cmocka_unit_test(both_ends_of_a_pipe),
};

TEST_MAIN(tests)
