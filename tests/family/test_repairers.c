/* Whoever repairs after a death may be stopped or killed in the middle, and the kernel may not even mark that: what the dead one
 * had is free for the others all the same, and the repair is done in the end.  Nor does it touch what was freed meanwhile. */
#include "harness.h"
#include "others.h"

#include <sys/prctl.h>

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

enum { CAPACITY = 4096 };

struct scene {
    plait_lock *lock, *other_lock;
    plait_queue *queue;
    _Atomic int there, ready, go;
    pid_t dead, repairer, sleeper;
};

static struct scene *scene;

static struct scene *new_scene(void)
{
    scene = test_shared(sizeof *scene);
    assert_non_null(scene->lock = plait_lock_new());
    assert_non_null(scene->other_lock = plait_lock_new());
    assert_non_null(scene->queue = plait_queue_new(&(plait_queue_options){ .capacity = CAPACITY }));
    return scene;
}

/* The kernel will not mark the pulses that this thread has: as with the OOM killer, which may take the list of them first. */
static void lose_robust_list(void)
{
    static struct {
        void *next;
        long offset;
        void *pending;
    } empty = { &empty, 0, NULL };
    CHECK(syscall(SYS_set_robust_list, &empty, sizeof empty) == 0);
}

/* As test_fork, behind libc's back. */
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

/* --- who dies: with a lock, or with a cursor of a queue ------------------------------------------------------------------ */

static void stay_here(void)
{
    atomic_store(&scene->there, 1);
    for (;;) pause();
}

static void stay_with_the_cursor(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) stay_here();
}

static int stays_with_the_lock(void *unused)
{
    CHECK(plait_lock_acquire(scene->lock, PLAIT_NOW) == 0);
    stay_here();
    return 0;
}

static int stays_in_a_put(void *unused)
{
    plait__point_hook = stay_with_the_cursor;
    return plait_queue_put(scene->queue, "torn", 4, PLAIT_NOW);
}

static int stays_in_a_get(void *unused)
{
    char text[8];
    plait__point_hook = stay_with_the_cursor;
    return (int)plait_queue_get(scene->queue, text, sizeof text, PLAIT_NOW);
}

/* --- who repairs: a member that is told to, and ends in the middle ------------------------------------------------------- */

struct end {
    int (*dies)(void *unused);
    enum plait__point point;                               /* where the repairer ends */
    int signal;
    bool loses_list;                                       /* and the kernel does not mark its pulses */
    pid_t (*forks)(int (*body)(void *argument), void *argument);
};

static const struct end *the_end;

static void end_here(enum plait__point point)
{
    if (point != the_end->point) return;
    plait__point_hook = NULL;
    raise(the_end->signal);
}

/* A raw clone's raise() would be aimed at its parent. */
static void end_raw_here(enum plait__point point)
{
    if (point == the_end->point) kill((pid_t)syscall(SYS_getpid), the_end->signal);
}

static int repairs(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    if (the_end->loses_list) lose_robust_list();
    atomic_store(&scene->ready, 1);
    test_until_set(&scene->go);
    plait__point_hook = the_end->forks == raw_fork ? end_raw_here : end_here;
    test_notice_deaths();
    return 0;
}

/* Afterwards somebody is dead, and its repairer stopped or dead too.  The tester has looked for neither. */
static void end_in_the_middle(const struct end *end)
{
    int status;
    the_end = end;
    scene->dead = test_fork(end->dies, NULL);
    test_until_set(&scene->there);
    scene->repairer = end->forks(repairs, NULL);
    test_until_set(&scene->ready);
    test_kill(scene->dead);
    atomic_store(&scene->go, 1);
    assert_int_equal(waitpid(scene->repairer, &status, WUNTRACED), scene->repairer);
    if (end->signal == SIGSTOP) assert_true(WIFSTOPPED(status));
    else assert_true(WIFSIGNALED(status) && WTERMSIG(status) == end->signal);
}

static void repairer_goes_on(void)
{
    assert_int_equal(kill(scene->repairer, SIGCONT), 0);
    assert_int_equal(test_wait_exit(scene->repairer), 0);
    test_notice_deaths();
    assert_int_equal(test_slot_of(scene->dead), 0);
    assert_int_equal(test_slot_of(scene->repairer), 0);
}

/* --- stopped ------------------------------------------------------------------------------------------------------------------ */

static void lock_is_free_and_stays_ours(enum plait__point point)
{
    new_scene();
    end_in_the_middle(&(struct end){ stays_with_the_lock, point, SIGSTOP, false, test_fork });
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
    repairer_goes_on();
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "itself"));
    assert_int_equal(plait_lock_release(scene->lock), 0);
}

static void a_stopped_repairer_keeps_no_lock(void **state)
{
    lock_is_free_and_stays_ours(PLAIT__POINT_REPAIR);
}

static void a_repairer_stopped_later_keeps_no_lock(void **state)
{
    lock_is_free_and_stays_ours(PLAIT__POINT_REPAIR_ENDED);
}

static int acquires(void *unused)
{
    return plait_lock_acquire(scene->lock, PLAIT_FOREVER);
}

/* The sleeper is stopped, too, so that it is not the repairer; but it goes on. */
static void sleeper_gets_the_lock(enum plait__point point)
{
    int status;
    new_scene();
    the_end = &(struct end){ stays_with_the_lock, point, SIGSTOP, false, test_fork };
    scene->dead = test_fork(stays_with_the_lock, NULL);
    test_until_set(&scene->there);
    scene->sleeper = test_fork(acquires, NULL);
    test_until_watches(scene->sleeper);
    test_stop(scene->sleeper);
    scene->repairer = test_fork(repairs, NULL);
    test_until_set(&scene->ready);
    test_kill(scene->dead);
    atomic_store(&scene->go, 1);
    assert_int_equal(waitpid(scene->repairer, &status, WUNTRACED), scene->repairer);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(kill(scene->sleeper, SIGCONT), 0);
    assert_int_equal(test_wait_exit(scene->sleeper), PLAIT_OWNER_DIED);
    repairer_goes_on();
}

static void a_stopped_repairer_lets_a_sleeper_have_the_lock(void **state)
{
    sleeper_gets_the_lock(PLAIT__POINT_REPAIR);
}

static void a_repairer_stopped_later_lets_a_sleeper_have_the_lock(void **state)
{
    sleeper_gets_the_lock(PLAIT__POINT_REPAIR_ENDED);
}

/* What is put, comes out again; nothing else does. */
static void queue_works(const char *first)
{
    char text[8] = "";
    assert_int_equal(plait_queue_put(scene->queue, "whole", 6, PLAIT_FOREVER), 0);
    if (first) {
        assert_int_equal(plait_queue_get(scene->queue, text, sizeof text, PLAIT_FOREVER), strlen(first) + 1);
        assert_string_equal(text, first);
    }
    assert_int_equal(plait_queue_get(scene->queue, text, sizeof text, PLAIT_FOREVER), 6);
    assert_string_equal(text, "whole");
    assert_int_equal(plait_queue_get(scene->queue, text, sizeof text, PLAIT_NOW), -ETIMEDOUT);
}

static void cursor_is_free(int (*dies)(void *), enum plait__point point)
{
    new_scene();
    if (dies == stays_in_a_get) assert_int_equal(plait_queue_put(scene->queue, "first", 6, PLAIT_NOW), 0);
    end_in_the_middle(&(struct end){ dies, point, SIGSTOP, false, test_fork });
    queue_works(dies == stays_in_a_get ? "first" : NULL);
    repairer_goes_on();
    queue_works(NULL);
    assert_int_equal(plait_queue_free(scene->queue), 0);
}

static void a_stopped_repairer_keeps_no_place_to_put(void **state)
{
    cursor_is_free(stays_in_a_put, PLAIT__POINT_REPAIR);
}

static void a_repairer_stopped_later_keeps_no_place_to_put(void **state)
{
    cursor_is_free(stays_in_a_put, PLAIT__POINT_REPAIR_ENDED);
}

static void a_stopped_repairer_keeps_no_place_to_get(void **state)
{
    cursor_is_free(stays_in_a_get, PLAIT__POINT_REPAIR);
}

static void a_repairer_stopped_later_keeps_no_place_to_get(void **state)
{
    cursor_is_free(stays_in_a_get, PLAIT__POINT_REPAIR_ENDED);
}

/* The repair goes on while the queue is being used: what the user owns then is not freed. */
static void stop_again(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) raise(SIGSTOP);
}

static int puts_and_stops(void *unused)
{
    plait__point_hook = stop_again;
    return plait_queue_put(scene->queue, "slow", 5, PLAIT_FOREVER);
}

static void a_repair_that_goes_on_does_not_free_what_others_own_now(void **state)
{
    int status;
    new_scene();
    end_in_the_middle(&(struct end){ stays_in_a_put, PLAIT__POINT_REPAIR_ENDED, SIGSTOP, false, test_fork });
    const pid_t putter = test_fork(puts_and_stops, NULL);
    assert_int_equal(waitpid(putter, &status, WUNTRACED), putter);
    assert_true(WIFSTOPPED(status));
    repairer_goes_on();
    assert_int_equal(plait_queue_put(scene->queue, "torn", 5, PLAIT_NOW), -ETIMEDOUT);
    assert_int_equal(kill(putter, SIGCONT), 0);
    assert_int_equal(test_wait_exit(putter), 0);
    queue_works("slow");
    assert_int_equal(plait_queue_free(scene->queue), 0);
}

/* --- killed, without a mark ------------------------------------------------------------------------------------------------ */

static int waits_for_ever(void *unused)
{
    plait__test_backup_interval = 20 * PLAIT__MILLISECOND;
    return plait_lock_acquire(scene->other_lock, PLAIT_FOREVER);
}

/* One who sleeps, and asks the kernel now and then, does it again. */
static void repair_is_redone(bool loses_list, pid_t (*forks)(int (*body)(void *argument), void *argument))
{
    static const enum plait__point points[] = { PLAIT__POINT_REPAIR, PLAIT__POINT_REPAIR_ENDED, PLAIT__POINT_REPAIR_WOKEN };
    for (int i = 0; i < 3; i++) {
        new_scene();
        end_in_the_middle(&(struct end){ stays_with_the_lock, points[i], SIGKILL, loses_list, forks });
        assert_int_not_equal(test_slot_of(scene->dead), 0);
        assert_int_equal(plait_lock_acquire(scene->other_lock, PLAIT_NOW), 0);
        scene->sleeper = test_fork(waits_for_ever, NULL);
        test_until_no_member(scene->dead);
        test_until_no_member(scene->repairer);
        test_kill(scene->sleeper);
        assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
        assert_int_equal(plait_lock_release(scene->lock), 0);
        test_notice_deaths();
        assert_int_equal(plait_member_count(), 1);
    }
}

static void a_repair_is_redone_when_the_mark_of_its_dead_repairer_was_lost(void **state)
{
    repair_is_redone(true, test_fork);
}

static void a_repair_is_redone_without_robust_lists(void **state)
{
    plait__set_without(PLAIT__WITHOUT_ROBUST);
    repair_is_redone(false, test_fork);
}

static void a_repair_is_redone_after_the_death_of_a_raw_child(void **state)
{
    if (plait__without(PLAIT__WITHOUT_WIPE)) skip();       /* nothing tells a raw child that it is somebody else */
    repair_is_redone(false, raw_fork);
}

/* --- what was freed meanwhile --------------------------------------------------------------------------------------------- */

static void die_with_the_cursor(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) kill(getpid(), SIGKILL);
}

static int dies_in_a_put(void *loses_list)
{
    CHECK(plait_init(NULL, NULL) == 0);
    if (loses_list) lose_robust_list();
    plait__point_hook = die_with_the_cursor;
    return plait_queue_put(scene->queue, "torn", 4, PLAIT_NOW);
}

/* The user's own data lie where the queue was.  By chance they look like words that the dead one owns. */
static uint64_t *use_memory_of_the_queue(struct plait__owned header, uint32_t slot)
{
    plait_queue *const was = scene->queue;
    const size_t size = plait_block_size(was);
    assert_int_equal(plait_queue_free(was), 0);
    uint64_t *words = plait_alloc(size);
    assert_ptr_equal(words, was);
    for (size_t i = 0; i < size / sizeof *words; i++) words[i] = (uint64_t)i << 32 | slot;
    memcpy(words, &header, sizeof header);
    return words;
}

static void words_are_untouched(uint64_t *words, struct plait__owned header, uint32_t slot)
{
    assert_memory_equal(words, &header, sizeof header);
    for (size_t i = sizeof header / sizeof *words; i < plait_block_size(words) / sizeof *words; i++)
        assert_int_equal(words[i], (uint64_t)i << 32 | slot);
    assert_int_equal(plait_free(words), 0);
}

static void who_frees_a_queue_repairs_first_what_died_in_it(void **state)
{
    if (plait__without(PLAIT__WITHOUT_ROBUST)) skip();     /* the death is not known then */
    new_scene();
    assert_int_equal(test_wait_exit(test_fork(dies_in_a_put, NULL)), -SIGKILL);
    const struct plait__owned header = { PLAIT__OWNED_STAMP << 16 | 0x5155u, 2, 128, 128 };
    const uint32_t slot = plait__self.slot + 1;            /* of the dead */
    assert_true(plait__pulse_fell(slot));
    uint64_t *words = use_memory_of_the_queue(header, slot);
    test_notice_deaths();
    words_are_untouched(words, header, slot);
}

/* Its death becomes known only when its memory is somebody else's. */
static void a_late_repair_leaves_the_memory_of_a_freed_queue_alone(void **state)
{
    new_scene();
    const pid_t dead = test_fork(dies_in_a_put, scene);
    assert_int_equal(test_wait_exit(dead), -SIGKILL);
    const uint32_t slot = test_slot_of(dead);
    assert_int_not_equal(slot, 0);
    const struct plait__owned header = { 3, 16, 64, 8 };
    uint64_t *words = use_memory_of_the_queue(header, slot);
    assert_int_equal(test_slot_of(dead), slot);
    plait__process_is_gone(dead);
    assert_int_equal(test_slot_of(dead), 0);
    words_are_untouched(words, header, slot);
}

/* Short owners have three bits of a life.  When eight lives of the slot have passed, they are those of the dead one again; by then
 * nothing may name it any more. */
static int leaves(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    plait_leave();
    return 0;
}

static void the_eighth_life_after_a_death_owns_nothing_of_it(void **state)
{
    new_scene();
    scene->dead = test_fork(stays_in_a_put, NULL);
    test_until_set(&scene->there);
    const uint32_t slot = test_slot_of(scene->dead), life = atomic_load(&plait__slot(slot)->life);
    test_kill(scene->dead);
    test_notice_deaths();
    for (uint32_t lives = 1; lives < 8; lives++) {
        assert_int_equal(atomic_load(&plait__slot(slot)->life), life + lives);
        assert_int_equal(test_wait_exit(test_fork(leaves, NULL)), 0);
    }
    atomic_store(&scene->there, 0);
    const pid_t next = test_fork(stays_with_the_lock, NULL);
    test_until_set(&scene->there);
    assert_int_equal(test_slot_of(next), slot);
    assert_int_equal(plait_queue_put(scene->queue, "whole", 6, plait_after(10)), 0);
    test_kill(next);
    test_notice_deaths();
    assert_int_equal(plait_queue_free(scene->queue), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_stopped_repairer_keeps_no_lock),
    cmocka_unit_test(a_repairer_stopped_later_keeps_no_lock),
    cmocka_unit_test(a_stopped_repairer_lets_a_sleeper_have_the_lock),
    cmocka_unit_test(a_repairer_stopped_later_lets_a_sleeper_have_the_lock),
    cmocka_unit_test(a_stopped_repairer_keeps_no_place_to_put),
    cmocka_unit_test(a_repairer_stopped_later_keeps_no_place_to_put),
    cmocka_unit_test(a_stopped_repairer_keeps_no_place_to_get),
    cmocka_unit_test(a_repairer_stopped_later_keeps_no_place_to_get),
    cmocka_unit_test(a_repair_that_goes_on_does_not_free_what_others_own_now),
    cmocka_unit_test(a_repair_is_redone_when_the_mark_of_its_dead_repairer_was_lost),
    cmocka_unit_test(a_repair_is_redone_without_robust_lists),
    cmocka_unit_test(a_repair_is_redone_after_the_death_of_a_raw_child),
    cmocka_unit_test(who_frees_a_queue_repairs_first_what_died_in_it),
    cmocka_unit_test(a_late_repair_leaves_the_memory_of_a_freed_queue_alone),
    cmocka_unit_test(the_eighth_life_after_a_death_owns_nothing_of_it),
};
TEST_MAIN(tests)
