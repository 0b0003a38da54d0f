/* Children that begin anew: what reaches them, and what does not. */
#include "starts.h"

#include <sys/mman.h>

static const plait_process_options spawned = { .method = PLAIT_SPAWN };

static plait_process *spawn(int (*function)(void *), const void *argument, size_t size)
{
    plait_process *process = plait_start(function, argument, size, &spawned);
    if (!process) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(process);
    return process;
}

/* ---- arguments ---- */

static int is_text(void *argument)
{
    return strcmp(argument, "some text") == 0 ? 3 : 1;
}

static int is_aligned(void *argument)
{
    const char *bytes = argument;
    for (int i = 0; i < 1 << 20; i++)
        if (bytes[i] != (char)(i * 31 >> 3)) return 1;
    return (uintptr_t)argument % 16 == 0 ? 3 : 2;
}

static int double_it(void *argument)
{
    *(int *)argument *= 2;
    return 3;
}

static int is_7(void *argument) { return argument == (void *)7 ? 3 : 1; }
static int is_null(void *argument) { return argument ? 1 : 3; }

static int pass_arguments(void *unused)
{
    be_program();
    const struct traces before = traces_now();
    char *bytes = malloc(1 << 20), text[] = "some text";
    for (int i = 0; i < 1 << 20; i++) bytes[i] = (char)(i * 31 >> 3);
    plait_process *process = plait_process_new(is_text, text, sizeof text, &spawned);
    memset(text, 'x', sizeof text);
    CHECK(process && plait_process_start(process) == 0);
    end_with(process, 3);
    end_with(spawn(is_aligned, bytes, 1 << 20), 3);
    int *shared = plait_alloc(sizeof *shared);
    *shared = 21;
    end_with(spawn(double_it, shared, 0), 3);
    CHECK(*shared == 42 && plait_free(shared) == 0);
    end_with(spawn(is_7, (void *)7, 0), 3);
    end_with(spawn(is_null, NULL, 0), 3);
    process = plait_process_new(is_text, bytes, 0, &spawned);
    start_is_refused(process, -EINVAL, "a pointer to private memory means nothing in a process that begins anew");
    CHECK(plait_process_free(process) == 0);
    free(bytes);
    traces_must_be(&before);
    return 0;
}

static void bytes_shared_pointers_and_numbers(void **state)
{
    host_run(pass_arguments, NULL);
}

/* ---- functions ---- */

static int start_what_is_no_function(void *unused)
{
    be_program();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    plait_process *process = plait_process_new((int (*)(void *))(uintptr_t)page, NULL, 0, &spawned);
    start_is_refused(process, PLAIT_ENOFUNCTION, "what is made at run time can not travel");
    CHECK(plait_process_free(process) == 0);
    return 0;
}

static void code_that_is_made_at_run_time_is_refused(void **state)
{
    host_run(start_what_is_no_function, NULL);
}

static int fork_from_spawned(void *unused)
{
    end_with(plait_start(return_0, NULL, 0, &(plait_process_options){ .method = PLAIT_FORK }), 0);
    end_with(plait_start(is_text, "some text", 10, &(plait_process_options){ .kind = PLAIT_THREADS }), 3);
    return 5;
}

static int spawn_again(void *levels)
{
    const int left = *(int *)levels - 1;
    end_with(left ? spawn(spawn_again, &left, sizeof left) : spawn(fork_from_spawned, NULL, 0), 5);
    return 5;
}

static int spawn_from_spawned(void *unused)
{
    be_program();
    end_with(spawn(spawn_again, &(int){ 3 }, sizeof(int)), 5);
    return 0;
}

static int spawn_from_forked(void *unused)
{
    end_with(spawn(is_text, "some text", 10), 3);
    return 5;
}

static int fork_one_that_spawns(void *unused)
{
    be_program();
    end_with(plait_start(spawn_from_forked, NULL, 0, NULL), 5);
    return 0;
}

static void spawned_children_spawn_and_fork_themselves(void **state)
{
    host_run(spawn_from_spawned, NULL);
    host_run(fork_one_that_spawns, NULL);
}

static void *spawn_in_thread(void *unused)
{
    for (int i = 0; i < 10; i++) end_with(spawn(is_text, "some text", 10), 3);
    return NULL;
}

static int spawn_in_threads(void *unused)
{
    be_program();
    pthread_t threads[3];
    const struct traces before = traces_now();
    for (int i = 0; i < 3; i++) threads[i] = thread_start(spawn_in_thread, NULL);
    for (int i = 0; i < 3; i++) thread_end(threads[i]);
    traces_must_be(&before);
    return 0;
}

static void threads_spawn_side_by_side(void **state)
{
    host_run(spawn_in_threads, NULL);
}

/* ---- who it is ---- */

struct identity {
    char name[64], parent[64], repr[200];
    int daemon, method, all_closed;
    pid_t pid, ppid;
};

static int tell_identity(void *argument)
{
    struct identity *told = argument;
    plait_process *self = plait_current_process(), *parent = plait_parent_process();
    snprintf(told->name, sizeof told->name, "%s", plait_process_name(self));
    snprintf(told->parent, sizeof told->parent, "%s", parent ? plait_process_name(parent) : "");
    plait_process_repr(self, told->repr, sizeof told->repr);
    told->daemon = plait_process_daemon(self);
    told->method = plait_get_start_method();
    told->pid = plait_process_pid(self);
    told->ppid = parent ? plait_process_pid(parent) : 0;
    if (parent) CHECK(plait_process_is_alive(parent) == 1 && plait_process_join(parent, PLAIT_NOW) == -ETIMEDOUT);
    char text[100];
    snprintf(text, sizeof text, "%s:1", told->name);
    plait_process *child = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .class_name = "Worker" });
    CHECK(strcmp(plait_process_name(child), text) == 0 && plait_process_free(child) == 0);
    return 2;
}

static int compare_identities(void *unused)
{
    be_program();
    CHECK(plait_set_start_method(PLAIT_SPAWN, 0) == 0);
    CHECK(plait_process_set_name(plait_current_process(), "Ada") == 0);
    struct identity *told = plait_alloc(sizeof *told);
    for (int daemon = 0; daemon < 2; daemon++) {
        char expected[200];
        plait_process *process = plait_start(tell_identity, told, 0, &(plait_process_options){
            .class_name = "Worker", .daemon = daemon });
        const pid_t pid = plait_process_pid(process);
        end_with(process, 2);
        CHECK(strcmp(told->name, daemon ? "Worker-2" : "Worker-1") == 0 && strcmp(told->parent, "Ada") == 0);
        CHECK(told->daemon == daemon && told->method == PLAIT_SPAWN && told->pid == pid && told->ppid == getpid());
        snprintf(expected, sizeof expected, "<Worker name='%s' pid=%d parent=%d started%s>", told->name, pid, getpid(),
                 daemon ? " daemon" : "");
        CHECK_TEXT(told->repr, expected);
    }
    return plait_free(told);
}

static void it_knows_who_it_is(void **state)
{
    host_run(compare_identities, NULL);
}

static int start_one_of_ones_own(void *unused)
{
    errno = 0;
    CHECK(!plait_start(return_0, NULL, 0, NULL) && errno == -PLAIT_EDAEMON);
    CHECK(!plait_start_program((char *[]){ "true", NULL }, NULL) && errno == -PLAIT_EDAEMON);
    end_with(plait_start(return_0, NULL, 0, &(plait_process_options){ .kind = PLAIT_THREADS }), 0);
    return 2;
}

static int be_strict_with_daemons(void *unused)
{
    be_program();
    end_with(plait_start(start_one_of_ones_own, NULL, 0, &(plait_process_options){ .method = PLAIT_SPAWN, .daemon = 1 }), 2);
    end_with(plait_start(start_one_of_ones_own, NULL, 0, &(plait_process_options){ .method = PLAIT_FORK, .daemon = 1 }), 2);
    return 0;
}

static void daemons_have_no_children_but_threads(void **state)
{
    host_run(be_strict_with_daemons, NULL);
}

static int choose_methods(void *unused)
{
    CHECK(plait_get_start_method() == PLAIT_FORK);
    CHECK(plait_set_start_method(0, 0) == -EINVAL && plait_set_start_method(4, 1) == -EINVAL);
    CHECK(plait_set_start_method(PLAIT_SPAWN, 0) == 0 && plait_get_start_method() == PLAIT_SPAWN);
    CHECK(plait_set_start_method(PLAIT_FORK, 0) == -EALREADY && plait_get_start_method() == PLAIT_SPAWN);
    CHECK_TEXT(plait_error_detail(), "context has already been set");
    CHECK(plait_set_start_method(PLAIT_FORK, 1) == 0 && plait_get_start_method() == PLAIT_FORK);
    const int *all = plait_get_all_start_methods();
    CHECK(all[0] == PLAIT_FORK && all[1] == PLAIT_SPAWN && all[2] == PLAIT_FORKSERVER && all[3] == 0);
    CHECK(strcmp(plait_start_method_name(PLAIT_SPAWN), "spawn") == 0 && !plait_start_method_name(0) && !plait_start_method_name(4));
    return 0;
}

static void the_start_method_is_set_once(void **state)
{
    host_run(choose_methods, NULL);
}

/* ---- the family ---- */

struct shop {
    plait_lock lock;
    plait_queue *requests, *answers;
    int sum;
    void *block;
};

static int work(void *argument)
{
    struct shop *shop = argument;
    int number;
    while (plait_queue_get(shop->requests, &number, sizeof number, PLAIT_FOREVER) == sizeof number) {
        CHECK(plait_lock_acquire(&shop->lock, PLAIT_FOREVER) == 0);
        shop->sum += number;
        CHECK(plait_lock_release(&shop->lock) == 0);
        number *= 2;
        CHECK(plait_queue_put(shop->answers, &number, sizeof number, PLAIT_FOREVER) == 0);
    }
    return 4;
}

static int share_a_shop(void *unused)
{
    be_program();
    const int members = plait_member_count();
    struct shop *shop = plait_alloc(sizeof *shop);
    CHECK((shop->requests = plait_queue_new(NULL)) && (shop->answers = plait_queue_new(NULL)));
    plait_process *workers[2] = { spawn(work, shop, 0), spawn(work, shop, 0) };
    for (int i = 1; i <= 1000; i++) {
        int number = i;
        CHECK(plait_queue_put(shop->requests, &number, sizeof number, PLAIT_FOREVER) == 0);
        CHECK(plait_queue_get(shop->answers, &number, sizeof number, PLAIT_FOREVER) == sizeof number && number == 2 * i);
    }
    CHECK(plait_queue_close(shop->requests) == 0);
    end_with(workers[0], 4);
    end_with(workers[1], 4);
    CHECK(shop->sum == 500500 && plait_member_count() == members);
    CHECK(plait_queue_free(shop->requests) == 0 && plait_queue_free(shop->answers) == 0);
    return plait_free(shop);
}

static void it_shares_queues_and_locks(void **state)
{
    host_run(share_a_shop, NULL);
}

static int hold_the_lock(void *argument)
{
    struct shop *shop = argument;
    CHECK(plait_message_alloc(1 << 20) && plait_lock_acquire(&shop->lock, PLAIT_FOREVER) == 0);
    shop->sum = 1;
    sleep_for_ever();
}

static bool has_sum(void *shop)
{
    return *(volatile int *)&((struct shop *)shop)->sum != 0;
}

static int kill_a_holder(void *unused)
{
    be_program();
    struct shop *shop = plait_alloc(sizeof *shop);
    plait_process *process = spawn(hold_the_lock, shop, 0);
    test_until(has_sum, shop);
    CHECK(plait_process_kill(process) == 0);
    CHECK(plait_lock_acquire(&shop->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED && plait_lock_release(&shop->lock) == 0);
    end_with(process, -SIGKILL);
    plait_arena_figures figures;
    CHECK(plait_arena_stats(&figures) == 0 && figures.owned_blocks == 0 && figures.leaked == 0);
    return plait_free(shop);
}

static void its_death_is_noticed(void **state)
{
    host_run(kill_a_holder, NULL);
}

static int twice(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in * 2;
    return 0;
}

static int map_in_a_pool(void *argument)
{
    struct shop *shop = argument;
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    int *block = plait_alloc(100 * sizeof *block), numbers[100];
    for (int i = 0; i < 100; i++) numbers[i] = i;
    CHECK(pool && plait_pool_map(pool, twice, numbers, sizeof numbers[0], block, sizeof *block, 100, NULL) == 0);
    plait_pool_free(pool);
    shop->block = block;
    return 4;
}

static int take_what_it_made(void *unused)
{
    be_program();
    struct shop *shop = plait_alloc(sizeof *shop);
    end_with(spawn(map_in_a_pool, shop, 0), 4);
    for (int i = 0; i < 100; i++) CHECK(((int *)shop->block)[i] == 2 * i);
    CHECK(plait_free(shop->block) == 0);
    return plait_free(shop);
}

static void it_has_pools_and_allocates_for_others(void **state)
{
    host_run(take_what_it_made, NULL);
}

/* ---- what it has not ---- */

static int global = 1;

static void handle(int unused)
{
}

static int begins_anew(void *unused)
{
    struct sigaction action;
    CHECK(global == 1 && sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    return getenv("PLAIT_TEST_SPAWN") ? 3 : 4;
}

static int change_things(void *unused)
{
    be_program();
    global = 2;
    signal(SIGUSR1, handle);
    CHECK(setenv("PLAIT_TEST_SPAWN", "here", 1) == 0);
    end_with(spawn(begins_anew, NULL, 0), 3);
    return 0;
}

static void variables_and_handlers_are_as_at_the_programs_begin(void **state)
{
    host_run(change_things, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bytes_shared_pointers_and_numbers),
    cmocka_unit_test(code_that_is_made_at_run_time_is_refused),
    cmocka_unit_test(spawned_children_spawn_and_fork_themselves),
    cmocka_unit_test(threads_spawn_side_by_side),
    cmocka_unit_test(it_knows_who_it_is),
    cmocka_unit_test(daemons_have_no_children_but_threads),
    cmocka_unit_test(the_start_method_is_set_once),
    cmocka_unit_test(it_shares_queues_and_locks),
    cmocka_unit_test(its_death_is_noticed),
    cmocka_unit_test(it_has_pools_and_allocates_for_others),
    cmocka_unit_test(variables_and_handlers_are_as_at_the_programs_begin),
};
TEST_MAIN(tests)
