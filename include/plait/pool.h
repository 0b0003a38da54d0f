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
#include <plait/kind.h>

typedef struct plait_pool plait_pool;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_pool_options {
    int kind;                 /* PLAIT_PROCESSES or PLAIT_INLINE, see kind.h */
    int workers;              /* 0: as many as plait_cpu_count() says.  At most 1024 */
    const char *name;         /* workers are called name-N; NULL: "PoolWorker".  Copied */
    uint64_t reserved[6];     /* zero */
} plait_pool_options;

/* All zero, or NULL instead of the struct: the defaults. */
typedef struct plait_map_options {
    size_t chunk;             /* tasks that a worker takes at a time; 0: about a quarter of an even share */
    void *context;            /* third argument of every task */
    size_t context_size;      /* > 0: so many bytes at context are copied, and the tasks share that copy.  0: the pointer itself is
                                 passed; with processes it must point into a block of plait_alloc */
    plait_deadline deadline;  /* when to give up: -ETIMEDOUT; the workers still busy with this map are killed and replaced */
    int retries;              /* how often the tasks of a killed worker are tried again; 0: twice; -1: never */
    int reserved_int;
    uint64_t reserved[6];     /* zero */
} plait_map_options;

/* A task: reads `in`, writes `out`, returns 0 or a code that map returns (positive ones can't be taken for map's own).  It may run
 * more than once, if a worker was killed in the middle: until it returns, `out` is not final.  A task that ends its process, or its
 * thread, or calls plait_leave, counts as one that killed its worker. */
typedef int (*plait_task)(const void *in, void *out, void *context);

/* Folds one result into another: *into = *into and *from.  Returns 0, or a code that map_reduce returns. */
typedef int (*plait_reduce)(void *into, const void *from, void *context);

/* A result of any size, see plait_pool_map_results. */
typedef struct plait_result {
    void *data;               /* a block in shared memory; NULL: there is none */
    size_t size;
} plait_result;

PLAIT_BEGIN

/* A pool; the workers are started at once, as daemon children (fork): globals set before are copied into them, and so are signal
 * handlers.  Files that a task opens are the task's to close, see plait_start.
 * The caller owns it: plait_pool_free.  NULL: errno EINVAL (the detail says what), or as plait_start; nothing is left behind.
 * Python: multiprocessing.Pool(processes). */
PLAIT_API plait_pool *plait_pool_new(const plait_pool_options *options);

/* Run task(in + i * in_size, out + i * out_size, context) for each i < n and wait for all of them.
 * in or out may be NULL when its size is 0.  Arrays in blocks of plait_alloc are used in place; others, private ones of
 * plait_message_alloc too, are copied into shared memory (in) and back (out), as bytes: pointers inside must point to shared
 * memory.  What a task does not write of its out is not defined.
 * Returns 0; the code of the failing task with the lowest index (the others have run all the same); PLAIT_EWORKERDIED when a
 * task kept killing its workers (the detail says which tasks, the process and the signal); PLAIT_ENOFUNCTION; -ETIMEDOUT; -ENOMEM;
 * -EINVAL; or the error of fork when no worker could be started any more.  After an error, the out of tasks that failed or did not
 * run is not defined.  The detail names the index.
 * The task may be a static function, also one of a shared object that was opened after the pool was made: the workers open the
 * same file.  If it is not there any more or was replaced by another build, or if the function is in no file at all, that is
 * PLAIT_ENOFUNCTION (the detail says which); no worker is lost by it.
 * May be called from several threads at a time; from 64 running maps on the next one waits.
 * A task may call it too, for the pool it runs in (plait_pool_current) and from its own thread, to any depth, with any number of
 * workers: its worker takes part in the nested map, and sleeps only while other workers are at it.  The deadline is then looked at
 * between the chunks that the worker runs itself.  When that worker dies the nested map is gone, and whoever was working on it is
 * ended and replaced, before the task is tried again.  Private blocks (plait_message_alloc) die with the worker: what the arrays
 * of a map point to must not lie in those.  Other processes, such as a fork that a task has made: -EINVAL.
 * Python: pool.map(function, iterable, chunksize); there a task can't. */
PLAIT_API PLAIT_MUST_CHECK int plait_pool_map(plait_pool *pool, plait_task task, const void *in, size_t in_size,
                                              void *out, size_t out_size, size_t n, const plait_map_options *options);

/* As plait_pool_map, for results of different sizes: the out of a task is a plait_result, which it fills by plait_result_set or
 * plait_result_alloc, or leaves without data.
 * Whatever is returned, each of out is a result or has no data afterwards, also when the task failed or did not run; unless that
 * is -EINVAL.  What was in out before is not freed.  The blocks belong to the calling thread, as those of plait_message_alloc: they
 * are the caller's to plait_free (or all by plait_results_free) and end with the thread; plait_block_share makes them stay.
 * If a worker dies, what it had made for tasks that are tried again is freed.
 * Python: pool.map of a function that returns bytes. */
PLAIT_API PLAIT_MUST_CHECK int plait_pool_map_results(plait_pool *pool, plait_task task, const void *in, size_t in_size,
                                                      plait_result *out, size_t n, const plait_map_options *options);

/* In a task of plait_pool_map_results, for its out: have the result be a copy of `size` bytes at data.  What was set before is
 * freed.  0, -EINVAL (NULL), -ENOMEM: then nothing has been changed. */
PLAIT_API PLAIT_MUST_CHECK int plait_result_set(void *out, const void *data, size_t size);

/* The same without a copy: the result is a new block of `size` bytes, not zeroed, for the task to write to.  NULL: errno. */
PLAIT_API void *plait_result_alloc(void *out, size_t size);

/* plait_free for the data of n results, which have none afterwards. */
PLAIT_API void plait_results_free(plait_result *results, size_t n);

/* Run task for each of n inputs, as plait_pool_map, and fold all they write into *result, which the caller has set to the neutral
 * value: 0 for sums, an empty histogram, the largest number for a minimum.  The out of each task has the type of *result, and
 * begins as a copy of that value.  The worker folds it into the result of its chunk: reduce(&of_the_chunk, &out, context); at the
 * end the caller folds these into *result.  All this is in the order of the inputs: if reduce is associative, as the
 * concatenation of strings is, the result is the same with any number of workers.  (Sums of floating-point numbers are not quite
 * associative: they are the same for the same options.chunk.)  The tasks of a killed worker count once.
 * Returns as plait_pool_map, or the first code that reduce returned; -EINVAL also when result_size is 0.  After an error *result
 * is not defined.  Python: functools.reduce(function, pool.map(...), initial). */
PLAIT_API PLAIT_MUST_CHECK int plait_pool_map_reduce(plait_pool *pool, plait_task task, const void *in, size_t in_size, size_t n,
                                                     plait_reduce reduce, void *result, size_t result_size,
                                                     const plait_map_options *options);

/* The pool in one of whose tasks the calling thread is, for maps in tasks; NULL: it is in none. */
PLAIT_API plait_pool *plait_pool_current(void);

/* How many workers it has (1 for inline); -EINVAL. */
PLAIT_API int plait_pool_workers(const plait_pool *pool);

/* The process id of worker i, for tests and tools; it changes when a worker is replaced.  -EINVAL; 0 for inline. */
PLAIT_API int plait_pool_worker_pid(const plait_pool *pool, int i);

/* End the workers and free everything.  No map may be running.  NULL is fine.  Python: pool.terminate(), pool.join(). */
PLAIT_API void plait_pool_free(plait_pool *pool);

PLAIT_END
#endif
