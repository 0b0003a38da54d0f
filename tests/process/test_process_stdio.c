/* stdio across the fork: what was printed appears exactly once, and nobody moves or waits for anybody else's streams.  Each test
 * runs in a host, whose stdout is a file or a pipe with a large buffer, as it is when no terminal is there. */
#include "host.h"

#include <sys/mman.h>

#include <plait.h>

/* ---- hosts ---- */

static int output;                      /* in the tester: what the host's stdout is, or the end of its pipe to read from */
static _Atomic int *ready, *go;

struct host {
    int (*body)(void);
    int stdout_fd;
};

static int be_host(void *argument)
{
    const struct host *host = argument;
    CHECK(dup2(host->stdout_fd, STDOUT_FILENO) == STDOUT_FILENO);
    close(host->stdout_fd);
    static char buffer[65536];                              /* NULL would keep the harness's, of one byte */
    CHECK(setvbuf(stdout, buffer, _IOFBF, sizeof buffer) == 0);
    exit(host->body());
}

static void run_host(int (*body)(void), int stdout_fd)
{
    ready = test_shared(2 * sizeof *ready);
    go = ready + 1;
    assert_int_equal(test_wait_exit(test_fork(be_host, &(struct host){ body, stdout_fd })), 0);
}

static void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    for (ssize_t got; (got = read(fd, text + length, size - 1 - length)) > 0;) length += (size_t)got;
    text[length] = 0;
    close(fd);
}

/* Run a host with a file as its stdout; what must be in it afterwards. */
static void expect_in_file(int (*body)(void), const char *expected)
{
    char text[4096];
    output = memfd_create("stdout", 0);
    run_host(body, output);
    assert_int_equal(lseek(output, 0, SEEK_SET), 0);
    read_all(output, text, sizeof text);
    assert_string_equal(text, expected);
}

static void expect_in_pipe(int (*body)(void), const char *expected)
{
    char text[4096];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    output = ends[0];
    run_host(body, ends[1]);
    close(ends[1]);
    read_all(output, text, sizeof text);
    assert_string_equal(text, expected);
}

/* Start, wait, free. */
static void run_with(int (*function)(void *), const void *argument, int input)
{
    plait_process *process = plait_start(function, argument, 0, &(plait_process_options){ .input = input });
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == 0);
    CHECK(plait_process_free(process) == 0);
}

static void run(int (*function)(void *), const void *argument)
{
    run_with(function, argument, PLAIT_STREAM_DEFAULT);
}

/* ---- children ---- */

static int do_nothing(void *unused)
{
    return 0;
}

static int print(void *text)
{
    printf("%s", (char *)text);
    return 0;
}

static int print_and_exit(void *text)
{
    printf("%s", (char *)text);
    exit(0);
}

static int print_and__exit(void *text)
{
    printf("%s", (char *)text);
    _exit(0);
}

static void *do_nothing_in_a_thread(void *unused)
{
    test_until(is_set, go);
    return NULL;
}

/* From here on the host is a program with threads. */
static pthread_t be_threaded(void)
{
    *go = 0;
    return thread_start(do_nothing_in_a_thread, NULL);
}

static void end_thread(pthread_t thread)
{
    *go = 1;
    thread_end(thread);
}

/* ---- stdout ---- */

static int print_around_a_child(void)
{
    printf("before, ");
    run(do_nothing, NULL);
    printf("between, ");
    run(print, "a child, ");
    run(print_and_exit, "a child that exits, ");
    printf("after");
    return 0;
}

static int print_around_a_child_with_threads(void)
{
    pthread_t thread = be_threaded();
    print_around_a_child();
    end_thread(thread);
    return 0;
}

static void text_appears_once_in_a_file(void **state)
{
    const char *expected = "before, between, a child, a child that exits, after";
    expect_in_file(print_around_a_child, expected);
    expect_in_file(print_around_a_child_with_threads, expected);
}

static void text_appears_once_in_a_pipe(void **state)
{
    const char *expected = "before, between, a child, a child that exits, after";
    expect_in_pipe(print_around_a_child, expected);
    expect_in_pipe(print_around_a_child_with_threads, expected);
}

static int lose_what_a_child_leaves_by__exit(void)
{
    printf("before, ");
    run(print_and__exit, "lost");
    printf("after");
    return 0;
}

static void a_child_that_leaves_by__exit_flushes_nothing(void **state)
{
    expect_in_file(lose_what_a_child_leaves_by__exit, "before, after");
}

static int print_by_a_grandchild(void *unused)
{
    printf("child, ");
    run(print, "grandchild, ");
    printf("child again, ");
    return 0;
}

static int print_by_generations(void)
{
    printf("host, ");
    run(print_by_a_grandchild, NULL);
    printf("host again");
    return 0;
}

static void each_generation_prints_once(void **state)
{
    expect_in_file(print_by_generations, "host, child, grandchild, child again, host again");
}

/* ---- a stream of the host's own ---- */

static FILE *own;

/* Let the host open a stream of its own on its stdout. */
static void open_own(void)
{
    own = fdopen(dup(STDOUT_FILENO), "a");
    CHECK(own && setvbuf(own, NULL, _IOFBF, 65536) == 0);
}

static int print_to_own(void *text)
{
    fprintf(own, "%s", (char *)text);
    return 0;
}

static int print_to_own_stream(void)
{
    open_own();
    fprintf(own, "before, ");
    run(do_nothing, NULL);
    run(print_to_own, "a child, ");
    fprintf(own, "after");
    return 0;
}

static void text_in_a_stream_of_the_users_appears_once(void **state)
{
    expect_in_file(print_to_own_stream, "before, a child, after");
    expect_in_pipe(print_to_own_stream, "before, a child, after");
}

/* With threads, the stream is not flushed before the fork.  The child must not write what it has inherited in it. */
static int print_to_own_stream_with_threads(void)
{
    open_own();
    pthread_t thread = be_threaded();
    fprintf(own, "before, ");
    run(do_nothing, NULL);
    run(print_and_exit, "");
    fprintf(own, "after");
    end_thread(thread);
    return 0;
}

static void text_in_such_a_stream_appears_once_with_threads(void **state)
{
    expect_in_file(print_to_own_stream_with_threads, "before, after");
}

static int run_a_grandchild(void *unused)
{
    run(do_nothing, NULL);
    return 0;
}

static int print_to_own_stream_with_threads_and_generations(void)
{
    open_own();
    pthread_t thread = be_threaded();
    fprintf(own, "before, ");
    run(run_a_grandchild, NULL);
    fprintf(own, "after");
    end_thread(thread);
    return 0;
}

static void text_in_such_a_stream_appears_once_with_threads_and_generations(void **state)
{
    expect_in_file(print_to_own_stream_with_threads_and_generations, "before, after");
}

static int open_and_print(void *text)
{
    open_own();
    fprintf(own, "%s", (char *)text);
    return 0;
}

static int let_a_child_open_a_stream(void)
{
    run(open_and_print, "a child's own");
    return 0;
}

static void a_stream_that_the_child_opened_is_flushed_at_its_end(void **state)
{
    expect_in_file(let_a_child_open_a_stream, "a child's own");
}

/* ---- stdin ---- */

static void give_stdin(const char *text)
{
    int fd = memfd_create("stdin", MFD_CLOEXEC);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
    clearerr(stdin);
}

static int read_a_line(void *unused)
{
    char line[16];
    CHECK(fgets(line, sizeof line, stdin) && strcmp(line, "two\n") == 0);
    return 0;
}

static int read_nothing(void *unused)
{
    char byte;
    CHECK(getchar() == EOF && read(STDIN_FILENO, &byte, 1) == 0);
    return 0;
}

static int read_around_children(void)
{
    char line[16];
    give_stdin("one\ntwo\nthree\n");
    CHECK(fgets(line, sizeof line, stdin) && strcmp(line, "one\n") == 0);
    const off_t place = lseek(STDIN_FILENO, 0, SEEK_CUR);
    run(do_nothing, NULL);
    CHECK(lseek(STDIN_FILENO, 0, SEEK_CUR) == place);
    run(print_and_exit, "");
    CHECK(lseek(STDIN_FILENO, 0, SEEK_CUR) == place);
    run(read_nothing, NULL);
    CHECK(lseek(STDIN_FILENO, 0, SEEK_CUR) == place);
    run_with(read_a_line, NULL, PLAIT_STREAM_INHERIT);
    CHECK(lseek(STDIN_FILENO, 0, SEEK_CUR) == place);
    CHECK(fgets(line, sizeof line, stdin) && strcmp(line, "two\n") == 0);
    CHECK(fgets(line, sizeof line, stdin) && strcmp(line, "three\n") == 0);
    CHECK(!fgets(line, sizeof line, stdin));
    printf("read");
    return 0;
}

static int read_around_children_with_threads(void)
{
    pthread_t thread = be_threaded();
    read_around_children();
    end_thread(thread);
    return 0;
}

static void the_childs_end_does_not_move_stdin(void **state)
{
    expect_in_file(read_around_children, "read");
    expect_in_file(read_around_children_with_threads, "read");
}

/* ---- locks of other threads ---- */

static _Atomic pid_t reader;

static void *read_a_line_in_a_thread(void *unused)
{
    char *line = NULL;
    size_t size = 0;
    reader = (pid_t)syscall(SYS_gettid);
    CHECK(getline(&line, &size, stdin) == 5 && strcmp(line, "late\n") == 0);
    free(line);
    return NULL;
}

static bool reader_is_asleep(void *unused)
{
    return state_of(reader) == 'S';
}

static int start_while_a_thread_reads(void)
{
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    pthread_t thread = thread_start(read_a_line_in_a_thread, NULL);
    test_until(is_set, &reader);
    test_until(reader_is_asleep, NULL);
    CHECK(ftrylockfile(stdin) != 0);
    printf("before, ");
    run(do_nothing, NULL);
    run(print, "a child, ");
    run(print_and_exit, "a child that exits, ");
    run(run_a_grandchild, NULL);
    CHECK(write(ends[1], "late\n", 5) == 5);
    thread_end(thread);
    printf("after");
    return 0;
}

static void a_thread_that_waits_for_input_is_in_nobodys_way(void **state)
{
    expect_in_file(start_while_a_thread_reads, "before, a child, a child that exits, after");
}

static void *hold_stdout(void *unused)
{
    flockfile(stdout);
    *ready = 1;
    test_until(is_set, go);
    funlockfile(stdout);
    return NULL;
}

static int start_while_a_thread_holds_stdout(void)
{
    pthread_t thread = thread_start(hold_stdout, NULL);
    test_until(is_set, ready);
    run(do_nothing, NULL);
    run(print, "a child");
    *go = 1;
    thread_end(thread);
    return 0;
}

static void a_thread_that_holds_stdout_is_in_nobodys_way(void **state)
{
    expect_in_file(start_while_a_thread_holds_stdout, "a child");
}

static void *print_and_allocate(void *unused)
{
    FILE *nowhere = fopen("/dev/null", "we");
    CHECK(nowhere);
    while (!*go) {
        void *memory = malloc(1000);
        fprintf(nowhere, "%p\n", memory);
        free(memory);
        *ready = 1;
    }
    fclose(nowhere);
    return NULL;
}

static int allocate_and_print(void *text)
{
    for (int i = 0; i < 10; i++) free(malloc(1000));
    FILE *nowhere = fopen("/dev/null", "we");
    fprintf(nowhere, "%s", (char *)text);
    return print(text);
}

static int start_while_threads_work(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) threads[i] = thread_start(print_and_allocate, NULL);
    test_until(is_set, ready);
    for (int i = 0; i < 100; i++) run(allocate_and_print, "x");
    *go = 1;
    for (int i = 0; i < 3; i++) thread_end(threads[i]);
    return 0;
}

static void threads_that_print_and_allocate_are_in_nobodys_way(void **state)
{
    char expected[101];
    memset(expected, 'x', 100);
    expected[100] = 0;
    expect_in_file(start_while_threads_work, expected);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_appears_once_in_a_file),
    cmocka_unit_test(text_appears_once_in_a_pipe),
    cmocka_unit_test(a_child_that_leaves_by__exit_flushes_nothing),
    cmocka_unit_test(each_generation_prints_once),
    cmocka_unit_test(text_in_a_stream_of_the_users_appears_once),
    cmocka_unit_test(text_in_such_a_stream_appears_once_with_threads),
    cmocka_unit_test(text_in_such_a_stream_appears_once_with_threads_and_generations),
    cmocka_unit_test(a_stream_that_the_child_opened_is_flushed_at_its_end),
    cmocka_unit_test(the_childs_end_does_not_move_stdin),
    cmocka_unit_test(a_thread_that_waits_for_input_is_in_nobodys_way),
    cmocka_unit_test(a_thread_that_holds_stdout_is_in_nobodys_way),
    cmocka_unit_test(threads_that_print_and_allocate_are_in_nobodys_way),
};

TEST_MAIN(tests)
