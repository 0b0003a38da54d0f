/* The end of a program that has children of every kind, idle and busy: by SIGKILL, by SIGTERM, with a handler that exits.  Nobody
 * is left. */
#include "served.h"

enum { MOST = 64 };

/* Shared with the tester. */
struct crowd {
    _Atomic int count;
    pid_t pids[MOST];
    _Atomic int ready, inside;
};

enum ending { BY_KILL, BY_TERM, BY_HANDLER };

struct scene {
    struct crowd *crowd;
    int method, stock;
    enum ending ending;
    void (*fill)(const struct scene *scene);
};

static struct crowd *crowd;             /* also in forked children */

static void add(pid_t pid)
{
    crowd->pids[atomic_fetch_add(&crowd->count, 1)] = pid;
}

static void exit_by_handler(int signal)
{
    (void)signal;
    exit(3);
}

static int be_host(void *argument)
{
    const struct scene *scene = argument;
    crowd = scene->crowd;
    be_program();
    if (scene->ending == BY_HANDLER) CHECK(signal(SIGTERM, exit_by_handler) != SIG_ERR);
    scene->fill(scene);
    atomic_store(&crowd->ready, 1);
    sleep_for_ever();
}

static bool has_ended(pid_t pid)
{
    const char state = state_of(pid);
    return state == 0 || state == 'Z';
}

/* All of the tester's descendants, but for zombies, are gone: those of the crowd, and any other. */
static bool nobody_runs(void *unused)
{
    const int count = atomic_load(&crowd->count);
    for (int i = 0; i < count; i++)
        if (!has_ended(crowd->pids[i])) return false;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    return has_no_child();
}

static void end_the_host(void **state)
{
    struct scene *scene = *state;
    adopt_orphans();
    scene->crowd = crowd = test_shared(sizeof *crowd);
    const pid_t host = test_fork(be_host, scene);
    test_until(is_set, &crowd->ready);
    const double since = seconds_now();
    assert_int_equal(kill(host, scene->ending == BY_KILL ? SIGKILL : SIGTERM), 0);
    const int expected[] = { -SIGKILL, -SIGTERM, 3 };
    assert_int_equal(test_wait_exit(host), expected[scene->ending]);
    const double ended = seconds_now();
    test_until(nobody_runs, NULL);
    printf("it ended after %.1f ms, everybody else %.1f ms later\n", (ended - since) * 1000, (seconds_now() - ended) * 1000);
    assert_true(seconds_now() - ended < 1);
}

/* ---- children ---- */

static int compute(void *unused)
{
    for (volatile unsigned i = 1; i; i = i | 1) {}
    return 0;
}

static void start_children(const struct scene *scene)
{
    const plait_process_options options = { .method = scene->method, .daemon = scene->ending == BY_HANDLER };
    if (scene->method == PLAIT_FORKSERVER) {
        start_server(scene->stock);
        add(plait_forkserver_pid());
    }
    for (int i = 0; i < 4; i++) add(plait_process_pid(start_it(i % 2 ? compute : run_on, NULL, 0, &options)));
}

static void *start_in_a_thread(void *scene)
{
    start_children(scene);
    return NULL;
}

static void start_children_in_a_thread(const struct scene *scene)
{
    thread_end(thread_start(start_in_a_thread, (void *)(uintptr_t)scene));
}

/* ---- pools ---- */

static int be_busy(const void *in, void *out, void *context)
{
    atomic_fetch_add(&crowd->inside, 1);
    return compute(context);
}

static plait_pool *pool;

static void new_pool(void)
{
    pool = plait_pool_new(&(plait_pool_options){ .workers = 3 });
    CHECK(pool);
    for (int i = 0; i < 3; i++) add(plait_pool_worker_pid(pool, i));
}

static void have_an_idle_pool(const struct scene *scene)
{
    new_pool();
}

static int numbers[3];

static void *map(void *unused)
{
    const int error = plait_pool_map(pool, be_busy, numbers, sizeof numbers[0], numbers, sizeof numbers[0], 3, NULL);
    CHECK(error < 0);
    return NULL;
}

static bool all_are_busy(void *unused)
{
    return atomic_load(&crowd->inside) == 3;
}

static void have_a_busy_pool(const struct scene *scene)
{
    pthread_t waiter;
    new_pool();
    CHECK(pthread_create(&waiter, NULL, map, NULL) == 0);
    test_until(all_are_busy, NULL);
}

#define SCENE(name, ...) { (name), end_the_host, NULL, NULL, &(struct scene){ __VA_ARGS__ } }
#define ALL_METHODS(prefix, how, start)                                                                    \
    SCENE(prefix "_by_fork", .ending = (how), .method = PLAIT_FORK, .fill = (start)),                      \
    SCENE(prefix "_by_spawn", .ending = (how), .method = PLAIT_SPAWN, .fill = (start)),                    \
    SCENE(prefix "_by_forkserver", .ending = (how), .method = PLAIT_FORKSERVER, .fill = (start)),          \
    SCENE(prefix "_by_forkserver_with_a_stock", .ending = (how), .method = PLAIT_FORKSERVER, .stock = 3, .fill = (start))

static const struct CMUnitTest tests[] = {
    ALL_METHODS("children_of_who_is_killed", BY_KILL, start_children),
    ALL_METHODS("children_of_a_thread_of_who_is_killed", BY_KILL, start_children_in_a_thread),
    ALL_METHODS("children_of_who_is_terminated", BY_TERM, start_children),
    ALL_METHODS("children_of_who_exits_in_a_handler", BY_HANDLER, start_children),
    SCENE("an_idle_pool_of_who_is_killed", .ending = BY_KILL, .fill = have_an_idle_pool),
    SCENE("an_idle_pool_of_who_is_terminated", .ending = BY_TERM, .fill = have_an_idle_pool),
    SCENE("an_idle_pool_of_who_exits_in_a_handler", .ending = BY_HANDLER, .fill = have_an_idle_pool),
    SCENE("a_busy_pool_of_who_is_killed", .ending = BY_KILL, .fill = have_a_busy_pool),
    SCENE("a_busy_pool_of_who_is_terminated", .ending = BY_TERM, .fill = have_a_busy_pool),
    SCENE("a_busy_pool_of_who_exits_in_a_handler", .ending = BY_HANDLER, .fill = have_a_busy_pool),
};

TEST_MAIN(tests)
