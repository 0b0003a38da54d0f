/* pool/tasks.c - running tasks: those of a chunk, in a worker, or those of a whole map, in the calling thread. */
#include "pool/board.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/deadline.h"
#include "base/error.h"

_Thread_local struct plait__at_work plait__at_work;

/* ---- memory ---- */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23                             /* Linux 5.14 */
#endif

#define SMALL_PAGE 4096u
#define SLICE (32 * SMALL_PAGE)                            /* of an array: worth a call, and stays in a CPU's cache */

/* A worker sees shared memory by page tables of its own, and to fault in one page after the other to write to takes longer than
 * simple tasks do.  So the kernel is asked for many pages at once where the tasks will touch all of them; older ones decline.
 * (Pages to read from come 16 at a time by themselves.)
 * Before the first of so many tasks: how many to run before the next call. */
static size_t map_slice(const struct plait__job *job, size_t first, size_t count)
{
    if (job->out_size == 0 || job->out_size > SMALL_PAGE || count < SLICE / job->out_size) return count;
    size_t slice = SLICE / job->out_size;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)job->out + first * job->out_size;
    uintptr_t end = (begin + slice * job->out_size + page - 1) / page * page;
    begin = begin / page * page;
    madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
    return slice;
}

/* ---- a chunk ---- */

static int run_each(const struct plait__job *job, plait_task task, size_t first, size_t count, size_t *failed)
{
    int first_code = 0;
    for (size_t i = first; i < first + count; i++) {
        int code = task(job->in + i * job->in_size, job->out + i * job->out_size, job->context);
        if (PLAIT__LIKELY(!code) || first_code) continue;
        first_code = code;
        *failed = i;
    }
    return first_code;
}

/* One task, folded into what there is. */
static int fold_in(const struct plait__job *job, const struct plait__calls *calls, size_t i, void *into, void *out)
{
    memcpy(out, job->neutral, job->out_size);
    int code = calls->task(job->in + i * job->in_size, out, job->context);
    return code ? code : calls->reduce(into, out, job->context);
}

/* The partial result is made in private memory: its neighbours in `out` are other workers'. */
static int run_and_reduce(const struct plait__job *job, const struct plait__calls *calls, size_t number, size_t *failed)
{
    size_t first = number * job->chunk, count = plait__tasks_in_chunk(job, number);
    int first_code = 0;
    char *partial = malloc(2 * job->out_size);
    if (!partial) return plait__fail(-ENOMEM, "no private memory for a partial result");
    memcpy(partial, job->neutral, job->out_size);
    for (size_t i = first; i < first + count; i++) {
        int code = fold_in(job, calls, i, partial, partial + job->out_size);
        if (PLAIT__LIKELY(!code) || first_code) continue;
        first_code = code;
        *failed = i;
    }
    memcpy(job->out + number * job->out_size, partial, job->out_size);
    free(partial);
    return first_code;
}

static int run_slices(const struct plait__job *job, plait_task task, size_t first, size_t count, size_t *failed)
{
    int first_code = 0;
    for (size_t slice; count; first += slice, count -= slice) {
        size_t first_failed = first;
        slice = map_slice(job, first, count);
        int code = run_each(job, task, first, slice, &first_failed);
        if (!code || first_code) continue;
        first_code = code;
        *failed = first_failed;
    }
    return first_code;
}

int plait__run_tasks(const struct plait__job *job, const struct plait__calls *calls, size_t number, size_t *failed)
{
    size_t first = number * job->chunk, count = plait__tasks_in_chunk(job, number);
    *failed = first;
    if (job->results) memset(job->out + first * job->out_size, 0, count * job->out_size);
    if (PLAIT__UNLIKELY(calls->error)) return calls->error;
    if (job->reduce) return run_and_reduce(job, calls, number, failed);
    return run_slices(job, calls->task, first, count, failed);
}

/* ---- inline ---- */

static int run_all(const struct plait__job *job, void *result, void *scratch)
{
    int first_code = 0;
    const struct plait__calls calls = { .task = job->task, .reduce = job->reduce };
    for (size_t i = 0; i < job->n; i++) {
        if (plait__expired(job->deadline)) return plait__fail(-ETIMEDOUT, "%zu of %zu tasks were run", i, job->n);
        size_t failed;
        int code = job->reduce ? fold_in(job, &calls, i, result, scratch) : run_each(job, job->task, i, 1, &failed);
        if (code && !first_code) first_code = plait__fail(code, "task %zu returned %d", i, code);
    }
    return first_code;
}

int plait__run_inline(plait_pool *pool, const struct plait__job *what, void *result, const plait_map_options *options)
{
    struct plait__job job = *what;
    job.context = options->context;
    job.deadline = options->deadline;
    size_t folding = job.reduce ? (2 * job.out_size + 63) / 64 * 64 : 0, size = folding + options->context_size;
    char *own = size ? malloc(size) : NULL;
    if (size && !own) return plait__fail(-ENOMEM, "no private memory for the context");
    if (job.reduce) job.neutral = memcpy(own, result, job.out_size);
    if (options->context_size) job.context = memcpy(own + folding, options->context, options->context_size);
    plait_pool *before = plait_pool_current();
    plait__at_work.current = pool;
    plait__at_work.pid = getpid();
    int code = run_all(&job, result, job.reduce ? own + job.out_size : NULL);
    plait__at_work.current = before;
    free(own);
    return code;
}
