/* Descriptors that go over a connection. */
#include "harness.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <plait/connection.h>
#include <plait/error.h>

#define SOON plait_after(10)

static plait_connection *ends[2];
static char text[64];

static void make(void)
{
    assert_int_equal(plait_pipe(1, ends), 0);
}

static void unmake(void)
{
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_free(ends[i]), 0);
}

static bool is_stdin(int fd)
{
    struct stat it, ours;
    return fstat(fd, &it) == 0 && fstat(STDIN_FILENO, &ours) == 0 && it.st_dev == ours.st_dev && it.st_ino == ours.st_ino;
}

static void must_get_stdin(void)
{
    int fd = plait_connection_recv_fd(ends[1], SOON);
    assert_true(fd > STDERR_FILENO && is_stdin(fd));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void send_stdin(void)
{
    assert_int_equal(plait_connection_send_fd(ends[0], STDIN_FILENO, SOON), 0);
}

static void send_hello(void)
{
    assert_int_equal(plait_connection_send_bytes(ends[0], "hello", 5, SOON), 0);
}

static void must_get_hello(void)
{
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, SOON), 5);
    assert_memory_equal(text, "hello", 5);
}

static void descriptors_between_messages(void **state)
{
    make();
    send_hello();
    send_stdin();
    send_stdin();
    send_hello();
    must_get_hello();
    must_get_stdin();
    must_get_stdin();
    must_get_hello();
    assert_int_equal(plait_connection_recv_fd(ends[1], PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_connection_recv_fd(ends[1], plait_after(0.005)), -ETIMEDOUT);
    assert_int_equal(plait_connection_close(ends[0]), 0);
    assert_int_equal(plait_connection_recv_fd(ends[1], PLAIT_FOREVER), PLAIT_ECLOSED);
    unmake();
}

/* Who asks for the wrong kind is told, and nothing is lost. */
static void the_wrong_kind(void **state)
{
    void *data;
    make();
    send_hello();
    send_stdin();
    send_hello();
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_recv_fd(ends[1], SOON), -EPROTO);
    assert_string_equal(plait_error_detail(), "what comes next is a message, not a descriptor");
    must_get_hello();
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, PLAIT_FOREVER), -EPROTO);
    assert_string_equal(plait_error_detail(), "what comes next is a descriptor, not a message");
    assert_int_equal(plait_connection_recv_alloc(ends[1], &data, 100, PLAIT_FOREVER), -EPROTO);
    assert_int_equal(plait_connection_next_size(ends[1], PLAIT_FOREVER), -EPROTO);
    assert_int_equal(plait_connection_poll(ends[1], PLAIT_FOREVER), 1);
    must_get_stdin();
    must_get_hello();
    unmake();
}

/* In the middle of a message that has begun to come, too. */
static void a_message_has_begun(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    plait_connection *end = plait_connection_from_fd(fds[0], 1, 1);
    assert_int_equal(send(fds[1], "\0\0\0\5he", 6, 0), 6);
    assert_int_equal(plait_connection_recv_bytes(end, text, sizeof text, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_connection_recv_fd(end, SOON), -EPROTO);
    assert_int_equal(send(fds[1], "llo", 3, 0), 3);
    assert_int_equal(plait_connection_recv_bytes(end, text, sizeof text, SOON), 5);
    assert_int_equal(plait_connection_free(end), 0);
    close(fds[1]);
}

/* No room for one more: it stays the next, and comes when there is. */
static void too_many_open(void **state)
{
    struct rlimit before, few;
    int fds[64], count = 0;
    make();
    send_stdin();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 64 && (fds[count] = dup(STDIN_FILENO)) >= 0) count++;
    for (int i = 0; i < 3; i++) assert_int_equal(plait_connection_recv_fd(ends[1], SOON), -EMFILE);
    while (count) close(fds[--count]);
    must_get_stdin();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    unmake();
}

/* Nobody asks any more for what came in the place of a message. */
static void not_asked_for(void **state)
{
    make();
    send_stdin();
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, SOON), -EPROTO);
    unmake();                                              /* and it is closed */
}

/* What the socket tells of the sender is no descriptor. */
static void credentials_beside_messages(void **state)
{
    const int on = 1;
    make();
    assert_int_equal(setsockopt(plait_connection_fileno(ends[1]), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    send_hello();
    send_stdin();
    assert_int_equal(plait_connection_recv_fd(ends[1], SOON), -EPROTO);
    must_get_hello();
    assert_int_equal(plait_connection_recv_bytes(ends[1], text, sizeof text, SOON), -EPROTO);
    must_get_stdin();
    unmake();
}

/* As nobody of ours sends it: it is closed, the message counts. */
static void beside_a_message(void **state)
{
    int fds[2], lowest, after;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
    struct iovec part = { "\0\0\0\5hello", 9 };
    const struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.header), (int[]){ 0 }, sizeof(int));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    plait_connection *end = plait_connection_from_fd(fds[0], 1, 1);
    close(lowest = dup(STDIN_FILENO));
    assert_int_equal(sendmsg(fds[1], &message, 0), 9);
    assert_int_equal(plait_connection_recv_bytes(end, text, sizeof text, SOON), 5);
    assert_memory_equal(text, "hello", 5);
    close(after = dup(STDIN_FILENO));
    assert_int_equal(after, lowest);
    assert_int_equal(plait_connection_free(end), 0);
    close(fds[1]);
}

/* As nobody of ours sends them: none is left open. */
static void several_at_once(void **state)
{
    int fds[2];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(3 * sizeof(int))];
    } control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(3 * sizeof(int)) } };
    struct iovec part = { (char[]){ 3 }, 1 };
    const struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.header), (int[]){ 0, 1, 2 }, 3 * sizeof(int));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    plait_connection *end = plait_connection_from_fd(fds[0], 1, 1);
    assert_int_equal(sendmsg(fds[1], &message, 0), 1);
    assert_int_equal(plait_connection_recv_fd(end, SOON), -EPROTO);
    assert_string_equal(plait_error_detail(), "several descriptors came at once; they are closed");
    assert_int_equal(sendmsg(fds[1], &message, 0), 1);
    assert_int_equal(plait_connection_recv_bytes(end, text, sizeof text, SOON), -EPROTO);
    assert_int_equal(plait_connection_recv_bytes(end, text, sizeof text, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_connection_free(end), 0);
    close(fds[1]);
}

static void misuse(void **state)
{
    int fds[2];
    make();
    assert_int_equal(plait_connection_send_fd(NULL, 0, SOON), -EINVAL);
    assert_int_equal(plait_connection_recv_fd(NULL, SOON), -EINVAL);
    for (int fd = -1; fd < 12346; fd += 12346) assert_int_equal(plait_connection_send_fd(ends[0], fd, SOON), -EINVAL);
    assert_int_equal(plait_connection_close(ends[0]), 0);
    assert_int_equal(plait_connection_send_fd(ends[0], 0, SOON), -EBADF);
    assert_int_equal(plait_connection_recv_fd(ends[0], SOON), -EBADF);
    assert_int_equal(plait_connection_send_fd(ends[1], 0, SOON), -EPIPE);
    unmake();
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < 2; i++) assert_non_null(ends[i] = plait_connection_from_fd(fds[i], i == 0, i == 1));
    assert_int_equal(plait_connection_recv_fd(ends[0], SOON), -EOPNOTSUPP);
    assert_int_equal(plait_connection_send_fd(ends[1], 0, SOON), -EOPNOTSUPP);
    unmake();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(descriptors_between_messages),
    cmocka_unit_test(the_wrong_kind),
    cmocka_unit_test(a_message_has_begun),
    cmocka_unit_test(too_many_open),
    cmocka_unit_test(not_asked_for),
    cmocka_unit_test(credentials_beside_messages),
    cmocka_unit_test(beside_a_message),
    cmocka_unit_test(several_at_once),
    cmocka_unit_test(misuse),
};

TEST_MAIN(tests)
