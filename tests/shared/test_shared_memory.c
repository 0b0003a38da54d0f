/* Named shared memory: making, attaching, names, sizes, what fails, who sees it. */
#include "names.h"
#include "others.h"

#include <ctype.h>
#include <signal.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include <plait.h>

#include "base/fault.h"

static void free_memory(plait_shared_memory *memory)
{
    assert_int_equal(plait_shared_memory_free(memory), 0);
}

static void unlink_and_free(plait_shared_memory *memory)
{
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    free_memory(memory);
}

static void check_made(const char *name, size_t size)
{
    struct stat status;
    plait_shared_memory *memory = plait_shared_memory_create(name, size);
    assert_non_null(memory);
    assert_true(look_up(name, &status));
    assert_int_equal(status.st_size, size);                /* what was asked for, not rounded: Python reports it, too */
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(status.st_blocks * 512 >= (blkcnt_t)size); /* all of it is there */
    assert_int_equal(plait_shared_memory_size(memory), size);
    assert_string_equal(plait_shared_memory_name(memory), name);
    const char *data = plait_shared_memory_data(memory);
    for (size_t i = 0; i < size; i++) assert_int_equal(data[i], 0);
    unlink_and_free(memory);
    assert_false(is_there(name));
}

static void of_any_size(void **state)
{
    char name[NAME_SIZE];
    static const size_t sizes[] = { 1, 8, 4095, 4096, 4097, 10 << 20 };
    for (int i = 0; i < 6; i++) check_made(name_of(name, "size"), sizes[i]);
}

/* The kernel, or a sandbox, has no files without names. */
static void of_any_size_by_name_first(void **state)
{
    plait__set_without(PLAIT__WITHOUT_TMPFILE);
    of_any_size(state);
}

static void new_names_are_pythons(void **state)
{
    char names[20][32];
    for (int i = 0; i < 20; i++) {
        if (i == 10) plait__set_without(PLAIT__WITHOUT_TMPFILE);
        plait_shared_memory *memory = plait_shared_memory_create(NULL, 10);
        assert_non_null(memory);
        const char *name = plait_shared_memory_name(memory);
        assert_int_equal(strlen(name), 12);
        assert_memory_equal(name, "psm_", 4);
        for (int j = 4; j < 12; j++) assert_true(isdigit(name[j]) || (name[j] >= 'a' && name[j] <= 'f'));
        snprintf(names[i], sizeof names[i], "%s", name);
        for (int j = 0; j < i; j++) assert_string_not_equal(names[i], names[j]);
        assert_true(is_there(name));
        unlink_and_free(memory);
        assert_false(is_there(names[i]));
    }
}

static void what_one_writes_another_reads(void **state)
{
    char name[NAME_SIZE];
    plait_shared_memory *one = plait_shared_memory_create(name_of(name, "both"), 100), *other = plait_shared_memory_attach(name);
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(plait_shared_memory_data(one), plait_shared_memory_data(other));
    assert_int_equal(plait_shared_memory_size(other), 100);
    strcpy(plait_shared_memory_data(one), "hello");
    assert_string_equal(plait_shared_memory_data(other), "hello");
    unlink_and_free(one);
    strcat(plait_shared_memory_data(other), ", still there");
    assert_string_equal(plait_shared_memory_data(other), "hello, still there");
    assert_int_equal(plait_shared_memory_unlink(other), -ENOENT);
    free_memory(other);
}

static int attach_and_write(void *name)
{
    plait_shared_memory *memory = plait_shared_memory_attach(name);
    CHECK(memory);
    strcpy(plait_shared_memory_data(memory), "from a child");
    return plait_shared_memory_free(memory);
}

static int write_to_copy(void *memory)
{
    strcpy(plait_shared_memory_data(memory), "with a copied handle");
    return plait_shared_memory_free(memory);
}

static void between_processes(void **state)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "child"), 100);
    assert_int_equal(test_wait_exit(test_fork(attach_and_write, name)), 0);
    assert_string_equal(plait_shared_memory_data(memory), "from a child");
    assert_int_equal(test_wait_exit(test_fork(write_to_copy, memory)), 0);
    assert_string_equal(plait_shared_memory_data(memory), "with a copied handle");
    unlink_and_free(memory);
}

static void closing_and_unlinking(void **state)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "close"), 100);
    assert_int_equal(plait_shared_memory_close(memory), 0);
    assert_null(plait_shared_memory_data(memory));
    assert_int_equal(errno, -PLAIT_ECLOSED);
    assert_int_equal(plait_shared_memory_close(memory), 0);
    assert_int_equal(plait_shared_memory_size(memory), 100);
    assert_string_equal(plait_shared_memory_name(memory), name);
    assert_true(is_there(name));                           /* to close is not to unlink */
    assert_int_equal(plait_shared_memory_unlink(memory), 0);
    assert_int_equal(plait_shared_memory_unlink(memory), -ENOENT);
    assert_non_null(strstr(plait_error_detail(), "there is no shared memory named"));
    free_memory(memory);
}

/* Whoever looks while it is made finds nothing, or all of it; never what Python's would show, a name of 0 bytes. */
enum { LARGE = 20 << 20, TIMES = 10 };

static int make_many(void *name)
{
    for (int i = 0; i < TIMES; i++) {
        plait_shared_memory *memory = plait_shared_memory_create(name, LARGE);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);         /* for the other to find it, now and then */
        CHECK(memory && plait_shared_memory_unlink(memory) == 0 && plait_shared_memory_free(memory) == 0);
    }
    return 0;
}

static void others_find_it_whole(void **state)
{
    char name[NAME_SIZE];
    int status;
    long looks = 0, found = 0;
    const pid_t child = test_fork(make_many, (void *)(uintptr_t)name_of(name, "whole"));
    for (; waitpid(child, &status, WNOHANG) == 0; looks++) {
        plait_shared_memory *memory = plait_shared_memory_attach(name);
        assert_true(memory ? plait_shared_memory_size(memory) == LARGE : errno == ENOENT);
        found += memory != NULL;
        free_memory(memory);
    }
    printf("found %ld times in %ld looks\n", found, looks);
    assert_int_equal(status, 0);
}

/* ---- what is refused ---- */

static void must_not_be_made(const char *name, size_t size, int error, const char *detail)
{
    errno = 0;
    assert_null(plait_shared_memory_create(name, size));
    assert_int_equal(errno, error);
    if (!strstr(plait_error_detail(), detail)) fail_msg("%s, not %s", plait_error_detail(), detail);
}

static void wrong_sizes(void **state)
{
    must_not_be_made("plait-none", 0, EINVAL, "'size' must be a positive number different from zero");
    must_not_be_made("plait-none", (size_t)-1, EINVAL, "'size' must be a positive integer");
    must_not_be_made(NULL, 0, EINVAL, "different from zero");
}

/* As CPython 3.11: a / at the begin is fine, no other. */
static void wrong_names(void **state)
{
    char name[NAME_SIZE], with_slash[NAME_SIZE + 1], longest[257];
    must_not_be_made("", 10, EINVAL, "no name");
    must_not_be_made("/", 10, EINVAL, "no name");
    must_not_be_made("a/b", 10, EINVAL, "no name");
    must_not_be_made("a/", 10, EINVAL, "no name");
    must_not_be_made(".", 10, EINVAL, "no name");
    must_not_be_made("..", 10, EINVAL, "no name");
    memset(longest, 'x', 256);
    longest[256] = 0;
    must_not_be_made(longest, 10, ENAMETOOLONG, "at most 255");
    snprintf(with_slash, sizeof with_slash, "/%s", name_of(name, "slash"));
    plait_shared_memory *memory = plait_shared_memory_create(with_slash, 10);
    assert_string_equal(plait_shared_memory_name(memory), name);
    assert_true(is_there(name));
    unlink_and_free(memory);
    snprintf(longest, sizeof longest, "%s-%0*d", name_of(name, "long"), (int)(254 - strlen(name_of(name, "long"))), 0);
    assert_int_equal(strlen(longest), 255);
    memory = plait_shared_memory_create(longest, 10);
    assert_non_null(memory);
    unlink_and_free(memory);
}

static void check_taken_name(void)
{
    char name[NAME_SIZE];
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "taken"), 10);
    strcpy(plait_shared_memory_data(memory), "mine");
    must_not_be_made(name, 20, EEXIST, "already");
    must_not_be_made(name, 20, EEXIST, "already");
    assert_string_equal(plait_shared_memory_data(memory), "mine");
    unlink_and_free(memory);
}

static void names_that_are_taken(void **state)
{
    check_taken_name();
    plait__set_without(PLAIT__WITHOUT_TMPFILE);
    check_taken_name();
}

static void must_not_attach(const char *name, int error, const char *detail)
{
    errno = 0;
    assert_null(plait_shared_memory_attach(name));
    assert_int_equal(errno, error);
    if (!strstr(plait_error_detail(), detail)) fail_msg("%s, not %s", plait_error_detail(), detail);
}

static void what_can_not_be_attached(void **state)
{
    char name[NAME_SIZE], path[NAME_SIZE + 16];
    must_not_attach(NULL, EINVAL, "'name' can only be NULL");
    must_not_attach("", EINVAL, "no name");
    must_not_attach("a/b", EINVAL, "no name");
    must_not_attach(name_of(name, "nowhere"), ENOENT, "there is no shared memory named");
    const int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    must_not_attach(name, EINVAL, "is empty");
    assert_int_equal(shm_unlink(name), 0);
    close(fd);
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    assert_int_equal(mkfifo(path, 0600), 0);
    must_not_attach(name, EINVAL, "no shared memory");
    assert_int_equal(unlink(path), 0);
}

static void null(void **state)
{
    assert_int_equal(plait_shared_memory_close(NULL), -EINVAL);
    assert_int_equal(plait_shared_memory_unlink(NULL), -EINVAL);
    assert_null(plait_shared_memory_data(NULL));
    assert_null(plait_shared_memory_name(NULL));
    assert_int_equal(plait_shared_memory_size(NULL), 0);
    assert_int_equal(plait_shared_memory_free(NULL), 0);
}

/* ---- memory that is not there ---- */

/* Instead of /dev/shm this process sees a small one of its own.  False: it may not. */
static bool small_shm(void)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return false;
    return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=64k") == 0;
}

static void must_be_full(size_t size)
{
    CHECK(!plait_shared_memory_create("much", size) && errno == ENOSPC);
    CHECK(strstr(plait_error_detail(), "No space left on device"));
    CHECK(!is_there("much"));
}

enum { MAY_NOT = 77 };

/* 64 KiB in all: Python makes more, and dies by SIGBUS when it writes. */
static int fill_it(void *unused)
{
    if (!small_shm()) return MAY_NOT;
    for (int i = 0; i < 2; i++) {
        plait__set_without(i ? PLAIT__WITHOUT_TMPFILE : 0);
        must_be_full(65537);
        plait_shared_memory *all = plait_shared_memory_create("all", 65536);
        CHECK(all && memset(plait_shared_memory_data(all), 1, 65536));
        must_be_full(1);
        CHECK(plait_shared_memory_unlink(all) == 0 && plait_shared_memory_free(all) == 0);
    }
    plait_shared_memory *one = plait_shared_memory_create("one", 1), *rest = plait_shared_memory_create("rest", 65536 - 4096);
    CHECK(one && rest);
    return 0;
}

static void more_than_there_is(void **state)
{
    const int status = test_wait_exit(test_fork(fill_it, NULL));
    if (status == MAY_NOT) skip();
    assert_int_equal(status, 0);
}

/* The file system may have more room than the machine has memory: to take all of that would be the end of others. */
static void more_than_the_machine_has(void **state)
{
    char name[NAME_SIZE];
    must_not_be_made(name_of(name, "much"), (size_t)1 << 46, ENOSPC, "No space left");
    must_not_be_made(NULL, PTRDIFF_MAX, ENOSPC, "No space left");
}

/* Beyond this limit the kernel would send SIGXFSZ, to end the program. */
static void beyond_the_limit_of_a_file(void **state)
{
    const struct rlimit limit = { 1 << 20, RLIM_INFINITY };
    struct rlimit before;
    char name[NAME_SIZE];
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    must_not_be_made(name_of(name, "limit"), (1 << 20) + 1, EFBIG, "limit");
    plait_shared_memory *memory = plait_shared_memory_create(name, 1 << 20);
    assert_non_null(memory);
    unlink_and_free(memory);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void count(int signal)
{
}

/* On many kernels each signal takes back what the call has allocated just then; all of it, and it would never come to an end.
 * (fail_value has such a kernel.) */
static void signals_do_not_keep_it_from_being_made(void **state)
{
    char name[NAME_SIZE];
    const struct sigaction action = { .sa_handler = count };
    const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    plait_shared_memory *memory = plait_shared_memory_create(name_of(name, "signals"), 32 << 20);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_non_null(memory);
    unlink_and_free(memory);
}

static void no_descriptor_is_kept(void **state)
{
    char name[NAME_SIZE];
    const int before = dup(STDIN_FILENO);
    assert_true(before > STDERR_FILENO);
    close(before);
    plait_shared_memory *one = plait_shared_memory_create(name_of(name, "fds"), 10), *other = plait_shared_memory_attach(name);
    const int after = dup(STDIN_FILENO);
    assert_int_equal(after, before);
    close(after);
    unlink_and_free(one);
    free_memory(other);
}

/* ---- deaths ---- */

static int make_and_die(void *name)
{
    plait_shared_memory *memory = plait_shared_memory_create(name, 100);
    CHECK(memory);
    strcpy(plait_shared_memory_data(memory), "of the dead");
    raise(SIGKILL);
    return 0;
}

static void what_the_dead_have_made_stays(void **state)
{
    char name[NAME_SIZE];
    assert_int_equal(test_wait_exit(test_fork(make_and_die, (void *)(uintptr_t)name_of(name, "dead"))), -SIGKILL);
    plait_shared_memory *memory = plait_shared_memory_attach(name);
    assert_non_null(memory);
    assert_string_equal(plait_shared_memory_data(memory), "of the dead");
    unlink_and_free(memory);
}

static const struct CMUnitTest tests[] = {
    NAMED_TEST(of_any_size),
    NAMED_TEST(of_any_size_by_name_first),
    NAMED_TEST(new_names_are_pythons),
    NAMED_TEST(what_one_writes_another_reads),
    NAMED_TEST(between_processes),
    NAMED_TEST(closing_and_unlinking),
    NAMED_TEST(others_find_it_whole),
    NAMED_TEST(wrong_sizes),
    NAMED_TEST(wrong_names),
    NAMED_TEST(names_that_are_taken),
    NAMED_TEST(what_can_not_be_attached),
    NAMED_TEST(null),
    NAMED_TEST(more_than_there_is),
    NAMED_TEST(more_than_the_machine_has),
    NAMED_TEST(beyond_the_limit_of_a_file),
    NAMED_TEST(signals_do_not_keep_it_from_being_made),
    NAMED_TEST(no_descriptor_is_kept),
    NAMED_TEST(what_the_dead_have_made_stays),
};
TEST_MAIN(tests)
