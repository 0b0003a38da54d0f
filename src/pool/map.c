/* pool/map.c - one function over an array, shared out in chunks. */
#include "pool/board.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/claim.h"
#include "family/repair.h"
#include "family/wait.h"

#define RETRIES_DEFAULT 2
#define JOIN_SLICE (10 * PLAIT__MILLISECOND)               /* how often to look for workers that have not joined yet */

/* One call of map. */
struct map {
    plait_pool *pool;
    const plait_map_options *options;
    struct plait__job *job;
    void *own_in, *own_out, *own_context;                  /* copies in shared memory, NULL where the caller's are used in place */
    /* Of the first chunk, by number, that was given up; dead_attempts 0: there is none. */
    size_t dead_chunk;
    pid_t dead_pid;
    int dead_exitcode;
    uint32_t dead_attempts;
};

/* ---- checking ---- */

static int check_arrays(const struct plait__job *what)
{
    if (!what->n) return 0;
    if ((!what->in && what->in_size) || (!what->out && what->out_size))
        return plait__fail(-EINVAL, "in or out is NULL, its size is not 0");
    if (what->in_size > SIZE_MAX / what->n || what->out_size > SIZE_MAX / what->n)
        return plait__fail(-EINVAL, "the size of an array overflows");
    return 0;
}

static int check(const plait_pool *pool, plait_task task, const plait_map_options *options)
{
    if (!pool || !task) return plait__fail(-EINVAL, "the %s is NULL", pool ? "task" : "pool");
    if (pool->pid != getpid()) return plait__fail(-EINVAL, "the pool belongs to process %d", (int)pool->pid);
    if (!options->context && options->context_size) return plait__fail(-EINVAL, "the context is NULL, its size is not 0");
    if (options->retries < -1 || options->retries > 200) return plait__fail(-EINVAL, "retries %d; -1 to 200", options->retries);
    for (unsigned i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i] || options->reserved_int) return plait__fail(-EINVAL, "a reserved field is not zero");
    bool processes = pool->kind == PLAIT_PROCESSES;
    if (processes && options->context && !options->context_size && !plait_is_shared(options->context))
        return plait__fail(-EINVAL, "the context is not in shared memory: give its context_size, or make it by plait_alloc");
    return 0;
}

/* ---- inline ---- */

static int map_inline(const struct plait__job *job, plait_deadline deadline)
{
    int first_code = 0;
    for (size_t i = 0; i < job->n; i++) {
        if (plait__expired(deadline)) return plait__fail(-ETIMEDOUT, "%zu of %zu tasks were run", i, job->n);
        size_t failed;
        int code = plait__run_tasks(job, i, 1, &failed);
        if (code && !first_code) first_code = plait__fail(code, "task %zu returned %d", i, code);
    }
    return first_code;
}

static int run_inline(const struct plait__job *job, const plait_map_options *options)
{
    struct plait__job own = *job;
    own.context = options->context;
    void *copy = NULL;
    if (options->context_size) {
        copy = malloc(options->context_size);
        if (!copy) return plait__fail(-ENOMEM, "no private memory for the context");
        own.context = memcpy(copy, options->context, options->context_size);
    }
    int code = map_inline(&own, options->deadline);
    free(copy);
    return code;
}

/* ---- the job ---- */

/* Where workers can see `size` bytes in place of those at `data`: there already, or in a block of this thread. */
static int share(void **where, void **own, const void *data, size_t size)
{
    *where = (void *)(uintptr_t)data;
    if (!size || (plait_is_shared(data) && plait_is_shared((const char *)data + size - 1))) return 0;
    *where = *own = plait_message_alloc(size);
    return *own ? 0 : -errno;
}

static int share_copy(void **where, void **own, const void *data, size_t size)
{
    int error = share(where, own, data, size);
    if (!error && *own) memcpy(*own, data, size);
    return error;
}

static size_t choose_chunk(const plait_pool *pool, size_t n, const plait_map_options *options)
{
    if (options->chunk) return options->chunk;
    size_t parts = (size_t)pool->size * 4;
    return n / parts + (n % parts != 0);
}

static struct plait__job *make_job(const struct plait__job *what, size_t chunk)
{
    size_t chunks = what->n / chunk + (what->n % chunk != 0);
    if (chunks > SIZE_MAX / 2 / sizeof(struct plait__chunk))
        return plait__null(plait__fail(-ENOMEM, "the family's memory has no room for %zu chunks", chunks));
    size_t size = sizeof *what + chunks * sizeof what->table[0];
    struct plait__job *job = plait_alloc((size + 63) / 64 * 64);
    if (!job) return NULL;
    job->task = what->task;
    job->in_size = what->in_size;
    job->out_size = what->out_size;
    job->n = what->n;
    job->chunk = chunk;
    job->chunks = chunks;
    atomic_init(&job->unfinished, (int64_t)chunks);
    return job;
}

static void drop(struct map *map)
{
    plait_free(map->own_in);
    plait_free(map->own_out);
    plait_free(map->own_context);
}

/* Everything the workers need, in shared memory. */
static int prepare(struct map *map, const struct plait__job *what)
{
    void *in = NULL, *out = NULL, *context = NULL;
    size_t chunk = choose_chunk(map->pool, what->n, map->options);
    map->job = make_job(what, chunk > UINT32_MAX ? UINT32_MAX : chunk);
    int error = map->job ? 0 : -errno;
    if (!error) error = share_copy(&in, &map->own_in, what->in, what->n * what->in_size);
    if (!error) error = share(&out, &map->own_out, what->out, what->n * what->out_size);
    if (!error) error = share_copy(&context, &map->own_context, map->options->context, map->options->context_size);
    if (error) {
        drop(map);
        plait_free(map->job);
        plait__add_detail("for a map of %zu tasks", what->n);
        return error;
    }
    map->job->in = in;
    map->job->out = out;
    map->job->context = context;
    return 0;
}

static bool take_place(struct map *map, unsigned *place)
{
    for (*place = 0; *place < PLAIT__JOBS_MAX; ++*place) {
        struct plait__job *none = NULL;
        if (atomic_compare_exchange_strong(&map->pool->board->jobs[*place], &none, map->job)) return true;
    }
    return false;
}

/* Put the job on the board, for the workers to see; so many other maps may be there that we have to wait for a place. */
static int hang_up(struct map *map, unsigned *place)
{
    struct plait__board *board = map->pool->board;
    struct plait__wait wait = plait__wait_until(map->options->deadline);
    for (;;) {
        uint32_t places = atomic_load(&board->places);
        if (take_place(map, place)) break;
        atomic_fetch_add(&board->queuing, 1);
        int error = atomic_load(&board->places) == places ? plait__park(&wait, &board->places, places, 0) : 0;
        atomic_fetch_sub(&board->queuing, 1);
        if (error) return plait__fail(error, "%u other maps were running in this pool", PLAIT__JOBS_MAX);
    }
    size_t wanted = map->job->chunks < (size_t)map->pool->size ? map->job->chunks : (size_t)map->pool->size;
    plait__ring_workers(board, (int)wanted);
    return 0;
}

static void take_down(struct plait__board *board, unsigned place)
{
    atomic_store(&board->jobs[place], NULL);
    atomic_fetch_add(&board->places, 1);
    if (atomic_load(&board->queuing)) plait__wake(&board->places, INT_MAX);
}

static bool is_looked_at(const plait_pool *pool, const struct plait__job *job)
{
    for (int i = 0; i < pool->size; i++)
        if (atomic_load(&pool->board->cells[i].job) == job) return true;
    return false;
}

/* The job is off the board: free it as soon as no worker looks at it any more, now or at a later map. */
static void retire(plait_pool *pool, struct plait__job *job)
{
    pthread_mutex_lock(&pool->tending);
    job->next_retired = pool->retired;
    pool->retired = job;
    struct plait__job **link = &pool->retired;
    while (*link) {
        struct plait__job *old = *link;
        if (is_looked_at(pool, old)) {
            link = &old->next_retired;
        } else {
            *link = old->next_retired;
            plait_free(old);
        }
    }
    pthread_mutex_unlock(&pool->tending);
}

/* ---- after a death ---- */

static void give_up(struct map *map, size_t number, uint64_t owner)
{
    struct plait__chunk *chunk = &map->job->table[number];
    chunk->code = PLAIT_EWORKERDIED;
    chunk->failed = 0;
    atomic_store(&map->job->failures, 1);
    atomic_fetch_sub(&map->job->unfinished, 1);            /* nobody else will: who finishes the last of the others has to tell */
    if (map->dead_attempts && map->dead_chunk < number) return;
    map->dead_chunk = number;
    map->dead_attempts = plait__claim_attempts(atomic_load(&chunk->claim));
    map->dead_pid = 0;
    plait__how_it_ended(map->pool, owner, map->options->deadline, &map->dead_pid, &map->dead_exitcode);
}

/* A task has made its worker leave the family, as exit() does; but it may go on, finish the chunk, or write where the next attempt
 * writes: until it has ended, the chunk is its own. */
static void end_of_who_left(const struct map *map, uint64_t owner)
{
    pid_t pid;
    int exitcode;
    plait__how_it_ended(map->pool, owner, map->options->deadline, &pid, &exitcode);
}

/* Chunks whose worker is gone: once more, or enough.  The number of those that are not finished.  *given_up: some were, and one
 * that was looked at before may have been finished in between, by somebody who thought that he was not the last. */
static size_t recover(struct map *map, bool *given_up)
{
    struct plait__job *job = map->job;
    int retries = map->options->retries == 0 ? RETRIES_DEFAULT : map->options->retries < 0 ? 0 : map->options->retries;
    size_t open = 0;
    bool again = false;
    *given_up = false;
    for (size_t i = 0; i < job->chunks; i++) {
        uint64_t claim = atomic_load(&job->table[i].claim), owner = plait__claim_owner(claim);
        if (plait__claim_state(claim) == PLAIT__RUNNING && plait__fate(owner) == PLAIT__LEFT) {
            end_of_who_left(map, owner);
            claim = atomic_load(&job->table[i].claim);
        }
        unsigned state = plait__claim_state(claim);
        bool lost = state == PLAIT__RUNNING && plait__fate(owner) != PLAIT__LIVES;
        uint32_t attempts = plait__claim_attempts(claim) + lost;
        bool enough = lost && attempts > (uint32_t)retries;
        if (lost) atomic_store(&job->table[i].claim, plait__claim(enough ? PLAIT__GIVEN_UP : PLAIT__OPEN, attempts));
        *given_up |= enough;
        if (enough) give_up(map, i, owner);
        else if (state == PLAIT__OPEN || state == PLAIT__RUNNING) open++;
        again |= !enough && (lost || state == PLAIT__OPEN);
    }
    if (again) {
        atomic_store(&job->next, 0);                       /* one of them may lie behind; those that are done are passed over */
        plait__ring_workers(map->pool->board, map->pool->size);
    }
    return open;
}

/* Somebody died or has still to show up: look after the workers and the chunks.  1: all is done, 0: not yet, or an error. */
static int tend(struct map *map, bool *all_joined)
{
    int error = plait__tend_workers(map->pool, all_joined);
    bool given_up;
    size_t open;
    do open = recover(map, &given_up);
    while (given_up);
    return open == 0 ? 1 : error;
}

/* ---- waiting ---- */

/* Until all chunks are finished.  0, -ETIMEDOUT, or an error for which nothing will finish them.  The epoch tells of deaths, but
 * not of a worker that dies before it has joined: as long as one has not, look every now and then. */
static int wait_for_job(struct map *map)
{
    struct plait__job *job = map->job;
    struct plait__wait wait = plait__wait_until(map->options->deadline);
    bool all_joined = false;
    uint32_t tended_at = 0, looked_at = 0;
    for (bool first = true;; first = false) {
        uint32_t finished = atomic_load(&job->finished);
        while (finished == looked_at && plait__spin(&wait)) finished = atomic_load(&job->finished);
        uint32_t epoch = atomic_load(&plait__roster->epoch);
        if (first || !all_joined || finished != looked_at || epoch != tended_at) {
            int result = tend(map, &all_joined);
            if (result) return result > 0 ? 0 : result;
            looked_at = finished;
            tended_at = epoch;
        }
        int64_t slice = plait__now() + JOIN_SLICE;
        wait.deadline.at = all_joined ? map->options->deadline.at : plait__earlier(map->options->deadline, slice);
        if (plait__park(&wait, &job->finished, finished, 0) == -ETIMEDOUT && plait__expired(map->options->deadline))
            return plait__fail(-ETIMEDOUT, "the map was not finished in time");
    }
}

/* Nobody is to finish this chunk.  If a worker was in the middle, the claim goes on to name it. */
static void take_away(struct plait__chunk *chunk)
{
    uint64_t claim = atomic_load(&chunk->claim), taken;
    do {
        unsigned state = plait__claim_state(claim);
        if (state != PLAIT__OPEN && state != PLAIT__RUNNING) return;
        taken = state == PLAIT__OPEN ? plait__claim(PLAIT__GIVEN_UP, 0) : plait__claim_with_state(claim, PLAIT__GIVEN_UP);
    } while (!atomic_compare_exchange_weak(&chunk->claim, &claim, taken));
}

/* The worker that the chunk was taken from, or 0. */
static uint64_t taken_from(const struct plait__chunk *chunk)
{
    uint64_t claim = atomic_load(&chunk->claim), owner = plait__claim_owner(claim);
    return plait__claim_state(claim) == PLAIT__GIVEN_UP && owner != plait__self.owner ? owner : 0;
}

/* Nobody may write to `out` any more: take what is not finished away, end those who are in the middle. */
static void cancel(struct map *map)
{
    struct plait__job *job = map->job;
    for (size_t i = 0; i < job->chunks; i++) take_away(&job->table[i]);
    for (int wait = 0; wait < 2; wait++) {
        for (size_t i = 0; i < job->chunks; i++) {
            uint64_t owner = taken_from(&job->table[i]);
            if (owner) plait__end_worker(map->pool, owner, wait);
        }
    }
    bool all_joined;
    plait__tend_workers(map->pool, &all_joined);           /* new ones for the next map; if they can't be had, it will see */
}

/* ---- the result ---- */

static int report_death(const struct map *map, size_t first, size_t count)
{
    const char *how = map->dead_exitcode < 0 ? "was killed by signal" : "ended with exit code";
    if (map->dead_pid && map->dead_exitcode == PLAIT_EREAPED)
        return plait__fail(PLAIT_EWORKERDIED, "process %d ended in one of the tasks %zu to %zu, the attempt number %u",
                           (int)map->dead_pid, first, first + count - 1, map->dead_attempts);
    if (!map->dead_pid) return plait__fail(PLAIT_EWORKERDIED, "in one of the tasks %zu to %zu", first, first + count - 1);
    return plait__fail(PLAIT_EWORKERDIED, "process %d %s %d in one of the tasks %zu to %zu, the attempt number %u",
                       (int)map->dead_pid, how, abs(map->dead_exitcode), first, first + count - 1, map->dead_attempts);
}

/* The code of the first failure, by index. */
static int result_of(const struct map *map)
{
    const struct plait__job *job = map->job;
    if (!atomic_load(&job->failures)) return 0;
    for (size_t i = 0; i < job->chunks; i++) {
        const struct plait__chunk *chunk = &job->table[i];
        if (!chunk->code) continue;
        if (plait__claim_state(atomic_load(&chunk->claim)) == PLAIT__GIVEN_UP)
            return report_death(map, i * job->chunk, plait__tasks_in_chunk(job, i));
        return plait__fail(chunk->code, "task %zu returned %d", i * job->chunk + chunk->failed, chunk->code);
    }
    return 0;
}

static int run(struct map *map, void *out)
{
    unsigned place;
    int error = hang_up(map, &place);
    if (error) {
        drop(map);
        plait_free(map->job);
        return error;
    }
    error = wait_for_job(map);
    if (error) cancel(map);
    take_down(map->pool->board, place);
    int result = error ? error : result_of(map);
    if (map->own_out) memcpy(out, map->own_out, map->job->n * map->job->out_size);
    drop(map);
    retire(map->pool, map->job);
    return result;
}

int plait_pool_map(plait_pool *pool, plait_task task, const void *in, size_t in_size, void *out, size_t out_size, size_t n,
                   const plait_map_options *options)
{
    static const plait_map_options defaults;
    if (!options) options = &defaults;
    struct plait__job what = { .task = task, .in = in, .out = out, .in_size = in_size, .out_size = out_size, .n = n };
    int error = check(pool, task, options);
    if (!error) error = check_arrays(&what);
    if (error || n == 0) return error;
    if (pool->kind == PLAIT_INLINE) return run_inline(&what, options);
    struct map map = { .pool = pool, .options = options };
    error = plait__member();
    if (!error) error = prepare(&map, &what);
    return error ? error : run(&map, out);
}
