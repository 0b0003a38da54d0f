/* pool/repair.c - what a pool's owner does about dead workers: their chunks, and the jobs that they had hung up in their tasks.
 *
 * Only the owner does this, for all jobs of its pool, in the maps that its threads wait for; `tending` is locked.  A worker that
 * waits for a nested job of its own always has such a thread above it.
 */
#include "pool/board.h"

#include <limits.h>

#include <plait/arena.h>

#include "arena/heap.h"
#include "base/error.h"
#include "family/claim.h"
#include "family/repair.h"
#include "family/wait.h"

/* ---- jobs whose caller is gone ---- */

static void dismantle_jobs_of(plait_pool *pool, uint64_t caller);

/* The worker that the chunk was taken from, and that is to be ended for it; or 0. */
static uint64_t taken_from(const struct plait__chunk *chunk)
{
    uint64_t claim = atomic_load(&chunk->claim);
    return plait__claim_state(claim) == PLAIT__TAKEN ? plait__claim_owner(claim) : 0;
}

/* End those who are in the middle of a chunk that was taken away, and whoever works for them. */
static void end_workers_on(plait_pool *pool, struct plait__job *job)
{
    for (int wait = 0; wait < 2; wait++) {
        for (size_t i = 0; i < job->chunks; i++) {
            uint64_t owner = taken_from(&job->table[i]);
            if (owner) plait__end_worker(pool, owner, wait);
        }
    }
    for (size_t i = 0; i < job->chunks; i++) {
        uint64_t owner = taken_from(&job->table[i]);
        if (!owner) continue;
        dismantle_jobs_of(pool, owner);
        atomic_store(&job->table[i].claim, plait__claim(PLAIT__GIVEN_UP, 0));
    }
    plait__free_lost_results(job, SIZE_MAX);
}

struct search {
    const struct plait__board *board;
    uint64_t caller;                                       /* UINT64_MAX: any */
    struct plait__job *found;
};

static void find_job(void *block, size_t size, void *argument)
{
    struct search *search = argument;
    struct plait__job *job = block;
    if (plait__stamp_of(block, size)->job != job || job->board != search->board) return;
    if (job->caller != search->caller && search->caller != UINT64_MAX) return;
    job->caller = 0;                                       /* not to be found again */
    job->next_retired = search->found;
    search->found = job;
}

/* Take the jobs of a worker that has ended down, and end those who run chunks of them: what they do is for nobody, and would be
 * in the way of the next attempt. */
static void dismantle_jobs_of(plait_pool *pool, uint64_t caller)
{
    struct search search = { .board = pool->board, .caller = caller };
    if (atomic_load(&pool->board->nested)) plait__heap_visit(PLAIT__TAG_STAMPED, find_job, &search);
    while (search.found) {
        struct plait__job *job = search.found;
        search.found = job->next_retired;
        plait__take_down(pool->board, job);
        plait__take_chunks_away(job);
        end_workers_on(pool, job);
        plait__free_all_results(job);
        plait__retire(pool->board, &pool->retired, job);
    }
}

void plait__free_jobs(plait_pool *pool)
{
    struct search search = { .board = pool->board, .caller = UINT64_MAX };
    plait__heap_visit(PLAIT__TAG_STAMPED, find_job, &search);
    while (search.found) {
        struct plait__job *job = search.found;
        search.found = job->next_retired;
        plait_free(job);
    }
}

/* This worker is gone.  If a task has made it leave the family, as exit() does, it may go on, finish its chunk, or write where the
 * next attempt writes: until it has ended, the chunk is its own. */
static void clear_up_after(plait_pool *pool, uint64_t owner, plait_deadline deadline)
{
    pid_t pid;
    int exitcode;
    if (plait__fate(owner) == PLAIT__LEFT) plait__how_it_ended(pool, owner, deadline, &pid, &exitcode);
    dismantle_jobs_of(pool, owner);
}

/* ---- chunks whose worker is gone ---- */

static void give_up(plait_pool *pool, struct plait__job *job, size_t number, uint64_t claim)
{
    struct plait__chunk *chunk = &job->table[number];
    struct plait__last_death *dead = &job->dead;
    chunk->code = PLAIT_EWORKERDIED;
    chunk->failed = 0;
    atomic_store(&job->failures, 1);
    atomic_fetch_sub(&job->unfinished, 1);                 /* nobody else will: who finishes the last of the others has to tell */
    if (dead->attempts && dead->chunk < number) return;
    *dead = (struct plait__last_death){ .chunk = number, .attempts = plait__claim_attempts(claim) + 1 };
    plait__how_it_ended(pool, plait__claim_owner(claim), job->deadline, &dead->pid, &dead->exitcode);
}

/* Once more, or enough.  The state that the chunk is in now. */
static unsigned take_back(plait_pool *pool, struct plait__job *job, size_t number)
{
    _Atomic uint64_t *word = &job->table[number].claim;
    uint64_t claim = atomic_load(word), owner = plait__claim_owner(claim);
    clear_up_after(pool, owner, job->deadline);
    if (atomic_load(word) != claim) return plait__claim_state(atomic_load(word));        /* it was faster, or the caller was */
    plait__free_lost_results(job, number);
    uint32_t attempts = plait__claim_attempts(claim) + 1;
    bool enough = attempts > (uint32_t)job->retries;
    if (enough) give_up(pool, job, number, claim);
    uint64_t next = plait__claim(enough ? PLAIT__GIVEN_UP : PLAIT__OPEN, attempts);
    return plait__claim_state(atomic_compare_exchange_strong(word, &claim, next) ? next : claim);
}

/* Look at all chunks.  The number of those that are not finished.  *given_up: some were, and one that was looked at before may have
 * been finished in between, by somebody who thought that he was not the last. */
static size_t recover(plait_pool *pool, struct plait__job *job, bool *given_up)
{
    size_t unfinished = 0;
    bool again = false;
    *given_up = false;
    for (size_t i = 0; i < job->chunks; i++) {
        uint64_t claim = atomic_load(&job->table[i].claim);
        unsigned state = plait__claim_state(claim);
        if (state == PLAIT__RUNNING && plait__fate(plait__claim_owner(claim)) != PLAIT__LIVES) {
            state = take_back(pool, job, i);
            *given_up |= state == PLAIT__GIVEN_UP;
        }
        unfinished += state == PLAIT__OPEN || state == PLAIT__RUNNING;
        again |= state == PLAIT__OPEN;
    }
    if (again) {
        atomic_store(&job->next, 0);                       /* one of them may lie behind; those that are done are passed over */
        plait__ring_workers(pool->board, pool->size);
    }
    return unfinished;
}

/* ---- all of it ---- */

static void tend_nested(plait_pool *pool, struct plait__job *job)
{
    bool given_up;
    if (plait__fate(job->caller) != PLAIT__LIVES) {
        clear_up_after(pool, job->caller, PLAIT_FOREVER);
        return;
    }
    if (atomic_load(&job->cancelled)) end_workers_on(pool, job);
    else recover(pool, job, &given_up);
    atomic_fetch_add(&job->news, 1);
    plait__wake(&job->news, 1);
}

/* The jobs that workers have hung up.  Their callers may take them down meanwhile. */
static void tend_all_nested(plait_pool *pool)
{
    struct plait__board *board = pool->board;
    struct plait__cell *own = &board->cells[pool->size];
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) {
        struct plait__job *job = atomic_load(&board->jobs[place]);
        atomic_store(&own->job, job);
        if (job && atomic_load(&board->jobs[place]) == job && job->caller) tend_nested(pool, job);
        atomic_store(&own->job, NULL);
    }
}

int plait__tend(plait_pool *pool, struct plait__job *job, bool *all_joined)
{
    bool given_up;
    size_t unfinished;
    plait__reap_all();
    pthread_mutex_lock(&pool->tending);
    if (atomic_load(&pool->board->nested)) tend_all_nested(pool);
    int error = plait__tend_workers(pool, all_joined);
    do unfinished = recover(pool, job, &given_up);
    while (given_up);
    pthread_mutex_unlock(&pool->tending);
    return unfinished == 0 ? 1 : error;
}

void plait__cancel(plait_pool *pool, struct plait__job *job)
{
    bool all_joined;
    plait__take_chunks_away(job);
    pthread_mutex_lock(&pool->tending);
    end_workers_on(pool, job);
    plait__reap_all();
    plait__tend_workers(pool, &all_joined);                /* new ones for the next map; if they can't be had, it will see */
    pthread_mutex_unlock(&pool->tending);
}
