/* Who waits for a forkserver, and whom that keeps from going on: while it starts, when it can't be told anything more; and forks
 * that fail. */
#include "served.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "program.h"

/* ---- while it starts ---- */

static int stop_here(void)
{
    return raise(SIGSTOP);
}

static int stop_nowhere(void)
{
    return 0;
}

static const plait_forkserver_options held = { .preload = stop_here };

static void *start_held(void *unused)
{
    CHECK(plait_forkserver_start(&held) == 0);
    return NULL;
}

static bool is_held(void *pid)
{
    return program_children(getpid(), pid, 1) == 1 && state_of(*(pid_t *)pid) == 'T';
}

/* All that whoever starts it holds is our end of the socket, and what it watches it by. */
static bool is_waited_for(void *fds)
{
    return open_fds() == *(int *)fds + 2;
}

static int have_another(void *fds)
{
    CHECK(open_fds() <= *(int *)fds && plait_forkserver_pid() == 0);
    start_server(1);
    run_it(return_0, NULL, 0, 0);
    CHECK(plait_forkserver_stop() == 0);
    _exit(0);
}

/* In another thread than main's, whose children can be asked for. */
static void *fork_while_it_is_held(void *fds)
{
    pid_t server;
    test_until(is_held, &server);
    test_until(is_waited_for, fds);
    CHECK(plait_forkserver_pid() == 0);
    CHECK(test_wait_exit(test_fork(have_another, fds)) == 0);
    const pthread_t user = thread_start(start_held, NULL);         /* it waits for the same */
    CHECK(kill(server, SIGCONT) == 0);
    thread_end(user);
    CHECK(plait_forkserver_pid() == server);
    return NULL;
}

static int fork_meanwhile(void *unused)
{
    be_program();
    CHECK(plait_set_start_method(PLAIT_FORKSERVER, 0) == 0);
    const struct traces before = traces_now();
    const pthread_t other = thread_start(fork_while_it_is_held, (void *)(uintptr_t)&before.fds);
    start_held(NULL);
    thread_end(other);
    run_it(return_0, NULL, 0, 0);
    CHECK(plait_forkserver_stop() == 0);
    traces_must_be(&before);
    return 0;
}

static void forks_go_on_while_it_starts(void **state)
{
    host_run(fork_meanwhile, NULL);
}

static int start_twice(void *unused)
{
    be_program();
    const plait_forkserver_options other = { .preload = stop_nowhere, .stock = 3 };
    start_server(0);
    CHECK(plait_forkserver_start(&other) == -EALREADY);
    CHECK_TEXT(plait_error_detail(), "another preload");
    CHECK(plait_forkserver_stop() == 0 && plait_forkserver_start(&other) == 0 && plait_forkserver_start(&other) == 0);
    CHECK(plait_forkserver_start(NULL) == 0);              /* this asks for none */
    return 0;
}

static void another_preload_is_refused(void **state)
{
    host_run(start_twice, NULL);
}

static int count_numbers(void *unused)
{
    be_program();
    start_server(0);
    plait_process *first = plait_process_new(return_0, NULL, 0, NULL);
    CHECK(first && strcmp(plait_process_name(first), "Process-1") == 0 && plait_process_free(first) == 0);
    return 0;
}

static void it_takes_no_number(void **state)
{
    host_run(count_numbers, NULL);
}

/* ---- with a full socket ---- */

static void fill_the_socket(void)
{
    for (int i = 0; i < 5000; i++) CHECK(plait_forkserver_start(NULL) == 0);   /* each is a message, until there is no room */
}

static void *start_one(void *flag)
{
    atomic_store((_Atomic int *)flag, 1);
    run_it(return_0, NULL, 0, 0);
    return NULL;
}

static int do_nothing(void *unused)
{
    return 0;
}

static int fill_and_stop(void *unused)
{
    _Atomic int flag = 0;
    int status;
    be_program();
    CHECK(plait_set_start_method(PLAIT_FORKSERVER, 0) == 0);
    start_server(2);
    const pid_t server = plait_forkserver_pid();
    CHECK(kill(server, SIGSTOP) == 0 && waitpid(server, &status, WUNTRACED) == server);
    fill_the_socket();
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .stock = 0 }) == 0);     /* no seat that it could take */
    const pthread_t starter = thread_start(start_one, (void *)&flag);
    test_until(is_set, (void *)&flag);
    CHECK(test_wait_exit(test_fork(do_nothing, NULL)) == 0);
    CHECK(plait_forkserver_stop() == 0);
    CHECK(kill(server, SIGCONT) == 0);
    thread_end(starter);
    CHECK(plait_forkserver_stop() == 0);
    return 0;
}

static void a_full_socket_holds_up_only_who_starts(void **state)
{
    host_run(fill_and_stop, NULL);
}

static int leave_a_full_one(void *unused)
{
    be_program();
    start_server(0);
    CHECK(kill(plait_forkserver_pid(), SIGSTOP) == 0);
    fill_the_socket();
    exit(0);
}

static void an_exit_gives_up_on_a_full_socket(void **state)
{
    host_run(leave_a_full_one, NULL);
}

/* ---- forks that fail ---- */

#define REFUSE(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN)

/* False: there is no way to do so here. */
static bool refuse_forks(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), REFUSE(SYS_clone), REFUSE(SYS_clone3),
#ifdef SYS_fork
        REFUSE(SYS_fork),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int fork_in_vain(void *unused)
{
    const bool is_refused = refuse_forks();
    for (int i = 0; is_refused && i < 5; i++) CHECK(fork() == -1 && errno == EAGAIN);
    CHECK(plait_forkserver_stop() == 0);
    _exit(0);
}

/* The server's board is freed by the last who has it: see served.h. */
static void one_that_fails_has_nothing(void)
{
    run_it(return_0, NULL, 0, 0);
    CHECK(test_wait_exit(test_fork(fork_in_vain, NULL)) == 0);
    run_it(return_0, NULL, 0, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(forks_go_on_while_it_starts),
    cmocka_unit_test(another_preload_is_refused),
    cmocka_unit_test(it_takes_no_number),
    cmocka_unit_test(a_full_socket_holds_up_only_who_starts),
    cmocka_unit_test(an_exit_gives_up_on_a_full_socket),
    WITH_AND_WITHOUT_STOCK(one_that_fails_has_nothing),
};

TEST_MAIN(tests)
