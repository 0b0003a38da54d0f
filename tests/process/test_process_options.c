/* The settings of a new process: current folder, environment, limits, priority, CPUs; for every start method. */
#include "starts.h"

#include <sys/mman.h>

/* Which takes more address space than there is, and wants no sizes that make no sense. */
static bool under_a_sanitizer(void)
{
#ifdef __has_feature
    if (__has_feature(thread_sanitizer)) return true;
#endif
    return TEST_UNDER_ASAN;
}

/* ---- one child for each way to start, which looks at itself ---- */

enum what { CWD, ENVIRONMENT, LIMIT_FILES, LIMIT_SPACE, NICE, CPUS };

struct look {
    int what;
    char text[200];
    long number;
};

static int is_as_told(void *argument)
{
    const struct look *look = argument;
    struct rlimit limit;
    char folder[200];
    cpu_set_t cpus;
    switch (look->what) {
    case CWD: return getcwd(folder, sizeof folder) && strcmp(folder, look->text) == 0;
    case ENVIRONMENT:
        if (!look->text[0]) return environ[0] == NULL;
        return environ[0] && strcmp(environ[0], look->text) == 0 && !environ[1] && getenv("NAME") && !getenv("PATH");
    case LIMIT_FILES: return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 100 && limit.rlim_max == 200;
    case LIMIT_SPACE: return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == (rlim_t)look->number;
    case NICE: return getpriority(PRIO_PROCESS, 0) == look->number;
    default: return sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) == look->number;
    }
}

static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN };

static void is_given(const struct look *look, plait_process_options options)
{
    const struct traces before = traces_now();
    for (int i = 0; i < 2; i++) {
        options.method = methods[i];
        end_with(plait_start(is_as_told, look, sizeof *look, &options), 1);
        plait_process *daemon = plait_start(is_as_told, look, sizeof *look, &options);
        end_with(daemon, 1);
    }
    traces_must_be(&before);
}

static void program_says(const plait_process_options *options, char *command, const char *expected)
{
    char *argv[] = { "/bin/sh", "-c", command, NULL };
    plait_process_options all = *options;
    plait_captured captured;
    all.output = PLAIT_STREAM_PIPE;
    const struct traces before = traces_now();
    plait_process *program = plait_start_program(argv, &all);
    if (!program) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(program && plait_process_communicate(program, NULL, 0, &captured, PLAIT_FOREVER) == 0);
    CHECK_TEXT(captured.output, expected);
    plait_captured_free(&captured);
    end_with(program, 0);
    traces_must_be(&before);
}

/* Whatever starts it: an error that says why, and nothing is left behind. */
static void is_refused(plait_process_options options, int error, const char *detail)
{
    char *argv[] = { "true", NULL };
    for (int i = 0; i < 3; i++) {
        options.method = i < 2 ? methods[i] : 0;
        plait_process *process = i < 2 ? plait_process_new(return_0, "x", 2, &options) : plait_program_new(argv, &options);
        for (int again = 0; again < 3; again++) start_is_refused(process, error, detail);
        CHECK(plait_process_free(process) == 0);
    }
}

/* It is seen before anything is started. */
static void is_no_option(const plait_process_options *options, int error, const char *detail)
{
    char *argv[] = { "true", NULL };
    errno = 0;
    CHECK(!plait_process_new(return_0, NULL, 0, options) && errno == error);
    CHECK_TEXT(plait_error_detail(), detail);
    errno = 0;
    CHECK(!plait_program_new(argv, options) && errno == error);
    CHECK_TEXT(plait_error_detail(), detail);
}

/* ---- current folder ---- */

static int choose_folder(void *unused)
{
    be_program();
    char folder[] = "/tmp";
    const plait_process_options options = { .cwd = folder };
    plait_process *process = plait_process_new(is_as_told, &(struct look){ CWD, "/tmp", 0 }, sizeof(struct look), &options);
    folder[1] = 'x';                                       /* it was copied */
    CHECK(plait_process_start(process) == 0);
    end_with(process, 1);
    is_given(&(struct look){ CWD, "/", 0 }, (plait_process_options){ .cwd = "/" });
    program_says(&(plait_process_options){ .cwd = "/usr" }, "pwd", "/usr\n");
    is_refused((plait_process_options){ .cwd = "/nowhere/at/all" }, -ENOENT, "cwd /nowhere/at/all: No such file or directory");
    is_refused((plait_process_options){ .cwd = "/proc/self/exe" }, -ENOTDIR, "cwd /proc/self/exe: Not a directory");
    is_refused((plait_process_options){ .cwd = "" }, -ENOENT, "cwd : No such file or directory");
    return 0;
}

static void cwd(void **state)
{
    host_run(choose_folder, NULL);
}

/* ---- environment ---- */

static int choose_environment(void *unused)
{
    be_program();
    char name[] = "NAME=value";
    char *one[] = { name, NULL }, *none[] = { NULL }, *wrong[] = { "NAME=value", "no equals sign", NULL };
    const plait_process_options options = { .environment = one };
    is_given(&(struct look){ ENVIRONMENT, "NAME=value", 0 }, options);
    is_given(&(struct look){ ENVIRONMENT, "", 0 }, (plait_process_options){ .environment = none });
    program_says(&options, "tr '\\0' '\\n' </proc/$$/environ", "NAME=value\n");
    plait_process *process = plait_process_new(is_as_told, &(struct look){ ENVIRONMENT, "NAME=value", 0 }, sizeof(struct look),
                                               &options);
    name[0] = 'x';
    one[0] = NULL;
    CHECK(plait_process_start(process) == 0);
    end_with(process, 1);
    is_no_option(&(plait_process_options){ .environment = wrong }, EINVAL, "no '=' in \"no equals sign\"");
    return 0;
}

static void environment(void **state)
{
    host_run(choose_environment, NULL);
}

static int change_environment(void *unused)
{
    CHECK(setenv("ANOTHER", "value", 1) == 0 && setenv("NAME", "other", 1) == 0 && unsetenv("NAME") == 0);
    return getenv("ANOTHER") && !getenv("NAME");
}

static int change_what_is_given(void *unused)
{
    be_program();
    char *const one[] = { "NAME=value", NULL };
    for (int i = 0; i < 2; i++)
        end_with(plait_start(change_environment, NULL, 0, &(plait_process_options){ .environment = one, .method = methods[i] }), 1);
    return 0;
}

static void a_child_may_change_it(void **state)
{
    host_run(change_what_is_given, NULL);
}

/* ---- limits ---- */

static int choose_limits(void *unused)
{
    be_program();
    const plait_limit files[] = { { RLIMIT_CORE, { 0, 0 } }, { RLIMIT_NOFILE, { 100, 200 } } };
    is_given(&(struct look){ LIMIT_FILES, "", 0 }, (plait_process_options){ .limits = files, .limit_count = 2 });
    program_says(&(plait_process_options){ .limits = files, .limit_count = 2 }, "ulimit -Sn; ulimit -Hn; ulimit -c",
                 "100\n200\n0\n");
    const plait_limit wrong[] = { { RLIMIT_NOFILE, { 100, 50 } } }, unknown[] = { { 77, { 1, 1 } } };
    is_refused((plait_process_options){ .limits = wrong, .limit_count = 1 }, -EINVAL, "the limits: Invalid argument");
    is_refused((plait_process_options){ .limits = unknown, .limit_count = 1 }, -EINVAL, "the limits: Invalid argument");
    const plait_limit space[] = { { RLIMIT_AS, { 200, 100 } } };
    is_refused((plait_process_options){ .limits = space, .limit_count = 1 }, -EINVAL, "the limits: Invalid argument");
    is_no_option(&(plait_process_options){ .limit_count = 1 }, EINVAL, "limits is NULL, their number 1");
    is_no_option(&(plait_process_options){ .limits = files, .limit_count = -1 }, EINVAL, "-1 limits");
    return 0;
}

static void limits(void **state)
{
    host_run(choose_limits, NULL);
}

static int go_over_limits(void *unused)
{
    drop_root();
    const struct rlimit mine = { 500, 500 }, address_space = { (rlim_t)100 << 30, (rlim_t)100 << 30 };
    CHECK(setrlimit(RLIMIT_NOFILE, &mine) == 0 && setrlimit(RLIMIT_AS, &address_space) == 0);
    be_program();
    const plait_limit over[] = { { RLIMIT_NOFILE, { 500, 501 } } }, space[] = { { RLIMIT_AS, { 1 << 30, (rlim_t)200 << 30 } } };
    is_refused((plait_process_options){ .limits = over, .limit_count = 1 }, -EPERM, "the limits: Operation not permitted");
    is_refused((plait_process_options){ .limits = space, .limit_count = 1 }, -EPERM, "the limits: Operation not permitted");
    return 0;
}

static void over_the_hard_limit(void **state)
{
    if (under_a_sanitizer()) skip();
    host_run(go_over_limits, NULL);
}

/* Less than the shared memory takes, of which a child that begins anew has to get all first. */
static int limit_address_space(void *unused)
{
    be_program();
    const plait_limit space[] = { { RLIMIT_AS, { (rlim_t)1 << 30, (rlim_t)1 << 30 } } };
    const plait_process_options options = { .limits = space, .limit_count = 1 };
    is_given(&(struct look){ LIMIT_SPACE, "", 1L << 30 }, options);
    program_says(&options, "ulimit -v", "1048576\n");
    return 0;
}

static void less_address_space_than_the_shared_memory(void **state)
{
    if (under_a_sanitizer()) skip();
    host_run(limit_address_space, NULL);
}

static int run_alone(void *unused)
{
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid < 0 && errno == EAGAIN ? 1 : 0;
}

static int limit_processes(void *unused)
{
    be_program();
    drop_root();
    const plait_limit alone[] = { { RLIMIT_NPROC, { 1, 1 } } };
    for (int i = 0; i < 2; i++)
        end_with(plait_start(run_alone, NULL, 0, &(plait_process_options){
            .limits = alone, .limit_count = 1, .method = methods[i] }), 1);
    return 0;
}

static void a_child_may_be_kept_from_having_children(void **state)
{
    host_run(limit_processes, NULL);
}

/* ---- priority ---- */

static int choose_nice(void *unused)
{
    be_program();
    const int mine = getpriority(PRIO_PROCESS, 0);
    is_given(&(struct look){ NICE, "", mine + 3 }, (plait_process_options){ .nice = 3 });
    is_given(&(struct look){ NICE, "", 19 }, (plait_process_options){ .nice = 100 });
    CHECK(getpriority(PRIO_PROCESS, 0) == mine);
    program_says(&(plait_process_options){ .nice = 19 }, "nice", "19\n");
    if (geteuid() == 0) is_given(&(struct look){ NICE, "", mine - 1 }, (plait_process_options){ .nice = -1 });
    const struct rlimit none = { 0, 0 };
    drop_root();
    CHECK(setrlimit(RLIMIT_NICE, &none) == 0);
    is_refused((plait_process_options){ .nice = -5 }, -EPERM, "nice: Operation not permitted");
    return 0;
}

static void priority(void **state)
{
    host_run(choose_nice, NULL);
}

/* ---- CPUs ---- */

static int choose_cpus(void *unused)
{
    be_program();
    cpu_set_t mine;
    int all[CPU_SETSIZE], count = 0;
    CHECK(sched_getaffinity(0, sizeof mine, &mine) == 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &mine)) all[count++] = i;
    is_given(&(struct look){ CPUS, "", 1 }, (plait_process_options){ .cpus = all, .cpu_count = 1 });
    is_given(&(struct look){ CPUS, "", count }, (plait_process_options){ .cpus = all, .cpu_count = count });
    is_given(&(struct look){ CPUS, "", count }, (plait_process_options){ 0 });
    program_says(&(plait_process_options){ .cpus = all + count - 1, .cpu_count = 1 }, "grep -c Cpus_allowed: /proc/$$/status",
                 "1\n");
    is_refused((plait_process_options){ .cpus = &(int){ 65535 }, .cpu_count = 1 }, -EINVAL, "the cpus: Invalid argument");
    is_no_option(&(plait_process_options){ .cpus = &(int){ -1 }, .cpu_count = 1 }, EINVAL, "there is no CPU -1");
    is_no_option(&(plait_process_options){ .cpus = &(int){ 65536 }, .cpu_count = 1 }, EINVAL, "there is no CPU 65536");
    is_no_option(&(plait_process_options){ .cpu_count = 1 }, EINVAL, "cpus is NULL");
    CHECK(sched_getaffinity(0, sizeof mine, &mine) == 0 && CPU_COUNT(&mine) == count);
    return 0;
}

static void cpus(void **state)
{
    host_run(choose_cpus, NULL);
}

/* ---- what is no option at all ---- */

static int give_nonsense(void *unused)
{
    be_program();
    is_no_option(&(plait_process_options){ .reserved = { 0, 1 } }, EINVAL, "a reserved field is not zero");
    is_no_option(&(plait_process_options){ .reserved_int = 1 }, EINVAL, "a reserved field is not zero");
    errno = 0;
    CHECK(!plait_process_new(return_0, NULL, 0, &(plait_process_options){ .kind = 77 }) && errno == EINVAL);
    CHECK(!plait_process_new(return_0, NULL, 0, &(plait_process_options){ .method = 77 }) && errno == EINVAL);
    CHECK_TEXT(plait_error_detail(), "77");
    CHECK(!plait_process_new(return_0, NULL, 0, &(plait_process_options){ .method = -1 }) && errno == EINVAL);
    CHECK(!plait_process_new(NULL, NULL, 0, NULL) && errno == EINVAL);
    CHECK_TEXT(plait_error_detail(), "the function is NULL");
    CHECK(!plait_process_new(return_0, NULL, 10, NULL) && errno == EINVAL);
    CHECK_TEXT(plait_error_detail(), "the argument is NULL, its size 10");
    CHECK(!plait_process_new(return_0, "x", SIZE_MAX / 2, NULL) && errno == ENOMEM);
    CHECK_TEXT(plait_error_detail(), "no private memory");
    CHECK(!plait_process_new(return_0, "x", SIZE_MAX, NULL) && errno == ENOMEM);
    CHECK(!plait_process_new(return_0, "x", SIZE_MAX - 40, NULL) && errno == ENOMEM);
    return 0;
}

static void nonsense_is_EINVAL(void **state)
{
    if (under_a_sanitizer()) skip();
    host_run(give_nonsense, NULL);
}

/* Of a program, kind and method mean nothing. */
static int give_a_program_kind_and_method(void *unused)
{
    char *argv[] = { "true", NULL };
    plait_process *program = plait_start_program(argv, &(plait_process_options){ .kind = PLAIT_THREADS, .method = PLAIT_FORK });
    CHECK(program && plait_process_kind(program) == PLAIT_PROCESSES);
    CHECK(strcmp(plait_process_name(program), "Program-1") == 0);
    end_with(program, 0);
    plait_process *process = plait_start(return_0, NULL, 0, NULL);
    CHECK(strcmp(plait_process_name(process), "Process-2") == 0);
    end_with(process, 0);
    return 0;
}

static void a_program_has_no_kind_and_no_method(void **state)
{
    host_run(give_a_program_kind_and_method, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cwd),
    cmocka_unit_test(environment),
    cmocka_unit_test(a_child_may_change_it),
    cmocka_unit_test(limits),
    cmocka_unit_test(over_the_hard_limit),
    cmocka_unit_test(less_address_space_than_the_shared_memory),
    cmocka_unit_test(a_child_may_be_kept_from_having_children),
    cmocka_unit_test(priority),
    cmocka_unit_test(cpus),
    cmocka_unit_test(nonsense_is_EINVAL),
    cmocka_unit_test(a_program_has_no_kind_and_no_method),
};
TEST_MAIN(tests)
