/* pool/worker.c - what a worker process does: look for a job, take chunks of it, sleep. */
#include "pool/board.h"

#include <limits.h>
#include <stdlib.h>

#include "base/fault.h"
#include "family/claim.h"
#include "family/wait.h"

int plait__run_tasks(const struct plait__job *job, size_t first, size_t count, size_t *failed)
{
    int first_code = 0;
    for (size_t i = first; i < first + count; i++) {
        int code = job->task(job->in + i * job->in_size, job->out + i * job->out_size, job->context);
        if (PLAIT__LIKELY(!code) || first_code) continue;
        first_code = code;
        *failed = i;
    }
    return first_code;
}

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

static void run_chunk(struct plait__job *job, size_t number)
{
    struct plait__chunk *chunk = &job->table[number];
    size_t first = number * job->chunk, failed = first;
    PLAIT__POINT(CHUNK);
    chunk->code = plait__run_tasks(job, first, plait__tasks_in_chunk(job, number), &failed);
    chunk->failed = (uint32_t)(failed - first);
    if (chunk->code) atomic_store(&job->failures, 1);
    atomic_fetch_sub(&job->unfinished, 1);
    uint64_t mine = atomic_load_explicit(&chunk->claim, memory_order_relaxed);
    uint64_t done = plait__claim_with_state(mine, PLAIT__DONE);
    bool ours = plait__claim_state(mine) == PLAIT__RUNNING;
    if (!ours || !atomic_compare_exchange_strong(&chunk->claim, &mine, done)) wait_for_the_end();
    if (atomic_load(&job->unfinished) > 0) return;
    atomic_fetch_add(&job->finished, 1);
    plait__wake(&job->finished, 1);
}

/* Work on the job in this place of the board.  Naming it in the cell before looking again keeps it from being freed. */
static bool work_on(struct plait__board *board, struct plait__cell *cell, unsigned place)
{
    struct plait__job *job = atomic_load(&board->jobs[place]);
    if (!job) return false;
    atomic_store(&cell->job, job);
    bool worked = false;
    size_t chunk;
    if (atomic_load(&board->jobs[place]) == job)
        for (; claim_chunk(job, &chunk); worked = true) {
            uint64_t owner = plait__self.owner;
            run_chunk(job, chunk);
            if (plait__self.owner != owner) exit(EXIT_SUCCESS);          /* a task has left the family: another has our cell */
        }
    atomic_store(&cell->job, NULL);
    return worked;
}

static bool work(struct plait__board *board, struct plait__cell *cell)
{
    bool worked = false;
    for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) worked |= work_on(board, cell, place);
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
    atomic_store(&cell->owner, plait__self.owner);
    plait__self.leases++;                                  /* its end is news, also a clean one: a task may call exit() */
    struct plait__wait wait = plait__wait_until(PLAIT_FOREVER);
    while (!atomic_load(&board->closing)) {
        uint32_t bell = atomic_load(&board->bell);
        if (work(board, cell)) {
            plait__wait_end(&wait);
            wait = plait__wait_until(PLAIT_FOREVER);
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
