/* Whose handlers run at the end of a child: its own, in their order, and none of its parent's.  Each test runs in a host. */
#include "host.h"

#include <plait.h>

/* What has been noted, in order, by whoever ran: one letter each. */
static struct notes {
    _Atomic int length;
    char letters[60];
    _Atomic int go, ready;
} *notes;

static void note(char letter)
{
    notes->letters[atomic_fetch_add(&notes->length, 1)] = letter;
}

static void parents_handler(void)
{
    note('p');
}

static void childs_handler(void)
{
    note('c');
}

static void childs_second_handler(void)
{
    note('d');
}

static int be_host(void *body)
{
    atexit(parents_handler);
    ((void (*)(void))body)();
    exit(0);
}

static void expect_notes(void (*body)(void), const char *expected)
{
    notes = test_shared(sizeof *notes);
    host_run(be_host, (void *)body);
    assert_string_equal(notes->letters, expected);
}

static void run(int (*function)(void *), int exitcode)
{
    plait_process *process = plait_start(function, NULL, 0, NULL);
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == exitcode);
    CHECK(plait_process_free(process) == 0);
}

/* ---- the parent's ---- */

static int return_1(void *unused)
{
    note('r');
    return 1;
}

static int exit_with_2(void *unused)
{
    note('e');
    exit(2);
}

static int quick_exit_with_3(void *unused)
{
    note('q');
    quick_exit(3);
}

static void start_some(void)
{
    run(return_1, 1);
    run(exit_with_2, 2);
    run(quick_exit_with_3, 3);
}

static void the_parents_handlers_run_once_and_only_in_the_parent(void **state)
{
    expect_notes(start_some, "reqp");
}

/* A raw fork, which knows nothing of plait. */
static int fork_and_exit(void *unused)
{
    const pid_t pid = fork();
    note(pid ? 'f' : 'g');
    if (pid == 0) exit(5);
    CHECK(test_wait_exit(pid) == 5);
    return 4;
}

/* A fork of the child ends by exit(): a clean leave, after which a lock stays locked; only after a death it comes back. */
static plait_lock *locked;

static int fork_who_locks_and_exits(void *unused)
{
    const pid_t pid = fork();
    if (pid == 0) {
        CHECK(plait_lock_acquire(locked, PLAIT_NOW) == 0);
        exit(5);
    }
    CHECK(test_wait_exit(pid) == 5);
    CHECK(plait_lock_acquire(locked, PLAIT_NOW) == -ETIMEDOUT);
    return 4;
}

static void start_one_whose_fork_locks(void)
{
    CHECK(locked = plait_lock_new());
    run(fork_who_locks_and_exits, 4);
    CHECK(plait_lock_acquire(locked, PLAIT_NOW) == -ETIMEDOUT);
    CHECK(plait_lock_free(locked) == 0);
}

static void a_fork_of_the_child_that_exits_leaves_cleanly(void **state)
{
    expect_notes(start_one_whose_fork_locks, "p");
}

static void start_one_that_forks(void)
{
    run(fork_and_exit, 4);
}

static void a_fork_of_the_child_does_not_run_them_either(void **state)
{
    notes = test_shared(sizeof *notes);
    host_run(be_host, (void *)start_one_that_forks);
    assert_true(strcmp(notes->letters, "fgp") == 0 || strcmp(notes->letters, "gfp") == 0);
}

static int start_another(void *unused)
{
    atexit(childs_handler);
    run(exit_with_2, 2);
    return 6;
}

static void start_one_that_starts_another(void)
{
    run(start_another, 6);
}

static void a_childs_child_runs_neither_its_parents_nor_its_grandparents(void **state)
{
    expect_notes(start_one_that_starts_another, "ecp");
}

/* ---- the child's ---- */

static int register_two(void *unused)
{
    atexit(childs_handler);
    atexit(childs_second_handler);
    return 7;
}

static int register_one_and_exit(void *unused)
{
    atexit(childs_handler);
    exit(8);
}

static void start_those_that_register(void)
{
    run(register_two, 7);
    run(register_one_and_exit, 8);
}

static void a_childs_own_handlers_run_in_reverse_order(void **state)
{
    expect_notes(start_those_that_register, "dccp");
}

static void leave__exit(void)
{
    note('l');
    _exit(9);
}

static int register_one_that_leaves(void *unused)
{
    atexit(childs_handler);
    atexit(leave__exit);
    return 1;
}

static void start_one_whose_handler_leaves(void)
{
    run(register_one_that_leaves, 9);
}

static void a_handler_may_leave_by__exit(void **state)
{
    expect_notes(start_one_whose_handler_leaves, "lp");
}

static void use_the_family(void)
{
    plait_lock *lock = plait_lock_new();
    CHECK(lock && plait_lock_acquire(lock, PLAIT_NOW) == 0 && plait_lock_release(lock) == 0 && plait_lock_free(lock) == 0);
    note('u');
}

static int register_one_that_uses_the_family(void *unused)
{
    atexit(use_the_family);
    return 0;
}

static void start_one_whose_handler_uses_the_family(void)
{
    run(register_one_that_uses_the_family, 0);
    use_the_family();
}

static void a_childs_handler_may_use_the_family(void **state)
{
    expect_notes(start_one_whose_handler_uses_the_family, "uup");
}

/* ---- handlers that start processes ---- */

static void start_one_at_the_end(void)
{
    run(return_1, 1);
    run(exit_with_2, 2);
}

static void register_one_that_starts(void)
{
    atexit(start_one_at_the_end);
}

static void a_handler_of_the_parent_may_start_processes(void **state)
{
    expect_notes(register_one_that_starts, "rep");
}

/* ---- the child's threads ---- */

static void *wait_for_ever(void *unused)
{
    notes->ready = 1;
    sleep_for_ever();
}

static int leave_a_thread_behind(void *unused)
{
    thread_start(wait_for_ever, NULL);
    test_until(is_set, &notes->ready);
    note('t');
    return 0;
}

static void start_one_with_a_thread(void)
{
    run(leave_a_thread_behind, 0);
}

static void a_thread_of_the_child_does_not_keep_it(void **state)
{
    expect_notes(start_one_with_a_thread, "tp");
}

static _Atomic pid_t reader;

static void *read_stdin(void *unused)
{
    reader = (pid_t)syscall(SYS_gettid);
    return (void *)(intptr_t)getchar();
}

static bool reader_is_asleep(void *unused)
{
    return state_of(reader) == 'S';
}

static int leave_a_reader_behind(void *unused)
{
    thread_start(read_stdin, NULL);
    test_until(is_set, &reader);
    test_until(reader_is_asleep, NULL);
    note('i');
    return 0;
}

/* The thread holds the lock of stdin as long as nothing comes. */
static void start_one_with_a_reader(void)
{
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    plait_process *process = plait_start(leave_a_reader_behind, NULL, 0, &(plait_process_options){ .input = PLAIT_STREAM_INHERIT });
    CHECK(process);
    if (plait_process_join(process, plait_after(10)) != 0) {
        note('!');
        plait_process_kill(process);
        plait_process_join(process, PLAIT_FOREVER);
    }
    CHECK(plait_process_free(process) == 0);
}

static void a_thread_of_the_child_that_waits_for_input_does_not_keep_it(void **state)
{
    expect_notes(start_one_with_a_reader, "ip");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_parents_handlers_run_once_and_only_in_the_parent),
    cmocka_unit_test(a_fork_of_the_child_does_not_run_them_either),
    cmocka_unit_test(a_fork_of_the_child_that_exits_leaves_cleanly),
    cmocka_unit_test(a_childs_child_runs_neither_its_parents_nor_its_grandparents),
    cmocka_unit_test(a_childs_own_handlers_run_in_reverse_order),
    cmocka_unit_test(a_handler_may_leave_by__exit),
    cmocka_unit_test(a_childs_handler_may_use_the_family),
    cmocka_unit_test(a_handler_of_the_parent_may_start_processes),
    cmocka_unit_test(a_thread_of_the_child_does_not_keep_it),
    cmocka_unit_test(a_thread_of_the_child_that_waits_for_input_does_not_keep_it),
};

TEST_MAIN(tests)
