/* The logger in one process: levels, what the lines look like, and what standard error may do. */
#include "lines.h"

#include <limits.h>
#include <poll.h>
#include <sys/mman.h>

#include <plait.h>

#include "base/error.h"
#include "log/log.h"

/* --- levels ------------------------------------------------------------------------------------------------------------ */

static int log_at_all_levels(void *unused)
{
    static const int levels[] = { PLAIT_LOG_SUBDEBUG, PLAIT_LOG_DEBUG, PLAIT_LOG_INFO, PLAIT_LOG_SUBWARNING, PLAIT_LOG_WARNING,
                                  PLAIT_LOG_ERROR, PLAIT_LOG_CRITICAL, 1, 31, INT_MAX };
    plait_logger *logger = plait_log_to_stderr(1);
    CHECK(logger && logger == plait_get_logger());
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++) CHECK(plait_log(logger, levels[i], "message %u", i) == 0);
    CHECK(plait_log(logger, 0, "never") == 0 && plait_log(logger, -7, "never") == 0);
    return 0;
}

static void lines_name_their_level(void **state)
{
    lines_must_be(log_at_all_levels, NULL,
                  "[Level 5/MainProcess] message 0\n[DEBUG/MainProcess] message 1\n[INFO/MainProcess] message 2\n"
                  "[Level 25/MainProcess] message 3\n[WARNING/MainProcess] message 4\n[ERROR/MainProcess] message 5\n"
                  "[CRITICAL/MainProcess] message 6\n[Level 1/MainProcess] message 7\n[Level 31/MainProcess] message 8\n"
                  "[Level 2147483647/MainProcess] message 9\n");
}

/* What would be a crash if it were formatted. */
static const char *volatile nowhere = (const char *)16;

static int change_the_level(void *unused)
{
    plait_logger *logger = plait_get_logger();
    CHECK(plait_log_level(logger) == PLAIT_LOG_WARNING);
    CHECK(plait_log_to_stderr(0) == logger && plait_log_level(logger) == PLAIT_LOG_WARNING);
    CHECK(plait_log(logger, PLAIT_LOG_SUBWARNING, "%s", nowhere) == 0);
    CHECK(plait_log(logger, PLAIT_LOG_WARNING, "one") == 0);
    CHECK(plait_log_set_level(logger, 11) == 0 && plait_log_level(logger) == 11);
    CHECK(plait_log(logger, 10, "%s", nowhere) == 0 && plait_log(logger, 11, "two") == 0);
    CHECK(plait_log_to_stderr(0) == logger && plait_log_level(logger) == 11);
    CHECK(plait_log_to_stderr(PLAIT_LOG_ERROR) == logger && plait_log_level(logger) == PLAIT_LOG_ERROR);
    CHECK(plait_log(logger, PLAIT_LOG_ERROR, "three, though three were asked for it") == 0);
    CHECK(plait_log_set_level(logger, 0) == 0 && plait_log_level(logger) == PLAIT_LOG_WARNING);
    return 0;
}

static void the_level_is_a_threshold(void **state)
{
    lines_must_be(change_the_level, NULL,
                  "[WARNING/MainProcess] one\n[Level 11/MainProcess] two\n"
                  "[ERROR/MainProcess] three, though three were asked for it\n");
}

static int log_to_nobody(void *unused)
{
    CHECK(plait_log_set_level(plait_get_logger(), 1) == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_CRITICAL, "%s", nowhere) == 0);
    CHECK(!plait__is_logged(INT_MAX - 1));
    return 0;
}

static void without_listeners_nothing_is_written(void **state)
{
    lines_must_be(log_to_nobody, NULL, "");
}

static int make_mistakes(void *unused)
{
    char other[64] = "";
    plait_logger *wrong = (plait_logger *)(void *)other, *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    const char *volatile no_format = NULL;
    const wchar_t no_text[] = { 0x7fffffff, 0 };
    errno = 0;
    CHECK(!plait_log_to_stderr(-1) && errno == EINVAL && strstr(plait_error_detail(), "-1"));
    CHECK(plait_log_set_level(NULL, 10) == -EINVAL && plait_log_set_level(wrong, 10) == -EINVAL);
    CHECK(plait_log_set_level(logger, -1) == -EINVAL && plait_log_set_level(logger, INT_MIN) == -EINVAL);
    CHECK(plait_log_level(NULL) == -EINVAL && plait_log_level(wrong) == -EINVAL && plait_log_level(logger) == PLAIT_LOG_INFO);
    CHECK(plait_log(NULL, PLAIT_LOG_ERROR, "%s", nowhere) == -EINVAL);
    CHECK(plait_log(wrong, PLAIT_LOG_ERROR, "%s", nowhere) == -EINVAL);
    CHECK(plait_log(logger, PLAIT_LOG_ERROR, no_format, 1) == -EINVAL);
    errno = E2BIG;
    CHECK(plait_log(logger, PLAIT_LOG_ERROR, "%ls", no_text) == -EILSEQ && errno == E2BIG);
    CHECK(strstr(plait_error_detail(), "format"));
    return 0;
}

static void mistakes_are_told(void **state)
{
    lines_must_be(make_mistakes, NULL, "");
}

static int evaluated;

static int log_from_inside(void *unused)
{
    plait__log(PLAIT_LOG_CRITICAL, "%d", ++evaluated);
    CHECK(evaluated == 0);
    plait_log_to_stderr(PLAIT_LOG_INFO);
    plait__log(PLAIT_LOG_DEBUG, "%d", ++evaluated);
    plait__fail(-EPERM, "a detail");
    errno = E2BIG;
    plait__log(PLAIT_LOG_INFO, "%d", ++evaluated);
    close(STDERR_FILENO);
    plait__log(PLAIT_LOG_INFO, "%d", ++evaluated);
    CHECK(errno == E2BIG && strcmp(plait_error_detail(), "a detail") == 0);
    CHECK(evaluated == 2);
    return 0;
}

static void the_library_asks_before_it_formats(void **state)
{
    lines_must_be(log_from_inside, NULL, "[INFO/MainProcess] 1\n");
}

static int take_over_a_state(void *unused)
{
    struct plait__log_state kept = plait__log_get_state();
    CHECK(kept.level == 0 && !kept.to_stderr);
    plait_log_to_stderr(PLAIT_LOG_DEBUG);
    const struct plait__log_state now = plait__log_get_state();
    CHECK(now.level == PLAIT_LOG_DEBUG && now.to_stderr);
    plait__log_set_state(kept);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_ERROR, "%s", nowhere) == 0);
    CHECK(plait_log_level(plait_get_logger()) == PLAIT_LOG_WARNING);
    plait__log_set_state(now);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_DEBUG, "heard") == 0);
    return 0;
}

static void a_state_can_be_taken_over(void **state)
{
    lines_must_be(take_over_a_state, NULL, "[DEBUG/MainProcess] heard\n");
}

/* --- lines --------------------------------------------------------------------------------------------------------------- */

static int log_once_to_two(void *unused)
{
    CHECK(plait_log_to_stderr(PLAIT_LOG_INFO) == plait_log_to_stderr(PLAIT_LOG_INFO));
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_INFO, "once") == 0);
    return 0;
}

static void to_stderr_twice_is_once(void **state)
{
    lines_must_be(log_once_to_two, NULL, "[INFO/MainProcess] once\n");
}

static int log_what_was(void *unused)
{
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    plait__fail(-EPERM, "the detail");
    errno = ENOENT;
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%m%%\nsecond") == 0 && plait_log(logger, PLAIT_LOG_INFO, "%1500m") == 0);
    CHECK(errno == ENOENT && strcmp(plait_error_detail(), "the detail") == 0);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", "") == 0);
    return 0;
}

static void errno_and_detail_stay(void **state)
{
    char expected[2000];
    snprintf(expected, sizeof expected, "[INFO/MainProcess] %s%%\nsecond\n[INFO/MainProcess] %1500s\n[INFO/MainProcess] \n",
             strerror(ENOENT), strerror(ENOENT));
    lines_must_be(log_what_was, NULL, expected);
}

static int log_of_size(void *size)
{
    const int length = (int)*(size_t *)size;
    CHECK(plait_log(plait_log_to_stderr(PLAIT_LOG_INFO), PLAIT_LOG_INFO, "%0*d%c", length - 1, 7, length % 2 ? 'x' : 0) == 0);
    return 0;
}

static void a_message_may_have_any_size(void **state)
{
    static const size_t edges[] = { 4095, 4096, 4097, 65535, 65536, 70000, 1 << 20 };
    const size_t begin = strlen("[INFO/MainProcess] ");
    for (size_t i = 2; i < 1100 + sizeof edges / sizeof edges[0]; i += i < 980 ? 97 : 1) {
        size_t length = i < 1100 ? i : edges[i - 1100], size;
        char *text = lines_of(log_of_size, &length, &size);
        assert_int_equal(size, begin + length + 1);
        assert_int_equal(strspn(text + begin, "07"), length - 1);
        assert_int_equal(text[size - 2], length % 2 ? 'x' : 0);
        assert_int_equal(text[size - 1], '\n');
        free(text);
    }
}

static int log_in_child(void *unused)
{
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_WARNING, "from a child") == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_DEBUG, "%s", nowhere) == 0);
    return 0;
}

static int start_children(void *unused)
{
    char name[100];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    const plait_process_options options[] = { { 0 }, { .name = "Ada" }, { .name = name } };
    plait_log_to_stderr(PLAIT_LOG_WARNING);
    CHECK(test_wait_exit(test_fork(log_in_child, NULL)) == 0);
    for (int i = 0; i < 3; i++) {
        plait_process *process = plait_start(log_in_child, NULL, 0, &options[i]);
        CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == 0);
        CHECK(plait_process_free(process) == 0);
    }
    return 0;
}

static void children_log_as_their_parent_under_their_names(void **state)
{
    char expected[400], name[64];
    memset(name, 'n', 63);
    name[63] = 0;
    snprintf(expected, sizeof expected, "[WARNING/MainProcess] from a child\n"
             "[WARNING/Process-1] from a child\n[WARNING/Ada] from a child\n"
             "[WARNING/%s] from a child\n", name);
    lines_must_be(start_children, NULL, expected);
}

/* --- what standard error may do -------------------------------------------------------------------------------------------- */

static int log_to_closed(void *unused)
{
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    close(STDERR_FILENO);
    errno = E2BIG;
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "lost") == -EBADF && errno == E2BIG);
    CHECK(strstr(plait_error_detail(), "standard error"));
    CHECK(!is_open(STDERR_FILENO));                        /* what plait keeps open is elsewhere */
    return 0;
}

static void a_closed_one_is_told(void **state)
{
    host_run(log_to_closed, NULL);
}

static _Atomic int signals;

static void count_signal(int number)
{
    atomic_fetch_add(&signals, 1);
}

static bool is_pending(int number)
{
    sigset_t pending;
    CHECK(sigpending(&pending) == 0);
    return sigismember(&pending, number);
}

static void block(int number)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    CHECK(sigprocmask(SIG_BLOCK, &one, NULL) == 0);
}

/* As a program finds it, with a handler, blocked, blocked and pending: nothing of that changes. */
static void expect_no_signal(int number, int error)
{
    const char *text = "text";
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", text) == error);       /* by default the signal would end it */
    signal(number, count_signal);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", text) == error);
    signal(number, SIG_IGN);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", text) == error);
    signal(number, count_signal);
    block(number);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", text) == error && !is_pending(number));
    CHECK(raise(number) == 0);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", text) == error && is_pending(number));
    CHECK(signals == 0);
}

static int log_to_broken_pipe(void *unused)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[0]);
    expect_no_signal(SIGPIPE, -EPIPE);
    return 0;
}

static int log_to_a_file_at_its_limit(void *unused)
{
    const int file = memfd_create("limited", MFD_CLOEXEC);
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(file >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO && ftruncate(file, 100) == 0);
    CHECK(lseek(file, 100, SEEK_SET) == 100);
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100, 100 }) == 0);
    expect_no_signal(SIGXFSZ, -EFBIG);
    return 0;
}

static void a_failed_write_is_no_signal(void **state)
{
    host_run(log_to_broken_pipe, NULL);
    host_run(log_to_a_file_at_its_limit, NULL);
}

static int log_to_full_device(void *unused)
{
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(full >= 0 && dup2(full, STDERR_FILENO) == STDERR_FILENO);
    CHECK(plait_log(plait_log_to_stderr(PLAIT_LOG_INFO), PLAIT_LOG_INFO, "lost") == -ENOSPC);
    return 0;
}

static void a_full_disk_is_told(void **state)
{
    host_run(log_to_full_device, NULL);
}

static void fill(int fd)
{
    char page[4096];
    memset(page, '.', sizeof page);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(fd, page, sizeof page) > 0) {}
    while (write(fd, page, 1) > 0) {}
    CHECK(errno == EAGAIN);
}

static void drain(int fd, int pages)
{
    char page[4096];
    for (int i = 0; i < pages; i++) CHECK(read(fd, page, sizeof page) > 0);
}

static int reader;

static void fill_standard_error(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    fill(STDERR_FILENO);
}

static int log_long(void *unused)
{
    return plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%s%020000d", "", 7);
}

static int log_to_full_pipe(void *unused)
{
    fill_standard_error();
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    const double since = seconds_now();
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "lost") == -EAGAIN);
    CHECK(seconds_now() - since >= 0.99);
    struct test_thread thread;
    test_thread_start(&thread, log_long, NULL);
    test_until_sleeps(atomic_load(&thread.tid));
    drain(reader, 16);                                     /* all that was in it; then there is room for 65,536 */
    CHECK(test_thread_join(&thread) == 0);
    close(STDERR_FILENO);
    size_t size;
    char *text = lines_read(reader, &size);
    CHECK(size == strlen("[INFO/MainProcess] \n") + 20000 && text[0] == '[' && text[size - 1] == '\n');
    free(text);
    return 0;
}

static void one_that_does_not_block_is_waited_for_a_second(void **state)
{
    host_run(log_to_full_pipe, NULL);
}

/* A part of a line goes out, then nobody reads for a second: the next line begins in a line of its own. */
static int tear_a_line(void *unused)
{
    fill_standard_error();
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    drain(reader, 2);
    CHECK(log_long(NULL) == -EAGAIN);
    drain(reader, 16);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "whole") == 0 && plait_log(logger, PLAIT_LOG_INFO, "also") == 0);
    close(STDERR_FILENO);
    size_t size;
    char *text = lines_read(reader, &size);
    CHECK(strcmp(text, "\n[INFO/MainProcess] whole\n[INFO/MainProcess] also\n") == 0);
    free(text);
    return 0;
}

static void a_torn_line_does_not_tear_the_next(void **state)
{
    host_run(tear_a_line, NULL);
}

static bool is_full(void *unused)
{
    struct pollfd standard_error = { .fd = STDERR_FILENO, .events = POLLOUT };
    return poll(&standard_error, 1, 0) == 0;
}

static int log_short(void *unused)
{
    return plait_log(plait_get_logger(), PLAIT_LOG_INFO, "short");
}

/* One blocks in the middle of a long line, for more than the second after which others give up on one that is stopped: but here
 * it is the reader that does not go on. */
static int wait_for_a_slow_reader(void *unused)
{
    fill_standard_error();
    CHECK(fcntl(STDERR_FILENO, F_SETFL, 0) == 0);
    plait_log_to_stderr(PLAIT_LOG_INFO);
    CHECK(plait_init(NULL, NULL) == 0);
    struct test_thread long_one, short_one;
    test_thread_start(&long_one, log_long, NULL);
    drain(reader, 2);
    lines_until_writes(atomic_load(&long_one.tid));
    test_thread_start(&short_one, log_short, NULL);
    test_until_waits(atomic_load(&short_one.tid));
    nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 300000000 }, NULL);
    for (int i = 0; i < 2; i++) {                          /* each page goes to who has waited longest in a write */
        drain(reader, 1);
        test_until(is_full, NULL);
    }
    drain(reader, 12);                                     /* the rest of what the pipe was filled with */
    CHECK(test_thread_join(&long_one) == 0);
    CHECK(test_thread_join(&short_one) == 0);
    close(STDERR_FILENO);
    size_t size;
    char *text = lines_read(reader, &size);
    const char *end = strstr(text, "7\n[INFO/MainProcess] short\n");
    CHECK(end && end[strlen("7\n[INFO/MainProcess] short\n")] == 0);
    free(text);
    return 0;
}

static void a_slow_reader_gets_whole_lines_too(void **state)
{
    host_run(wait_for_a_slow_reader, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_name_their_level),
    cmocka_unit_test(the_level_is_a_threshold),
    cmocka_unit_test(without_listeners_nothing_is_written),
    cmocka_unit_test(mistakes_are_told),
    cmocka_unit_test(the_library_asks_before_it_formats),
    cmocka_unit_test(a_state_can_be_taken_over),
    cmocka_unit_test(to_stderr_twice_is_once),
    cmocka_unit_test(errno_and_detail_stay),
    cmocka_unit_test(a_message_may_have_any_size),
    cmocka_unit_test(children_log_as_their_parent_under_their_names),
    cmocka_unit_test(a_closed_one_is_told),
    cmocka_unit_test(a_failed_write_is_no_signal),
    cmocka_unit_test(a_full_disk_is_told),
    cmocka_unit_test(one_that_does_not_block_is_waited_for_a_second),
    cmocka_unit_test(a_torn_line_does_not_tear_the_next),
    cmocka_unit_test(a_slow_reader_gets_whole_lines_too),
};
TEST_MAIN(tests)
