/* Who waits for whom: a wait in vain tells it, and the report for all. */
#include "harness.h"
#include "others.h"
#include "report.h"

#include <signal.h>
#include <sys/wait.h>

#include <plait/arena.h>
#include <plait/deadlock.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/process.h>
#include <plait/queue.h>
#include <plait/rlock.h>
#include <plait/rwlock.h>
#include <plait/semaphore.h>

#include "family/roster.h"

enum { MANY = 5 };

static struct scene {
    plait_lock locks[MANY];
    plait_rlock rlock;
    plait_rwlock *rwlock;
    plait_queue *queue;
    _Atomic int ready[MANY], go, end;
} *scene;

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    return scene && (scene->rwlock = plait_rwlock_new(NULL)) && (scene->queue = plait_queue_new(NULL)) ? 0 : -1;
}

static int free_scene(void **state)
{
    return plait_rwlock_free(scene->rwlock) || plait_queue_free(scene->queue) || plait_free(scene);
}

/* ---- chains of processes ---- */

/* Number i of n has lock i, then wants the next one. */
struct in_ring {
    int number, of;
};

static void name_process(int number)
{
    char name[24];
    snprintf(name, sizeof name, "Philosopher-%d", number + 1);
    plait__set_process_name(name);
}

static int takes_own_then_next(void *argument)
{
    const struct in_ring *ring = argument;
    name_process(ring->number);
    CHECK(plait_lock_acquire(&scene->locks[ring->number], PLAIT_FOREVER) == 0);
    scene->ready[ring->number] = 1;
    test_until_set(&scene->go);
    CHECK(plait_lock_acquire(&scene->locks[(ring->number + 1) % ring->of], PLAIT_FOREVER) >= 0);
    for (;;) pause();
}

/* All but `fewer` of them, stuck. */
static void start_ring(pid_t children[MANY], int of, int fewer)
{
    for (int i = fewer; i < of; i++) {
        struct in_ring ring = { i, of };
        children[i] = test_fork(takes_own_then_next, &ring);
        test_until_set(&scene->ready[i]);
    }
    if (!fewer) scene->go = 1;
    for (int i = fewer; i < of && !fewer; i++) test_until_watches(children[i]);
}

static void kill_ring(const pid_t children[MANY], int of, int fewer)
{
    for (int i = fewer; i < of; i++) test_kill(children[i]);
}

static void check_ring_is_reported(int of)
{
    pid_t children[MANY];
    char expected[200];
    memset(scene->locks, 0, sizeof scene->locks);
    for (int i = 0; i < MANY; i++) scene->ready[i] = 0;
    scene->go = 0;
    start_ring(children, of, 0);
    assert_int_equal(reported(), 1);
    assert_int_equal(test_times_in(report, "waits for the lock at"), 2 * of);
    snprintf(expected, sizeof expected, "deadlock of %d:\n", of);
    assert_int_equal(test_times_in(report, expected), 1);
    for (int i = 0; i < of; i++) {
        const int next = (i + 1) % of;
        snprintf(expected, sizeof expected,
                 "Philosopher-%d (pid %d) waits for the lock at %p, which is held by Philosopher-%d (pid %d)\n", i + 1,
                 (int)children[i], (void *)&scene->locks[next], next + 1, (int)children[next]);
        assert_int_equal(test_times_in(report, expected), 2);
    }
    kill_ring(children, of, 0);
    for (int i = 0; i < of; i++) {
        assert_int_equal(plait_lock_acquire(&scene->locks[i], PLAIT_FOREVER), PLAIT_OWNER_DIED);
        assert_int_equal(plait_lock_release(&scene->locks[i]), 0);
    }
}

static void the_report_tells_a_cycle_once(void **state)
{
    for (int of = 2; of <= MANY; of++) check_ring_is_reported(of);
}

static void who_gives_up_is_told_of_the_whole_cycle(void **state)
{
    pid_t children[MANY];
    char expected[600], *end = expected;
    const char *me = "MainProcess";
    assert_int_equal(plait_lock_acquire(&scene->locks[0], PLAIT_NOW), 0);
    start_ring(children, 3, 1);
    scene->go = 1;
    for (int i = 1; i < 3; i++) test_until_watches(children[i]);
    assert_int_equal(plait_lock_acquire(&scene->locks[1], plait_after(0.02)), -ETIMEDOUT);
    end += sprintf(end, "the lock is held by Philosopher-2 (pid %d): a deadlock", (int)children[1]);
    end += sprintf(end, ": %s (pid %d) waits for the lock at %p", me, (int)getpid(), (void *)&scene->locks[1]);
    end += sprintf(end, ": Philosopher-2 (pid %d) waits for the lock at %p", (int)children[1], (void *)&scene->locks[2]);
    sprintf(end, ": Philosopher-3 (pid %d) waits for the lock at %p", (int)children[2], (void *)&scene->locks[0]);
    assert_string_equal(plait_error_detail(), expected);
    assert_int_equal(plait_lock_release(&scene->locks[0]), 0);
    kill_ring(children, 3, 1);
}

static int waits_for_the_first(void *unused)
{
    CHECK(plait_lock_acquire(&scene->locks[0], plait_after(0.03)) == -ETIMEDOUT);
    CHECK(strstr(plait_error_detail(), "behind a deadlock: Philosopher-") && !strstr(plait_error_detail(), "MainProcess"));
    return 0;
}

static void who_waits_behind_a_cycle_is_told_so(void **state)
{
    pid_t children[MANY];
    start_ring(children, 2, 0);
    assert_int_equal(waits_for_the_first(NULL), 0);
    kill_ring(children, 2, 0);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_lock_acquire(&scene->locks[i], PLAIT_FOREVER), PLAIT_OWNER_DIED);
}

static void a_long_cycle_is_cut_where_the_detail_ends(void **state)
{
    pid_t children[MANY];
    assert_int_equal(plait_lock_acquire(&scene->locks[0], PLAIT_NOW), 0);
    start_ring(children, MANY, 1);
    scene->go = 1;
    for (int i = 1; i < MANY; i++) test_until_watches(children[i]);
    assert_int_equal(plait_lock_acquire(&scene->locks[1], plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(test_times_in(plait_error_detail(), "waits for the lock"), MANY);
    kill_ring(children, MANY, 1);
    assert_int_equal(plait_lock_release(&scene->locks[0]), 0);
    for (int i = 1; i < MANY; i++) assert_int_equal(plait_lock_acquire(&scene->locks[i], PLAIT_FOREVER), PLAIT_OWNER_DIED);
}

/* ---- of threads, and of all kinds ---- */

static plait_lock private_locks[2];

static int takes_both(void *argument)
{
    const int first = *(const int *)argument;
    CHECK(plait_lock_acquire(&private_locks[first], PLAIT_FOREVER) == 0);
    scene->ready[first] = 1;
    test_until_set(&scene->go);
    const int got = plait_lock_acquire(&private_locks[!first], first ? PLAIT_FOREVER : plait_after(0.1));
    if (got == 0) CHECK(plait_lock_release(&private_locks[!first]) == 0);
    else CHECK(got == -ETIMEDOUT && strstr(plait_error_detail(), "a deadlock"));
    return plait_lock_release(&private_locks[first]);
}

static void threads_with_private_locks_are_told_too(void **state)
{
    struct test_thread threads[2];
    static int numbers[] = { 0, 1 };
    for (int i = 0; i < 2; i++) {
        test_thread_start(&threads[i], takes_both, &numbers[i]);
        test_until_set(&scene->ready[i]);
    }
    scene->go = 1;
    for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
}

static int writes_then_wants_the_rlock(void *unused)
{
    CHECK(plait_rwlock_acquire_write(scene->rwlock, PLAIT_FOREVER) == 0);
    scene->ready[0] = 1;
    CHECK(plait_rlock_acquire(&scene->rlock, PLAIT_FOREVER) == 0);
    CHECK(plait_rlock_release(&scene->rlock) == 0);
    return plait_rwlock_release(scene->rwlock);
}

static int reads_then_wants_the_rlock(void *unused)
{
    CHECK(plait_rwlock_acquire_read(scene->rwlock, PLAIT_FOREVER) == 0);
    scene->ready[0] = 1;
    CHECK(plait_rlock_acquire(&scene->rlock, PLAIT_FOREVER) == 0);
    CHECK(plait_rlock_release(&scene->rlock) == 0);
    return plait_rwlock_release(scene->rwlock);
}

static void check_cycle_with_rwlock(int (*other)(void *unused), int (*acquire)(plait_rwlock *lock, plait_deadline deadline))
{
    struct test_thread thread;
    scene->ready[0] = 0;
    assert_int_equal(plait_rlock_acquire(&scene->rlock, PLAIT_NOW), 0);
    test_thread_start(&thread, other, NULL);
    test_until_set(&scene->ready[0]);
    test_until_watches(thread.tid);
    assert_int_equal(acquire(scene->rwlock, plait_after(0.02)), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "a deadlock: "));
    assert_non_null(strstr(plait_error_detail(), "waits for the rwlock at"));
    assert_non_null(strstr(plait_error_detail(), "waits for the rlock at"));
    assert_int_equal(plait_rlock_release(&scene->rlock), 0);
    assert_int_equal(test_thread_join(&thread), 0);
}

static void cycles_of_rlocks_and_rwlocks_are_told(void **state)
{
    check_cycle_with_rwlock(writes_then_wants_the_rlock, plait_rwlock_acquire_read);
    check_cycle_with_rwlock(writes_then_wants_the_rlock, plait_rwlock_acquire_write);
    check_cycle_with_rwlock(reads_then_wants_the_rlock, plait_rwlock_acquire_write);
}

/* ---- owned semaphores ---- */

static plait_semaphore *semaphore;

static int has_all_permits_and_wants_the_lock(void *permits)
{
    for (int i = 0; i < *(int *)permits; i++) CHECK(plait_semaphore_acquire(semaphore, PLAIT_NOW) == 0);
    scene->ready[0] = 1;
    CHECK(plait_lock_acquire(&scene->locks[0], PLAIT_FOREVER) == 0);
    CHECK(plait_lock_release(&scene->locks[0]) == 0);
    return plait_semaphore_release_many(semaphore, (uint32_t)*(int *)permits);
}

static int has_the_lock_and_wants_a_permit(void *unused)
{
    CHECK(plait_lock_acquire(&scene->locks[0], PLAIT_NOW) == 0);
    scene->ready[1] = 1;
    test_until_set(&scene->ready[0]);
    int got = plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
    CHECK(got == 0 || got == PLAIT_OWNER_DIED);
    return plait_lock_release(&scene->locks[0]);
}

/* A process has all permits (or all but one, which a third has) and wants the lock, another has the lock and wants a permit. */
static void check_cycle_with_semaphore(int permits, int kept)
{
    int wanted = permits - kept;
    semaphore = plait_owned_semaphore_new(permits);
    assert_non_null(semaphore);
    scene->ready[0] = scene->ready[1] = 0;
    if (kept) assert_int_equal(plait_semaphore_acquire(semaphore, PLAIT_NOW), 0);
    pid_t lock_holder = test_fork(has_the_lock_and_wants_a_permit, NULL);
    test_until_set(&scene->ready[1]);
    pid_t permit_holder = test_fork(has_all_permits_and_wants_the_lock, &wanted);
    test_until_watches(permit_holder);
    test_until_watches(lock_holder);
    assert_int_equal(reported(), !kept);
    assert_int_equal(test_times_in(report, "waits for the semaphore at"), kept ? 1 : 2);
    assert_int_equal(test_times_in(report, "deadlock of 2:"), !kept);
    kill(permit_holder, SIGKILL);
    assert_int_equal(test_wait_exit(permit_holder), -SIGKILL);
    assert_int_equal(test_wait_exit(lock_holder), 0);
    if (kept) assert_int_equal(plait_semaphore_release(semaphore), 0);
    assert_int_equal(plait_semaphore_free(semaphore), 0);
}

static void a_cycle_with_an_owned_semaphore_is_told(void **state)
{
    check_cycle_with_semaphore(1, 0);
    check_cycle_with_semaphore(3, 0);
    check_cycle_with_semaphore(3, 1);
}

/* ---- ends ---- */

static int wants_the_first_lock(void *unused)
{
    scene->ready[0] = 1;
    return plait_lock_acquire(&scene->locks[0], PLAIT_FOREVER) < 0;
}

/* The commonest of all: the parent waits for the end of a child, with a lock that the child wants. */
static void check_join(int kind)
{
    char expected[100];
    const plait_process_options options = { .name = "Child", .kind = kind };
    scene->ready[0] = 0;
    assert_int_equal(plait_lock_acquire(&scene->locks[0], PLAIT_NOW), 0);
    plait_process *child = plait_start(wants_the_first_lock, NULL, 0, &options);
    assert_non_null(child);
    test_until_set(&scene->ready[0]);
    test_until_watches(plait_process_pid(child));
    assert_int_equal(plait_process_join(child, plait_after(0.02)), -ETIMEDOUT);
    snprintf(expected, sizeof expected, "Child (pid %d) is still running: a deadlock: MainProcess", (int)plait_process_pid(child));
    assert_non_null(strstr(plait_error_detail(), expected));
    assert_non_null(strstr(plait_error_detail(), "waits for the end of"));
    assert_non_null(strstr(plait_error_detail(), "waits for the lock at"));
    assert_int_equal(plait_lock_release(&scene->locks[0]), 0);
    assert_int_equal(plait_process_join(child, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(child), 0);
    assert_int_equal(plait_process_free(child), 0);
    assert_int_equal(plait_lock_release(&scene->locks[0]), 0);
}

static void who_joins_one_that_wants_its_lock_is_told(void **state)
{
    check_join(PLAIT_PROCESSES);
    check_join(PLAIT_THREADS);
}

static int waits_for_the_end_of(void *process)
{
    CHECK(plait_lock_locked(&scene->locks[0]) == 1);       /* a member by now: who is none holds nothing */
    return plait_process_join(process, PLAIT_FOREVER);
}

static void a_join_that_hangs_is_in_the_report(void **state)
{
    struct test_thread thread;
    assert_int_equal(plait_lock_acquire(&scene->locks[0], PLAIT_NOW), 0);
    plait_process *child = plait_start(wants_the_first_lock, NULL, 0, &(plait_process_options){ .name = "Child" });
    assert_non_null(child);
    test_until_set(&scene->ready[0]);
    test_until_watches(plait_process_pid(child));
    test_thread_start(&thread, waits_for_the_end_of, child);
    do assert_int_equal(reported(), 0);                    /* this thread has the lock, and does not wait */
    while (test_times_in(report, "waits for the end of Child (pid ") == 0);
    assert_int_equal(test_times_in(report, "Child (pid "), 2);
    assert_int_equal(plait_lock_release(&scene->locks[0]), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_int_equal(plait_process_free(child), 0);
    assert_int_equal(plait_lock_release(&scene->locks[0]), 0);
}

/* ---- no false alarms ---- */

static int gets_a_message(void *unused)
{
    int number;
    return plait_queue_get(scene->queue, &number, sizeof number, PLAIT_FOREVER) == sizeof number ? 0 : 1;
}

static void who_waits_for_anybody_is_in_no_cycle(void **state)
{
    struct test_thread thread;
    char expected[100];
    int number = 1;
    assert_int_equal(reported(), 0);
    assert_string_equal(report, "");
    test_thread_start(&thread, gets_a_message, NULL);
    test_until_watches(thread.tid);
    assert_int_equal(reported(), 0);
    snprintf(expected, sizeof expected, "waits for the queue at %p\n", (void *)scene->queue);
    assert_int_equal(test_times_in(report, expected), 1);
    assert_int_equal(plait_queue_put(scene->queue, &number, sizeof number, PLAIT_NOW), 0);
    assert_int_equal(test_thread_join(&thread), 0);
}

static int has_the_first_and_wants_the_second(void *unused)
{
    CHECK(plait_lock_acquire(&scene->locks[0], PLAIT_FOREVER) == 0);
    scene->ready[0] = 1;
    CHECK(plait_lock_acquire(&scene->locks[1], PLAIT_FOREVER) == 0);
    CHECK(plait_lock_release(&scene->locks[1]) == 0);
    CHECK(plait_lock_release(&scene->locks[0]) == 0);
    plait_leave();
    return 0;
}

/* It is stopped in its sleep, while what it waits for becomes free; then the one who had that waits for it. */
static void who_was_passed_by_is_in_no_cycle(void **state)
{
    assert_int_equal(plait_lock_acquire(&scene->locks[1], PLAIT_NOW), 0);
    const pid_t stopped = test_fork(has_the_first_and_wants_the_second, NULL);
    test_until_set(&scene->ready[0]);
    test_until_watches(stopped);
    assert_int_equal(kill(stopped, SIGSTOP), 0);
    assert_int_equal(waitpid(stopped, NULL, WUNTRACED), stopped);
    assert_int_equal(plait_lock_release(&scene->locks[1]), 0);
    assert_int_equal(plait_lock_acquire(&scene->locks[0], plait_after(0.02)), -ETIMEDOUT);
    assert_null(strstr(plait_error_detail(), "deadlock"));
    assert_int_equal(kill(stopped, SIGCONT), 0);
    assert_int_equal(test_wait_exit(stopped), 0);
}

/* Two locks that are always taken in the same order, as fast as can be, and by a third in the other order, but only if both are to
 * be had: there is always somebody who waits, and never a cycle. */
static int eats(void *argument)
{
    const int first = *(const int *)argument;
    for (long i = 0; !scene->end; i++) {
        CHECK(plait_lock_acquire(&scene->locks[first], PLAIT_FOREVER) == 0);
        if (plait_lock_acquire(&scene->locks[!first], first ? PLAIT_NOW : PLAIT_FOREVER) == 0)
            CHECK(plait_lock_release(&scene->locks[!first]) == 0);
        CHECK(plait_lock_release(&scene->locks[first]) == 0);
    }
    return 0;
}

static void there_is_no_false_alarm(void **state)
{
    struct test_thread threads[4];
    static int numbers[] = { 0, 1, 0, 1 };
    int waits = 0;
    for (int i = 0; i < 4; i++) test_thread_start(&threads[i], eats, &numbers[i]);
    for (int i = 0; i < 2000 || !waits; i++) {             /* on a busy machine nobody may have slept by then */
        assert_int_equal(reported(), 0);
        waits += report[0] != 0;
    }
    scene->end = 1;
    for (int i = 0; i < 4; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_true(waits > 0);
}

/* ---- bad input ---- */

static void bad_files_are_errors(void **state)
{
    struct test_thread thread;
    int number = 1;
    assert_int_equal(plait_deadlock_report(NULL), -EINVAL);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(plait_deadlock_report(full), 0);      /* nothing to write */
    test_thread_start(&thread, gets_a_message, NULL);
    test_until_watches(thread.tid);
    assert_int_equal(plait_deadlock_report(full), -EIO);
    assert_int_equal(plait_queue_put(scene->queue, &number, sizeof number, PLAIT_NOW), 0);
    assert_int_equal(test_thread_join(&thread), 0);
    fclose(full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(the_report_tells_a_cycle_once),
    TEST(who_gives_up_is_told_of_the_whole_cycle),
    TEST(who_waits_behind_a_cycle_is_told_so),
    TEST(a_long_cycle_is_cut_where_the_detail_ends),
    TEST(threads_with_private_locks_are_told_too),
    TEST(cycles_of_rlocks_and_rwlocks_are_told),
    TEST(a_cycle_with_an_owned_semaphore_is_told),
    TEST(who_joins_one_that_wants_its_lock_is_told),
    TEST(a_join_that_hangs_is_in_the_report),
    TEST(who_waits_for_anybody_is_in_no_cycle),
    TEST(who_was_passed_by_is_in_no_cycle),
    TEST(there_is_no_false_alarm),
    TEST(bad_files_are_errors),
};
TEST_MAIN(tests)
