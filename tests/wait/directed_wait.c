/* Moments of a wait among descriptors that no random test finds: what changes between its looks, the arming of its bell, and its
 * sleep.  Those who wait here get up by themselves only after a minute, so who is not rung is stuck. */
#include "hold.h"
#include "member.h"

#include <fcntl.h>
#include <signal.h>

#include <plait.h>

#include "arena/map.h"
#include "base/deadline.h"
#include "base/fault.h"
#include "family/bell.h"
#include "family/repair.h"
#include "family/roster.h"

static plait_queue *queue;
static plait_event *event;
static plait_semaphore *semaphore;
static int pipe_ends[2];

static struct notes {
    int point, times;
    _Atomic int told, go;
} *notes;

static int set_up(void **state)
{
    test_family();
    plait__test_short_sleep = plait__test_round = 60 * PLAIT__SECOND;
    notes = test_shared(sizeof *notes);
    queue = plait_queue_new(NULL);
    event = plait_event_new();
    semaphore = plait_semaphore_new(0);
    hold_forget();
    return queue && event && semaphore && pipe2(pipe_ends, O_CLOEXEC) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    member_all_leave();
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    int error = plait_queue_free(queue) | plait_event_free(event) | plait_semaphore_free(semaphore);
    plait_leave();
    return error;
}

static int wait_for_all(void)
{
    plait_waitable things[] = {
        { PLAIT_WAIT_QUEUE, .object = queue }, { PLAIT_WAIT_EVENT, .object = event }, { PLAIT_WAIT_SEMAPHORE, .object = semaphore },
        { PLAIT_WAIT_FD, .fd = pipe_ends[0] },
    };
    const int ready = plait_wait(things, 4, PLAIT_FOREVER);
    CHECK(ready == 1);
    return 0;
}

static int wait_held(void)
{
    hold_at((enum plait__point)notes->point, notes->times);
    return wait_for_all();
}

static void put_it(void)
{
    MUST(plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0);
}

static void set_it(void)
{
    MUST(plait_event_set(event) == 0);
}

static void release_it(void)
{
    MUST(plait_semaphore_release(semaphore) == 0);
}

static void write_it(void)
{
    MUST(write(pipe_ends[1], "x", 1) == 1);
}

static void take_all_back(void)
{
    char byte;
    (void)!plait_queue_get(queue, &byte, 1, PLAIT_NOW);
    plait_event_clear(event);
    (void)!plait_semaphore_acquire(semaphore, PLAIT_NOW);
}

static void (*const changes[])(void) = { put_it, set_it, release_it };
enum { CHANGES = 3 };

/* It is changed while the waiter is held there. */
static void a_change_at(enum plait__point point)
{
    for (int i = 0; i < CHANGES; i++) {
        notes->point = point;
        notes->times = 1;
        struct member waiter = member_start(wait_held);
        hold_until_there();
        changes[i]();
        hold_let_go();
        MUST(member_wait(&waiter, "the waiter, beside what is ready") == 0);
        member_all_leave();
        take_all_back();
        hold_forget();
    }
}

static void before_the_flags(void **state)
{
    a_change_at(PLAIT__POINT_BELL_ARMED);
}

static void before_the_sleep(void **state)
{
    a_change_at(PLAIT__POINT_SLEEP);
}

static void asleep(void **state)
{
    for (int i = 0; i < CHANGES + 1; i++) {
        struct member waiter = member_start(wait_for_all);
        member_until_sleeps(&waiter);
        i < CHANGES ? changes[i]() : write_it();
        MUST(member_wait(&waiter, "the waiter, beside what is ready") == 0);
        member_all_leave();
        take_all_back();
    }
}

/* Woken for a message that another takes, it sleeps again, and is woken for the next. */
static int wait_for_second(void)
{
    hold_at(PLAIT__POINT_BELL_ARMED, 2);
    return wait_for_all();
}

static void in_the_next_sleep(void **state)
{
    struct member waiter = member_start(wait_for_second);
    member_until_sleeps(&waiter);
    char byte;
    member_stop(&waiter);
    put_it();
    MUST(plait_queue_get(queue, &byte, 1, PLAIT_NOW) == 1);
    member_continue(&waiter);
    hold_until_there();
    put_it();
    hold_let_go();
    MUST(member_wait(&waiter, "the waiter, beside a message") == 0);
}

/* The same, when it has fallen asleep once more: the flag has gone up again, and what was rung before does not count. */
static void after_a_vain_ring(void **state)
{
    struct member waiter = member_start(wait_for_all);
    member_until_sleeps(&waiter);
    char byte;
    for (int i = 0; i < 20; i++) {
        member_stop(&waiter);
        for (int j = 0; j < 15; j++) {
            put_it();
            MUST(plait_queue_get(queue, &byte, 1, PLAIT_NOW) == 1);
            set_it();
            plait_event_clear(event);
        }
        member_continue(&waiter);
        member_until_sleeps(&waiter);
    }
    put_it();
    MUST(member_wait(&waiter, "the waiter, beside a message") == 0);
}

/* One who is about to ring, for an earlier sleep, does so in a later one: that is not the ring of who comes next. */
static int set_held(void)
{
    hold_at(PLAIT__POINT_BELL_RING, 1);
    CHECK(plait_event_set(event) == 0);
    return 0;
}

static int wait_again(void)
{
    char byte;
    CHECK(wait_for_all() == 0);
    CHECK(read(pipe_ends[0], &byte, 1) == 1);
    notes->told = 1;
    return wait_for_all();
}

static bool is_told(void *waiter)
{
    return notes->told && member_sleeps(waiter);
}

static void a_late_ring(void **state)
{
    struct member waiter = member_start(wait_again);
    member_until_sleeps(&waiter);
    struct member setter = member_start(set_held);
    hold_until_there();
    plait_event_clear(event);
    write_it();
    test_soon(is_told, &waiter, "the second wait");
    hold_let_go();
    MUST(member_wait(&setter, "the setter") == 0);
    member_until_sleeps(&waiter);
    put_it();
    MUST(member_wait(&waiter, "the waiter, beside a message") == 0);
}

/* A setter that dies before it rings: the one who repairs it does. */
static void a_death_before_the_ring(void **state)
{
    struct member waiter = member_start(wait_for_all);
    member_until_sleeps(&waiter);
    struct member setter = member_start(set_held);
    hold_until_there();
    member_kill(&setter);
    while (!plait__reap_all()) {}
    MUST(member_wait(&waiter, "the waiter, beside an event that is set") == 0);
}

/* Its descriptor may be closed by a program that does not know it: the next wait has another. */
static int wait_twice(void)
{
    char byte;
    CHECK(wait_for_all() == 0);
    CHECK(read(pipe_ends[0], &byte, 1) == 1);
    for (int fd = 3; fd < 100; fd++)
        if (fd != pipe_ends[0] && fd != plait__arena_fd) close(fd);
    notes->told = 1;
    CHECK(wait_for_all() == 0);
    return 0;
}

static void a_bell_that_was_closed(void **state)
{
    struct member waiter = member_start(wait_twice);
    member_until_sleeps(&waiter);
    write_it();
    test_soon(is_told, &waiter, "the second wait");
    set_it();
    MUST(member_wait(&waiter, "the waiter, beside an event that is set") == 0);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    TEST(before_the_flags),
    TEST(before_the_sleep),
    TEST(asleep),
    TEST(in_the_next_sleep),
    TEST(after_a_vain_ring),
    TEST(a_late_ring),
    TEST(a_death_before_the_ring),
    TEST(a_bell_that_was_closed),
};
TEST_MAIN(tests)
