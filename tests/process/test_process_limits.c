/* Starting a process when something has run out: processes, descriptors, shared memory, slots.  The call says what is missing,
 * leaves nothing behind, and works again when there is enough.  Each test runs in a host, with an arena of its own. */
#include "host.h"

#include <plait.h>

#include "arena/heap.h"
#include "base/fault.h"
#include "family/roster.h"

static int return_0(void *unused)
{
    return 0;
}

static void start_must_work(void)
{
    plait_process *process = plait_start(return_0, "x", 2, NULL);
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == 0);
    CHECK(plait_process_free(process) == 0);
}

static void start_must_fail(int error, const char *detail)
{
    const size_t blocks = plait__heap_count(0);
    const int fds = open_fds();
    errno = 0;
    plait_process *process = plait_start(return_0, "x", 2, NULL);
    const int got = errno;
    CHECK(!process);
    if (got != error || !strstr(plait_error_detail(), detail))
        dprintf(STDERR_FILENO, "%s (%s)\n", plait_strerrorname(got), plait_error_detail());
    CHECK(got == error);
    CHECK(strstr(plait_error_detail(), detail));
    CHECK(plait__heap_count(0) == blocks);
    CHECK(open_fds() == fds);
    CHECK(has_no_child());
}

/* ---- processes ---- */

static int forbid_and_start(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    drop_root();
    forbid_processes(true);
    for (int i = 0; i < 3; i++) start_must_fail(EAGAIN, "this user may have 1 processes (RLIMIT_NPROC)");
    forbid_processes(false);
    start_must_work();
    forbid_processes(true);
    start_must_fail(EAGAIN, "RLIMIT_NPROC");
    return 0;
}

static void too_many_processes_are_EAGAIN(void **state)
{
    host_run(forbid_and_start, NULL);
}

/* ---- descriptors ---- */

/* Leave `count` descriptors free; they are those from `first` on. */
static int leave_free(int count)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 100;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) last = fd;
    CHECK(errno == EMFILE && last - count > 2);
    for (int i = 0; i < count; i++) close(last - i);
    return last - count + 1;
}

static int start_without_descriptors(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    const int first = leave_free(0);
    for (int i = 0; i < 3; i++) start_must_fail(EMFILE, strerror(EMFILE));
    close(first - 1);
    close(first - 2);
    start_must_work();
    return 0;
}

static void too_many_descriptors_are_EMFILE(void **state)
{
    host_run(start_without_descriptors, NULL);
}

static int start_with_few_descriptors(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    const int first = leave_free(2);
    start_must_work();
    for (int left = 1; left >= 0; left--) {
        CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) == first + 1 - left);
        const int fds = open_fds();
        plait_process *process = plait_start(return_0, NULL, 0, NULL);
        CHECK(process || errno == EMFILE);
        if (process) CHECK(plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_free(process) == 0);
        CHECK(open_fds() == fds);
        CHECK(has_no_child());
    }
    return 0;
}

static void two_free_descriptors_are_enough(void **state)
{
    host_run(start_with_few_descriptors, NULL);
}

/* ---- shared memory ---- */

static int fill_the_arena(void *unused)
{
    enum { MOST = 10000 };
    static void *blocks[MOST];
    int count = 0;
    plait__test_arena_size = 16 << 20;
    start_must_work();
    for (size_t size = 1 << 20; size >= 8; size /= 2)
        while (count < MOST && (blocks[count] = plait_alloc(size))) count++;
    CHECK(count < MOST);
    for (int i = 0; i < 3; i++) start_must_fail(ENOMEM, "the family's memory has no room");
    CHECK(plait_free(blocks[count - 1]) == 0);
    start_must_work();
    return 0;
}

static void a_full_arena_is_ENOMEM(void **state)
{
    host_run(fill_the_arena, NULL);
}

static int forbid_the_arena(void *unused)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const struct rlimit small = { 1 << 20, limit.rlim_max };
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    start_must_fail(-PLAIT_ENOARENA, "mapping");
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    start_must_work();
    return 0;
}

static void without_an_arena_it_is_ENOARENA(void **state)
{
    host_run(forbid_the_arena, NULL);
}

/* ---- slots ---- */

/* Lock the pulses of all slots from `first` on that nobody has, as members would, and initialise those that are not yet. */
static void take_all_slots(void)
{
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    for (uint32_t i = 1; i <= PLAIT__MEMBERS_MAX; i++) {
        if (i > atomic_load(&plait__roster->made)) CHECK(pthread_mutex_init(&plait__slot(i)->pulse, &robust) == 0);
        if (i != plait__self.slot) CHECK(pthread_mutex_lock(&plait__slot(i)->pulse) == 0);
    }
    atomic_store(&plait__roster->made, PLAIT__MEMBERS_MAX);
}

static void give_back_a_slot(uint32_t number)
{
    CHECK(pthread_mutex_unlock(&plait__slot(number)->pulse) == 0);
}

/* It runs although it can't be a member; its calls say so. */
static int expect_no_slot(void *argument)
{
    CHECK(strcmp(argument, "argument") == 0);
    errno = 0;
    CHECK(!plait_alloc(16) && errno == -PLAIT_ETOOMANY);
    CHECK(plait_init(NULL, NULL) == PLAIT_ETOOMANY);
    CHECK(strstr(plait_error_detail(), "all 8191 slots are taken"));
    plait_lock lock = { 0 };
    CHECK(plait_lock_acquire(&lock, PLAIT_NOW) == PLAIT_ETOOMANY);
    CHECK(!plait_start(return_0, NULL, 0, NULL) && errno == -PLAIT_ETOOMANY);
    return 7;
}

static int start_without_slots(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    take_all_slots();
    plait_process *process = plait_start(expect_no_slot, "argument", sizeof "argument", NULL);
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == 7);
    CHECK(plait_process_free(process) == 0);
    give_back_a_slot(100);
    start_must_work();
    return 0;
}

static void a_child_without_a_slot_runs_and_its_calls_are_ETOOMANY(void **state)
{
    host_run(start_without_slots, NULL);
}

static void *start_as_no_member(void *unused)
{
    start_must_fail(-PLAIT_ETOOMANY, "all 8191 slots are taken");
    return NULL;
}

static int start_from_a_thread_without_a_slot(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    take_all_slots();
    thread_end(thread_start(start_as_no_member, NULL));
    return 0;
}

static void a_thread_without_a_slot_can_not_start_one(void **state)
{
    host_run(start_from_a_thread_without_a_slot, NULL);
}

static int do_nothing(const void *in, void *out, void *context)
{
    return 0;
}

/* Its workers can't join. */
static int map_without_slots(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    take_all_slots();
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    CHECK(pool);
    CHECK(plait_pool_map(pool, do_nothing, NULL, 0, NULL, 0, 10, NULL) == PLAIT_EWORKERDIED);
    CHECK(strstr(plait_error_detail(), "workers in a row ended before they could work"));
    for (uint32_t i = 100; i < 110; i++) give_back_a_slot(i);
    CHECK(plait_pool_map(pool, do_nothing, NULL, 0, NULL, 0, 10, NULL) == 0);
    plait_pool_free(pool);
    return 0;
}

static void a_pool_whose_workers_have_no_slots_says_so_and_works_again_when_they_have(void **state)
{
    host_run(map_without_slots, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(too_many_processes_are_EAGAIN),
    cmocka_unit_test(too_many_descriptors_are_EMFILE),
    cmocka_unit_test(two_free_descriptors_are_enough),
    cmocka_unit_test(a_full_arena_is_ENOMEM),
    cmocka_unit_test(without_an_arena_it_is_ENOARENA),
    cmocka_unit_test(a_child_without_a_slot_runs_and_its_calls_are_ETOOMANY),
    cmocka_unit_test(a_thread_without_a_slot_can_not_start_one),
    cmocka_unit_test(a_pool_whose_workers_have_no_slots_says_so_and_works_again_when_they_have),
};

TEST_MAIN(tests)
