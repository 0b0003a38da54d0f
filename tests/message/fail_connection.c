/* Whatever pipes and connections ask the system for may be refused. */
#include "fail.h"
#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <plait.h>

#define SOON plait_after(10)

static plait_connection *ends[2];
static char buffer[2000];

static int make(void)
{
    return plait_pipe(1, ends);
}

static void unmake(void)
{
    for (int i = 0; i < 2; i++) CHECK(plait_connection_free(ends[i]) == 0);
}

static void use_and_unmake(void)
{
    CHECK(plait_connection_send_bytes(ends[0], "hello", 5, SOON) == 0);
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, SOON) == 5);
    unmake();
}

static const struct fail_operation first_pipe = { .run = make, .finish = use_and_unmake };

static void close_stdin(void)
{
    close(STDIN_FILENO);
}

static const struct fail_operation pipe_without_stdin = { .set_up = close_stdin, .run = make, .finish = use_and_unmake };

static int from_fd(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    close(fds[1]);
    ends[0] = plait_connection_from_fd(fds[0], 1, 0);
    if (ends[0]) return 0;
    const int error = -errno;
    close(fds[0]);                                         /* it is the caller's still */
    return error;
}

static void free_first(void)
{
    CHECK(plait_connection_free(ends[0]) == 0);
}

/* ---- sent and received ---- */

static void prepare(void)
{
    CHECK(plait_pipe(1, ends) == 0);
}

static int send_two(void)
{
    memset(buffer, 7, sizeof buffer);
    const int error = plait_connection_send_bytes(ends[0], buffer, 100, SOON);
    return error ? error : plait_connection_send_bytes(ends[0], buffer, 1500, SOON);
}

/* If the second was refused, the first has come twice by now. */
static void drain(void)
{
    ssize_t size, last = 0;
    while ((size = plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, PLAIT_NOW)) >= 0) {
        CHECK(size == 100 || (size == 1500 && last == 100));
        for (ssize_t i = 0; i < size; i++) CHECK(buffer[i] == 7);
        last = size;
    }
    CHECK(size == -ETIMEDOUT && last == 1500);
    unmake();
}

static const struct fail_operation send_messages = { .prepare = prepare, .run = send_two, .finish = drain };

static void prepare_sent(void)
{
    prepare();
    memset(buffer, 7, sizeof buffer);
    CHECK(plait_connection_send_bytes(ends[0], buffer, 1500, SOON) == 0);
}

static int receive(void)
{
    void *data;
    const ssize_t size = plait_connection_recv_alloc(ends[1], &data, SIZE_MAX, SOON);
    if (size < 0) return (int)size;
    CHECK(size == 1500);
    free(data);
    return 0;
}

static const struct fail_operation receive_message = { .prepare = prepare_sent, .run = receive, .finish = unmake };

/* The first half, which is kept until the second one comes. */
static void prepare_half(void)
{
    prepare();
    CHECK(send(plait_connection_fileno(ends[0]), "\0\0\7\xd0 first half", 15, 0) == 15);
}

static int receive_half(void)
{
    const ssize_t got = plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, PLAIT_NOW);
    return got == -ETIMEDOUT ? 0 : (int)got;
}

static void receive_rest(void)
{
    CHECK(send(plait_connection_fileno(ends[0]), buffer, 2000 - 11, 0) == 2000 - 11);
    CHECK(plait_connection_recv_bytes(ends[1], buffer, sizeof buffer, SOON) == 2000);
    CHECK(memcmp(buffer, " first half", 11) == 0);
    unmake();
}

static const struct fail_operation receive_half_message = { .prepare = prepare_half, .run = receive_half, .finish = receive_rest,
                                                            .late = 1 };

static int wait_in_vain(void)
{
    const int got = plait_connection_poll(ends[1], plait_after(0.002));
    return got < 0 ? got : (int)plait_connection_recv_bytes(ends[1], buffer, 10, plait_after(0.002)) == -ETIMEDOUT ? 0 : -EIO;
}

static const struct fail_operation wait_for_message = { .prepare = prepare, .run = wait_in_vain, .finish = unmake };

static const struct fail_operation first_from_fd = { .run = from_fd, .finish = free_first };

/* ---- descriptors ---- */

static int send_descriptor(void)
{
    return plait_connection_send_fd(ends[0], STDIN_FILENO, SOON);
}

static void receive_descriptor(void)
{
    const int fd = plait_connection_recv_fd(ends[1], SOON);
    CHECK(fd >= 0 && close(fd) == 0);
    unmake();
}

static const struct fail_operation send_fd = { .prepare = prepare, .run = send_descriptor, .finish = receive_descriptor };

static void prepare_sent_descriptor(void)
{
    prepare();
    CHECK(send_descriptor() == 0);
}

static int receive_fd_only(void)
{
    const int fd = plait_connection_recv_fd(ends[1], SOON);
    return fd < 0 ? fd : close(fd);
}

static const struct fail_operation recv_fd = { .prepare = prepare_sent_descriptor, .run = receive_fd_only, .finish = unmake };

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(first_pipe),
    FAIL_TESTS(pipe_without_stdin),
    FAIL_TESTS(first_from_fd),
    FAIL_TESTS(send_messages),
    FAIL_TESTS(receive_message),
    FAIL_TESTS(receive_half_message),
    FAIL_TESTS(wait_for_message),
    FAIL_TESTS(send_fd),
    FAIL_TESTS(recv_fd),
};

TEST_MAIN(tests)
