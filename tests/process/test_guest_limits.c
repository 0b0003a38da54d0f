/* Programs that may not do everything, with plait as their guest: they drop their rights, live in another pid namespace or without
 * /proc, with little address space or stack, in sandboxes. */
#include "everything.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mount.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434                                 /* the same numbers on every architecture */
#define SYS_pidfd_send_signal 424
#endif

/* --- rights, namespaces, /proc --------------------------------------------------------------------------------------- */

static int drop_rights_and_go_on(void *before)
{
    if (before) CHECK(use_everything(NULL) == 0);
    drop_root();
    return use_everything(NULL);
}

static void rights_may_be_dropped(void **state)
{
    if (geteuid() != 0) skip();
    host_run(drop_rights_and_go_on, NULL);
    host_run(drop_rights_and_go_on, "before");
}

/* A child without rights in a family of root's: both notice each other's death. */
static int hold_without_rights(void *argument)
{
    drop_root();
    return hold_and_die(argument);
}

static int acquire_without_rights(void *argument)
{
    struct shared *shared = argument;
    drop_root();
    atomic_store(&shared->held, 2);
    return plait_lock_acquire(&shared->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED ? 7 : 8;
}

static int mix_rights(void *unused)
{
    struct shared *shared = new_shared();
    plait_process *holder = start(hold_without_rights, shared);
    test_until_set(&shared->held);
    plait_process *waiter = start(acquire_without_rights, shared);
    test_until_watches(plait_process_pid(waiter));
    CHECK(plait_process_kill(holder) == 0);
    end(holder, -SIGKILL);
    end(waiter, 7);
    return 0;
}

static void a_child_may_drop_its_rights(void **state)
{
    if (geteuid() != 0) skip();
    host_run(mix_rights, NULL);
}

enum { NOT_PERMITTED = 77 };

static void run_if_permitted(int (*body)(void *argument), void *argument)
{
    const int status = test_wait_exit(test_fork(body, argument));
    if (status == NOT_PERMITTED) skip();
    assert_int_equal(status, 0);
}

/* A child whose parent has no number where the child lives. */
static pid_t fork_into_namespace(int (*body)(void *unused))
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(body(NULL));
}

static int return_7(void *unused)
{
    return 7;
}

static void *start_a_daemon(void *unused)
{
    plait_process *process = plait_start(return_7, NULL, 0, &(plait_process_options){ .daemon = 1 });
    CHECK(process);
    end(process, 7);
    return NULL;
}

/* The children of the calling thread live in a new namespace from now on: the first one is its init. */
static void *start_a_daemon_in_a_namespace(void *status)
{
    if (unshare(CLONE_NEWPID) < 0) *(int *)status = NOT_PERMITTED;
    else start_a_daemon(NULL);
    return NULL;
}

static int start_children_in_a_namespace(void *in_a_thread)
{
    int status = 0;
    CHECK(plait_init(NULL, NULL) == 0);
    if (in_a_thread) thread_end(thread_start(start_a_daemon_in_a_namespace, &status));
    else start_a_daemon_in_a_namespace(&status);
    return status;
}

static int start_many_in_a_namespace(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    if (unshare(CLONE_NEWPID) < 0) return NOT_PERMITTED;
    const pid_t init = fork_into_namespace(sleep_on);
    use_a_process();
    use_a_pool();
    start_a_daemon(NULL);
    test_kill(init);
    return 0;
}

static void children_may_live_in_a_namespace_of_their_own(void **state)
{
    run_if_permitted(start_many_in_a_namespace, NULL);
}

static void a_daemon_may_be_the_init_of_its_namespace(void **state)
{
    run_if_permitted(start_children_in_a_namespace, NULL);
    run_if_permitted(start_children_in_a_namespace, "thread");
}

/* Where /proc is of the namespace outside, nobody can be seen to sleep by his number. */
static int use_in_namespace(void *unused)
{
    use_a_process();
    use_a_pool();
    start_a_daemon(NULL);
    thread_end(thread_start(start_a_daemon, NULL));
    return 0;
}

static int live_in_a_namespace(void *unused)
{
    if (unshare(CLONE_NEWPID) < 0) return NOT_PERMITTED;
    return test_wait_exit(fork_into_namespace(use_in_namespace));
}

static void the_program_may_be_the_init_of_its_namespace(void **state)
{
    run_if_permitted(live_in_a_namespace, NULL);
}

/* An empty file system in its place. */
static int live_without_proc(void *unused)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return NOT_PERMITTED;
    if (mount("none", "/proc", "tmpfs", 0, NULL) < 0) return NOT_PERMITTED;
    CHECK(access("/proc/self", F_OK) < 0);
    use_a_process();
    use_a_pool();
    CHECK(has_no_child());
    return 0;
}

static void there_may_be_no_proc(void **state)
{
    run_if_permitted(live_without_proc, NULL);
}

/* --- little of something --------------------------------------------------------------------------------------------- */

static void limit(int kind, rlim_t most)
{
    const struct rlimit limit = { most, most };
    CHECK(setrlimit(kind, &limit) == 0);
}

static int live_in_2_GiB(void *unused)
{
    limit(RLIMIT_AS, (rlim_t)2 << 30);
    return use_everything(NULL);
}

static void two_gibibytes_of_address_space_are_enough(void **state)
{
    if (TEST_UNDER_ASAN) skip();                           /* which takes more for itself */
    host_run(live_in_2_GiB, NULL);
}

static int live_on_a_small_stack(void *unused)
{
    limit(RLIMIT_STACK, 64 << 10);
    return use_everything(NULL);
}

static void a_small_stack_is_enough(void **state)
{
    host_run(live_on_a_small_stack, NULL);
}

static void *run_everything(void *unused)
{
    use_a_process();
    use_a_pool();
    struct shared *shared = new_shared();
    char byte;
    CHECK(plait_queue_get(shared->answers, &byte, 1, plait_after(0.02)) == -ETIMEDOUT);
    free_shared(shared);
    return NULL;
}

static int live_in_a_thread_with_the_least_stack(void *unused)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN) + 8192) == 0);
    CHECK(pthread_create(&thread, &attributes, run_everything, NULL) == 0);
    thread_end(thread);
    return 0;
}

static void nearly_the_least_stack_of_a_thread_is_enough(void **state)
{
    host_run(live_in_a_thread_with_the_least_stack, NULL);
}

/* --- sandboxes ------------------------------------------------------------------------------------------------------- */

static void refuse(long number, int error)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = sizeof steps / sizeof steps[0], .filter = steps };
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static const long new_calls[] = { SYS_futex_waitv, SYS_pidfd_open, SYS_pidfd_send_signal };
enum { NEW_CALLS = sizeof new_calls / sizeof new_calls[0] };

struct sandbox {
    unsigned refused;                                      /* bit i: the ith of the new calls */
    int error;
};

static int live_in_a_sandbox(void *argument)
{
    const struct sandbox *sandbox = argument;
    for (int i = 0; i < NEW_CALLS; i++)
        if (sandbox->refused >> i & 1) refuse(new_calls[i], sandbox->error);
    struct shared *shared = new_shared();
    plait_process *process = start(add_ones, shared);
    CHECK(plait_process_terminate(process) == 0);
    end(process, -SIGTERM);
    free_shared(shared);
    return use_everything(NULL);
}

static void check_sandboxes(int error)
{
    for (unsigned refused = 1; refused < 1u << NEW_CALLS; refused++)
        host_run(live_in_a_sandbox, &(struct sandbox){ refused, error });
}

static void new_calls_may_be_unknown(void **state) { check_sandboxes(ENOSYS); }
static void new_calls_may_be_refused(void **state) { check_sandboxes(EPERM); }

static int live_without_memfd(void *unused)
{
    refuse(SYS_memfd_create, EPERM);
    CHECK(plait_init(NULL, NULL) == PLAIT_ENOARENA && strstr(plait_error_detail(), "memfd_create"));
    return 0;
}

static void without_memfds_it_says_so(void **state)
{
    host_run(live_without_memfd, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rights_may_be_dropped),
    cmocka_unit_test(a_child_may_drop_its_rights),
    cmocka_unit_test(children_may_live_in_a_namespace_of_their_own),
    cmocka_unit_test(a_daemon_may_be_the_init_of_its_namespace),
    cmocka_unit_test(the_program_may_be_the_init_of_its_namespace),
    cmocka_unit_test(there_may_be_no_proc),
    cmocka_unit_test(two_gibibytes_of_address_space_are_enough),
    cmocka_unit_test(a_small_stack_is_enough),
    cmocka_unit_test(nearly_the_least_stack_of_a_thread_is_enough),
    cmocka_unit_test(new_calls_may_be_unknown),
    cmocka_unit_test(new_calls_may_be_refused),
    cmocka_unit_test(without_memfds_it_says_so),
};
TEST_MAIN(tests)
