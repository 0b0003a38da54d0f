/* The standard streams of a new process: for every start method, what it has, what is refused. */
#include "ways.h"

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

static const struct CMUnitTest tests[] = {
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
};
TEST_MAIN(tests)
