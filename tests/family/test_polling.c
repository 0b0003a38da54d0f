/* Who never sleeps for long, because it polls or because signals come all the time, learns of deaths all the same. */
#include "harness.h"
#include "others.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/time.h>

#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

struct scene {
    plait_lock *lock;
    plait_queue *queue;
    _Atomic int there, signals;
};

static struct scene *scene;

static void new_scene(void)
{
    scene = test_shared(sizeof *scene);
    assert_non_null(scene->lock = plait_lock_new());
    assert_non_null(scene->queue = plait_queue_new(&(plait_queue_options){ .leases = 1 }));
}

/* --- the kernel did not mark the pulse ------------------------------------------------------------------------------------ */

/* What the OOM killer may do to a process: it takes the list of its robust mutexes before it ends. */
static void lose_robust_list_and_stay(void)
{
    static struct {
        void *next;
        long offset;
        void *pending;
    } empty = { &empty, 0, NULL };
    CHECK(syscall(SYS_set_robust_list, &empty, sizeof empty) == 0);
    atomic_store(&scene->there, 1);
    for (;;) pause();
}

static int holds(void *unused)
{
    CHECK(plait_lock_acquire(scene->lock, PLAIT_NOW) == 0);
    lose_robust_list_and_stay();
    return 0;
}

static int leases(void *unused)
{
    char byte;
    plait_lease lease;
    CHECK(plait_queue_lease(scene->queue, &byte, 1, &lease, PLAIT_NOW) == 1);
    lose_robust_list_and_stay();
    return 0;
}

static void stay_in_the_middle(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_OWNED) lose_robust_list_and_stay();
}

static int is_in_a_put(void *unused)
{
    plait__point_hook = stay_in_the_middle;
    return plait_queue_put(scene->queue, "y", 1, PLAIT_NOW);
}

static void die_unmarked(int (*body)(void *unused))
{
    plait__test_backup_interval = 20 * PLAIT__MILLISECOND;
    new_scene();
    assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_NOW), 0);
    const pid_t dead = test_fork(body, NULL);
    test_until_set(&scene->there);
    test_kill(dead);
    assert_int_not_equal(test_slot_of(dead), 0);
}

static plait_deadline very_soon(void)
{
    return plait_after(0.0005);
}

static plait_deadline soon(void)
{
    return plait_after(0.005);
}

static plait_deadline now(void)
{
    return PLAIT_NOW;
}

static void poll_lock(plait_deadline (*deadline)(void))
{
    int got;
    die_unmarked(holds);
    do got = plait_lock_acquire(scene->lock, deadline());
    while (got == -ETIMEDOUT);
    assert_int_equal(got, PLAIT_OWNER_DIED);
}

static void an_unmarked_death_is_noticed_by_who_polls_a_lock(void **state) { poll_lock(now); }
static void an_unmarked_death_is_noticed_by_very_short_waits_for_a_lock(void **state) { poll_lock(very_soon); }
static void an_unmarked_death_is_noticed_by_short_waits_for_a_lock(void **state) { poll_lock(soon); }

/* The message that the dead one had leased comes back. */
static void poll_queue(plait_deadline (*deadline)(void))
{
    char byte = 0;
    ssize_t got;
    die_unmarked(leases);
    do got = plait_queue_get(scene->queue, &byte, 1, deadline());
    while (got == -ETIMEDOUT);
    assert_int_equal(got, 1);
    assert_int_equal(byte, 'x');
}

static void an_unmarked_death_is_noticed_by_who_polls_a_queue(void **state) { poll_queue(now); }
static void an_unmarked_death_is_noticed_by_short_waits_for_a_message(void **state) { poll_queue(soon); }

static void poll_put(plait_deadline (*deadline)(void))
{
    int got;
    die_unmarked(is_in_a_put);
    do got = plait_queue_put(scene->queue, "z", 1, deadline());
    while (got == -ETIMEDOUT);
    assert_int_equal(got, 0);
}

static void an_unmarked_death_in_a_put_is_noticed_by_who_polls(void **state) { poll_put(now); }
static void an_unmarked_death_in_a_put_is_noticed_by_short_waits(void **state) { poll_put(soon); }

static int stays_alive(void *unused)
{
    CHECK(plait_lock_acquire(scene->lock, PLAIT_NOW) == 0);
    atomic_store(&scene->there, 1);
    for (;;) pause();
    return 0;
}

static void polling_does_not_take_the_living_for_dead(void **state)
{
    plait__test_backup_interval = 1000;
    new_scene();
    const pid_t holder = test_fork(stays_alive, NULL);
    test_until_set(&scene->there);
    test_stop(holder);
    for (int i = 0; i < 1000; i++) assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_NOW), -ETIMEDOUT);
    for (int i = 0; i < 20; i++) assert_int_equal(plait_lock_acquire(scene->lock, very_soon()), -ETIMEDOUT);
    test_kill(holder);
    assert_int_equal(plait_lock_acquire(scene->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
}

/* --- signals --------------------------------------------------------------------------------------------------------------- */

static void count_signal(int number)
{
    atomic_fetch_add(&scene->signals, 1);
}

/* A profiler's timer, so fast that no sleep of a millisecond comes to its end. */
static void be_disturbed_all_the_time(void)
{
    const struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
    const struct itimerval often = { { 0, 200 }, { 0, 200 } };
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static int gets_disturbed(void *unused)
{
    char byte;
    be_disturbed_all_the_time();
    return plait_queue_get(scene->queue, &byte, 1, PLAIT_FOREVER) == 1 ? byte : -1;
}

static int leases_and_stays(void *unused)
{
    char byte;
    plait_lease lease;
    CHECK(plait_queue_lease(scene->queue, &byte, 1, &lease, PLAIT_NOW) == 1);
    atomic_store(&scene->there, 1);
    for (;;) pause();
    return 0;
}

static void a_death_is_noticed_by_who_is_interrupted_all_the_time(void **state)
{
    new_scene();
    assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_NOW), 0);
    const pid_t victim = test_fork(leases_and_stays, NULL);
    test_until_set(&scene->there);
    const pid_t sleeper = test_fork(gets_disturbed, NULL);
    test_until_member(sleeper);
    test_until_at_least(&scene->signals, 20);
    test_kill(victim);
    assert_int_equal(test_wait_exit(sleeper), 'x');
}

/* --- every sleep ---
 *
 * A timer's signals may come late.  So here is what they do at their worst: no short sleep lasts until its own end. */

static bool sleeps_are_cut;

static long real_syscall(long number, const long *of)
{
    static long (*real)(long number, ...);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, of[0], of[1], of[2], of[3], of[4], of[5]);
}

static long sleep_and_be_interrupted(const long *of)
{
    const struct timespec soon_enough = plait__timespec(plait__now() + PLAIT__MILLISECOND / 4);
    const long cut[6] = { of[0], of[1], of[2], (long)&soon_enough, of[4], of[5] };
    const long result = real_syscall(SYS_futex, cut);
    if (result < 0 && errno == ETIMEDOUT) errno = EINTR;
    return result;
}

/* Stands before libc's.  Like that one it takes six arguments from wherever they are, however many there are. */
__attribute__((no_sanitize("address"))) long syscall(long number, ...)
{
    long of[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) of[i] = va_arg(list, long);
    va_end(list);
    if (sleeps_are_cut && number == SYS_futex && (of[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) return sleep_and_be_interrupted(of);
    return real_syscall(number, of);
}

static int gets_with_sleeps_cut(void *unused)
{
    char byte;
    sleeps_are_cut = true;
    return plait_queue_get(scene->queue, &byte, 1, PLAIT_FOREVER) == 1 ? byte : -1;
}

static void a_death_is_noticed_although_no_short_sleep_comes_to_its_end(void **state)
{
    new_scene();
    assert_int_equal(plait_queue_put(scene->queue, "x", 1, PLAIT_NOW), 0);
    const pid_t victim = test_fork(leases_and_stays, NULL);
    test_until_set(&scene->there);
    const pid_t sleeper = test_fork(gets_with_sleeps_cut, NULL);
    test_until_waits(sleeper);
    test_kill(victim);
    assert_int_equal(test_wait_exit(sleeper), 'x');
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_unmarked_death_is_noticed_by_who_polls_a_lock),
    cmocka_unit_test(an_unmarked_death_is_noticed_by_very_short_waits_for_a_lock),
    cmocka_unit_test(an_unmarked_death_is_noticed_by_short_waits_for_a_lock),
    cmocka_unit_test(an_unmarked_death_is_noticed_by_who_polls_a_queue),
    cmocka_unit_test(an_unmarked_death_is_noticed_by_short_waits_for_a_message),
    cmocka_unit_test(an_unmarked_death_in_a_put_is_noticed_by_who_polls),
    cmocka_unit_test(an_unmarked_death_in_a_put_is_noticed_by_short_waits),
    cmocka_unit_test(polling_does_not_take_the_living_for_dead),
    cmocka_unit_test(a_death_is_noticed_by_who_is_interrupted_all_the_time),
    cmocka_unit_test(a_death_is_noticed_although_no_short_sleep_comes_to_its_end),
};
TEST_MAIN(tests)
