/* The example wordcount when it, or somebody in it, is ended; and its bar on a terminal. */
#include "program.h"
#include "tally.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>

#define ALL_WORDS "-n1000000"
#define TREE "tree"
#define MESSAGE "wordcount: interrupted\n"
#define WIPE "\r\033[K"

enum { ROUNDS = 3 };

/* --- something to do for a while -------------------------------------------------------------------------------------- */

/* One large file under many names. */
enum { SIZE = 1000000, NAMES = 60 };

static char *report;

static int make_tree(void **state)
{
    static unsigned char text[SIZE];
    uint64_t random = test_seed();
    struct tally tally = { 0 };
    random_text(text, SIZE, &random);
    tally_file(&tally, text, SIZE);
    tally_merge(&tally);
    report = tally_report(&tally, NAMES, "");
    tally_free(&tally);
    make_folder(TREE);
    make_file(TREE "/0", text, SIZE);
    for (int i = 1; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, TREE "/%d", i);
        assert_int_equal(link(TREE "/0", name), 0);
    }
    return 0;
}

static int remove_tree(void **state)
{
    remove_folder(TREE);
    free(report);
    return 0;
}

/* --- when something happens ------------------------------------------------------------------------------------------- */

static void sleep_up_to(double seconds)
{
    static uint64_t random;
    if (!random) random = test_seed() ^ 1;
    const double nanoseconds = seconds * 1e9 * (double)(test_random(&random) % 1000) / 1000;
    nanosleep(&(struct timespec){ .tv_nsec = (long)nanoseconds }, NULL);
}

static bool has_two_children_or_ended(void *program)
{
    pid_t children[2];
    return program_children(((struct program *)program)->pid, children, 2) == 2 || program_ended(program);
}

/* Until it counts with its processes; it may also have come to its end before we saw that. */
static void wait_for_workers(struct program *program)
{
    test_until(has_two_children_or_ended, program);
}

static void check_finished(const struct program *program)
{
    assert_string_equal(program->err, "");
    assert_int_equal(program->status, 0);
    assert_report(program->out, report);
}

/* It was either ended as it should be (then true), or had finished before. */
static bool check_interrupted(const struct program *program, int number)
{
    if (program->status == 0) {
        check_finished(program);
        return false;
    }
    assert_int_equal(program->status, -number);
    assert_string_equal(program->err, MESSAGE);
    assert_string_equal(program->out, "");
    return true;
}

/* --- Ctrl-C ----------------------------------------------------------------------------------------------------------- */

static bool pipe_is_empty(void *end)
{
    int waiting;
    return ioctl(*(int *)end, FIONREAD, &waiting) == 0 && waiting == 0;
}

static void ctrl_c_while_it_lists(void **state)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], TREE "\n", 5), 5);
    struct program program = { .in = ends[0] };
    program_start(&program, "wordcount", "-", NULL);
    test_until(pipe_is_empty, &ends[0]);
    kill(-program.pid, SIGINT);
    program_wait(&program);
    assert_true(check_interrupted(&program, SIGINT));
    program_free(&program);
    close(ends[0]);
    close(ends[1]);
}

/* To all that belong to the terminal, as it sends Ctrl-C; or to the first process only. */
static void interrupt_while_it_counts(int number, bool whole_group)
{
    for (int interrupted = 0; interrupted < ROUNDS;) {
        struct program program = { 0 };
        program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        wait_for_workers(&program);
        sleep_up_to(0.05);
        kill(whole_group ? -program.pid : program.pid, number);
        program_wait(&program);
        interrupted += check_interrupted(&program, number);
        program_free(&program);
    }
}

static void ctrl_c_while_it_counts(void **state)
{
    interrupt_while_it_counts(SIGINT, true);
}

static void sigint_to_the_first_process(void **state)
{
    interrupt_while_it_counts(SIGINT, false);
}

static void sigterm_to_the_first_process(void **state)
{
    interrupt_while_it_counts(SIGTERM, false);
}

/* Also before it can say anything, and after it has said everything. */
static void ctrl_c_at_any_moment(void **state)
{
    for (int round = 0; round < 10; round++) {
        struct program program = { 0 };
        program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        sleep_up_to(0.6);
        kill(-program.pid, SIGINT);
        program_wait(&program);
        if (*program.err || program.status == 0) check_interrupted(&program, SIGINT);
        else assert_int_equal(program.status, -SIGINT);
        program_free(&program);
    }
}

/* What a background job of a shell without job control gets. */
static void ctrl_c_that_is_ignored(void **state)
{
    struct program program = { 0 };
    signal(SIGINT, SIG_IGN);
    program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
    signal(SIGINT, SIG_DFL);
    wait_for_workers(&program);
    kill(-program.pid, SIGINT);
    program_wait(&program);
    check_finished(&program);
    program_free(&program);
}

/* --- deaths ----------------------------------------------------------------------------------------------------------- */

/* Does it bear the name of a worker?  Others may be about to get one; or belong to a sanitizer, which waits for them. */
static bool is_worker(pid_t pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool is = fgets(name, sizeof name, file) && strncmp(name, "wordcount-", 10) == 0;
    fclose(file);
    return is;
}

/* Send a signal to some of the workers; how many there were. */
static int signal_workers(const struct program *program, int number, int most)
{
    pid_t children[8];
    int done = 0;
    const size_t count = program_children(program->pid, children, 8);
    for (size_t i = 0; i < count && done < most; i++) done += is_worker(children[i]) && kill(children[i], number) == 0;
    return done;
}

static void kill_while_it_counts(int most)
{
    for (int rounds = 0; rounds < ROUNDS;) {
        struct program program = { 0 };
        program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        wait_for_workers(&program);
        sleep_up_to(0.05);
        if (signal_workers(&program, SIGKILL, most)) rounds++;
        program_wait(&program);
        check_finished(&program);
        program_free(&program);
    }
}

static void a_worker_is_killed(void **state)
{
    kill_while_it_counts(1);
}

static void all_workers_are_killed(void **state)
{
    kill_while_it_counts(8);
}

/* Whoever works is killed again and again: it gives up, and says so. */
static void workers_are_killed_for_ever(void **state)
{
    for (int given_up = 0; given_up < ROUNDS;) {
        struct program program = { 0 };
        program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        while (!program_ended(&program)) {
            sleep_up_to(0.02);                              /* time to begin with something */
            signal_workers(&program, SIGKILL, 8);
        }
        program_wait(&program);
        if (program.status != 0) {                          /* otherwise we were too slow */
            assert_int_equal(program.status, 1);
            assert_non_null(strstr(program.err, "wordcount: counting: the worker that ran the task died: "));
            given_up++;
        }
        program_free(&program);
    }
}

/* Nobody is left; program_wait waits for that. */
static void the_first_process_is_killed(void **state)
{
    for (int rounds = 0; rounds < ROUNDS; rounds++) {
        struct program program = { 0 };
        program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        wait_for_workers(&program);
        sleep_up_to(0.05);
        kill(program.pid, SIGKILL);
        program_wait(&program);
        if (program.status != 0) assert_int_equal(program.status, -SIGKILL);
        program_free(&program);
    }
}

/* Not even who is stopped. */
static void the_first_process_is_killed_while_a_worker_is_stopped(void **state)
{
    for (int rounds = 0; rounds < ROUNDS;) {
        struct program program = { 0 };
        program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        wait_for_workers(&program);
        if (signal_workers(&program, SIGSTOP, 1)) rounds++;
        kill(program.pid, SIGKILL);
        program_wait(&program);
        program_free(&program);
    }
}

/* --- outputs ---------------------------------------------------------------------------------------------------------- */

/* As `| head -1` does.  There is more to say than fits into a pipe. */
static void a_pipe_that_is_closed(void **state)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    struct program program = { .out_to = ends[1] };
    program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    program_wait(&program);
    assert_int_equal(program.status, -SIGPIPE);
    assert_string_equal(program.err, "");
    program_free(&program);
}

/* A terminal: what is written to `end` comes out of `screen`. */
struct terminal {
    int screen, end;
};

static struct terminal terminal_open(void)
{
    const int screen = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(screen >= 0 && grantpt(screen) == 0 && unlockpt(screen) == 0);
    const int end = open(ptsname(screen), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(end >= 0);
    return (struct terminal){ screen, end };
}

/* All that was written to it: nobody holds its end any more, so reading comes to an end too. */
static void terminal_close(struct terminal *terminal, char *text, size_t size)
{
    size_t length = 0;
    close(terminal->end);
    for (ssize_t got; length < size - 1 && (got = read(terminal->screen, text + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(terminal->screen);
}

static bool ends_in(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static bool has_drawn(void *terminal)
{
    int waiting;
    return ioctl(((struct terminal *)terminal)->screen, FIONREAD, &waiting) == 0 && waiting > 0;
}

static void a_bar_on_a_terminal(void **state)
{
    char text[4096];
    struct terminal terminal = terminal_open();
    struct program program = { .err_to = terminal.end };
    program_run(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
    terminal_close(&terminal, text, sizeof text);
    assert_non_null(strstr(text, WIPE "inline       [#"));
    assert_non_null(strstr(text, "% of 60.0 MB"));
    assert_true(ends_in(text, WIPE));
    assert_null(strchr(text, '\n'));
    check_finished(&program);
    program_free(&program);
}

static void ctrl_c_wipes_the_bar(void **state)
{
    char text[4096];
    struct terminal terminal = terminal_open();
    struct program program = { .err_to = terminal.end };
    program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
    test_until(has_drawn, &terminal);
    kill(-program.pid, SIGINT);
    program_wait(&program);
    terminal_close(&terminal, text, sizeof text);
    assert_int_equal(program.status, -SIGINT);
    assert_true(ends_in(text, WIPE "wordcount: interrupted\r\n"));
    program_free(&program);
}

/* Who draws the bar ends too. */
static void killed_on_a_terminal(void **state)
{
    char text[4096];
    struct terminal terminal = terminal_open();
    struct program program = { .err_to = terminal.end };
    program_start(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
    test_until(has_drawn, &terminal);
    kill(program.pid, SIGKILL);
    program_wait(&program);
    terminal_close(&terminal, text, sizeof text);
    assert_int_equal(program.status, -SIGKILL);
    program_free(&program);
}

/* --- started without standard input, output or error ------------------------------------------------------------------ */

static void started_with_closed_descriptors(void **state)
{
    for (unsigned closed = 1; closed < 8; closed++) {
        struct program program = { .closed = closed };
        const bool can_print = !(closed & 1u << STDOUT_FILENO), can_complain = !(closed & 1u << STDERR_FILENO);
        program_run(&program, "wordcount", "-j2", ALL_WORDS, TREE, NULL);
        if (can_print) {
            check_finished(&program);
        } else {
            assert_int_equal(program.status, 1);
            assert_string_equal(program.out, "");
            assert_string_equal(program.err, can_complain ? "wordcount: standard output: Bad file descriptor\n" : "");
        }
        program_free(&program);
    }
}

/* --- files that change ------------------------------------------------------------------------------------------------ */

static int change_for_ever(void *name)
{
    for (int fd = open(name, O_RDWR | O_CLOEXEC);; sleep_up_to(0.001))
        CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, 3000000) == 0 && pwrite(fd, "words", 5, 2000000) == 5);
    return 0;
}

/* The two counts may see different things, which has to be told; but nothing may crash. */
static void a_file_that_shrinks_and_grows(void **state)
{
    make_file("a", "a", 1);
    test_seed();
    pid_t changer = test_fork(change_for_ever, "a");
    for (int round = 0; round < 10; round++) {
        struct program program = { 0 };
        program_run(&program, "wordcount", "a", NULL);
        assert_in_range(program.status, 0, 1);
        if (program.status) assert_non_null(strstr(program.err, "wordcount: the results differ!"));
        program_free(&program);
    }
    kill(changer, SIGKILL);
    assert_int_equal(test_wait_exit(changer), -SIGKILL);
    remove("a");
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

static const struct CMUnitTest tests[] = {
    WITH_TREE(ctrl_c_while_it_lists),
    WITH_TREE(ctrl_c_while_it_counts),
    WITH_TREE(sigint_to_the_first_process),
    WITH_TREE(sigterm_to_the_first_process),
    WITH_TREE(ctrl_c_at_any_moment),
    WITH_TREE(ctrl_c_that_is_ignored),
    WITH_TREE(a_worker_is_killed),
    WITH_TREE(all_workers_are_killed),
    WITH_TREE(workers_are_killed_for_ever),
    WITH_TREE(the_first_process_is_killed),
    WITH_TREE(the_first_process_is_killed_while_a_worker_is_stopped),
    WITH_TREE(a_pipe_that_is_closed),
    WITH_TREE(a_bar_on_a_terminal),
    WITH_TREE(ctrl_c_wipes_the_bar),
    WITH_TREE(killed_on_a_terminal),
    WITH_TREE(started_with_closed_descriptors),
    cmocka_unit_test(a_file_that_shrinks_and_grows),
};

TEST_MAIN_WITHIN(tests, 120)
