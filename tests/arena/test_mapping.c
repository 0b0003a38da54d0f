/* The mapping: one address for all, no name, no core dump, sealed; and smaller ones where limits want it. */
#include "harness.h"
#include "others.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

#include "arena/map.h"
#include "family/repair.h"

#define GIB (UINT64_C(1) << 30)
#define BASE UINT64_C(0x6a0000000000)

static void it_lies_where_it_should(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal((uintptr_t)plait__arena, BASE);
    assert_int_equal(plait__arena->base, BASE);
    assert_int_equal(plait__arena->size, 64 * GIB);
    assert_int_equal(plait__arena->magic, PLAIT__ARENA_MAGIC);
    assert_in_range(plait__arena->spans, 1000, 64 * GIB / PLAIT__SPAN_SIZE);
    assert_int_equal((uintptr_t)plait__arena->memory % PLAIT__SPAN_SIZE, 0);
    const char *end = plait__arena->memory + (uint64_t)plait__arena->spans * PLAIT__SPAN_SIZE;
    assert_true(end <= (char *)plait__arena + plait__arena->size);
}

static int writes_its_pid(void *block)
{
    CHECK(plait_is_shared(block));
    *(pid_t *)block = getpid();
    return 0;
}

static void children_see_the_same_at_the_same_address(void **state)
{
    pid_t *block = plait_alloc(sizeof *block);
    const pid_t child = test_fork(writes_its_pid, block);
    assert_int_equal(test_wait_exit(child), 0);
    assert_int_equal(*block, child);
    assert_int_equal(plait_free(block), 0);
}

static int makes_a_block_for_its_parent(void *argument)
{
    char **pointer = argument;
    CHECK((*pointer = plait_alloc(5)));
    memcpy(*pointer, "word", 5);
    plait_leave();
    return 0;
}

static void parents_see_what_children_made(void **state)
{
    char **pointer = plait_alloc(sizeof *pointer);
    assert_int_equal(test_wait_exit(test_fork(makes_a_block_for_its_parent, pointer)), 0);
    assert_string_equal(*pointer, "word");
    assert_int_equal(plait_free(*pointer), 0);
    assert_int_equal(plait_free(pointer), 0);
}

/* The line `VmFlags` that /proc/self/smaps has for the arena. */
static void read_flags_of_arena(char *line, size_t size)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    assert_non_null(file);
    bool ours = false;
    while (fgets(line, (int)size, file)) {
        if (strncmp(line, "6a0000000000-", 13) == 0) ours = true;
        if (ours && strncmp(line, "VmFlags:", 8) == 0) break;
    }
    fclose(file);
    assert_true(ours);
}

static void it_is_not_dumped(void **state)
{
    char line[512];
    assert_int_equal(plait_init(NULL, NULL), 0);
    read_flags_of_arena(line, sizeof line);
    assert_non_null(strstr(line, " sh "));
    assert_non_null(strstr(line, " nr "));              /* no swap reserved */
    assert_non_null(strstr(line, " dd "));              /* don't dump */
}

static void nobody_can_change_its_size(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const int seals = fcntl(plait__arena_fd, F_GET_SEALS);
    assert_int_equal(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(plait__arena_fd, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(plait__arena_fd, (off_t)(65 * GIB)), -1);
    assert_int_equal(errno, EPERM);
    struct stat status;
    assert_int_equal(fstat(plait__arena_fd, &status), 0);
    assert_int_equal(status.st_size, 64 * GIB);
}

static void it_is_closed_on_exec(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(fcntl(plait__arena_fd, F_GETFD), FD_CLOEXEC);
}

static void it_works_on_when_the_program_closes_its_descriptor(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(close(plait__arena_fd), 0);
    char *block = plait_alloc(100000);
    assert_non_null(block);
    assert_int_equal(plait_free(block), 0);             /* gives its memory back, too */
    assert_int_equal(test_wait_exit(test_fork(makes_a_block_for_its_parent, plait_alloc(8))), 0);
}

static void an_unused_arena_takes_little_memory(void **state)
{
    struct stat status;
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(fstat(plait__arena_fd, &status), 0);
    assert_true(status.st_blocks * 512 < 256 * 1024);
}

static void making_it_twice_changes_nothing(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    const struct plait__arena *arena = plait__arena;
    const int fd = plait__arena_fd;
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_ptr_equal(plait__arena, arena);
    assert_int_equal(plait__arena_fd, fd);
}

/* --- limits, each set in a child before its first call ----------------------------------------------------------------- */

static int count_fds(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory);
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

struct limit {
    int resource;
    uint64_t bytes, expected;                           /* size of the arena; 0: there is none */
};

static void set_limit(int resource, uint64_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(resource, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(resource, &limit) == 0);
}

/* Every call that needs a family says so. */
static void check_there_is_no_family(void)
{
    plait_lock lock = { 0 };
    CHECK(plait_init(NULL, NULL) == PLAIT_ENOARENA);
    CHECK(strlen(plait_error_detail()) > 0);
    errno = 0;
    CHECK(!plait_alloc(8) && errno == -PLAIT_ENOARENA);
    errno = 0;
    CHECK(!plait_queue_new(NULL) && errno == -PLAIT_ENOARENA);
    errno = 0;
    CHECK(!plait_lock_new() && errno == -PLAIT_ENOARENA);
    CHECK(plait_lock_acquire(&lock, PLAIT_NOW) == PLAIT_ENOARENA);
    CHECK(lock.word == 0);
    CHECK(plait_member_count() == 0);
    CHECK(!plait__arena && plait__arena_fd == -1);
    plait_leave();
}

static void check_family_works(void)
{
    plait_queue *queue = plait_queue_new(NULL);
    CHECK(queue && plait_queue_put(queue, "x", 1, PLAIT_NOW) == 0);
    char *large = plait_alloc(10 << 20);
    CHECK(large);
    memset(large, 1, 10 << 20);
    CHECK(plait_free(large) == 0 && plait_queue_free(queue) == 0);
}

static int begins_under_a_limit(void *argument)
{
    const struct limit *limit = argument;
    const int fds = count_fds();
    set_limit(limit->resource, limit->bytes);
    if (limit->expected) {
        CHECK(plait_init(NULL, NULL) == 0);
        CHECK(plait__arena->size == limit->expected);
        CHECK(count_fds() == fds + 1);
        check_family_works();
    } else {
        check_there_is_no_family();
        CHECK(count_fds() == fds);
        set_limit(limit->resource, RLIM_INFINITY);      /* what did not work then works now */
        CHECK(plait_init(NULL, NULL) == 0);
        CHECK(plait__arena->size == 64 * GIB);
        check_family_works();
    }
    return 0;
}

static void check_under_limit(int resource, uint64_t bytes, uint64_t expected)
{
    struct limit limit = { resource, bytes, expected };
    assert_int_equal(test_wait_exit(test_fork(begins_under_a_limit, &limit)), 0);
}

static void a_limited_address_space_makes_it_smaller(void **state)
{
    if (TEST_UNDER_ASAN) skip();                        /* which has taken 20 TiB of addresses already */
    check_under_limit(RLIMIT_AS, 100 * GIB, 64 * GIB);
    check_under_limit(RLIMIT_AS, 64 * GIB, 16 * GIB);
    check_under_limit(RLIMIT_AS, 20 * GIB, 16 * GIB);
    check_under_limit(RLIMIT_AS, 16 * GIB, 4 * GIB);
    check_under_limit(RLIMIT_AS, 5 * GIB, 4 * GIB);
    check_under_limit(RLIMIT_AS, 2 * GIB, 1 * GIB);
    check_under_limit(RLIMIT_AS, 1 * GIB, 0);
    check_under_limit(RLIMIT_AS, 64 << 20, 0);
}

static void a_limited_file_size_makes_it_smaller(void **state)
{
    check_under_limit(RLIMIT_FSIZE, 64 * GIB, 64 * GIB);
    check_under_limit(RLIMIT_FSIZE, 64 * GIB - 1, 16 * GIB);
    check_under_limit(RLIMIT_FSIZE, 15 * GIB, 4 * GIB);
    check_under_limit(RLIMIT_FSIZE, 1 * GIB, 1 * GIB);
    check_under_limit(RLIMIT_FSIZE, 1 * GIB - 1, 0);
    check_under_limit(RLIMIT_FSIZE, 1 << 20, 0);
    check_under_limit(RLIMIT_FSIZE, 0, 0);
}

static int begins_without_descriptors(void *unused)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    check_there_is_no_family();
    CHECK(strstr(plait_error_detail(), "memfd_create"));
    limit.rlim_cur = before;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(plait_init(NULL, NULL) == 0);
    return 0;
}

static void without_a_free_descriptor_there_is_none(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(begins_without_descriptors, NULL)), 0);
}

/* Somebody else's page lies in the middle of where the arena wants to be: it stays, whatever happens. */
static int begins_where_somebody_is(void *argument)
{
    char *page = mmap((void *)(BASE + *(uint64_t *)argument), 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(page != MAP_FAILED);
    *page = 'p';
    const int fds = count_fds();
    const int result = plait_init(NULL, NULL);
    CHECK(*page == 'p');
    CHECK(!plait_is_shared(page));
    if (result == 0) return 0;
    check_there_is_no_family();
    CHECK(strstr(plait_error_detail(), "0x6a0000000000"));
    CHECK(count_fds() == fds);
    return 1;
}

static void nobody_is_pushed_away_for_it(void **state)
{
    uint64_t at = 0;
    assert_int_equal(test_wait_exit(test_fork(begins_where_somebody_is, &at)), 1);
    at = GIB / 2;
    assert_int_equal(test_wait_exit(test_fork(begins_where_somebody_is, &at)), 1);
    at = 10 * GIB;                                      /* a smaller one still fits */
    assert_int_equal(test_wait_exit(test_fork(begins_where_somebody_is, &at)), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_lies_where_it_should),
    cmocka_unit_test(children_see_the_same_at_the_same_address),
    cmocka_unit_test(parents_see_what_children_made),
    cmocka_unit_test(it_is_not_dumped),
    cmocka_unit_test(nobody_can_change_its_size),
    cmocka_unit_test(it_is_closed_on_exec),
    cmocka_unit_test(it_works_on_when_the_program_closes_its_descriptor),
    cmocka_unit_test(an_unused_arena_takes_little_memory),
    cmocka_unit_test(making_it_twice_changes_nothing),
    cmocka_unit_test(a_limited_address_space_makes_it_smaller),
    cmocka_unit_test(a_limited_file_size_makes_it_smaller),
    cmocka_unit_test(without_a_free_descriptor_there_is_none),
    cmocka_unit_test(nobody_is_pushed_away_for_it),
};
TEST_MAIN(tests)
