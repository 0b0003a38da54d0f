/* process/spawned.c - how a function and all that its process needs to know reach a process that has none of our memory. */
#include "process/exec.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/wait.h"
#include "process/method.h"

/* Small numbers are passed as pointers, too. */
static int check_argument(const struct plait__plan *plan)
{
    bool means_the_same = plan->size || (uintptr_t)plan->argument < 65536 || plait_is_shared(plan->argument);
    return means_the_same ? 0 : plait__fail(-EINVAL, "a pointer to private memory means nothing in a process that begins anew: "
                                                     "pass its bytes with their size, or shared memory");
}

#define HEAD ((sizeof(struct plait__spawned) + 15) / 16 * 16)

/* Behind each other: this, the plan, the function. */
static void fill(struct plait__spawned *spawned, const plait_process *process, const struct plait__function *function, size_t size)
{
    plait__birth_fill(&spawned->birth, process);
    spawned->birth.record = &spawned->record;
    spawned->birth.all_flushed = true;
    spawned->birth.plan = plait__plan_copy(process->plan, (char *)spawned + HEAD);
    spawned->function = memcpy((char *)spawned + HEAD + plait__plan_size(process->plan), function, size);
    spawned->function_size = size;
}

struct plait__spawned *plait__spawned_new(const plait_process *process)
{
    const struct plait__plan *plan = process->plan;
    struct plait__function function;
    int error = check_argument(plan);
    int size = error ? error : plait__function_describe((plait__code)plan->function, &function);
    if (size < 0) return plait__null(size);
    struct plait__spawned *spawned = plait_alloc(HEAD + plait__plan_size(plan) + (size_t)size);
    if (spawned) fill(spawned, process, &function, (size_t)size);
    return spawned;
}

void plait__spawned_drop(struct plait__spawned *spawned, uint32_t holders)
{
    uint32_t before = atomic_fetch_and(&spawned->service.holders, ~holders);
    if (before && !(before & ~holders)) plait_free(spawned);
}

void plait__answer(struct plait__spawned *spawned, const struct plait__report *report)
{
    if (report) spawned->service.report = *report;
    atomic_store(&spawned->service.answer, report ? PLAIT__FAILED : PLAIT__BEGUN);
    plait__wake(&spawned->service.answer, 1);
}

void plait__spawned_failed(struct plait__spawned *spawned, int error)
{
    snprintf(spawned->detail, sizeof spawned->detail, "%s", plait_error_detail());
    spawned->record.code = error;
    atomic_store(&spawned->record.has_ended, 1);
}

/* Those that this process could not have had before: it would not have come so far. */
static int set_late_limits(const struct plait__plan *plan)
{
    for (size_t i = 0; i < plan->limit_count; i++)
        if (plan->limits[i].resource == RLIMIT_AS && setrlimit(RLIMIT_AS, &plan->limits[i].limit) < 0)
            return plait__fail(-errno, "the limits: %s", plait_strerror(-errno));
    return 0;
}

void plait__spawned_run(struct plait__spawned *spawned)
{
    struct plait__birth *birth = &spawned->birth;
    plait__code function;
    int error = plait__function_find(spawned->function, spawned->function_size, &function);
    if (!error) error = set_late_limits(birth->plan);
    if (error) {
        plait__spawned_failed(spawned, error);
        _exit(127);
    }
    birth->function = (int (*)(void *))function;
    if (!birth->plan->is_hidden) plait__log_set_state(birth->log);
    plait__inherit_method(birth->method);
    plait__child_run(birth);
}
