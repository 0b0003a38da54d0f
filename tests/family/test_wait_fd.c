/* Waiting for a file descriptor. */
#include "harness.h"
#include "others.h"

#include <poll.h>

#include "family/wait.h"

static int pipe_ends[2];

static int open_pipe(void **state)
{
    return pipe(pipe_ends);
}

static int close_pipe(void **state)
{
    for (int i = 0; i < 2; i++)
        if (pipe_ends[i] >= 0) close(pipe_ends[i]);
    return 0;
}

static void close_end(int end)
{
    assert_int_equal(close(pipe_ends[end]), 0);
    pipe_ends[end] = -1;
}

static void what_is_ready_is_told_at_once(void **state)
{
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, PLAIT_FOREVER), POLLIN);
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, PLAIT_NOW), POLLIN);
    assert_int_equal(plait__wait_fd(pipe_ends[1], POLLOUT, PLAIT_NOW), POLLOUT);
    assert_int_equal(plait__wait_fd(pipe_ends[1], POLLOUT, plait_after(1000)), POLLOUT);
}

static void an_empty_pipe_times_out(void **state)
{
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, (plait_deadline){ plait__now() - 5 }), -ETIMEDOUT);
    const plait_deadline deadline = plait_after(0.02);
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, deadline), -ETIMEDOUT);
    assert_true(plait__now() >= deadline.at);
}

static void a_full_pipe_times_out(void **state)
{
    static const char page[4096];
    assert_int_equal(fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(pipe_ends[1], page, sizeof page) > 0) {}
    assert_int_equal(plait__wait_fd(pipe_ends[1], POLLOUT, PLAIT_NOW), -ETIMEDOUT);
}

static int waits_for_input(void *deadline)
{
    return plait__wait_fd(pipe_ends[0], POLLIN, *(plait_deadline *)deadline);
}

static void check_sleeper_is_woken(plait_deadline deadline)
{
    struct test_thread thread;
    test_thread_start(&thread, waits_for_input, &deadline);
    test_until_sleeps(thread.tid);
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    assert_int_equal(test_thread_join(&thread), POLLIN);
}

static void a_sleeper_is_woken_by_input(void **state) { check_sleeper_is_woken(PLAIT_FOREVER); }
static void a_sleeper_with_a_deadline_is_woken_too(void **state) { check_sleeper_is_woken(plait_after(1000)); }

static void a_hang_up_is_told(void **state)
{
    plait_deadline forever = PLAIT_FOREVER;
    struct test_thread thread;
    test_thread_start(&thread, waits_for_input, &forever);
    test_until_sleeps(thread.tid);
    close_end(1);
    assert_int_equal(test_thread_join(&thread), POLLHUP);
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, PLAIT_NOW), POLLHUP);
}

static void what_was_sent_before_a_hang_up_can_still_be_read(void **state)
{
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    close_end(1);
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, PLAIT_NOW), POLLIN | POLLHUP);
}

static void a_pipe_without_reader_is_an_error(void **state)
{
    close_end(0);
    assert_int_equal(plait__wait_fd(pipe_ends[1], POLLOUT, PLAIT_NOW), POLLOUT | POLLERR);
}

static void a_closed_descriptor_is_told(void **state)
{
    const int closed = pipe_ends[0];
    close_end(0);
    assert_int_equal(plait__wait_fd(closed, POLLIN, PLAIT_FOREVER), POLLNVAL);
    assert_int_equal(plait__wait_fd(closed, POLLIN, PLAIT_NOW), POLLNVAL);
}

static void it_needs_no_family(void **state)
{
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, plait_after(0.001)), -ETIMEDOUT);
    assert_null(plait__arena);
}

/* --- signals --- */

static _Atomic int signals;

static void count_signal(int number)
{
    atomic_fetch_add(&signals, 1);
}

static void disturb(struct test_thread *thread, int flags, int times)
{
    struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    atomic_store(&signals, 0);
    for (int i = 1; i <= times; i++) {
        test_until_sleeps(thread->tid);
        assert_int_equal(pthread_kill(thread->thread, SIGUSR1), 0);
        test_until_at_least(&signals, i);
    }
    test_until_sleeps(thread->tid);
}

static void signals_do_not_end_it(void **state)
{
    plait_deadline deadlines[] = { PLAIT_FOREVER, plait_after(1000) };
    for (int i = 0; i < 4; i++) {
        char byte;
        struct test_thread thread;
        test_thread_start(&thread, waits_for_input, &deadlines[i / 2]);
        disturb(&thread, i % 2 ? SA_RESTART : 0, 10);
        assert_int_equal(write(pipe_ends[1], "x", 1), 1);
        assert_int_equal(test_thread_join(&thread), POLLIN);
        assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
    }
}

static int has_a_deadline(void *unused)
{
    const plait_deadline deadline = plait_after(0.3);
    CHECK(plait__wait_fd(pipe_ends[0], POLLIN, deadline) == -ETIMEDOUT);
    CHECK(plait__now() >= deadline.at);
    return 0;
}

static void signals_do_not_move_its_deadline(void **state)
{
    struct test_thread thread;
    struct sigaction action = { .sa_handler = count_signal };
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    test_thread_start(&thread, has_a_deadline, NULL);
    for (int i = 0; i < 10; i++) pthread_kill(thread.thread, SIGUSR1);
    assert_int_equal(test_thread_join(&thread), 0);
}

/* --- through the parker of a coroutine, one day --- */

static int parked_fd;
static short parked_events;

static int park_nothing(struct plait__wait *wait, plait__word *word, uint32_t expected, uint32_t owner)
{
    return -EIO;
}

static int note_fds(struct pollfd *fds, unsigned count, plait_deadline deadline)
{
    assert_int_equal(count, 1);
    parked_fd = fds[0].fd;
    parked_events = fds[0].events;
    fds[0].revents = POLLPRI;
    return plait__is_now(deadline) ? -ETIMEDOUT : 1;
}

static void a_parker_is_asked_instead_of_the_kernel(void **state)
{
    static const struct plait__parker parker = { .park = park_nothing, .park_fds = note_fds };
    plait__self.parker = &parker;
    assert_int_equal(plait__wait_fd(pipe_ends[0], POLLIN, PLAIT_FOREVER), POLLPRI);
    assert_int_equal(parked_fd, pipe_ends[0]);
    assert_int_equal(parked_events, POLLIN);
    assert_int_equal(plait__wait_fd(77, POLLOUT, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(parked_fd, 77);
    plait__self.parker = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

static const struct CMUnitTest tests[] = {
    TEST(what_is_ready_is_told_at_once),
    TEST(an_empty_pipe_times_out),
    TEST(a_full_pipe_times_out),
    TEST(a_sleeper_is_woken_by_input),
    TEST(a_sleeper_with_a_deadline_is_woken_too),
    TEST(a_hang_up_is_told),
    TEST(what_was_sent_before_a_hang_up_can_still_be_read),
    TEST(a_pipe_without_reader_is_an_error),
    TEST(a_closed_descriptor_is_told),
    TEST(it_needs_no_family),
    TEST(signals_do_not_end_it),
    TEST(signals_do_not_move_its_deadline),
    TEST(a_parker_is_asked_instead_of_the_kernel),
};
TEST_MAIN(tests)
