/* contract_process.h - the rows of test_contract for processes, threads and programs. */
#ifndef PLAIT_TEST_CONTRACT_PROCESS_H
#define PLAIT_TEST_CONTRACT_PROCESS_H

#include "others.h"

#include <signal.h>
#include <string.h>

#include <plait.h>

static struct {
    plait_process *runs, *ended;
    struct running {
        _Atomic int ready, go;
    } *running;
} processes;

static int wait_for_go(void *argument)
{
    struct running *running = argument;
    signal(SIGTERM, SIG_DFL);                              /* the host's handler would only count it */
    atomic_store(&running->ready, 1);
    test_until_set(&running->go);
    return 7;
}

static int return_7(void *unused)
{
    return 7;
}

static plait_process *new_process(struct running *running)
{
    *running = (struct running){ 0 };
    plait_process *process = plait_start(wait_for_go, running, 0, NULL);
    CHECK(process);
    test_until_set(&running->ready);
    return process;
}

static void end_process(plait_process *process)
{
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == 7);
    CHECK(plait_process_free(process) == 0);
}

static void make_processes(void)
{
    CHECK((processes.running = plait_alloc(sizeof *processes.running)));
    CHECK((processes.ended = plait_start(return_7, NULL, 0, NULL)));
    CHECK(plait_process_join(processes.ended, PLAIT_FOREVER) == 0);
    processes.runs = new_process(processes.running);
}

static void free_processes(void)
{
    atomic_store(&processes.running->go, 1);
    end_process(processes.runs);
    end_process(processes.ended);
    CHECK(plait_free(processes.running) == 0);
}

static void signal_one(int (*send)(plait_process *process), int signal)
{
    struct running *running = plait_alloc(sizeof *running);
    plait_process *process = new_process(running);
    CHECK(send(process) == 0 && plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == -signal);
    CHECK(plait_process_free(process) == 0 && plait_free(running) == 0);
}

static void start_in_every_way(void)
{
    const plait_process_options options[] = {
        { .kind = PLAIT_THREADS }, { .cwd = "/", .nice = 1, .output = PLAIT_STREAM_NULL }, { .daemon = 1 },
        { .method = PLAIT_SPAWN, .nice = 1 },
    };
    CHECK(plait_init(NULL, NULL) == 0);
    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        plait_process *process = plait_process_new(return_7, NULL, 0, &options[i]);
        CHECK(process && plait_process_start(process) == 0);
        end_process(process);
    }
}

static void start_forkserver(void)
{
    const int inited = plait_init(NULL, NULL), started = plait_forkserver_start(&(plait_forkserver_options){ .stock = 2 });
    CHECK(inited == 0 && started == 0 && plait_forkserver_pid() > 0);
    plait_process *process = plait_start(return_7, NULL, 0, &(plait_process_options){ .method = PLAIT_FORKSERVER });
    CHECK(process);
    end_process(process);
    CHECK(plait_forkserver_stop() == 0);
}

static void set_name_and_daemon(void)
{
    plait_process *process = plait_process_new(return_7, NULL, 0, NULL);
    CHECK(plait_process_set_name(process, "Ada") == 0 && plait_process_set_daemon(process, 1) == 0);
    CHECK(plait_process_free(process) == 0);
}

static plait_process *start_program(void)
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "cat; exit 7" }, NULL };
    plait_process *program = plait_start_program(argv, &(plait_process_options){
        .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_OUTPUT });
    CHECK(program);
    return program;
}

static void run_program(void)
{
    plait_process *program = start_program();
    CHECK(plait_process_stream(program, 1) > STDERR_FILENO && plait_process_close_stream(program, 0) == 0);
    end_process(program);
}

static void talk_with_program(void)
{
    plait_captured captured;
    plait_process *program = start_program();
    CHECK(plait_process_communicate(program, "hello", 5, &captured, PLAIT_FOREVER) == 0);
    CHECK(strcmp(captured.output, "hello") == 0);
    plait_captured_free(&captured);
    end_process(program);
}

static void do_nothing(void *unused)
{
}

#define PROCESS_FUNCTIONS(X)                                                                          \
    X(plait_start, ANY_TIME, end_process(plait_start(return_7, NULL, 0, NULL)))                       \
    X(plait_process_new, ANY_TIME, CHECK(plait_process_free(plait_process_new(return_7, "x", 2, NULL)) == 0)) \
    X(plait_process_start, ANY_TIME, start_in_every_way())                                            \
    X(plait_process_set_name, ANY_TIME, set_name_and_daemon())                                        \
    X(plait_process_set_daemon, ANY_TIME, set_name_and_daemon())                                      \
    X(plait_process_daemon, ANY_TIME, CHECK(plait_process_daemon(plait_current_process()) == 0))      \
    X(plait_process_kind, 0, CHECK(plait_process_kind(processes.runs) == PLAIT_PROCESSES))            \
    X(plait_process_repr, 0, CHECK(plait_process_repr(processes.runs, NULL, 0) > 10))                 \
    X(plait_current_process, ANY_TIME, CHECK(plait_current_process()))                                \
    X(plait_current, ANY_TIME, CHECK(plait_current() == plait_current_process()))                     \
    X(plait_parent_process, ANY_TIME, CHECK(!plait_parent_process()))                                 \
    X(plait_active_children, 0, CHECK(plait_active_children(NULL, 0) > 0))                            \
    X(plait_at_exit, ANY_TIME, CHECK(plait_at_exit(do_nothing, NULL, 0) == 0))                        \
    X(plait_thread_new, ANY_TIME, CHECK(plait_thread_free(plait_thread_new(return_7, "x", 2, NULL)) == 0)) \
    X(plait_current_thread, ANY_TIME, CHECK(plait_current_thread()))                                  \
    X(plait_set_start_method, ANY_TIME, CHECK(plait_set_start_method(PLAIT_FORK, 1) == 0))            \
    X(plait_get_start_method, ANY_TIME, CHECK(plait_get_start_method() == PLAIT_FORK))                \
    X(plait_get_all_start_methods, ANY_TIME, CHECK(plait_get_all_start_methods()[0] == PLAIT_FORK))   \
    X(plait_start_method_name, ANY_TIME, CHECK(*plait_start_method_name(PLAIT_SPAWN)))                \
    X(plait_forkserver_start, ANY_TIME, start_forkserver())                                           \
    X(plait_forkserver_stop, ANY_TIME, CHECK(plait_forkserver_stop() == 0))                           \
    X(plait_forkserver_pid, ANY_TIME, CHECK(plait_forkserver_pid() == 0))                             \
    X(plait_set_executable, ANY_TIME, CHECK(plait_set_executable("/proc/self/exe") == 0 && plait_set_executable(NULL) == 0)) \
    X(plait_program_new, ANY_TIME, CHECK(plait_process_free(plait_program_new((char *[]){ (char[]){ "x" }, NULL }, NULL)) == 0)) \
    X(plait_start_program, ANY_TIME, run_program())                                                   \
    X(plait_process_stream, ANY_TIME, run_program())                                                  \
    X(plait_process_close_stream, ANY_TIME, run_program())                                            \
    X(plait_process_communicate, ANY_TIME, talk_with_program())                                       \
    X(plait_captured_free, ANY_TIME, plait_captured_free(NULL); talk_with_program())                  \
    X(plait_process_join, 0, CHECK(plait_process_join(processes.runs, plait_after(0.02)) == -ETIMEDOUT); \
                             CHECK(plait_process_join(processes.ended, PLAIT_FOREVER) == 0))          \
    X(plait_process_exitcode, 0, CHECK(plait_process_exitcode(processes.runs) == PLAIT_ERUNNING);     \
                                 CHECK(plait_process_exitcode(processes.ended) == 7))                 \
    X(plait_process_is_alive, 0, CHECK(plait_process_is_alive(processes.runs) && !plait_process_is_alive(processes.ended))) \
    X(plait_process_pid, 0, CHECK(plait_process_pid(processes.runs) > 0))                             \
    X(plait_process_name, 0, CHECK(*plait_process_name(processes.runs)))                              \
    X(plait_process_sentinel, 0, CHECK(plait_process_sentinel(processes.runs) > STDERR_FILENO))       \
    X(plait_process_terminate, ANY_TIME, signal_one(plait_process_terminate, SIGTERM))                \
    X(plait_process_kill, ANY_TIME, signal_one(plait_process_kill, SIGKILL))                          \
    X(plait_process_free, 0, CHECK(plait_process_free(processes.runs) == PLAIT_ERUNNING && plait_process_free(NULL) == 0))

#endif
