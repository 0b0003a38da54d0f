/* How processes may end, and what their exit codes are: by every start method. */
#include "starts.h"

static int return_300(void *unused) { return 300; }
static int return_minus_1(void *unused) { return -1; }
static int exit_with_5(void *unused) { exit(5); }
static int _exit_with_7(void *unused) { _exit(7); }
static int quick_exit_with_8(void *unused) { quick_exit(8); }

/* A sanitizer would make a report of it. */
static int end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
    return 99;
}

static int end_by_SIGTERM(void *unused) { return end_by(SIGTERM); }
static int end_by_SIGKILL(void *unused) { return end_by(SIGKILL); }
static int end_by_SIGSEGV(void *unused) { return end_by(SIGSEGV); }
static int end_by_SIGUSR1(void *unused) { return end_by(SIGUSR1); }
static int end_by_a_real_time_signal(void *unused) { return end_by(SIGRTMAX); }

static int end_by_abort(void *unused)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

static const struct {
    int (*function)(void *);
    int exitcode;
} ends[] = {
    { return_0, 0 }, { return_300, 44 }, { return_minus_1, 255 }, { exit_with_5, 5 }, { _exit_with_7, 7 }, { quick_exit_with_8, 8 },
    { end_by_SIGTERM, -SIGTERM }, { end_by_SIGKILL, -SIGKILL }, { end_by_SIGSEGV, -SIGSEGV }, { end_by_SIGUSR1, -SIGUSR1 },
    { end_by_abort, -SIGABRT },
};
enum { ENDS = sizeof ends / sizeof ends[0] };

static int end_in_every_way(void *method)
{
    be_program();
    for (int i = 0; i < ENDS; i++)
        end_with(plait_start(ends[i].function, NULL, 0, &(plait_process_options){ .method = *(int *)method }), ends[i].exitcode);
    end_with(plait_start(end_by_a_real_time_signal, NULL, 0, &(plait_process_options){ .method = *(int *)method }), -SIGRTMAX);
    return 0;
}

static void of_a_fork(void **state) { host_run(end_in_every_way, &(int){ PLAIT_FORK }); }
static void of_a_spawned_child(void **state) { host_run(end_in_every_way, &(int){ PLAIT_SPAWN }); }

/* ---- when the host takes the status ---- */

static void reap_all(int unused)
{
    const int error = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    errno = error;
}

static int take_the_statuses(void *method)
{
    be_program();
    signal(SIGCHLD, reap_all);
    const plait_process_options options = { .method = *(int *)method };
    end_with(plait_start(return_300, NULL, 0, &options), 44);
    plait_process *killed = plait_start(end_by_SIGKILL, NULL, 0, &options);
    CHECK(killed && plait_process_join(killed, PLAIT_FOREVER) == 0);
    const int code = plait_process_exitcode(killed);
    CHECK(code == PLAIT_EREAPED || code == -SIGKILL);
    CHECK(plait_process_free(killed) == 0);
    return 0;
}

static void the_code_is_known_though_the_host_takes_the_status(void **state)
{
    host_run(take_the_statuses, &(int){ PLAIT_FORK });
    host_run(take_the_statuses, &(int){ PLAIT_SPAWN });
}

/* ---- terminate, kill ---- */

static int end_it_from_outside(void *method)
{
    be_program();
    const plait_process_options options = { .method = *(int *)method };
    for (int i = 0; i < 2; i++) {
        plait_process *process = plait_start(run_on, NULL, 0, &options);
        CHECK(process && (i ? plait_process_kill : plait_process_terminate)(process) == 0);
        CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
        CHECK(plait_process_kill(process) == 0 && plait_process_terminate(process) == 0);
        end_with(process, i ? -SIGKILL : -SIGTERM);
    }
    return 0;
}

static void terminate_and_kill(void **state)
{
    host_run(end_it_from_outside, &(int){ PLAIT_FORK });
    host_run(end_it_from_outside, &(int){ PLAIT_SPAWN });
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(of_a_fork),
    cmocka_unit_test(of_a_spawned_child),
    cmocka_unit_test(the_code_is_known_though_the_host_takes_the_status),
    cmocka_unit_test(terminate_and_kill),
};
TEST_MAIN(tests)
