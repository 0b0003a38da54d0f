/* plait_wait and ends: of processes of every kind, threads, the parent, and of those who wait. */
#include "member.h"
#include "others.h"

#include <poll.h>
#include <signal.h>

#include <plait.h>

#include "base/fault.h"
#include "family/bell.h"
#include "family/roster.h"
#include "family/wait.h"

static plait_event *event;
static int pipe_ends[2];

static int set_up(void **state)
{
    event = plait_event_new();
    return event && pipe2(pipe_ends, O_CLOEXEC) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    int error = plait_event_free(event);
    plait_leave();
    return error;
}

static int wait_for_event(void *argument)
{
    plait_event *go = *(plait_event **)argument;
    CHECK(plait_event_wait(go, PLAIT_FOREVER) == 0);
    return 5;
}

__attribute__((noreturn)) static int wait_for_ever(void *unused)
{
    for (;;) pause();
}

/* ---- a thread that has only now found that this is a new incarnation ---- */

static int forgets_the_bells(void *incarnation)
{
    plait__bells_forget(*(uint32_t *)incarnation);
    return 0;
}

static void forget_beside(uint32_t incarnation)
{
    struct test_thread thread;
    test_thread_start(&thread, forgets_the_bells, &incarnation);
    assert_int_equal(test_thread_join(&thread), 0);
}

static void bells_of_this_incarnation_are_not_forgotten(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const struct plait__ear *ear = plait__bell_of_thread();
    assert_non_null(ear);
    const struct plait__ear before = *ear;
    forget_beside(plait__read_fork_mark());
    assert_true(plait__is_file(before.fd, &before.file));
    forget_beside(plait__read_fork_mark() + 1);
    assert_false(plait__is_file(before.fd, &before.file));
    assert_non_null(ear = plait__bell_of_thread());        /* which finds that it has to make another one */
    assert_true(ear->address != before.address);
}

/* ---- processes and threads ---- */

static void a_child_is_waited_for(int method, int kind)
{
    const plait_process_options options = { .method = method, .kind = kind };
    plait_event_clear(event);
    plait_process *child = plait_start(wait_for_event, &event, sizeof event, &options);
    assert_non_null(child);
    plait_waitable things[] = { { PLAIT_WAIT_PROCESS, .object = child }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] } };
    for (size_t n = 1; n <= 2; n++) {
        assert_int_equal(plait_wait(things, n, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_wait(things, n, plait_after(0.007)), -ETIMEDOUT);
    }
    assert_int_equal(plait_event_set(event), 0);
    assert_int_equal(plait_wait(things, 2, PLAIT_FOREVER), 1);
    assert_int_equal(things[0].ready, 1);
    assert_int_equal(plait_wait(things, 1, PLAIT_NOW), 1);
    assert_int_equal(plait_process_exitcode(child), 5);
    assert_int_equal(plait_process_join(child, PLAIT_FOREVER), 0);
    assert_int_equal(plait_wait(things, 1, PLAIT_NOW), 1);
    assert_int_equal(plait_process_free(child), 0);
}

static void a_child_is_waited_for_however_it_was_started(void **state)
{
    static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN };
    assert_int_equal(plait_init(NULL, NULL), 0);
    for (int i = 0; i < 2; i++) a_child_is_waited_for(methods[i], PLAIT_PROCESSES);
}

static void a_child_of_the_forkserver_is_waited_for(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    a_child_is_waited_for(PLAIT_FORKSERVER, PLAIT_PROCESSES);
    assert_int_equal(plait_forkserver_stop(), 0);
}

static void a_thread_is_waited_for(void **state)
{
    a_child_is_waited_for(0, PLAIT_THREADS);
}

static void a_killed_child_is_waited_for(void **state)
{
    plait_process_options options = { .method = PLAIT_FORK };
    for (int i = 0; i < 2; i++) {
        plait_process *child = plait_start(wait_for_ever, NULL, 0, &options);
        plait_waitable things[] = { { PLAIT_WAIT_PROCESS, .object = child }, { PLAIT_WAIT_EVENT, .object = event } };
        assert_int_equal(plait_wait(things, 2, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_process_kill(child), 0);
        assert_int_equal(plait_wait(things, i ? 1 : 2, PLAIT_FOREVER), 1);
        assert_int_equal(plait_process_exitcode(child), -SIGKILL);
        assert_int_equal(plait_process_free(child), 0);
    }
}

static void a_killed_child_of_the_forkserver_is_waited_for(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    plait_process_options options = { .method = PLAIT_FORKSERVER };
    plait_process *child = plait_start(wait_for_ever, NULL, 0, &options);
    plait_waitable things[] = { { PLAIT_WAIT_PROCESS, .object = child }, { PLAIT_WAIT_EVENT, .object = event } };
    assert_int_equal(plait_process_kill(child), 0);
    assert_int_equal(plait_wait(things, 2, PLAIT_FOREVER), 1);
    assert_int_equal(plait_process_exitcode(child), -SIGKILL);
    assert_int_equal(plait_process_free(child), 0);
    assert_int_equal(plait_forkserver_stop(), 0);
}

/* The first of three, whichever it is. */
static void the_first_of_many_is_told(void **state)
{
    plait_event *gates = plait_alloc(3 * sizeof *gates);
    plait_process *children[3];
    plait_waitable things[3];
    for (int i = 0; i < 3; i++) {
        plait_event *gate = &gates[i];
        children[i] = plait_start(wait_for_event, &gate, sizeof gate, &(plait_process_options){ .method = PLAIT_FORK });
        things[i] = (plait_waitable){ PLAIT_WAIT_PROCESS, .object = children[i] };
    }
    for (int i = 2; i >= 0; i--) {
        plait_event_set(&gates[i]);
        assert_int_equal(plait_wait(things, 3, PLAIT_FOREVER), 1);
        assert_int_equal(things[i].ready, 1);
        things[i].kind = PLAIT_WAIT_NOTHING;
    }
    for (int i = 0; i < 3; i++) assert_int_equal(plait_process_free(children[i]), 0);
    plait_free(gates);
}

static int wait_for_parent(void *argument)
{
    plait_event *go = *(plait_event **)argument;
    plait_waitable things[] = { { PLAIT_WAIT_PROCESS, .object = plait_parent_process() }, { PLAIT_WAIT_EVENT, .object = go } };
    CHECK(plait_wait(things, 1, PLAIT_NOW) == -ETIMEDOUT && plait_wait(things, 1, plait_after(0.007)) == -ETIMEDOUT);
    CHECK(plait_wait(things, 2, PLAIT_FOREVER) == 1 && things[1].ready);
    return 0;
}

static void the_parent_is_waited_for(void **state)
{
    plait_process *child = plait_start(wait_for_parent, &event, sizeof event, &(plait_process_options){ .method = PLAIT_FORK });
    plait_event_set(event);
    assert_int_equal(plait_process_join(child, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(child), 0);
    assert_int_equal(plait_process_free(child), 0);
}

static int end_of_parent(void *argument)
{
    int out = *(int *)argument;
    plait_waitable things[] = { { PLAIT_WAIT_PROCESS, .object = plait_parent_process() }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] } };
    CHECK(write(out, "b", 1) == 1);
    CHECK(plait_wait(things, 2, PLAIT_FOREVER) == 1 && things[0].ready);
    CHECK(write(out, "e", 1) == 1);
    return 0;
}

__attribute__((noreturn)) static int be_a_parent(void *argument)
{
    plait_process *child = plait_start(end_of_parent, argument, sizeof(int),
                                       &(plait_process_options){ .method = PLAIT_FORK, .detached = 1 });
    CHECK(child);
    for (;;) pause();
}

static void the_end_of_the_parent_is_waited_for(void **state)
{
    int out[2];
    char byte;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    plait_process *parent = plait_start(be_a_parent, &out[1], sizeof out[1], &(plait_process_options){ .method = PLAIT_FORK });
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(plait_process_kill(parent), 0);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(byte, 'e');
    assert_int_equal(plait_process_join(parent, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_free(parent), 0);
    close(out[0]);
    close(out[1]);
}

static int wait_for_itself(void *argument)
{
    plait_waitable self = { PLAIT_WAIT_THREAD, .object = plait_current_thread() };
    CHECK(plait_wait(&self, 1, PLAIT_FOREVER) == -EDEADLK);
    plait_waitable process = { PLAIT_WAIT_PROCESS, .object = plait_current_process() };
    CHECK(plait_wait(&process, 1, PLAIT_FOREVER) == -EDEADLK);
    return 0;
}

static void ends_that_nobody_can_wait_for(void **state)
{
    plait_process *thread = plait_start(wait_for_itself, NULL, 0, &(plait_process_options){ .kind = PLAIT_THREADS });
    assert_int_equal(plait_process_join(thread, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(thread), 0);
    assert_int_equal(plait_process_free(thread), 0);
    plait_process *fresh = plait_process_new(wait_for_itself, NULL, 0, NULL);
    plait_waitable thing = { PLAIT_WAIT_PROCESS, .object = fresh };
    assert_int_equal(plait_wait(&thing, 1, PLAIT_FOREVER), PLAIT_ENOTSTARTED);
    assert_int_equal(plait_process_free(fresh), 0);
}

/* ---- two who wait for one message ---- */

static plait_queue *queue;

static struct notes {
    _Atomic int got, seen;
} *notes;

/* It tells of the message, and leaves it. */
static int wait_and_leave(void)
{
    plait_waitable things[] = { { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_EVENT, .object = event } };
    CHECK(plait_wait(things, 2, PLAIT_FOREVER) > 0);
    notes->seen++;
    return 0;
}

static int wait_with_descriptor_and_leave(void)
{
    plait_waitable things[] = { { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] } };
    CHECK(plait_wait(things, 2, PLAIT_FOREVER) > 0);
    notes->seen++;
    return 0;
}

static int get_it(void)
{
    char byte;
    CHECK(plait_queue_get(queue, &byte, 1, PLAIT_FOREVER) == 1);
    notes->got++;
    return 0;
}

/* The kernel wakes who came first. */
static void who_leaves_a_message_passes_it_on(void **state)
{
    test_family();
    notes = test_shared(sizeof *notes);
    queue = plait_queue_new(NULL);
    struct member waiters[3], getter;
    for (int i = 0; i < 3; i++) {
        waiters[i] = member_start(i == 1 ? wait_with_descriptor_and_leave : wait_and_leave);
        member_until_sleeps(&waiters[i]);
    }
    getter = member_start(get_it);
    member_until_sleeps(&getter);
    assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), 0);
    assert_int_equal(member_wait(&getter, "the getter, beside its message"), 0);
    assert_int_equal(notes->got, 1);
    plait_event_set(event);
    assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(member_wait(&waiters[i], "a waiter"), 0);
    member_all_leave();
    assert_int_equal(plait_queue_free(queue), 0);
}

/* ---- deaths of others ---- */

/* As if it had died between the two. */
static int put_without_a_wake(void)
{
    plait__set_without(PLAIT__WITHOUT_RINGS);
    CHECK(plait_event_set(event) == 0);
    raise(SIGKILL);
    return 0;
}

static void start_waiter(struct member *waiter, int (*body)(void))
{
    *waiter = member_start(body);
    member_until_sleeps(waiter);
}

static int wait_for_event_or_descriptor(void)
{
    plait_waitable things[] = { { PLAIT_WAIT_EVENT, .object = event }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] } };
    CHECK(plait_wait(things, 2, PLAIT_FOREVER) == 1);
    return 0;
}

static void a_death_before_the_ring_is_a_ring(void **state)
{
    struct member waiter, setter;
    test_family();
    start_waiter(&waiter, wait_for_event_or_descriptor);
    setter = member_start(put_without_a_wake);
    assert_int_equal(member_wait(&setter, "the setter"), -SIGKILL);
    assert_int_equal(member_wait(&waiter, "the waiter, beside an event that is set"), 0);
    member_all_leave();
}

static int set_out_of_reach(void)
{
    plait__set_without(PLAIT__WITHOUT_RINGS);
    CHECK(plait_event_set(event) == 0);
    return 0;
}

static void where_bells_do_not_reach_the_waiter_looks_by_itself(void **state)
{
    struct member waiter, setter;
    test_family();
    start_waiter(&waiter, wait_for_event_or_descriptor);
    setter = member_start(set_out_of_reach);
    assert_int_equal(member_wait(&setter, "the setter"), 0);
    assert_int_equal(member_wait(&waiter, "the waiter, beside an event that is set"), 0);
    member_all_leave();
}

static uint32_t bells_in_use(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < atomic_load(&plait__roster->bells); i++) count += atomic_load(&plait__roster->bell[i].owner) != 0;
    return count;
}

static void the_bell_of_a_dead_one_is_silenced(void **state)
{
    struct member waiter;
    test_family();
    for (int i = 0; i < 3; i++) {
        start_waiter(&waiter, wait_for_event_or_descriptor);
        assert_int_equal(bells_in_use(), 1);
        member_kill(&waiter);
        member_until_repaired(waiter.slot);
        assert_int_equal(bells_in_use(), 0);
    }
    assert_int_equal(atomic_load(&plait__roster->bells), 1);
    start_waiter(&waiter, wait_for_event_or_descriptor);
    plait_event_set(event);
    assert_int_equal(member_wait(&waiter, "a waiter"), 0);
    member_all_leave();
    assert_int_equal(bells_in_use(), 0);
}

static int wait_in_thread(void *unused)
{
    return wait_for_event_or_descriptor();
}

static int child_of_fork(void *unused)
{
    plait_waitable things[] = { { PLAIT_WAIT_EVENT, .object = event }, { PLAIT_WAIT_FD, .fd = pipe_ends[0] } };
    CHECK(plait_wait(things, 2, PLAIT_FOREVER) == 1);
    return 0;
}

/* Each has a bell of its own, and both are rung. */
static void a_fork_while_another_thread_waits(void **state)
{
    struct test_thread thread;
    test_thread_start(&thread, wait_in_thread, NULL);
    test_until_sleeps(thread.tid);
    const pid_t child = test_fork(child_of_fork, NULL);
    test_until_sleeps(child);
    assert_int_equal(plait_event_set(event), 0);
    assert_int_equal(test_wait_exit(child), 0);
    assert_int_equal(test_thread_join(&thread), 0);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    TEST(bells_of_this_incarnation_are_not_forgotten),
    TEST(a_child_is_waited_for_however_it_was_started),
    TEST(a_child_of_the_forkserver_is_waited_for),
    TEST(a_thread_is_waited_for),
    TEST(a_killed_child_is_waited_for),
    TEST(a_killed_child_of_the_forkserver_is_waited_for),
    TEST(the_first_of_many_is_told),
    TEST(the_parent_is_waited_for),
    TEST(the_end_of_the_parent_is_waited_for),
    TEST(ends_that_nobody_can_wait_for),
    TEST(who_leaves_a_message_passes_it_on),
    TEST(a_death_before_the_ring_is_a_ring),
    TEST(where_bells_do_not_reach_the_waiter_looks_by_itself),
    TEST(the_bell_of_a_dead_one_is_silenced),
    TEST(a_fork_while_another_thread_waits),
};
TEST_MAIN(tests)
