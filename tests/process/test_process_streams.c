/* The standard streams of a new process, and its descriptors: for every start method, what it has, what it has not, what is
 * refused. */
#include "starts.h"

#include <poll.h>
#include <sys/mman.h>

static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN };
enum { PROGRAM = 2, WAYS = 3 };

/* A copy of its standard input on standard output, and the number of bytes on standard error. */
static int copy_and_count(void *unused)
{
    char bytes[1000];
    size_t size = fread(bytes, 1, sizeof bytes, stdin);
    fwrite(bytes, 1, size, stdout);
    fprintf(stderr, "%zu", size);
    return 4;
}

static plait_process *new_one(int way, plait_process_options options)
{
    char *argv[] = { "/bin/sh", "-c", "text=$(cat); printf %s \"$text\"; printf ${#text} >&2; exit 4", NULL };
    if (way == PROGRAM) return plait_program_new(argv, &options);
    options.method = methods[way];
    return plait_process_new(copy_and_count, NULL, 0, &options);
}

static plait_process *start_one(int way, plait_process_options options)
{
    plait_process *process = new_one(way, options);
    CHECK(process);
    const int error = plait_process_start(process);
    if (error) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(error == 0);
    return process;
}

static int file_with(const char *text)
{
    const int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void must_hold(int fd, const char *expected)
{
    char text[100] = "";
    CHECK(pread(fd, text, sizeof text - 1, 0) >= 0);
    CHECK_TEXT(text, expected);
    CHECK(strlen(text) == strlen(expected) && close(fd) == 0);
}

/* ---- each kind ---- */

static void read_all(int fd, const char *expected)
{
    char text[100] = "";
    size_t length = 0;
    for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += (size_t)got;
    CHECK_TEXT(text, expected);
    CHECK(strlen(text) == strlen(expected));
}

static int give_pipes(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    for (int way = 0; way < WAYS; way++) {
        plait_process *process = start_one(way, (plait_process_options){
            .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_PIPE });
        for (int i = 0; i < 3; i++) CHECK(fcntl(plait_process_stream(process, i), F_GETFD) == FD_CLOEXEC);
        CHECK(plait_process_stream(process, 3) == -EINVAL && plait_process_stream(process, -1) == -EINVAL);
        CHECK(write(plait_process_stream(process, 0), "hello", 5) == 5 && plait_process_close_stream(process, 0) == 0);
        CHECK(plait_process_stream(process, 0) == -EINVAL && plait_process_close_stream(process, 0) == -EINVAL);
        CHECK_TEXT(plait_error_detail(), "is no pipe, or was closed");
        read_all(plait_process_stream(process, 1), "hello");
        read_all(plait_process_stream(process, 2), "5");
        end_with(process, 4);
    }
    traces_must_be(&before);
    return 0;
}

static void pipes(void **state)
{
    host_run(give_pipes, NULL);
}

static int give_files(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        const int in = file_with("some text"), out = file_with(""), errors = file_with("");
        const struct traces before = traces_now();
        end_with(start_one(way, (plait_process_options){
            .input = PLAIT_STREAM_FD(in), .output = PLAIT_STREAM_FD(out), .errors = PLAIT_STREAM_FD(errors) }), 4);
        traces_must_be(&before);
        close(in);
        must_hold(out, "some text");
        must_hold(errors, "9");
    }
    return 0;
}

static void descriptors(void **state)
{
    host_run(give_files, NULL);
}

static int give_nothing(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        const int errors = file_with("");
        end_with(start_one(way, (plait_process_options){
            .input = PLAIT_STREAM_NULL, .output = PLAIT_STREAM_NULL, .errors = PLAIT_STREAM_FD(errors) }), 4);
        must_hold(errors, "0");
    }
    return 0;
}

static void null(void **state)
{
    host_run(give_nothing, NULL);
}

static int give_ours(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        const int in = file_with("abc"), out = file_with(""), errors = file_with("");
        CHECK(dup2(in, 0) == 0 && dup2(out, 1) == 1);
        end_with(start_one(way, (plait_process_options){ .input = PLAIT_STREAM_INHERIT, .output = PLAIT_STREAM_INHERIT,
                                                         .errors = PLAIT_STREAM_FD(errors) }), 4);
        must_hold(out, "abc");
        must_hold(errors, "3");
        close(in);
    }
    return 0;
}

static void inherited(void **state)
{
    host_run(give_ours, NULL);
}

static int mix_errors_and_output(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        const int in = file_with("abc"), out = file_with("");
        end_with(start_one(way, (plait_process_options){
            .input = PLAIT_STREAM_FD(in), .output = PLAIT_STREAM_FD(out), .errors = PLAIT_STREAM_OUTPUT }), 4);
        close(in);
        char text[10] = "";
        CHECK(pread(out, text, 9, 0) == 4 && strchr(text, '3') && strstr(text, "abc") && close(out) == 0);
    }
    return 0;
}

static void errors_into_output(void **state)
{
    host_run(mix_errors_and_output, NULL);
}

/* Crosswise: what is at 1 becomes 2, what is at 2 becomes 1. */
static int exchange_streams(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        const int in = file_with("abc"), one = file_with(""), two = file_with(""), errors = dup(2);
        CHECK(dup2(in, 0) == 0 && dup2(one, 1) == 1 && dup2(two, 2) == 2);
        plait_process *process = start_one(way, (plait_process_options){
            .input = PLAIT_STREAM_FD(0), .output = PLAIT_STREAM_FD(2), .errors = PLAIT_STREAM_FD(1) });
        CHECK(dup2(errors, 2) == 2 && close(errors) == 0 && close(in) == 0);
        end_with(process, 4);
        must_hold(two, "abc");
        must_hold(one, "3");
    }
    return 0;
}

static void crosswise(void **state)
{
    host_run(exchange_streams, NULL);
}

static int start_without_streams(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        const int in = file_with("abc"), out = file_with(""), errors = file_with(""), kept = fcntl(2, F_DUPFD_CLOEXEC, 100);
        for (int i = 0; i < 3; i++) close(i);
        plait_process *process = start_one(way, (plait_process_options){
            .input = PLAIT_STREAM_FD(in), .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_FD(errors) });
        const bool are_closed = !is_open(0) && !is_open(1) && !is_open(2);
        CHECK(dup2(kept, 2) == 2 && close(kept) == 0);
        CHECK(are_closed);
        read_all(plait_process_stream(process, 1), "abc");
        end_with(process, 4);
        must_hold(errors, "3");
        CHECK(dup2(in, 0) == 0 && dup2(out, 1) == 1 && close(in) == 0 && close(out) == 0);
    }
    return 0;
}

static void for_one_that_has_none_itself(void **state)
{
    host_run(start_without_streams, NULL);
}

static int has_none(void *unused)
{
    return is_open(0) || is_open(1) || is_open(2) ? 1 : 5;
}

static int start_with_none(void *unused)
{
    be_program();
    const int kept = fcntl(2, F_DUPFD_CLOEXEC, 100);
    for (int i = 0; i < 3; i++) close(i);
    for (int i = 0; i < 2; i++) {
        plait_process *process = plait_start(has_none, NULL, 0, &(plait_process_options){ .method = methods[i] });
        CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
        const int code = plait_process_exitcode(process);
        dup2(kept, 2);
        CHECK(code == 5 && plait_process_free(process) == 0);
        close(2);
    }
    return 0;
}

static void what_is_closed_stays_closed(void **state)
{
    host_run(start_with_none, NULL);
}

/* ---- what is refused ---- */

static void is_no_option(const plait_process_options *options, int error, const char *detail)
{
    for (int way = 0; way < WAYS; way++) {
        errno = 0;
        CHECK(!new_one(way, *options) && errno == error);
        CHECK_TEXT(plait_error_detail(), detail);
    }
}

static int give_wrong_ones(void *unused)
{
    be_program();
    is_no_option(&(plait_process_options){ .input = PLAIT_STREAM_FD(999) }, EBADF, "standard stream 0: descriptor 999 is not open");
    is_no_option(&(plait_process_options){ .output = -1 }, EINVAL, "standard stream 1 can't be -1");
    is_no_option(&(plait_process_options){ .output = PLAIT_STREAM_OUTPUT }, EINVAL, "standard stream 1 can't be 4");
    is_no_option(&(plait_process_options){ .errors = 5 }, EINVAL, "standard stream 2 can't be 5");
    is_no_option(&(plait_process_options){ .errors = PLAIT_STREAM_FD(-1) }, EINVAL, "standard stream 2 can't be 15");
    is_no_option(&(plait_process_options){ .fds = &(int){ 999 }, .fd_count = 1 }, EBADF, "descriptor 999 is not open");
    is_no_option(&(plait_process_options){ .fds = &(int){ -1 }, .fd_count = 1 }, EBADF, "descriptor -1 is not open");
    is_no_option(&(plait_process_options){ .fd_count = 1 }, EINVAL, "fds is NULL, their number 1");
    return 0;
}

static void wrong_ones_are_refused(void **state)
{
    host_run(give_wrong_ones, NULL);
}

/* One that is closed between the object and its start; plait's own next descriptors would get its number. */
static int close_before_the_start(void *unused)
{
    be_program();
    for (int way = 0; way < WAYS; way++) {
        int fd = file_with("");
        plait_process *process = new_one(way, (plait_process_options){
            .output = PLAIT_STREAM_FD(fd), .errors = PLAIT_STREAM_NULL });
        close(fd);
        char detail[60];
        snprintf(detail, sizeof detail, "standard stream 1: descriptor %d is not open", fd);
        start_is_refused(process, -EBADF, detail);
        CHECK(file_with("") == fd && plait_process_start(process) == 0);
        end_with(process, 4);
        close(fd);
        if (way == 0) continue;                            /* a fork has all anyway */
        fd = file_with("");
        process = new_one(way, (plait_process_options){
            .fds = &fd, .fd_count = 1, .output = PLAIT_STREAM_NULL, .errors = PLAIT_STREAM_NULL });
        close(fd);
        snprintf(detail, sizeof detail, "descriptor %d is not open", fd);
        start_is_refused(process, -EBADF, detail);
        CHECK(plait_process_free(process) == 0);
    }
    return 0;
}

static void those_that_are_closed_before_the_start_too(void **state)
{
    host_run(close_before_the_start, NULL);
}

static void leave_free(int count)
{
    const struct rlimit limit = { 100, 100 };
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) last = fd;
    for (int i = 0; i < count; i++) close(last - i);
}

static int lack_descriptors(void *unused)
{
    be_program();
    int refused = 0;
    leave_free(14);
    for (int left = 0; left < 12; left++) {
        for (int way = 0; way < WAYS; way++) {
            plait_process *process = new_one(way, (plait_process_options){
                .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_PIPE, .cwd = "/" });
            const struct traces before = traces_now();
            const int error = plait_process_start(process);
            CHECK(error == 0 || (error == -EMFILE && *plait_error_detail()));
            if (error) traces_must_be(&before);
            refused += error != 0;
            if (!error) CHECK(plait_process_kill(process) == 0 && plait_process_join(process, PLAIT_FOREVER) == 0);
            CHECK(plait_process_free(process) == 0);
            traces_must_be(&before);
        }
        CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
    }
    CHECK(refused > WAYS && refused < 12 * WAYS);
    return 0;
}

static void without_descriptors_it_is_EMFILE(void **state)
{
    host_run(lack_descriptors, NULL);
}

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
    cmocka_unit_test(a_brother_does_not_hold_them_open),
    cmocka_unit_test(another_file_at_such_a_number_is_left_alone),
    cmocka_unit_test(pipes),
    cmocka_unit_test(descriptors),
    cmocka_unit_test(null),
    cmocka_unit_test(inherited),
    cmocka_unit_test(errors_into_output),
    cmocka_unit_test(crosswise),
    cmocka_unit_test(for_one_that_has_none_itself),
    cmocka_unit_test(what_is_closed_stays_closed),
    cmocka_unit_test(wrong_ones_are_refused),
    cmocka_unit_test(those_that_are_closed_before_the_start_too),
    cmocka_unit_test(without_descriptors_it_is_EMFILE),
    cmocka_unit_test(one_that_begins_anew_has_those_that_it_is_given),
    cmocka_unit_test(a_start_does_not_wait_for_the_child_of_another_thread),
    cmocka_unit_test(nor_do_those_that_begin_anew),
};
TEST_MAIN(tests)
