/* pool/job.c - a map as its workers see it: one block of shared memory, from before it hangs on the board until nobody looks at
 * it any more. */
#include "pool/board.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/claim.h"
#include "family/wait.h"

#define RETRIES_DEFAULT 2
#define ALIGNMENT 64u

/* ---- making ---- */

bool plait__is_lasting(const void *address)
{
    if (!plait_is_shared(address)) return false;
    unsigned tag = plait__heap_tag_at(address);
    return tag == PLAIT__TAG_SHARED || tag == PLAIT__TAG_STAMPED;
}

/* Where workers can see this as it is. */
static bool is_seen(const void *data, size_t size)
{
    return !size || (plait__is_lasting(data) && plait__is_lasting((const char *)data + size - 1));
}

/* A part of the block, behind `*total` bytes: its offset, or 0 if none is needed.  *total is SIZE_MAX if that is too much. */
static size_t reserve(size_t *total, bool needed, size_t size)
{
    size_t offset = (*total + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!needed) return 0;
    *total = *total > SIZE_MAX - ALIGNMENT || size > SIZE_MAX - offset ? SIZE_MAX : offset + size;
    return offset;
}

/* Where the caller's things go; 0: they stay where they are. */
struct layout {
    size_t total, in, out, context, neutral, task, reduce;
};

static struct layout lay_out(const struct plait__job *job, const plait_map_options *options)
{
    struct layout layout = { .total = SIZE_MAX };
    if (job->chunks > SIZE_MAX / 2 / sizeof job->table[0]) return layout;
    size_t in_size = job->n * job->in_size, out_size = (job->reduce ? job->chunks : job->n) * job->out_size;
    layout.total = sizeof *job + job->chunks * sizeof job->table[0];
    layout.in = reserve(&layout.total, !is_seen(job->in, in_size), in_size);
    layout.out = reserve(&layout.total, job->reduce || !is_seen(job->out, out_size), out_size);
    layout.context = reserve(&layout.total, options->context_size > 0, options->context_size);
    layout.neutral = reserve(&layout.total, job->reduce != NULL, job->out_size);
    layout.task = reserve(&layout.total, true, job->task_reference.size);
    layout.reduce = reserve(&layout.total, job->reduce != NULL, job->reduce_reference.size);
    reserve(&layout.total, true, sizeof(struct plait__stamp));
    return layout;
}

static size_t choose_chunk(const plait_pool *pool, size_t n, const plait_map_options *options)
{
    size_t parts = (size_t)pool->size * 4, chunk = options->chunk ? options->chunk : n / parts + (n % parts != 0);
    return chunk < UINT32_MAX ? chunk : UINT32_MAX;
}

/* Only as much of them as there is goes to the block. */
struct references {
    struct plait__function task, reduce;
};

static int refer_to(plait__code code, struct plait__function *function, struct plait__reference *reference)
{
    int size = plait__function_describe(code, function);
    *reference = (struct plait__reference){ function, size > 0 ? (size_t)size : 0 };
    return size < 0 ? size : 0;
}

static int refer_to_functions(struct plait__job *job, struct references *references)
{
    int error = refer_to((plait__code)job->task, &references->task, &job->task_reference);
    if (error || !job->reduce) return error;
    return refer_to((plait__code)job->reduce, &references->reduce, &job->reduce_reference);
}

static void move_reference(struct plait__reference *reference, char *to)
{
    reference->function = memcpy(to, reference->function, reference->size);
}

/* All that is fixed in a job. */
static struct plait__job describe(const plait_pool *pool, const struct plait__job *what, const plait_map_options *options)
{
    struct plait__job job = *what;
    job.chunk = choose_chunk(pool, what->n, options);
    job.chunks = what->n / job.chunk + (what->n % job.chunk != 0);
    job.context = options->context;
    job.retries = options->retries == 0 ? RETRIES_DEFAULT : options->retries < 0 ? 0 : options->retries;
    job.deadline = options->deadline;
    job.board = pool->board;
    atomic_init(&job.unfinished, (int64_t)job.chunks);
    return job;
}

/* While the block is still the calling thread's own. */
static void fill_in(struct plait__job *job, const struct layout *layout, const plait_map_options *options)
{
    char *block = (char *)job;
    if (layout->in) job->in = memcpy(block + layout->in, job->in, job->n * job->in_size);
    if (layout->neutral) job->neutral = memcpy(block + layout->neutral, job->neutral, job->out_size);
    if (layout->context) job->context = memcpy(block + layout->context, options->context, options->context_size);
    if (layout->out) job->out = block + layout->out;
    memset(job->table, 0, job->chunks * sizeof job->table[0]);
    move_reference(&job->task_reference, block + layout->task);
    if (layout->reduce) move_reference(&job->reduce_reference, block + layout->reduce);
}

static struct plait__job *allocate(const struct layout *layout, size_t n)
{
    size_t size = layout->total > SIZE_MAX - ALIGNMENT ? SIZE_MAX : (layout->total + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct plait__job *job = size < SIZE_MAX ? plait_message_alloc(size) : NULL;
    if (job) return job;
    int error = size < SIZE_MAX ? -errno : plait__fail(-ENOMEM, "the family's memory has no room for so much");
    plait__add_detail("for a map of %zu tasks", n);
    return plait__null(error);
}

struct plait__job *plait__make_job(const plait_pool *pool, const struct plait__job *what, const plait_map_options *options)
{
    struct plait__job described = describe(pool, what, options);
    struct references references;
    int error = refer_to_functions(&described, &references);
    if (error) return plait__null(error);
    struct layout layout = lay_out(&described, options);
    struct plait__job *job = allocate(&layout, what->n);
    if (!job) return NULL;
    memcpy(job, &described, sizeof *job);
    fill_in(job, &layout, options);
    *plait__stamp_of(job, plait_block_size(job)) = (struct plait__stamp){ .job = job };
    if (job->caller) atomic_store(&pool->board->nested, 1);
    plait__heap_retag(job, PLAIT__TAG_STAMPED);
    return job;
}

/* ---- its functions, in a worker ---- */

/* The caller reads the text when all chunks are finished: also the one that the writer has still to finish. */
static void note_refusal(struct plait__job *job)
{
    struct plait__refusal *refusal = &job->refusal;
    if (atomic_fetch_add(&refusal->writers, 1) != 0) return;
    snprintf(refusal->text, sizeof refusal->text, "%s", plait_error_detail());
    atomic_store(&refusal->written, 1);
}

static int find(const struct plait__reference *reference, plait__code *code)
{
    return reference->function ? plait__function_find(reference->function, reference->size, code) : 0;
}

void plait__look_up(struct plait__job *job, struct plait__calls *calls)
{
    plait__code task = NULL, reduce = NULL;
    calls->error = find(&job->task_reference, &task);
    if (!calls->error) calls->error = find(&job->reduce_reference, &reduce);
    if (calls->error) note_refusal(job);
    calls->task = (plait_task)task;
    calls->reduce = (plait_reduce)reduce;
    calls->looked_up = true;
}

/* ---- on the board ---- */

bool plait__hang_up(struct plait__board *board, struct plait__job *job)
{
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) {
        struct plait__job *none = NULL;
        if (!atomic_compare_exchange_strong(&board->jobs[place], &none, job)) continue;
        size_t wanted = job->chunks < (size_t)board->size ? job->chunks : (size_t)board->size;
        plait__ring_workers(board, (int)wanted);
        return true;
    }
    return false;
}

void plait__take_down(struct plait__board *board, const struct plait__job *job)
{
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++)
        if (atomic_load(&board->jobs[place]) == job) atomic_store(&board->jobs[place], NULL);
    atomic_fetch_add(&board->places, 1);
    if (atomic_load(&board->queuing)) plait__wake(&board->places, INT_MAX);
}

void plait__take_chunks_away(struct plait__job *job)
{
    atomic_store(&job->cancelled, 1);
    for (size_t i = 0; i < job->chunks; i++) {
        uint64_t claim = atomic_load(&job->table[i].claim);
        unsigned state = plait__claim_state(claim);
        while ((state == PLAIT__OPEN || state == PLAIT__RUNNING) &&
               !atomic_compare_exchange_weak(&job->table[i].claim, &claim,
                                             plait__claim_with_state(claim, state == PLAIT__OPEN ? PLAIT__GIVEN_UP : PLAIT__TAKEN)))
            state = plait__claim_state(claim);
    }
}

/* ---- off the board ---- */

bool plait__is_looked_at(const struct plait__board *board, const struct plait__job *job)
{
    for (int i = 0; i <= board->size; i++)
        if (atomic_load(&board->cells[i].job) == job) return true;
    return false;
}

void plait__retire(struct plait__board *board, struct plait__job **retired, struct plait__job *job)
{
    if (job) {
        job->next_retired = *retired;
        *retired = job;
    }
    while (*retired) {
        struct plait__job *old = *retired;
        if (plait__is_looked_at(board, old)) {
            retired = &old->next_retired;
        } else {
            *retired = old->next_retired;
            plait_free(old);
        }
    }
}
