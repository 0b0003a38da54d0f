/* Who joins a queue sleeps until it is at rest, though workers die, and though the rest lasts for a moment only. */
#include "joinable.h"

static struct scene {
    _Atomic int taken;
} *scene;

static int joins(void *unused)
{
    return plait_queue_join(queue, PLAIT_FOREVER);
}

static int joins_and_leaves(void *unused)
{
    const int result = joins(NULL);
    plait_leave();
    return result;
}

static void all_who_join_are_woken(void **state)
{
    struct test_thread thread;
    pid_t children[3];
    for (int i = 0; i < 3; i++) put(i);
    test_thread_start(&thread, joins, NULL);
    for (int i = 0; i < 3; i++) children[i] = test_fork(joins_and_leaves, NULL);
    test_until_watches(thread.tid);
    for (int i = 0; i < 3; i++) test_until_watches(children[i]);
    for (int i = 0; i < 3; i++) assert_int_equal(get(), i);
    assert_int_equal(done() + done(), 0);
    test_until_watches(thread.tid);
    for (int i = 0; i < 3; i++) test_until_watches(children[i]);
    assert_int_equal(done(), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(atomic_load(&queue->rest.joiners), 0);
}

/* Before the sleeper can look there is the next task, which nobody does. */
static void a_rest_of_a_moment_is_enough(void **state)
{
    for (int i = 0; i < 20; i++) {
        put(i);
        const pid_t child = test_fork(joins_and_leaves, NULL);
        test_until_watches(child);
        assert_int_equal(get(), i);
        assert_int_equal(done(), 0);
        put(i);
        assert_int_equal(test_wait_exit(child), 0);
        assert_int_equal(get(), i);
        assert_int_equal(done(), 0);
    }
}

/* A task puts others before it is done: nobody sees a rest in between. */
static void what_a_task_puts_is_waited_for(void **state)
{
    struct test_thread thread;
    put(100);
    test_thread_start(&thread, joins, NULL);
    test_until_watches(thread.tid);
    for (int left = 1; left;) {
        const int number = get();
        for (int i = 1; i < number && number > 90; i += 20, left++) put(number - i * 10);
        assert_int_equal(done(), 0);
        left--;
        if (left) assert_int_equal(join(), -ETIMEDOUT);
    }
    assert_int_equal(test_thread_join(&thread), 0);
}

static int takes_one_and_waits(void *unused)
{
    get_from(queue, PLAIT_FOREVER);
    atomic_fetch_add(&scene->taken, 1);
    for (;;) pause();
    return 0;
}

static int works(void *unused)
{
    while (get_from(queue, PLAIT_FOREVER) != 0) CHECK(done() == 0);
    CHECK(done() == 0);
    plait_leave();
    return 0;
}

static void the_task_of_the_dead_is_done_by_another(void **state)
{
    scene = test_shared(sizeof *scene);
    put(1);
    const pid_t dead = test_fork(takes_one_and_waits, NULL);
    test_until_set(&scene->taken);
    const pid_t worker = test_fork(works, NULL), joiner = test_fork(joins_and_leaves, NULL);
    test_until_watches(worker);
    test_until_watches(joiner);
    test_kill(dead);
    assert_int_equal(test_wait_exit(joiner), 0);
    put(0);
    assert_int_equal(test_wait_exit(worker), 0);
    assert_int_equal(join(), 0);
}

static void a_join_in_vain_tells_who_has_the_tasks(void **state)
{
    char expected[100];
    scene = test_shared(sizeof *scene);
    put(1);
    put(2);
    const pid_t taker = test_fork(takes_one_and_waits, NULL);
    test_until_set(&scene->taken);
    assert_int_equal(plait_queue_join(queue, plait_after(0.02)), -ETIMEDOUT);
    snprintf(expected, sizeof expected, "unfinished tasks: 2, of which queued: 1; taken by MainProcess (pid %d)", (int)taker);
    must_say(expected);
    test_kill(taker);
    assert_int_equal(plait_queue_join(queue, plait_after(0.02)), -ETIMEDOUT);
    must_say("unfinished tasks: 2, of which queued: 1; taken by somebody who is no more");
}

static int puts_and_joins(void *unused)
{
    for (int i = 1; i <= 1000; i++) {
        put(i);
        if (i % 10 == 0) CHECK(plait_queue_join(queue, PLAIT_FOREVER) == 0);
    }
    return 0;
}

static void threads_share_one(void **state)
{
    struct test_thread producer, workers[3];
    for (int i = 0; i < 3; i++) test_thread_start(&workers[i], works, NULL);
    test_thread_start(&producer, puts_and_joins, NULL);
    assert_int_equal(test_thread_join(&producer), 0);
    for (int i = 0; i < 3; i++) put(0);
    for (int i = 0; i < 3; i++) assert_int_equal(test_thread_join(&workers[i]), 0);
    assert_int_equal(join(), 0);
}

/* --- notes of rests from far away --------------------------------------------------------------------- */

/* A ring whose cursors are all there, and the only rest that was ever noted. */
static void begin_at(uint64_t position, uint64_t rest)
{
    assert_int_equal(plait_queue_free(queue), 0);
    make_queue((plait_queue_options){ .capacity = 1024 });
    struct plait__cursor *const cursors[] = { &queue->tail, &queue->head, &queue->done };
    for (int i = 0; i < 3; i++) {
        atomic_store(&cursors[i]->word, position << PLAIT__PLACE_SHIFT);
        atomic_store(&cursors[i]->seen, position << PLAIT__PLACE_SHIFT);
        atomic_store(&cursors[i]->marks[0], plait__mark(position, 0));
        atomic_store(&cursors[i]->marks[1], plait__mark(position + 1, 1));
    }
    atomic_store(&queue->rest.place, rest << PLAIT__PLACE_SHIFT);
}

static const struct { uint64_t position, rest; } far[] = {
    { PLAIT__POSITIONS / 2 + 100, 0 }, { PLAIT__POSITIONS / 2 - 100, 0 }, { PLAIT__POSITIONS - 1, 0 }, { 5, 1000 }, { 1000, 5 },
};

static void what_was_noted_far_away_is_no_rest(void **state)
{
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        begin_at(far[i].position, far[i].rest);
        put(7);
        assert_int_equal(join(), -ETIMEDOUT);
        assert_int_equal(get(), 7);
        assert_int_equal(join(), -ETIMEDOUT);
        assert_int_equal(done(), 0);
        assert_int_equal(join(), 0);
    }
}

static void a_rest_is_noted_whatever_was_noted_before(void **state)
{
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        begin_at(far[i].position, far[i].rest);
        atomic_store(&queue->rest.joiners, 1);
        put(7);
        assert_int_equal(get(), 7);
        assert_int_equal(done(), 0);
        assert_true(plait__same_place(atomic_load(&queue->rest.place), atomic_load(&queue->tail.word)));
    }
}

static const struct CMUnitTest tests[] = {
    TEST(all_who_join_are_woken),
    TEST(a_rest_of_a_moment_is_enough),
    TEST(what_a_task_puts_is_waited_for),
    TEST(the_task_of_the_dead_is_done_by_another),
    TEST(a_join_in_vain_tells_who_has_the_tasks),
    TEST(threads_share_one),
    TEST(what_was_noted_far_away_is_no_rest),
    TEST(a_rest_is_noted_whatever_was_noted_before),
};

TEST_MAIN(tests)
