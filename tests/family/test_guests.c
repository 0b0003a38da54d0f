/* plait as a guest in programs that do what they like: fork at any moment and with handlers of their own, move into other pid
 * namespaces, unload libraries, lock their memory. */
#include "harness.h"
#include "others.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <plait.h>

#include "arena/map.h"

/* --- fork handlers of others --------------------------------------------------------------------------------------------- */

static struct fork_scene {
    plait_lock *lock;
    bool child_uses_plait, child_keeps_lock, parent_waits;
    _Atomic int first_call_begun, child_runs;
    _Atomic int forker;
} *forking;                                                /* NULL: the handlers do nothing */

/* In the child, before fork() returns there. */
static void use_plait_in_child(void)
{
    if (!forking || !forking->child_uses_plait) return;
    CHECK(plait_lock_acquire(forking->lock, PLAIT_NOW) == 0);
    if (!forking->child_keeps_lock) CHECK(plait_lock_release(forking->lock) == 0);
}

static int uses_plait(void *unused)
{
    if (forking->child_keeps_lock) CHECK(plait_lock_release(forking->lock) == 0);
    CHECK(plait_lock_acquire(forking->lock, PLAIT_NOW) == 0);
    CHECK(plait_lock_release(forking->lock) == 0);
    CHECK(plait_member_count() == 2);
    plait_leave();
    return 0;
}

static void child_uses_plait_in_its_handler(bool keeps_lock)
{
    forking = test_shared(sizeof *forking);
    forking->child_uses_plait = true;
    forking->child_keeps_lock = keeps_lock;
    assert_non_null(forking->lock = plait_lock_new());
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(test_fork(uses_plait, NULL)), 0);
    assert_int_equal(plait_member_count(), 1);
    forking = NULL;
}

static void register_handler_for_children(void)
{
    static bool done;
    if (!done) assert_int_equal(pthread_atfork(NULL, NULL, use_plait_in_child), 0);
    done = true;
}

static void the_fork_handler_of_another_may_use_plait(void **state)
{
    assert_null(plait__arena);
    register_handler_for_children();
    child_uses_plait_in_its_handler(false);
}

static void what_a_fork_handler_acquired_the_child_has(void **state)
{
    register_handler_for_children();
    child_uses_plait_in_its_handler(true);
}

/* One that was there before plait's own: of a library that was loaded earlier. */
static bool early_handler_is_wanted;

static void use_plait_early_in_child(void)
{
    if (early_handler_is_wanted) use_plait_in_child();
}

static __attribute__((constructor(101))) void register_early(void)
{
    pthread_atfork(NULL, NULL, use_plait_early_in_child);
}

static void a_fork_handler_that_was_there_before_may_use_plait(void **state)
{
    if (plait__without(PLAIT__WITHOUT_WIPE)) skip();       /* before plait's own handler nothing tells of a fork then */
    early_handler_is_wanted = true;
    child_uses_plait_in_its_handler(false);
    child_uses_plait_in_its_handler(true);
    early_handler_is_wanted = false;
}

/* --- fork in the middle of the first call ---------------------------------------------------------------------------------- */

static bool child_runs_or_fork_waits(void *unused)
{
    return atomic_load(&forking->child_runs) || test_thread_sleeps((pid_t)atomic_load(&forking->forker));
}

/* The first call comes here, and stays until the other thread's fork() is done, or waits for the end of this call. */
int memfd_create(const char *name, unsigned flags)
{
    if (forking && forking->parent_waits) {
        atomic_store(&forking->first_call_begun, 1);
        test_until(child_runs_or_fork_waits, NULL);
    }
    return (int)syscall(SYS_memfd_create, name, flags);
}

static int calls_for_the_first_time(void *unused)
{
    return plait_init(NULL, NULL);
}

/* The fork has begun; now the other thread's first call does. */
static struct test_thread first_caller;

static void wait_for_the_first_call(void)
{
    if (!forking || !forking->parent_waits) return;
    atomic_store(&forking->forker, (int)syscall(SYS_gettid));
    test_thread_start(&first_caller, calls_for_the_first_time, NULL);
    test_until_set(&forking->first_call_begun);
}

static int is_forked_in_the_middle(void *unused)
{
    atomic_store(&forking->child_runs, 1);
    CHECK(plait_init(NULL, NULL) == 0);
    void *block = plait_alloc(100);
    CHECK(block && plait_free(block) == 0);
    plait_leave();
    return 0;
}

static int forks_in_the_middle(void *unused)
{
    const pid_t child = test_fork(is_forked_in_the_middle, NULL);
    CHECK(test_wait_exit(child) == 0);
    CHECK(test_thread_join(&first_caller) == 0);
    void *block = plait_alloc(100);
    CHECK(block && plait_free(block) == 0);
    return 0;
}

static void a_fork_in_the_middle_of_the_first_call_leaves_a_child_that_can_use_plait(void **state)
{
    assert_null(plait__arena);
    forking = test_shared(sizeof *forking);
    assert_int_equal(pthread_atfork(wait_for_the_first_call, NULL, NULL), 0);
    forking->parent_waits = true;
    assert_int_equal(forks_in_the_middle(NULL), 0);
    forking = NULL;
}

/* --- another pid namespace ----------------------------------------------------------------------------------------------- */

struct space {
    plait_lock *lock;
    _Atomic int held;
};

static int holds_in_a_thread(void *argument)
{
    struct space *space = argument;
    CHECK(plait_lock_acquire(space->lock, PLAIT_NOW) == 0);
    atomic_store(&space->held, (int)plait__self.slot);
    for (;;) pause();
    return 0;
}

/* Its process has number 1 there, and its thread 2: numbers that others have here. */
static pid_t fork_into_new_namespace(struct space *space)
{
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWPID, 0, 0, 0, 0);
    if (child) return child;
    struct test_thread thread;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    test_thread_start(&thread, holds_in_a_thread, space);
    for (;;) pause();
}

static void a_raw_child_in_another_pid_namespace_is_not_taken_for_dead(void **state)
{
    if (plait__without(PLAIT__WITHOUT_WIPE)) skip();       /* nothing tells a raw child that it is somebody else */
    struct space *space = test_shared(sizeof *space);
    assert_non_null(space->lock = plait_lock_new());
    const pid_t child = fork_into_new_namespace(space);
    if (child < 0) {
        assert_true(errno == EPERM || errno == EINVAL || errno == ENOSPC);
        skip();
    }
    test_until_set(&space->held);
    const uint32_t slot = (uint32_t)atomic_load(&space->held);
    assert_int_not_equal(atomic_load(&plait__slot(slot)->pid_namespace), plait__pid_namespace());
    plait__ask_kernel(PLAIT__MEMBERS_MAX);
    assert_int_equal(plait_lock_acquire(space->lock, PLAIT_NOW), -ETIMEDOUT);
    test_kill(child);
    if (plait__without(PLAIT__WITHOUT_ROBUST)) return;     /* then nobody here can know of its end */
    assert_int_equal(plait_lock_acquire(space->lock, PLAIT_FOREVER), PLAIT_OWNER_DIED);
}

/* --- a library that is unloaded --------------------------------------------------------------------------------------------- */

static struct {
    int (*init)(int *argc, char ***argv);
    _Atomic int called, unloaded;
} library;

static int is_a_member_when_the_library_goes(void *unused)
{
    CHECK(library.init(NULL, NULL) == 0);
    atomic_store(&library.called, 1);
    test_until_set(&library.unloaded);
    return 0;
}

static int loads_and_unloads(void *unused)
{
    char path[4096];
    struct test_thread thread;
    CHECK(getenv("PLAIT_BUILD"));
    snprintf(path, sizeof path, "%s/libplait.so", getenv("PLAIT_BUILD"));
    void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(loaded);
    *(void **)&library.init = dlsym(loaded, "plait_init");
    CHECK(library.init && library.init != plait_init);
    test_thread_start(&thread, is_a_member_when_the_library_goes, NULL);
    test_until_set(&library.called);
    CHECK(dlclose(loaded) == 0);
    atomic_store(&library.unloaded, 1);
    return test_thread_join(&thread);
}

static void a_thread_may_end_after_the_library_was_unloaded(void **state)
{
    if (TEST_IS_STATIC) skip();                             /* such a program can load no library */
    assert_int_equal(test_wait_exit(test_fork(loads_and_unloads, NULL)), 0);
}

/* --- locked memory ---------------------------------------------------------------------------------------------------------- */

/* Of the memory shared with others, how much is there, in KiB. */
static long shared_memory_in_use(void)
{
    char line[128];
    long size = -1;
    FILE *file = fopen("/proc/self/status", "re");
    CHECK(file);
    while (fgets(line, sizeof line, file)) sscanf(line, "RssShmem: %ld", &size);
    fclose(file);
    CHECK(size >= 0);
    return size;
}

enum { CAN_NOT_LOCK = 77 };

static int has_locked_its_memory(void *unused)
{
    enum { MIB = 1 << 20, ARENA = 256 * MIB };
    if (mlockall(MCL_FUTURE) < 0) return CAN_NOT_LOCK;
    const long before = shared_memory_in_use();
    plait__test_arena_size = ARENA;
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK(shared_memory_in_use() - before < ARENA / 1024 / 8);
    char *block = plait_alloc(4 * MIB);
    CHECK(block);
    for (int i = 0; i < 4 * MIB; i++) CHECK(block[i] == 0);
    memset(block, 1, 4 * MIB);
    CHECK(shared_memory_in_use() - before < ARENA / 1024 / 4);
    CHECK(plait_free(block) == 0);
    return 0;
}

static void locked_memory_does_not_fill_the_arena(void **state)
{
    if (geteuid() != 0) skip();                            /* the size of what is mapped counts, not what is used */
    const int result = test_wait_exit(test_fork(has_locked_its_memory, NULL));
    if (result == CAN_NOT_LOCK) skip();
    assert_int_equal(result, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_fork_in_the_middle_of_the_first_call_leaves_a_child_that_can_use_plait),
    cmocka_unit_test(the_fork_handler_of_another_may_use_plait),
    cmocka_unit_test(what_a_fork_handler_acquired_the_child_has),
    cmocka_unit_test(a_fork_handler_that_was_there_before_may_use_plait),
    cmocka_unit_test(a_raw_child_in_another_pid_namespace_is_not_taken_for_dead),
    cmocka_unit_test(a_thread_may_end_after_the_library_was_unloaded),
    cmocka_unit_test(locked_memory_does_not_fill_the_arena),
};
TEST_MAIN(tests)
