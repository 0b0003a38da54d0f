/* What is left of a process or thread that is killed, or leaves in the middle, whatever it was started by. */
#include "host.h"
#include "program.h"

#include <plait.h>

static struct notes {                   /* in shared memory */
    plait_lock lock;
    _Atomic int ready;
    _Atomic pid_t pid;
} *notes;

static void new_notes(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    notes = plait_alloc(sizeof *notes);
    CHECK(notes);
}

/* ---- a child is killed while it holds a lock ---- */

static int hold_and_stay(void *argument)
{
    struct notes *told = argument;
    CHECK(plait_lock_acquire(&told->lock, PLAIT_FOREVER) == 0);
    told->pid = getpid();
    told->ready = 1;
    sleep_for_ever();
}

static int hold_in_a_thread_and_stay(void *argument)
{
    CHECK(plait_start(hold_and_stay, argument, 0, &(plait_process_options){ .kind = PLAIT_THREADS }));
    sleep_for_ever();
}

static void kill_a_holder(int (*body)(void *), int method)
{
    plait_process *child = plait_start(body, notes, 0, &(plait_process_options){ .method = method });
    CHECK(child);
    test_until(is_set, &notes->ready);
    CHECK(plait_lock_acquire(&notes->lock, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_process_kill(child) == 0);
    CHECK(plait_lock_acquire(&notes->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
    CHECK(plait_lock_release(&notes->lock) == 0);
    CHECK(plait_process_join(child, PLAIT_FOREVER) == 0 && plait_process_exitcode(child) == -SIGKILL);
    CHECK(plait_process_free(child) == 0);
    notes->ready = 0;
}

static int kill_holders(void *body)
{
    new_notes();
    kill_a_holder((int (*)(void *))body, PLAIT_FORK);
    kill_a_holder((int (*)(void *))body, PLAIT_SPAWN);
    kill_a_holder((int (*)(void *))body, PLAIT_FORKSERVER);
    CHECK(plait_forkserver_stop() == 0);
    return 0;
}

static void a_killed_child_frees_its_lock(void **state)
{
    host_run(kill_holders, (void *)hold_and_stay);
}

static void the_threads_of_a_killed_child_free_theirs(void **state)
{
    host_run(kill_holders, (void *)hold_in_a_thread_and_stay);
}

/* ---- a thread leaves ---- */

static int hold_and_leave(void *argument)
{
    CHECK(plait_lock_acquire(argument, PLAIT_FOREVER) == 0);
    pthread_exit(NULL);
}

static int join_who_left(void *unused)
{
    new_notes();
    plait_thread *thread = plait_thread_new(hold_and_leave, &notes->lock, 0, NULL);
    CHECK(thread && plait_thread_start(thread) == 0 && plait_thread_join(thread, PLAIT_FOREVER) == 0);
    CHECK(plait_thread_exitcode(thread) == 0 && plait_thread_free(thread) == 0);
    CHECK(plait_lock_acquire(&notes->lock, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_lock_release(&notes->lock) == 0);
    return 0;
}

static void a_thread_that_leaves_in_the_middle_keeps_its_lock_locked(void **state)
{
    host_run(join_who_left, NULL);
}

/* ---- the parent is killed ---- */

struct start {
    int method;                         /* 0: another program */
    pid_t *pids;                        /* shared with the tester: the forkserver, the child */
};

static int start_and_stay(void *argument)
{
    const struct start *start = argument;
    char *argv[] = { "sleep", "1000", NULL };
    new_notes();
    plait_process *child = start->method ? plait_start(hold_and_stay, notes, 0, &(plait_process_options){ .method = start->method })
                                         : plait_start_program(argv, NULL);
    CHECK(child);
    if (start->method) test_until(is_set, &notes->ready);
    start->pids[0] = plait_forkserver_pid();
    ((_Atomic pid_t *)start->pids)[1] = plait_process_pid(child);
    sleep_for_ever();
}

static void kill_the_parent(int method)
{
    struct start start = { method, test_shared(2 * sizeof(pid_t)) };
    adopt_orphans();
    const pid_t host = test_fork(start_and_stay, &start);
    test_until(is_set, start.pids + 1);
    const double since = seconds_now();
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(test_wait_exit(host), -SIGKILL);
    const int first = start.pids[0] ? 0 : 1;
    orphans_must_end(start.pids + first, 2 - first, since);
}

static void a_forked_child_ends_with_its_parent(void **state)
{
    kill_the_parent(PLAIT_FORK);
}

static void a_spawned_child_ends_with_its_parent(void **state)
{
    kill_the_parent(PLAIT_SPAWN);
}

static void a_served_child_ends_with_its_parent(void **state)
{
    kill_the_parent(PLAIT_FORKSERVER);
}

static void a_program_ends_with_its_parent(void **state)
{
    kill_the_parent(0);
}

/* ---- the forkserver is killed ---- */

static int kill_the_server(void *unused)
{
    const plait_process_options served = { .method = PLAIT_FORKSERVER };
    new_notes();
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .stock = 2 }) == 0);
    plait_process *child = plait_start(hold_and_stay, notes, 0, &served);
    CHECK(child);
    test_until(is_set, &notes->ready);
    const pid_t server = plait_forkserver_pid();
    CHECK(kill(server, SIGKILL) == 0);
    CHECK(plait_lock_acquire(&notes->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED && plait_lock_release(&notes->lock) == 0);
    CHECK(plait_process_join(child, PLAIT_FOREVER) == 0 && plait_process_exitcode(child) == PLAIT_EREAPED);
    CHECK(plait_process_free(child) == 0);

    notes->ready = 0;
    child = plait_start(hold_and_stay, notes, 0, &served);          /* by a new one */
    CHECK(child);
    test_until(is_set, &notes->ready);
    CHECK(plait_forkserver_pid() != server && plait_process_kill(child) == 0);
    CHECK(plait_process_join(child, PLAIT_FOREVER) == 0 && plait_process_exitcode(child) == -SIGKILL);
    CHECK(plait_process_free(child) == 0 && plait_forkserver_stop() == 0);
    return 0;
}

static void the_children_of_a_killed_forkserver_end_and_a_new_one_takes_its_place(void **state)
{
    host_run(kill_the_server, NULL);
}

/* The children that it keeps ready. */
struct stock {
    _Atomic pid_t pids[4];
    _Atomic int ready;
};

static int have_a_stock(void *argument)
{
    struct stock *stock = argument;
    pid_t children[4];
    CHECK(plait_init(NULL, NULL) == 0 && plait_forkserver_start(&(plait_forkserver_options){ .stock = 3 }) == 0);
    const pid_t server = plait_forkserver_pid();
    while (program_children(server, children, 4) < 3) sched_yield();
    for (int i = 0; i < 3; i++) stock->pids[i] = children[i];
    stock->pids[3] = server;
    stock->ready = 1;
    sleep_for_ever();
}

static void a_stock_ends_with_who_has_it(void **state)
{
    struct stock *stock = test_shared(sizeof *stock);
    adopt_orphans();
    const pid_t host = test_fork(have_a_stock, stock);
    test_until(is_set, &stock->ready);
    const double since = seconds_now();
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(test_wait_exit(host), -SIGKILL);
    orphans_must_end((const pid_t *)stock->pids + 3, 1, since);
    orphans_must_end((const pid_t *)stock->pids, 3, since);
}

/* ---- finalizers ---- */

static void note_call(void *flag)
{
    *(_Atomic int *)flag = 1;
}

static int note_and_stay(void *argument)
{
    static _Atomic int *calls;
    calls = argument;
    CHECK(plait_at_exit(note_call, calls, 0) == 0);
    calls[1] = 1;
    sleep_for_ever();
}

static int kill_one_with_finalizers(void *calls)
{
    new_notes();
    plait_process *child = plait_start(note_and_stay, calls, 0, NULL);
    CHECK(child);
    test_until(is_set, (int *)calls + 1);
    CHECK(plait_process_kill(child) == 0 && plait_process_join(child, PLAIT_FOREVER) == 0 && plait_process_free(child) == 0);
    return *(_Atomic int *)calls;
}

static void what_is_killed_runs_no_finalizers(void **state)
{
    host_run(kill_one_with_finalizers, test_shared(2 * sizeof(int)));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_killed_child_frees_its_lock),
    cmocka_unit_test(the_threads_of_a_killed_child_free_theirs),
    cmocka_unit_test(a_thread_that_leaves_in_the_middle_keeps_its_lock_locked),
    cmocka_unit_test(a_forked_child_ends_with_its_parent),
    cmocka_unit_test(a_spawned_child_ends_with_its_parent),
    cmocka_unit_test(a_served_child_ends_with_its_parent),
    cmocka_unit_test(a_program_ends_with_its_parent),
    cmocka_unit_test(the_children_of_a_killed_forkserver_end_and_a_new_one_takes_its_place),
    cmocka_unit_test(a_stock_ends_with_who_has_it),
    cmocka_unit_test(what_is_killed_runs_no_finalizers),
};

TEST_MAIN(tests)
