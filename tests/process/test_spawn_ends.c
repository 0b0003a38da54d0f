/* Children that begin anew: which program they are, and that they end with their parents.  What they have to tell the tester, they
 * write into a pipe. */
#include "starts.h"

#include <limits.h>

#include "process/method.h"

/* ---- which program ---- */

static const char *beside(const char *name)
{
    static char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 100);
    CHECK(length > 0);
    path[length] = 0;
    strcpy(strrchr(path, '/') + 1, name);
    return path;
}

static int without_init(void *unused)
{
    plait_process *process = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
    CHECK(process && plait_arena_trim() == 0);
    start_is_refused(process, PLAIT_ENOINIT, "plait_init(&argc, &argv) has to be the first line of main");
    be_program();
    CHECK(plait_process_start(process) == 0);
    end_with(process, 0);
    return 0;
}

static void without_plait_init_it_is_ENOINIT(void **state)
{
    host_run(without_init, NULL);
}

static int run_program_without_init(void *unused)
{
    char *argv[] = { (char *)(uintptr_t)beside("without_init"), NULL };
    plait_captured captured;
    plait_process *program = plait_start_program(argv, &(plait_process_options){ .output = PLAIT_STREAM_PIPE });
    CHECK(program && plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(strncmp(captured.output, "main 1 \nPLAIT_ENOINIT: plait_init", 30) == 0);
    CHECK(!strstr(captured.output + 1, "main 3") && strcmp(captured.output + captured.output_size - 3, "\n7\n") == 0);
    plait_captured_free(&captured);
    end_with(program, 0);
    return 0;
}

static void and_the_program_is_not_begun_again(void **state)
{
    host_run(run_program_without_init, NULL);
}

static int run_programs_that_know_nothing(void *unused)
{
    const char *const programs[] = { "/bin/true", "/bin/false" };
    be_program();
    for (int i = 0; i < 2; i++) {
        char detail[100];
        CHECK(plait_set_executable(programs[i]) == 0);
        plait_process *process = plait_start(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
        CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
        for (int again = 0; again < 2; again++) CHECK(plait_process_exitcode(process) == PLAIT_ENOINIT);
        snprintf(detail, sizeof detail, "its program ended (exit code %d) without a call of plait_init", i);
        CHECK_TEXT(plait_error_detail(), detail);
        CHECK(plait_process_free(process) == 0);
    }
    CHECK(!plait_start(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_FORKSERVER }));
    return 0;
}

static void nor_does_another_program_that_does_not_know_of_it_end_well(void **state)
{
    host_run(run_programs_that_know_nothing, NULL);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    const int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    CHECK(in >= 0 && out >= 0);
    for (ssize_t got; (got = read(in, bytes, sizeof bytes)) > 0;) CHECK(write(out, bytes, (size_t)got) == got);
    CHECK(close(in) == 0 && close(out) == 0);
}

static int run_without_file(void *unused)
{
    char folder[] = "/tmp/plait-test-XXXXXX", *deleted[] = { "./program", NULL }, *replaced[] = { "./program", "./other", NULL };
    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    copy_file(beside("without_file"), "program");
    end_with(plait_start_program(deleted, NULL), 7);
    CHECK(access("program", F_OK) < 0);
    copy_file(beside("without_file"), "program");
    copy_file(beside("without_init"), "other");
    end_with(plait_start_program(replaced, NULL), 7);
    return unlink("program") + rmdir(folder);
}

static void its_file_may_have_been_deleted_or_replaced(void **state)
{
    host_run(run_without_file, NULL);
}

static int return_5(void *unused)
{
    return 5;
}

static int set_another_program(void *unused)
{
    const plait_process_options options = { .method = PLAIT_SPAWN };
    CHECK(plait_set_executable(beside("test_spawn")) == 0);
    int (*const of_the_C_library)(void *) = (int (*)(void *))(void (*)(void))abs;
    end_with(plait_start(of_the_C_library, (void *)9, 0, &options), TEST_IS_STATIC ? PLAIT_ENOFUNCTION : 9);
    plait_process *process = plait_start(return_5, NULL, 0, &options);
    CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == PLAIT_ENOFUNCTION);
    CHECK_TEXT(plait_error_detail(), "Process-2: the program: ");
    CHECK_TEXT(plait_error_detail(), " expected, ");
    CHECK(plait_process_free(process) == 0);
    CHECK(plait_set_executable("nowhere/at/all") == 0);
    CHECK(plait__executable()[0] == '/' && strstr(plait__executable(), "/nowhere/at/all"));    /* not as from a child's folder */
    CHECK(plait_set_executable("/nowhere/at/all") == 0);
    process = plait_process_new(return_5, NULL, 0, &options);
    start_is_refused(process, -ENOENT, "/nowhere/at/all: No such file or directory");
    CHECK(plait_set_executable(NULL) == 0);
    start_is_refused(process, PLAIT_ENOINIT, "plait_init");
    be_program();
    CHECK(plait_process_start(process) == 0);
    end_with(process, 5);
    return 0;
}

static void another_program_may_be_set(void **state)
{
    host_run(set_another_program, NULL);
}

static int give_wrong_marks(void *unused)
{
    static char *const wrong[] = { "", "x", "3", "999:1000", "0:7fff00000000", "2:6a0000010000", "-1:-1" };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *argv[] = { "/proc/self/exe", "--plait-child", wrong[i], NULL };
        end_with(plait_start_program(argv, NULL), 127);
    }
    return 0;
}

static void a_mark_that_means_nothing_ends_it(void **state)
{
    host_run(give_wrong_marks, NULL);
}

/* ---- without ... ---- */

static int close_the_arena(void *unused)
{
    be_program();
    plait_process *process = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
    const struct traces before = traces_now();
    for (int fd = 3; fd < 1000; fd++) close(fd);
    CHECK(plait_process_start(process) == PLAIT_ENOARENA);
    CHECK_TEXT(plait_error_detail(), "the descriptor of the shared memory was closed");
    CHECK(traces_now().blocks == before.blocks && has_no_child() && plait_process_free(process) == 0);
    return 0;
}

static void without_the_memorys_descriptor_it_is_ENOARENA(void **state)
{
    host_run(close_the_arena, NULL);
}

/* ---- ending with the parent ---- */

struct told {
    pid_t pid;
};

struct orphan {
    int pipe;
    int grandchild;
};

static int tell_and_run_on(void *argument)
{
    const struct orphan *orphan = argument;
    const struct told told = { getpid() };
    signal(SIGTERM, SIG_IGN);
    if (orphan->grandchild) {
        const struct orphan next = { orphan->pipe, 0 };
        CHECK(plait_start(tell_and_run_on, &next, sizeof next,
                          &(plait_process_options){ .method = PLAIT_SPAWN, .fds = &orphan->pipe, .fd_count = 1 }));
    }
    CHECK(write(orphan->pipe, &told, sizeof told) == sizeof told);
    sleep_for_ever();
}

static struct {
    int ends[2];
    bool in_thread, thread_ends, grandchild, detached;
} scene;

static void *start_one(void *unused)
{
    const struct orphan orphan = { scene.ends[1], scene.grandchild };
    plait_process *process = plait_start(tell_and_run_on, &orphan, sizeof orphan, &(plait_process_options){
        .method = PLAIT_SPAWN, .fds = &scene.ends[1], .fd_count = 1, .detached = scene.detached });
    CHECK(process);
    if (scene.in_thread && !scene.thread_ends) sleep_for_ever();
    return NULL;
}

static int start_and_stay(void *unused)
{
    be_program();
    if (scene.in_thread) {
        const pthread_t thread = thread_start(start_one, NULL);
        if (scene.thread_ends) thread_end(thread);
    } else {
        start_one(NULL);
    }
    sleep_for_ever();
}

static void kill_host(int count)
{
    pid_t pids[4];
    assert_int_equal(pipe2(scene.ends, O_CLOEXEC), 0);
    adopt_orphans();
    const pid_t host = test_fork(start_and_stay, NULL);
    for (int i = 0; i < count; i++) {
        struct told told;
        assert_int_equal(read(scene.ends[0], &told, sizeof told), sizeof told);
        pids[i] = told.pid;
    }
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(test_wait_exit(host), -SIGKILL);
    if (scene.detached) {
        assert_int_equal(kill(pids[0], 0), 0);
        assert_int_equal(kill(pids[0], SIGKILL), 0);
        assert_int_equal(test_wait_exit(pids[0]), -SIGKILL);
    } else {
        orphans_must_end(pids, count, seconds_now());
    }
    close(scene.ends[0]);
    close(scene.ends[1]);
}

static void it_ends_when_its_parent_is_killed(void **state)
{
    kill_host(1);
}

static void one_of_another_thread_too(void **state)
{
    scene.in_thread = true;
    kill_host(1);
}

static void one_of_a_thread_that_has_ended_too(void **state)
{
    scene.in_thread = scene.thread_ends = true;
    kill_host(1);
}

static void its_children_too(void **state)
{
    scene.grandchild = true;
    kill_host(2);
    scene.in_thread = true;
    kill_host(2);
}

static void a_detached_one_does_not(void **state)
{
    scene.detached = true;
    kill_host(1);
    scene.in_thread = true;
    kill_host(1);
}

static void *start_many(void *unused)
{
    for (;;) CHECK(plait_start(run_on, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN }));
}

static int start_all_the_time(void *in_thread)
{
    be_program();
    if (in_thread) thread_start(start_many, NULL);
    else start_many(NULL);
    sleep_for_ever();
}

static void nobody_is_left_whenever_it_is_killed(void **state)
{
    uint64_t random = test_seed();
    adopt_orphans();
    for (int i = 0; i < 40; i++) {
        const pid_t host = test_fork(start_all_the_time, i % 2 ? &scene : NULL);
        nanosleep(&(struct timespec){ .tv_nsec = (long)(test_random(&random) % 10000000) }, NULL);
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(test_wait_exit(host), -SIGKILL);
        while (waitpid(-1, NULL, 0) > 0) {}                /* all that were left end by themselves */
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_plait_init_it_is_ENOINIT),
    cmocka_unit_test(and_the_program_is_not_begun_again),
    cmocka_unit_test(nor_does_another_program_that_does_not_know_of_it_end_well),
    cmocka_unit_test(its_file_may_have_been_deleted_or_replaced),
    cmocka_unit_test(another_program_may_be_set),
    cmocka_unit_test(a_mark_that_means_nothing_ends_it),
    cmocka_unit_test(without_the_memorys_descriptor_it_is_ENOARENA),
    cmocka_unit_test(it_ends_when_its_parent_is_killed),
    cmocka_unit_test(one_of_another_thread_too),
    cmocka_unit_test(one_of_a_thread_that_has_ended_too),
    cmocka_unit_test(its_children_too),
    cmocka_unit_test(a_detached_one_does_not),
    cmocka_unit_test(nobody_is_left_whenever_it_is_killed),
};
TEST_MAIN(tests)
