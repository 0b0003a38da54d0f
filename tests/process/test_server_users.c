/* Who asks a forkserver: threads, forks of its owner, other children; and programs that close things. */
#include "served.h"

/* ---- many at once ---- */

static int return_it(void *number)
{
    return *(int *)number;
}

static void *start_many(void *number)
{
    for (int i = 0; i < 20; i++) run_it(return_it, number, sizeof(int), *(int *)number);
    return NULL;
}

static void threads_may_ask_at_once(void)
{
    pthread_t threads[6];
    int numbers[6];
    for (int i = 0; i < 6; i++) {
        numbers[i] = i;
        threads[i] = thread_start(start_many, &numbers[i]);
    }
    for (int i = 0; i < 6; i++) thread_end(threads[i]);
}

static int ask_in_a_fork(void *number)
{
    const pid_t *server = number;
    CHECK(plait_forkserver_pid() == *server);
    start_many(&(int){ 3 });
    CHECK(plait_forkserver_pid() == *server);
    CHECK(plait_forkserver_stop() == 0 && plait_forkserver_pid() == 0);        /* a fork only lets go of it */
    return 0;
}

static void forks_use_the_same_server(void)
{
    const pid_t server = plait_forkserver_pid();
    plait_process *forked[3];
    const plait_process_options by_fork = { .method = PLAIT_FORK };
    pid_t raw[3];
    for (int i = 0; i < 3; i++) {
        forked[i] = start_it(ask_in_a_fork, &server, sizeof server, &by_fork);
        raw[i] = test_fork(ask_in_a_fork, (void *)&server);
    }
    for (int i = 0; i < 3; i++) {
        CHECK(test_wait_exit(raw[i]) == 0);
        end_with(forked[i], 0);
    }
}

/* One that was begun anew has a server of its own, which ends with it. */
static int ask_in_another(void *argument)
{
    const pid_t *others = argument;
    CHECK(plait_forkserver_pid() == 0 && plait_get_start_method() == PLAIT_FORKSERVER);
    start_many(&(int){ 3 });
    CHECK(plait_forkserver_pid() > 0 && plait_forkserver_pid() != *others);
    return 9;
}

static void children_that_begin_anew_have_servers_of_their_own(void)
{
    const pid_t server = plait_forkserver_pid();
    const int methods[] = { PLAIT_SPAWN, PLAIT_FORKSERVER };
    for (int i = 0; i < 2; i++)
        end_with(start_it(ask_in_another, &server, sizeof server, &(plait_process_options){ .method = methods[i] }), 9);
}

/* ---- the lock of malloc, memory ---- */

static _Atomic int over;

static void *allocate(void *unused)
{
    while (!atomic_load(&over)) free(malloc(1000));
    return NULL;
}

static int allocate_a_little(void *unused)
{
    for (int i = 1; i < 100; i++) free(malloc((size_t)i));
    return 0;
}

static void locks_of_other_threads_are_not_inherited(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = thread_start(allocate, NULL);
    for (int i = 0; i < 30; i++) run_it(allocate_a_little, NULL, 0, 0);
    atomic_store(&over, 1);
    for (int i = 0; i < 3; i++) thread_end(threads[i]);
}

/* ---- a server that is stopped while forks have it ---- */

struct steps {
    _Atomic int ready, go, flag;
    pid_t server;
};

static int ask_later(void *argument)
{
    struct steps *steps = argument;
    if (steps->server) run_it(return_0, NULL, 0, 0);
    atomic_store(&steps->ready, 1);
    test_until(is_set, &steps->go);
    start_many(&(int){ 3 });
    CHECK(plait_forkserver_pid() > 0 && plait_forkserver_pid() != steps->server);
    CHECK(plait_forkserver_stop() == 0);
    return 0;
}

/* `busy`: it has a child that runs, and goes on for that one only.  (steps->server: the fork has used it already.) */
static void stop_under_a_fork(bool busy, bool used)
{
    struct steps *steps = new_block(sizeof *steps);
    plait_process *child = busy ? start_it(wait_for_flag, &steps->flag, 0, NULL) : NULL;
    steps->server = used ? plait_forkserver_pid() : 0;
    const pid_t fork = test_fork(ask_later, steps);
    test_until(is_set, &steps->ready);
    CHECK(plait_forkserver_stop() == 0);
    void *blocks[64];                                      /* where its board was, were that free */
    for (int i = 0; i < 64; i++) memset(blocks[i] = new_block(8000), 0, 8000);
    atomic_store(&steps->go, 1);
    CHECK(test_wait_exit(fork) == 0);
    for (int i = 0; i < 64; i++) {
        for (int k = 0; k < 8000; k++) CHECK(((char *)blocks[i])[k] == 0);
        CHECK(plait_free(blocks[i]) == 0);
    }
    atomic_store(&steps->flag, 1);
    if (child) end_with(child, 7);
    while (!has_no_child()) CHECK(plait_forkserver_stop() == 0);
    CHECK(plait_free(steps) == 0);
}

static void forks_go_on_with_another_when_it_is_stopped(void)
{
    for (int i = 0; i < 4; i++) {
        stop_under_a_fork(i & 1, i & 2);
        start_server(i);
    }
}

/* ---- a program that closes what it does not know ---- */

static void socket_is_closed(void)
{
    _Atomic int *flag = new_block(sizeof *flag);
    const pid_t server = plait_forkserver_pid();
    plait_process *child = start_it(wait_for_flag, (void *)flag, 0, NULL), *other = start_it(run_on, NULL, 0, NULL);
    for (int fd = 3; fd < 100; fd++)
        if (fd != plait__arena_fd) close(fd);
    run_it(return_0, NULL, 0, 0);
    CHECK(plait_forkserver_pid() > 0 && plait_forkserver_pid() != server);
    CHECK(plait_process_is_alive(child) == 1 && plait_process_is_alive(other) == 1);
    atomic_store(flag, 1);
    end_with(child, 7);
    CHECK(plait_process_kill(other) == 0);
    end_with(other, -SIGKILL);
    while (!has_no_child()) CHECK(plait_forkserver_stop() == 0);
    CHECK(plait_free((void *)flag) == 0);
}

static void stopped_after_the_socket_is_closed(void)
{
    for (int fd = 3; fd < 100; fd++)
        if (fd != plait__arena_fd) close(fd);
    CHECK(plait_forkserver_stop() == 0);
    while (!has_no_child()) CHECK(plait_forkserver_stop() == 0);
}

/* ---- programs that have SIGCHLD ignored: they never have zombies, and yet all is told ---- */

static int ignore_children(void *stock)
{
    be_program();
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR && plait_set_start_method(PLAIT_FORKSERVER, 0) == 0);
    start_server(*(int *)stock);
    plait_process *process = start_it(run_on, NULL, 0, NULL);
    CHECK(plait_process_kill(process) == 0);
    end_with(process, -SIGKILL);
    start_many(&(int){ 3 });
    CHECK(plait_forkserver_stop() == 0 && has_no_child());
    return 0;
}

static void a_program_may_ignore_SIGCHLD(void **state)
{
    host_run(ignore_children, &(int){ 0 });
    host_run(ignore_children, &(int){ 2 });
}

static const struct CMUnitTest tests[] = {
    WITH_AND_WITHOUT_STOCK(threads_may_ask_at_once),
    WITH_AND_WITHOUT_STOCK(forks_use_the_same_server),
    WITH_AND_WITHOUT_STOCK(children_that_begin_anew_have_servers_of_their_own),
    WITH_AND_WITHOUT_STOCK(locks_of_other_threads_are_not_inherited),
    WITH_AND_WITHOUT_STOCK(forks_go_on_with_another_when_it_is_stopped),
    WITH_AND_WITHOUT_STOCK(socket_is_closed),
    WITH_AND_WITHOUT_STOCK(stopped_after_the_socket_is_closed),
    cmocka_unit_test(a_program_may_ignore_SIGCHLD),
};

TEST_MAIN(tests)
