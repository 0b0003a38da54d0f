/* plait/pool.h - one function over many inputs, on all cores.
 *
 * ```c
 * static int square(const void *in, void *out, void *context)
 * {
 *     (void)context;
 *     const double x = *(const double *)in;
 *     *(double *)out = x * x;
 *     return 0;                                                       // not 0: this task failed, with this code
 * }
 *
 * int main(void)
 * {
 *     double in[1000], out[1000];
 *     for (int i = 0; i < 1000; i++) in[i] = i;
 *     plait_pool *pool = plait_pool_new(NULL);
 *     int error = plait_pool_map(pool, square, in, sizeof in[0], out, sizeof out[0], 1000, NULL);
 *     plait_pool_free(pool);
 *     if (error) fprintf(stderr, "%s: %s\n", plait_strerror(error), plait_error_detail());
 *     return error != 0;
 * }
 * ```
 */
#ifndef PLAIT_POOL_H
#define PLAIT_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

typedef struct plait_pool plait_pool;

/* Where the tasks run. */
enum plait_kind {
    PLAIT_PROCESSES = 0,      /* in processes: a task that crashes costs a worker, not the program */
    PLAIT_INLINE = 1          /* in the calling thread, in order: for debugging, and to compare with */
};

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_pool_options {
    int kind;                 /* enum plait_kind */
    int workers;              /* 0: as many as CPUs this process may run on.  At most 1024 */
    const char *name;         /* workers are called name-N; NULL: "PoolWorker".  Copied */
    uint64_t reserved[6];     /* zero */
} plait_pool_options;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_map_options {
    size_t chunk;             /* tasks that a worker takes at a time; 0: about a quarter of an even share */
    void *context;            /* third argument of every task */
    size_t context_size;      /* > 0: so many bytes at context are copied, and the tasks share that copy.  0: the pointer itself is
                                 passed; with processes it must point to shared memory */
    plait_deadline deadline;  /* when to give up: -ETIMEDOUT; the workers still busy with this map are killed and replaced */
    int retries;              /* how often the tasks of a killed worker are tried again; 0: twice; -1: never */
    int reserved_int;
    uint64_t reserved[6];     /* zero */
} plait_map_options;

/* A task: reads `in`, writes `out`, returns 0 or a code that map returns (positive ones can't be taken for map's own).  It may run
 * more than once, if a worker was killed in the middle: until it returns, `out` is not final.  A task that ends its process, or its
 * thread, or calls plait_leave, counts as one that killed its worker. */
typedef int (*plait_task)(const void *in, void *out, void *context);

PLAIT_BEGIN

/* A pool; the workers are started at once, as daemon children (fork): globals set before are copied into them, and so are signal
 * handlers.  Files that a task opens are the task's to close, see plait_start.
 * The caller owns it: plait_pool_free.  NULL: errno EINVAL (the detail says what), or as plait_start; nothing is left behind.
 * Python: multiprocessing.Pool(processes). */
PLAIT_API plait_pool *plait_pool_new(const plait_pool_options *options);

/* Run task(in + i * in_size, out + i * out_size, context) for each i < n and wait for all of them.
 * in or out may be NULL when its size is 0.  Arrays in shared memory (plait_alloc) are used in place; others are copied into
 * shared memory (in) and back (out), as bytes: pointers inside must point to shared memory.  What a task does not write of its
 * out is not defined.
 * Returns 0; the code of the failing task with the lowest index (the others have run all the same); PLAIT_EWORKERDIED when a
 * task kept killing its workers (the detail says which tasks, the process and the signal); -ETIMEDOUT; -ENOMEM; -EINVAL; or the
 * error of fork when no worker could be started any more.  After an error, the out of tasks that failed or did not run is not
 * defined.  The detail names the index.
 * May be called from several threads at a time; from 64 running maps on the next one waits.  A task must not use the pool it
 * runs in.
 * Python: pool.map(function, iterable, chunksize). */
PLAIT_API PLAIT_MUST_CHECK int plait_pool_map(plait_pool *pool, plait_task task, const void *in, size_t in_size,
                                              void *out, size_t out_size, size_t n, const plait_map_options *options);

/* How many workers it has (1 for inline); -EINVAL. */
PLAIT_API int plait_pool_workers(const plait_pool *pool);

/* The process id of worker i, for tests and tools; it changes when a worker is replaced.  -EINVAL; 0 for inline. */
PLAIT_API int plait_pool_worker_pid(const plait_pool *pool, int i);

/* End the workers and free everything.  No map may be running.  NULL is fine.  Python: pool.terminate(), pool.join(). */
PLAIT_API void plait_pool_free(plait_pool *pool);

PLAIT_END
#endif
