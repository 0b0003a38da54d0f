/* pool/pool.c - making a pool, keeping its workers alive, ending it. */
#include "pool/board.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <plait/arena.h>
#include <plait/cpu.h>

#include "base/error.h"
#include "base/fault.h"
#include "family/claim.h"
#include "family/repair.h"
#include "family/wait.h"
#include "process/process_internal.h"

_Static_assert(sizeof(plait_pool_options) == 64 && sizeof(plait_map_options) == 88, "part of the ABI");

/* ---- making ---- */

static int check(const plait_pool_options *options)
{
    if (options->kind != PLAIT_PROCESSES && options->kind != PLAIT_INLINE)
        return plait__fail(-EINVAL, "no pools of kind %d", options->kind);
    if (options->workers < 0 || options->workers > PLAIT__WORKERS_MAX)
        return plait__fail(-EINVAL, "%d workers; 0 to %d are possible", options->workers, PLAIT__WORKERS_MAX);
    return PLAIT__CHECK_RESERVED(options->reserved, 0);
}

static int start_worker(plait_pool *pool, int number)
{
    struct plait__worker_start start = { .pool = pool, .board = pool->board, .number = number };
    struct plait__cell *cell = &pool->board->cells[number];
    atomic_store(&cell->job, NULL);
    atomic_store(&cell->owner, 0);
    pool->workers[number] = plait__start_worker(plait__worker, &start, sizeof start, pool->name);
    return pool->workers[number] ? 0 : -errno;
}

static int start_workers(plait_pool *pool)
{
    size_t size = sizeof *pool->board + ((size_t)pool->size + 1) * sizeof pool->board->cells[0];
    pool->workers = calloc((size_t)pool->size, sizeof(plait_process *));
    if (!pool->workers) return plait__fail(-ENOMEM, "no private memory for a pool");
    pool->board = plait_alloc((size + 63) / 64 * 64);
    if (!pool->board) return -errno;
    pool->board->size = pool->size;
    for (int i = 0; i < pool->size; i++) {
        int error = start_worker(pool, i);
        if (error) return error;
    }
    return 0;
}

plait_pool *plait_pool_new(const plait_pool_options *options)
{
    static const plait_pool_options defaults;
    if (!options) options = &defaults;
    int error = check(options);
    if (error) return plait__null(error);
    plait_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        plait__fail(-ENOMEM, "no private memory for a pool");
        return plait__null(-ENOMEM);
    }
    pool->kind = options->kind;
    pool->pid = getpid();
    pool->size = pool->kind == PLAIT_INLINE ? 1 : options->workers ? options->workers : plait_cpu_count();
    if (pool->size > PLAIT__WORKERS_MAX) pool->size = PLAIT__WORKERS_MAX;
    snprintf(pool->name, sizeof pool->name, "%s", options->name ? options->name : "PoolWorker");
    pthread_mutex_init(&pool->tending, NULL);
    if (pool->kind == PLAIT_PROCESSES) error = start_workers(pool);
    if (!error) return pool;
    plait_pool_free(pool);
    return plait__null(error);
}

int plait_pool_workers(const plait_pool *pool)
{
    return pool ? pool->size : plait__fail(-EINVAL, "the pool is NULL");
}

int plait_pool_worker_pid(const plait_pool *pool, int i)
{
    if (!pool || i < 0 || i >= pool->size) return plait__fail(-EINVAL, "there is no worker %d", i);
    if (pool->kind == PLAIT_INLINE) return 0;
    if (pool->pid != getpid()) return plait__fail(-EINVAL, "the pool belongs to process %d", (int)pool->pid);
    pthread_mutex_t *tending = (pthread_mutex_t *)(uintptr_t)&pool->tending;
    pthread_mutex_lock(tending);
    int pid = pool->workers[i] ? plait_process_pid(pool->workers[i]) : 0;
    pthread_mutex_unlock(tending);
    return pid;
}

plait_pool *plait_pool_current(void)
{
    return plait__at_work.current && plait__at_work.pid == getpid() ? plait__at_work.current : NULL;
}

/* ---- keeping the workers alive ---- */

#define LEAVING 1.0                                        /* seconds from the clean end of a member to that of its process */

/* In vain, unless a task has made it another program by exec, or has ended the thread but not the process. */
static void end(plait_process *process)
{
    plait_process_kill(process);
    plait_process_join(process, PLAIT_FOREVER);
}

static void end_and_free(plait_process *process)
{
    if (!process) return;
    end(process);
    plait_process_free(process);
}

/* Once its end is known that is all we keep: no descriptor, no zombie. */
static void settle(struct plait__dead_worker *dead)
{
    if (!dead->process || plait_process_is_alive(dead->process)) return;
    dead->exitcode = plait_process_exitcode(dead->process);
    plait_process_free(dead->process);
    dead->process = NULL;
}

/* Keep what is needed to tell how it ended: a map may have to report it. */
static void bury(plait_pool *pool, int number)
{
    struct plait__dead_worker *place = &pool->dead[pool->deaths++ % PLAIT__DEAD_KEPT];
    uint64_t owner = atomic_load(&pool->board->cells[number].owner);
    end_and_free(place->process);
    *place = (struct plait__dead_worker){ owner, pool->workers[number], plait_process_pid(pool->workers[number]), 0 };
    pool->workers[number] = NULL;
    pool->stillborn = owner ? 0 : pool->stillborn + 1;
}

/* Its pulse has fallen, or it ended without one. */
static bool has_ended(plait_pool *pool, int number)
{
    uint64_t owner = atomic_load(&pool->board->cells[number].owner);
    if (owner && plait__fate(owner) != PLAIT__LIVES) return true;
    if (owner && !atomic_load(&plait__roster->unpulsed)) return false;
    return !plait_process_is_alive(pool->workers[number]);
}

int plait__tend_workers(plait_pool *pool, bool *all_joined)
{
    int error = 0, present = 0;
    *all_joined = true;
    for (unsigned i = 0; i < PLAIT__DEAD_KEPT; i++) settle(&pool->dead[i]);
    for (int i = 0; i < pool->size; i++) {
        if (pool->workers[i] && has_ended(pool, i)) bury(pool, i);
        else if (pool->workers[i] && atomic_load(&pool->board->cells[i].owner)) pool->stillborn = 0;
        if (pool->stillborn > 2 * pool->size + 2) {
            int stillborn = pool->stillborn;
            pool->stillborn = 0;                           /* the next map tries again */
            return plait__fail(PLAIT_EWORKERDIED, "%d workers in a row ended before they could work", stillborn);
        }
        if (!pool->workers[i]) {
            int failed = start_worker(pool, i);
            if (failed) error = failed;
        }
        if (pool->workers[i]) present++;
        if (!pool->workers[i] || !atomic_load(&pool->board->cells[i].owner)) *all_joined = false;
    }
    return present ? 0 : error;
}

bool plait__how_it_ended(plait_pool *pool, uint64_t owner, plait_deadline deadline, pid_t *pid, int *exitcode)
{
    deadline.at = plait__earlier(deadline, plait_after(LEAVING).at);
    for (int i = 0; i < pool->size; i++)                   /* it died since they were looked at */
        if (pool->workers[i] && atomic_load(&pool->board->cells[i].owner) == owner) bury(pool, i);
    struct plait__dead_worker *dead = NULL;
    for (unsigned i = 0; i < PLAIT__DEAD_KEPT; i++)
        if (pool->dead[i].owner == owner) dead = &pool->dead[i];
    if (dead && dead->process) {
        if (plait__fate(owner) == PLAIT__DIED) plait_process_kill(dead->process);      /* it is being taken down by the kernel */
        else plait_process_join(dead->process, deadline);
        end(dead->process);
        settle(dead);
    }
    if (dead) {
        *pid = dead->pid;
        *exitcode = dead->exitcode;
    }
    return dead != NULL;
}

/* The worker that was started last as this member, or NULL; it may have left, and still run. */
static plait_process *worker_of(const plait_pool *pool, uint64_t owner)
{
    for (int i = 0; i < pool->size; i++)
        if (pool->workers[i] && atomic_load(&pool->board->cells[i].owner) == owner) return pool->workers[i];
    for (unsigned i = 0; i < PLAIT__DEAD_KEPT; i++)
        if (pool->dead[i].owner == owner) return pool->dead[i].process;
    return NULL;
}

void plait__end_worker(plait_pool *pool, uint64_t owner, bool wait)
{
    plait_process *worker = worker_of(pool, owner);
    PLAIT__POINT(END_WORKER);
    if (worker) plait_process_kill(worker);
    if (worker && wait) plait_process_join(worker, PLAIT_FOREVER);
}

/* ---- ending ---- */

#define GRACE 2.0

/* Idle workers end by themselves, with their streams flushed; one that does not (stopped, or still in a task) is killed. */
static void end_workers(plait_pool *pool)
{
    if (pool->board) {
        atomic_store(&pool->board->closing, 1);
        plait__ring_workers(pool->board, INT_MAX);
    }
    plait_deadline grace = plait_after(GRACE);
    for (int i = 0; i < pool->size; i++) {
        plait_process *worker = pool->workers ? pool->workers[i] : NULL;
        if (!worker) continue;
        if (plait_process_join(worker, grace) == -ETIMEDOUT) plait_process_kill(worker);
        plait_process_join(worker, PLAIT_FOREVER);
        plait_process_free(worker);
    }
}

void plait_pool_free(plait_pool *pool)
{
    if (!pool) return;
    if (pool->kind == PLAIT_PROCESSES && pool->pid == getpid()) {
        end_workers(pool);
        for (unsigned i = 0; i < PLAIT__DEAD_KEPT; i++) end_and_free(pool->dead[i].process);
        if (pool->board) plait__free_jobs(pool);
        plait_free(pool->board);
    }
    pthread_mutex_destroy(&pool->tending);
    free(pool->workers);
    free(pool);
}
