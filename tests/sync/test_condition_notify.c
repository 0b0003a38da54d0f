/* Who is woken by whom: the condition between threads, with locks of its own and of others. */
#include "conditions.h"
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/condition.h>
#include <plait/error.h>

/* --- who is woken ------------------------------------------------------------------------------------------------------------- */

enum { MANY = 12 };

static struct scene {
    plait_condition *on;
    plait_deadline deadline;
    _Atomic int woken, late;
} scene;

static int waits(void *unused)
{
    lock(scene.on);
    const int result = plait_condition_wait(scene.on, scene.deadline);
    CHECK(result == 0 || result == -ETIMEDOUT);
    if (result) scene.late++;
    else scene.woken++;
    unlock(scene.on);
    plait_leave();
    return 0;
}

static struct test_thread threads[MANY];

/* So many more wait, asleep; or in the watchful sleep, which is another one. */
static void start(int from, int count, bool watching)
{
    for (int i = from; i < from + count; i++) test_thread_start(&threads[i], waits, NULL);
    for (int i = from; i < from + count; i++) {
        if (watching) test_until_watches(threads[i].tid);
        else test_until_waits(threads[i].tid);
    }
}

/* So many more, whose time may be up before anybody sees them sleep. */
static void start_late(int from, int count, double seconds)
{
    scene.deadline = plait_after(seconds);
    for (int i = from; i < from + count; i++) test_thread_start(&threads[i], waits, NULL);
    while (waiters_of(scene.on) < from + count && !scene.late) sched_yield();
}

static void set_scene(plait_condition *on, plait_deadline deadline)
{
    scene = (struct scene){ .on = on, .deadline = deadline };
}

static void end(int count)
{
    for (int i = 0; i < count; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
}

/* So many and no others, also those who are about to get up for a moment. */
static void must_be_woken(int count, int waiting)
{
    test_until_at_least(&scene.woken, count);
    usleep(20000);
    assert_int_equal(scene.woken, count);
    assert_int_equal(waiters_of(scene.on), waiting);
}

static void check_n_are_woken(bool watching)
{
    set_scene(condition, PLAIT_FOREVER);
    start(0, 6, watching);
    assert_int_equal(waiters_of(condition), 6);
    assert_int_equal(notify(condition, 1), 1);
    must_be_woken(1, 5);
    assert_int_equal(notify(condition, 2), 2);
    must_be_woken(3, 3);
    assert_int_equal(notify(condition, 100), 3);
    end(6);
    assert_int_equal(scene.woken, 6);
    assert_int_equal(waiters_of(condition), 0);
    assert_int_equal(notify(condition, 1), 0);
}

static void a_notify_wakes_so_many(void **state) { check_n_are_woken(true); }
static void a_notify_wakes_so_many_who_just_came(void **state) { check_n_are_woken(false); }

static void notify_all_wakes_all(void **state)
{
    set_scene(condition, PLAIT_FOREVER);
    for (int i = 0; i < 5; i++) {
        start(0, MANY, i % 2);
        lock(condition);
        assert_int_equal(plait_condition_notify_all(condition), MANY);
        unlock(condition);
        end(MANY);
        assert_int_equal(waiters_of(condition), 0);
    }
    assert_int_equal(scene.woken, 5 * MANY);
}

/* Two notifies with one more waiter between them: the second is not for those whom the first has chosen. */
static void notifies_add_up(void **state)
{
    set_scene(condition, PLAIT_FOREVER);
    start(0, 3, true);
    lock(condition);
    assert_int_equal(plait_condition_notify(condition, 1), 1);
    assert_int_equal(plait_condition_notify(condition, 1), 1);
    assert_int_equal(waiters_of(condition), 1);
    unlock(condition);
    must_be_woken(2, 1);
    assert_int_equal(notify(condition, 5), 1);
    end(3);
}

/* Who comes after a notify does not take it from those who had come before, and those before come first. */
static void who_comes_later_is_woken_later(void **state)
{
    static struct test_thread late;
    set_scene(condition, PLAIT_FOREVER);
    for (int i = 0; i < 20; i++) {
        scene.woken = 0;
        start(0, 3, false);
        lock(condition);
        assert_int_equal(plait_condition_notify(condition, 2), 2);     /* to some of them: one of the older group is left */
        unlock(condition);
        test_until_at_least(&scene.woken, 2);
        test_thread_start(&late, waits, NULL);
        test_until_waits(late.tid);
        assert_int_equal(waiters_of(condition), 2);
        assert_int_equal(notify(condition, 1), 1);
        end(3);                                            /* all three of the first: the late one still waits */
        assert_int_equal(scene.woken, 3);
        assert_int_equal(notify(condition, 1), 1);
        assert_int_equal(test_thread_join(&late), 0);
    }
}

/* Nor does the one who has notified, when it waits next. */
static void a_notify_is_not_for_who_comes_after_it(void **state)
{
    set_scene(condition, PLAIT_FOREVER);
    for (int i = 0; i < 20; i++) {
        start(0, 2, i % 2);
        lock(condition);
        assert_int_equal(plait_condition_notify(condition, 1), 1);
        assert_int_equal(plait_condition_wait(condition, plait_after(0.003)), -ETIMEDOUT);
        unlock(condition);
        test_until_at_least(&scene.woken, 2 * i + 1);
        assert_int_equal(notify(condition, 1), 1);
        end(2);
    }
}

/* One whose time was up is not among those to be woken. */
static void whose_time_is_up_takes_no_notify(void **state)
{
    for (int i = 0; i < 10; i++) {
        set_scene(condition, PLAIT_FOREVER);
        start(0, 1, true);
        start_late(1, 3, i % 2 ? 0.03 : 0.003);
        test_until_at_least(&scene.late, 3);
        for (int j = 1; j < 4; j++) assert_int_equal(test_thread_join(&threads[j]), 0);
        assert_int_equal(waiters_of(condition), 1);
        assert_int_equal(notify(condition, 1), 1);
        end(1);
        assert_int_equal(scene.woken, 1);
    }
}

/* Who was notified before it has the lock again is woken, also when its time is up meanwhile. */
static void a_notify_beats_the_deadline(void **state)
{
    for (int i = 0; i < 5; i++) {
        set_scene(condition, PLAIT_FOREVER);
        start_late(0, 1, 0.05);
        lock(condition);
        while (plait__now() < scene.deadline.at) usleep(1000);
        const int woken = plait_condition_notify(condition, 1);
        usleep(2000);
        unlock(condition);
        end(1);
        assert_int_equal(scene.woken, woken);               /* 0: it was late before the tester had the lock */
        assert_int_equal(scene.late, !woken);
    }
}

/* The time of one is up, and it waits for the lock, when one of two is notified: it, or the other, goes on with that. */
static void a_notify_takes_the_late_one_along(void **state)
{
    for (int i = 0; i < 20; i++) {
        set_scene(condition, PLAIT_FOREVER);
        start(0, 1, true);
        start_late(1, 1, 0.02);
        lock(condition);
        while (plait__now() < scene.deadline.at) usleep(1000);
        usleep(2000);
        assert_int_equal(plait_condition_notify(condition, 1), 1);
        unlock(condition);
        test_until_at_least(&scene.woken, 1);
        assert_int_equal(test_thread_join(&threads[1]), 0);
        if (!scene.late) assert_int_equal(notify(condition, 1), 1);
        end(1);
        assert_int_equal(scene.woken + scene.late, 2);
    }
}

/* --- with other locks, in other memory ------------------------------------------------------------------------------------------
 * */

static void check_works(plait_condition *of)
{
    set_scene(of, PLAIT_FOREVER);
    start(0, 2, true);
    assert_int_equal(notify(of, 1), 1);
    must_be_woken(1, 1);
    assert_int_equal(notify(of, 1), 1);
    end(2);
}

static void two_conditions_share_a_lock(void **state)
{
    struct buffer {
        plait_lock lock;
        plait_rlock rlock;
        plait_condition full, empty;
    } *buffer = plait_alloc(sizeof *buffer);
    const plait_condition_options both[] = { { .lock = &buffer->lock }, { .rlock = &buffer->rlock } };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plait_condition_init(&buffer->full, &both[i]), 0);
        assert_int_equal(plait_condition_init(&buffer->empty, &both[i]), 0);
        lock(&buffer->full);
        assert_int_equal(plait_condition_notify(&buffer->empty, 1), 0);
        assert_int_equal(plait_condition_notify_all(&buffer->full), 0);
        unlock(&buffer->empty);
        check_works(&buffer->full);
        check_works(&buffer->empty);
    }
    assert_int_equal(buffer->lock.word & 0xffff, 0);
    assert_int_equal(plait_free(buffer), 0);
}

static void it_can_stand_anywhere_in_zeroed_memory(void **state)
{
    plait_condition local = { 0 }, *heap = calloc(1, sizeof *heap);
    assert_int_equal(sizeof local, 80);
    check_works(&local);
    check_works(heap);
    free(heap);
}

/* --- taking turns ---------------------------------------------------------------------------------------------------------------
 * */

static struct turns {
    int turn, rounds, count;
} turns;

static int takes_turns(void *number)
{
    const int mine = *(int *)number;
    for (int i = 0; i < turns.rounds; i++) {
        lock(condition);
        while (turns.turn % turns.count != mine) CHECK(plait_condition_wait(condition, PLAIT_FOREVER) == 0);
        turns.turn++;
        CHECK(plait_condition_notify_all(condition) >= 0);
        unlock(condition);
    }
    return 0;
}

static void check_turns(int count, int rounds)
{
    int numbers[8];
    turns = (struct turns){ .rounds = rounds, .count = count };
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        test_thread_start(&threads[i], takes_turns, &numbers[i]);
    }
    end(count);
    assert_int_equal(turns.turn, count * rounds);
    assert_int_equal(waiters_of(condition), 0);
}

static void two_take_turns(void **state) { check_turns(2, 20000); }
static void eight_take_turns(void **state) { check_turns(8, 300); }

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_condition, free_condition)

static const struct CMUnitTest tests[] = {
    TEST(a_notify_wakes_so_many),
    TEST(a_notify_wakes_so_many_who_just_came),
    TEST(notify_all_wakes_all),
    TEST(notifies_add_up),
    TEST(who_comes_later_is_woken_later),
    TEST(a_notify_is_not_for_who_comes_after_it),
    TEST(whose_time_is_up_takes_no_notify),
    TEST(a_notify_beats_the_deadline),
    TEST(a_notify_takes_the_late_one_along),
    TEST(two_conditions_share_a_lock),
    TEST(it_can_stand_anywhere_in_zeroed_memory),
    TEST(two_take_turns),
    TEST(eight_take_turns),
};
TEST_MAIN(tests)
