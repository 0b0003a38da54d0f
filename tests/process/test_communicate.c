/* Talking with a child, at once or in pieces: plait_process_communicate. */
#include "other_programs.h"

enum { MUCH = 5 << 20 };

static char *much(void)
{
    char *bytes = malloc(MUCH);
    CHECK(bytes);
    for (int i = 0; i < MUCH; i++) bytes[i] = (char)(i * 2654435761u >> 13);
    return bytes;
}

static int exchange_much(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    char *bytes = much();
    plait_captured captured;
    plait_process *cat = start(SHELL("tee /dev/stderr"), &with_pipes);
    CHECK(plait_process_communicate(cat, bytes, MUCH, &captured, PLAIT_FOREVER) == 0);
    CHECK(captured.output_size == MUCH && memcmp(captured.output, bytes, MUCH) == 0 && captured.output[MUCH] == 0);
    CHECK(captured.errors_size == MUCH && memcmp(captured.errors, bytes, MUCH) == 0);
    plait_captured_free(&captured);
    CHECK(!captured.output && !captured.output_size);
    end_with(cat, 0);
    free(bytes);
    traces_must_be(&before);
    return 0;
}

static void megabytes_in_both_directions(void **state)
{
    host_run(exchange_much, NULL);
}

static int capture_what_there_is(void *unused)
{
    plait_captured captured;
    plait_process *program = start(ARGV("true"), NULL);
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0 && !captured.output && !captured.errors);
    CHECK(plait_process_communicate(program, "x", 1, &captured, PLAIT_FOREVER) == -EINVAL);
    end_with(program, 0);
    program = start(ARGV("true"), &(plait_process_options){ .output = PLAIT_STREAM_PIPE });
    for (int i = 0; i < 2; i++) {
        CHECK(plait_process_communicate(program, "x", 1, &captured, PLAIT_FOREVER) == -EINVAL && !captured.output);
        CHECK_TEXT(plait_error_detail(), "has no pipe for its input");
    }
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(captured.output && !captured.output_size && !*captured.output && !captured.errors);
    plait_captured_free(&captured);
    plait_captured_free(NULL);
    CHECK(plait_process_communicate(program, NULL, 1, &captured, PLAIT_FOREVER) == -EINVAL);
    CHECK(plait_process_communicate(program, NULL, 0, NULL, PLAIT_FOREVER) == -EINVAL);
    CHECK(plait_process_communicate(NULL, NULL, 0, &captured, PLAIT_FOREVER) == -EINVAL);
    end_with(program, 0);
    program = plait_program_new(ARGV("true"), NULL);
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == PLAIT_ENOTSTARTED);
    CHECK(plait_process_free(program) == 0);
    CHECK(plait_process_communicate(plait_current_process(), "x", 1, &captured, PLAIT_NOW) == -EINVAL);
    CHECK(plait_process_stream(plait_current_process(), 1) == -EINVAL);
    CHECK(plait_process_close_stream(plait_current_process(), 0) == -EINVAL);
    CHECK(is_open(0) && is_open(1));
    return 0;
}

static void without_pipes_there_is_nothing(void **state)
{
    host_run(capture_what_there_is, NULL);
}

/* It does not read before it is told to by a file; so much input does not fit into a pipe. */
static int come_back_later(void *unused)
{
    char folder[] = "/tmp/plait-test-XXXXXX", *bytes = much();
    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    plait_captured captured;
    plait_process *program = start(SHELL("echo begun; while [ ! -e go ]; do sleep 0.01; done; cat"), &with_pipes);
    for (int i = 0; i < 3; i++) {
        CHECK(plait_process_communicate(program, bytes, MUCH, &captured, i ? PLAIT_NOW : plait_after(0.05)) == -ETIMEDOUT);
        CHECK(!captured.output && !captured.errors);
        CHECK_TEXT(plait_error_detail(), "is still running");
    }
    CHECK(plait_process_communicate(program, bytes, 1, &captured, PLAIT_NOW) == -EINVAL);
    write_file("go", "", 0600);
    CHECK(plait_process_communicate(program, bytes, MUCH, &captured, PLAIT_FOREVER) == 0);
    CHECK(captured.output_size == MUCH + 6 && memcmp(captured.output, "begun\n", 6) == 0);
    CHECK(memcmp(captured.output + 6, bytes, MUCH) == 0);
    plait_captured_free(&captured);
    end_with(program, 0);
    free(bytes);
    return unlink("go") + rmdir(folder);
}

static void after_a_deadline_it_goes_on(void **state)
{
    host_run(come_back_later, NULL);
}

static int give_up_after_a_deadline(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    char *bytes = much();
    plait_captured captured;
    plait_process *program = start(SHELL("echo begun; exec sleep 1000"), &with_pipes);
    CHECK(plait_process_communicate(program, bytes, MUCH, &captured, plait_after(0.01)) == -ETIMEDOUT);
    CHECK(plait_process_kill(program) == 0);
    end_with(program, -SIGKILL);
    free(bytes);
    traces_must_be(&before);
    return 0;
}

static void one_that_was_interrupted_may_be_freed(void **state)
{
    host_run(give_up_after_a_deadline, NULL);
}

static _Atomic int broken_pipes;

static void count_broken_pipe(int unused)
{
    broken_pipes++;
}

static int write_in_vain(void *action)
{
    char *bytes = much();
    plait_captured captured;
    sigset_t pending;
    signal(SIGPIPE, action ? action == SIG_IGN ? SIG_IGN : count_broken_pipe : SIG_DFL);
    plait_process *program = start(SHELL("head -c 3; exec <&-; echo bye; exit 9"), &with_pipes);
    CHECK(plait_process_communicate(program, bytes, MUCH, &captured, PLAIT_FOREVER) == 0);
    CHECK(captured.output_size == 3 + 4 && memcmp(captured.output + 3, "bye\n", 4) == 0);
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE) && broken_pipes == 0);
    plait_captured_free(&captured);
    end_with(program, 9);
    free(bytes);
    return 0;
}

static void a_child_that_wants_no_more_is_no_error(void **state)
{
    host_run(write_in_vain, NULL);
    host_run(write_in_vain, SIG_IGN);
    host_run(write_in_vain, count_broken_pipe);
}

static int have_errors_in_output(void *unused)
{
    plait_captured captured;
    plait_process *program = start(SHELL("echo one; echo two >&2; echo three"),
                                   &(plait_process_options){ .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_OUTPUT });
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(strcmp(captured.output, "one\ntwo\nthree\n") == 0 && !captured.errors);
    plait_captured_free(&captured);
    end_with(program, 0);
    return 0;
}

static void errors_go_where_output_goes(void **state)
{
    host_run(have_errors_in_output, NULL);
}

/* The child has ended; who keeps its pipes open is its child. */
static int be_held_up_by_a_grandchild(void *unused)
{
    adopt_orphans();
    plait_captured captured;
    plait_process *program = start(SHELL("sleep 1000 & echo $!"), &with_pipes);
    CHECK(plait_process_join(program, PLAIT_FOREVER) == 0);
    CHECK(plait_process_communicate(program, NULL, 0, &captured, plait_after(0.02)) == -ETIMEDOUT);
    pid_t grandchild = 0;
    char path[64], text[20] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    CHECK(children && fgets(text, sizeof text, children) && fclose(children) == 0 && (grandchild = atoi(text)) > 0);
    CHECK(kill(grandchild, SIGKILL) == 0);
    CHECK(plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK(atoi(captured.output) == grandchild && test_wait_exit(grandchild) == -SIGKILL);
    plait_captured_free(&captured);
    end_with(program, 0);
    return 0;
}

static void a_grandchild_may_hold_the_pipe(void **state)
{
    host_run(be_held_up_by_a_grandchild, NULL);
}

static int read_it_oneself(void *unused)
{
    char text[20] = "";
    plait_captured captured;
    plait_process *program = start(SHELL("read line; echo \"<$line>\"; cat"), &with_pipes);
    CHECK(write(plait_process_stream(program, 0), "hello\n", 6) == 6);
    CHECK(read(plait_process_stream(program, 1), text, sizeof text) == 8 && strcmp(text, "<hello>\n") == 0);
    CHECK(plait_process_communicate(program, "more", 4, &captured, PLAIT_FOREVER) == 0 && strcmp(captured.output, "more") == 0);
    plait_captured_free(&captured);
    end_with(program, 0);
    return 0;
}

static void its_streams_may_be_used_before(void **state)
{
    host_run(read_it_oneself, NULL);
}

/* ---- a function's process may be talked with, too ---- */

static int copy(void *unused)
{
    int byte;
    while ((byte = getchar()) != EOF) putchar(byte);
    return 4;
}

static int talk_with_functions(void *unused)
{
    be_program();
    char *bytes = much();
    for (int method = PLAIT_FORK; method <= PLAIT_SPAWN; method++) {
        plait_captured captured;
        plait_process_options options = with_pipes;
        options.method = method;
        plait_process *process = plait_start(copy, NULL, 0, &options);
        CHECK(process && plait_process_communicate(process, bytes, 1 << 20, &captured, PLAIT_FOREVER) == 0);
        CHECK(captured.output_size == 1 << 20 && memcmp(captured.output, bytes, 1 << 20) == 0 && captured.errors_size == 0);
        plait_captured_free(&captured);
        end_with(process, 4);
    }
    free(bytes);
    return 0;
}

static void a_function_is_talked_with_in_the_same_way(void **state)
{
    host_run(talk_with_functions, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(megabytes_in_both_directions),
    cmocka_unit_test(without_pipes_there_is_nothing),
    cmocka_unit_test(after_a_deadline_it_goes_on),
    cmocka_unit_test(one_that_was_interrupted_may_be_freed),
    cmocka_unit_test(a_child_that_wants_no_more_is_no_error),
    cmocka_unit_test(errors_go_where_output_goes),
    cmocka_unit_test(a_grandchild_may_hold_the_pipe),
    cmocka_unit_test(its_streams_may_be_used_before),
    cmocka_unit_test(a_function_is_talked_with_in_the_same_way),
};
TEST_MAIN(tests)
