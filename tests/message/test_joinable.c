/* Joinable queues: what is unfinished, who may say that it is done, and when a join returns. */
#include "joinable.h"

/* --- what is unfinished ----------------------------------------------------------------------------- */

static void a_task_is_unfinished_until_it_is_done(void **state)
{
    assert_int_equal(join(), 0);
    for (int i = 0; i < 1000; i++) {
        put(i);
        assert_int_equal(join(), -ETIMEDOUT);
        must_say("unfinished tasks: 1, of which queued: 1");
        assert_int_equal(get(), i);
        assert_int_equal(join(), -ETIMEDOUT);
        must_say("unfinished tasks: 1, of which queued: 0; taken by MainProcess (pid ");
        assert_int_equal(done(), 0);
        assert_int_equal(join(), 0);
    }
}

static void the_unfinished_are_counted(void **state)
{
    for (int i = 0; i < 10; i++) put(i);
    for (int i = 0; i < 7; i++) assert_int_equal(get(), i);
    assert_int_equal(plait_queue_join(queue, plait_after(0.01)), -ETIMEDOUT);
    must_say("unfinished tasks: 10, of which queued: 3; taken by MainProcess (pid ");
    must_say("), ...");
    for (int i = 0; i < 5; i++) assert_int_equal(done(), 0);
    assert_int_equal(join(), -ETIMEDOUT);
    must_say("unfinished tasks: 5, of which queued: 3");
    for (int i = 7; i < 10; i++) assert_int_equal(get(), i);
    for (int i = 5; i < 10; i++) assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
}

static void task_done_too_often_is_an_error(void **state)
{
    assert_int_equal(done(), PLAIT_ENOLEASE);
    must_say("too many times");
    put(1);
    assert_int_equal(done(), PLAIT_ENOLEASE);              /* nobody has taken it */
    assert_int_equal(get(), 1);
    assert_int_equal(done(), 0);
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(join(), 0);
}

static void what_fails_takes_no_task(void **state)
{
    char byte;
    assert_int_equal(get(), -ETIMEDOUT);
    put(1);
    assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_queue_peek(queue, &byte, 1, PLAIT_NOW), -EMSGSIZE);
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), sizeof(int));
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(get(), 1);
    assert_int_equal(done(), 0);
}

static void whatever_takes_a_message_takes_a_task(void **state)
{
    int numbers[4];
    void *block;
    for (int i = 0; i < 5; i++) put(i);
    assert_int_equal(plait_queue_peek(queue, numbers, sizeof numbers[0], PLAIT_NOW), sizeof numbers[0]);
    assert_int_equal(plait_queue_take(queue, &block, PLAIT_NOW), sizeof numbers[0]);
    assert_int_equal(plait_queue_get_many(queue, numbers, sizeof numbers[0], NULL, 4, PLAIT_NOW), 4);
    assert_int_equal(plait_free(block), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(join(), -ETIMEDOUT);
        assert_int_equal(done(), 0);
    }
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(join(), 0);
}

static void whatever_puts_a_message_puts_a_task(void **state)
{
    const int numbers[3] = { 1, 2, 3 };
    void *block = plait_alloc(100);
    assert_int_equal(plait_queue_put_many(queue, numbers, sizeof numbers[0], 3, PLAIT_NOW), 3);
    assert_int_equal(plait_queue_give(queue, block, sizeof numbers[0], PLAIT_NOW), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(join(), -ETIMEDOUT);
        assert_true(get() >= 0);
        assert_int_equal(done(), 0);
    }
    assert_int_equal(join(), 0);
}

/* Python's join, too, returns when the closed queue's tasks are done. */
static void a_closed_queue_can_be_joined(void **state)
{
    put(1);
    assert_int_equal(plait_queue_close(queue), 0);
    assert_int_equal(join(), -ETIMEDOUT);
    assert_int_equal(get(), 1);
    assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
    assert_int_equal(get(), PLAIT_ECLOSED);
}

/* --- whose task it is ----------------------------------------------------------------------------- */

static void the_oldest_is_done_first(void **state)
{
    plait_lease lease;
    put(1);
    put(2);
    assert_int_equal(plait_queue_lease(queue, &(int){ 0 }, sizeof(int), &lease, PLAIT_NOW), sizeof(int));
    assert_int_equal(get(), 2);
    assert_int_equal(plait_queue_giveback(queue, lease), 0);
    assert_int_equal(get(), 1);                            /* before the other in the queue, but taken after it */
    assert_int_equal(done(), 0);
    plait_leave();                                         /* what is not done comes back */
    assert_int_equal(get(), 1);
    assert_int_equal(get(), -ETIMEDOUT);
    assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
}

static void each_queue_has_tasks_of_its_own(void **state)
{
    plait_queue *other = plait_queue_new(&(plait_queue_options){ .joinable = 1 });
    for (int i = 0; i < 100; i++) {
        put(i);
        CHECK(plait_queue_put(other, &i, sizeof i, PLAIT_NOW) == 0);
        assert_int_equal(i % 3 ? get() : get_from(other, PLAIT_NOW), i);
        assert_int_equal(i % 3 ? get_from(other, PLAIT_NOW) : get(), i);
    }
    for (int i = 0; i < 100; i++) assert_int_equal(plait_queue_task_done(other), 0);
    assert_int_equal(plait_queue_task_done(other), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_join(other, PLAIT_NOW), 0);
    for (int i = 0; i < 100; i++) assert_int_equal(done(), 0);
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(join(), 0);
    assert_int_equal(plait_queue_free(other), 0);
}

static void many_may_be_taken_at_a_time(void **state)
{
    int taken = 0, finished = 0;
    for (int i = 0; i < 5000; i++) put(i);
    for (int step = 1; finished < 5000; step = step * 3 % 101) {
        for (int i = 0; i < step && taken < 5000; i++) assert_int_equal(get(), taken++);
        for (int i = 0; i < step / 2 + 1 && finished < taken; i++, finished++) assert_int_equal(done(), 0);
    }
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(join(), 0);
}

/* What a thread remembers is as large as what it has taken, whatever it has done meanwhile. */
static void a_task_that_is_held_for_long_costs_nothing(void **state)
{
    plait_queue *held = plait_queue_new(&(plait_queue_options){ .joinable = 1 });
    CHECK(plait_queue_put(held, &(int){ 7 }, sizeof(int), PLAIT_NOW) == 0);
    assert_int_equal(get_from(held, PLAIT_NOW), 7);
    for (int i = 0; i < 20000; i++) {
        put(i);
        if (i % 2) continue;                               /* from here on one of them is always under way */
        assert_int_equal(get(), i / 2);
        if (i) assert_int_equal(done(), 0);
    }
    assert_in_range(plait_block_size(plait__self.tasks), 1, 1024);
    assert_int_equal(plait_queue_task_done(held), 0);
    assert_int_equal(plait_queue_task_done(held), PLAIT_ENOLEASE);
    assert_int_equal(done(), 0);
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(plait_queue_free(held), 0);
}

static int frees_this(void *which)
{
    return plait_queue_free(which);
}

static void tasks_of_queues_that_others_have_freed_cost_nothing(void **state)
{
    put(7);
    assert_int_equal(get(), 7);
    for (int i = 0; i < 500; i++) {
        struct test_thread thread;
        plait_queue *freed = plait_queue_new(&(plait_queue_options){ .joinable = 1 });
        CHECK(plait_queue_put(freed, &i, sizeof i, PLAIT_NOW) == 0);
        assert_int_equal(get_from(freed, PLAIT_NOW), i);
        test_thread_start(&thread, frees_this, freed);
        assert_int_equal(test_thread_join(&thread), 0);
    }
    assert_in_range(plait_block_size(plait__self.tasks), 1, 1024);
    assert_int_equal(done(), 0);
    assert_int_equal(done(), PLAIT_ENOLEASE);
}

static void a_lease_is_settled_by_itself(void **state)
{
    plait_lease lease;
    put(1);
    put(2);
    assert_int_equal(plait_queue_lease(queue, &(int){ 0 }, sizeof(int), &lease, PLAIT_NOW), sizeof(int));
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(get(), 2);
    assert_int_equal(done(), 0);
    assert_int_equal(join(), -ETIMEDOUT);
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(join(), 0);
}

/* The next queue lies where that one lay. */
static void a_queue_that_was_freed_is_forgotten(void **state)
{
    put(1);
    assert_int_equal(get(), 1);
    plait_queue *const before = queue;
    assert_int_equal(plait_queue_free(queue), 0);
    make_queue((plait_queue_options){ 0 });
    assert_ptr_equal(queue, before);
    put(2);
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(get(), 2);
    assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
}

static int frees_it(void *unused)
{
    return plait_queue_free(queue);
}

static void a_queue_that_another_has_freed_is_forgotten(void **state)
{
    struct test_thread thread;
    for (int i = 0; i < 20; i++) put(i);
    for (int i = 0; i < 20; i++) assert_int_equal(get(), i);
    test_thread_start(&thread, frees_it, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    make_queue((plait_queue_options){ 0 });
    put(21);
    assert_int_equal(get(), 21);
    assert_int_equal(done(), 0);
    assert_int_equal(done(), PLAIT_ENOLEASE);
    assert_int_equal(join(), 0);
}

static int says_done(void *unused)
{
    return done();
}

static void only_the_taker_says_that_it_is_done(void **state)
{
    struct test_thread thread;
    put(1);
    assert_int_equal(get(), 1);
    test_thread_start(&thread, says_done, NULL);
    assert_int_equal(test_thread_join(&thread), PLAIT_ENOLEASE);
    assert_int_equal(test_wait_exit(test_fork(says_done, NULL)), PLAIT_ENOLEASE & 0xff);
    assert_int_equal(join(), -ETIMEDOUT);
    assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
}

static int gets_one(void *unused)
{
    return get_from(queue, PLAIT_FOREVER);
}

static void the_task_of_a_thread_that_returns_comes_back(void **state)
{
    struct test_thread thread;
    put(7);
    put(8);
    for (int i = 0; i < 3; i++) {
        test_thread_start(&thread, gets_one, NULL);
        assert_int_equal(test_thread_join(&thread), 7);
        assert_int_equal(join(), -ETIMEDOUT);
        must_say("unfinished tasks: 2, of which queued: 1; taken by somebody who is no more");
    }
    assert_int_equal(get(), 7);
    assert_int_equal(get(), 8);
    assert_int_equal(done() + done(), 0);
    assert_int_equal(join(), 0);
}

/* --- much that is done behind a task that is not ----------------------------------------------------- */

static void have_done(int tasks)
{
    for (int i = 0; i < tasks; i++) {
        put(i);
        assert_int_equal(get(), i);
        assert_int_equal(done(), 0);
    }
}

/* Else deadlines would be overrun by the time that it takes. */
static void a_look_passes_so_many_at_most(void **state)
{
    plait_lease lease;
    put(7);
    assert_int_equal(plait_queue_lease(queue, &(int){ 0 }, sizeof(int), &lease, PLAIT_NOW), sizeof(int));
    have_done(2 * PLAIT__LOOK_MOST + 10);
    assert_int_equal(join(), -ETIMEDOUT);
    must_say("unfinished tasks: at most 10012, of which queued: 0; taken by MainProcess");
    must_say("), ...");
    assert_int_equal(get(), -ETIMEDOUT);                   /* if anybody has ended, this looks at all of them */
    atomic_store(&queue->looked.from, 0);
    for (int i = 0; i < 3; i++) {
        const uint64_t at = i ? queue->looked.position : 0;
        assert_int_equal(get(), -ETIMEDOUT);
        assert_int_equal(!!atomic_load(&queue->looked.from), i != 2);
        if (i != 2) assert_true(queue->looked.position > at + PLAIT__LOOK_MOST);
    }
    assert_int_equal(plait_queue_giveback(queue, lease), 0);
    assert_int_equal(get(), 7);
    assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
}

static void what_came_back_behind_much_is_found(void **state)
{
    plait_lease lease, behind;
    for (int told = 0; told < 2; told++) {
        put(7);
        assert_int_equal(plait_queue_lease(queue, &(int){ 0 }, sizeof(int), &lease, PLAIT_NOW), sizeof(int));
        have_done(PLAIT__LOOK_MOST + 10);
        put(8);
        assert_int_equal(plait_queue_lease(queue, &(int){ 0 }, sizeof(int), &behind, PLAIT_NOW), sizeof(int));
        assert_int_equal(get(), -ETIMEDOUT);
        atomic_store(&queue->looked.from, 0);
        assert_int_equal(plait_queue_giveback(queue, behind), 0);
        if (!told) {                                       /* as if a repairer had been stopped */
            atomic_store(&queue->settled, plait__lease_changes(queue));
            assert_int_equal(get(), -ETIMEDOUT);
        }
        assert_int_equal(get(), 8);
        assert_int_equal(plait_queue_ack(queue, lease), 0);
        assert_int_equal(done(), 0);
        assert_int_equal(join(), 0);
    }
}

/* --- room ----------------------------------------------------------------------------- */

static void puts_wait_for_nobody(void **state)
{
    char message[1000] = "";
    for (int i = 0; i < 3000; i++) assert_int_equal(plait_queue_put(queue, message, sizeof message, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_full(queue), 0);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(plait_queue_get(queue, message, sizeof message, PLAIT_NOW), sizeof message);
        assert_int_equal(done(), 0);
    }
    assert_int_equal(join(), 0);
}

static void a_ring_is_full_until_tasks_are_done(void **state)
{
    int puts = 0;
    assert_int_equal(plait_queue_free(queue), 0);
    make_queue((plait_queue_options){ .capacity = 1024 });
    while (!plait_queue_full(queue)) put(puts++);
    assert_int_equal(puts, 32);
    assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(get(), 0);
    assert_int_equal(plait_queue_full(queue), 1);
    assert_int_equal(done(), 0);
    assert_int_equal(plait_queue_full(queue), 0);
    put(32);
    for (int i = 1; i < 33; i++) assert_int_equal(get(), i);
    assert_int_equal(plait_queue_empty(queue), 1);
    for (int i = 1; i < 33; i++) assert_int_equal(done(), 0);
    assert_int_equal(join(), 0);
}

static void maxsize_counts_what_is_queued(void **state)
{
    assert_int_equal(plait_queue_free(queue), 0);
    make_queue((plait_queue_options){ .maxsize = 1 });
    for (int i = 0; i < 10; i++) {
        assert_int_equal(plait_queue_empty(queue), 1);
        put(i);
        assert_int_equal(plait_queue_empty(queue), 0);
        assert_int_equal(plait_queue_full(queue), 1);
        assert_int_equal(plait_queue_put(queue, "", 0, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(get(), i);
    }
    for (int i = 0; i < 10; i++) assert_int_equal(done(), 0);
}

/* --- what can't be joined ----------------------------------------------------------------------------- */

static void a_queue_with_leases_can_be_joined_too(void **state)
{
    plait_lease lease;
    assert_int_equal(plait_queue_free(queue), 0);
    assert_non_null(queue = plait_queue_new(&(plait_queue_options){ .leases = 1 }));
    put(1);
    put(2);
    assert_int_equal(plait_queue_lease(queue, &(int){ 0 }, sizeof(int), &lease, PLAIT_NOW), sizeof(int));
    assert_int_equal(get(), 2);                            /* settles its own at once */
    assert_int_equal(done(), -EINVAL);
    must_say("not made joinable");
    assert_int_equal(join(), -ETIMEDOUT);
    must_say("unfinished tasks: 1, of which queued: 0");
    assert_int_equal(plait_queue_ack(queue, lease), 0);
    assert_int_equal(join(), 0);
}

static void others_are_refused(void **state)
{
    plait_queue *plain = plait_queue_new(NULL);
    assert_int_equal(plait_queue_join(plain, PLAIT_FOREVER), -EINVAL);
    must_say("neither joinable nor with leases");
    assert_int_equal(plait_queue_task_done(plain), -EINVAL);
    assert_int_equal(plait_queue_join(NULL, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_queue_task_done(NULL), -EINVAL);
    assert_int_equal(plait_queue_empty(NULL), -EINVAL);
    assert_int_equal(plait_queue_full(NULL), -EINVAL);
    assert_int_equal(plait_queue_free(plain), 0);
    for (int order = PLAIT_LIFO; order <= PLAIT_PRIORITY; order++) {
        assert_null(plait_queue_new(&(plait_queue_options){ .joinable = 1, .order = order }));
        assert_int_equal(errno, EINVAL);
        must_say("joining");
    }
    assert_null(plait_queue_new(&(plait_queue_options){ .joinable = 1, .unbounded = 1, .capacity = 1024 }));
}

static const struct CMUnitTest tests[] = {
    TEST(a_task_is_unfinished_until_it_is_done),
    TEST(the_unfinished_are_counted),
    TEST(task_done_too_often_is_an_error),
    TEST(what_fails_takes_no_task),
    TEST(whatever_takes_a_message_takes_a_task),
    TEST(whatever_puts_a_message_puts_a_task),
    TEST(a_closed_queue_can_be_joined),
    TEST(the_oldest_is_done_first),
    TEST(each_queue_has_tasks_of_its_own),
    TEST(many_may_be_taken_at_a_time),
    TEST(a_task_that_is_held_for_long_costs_nothing),
    TEST(tasks_of_queues_that_others_have_freed_cost_nothing),
    TEST(a_lease_is_settled_by_itself),
    TEST(a_queue_that_was_freed_is_forgotten),
    TEST(a_queue_that_another_has_freed_is_forgotten),
    TEST(only_the_taker_says_that_it_is_done),
    TEST(the_task_of_a_thread_that_returns_comes_back),
    TEST(a_look_passes_so_many_at_most),
    TEST(what_came_back_behind_much_is_found),
    TEST(puts_wait_for_nobody),
    TEST(a_ring_is_full_until_tasks_are_done),
    TEST(maxsize_counts_what_is_queued),
    TEST(a_queue_with_leases_can_be_joined_too),
    TEST(others_are_refused),
};

TEST_MAIN(tests)
