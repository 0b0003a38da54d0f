/* What is left to do when a process exits: plait_at_exit, ending daemons, joining children and threads.  Each test runs in a host
 * that notes what happens, one letter each. */
#include "starts.h"

static struct notes {
    _Atomic int length;
    char letters[60];
    _Atomic int flag, ready, go;
    _Atomic pid_t pid;
} *notes;

static void note(char letter)
{
    notes->letters[atomic_fetch_add(&notes->length, 1)] = letter;
}

static void note_letter(void *text)
{
    note(*(char *)text);
}

static void at_exit(const char *letter, int priority)
{
    CHECK(plait_at_exit(note_letter, (void *)(uintptr_t)letter, priority) == 0);
}

struct scene {
    void (*body)(void);
    bool has_init;
};

static int play(void *argument)
{
    const struct scene *scene = argument;
    if (scene->has_init) be_program();
    scene->body();
    exit(3);
}

static void expect(struct scene scene, int exitcode, const char *letters)
{
    notes = test_shared(sizeof *notes);
    assert_int_equal(test_wait_exit(test_fork(play, &scene)), exitcode);
    assert_string_equal(notes->letters, letters);
}

static void expect_with_and_without_init(void (*body)(void), const char *letters)
{
    expect((struct scene){ body, .has_init = true }, 3, letters);
    expect((struct scene){ body, .has_init = false }, 3, letters);
}

/* ---- order ---- */

static void register_some(void)
{
    at_exit("a", 0);
    at_exit("b", 10);
    at_exit("c", 10);
    at_exit("d", -1);
    at_exit("e", -1);
    at_exit("f", 5);
    at_exit("g", INT32_MAX);
    at_exit("h", INT32_MIN);
    at_exit("i", 0);
    CHECK(plait_at_exit(NULL, NULL, 0) == -EINVAL);
}

static void higher_priorities_first_then_the_latest(void **state)
{
    expect_with_and_without_init(register_some, "gcbfiaedh");
}

static void handler(void)
{
    note('x');
}

static void register_handlers(void)
{
    atexit(handler);
    at_exit("a", 0);
    atexit(handler);
}

static void they_run_behind_handlers_that_are_registered_later(void **state)
{
    expect((struct scene){ register_handlers, .has_init = true }, 3, "xxa");
    expect((struct scene){ register_handlers, .has_init = false }, 3, "xax");
}

static void register_some_and__exit(void)
{
    register_some();
    _exit(4);
}

static void register_some_and_die(void)
{
    register_some();
    raise(SIGKILL);
}

static void _exit_and_SIGKILL_run_none(void **state)
{
    expect((struct scene){ register_some_and__exit, .has_init = true }, 4, "");
    expect((struct scene){ register_some_and_die, .has_init = true }, -SIGKILL, "");
}

/* ---- finalizers that do more ---- */

static void register_another(void *unused)
{
    note('r');
    at_exit("1", 1);
    at_exit("2", 0);
    at_exit("3", -1);
}

static void register_one_that_registers(void)
{
    CHECK(plait_at_exit(register_another, NULL, 0) == 0);
    at_exit("a", 0);
    at_exit("z", -2);
}

static void one_may_register_others(void **state)
{
    expect_with_and_without_init(register_one_that_registers, "ar123z");
}

static int note_p(void *unused)
{
    note('p');
    return 0;
}

static void start_one(void *unused)
{
    note('s');
    CHECK(plait_start(note_p, NULL, 0, NULL));
}

static void register_one_that_starts(void)
{
    CHECK(plait_at_exit(start_one, NULL, 0) == 0);
    at_exit("z", -1);
}

static void one_may_start_a_process_which_is_waited_for(void **state)
{
    expect_with_and_without_init(register_one_that_starts, "spz");
}

static void exit_with_5(void *unused)
{
    note('e');
    exit(5);
}

static void handler_of_the_parent(void)
{
    note('!');
}

static void register_those_that_exit(void)
{
    at_exit("a", 9);
    CHECK(plait_at_exit(exit_with_5, NULL, 8) == 0);
    at_exit("b", 7);
    CHECK(plait_at_exit(exit_with_5, NULL, 6) == 0);
    at_exit("c", 5);
    CHECK(plait_start(note_p, NULL, 0, NULL));
    CHECK(plait_at_exit(exit_with_5, NULL, -1) == 0);
    at_exit("z", -2);
}

/* The others still run, and children are joined. */
static bool is_one_of(const char *letters, const char *const expected[])
{
    for (int i = 0; expected[i]; i++)
        if (strcmp(letters, expected[i]) == 0) return true;
    return false;
}

static const char *const with_p_anywhere[] = { "paebecez", "apebecez", "aepbecez", "aebpecez", "aebepcez", "aebecpez", NULL };

static void one_may_call_exit(void **state)
{
    for (int has_init = 0; has_init < 2; has_init++) {
        notes = test_shared(sizeof *notes);
        assert_int_equal(test_wait_exit(test_fork(play, &(struct scene){ register_those_that_exit, .has_init = has_init })), 5);
        assert_true(is_one_of(notes->letters, with_p_anywhere));
    }
}

static int be_child_that_exits(void *unused)
{
    register_those_that_exit();
    return 2;
}

static void start_one_that_exits(void)
{
    atexit(handler_of_the_parent);
    at_exit("!", 0);
    plait_process *process = plait_start(be_child_that_exits, NULL, 0, NULL);
    CHECK(process && plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == 5 && plait_process_free(process) == 0);
    CHECK(is_one_of(notes->letters, with_p_anywhere));
    _exit(6);
}

/* Where the C library tells exit handlers no status, they do. */
static void one_of_a_child_too_and_not_even_then_its_parents_run(void **state)
{
#ifndef __GLIBC__
    skip();
#endif
    for (int has_init = 0; has_init < 2; has_init++) {
        notes = test_shared(sizeof *notes);
        assert_int_equal(test_wait_exit(test_fork(play, &(struct scene){ start_one_that_exits, .has_init = has_init })), 6);
    }
}

/* ---- children ---- */

static int be_child(void *by_exit)
{
    at_exit("a", 0);
    at_exit("b", -1);
    at_exit("c", 1);
    if (by_exit) exit(7);
    return 7;
}

static void start_children(void)
{
    at_exit("p", 0);
    end_with(plait_start(be_child, NULL, 0, NULL), 7);
    end_with(plait_start(be_child, notes, 0, NULL), 7);
}

static void a_forked_child_begins_with_none(void **state)
{
    expect_with_and_without_init(start_children, "cabcabp");
}

struct spawned {
    _Atomic int length;
    char letters[20];
};

static struct spawned *of_spawned;

static void note_in_spawned(void *text)
{
    of_spawned->letters[atomic_fetch_add(&of_spawned->length, 1)] = *(char *)text;
}

static int be_spawned(void *argument)
{
    of_spawned = argument;
    CHECK(plait_at_exit(note_in_spawned, "a", 0) == 0 && plait_at_exit(note_in_spawned, "b", -1) == 0);
    CHECK(plait_at_exit(note_in_spawned, "c", 1) == 0);
    if (of_spawned->letters[0] == 'e') exit(7);
    return 7;
}

static void spawn_children(void)
{
    for (int i = 0; i < 2; i++) {
        struct spawned *noted = plait_alloc(sizeof *noted);
        noted->letters[0] = i ? 'e' : 0;
        end_with(plait_start(be_spawned, noted, 0, &(plait_process_options){ .method = PLAIT_SPAWN }), 7);
        CHECK(strcmp(noted->letters, "cab") == 0 && plait_free(noted) == 0);
    }
}

static void a_spawned_child_runs_its_own(void **state)
{
    expect((struct scene){ spawn_children, .has_init = true }, 3, "");
}

static void fork_by_itself(void)
{
    at_exit("p", 0);
    const pid_t pid = fork();
    if (pid == 0) exit(8);
    CHECK(test_wait_exit(pid) == 8);
}

static void a_fork_of_the_programs_own_runs_none(void **state)
{
    expect_with_and_without_init(fork_by_itself, "p");
}

static void fork_and_register(void)
{
    at_exit("p", 0);
    const pid_t pid = fork();
    if (pid == 0) {
        at_exit("c", 0);
        exit(8);
    }
    CHECK(test_wait_exit(pid) == 8);
}

static void but_those_that_it_registers(void **state)
{
    expect_with_and_without_init(fork_and_register, "cp");
}

/* ---- joining ---- */

static int note_when_told(void *unused)
{
    notes->ready = 1;
    test_until(is_set, &notes->go);
    note('c');
    return 0;
}

static int let_go_when_it_waits(void *pid)
{
    test_until_sleeps(*(pid_t *)pid);
    note('g');
    notes->go = 1;
    return 0;
}

static void start_a_child_and_leave(void)
{
    pid_t pid = getpid();
    at_exit("f", 0);
    at_exit("z", -1);
    CHECK(plait_start(note_when_told, NULL, 0, NULL));
    test_fork(let_go_when_it_waits, &pid);
}

static void children_are_joined_between_the_two(void **state)
{
    expect((struct scene){ start_a_child_and_leave, .has_init = true }, 3, "fgcz");
}

static void start_a_thread_and_leave(void)
{
    pid_t pid = getpid();
    at_exit("f", 0);
    CHECK(plait_start(note_when_told, NULL, 0, &(plait_process_options){ .kind = PLAIT_THREADS }));
    test_fork(let_go_when_it_waits, &pid);
}

static void threads_are_joined_before_all(void **state)
{
    expect((struct scene){ start_a_thread_and_leave, .has_init = true }, 3, "gcf");
}

static int run_on_as_thread(void *unused)
{
    notes->ready = 1;
    sleep_for_ever();
}

static void start_a_daemon_thread_and_leave(void)
{
    at_exit("f", 0);
    CHECK(plait_start(run_on_as_thread, NULL, 0, &(plait_process_options){ .kind = PLAIT_THREADS, .daemon = 1 }));
    test_until(is_set, &notes->ready);
}

static void those_that_are_daemons_are_not(void **state)
{
    expect((struct scene){ start_a_daemon_thread_and_leave, .has_init = true }, 3, "f");
}

static int exit_with_9(void *unused)
{
    exit(9);
}

static void start_a_thread_that_exits(void)
{
    at_exit("f", 0);
    CHECK(plait_start(exit_with_9, NULL, 0, &(plait_process_options){ .kind = PLAIT_THREADS }));
    sleep_for_ever();
}

static void a_thread_may_call_exit(void **state)
{
    expect((struct scene){ start_a_thread_that_exits, .has_init = true }, 9, "f");
    expect((struct scene){ start_a_thread_that_exits, .has_init = false }, 9, "f");
}

static void start_a_detached_one(void)
{
    plait_process *process = plait_start(run_on, NULL, 0, &(plait_process_options){ .detached = 1 });
    CHECK(process);
    notes->pid = plait_process_pid(process);
}

static void a_detached_child_is_not_waited_for(void **state)
{
    adopt_orphans();
    expect((struct scene){ start_a_detached_one, .has_init = true }, 3, "");
    CHECK(kill(notes->pid, SIGKILL) == 0);
    assert_int_equal(test_wait_exit(notes->pid), -SIGKILL);
}

/* ---- daemons ---- */

static void note_t(int unused)
{
    note('t');
    _exit(0);
}

static int be_daemon(void *handler_of_SIGTERM)
{
    signal(SIGTERM, handler_of_SIGTERM ? SIG_IGN : note_t);
    notes->ready++;
    sleep_for_ever();
}

static void start_a_daemon(void)
{
    at_exit("f", 0);
    at_exit("z", -1);
    CHECK(plait_start(be_daemon, NULL, 0, &(plait_process_options){ .daemon = 1 }));
    test_until(is_set, &notes->ready);
}

static void a_daemon_gets_SIGTERM(void **state)
{
    expect((struct scene){ start_a_daemon, .has_init = true }, 3, "ftz");
}

static bool all_are_ready(void *count)
{
    return notes->ready == *(int *)count;
}

enum { STUBBORN = 4 };

static void start_stubborn_daemons(void)
{
    at_exit("f", 0);
    at_exit("z", -1);
    for (int i = 0; i < STUBBORN; i++) CHECK(plait_start(be_daemon, notes, 0, &(plait_process_options){ .daemon = 1 }));
    test_until(all_are_ready, &(int){ STUBBORN });
}

/* Each gets the same two seconds. */
static void one_that_ignores_it_gets_SIGKILL_after_2_s(void **state)
{
    const double since = seconds_now();
    expect((struct scene){ start_stubborn_daemons, .has_init = true }, 3, "fz");
    const double took = seconds_now() - since;
    assert_true(took >= 2);
    if (took >= 2 * STUBBORN) fail_msg("%d daemons took %.1f s", STUBBORN, took);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(higher_priorities_first_then_the_latest),
    cmocka_unit_test(they_run_behind_handlers_that_are_registered_later),
    cmocka_unit_test(_exit_and_SIGKILL_run_none),
    cmocka_unit_test(one_may_register_others),
    cmocka_unit_test(one_may_start_a_process_which_is_waited_for),
    cmocka_unit_test(one_may_call_exit),
    cmocka_unit_test(one_of_a_child_too_and_not_even_then_its_parents_run),
    cmocka_unit_test(a_forked_child_begins_with_none),
    cmocka_unit_test(a_spawned_child_runs_its_own),
    cmocka_unit_test(a_fork_of_the_programs_own_runs_none),
    cmocka_unit_test(but_those_that_it_registers),
    cmocka_unit_test(children_are_joined_between_the_two),
    cmocka_unit_test(threads_are_joined_before_all),
    cmocka_unit_test(those_that_are_daemons_are_not),
    cmocka_unit_test(a_thread_may_call_exit),
    cmocka_unit_test(a_detached_child_is_not_waited_for),
    cmocka_unit_test(a_daemon_gets_SIGTERM),
    cmocka_unit_test(one_that_ignores_it_gets_SIGKILL_after_2_s),
};
TEST_MAIN(tests)
