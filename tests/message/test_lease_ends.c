/* Leases of those who end: the message comes back, before all others, and knows how often. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/queue.h>

struct scene {
    plait_queue *queue;
    _Atomic int leased, done;
    plait_lease lease;
    int number;
};

static struct scene *scene;

static int make_scene(void **state)
{
    scene = test_shared(sizeof *scene);
    scene->queue = plait_queue_new(&(plait_queue_options){ .leases = 1 });
    return scene->queue ? 0 : -1;
}

static int free_scene(void **state)
{
    return plait_queue_free(scene->queue);
}

static void put(int number)
{
    assert_int_equal(plait_queue_put(scene->queue, &number, sizeof number, PLAIT_NOW), 0);
}

static int lease_next(plait_lease *lease, plait_deadline deadline)
{
    int number;
    const ssize_t got = plait_queue_lease(scene->queue, &number, sizeof number, lease, deadline);
    return got < 0 ? (int)got : number;
}

static int get_next(plait_deadline deadline)
{
    int number;
    const ssize_t got = plait_queue_get(scene->queue, &number, sizeof number, deadline);
    return got < 0 ? (int)got : number;
}

/* --- takers ------------------------------------------------------------------------------------------------------------------ */

static void take_a_lease(void)
{
    scene->number = lease_next(&scene->lease, PLAIT_FOREVER);
    CHECK(scene->number >= 0);
    atomic_fetch_add(&scene->leased, 1);
}

static int leases_and_dies(void *unused)
{
    take_a_lease();
    return 0;
}

static int leases_and_leaves(void *unused)
{
    take_a_lease();
    plait_leave();
    return 0;
}

static int leases_and_exits(void *unused)
{
    take_a_lease();
    exit(0);
}

static int leases_and_waits(void *unused)
{
    take_a_lease();
    for (;;) pause();
    return 0;
}

static int leases_and_becomes_another_program(void *unused)
{
    take_a_lease();
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static int leases_and_acknowledges(void *unused)
{
    plait_lease lease;
    const int got = lease_next(&lease, PLAIT_FOREVER);
    CHECK(plait_queue_ack(scene->queue, lease) == 0);
    plait_leave();
    return got + (int)lease.attempts * 10;
}

/* --- one after the other --------------------------------------------------------------------------------------------------- */

static void check_comes_back(int (*takers_end)(void *argument))
{
    put(1);
    put(2);
    for (uint32_t attempts = 0; attempts < 3; attempts++) {
        assert_int_equal(test_wait_exit(test_fork(takers_end, NULL)), 0);
        test_notice_deaths();
        assert_int_equal(scene->number, 1);
        assert_int_equal(scene->lease.attempts, attempts);
        assert_int_equal(plait_queue_ack(scene->queue, scene->lease), PLAIT_ENOLEASE);
    }
    plait_lease lease;
    assert_int_equal(lease_next(&lease, PLAIT_NOW), 1);
    assert_int_equal(lease.attempts, 3);
    assert_int_equal(plait_queue_ack(scene->queue, lease), 0);
    assert_int_equal(lease_next(&lease, PLAIT_NOW), 2);
    assert_int_equal(lease.attempts, 0);
    assert_int_equal(plait_queue_ack(scene->queue, lease), 0);
}

static void the_lease_of_the_dead_comes_back(void **state) { check_comes_back(leases_and_dies); }
static void the_lease_of_a_leaver_comes_back(void **state) { check_comes_back(leases_and_leaves); }
static void the_lease_of_who_exits_comes_back(void **state) { check_comes_back(leases_and_exits); }
static void the_lease_of_another_program_comes_back(void **state) { check_comes_back(leases_and_becomes_another_program); }

static void a_plain_get_takes_what_came_back(void **state)
{
    put(1);
    put(2);
    assert_int_equal(test_wait_exit(test_fork(leases_and_dies, NULL)), 0);
    test_notice_deaths();
    assert_int_equal(plait_queue_next_size(scene->queue, PLAIT_FOREVER), sizeof(int));
    assert_int_equal(get_next(PLAIT_FOREVER), 1);
    assert_int_equal(get_next(PLAIT_FOREVER), 2);
    assert_int_equal(get_next(PLAIT_NOW), -ETIMEDOUT);
}

/* Nobody sleeps, who would notice the death: whoever finds nothing looks for itself. */
static void whoever_only_polls_finds_what_came_back(void **state)
{
    plait_lease lease;
    for (int way = 0; way < 3; way++) {
        put(1);
        assert_int_equal(test_wait_exit(test_fork(leases_and_dies, NULL)), 0);
        if (plait__without(PLAIT__WITHOUT_ROBUST)) test_notice_deaths();
        if (way == 0) assert_int_equal(plait_queue_next_size(scene->queue, PLAIT_NOW), sizeof(int));
        if (way <= 1) assert_int_equal(get_next(PLAIT_NOW), 1);
        if (way == 2) assert_int_equal(lease_next(&lease, PLAIT_NOW), 1);
        if (way == 2) assert_int_equal(lease.attempts, 1);
    }
}

static void the_leases_of_many_dead_come_back_in_order(void **state)
{
    pid_t takers[10];
    for (int i = 0; i < 12; i++) put(i);
    for (int i = 0; i < 10; i++) {
        takers[i] = test_fork(leases_and_waits, NULL);
        test_until_at_least(&scene->leased, i + 1);
        assert_int_equal(scene->number, i);
    }
    for (int i = 9; i >= 0; i--)
        if (i != 3 && i != 7) test_kill(takers[i]);
    test_notice_deaths();
    for (int i = 0; i < 12; i++)
        if (i != 3 && i != 7) assert_int_equal(get_next(PLAIT_FOREVER), i);
    assert_int_equal(get_next(PLAIT_NOW), -ETIMEDOUT);
    test_kill(takers[3]);
    test_kill(takers[7]);
    test_notice_deaths();
    assert_int_equal(get_next(PLAIT_FOREVER), 3);
    assert_int_equal(get_next(PLAIT_FOREVER), 7);
}

static void a_stopped_taker_keeps_its_lease(void **state)
{
    put(1);
    const pid_t taker = test_fork(leases_and_waits, NULL);
    test_until_set(&scene->leased);
    test_stop(taker);
    assert_int_equal(get_next(plait_after(0.02)), -ETIMEDOUT);
    put(2);
    assert_int_equal(test_wait_exit(test_fork(leases_and_dies, NULL)), 0);
    test_notice_deaths();
    assert_int_equal(get_next(PLAIT_FOREVER), 2);          /* another's death makes it look over all leases */
    assert_int_equal(get_next(plait_after(0.02)), -ETIMEDOUT);
    test_kill(taker);
    assert_int_equal(get_next(PLAIT_FOREVER), 1);
}

/* --- while others sleep ------------------------------------------------------------------------------------------------------- */

static void a_sleeper_is_woken_by_a_death(void **state)
{
    put(1);
    const pid_t taker = test_fork(leases_and_waits, NULL);
    test_until_set(&scene->leased);
    const pid_t sleeper = test_fork(leases_and_acknowledges, NULL), other = test_fork(leases_and_acknowledges, NULL);
    test_until_watches(sleeper);
    test_until_watches(other);
    test_kill(taker);
    test_until_no_member(taker);
    put(2);
    assert_int_equal(test_wait_exit(sleeper) + test_wait_exit(other), 1 + 10 + 2);
}

static int leases_and_leaves_when_told(void *unused)
{
    take_a_lease();
    test_until_set(&scene->done);
    plait_leave();
    return 0;
}

static int leases_and_exits_when_told(void *unused)
{
    take_a_lease();
    test_until_set(&scene->done);
    exit(0);
}

static void check_a_sleeper_is_woken(int (*takers_end)(void *argument))
{
    put(1);
    const pid_t taker = test_fork(takers_end, NULL);
    test_until_set(&scene->leased);
    const pid_t sleeper = test_fork(leases_and_acknowledges, NULL);
    test_until_watches(sleeper);
    atomic_store(&scene->done, 1);
    assert_int_equal(test_wait_exit(sleeper), 11);
    assert_int_equal(test_wait_exit(taker), 0);
}

static void a_sleeper_is_woken_when_a_taker_leaves(void **state) { check_a_sleeper_is_woken(leases_and_leaves_when_told); }
static void a_sleeper_is_woken_when_a_taker_exits(void **state) { check_a_sleeper_is_woken(leases_and_exits_when_told); }

static int leases_and_gives_back_when_told(void *unused)
{
    take_a_lease();
    test_until_set(&scene->done);
    CHECK(plait_queue_giveback(scene->queue, scene->lease) == 0);
    for (;;) pause();
    return 0;
}

static void a_sleeper_is_woken_by_a_giveback(void **state)
{
    put(1);
    const pid_t taker = test_fork(leases_and_gives_back_when_told, NULL);
    test_until_set(&scene->leased);
    const pid_t sleeper = test_fork(leases_and_acknowledges, NULL);
    test_until_watches(sleeper);
    atomic_store(&scene->done, 1);
    assert_int_equal(test_wait_exit(sleeper), 11);
    test_kill(taker);
}

static void a_closed_queue_waits_for_the_dead(void **state)
{
    put(1);
    const pid_t taker = test_fork(leases_and_waits, NULL);
    test_until_set(&scene->leased);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    const pid_t sleeper = test_fork(leases_and_acknowledges, NULL);
    test_until_watches(sleeper);
    test_kill(taker);
    assert_int_equal(test_wait_exit(sleeper), 11);
    assert_int_equal(get_next(PLAIT_FOREVER), PLAIT_ECLOSED);
}

static int puts_into_a_full_ring(void *unused)
{
    char text[504] = "";
    const int result = plait_queue_put(scene->queue, text, sizeof text, PLAIT_FOREVER);
    plait_leave();
    return result;
}

/* The room of a dead taker's message is free when somebody else has done with it. */
static void a_putter_sleeps_until_the_message_of_the_dead_is_done(void **state)
{
    char text[504] = "";
    assert_int_equal(plait_queue_free(scene->queue), 0);
    scene->queue = plait_queue_new(&(plait_queue_options){ .capacity = 1024, .leases = 1 });
    put(1);
    assert_int_equal(plait_queue_put(scene->queue, text, sizeof text, PLAIT_NOW), 0);
    const pid_t taker = test_fork(leases_and_waits, NULL);
    test_until_set(&scene->leased);
    const pid_t putter = test_fork(puts_into_a_full_ring, NULL);
    test_until_watches(putter);
    assert_int_equal(plait_queue_get(scene->queue, text, sizeof text, PLAIT_NOW), sizeof text);
    test_until_watches(putter);                         /* what was taken before is still in the way */
    test_kill(taker);
    assert_int_equal(get_next(PLAIT_FOREVER), 1);
    assert_int_equal(test_wait_exit(putter), 0);
}

/* Without an end, the numbers of slots and lives must not be mistaken for those of earlier takers. */
static void many_takers_in_the_same_slots(void **state)
{
    for (int i = 0; i < 5; i++) put(i);
    for (uint32_t round = 0; round < 60; round++) {
        assert_int_equal(test_wait_exit(test_fork(round % 2 ? leases_and_dies : leases_and_leaves, NULL)), 0);
        test_notice_deaths();
        assert_int_equal(scene->number, 0);
        assert_int_equal(scene->lease.attempts, round);
    }
    for (int i = 0; i < 5; i++) assert_int_equal(get_next(PLAIT_NOW), i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(the_lease_of_the_dead_comes_back),
    TEST(the_lease_of_a_leaver_comes_back),
    TEST(the_lease_of_who_exits_comes_back),
    TEST(the_lease_of_another_program_comes_back),
    TEST(a_plain_get_takes_what_came_back),
    TEST(whoever_only_polls_finds_what_came_back),
    TEST(the_leases_of_many_dead_come_back_in_order),
    TEST(a_stopped_taker_keeps_its_lease),
    TEST(a_sleeper_is_woken_by_a_death),
    TEST(a_sleeper_is_woken_when_a_taker_leaves),
    TEST(a_sleeper_is_woken_when_a_taker_exits),
    TEST(a_sleeper_is_woken_by_a_giveback),
    TEST(a_closed_queue_waits_for_the_dead),
    TEST(a_putter_sleeps_until_the_message_of_the_dead_is_done),
    TEST(many_takers_in_the_same_slots),
};
TEST_MAIN(tests)
