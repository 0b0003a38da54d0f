/* Options of the forkserver: stocks of all sizes, what preload leaves behind, stopping, and starting again. */
#include "served.h"

#include "program.h"

/* ---- stocks ---- */

struct wanted {
    int least, most;
};

static bool server_has(void *argument)
{
    const struct wanted *wanted = argument;
    pid_t pids[300];
    const int count = (int)program_children(plait_forkserver_pid(), pids, 300);
    return count >= wanted->least && count <= wanted->most;
}

/* It sees to it that half of the stock is there; the rest may come later. */
static void until_server_has(int busy, int stock)
{
    test_until(server_has, &(struct wanted){ busy + (stock + 1) / 2, busy + stock });
}

static void the_stock_is_there_at_once(void)
{
    pid_t pids[16];
    CHECK(program_children(plait_forkserver_pid(), pids, 16) == 4);
}

static void who_is_taken_is_replaced(void)
{
    _Atomic int *flag = new_block(sizeof *flag);
    plait_process *processes[12];
    for (int i = 0; i < 12; i++) processes[i] = start_it(wait_for_flag, (void *)flag, 0, NULL);
    until_server_has(12, 4);
    atomic_store(flag, 1);
    for (int i = 0; i < 12; i++) end_with(processes[i], 7);
    until_server_has(0, 4);
    CHECK(plait_free((void *)flag) == 0);
}

/* Its children stay: they are taken from those that are there. */
static void the_stock_can_be_changed(void)
{
    const pid_t server = plait_forkserver_pid();
    const int sizes[] = { 9, 0, 1, 256, 2, 4 };
    plait_process *process = start_it(run_on, NULL, 0, NULL);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        start_server(sizes[i]);
        until_server_has(1, sizes[i]);
        run_it(return_0, NULL, 0, 0);
        CHECK(plait_forkserver_pid() == server);
    }
    CHECK(plait_process_kill(process) == 0);
    end_with(process, -SIGKILL);
}

static void a_full_stock_works(void)
{
    for (int i = 0; i < 300; i++) run_it(return_0, NULL, 0, 0);
}

static void a_killed_one_is_replaced(void)
{
    pid_t pids[16];
    for (int i = 0; i < 30; i++) {
        const size_t count = program_children(plait_forkserver_pid(), pids, 16);
        for (size_t k = 0; k < count; k++) kill(pids[k], SIGKILL);
        end_with(start_it(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN }), 0);
    }
    plait_process *process;
    int code;
    do {                                                   /* the last of them may be taken while it dies */
        process = start_it(return_0, NULL, 0, NULL);
        CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
        code = plait_process_exitcode(process);
        CHECK((code == 0 || code == -SIGKILL) && plait_process_free(process) == 0);
    } while (code);
    until_server_has(0, 4);
}

/* One that is killed in the moment in which it is taken has been started: 0, or what killed it.  With settings it may not have come
 * to them. */
static void one_may_be_killed_when_it_is_taken(void)
{
    pid_t pids[16];
    int killed = 0;
    for (int i = 0; i < 60; i++) {
        const size_t count = program_children(plait_forkserver_pid(), pids, 16);
        for (size_t k = 0; k < count; k++) kill(pids[k], SIGKILL);
        plait_process *process = start_it(return_0, NULL, 0, &(plait_process_options){ .cwd = i % 2 ? "/usr" : NULL });
        CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
        const int code = plait_process_exitcode(process);
        CHECK(code == 0 || code == -SIGKILL);
        killed += code != 0;
        CHECK(plait_process_free(process) == 0);
    }
    printf("%d of 60 were killed\n", killed);
}

/* Stopped is not dead: who takes one gets it when it goes on. */
static void a_stopped_one_is_waited_for(void)
{
    pid_t pids[16];
    const size_t count = program_children(plait_forkserver_pid(), pids, 16);
    CHECK(count == 4);
    for (size_t i = 0; i < count; i++) {
        CHECK(kill(pids[i], SIGSTOP) == 0);
        test_until(has_stopped, &pids[i]);
    }
    plait_process *process = start_it(return_0, NULL, 0, NULL);
    CHECK(plait_process_join(process, plait_after(0.02)) == -ETIMEDOUT && plait_process_is_alive(process) == 1);
    for (size_t i = 0; i < count; i++) CHECK(kill(pids[i], SIGCONT) == 0);
    end_with(process, 0);
}

/* ---- options ---- */

static int refuse_options(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    plait_forkserver_options reserved = { 0 };
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .stock = -1 }) == -EINVAL);
    CHECK_TEXT(plait_error_detail(), "a stock of -1; 0 to 256");
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .stock = 257 }) == -EINVAL);
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .reserved_int = 1 }) == -EINVAL);
    for (int i = 0; i < 6; i++) {
        reserved.reserved[i] = 1;
        CHECK(plait_forkserver_start(&reserved) == -EINVAL);
        reserved.reserved[i] = 0;
    }
    CHECK(plait_forkserver_pid() == 0 && plait_forkserver_stop() == 0);
    traces_must_be(&before);
    return 0;
}

static void bad_options_are_refused(void **state)
{
    host_run(refuse_options, NULL);
}

static int start_without_init(void *unused)
{
    CHECK(plait_forkserver_start(NULL) == PLAIT_ENOINIT);
    const struct traces before = traces_now();
    CHECK(plait_forkserver_start(NULL) == PLAIT_ENOINIT);
    CHECK(plait_start(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_FORKSERVER }) == NULL);
    CHECK(errno == -PLAIT_ENOINIT);
    CHECK_TEXT(plait_error_detail(), "plait_init(&argc, &argv) has to be the first line of main");
    traces_must_be(&before);
    return 0;
}

static void without_plait_init_there_is_none(void **state)
{
    host_run(start_without_init, NULL);
}

/* ---- preload ---- */

static int loaded;

static int preload(void)
{
    loaded = 5;
    printf("preload was here");                            /* not flushed: no child may write it again */
    return setenv("PLAIT_COLOUR", "green", 1) | chdir("/usr");
}

static int return_loaded(void *unused)
{
    char here[64];
    const char *colour = getenv("PLAIT_COLOUR");
    return colour && strcmp(colour, "green") == 0 && getcwd(here, sizeof here) && strcmp(here, "/usr") == 0 ? loaded : 99;
}

static int start_with_preload(void *stock)
{
    be_program();
    const struct traces before = traces_now();
    const plait_forkserver_options options = { .stock = *(int *)stock, .preload = preload };
    CHECK(plait_set_start_method(PLAIT_FORKSERVER, 0) == 0 && plait_forkserver_start(&options) == 0);
    for (int i = 0; i < 5; i++) run_it(return_loaded, NULL, 0, 5);
    CHECK(loaded == 0 && plait_forkserver_stop() == 0);
    traces_must_be(&before);
    return 0;
}

static void its_effects_are_seen_in_children(void **state)
{
    host_run(start_with_preload, &(int){ 0 });
    host_run(start_with_preload, &(int){ 3 });
}

/* Into a file, which is written when somebody flushes. */
static int print_with_preload(void *unused)
{
    char text[256] = "";
    const int file = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), kept = fcntl(1, F_DUPFD_CLOEXEC, 10);
    CHECK(file >= 0 && dup2(file, 1) == 1);
    CHECK(start_with_preload(&(int){ 2 }) == 0 && dup2(kept, 1) == 1);
    CHECK(pread(file, text, sizeof text - 1, 0) > 0);
    const char *first = strstr(text, "preload was here");
    CHECK(first && !strstr(first + 1, "preload was here"));
    return 0;
}

static void what_it_prints_appears_once(void **state)
{
    host_run(print_with_preload, NULL);
}

static int fail_to_load(void)
{
    return 3;
}

static int exit_in_preload(void)
{
    exit(4);
}

static int crash_in_preload(void)
{
    raise(SIGKILL);
    return 0;
}

static int start_with_bad_preloads(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .stock = 2, .preload = fail_to_load }) == -ECANCELED);
    CHECK_TEXT(plait_error_detail(), "preload returned 3");
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .preload = exit_in_preload }) == -ECANCELED);
    CHECK_TEXT(plait_error_detail(), "ended with 4 before it was ready");
    CHECK(plait_forkserver_start(&(plait_forkserver_options){ .preload = crash_in_preload }) == -ECANCELED);
    CHECK_TEXT(plait_error_detail(), "ended with -9 before it was ready");
    CHECK(plait_forkserver_pid() == 0);
    traces_must_be(&before);
    end_with(start_it(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_FORKSERVER }), 0);
    CHECK(plait_forkserver_stop() == 0);
    return 0;
}

static void one_that_fails_is_told(void **state)
{
    host_run(start_with_bad_preloads, NULL);
}

/* ---- preload makes threads and children, and has its own signals ---- */

static _Atomic int turns;

static void *turn(void *unused)
{
    for (;;) {
        free(malloc(100));
        atomic_fetch_add(&turns, 1);
    }
    return NULL;
}

static void handle(int signal)
{
    (void)signal;
}

static int make_others(void)
{
    pthread_t thread;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread, NULL, turn, NULL) != 0) return 1;
    if (fork() == 0) _exit(0);
    signal(SIGINT, handle);
    while (atomic_load(&turns) < 100) sched_yield();
    return 0;
}

static int allocate(void *unused)
{
    for (int i = 1; i < 1000; i++) free(malloc((size_t)i));
    return raise(SIGINT) == 0 ? 6 : 1;
}

static int start_beside_others(void *stock)
{
    be_program();
    const struct traces before = traces_now();
    const plait_forkserver_options options = { .stock = *(int *)stock, .preload = make_others };
    CHECK(plait_set_start_method(PLAIT_FORKSERVER, 0) == 0 && plait_forkserver_start(&options) == 0);
    for (int i = 0; i < 10; i++) run_it(allocate, NULL, 0, 6);
    CHECK(kill(plait_forkserver_pid(), SIGINT) == 0);
    run_it(allocate, NULL, 0, 6);
    CHECK(plait_forkserver_stop() == 0);
    traces_must_be(&before);
    return 0;
}

static void it_may_make_threads_and_children(void **state)
{
    host_run(start_beside_others, &(int){ 0 });
    host_run(start_beside_others, &(int){ 3 });
}

/* ---- stopping ---- */

static void children_go_on_when_it_is_stopped(void)
{
    _Atomic int *flag = new_block(sizeof *flag);
    plait_process *two[2];
    for (int i = 0; i < 2; i++) two[i] = start_it(i ? run_on : wait_for_flag, (void *)flag, 0, NULL);
    CHECK(plait_forkserver_stop() == 0 && plait_forkserver_pid() == 0 && plait_forkserver_stop() == 0);
    CHECK(plait_process_is_alive(two[0]) == 1 && plait_process_is_alive(two[1]) == 1);
    start_server(2);
    run_it(return_0, NULL, 0, 0);
    atomic_store(flag, 1);
    end_with(two[0], 7);
    CHECK(plait_process_kill(two[1]) == 0);
    end_with(two[1], -SIGKILL);
    while (!has_no_child()) CHECK(plait_forkserver_stop() == 0);        /* until it is seen that the first has ended, too */
    CHECK(plait_free((void *)flag) == 0);
}

static int stop_and_start(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    CHECK(plait_forkserver_stop() == 0 && plait_forkserver_pid() == 0);
    for (int i = 0; i < 5; i++) {
        start_server(i);
        CHECK(plait_forkserver_start(NULL) == 0 && plait_forkserver_stop() == 0 && plait_forkserver_stop() == 0);
        traces_must_be(&before);
    }
    return 0;
}

static void it_can_be_stopped_and_started_again(void **state)
{
    host_run(stop_and_start, NULL);
}

static const struct CMUnitTest tests[] = {
    SERVED("the_stock_is_there_at_once", 4, the_stock_is_there_at_once),
    SERVED("who_is_taken_is_replaced", 4, who_is_taken_is_replaced),
    SERVED("the_stock_can_be_changed", 4, the_stock_can_be_changed),
    SERVED("a_full_stock_works", 256, a_full_stock_works),
    SERVED("a_killed_one_is_replaced", 4, a_killed_one_is_replaced),
    SERVED("one_may_be_killed_when_it_is_taken", 4, one_may_be_killed_when_it_is_taken),
    SERVED("a_stopped_one_is_waited_for", 4, a_stopped_one_is_waited_for),
    cmocka_unit_test(bad_options_are_refused),
    cmocka_unit_test(without_plait_init_there_is_none),
    cmocka_unit_test(its_effects_are_seen_in_children),
    cmocka_unit_test(what_it_prints_appears_once),
    cmocka_unit_test(one_that_fails_is_told),
    cmocka_unit_test(it_may_make_threads_and_children),
    WITH_AND_WITHOUT_STOCK(children_go_on_when_it_is_stopped),
    cmocka_unit_test(it_can_be_stopped_and_started_again),
};

TEST_MAIN(tests)
