/* Hosts with several addresses, of which not every one answers. */
#include "peers.h"

#include <netinet/tcp.h>
#include <sched.h>

#include "net/socket.h"

static struct plait__address address_of(const char *text)
{
    struct plait__address found[PLAIT__ADDRESSES];
    assert_int_equal(plait__address_parse(text, false, found), 1);
    return found[0];
}

static unsigned queue_of(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_unacked;
}

/* Its queue is full: the kernel leaves who asks without an answer. */
static int listen_silently(struct plait__address *address)
{
    *address = address_of("127.0.0.1:0");
    const int fd = plait__socket_listen(address, 1, 0);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < 2; i++) {
        const int waiting = plait__socket_connect(address, 1, PLAIT_FOREVER);
        assert_true(waiting >= 0);
        close(waiting);
        while (queue_of(fd) == i) sched_yield();
    }
    return fd;
}

static void an_address_that_does_not_answer_is_not_the_last(void **state)
{
    struct plait__address silent, both[2];
    const int silent_fd = listen_silently(&silent);
    plait_listener *listener = listen_at("127.0.0.1:0", NULL);
    both[0] = silent;
    both[1] = address_of(plait_listener_address(listener));
    const int fd = plait__socket_connect(both, 2, plait_after(0.6));
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(plait__socket_connect(both, 2, PLAIT_NOW), -ETIMEDOUT);
    both[1] = silent;
    assert_int_equal(plait__socket_connect(both, 2, plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(plait_listener_free(listener), 0);
    close(silent_fd);
}

static void an_address_that_refuses_is_not_the_last(void **state)
{
    struct plait__address both[2];
    plait_listener *gone = listen_at("127.0.0.1:0", NULL), *listener = listen_at("127.0.0.1:0", NULL);
    both[0] = address_of(plait_listener_address(gone));
    both[1] = address_of(plait_listener_address(listener));
    assert_int_equal(plait_listener_free(gone), 0);
    const int fd = plait__socket_connect(both, 2, PLAIT_FOREVER);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(plait_listener_free(listener), 0);
    assert_int_equal(plait__socket_connect(both, 2, PLAIT_FOREVER), -ECONNREFUSED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_address_that_does_not_answer_is_not_the_last),
    cmocka_unit_test(an_address_that_refuses_is_not_the_last),
};
TEST_MAIN(tests)
