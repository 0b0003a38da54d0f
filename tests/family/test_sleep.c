/* Sleeping members: an idle family costs nothing; a death whose mark was lost is found; signals and stopped members disturb
 * nobody. */
#include "harness.h"
#include "others.h"

#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

#include "family/repair.h"

struct scene {
    plait_lock *lock;
    plait_queue *queue;
    _Atomic int held, signals;
    pid_t pids[64];
};

static struct scene *scene;                             /* a signal handler needs it too */

static void new_scene(void)
{
    scene = test_shared(sizeof *scene);
    assert_non_null(scene->lock = plait_lock_new());
    assert_non_null(scene->queue = plait_queue_new(NULL));
}

static int holds(void *unused)
{
    CHECK(plait_lock_acquire(scene->lock, PLAIT_FOREVER) == 0);
    atomic_store(&scene->held, 1);
    for (;;) pause();
    return 0;
}

static int acquires(void *unused)
{
    return plait_lock_acquire(scene->lock, PLAIT_FOREVER);
}

static int gets(void *unused)
{
    char byte;
    return (int)plait_queue_get(scene->queue, &byte, 1, PLAIT_FOREVER);
}

/* --- doing nothing ------------------------------------------------------------------------------------------------------- */

/* How often the process was given, or gave up, the processor. */
static long switches_of(pid_t pid)
{
    char path[64], line[128];
    long sum = 0, number;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &number) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %ld", &number) == 1) sum += number;
    fclose(file);
    assert_true(sum > 0);
    return sum;
}

/* The one thing that can't be seen in a state: that nothing happens for some time. */
static bool nobody_stirs(int members, int seconds)
{
    long before[64];
    bool still = true;
    for (int i = 0; i < members; i++) test_until_watches(scene->pids[i]);
    for (int i = 0; i < members; i++) before[i] = switches_of(scene->pids[i]);
    nanosleep(&(struct timespec){ .tv_sec = seconds }, NULL);
    for (int i = 0; i < members; i++) still = still && switches_of(scene->pids[i]) == before[i];
    return still;
}

static void start_sleepers(int members)
{
    for (int i = 0; i < members; i++) scene->pids[i] = test_fork(i % 2 ? acquires : gets, NULL);
    for (int i = 0; i < members; i++) test_until_watches(scene->pids[i]);
}

static void end_sleepers(int members)
{
    for (int i = 0; i < members; i++) test_kill(scene->pids[i]);
}

/* With the times that users have: nobody asks the kernel about the others before 8 s. */
static void an_idle_family_does_nothing_at_all(void **state)
{
    plait__test_backup_interval = plait__test_short_sleep = 0;
    new_scene();
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), 0);
    start_sleepers(20);
    assert_true(nobody_stirs(20, 5));
    end_sleepers(20);
}

static int joins_without_a_pulse(void *unused)
{
    plait__set_without(PLAIT__WITHOUT_ROBUST);
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(atomic_load(&plait__slot(plait__self.slot)->flags) & PLAIT__UNPULSED);
    return 0;
}

static void it_is_idle_again_when_the_members_without_a_pulse_are_gone(void **state)
{
    new_scene();
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), 0);
    start_sleepers(20);
    const pid_t child = test_fork(joins_without_a_pulse, NULL);
    assert_int_equal(test_wait_exit(child), 0);
    test_until_no_member(child);
    while (!nobody_stirs(20, 1)) {}                        /* each may look once more */
    end_sleepers(20);
}

/* --- when the kernel did not mark a pulse ------------------------------------------------------------------------------ */

/* What the OOM killer may do to a process: it takes the list of its robust mutexes before it ends. */
static int holds_and_loses_its_list(void *unused)
{
    static struct {
        void *next;
        long offset;
        void *pending;
    } empty = { &empty, 0, NULL };
    CHECK(plait_lock_acquire(scene->lock, PLAIT_FOREVER) == 0);
    CHECK(syscall(SYS_set_robust_list, &empty, sizeof empty) == 0);
    atomic_store(&scene->held, 1);
    for (;;) pause();
    return 0;
}

static void check_lost_pulse_is_found(unsigned without)
{
    plait__set_without(without);
    plait__test_backup_interval = 20 * 1000 * 1000;
    new_scene();
    plait_leave();
    const pid_t victim = test_fork(holds_and_loses_its_list, NULL);
    test_until_set(&scene->held);
    const pid_t sleeper = test_fork(acquires, NULL), other = test_fork(gets, NULL);
    test_until_watches(sleeper);
    test_until_watches(other);
    test_kill(victim);
    assert_int_equal(test_wait_exit(sleeper), PLAIT_OWNER_DIED);
    test_until_no_member(victim);
    test_kill(other);
}

static void a_lost_pulse_is_found(void **state) { check_lost_pulse_is_found(0); }
static void a_lost_pulse_is_found_without_waitv(void **state) { check_lost_pulse_is_found(PLAIT__WITHOUT_WAITV); }
static void a_lost_pulse_is_found_without_pidfd(void **state) { check_lost_pulse_is_found(PLAIT__WITHOUT_PIDFD); }

/* A zombie is gone too, although its number is not free yet. */
static void a_lost_pulse_is_found_before_the_parent_has_waited(void **state)
{
    plait__test_backup_interval = 20 * 1000 * 1000;
    new_scene();
    const pid_t victim = test_fork(holds_and_loses_its_list, NULL);
    test_until_set(&scene->held);
    assert_int_equal(kill(victim, SIGKILL), 0);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
    assert_int_equal(test_wait_exit(victim), -SIGKILL);
}

static void the_living_are_not_taken_for_dead_by_the_backup(void **state)
{
    plait__test_backup_interval = 1000 * 1000;
    new_scene();
    const pid_t holder = test_fork(holds, NULL);
    test_until_set(&scene->held);
    test_stop(holder);
    assert_int_equal(plait_lock_acquire(scene->lock, plait_after(0.1)), -ETIMEDOUT);
    plait__ask_kernel(PLAIT__MEMBERS_MAX);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), -ETIMEDOUT);
    test_kill(holder);
}

static void a_parent_that_knows_can_tell(void **state)
{
    new_scene();
    const pid_t victim = test_fork(holds_and_loses_its_list, NULL);
    test_until_set(&scene->held);
    test_kill(victim);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), -ETIMEDOUT);
    plait__process_is_gone(victim);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), PLAIT_OWNER_DIED);
    assert_int_equal(test_slot_of(victim), 0);
    plait__process_is_gone(victim);
    plait__process_is_gone(1);
    assert_int_equal(plait_member_count(), 1);
}

/* --- in a sandbox -------------------------------------------------------------------------------------------------------- */

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* Some refuse calls that they do not know with EPERM, as if the kernel had them. */
static void refuse_futex_waitv(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_waitv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof steps / sizeof steps[0], .filter = steps };
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static bool family_has_no_waitv(void *unused)
{
    return atomic_load(&plait__roster->no_waitv) != 0;
}

static int acquires_in_a_sandbox(void *unused)
{
    refuse_futex_waitv();
    return acquires(unused);
}

static void a_refused_futex_waitv_is_one_that_is_not_there(void **state)
{
    new_scene();
    const pid_t holder = test_fork(holds, NULL);
    test_until_set(&scene->held);
    const pid_t sleeper = test_fork(acquires_in_a_sandbox, NULL);
    test_until(family_has_no_waitv, NULL);
    test_until_sleeps(sleeper);
    test_kill(holder);
    assert_int_equal(test_wait_exit(sleeper), PLAIT_OWNER_DIED);
}

/* --- signals --------------------------------------------------------------------------------------------------------------- */

static void count_signal(int number)
{
    atomic_fetch_add(&scene->signals, 1);
}

static void install_handler(int flags)
{
    struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static int acquires_despite_signals(void *unused)
{
    install_handler(0);
    return plait_lock_acquire(scene->lock, PLAIT_FOREVER);
}

static int acquires_despite_restarting_signals(void *unused)
{
    install_handler(SA_RESTART);
    return plait_lock_acquire(scene->lock, PLAIT_FOREVER);
}

static int gets_despite_signals(void *unused)
{
    install_handler(0);
    return gets(NULL);
}

static void disturb(int (*body)(void *argument))
{
    const pid_t sleeper = test_fork(body, NULL);
    test_until_member(sleeper);
    atomic_store(&scene->signals, 0);
    for (int i = 1; i <= 20; i++) {
        if (i % 2) test_until_waits(sleeper);
        else test_until_watches(sleeper);
        assert_int_equal(kill(sleeper, SIGUSR1), 0);
        test_until_at_least(&scene->signals, i);
    }
    test_until_watches(sleeper);
    if (body == gets_despite_signals) assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_NOW), 0);
    else assert_int_equal(plait_lock_release(scene->lock), 0);
    assert_int_equal(test_wait_exit(sleeper), body == gets_despite_signals ? 1 : 0);
}

static void signals_do_not_end_a_wait_for_a_lock(void **state)
{
    new_scene();
    for (int i = 0; i < 2; i++) {
        assert_true(plait_lock_acquire(scene->lock, PLAIT_FOREVER) >= 0);
        disturb(i ? acquires_despite_signals : acquires_despite_restarting_signals);
    }
}

static void signals_do_not_end_a_wait_for_a_message(void **state)
{
    new_scene();
    disturb(gets_despite_signals);
}

static int has_a_deadline(void *unused)
{
    install_handler(0);
    const plait_deadline deadline = plait_after(0.2);
    atomic_store(&scene->held, 1);
    CHECK(plait_lock_acquire(scene->lock, deadline) == -ETIMEDOUT);
    CHECK(plait__now() >= deadline.at);
    return 0;
}

static void signals_do_not_move_a_deadline(void **state)
{
    new_scene();
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), 0);
    const pid_t sleeper = test_fork(has_a_deadline, NULL);
    test_until_set(&scene->held);
    for (int i = 0; i < 10; i++) assert_int_equal(kill(sleeper, SIGUSR1), 0);
    assert_int_equal(test_wait_exit(sleeper), 0);
}

/* --- stopped members ------------------------------------------------------------------------------------------------------- */

static bool stop_while_making_slots;

/* Every slot has a mutex, which somebody has to make: stop him there. */
int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    if (stop_while_making_slots) {
        stop_while_making_slots = false;
        raise(SIGSTOP);
    }
    int (*real)(pthread_mutex_t *, const pthread_mutexattr_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_init");
    return real(mutex, attributes);
}

static int joins_and_stops_while_making_slots(void *unused)
{
    stop_while_making_slots = true;
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(plait_lock_acquire(scene->lock, PLAIT_NOW) == 0);
    CHECK(plait_lock_release(scene->lock) == 0);
    return 0;
}

static int joins_and_waits(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    atomic_fetch_add(&scene->held, 1);
    for (;;) pause();
    return 0;
}

static void a_member_that_stops_while_joining_does_not_keep_others_out(void **state)
{
    enum { MANY = 40 };
    pid_t children[MANY];
    int status;
    new_scene();
    const int made = (int)atomic_load(&plait__roster->made);
    for (int i = 0; i < made - 1; i++) children[i] = test_fork(joins_and_waits, NULL);
    test_until_at_least(&scene->held, made - 1);
    const pid_t stopped = test_fork(joins_and_stops_while_making_slots, NULL);
    assert_int_equal(waitpid(stopped, &status, WUNTRACED), stopped);
    assert_true(WIFSTOPPED(status));
    for (int i = made - 1; i < MANY; i++) children[i] = test_fork(joins_and_waits, NULL);
    test_until_at_least(&scene->held, MANY);
    assert_int_equal(kill(stopped, SIGCONT), 0);
    assert_int_equal(test_wait_exit(stopped), 0);
    for (int i = 0; i < MANY; i++) test_kill(children[i]);
}

static void stopped_members_do_not_keep_others_out(void **state)
{
    pid_t children[20];
    new_scene();
    for (int i = 0; i < 20; i++) {
        children[i] = test_fork(joins_and_waits, NULL);
        test_until_at_least(&scene->held, i + 1);
        test_stop(children[i]);
    }
    assert_int_equal(plait_member_count(), 21);
    assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_FOREVER), 0);
    assert_int_equal(gets(NULL), 1);
    for (int i = 0; i < 20; i++) test_kill(children[i]);
    assert_int_equal(plait_member_count(), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_idle_family_does_nothing_at_all),
    cmocka_unit_test(it_is_idle_again_when_the_members_without_a_pulse_are_gone),
    cmocka_unit_test(a_lost_pulse_is_found),
    cmocka_unit_test(a_lost_pulse_is_found_without_waitv),
    cmocka_unit_test(a_lost_pulse_is_found_without_pidfd),
    cmocka_unit_test(a_lost_pulse_is_found_before_the_parent_has_waited),
    cmocka_unit_test(the_living_are_not_taken_for_dead_by_the_backup),
    cmocka_unit_test(a_parent_that_knows_can_tell),
    cmocka_unit_test(a_refused_futex_waitv_is_one_that_is_not_there),
    cmocka_unit_test(signals_do_not_end_a_wait_for_a_lock),
    cmocka_unit_test(signals_do_not_end_a_wait_for_a_message),
    cmocka_unit_test(signals_do_not_move_a_deadline),
    cmocka_unit_test(a_member_that_stops_while_joining_does_not_keep_others_out),
    cmocka_unit_test(stopped_members_do_not_keep_others_out),
};
TEST_MAIN(tests)
