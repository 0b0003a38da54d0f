/* Closing: no more puts, gets drain it, and nobody stays asleep. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/queue.h>

struct scene {
    plait_queue *queue;
    _Atomic int owned, go, done, sum;
    int getters;                                        /* how many have to be done before the putter ends */
};

static struct scene *scene;

static void new_scene(plait_queue_options options)
{
    scene = test_shared(sizeof *scene);
    assert_non_null(scene->queue = plait_queue_new(&options));
}

static int put(int number)
{
    return plait_queue_put(scene->queue, &number, sizeof number, PLAIT_FOREVER);
}

/* The number that was taken, or the error. */
static int get(void)
{
    int number;
    const ssize_t got = plait_queue_get(scene->queue, &number, sizeof number, PLAIT_FOREVER);
    return got < 0 ? (int)got : number;
}

/* As children: an error as an exit code. */
static int code(int result)
{
    return result == PLAIT_ECLOSED ? 77 : result < 0 ? 78 : result;
}

static int gets(void *unused)
{
    const int got = get();
    plait_leave();
    return code(got);
}

static int puts_five(void *unused)
{
    const int result = put(5);
    plait_leave();
    return code(result);
}

static int looks(void *unused)
{
    const ssize_t size = plait_queue_next_size(scene->queue, PLAIT_FOREVER);
    plait_leave();
    return code((int)size);
}

static int leases(void *unused)
{
    plait_lease lease;
    int number;
    const ssize_t got = plait_queue_lease(scene->queue, &number, sizeof number, &lease, PLAIT_FOREVER);
    CHECK(got < 0 || plait_queue_ack(scene->queue, lease) == 0);
    plait_leave();
    return code(got < 0 ? (int)got : number);
}

/* --- plainly --------------------------------------------------------------------------------------------------------------- */

static void nothing_can_be_put_into_a_closed_queue(void **state)
{
    new_scene((plait_queue_options){ 0 });
    assert_int_equal(plait_queue_close(scene->queue), 0);
    assert_int_equal(put(1), PLAIT_ECLOSED);
    assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_NOW), PLAIT_ECLOSED);
    assert_int_equal(plait_queue_qsize(scene->queue), 0);
    assert_int_equal(get(), PLAIT_ECLOSED);
    assert_int_equal(plait_queue_next_size(scene->queue, PLAIT_NOW), PLAIT_ECLOSED);
    assert_int_equal(plait_queue_free(scene->queue), 0);
}

static void what_was_put_before_can_be_got(void **state)
{
    new_scene((plait_queue_options){ 0 });
    for (int i = 0; i < 10; i++) assert_int_equal(put(i), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(plait_queue_close(scene->queue), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(plait_queue_next_size(scene->queue, PLAIT_NOW), sizeof i);
        assert_int_equal(plait_queue_qsize(scene->queue), 10 - i);
        assert_int_equal(put(1), PLAIT_ECLOSED);
        assert_int_equal(get(), i);
    }
    for (int i = 0; i < 3; i++) assert_int_equal(get(), PLAIT_ECLOSED);
    assert_int_equal(plait_queue_close(scene->queue), 0);
}

static void a_short_buffer_is_told_in_a_closed_queue_too(void **state)
{
    char byte;
    new_scene((plait_queue_options){ 0 });
    assert_int_equal(put(3), 0);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    assert_int_equal(plait_queue_get(scene->queue, &byte, 1, PLAIT_FOREVER), -EMSGSIZE);
    assert_int_equal(get(), 3);
    assert_int_equal(plait_queue_get(scene->queue, &byte, 1, PLAIT_FOREVER), PLAIT_ECLOSED);
}

static void a_full_queue_can_be_closed(void **state)
{
    new_scene((plait_queue_options){ .maxsize = 1 });
    assert_int_equal(put(1), 0);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    assert_int_equal(put(2), PLAIT_ECLOSED);
    assert_int_equal(get(), 1);
    assert_int_equal(put(2), PLAIT_ECLOSED);
    assert_int_equal(get(), PLAIT_ECLOSED);
}

/* --- sleepers -------------------------------------------------------------------------------------------------------------- */

static void check_all_wake(int (*body)(void *argument), int expected)
{
    pid_t children[6];
    for (int i = 0; i < 6; i++) children[i] = test_fork(body, NULL);
    for (int i = 0; i < 6; i++) i % 2 ? test_until_waits(children[i]) : test_until_watches(children[i]);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    for (int i = 0; i < 6; i++) assert_int_equal(test_wait_exit(children[i]), expected);
}

static void sleeping_getters_wake(void **state)
{
    new_scene((plait_queue_options){ 0 });
    check_all_wake(gets, 77);
}

static void sleeping_lookers_wake(void **state)
{
    new_scene((plait_queue_options){ 0 });
    check_all_wake(looks, 77);
}

static void sleeping_leasers_wake(void **state)
{
    new_scene((plait_queue_options){ .leases = 1 });
    check_all_wake(leases, 77);
}

static void sleeping_putters_wake_where_maxsize_keeps_them(void **state)
{
    new_scene((plait_queue_options){ .maxsize = 1 });
    assert_int_equal(put(1), 0);
    check_all_wake(puts_five, 77);
    assert_int_equal(get(), 1);
    assert_int_equal(get(), PLAIT_ECLOSED);
}

static void fill_ring(void)
{
    static const char big[504];
    assert_int_equal(plait_queue_put(scene->queue, big, 496, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_put(scene->queue, big, 496, PLAIT_NOW), 0);
}

static void sleeping_putters_wake_where_there_is_no_room(void **state)
{
    new_scene((plait_queue_options){ .capacity = 1024 });
    fill_ring();
    check_all_wake(puts_five, 77);
    assert_int_equal(plait_queue_qsize(scene->queue), 2);
}

static void sleeping_putters_wake_where_leases_keep_the_room(void **state)
{
    char buffer[512];
    plait_lease lease;
    new_scene((plait_queue_options){ .capacity = 1024, .leases = 1 });
    fill_ring();
    for (int i = 0; i < 2; i++)
        assert_int_equal(plait_queue_lease(scene->queue, buffer, sizeof buffer, &lease, PLAIT_NOW), 496);
    check_all_wake(puts_five, 77);
}

static int closes_and_dies(void *unused)
{
    return plait_queue_close(scene->queue);
}

static void another_process_may_close_it(void **state)
{
    new_scene((plait_queue_options){ 0 });
    const pid_t sleeper = test_fork(gets, NULL);
    test_until_watches(sleeper);
    assert_int_equal(test_wait_exit(test_fork(closes_and_dies, NULL)), 0);
    assert_int_equal(test_wait_exit(sleeper), 77);
    assert_int_equal(get(), PLAIT_ECLOSED);
}

/* --- a put that had begun -------------------------------------------------------------------------------------------------- */

static void stop_when_owned(enum plait__point point)
{
    if (point != PLAIT__POINT_QUEUE_OWNED) return;
    atomic_store(&scene->owned, 1);
    test_until_set(&scene->go);
}

static int puts_slowly(void *unused)
{
    plait__point_hook = stop_when_owned;
    const int result = put(5);
    test_until_at_least(&scene->done, scene->getters);
    plait_leave();
    return code(result);
}

/* A put that has begun to write when the queue is closed, and sleepers that can only wait for it. */
static pid_t begin_put_and_close(void)
{
    const pid_t putter = test_fork(puts_slowly, NULL);
    test_until_set(&scene->owned);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    return putter;
}

static void a_put_that_had_begun_is_still_done(void **state)
{
    new_scene((plait_queue_options){ 0 });
    const pid_t putter = begin_put_and_close();
    const pid_t getter = test_fork(gets, NULL);
    test_until_watches(getter);
    atomic_store(&scene->go, 1);
    assert_int_equal(test_wait_exit(putter), 0);
    assert_int_equal(test_wait_exit(getter), 5);
    assert_int_equal(get(), PLAIT_ECLOSED);
}

/* Whoever gets something stays: an end would wake others, which is not what they should wake by. */
static int gets_and_stays(void *unused)
{
    atomic_fetch_add(&scene->sum, code(get()));
    atomic_fetch_add(&scene->done, 1);
    for (;;) pause();
    return 0;
}

static void check_one_gets_it_and_others_the_end(plait_queue_options options)
{
    pid_t getters[5];
    new_scene(options);
    scene->getters = 5;
    for (int i = 0; i < 5; i++) getters[i] = test_fork(gets_and_stays, NULL);
    for (int i = 0; i < 5; i++) test_until_watches(getters[i]);
    const pid_t putter = begin_put_and_close();
    for (int i = 0; i < 5; i++) test_until_watches(getters[i]);            /* each has looked, and sleeps again */
    atomic_store(&scene->go, 1);
    test_until_at_least(&scene->done, 5);
    assert_int_equal(scene->sum, 5 + 4 * 77);
    assert_int_equal(test_wait_exit(putter), 0);
    for (int i = 0; i < 5; i++) test_kill(getters[i]);
}

static void its_message_is_for_one_and_the_end_for_the_others(void **state)
{
    check_one_gets_it_and_others_the_end((plait_queue_options){ 0 });
}

static void its_message_is_for_one_and_the_end_for_the_others_with_leases(void **state)
{
    check_one_gets_it_and_others_the_end((plait_queue_options){ .leases = 1 });
}

static void its_death_ends_the_queue(void **state)
{
    pid_t getters[3];
    new_scene((plait_queue_options){ 0 });
    for (int i = 0; i < 3; i++) getters[i] = test_fork(gets, NULL);
    for (int i = 0; i < 3; i++) test_until_watches(getters[i]);
    const pid_t putter = begin_put_and_close();
    for (int i = 0; i < 3; i++) test_until_watches(getters[i]);
    test_kill(putter);
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(getters[i]), 77);
}

/* --- with leases ----------------------------------------------------------------------------------------------------------- */

static void a_closed_queue_ends_after_the_last_lease(void **state)
{
    plait_lease lease[3];
    int number;
    new_scene((plait_queue_options){ .leases = 1 });
    for (int i = 0; i < 3; i++) assert_int_equal(put(i), 0);
    for (int i = 0; i < 3; i++) assert_true(plait_queue_lease(scene->queue, &number, sizeof number, &lease[i], PLAIT_NOW) > 0);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    const pid_t getter = test_fork(gets, NULL), looker = test_fork(looks, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(plait_queue_get(scene->queue, &number, sizeof number, PLAIT_NOW), -ETIMEDOUT);
        test_until_watches(getter);
        test_until_watches(looker);
        assert_int_equal(plait_queue_ack(scene->queue, lease[(i + 1) % 3]), 0);
    }
    assert_int_equal(test_wait_exit(getter), 77);
    assert_int_equal(test_wait_exit(looker), 77);
    assert_int_equal(get(), PLAIT_ECLOSED);
}

static void what_comes_back_to_a_closed_queue_can_be_got(void **state)
{
    plait_lease lease;
    int number;
    new_scene((plait_queue_options){ .leases = 1 });
    assert_int_equal(put(4), 0);
    assert_true(plait_queue_lease(scene->queue, &number, sizeof number, &lease, PLAIT_NOW) > 0);
    assert_int_equal(plait_queue_close(scene->queue), 0);
    pid_t getters[3];
    for (int i = 0; i < 3; i++) getters[i] = test_fork(i % 2 ? leases : gets, NULL);
    for (int i = 0; i < 3; i++) test_until_watches(getters[i]);
    assert_int_equal(plait_queue_giveback(scene->queue, lease), 0);
    int sum = 0;
    for (int i = 0; i < 3; i++) sum += test_wait_exit(getters[i]);
    assert_int_equal(sum, 4 + 2 * 77);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_can_be_put_into_a_closed_queue),
    cmocka_unit_test(what_was_put_before_can_be_got),
    cmocka_unit_test(a_short_buffer_is_told_in_a_closed_queue_too),
    cmocka_unit_test(a_full_queue_can_be_closed),
    cmocka_unit_test(sleeping_getters_wake),
    cmocka_unit_test(sleeping_lookers_wake),
    cmocka_unit_test(sleeping_leasers_wake),
    cmocka_unit_test(sleeping_putters_wake_where_maxsize_keeps_them),
    cmocka_unit_test(sleeping_putters_wake_where_there_is_no_room),
    cmocka_unit_test(sleeping_putters_wake_where_leases_keep_the_room),
    cmocka_unit_test(another_process_may_close_it),
    cmocka_unit_test(a_put_that_had_begun_is_still_done),
    cmocka_unit_test(its_message_is_for_one_and_the_end_for_the_others),
    cmocka_unit_test(its_message_is_for_one_and_the_end_for_the_others_with_leases),
    cmocka_unit_test(its_death_ends_the_queue),
    cmocka_unit_test(a_closed_queue_ends_after_the_last_lease),
    cmocka_unit_test(what_comes_back_to_a_closed_queue_can_be_got),
};
TEST_MAIN(tests)
