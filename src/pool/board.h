/* pool/board.h - how a pool's owner and its workers meet, in shared memory.
 *
 * The owner hangs a job on the board and rings; workers take chunks of it by themselves until none is left.  A chunk is a
 * claim word (family/claim.h): OPEN -> RUNNING by a worker -> DONE.  A RUNNING chunk of a dead worker is made OPEN again by the
 * caller of the map, with one more attempt, or GIVEN_UP when it has had enough.  When the time of a map is up, its caller makes
 * all that are OPEN or RUNNING GIVEN_UP, and kills the workers that it has taken one from: they can't have gone on to another
 * map.  What the words say is the truth; `unfinished` and `next` only save looking at all of them.
 */
#ifndef PLAIT_POOL_BOARD_H
#define PLAIT_POOL_BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <plait/pool.h>
#include <plait/process.h>

#include "base/futex.h"

#define PLAIT__JOBS_MAX 64u
#define PLAIT__WORKERS_MAX 1024

enum plait__chunk_state { PLAIT__OPEN, PLAIT__RUNNING, PLAIT__DONE, PLAIT__GIVEN_UP };

struct plait__chunk {
    _Atomic uint64_t claim;
    int32_t code;                                          /* of the first task in it that failed, 0 if none did */
    uint32_t failed;                                       /* which one, counted from the chunk's first */
};

/* One map.  Workers may look at it as long as their cell names it. */
struct plait__job {
    plait_task task;
    const char *in;
    char *out;
    void *context;
    size_t in_size, out_size, n, chunk, chunks;
    struct plait__job *next_retired;                       /* the owner's: done with, to be freed when no cell names it */
    _Alignas(64) _Atomic size_t next;                      /* the next chunk to try */
    _Alignas(64) _Atomic int64_t unfinished;               /* chunks; never too high: counted down before a chunk is DONE */
    _Atomic uint32_t failures;
    plait__word finished;                                  /* counted up when a chunk is DONE and unfinished is <= 0: the
                                                              caller sleeps on this, and then looks at the chunks */
    _Alignas(64) struct plait__chunk table[];
};

struct plait__cell {                                       /* of one worker */
    _Alignas(64) _Atomic(struct plait__job *) job;         /* the one it is looking at */
    _Atomic uint64_t owner;                                /* the member it is, 0 until it has joined */
};

#define PLAIT__BELL_SLEEPERS 1u                            /* in the bell: workers may sleep */

struct plait__board {
    _Alignas(64) plait__word bell;
    _Atomic uint32_t closing;
    plait__word places;                                    /* counted up when a place becomes free */
    _Atomic uint32_t queuing;                              /* maps that may sleep until then */
    _Alignas(64) _Atomic(struct plait__job *) jobs[PLAIT__JOBS_MAX];
    struct plait__cell cells[];
};

/* How the last so many workers ended, for maps that have to report it. */
#define PLAIT__DEAD_KEPT 64u
struct plait__dead_worker {
    uint64_t owner;
    plait_process *process;                                /* until its end is known, then NULL */
    pid_t pid;
    int exitcode;
};

struct plait_pool {                                        /* private to the process that made it */
    int kind, size;
    pid_t pid;
    char name[32];
    struct plait__board *board;
    pthread_mutex_t tending;                               /* guards the rest */
    plait_process **workers;
    struct plait__dead_worker dead[PLAIT__DEAD_KEPT];      /* a ring */
    unsigned deaths;
    int stillborn;                                         /* workers in a row that ended before they had joined */
    struct plait__job *retired;
};

static inline size_t plait__tasks_in_chunk(const struct plait__job *job, size_t chunk)
{
    size_t first = chunk * job->chunk;
    return job->n - first < job->chunk ? job->n - first : job->chunk;
}

/* Run the tasks of a chunk, or of a whole inline map.  The first code that is not 0, *failed tells which; all are run. */
int plait__run_tasks(const struct plait__job *job, size_t first, size_t count, size_t *failed);

/* Wake up to `count` workers for a change of the board. */
void plait__ring_workers(struct plait__board *board, int count);

/* The body of a worker process. */
struct plait__worker_start {
    struct plait__board *board;
    int number;
};
int plait__worker(void *start);

/* Replace the workers that have ended.  0, or the error of fork if no worker is left.  *all_joined: none has still to show up. */
int plait__tend_workers(plait_pool *pool, bool *all_joined);

/* Kill the worker that is this member, if it is there; wait until it is gone if that is asked for. */
void plait__end_worker(plait_pool *pool, uint64_t owner, bool wait);

/* How the worker that was this member ended: its process id and exit code.  False: not known.  If it has left the family, but is
 * still there at the deadline, or a second later, it is killed. */
bool plait__how_it_ended(plait_pool *pool, uint64_t owner, plait_deadline deadline, pid_t *pid, int *exitcode);

#endif
