#include "fail_calls.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <plait/error.h>

#include "arena/heap.h"
#include "base/error.h"
#include "family/roster.h"

/* ---- what there is before and after ---- */

struct footprint {
    long fds, mapped, blocks, allocated, children;
    bool family, heap;
};

/* Bytes of address space, but for the arena, the stack and what the C library's allocator keeps; *arena: it is there. */
static long mapped_bytes(bool *arena)
{
    char line[512];
    unsigned long start, end;
    long sum = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    CHECK(file);
    *arena = false;
    while (fgets(line, sizeof line, file)) {
        CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2);
        if (strstr(line, "/memfd:plait")) *arena = true;
        else if (!strstr(line, "[heap]") && !strstr(line, "[stack]")) sum += (long)(end - start);
    }
    fclose(file);
    return sum;
}

static long count_descriptors(void)
{
    long count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static long count_children(void)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    const ssize_t size = read(fd, text, sizeof text);
    close(fd);
    long count = 0;
    for (ssize_t i = 0; i < size; i++) count += text[i] == ' ';
    return count;
}

static struct footprint look(void)
{
    struct footprint now = {
        .fds = count_descriptors(), .blocks = (long)plait__heap_count(0),
        .allocated = failing.allocated, .children = count_children(),
        .heap = plait__self.heap != NULL,
    };
    now.mapped = mapped_bytes(&now.family);
#ifdef __SANITIZE_ADDRESS__
    now.mapped = 0;                                        /* that grows with what it has to remember */
#endif
    return now;
}

/* What there has to be now, if nothing but the family is new.  That stays for the life of the process: a descriptor, the arena,
 * the pages with the fork mark, the notes of the allocator. */
static struct footprint expected(const struct footprint *before, const struct footprint *now)
{
    struct footprint all = *before;
    const bool made = now->family && !before->family;
    all.fds += made;
    if (made && all.mapped) all.mapped += (long)((PLAIT__MEMBERS_MAX + 1) * sizeof(struct plait__me));
    all.allocated += now->heap - before->heap;
    return all;
}

static void must_be_as(const struct footprint *before)
{
    const struct footprint now = look(), all = expected(before, &now);
    CHECK(now.fds == all.fds);
    CHECK(now.mapped == all.mapped);
    CHECK(now.blocks == all.blocks);
    CHECK(now.allocated == all.allocated);
    CHECK(now.children == all.children);
}

/* A worker that has died may not have been replaced. */
static void must_not_be_more_than(const struct footprint *before, int result, unsigned late)
{
    const struct footprint now = look(), all = expected(before, &now);
    CHECK(before->family || !now.family || result != PLAIT_ENOARENA);
    CHECK(now.fds <= all.fds);
    CHECK(now.mapped <= all.mapped);
    CHECK(now.blocks <= all.blocks + late);
    CHECK(now.allocated <= all.allocated + late);
    CHECK(now.children <= all.children);
}

/* ---- one failure ---- */

struct attempt {
    const struct fail_operation *operation;
    struct plan plan;
    _Atomic int *reached;
};

/* Its code or its detail names the failure. */
static void must_be_clear(int result, int error)
{
    const char *detail = plait_error_detail();
    if (*detail && (result == -error || strstr(detail, strerror(error)))) return;
    dprintf(STDERR_FILENO, "the result is %s, the detail \"%s\"\n", plait_strerrorname(result), detail);
    CHECK(!"the error says what failed");
}

static int run_once(const struct attempt *attempt)
{
    plait__fail(0, "%s", "");
    failing.plan = attempt->plan;
    failing.reached = attempt->reached;
    failing.seen_in = getpid();
    atomic_store(&failing.calls, 0);
    failing.pid = getpid();
    const int result = attempt->operation->run();
    failing.pid = 0;
    return result;
}

/* In a host. */
static int try(void *argument)
{
    const struct attempt *attempt = argument;
    const struct fail_operation *operation = attempt->operation;
    alarm(20);
    if (operation->set_up) operation->set_up();
    const struct footprint before = look();
    if (operation->prepare) operation->prepare();
    const struct footprint prepared = look();
    const int result = run_once(attempt);
    if (result < 0) {
        CHECK(atomic_load(attempt->reached));
        must_be_clear(result, attempt->plan.error);
        must_not_be_more_than(&prepared, result, operation->late);
        CHECK(operation->run() >= 0);
    }
    if (operation->finish) operation->finish();
    must_be_as(&before);
    return 0;
}

/* False: the operation makes fewer than n such calls. */
static bool fail_once(const struct fail_operation *operation, struct plan plan, _Atomic int *reached)
{
    struct attempt attempt = { operation, plan, reached };
    atomic_store(reached, 0);
    const int status = test_wait_exit(test_fork(try, &attempt));
    if (status)
        fail_msg("with %s number %d%s as %s: exit status %d", fail_calls[plan.kind].name, plan.n,
                 plan.and_all_later ? " and all later ones" : "", plait_strerrorname(plan.error), status);
    return atomic_load(reached);
}

/* To interrupt every sleep would be one without an end. */
static bool may_go_on(enum fail_kind kind, int error)
{
    return error != EINTR && !((kind == FAIL_FUTEX || kind == FAIL_WAITV || kind == FAIL_WRITE) && error == EAGAIN);
}

static int fail_kind(const struct fail_operation *operation, enum fail_kind kind, _Atomic int *reached)
{
    int failures = 0;
    for (int e = 0; fail_calls[kind].errors[e]; e++) {
        struct plan plan = { .kind = kind, .error = fail_calls[kind].errors[e], .in_children = operation->in_children };
        for (int later = 0; later <= may_go_on(kind, plan.error); later++) {
            plan.and_all_later = later;
            for (plan.n = 1; fail_once(operation, plan, reached); plan.n++) failures++;
            if (!failures) return 0;                       /* it makes no such call */
        }
    }
    return failures;
}

void fail_at_every_call(void **state)
{
    const struct fail_operation *operation = *state;
    _Atomic int *reached = test_shared(sizeof *reached);
    int failures = 0;
    for (int kind = 0; kind < FAIL_KINDS; kind++) {
        const int of_this_kind = fail_kind(operation, kind, reached);
        if (of_this_kind) printf("%s: %d\n", fail_calls[kind].name, of_this_kind);
        failures += of_this_kind;
    }
    assert_true(failures > 0 || operation->may_need_nothing);
    munmap(reached, sizeof *reached);
}
