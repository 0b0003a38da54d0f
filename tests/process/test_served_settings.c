/* The settings of a forkserver's children: streams, descriptors, limits, and what can't be met. */
#include "served.h"

/* ---- streams ---- */

static int echo(void *unused)
{
    char text[64];
    const ssize_t length = read(0, text, sizeof text);
    if (length < 0 || write(1, text, (size_t)length) != length || write(2, "errors", 6) != 6) return 1;
    return 0;
}

static void read_all(int fd, const char *expected)
{
    char text[128] = "";
    size_t length = 0;
    for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += (size_t)got;
    if (strcmp(text, expected)) dprintf(STDERR_FILENO, "\"%s\" instead of \"%s\"\n", text, expected);
    CHECK(strcmp(text, expected) == 0);
}

static void streams_may_be_pipes(void)
{
    plait_process *process = start_it(echo, NULL, 0, &(plait_process_options){
        .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_PIPE });
    CHECK(write(plait_process_stream(process, 0), "hello", 5) == 5);
    read_all(plait_process_stream(process, 1), "hello");
    read_all(plait_process_stream(process, 2), "errors");
    end_with(process, 0);
}

static void errors_go_where_output_goes(void)
{
    plait_process *process = start_it(echo, NULL, 0, &(plait_process_options){
        .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_OUTPUT });
    read_all(plait_process_stream(process, 1), "errors");
    end_with(process, 0);
}

static void streams_may_be_descriptors(void)
{
    int in[2], out[2];
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && write(in[1], "abc", 3) == 3);
    plait_process *process = start_it(echo, NULL, 0, &(plait_process_options){
        .input = PLAIT_STREAM_FD(in[0]), .output = PLAIT_STREAM_FD(out[1]), .errors = PLAIT_STREAM_FD(out[1]) });
    end_with(process, 0);
    for (int i = 0; i < 2; i++) close(in[i]);
    close(out[1]);
    read_all(out[0], "abcerrors");
    close(out[0]);
}

/* Not what the server has, but what is here now. */
static void streams_may_be_inherited(void)
{
    int out[2], kept[3];
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    for (int i = 0; i < 3; i++) kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    CHECK(dup2(out[1], 1) == 1 && dup2(out[1], 2) == 2 && close(0) == 0);
    plait_process *process = plait_start(echo, NULL, 0, &(plait_process_options){
        .input = PLAIT_STREAM_INHERIT, .output = PLAIT_STREAM_INHERIT, .errors = PLAIT_STREAM_INHERIT });
    for (int i = 0; i < 3; i++) {
        if (kept[i] < 0) continue;
        CHECK(dup2(kept[i], i) == i && close(kept[i]) == 0);
    }
    end_with(process, 0);                                  /* a standard input that was closed is /dev/null there */
    close(out[1]);
    read_all(out[0], "errors");
    close(out[0]);
}

static void streams_may_be_nothing(void)
{
    end_with(start_it(echo, NULL, 0, &(plait_process_options){ .output = PLAIT_STREAM_NULL, .errors = PLAIT_STREAM_NULL }), 0);
}

/* ---- descriptors ---- */

/* Each of these is the reading end of a pipe with one byte: its number. */
static int read_numbers(void *argument)
{
    const int *fds = argument;
    for (int i = 0; fds[i]; i++) {
        unsigned char byte;
        if (read(fds[i], &byte, 1) != 1 || byte != (unsigned char)fds[i] || fcntl(fds[i], F_GETFD) != 0) return i + 1;
    }
    return open_fds() > 250 ? 255 : 0;
}

static void put_pipe_at(int number)
{
    int ends[2];
    const unsigned char byte = (unsigned char)number;
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], &byte, 1) == 1 && close(ends[1]) == 0);
    if (ends[0] == number) return;
    CHECK(fcntl(number, F_GETFD) < 0 && dup2(ends[0], number) == number && close(ends[0]) == 0);
}

static void send_numbers(int first, int count)
{
    int fds[256] = { 0 };
    for (int i = 0, number = first; i < count; number++) {
        if (fcntl(number, F_GETFD) >= 0) continue;
        put_pipe_at(number);
        fds[i++] = number;
    }
    end_with(start_it(read_numbers, fds, sizeof fds, &(plait_process_options){ .fds = fds, .fd_count = count }), 0);
    for (int i = 0; i < count; i++) close(fds[i]);
}

static void descriptors_have_the_numbers_that_they_have_here(void)
{
    send_numbers(3, 1);
    send_numbers(40, 2);
    send_numbers(3, 12);
    send_numbers(100, 1);
}

static void two_hundred_descriptors_arrive(void)
{
    send_numbers(3, 200);
}

static void the_highest_number_is_possible(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int last = (int)limit.rlim_cur - 1;
    put_pipe_at(last);
    plait_process *process = start_it(read_numbers, (int[]){ last, 0 }, 2 * sizeof(int),
                                      &(plait_process_options){ .fds = &last, .fd_count = 1 });
    CHECK(close(last) == 0);
    end_with(process, 0);
}

static void bad_descriptors_are_refused(void)
{
    int fds[251], fd = dup(0);
    if (fd < 0) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    plait_process *process = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .fds = &fd, .fd_count = 1 });
    CHECK(process && close(fd) == 0);
    CHECK(plait_process_start(process) == -EBADF && plait_process_free(process) == 0);
    CHECK_TEXT(plait_error_detail(), "escriptor");
    for (int i = 0; i < 251; i++) fds[i] = 2;
    process = plait_process_new(return_0, NULL, 0, &(plait_process_options){ .fds = fds, .fd_count = 251 });
    CHECK(process && plait_process_start(process) == -EINVAL && plait_process_free(process) == 0);
    CHECK_TEXT(plait_error_detail(), "250 are possible");
    run_it(return_0, NULL, 0, 0);
}

/* ---- the rest ---- */

struct told {
    char cwd[256], variable[64];
    rlim_t cores;
    int niceness, cpus;
};

static int tell(void *argument)
{
    struct told *told = argument;
    cpu_set_t cpus;
    struct rlimit limit;
    const char *variable = getenv("PLAIT_COLOUR");
    CHECK(getcwd(told->cwd, sizeof told->cwd) && getrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    snprintf(told->variable, sizeof told->variable, "%s", variable ? variable : "");
    told->cores = limit.rlim_cur;
    told->niceness = getpriority(PRIO_PROCESS, 0);
    told->cpus = CPU_COUNT(&cpus);
    return 0;
}

static int first_cpu(void)
{
    cpu_set_t cpus;
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &cpus)) return i;
    return 0;
}

static void settings_are_met(void)
{
    struct told *told = new_block(sizeof *told);
    char *const environment[] = { "PLAIT_COLOUR=blue", NULL };
    const plait_limit limit = { RLIMIT_CORE, { 0, 0 } };
    const int cpu = first_cpu(), before = getpriority(PRIO_PROCESS, 0);
    end_with(start_it(tell, told, 0, &(plait_process_options){
        .cwd = "/usr", .environment = environment, .limits = &limit, .limit_count = 1, .cpus = &cpu, .cpu_count = 1,
        .nice = 3 }), 0);
    CHECK(strcmp(told->cwd, "/usr") == 0 && strcmp(told->variable, "blue") == 0 && told->cores == 0);
    CHECK(told->niceness == (before + 3 > 19 ? 19 : before + 3) && told->cpus == 1);
    CHECK(plait_free(told) == 0);
}

/* Where the server is, not where we have gone meanwhile. */
static void without_settings_it_is_as_the_server(void)
{
    struct told *told = new_block(sizeof *told);
    char here[256];
    CHECK(getcwd(here, sizeof here) && chdir("/usr") == 0 && setenv("PLAIT_COLOUR", "red", 1) == 0);
    run_it(tell, told, 0, 0);
    CHECK(chdir(here) == 0 && unsetenv("PLAIT_COLOUR") == 0);
    CHECK(strcmp(told->cwd, here) == 0 && strcmp(told->variable, "") == 0 && plait_free(told) == 0);
}

static void refuse(const plait_process_options *options, int error, const char *detail)
{
    plait_process *process = plait_process_new(run_on, NULL, 0, options);
    CHECK(process);
    const struct traces before = traces_now();
    CHECK(plait_process_start(process) == error && plait_process_pid(process) == 0);
    CHECK_TEXT(plait_error_detail(), detail);
    CHECK(plait_process_start(process) == error && plait_active_children(NULL, 0) == 0);
    CHECK(open_fds() == before.fds);
    CHECK(plait_process_free(process) == 0);
    run_it(return_0, NULL, 0, 0);
}

static void settings_that_fail_are_told(void)
{
    const int cpu = 65535;
    const plait_limit limit = { RLIMIT_CORE, { 2, 1 } };
    refuse(&(plait_process_options){ .cwd = "/nowhere" }, -ENOENT, "cwd /nowhere");
    refuse(&(plait_process_options){ .cpus = &cpu, .cpu_count = 1 }, -EINVAL, "the cpus");
    refuse(&(plait_process_options){ .limits = &limit, .limit_count = 1 }, -EINVAL, "the limits");
    refuse(&(plait_process_options){ .cwd = "/nowhere", .output = PLAIT_STREAM_PIPE }, -ENOENT, "cwd /nowhere");
}

/* Before there is a child. */
static void no_descriptor_to_watch_it_by_is_told(void)
{
    struct rlimit limit, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    run_it(return_0, NULL, 0, 0);
    _Atomic int *flag = new_block(sizeof *flag);
    plait_process *process = plait_process_new(wait_for_flag, (void *)flag, 0, NULL);
    none = (struct rlimit){ 3, limit.rlim_max };
    CHECK(process && setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(plait_process_start(process) == -EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_TEXT(plait_error_detail(), "to watch the child by");
    atomic_store(flag, 1);
    CHECK(plait_process_start(process) == 0);
    end_with(process, 7);
    CHECK(plait_free((void *)flag) == 0);
}

/* ---- a child that closes all that it does not know ---- */

static int close_and_ask(void *others)
{
    plait_process *parent = plait_parent_process();
    for (int i = 0; i < 2; i++) {
        CHECK(plait_process_is_alive(parent) == 1 && plait_process_join(parent, plait_after(0.01)) == -ETIMEDOUT);
        close_all(others);
    }
    return 3;
}

static int start_served(void *unused)
{
    be_program();
    for (uintptr_t others = 0; others < 2; others++)
        end_with(plait_start(close_and_ask, (void *)others, 0, &(plait_process_options){ .method = PLAIT_FORKSERVER }), 3);
    return 0;
}

static void one_that_closes_its_descriptor_still_knows_of_its_parent(void **state)
{
    host_run(start_served, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_that_closes_its_descriptor_still_knows_of_its_parent),
    WITH_AND_WITHOUT_STOCK(streams_may_be_pipes),
    WITH_AND_WITHOUT_STOCK(errors_go_where_output_goes),
    WITH_AND_WITHOUT_STOCK(streams_may_be_descriptors),
    WITH_AND_WITHOUT_STOCK(streams_may_be_inherited),
    WITH_AND_WITHOUT_STOCK(streams_may_be_nothing),
    WITH_AND_WITHOUT_STOCK(descriptors_have_the_numbers_that_they_have_here),
    WITH_AND_WITHOUT_STOCK(two_hundred_descriptors_arrive),
    WITH_AND_WITHOUT_STOCK(the_highest_number_is_possible),
    WITH_AND_WITHOUT_STOCK(bad_descriptors_are_refused),
    WITH_AND_WITHOUT_STOCK(settings_are_met),
    WITH_AND_WITHOUT_STOCK(without_settings_it_is_as_the_server),
    WITH_AND_WITHOUT_STOCK(settings_that_fail_are_told),
    WITH_AND_WITHOUT_STOCK(no_descriptor_to_watch_it_by_is_told),
};

TEST_MAIN(tests)
