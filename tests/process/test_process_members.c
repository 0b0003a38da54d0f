/* What a process can be asked, and told, before it is started, while it runs and after its end: as Python's Process. */
#include "starts.h"

static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN };

static plait_process *new_process(int (*function)(void *), const void *argument)
{
    plait_process *process = plait_process_new(function, argument, 0, NULL);
    CHECK(process);
    return process;
}

/* ---- before the start ---- */

static int start_it_twice(void *unused)
{
    plait_process *process = new_process(return_0, NULL);
    CHECK(plait_process_start(process) == 0);
    CHECK(plait_process_start(process) == -EALREADY);
    CHECK_TEXT(plait_error_detail(), "cannot start a process twice");
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_start(process) == -EALREADY);
    end_with(process, 0);
    return 0;
}

static void start_twice(void **state)
{
    host_run(start_it_twice, NULL);
}

static int ask_before_the_start(void *unused)
{
    plait_process *process = new_process(return_0, NULL);
    CHECK(plait_process_join(process, PLAIT_NOW) == PLAIT_ENOTSTARTED);
    CHECK_TEXT(plait_error_detail(), "Process-1 was not started");
    CHECK(plait_process_join(process, PLAIT_FOREVER) == PLAIT_ENOTSTARTED);
    CHECK(plait_process_exitcode(process) == PLAIT_ENOTSTARTED);
    CHECK(plait_process_is_alive(process) == 0);
    CHECK(plait_process_pid(process) == 0);
    CHECK(plait_process_kind(process) == PLAIT_PROCESSES);
    CHECK(plait_active_children(NULL, 0) == 0);
    CHECK(plait_process_start(process) == 0);
    end_with(process, 0);
    return 0;
}

static void join_before_start(void **state)
{
    host_run(ask_before_the_start, NULL);
}

static int signal_before_the_start(void *unused)
{
    plait_process *process = new_process(return_0, NULL);
    CHECK(plait_process_terminate(process) == PLAIT_ENOTSTARTED && plait_process_kill(process) == PLAIT_ENOTSTARTED);
    CHECK(plait_process_start(process) == 0);
    end_with(process, 0);
    return 0;
}

static void terminate_unstarted(void **state)
{
    host_run(signal_before_the_start, NULL);
}

static int poll_before_the_start(void *unused)
{
    plait_process *process = new_process(return_0, NULL);
    CHECK(plait_process_sentinel(process) == PLAIT_ENOTSTARTED);
    CHECK(plait_process_free(process) == 0);
    return 0;
}

static void sentinel_before_start(void **state)
{
    host_run(poll_before_the_start, NULL);
}

static int free_before_the_start(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    for (int i = 0; i < 100; i++) CHECK(plait_process_free(new_process(return_0, NULL)) == 0);
    CHECK(plait_process_free(NULL) == 0);
    traces_must_be(&before);
    return 0;
}

static void close_before_start(void **state)
{
    host_run(free_before_the_start, NULL);
}

static int set_daemon(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *process = new_process(wait_for_flag, flag);
    CHECK(plait_process_daemon(process) == 0 && plait_process_set_daemon(process, 5) == 0 && plait_process_daemon(process) == 1);
    CHECK(plait_process_set_daemon(process, 0) == 0 && plait_process_daemon(process) == 0);
    CHECK(plait_process_start(process) == 0);
    CHECK(plait_process_set_daemon(process, 1) == -EALREADY && plait_process_daemon(process) == 0);
    CHECK_TEXT(plait_error_detail(), "process has already started");
    *flag = 1;
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_set_daemon(process, 1) == -EALREADY);
    end_with(process, 7);
    CHECK(plait_process_set_daemon(NULL, 1) == -EINVAL && plait_process_daemon(NULL) == -EINVAL);
    CHECK(plait_process_set_daemon(plait_current_process(), 1) < 0);
    return 0;
}

static void daemon_after_start(void **state)
{
    host_run(set_daemon, NULL);
}

/* ---- names ---- */

static int set_names(void *unused)
{
    char name[65];
    plait_process *process = new_process(return_0, NULL);
    memset(name, 'n', sizeof name);
    name[64] = 0;
    CHECK(plait_process_set_name(process, name) == -EINVAL);
    CHECK_TEXT(plait_error_detail(), "64 bytes");
    CHECK(plait_process_set_name(process, "") == -EINVAL && plait_process_set_name(process, NULL) == -EINVAL);
    CHECK(plait_process_set_name(NULL, "name") == -EINVAL && strcmp(plait_process_name(NULL), "") == 0);
    CHECK(strcmp(plait_process_name(process), "Process-1") == 0);
    CHECK(plait_process_set_name(process, name + 1) == 0 && strcmp(plait_process_name(process), name + 1) == 0);
    CHECK(plait_process_free(process) == 0);
    return 0;
}

static void name_of_wrong_kind(void **state)
{
    host_run(set_names, NULL);
}

static int has_name(void *name)
{
    return strcmp(plait_process_name(plait_current_process()), name) != 0;
}

static int set_name_before_the_start(void *unused)
{
    be_program();
    for (int i = 0; i < 2; i++) {
        plait_process *process = plait_process_new(has_name, "Ada", 4, &(plait_process_options){ .method = methods[i] });
        CHECK(plait_process_set_name(process, "Ada") == 0 && plait_process_start(process) == 0);
        end_with(process, 0);
    }
    return 0;
}

static void a_name_may_be_set_before_the_start(void **state)
{
    host_run(set_name_before_the_start, NULL);
}

/* As in Python, where they count when they are made, and an empty name is none. */
static int count_those_that_are_made(void *unused)
{
    plait_process *first = new_process(return_0, NULL);
    plait_process *second = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .name = "" });
    plait_process *third = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .class_name = "" });
    CHECK(plait_process_start(second) == 0 && plait_process_start(first) == 0);
    CHECK(strcmp(plait_process_name(first), "Process-1") == 0);
    CHECK(strcmp(plait_process_name(second), "Process-2") == 0);
    CHECK(strcmp(plait_process_name(third), "Process-3") == 0);
    end_with(first, 0);
    end_with(second, 0);
    CHECK(plait_process_free(third) == 0);
    return 0;
}

static void they_count_when_they_are_made(void **state)
{
    host_run(count_those_that_are_made, NULL);
}

/* ---- while it runs ---- */

static int ask_while_it_runs(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *process = new_process(wait_for_flag, flag), *child = NULL;
    CHECK(plait_process_start(process) == 0);
    CHECK(plait_process_exitcode(process) == PLAIT_ERUNNING && plait_process_is_alive(process) == 1);
    CHECK(plait_process_pid(process) > 0 && kill(plait_process_pid(process), 0) == 0);
    CHECK(plait_active_children(&child, 1) == 1 && child == process);
    *flag = 1;
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_pid(process) > 0 && plait_process_is_alive(process) == 0);
    CHECK(plait_active_children(&child, 1) == 0);
    end_with(process, 7);
    return 0;
}

static void exitcode_is_none_while_alive(void **state)
{
    host_run(ask_while_it_runs, NULL);
}

static int free_while_it_runs(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *process = new_process(wait_for_flag, flag);
    CHECK(plait_process_start(process) == 0);
    CHECK(plait_process_free(process) == PLAIT_ERUNNING);
    CHECK_TEXT(plait_error_detail(), "Cannot close a process while it is still running");
    *flag = 1;
    end_with(process, 7);
    return 0;
}

static void close_while_running(void **state)
{
    host_run(free_while_it_runs, NULL);
}

static bool zombies_are(void *count)
{
    siginfo_t info = { 0 };
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && (info.si_pid != 0) == *(int *)count;
}

static int look_who_is_active(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *found[3], *all[3];
    for (int i = 0; i < 3; i++) all[i] = i == 1 ? new_process(return_0, NULL) : new_process(wait_for_flag, flag);
    for (int i = 0; i < 3; i++) CHECK(plait_process_start(all[i]) == 0);
    test_until(zombies_are, &(int){ 1 });
    CHECK(plait_active_children(found, 3) == 2 && found[0] != all[1] && found[1] != all[1] && found[0] != found[1]);
    CHECK(zombies_are(&(int){ 0 }));                       /* it was joined */
    CHECK(plait_active_children(found, 1) == 2 && plait_active_children(NULL, 0) == 2);
    *flag = 1;
    end_with(all[0], 7);
    CHECK(plait_active_children(found, 3) <= 1);
    end_with(all[1], 0);
    end_with(all[2], 7);
    CHECK(plait_active_children(found, 3) == 0);
    return 0;
}

static void active_children_joins_those_that_have_ended(void **state)
{
    host_run(look_who_is_active, NULL);
}

static int count_children(void *unused)
{
    return (int)plait_active_children(NULL, 0);
}

static int look_for_children_of_a_child(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *process = new_process(wait_for_flag, flag);
    CHECK(plait_process_start(process) == 0);
    end_with(plait_start(count_children, NULL, 0, NULL), 0);
    *flag = 1;
    end_with(process, 7);
    return 0;
}

static void a_child_begins_without_children(void **state)
{
    host_run(look_for_children_of_a_child, NULL);
}

/* ---- repr ---- */

static void expect_repr(plait_process *process, const char *format, ...)
{
    char expected[256], text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    CHECK(plait_process_repr(process, text, sizeof text) == (int)strlen(expected));
    CHECK_TEXT(text, expected);
}

static void end_and_expect(int signal, int code, const char *state)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *process = plait_start(wait_for_flag, flag, 0, &(plait_process_options){ .class_name = "Worker", .daemon = 1 });
    const int pid = plait_process_pid(process), parent = getpid();
    expect_repr(process, "<Worker name='%s' pid=%d parent=%d started daemon>", plait_process_name(process), pid, parent);
    *flag = !signal;
    if (signal) CHECK(kill(pid, signal) == 0);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    expect_repr(process, "<Worker name='%s' pid=%d parent=%d %s daemon>", plait_process_name(process), pid, parent, state);
    end_with(process, code);
}

static int describe_in_every_state(void *unused)
{
    char text[10];
    plait_process *process = new_process(return_0, NULL);
    expect_repr(process, "<Process name='Process-1' parent=%d initial>", (int)getpid());
    CHECK(plait_process_repr(process, text, sizeof text) > 10 && strcmp(text, "<Process ") == 0);
    CHECK(plait_process_repr(process, NULL, 0) > 10);
    CHECK(plait_process_repr(process, NULL, 1) == -EINVAL && plait_process_repr(NULL, text, sizeof text) == -EINVAL);
    CHECK(plait_process_free(process) == 0);
    end_and_expect(0, 7, "stopped exitcode=7");
    end_and_expect(SIGTERM, -SIGTERM, "stopped exitcode=-SIGTERM");
    end_and_expect(SIGKILL, -SIGKILL, "stopped exitcode=-SIGKILL");
    char real_time[32];
    snprintf(real_time, sizeof real_time, "stopped exitcode=-%d", SIGRTMIN + 1);
    end_and_expect(SIGRTMIN + 1, -(SIGRTMIN + 1), real_time);
    expect_repr(plait_current_process(), "<Process name='MainProcess' pid=%d parent=%d started>", (int)getpid(), (int)getppid());
    return 0;
}

static void repr_in_every_state(void **state)
{
    host_run(describe_in_every_state, NULL);
}

/* ---- in a fork of the program ---- */

static int use_anothers(void *object)
{
    plait_process *process = object;
    char text[256];
    CHECK(plait_process_join(process, PLAIT_NOW) == -ECHILD && plait_process_start(process) == -ECHILD);
    CHECK(plait_process_terminate(process) == -ECHILD && plait_process_kill(process) == -ECHILD);
    CHECK(plait_process_is_alive(process) == -ECHILD && plait_process_exitcode(process) == PLAIT_EREAPED);
    CHECK(plait_process_sentinel(process) == -ECHILD);
    CHECK(plait_process_repr(process, text, sizeof text) > 0);
    CHECK_TEXT(text, " unknown>");
    CHECK(plait_process_free(process) == 0);
    return 3;
}

static int use_a_forks_copies(void *unused)
{
    _Atomic int *flag = test_shared(sizeof *flag);
    plait_process *runs = new_process(wait_for_flag, flag), *fresh = new_process(return_0, NULL);
    CHECK(plait_process_start(runs) == 0);
    CHECK(test_wait_exit(test_fork(use_anothers, runs)) == 3 && test_wait_exit(test_fork(use_anothers, fresh)) == 3);
    end_with(plait_start(use_anothers, runs, 0, NULL), 3);
    *flag = 1;
    end_with(runs, 7);
    CHECK(plait_process_start(fresh) == 0);
    end_with(fresh, 0);
    return 0;
}

static void only_who_made_it_starts_and_joins(void **state)
{
    host_run(use_a_forks_copies, NULL);
}

/* Its own object, which a forked child has a copy of, too: what it runs with is not in there. */
static plait_process *itself;

static int free_itself(void *text)
{
    char *other[20];
    CHECK(itself && plait_process_free(itself) == 0);
    for (int i = 0; i < 20; i++) CHECK((other[i] = malloc(64 + 16 * (size_t)i)) && memset(other[i], 'x', 64));
    CHECK(strcmp(text, "argument") == 0);
    CHECK(strcmp(getenv("NAME"), "value") == 0);
    for (int i = 0; i < 20; i++) free(other[i]);
    return 5;
}

static int start_one_that_frees_itself(void *unused)
{
    char *const environment[] = { "NAME=value", NULL };
    itself = plait_process_new(free_itself, "argument", 9, &(plait_process_options){ .environment = environment });
    CHECK(plait_process_start(itself) == 0);
    end_with(itself, 5);
    return 0;
}

static void a_forked_child_may_free_its_own_object(void **state)
{
    host_run(start_one_that_frees_itself, NULL);
}

/* ---- standard input ---- */

static int read_nothing(void *unused)
{
    char byte;
    return read(STDIN_FILENO, &byte, 1) == 0 && getchar() == EOF ? 7 : 1;
}

static int have_input(void *unused)
{
    int ends[2];
    be_program();
    CHECK(pipe(ends) == 0 && write(ends[1], "x\n", 2) == 2 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    for (int i = 0; i < 2; i++)
        end_with(plait_start(read_nothing, NULL, 0, &(plait_process_options){ .method = methods[i] }), 7);
    return 0;
}

static void stdin_is_dev_null(void **state)
{
    host_run(have_input, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(start_twice),
    cmocka_unit_test(join_before_start),
    cmocka_unit_test(terminate_unstarted),
    cmocka_unit_test(sentinel_before_start),
    cmocka_unit_test(close_before_start),
    cmocka_unit_test(daemon_after_start),
    cmocka_unit_test(name_of_wrong_kind),
    cmocka_unit_test(a_name_may_be_set_before_the_start),
    cmocka_unit_test(they_count_when_they_are_made),
    cmocka_unit_test(exitcode_is_none_while_alive),
    cmocka_unit_test(close_while_running),
    cmocka_unit_test(active_children_joins_those_that_have_ended),
    cmocka_unit_test(a_child_begins_without_children),
    cmocka_unit_test(repr_in_every_state),
    cmocka_unit_test(only_who_made_it_starts_and_joins),
    cmocka_unit_test(a_forked_child_may_free_its_own_object),
    cmocka_unit_test(stdin_is_dev_null),
};
TEST_MAIN(tests)
