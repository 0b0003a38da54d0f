/* Children of every kind are members of their own, also those that were made behind libc's back. */
#include "harness.h"
#include "others.h"

#include <spawn.h>
#include <sys/prctl.h>

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

#include "family/repair.h"

/* As test_fork, by the bare system call: libc does not know of this child, and no fork handler runs. */
static pid_t raw_fork(int (*body)(void *argument), void *argument)
{
    const pid_t parent = getpid();
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    assert_true(child >= 0);
    if (child) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(TEST_CHECK_FAILED);
    _exit(body(argument));
}

typedef pid_t forker(int (*body)(void *argument), void *argument);

struct scene {
    plait_lock *mine, *yours;                           /* the parent's, the child's */
    plait_queue *queue;
    uint32_t parent;
    _Atomic int ready;
};

static struct scene *new_scene(void)
{
    struct scene *scene = test_shared(sizeof *scene);
    assert_non_null(scene->mine = plait_lock_new());
    assert_non_null(scene->yours = plait_lock_new());
    assert_non_null(scene->queue = plait_queue_new(NULL));
    assert_int_equal(plait_lock_acquire(scene->mine, PLAIT_NOW), 0);
    scene->parent = plait__self.slot;
    return scene;
}

/* The parent is as it was. */
static void check_parent(const struct scene *scene)
{
    assert_int_equal(plait__self.slot, scene->parent);
    assert_int_equal(test_slot_of(getpid()), scene->parent);
    assert_int_equal(plait_lock_acquire(scene->mine, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "itself"));
}

/* --- a child of its own ------------------------------------------------------------------------------------------------ */

static int is_somebody_else(void *argument)
{
    struct scene *scene = argument;
    char expected[64];
    snprintf(expected, sizeof expected, "(pid %d)", (int)getppid());
    CHECK(plait_lock_acquire(scene->mine, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(strstr(plait_error_detail(), expected));
    CHECK(plait__self.slot != scene->parent);
    CHECK(atomic_load(&plait__slot(plait__self.slot)->pid) == getpid());
    CHECK(atomic_load(&plait__slot(scene->parent)->pid) == getppid());
    CHECK(plait_member_count() >= 2);
    return 0;
}

static int is_somebody_else_and_leaves(void *scene)
{
    CHECK(is_somebody_else(scene) == 0);
    const int count = plait_member_count();
    plait_leave();
    plait_leave();
    CHECK(plait_member_count() == count - 1);
    return 0;
}

static int never_calls(void *unused)
{
    return 0;
}

static int only_leaves(void *unused)
{
    plait_leave();
    return 0;
}

/* Without a page that the kernel wipes, nothing tells of a raw child. */
static void skip_if_not_noticed(forker *forks)
{
    if (forks == raw_fork && plait__without(PLAIT__WITHOUT_WIPE)) skip();
}

static void check_child_is_its_own_member(forker *forks)
{
    skip_if_not_noticed(forks);
    struct scene *scene = new_scene();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_wait_exit(forks(is_somebody_else_and_leaves, scene)), 0);
        assert_int_equal(test_wait_exit(forks(is_somebody_else, scene)), 0);
        assert_int_equal(test_wait_exit(forks(never_calls, scene)), 0);
        assert_int_equal(test_wait_exit(forks(only_leaves, scene)), 0);
        check_parent(scene);
    }
    assert_int_equal(plait_lock_release(scene->mine), 0);
}

static void a_forked_child_is_its_own_member(void **state) { check_child_is_its_own_member(test_fork); }
static void a_raw_child_is_its_own_member(void **state) { check_child_is_its_own_member(raw_fork); }

/* --- and its death is noticed ------------------------------------------------------------------------------------------ */

static int takes_its_lock(void *argument)
{
    struct scene *scene = argument;
    CHECK(plait_lock_acquire(scene->yours, PLAIT_NOW) == 0);
    CHECK(plait_message_alloc(1000));
    atomic_store(&scene->ready, (int)plait__self.slot);
    for (;;) pause();
    return 0;
}

static int takes_the_lock_of_the_dead(void *argument)
{
    struct scene *scene = argument;
    return plait_lock_acquire(scene->yours, PLAIT_FOREVER);
}

/* Also to somebody who sleeps already; and the one that dies does not take its parent along. */
static void check_death_is_noticed(forker *forks)
{
    skip_if_not_noticed(forks);
    struct scene *scene = new_scene();
    const pid_t child = forks(takes_its_lock, scene);
    test_until_set(&scene->ready);
    const uint32_t slot = (uint32_t)atomic_load(&scene->ready);
    const pid_t sleeper = test_fork(takes_the_lock_of_the_dead, scene);
    test_until_watches(sleeper);
    test_kill(child);
    assert_int_equal(test_wait_exit(sleeper), PLAIT_OWNER_DIED);
    plait__reap_all();                                  /* the new owner of the lock may have left the rest to others */
    assert_int_equal(plait__heap_count(slot), 0);
    check_parent(scene);
    assert_int_equal(plait_lock_release(scene->mine), 0);
}

static void the_death_of_a_forked_child_is_noticed(void **state) { check_death_is_noticed(test_fork); }
static void the_death_of_a_raw_child_is_noticed(void **state) { check_death_is_noticed(raw_fork); }

static int waits_for_the_lock_of_its_parent(void *argument)
{
    struct scene *scene = argument;
    CHECK(plait_init(NULL, NULL) == 0);
    atomic_store(&scene->ready, 1);
    return plait_lock_acquire(scene->mine, PLAIT_FOREVER);
}

struct family {
    forker *forks;
    struct scene *scene;
};

static int begets(void *argument)
{
    const struct family *family = argument;
    struct scene *scene = family->scene;
    CHECK(plait_lock_acquire(scene->yours, PLAIT_NOW) == 0);
    const pid_t grandchild = family->forks(waits_for_the_lock_of_its_parent, scene);
    test_until_set(&scene->ready);
    atomic_store(&scene->ready, 0);
    test_until_watches(grandchild);
    test_kill(grandchild);
    CHECK(plait_lock_locked(scene->yours) == 1);        /* that death was not mine */
    CHECK(plait_lock_release(scene->yours) == 0);
    plait_leave();
    return 0;
}

static void check_grandchildren(forker *forks)
{
    skip_if_not_noticed(forks);
    struct family family = { forks, new_scene() };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_wait_exit(test_fork(begets, &family)), 0);
        assert_int_equal(test_wait_exit(forks(begets, &family)), 0);
        check_parent(family.scene);
    }
    assert_int_equal(plait_lock_release(family.scene->mine), 0);
}

static void forked_grandchildren_are_members_too(void **state) { check_grandchildren(test_fork); }
static void raw_grandchildren_are_members_too(void **state) { check_grandchildren(raw_fork); }

/* A raw child must not have damaged what libc and the kernel know of its parent's pulse. */
static int has_a_raw_child_and_dies(void *argument)
{
    struct scene *scene = argument;
    CHECK(plait_lock_acquire(scene->yours, PLAIT_NOW) == 0);
    for (int i = 0; i < 3; i++) CHECK(test_wait_exit(raw_fork(only_leaves, scene)) == 0);
    const pid_t child = raw_fork(waits_for_the_lock_of_its_parent, scene);
    test_until_set(&scene->ready);
    plait_leave();
    CHECK(plait_lock_release(scene->yours) == 0);
    CHECK(plait_lock_acquire(scene->yours, PLAIT_NOW) == 0);
    test_kill(child);
    return 0;
}

static void the_parent_of_a_raw_child_is_still_noticed(void **state)
{
    skip_if_not_noticed(raw_fork);
    struct scene *scene = new_scene();
    assert_int_equal(test_wait_exit(test_fork(has_a_raw_child_and_dies, scene)), 0);
    assert_int_equal(plait_lock_acquire(scene->yours, PLAIT_FOREVER), PLAIT_OWNER_DIED);
    check_parent(scene);
}

static int joins(void *unused)
{
    return plait_init(NULL, NULL);
}

static void check_slots_of_the_dead_are_used_again(forker *forks)
{
    skip_if_not_noticed(forks);
    assert_int_equal(plait_init(NULL, NULL), 0);
    for (int i = 0; i < 100; i++) assert_int_equal(test_wait_exit(forks(joins, NULL)), 0);
    assert_int_equal(atomic_load(&plait__roster->made), 8);
}

static void slots_of_forked_children_are_used_again(void **state) { check_slots_of_the_dead_are_used_again(test_fork); }
static void slots_of_raw_children_are_used_again(void **state) { check_slots_of_the_dead_are_used_again(raw_fork); }

/* --- where the kernel can't wipe a page on fork --- */

static void without_wipe_a_forked_child_is_its_own_member(void **state)
{
    plait__set_without(PLAIT__WITHOUT_WIPE);
    check_child_is_its_own_member(test_fork);
}

static void without_wipe_the_death_of_a_forked_child_is_noticed(void **state)
{
    plait__set_without(PLAIT__WITHOUT_WIPE);
    check_death_is_noticed(test_fork);
}

/* --- other programs --- */

static void a_spawned_program_is_no_member(void **state)
{
    struct scene *scene = new_scene();
    static char *const words[] = { (char *)"sh", (char *)"-c", (char *)"ls /proc/self/fd | wc -l | grep -qx 4", NULL };
    extern char **environ;
    for (int i = 0; i < 5; i++) {
        pid_t child;
        assert_int_equal(posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ), 0);
        assert_int_equal(plait_member_count(), 1);
        assert_int_equal(test_wait_exit(child), 0);     /* 0, 1, 2 and ls's own: the arena is not among them */
        check_parent(scene);
    }
    assert_int_equal(plait_lock_release(scene->mine), 0);
}

static int makes_its_own_family(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(plait_member_count() == 1);
    void *block = plait_alloc(100);
    CHECK(block && plait_is_shared(block));
    return 0;
}

static void whoever_was_forked_before_the_first_call_is_another_family(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(makes_its_own_family, NULL)), 0);
    assert_null(plait__arena);
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(plait_member_count(), 1);
}

/* --- a threaded program that forks --- */

struct busy {
    plait_lock *lock;
    plait_queue *queue;
    _Atomic int end;
};

static int is_busy(void *argument)
{
    struct busy *busy = argument;
    char text[100] = "";
    while (!atomic_load(&busy->end)) {
        void *block = plait_alloc(3000);
        CHECK(block && plait_free(block) == 0);
        CHECK(plait_lock_acquire(busy->lock, PLAIT_FOREVER) >= 0);
        CHECK(plait_lock_release(busy->lock) == 0);
        CHECK(plait_queue_put(busy->queue, text, sizeof text, PLAIT_FOREVER) == 0);
        CHECK(plait_queue_get(busy->queue, text, sizeof text, PLAIT_FOREVER) == sizeof text);
        plait_leave();
    }
    return 0;
}

static int does_a_bit_of_everything(void *argument)
{
    struct busy *busy = argument;
    char text[100] = "";
    void *block = plait_alloc(3000);
    CHECK(block && plait_free(block) == 0);
    CHECK(plait_lock_acquire(busy->lock, PLAIT_FOREVER) >= 0);
    CHECK(plait_lock_release(busy->lock) == 0);
    CHECK(plait_queue_put(busy->queue, text, sizeof text, PLAIT_FOREVER) == 0);
    CHECK(plait_queue_get(busy->queue, text, sizeof text, PLAIT_FOREVER) == sizeof text);
    plait_leave();
    return 0;
}

static void a_threaded_program_forks_at_any_time(void **state)
{
    struct busy *busy = test_shared(sizeof *busy);
    struct test_thread threads[3];
    busy->lock = plait_lock_new();
    busy->queue = plait_queue_new(&(plait_queue_options){ .capacity = 1024 });
    for (int i = 0; i < 3; i++) test_thread_start(&threads[i], is_busy, busy);
    for (int i = 0; i < 100; i++) assert_int_equal(test_wait_exit(test_fork(does_a_bit_of_everything, busy)), 0);
    atomic_store(&busy->end, 1);
    for (int i = 0; i < 3; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(plait_queue_qsize(busy->queue), 0);
    assert_int_equal(plait_lock_acquire(busy->lock, PLAIT_NOW), 0);
    assert_int_equal(plait_member_count(), 1);
}

static int takes_both_locks_and_leaves(void *argument)
{
    struct scene *scene = argument;
    CHECK(plait_lock_acquire(scene->mine, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_lock_acquire(scene->yours, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(atomic_load(&plait__slot(plait__self.slot)->tid) == getpid());
    CHECK(strcmp(plait__slot(plait__self.slot)->name, "MainProcess") == 0);
    CHECK(plait_member_count() == 3);
    plait_leave();
    return 0;
}

static int forks_from_a_thread(void *argument)
{
    struct scene *scene = argument;
    CHECK(plait_lock_acquire(scene->yours, PLAIT_NOW) == 0);
    const uint32_t slot = plait__self.slot;
    for (int i = 0; i < 5; i++) CHECK(test_wait_exit(test_fork(takes_both_locks_and_leaves, scene)) == 0);
    CHECK(plait__self.slot == slot && plait_lock_locked(scene->yours) == 1);
    CHECK(plait_lock_release(scene->yours) == 0);
    return 0;
}

static void a_thread_forks(void **state)
{
    struct scene *scene = new_scene();
    struct test_thread thread;
    test_thread_start(&thread, forks_from_a_thread, scene);
    assert_int_equal(test_thread_join(&thread), 0);
    check_parent(scene);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_forked_child_is_its_own_member),
    cmocka_unit_test(a_raw_child_is_its_own_member),
    cmocka_unit_test(the_death_of_a_forked_child_is_noticed),
    cmocka_unit_test(the_death_of_a_raw_child_is_noticed),
    cmocka_unit_test(forked_grandchildren_are_members_too),
    cmocka_unit_test(raw_grandchildren_are_members_too),
    cmocka_unit_test(the_parent_of_a_raw_child_is_still_noticed),
    cmocka_unit_test(slots_of_forked_children_are_used_again),
    cmocka_unit_test(slots_of_raw_children_are_used_again),
    cmocka_unit_test(without_wipe_a_forked_child_is_its_own_member),
    cmocka_unit_test(without_wipe_the_death_of_a_forked_child_is_noticed),
    cmocka_unit_test(a_spawned_program_is_no_member),
    cmocka_unit_test(whoever_was_forked_before_the_first_call_is_another_family),
    cmocka_unit_test(a_threaded_program_forks_at_any_time),
    cmocka_unit_test(a_thread_forks),
};
TEST_MAIN(tests)
