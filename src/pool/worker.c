/* pool/worker.c - what a worker process does: look for a job, take chunks of it, sleep. */
#include "pool/board.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "family/claim.h"
#include "family/wait.h"

/* The next chunk that is OPEN and now ours. */
static bool claim_chunk(struct plait__job *job, size_t *number)
{
    for (;;) {
        size_t i = atomic_load_explicit(&job->next, memory_order_relaxed);
        if (i >= job->chunks) return false;
        i = atomic_fetch_add(&job->next, 1);
        if (i >= job->chunks) return false;
        uint64_t seen = atomic_load(&job->table[i].claim);
        if (plait__claim_state(seen) != PLAIT__OPEN) continue;
        *number = i;
        uint64_t mine = plait__claim(PLAIT__RUNNING, plait__claim_attempts(seen));
        if (atomic_compare_exchange_strong(&job->table[i].claim, &seen, mine)) return true;
    }
}

/* The caller of the map has taken our chunk away, and is about to kill us. */
static void wait_for_the_end(void)
{
    for (;;) plait__wait_fd(-1, 0, PLAIT_FOREVER);
}

static void run_chunk(struct plait__job *job, struct plait__calls *calls, size_t number)
{
    struct plait__chunk *chunk = &job->table[number];
    size_t failed;
    PLAIT__POINT(CHUNK);
    if (!calls->looked_up) plait__look_up(job, calls);     /* only now: who is killed in there was at work on the chunk */
    int code = plait__run_tasks(job, calls, number, &failed);
    if (job->results) code = plait__hand_over_results(job, number, code, &failed);
    chunk->code = code;
    chunk->failed = calls->error ? PLAIT__NONE_RUN : (uint32_t)(failed - number * job->chunk);
    if (code) atomic_store(&job->failures, 1);
    atomic_fetch_sub(&job->unfinished, 1);
    uint64_t mine = atomic_load_explicit(&chunk->claim, memory_order_relaxed);
    uint64_t done = plait__claim_with_state(mine, PLAIT__DONE);
    bool ours = plait__claim_state(mine) == PLAIT__RUNNING;
    if (!ours || !atomic_compare_exchange_strong(&chunk->claim, &mine, done)) wait_for_the_end();
    if (atomic_load(&job->unfinished) > 0 || (job->caller && job->caller == plait__self.owner)) return;
    atomic_fetch_add(&job->news, 1);
    plait__wake(&job->news, 1);
}

bool plait__work_on_chunk(struct plait__job *job, struct plait__calls *calls)
{
    size_t chunk;
    if (!claim_chunk(job, &chunk)) return false;
    uint64_t owner = plait__self.owner;
    run_chunk(job, calls, chunk);
    if (plait__self.owner != owner) exit(EXIT_SUCCESS);    /* a task has left the family: another has our cell */
    return true;
}

/* Work on the job in this place of the board.  Naming it in the cell before looking again keeps it from being freed. */
static bool work_on(struct plait__board *board, struct plait__cell *cell, unsigned place)
{
    struct plait__job *job = atomic_load(&board->jobs[place]);
    if (!job) return false;
    atomic_store(&cell->job, job);
    bool worked = false;
    struct plait__calls calls = { .looked_up = false };
    if (atomic_load(&board->jobs[place]) == job)
        while (plait__work_on_chunk(job, &calls)) worked = true;
    atomic_store(&cell->job, NULL);
    return worked;
}

static bool work(struct plait__board *board, struct plait__cell *cell)
{
    bool worked = false;
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) worked |= work_on(board, cell, place);
    if (PLAIT__UNLIKELY(plait__at_work.retired)) plait__retire(board, &plait__at_work.retired, NULL);
    return worked;
}

/* Before sleeping: leave word that somebody does. */
static bool announce_sleep(struct plait__board *board, uint32_t *bell)
{
    if (*bell & PLAIT__BELL_SLEEPERS) return true;
    bool same = atomic_compare_exchange_strong(&board->bell, bell, *bell | PLAIT__BELL_SLEEPERS);
    if (same) *bell |= PLAIT__BELL_SLEEPERS;
    return same;
}

int plait__worker(void *argument)
{
    struct plait__worker_start *start = argument;
    struct plait__board *board = start->board;
    struct plait__cell *cell = &board->cells[start->number];
    if (plait__member() != 0) return 1;
    plait__at_work = (struct plait__at_work){
        .current = start->pool, .pid = getpid(), .pool = start->pool, .owner = plait__self.owner,
    };
    atomic_store(&cell->owner, plait__self.owner);
    plait__self.leases++;                                  /* its end is news, also a clean one: a task may call exit() */
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_TASK, NULL, PLAIT_FOREVER);
    while (!atomic_load(&board->closing)) {
        uint32_t bell = atomic_load(&board->bell);
        if (work(board, cell)) {
            plait__wait_end(&wait);
            wait = plait__wait_for(PLAIT__FOR_TASK, NULL, PLAIT_FOREVER);
        } else if (!plait__spin(&wait) && announce_sleep(board, &bell) && !atomic_load(&board->closing)) {
            plait__park(&wait, &board->bell, bell, 0);
        }
    }
    return 0;
}

/* Like the ring of a cursor: the mark is down while we wake, and goes up again if there may be more who sleep.  A job that others
 * hung up in that moment, when nobody seemed to sleep, is rung for as well: by all who sleep, as nobody knows what it needs. */
void plait__ring_workers(struct plait__board *board, int count)
{
    for (;; count = INT_MAX) {
        uint32_t bell = atomic_load(&board->bell), rung;
        do rung = (bell & ~PLAIT__BELL_SLEEPERS) + 2;
        while (!atomic_compare_exchange_weak(&board->bell, &bell, rung));
        if (!(bell & PLAIT__BELL_SLEEPERS)) return;
        if (plait__wake(&board->bell, count) < count) return;
        if ((atomic_fetch_or(&board->bell, PLAIT__BELL_SLEEPERS) & ~PLAIT__BELL_SLEEPERS) == rung) return;
    }
}
