/* pool/board.h - how a pool's owner and its workers meet, in shared memory.
 *
 * Who maps hangs a job on the board and rings; workers take chunks of it by themselves until none is left.  A chunk is a claim
 * word (family/claim.h): OPEN -> RUNNING by a worker -> DONE.  A RUNNING chunk of a dead worker is made OPEN again by the pool's
 * owner, with one more attempt, or GIVEN_UP when it has had enough.  When the time of a map is up, its caller makes all that are
 * OPEN GIVEN_UP and all that are RUNNING TAKEN, the owner kills the workers that these were taken from (they can't have gone on to
 * another map), and makes them GIVEN_UP.  What the words say is the truth; `unfinished` and `next` only save looking at all.
 *
 * A task may map, too.  Its worker takes chunks of this nested job itself, and sleeps only for those that others run; all else is
 * the same, and still the owner's to do.  The job is one block that names its caller, so that the owner can find it if that dies.
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
#include "code/function.h"

#define PLAIT__JOBS_MAX 64u
#define PLAIT__WORKERS_MAX 1024

enum plait__chunk_state { PLAIT__OPEN, PLAIT__RUNNING, PLAIT__DONE, PLAIT__TAKEN, PLAIT__GIVEN_UP };

struct plait__chunk {
    _Atomic uint64_t claim;
    int32_t code;                                          /* of the first task in it that failed, 0 if none did */
    uint32_t failed;                                       /* which one, counted from the chunk's first; or NONE_RUN */
};

#define PLAIT__NONE_RUN UINT32_MAX                         /* the worker does not have the function */

/* How the worker ended that was the last to have the first of the chunks, by number, that were given up.  attempts 0: none was. */
struct plait__last_death {
    size_t chunk;
    uint32_t attempts;
    pid_t pid;                                             /* 0: not known */
    int exitcode;
};

/* The functions of a map, as one process calls them. */
struct plait__calls {
    plait_task task;
    plait_reduce reduce;
    bool looked_up;                                        /* in this process */
    int error;                                             /* PLAIT_ENOFUNCTION: it does not have them */
};

/* How a worker finds one of them; it may have been forked before the module was opened. */
struct plait__reference {
    const struct plait__function *function;                /* behind the table; NULL: there is none */
    size_t size;
};

/* Why a worker does not have them. */
struct plait__refusal {
    _Atomic uint32_t writers;                              /* who counts it up from 0 writes the text, before its chunk is DONE */
    _Atomic uint32_t written;                              /* never, if that one was killed */
    char text[240];
};

/* One map, one block: behind the table lie copies of what the caller has in private memory.  Workers may look at it as long as
 * their cell names it. */
struct plait__job {
    plait_task task;                                       /* as the caller calls it */
    plait_reduce reduce;                                   /* not NULL: `out` is a partial result for each chunk */
    struct plait__reference task_reference, reduce_reference;
    bool results;                                          /* `out` are plait_results, whose blocks come with it */
    const char *in;
    char *out;
    void *context;
    const void *neutral;                                   /* what a partial result begins with */
    size_t in_size, out_size, n, chunk, chunks;
    int retries;
    plait_deadline deadline;
    struct plait__board *board;
    uint64_t caller;                                       /* the worker that maps, in a task; 0: the pool's owner does */
    struct plait__last_death dead;                         /* written by the owner before it gives the chunk up */
    struct plait__refusal refusal;
    struct plait__job *next_retired;                       /* done with, to be freed when no cell names it */
    _Alignas(64) _Atomic size_t next;                      /* the next chunk to try */
    _Alignas(64) _Atomic int64_t unfinished;               /* chunks; never too high: counted down before a chunk is DONE */
    _Atomic uint32_t failures;
    _Atomic uint32_t cancelled;                            /* by its caller: TAKEN chunks wait for the owner */
    plait__word news;                                      /* counted up when a chunk is DONE and unfinished is <= 0, and by the
                                                              owner: the caller sleeps on this, then looks at the chunks */
    _Alignas(64) struct plait__chunk table[];
};

/* The end of every block with PLAIT__TAG_STAMPED, which is what workers make for others: a job, which is its own, or a result of
 * a job's chunk.  Such a block does not die with the worker: the owner frees it, or whoever the result is for makes it his. */
struct plait__stamp {
    struct plait__job *job;
    size_t chunk;
};

struct plait__cell {                                       /* of one worker; the last one of the owner, under `tending` */
    _Alignas(64) _Atomic(struct plait__job *) job;         /* the one it is looking at; not those it maps itself */
    _Atomic uint64_t owner;                                /* the member it is, 0 until it has joined */
};

#define PLAIT__BELL_SLEEPERS 1u                            /* in the bell: workers may sleep */

struct plait__board {
    _Alignas(64) plait__word bell;
    _Atomic uint32_t closing;
    _Atomic uint32_t nested;                               /* a task has mapped: who dies may have left jobs behind */
    int size;                                              /* workers; there is one cell more */
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

/* ---- tasks.c: running tasks ---- */

/* The tasks of one chunk.  The first code that is not 0, *failed tells of which task; all are run. */
int plait__run_tasks(const struct plait__job *job, const struct plait__calls *calls, size_t number, size_t *failed);

/* A whole map in the calling thread, on the caller's own arrays.  result: of a map_reduce; it begins with the neutral value. */
int plait__run_inline(plait_pool *pool, const struct plait__job *what, void *result, const plait_map_options *options);

/* What this thread is in the middle of. */
struct plait__at_work {
    plait_pool *current;                                   /* the pool whose task it runs, also inline; NULL: none */
    pid_t pid;                                             /* a fork inherits all this, but is none of it */
    plait_pool *pool;                                      /* whose worker it is, NULL: of none */
    uint64_t owner;                                        /* the member that it is as such */
    struct plait__job *retired;                            /* nested ones that it is done with */
};
extern _Thread_local struct plait__at_work plait__at_work;

/* ---- results.c: results of different sizes ---- */

/* Let the results of a chunk outlive the worker that made them: what one dies before belongs to it, what it dies after to the job.
 * The code of the chunk, now that this may have failed. */
int plait__hand_over_results(struct plait__job *job, size_t number, int code, size_t *failed);

/* The job is done with: results of chunks that are DONE become the calling thread's, the others there are not. */
void plait__take_results(struct plait__job *job);

/* Free what was handed over by chunks that did not become DONE, of this number or of all (SIZE_MAX); or all there is of it. */
void plait__free_lost_results(const struct plait__job *job, size_t number);
void plait__free_all_results(const struct plait__job *job);

static inline struct plait__stamp *plait__stamp_of(void *block, size_t real_size)
{
    return (struct plait__stamp *)(void *)((char *)block + real_size) - 1;
}

/* ---- worker.c ---- */

/* Wake up to `count` workers for a change of the board. */
void plait__ring_workers(struct plait__board *board, int count);

/* Take a chunk of the job and run it, by these functions, which are looked up if they are not yet.  False: none is open. */
bool plait__work_on_chunk(struct plait__job *job, struct plait__calls *calls);

/* The body of a worker process. */
struct plait__worker_start {
    plait_pool *pool;                                      /* its address is the same in the worker, its content a copy */
    struct plait__board *board;
    int number;
};
int plait__worker(void *start);

/* ---- job.c: what hangs on the board ---- */

/* Whether it lies in the family's shared memory, in a block that does not end with a thread. */
bool plait__is_lasting(const void *address);

/* What the workers need, in shared memory; `what` has the caller's own arrays.  NULL: errno. */
struct plait__job *plait__make_job(const plait_pool *pool, const struct plait__job *what, const plait_map_options *options);

/* The functions of the job in this process, which has not made it.  Why they are not to be had it notes in the job. */
void plait__look_up(struct plait__job *job, struct plait__calls *calls);

/* Put it on the board, for the workers to see.  False: all places are taken. */
bool plait__hang_up(struct plait__board *board, struct plait__job *job);

/* Take it down, if it hangs there. */
void plait__take_down(struct plait__board *board, const struct plait__job *job);

/* A worker, or a caller, still has it in its cell. */
bool plait__is_looked_at(const struct plait__board *board, const struct plait__job *job);

/* It is off the board (or NULL): add it to the list, and free those in there that no worker looks at any more. */
void plait__retire(struct plait__board *board, struct plait__job **retired, struct plait__job *job);

/* Nobody is to finish these chunks. */
void plait__take_chunks_away(struct plait__job *job);

/* ---- repair.c: the owner's, after a death ---- */

/* Somebody died or has still to show up, or a nested map has been cancelled: look after the workers and all chunks.  1: this job is
 * done, 0: not yet, or an error.  *all_joined: no worker has still to show up. */
int plait__tend(plait_pool *pool, struct plait__job *job, bool *all_joined);

/* Nobody may write to `out` any more: take what is not finished away, end those who are in the middle. */
void plait__cancel(plait_pool *pool, struct plait__job *job);

/* All workers have ended: free what they have left behind. */
void plait__free_jobs(plait_pool *pool);

/* ---- pool.c: the workers, with `tending` locked ---- */

/* Replace those that have ended.  0, or the error of fork if no worker is left. */
int plait__tend_workers(plait_pool *pool, bool *all_joined);

/* Kill the worker that is this member, if it is there; wait until it is gone if that is asked for. */
void plait__end_worker(plait_pool *pool, uint64_t owner, bool wait);

/* How the worker that was this member ended: its process id and exit code.  False: not known.  If it has left the family, but is
 * still there at the deadline, or a second later, it is killed. */
bool plait__how_it_ended(plait_pool *pool, uint64_t owner, plait_deadline deadline, pid_t *pid, int *exitcode);

#endif
