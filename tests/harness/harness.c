#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <plait/init.h>

#include "base/fault.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449             /* the same number on every architecture; Linux 5.16 */
#endif

int test_timeout;

/* --- fds left over ----------------------------------------------------------------------------------------------------- */

enum { MAX_FDS = 1024 };

/* The link of /proc/self/fd/N for each open N, and "" for each other. */
struct fds {
    char link[MAX_FDS][128];
};

/* Above the limit lies only what a tool has open under which we run, such as valgrind. */
static void fds_record(struct fds *fds)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    memset(fds, 0, sizeof *fds);
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        const int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(directory) || (rlim_t)fd >= limit.rlim_cur) continue;
        assert_in_range(fd, 0, MAX_FDS - 1);
        if (readlinkat(dirfd(directory), entry->d_name, fds->link[fd], sizeof fds->link[fd] - 1) < 0) abort();
    }
    closedir(directory);
}

static bool is_arena(const char *link)
{
    return strncmp(link, "/memfd:plait", strlen("/memfd:plait")) == 0;
}

static int arenas(const struct fds *fds)
{
    int count = 0;
    for (int fd = 0; fd < MAX_FDS; fd++) count += is_arena(fds->link[fd]);
    return count;
}

/* An fd that changed its file counts as closed and opened. */
static int fds_compare(const struct fds *before, const struct fds *after)
{
    int wrong = arenas(after) > 1 && arenas(after) > arenas(before);
    if (wrong) print_error("more than one arena is open: %d\n", arenas(after));
    for (int fd = 0; fd < MAX_FDS; fd++) {
        const char *was = before->link[fd], *is = after->link[fd];
        if (strcmp(was, is) == 0 || (!*was && is_arena(is))) continue;
        print_error("fd %d was %s, is %s\n", fd, *was ? was : "closed", *is ? is : "closed");
        wrong++;
    }
    return wrong;
}

/* --- one test ---------------------------------------------------------------------------------------------------------- */

/* Signals which cmocka catches around each test, to go on with the next.  Children would inherit that and go on with the next
 * test too; so a test runs with the handlers this program started with (the default action, or a sanitizer's report). */
static const int crash_signals[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof crash_signals[0] };
static struct sigaction first_handlers[CRASH_SIGNALS];

static void handlers_record(void)
{
    for (int i = 0; i < CRASH_SIGNALS; i++) sigaction(crash_signals[i], NULL, &first_handlers[i]);
}

static void handlers_restore(void)
{
    for (int i = 0; i < CRASH_SIGNALS; i++) sigaction(crash_signals[i], &first_handlers[i], NULL);
}

static int children_left(void)
{
    siginfo_t info = { 0 };
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD) return 0;
    if (info.si_pid) print_error("a child is left: %d, a zombie that nobody waited for\n", (int)info.si_pid);
    else print_error("a child is left, still running\n");
    return 1;
}

static struct fds fds_before, fds_after;

/* Stands in for a test's function; the test itself comes as the state. */
static void run_between_checks(void **state)
{
    const struct CMUnitTest *test = *state;
    *state = test->initial_state;
    handlers_restore();
    fds_record(&fds_before);
    if (test->setup_func) assert_int_equal(test->setup_func(state), 0);
    test->test_func(state);
    if (test->teardown_func) assert_int_equal(test->teardown_func(state), 0);
    fds_record(&fds_after);
    const int wrong = fds_compare(&fds_before, &fds_after) + children_left();
    if (wrong) fail_msg("the test left something behind, see above");
}

static int run_all(const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest *checked = calloc(count, sizeof *checked);
    if (!checked) abort();
    for (size_t i = 0; i < count; i++) {
        checked[i].name = tests[i].name;
        checked[i].test_func = run_between_checks;
        checked[i].initial_state = (void *)&tests[i];
    }
    const pid_t self = getpid();
    const int failed = _cmocka_run_group_tests("tests", checked, count, NULL, NULL);
    if (getpid() != self) _exit(TEST_CHECK_FAILED);     /* a child failed an assert_*: cmocka brought it here */
    free(checked);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- main ------------------------------------------------------------------------------------------------------------- */

static int list(const struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (test_timeout) printf("%s timeout=%d\n", tests[i].name, test_timeout);
        else printf("%s\n", tests[i].name);
    }
    return EXIT_SUCCESS;
}

static const struct CMUnitTest *find(const struct CMUnitTest *tests, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(tests[i].name, name) == 0) return &tests[i];
    return NULL;
}

int test_main(const struct CMUnitTest *tests, size_t count, int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);   /* a child must not inherit, and print again, what is still in the buffer */
    handlers_record();
    /* The kernel is asked whether the others live after 8, 16, ... s, and then everybody looks again: a lost wake-up would be no
     * more than a delay, and few tests would notice. */
    plait__test_backup_interval = 3600L * 1000 * 1000 * 1000;
    plait__test_short_sleep = 1000 * 1000;                 /* most tests are about the long ones */
    /* a test has started it; goes no further */
    if (argc == 3 && strcmp(argv[1], "--plait-child") == 0) plait_init(&argc, &argv);
    if (argc == 1) return run_all(tests, count);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return list(tests, count);
    const struct CMUnitTest *test = argc == 2 ? find(tests, count, argv[1]) : NULL;
    if (test) return run_all(test, 1);
    fprintf(stderr, "usage: %s [--list | TEST]\n", argv[0]);
    return 2;
}

/* --- randomness ------------------------------------------------------------------------------------------------------- */

uint64_t test_seed(void)
{
    static uint64_t seed;
    static bool known;
    if (known) return seed;
    const char *given = getenv("PLAIT_TEST_SEED");
    if (given) seed = strtoull(given, NULL, 0);
    else if (getrandom(&seed, sizeof seed, 0) != sizeof seed) abort();
    known = true;
    printf("PLAIT_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* splitmix64: good for any state, also for 0, 1, 2, ... */
uint64_t test_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* --- processes -------------------------------------------------------------------------------------------------------- */

void *test_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

int test_times_in(const char *text, const char *wanted)
{
    int times = 0;
    for (; (text = strstr(text, wanted)) != NULL; text += strlen(wanted)) times++;
    return times;
}

pid_t test_fork(int (*body)(void *argument), void *argument)
{
    const pid_t parent = getpid();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(TEST_CHECK_FAILED);  /* it died before we asked to be told */
    _exit(body(argument));
}

int test_wait_exit(pid_t child)
{
    int status;
    pid_t got;
    do got = waitpid(child, &status, 0);
    while (got < 0 && errno == EINTR);
    assert_int_equal(got, child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void test_check_failed(const char *file, int line, const char *condition)
{
    const int error = errno;
    dprintf(STDERR_FILENO, "%s:%d: process %d: CHECK(%s) failed; errno is %d (%s)\n", file, line, (int)getpid(), condition, error,
            strerror(error));
    _exit(TEST_CHECK_FAILED);
}

/* --- waiting for states ------------------------------------------------------------------------------------------------- */

void test_until(bool (*condition)(void *argument), void *argument)
{
    while (!condition(argument)) nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000 }, NULL);
}

/* The text of /proc/TID/NAME, or "" if it cannot be read. */
static void read_proc(pid_t tid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    ssize_t length = -1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        length = read(fd, text, size - 1);
        close(fd);
    }
    text[length > 0 ? length : 0] = '\0';
}

static bool is_sleeping(pid_t tid)
{
    char text[512];
    read_proc(tid, "stat", text, sizeof text);
    const char *state = strrchr(text, ')');             /* the name before it may hold anything, even brackets */
    return state && strncmp(state, ") S", 3) == 0;
}

/* A process that may not look at /proc/TID/syscall of another (a hardened kernel) has to believe the state alone. */
static bool is_waiting_call(pid_t tid)
{
    char text[256];
    read_proc(tid, "syscall", text, sizeof text);
    if (!*text) return true;
    char *end;
    const long number = strtol(text, &end, 10);
    if (end == text) return false;                      /* "running" */
    return number == SYS_futex || number == SYS_futex_waitv || number == SYS_ppoll
#ifdef SYS_poll
        || number == SYS_poll
#endif
        ;
}

bool test_thread_sleeps(pid_t tid)
{
    return is_sleeping(tid) && is_waiting_call(tid);
}

static bool thread_sleeps(void *tid)
{
    return test_thread_sleeps(*(pid_t *)tid);
}

void test_until_sleeps(pid_t tid)
{
    test_until(thread_sleeps, &tid);
}
