/* The condition between processes, forked and spawned; and what those leave who are killed. */
#include "conditions.h"
#include "harness.h"
#include "host.h"
#include "others.h"

#include <plait.h>

enum { MANY = 6 };

static struct scene {
    plait_condition condition, with_lock;
    plait_lock lock;
    plait_deadline deadline;
    int items;
    _Atomic int woken, told, taken, ready;
} *scene;

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    if (!scene) return -1;
    return plait_condition_init(&scene->with_lock, &(plait_condition_options){ .lock = &scene->lock });
}

static int free_scene(void **state)
{
    return plait_free(scene);
}

static int waits(void *on)
{
    lock(on);
    const int result = plait_condition_wait(on, scene->deadline);
    scene->woken += result >= 0;
    scene->told += result == PLAIT_OWNER_DIED;
    unlock(on);
    plait_leave();
    return result;
}

static void start(pid_t *children, int count, plait_condition *on)
{
    for (int i = 0; i < count; i++) children[i] = test_fork(waits, on);
    for (int i = 0; i < count; i++) test_until_watches(children[i]);
}

/* --- alive ------------------------------------------------------------------------------------------------------------------ */

static void check_notifies(plait_condition *on)
{
    pid_t children[MANY];
    start(children, MANY, on);
    assert_int_equal(notify(on, 2), 2);
    test_until_at_least(&scene->woken, 2);
    usleep(10000);
    assert_int_equal(scene->woken, 2);
    assert_int_equal(notify(on, MANY), MANY - 2);
    for (int i = 0; i < MANY; i++) assert_int_equal(test_wait_exit(children[i]), 0);
}

static void so_many_processes_are_woken(void **state) { check_notifies(&scene->condition); }
static void so_many_are_woken_with_a_plain_lock(void **state) { check_notifies(&scene->with_lock); }

static int waits_spawned(void *argument)
{
    struct scene *its = argument;
    if (plait_condition_acquire(&its->condition, PLAIT_FOREVER) < 0) return 1;
    its->ready = 1;
    const int result = plait_condition_wait(&its->condition, PLAIT_FOREVER);
    plait_condition_release(&its->condition);
    return result;
}

static int wake_a_spawned_one(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    plait_process *process = plait_start(waits_spawned, scene, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
    CHECK(process);
    test_until_set(&scene->ready);
    CHECK(notify(&scene->condition, 1) == 1);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == 0);
    return plait_process_free(process);
}

static void a_spawned_process_is_woken(void **state)
{
    host_run(wake_a_spawned_one, NULL);
}

/* --- deaths ------------------------------------------------------------------------------------------------------------------ */

/* In stock Python this notify_all waits for ever. */
static void notify_all_after_a_waiter_was_killed(void **state)
{
    pid_t children[2];
    start(children, 2, &scene->condition);
    test_kill(children[0]);
    lock(&scene->condition);
    assert_true(plait_condition_notify_all(&scene->condition) >= 0);
    unlock(&scene->condition);
    assert_int_equal(test_wait_exit(children[1]), 0);
    assert_int_equal(scene->woken, 1);
    assert_int_equal(notify(&scene->condition, 1), 0);
}

/* The one who is notified is killed before it goes on: whoever else waits looks. */
static void a_notify_that_a_dead_one_took_is_not_lost(void **state)
{
    for (int i = 0; i < 10; i++) {
        pid_t children[2];
        scene->woken = 0;
        start(children, 2, &scene->condition);
        lock(&scene->condition);
        assert_int_equal(plait_condition_notify(&scene->condition, 1), 1);
        usleep(i * 100);                                   /* one of them is awake, and waits for the lock: either */
        test_kill(children[i % 2]);
        unlock(&scene->condition);
        assert_int_equal(test_wait_exit(children[!(i % 2)]), 0);
        assert_int_equal(scene->woken, 1);
        test_notice_deaths();                              /* or it ends the waits of the next round */
    }
}

static int ends(void *unused)
{
    return plait_init(NULL, NULL);                         /* and then by _exit: a death */
}

/* That is the price: any death in the family wakes who waits. */
static void a_death_of_anybody_ends_a_wait(void **state)
{
    pid_t children[3];
    start(children, 3, &scene->condition);
    test_wait_exit(test_fork(ends, NULL));
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(notify(&scene->condition, 1), 0);
}

static void leave_at_once(int signal)
{
    plait_leave();                                         /* as exit() does, in a signal handler, too */
    _exit(0);
}

static int waits_until_a_signal(void *on)
{
    signal(SIGTERM, leave_at_once);
    return waits(on);
}

/* Nobody has died, but one who waited does so no more: a notify is not for that one, and what it may have been woken for is not
 * lost. */
static void who_leaves_while_it_waits_takes_no_notify(void **state)
{
    for (int i = 0; i < 10; i++) {
        pid_t children[2];
        scene->woken = 0;
        const pid_t leaver = test_fork(waits_until_a_signal, &scene->condition);
        if (i % 2) test_until_watches(leaver);
        else test_until_waits(leaver);
        assert_int_equal(kill(leaver, SIGTERM), 0);
        assert_int_equal(test_wait_exit(leaver), 0);
        start(children, 2, &scene->condition);
        assert_int_equal(notify(&scene->condition, 1), 1);
        test_until_at_least(&scene->woken, 1);
        assert_int_equal(notify(&scene->condition, 1), 1);
        for (int j = 0; j < 2; j++) assert_int_equal(test_wait_exit(children[j]), 0);
        assert_int_equal(notify(&scene->condition, 1), 0);
    }
}

static int never(void *unused)
{
    return scene->items > 0;
}

static int waits_for_items(void *unused)
{
    lock(&scene->condition);
    const int result = plait_condition_wait_for(&scene->condition, never, NULL, scene->deadline);
    unlock(&scene->condition);
    plait_leave();
    return result;
}

static void wait_for_goes_on_waiting_after_a_death(void **state)
{
    const pid_t child = test_fork(waits_for_items, NULL);
    test_until_watches(child);
    test_wait_exit(test_fork(ends, NULL));
    test_notice_deaths();
    test_until_watches(child);
    lock(&scene->condition);
    scene->items = 1;
    assert_true(plait_condition_notify(&scene->condition, 1) >= 0);        /* 0: it is about to look by itself */
    unlock(&scene->condition);
    assert_int_equal(test_wait_exit(child), 0);
}

static int takes_and_dies(void *on)
{
    CHECK(plait_condition_acquire(on, PLAIT_FOREVER) == 0);
    scene->ready = 1;
    for (;;) pause();
    return 0;
}

/* A waiter gets the lock back from one who was killed with it: it is told, also by wait_for, and at once. */
static void who_gets_the_lock_of_a_dead_one_is_told(void **state)
{
    plait_condition *const both[] = { &scene->condition, &scene->with_lock };
    for (int i = 0; i < 2; i++) {
        pid_t children[2];
        scene->told = scene->woken = scene->ready = 0;
        start(children, 2, both[i]);
        const pid_t holder = test_fork(takes_and_dies, both[i]);
        test_until_set(&scene->ready);
        test_kill(holder);
        const int one = test_wait_exit(children[0]), other = test_wait_exit(children[1]);
        assert_int_equal(one + other, PLAIT_OWNER_DIED);
        assert_int_equal(scene->told, 1);
        test_notice_deaths();
        assert_int_equal(notify(both[i], 1), 0);
    }
    const pid_t child = test_fork(waits_for_items, NULL);
    test_until_watches(child);
    scene->ready = 0;
    const pid_t holder = test_fork(takes_and_dies, &scene->condition);
    test_until_set(&scene->ready);
    test_kill(holder);
    assert_int_equal(test_wait_exit(child), PLAIT_OWNER_DIED);
}

static int notifies_and_dies(void *unused)
{
    lock(&scene->condition);
    CHECK(plait_condition_notify(&scene->condition, 1) == 1);
    return 0;
}

static void a_notifier_that_is_killed_has_notified(void **state)
{
    pid_t child;
    start(&child, 1, &scene->condition);
    assert_int_equal(test_wait_exit(test_fork(notifies_and_dies, NULL)), 0);
    assert_int_equal(test_wait_exit(child), PLAIT_OWNER_DIED);
}

/* --- together ---------------------------------------------------------------------------------------------------------------- */

static int has_items(void *unused)
{
    return scene->items > 0;
}

static int consumes(void *count)
{
    for (long i = (long)(intptr_t)count; i; i--) {
        lock(&scene->condition);
        CHECK(plait_condition_wait_for(&scene->condition, has_items, NULL, PLAIT_FOREVER) == 0);
        scene->items--;
        scene->taken++;
        unlock(&scene->condition);
    }
    plait_leave();
    return 0;
}

static void every_item_finds_its_taker(void **state)
{
    enum { EACH = 3000 };
    pid_t children[MANY];
    for (int i = 0; i < MANY; i++) children[i] = test_fork(consumes, (void *)(intptr_t)EACH);
    for (int i = 0; i < MANY * EACH; i++) {
        lock(&scene->condition);
        scene->items++;
        assert_true(plait_condition_notify(&scene->condition, 1) >= 0);
        unlock(&scene->condition);
    }
    for (int i = 0; i < MANY; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(scene->taken, MANY * EACH);
    assert_int_equal(scene->items, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(so_many_processes_are_woken),
    TEST(so_many_are_woken_with_a_plain_lock),
    TEST(a_spawned_process_is_woken),
    TEST(notify_all_after_a_waiter_was_killed),
    TEST(a_notify_that_a_dead_one_took_is_not_lost),
    TEST(a_death_of_anybody_ends_a_wait),
    TEST(who_leaves_while_it_waits_takes_no_notify),
    TEST(wait_for_goes_on_waiting_after_a_death),
    TEST(who_gets_the_lock_of_a_dead_one_is_told),
    TEST(a_notifier_that_is_killed_has_notified),
    TEST(every_item_finds_its_taker),
};

TEST_MAIN(tests)
