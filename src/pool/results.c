/* pool/results.c - results of different sizes: blocks that tasks make and the caller of the map gets.
 *
 * A result is the worker's while its task runs: private, so it dies with it.  At the end of the chunk, before that is DONE, the
 * worker stamps each with the job and the chunk and gives it the tag STAMPED.  So if it dies, what is its own is swept with all
 * else that it has, and what it had stamped is found by the owner, who frees it before the chunk is OPEN again.  When all is done,
 * the caller takes those of the chunks that are DONE.  A block changes hands by one swap of its tag, and nobody needs a list.
 */
#include "pool/board.h"

#include <string.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/claim.h"

/* ---- making ---- */

static void *new_block(size_t size)
{
    if (size <= SIZE_MAX - sizeof(struct plait__stamp)) return plait_message_alloc(size + sizeof(struct plait__stamp));
    return plait__null(plait__fail(-ENOMEM, "the family's memory has no room for %zu bytes", size));
}

static void replace(plait_result *result, void *block, size_t size)
{
    plait_free(result->data);
    *result = (plait_result){ block, size };
}

void *plait_result_alloc(void *out, size_t size)
{
    if (!out) return plait__null(plait__fail(-EINVAL, "the result is NULL"));
    void *block = new_block(size);
    if (block) replace(out, block, size);
    return block;
}

int plait_result_set(void *out, const void *data, size_t size)
{
    if (!out || (!data && size)) return plait__fail(-EINVAL, "the %s is NULL", out ? "data" : "result");
    void *block = new_block(size);
    if (!block) return -errno;
    if (size) memcpy(block, data, size);                   /* before what was there is freed: it may be a part of that */
    replace(out, block, size);
    return 0;
}

void plait_results_free(plait_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        plait_free(results[i].data);
        results[i] = (plait_result){ NULL, 0 };
    }
}

/* ---- from the worker to the job ---- */

static plait_result *results_of(const struct plait__job *job, size_t number)
{
    return (plait_result *)(void *)job->out + number * job->chunk;
}

/* A pointer that the task has put there by itself is none of ours. */
static int hand_over(struct plait__job *job, size_t number, plait_result *result)
{
    size_t real_size = plait_block_size(result->data);
    if (real_size < sizeof(struct plait__stamp) || real_size - sizeof(struct plait__stamp) < result->size ||
        plait__heap_tag_at(result->data) != plait__self.slot) {
        *result = (plait_result){ NULL, 0 };
        return -EINVAL;
    }
    *plait__stamp_of(result->data, real_size) = (struct plait__stamp){ job, number };
    return plait__heap_retag(result->data, PLAIT__TAG_STAMPED);
}

int plait__hand_over_results(struct plait__job *job, size_t number, int code, size_t *failed)
{
    plait_result *results = results_of(job, number);
    size_t first = number * job->chunk, count = plait__tasks_in_chunk(job, number);
    for (size_t i = 0; i < count; i++) {
        int error = results[i].data ? hand_over(job, number, &results[i]) : 0;
        if (!error || (code && *failed <= first + i)) continue;
        code = error;
        *failed = first + i;
    }
    return code;
}

/* ---- from the job to the caller ---- */

void plait__take_results(struct plait__job *job)
{
    for (size_t number = 0; number < job->chunks; number++) {
        bool done = plait__claim_state(atomic_load(&job->table[number].claim)) == PLAIT__DONE;
        plait_result *results = results_of(job, number);
        size_t count = plait__tasks_in_chunk(job, number);
        if (!done) memset(results, 0, count * sizeof *results);
        for (size_t i = 0; i < count; i++)
            if (results[i].data) plait__block_take(results[i].data);
    }
}

/* ---- those that nobody is to get ---- */

struct lost {
    const struct plait__job *job;
    size_t number;                                         /* SIZE_MAX: any */
    bool also_done;
};

static void free_if_lost(void *block, size_t size, void *argument)
{
    const struct lost *lost = argument;
    struct plait__stamp stamp = *plait__stamp_of(block, size);
    if (stamp.job != lost->job || block == stamp.job || stamp.chunk >= stamp.job->chunks) return;
    if (lost->number != SIZE_MAX && stamp.chunk != lost->number) return;
    bool done = plait__claim_state(atomic_load(&stamp.job->table[stamp.chunk].claim)) == PLAIT__DONE;
    if (!done || lost->also_done) plait_free(block);
}

void plait__free_lost_results(const struct plait__job *job, size_t number)
{
    struct lost lost = { job, number, false };
    if (job->results) plait__heap_visit(PLAIT__TAG_STAMPED, free_if_lost, &lost);
}

void plait__free_all_results(const struct plait__job *job)
{
    struct lost lost = { job, SIZE_MAX, true };
    if (job->results) plait__heap_visit(PLAIT__TAG_STAMPED, free_if_lost, &lost);
}
