/* Whatever the first calls and the constructors ask the system for may be refused: becoming a member, in a fresh process, in a new
 * thread and in a forked child; memory, locks, queues; and sleeping. */
#include "fail.h"
#include "host.h"
#include "others.h"
#include "symbols.h"

#include <plait.h>

#include "base/error.h"
#include "family/repair.h"
#include "family/roster.h"

/* --- a first call ------------------------------------------------------------------------------------------------------- */

static int call_init(void)
{
    return plait_init(NULL, NULL);
}

static const struct fail_operation init = { .run = call_init };

/* Descriptors of ours stay away from 0, 1 and 2: one more call. */
static void close_stdin(void)
{
    close(STDIN_FILENO);
}

static const struct fail_operation init_without_stdin = { .set_up = close_stdin, .run = call_init };

static void *made;

static int make(void *object)
{
    made = object;
    return object ? 0 : -errno;
}

static void free_block(void)
{
    CHECK(plait_is_shared(made) && plait_free(made) == 0);
}

static void free_queue(void)
{
    char byte;
    CHECK(plait_queue_put(made, "x", 1, PLAIT_NOW) == 0);
    CHECK(plait_queue_get(made, &byte, 1, PLAIT_NOW) == 1 && byte == 'x');
    CHECK(plait_queue_free(made) == 0);
}

static int act(void *unused)
{
    return 0;
}

static void free_barrier(void)
{
    CHECK(plait_barrier_wait(made, plait_after(0.002)) == -ETIMEDOUT && plait_barrier_reset(made) == 0);
    CHECK(plait_barrier_free(made) == 0);
}

static void free_condition(void)
{
    CHECK(plait_condition_acquire(made, PLAIT_NOW) == 0 && plait_condition_notify(made, 1) == 0);
    CHECK(plait_condition_release(made) == 0 && plait_condition_free(made) == 0);
}

static void free_lock(void)
{
    CHECK(plait_lock_acquire(made, PLAIT_NOW) == 0 && plait_lock_release(made) == 0);
    CHECK(plait_lock_free(made) == 0);
}

static int call_alloc(void) { return make(plait_alloc(100)); }
static int call_alloc_large(void) { return make(plait_alloc(1 << 20)); }
static int call_message_alloc(void) { return make(plait_message_alloc(100)); }
static int call_lock_new(void) { return make(plait_lock_new()); }
static int call_queue_new(void) { return make(plait_queue_new(NULL)); }
static int call_unbounded_new(void) { return make(plait_queue_new(&(plait_queue_options){ .unbounded = 1 })); }

static const struct fail_operation first_alloc = { .run = call_alloc, .finish = free_block };
static const struct fail_operation first_alloc_of_much = { .run = call_alloc_large, .finish = free_block };
static const struct fail_operation first_message_alloc = { .run = call_message_alloc, .finish = free_block };
static const struct fail_operation first_lock_new = { .run = call_lock_new, .finish = free_lock };
static const struct fail_operation first_queue_new = { .run = call_queue_new, .finish = free_queue };
static const struct fail_operation first_unbounded_queue_new = { .run = call_unbounded_new, .finish = free_queue };

static void free_semaphore(void)
{
    CHECK(plait_semaphore_acquire(made, PLAIT_NOW) == 0 && plait_semaphore_release(made) == 0);
    CHECK(plait_semaphore_get_value(made) == 3 && plait_semaphore_free(made) == 0);
}

static void free_event(void)
{
    CHECK(plait_event_set(made) == 0 && plait_event_wait(made, PLAIT_NOW) == 0);
    CHECK(plait_event_free(made) == 0);
}

static int call_semaphore_new(void) { return make(plait_semaphore_new(3)); }
static int call_bounded_semaphore_new(void) { return make(plait_bounded_semaphore_new(3)); }
static int call_owned_semaphore_new(void) { return make(plait_owned_semaphore_new(3)); }
static int call_event_new(void) { return make(plait_event_new()); }

static const struct fail_operation first_semaphore_new = { .run = call_semaphore_new, .finish = free_semaphore };
static const struct fail_operation first_bounded_semaphore_new = { .run = call_bounded_semaphore_new, .finish = free_semaphore };
static const struct fail_operation first_owned_semaphore_new = { .run = call_owned_semaphore_new, .finish = free_semaphore };
static const struct fail_operation first_event_new = { .run = call_event_new, .finish = free_event };

static plait_lock private_lock;

static plait_condition private_condition;

static int call_wait(void)
{
    int result = plait_condition_acquire(&private_condition, PLAIT_NOW);
    if (result) return result;
    result = plait_condition_wait(&private_condition, plait_after(0.005));
    CHECK(plait_condition_release(&private_condition) == 0);
    return result == -ETIMEDOUT ? 0 : result;
}

static const struct fail_operation first_condition_wait = { .run = call_wait };

static int call_barrier_new(void) { return make(plait_barrier_new(2, &(plait_barrier_options){ .action = act })); }
static int call_condition_new(void) { return make(plait_condition_new(NULL)); }

static const struct fail_operation first_barrier_new = { .run = call_barrier_new, .finish = free_barrier };
static const struct fail_operation first_condition_new = { .run = call_condition_new, .finish = free_condition };

static int call_acquire(void)
{
    return plait_lock_acquire(&private_lock, PLAIT_NOW);
}

static void release(void)
{
    CHECK(plait_lock_release(&private_lock) == 0);
}

static const struct fail_operation first_acquire = { .run = call_acquire, .finish = release };

/* Most of the others, with what was made before the process lost its membership. */
static plait_queue *queue;

static void make_and_leave(void)
{
    CHECK((queue = plait_queue_new(NULL)) && (made = plait_message_alloc(100)) && plait_block_share(made) == 0);
    plait_leave();
}

static int call_put_and_get(void)
{
    char byte;
    const int error = plait_queue_put(queue, "x", 1, PLAIT_NOW);
    return error ? error : (int)plait_queue_get(queue, &byte, 1, PLAIT_NOW);
}

static int call_close_and_free(void)
{
    int error = plait_queue_close(queue);
    if (!error) error = plait_block_share(made);
    if (!error) error = plait_free(made);
    return error;
}

static void free_closed_queue(void)
{
    CHECK(plait_queue_put(queue, "x", 1, PLAIT_NOW) == PLAIT_ECLOSED);
    CHECK(plait_queue_free(queue) == 0);
}

static void free_both(void)
{
    CHECK(plait_queue_free(queue) == 0 && plait_free(made) == 0);
}

/* A message of more than fits the ring takes a block. */
enum { LARGE = 2 << 20 };

static int call_put_and_get_large(void)
{
    static char message[LARGE];
    const int error = plait_queue_put(queue, message, LARGE, PLAIT_NOW);
    return error ? error : (int)plait_queue_get(queue, message, LARGE, PLAIT_NOW);
}

static void make_unbounded_and_leave(void)
{
    CHECK((queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1 })) && (made = plait_alloc(100)));
    plait_leave();
}

static int call_put_and_get_many(void)
{
    static char messages[1000][100];
    const ssize_t put = plait_queue_put_many(queue, messages, 100, 1000, PLAIT_NOW);
    if (put < 0) return (int)put;
    CHECK(put > 0);                                        /* fewer, if there was no room for the rest */
    for (ssize_t got = 0, more; got < put; got += more) {
        more = plait_queue_get_many(queue, messages, 100, NULL, 1000, PLAIT_NOW);
        CHECK(more > 0);
    }
    return 0;
}

static int call_give_and_take(void)
{
    void *block;
    const int error = plait_queue_give(queue, made, 100, PLAIT_NOW);
    if (error) return error;
    CHECK(plait_queue_take(queue, &block, PLAIT_NOW) == 100 && block == made);
    return 0;
}

static const struct fail_operation put_and_get_of_much_after_leaving = {
    .prepare = make_and_leave, .run = call_put_and_get_large, .finish = free_both,
};
static const struct fail_operation put_and_get_of_many_after_leaving = {
    .prepare = make_unbounded_and_leave, .run = call_put_and_get_many, .finish = free_both,
};
static const struct fail_operation give_and_take_after_leaving = {
    .prepare = make_unbounded_and_leave, .run = call_give_and_take, .finish = free_both,
};
static const struct fail_operation put_and_get_after_leaving = {
    .prepare = make_and_leave, .run = call_put_and_get, .finish = free_both,
};
static const struct fail_operation close_and_free_after_leaving = {
    .prepare = make_and_leave, .run = call_close_and_free, .finish = free_closed_queue,
};

/* --- another thread, another process ------------------------------------------------------------------------------------ */

static struct {
    pthread_barrier_t barrier;
    int result;
    char detail[240];
} other;

static void *join_in_a_thread(void *unused)
{
    free(made = malloc(1));                                /* the C library has its own memory for a thread, and keeps it */
    pthread_barrier_wait(&other.barrier);
    for (;;) {
        pthread_barrier_wait(&other.barrier);
        other.result = make(plait_alloc(100));
        snprintf(other.detail, sizeof other.detail, "%s", plait_error_detail());
        if (other.result == 0) CHECK(plait_free(made) == 0);
        plait_leave();
        pthread_barrier_wait(&other.barrier);
    }
    return NULL;
}

static void start_thread(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(pthread_barrier_init(&other.barrier, NULL, 2) == 0);
    thread_start(join_in_a_thread, NULL);
    pthread_barrier_wait(&other.barrier);
}

static int call_in_thread(void)
{
    pthread_barrier_wait(&other.barrier);
    pthread_barrier_wait(&other.barrier);
    return other.result < 0 ? plait__fail(other.result, "%s", other.detail) : 0;
}

static const struct fail_operation alloc_in_a_new_thread = { .set_up = start_thread, .run = call_in_thread };

/* The host goes on as its own child, which is nobody yet: all that it has is its parent's. */
static void go_on_as_a_child(void)
{
    CHECK((made = plait_alloc(100)));
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child) _exit(test_wait_exit(child));
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    alarm(20);
}

static const struct fail_operation init_in_a_forked_child = { .set_up = go_on_as_a_child, .run = call_init };
static const struct fail_operation alloc_in_a_forked_child = {
    .set_up = go_on_as_a_child, .run = call_alloc, .finish = free_block,
};

/* --- sleeping ----------------------------------------------------------------------------------------------------------- */

/* Somebody has the lock, and does as he is told as soon as we sleep; or, as we may never sleep for long enough to be seen, when he
 * has looked often enough. */
static struct {
    plait_lock *lock;
    _Atomic int held, begun;
} *shared;

static void until_the_other_sleeps(pid_t pid)
{
    test_until_set(&shared->begun);
    for (int looks = 0; looks < 100 && !test_thread_sleeps(pid); looks++) nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static int hold_and_end(bool release)
{
    const pid_t parent = getppid();
    CHECK(plait_lock_acquire(shared->lock, PLAIT_NOW) == 0);
    atomic_store(&shared->held, 1);
    until_the_other_sleeps(parent);
    nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);           /* now it sleeps the way that watches the others */
    if (!release) _exit(0);
    CHECK(plait_lock_release(shared->lock) == 0);
    CHECK(plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0);
    return 0;
}

static int hold_and_release(void *unused)
{
    return hold_and_end(true);
}

static int hold_and_die(void *unused)
{
    return hold_and_end(false);
}

static pid_t holder;

static void start_holder(int (*body)(void *unused))
{
    CHECK((shared = plait_alloc(sizeof *shared)) && (shared->lock = plait_lock_new()) && (queue = plait_queue_new(NULL)));
    holder = test_fork(body, NULL);
    test_until_set(&shared->held);
}

static void start_releaser(void)
{
    start_holder(hold_and_release);
}

static void start_victim(void)
{
    start_holder(hold_and_die);
}

static int wait_for_lock(void)
{
    atomic_store(&shared->begun, 1);
    return plait_lock_acquire(shared->lock, plait_after(15));
}

static int wait_for_message(void)
{
    char byte;
    atomic_store(&shared->begun, 1);
    return (int)plait_queue_get(queue, &byte, 1, plait_after(15));
}

static void end_all(void)
{
    CHECK(test_wait_exit(holder) == 0);
    CHECK(plait_lock_free(shared->lock) == 0 && plait_queue_free(queue) == 0 && plait_free(shared) == 0);
}

static void release_lock(void)
{
    CHECK(plait_lock_release(shared->lock) == 0);
    end_all();
}

static const struct fail_operation waiting_for_a_lock = {
    .prepare = start_releaser, .run = wait_for_lock, .finish = release_lock,
};
static const struct fail_operation waiting_for_a_message = {
    .prepare = start_releaser, .run = wait_for_message, .finish = end_all,
};
static const struct fail_operation waiting_for_the_lock_of_one_that_dies = {
    .prepare = start_victim, .run = wait_for_lock, .finish = release_lock,
};

/* --- all of them ----------------------------------------------------------------------------------------------------------- */

/* What the library calls and harness/fail_calls.c does not stand in for, as it can not fail, or only by our mistake: numbers, sets
 * and texts; locks; what ends something; what is there or is a limit; what is only told to the kernel.  Nobody can stand in for
 * vfork; what looks for functions in modules, and what the report of deadlocks calls, has its own tests. */
static const char can_not_fail[] =
    " memcpy memset strlen strncmp strcmp strchr strrchr strcspn strstr strerrordesc_np snprintf vsnprintf sigfillset"
    " pthread_attr_destroy pthread_attr_init pthread_attr_setdetachstate pthread_mutexattr_destroy pthread_mutexattr_init"
    " pthread_mutexattr_setpshared pthread_mutexattr_setrobust pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock"
    " pthread_mutex_trylock pthread_mutex_unlock pthread_mutex_consistent pthread_setspecific pthread_sigmask"
    " ftrylockfile funlockfile fflush stdout stderr __errno_location __libc_single_threaded"
    " close shutdown unlink lstat lstat64 fchmod geteuid"
    " munmap munlock exit _exit on_exit free getpid getppid getenv sysconf clock_gettime getrlimit getrlimit64 prctl read"
    " kill waitid waitpid fstat fstat64 __register_atfork memcmp strcmp strcat strchr strcspn strcpy strerror sscanf"
    " __isoc99_sscanf __isoc23_sscanf pthread_tryjoin_np pthread_detach pthread_self"
    " pthread_join pthread_once pthread_setcancelstate __pthread_register_cancel __pthread_unregister_cancel"
    " __pthread_unwind_next __sigsetjmp sigemptyset sigaddset sigismember sigprocmask sigaction sigpending sigtimedwait sched_yield"
    " shm_unlink strtod strtoul strtoull strtol __isoc23_strtoul __isoc23_strtoull __isoc23_strtol memchr strspn strnlen memmove"
    " getauxval environ __environ stdin write __fpurge vfork _dl_find_object dladdr dlinfo dlclose dlerror"
    " fprintf ldexp frexp timerfd_settime process_vm_readv shutdown ioctl readv writev"
    " signalfd send sbrk dl_iterate_phdr ";                /* the last four: in forkservers, which are processes of their own */

static bool is_the_tools(const char *name)
{
    static const char *const prefixes[] = { "_ITM_", "__cxa_", "__gmon", "__msan", "__tsan", "__asan", "__ubsan", "__stack_chk" };
    for (unsigned i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

/* A function that the library did not call before has to be added here, or there. */
static void all_that_can_fail_does(void **state)
{
    static char needed[SYMBOLS_MAX][SYMBOL_SIZE];
    const int count = symbols_needed("libplait.so", needed);
    int unknown = 0;
    for (int i = 0; i < count; i++) {
        char word[SYMBOL_SIZE + 8];
        snprintf(word, sizeof word, " %.*s ", SYMBOL_SIZE, needed[i]);
        if (is_the_tools(needed[i]) || strstr(can_not_fail, word) || fail_stands_in_for(needed[i])) continue;
        print_error("the library calls %s\n", needed[i]);
        unknown++;
    }
    assert_true(count > 50);
    assert_int_equal(unknown, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_that_can_fail_does),
    FAIL_TESTS(init),
    FAIL_TESTS(init_without_stdin),
    FAIL_TESTS(first_alloc),
    FAIL_TESTS(first_alloc_of_much),
    FAIL_TESTS(first_message_alloc),
    FAIL_TESTS(first_lock_new),
    FAIL_TESTS(first_condition_new),
    FAIL_TESTS(first_condition_wait),
    FAIL_TESTS(first_barrier_new),
    FAIL_TESTS(first_semaphore_new),
    FAIL_TESTS(first_bounded_semaphore_new),
    FAIL_TESTS(first_owned_semaphore_new),
    FAIL_TESTS(first_event_new),
    FAIL_TESTS(first_queue_new),
    FAIL_TESTS(first_acquire),
    FAIL_TESTS(first_unbounded_queue_new),
    FAIL_TESTS(put_and_get_after_leaving),
    FAIL_TESTS(put_and_get_of_much_after_leaving),
    FAIL_TESTS(put_and_get_of_many_after_leaving),
    FAIL_TESTS(give_and_take_after_leaving),
    FAIL_TESTS(close_and_free_after_leaving),
    FAIL_TESTS(alloc_in_a_new_thread),
    FAIL_TESTS(init_in_a_forked_child),
    FAIL_TESTS(alloc_in_a_forked_child),
    FAIL_TESTS(waiting_for_a_lock),
    FAIL_TESTS(waiting_for_a_message),
    FAIL_TESTS(waiting_for_the_lock_of_one_that_dies),
};
TEST_MAIN(tests)
