/* The watch: one descriptor for a program's own loop, which is readable whenever something is ready, and mostly only then. */
#include "member.h"
#include "others.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include <plait.h>

#include "family/roster.h"

enum { QUEUE, EVENT, SEMAPHORE, FD, THINGS };

static plait_queue *queue;
static plait_event *event;
static plait_semaphore *semaphore;
static int pipe_ends[2];
static plait_waitable things[THINGS];
static plait_watch *watch;

static int set_up(void **state)
{
    queue = plait_queue_new(NULL);
    event = plait_event_new();
    semaphore = plait_semaphore_new(0);
    if (!queue || !event || !semaphore || pipe2(pipe_ends, O_CLOEXEC)) return -1;
    things[QUEUE] = (plait_waitable){ PLAIT_WAIT_QUEUE, .object = queue };
    things[EVENT] = (plait_waitable){ PLAIT_WAIT_EVENT, .object = event };
    things[SEMAPHORE] = (plait_waitable){ PLAIT_WAIT_SEMAPHORE, .object = semaphore };
    things[FD] = (plait_waitable){ PLAIT_WAIT_FD, .fd = pipe_ends[0] };
    watch = plait_watch_new(things, THINGS);
    return watch ? 0 : -1;
}

static int tear_down(void **state)
{
    int error = plait_watch_free(watch);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    error |= plait_queue_free(queue) | plait_event_free(event) | plait_semaphore_free(semaphore);
    plait_leave();
    return error;
}

static void make_ready(int which)
{
    switch (which) {
    case QUEUE: CHECK(plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0); break;
    case EVENT: CHECK(plait_event_set(event) == 0); break;
    case SEMAPHORE: CHECK(plait_semaphore_release(semaphore) == 0); break;
    case FD: CHECK(write(pipe_ends[1], "x", 1) == 1); break;
    }
}

static void take(int which)
{
    char byte;
    switch (which) {
    case QUEUE: CHECK(plait_queue_get(queue, &byte, 1, PLAIT_NOW) == 1); break;
    case EVENT: CHECK(plait_event_clear(event) == 0); break;
    case SEMAPHORE: CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0); break;
    case FD: CHECK(read(pipe_ends[0], &byte, 1) == 1); break;
    }
}

static bool is_readable(int timeout)
{
    struct pollfd fd = { .fd = plait_watch_fd(watch), .events = POLLIN };
    return poll(&fd, 1, timeout) == 1;
}

/* The loop of a program: true once thing `which` is told ready; what is told for nothing is looked at. */
static bool told(int which)
{
    plait_waitable now[THINGS];
    for (;;) {
        if (!is_readable(10000)) return false;
        const int ready = plait_watch_check(watch, now, THINGS);
        assert_true(ready >= 0);
        for (int i = 0; i < THINGS; i++) assert_true(!now[i].ready || i == which);
        if (ready) return now[which].ready != 0;
    }
}

static void each_makes_it_readable(void **state)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < THINGS; i++) {
            assert_int_equal(plait_watch_check(watch, NULL, 0), 0);
            make_ready(i);
            assert_true(is_readable(0));
            assert_true(told(i));
            assert_true(is_readable(0) && told(i));        /* as long as it is ready */
            take(i);
        }
    }
}

/* Nothing is ready, and it has been looked at: the descriptor is not readable, but for the rounds, which are 5 ms apart. */
static void nothing_makes_it_unreadable(void **state)
{
    int quiet = 0;
    for (int i = 0; i < 100; i++) {
        make_ready(i % THINGS);
        assert_true(told(i % THINGS));
        take(i % THINGS);
        assert_int_equal(plait_watch_check(watch, NULL, 0), 0);
        quiet += !is_readable(0);
    }
    assert_true(quiet > 50);
}

static void what_is_ready_at_first_is_told(void **state)
{
    for (int i = 0; i < THINGS; i++) {
        make_ready(i);
        plait_watch_free(watch);
        watch = plait_watch_new(things, THINGS);
        assert_non_null(watch);
        assert_true(is_readable(0) && told(i));
        take(i);
    }
}

static _Atomic int which_is_next;

static int wake(void *tid)
{
    test_until_sleeps(*(pid_t *)tid);
    make_ready(which_is_next);
    return 0;
}

static void in_a_poll(void **state)
{
    pid_t tid = (pid_t)syscall(SYS_gettid);
    for (int i = 0; i < THINGS; i++) {
        struct test_thread thread;
        which_is_next = i;
        test_thread_start(&thread, wake, &tid);
        assert_true(told(i));
        assert_int_equal(test_thread_join(&thread), 0);
        take(i);
    }
}

static void in_an_epoll(void **state)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event told_by = { .events = EPOLLIN };
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, plait_watch_fd(watch), &told_by), 0);
    for (int i = 0; i < THINGS; i++) {
        make_ready(i);
        assert_int_equal(epoll_wait(epoll, &told_by, 1, 10000), 1);
        assert_true(told(i));
        take(i);
    }
    close(epoll);
}

static void in_a_select(void **state)
{
    for (int i = 0; i < THINGS; i++) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(plait_watch_fd(watch), &set);
        make_ready(i);
        assert_int_equal(select(plait_watch_fd(watch) + 1, &set, NULL, NULL, NULL), 1);
        assert_true(told(i));
        take(i);
    }
}

static int end_at_the_event(void *argument)
{
    return plait_event_wait(*(plait_event **)argument, PLAIT_FOREVER);
}

/* It tells by its descriptor alone. */
static void a_connection_makes_it_readable(void **state)
{
    plait_connection *pair[2];
    char byte;
    assert_int_equal(plait_pipe(0, pair), 0);
    plait_waitable thing = { PLAIT_WAIT_CONNECTION, .object = pair[0] };
    plait_watch *one = plait_watch_new(&thing, 1);
    struct pollfd fd = { .fd = plait_watch_fd(one), .events = POLLIN };
    for (int round = 0; round < 3; round++) {
        assert_int_equal(plait_connection_send_bytes(pair[1], "x", 1, PLAIT_NOW), 0);
        assert_int_equal(poll(&fd, 1, 10000), 1);
        for (int i = 0; i < 2; i++) assert_int_equal(plait_watch_check(one, &thing, 1), 1);
        assert_int_equal(thing.ready, 1);
        assert_int_equal(plait_connection_recv_bytes(pair[0], &byte, 1, PLAIT_NOW), 1);
        bool quiet = false;
        for (int i = 0; i < 10 && !quiet; i++) {           /* a round may come in between, ten may not */
            assert_int_equal(plait_watch_check(one, &thing, 1), 0);
            quiet = poll(&fd, 1, 0) == 0;
        }
        assert_true(quiet);
    }
    assert_int_equal(plait_watch_free(one), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_free(pair[i]), 0);
}

static void ends(void **state)
{
    static const int kinds[] = { PLAIT_PROCESSES, PLAIT_THREADS };
    for (int i = 0; i < 2; i++) {
        plait_event_clear(event);
        plait_process *child = plait_start(end_at_the_event, &event, sizeof event,
                                           &(plait_process_options){ .kind = kinds[i], .method = i ? 0 : PLAIT_FORK });
        plait_watch_free(watch);
        watch = plait_watch_new(&(plait_waitable){ PLAIT_WAIT_PROCESS, .object = child }, 1);
        assert_non_null(watch);
        assert_int_equal(plait_watch_check(watch, NULL, 0), 0);
        plait_event_set(event);
        while (plait_watch_check(watch, NULL, 0) == 0) assert_true(is_readable(10000));
        assert_int_equal(plait_process_join(child, PLAIT_FOREVER), 0);
        assert_true(is_readable(0));
        plait_watch_free(watch);
        watch = NULL;
        assert_int_equal(plait_process_free(child), 0);
    }
}

static void one_descriptor_twice(void **state)
{
    const int fd = pipe_ends[1];
    plait_waitable both[] = { { PLAIT_WAIT_FD, .fd = fd, .events = POLLIN }, { PLAIT_WAIT_FD, .fd = fd, .events = POLLOUT } };
    plait_watch *other = plait_watch_new(both, 2);
    assert_non_null(other);
    assert_int_equal(plait_watch_check(other, both, 2), 1);
    assert_true(!both[0].ready && both[1].ready == POLLOUT);
    assert_int_equal(plait_watch_free(other), 0);
}

static void refused(void **state)
{
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_null(plait_watch_new(&(plait_waitable){ PLAIT_WAIT_FD, .fd = file }, 1));
    assert_int_equal(errno, EPERM);
    assert_non_null(strstr(plait_error_detail(), "always ready"));
    close(file);
    assert_null(plait_watch_new(&(plait_waitable){ PLAIT_WAIT_FD, .fd = file }, 1));
    assert_int_equal(errno, EBADF);
    assert_null(plait_watch_new(&(plait_waitable){ PLAIT_WAIT_QUEUE, .object = NULL }, 1));
    assert_int_equal(errno, EINVAL);
    assert_null(plait_watch_new(NULL, 1));
    assert_int_equal(plait_watch_fd(NULL), -EINVAL);
    assert_int_equal(plait_watch_check(NULL, NULL, 0), -EINVAL);
    assert_int_equal(plait_watch_check(watch, NULL, 1), -EINVAL);
    assert_int_equal(plait_watch_free(NULL), 0);
    plait_watch *none = plait_watch_new(NULL, 0);
    assert_int_equal(plait_watch_check(none, NULL, 0), 0);
    assert_int_equal(plait_watch_free(none), 0);
}

static int use_a_copy(void *unused)
{
    CHECK(plait_watch_check(watch, NULL, 0) == -ECHILD);
    CHECK(plait_watch_free(watch) == 0);
    return 0;
}

/* And what the child does with its copy is nothing to the parent's. */
static void a_fork_has_a_copy_to_free(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(use_a_copy, NULL)), 0);
    for (int i = 0; i < THINGS; i++) {
        make_ready(i);
        assert_true(told(i));
        take(i);
    }
}

static int set_in_a_process(void)
{
    CHECK(plait_event_set(event) == 0);
    return 0;
}

static void another_process_wakes(void **state)
{
    test_family();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plait_watch_check(watch, NULL, 0), 0);
        member_run(set_in_a_process, "a setter");
        assert_true(told(EVENT));
        take(EVENT);
    }
}

/* Its bell belongs to the process, as the watch does. */
static int make_the_watch(void *unused)
{
    watch = plait_watch_new(things, THINGS);
    return watch ? 0 : 1;
}

static void who_made_it_may_have_left(void **state)
{
    struct test_thread thread;
    plait_watch_free(watch);
    test_thread_start(&thread, make_the_watch, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    for (int i = 0; i < THINGS; i++) {
        make_ready(i);
        assert_true(is_readable(0) && told(i));
        take(i);
        assert_int_equal(plait_watch_check(watch, NULL, 0), 0);
    }
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    TEST(each_makes_it_readable),
    TEST(nothing_makes_it_unreadable),
    TEST(what_is_ready_at_first_is_told),
    TEST(in_a_poll),
    TEST(in_an_epoll),
    TEST(in_a_select),
    TEST(a_connection_makes_it_readable),
    TEST(ends),
    TEST(one_descriptor_twice),
    TEST(refused),
    TEST(a_fork_has_a_copy_to_free),
    TEST(another_process_wakes),
    TEST(who_made_it_may_have_left),
};
TEST_MAIN(tests)
