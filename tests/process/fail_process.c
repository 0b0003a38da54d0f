/* Whatever starting and joining ask the system for may be refused, in the parent and in the child. */
#include "fail.h"
#include "host.h"
#include "others.h"

#include <malloc.h>

#include <plait.h>

#include "base/fault.h"

static plait_process *process;

static int return_7(void *argument)
{
    return argument && strcmp(argument, "argument") == 0 ? 7 : 99;
}

static int start_it(const plait_process_options *options)
{
    process = plait_start(return_7, "argument", sizeof "argument", options);
    return process ? 0 : -errno;
}

static void end_with(int exitcode)
{
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == exitcode);
    CHECK(plait_process_free(process) == 0);
}

static void end_it(void)
{
    end_with(7);
}

/* --- starting ----------------------------------------------------------------------------------------------------------- */

static void be_a_member(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
}

static int call_start(void) { return start_it(NULL); }
static int call_start_daemon(void) { return start_it(&(plait_process_options){ .daemon = 1 }); }

static const struct fail_operation first_start = { .run = call_start, .finish = end_it };
static const struct fail_operation start = { .set_up = be_a_member, .run = call_start, .finish = end_it };
static const struct fail_operation start_of_a_daemon = { .set_up = be_a_member, .run = call_start_daemon, .finish = end_it };

static void be_a_member_without_stdin(void)
{
    be_a_member();
    close(STDIN_FILENO);
}

static const struct fail_operation start_without_stdin = {
    .set_up = be_a_member_without_stdin, .run = call_start, .finish = end_it,
};

static void be_a_member_without_pidfds(void)
{
    be_a_member();
    plait__set_without(plait__without_mask() | PLAIT__WITHOUT_PIDFD);
}

static void lack_pidfds_and_stdin(void)
{
    be_a_member_without_pidfds();
    close(STDIN_FILENO);
}

static const struct fail_operation start_without_pidfds = {
    .set_up = be_a_member_without_pidfds, .run = call_start, .finish = end_it,
};
static const struct fail_operation start_without_pidfds_and_stdin = {
    .set_up = lack_pidfds_and_stdin, .run = call_start, .finish = end_it,
};

/* The host takes its children's statuses at the end of fork(): then there is no process to open. */
static void reap_all(void)
{
    while (waitpid(-1, NULL, 0) > 0) {}
}

static void reap_at_once(void)
{
    be_a_member();
    CHECK(pthread_atfork(NULL, reap_all, NULL) == 0);
}

static const struct fail_operation start_of_one_that_is_reaped_at_once = {
    .set_up = reap_at_once, .run = call_start, .finish = end_it,
};

/* --- with settings, anew, programs, threads ------------------------------------------------------------------------------- */

static plait_process_options with_settings(int method)
{
    static const plait_limit limits[] = { { RLIMIT_CORE, { 0, 0 } } };
    static int cpu;
    cpu_set_t cpus;
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    for (cpu = 0; !CPU_ISSET(cpu, &cpus);) cpu++;
    return (plait_process_options){
        .method = method, .cwd = "/", .limits = limits, .limit_count = 1, .cpus = &cpu, .cpu_count = 1, .nice = 1,
        .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_OUTPUT,
    };
}

static plait_process_options options_of_fork, options_of_spawn;

static void make_settings(void)
{
    be_a_member();
    options_of_fork = with_settings(PLAIT_FORK);
    options_of_spawn = with_settings(PLAIT_SPAWN);
}

static int call_start_with_settings(void) { return start_it(&options_of_fork); }
static int call_spawn_with_settings(void) { return start_it(&options_of_spawn); }
static int call_spawn(void) { return start_it(&(plait_process_options){ .method = PLAIT_SPAWN }); }
static int call_start_thread(void) { return start_it(&(plait_process_options){ .kind = PLAIT_THREADS }); }

static int call_start_program_with(const plait_process_options *options)
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 7" }, NULL };
    process = plait_start_program(argv, options);
    return process ? 0 : -errno;
}

static int call_start_program(void) { return call_start_program_with(NULL); }
static int call_start_program_with_settings(void) { return call_start_program_with(&options_of_fork); }

static int call_start_thread_on_a_cpu(void)
{
    return start_it(&(plait_process_options){ .kind = PLAIT_THREADS, .cpus = options_of_fork.cpus, .cpu_count = 1 });
}

/* Starts a thread before, so that the C library has the stack of one. */
static void be_threaded(void)
{
    make_settings();
    CHECK(call_start_thread() == 0);
    end_it();
}

static const struct fail_operation start_with_settings = {
    .set_up = make_settings, .run = call_start_with_settings, .finish = end_it,
};
static const struct fail_operation spawn = { .set_up = be_a_member, .run = call_spawn, .finish = end_it };
static const struct fail_operation spawn_with_settings = {
    .set_up = make_settings, .run = call_spawn_with_settings, .finish = end_it,
};
static const struct fail_operation program = { .set_up = be_a_member, .run = call_start_program, .finish = end_it };
static const struct fail_operation program_with_settings = {
    .set_up = make_settings, .run = call_start_program_with_settings, .finish = end_it,
};
static const struct fail_operation thread = { .set_up = be_threaded, .run = call_start_thread, .finish = end_it };
static const struct fail_operation thread_on_a_cpu = { .set_up = be_threaded, .run = call_start_thread_on_a_cpu, .finish = end_it };

/* What the child can't do before it is what was asked for, the start reports. */
static const struct fail_operation settings_in_a_fork = {
    .set_up = make_settings, .run = call_start_with_settings, .finish = end_it, .in_children = true,
};
static const struct fail_operation settings_of_a_spawned_child = {
    .set_up = make_settings, .run = call_spawn_with_settings, .finish = end_it, .in_children = true,
};
static const struct fail_operation settings_of_a_program = {
    .set_up = make_settings, .run = call_start_program_with_settings, .finish = end_it, .in_children = true,
};

/* --- talking ------------------------------------------------------------------------------------------------------------ */

static void start_cat(void)
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "cat; exit 7" }, NULL };
    const plait_process_options options = { .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE };
    CHECK((process = plait_start_program(argv, &options)));
}

static int call_communicate(void)
{
    static char much[300000];
    plait_captured captured;
    const int error = plait_process_communicate(process, much, sizeof much, &captured, PLAIT_FOREVER);
    if (!error) CHECK(captured.output_size <= sizeof much);            /* a child that does not take all is no error */
    plait_captured_free(&captured);
    return error;
}

static int call_sentinel(void) { return plait_process_sentinel(process); }
static void start_thread_for_sentinel(void) { CHECK(call_start_thread() == 0); }

/* Texts are mapped as they grow, but for this, which looks for mappings. */
static void map_no_texts(void)
{
    be_a_member();
#ifdef M_MMAP_MAX
    CHECK(mallopt(M_MMAP_MAX, 0) == 1);
#endif
}

/* What it has read is kept for the next call. */
static int call_forkserver_start(void)
{
    return plait_forkserver_start(&(plait_forkserver_options){ .stock = 2 });
}

static void have_forkserver(void) { CHECK(call_forkserver_start() == 0); }
static void stop_forkserver(void) { CHECK(plait_forkserver_stop() == 0); }
static int call_served(void)
{
    return start_it(&(plait_process_options){ .method = PLAIT_FORKSERVER, .output = PLAIT_STREAM_INHERIT });
}

/* A server that has not seen the end of its child yet ends when it has. */
static void end_served(void)
{
    int server = plait_forkserver_pid();
    end_it();
    do stop_forkserver();
    while (server && kill(server, 0) == 0 && usleep(1000) == 0);
}

static const struct fail_operation forkserver = { .set_up = be_a_member, .run = call_forkserver_start, .finish = stop_forkserver };
static const struct fail_operation served = {
    .set_up = be_a_member, .prepare = have_forkserver, .run = call_served, .finish = end_served,
    .late = 1,                                             /* the server frees it, when it has seen the end of the child */
};

static const struct fail_operation communicate = {
    .set_up = map_no_texts, .prepare = start_cat, .run = call_communicate, .finish = end_it, .late = 3,
};
static const struct fail_operation sentinel_of_a_thread = {
    .set_up = be_threaded, .prepare = start_thread_for_sentinel, .run = call_sentinel, .finish = end_it,
};

/* --- looking, joining, ending ------------------------------------------------------------------------------------------- */

static int end_when_the_parent_sleeps(void *unused)
{
    const pid_t parent = getppid();
    for (int looks = 0; looks < 100 && !test_thread_sleeps(parent); looks++)
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    return 7;
}

static int sleep_on(void *unused)
{
    sleep_for_ever();
}

static void start_ending(void)
{
    CHECK((process = plait_start(end_when_the_parent_sleeps, NULL, 0, NULL)));
}

static void start_ending_without_pidfds(void)
{
    be_a_member_without_pidfds();
    start_ending();
}

static void start_sleeping(void)
{
    CHECK((process = plait_start(sleep_on, NULL, 0, NULL)));
}

static int call_join(void) { return plait_process_join(process, PLAIT_FOREVER); }
static int call_kill(void) { return plait_process_kill(process); }
static int call_terminate(void) { return plait_process_terminate(process); }

static void was_killed(void) { end_with(-SIGKILL); }
static void was_terminated(void) { end_with(-SIGTERM); }

static const struct fail_operation join = { .prepare = start_ending, .run = call_join, .finish = end_it };
static const struct fail_operation join_without_pidfds = {
    .prepare = start_ending_without_pidfds, .run = call_join, .finish = end_it,
};
static const struct fail_operation process_kill = { .prepare = start_sleeping, .run = call_kill, .finish = was_killed };
static const struct fail_operation process_terminate = {
    .prepare = start_sleeping, .run = call_terminate, .finish = was_terminated,
};

/* --- in the child ------------------------------------------------------------------------------------------------------- */

/* A refused call says why, and works when it is tried again; if all later ones are refused too, the child does without. */
static int use_plait(void *unused)
{
    void *block = plait_alloc(100);
    if (!block) CHECK(errno == ENOMEM && *plait_error_detail());
    if (block) CHECK(plait_free(block) == 0);
    return 7;
}

static int start_user(int daemon)
{
    process = plait_start(use_plait, NULL, 0, &(plait_process_options){ .daemon = daemon });
    CHECK(process);
    return plait_process_join(process, PLAIT_FOREVER);
}

static int run_child(void) { return start_user(0); }
static int run_daemon(void) { return start_user(1); }

static const struct fail_operation child = { .set_up = be_a_member, .run = run_child, .finish = end_it, .in_children = true };
static const struct fail_operation daemon_child = {
    .set_up = be_a_member, .run = run_daemon, .finish = end_it, .in_children = true,
};

/* One that another thread started watches its parent from a thread of its own, by a pidfd: as well as it can. */
static pthread_barrier_t barrier;

static void *run_daemons(void *unused)
{
    for (;;) {
        pthread_barrier_wait(&barrier);
        CHECK(run_daemon() == 0);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void start_thread(void)
{
    be_a_member();
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    thread_start(run_daemons, NULL);
    pthread_barrier_wait(&barrier);                        /* one run without failures: the thread has all that it keeps */
    pthread_barrier_wait(&barrier);
    end_it();
}

static int run_daemon_in_thread(void)
{
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return 0;
}

static const struct fail_operation daemon_child_of_a_thread = {
    .set_up = start_thread, .run = run_daemon_in_thread, .finish = end_it, .in_children = true,
};

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(first_start),
    FAIL_TESTS(start),
    FAIL_TESTS(start_of_a_daemon),
    FAIL_TESTS(start_without_stdin),
    FAIL_TESTS(start_without_pidfds),
    FAIL_TESTS(start_without_pidfds_and_stdin),
    FAIL_TESTS(start_of_one_that_is_reaped_at_once),
    FAIL_TESTS(start_with_settings),
    FAIL_TESTS(spawn),
    FAIL_TESTS(spawn_with_settings),
    FAIL_TESTS(program),
    FAIL_TESTS(program_with_settings),
    FAIL_TESTS(thread),
    FAIL_TESTS(thread_on_a_cpu),
    FAIL_TESTS(settings_in_a_fork),
    FAIL_TESTS(settings_of_a_spawned_child),
    FAIL_TESTS(settings_of_a_program),
    FAIL_TESTS(forkserver),
    FAIL_TESTS(served),
    FAIL_TESTS(communicate),
    FAIL_TESTS(sentinel_of_a_thread),
    FAIL_TESTS(join),
    FAIL_TESTS(join_without_pidfds),
    FAIL_TESTS(process_kill),
    FAIL_TESTS(process_terminate),
    FAIL_TESTS(child),
    FAIL_TESTS(daemon_child),
    FAIL_TESTS(daemon_child_of_a_thread),
};
TEST_MAIN(tests)
