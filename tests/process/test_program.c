/* Other programs as children: finding them, their ends, what they have of our signals, how they end with us. */
#include "other_programs.h"

/* ---- finding it ---- */

static void is_refused(char *const argv[], int error, const char *detail)
{
    plait_process *program = plait_program_new(argv, NULL);
    for (int i = 0; i < 3; i++) start_is_refused(program, error, detail);
    CHECK(plait_process_free(program) == 0);
    errno = 0;
    CHECK(!plait_start_program(argv, NULL) && errno == -error);
}

static int search(void *unused)
{
    be_program();
    char folder[] = "/tmp/plait-test-XXXXXX", long_name[5000];
    CHECK(mkdtemp(folder) && chdir(folder) == 0 && mkdir("one", 0755) == 0 && mkdir("two", 0755) == 0);
    write_file("one/tool", "#!/bin/sh\nexit 1\n", 0600);
    write_file("two/tool", "#!/bin/sh\nexit 2\n", 0755);
    write_file("here", "#!/bin/sh\nexit 3\n", 0755);
    write_file("one/text", "exit 4\n", 0755);
    write_file("one/denied", "#!/bin/sh\nexit 5\n", 0600);
    write_file("one/lost", "#!/nowhere/at/all\n", 0755);
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    CHECK(setenv("PATH", "/nowhere/at/all:one/tool:one:two::/bin", 1) == 0);
    end_with(start(ARGV("tool"), NULL), 2);
    end_with(start(ARGV("here"), NULL), 3);
    end_with(start(ARGV("true"), NULL), 0);
    end_with(start(ARGV("./two/tool"), NULL), 2);
    is_refused(ARGV("nothing-of-that-name"), -ENOENT, "nothing-of-that-name: No such file or directory");
    is_refused(ARGV("/nowhere/at/all"), -ENOENT, "/nowhere/at/all: No such file or directory");
    is_refused(ARGV("denied"), -EACCES, "denied: Permission denied");
    is_refused(ARGV("one/denied"), -EACCES, "one/denied: Permission denied");
    is_refused(ARGV("one"), -EACCES, "one: Permission denied");
    is_refused(ARGV("text"), -ENOEXEC, "text: Exec format error");
    is_refused(ARGV("./one/text"), -ENOEXEC, "./one/text: Exec format error");
    is_refused(ARGV("lost"), -ENOENT, "lost: No such file or directory");
    is_refused(ARGV(""), -ENOENT, ": No such file or directory");
    CHECK(!plait_start_program(ARGV(long_name), NULL) && (errno == ENAMETOOLONG || errno == ENOENT));
    CHECK(setenv("PATH", "", 1) == 0);
    end_with(start(ARGV("here"), NULL), 3);
    CHECK(unsetenv("PATH") == 0);
    end_with(start(ARGV("true"), NULL), 0);
    is_refused(ARGV("here"), -ENOENT, "here");
    CHECK(unlink("one/tool") == 0 && unlink("two/tool") == 0 && unlink("here") == 0 && unlink("one/text") == 0);
    CHECK(unlink("one/denied") == 0 && unlink("one/lost") == 0);
    return rmdir("one") + rmdir("two") + rmdir(folder);
}

static void it_is_found_as_execvp_does(void **state)
{
    host_run(search, NULL);
}

static int give_no_argv(void *unused)
{
    CHECK(!plait_program_new(NULL, NULL) && errno == EINVAL);
    CHECK(!plait_program_new((char *[]){ NULL }, NULL) && errno == EINVAL);
    CHECK_TEXT(plait_error_detail(), "argv is empty");
    char text[] = "exit 6", *argv[] = { "/bin/sh", "-c", text, NULL };
    plait_process *program = plait_program_new(argv, NULL);
    memset(text, 'x', sizeof text - 1);                    /* it was copied */
    argv[1] = NULL;
    CHECK(plait_process_start(program) == 0);
    end_with(program, 6);
    return 0;
}

static void argv_is_copied(void **state)
{
    host_run(give_no_argv, NULL);
}

/* ---- its end ---- */

static int end_in_every_way(void *unused)
{
    be_program();
    end_with(start(SHELL("exit 7"), NULL), 7);
    end_with(start(SHELL("kill -SEGV $$"), NULL), -SIGSEGV);
    end_with(start(SHELL("kill -KILL $$"), NULL), -SIGKILL);
    plait_process *program = start(ARGV("sleep", "1000"), NULL);
    CHECK(plait_process_join(program, plait_after(0.01)) == -ETIMEDOUT && plait_process_exitcode(program) == PLAIT_ERUNNING);
    CHECK(plait_process_terminate(program) == 0);
    end_with(program, -SIGTERM);
    program = start(ARGV("sleep", "1000"), NULL);
    CHECK(plait_process_kill(program) == 0);
    end_with(program, -SIGKILL);
    return 0;
}

static void exit_codes_and_signals(void **state)
{
    host_run(end_in_every_way, NULL);
}

/* ---- signals, at its begin ---- */

static void handle(int unused)
{
}

static int look_at_signals(void *unused)
{
    char text[64];
    plait_captured captured;
    signal(SIGUSR1, handle);
    signal(SIGUSR2, SIG_IGN);
    plait_process *program = start(SHELL("grep SigCgt /proc/$$/status"), &with_pipes);
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(sscanf(captured.output, "SigCgt: %60s", text) == 1 && (strtoull(text, NULL, 16) >> (SIGUSR1 - 1) & 1) == 0);
    plait_captured_free(&captured);
    end_with(program, 0);
    struct sigaction action;
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == handle);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    return 0;
}

static void no_handler_reaches_it(void **state)
{
    host_run(look_at_signals, NULL);
}

static unsigned long long signals_of(const char *status, const char *which)
{
    const char *line = strstr(status, which);
    CHECK(line);
    return strtoull(line + strlen(which), NULL, 16);
}

#define BIT(signal) (1ull << ((signal) - 1))

static int block_and_ignore(void *unused)
{
    plait_captured captured;
    sigset_t all, still;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    plait_process *program = start(ARGV("cat", "/proc/self/status"), &with_pipes);
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(signals_of(captured.output, "SigBlk:") == 0);
    const unsigned long long ignored = signals_of(captured.output, "SigIgn:");
    CHECK((ignored & BIT(SIGHUP)) && !(ignored & (BIT(SIGPIPE) | BIT(SIGXFSZ))));
    plait_captured_free(&captured);
    end_with(program, 0);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &still) == 0 && sigismember(&still, SIGTERM) && signal(SIGPIPE, SIG_IGN) == SIG_IGN);
    program = start(ARGV("sleep", "1000"), NULL);
    CHECK(plait_process_terminate(program) == 0);
    end_with(program, -SIGTERM);
    return 0;
}

static void nothing_is_blocked_and_pipes_break(void **state)
{
    host_run(block_and_ignore, NULL);
}

/* ---- from several threads, and one that is cancelled ---- */

static _Atomic int over;

static void *ask_again_and_again(void *program)
{
    while (!over) plait_process_is_alive(program);
    return NULL;
}

/* A member spins before it sleeps. */
static void *join_for_a_moment(void *program)
{
    CHECK(plait_free(plait_alloc(16)) == 0);
    for (int i = 0; i < 3000; i++) plait_process_join(program, plait_after(0.000001));
    return NULL;
}

static int ask_and_join(void *unused)
{
    be_program();
    plait_process *program = start(ARGV("sleep", "1000"), NULL);
    const pthread_t asking[] = { thread_start(ask_again_and_again, program), thread_start(ask_again_and_again, program) };
    const pthread_t joining[] = { thread_start(join_for_a_moment, program), thread_start(join_for_a_moment, program) };
    for (int i = 0; i < 2; i++) CHECK(pthread_join(joining[i], NULL) == 0);
    over = 1;
    for (int i = 0; i < 2; i++) CHECK(pthread_join(asking[i], NULL) == 0);
    CHECK(plait_process_kill(program) == 0);
    end_with(program, -SIGKILL);
    return 0;
}

static void threads_may_ask_while_others_join(void **state)
{
    host_run(ask_and_join, NULL);
}

static plait_process *_Atomic started;

static void *start_though_cancelled(void *method)
{
    const plait_process_options options = { .output = PLAIT_STREAM_NULL, .method = (int)(intptr_t)method };
    CHECK(pthread_cancel(pthread_self()) == 0);
    started = method ? plait_start(return_0, NULL, 0, &options) : plait_start_program(ARGV("true"), &options);
    pthread_testcancel();
    return NULL;
}

static int cancel_starts(void *unused)
{
    be_program();
    for (intptr_t method = 0; method <= PLAIT_FORKSERVER; method++) {
        void *result;
        const pthread_t thread = thread_start(start_though_cancelled, (void *)method);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        CHECK(started);
        end_with(started, 0);
    }
    return 0;
}

static void a_start_is_not_cancelled_halfway(void **state)
{
    host_run(cancel_starts, NULL);
}

/* ---- ending with us ---- */

static pid_t *noted;

static int start_one_and_be_killed(void *detached)
{
    plait_process *program = start(ARGV("sleep", "1000"), &(plait_process_options){ .detached = detached != NULL });
    *noted = plait_process_pid(program);
    raise(SIGKILL);
    return 0;
}

static void one_ends_with_its_parent_unless_it_is_detached(void **state)
{
    noted = test_shared(sizeof *noted);
    adopt_orphans();
    assert_int_equal(test_wait_exit(test_fork(start_one_and_be_killed, NULL)), -SIGKILL);
    orphans_must_end(noted, 1, seconds_now());
    assert_int_equal(test_wait_exit(test_fork(start_one_and_be_killed, noted)), -SIGKILL);
    assert_int_equal(kill(*noted, SIGTERM), 0);
    assert_int_equal(test_wait_exit(*noted), -SIGTERM);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_is_found_as_execvp_does),
    cmocka_unit_test(argv_is_copied),
    cmocka_unit_test(exit_codes_and_signals),
    cmocka_unit_test(no_handler_reaches_it),
    cmocka_unit_test(nothing_is_blocked_and_pipes_break),
    cmocka_unit_test(threads_may_ask_while_others_join),
    cmocka_unit_test(a_start_is_not_cancelled_halfway),
    cmocka_unit_test(one_ends_with_its_parent_unless_it_is_detached),
};
TEST_MAIN(tests)
