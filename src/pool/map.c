/* pool/map.c - one function over an array, shared out in chunks. */
#include "pool/board.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/claim.h"
#include "family/repair.h"
#include "family/wait.h"

#define UNSEEN_WAIT 30000                                  /* nanoseconds; afterwards the job is freed at the next map */
#define JOIN_SLICE (10 * PLAIT__MILLISECOND)               /* how often to look for workers that have not joined yet */

_Static_assert(sizeof(plait_result) == 16, "part of the ABI");

/* ---- checking ---- */

static int check_arrays(const struct plait__job *what)
{
    if (!what->n) return 0;
    if ((!what->in && what->in_size) || (!what->out && what->out_size))
        return plait__fail(-EINVAL, "in or out is NULL, its size is not 0");
    if (what->in_size > SIZE_MAX / what->n || what->out_size > SIZE_MAX / 4 / what->n)
        return plait__fail(-EINVAL, "the size of an array overflows");
    return 0;
}

/* A task may use the pool that it runs in; from the worker's own thread, as only that one's death is told of. */
static bool is_nested(const plait_pool *pool)
{
    return plait__at_work.pool == pool && plait__member() == 0 && plait__at_work.owner == plait__self.owner;
}

static int check_context(const plait_pool *pool, const plait_map_options *options)
{
    if (!options->context && options->context_size) return plait__fail(-EINVAL, "the context is NULL, its size is not 0");
    if (pool->kind != PLAIT_PROCESSES || !options->context || options->context_size) return 0;
    if (!plait_is_shared(options->context))
        return plait__fail(-EINVAL, "the context is not in shared memory: give its context_size, or make it by plait_alloc");
    if (!plait__is_lasting(options->context))
        return plait__fail(-EINVAL, "the context belongs to one thread: give its context_size, or make it by plait_alloc");
    return 0;
}

static int check(const plait_pool *pool, plait_task task, const plait_map_options *options, bool *nested)
{
    if (!pool || !task) return plait__fail(-EINVAL, "the %s is NULL", pool ? "task" : "pool");
    *nested = pool->pid != getpid();
    if (*nested && !is_nested(pool)) return plait__fail(-EINVAL, "the pool belongs to process %d", (int)pool->pid);
    if (options->retries < -1 || options->retries > 200) return plait__fail(-EINVAL, "retries %d; -1 to 200", options->retries);
    int error = PLAIT__CHECK_RESERVED(options->reserved, options->reserved_int);
    return error ? error : check_context(pool, options);
}

/* ---- waiting, as the pool's owner ---- */

/* So many other maps may be there that we have to wait for a place. */
static int hang_up(struct plait__board *board, struct plait__job *job)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_POOL, NULL, job->deadline);
    for (;;) {
        uint32_t places = atomic_load(&board->places);
        if (plait__hang_up(board, job)) return 0;
        atomic_fetch_add(&board->queuing, 1);
        int error = atomic_load(&board->places) == places ? plait__park(&wait, &board->places, places, 0) : 0;
        atomic_fetch_sub(&board->queuing, 1);
        if (error) return plait__fail(error, "%u other maps were running in this pool", PLAIT__JOBS_MAX);
    }
}

/* Until all chunks are finished.  0, -ETIMEDOUT, or an error for which nothing will finish them.  The epoch tells of deaths, but
 * not of a worker that dies before it has joined: as long as one has not, look every now and then. */
static int wait_for_job(plait_pool *pool, struct plait__job *job)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_POOL, pool, job->deadline);
    bool all_joined = false;
    uint32_t tended_at = 0, looked_at = 0;
    for (bool first = true;; first = false) {
        uint32_t news = atomic_load(&job->news);
        while (news == looked_at && plait__spin(&wait)) news = atomic_load(&job->news);
        uint32_t epoch = atomic_load(&plait__roster->epoch);
        if (first || !all_joined || news != looked_at || epoch != tended_at) {
            int result = plait__tend(pool, job, &all_joined);
            if (result) return result > 0 ? 0 : result;
            looked_at = news;
            tended_at = epoch;
        }
        int64_t slice = plait__now() + JOIN_SLICE;
        wait.deadline.at = all_joined ? job->deadline.at : plait__earlier(job->deadline, slice);
        if (plait__park(&wait, &job->news, news, 0) == -ETIMEDOUT && plait__expired(job->deadline))
            return plait__fail(-ETIMEDOUT, "the map was not finished in time");
    }
}

/* Run a job as the pool's owner.  0, or the error for which it is not finished. */
static int run_as_owner(plait_pool *pool, struct plait__job *job)
{
    int error = hang_up(pool->board, job);
    if (!error) {
        error = wait_for_job(pool, job);
        if (error) plait__cancel(pool, job);
    }
    return error;
}

/* ---- waiting, as a worker in a task ---- */

static bool has_state(const struct plait__job *job, unsigned state, unsigned other)
{
    for (size_t i = 0; i < job->chunks; i++) {
        unsigned is = plait__claim_state(atomic_load(&job->table[i].claim));
        if (is == state || is == other) return true;
    }
    return false;
}

/* Until none of the chunks is in one of these states.  The owner does what there is to do after deaths, and tells by `news`. */
static int wait_while(struct plait__job *job, unsigned state, unsigned other, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_POOL, NULL, deadline);
    struct plait__calls calls = { .task = job->task, .reduce = job->reduce, .looked_up = true };
    for (;;) {
        uint32_t news = atomic_load(&job->news);
        while (!plait__expired(deadline) && plait__work_on_chunk(job, &calls)) {}
        if ((state == PLAIT__TAKEN || atomic_load(&job->unfinished) <= 0) && !has_state(job, state, other)) break;
        int error = plait__wait(&wait, &job->news, news, 0);
        if (error) return plait__fail(error, "the map was not finished in time");
    }
    plait__wait_end(&wait);
    return 0;
}

/* Run a job in a task: work on it, and sleep only while others do.  So who sleeps waits for those who run chunks of his job, who
 * wait at most for chunks of their own jobs, and so on: never in a circle.  If the board has no place, it does all. */
static int run_as_worker(plait_pool *pool, struct plait__job *job)
{
    if (job->chunks > 1) plait__hang_up(pool->board, job);
    int error = wait_while(job, PLAIT__OPEN, PLAIT__RUNNING, job->deadline);
    if (!error) return 0;
    plait__take_chunks_away(job);
    if (has_state(job, PLAIT__TAKEN, PLAIT__TAKEN)) {
        plait__wake_family();                              /* the owner is to end those who are in the middle */
        wait_while(job, PLAIT__TAKEN, PLAIT__TAKEN, PLAIT_FOREVER);
    }
    return error;
}

/* ---- the result ---- */

static int report_death(const struct plait__last_death *dead, size_t first, size_t count)
{
    const char *how = dead->exitcode < 0 ? "was killed by signal" : "ended with exit code";
    if (dead->pid && dead->exitcode == PLAIT_EREAPED)
        return plait__fail(PLAIT_EWORKERDIED, "process %d ended in one of the tasks %zu to %zu, the attempt number %u",
                           (int)dead->pid, first, first + count - 1, dead->attempts);
    if (!dead->pid) return plait__fail(PLAIT_EWORKERDIED, "in one of the tasks %zu to %zu", first, first + count - 1);
    return plait__fail(PLAIT_EWORKERDIED, "process %d %s %d in one of the tasks %zu to %zu, the attempt number %u",
                       (int)dead->pid, how, abs(dead->exitcode), first, first + count - 1, dead->attempts);
}

/* A worker that was forked before the module was opened could not open it. */
static int report_refusal(const struct plait__job *job)
{
    bool written = atomic_load(&job->refusal.written);
    return plait__fail(PLAIT_ENOFUNCTION, "%s", written ? job->refusal.text : "in a worker that was killed when it had tried");
}

/* The code of the first failure, by index. */
static int result_of(const struct plait__job *job)
{
    if (!atomic_load(&job->failures)) return 0;
    for (size_t i = 0; i < job->chunks; i++) {
        const struct plait__chunk *chunk = &job->table[i];
        if (!chunk->code) continue;
        if (plait__claim_state(atomic_load(&chunk->claim)) == PLAIT__GIVEN_UP)
            return report_death(&job->dead, i * job->chunk, plait__tasks_in_chunk(job, i));
        if (chunk->failed == PLAIT__NONE_RUN) return report_refusal(job);
        return plait__fail(chunk->code, "task %zu returned %d", i * job->chunk + chunk->failed, chunk->code);
    }
    return 0;
}

/* The partial results in the order of their chunks. */
static int reduce_partials(const struct plait__job *job, void *result)
{
    for (size_t i = 0; i < job->chunks; i++) {
        int code = job->reduce(result, job->out + i * job->out_size, job->context);
        if (code) return plait__fail(code, "reducing the result of the tasks %zu to %zu returned %d", i * job->chunk,
                                     i * job->chunk + plait__tasks_in_chunk(job, i) - 1, code);
    }
    return 0;
}

/* From our copy of `out` to the caller's: what is finished. */
static void copy_back(const struct plait__job *job, char *out, bool all)
{
    size_t chunk_size = job->chunk * job->out_size;
    if (all) memcpy(out, job->out, job->n * job->out_size);
    for (size_t i = 0; !all && i < job->chunks; i++)
        if (plait__claim_state(atomic_load(&job->table[i].claim)) == PLAIT__DONE)
            memcpy(out + i * chunk_size, job->out + i * chunk_size, plait__tasks_in_chunk(job, i) * job->out_size);
}

/* What the tasks have made goes to the caller. */
static int deliver(struct plait__job *job, const struct plait__job *what, void *result, int error)
{
    if (!error) error = result_of(job);
    if (job->results) plait__take_results(job);
    if (job->reduce) return error ? error : reduce_partials(job, result);
    if (job->out != what->out && what->out_size) copy_back(job, what->out, !error);
    return error;
}

/* The last worker has told us of the end, and is about to let go of the job; unless it was stopped there, or has no CPU. */
static void wait_until_unseen(const struct plait__board *board, const struct plait__job *job)
{
    int64_t until = plait__now() + UNSEEN_WAIT;
    while (plait__is_looked_at(board, job) && plait__now() < until) plait__relax();
}

static void done_with(plait_pool *pool, struct plait__job *job)
{
    plait__take_down(pool->board, job);
    wait_until_unseen(pool->board, job);
    if (job->caller) {
        plait__retire(pool->board, &plait__at_work.retired, job);
        return;
    }
    pthread_mutex_lock(&pool->tending);
    plait__retire(pool->board, &pool->retired, job);
    pthread_mutex_unlock(&pool->tending);
}

static int run(plait_pool *pool, struct plait__job *what, void *result, const plait_map_options *options)
{
    struct plait__job *job = plait__make_job(pool, what, options);
    if (!job) return -errno;
    int error = job->caller ? run_as_worker(pool, job) : run_as_owner(pool, job);
    error = deliver(job, what, result, error);
    done_with(pool, job);
    return error;
}

/* ---- the face ---- */

static int map(plait_pool *pool, struct plait__job *what, void *result, const plait_map_options *options)
{
    static const plait_map_options defaults;
    bool nested = false;
    if (!options) options = &defaults;
    int error = check(pool, what->task, options, &nested);
    if (!error) error = check_arrays(what);
    if (error || what->n == 0) return error;
    if (what->results) memset(what->out, 0, what->n * what->out_size);
    if (pool->kind == PLAIT_INLINE) return plait__run_inline(pool, what, result, options);
    error = plait__member();
    if (nested) what->caller = plait__self.owner;
    return error ? error : run(pool, what, result, options);
}

int plait_pool_map(plait_pool *pool, plait_task task, const void *in, size_t in_size, void *out, size_t out_size, size_t n,
                   const plait_map_options *options)
{
    struct plait__job what = { .task = task, .in = in, .in_size = in_size, .out = out, .out_size = out_size, .n = n };
    return map(pool, &what, NULL, options);
}

int plait_pool_map_results(plait_pool *pool, plait_task task, const void *in, size_t in_size, plait_result *out, size_t n,
                           const plait_map_options *options)
{
    struct plait__job what = {
        .task = task, .results = true, .in = in, .in_size = in_size, .out = (char *)out, .out_size = sizeof *out, .n = n,
    };
    return map(pool, &what, NULL, options);
}

int plait_pool_map_reduce(plait_pool *pool, plait_task task, const void *in, size_t in_size, size_t n, plait_reduce reduce,
                          void *result, size_t result_size, const plait_map_options *options)
{
    if (!reduce) return plait__fail(-EINVAL, "the function to reduce with is NULL");
    if (!result_size) return plait__fail(-EINVAL, "the size of the result is 0");
    struct plait__job what = {
        .task = task, .reduce = reduce, .neutral = result, .in = in, .in_size = in_size, .out = result, .out_size = result_size,
        .n = n,
    };
    return map(pool, &what, result, options);
}
