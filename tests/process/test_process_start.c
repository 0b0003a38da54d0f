/* Starting a function in a process: what the function gets, how its end is told, and what is refused. */
#include "host.h"

#include <plait.h>

#include "arena/heap.h"

/* Start, wait, free: the exit code. */
static int run(int (*function)(void *), const void *argument, size_t size)
{
    plait_process *process = plait_start(function, argument, size, NULL);
    assert_non_null(process);
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    const int exitcode = plait_process_exitcode(process);
    assert_int_equal(plait_process_free(process), 0);
    return exitcode;
}

/* ---- the end ---- */

static int return_it(void *number)
{
    return *(int *)number;
}

static void every_exit_code_is_told(void **state)
{
    for (int code = 0; code < 256; code++) assert_int_equal(run(return_it, &code, sizeof code), code);
}

static void of_a_result_the_low_eight_bits_count(void **state)
{
    static const struct { int result, exitcode; } cases[] = {
        { 256, 0 }, { 257, 1 }, { -1, 255 }, { -256, 0 }, { INT32_MAX, 255 }, { INT32_MIN, 0 }, { 0x7fff1234, 0x34 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(run(return_it, &cases[i].result, sizeof cases[i].result), cases[i].exitcode);
}

static int call_exit(void *number)
{
    exit(*(int *)number);
}

static int call__exit(void *number)
{
    _exit(*(int *)number);
}

static void *exit_in_a_thread(void *number)
{
    exit(*(int *)number);
}

static int exit_from_a_thread(void *number)
{
    thread_end(thread_start(exit_in_a_thread, number));
    return 1;
}

static void a_child_may_leave_by_exit(void **state)
{
    assert_int_equal(run(call_exit, &(int){ 5 }, sizeof(int)), 5);
    assert_int_equal(run(call_exit, &(int){ 0 }, sizeof(int)), 0);
    assert_int_equal(run(call_exit, &(int){ 0x107 }, sizeof(int)), 7);
    assert_int_equal(run(exit_from_a_thread, &(int){ 8 }, sizeof(int)), 8);
}

static void a_child_may_leave_by__exit(void **state)
{
    assert_int_equal(run(call__exit, &(int){ 6 }, sizeof(int)), 6);
    assert_int_equal(run(call__exit, &(int){ 0 }, sizeof(int)), 0);
}

static int call_abort(void *unused)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void an_abort_is_a_death_by_SIGABRT(void **state)
{
    assert_int_equal(run(call_abort, NULL, 0), -SIGABRT);
}

static int die_by(void *number)
{
    signal(*(int *)number, SIG_DFL);
    raise(*(int *)number);
    return 1;
}

static void a_death_by_a_signal_is_told_as_minus_the_signal(void **state)
{
    const int fatal[] = { SIGSEGV, SIGKILL, SIGTERM, SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGBUS,   SIGFPE,   SIGUSR1,
                          SIGPIPE, SIGALRM, SIGXCPU, SIGXFSZ, SIGPROF, SIGIO,   SIGPWR,  SIGSYS,  SIGRTMIN, SIGRTMAX };
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        assert_int_equal(run(die_by, &fatal[i], sizeof fatal[i]), -fatal[i]);
}

/* ---- copied arguments ---- */

enum { WORDS = 100 * 1000 };

static _Atomic int *changed;            /* shared: the parent has changed what it passed */

static int expect_old_words(void *argument)
{
    test_until(is_set, changed);
    const uint32_t *words = argument;
    for (uint32_t i = 0; i < WORDS; i++) CHECK(words[i] == i);
    return 0;
}

/* Start a child with a copy of these words, and change them as soon as the call has returned. */
static void change_after_the_start(uint32_t *words)
{
    if (!changed) changed = test_shared(sizeof *changed);
    *changed = 0;
    for (uint32_t i = 0; i < WORDS; i++) words[i] = i;
    plait_process *process = plait_start(expect_old_words, words, WORDS * sizeof *words, NULL);
    memset(words, 0xff, WORDS * sizeof *words);
    *changed = 1;
    assert_non_null(process);
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_exitcode(process), 0);
    assert_int_equal(plait_process_free(process), 0);
}

static void an_argument_with_a_size_is_copied_from_private_memory(void **state)
{
    static uint32_t words[WORDS];
    change_after_the_start(words);
}

static void an_argument_with_a_size_is_copied_from_memory_of_the_arena(void **state)
{
    uint32_t *words = plait_alloc(WORDS * sizeof *words);
    assert_non_null(words);
    change_after_the_start(words);
    plait_free(words);
}

static void an_argument_with_a_size_is_copied_from_other_shared_memory(void **state)
{
    uint32_t *words = test_shared(WORDS * sizeof *words);
    change_after_the_start(words);
}

static int count_up(void *number)
{
    return ++*(int *)number;
}

static void a_child_may_write_to_its_copy(void **state)
{
    int *number = plait_alloc(sizeof *number);
    *number = 41;
    assert_int_equal(run(count_up, number, sizeof *number), 42);
    assert_int_equal(run(count_up, number, sizeof *number), 42);
    assert_int_equal(*number, 41);
    plait_free(number);
}

static int is_aligned(void *argument)
{
    return (uintptr_t)argument % _Alignof(max_align_t) == 0;
}

static void a_copy_is_aligned_for_everything(void **state)
{
    const char text[] = "unaligned";
    for (size_t i = 0; i < sizeof text; i++) assert_int_equal(run(is_aligned, text + i, sizeof text - i), 1);
}

/* ---- pointer arguments ---- */

static int count_up_there(void *number)
{
    ++*(int *)number;
    return 0;
}

static void an_argument_without_a_size_is_the_pointer_itself(void **state)
{
    int *number = plait_alloc(sizeof *number);
    assert_int_equal(run(count_up_there, number, 0), 0);
    assert_int_equal(run(count_up_there, number, 0), 0);
    assert_int_equal(*number, 2);
    plait_free(number);
}

static int is_null(void *argument)
{
    return argument == NULL;
}

static void no_argument_is_NULL(void **state)
{
    assert_int_equal(run(is_null, NULL, 0), 1);
}

static int global = 1;

static int change_global(void *unused)
{
    return ++global;
}

static void global_variables_are_copies(void **state)
{
    assert_int_equal(run(change_global, NULL, 0), 2);
    assert_int_equal(global, 1);
}

/* ---- who it is ---- */

static int note_pids(void *pids)
{
    ((pid_t *)pids)[0] = getpid();
    ((pid_t *)pids)[1] = getppid();
    return 0;
}

static void a_child_has_the_pid_that_is_told_also_after_its_end(void **state)
{
    pid_t *pids = plait_alloc(2 * sizeof *pids);
    plait_process *process = plait_start(note_pids, pids, 0, &(plait_process_options){ .daemon = 0 });
    assert_non_null(process);
    const pid_t pid = plait_process_pid(process);
    assert_int_equal(plait_process_join(process, PLAIT_FOREVER), 0);
    assert_int_equal(plait_process_pid(process), pid);
    assert_int_equal(pids[0], pid);
    assert_int_equal(pids[1], getpid());
    assert_int_equal(plait_process_free(process), 0);
    plait_free(pids);
}

static void *run_in_a_thread(void *unused)
{
    assert_int_equal(run(return_it, &(int){ 9 }, sizeof(int)), 9);
    return NULL;
}

static void a_thread_can_start_a_process_too(void **state)
{
    thread_end(thread_start(run_in_a_thread, NULL));
}

static int run_another(void *number)
{
    plait_process *process = plait_start(return_it, number, sizeof(int), NULL);
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    const int exitcode = plait_process_exitcode(process);
    CHECK(plait_process_free(process) == 0);
    return exitcode;
}

static void a_child_can_start_a_process_too(void **state)
{
    assert_int_equal(run(run_another, &(int){ 10 }, sizeof(int)), 10);
}

/* ---- refusals ---- */

/* Nothing is started, nothing kept; errno and the detail say why. */
static void expect_refusal(int (*function)(void *), const void *argument, size_t size, const plait_process_options *options,
                           const char *detail)
{
    const size_t blocks = plait__heap_count(0);
    errno = 0;
    assert_null(plait_start(function, argument, size, options));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(plait_error_detail(), detail));
    assert_int_equal(plait__heap_count(0), blocks);
}

static void no_function_is_refused(void **state)
{
    expect_refusal(NULL, NULL, 0, NULL, "the function is NULL");
}

static void a_size_without_an_argument_is_refused(void **state)
{
    expect_refusal(return_it, NULL, 4, NULL, "the argument is NULL, its size 4");
}

static void reserved_fields_must_be_zero(void **state)
{
    const char *detail = "a reserved field is not zero";
    expect_refusal(return_it, NULL, 0, &(plait_process_options){ .reserved_int = 1 }, detail);
    for (int i = 0; i < 6; i++) {
        plait_process_options options = { 0 };
        options.reserved[i] = 1;
        expect_refusal(return_it, NULL, 0, &options, detail);
    }
}

static void without_a_process_everything_is_EINVAL(void **state)
{
    assert_int_equal(plait_process_join(NULL, PLAIT_FOREVER), -EINVAL);
    assert_int_equal(plait_process_exitcode(NULL), -EINVAL);
    assert_int_equal(plait_process_is_alive(NULL), -EINVAL);
    assert_int_equal(plait_process_pid(NULL), -EINVAL);
    assert_int_equal(plait_process_terminate(NULL), -EINVAL);
    assert_int_equal(plait_process_kill(NULL), -EINVAL);
    assert_int_equal(plait_process_sentinel(NULL), -EINVAL);
    assert_string_equal(plait_error_detail(), "the process is NULL");
    assert_string_equal(plait_process_name(NULL), "");
    assert_int_equal(plait_process_free(NULL), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_exit_code_is_told),
    cmocka_unit_test(of_a_result_the_low_eight_bits_count),
    cmocka_unit_test(a_child_may_leave_by_exit),
    cmocka_unit_test(a_child_may_leave_by__exit),
    cmocka_unit_test(an_abort_is_a_death_by_SIGABRT),
    cmocka_unit_test(a_death_by_a_signal_is_told_as_minus_the_signal),
    cmocka_unit_test(an_argument_with_a_size_is_copied_from_private_memory),
    cmocka_unit_test(an_argument_with_a_size_is_copied_from_memory_of_the_arena),
    cmocka_unit_test(an_argument_with_a_size_is_copied_from_other_shared_memory),
    cmocka_unit_test(a_child_may_write_to_its_copy),
    cmocka_unit_test(a_copy_is_aligned_for_everything),
    cmocka_unit_test(an_argument_without_a_size_is_the_pointer_itself),
    cmocka_unit_test(no_argument_is_NULL),
    cmocka_unit_test(global_variables_are_copies),
    cmocka_unit_test(a_child_has_the_pid_that_is_told_also_after_its_end),
    cmocka_unit_test(a_thread_can_start_a_process_too),
    cmocka_unit_test(a_child_can_start_a_process_too),
    cmocka_unit_test(no_function_is_refused),
    cmocka_unit_test(a_size_without_an_argument_is_refused),
    cmocka_unit_test(reserved_fields_must_be_zero),
    cmocka_unit_test(without_a_process_everything_is_EINVAL),
};

TEST_MAIN(tests)
