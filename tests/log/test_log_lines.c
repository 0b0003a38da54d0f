/* Many processes and threads log at a time, and some of them are stopped, die or leave in the middle: each line is whole. */
#include "lines.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <plait.h>

#include "log/log.h"

/* --- many at a time ---------------------------------------------------------------------------------------------------- */

enum { PROCESSES = 8, THREADS = 2, LINES = 60, LONGEST = 20000 };

static int log_some(void *number)
{
    const int who = *(int *)number;
    uint64_t random = (uint64_t)who;
    for (int i = 0; i < LINES; i++) {
        const uint64_t size = 10 + (i % 4 ? test_random(&random) % 200 : test_random(&random) % (LONGEST - 10));
        CHECK(plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%d %d %d:%0*d!", who, i, (int)size, (int)size, 0) == 0);
    }
    return 0;
}

static int log_from_threads(void *first)
{
    struct test_thread threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = *(int *)first + i;
        test_thread_start(&threads[i], log_some, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++) CHECK(test_thread_join(&threads[i]) == 0);
    return 0;
}

static int log_from_processes(void *unused)
{
    pid_t children[PROCESSES];
    CHECK(plait_init(NULL, NULL) == 0);
    plait_log_to_stderr(PLAIT_LOG_INFO);
    for (int i = 0; i < PROCESSES; i++) children[i] = test_fork(log_from_threads, &(int){ i * THREADS });
    for (int i = 0; i < PROCESSES; i++) CHECK(test_wait_exit(children[i]) == 0);
    return 0;
}

/* All lines are there, each whole, and those of a thread in order.  The first unknown one is shown. */
static void all_must_be_whole(const char *text)
{
    int next[PROCESSES * THREADS] = { 0 }, count = 0;
    for (const char *line = text, *end; *line; line = end + 1, count++) {
        int who, which, size, begin = 0;
        end = strchr(line, '\n');
        assert_non_null(end);
        const int got = sscanf(line, "[INFO/MainProcess] %d %d %d:%n", &who, &which, &size, &begin);
        const bool whole = got == 3 && begin && (int)strspn(line + begin, "0") == size && line + begin + size + 1 == end &&
                           end[-1] == '!';
        if (!whole || who < 0 || who >= PROCESSES * THREADS || next[who]++ != which) fail_msg("line %d: %.300s", count, line);
    }
    assert_int_equal(count, PROCESSES * THREADS * LINES);
}

static void lines_in_a_pipe_do_not_mix(void **state)
{
    size_t size;
    char *text = lines_of(log_from_processes, NULL, &size);
    all_must_be_whole(text);
    free(text);
}

static int log_into_file(void *file)
{
    CHECK(dup2(*(int *)file, STDERR_FILENO) == STDERR_FILENO);
    return log_from_processes(NULL);
}

static void lines_in_a_file_into(int flags)
{
    int file = memfd_create("lines", MFD_CLOEXEC);
    assert_true(file >= 0 && fcntl(file, F_SETFL, flags) == 0);
    host_run(log_into_file, &file);
    const off_t size = lseek(file, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(file, text, (size_t)size, 0), size);
    all_must_be_whole(text);
    free(text);
    close(file);
}

static void lines_in_a_file_do_not_mix(void **state)
{
    lines_in_a_file_into(0);
    lines_in_a_file_into(O_APPEND);
}

static int set_up_socket(void *end)
{
    CHECK(dup2(*(int *)end, STDERR_FILENO) == STDERR_FILENO);
    CHECK(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK) == 0);
    close(*(int *)end);
    return log_from_processes(NULL);
}

/* A socket that does not block takes lines in pieces. */
static void lines_in_pieces_do_not_mix(void **state)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int)), 0);
    const pid_t host = test_fork(set_up_socket, &ends[1]);
    close(ends[1]);
    size_t size;
    char *text = lines_read(ends[0], &size);
    close(ends[0]);
    assert_int_equal(test_wait_exit(host), 0);
    all_must_be_whole(text);
    free(text);
}

/* --- who has the turn, and does not go on -------------------------------------------------------------------------------- */

static plait_lock *turn(void)
{
    return (plait_lock *)(void *)plait__roster->log;
}

static int take_and(void *what)
{
    CHECK(plait_lock_acquire(turn(), PLAIT_NOW) == 0);
    if (strcmp(what, "exit") == 0) exit(0);
    if (strcmp(what, "stop") == 0) kill(getpid(), SIGSTOP);
    if (strcmp(what, "kill") == 0) kill(getpid(), SIGKILL);
    CHECK(plait_lock_release(turn()) == 0);
    return 0;
}

static pid_t start_holder(const char *what)
{
    CHECK(plait_init(NULL, NULL) == 0);
    plait_log_to_stderr(PLAIT_LOG_INFO);
    return test_fork(take_and, (char *)(uintptr_t)what);
}

static int log_two(void)
{
    const int first = plait_log(plait_get_logger(), PLAIT_LOG_INFO, "first");
    return first ? first : plait_log(plait_get_logger(), PLAIT_LOG_INFO, "second");
}

#define BOTH "[INFO/MainProcess] first\n[INFO/MainProcess] second\n"

static int log_after_a_death(void *unused)
{
    CHECK(test_wait_exit(start_holder("kill")) == -SIGKILL);
    CHECK(log_two() == 0 && plait_lock_locked(turn()) == 0);
    return 0;
}

static void a_dead_holder_keeps_nobody(void **state)
{
    lines_must_be(log_after_a_death, NULL, BOTH);
}

static int log_after_an_exit(void *unused)
{
    CHECK(test_wait_exit(start_holder("exit")) == 0);
    CHECK(plait_lock_locked(turn()) == 1);                 /* a clean exit leaves locks as they are */
    CHECK(log_two() == 0 && plait_lock_locked(turn()) == 0);
    return 0;
}

static void one_that_left_with_the_turn_keeps_nobody(void **state)
{
    lines_must_be(log_after_an_exit, NULL, BOTH);
}

static int log_beside_a_stopped_one(void *unused)
{
    pid_t holder = start_holder("stop");
    test_until(has_stopped, &holder);
    const double since = seconds_now();
    CHECK(log_two() == 0);
    CHECK(seconds_now() - since >= 0.99 && plait_lock_locked(turn()) == 1);
    CHECK(kill(holder, SIGCONT) == 0 && test_wait_exit(holder) == 0);
    CHECK(log_two() == 0 && plait_lock_locked(turn()) == 0);
    return 0;
}

static void a_stopped_holder_keeps_nobody_for_long(void **state)
{
    lines_must_be(log_beside_a_stopped_one, NULL, BOTH BOTH);
}

/* A long line in a pipe that is read no further: its writer is killed in the middle. */
static int log_long_for_ever(void *unused)
{
    while (plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%0100000d", 0) == 0) {}
    return 1;
}

static int kill_in_a_long_line(void *unused)
{
    int ends[2];
    CHECK(plait_init(NULL, NULL) == 0 && pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    plait_log_to_stderr(PLAIT_LOG_INFO);
    const pid_t writer = test_fork(log_long_for_ever, NULL);
    lines_until_writes(writer);
    test_kill(writer);
    char page[1 << 16];
    CHECK(read(ends[0], page, sizeof page) == sizeof page);
    CHECK(log_two() == 0);
    close(STDERR_FILENO);
    size_t size;
    char *text = lines_read(ends[0], &size);
    CHECK(strcmp(text, "\n" BOTH) == 0);
    free(text);
    return 0;
}

static void a_line_cut_by_a_death_ends_there(void **state)
{
    host_run(kill_in_a_long_line, NULL);
}

/* --- forks ---------------------------------------------------------------------------------------------------------------- */

static _Atomic int enough;

static void count_records(const plait_log_record *record, void *counter)
{
    atomic_fetch_add((_Atomic int *)counter, 1);
}

static int log_and_change(void *unused)
{
    static _Atomic int counter;
    while (!atomic_load(&enough)) {
        CHECK(plait_log_add_handler(plait_get_logger(), count_records, &counter) == 0);
        CHECK(plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%05000d", 0) == 0);
        CHECK(plait_log_remove_handler(plait_get_logger(), count_records, &counter, PLAIT_FOREVER) == 0);
    }
    return 0;
}

static int log_after_the_fork(void *unused)
{
    static _Atomic int counter;
    alarm(20);
    CHECK(plait_log_add_handler(plait_get_logger(), count_records, &counter) == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_INFO, "child") == 0 && atomic_load(&counter) == 1);
    CHECK(plait_log_remove_handler(plait_get_logger(), count_records, &counter, PLAIT_FOREVER) == 0);
    CHECK(plait_log_set_level(plait_get_logger(), 1) == 0);
    return 0;
}

static int fork_beside_threads(void *unused)
{
    struct test_thread thread;
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(dup2(nowhere, STDERR_FILENO) == STDERR_FILENO);
    plait_log_to_stderr(PLAIT_LOG_INFO);
    test_thread_start(&thread, log_and_change, NULL);
    for (int i = 0; i < 200; i++) CHECK(test_wait_exit(test_fork(log_after_the_fork, NULL)) == 0);
    atomic_store(&enough, 1);
    return test_thread_join(&thread);
}

static void a_fork_in_the_middle_leaves_a_working_child(void **state)
{
    host_run(fork_beside_threads, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_in_a_pipe_do_not_mix),
    cmocka_unit_test(lines_in_a_file_do_not_mix),
    cmocka_unit_test(lines_in_pieces_do_not_mix),
    cmocka_unit_test(a_dead_holder_keeps_nobody),
    cmocka_unit_test(one_that_left_with_the_turn_keeps_nobody),
    cmocka_unit_test(a_stopped_holder_keeps_nobody_for_long),
    cmocka_unit_test(a_line_cut_by_a_death_ends_there),
    cmocka_unit_test(a_fork_in_the_middle_leaves_a_working_child),
};
TEST_MAIN(tests)
