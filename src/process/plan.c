#include "process/plan.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <plait/start_method.h>

#include "base/error.h"
#include "process/method.h"

_Static_assert(sizeof(plait_process_options) == 152, "part of the ABI");

/* ---- looking at the options ---- */

#define CPUS_MAX 65536
#define FD_OF(stream) ((stream) - PLAIT_STREAM_FD(0))

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int check_stream(int stream, int number)
{
    if (stream >= PLAIT_STREAM_DEFAULT && stream <= PLAIT_STREAM_PIPE) return 0;
    if (stream == PLAIT_STREAM_OUTPUT && number == 2) return 0;
    if (stream >= PLAIT_STREAM_FD(0)) {
        if (is_open(FD_OF(stream))) return 0;
        const char *why = plait_strerror(errno);
        return plait__fail(-errno, "standard stream %d: descriptor %d is not open (%s)", number, FD_OF(stream), why);
    }
    return plait__fail(-EINVAL, "standard stream %d can't be %d", number, stream);
}

static int check_streams(const int streams[3])
{
    for (int i = 0; i < 3; i++) {
        int error = check_stream(streams[i], i);
        if (error) return error;
    }
    return 0;
}

static int check_fds(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_open(fds[i])) return plait__fail(-errno, "descriptor %d is not open (%s)", fds[i], plait_strerror(errno));
    return 0;
}

int plait__plan_check_descriptors(const struct plait__plan *plan)
{
    int error = check_streams(plan->streams);
    return error ? error : check_fds(plan->fds, plan->fd_count);
}

static int check_list(const void *list, int count, const char *name)
{
    if (count < 0) return plait__fail(-EINVAL, "%d %s", count, name);
    if (count > 0 && !list) return plait__fail(-EINVAL, "%s is NULL, their number %d", name, count);
    return 0;
}

static int check_lists(const plait_process_options *options)
{
    int error = check_list(options->limits, options->limit_count, "limits");
    if (!error) error = check_list(options->cpus, options->cpu_count, "cpus");
    if (!error) error = check_list(options->fds, options->fd_count, "fds");
    if (error) return error;
    for (int i = 0; i < options->cpu_count; i++)
        if (options->cpus[i] < 0 || options->cpus[i] >= CPUS_MAX)
            return plait__fail(-EINVAL, "there is no CPU %d", options->cpus[i]);
    for (int i = 0; options->environment && options->environment[i]; i++)
        if (!strchr(options->environment[i], '='))
            return plait__fail(-EINVAL, "environment: no '=' in \"%s\"", options->environment[i]);
    return check_fds(options->fds, (size_t)options->fd_count);
}

static int check_thread(const plait_process_options *options)
{
    bool other = options->cwd || options->environment || options->limit_count || options->fd_count || options->nice
                 || options->input || options->output || options->errors || options->detached || options->method;
    return other ? plait__fail(-EINVAL, "a thread has only a name, a class_name, daemon and cpus of its own") : 0;
}

int plait__plan_check(const plait_process_options *options)
{
    if (options->kind != PLAIT_PROCESSES && options->kind != PLAIT_THREADS)
        return plait__fail(-EINVAL, "no process of kind %d", options->kind);
    int error = PLAIT__CHECK_RESERVED(options->reserved, options->reserved_int);
    if (error) return error;
    if (options->method < 0 || options->method > PLAIT_FORKSERVER)
        return plait__fail(-EINVAL, "cannot find context for start method %d", options->method);
    error = check_lists(options);
    if (error) return error;
    if (options->kind == PLAIT_THREADS) return check_thread(options);
    return check_streams((int[]){ options->input, options->output, options->errors });
}

/* ---- one block ---- */

/* Puts things behind each other; with no memory it only counts. */
struct packer {
    char *memory;
    size_t used;
};

static void *pack(struct packer *packer, const void *data, size_t size)
{
    if (!data || !size) return NULL;
    char *place = packer->memory ? packer->memory + packer->used : NULL;
    packer->used += (size + 15) / 16 * 16;
    return place ? memcpy(place, data, size) : NULL;
}

static char *pack_string(struct packer *packer, const char *text)
{
    return pack(packer, text, text ? strlen(text) + 1 : 0);
}

static char **pack_strings(struct packer *packer, char *const *strings)
{
    if (!strings) return NULL;
    size_t count = 0;
    while (strings[count]) count++;
    char **copy = pack(packer, strings, (count + 1) * sizeof *strings);
    for (size_t i = 0; i < count; i++) {
        char *text = pack_string(packer, strings[i]);
        if (copy) copy[i] = text;
    }
    return copy;
}

/* The argument first, so that it is aligned best of all. */
static void pack_all(struct packer *packer, const struct plait__plan *plan, struct plait__plan *copy)
{
    copy->argv = pack_strings(packer, plan->argv);
    copy->environment = pack_strings(packer, plan->environment);
    copy->cwd = pack_string(packer, plan->cwd);
    copy->limits = pack(packer, plan->limits, plan->limit_count * sizeof *plan->limits);
    copy->cpus = pack(packer, plan->cpus, plan->cpus_size);
    copy->fds = pack(packer, plan->fds, plan->fd_count * sizeof *plan->fds);
}

static struct plait__plan *pack_plan(struct packer *packer, const struct plait__plan *plan)
{
    struct plait__plan counted;
    void *argument = plan->size ? pack(packer, plan->argument, plan->size) : plan->argument;
    struct plait__plan *copy = pack(packer, plan, sizeof *plan);
    pack_all(packer, plan, copy ? copy : &counted);
    if (!copy) return NULL;
    copy->block = packer->memory;
    copy->argument = argument;
    return copy;
}

size_t plait__plan_size(const struct plait__plan *plan)
{
    struct packer packer = { 0 };
    pack_plan(&packer, plan);
    return packer.used;
}

struct plait__plan *plait__plan_copy(const struct plait__plan *plan, void *memory)
{
    struct packer packer = { .memory = memory };
    return pack_plan(&packer, plan);
}

static struct plait__plan *copy_privately(const struct plait__plan *plan)
{
    void *memory = malloc(plait__plan_size(plan));
    if (memory) return plait__plan_copy(plan, memory);
    plait__fail(-ENOMEM, "no private memory for an argument of %zu bytes", plan->size);
    return plait__null(-ENOMEM);
}

static size_t mask_size(const plait_process_options *options)
{
    int most = -1;
    for (int i = 0; i < options->cpu_count; i++)
        if (options->cpus[i] > most) most = options->cpus[i];
    const size_t bits = 8 * sizeof(unsigned long);
    return most < 0 ? 0 : ((size_t)most / bits + 1) * sizeof(unsigned long);
}

static void fill_mask(unsigned long *mask, const plait_process_options *options)
{
    const unsigned bits = 8 * sizeof *mask;
    for (int i = 0; i < options->cpu_count; i++)
        mask[(unsigned)options->cpus[i] / bits] |= 1ul << ((unsigned)options->cpus[i] % bits);
}

struct plait__plan *plait__plan_new(int (*function)(void *), const void *argument, size_t size, char *const argv[],
                                    const plait_process_options *options)
{
    const size_t cpus_size = mask_size(options);
    unsigned long *mask = cpus_size ? calloc(1, cpus_size) : NULL;
    if (cpus_size && !mask) {
        plait__fail(-ENOMEM, "no private memory for a set of CPUs");
        return plait__null(-ENOMEM);
    }
    fill_mask(mask, options);
    const struct plait__plan plan = {
        .function = function, .argument = (void *)(uintptr_t)argument, .size = size, .argv = (char **)(uintptr_t)argv,
        .cwd = (char *)(uintptr_t)options->cwd, .environment = (char **)(uintptr_t)options->environment,
        .limits = (plait_limit *)(uintptr_t)options->limits, .limit_count = (size_t)options->limit_count,
        .cpus = mask, .cpus_size = cpus_size,
        .fds = (int *)(uintptr_t)options->fds, .fd_count = (size_t)options->fd_count,
        .streams = { options->input, options->output, options->errors },
        .nice = options->nice, .kind = options->kind, .method = options->method,
        .daemon = options->daemon != 0, .detached = options->detached != 0,
    };
    struct plait__plan *copy = copy_privately(&plan);
    free(mask);
    return copy;
}

/* ---- in the child ---- */

static int failed(struct plait__report *report, enum plait__step step)
{
    *report = (struct plait__report){ step, errno };
    return -1;
}

static int open_null(int number)
{
    int fd = open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY);
    if (fd < 0 || fd == number) return fd;
    int result = dup2(fd, number);
    close(fd);
    return result;
}

/* A source that is itself one of the three could be overwritten before it is its turn. */
static int keep_source(int source)
{
    return source < 0 || source > 2 ? source : fcntl(source, F_DUPFD_CLOEXEC, 3);
}

static int set_streams(const struct plait__plan *plan, const int sources[3])
{
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = keep_source(sources[i]);
        if (sources[i] >= 0 && kept[i] < 0) return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (sources[i] == -1 && open_null(i) < 0) return -1;
        if (sources[i] >= 0 && dup2(kept[i], i) < 0) return -1;
    }
    for (int i = 0; i < 3; i++)
        if (kept[i] >= 0 && kept[i] != sources[i]) close(kept[i]);
    return plan->streams[2] == PLAIT_STREAM_OUTPUT && dup2(1, 2) < 0 ? -1 : 0;
}

/* The limit on address space that will be set later: whether that may be done.  Only the hard limit is raised to it. */
static int announce_limit(int resource, const struct rlimit *later)
{
    struct rlimit now;
    if (getrlimit(resource, &now) < 0) return -1;
    errno = EINVAL;
    if (later->rlim_cur > later->rlim_max) return -1;
    now.rlim_max = later->rlim_max > now.rlim_max ? later->rlim_max : now.rlim_max;
    return setrlimit(resource, &now);
}

static int set_limits(const struct plait__plan *plan, bool needs_arena)
{
    for (size_t i = 0; i < plan->limit_count; i++) {
        const plait_limit *limit = &plan->limits[i];
        bool is_late = limit->resource == RLIMIT_AS && needs_arena;
        if ((is_late ? announce_limit(RLIMIT_AS, &limit->limit) : setrlimit(limit->resource, &limit->limit)) < 0) return -1;
    }
    return 0;
}

/* (-1 may be a result of nice.) */
static int set_nice(int added)
{
    errno = 0;
    return added && nice(added) == -1 && errno ? -1 : 0;
}

static int set_cpus(const struct plait__plan *plan)
{
    return plan->cpus_size && syscall(SYS_sched_setaffinity, 0, plan->cpus_size, plan->cpus) < 0 ? -1 : 0;
}

int plait__plan_apply(const struct plait__plan *plan, const int sources[3], bool needs_arena, struct plait__report *report)
{
    if (set_streams(plan, sources) < 0) return failed(report, PLAIT__STEP_STREAMS);
    if (set_limits(plan, needs_arena) < 0) return failed(report, PLAIT__STEP_LIMITS);
    if (set_nice(plan->nice) < 0) return failed(report, PLAIT__STEP_NICE);
    if (set_cpus(plan) < 0) return failed(report, PLAIT__STEP_CPUS);
    if (plan->cwd && chdir(plan->cwd) < 0) return failed(report, PLAIT__STEP_CWD);
    return 0;
}

bool plait__plan_may_fail(const struct plait__plan *plan)
{
    return plan->limit_count || plan->nice || plan->cpus_size || plan->cwd || plan->streams[0] > PLAIT_STREAM_INHERIT
           || plan->streams[1] > PLAIT_STREAM_INHERIT || plan->streams[2] > PLAIT_STREAM_INHERIT;
}

int plait__plan_failed(const struct plait__plan *plan, const struct plait__report *report)
{
    static const char *const steps[] = { "the standard streams", "the descriptors", "the limits", "nice", "the cpus" };
    int error = -report->error;
    if (report->step == PLAIT__STEP_CWD) return plait__fail(error, "cwd %s: %s", plan->cwd, plait_strerror(error));
    const char *program = plan->argv ? plan->argv[0] : plait__executable();
    if (report->step == PLAIT__STEP_EXEC) return plait__fail(error, "%s: %s", program, plait_strerror(error));
    if (report->step == PLAIT__STEP_FORK) return plait__fail(error, "fork: [Errno %d] %s", report->error, plait_strerror(error));
    if (report->step == PLAIT__STEP_BEGIN) return plait__fail(error, "the forkserver is ending");
    return plait__fail(error, "%s: %s", steps[report->step], plait_strerror(error));
}
