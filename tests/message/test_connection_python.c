/* Connections whose other end is an unmodified Connection of each Python of the machine, on a socket that it inherits. */
#include "python.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <plait.h>

#define SOON plait_after(30)

static struct python all[PYTHONS];
static char sent[300000], got[300000];

/* Its script has `c`, the other end. */
static pid_t start(const struct python *python, const char *script, plait_connection **end)
{
    int fds[2];
    char text[2000];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(*end = plait_connection_from_fd(fds[0], 1, 1));
    const int length = snprintf(text, sizeof text, "import os\nfrom multiprocessing import reduction\n"
                                "from multiprocessing.connection import Connection\nc = Connection(%d)\n%s", fds[1], script);
    CHECK(length < (int)sizeof text);
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        fcntl(fds[1], F_SETFD, 0);
        execl(python->path, python->path, "-c", text, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    return pid;
}

static void with_each(void (*test)(const struct python *python))
{
    const int count = pythons(all);
    if (!count) skip();
    for (int i = 0; i < count; i++) {
        printf("%s is %d\n", all[i].path, all[i].version);
        test(&all[i]);
    }
}

static void must_echo(plait_connection *end, size_t size)
{
    for (size_t i = 0; i < size; i++) sent[i] = (char)(i * 31 + size);
    assert_int_equal(plait_connection_send_bytes(end, sent, size, SOON), 0);
    assert_int_equal(plait_connection_recv_bytes(end, got, sizeof got, SOON), size);
    assert_memory_equal(sent, got, size);
}

static void echo(const struct python *python)
{
    plait_connection *end;
    const pid_t pid = start(python, "while True:\n  try: m = c.recv_bytes()\n  except EOFError: break\n  c.send_bytes(m)\n", &end);
    static const size_t sizes[] = { 0, 1, 5, 511, 512, 513, 16384, 16385, 65536, sizeof sent };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) must_echo(end, sizes[i]);
    assert_int_equal(plait_connection_close(end), 0);      /* EOFError there */
    assert_int_equal(test_wait_exit(pid), 0);
    assert_int_equal(plait_connection_free(end), 0);
}

static void bytes_there_and_back(void **state)
{
    with_each(echo);
}

static void ends(const struct python *python)
{
    plait_connection *end;
    const pid_t pid = start(python, "c.send_bytes(b\"hello\")\nos.write(c.fileno(), b\"\\0\\0\\0\\5he\")\n", &end);
    assert_int_equal(plait_connection_recv_bytes(end, got, sizeof got, SOON), 5);
    assert_int_equal(plait_connection_recv_bytes(end, got, sizeof got, SOON), PLAIT_EBROKEN);
    assert_string_equal(plait_error_detail(), "got end of file during message");
    assert_int_equal(test_wait_exit(pid), 0);
    assert_int_equal(plait_connection_free(end), 0);
}

static void it_ends_in_the_middle(void **state)
{
    with_each(ends);
}

/* A pipe goes there and comes back, between messages. */
static void exchange(const struct python *python)
{
    plait_connection *end;
    int fds[2];
    char byte = 0;
    const pid_t pid = start(python, "c.recv_bytes()\nfd = reduction.recv_handle(c)\nc.send_bytes(b\"thanks\")\n"
                            "reduction.send_handle(c, fd, os.getppid())\nos.close(fd)\nc.send_bytes(c.recv_bytes())\n", &end);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(plait_connection_send_bytes(end, "take", 4, SOON), 0);
    assert_int_equal(plait_connection_send_fd(end, fds[1], SOON), 0);
    close(fds[1]);
    assert_int_equal(plait_connection_recv_bytes(end, got, sizeof got, SOON), 6);
    assert_true((fds[1] = plait_connection_recv_fd(end, SOON)) >= 0);
    assert_int_equal(write(fds[1], "!", 1), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(byte, '!');
    must_echo(end, 100);
    assert_int_equal(test_wait_exit(pid), 0);
    assert_int_equal(plait_connection_free(end), 0);
    for (int i = 0; i < 2; i++) close(fds[i]);
}

static void descriptors_there_and_back(void **state)
{
    with_each(exchange);
}

static void objects(const struct python *python)
{
    plait_connection *end;
    char expected[64];
    const pid_t pid = start(python, "x = c.recv()\nassert x == [42, None, \"hello\"], x\nc.send({\"a\": (1, 2.5), \"b\": [True]})\n"
                            "c.send(c.recv())\n", &end);
    plait_value *list = plait_list(3, plait_int(42), plait_none(), plait_string("hello"));
    assert_int_equal(plait_connection_send(end, list, SOON), 0);
    plait_value *dict = plait_connection_recv(end, SOON);
    assert_non_null(dict);
    snprintf(expected, sizeof expected, "{'a': (1, 2.5), 'b': [True]}");
    assert_string_equal(plait_repr(dict), expected);
    assert_int_equal(plait_connection_send(end, dict, SOON), 0);
    dict = plait_connection_recv(end, SOON);
    assert_string_equal(plait_repr(dict), expected);
    plait_value_free(dict);
    assert_null(plait_connection_recv(end, SOON));
    assert_int_equal(errno, -PLAIT_ECLOSED);
    assert_int_equal(test_wait_exit(pid), 0);
    assert_int_equal(plait_connection_free(end), 0);
}

static void values_there_and_back(void **state)
{
    with_each(objects);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_there_and_back),
    cmocka_unit_test(bytes_there_and_back),
    cmocka_unit_test(it_ends_in_the_middle),
    cmocka_unit_test(descriptors_there_and_back),
};

TEST_MAIN_WITHIN(tests, 60)
