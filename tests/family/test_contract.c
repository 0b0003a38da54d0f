/* The library is a guest: no public function changes anything of the program that calls it.  Each is called in the way that it
 * is for, in a host with signal handlers, blocked signals, timers, children and files of its own; at first in a process that knows
 * nothing of plait yet, then with objects that are in use. */
#include "contract_join.h"
#include "contract_log.h"
#include "contract_message.h"
#include "contract_net.h"
#include "contract_pickle.h"
#include "contract_pool.h"
#include "contract_process.h"
#include "contract_sync.h"
#include "contract_shared.h"
#include "contract_value.h"
#include "contract_wait.h"
#include "guest.h"
#include "host.h"
#include "symbols.h"

#include <sys/stat.h>
#include <sys/time.h>

#include <plait.h>

/* --- the objects ----------------------------------------------------------------------------------------------------- */

static void *block;

static void make_things(void)
{
    CHECK((block = plait_alloc(100)));
    make_sync_objects();
    make_queues();
    make_processes();
    make_pool();
}

static void free_things(void)
{
    plait_pool_free(a_pool);
    free_processes();
    free_queues();
    free_sync_objects();
    CHECK(plait_free(block) == 0);
}

/* --- the functions: the base, the family and the arena here, the other rooms in contract_ROOM.h ------------------------- */

static void share_one(void)
{
    void *private = plait_message_alloc(100);
    CHECK(plait_block_share(private) == 0 && plait_free(private) == 0);
}

enum { ANY_TIME = 1 };                                     /* it needs no objects: also the first call of a process */

#define FUNCTIONS(X)                                                                                  \
    X(plait_version, ANY_TIME, CHECK(plait_version() > 0))                                            \
    X(plait_strerror, ANY_TIME, CHECK(*plait_strerror(-ENOMEM) && *plait_strerror(-987654)))          \
    X(plait_strerrorname, ANY_TIME, CHECK(*plait_strerrorname(PLAIT_ECLOSED)))                        \
    X(plait_error_detail, ANY_TIME, CHECK(plait_error_detail()))                                      \
    X(plait_after, ANY_TIME, CHECK(plait_after(1).at > 0))                                            \
    X(plait_cpu_count, ANY_TIME, CHECK(plait_cpu_count() > 0))                                        \
    X(plait_cpu_count_online, ANY_TIME, CHECK(plait_cpu_count_online() > 0))                          \
    X(plait_cpu_count_physical, ANY_TIME, CHECK(plait_cpu_count_physical() > 0))                      \
    X(plait_init, ANY_TIME, CHECK(plait_init(NULL, NULL) == 0))                                       \
    X(plait_leave, ANY_TIME, plait_leave(); CHECK(plait_init(NULL, NULL) == 0); plait_leave())        \
    X(plait_member_count, ANY_TIME, CHECK(plait_member_count() >= 0))                                 \
    X(plait_is_shared, ANY_TIME, CHECK(!plait_is_shared(&block)))                                     \
    X(plait_alloc, ANY_TIME, CHECK(plait_free(plait_alloc(100)) == 0))                                \
    X(plait_message_alloc, ANY_TIME, CHECK(plait_free(plait_message_alloc(1 << 20)) == 0))            \
    X(plait_block_share, ANY_TIME, share_one())                                                       \
    X(plait_block_size, 0, CHECK(plait_block_size(block) >= 100))                                     \
    X(plait_free, ANY_TIME, CHECK(plait_free(plait_alloc(1 << 20)) == 0 && plait_free(NULL) == 0))    \
    X(plait_arena_set_limit, ANY_TIME, CHECK(plait_arena_set_limit(1 << 30) == 0))                    \
    X(plait_arena_trim, ANY_TIME, CHECK(plait_arena_trim() == 0))                                     \
    X(plait_arena_stats, ANY_TIME, CHECK(plait_arena_stats(&(plait_arena_figures){ 0 }) == 0))        \
    X(plait_arena_members, ANY_TIME, CHECK(plait_arena_members(NULL, 0) > 0))                         \
    LOG_FUNCTIONS(X)                                                                                  \
    SYNC_FUNCTIONS(X)                                                                                 \
    MESSAGE_FUNCTIONS(X)                                                                              \
    PICKLE_FUNCTIONS(X)                                                                               \
    PROCESS_FUNCTIONS(X)                                                                              \
    JOIN_FUNCTIONS(X)                                                                                 \
    POOL_FUNCTIONS(X)                                                                                 \
    WAIT_FUNCTIONS(X)                                                                                 \
    NET_FUNCTIONS(X)                                                                                  \
    SHARED_FUNCTIONS(X)                                                                               \
    VALUES_FUNCTIONS(X)

#define DEFINE(function, when, ...) static void call_##function(void) { __VA_ARGS__; }
FUNCTIONS(DEFINE)

static const struct {
    const char *name;
    int when;
    void (*call)(void);
} functions[] = {
#define ROW(function, when, ...) { #function, when, call_##function },
    FUNCTIONS(ROW)
};
enum { COUNT = sizeof functions / sizeof functions[0] };

/* Of those that it exports, how many are for users, and how many of these are missing here. */
static int public_functions_of(const char *library, int *missing)
{
    static char exported[SYMBOLS_MAX][SYMBOL_SIZE];
    const int count = symbols_exported(library, exported);
    int ours = 0;
    for (int i = 0; i < count; i++) {
        bool found = strncmp(exported[i], "plait__", 7) == 0;      /* behind functions that are inlined, or for libplait-net */
        ours += !found;
        for (int j = 0; j < COUNT; j++) found |= strcmp(exported[i], functions[j].name) == 0;
        if (!found) print_error("%s is exported, and not called here\n", exported[i]);
        *missing += !found;
    }
    return ours;
}

static void every_public_function_is_here(void **state)
{
    int missing = 0, ours = public_functions_of("libplait.so", &missing);
    if (TEST_HAS_NET) ours += public_functions_of("libplait-net.so", &missing);
    if (missing || ours != COUNT) fail_msg("the libraries export %d functions, here are %d", ours, COUNT);
}

/* --- the program that they are guests in ----------------------------------------------------------------------------- */

static _Atomic int signals;                                /* that came, but for those that tell of the ends of children */
static pid_t runs, zombie;

static void count_signal(int number)
{
    if (number != SIGCHLD) atomic_fetch_add(&signals, 1);
}

static int run_on(void *unused)
{
    sleep_for_ever();
}

static int return_5(void *unused)
{
    return 5;
}

static void make_a_program(void)
{
    const struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
    const struct itimerval timer = { .it_value.tv_sec = 3600 };
    sigset_t blocked;
    runs = test_fork(run_on, NULL);
    zombie = test_fork(return_5, NULL);
    test_until(is_zombie, &zombie);
    for (int number = 1; number < NSIG; number++)
        if (number != SIGALRM) sigaction(number, &action, NULL);         /* not for SIGKILL, SIGSTOP and the C library's own */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGRTMIN + 3);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(raise(SIGUSR2) == 0);                            /* and it stays pending */
    CHECK(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
    umask(027);
    CHECK(setenv("PLAIT_TEST_GUEST", "here", 1) == 0);
    CHECK(prctl(PR_SET_NAME, "host") == 0);
}

static void end_the_program(void)
{
    siginfo_t info = { 0 };
    CHECK(atomic_load(&signals) == 0);
    CHECK(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOHANG) == 0 && info.si_pid == zombie && info.si_status == 5);
    CHECK(waitid(P_PID, (id_t)runs, &info, WEXITED | WNOHANG) == 0 && kill(runs, SIGKILL) == 0);
    CHECK(test_wait_exit(runs) == -SIGKILL && has_no_child());
}

/* --- calling --------------------------------------------------------------------------------------------------------- */

static struct guest pure, with_things, now;

static void call_and_compare(int i, const struct guest *before)
{
    errno = E2BIG;
    functions[i].call();
    CHECK(errno != 0);                                     /* no function of a library sets it to that */
    guest_look(&now);
    guest_must_be_as(before, &now, NULL);
}

static int call_at_first(void *number)
{
    make_a_program();
    guest_look(&pure);
    call_and_compare(*(int *)number, &pure);
    call_and_compare(*(int *)number, &pure);
    end_the_program();
    return 0;
}

static int call_with_things(void *number)
{
    make_a_program();
    guest_look(&pure);
    make_things();
    guest_look(&with_things);
    guest_must_be_as(&pure, &with_things, "fd children");
    for (int i = 0; i < 2; i++) call_and_compare(*(int *)number, &with_things);
    free_things();
    guest_look(&now);
    guest_must_be_as(&pure, &now, NULL);
    end_the_program();
    return 0;
}

/* Its output goes into a pipe: nothing may come out of it, but what a CHECK says. */
static void call_in_host(int i, int (*body)(void *number))
{
    char text[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int out = dup(STDOUT_FILENO), error = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    const pid_t host = test_fork(body, &i);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    close(out);
    close(error);
    ssize_t size = 0, more;
    while ((more = read(ends[0], text + size, sizeof text - 1 - (size_t)size)) > 0) size += more;
    text[size] = 0;
    close(ends[0]);
    const int status = test_wait_exit(host);
    if (status || size) fail_msg("%s: exit status %d, output \"%s\"", functions[i].name, status, text);
}

static void no_first_call_changes_the_program(void **state)
{
    for (int i = 0; i < COUNT; i++)
        if (functions[i].when == ANY_TIME) call_in_host(i, call_at_first);
}

static void no_call_changes_the_program(void **state)
{
    for (int i = 0; i < COUNT; i++) call_in_host(i, call_with_things);
}

/* --- children -------------------------------------------------------------------------------------------------------- */

/* What a child of ours finds is what a fork of the program's own would: but for its name, who its children are, and what it ends
 * with; and it reads nothing from standard input. */
static int compare_in_child(void *unused)
{
    guest_look(&now);
    guest_must_be_as(&pure, &now, "children name pending timer death");
    return 7;
}

static int compare_in_task(const void *in, void *out, void *context)
{
    guest_look(&now);
    guest_must_be_as(&pure, &now, "children name pending timer death");
    return 0;
}

static int start_children(void *unused)
{
    make_a_program();
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(nothing >= 0 && dup2(nothing, STDIN_FILENO) == STDIN_FILENO && close(nothing) == 0);
    guest_look(&pure);
    end_process(plait_start(compare_in_child, NULL, 0, NULL));
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 1 });
    CHECK(pool && plait_pool_map(pool, compare_in_task, NULL, 0, NULL, 0, 1, NULL) == 0);
    plait_pool_free(pool);
    end_the_program();
    return 0;
}

static void children_find_what_their_parent_has(void **state)
{
    host_run(start_children, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_public_function_is_here),
    cmocka_unit_test(no_first_call_changes_the_program),
    cmocka_unit_test(no_call_changes_the_program),
    cmocka_unit_test(children_find_what_their_parent_has),
};
TEST_MAIN(tests)
