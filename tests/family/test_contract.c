/* The library is a guest: no public function changes anything of the program that calls it.  Each is called in the way that it
 * is for, in a host with signal handlers, blocked signals, timers, children and files of its own; at first in a process that knows
 * nothing of plait yet, then with objects that are in use. */
#include "contract_sync.h"
#include "contract_value.h"
#include "guest.h"
#include "host.h"
#include "others.h"
#include "symbols.h"

#include <sys/stat.h>
#include <sys/time.h>

#include <plait.h>

#include "log/log.h"

/* --- the objects ----------------------------------------------------------------------------------------------------- */

static struct {
    plait_queue *queue, *leased;                           /* one message in each */
    void *block;
    plait_process *runs, *ended;
    plait_pool *pool;
    struct running {
        _Atomic int ready, go;
    } *running;
} has;

static int wait_for_go(void *argument)
{
    struct running *running = argument;
    signal(SIGTERM, SIG_DFL);                              /* the host's handler would only count it */
    atomic_store(&running->ready, 1);
    test_until_set(&running->go);
    return 7;
}

static int return_7(void *unused)
{
    return 7;
}

static int twice(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in * 2;
    return 0;
}

static plait_process *new_process(struct running *running)
{
    *running = (struct running){ 0 };
    plait_process *process = plait_start(wait_for_go, running, 0, NULL);
    CHECK(process);
    test_until_set(&running->ready);
    return process;
}

static void end_process(plait_process *process)
{
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == 7);
    CHECK(plait_process_free(process) == 0);
}

static void make_things(void)
{
    make_sync_objects();
    CHECK((has.running = plait_alloc(sizeof *has.running)) && (has.block = plait_alloc(100)));
    CHECK((has.queue = plait_queue_new(NULL)) && (has.leased = plait_queue_new(&(plait_queue_options){ .leases = 1 })));
    CHECK(plait_queue_put(has.queue, "hello", 5, PLAIT_NOW) == 0 && plait_queue_put(has.leased, "hello", 5, PLAIT_NOW) == 0);
    CHECK((has.ended = plait_start(return_7, NULL, 0, NULL)) && plait_process_join(has.ended, PLAIT_FOREVER) == 0);
    has.runs = new_process(has.running);
    CHECK((has.pool = plait_pool_new(&(plait_pool_options){ .workers = 2 })));
}

static void free_things(void)
{
    plait_pool_free(has.pool);
    atomic_store(&has.running->go, 1);
    end_process(has.runs);
    end_process(has.ended);
    CHECK(plait_queue_free(has.queue) == 0 && plait_queue_free(has.leased) == 0);
    CHECK(plait_free(has.block) == 0 && plait_free(has.running) == 0);
    free_sync_objects();
}

/* --- the functions --------------------------------------------------------------------------------------------------- */

static char buffer[64];
static int numbers[10];

static void lease_and(int (*settle)(plait_queue *queue, plait_lease lease))
{
    plait_lease lease;
    CHECK(plait_queue_lease(has.leased, buffer, sizeof buffer, &lease, PLAIT_NOW) == 5);
    CHECK(settle(has.leased, lease) == 0);
    if (settle == plait_queue_ack) CHECK(plait_queue_put(has.leased, "hello", 5, PLAIT_NOW) == 0);
}

static void signal_one(int (*send)(plait_process *process), int signal)
{
    struct running *running = plait_alloc(sizeof *running);
    plait_process *process = new_process(running);
    CHECK(send(process) == 0 && plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == -signal);
    CHECK(plait_process_free(process) == 0 && plait_free(running) == 0);
}

static int as_block(const void *in, void *out, void *context)
{
    CHECK(plait_pool_current());
    int *copy = plait_result_alloc(out, sizeof *copy);
    CHECK(copy);
    return plait_result_set(out, in, sizeof *copy);
}

static int add(void *into, const void *from, void *context)
{
    *(int *)into += *(const int *)from;
    return 0;
}

static void map_results_in(plait_pool *pool)
{
    int some[10] = { 3 };
    plait_result results[10];
    CHECK(plait_pool_map_results(pool, as_block, some, sizeof some[0], results, 10, NULL) == 0);
    CHECK(results[0].size == sizeof some[0] && *(int *)results[0].data == 3);
    plait_results_free(results, 10);
}

static void map_and_reduce_in(plait_pool *pool)
{
    int some[10] = { 3, 4 }, sum = 0;
    CHECK(plait_pool_map_reduce(pool, twice, some, sizeof some[0], 10, add, &sum, sizeof sum, NULL) == 0 && sum == 14);
}

static void set_result(void)
{
    plait_result result = { NULL, 0 };
    CHECK(plait_result_set(&result, "text", 5) == 0 && plait_result_alloc(&result, 7) && result.size == 7);
    plait_results_free(&result, 1);
}

static void map_in(plait_pool *pool)
{
    CHECK(pool && plait_pool_map(pool, twice, numbers, sizeof numbers[0], numbers, sizeof numbers[0], 10, NULL) == 0);
}

static void put_and_get(void)
{
    CHECK(plait_queue_put(has.queue, "hello", 5, PLAIT_NOW) == 0);
    CHECK(plait_queue_get(has.queue, buffer, sizeof buffer, PLAIT_NOW) == 5);
}

static void put_and_get_many(void)
{
    char many[10 * 5] = "";
    CHECK(plait_queue_put_many(has.queue, many, 5, 10, PLAIT_NOW) == 10);
    CHECK(plait_queue_get_many(has.queue, many, 5, NULL, 10, PLAIT_NOW) == 10);
    CHECK(plait_queue_get(has.queue, buffer, sizeof buffer, PLAIT_NOW) == 5);
    CHECK(plait_queue_put(has.queue, "hello", 5, PLAIT_NOW) == 0);
}

static void use_priorities(void)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1, .order = PLAIT_PRIORITY });
    for (int i = 0; i < 100; i++) CHECK(plait_queue_put_priority(queue, -i, "hello", 5, PLAIT_NOW) == 0);
    for (int i = 0; i < 100; i++) CHECK(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_NOW) == 5);
    CHECK(plait_queue_free(queue) == 0);
}

static void give_and_take(void *block)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1 });
    void *taken = NULL;
    CHECK(plait_queue_give(queue, block, 100, PLAIT_NOW) == 0);
    CHECK(plait_queue_take(queue, &taken, PLAIT_NOW) == 100 && taken == block);
    CHECK(plait_free(taken) == 0 && plait_queue_free(queue) == 0);
}

static void close_one(void)
{
    plait_queue *queue = plait_queue_new(NULL);
    CHECK(plait_queue_close(queue) == 0 && plait_queue_get(queue, buffer, sizeof buffer, PLAIT_FOREVER) == PLAIT_ECLOSED);
    CHECK(plait_queue_free(queue) == 0);
}

/* A message that never comes: it sleeps, first on one word, then on many. */
static void get_in_vain(void)
{
    plait_queue *queue = plait_queue_new(NULL);
    CHECK(plait_queue_get(queue, buffer, sizeof buffer, plait_after(0.02)) == -ETIMEDOUT);
    CHECK(plait_queue_free(queue) == 0);
}

static void share_one(void)
{
    void *block = plait_message_alloc(100);
    CHECK(plait_block_share(block) == 0 && plait_free(block) == 0);
}

/* Standard error is somewhere else meanwhile, and broken at times. */
static void log_elsewhere(int elsewhere, int result)
{
    const int before = dup(STDERR_FILENO);
    CHECK(elsewhere >= 0 && dup2(elsewhere, STDERR_FILENO) == STDERR_FILENO);
    close(elsewhere);
    plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
    const int got[] = { plait_log(logger, PLAIT_LOG_INFO, "hello"), plait_log(logger, PLAIT_LOG_INFO, "%05000d", 1) };
    plait__log_set_state((struct plait__log_state){ 0 });
    CHECK(dup2(before, STDERR_FILENO) == STDERR_FILENO);
    close(before);
    CHECK(logger && got[0] == result && got[1] == result);
}

static int broken_pipe(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    return ends[1];
}

static void count_record(const plait_log_record *record, void *context)
{
    CHECK(strcmp(record->message, "hello") == 0);
    ++*(int *)context;
}

static void log_to_handler(void)
{
    int count = 0;
    CHECK(plait_log_add_handler(plait_get_logger(), count_record, &count) == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_WARNING, "hello") == 0 && count == 1);
    CHECK(plait_log_remove_handler(plait_get_logger(), count_record, &count, PLAIT_FOREVER) == 0);
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_WARNING, "hello") == 0 && count == 1);
}

static void start_in_every_way(void)
{
    const plait_process_options options[] = {
        { .kind = PLAIT_THREADS }, { .cwd = "/", .nice = 1, .output = PLAIT_STREAM_NULL }, { .daemon = 1 },
        { .method = PLAIT_SPAWN, .nice = 1 },
    };
    CHECK(plait_init(NULL, NULL) == 0);
    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        plait_process *process = plait_process_new(return_7, NULL, 0, &options[i]);
        CHECK(process && plait_process_start(process) == 0);
        end_process(process);
    }
}

static void start_forkserver(void)
{
    const int inited = plait_init(NULL, NULL), started = plait_forkserver_start(&(plait_forkserver_options){ .stock = 2 });
    CHECK(inited == 0 && started == 0 && plait_forkserver_pid() > 0);
    plait_process *process = plait_start(return_7, NULL, 0, &(plait_process_options){ .method = PLAIT_FORKSERVER });
    CHECK(process);
    end_process(process);
    CHECK(plait_forkserver_stop() == 0);
}

static void set_name_and_daemon(void)
{
    plait_process *process = plait_process_new(return_7, NULL, 0, NULL);
    CHECK(plait_process_set_name(process, "Ada") == 0 && plait_process_set_daemon(process, 1) == 0);
    CHECK(plait_process_free(process) == 0);
}

static plait_process *start_program(void)
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "cat; exit 7" }, NULL };
    plait_process *program = plait_start_program(argv, &(plait_process_options){
        .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_OUTPUT });
    CHECK(program);
    return program;
}

static void run_program(void)
{
    plait_process *program = start_program();
    CHECK(plait_process_stream(program, 1) > STDERR_FILENO && plait_process_close_stream(program, 0) == 0);
    end_process(program);
}

static void talk_with_program(void)
{
    plait_captured captured;
    plait_process *program = start_program();
    CHECK(plait_process_communicate(program, "hello", 5, &captured, PLAIT_FOREVER) == 0);
    CHECK(strcmp(captured.output, "hello") == 0);
    plait_captured_free(&captured);
    end_process(program);
}

static void do_nothing(void *unused)
{
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
    X(plait_is_shared, ANY_TIME, CHECK(!plait_is_shared(buffer)))                                     \
    X(plait_alloc, ANY_TIME, CHECK(plait_free(plait_alloc(100)) == 0))                                \
    X(plait_message_alloc, ANY_TIME, CHECK(plait_free(plait_message_alloc(1 << 20)) == 0))            \
    X(plait_block_share, ANY_TIME, share_one())                                                       \
    X(plait_block_size, 0, CHECK(plait_block_size(has.block) >= 100))                                 \
    X(plait_free, ANY_TIME, CHECK(plait_free(plait_alloc(1 << 20)) == 0 && plait_free(NULL) == 0))    \
    X(plait_arena_set_limit, ANY_TIME, CHECK(plait_arena_set_limit(1 << 30) == 0))                    \
    X(plait_arena_trim, ANY_TIME, CHECK(plait_arena_trim() == 0))                                     \
    X(plait_arena_stats, ANY_TIME, CHECK(plait_arena_stats(&(plait_arena_figures){ 0 }) == 0))        \
    X(plait_arena_members, ANY_TIME, CHECK(plait_arena_members(NULL, 0) > 0))                         \
    X(plait_get_logger, ANY_TIME, CHECK(plait_get_logger()))                                          \
    X(plait_log, ANY_TIME, log_elsewhere(broken_pipe(), -EPIPE))                                      \
    X(plait_log_to_stderr, ANY_TIME, log_elsewhere(open("/dev/null", O_WRONLY), 0))                   \
    X(plait_log_set_level, ANY_TIME, CHECK(plait_log_set_level(plait_get_logger(), PLAIT_LOG_INFO) == 0))                    \
    X(plait_log_level, ANY_TIME, CHECK(plait_log_level(plait_get_logger()) > 0))                      \
    X(plait_log_add_handler, ANY_TIME, log_to_handler())                                              \
    X(plait_log_remove_handler, ANY_TIME, log_to_handler())                                           \
    X(plait_queue_new, ANY_TIME, CHECK(plait_queue_free(plait_queue_new(NULL)) == 0))                 \
    X(plait_queue_free, ANY_TIME, CHECK(plait_queue_free(NULL) == 0))                                 \
    X(plait_queue_put, 0, put_and_get())                                                              \
    X(plait_queue_get, ANY_TIME, get_in_vain())                                                       \
    X(plait_queue_put_priority, ANY_TIME, use_priorities())                                           \
    X(plait_queue_put_many, 0, put_and_get_many())                                                    \
    X(plait_queue_get_many, 0, put_and_get_many())                                                    \
    X(plait_queue_give, ANY_TIME, give_and_take(plait_alloc(100)))                                    \
    X(plait_queue_take, ANY_TIME, give_and_take(plait_message_alloc(100)))                            \
    X(plait_queue_peek, 0, CHECK(plait_queue_peek(has.queue, buffer, sizeof buffer, PLAIT_NOW) == 5))                        \
    X(plait_queue_lease, 0, lease_and(plait_queue_ack))                                               \
    X(plait_queue_ack, 0, lease_and(plait_queue_ack))                                                 \
    X(plait_queue_giveback, 0, lease_and(plait_queue_giveback))                                       \
    X(plait_queue_next_size, 0, CHECK(plait_queue_next_size(has.queue, PLAIT_NOW) == 5))              \
    X(plait_queue_qsize, 0, CHECK(plait_queue_qsize(has.queue) == 1))                                 \
    X(plait_queue_close, ANY_TIME, close_one())                                                       \
    X(plait_start, ANY_TIME, end_process(plait_start(return_7, NULL, 0, NULL)))                       \
    X(plait_process_new, ANY_TIME, CHECK(plait_process_free(plait_process_new(return_7, "x", 2, NULL)) == 0))               \
    X(plait_process_start, ANY_TIME, start_in_every_way())                                            \
    X(plait_process_set_name, ANY_TIME, set_name_and_daemon())                                        \
    X(plait_process_set_daemon, ANY_TIME, set_name_and_daemon())                                      \
    X(plait_process_daemon, ANY_TIME, CHECK(plait_process_daemon(plait_current_process()) == 0))      \
    X(plait_process_kind, 0, CHECK(plait_process_kind(has.runs) == PLAIT_PROCESSES))                  \
    X(plait_process_repr, 0, CHECK(plait_process_repr(has.runs, buffer, sizeof buffer) > 10))         \
    X(plait_current_process, ANY_TIME, CHECK(plait_current_process()))                                \
    X(plait_current, ANY_TIME, CHECK(plait_current() == plait_current_process()))                     \
    X(plait_parent_process, ANY_TIME, CHECK(!plait_parent_process()))                                 \
    X(plait_active_children, 0, CHECK(plait_active_children(NULL, 0) > 0))                            \
    X(plait_at_exit, ANY_TIME, CHECK(plait_at_exit(do_nothing, NULL, 0) == 0))                        \
    X(plait_thread_new, ANY_TIME, CHECK(plait_thread_free(plait_thread_new(return_7, "x", 2, NULL)) == 0))                  \
    X(plait_current_thread, ANY_TIME, CHECK(plait_current_thread()))                                  \
    X(plait_set_start_method, ANY_TIME, CHECK(plait_set_start_method(PLAIT_FORK, 1) == 0))            \
    X(plait_get_start_method, ANY_TIME, CHECK(plait_get_start_method() == PLAIT_FORK))                \
    X(plait_get_all_start_methods, ANY_TIME, CHECK(plait_get_all_start_methods()[0] == PLAIT_FORK))   \
    X(plait_start_method_name, ANY_TIME, CHECK(*plait_start_method_name(PLAIT_SPAWN)))                \
    X(plait_forkserver_start, ANY_TIME, start_forkserver())                                           \
    X(plait_forkserver_stop, ANY_TIME, CHECK(plait_forkserver_stop() == 0))                           \
    X(plait_forkserver_pid, ANY_TIME, CHECK(plait_forkserver_pid() == 0))                             \
    X(plait_set_executable, ANY_TIME, CHECK(plait_set_executable("/proc/self/exe") == 0 && plait_set_executable(NULL) == 0)) \
    X(plait_program_new, ANY_TIME, CHECK(plait_process_free(plait_program_new((char *[]){ buffer, NULL }, NULL)) == 0))      \
    X(plait_start_program, ANY_TIME, run_program())                                                   \
    X(plait_process_stream, ANY_TIME, run_program())                                                  \
    X(plait_process_close_stream, ANY_TIME, run_program())                                            \
    X(plait_process_communicate, ANY_TIME, talk_with_program())                                       \
    X(plait_captured_free, ANY_TIME, plait_captured_free(NULL); talk_with_program())                  \
    X(plait_process_join, 0, CHECK(plait_process_join(has.runs, plait_after(0.02)) == -ETIMEDOUT);    \
                             CHECK(plait_process_join(has.ended, PLAIT_FOREVER) == 0))                \
    X(plait_process_exitcode, 0, CHECK(plait_process_exitcode(has.runs) == PLAIT_ERUNNING);           \
                                 CHECK(plait_process_exitcode(has.ended) == 7))                       \
    X(plait_process_is_alive, 0, CHECK(plait_process_is_alive(has.runs) && !plait_process_is_alive(has.ended)))              \
    X(plait_process_pid, 0, CHECK(plait_process_pid(has.runs) > 0))                                   \
    X(plait_process_name, 0, CHECK(*plait_process_name(has.runs)))                                    \
    X(plait_process_sentinel, 0, CHECK(plait_process_sentinel(has.runs) > STDERR_FILENO))             \
    X(plait_process_terminate, ANY_TIME, signal_one(plait_process_terminate, SIGTERM))                \
    X(plait_process_kill, ANY_TIME, signal_one(plait_process_kill, SIGKILL))                          \
    X(plait_process_free, 0, CHECK(plait_process_free(has.runs) == PLAIT_ERUNNING && plait_process_free(NULL) == 0))         \
    X(plait_pool_new, ANY_TIME, plait_pool_free(plait_pool_new(&(plait_pool_options){ .workers = 2 })))                      \
    X(plait_pool_free, ANY_TIME, plait_pool_free(plait_pool_new(NULL)))                               \
    X(plait_pool_map, 0, map_in(has.pool))                                                            \
    X(plait_pool_workers, 0, CHECK(plait_pool_workers(has.pool) == 2))                                \
    X(plait_pool_map_results, 0, map_results_in(has.pool))                                            \
    X(plait_pool_map_reduce, 0, map_and_reduce_in(has.pool))                                          \
    X(plait_pool_current, ANY_TIME, CHECK(!plait_pool_current()))                                     \
    X(plait_result_set, ANY_TIME, set_result())                                                       \
    X(plait_result_alloc, ANY_TIME, set_result())                                                     \
    X(plait_results_free, ANY_TIME, plait_results_free(NULL, 0))                                      \
    X(plait_pool_worker_pid, 0, CHECK(plait_pool_worker_pid(has.pool, 1) > 0))                        \
    SYNC_FUNCTIONS(X)                                                                                 \
    VALUE_FUNCTIONS(X)

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

static void every_public_function_is_here(void **state)
{
    static char exported[SYMBOLS_MAX][SYMBOL_SIZE];
    const int count = symbols_exported(exported);
    int wrong = 0, ours = 0;
    for (int i = 0; i < count; i++) {
        bool found = strncmp(exported[i], "plait__", 7) == 0;      /* behind functions that are inlined */
        ours += !found;
        for (int j = 0; j < COUNT; j++) found |= strcmp(exported[i], functions[j].name) == 0;
        if (!found) print_error("%s is exported, and not called here\n", exported[i]);
        wrong += !found;
    }
    if (wrong || ours != COUNT) fail_msg("the library exports %d functions, here are %d", ours, COUNT);
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
