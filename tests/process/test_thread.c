/* Threads as the same object: names, exit codes, who they are, what they may not have. */
#include "starts.h"

static plait_thread *start_thread(int (*function)(void *), const void *argument, size_t size, const plait_process_options *options)
{
    plait_thread *thread = plait_thread_new(function, argument, size, options);
    CHECK(thread && plait_thread_start(thread) == 0);
    return thread;
}

/* ---- one word changes ---- */

struct worker {
    int number;
    _Atomic int *sum;
};

static int add_number(void *argument)
{
    const struct worker *self = argument;
    char name[32];
    snprintf(name, sizeof name, "Worker-%d", self->number);
    CHECK(strcmp(plait_process_name(plait_current()), name) == 0);
    atomic_fetch_add(self->sum, self->number);
    return self->number;
}

static int run_workers(void *kind)
{
    be_program();
    const plait_process_options options = { .class_name = "Worker", .kind = *(int *)kind };
    _Atomic int *sum = plait_alloc(sizeof *sum);
    plait_process *workers[5];
    for (int i = 0; i < 5; i++) {
        const struct worker worker = { i + 1, sum };
        CHECK((workers[i] = plait_start(add_number, &worker, sizeof worker, &options)));
    }
    for (int i = 0; i < 5; i++) CHECK(plait_process_kind(workers[i]) == *(int *)kind);
    for (int i = 0; i < 5; i++) end_with(workers[i], i + 1);
    CHECK(*sum == 15 && plait_free(sum) == 0);
    return 0;
}

static void one_class_runs_as_process_or_thread(void **state)
{
    host_run(run_workers, &(int){ PLAIT_PROCESSES });
    host_run(run_workers, &(int){ PLAIT_THREADS });
}

/* ---- names ---- */

static int look_at_names(void *unused)
{
    plait_thread *thread = start_thread(return_0, NULL, 0, NULL);
    CHECK(strcmp(plait_thread_name(thread), "Thread-1") == 0 && plait_process_kind(thread) == PLAIT_THREADS);
    end_with(thread, 0);
    plait_process *process = plait_start(return_0, NULL, 0, NULL);
    CHECK(strcmp(plait_process_name(process), "Process-1") == 0);
    end_with(process, 0);
    thread = start_thread(return_0, NULL, 0, &(plait_process_options){ .class_name = "Worker" });
    CHECK(strcmp(plait_thread_name(thread), "Worker-2") == 0);
    end_with(thread, 0);
    thread = start_thread(return_0, NULL, 0, &(plait_process_options){ .name = "Ada" });
    CHECK(strcmp(plait_thread_name(thread), "Ada") == 0);
    end_with(thread, 0);
    return 0;
}

static void they_are_counted_apart_from_processes(void **state)
{
    host_run(look_at_names, NULL);
}

static int look_at_comm(void *unused)
{
    char name[16];
    CHECK(prctl(PR_GET_NAME, name) == 0);
    return strcmp(name, "fifteen letters");
}

static int look_at_comms(void *unused)
{
    char before[16], after[16];
    CHECK(prctl(PR_GET_NAME, before) == 0);
    end_with(start_thread(look_at_comm, NULL, 0, &(plait_process_options){ .name = "fifteen letters and more" }), 0);
    CHECK(prctl(PR_GET_NAME, after) == 0 && strcmp(before, after) == 0);
    return 0;
}

static void ps_shows_the_name(void **state)
{
    host_run(look_at_comms, NULL);
}

/* ---- who it is ---- */

static int ask_itself(void *unused)
{
    plait_thread *self = plait_current_thread();
    char text[256], expected[256];
    CHECK(self == plait_current() && self != plait_current_process());
    CHECK(plait_process_pid(self) == (pid_t)syscall(SYS_gettid) && plait_process_is_alive(self) == 1);
    CHECK(plait_process_exitcode(self) == PLAIT_ERUNNING && plait_process_start(self) == -EALREADY);
    CHECK(plait_process_join(self, PLAIT_FOREVER) == -EDEADLK && plait_process_join(self, PLAIT_NOW) == -EDEADLK);
    CHECK_TEXT(plait_error_detail(), "cannot join current thread");
    CHECK(plait_process_terminate(self) == -ENOTSUP && plait_process_kill(self) == -ENOTSUP);
    CHECK_TEXT(plait_error_detail(), "a thread can't be ended from outside");
    CHECK(plait_process_free(self) == PLAIT_ERUNNING && plait_process_set_daemon(self, 1) == -EALREADY);
    snprintf(expected, sizeof expected, "<Thread name='%s' pid=%d parent=%d started>", plait_process_name(self),
             plait_process_pid(self),
             (int)getpid());
    CHECK(plait_process_repr(self, text, sizeof text) > 0);
    CHECK_TEXT(text, expected);
    return 1;
}

/* A thread may run before its start has returned: then it is started for itself. */
static int ask_many_themselves(void *unused)
{
    for (int i = 0; i < 200; i++) end_with(start_thread(ask_itself, NULL, 0, NULL), 1);
    return 0;
}

static void a_thread_knows_itself(void **state)
{
    host_run(ask_many_themselves, NULL);
}

static void *be_dummy(void *number)
{
    plait_thread *self = plait_current_thread();
    char name[32];
    snprintf(name, sizeof name, "Dummy-%d", *(int *)number);
    CHECK(self && self == plait_current_thread() && strcmp(plait_thread_name(self), name) == 0);
    CHECK(plait_process_pid(self) == (pid_t)syscall(SYS_gettid) && plait_process_kind(self) == PLAIT_THREADS);
    CHECK(plait_current() == plait_current_process() && plait_thread_is_alive(self) == 1 && plait_process_daemon(self) == 0);
    CHECK(plait_thread_join(self, PLAIT_NOW) == -EDEADLK && plait_thread_free(self) == -EINVAL);
    CHECK(plait_process_kill(self) == -ENOTSUP && plait_process_terminate(self) == -ENOTSUP);
    CHECK(plait_process_stream(self, 0) == -EINVAL && plait_process_sentinel(self) == -EINVAL);
    CHECK(plait_process_set_name(self, "Ada") == 0 && strcmp(plait_thread_name(plait_current_thread()), "Ada") == 0);
    return NULL;
}

static int look_at_current_threads(void *unused)
{
    CHECK(strcmp(plait_thread_name(plait_current_thread()), "MainThread") == 0);
    CHECK(plait_process_pid(plait_current_thread()) == getpid());
    for (int i = 1; i <= 3; i++) thread_end(thread_start(be_dummy, &i));
    return 0;
}

static void others_are_MainThread_and_Dummy(void **state)
{
    host_run(look_at_current_threads, NULL);
}

static int be_main_thread(void *unused)
{
    CHECK(strcmp(plait_thread_name(plait_current_thread()), "MainThread") == 0);
    CHECK(plait_process_pid(plait_current_thread()) == getpid());
    CHECK(plait_current() == plait_current_process() && plait_current_process() != plait_current_thread());
    return 3;
}

static int fork_in_thread(void *unused)
{
    CHECK(strncmp(plait_thread_name(plait_current_thread()), "Thread-", 7) == 0);
    end_with(plait_start(be_main_thread, NULL, 0, NULL), 3);
    return 0;
}

static void *fork_in_dummy(void *unused)
{
    CHECK(strncmp(plait_thread_name(plait_current_thread()), "Dummy-", 6) == 0);
    end_with(plait_start(be_main_thread, NULL, 0, NULL), 3);
    return NULL;
}

static int fork_in_threads(void *unused)
{
    end_with(start_thread(fork_in_thread, NULL, 0, NULL), 0);
    thread_end(thread_start(fork_in_dummy, NULL));
    return 0;
}

static void in_a_child_the_thread_that_forked_is_MainThread(void **state)
{
    host_run(fork_in_threads, NULL);
}

/* ---- arguments and exit codes ---- */

static int return_it(void *argument)
{
    return *(int *)argument;
}

static int pointer_is_shared(void *argument)
{
    *(int *)argument = 5;
    return 0;
}

static int pass_arguments(void *unused)
{
    int number = 300;
    plait_thread *thread = plait_thread_new(return_it, &number, sizeof number, NULL);
    number = 1;
    CHECK(thread && plait_thread_start(thread) == 0);
    end_with(thread, 44);
    end_with(start_thread(return_it, &(int){ -1 }, sizeof(int), NULL), 255);
    end_with(start_thread(pointer_is_shared, &number, 0, NULL), 0);
    CHECK(number == 5);
    return 0;
}

static void arguments_and_exit_codes(void **state)
{
    host_run(pass_arguments, NULL);
}

/* ---- what only processes have ---- */

static void thread_is_refused(const plait_process_options *options)
{
    errno = 0;
    CHECK(!plait_thread_new(return_0, NULL, 0, options) && errno == EINVAL);
    CHECK_TEXT(plait_error_detail(), "a thread has only");
}

static int ask_for_too_much(void *unused)
{
    char *const environment[] = { NULL };
    const plait_limit limit = { RLIMIT_NOFILE, { 100, 100 } };
    thread_is_refused(&(plait_process_options){ .cwd = "/" });
    thread_is_refused(&(plait_process_options){ .environment = environment });
    thread_is_refused(&(plait_process_options){ .limits = &limit, .limit_count = 1 });
    thread_is_refused(&(plait_process_options){ .fds = &(int){ 0 }, .fd_count = 1 });
    thread_is_refused(&(plait_process_options){ .nice = 1 });
    thread_is_refused(&(plait_process_options){ .input = PLAIT_STREAM_NULL });
    thread_is_refused(&(plait_process_options){ .output = PLAIT_STREAM_PIPE });
    thread_is_refused(&(plait_process_options){ .errors = PLAIT_STREAM_OUTPUT });
    thread_is_refused(&(plait_process_options){ .detached = 1 });
    thread_is_refused(&(plait_process_options){ .method = PLAIT_FORK });
    CHECK(!plait_thread_new(NULL, NULL, 0, NULL) && errno == EINVAL);
    CHECK(!plait_process_new(return_0, NULL, 0, &(plait_process_options){ .kind = PLAIT_INLINE }) && errno == EINVAL);
    return 0;
}

static void options_of_processes_are_refused(void **state)
{
    host_run(ask_for_too_much, NULL);
}

/* ---- CPUs ---- */

static int first_cpu(void)
{
    cpu_set_t all;
    CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all)) return i;
    return -1;
}

static int runs_on(void *cpu)
{
    cpu_set_t mine;
    CHECK(sched_getaffinity(0, sizeof mine, &mine) == 0);
    return CPU_COUNT(&mine) == 1 && CPU_ISSET(*(int *)cpu, &mine) && sched_getcpu() == *(int *)cpu;
}

static int choose_cpus(void *unused)
{
    be_program();
    cpu_set_t before, after;
    const int cpu = first_cpu(), wrong = 60000;
    CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
    end_with(start_thread(runs_on, &cpu, sizeof cpu, &(plait_process_options){ .cpus = &cpu, .cpu_count = 1 }), 1);
    CHECK(sched_getaffinity(0, sizeof after, &after) == 0 && CPU_EQUAL(&before, &after));
    plait_thread *thread = plait_thread_new(return_0, NULL, 0, &(plait_process_options){ .cpus = &wrong, .cpu_count = 1 });
    for (int i = 0; i < 3; i++) start_is_refused(thread, -EINVAL, "the cpus: Invalid argument");
    CHECK(plait_thread_free(thread) == 0);
    return 0;
}

static void a_thread_may_have_cpus_of_its_own(void **state)
{
    host_run(choose_cpus, NULL);
}

/* ---- daemons ---- */

static int see_what_is_inherited(void *unused)
{
    plait_thread *thread = plait_thread_new(return_0, NULL, 0, NULL);
    plait_process *process = plait_process_new(return_0, NULL, 0, NULL);
    CHECK(plait_process_daemon(thread) == 1 && plait_process_daemon(process) == 0);
    CHECK(plait_process_set_daemon(thread, 0) == 0 && plait_process_daemon(thread) == 0);
    CHECK(plait_thread_free(thread) == 0 && plait_process_start(process) == 0);
    end_with(process, 0);
    return 2;
}

static int inherit_daemon(void *unused)
{
    plait_thread *thread = start_thread(see_what_is_inherited, NULL, 0, &(plait_process_options){ .daemon = 1 });
    end_with(thread, 2);
    thread = plait_thread_new(return_0, NULL, 0, NULL);
    CHECK(plait_process_daemon(thread) == 0 && plait_thread_free(thread) == 0);
    return 0;
}

static void threads_inherit_daemon(void **state)
{
    host_run(inherit_daemon, NULL);
}

/* ---- plait in threads ---- */

static int add_ones(void *argument)
{
    plait_queue **queues = argument;
    int number;
    while (plait_queue_get(queues[0], &number, sizeof number, PLAIT_FOREVER) == sizeof number) {
        number++;
        CHECK(plait_queue_put(queues[1], &number, sizeof number, PLAIT_FOREVER) == 0);
    }
    return 7;
}

static int use_queues(void *unused)
{
    be_program();
    const int members = plait_member_count();
    plait_queue *queues[2] = { plait_queue_new(NULL), plait_queue_new(NULL) };
    plait_thread *threads[2];
    for (int i = 0; i < 2; i++) threads[i] = start_thread(add_ones, queues, 0, NULL);
    for (int i = 0; i < 1000; i++) {
        int number = i;
        CHECK(plait_queue_put(queues[0], &number, sizeof number, PLAIT_FOREVER) == 0);
        CHECK(plait_queue_get(queues[1], &number, sizeof number, PLAIT_FOREVER) == sizeof number && number == i + 1);
    }
    CHECK(plait_queue_close(queues[0]) == 0);
    for (int i = 0; i < 2; i++) end_with(threads[i], 7);
    CHECK(plait_member_count() == members);
    CHECK(plait_queue_free(queues[0]) == 0 && plait_queue_free(queues[1]) == 0);
    return 0;
}

static void a_thread_uses_plaits_objects(void **state)
{
    host_run(use_queues, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_class_runs_as_process_or_thread),
    cmocka_unit_test(they_are_counted_apart_from_processes),
    cmocka_unit_test(ps_shows_the_name),
    cmocka_unit_test(a_thread_knows_itself),
    cmocka_unit_test(others_are_MainThread_and_Dummy),
    cmocka_unit_test(in_a_child_the_thread_that_forked_is_MainThread),
    cmocka_unit_test(arguments_and_exit_codes),
    cmocka_unit_test(options_of_processes_are_refused),
    cmocka_unit_test(a_thread_may_have_cpus_of_its_own),
    cmocka_unit_test(threads_inherit_daemon),
    cmocka_unit_test(a_thread_uses_plaits_objects),
};
TEST_MAIN(tests)
