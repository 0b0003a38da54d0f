/* plait_wait: every kind of thing alone and together, ready at once and after a sleep, and what is refused. */
#include "member.h"
#include "others.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <plait.h>

#include "base/fault.h"
#include "family/roster.h"
#include "family/wait.h"

enum { QUEUE, ROOM, EVENT, SEMAPHORE, BOUNDED, OWNED, STACK, LEASES, CONNECTION, FD, SOCKET, KINDS };

static plait_queue *queue, *full, *stack, *leases;
static plait_event *event;
static plait_semaphore *semaphore, *bounded, *owned;
static plait_connection *ends[2];
static int pipe_ends[2], pair[2];
static plait_waitable things[KINDS];

static int set_up(void **state)
{
    queue = plait_queue_new(NULL);
    full = plait_queue_new(&(plait_queue_options){ .maxsize = 1 });
    stack = plait_queue_new(&(plait_queue_options){ .order = PLAIT_LIFO });
    leases = plait_queue_new(&(plait_queue_options){ .leases = 1 });
    event = plait_event_new();
    semaphore = plait_semaphore_new(0);
    bounded = plait_bounded_semaphore_new(1);
    owned = plait_owned_semaphore_new(2);
    if (!queue || !full || !stack || !leases || !event || !semaphore || !bounded || !owned) return -1;
    if (plait_queue_put(full, "x", 1, PLAIT_NOW) || plait_semaphore_acquire(bounded, PLAIT_NOW)) return -1;
    if (plait_semaphore_acquire(owned, PLAIT_NOW) || plait_semaphore_acquire(owned, PLAIT_NOW)) return -1;
    if (plait_pipe(1, ends)) return -1;
    if (pipe2(pipe_ends, O_CLOEXEC) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return -1;
    const plait_waitable all[KINDS] = {
        [QUEUE] = { PLAIT_WAIT_QUEUE, .object = queue },
        [ROOM] = { PLAIT_WAIT_QUEUE_ROOM, .object = full },
        [EVENT] = { PLAIT_WAIT_EVENT, .object = event },
        [SEMAPHORE] = { PLAIT_WAIT_SEMAPHORE, .object = semaphore },
        [BOUNDED] = { PLAIT_WAIT_SEMAPHORE, .object = bounded },
        [OWNED] = { PLAIT_WAIT_SEMAPHORE, .object = owned },
        [STACK] = { PLAIT_WAIT_QUEUE, .object = stack },
        [LEASES] = { PLAIT_WAIT_QUEUE, .object = leases },
        [CONNECTION] = { PLAIT_WAIT_CONNECTION, .object = ends[0] },
        [FD] = { PLAIT_WAIT_FD, .fd = pipe_ends[0] },
        [SOCKET] = { PLAIT_WAIT_FD, .fd = pair[0], .events = POLLIN | POLLRDHUP },
    };
    memcpy(things, all, sizeof all);
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < 2; i++) close(pipe_ends[i]), close(pair[i]);
    int error = plait_queue_free(queue) | plait_queue_free(full) | plait_queue_free(stack) | plait_queue_free(leases);
    error |= plait_semaphore_free(semaphore) | plait_semaphore_free(bounded) | plait_semaphore_free(owned);
    error |= plait_event_free(event) | plait_connection_free(ends[0]) | plait_connection_free(ends[1]);
    plait_leave();
    return error;
}

/* Have one thing become ready, and take back that it is. */
static void make_ready(int which)
{
    char byte;
    switch (which) {
    case QUEUE: CHECK(plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0); break;
    case ROOM: CHECK(plait_queue_get(full, &byte, 1, PLAIT_NOW) == 1); break;
    case EVENT: CHECK(plait_event_set(event) == 0); break;
    case SEMAPHORE: CHECK(plait_semaphore_release(semaphore) == 0); break;
    case BOUNDED: CHECK(plait_semaphore_release(bounded) == 0); break;
    case OWNED: CHECK(plait_semaphore_release(owned) == 0); break;
    case STACK: CHECK(plait_queue_put(stack, "x", 1, PLAIT_NOW) == 0); break;
    case LEASES: CHECK(plait_queue_put(leases, "x", 1, PLAIT_NOW) == 0); break;
    case CONNECTION: CHECK(plait_connection_send_bytes(ends[1], "x", 1, PLAIT_NOW) == 0); break;
    case FD: CHECK(write(pipe_ends[1], "x", 1) == 1); break;
    case SOCKET: CHECK(write(pair[1], "x", 1) == 1); break;
    }
}

static void take(int which)
{
    char byte;
    switch (which) {
    case QUEUE: CHECK(plait_queue_get(queue, &byte, 1, PLAIT_NOW) == 1); break;
    case ROOM: CHECK(plait_queue_put(full, "x", 1, PLAIT_NOW) == 0); break;
    case EVENT: CHECK(plait_event_clear(event) == 0); break;
    case SEMAPHORE: CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0); break;
    case BOUNDED: CHECK(plait_semaphore_acquire(bounded, PLAIT_NOW) == 0); break;
    case OWNED: CHECK(plait_semaphore_acquire(owned, PLAIT_NOW) == 0); break;
    case STACK: CHECK(plait_queue_get(stack, &byte, 1, PLAIT_NOW) == 1); break;
    case LEASES: CHECK(plait_queue_get(leases, &byte, 1, PLAIT_NOW) == 1); break;
    case CONNECTION: CHECK(plait_connection_recv_bytes(ends[0], &byte, 1, PLAIT_NOW) == 1); break;
    case FD: CHECK(read(pipe_ends[0], &byte, 1) == 1); break;
    case SOCKET: CHECK(read(pair[0], &byte, 1) == 1); break;
    }
}

static void check_only(const plait_waitable *all, int count, int which)
{
    for (int i = 0; i < count; i++) assert_int_equal(all[i].ready != 0, i == which);
}

/* ---- without a sleep ---- */

static void nothing_is_ready(void **state)
{
    assert_int_equal(plait_wait(things, KINDS, PLAIT_NOW), -ETIMEDOUT);
    assert_string_equal(plait_error_detail(), "none of the 11 things is ready");
    assert_int_equal(plait_wait(things, KINDS, plait_after(0.02)), -ETIMEDOUT);
    check_only(things, KINDS, -1);
    for (int i = 0; i < KINDS; i++) assert_int_equal(plait_wait(&things[i], 1, PLAIT_NOW), -ETIMEDOUT);
    for (int i = 0; i < KINDS; i++) assert_int_equal(plait_wait(&things[i], 1, plait_after(0.007)), -ETIMEDOUT);
}

static void what_is_ready_is_told_at_once(void **state)
{
    for (int i = 0; i < KINDS; i++) {
        make_ready(i);
        assert_int_equal(plait_wait(things, KINDS, PLAIT_FOREVER), 1);
        check_only(things, KINDS, i);
        assert_int_equal(plait_wait(&things[i], 1, PLAIT_NOW), 1);
        assert_int_equal(plait_wait(&things[i], 1, PLAIT_FOREVER), 1);               /* it still is */
        assert_int_equal(things[i].ready, i < FD ? 1 : POLLIN);
        take(i);
        assert_int_equal(plait_wait(things, KINDS, PLAIT_NOW), -ETIMEDOUT);
    }
    for (int i = 0; i < KINDS; i++) make_ready(i);
    assert_int_equal(plait_wait(things, KINDS, PLAIT_FOREVER), KINDS);
    for (int i = 0; i < KINDS; i++) take(i);
}

static void what_can_not_change_any_more_is_ready(void **state)
{
    assert_int_equal(plait_queue_close(queue) | plait_queue_close(full) | plait_queue_close(stack) | plait_queue_close(leases), 0);
    close(pair[1]);
    assert_int_equal(plait_wait(things, KINDS, PLAIT_FOREVER), 5);
    assert_int_equal(things[SOCKET].ready, POLLIN | POLLHUP | POLLRDHUP);
    assert_true(things[QUEUE].ready && things[ROOM].ready && things[STACK].ready && things[LEASES].ready);
    assert_int_equal(plait_queue_get(queue, NULL, 0, PLAIT_NOW), PLAIT_ECLOSED);
}

static void many_things(void **state)
{
    enum { MANY = 500 };
    static plait_waitable many[MANY];
    for (int i = 0; i < MANY; i++) many[i] = things[i % CONNECTION];
    assert_int_equal(plait_wait(many, MANY, plait_after(0.02)), -ETIMEDOUT);
    make_ready(EVENT);
    assert_int_equal(plait_wait(many, MANY, PLAIT_FOREVER), MANY / CONNECTION + (MANY % CONNECTION > EVENT));
    take(EVENT);
}

/* The kernel polls no more entries than that. */
static void more_things_than_descriptors(void **state)
{
    enum { MANY = 200 };
    plait_waitable many[MANY];
    struct rlimit limit, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = (struct rlimit){ MANY / 2, limit.rlim_max };
    for (int i = 0; i < MANY; i++) many[i] = things[QUEUE];
    many[MANY / 2] = things[FD];
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    plait_watch *watch = plait_watch_new(many, MANY);
    int sleeps = plait_wait(many, MANY, plait_after(0.01)), looks = plait_watch_check(watch, many, MANY);
    make_ready(FD);
    int finds = plait_wait(many, MANY, PLAIT_NOW), told = many[MANY / 2].ready, checks = plait_watch_check(watch, many, MANY);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(sleeps, -ETIMEDOUT);
    assert_int_equal(looks, 0);
    assert_true(finds == 1 && told == POLLIN && checks == 1 && many[MANY / 2].ready == POLLIN);
    assert_int_equal(plait_watch_free(watch), 0);
}

static void no_things(void **state)
{
    assert_int_equal(plait_wait(NULL, 0, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(plait_wait(things, 0, plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(plait_wait(NULL, 0, PLAIT_FOREVER), -EINVAL);
    assert_string_equal(plait_error_detail(), "there is nothing to wait for, for ever");
    assert_int_equal(plait_wait(&(plait_waitable){ .object = queue }, 1, PLAIT_NOW), -ETIMEDOUT);
    things[QUEUE].kind = PLAIT_WAIT_NOTHING;
    make_ready(QUEUE);
    make_ready(FD);
    assert_int_equal(plait_wait(things, KINDS, PLAIT_NOW), 1);
    check_only(things, KINDS, FD);
}

/* ---- refused ---- */

static void must_refuse(plait_waitable thing, int error, const char *detail)
{
    plait_waitable two[] = { things[QUEUE], thing };
    make_ready(QUEUE);
    for (int i = 0; i < 2; i++) {
        const int result = plait_wait(two, 2, i ? PLAIT_NOW : PLAIT_FOREVER);
        if (result != error) print_error("%s: %d: %s\n", detail, result, plait_error_detail());
        assert_int_equal(result, error);
        assert_non_null(strstr(plait_error_detail(), detail));
        assert_non_null(strstr(plait_error_detail(), "thing 1"));
        assert_false(two[0].ready || two[1].ready);
    }
    take(QUEUE);
}

static void what_can_not_be_waited_for_is_refused(void **state)
{
    plait_queue *freed = plait_queue_new(NULL);
    assert_int_equal(plait_queue_free(freed), 0);
    const int closed = dup(0);
    close(closed);
    must_refuse((plait_waitable){ PLAIT_WAIT_QUEUE, .object = NULL }, -EINVAL, "NULL");
    must_refuse((plait_waitable){ PLAIT_WAIT_QUEUE, .object = freed }, -EINVAL, "no queue");
    must_refuse((plait_waitable){ PLAIT_WAIT_QUEUE_ROOM, .object = freed }, -EINVAL, "no queue");
    must_refuse((plait_waitable){ PLAIT_WAIT_EVENT, .object = (char *)event + 1 }, -EINVAL, "aligned");
    must_refuse((plait_waitable){ PLAIT_WAIT_SEMAPHORE, .object = (char *)semaphore + 1 }, -EINVAL, "aligned");
    must_refuse((plait_waitable){ PLAIT_WAIT_FD, .fd = -1 }, -EBADF, "-1 is not open");
    must_refuse((plait_waitable){ PLAIT_WAIT_FD, .fd = closed }, -EBADF, "not open");
    must_refuse((plait_waitable){ 99, .object = queue }, -EINVAL, "kind 99");
    must_refuse((plait_waitable){ -1, .object = queue }, -EINVAL, "kind -1");
    must_refuse((plait_waitable){ PLAIT_WAIT_EVENT, .object = event, .reserved = 1 }, -EINVAL, "reserved");
    must_refuse((plait_waitable){ PLAIT_WAIT_PROCESS, .object = plait_current_process() }, -EDEADLK, "MainProcess");
    assert_int_equal(plait_wait(NULL, 1, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_wait(things, SIZE_MAX / 2, PLAIT_NOW), -EINVAL);
}

static void without_a_descriptor_it_says_so(void **state)
{
    struct rlimit limit, none;
    const int lowest = dup(0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int refused = plait_wait(things, KINDS, PLAIT_FOREVER);
    const bool says = strstr(plait_error_detail(), "socket") != NULL;
    plait_watch *watch = plait_watch_new(things, KINDS);
    const int why = errno, few = plait_wait(things, CONNECTION, plait_after(0.01));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(refused, -EMFILE);
    assert_true(says && !watch && why == EMFILE);
    assert_int_equal(few, atomic_load(&plait__roster->no_waitv) ? -EMFILE : -ETIMEDOUT);
    assert_int_equal(plait_wait(things, KINDS, PLAIT_NOW), -ETIMEDOUT);
}

/* ---- asleep ---- */

static _Atomic int it_is;

static int wake(void *sleeper)
{
    test_until_sleeps(*(pid_t *)sleeper);
    make_ready(it_is);
    return 0;
}

static void sleep_and_wake(plait_waitable *some, int count, int which, int as)
{
    static pid_t sleeper;
    struct test_thread thread;
    sleeper = (pid_t)syscall(SYS_gettid);
    it_is = which;
    test_thread_start(&thread, wake, &sleeper);
    const int ready = plait_wait(some, (size_t)count, PLAIT_FOREVER);
    CHECK(test_thread_join(&thread) == 0);
    if (ready != 1) print_error("%d: %d ready: %s\n", which, ready, plait_error_detail());
    assert_int_equal(ready, 1);
    check_only(some, count, as);
    take(which);
}

/* A second thread can't release what the first one has. */
static void a_sleeper_is_woken_by_each(void **state)
{
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < KINDS; i++)
            if (i != OWNED) sleep_and_wake(&things[i], 1, i, 0);
}

static void a_sleeper_on_words_is_woken_by_each(void **state)
{
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < CONNECTION; i++)
            if (i != OWNED) sleep_and_wake(things, CONNECTION, i, i);
}

static void a_sleeper_on_all_is_woken_by_each(void **state)
{
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < KINDS; i++)
            if (i != OWNED) sleep_and_wake(things, KINDS, i, i);
}

static void a_sleeper_on_many_is_woken_by_each(void **state)
{
    enum { MANY = 500 };
    static plait_waitable many[MANY];
    plait_event *never = plait_alloc(MANY * sizeof *never);
    for (int i = 0; i < MANY; i++) many[i] = (plait_waitable){ PLAIT_WAIT_EVENT, .object = &never[i] };
    memcpy(many + 400, things, sizeof things);
    for (int i = 0; i < KINDS; i++)
        if (i != OWNED) sleep_and_wake(many, MANY, i, 400 + i);
    plait_free(never);
}

static int hold_a_permit(void)
{
    CHECK(plait_semaphore_acquire(owned, PLAIT_NOW) >= 0);
    return 0;
}

static int wait_for_the_permit(void)
{
    plait_waitable two[] = { things[OWNED], things[FD] };
    CHECK(plait_wait(two, 2, PLAIT_FOREVER) == 1 && two[0].ready);
    CHECK(plait_wait(two, 1, PLAIT_FOREVER) == 1);
    return 0;
}

/* Of the dead, and of one who leaves. */
static void permits_come_back(void **state)
{
    test_family();
    assert_int_equal(plait_semaphore_release(owned), 0);
    for (int leaves = 0; leaves < 2; leaves++) {
        struct member holder = member_start(hold_a_permit), waiter;
        assert_int_equal(member_wait(&holder, "the holder"), 0);
        waiter = member_start(wait_for_the_permit);
        member_until_sleeps(&waiter);
        if (leaves) member_leave(&holder);
        else member_kill(&holder);
        assert_int_equal(member_wait(&waiter, "the waiter, beside a permit"), 0);
        member_all_leave();
    }
    assert_int_equal(plait_semaphore_release(owned), 0);
}

static int lease_one(void)
{
    char byte;
    plait_lease lease;
    CHECK(plait_queue_lease(leases, &byte, 1, &lease, PLAIT_NOW) == 1);
    return 0;
}

static int wait_for_the_lease(void)
{
    plait_waitable two[] = { things[LEASES], things[FD] };
    CHECK(plait_wait(two, 2, PLAIT_FOREVER) == 1 && two[0].ready);
    return 0;
}

static void leases_come_back(void **state)
{
    test_family();
    make_ready(LEASES);
    struct member holder = member_start(lease_one), waiter;
    assert_int_equal(member_wait(&holder, "the holder"), 0);
    assert_int_equal(plait_wait(&things[LEASES], 1, PLAIT_NOW), -ETIMEDOUT);
    waiter = member_start(wait_for_the_lease);
    member_until_sleeps(&waiter);
    member_kill(&holder);
    assert_int_equal(member_wait(&waiter, "the waiter, beside a lease"), 0);
    member_all_leave();
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    TEST(nothing_is_ready),
    TEST(what_is_ready_is_told_at_once),
    TEST(what_can_not_change_any_more_is_ready),
    TEST(many_things),
    TEST(more_things_than_descriptors),
    TEST(no_things),
    TEST(what_can_not_be_waited_for_is_refused),
    TEST(without_a_descriptor_it_says_so),
    TEST(a_sleeper_is_woken_by_each),
    TEST(a_sleeper_on_words_is_woken_by_each),
    TEST(a_sleeper_on_all_is_woken_by_each),
    TEST(a_sleeper_on_many_is_woken_by_each),
    TEST(permits_come_back),
    TEST(leases_come_back),
};
TEST_MAIN(tests)
