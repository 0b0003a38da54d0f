/* The descriptors of a new process besides its standard streams: what it has, what it has not, also of pipes to other children. */
#include "ways.h"

/* ---- its other descriptors ---- */

/* Which of those from 3 to 200 it has, but for what plait has open there: one byte each. */
static int tell_descriptors(void *list)
{
    struct stat status;
    for (int fd = 3; fd < 200; fd++) ((char *)list)[fd] = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 7;
    return 0;
}

static int choose_descriptors(void *unused)
{
    be_program();
    int fds[10];
    char *list = plait_alloc(200), *argv[] = { "ls", "/proc/self/fd", NULL };
    for (int i = 0; i < 10; i++) {
        const int file = file_with("7 bytes");
        fds[i] = fcntl(file, F_DUPFD, 50 + 3 * i);         /* without CLOEXEC */
        close(file);
        if (i % 2) CHECK(fcntl(fds[i], F_SETFD, FD_CLOEXEC) == 0);
    }
    const struct traces before = traces_now();
    end_with(plait_start(tell_descriptors, list, 0, &(plait_process_options){
        .method = PLAIT_SPAWN, .fds = fds + 6, .fd_count = 3 }), 0);
    for (int i = 0; i < 10; i++) CHECK(list[fds[i]] == (i >= 6 && i < 9));
    for (int i = 0, sum = 0; i < 200; i++) CHECK((sum += list[i]) <= 3);
    end_with(plait_start(tell_descriptors, list, 0, NULL), 0);
    for (int i = 0; i < 10; i++) CHECK(list[fds[i]] == 1);
    plait_captured captured;
    plait_process *program = plait_start_program(argv, &(plait_process_options){
        .output = PLAIT_STREAM_PIPE, .fds = fds + 6, .fd_count = 3 });
    CHECK(program && plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(strcmp(captured.output, "0\n1\n2\n3\n68\n71\n74\n") == 0);          /* 3 is the folder that it reads */
    plait_captured_free(&captured);
    end_with(program, 0);
    for (int i = 0; i < 10; i++) CHECK(fcntl(fds[i], F_GETFD) == (i % 2 ? FD_CLOEXEC : 0));
    traces_must_be(&before);
    return plait_free(list);
}

/* And, where there are no pidfds, the pipe whose end tells of its own. */
static void one_that_begins_anew_has_those_that_it_is_given(void **state)
{
    if (plait__without(PLAIT__WITHOUT_PIDFD)) skip();
    host_run(choose_descriptors, NULL);
}

/* ---- others that are started at the same moment ---- */

/* Another thread's child gets a copy of what this one has open in the midst of a start, and keeps it. */
static pid_t intruder;

static void fork_beside(void)
{
    if (intruder) return;
    intruder = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (intruder == 0) sleep_for_ever();
}

static int start_beside_another_fork(void *unused)
{
    be_program();
    CHECK(pthread_atfork(fork_beside, NULL, NULL) == 0);
    plait_process *process = plait_start(return_0, NULL, 0, &(plait_process_options){ .cwd = "/" });
    CHECK(kill(intruder, SIGKILL) == 0 && test_wait_exit(intruder) == -SIGKILL);
    end_with(process, 0);
    return 0;
}

static void a_start_does_not_wait_for_the_child_of_another_thread(void **state)
{
    host_run(start_beside_another_fork, NULL);
}

static _Atomic bool enough;

static void *fork_all_the_time(void *pids)
{
    int count = 0;
    while (!enough && count < 300) {
        const pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) sleep_for_ever();
        ((pid_t *)pids)[count++] = pid;
    }
    return (void *)(intptr_t)count;
}

static int start_programs_beside_forks(void *unused)
{
    be_program();
    static pid_t pids[300];
    char *argv[] = { "true", NULL };
    void *count;
    const pthread_t thread = thread_start(fork_all_the_time, pids);
    for (int i = 0; i < 100; i++) end_with(plait_start_program(argv, NULL), 0);
    for (int i = 0; i < 20; i++) end_with(plait_start(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN }), 0);
    enough = true;
    CHECK(pthread_join(thread, &count) == 0);
    for (int i = 0; i < (intptr_t)count; i++) CHECK(kill(pids[i], SIGKILL) == 0 && test_wait_exit(pids[i]) == -SIGKILL);
    return 0;
}

static void nor_do_those_that_begin_anew(void **state)
{
    host_run(start_programs_beside_forks, NULL);
}

/* ---- pipes to other children ---- */

static int read_from(void *fd)
{
    char letter;
    return read(*(int *)fd, &letter, 1) == 1 && letter == 'x' ? 5 : 1;
}

static int has_not(void *fd)
{
    return is_open(*(int *)fd) ? 1 : 5;
}

static int start_brothers(void *unused)
{
    const plait_process_options piped = { .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_NULL };
    be_program();
    for (int way = 0; way < WAYS; way++) {
        plait_process *copier = start_one(way, piped);
        const int in = plait_process_stream(copier, 0), out = plait_process_stream(copier, 1);
        plait_process *brother = plait_start(run_on, NULL, 0, NULL);
        CHECK(brother);
        end_with(plait_start(has_not, &in, sizeof in, NULL), 5);
        CHECK(write(in, "xyz", 3) == 3 && plait_process_close_stream(copier, 0) == 0);       /* that it ends, though he lives */
        end_with(plait_start(read_from, &out, sizeof out, &(plait_process_options){ .fds = &out, .fd_count = 1 }), 5);
        end_with(copier, 4);
        CHECK(plait_process_kill(brother) == 0);
        end_with(brother, -SIGKILL);
    }
    return 0;
}

static void a_brother_does_not_hold_them_open(void **state)
{
    host_run(start_brothers, NULL);
}

static int free_its_copy(void *process)
{
    return plait_process_free(process) == 0 && is_open(0) ? 5 : 1;
}

static int put_another_file_in_its_place(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    plait_process *copier = start_one(0, (plait_process_options){ .input = PLAIT_STREAM_PIPE });
    const int in = plait_process_stream(copier, 0), other = file_with("x");
    CHECK(dup2(other, in) == in && close(other) == 0 && lseek(in, 0, SEEK_SET) == 0);
    end_with(plait_start(read_from, &in, sizeof in, NULL), 5);
    end_with(plait_start(free_its_copy, copier, 0, NULL), 5);
    end_with(copier, 4);
    traces_must_be(&before);
    return 0;
}

static void another_file_at_such_a_number_is_left_alone(void **state)
{
    host_run(put_another_file_in_its_place, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_that_begins_anew_has_those_that_it_is_given),
    cmocka_unit_test(a_start_does_not_wait_for_the_child_of_another_thread),
    cmocka_unit_test(nor_do_those_that_begin_anew),
    cmocka_unit_test(a_brother_does_not_hold_them_open),
    cmocka_unit_test(another_file_at_such_a_number_is_left_alone),
};
TEST_MAIN(tests)
