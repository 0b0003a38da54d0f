/* Deaths around a forkserver: its own, those of its children, and of those who ask; and what a stopped one holds up. */
#include "served.h"

#include <poll.h>

#include "hold.h"
#include "program.h"

static plait_process *start_and_ask(const plait_process_options *options)
{
    return start_it(run_on, NULL, 0, options);
}

static void kill_server(void)
{
    CHECK(kill(plait_forkserver_pid(), SIGKILL) == 0);
}

static bool is_without_server(void *unused)
{
    return plait_forkserver_pid() == 0;
}

static int end_of(plait_process *process)
{
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    const int code = plait_process_exitcode(process);
    CHECK(plait_process_free(process) == 0);
    return code;
}

/* ---- the server ---- */

static void an_idle_one_is_replaced(void)
{
    for (int i = 0; i < 3; i++) {
        const pid_t server = plait_forkserver_pid();
        kill_server();
        test_until(is_without_server, NULL);
        run_it(return_0, NULL, 0, 0);
        CHECK(plait_forkserver_pid() != server);
        kill_server();
        test_until(is_without_server, NULL);
        start_server(i);
    }
    served_blocks_left = 3;                                /* of children that it had not buried yet */
}

static void its_children_end_with_it(void)
{
    plait_process *processes[6];
    pid_t pids[6];
    for (int i = 0; i < 6; i++) pids[i] = plait_process_pid(processes[i] = start_and_ask(NULL));
    plait_process *ended = start_it(return_0, NULL, 0, NULL);
    CHECK(plait_process_join(ended, PLAIT_FOREVER) == 0);
    kill_server();
    for (int i = 0; i < 6; i++) {
        CHECK(end_of(processes[i]) == PLAIT_EREAPED);
        test_until(has_stopped_running, &pids[i]);
    }
    end_with(ended, 0);
    run_it(return_0, NULL, 0, 0);
}

/* Who has adopted them learns how they ended, and leaves no zombies. */
static void an_adopter_is_told_and_reaps_them(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    plait_process *process = start_and_ask(NULL);
    const pid_t pid = plait_process_pid(process);
    kill_server();
    const int code = end_of(process);
    CHECK(code == (plait__without(PLAIT__WITHOUT_PIDFD) ? PLAIT_EREAPED : -SIGKILL));
    test_until(is_without_server, NULL);
    CHECK(plait_forkserver_stop() == 0);
    if (plait__without(PLAIT__WITHOUT_PIDFD)) CHECK(waitpid(pid, NULL, 0) == pid);
    while (waitpid(-1, NULL, 0) > 0) {}                    /* those that sat */
}

static void who_is_detached_goes_on_without_it(void)
{
    _Atomic int *flag = new_block(sizeof *flag);
    plait_process *process = start_it(wait_for_flag, (void *)flag, 0, &(plait_process_options){ .detached = 1 });
    kill_server();
    test_until(is_without_server, NULL);
    CHECK(plait_process_is_alive(process) == !plait__without(PLAIT__WITHOUT_PIDFD));
    atomic_store(flag, 1);
    const int code = end_of(process);
    CHECK(code == (plait__without(PLAIT__WITHOUT_PIDFD) ? PLAIT_EREAPED : 7));
    if (!plait__without(PLAIT__WITHOUT_PIDFD)) CHECK(plait_free((void *)flag) == 0);
    else served_blocks_left = 2;                           /* nobody knows whether it goes on */
}

/* ---- during a start ---- */

static void *start_one(void *unused)
{
    run_it(return_0, NULL, 0, 0);
    return NULL;
}

/* A start that waits for its answer. */
static pthread_t start_at_a_stopped_one(pid_t server)
{
    int status;
    CHECK(kill(server, SIGSTOP) == 0 && waitpid(server, &status, WUNTRACED) == server);
    pthread_t thread = thread_start(start_one, NULL);
    nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
    return thread;
}

static void a_start_waits_for_one_that_is_stopped(void)
{
    const pid_t server = plait_forkserver_pid();
    const pthread_t thread = start_at_a_stopped_one(server);
    CHECK(kill(server, SIGCONT) == 0);
    thread_end(thread);
    CHECK(plait_forkserver_pid() == server);
}

static void a_start_at_one_that_dies_is_done_by_the_next(void)
{
    const pid_t server = plait_forkserver_pid();
    const pthread_t thread = start_at_a_stopped_one(server);
    CHECK(kill(server, SIGKILL) == 0);
    thread_end(thread);
    served_blocks_left = 1;                                /* what the dead one was told */
    CHECK(plait_forkserver_pid() != server);
}

static void *start_in_between(void *results)
{
    int *counts = results;
    for (int i = 0; i < 60; i++) {
        plait_process *process = plait_start(return_0, NULL, 0, &(plait_process_options){ .cwd = i % 2 ? "/" : NULL });
        if (!process) CHECK(errno == ECANCELED);
        const int code = process ? end_of(process) : -ECANCELED;
        CHECK(code == 0 || code == PLAIT_EREAPED || code == -ECANCELED);
        counts[code == 0 ? 0 : code == PLAIT_EREAPED ? 1 : 2]++;
    }
    return NULL;
}

static int start_while_it_dies(void *stock)
{
    int counts[3][3] = { 0 };
    pthread_t threads[3];
    be_program();
    CHECK(plait_set_start_method(PLAIT_FORKSERVER, 0) == 0);
    start_server(*(int *)stock);
    for (int i = 0; i < 3; i++) threads[i] = thread_start(start_in_between, counts[i]);
    for (int i = 0; i < 40; i++) {
        const pid_t server = plait_forkserver_pid();
        if (server) kill(server, SIGKILL);
        nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
    }
    for (int i = 0; i < 3; i++) thread_end(threads[i]);
    CHECK(plait_forkserver_stop() == 0 && has_no_child());
    for (int i = 0; i < 3; i++)
        printf("%d ended well, %d with their server, %d were not started\n", counts[i][0], counts[i][1], counts[i][2]);
    return 0;
}

static void it_may_die_at_any_time(void **state)
{
    host_run(start_while_it_dies, &(int){ 0 });
    host_run(start_while_it_dies, &(int){ 3 });
}

/* ---- a stopped server ---- */

static void stop_server(void)
{
    const pid_t server = plait_forkserver_pid();
    int status;
    CHECK(kill(server, SIGSTOP) == 0 && waitpid(server, &status, WUNTRACED) == server);
}

static void continue_server(void)
{
    CHECK(kill(plait_forkserver_pid(), SIGCONT) == 0);
}

/* Its children that end by themselves are joined; of those that were killed it should tell how, and is not waited for. */
static void what_a_stopped_one_holds_up(void)
{
    const bool knows = !plait__without(PLAIT__WITHOUT_PIDFD);
    _Atomic int *flag = new_block(sizeof *flag);
    plait_process *well = start_it(wait_for_flag, (void *)flag, 0, NULL), *killed = start_and_ask(NULL);
    stop_server();
    atomic_store(flag, 1);
    if (knows) end_with(well, 7);
    CHECK(plait_process_kill(killed) == 0);
    if (knows) end_with(killed, PLAIT_EREAPED);
    else CHECK(plait_process_join(killed, plait_after(0.05)) == -ETIMEDOUT);
    continue_server();
    if (!knows) end_with(well, 7);
    if (!knows) end_with(killed, -SIGKILL);
    CHECK(plait_free((void *)flag) == 0);
}

/* One that has threads leaves its exit code for the time when it is gone. */
static void *run_on_as_a_thread(void *unused)
{
    sleep_for_ever();
}

static int wait_beside_a_thread(void *flag)
{
    thread_start(run_on_as_a_thread, NULL);
    return wait_for_flag(flag);
}

static void threads_of_a_child_do_not_need_it(void)
{
    _Atomic int *flag = new_block(sizeof *flag);
    plait_process *process = start_it(wait_beside_a_thread, (void *)flag, 0, NULL);
    const int sentinel = plait_process_sentinel(process);
    if (sentinel < 0) CHECK(plait__without(PLAIT__WITHOUT_PIDFD));
    if (sentinel >= 0) stop_server();
    atomic_store(flag, 1);
    if (sentinel >= 0) CHECK(poll(&(struct pollfd){ .fd = sentinel, .events = POLLIN }, 1, -1) == 1);
    if (sentinel >= 0) CHECK(plait_process_is_alive(process) == 0);
    end_with(process, 7);
    if (sentinel >= 0) continue_server();
    CHECK(plait_free((void *)flag) == 0);
}

static bool is_over(void *process)
{
    return plait_process_is_alive(process) == 0;
}

/* As is_alive does, and whoever asks for all; no number of looks takes the time that one dead child is given. */
static void to_look_does_not_wait(void)
{
    plait_process *processes[20];
    if (plait__without(PLAIT__WITHOUT_PIDFD)) return;
    for (int i = 0; i < 20; i++) processes[i] = start_and_ask(NULL);
    stop_server();
    for (int i = 0; i < 20; i++) {
        CHECK(plait_process_kill(processes[i]) == 0);
        CHECK(poll(&(struct pollfd){ .fd = plait_process_sentinel(processes[i]), .events = POLLIN }, 1, -1) == 1);
    }
    const double since = seconds_now();
    const size_t count = plait_active_children(NULL, 0);
    CHECK(seconds_now() - since < 1 && count <= 20);       /* it was 20 times 0.1 s */
    for (int i = 0; i < 20; i++) test_until(is_over, processes[i]);
    CHECK(plait_active_children(NULL, 0) == 0);
    continue_server();
    for (int i = 0; i < 20; i++) end_with(processes[i], PLAIT_EREAPED);
}

/* When it sleeps on the descriptor already. */
static void *kill_later(void *pid)
{
    nanosleep(&(struct timespec){ .tv_nsec = 60 * 1000 * 1000 }, NULL);
    CHECK(kill(*(pid_t *)pid, SIGKILL) == 0);
    return NULL;
}

static void who_joins_is_woken_by_a_death_that_nobody_tells(void)
{
    if (plait__without(PLAIT__WITHOUT_PIDFD)) return;
    plait_process *process = start_and_ask(NULL);
    stop_server();
    const pthread_t killer = thread_start(kill_later, &(pid_t){ plait_process_pid(process) });
    end_with(process, PLAIT_EREAPED);
    thread_end(killer);
    continue_server();
}

static int leave_a_stopped_one(void *unused)
{
    be_program();
    start_server(2);
    const double since = seconds_now();
    CHECK(kill(plait_forkserver_pid(), SIGSTOP) == 0);
    CHECK(plait_forkserver_stop() == 0 && seconds_now() - since < 10);
    exit(0);
}

static void an_exit_waits_for_a_stopped_one_for_some_seconds(void **state)
{
    host_run(leave_a_stopped_one, NULL);
}

/* ---- those who ask ---- */

struct asker {
    int settings, held_at, detached;
    _Atomic pid_t pid;
    _Atomic int flag;
};

static int note_and_wait(void *argument)
{
    struct asker *asker = argument;
    atomic_store(&asker->pid, getpid());
    test_until(is_set, &asker->flag);
    return 0;
}

static int ask_and_stay(void *argument)
{
    struct asker *asker = argument;
    if (asker->held_at) hold_at((enum plait__point)asker->held_at, 1);
    while (asker->held_at == PLAIT__POINT_SEAT_TAKEN) run_it(return_0, NULL, 0, 0);   /* until one finds one that is ready */
    start_it(note_and_wait, asker, 0, &(plait_process_options){ .cwd = asker->settings ? "/" : NULL, .detached = asker->detached });
    sleep_for_ever();
}

struct count {
    pid_t server;
    size_t children;
};

static bool has_children(void *argument)
{
    const struct count *count = argument;
    pid_t pids[16];
    return program_children(count->server, pids, 16) == count->children;
}

/* Nothing of it stays: no child, no zombie. */
static void must_have_only_the_stock(size_t stock)
{
    test_until(has_children, &(struct count){ plait_forkserver_pid(), stock });
}

static size_t stock_now(void)
{
    pid_t pids[16];
    return program_children(plait_forkserver_pid(), pids, 16);
}

static void kill_an_asker(int settings, int held_at)
{
    const size_t stock = stock_now();
    struct asker *asker = new_block(sizeof *asker);
    *asker = (struct asker){ .settings = settings, .held_at = held_at };
    hold_forget();
    const pid_t fork = test_fork(ask_and_stay, asker);
    if (held_at) hold_until_there();
    else test_until(is_set, &asker->pid);
    test_kill(fork);
    run_it(return_0, NULL, 0, 0);                          /* then the server has read what it was asked for before */
    must_have_only_the_stock(stock);
    served_is_patient = true;
    served_blocks_left = 1;                                /* the server's board: the dead one had it too */
    CHECK(plait_free(asker) == 0);
}

static void they_take_their_children_with_them(void)
{
    const struct traces before = traces_now();
    for (int settings = 0; settings < 2; settings++) kill_an_asker(settings, 0);
    run_it(return_0, NULL, 0, 0);
    CHECK(traces_now().fds == before.fds);
}

static void they_may_die_before_they_watch(void)
{
    for (int settings = 0; settings < 2; settings++) kill_an_asker(settings, PLAIT__POINT_ASKED);
    run_it(return_0, NULL, 0, 0);
}

static void they_may_die_before_they_wake_it(void)
{
    for (int settings = 0; settings < 2; settings++) kill_an_asker(settings, PLAIT__POINT_SEAT_TAKEN);
    run_it(return_0, NULL, 0, 0);
}

/* The server learns of the request and of the death at once. */
static void they_may_die_before_it_has_read(void)
{
    const pid_t server = plait_forkserver_pid();
    const size_t stock = stock_now();
    struct asker *asker = new_block(sizeof *asker);
    *asker = (struct asker){ .held_at = PLAIT__POINT_ASKED };
    int status;
    for (int i = 0; i < 5; i++) {
        hold_forget();
        CHECK(kill(server, SIGSTOP) == 0 && waitpid(server, &status, WUNTRACED) == server);
        const pid_t fork = test_fork(ask_and_stay, asker);
        hold_until_there();
        test_kill(fork);
        CHECK(kill(server, SIGCONT) == 0);
        run_it(return_0, NULL, 0, 0);                      /* which the server has read after that */
        must_have_only_the_stock(stock);
    }
    served_is_patient = true;
    served_blocks_left = 1;
    CHECK(plait_free(asker) == 0);
}

/* It greets the server by a first one, which needs an answer. */
static int end_one_of_a_stopped_server(void *unused)
{
    _Atomic int *flag = new_block(sizeof *flag);
    run_it(return_0, NULL, 0, 0);
    plait_process *process = start_it(wait_for_flag, (void *)flag, 0, NULL);
    CHECK(kill(plait_forkserver_pid(), SIGSTOP) == 0);
    atomic_store(flag, 1);
    end_with(process, 7);
    CHECK(plait_free((void *)flag) == 0);
    _exit(0);
}

static void must_have_clean_blocks(void)
{
    for (size_t size = 256; size < 16384; size += 64) {
        unsigned char *block = new_block(size);
        for (size_t i = 0; i < size; i++) CHECK(block[i] == 0);
        memset(block, 0, size);
        CHECK(plait_free(block) == 0);
    }
}

/* A user that has let go of its child before it dies, and a server that learns of both later: the block is given back once. */
static void what_the_dead_had_given_back_is_given_back_once(void)
{
    if (plait__without(PLAIT__WITHOUT_PIDFD)) return;
    const size_t stock = stock_now();
    const pid_t fork = test_fork(end_one_of_a_stopped_server, NULL);
    CHECK(test_wait_exit(fork) == 0);
    continue_server();
    run_it(return_0, NULL, 0, 0);
    must_have_only_the_stock(stock);
    must_have_clean_blocks();
    served_is_patient = true;
    served_blocks_left = 1;                                /* the server's board */
}

static int start_and_leave(void *argument)
{
    struct asker *asker = argument;
    start_it(note_and_wait, asker, 0, &(plait_process_options){ .detached = asker->detached });
    _exit(0);
}

static void detached_ones_go_on(void)
{
    const size_t stock = stock_now();
    struct asker *asker = new_block(sizeof *asker);
    asker->detached = 1;
    CHECK(test_wait_exit(test_fork(start_and_leave, asker)) == 0);
    test_until(is_set, &asker->pid);
    run_it(return_0, NULL, 0, 0);
    CHECK(state_of(asker->pid) != 0 && state_of(asker->pid) != 'Z');
    atomic_store(&asker->flag, 1);
    must_have_only_the_stock(stock);
    served_is_patient = true;
    served_blocks_left = 2;                                /* and what the dead one would have joined */
    CHECK(plait_free(asker) == 0);
}

static const struct CMUnitTest tests[] = {
    WITH_AND_WITHOUT_STOCK(an_idle_one_is_replaced),
    WITH_AND_WITHOUT_STOCK(its_children_end_with_it),
    WITH_AND_WITHOUT_STOCK(an_adopter_is_told_and_reaps_them),
    WITH_AND_WITHOUT_STOCK(who_is_detached_goes_on_without_it),
    SERVED("a_start_waits_for_one_that_is_stopped", 0, a_start_waits_for_one_that_is_stopped),
    SERVED("a_start_at_one_that_dies_is_done_by_the_next", 0, a_start_at_one_that_dies_is_done_by_the_next),
    cmocka_unit_test(it_may_die_at_any_time),
    WITH_AND_WITHOUT_STOCK(what_a_stopped_one_holds_up),
    WITH_AND_WITHOUT_STOCK(threads_of_a_child_do_not_need_it),
    WITH_AND_WITHOUT_STOCK(to_look_does_not_wait),
    WITH_AND_WITHOUT_STOCK(who_joins_is_woken_by_a_death_that_nobody_tells),
    cmocka_unit_test(an_exit_waits_for_a_stopped_one_for_some_seconds),
    WITH_AND_WITHOUT_STOCK(they_take_their_children_with_them),
    WITH_AND_WITHOUT_STOCK(they_may_die_before_they_watch),
    SERVED("they_may_die_before_they_wake_it", 3, they_may_die_before_they_wake_it),
    SERVED("they_may_die_before_it_has_read", 0, they_may_die_before_it_has_read),
    WITH_AND_WITHOUT_STOCK(what_the_dead_had_given_back_is_given_back_once),
    WITH_AND_WITHOUT_STOCK(detached_ones_go_on),
};

TEST_MAIN(tests)
