/* How a life can end, and what the others make of it: a clean end leaves a held lock locked, a death frees it. */
#include "harness.h"
#include "others.h"

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

struct scene {
    plait_lock *lock;
    _Atomic int held;
    plait_queue *queue;
};

static struct scene *new_scene(void)
{
    struct scene *scene = test_shared(sizeof *scene);
    assert_non_null(scene->lock = plait_lock_new());
    return scene;
}

static void hold(struct scene *scene)
{
    CHECK(plait_lock_acquire(scene->lock, PLAIT_FOREVER) == 0);
    atomic_store(&scene->held, 1);
}

/* The holder's end was a death: the lock is free, and this is said once. */
static void check_was_death(struct scene *scene)
{
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
    assert_int_equal(plait_lock_release(scene->lock), 0);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(scene->lock), 0);
}

/* The holder left in good order: its lock is as it left it, and anyone may release it. */
static void check_was_clean(struct scene *scene)
{
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "nobody in particular"));
    assert_int_equal(plait_lock_locked(scene->lock), 1);
    assert_int_equal(plait_lock_release(scene->lock), 0);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), 0);
    assert_int_equal(plait_lock_release(scene->lock), 0);
}

/* --- processes ----------------------------------------------------------------------------------------------------------- */

static int quits_at_once(void *scene)
{
    hold(scene);
    _exit(7);
}

static int exits(void *scene)
{
    hold(scene);
    exit(7);
}

static int quick_exits(void *scene)
{
    hold(scene);
    quick_exit(7);
}

static int leaves_and_quits(void *scene)
{
    hold(scene);
    plait_leave();
    _exit(7);
}

static int aborts(void *scene)
{
    hold(scene);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int kills_itself(void *scene)
{
    hold(scene);
    raise(SIGKILL);
    return 0;
}

static void quitting_at_once_is_death(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(quits_at_once, scene)), 7);
    check_was_death(scene);
}

static void exit_is_clean(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(exits, scene)), 7);
    check_was_clean(scene);
}

static void quick_exit_is_death(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(quick_exits, scene)), 7);
    check_was_death(scene);
}

static void leaving_is_clean_whatever_comes_then(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(leaves_and_quits, scene)), 7);
    check_was_clean(scene);
}

static void abort_is_death(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(aborts, scene)), -SIGABRT);
    check_was_death(scene);
}

static void sigkill_is_death(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(kills_itself, scene)), -SIGKILL);
    check_was_death(scene);
}

static int becomes_another_program(void *scene)
{
    hold(scene);
    execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    CHECK(false);
    return 0;
}

static void exec_is_death(void **state)
{
    if (plait__without(PLAIT__WITHOUT_ROBUST)) skip();  /* then the kernel only knows that this process is still there */
    struct scene *scene = new_scene();
    const pid_t child = test_fork(becomes_another_program, scene);
    test_until_set(&scene->held);
    check_was_death(scene);                             /* while the other program runs */
    assert_int_equal(plait_member_count(), 1);
    test_kill(child);
}

static int holds_until_it_is_killed(void *scene)
{
    hold(scene);
    for (;;) pause();
    return 0;
}

static void a_stopped_member_is_alive(void **state)
{
    struct scene *scene = new_scene();
    const pid_t child = test_fork(holds_until_it_is_killed, scene);
    test_until_set(&scene->held);
    test_stop(child);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "MainProcess (pid"));
    assert_int_equal(plait_lock_acquire(scene->lock, plait_after(0.02)), -ETIMEDOUT);
    test_kill(child);
    check_was_death(scene);
}

/* --- threads ------------------------------------------------------------------------------------------------------------- */

static int holds_and_returns(void *scene)
{
    hold(scene);
    return 0;
}

static int holds_and_calls_pthread_exit(void *scene)
{
    hold(scene);
    pthread_exit(NULL);
}

static int holds_and_is_cancelled(void *scene)
{
    hold(scene);
    for (;;) pause();
    return 0;
}

static int holds_and_vanishes(void *scene)
{
    hold(scene);
    syscall(SYS_exit, 0);
    return 0;
}

static void a_thread_that_returns_ends_cleanly(void **state)
{
    struct scene *scene = new_scene();
    struct test_thread thread;
    test_thread_start(&thread, holds_and_returns, scene);
    assert_int_equal(test_thread_join(&thread), 0);
    check_was_clean(scene);
}

static void pthread_exit_is_clean(void **state)
{
    struct scene *scene = new_scene();
    struct test_thread thread;
    test_thread_start(&thread, holds_and_calls_pthread_exit, scene);
    test_thread_join(&thread);
    check_was_clean(scene);
}

static void a_cancelled_thread_ends_cleanly(void **state)
{
    struct scene *scene = new_scene();
    struct test_thread thread;
    test_thread_start(&thread, holds_and_is_cancelled, scene);
    test_until_set(&scene->held);
    assert_int_equal(pthread_cancel(thread.thread), 0);
    test_thread_join(&thread);
    check_was_clean(scene);
}

static int has_a_thread_that_vanishes(void *scene)
{
    struct test_thread thread;
    test_thread_start(&thread, holds_and_vanishes, scene);
    test_until_set(&((struct scene *)scene)->held);         /* musl's pthread_join would wait for ever */
    CHECK(plait_lock_acquire(((struct scene *)scene)->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
    _exit(0);                                           /* what libc knows of that thread is wrong now */
}

static void a_thread_that_vanishes_dies(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(has_a_thread_that_vanishes, scene)), 0);
    check_was_death(scene);
}

static int ends_with_a_thread_that_holds(void *scene)
{
    struct test_thread thread;
    CHECK(plait_init(NULL, NULL) == 0);
    test_thread_start(&thread, holds_until_it_is_killed, scene);
    test_until_set(&((struct scene *)scene)->held);
    exit(0);
}

static void exit_cuts_other_threads_off(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(ends_with_a_thread_that_holds, scene)), 0);
    check_was_death(scene);
}

static int exits_by_itself(void *unused)
{
    exit(0);
}

static int holds_while_a_thread_exits(void *scene)
{
    struct test_thread thread;
    hold(scene);
    test_thread_start(&thread, exits_by_itself, NULL);
    for (;;) pause();
    return 0;
}

static void the_main_thread_is_cut_off_when_another_exits(void **state)
{
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(holds_while_a_thread_exits, scene)), 0);
    check_was_death(scene);
}

static int lives_on_after_main(void *scene)
{
    CHECK(plait_lock_acquire(((struct scene *)scene)->lock, PLAIT_FOREVER) == 0);
    CHECK(plait_lock_release(((struct scene *)scene)->lock) == 0);
    _exit(0);                                           /* main's memory is what a leak checker would complain of at exit() */
}

static int ends_its_main_thread(void *argument)
{
    struct scene *scene = argument;
    static struct test_thread thread;
    hold(scene);
    test_thread_start(&thread, lives_on_after_main, scene);
    pthread_exit(NULL);
}

static void the_main_thread_may_leave_before_the_others(void **state)
{
    struct scene *scene = new_scene();
    const pid_t child = test_fork(ends_its_main_thread, scene);
    test_until_set(&scene->held);
    test_until_no_member(child);
    assert_int_equal(plait_lock_release(scene->lock), 0);
    assert_int_equal(test_wait_exit(child), 0);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), 0);
}

/* --- ends in the middle of a call ------------------------------------------------------------------------------------ */

static void exit_as_a_signal_handler_might(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) exit(5);
}

static int exits_in_the_middle_of_a_put(void *argument)
{
    struct scene *scene = argument;
    plait__point_hook = exit_as_a_signal_handler_might;
    return plait_queue_put(scene->queue, "torn", 4, PLAIT_FOREVER);
}

static int exits_in_the_middle_of_a_get(void *argument)
{
    struct scene *scene = argument;
    char text[8];
    plait__point_hook = exit_as_a_signal_handler_might;
    return (int)plait_queue_get(scene->queue, text, sizeof text, PLAIT_FOREVER);
}

/* A clean end can't be made of it: what it owned inside has to be repaired. */
static void exit_in_the_middle_of_a_call_blocks_nobody(void **state)
{
    struct scene *scene = new_scene();
    char text[8] = "";
    scene->queue = plait_queue_new(NULL);
    assert_int_equal(test_wait_exit(test_fork(exits_in_the_middle_of_a_put, scene)), 5);
    assert_int_equal(plait_queue_put(scene->queue, "whole", 5, PLAIT_FOREVER), 0);
    assert_int_equal(test_wait_exit(test_fork(exits_in_the_middle_of_a_get, scene)), 5);
    assert_int_equal(plait_queue_get(scene->queue, text, sizeof text, PLAIT_FOREVER), 5);
    assert_string_equal(text, "whole");
    assert_int_equal(plait_queue_free(scene->queue), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(quitting_at_once_is_death),
    cmocka_unit_test(exit_is_clean),
    cmocka_unit_test(quick_exit_is_death),
    cmocka_unit_test(leaving_is_clean_whatever_comes_then),
    cmocka_unit_test(abort_is_death),
    cmocka_unit_test(sigkill_is_death),
    cmocka_unit_test(exec_is_death),
    cmocka_unit_test(a_stopped_member_is_alive),
    cmocka_unit_test(a_thread_that_returns_ends_cleanly),
    cmocka_unit_test(pthread_exit_is_clean),
    cmocka_unit_test(a_cancelled_thread_ends_cleanly),
    cmocka_unit_test(a_thread_that_vanishes_dies),
    cmocka_unit_test(exit_cuts_other_threads_off),
    cmocka_unit_test(the_main_thread_is_cut_off_when_another_exits),
    cmocka_unit_test(the_main_thread_may_leave_before_the_others),
    cmocka_unit_test(exit_in_the_middle_of_a_call_blocks_nobody),
};
TEST_MAIN(tests)
