/* everything.h - a program that makes use of everything: queues, locks, processes, pools, and the deaths of others. */
#ifndef PLAIT_TEST_EVERYTHING_H
#define PLAIT_TEST_EVERYTHING_H

#include "host.h"
#include "others.h"

#include <plait.h>

struct shared {
    plait_lock lock;
    plait_queue *requests, *answers;
    _Atomic int held;
};

static inline int add_ones(void *argument)
{
    struct shared *shared = argument;
    int number;
    while (plait_queue_get(shared->requests, &number, sizeof number, PLAIT_FOREVER) == sizeof number) {
        CHECK(plait_lock_acquire(&shared->lock, PLAIT_FOREVER) == 0 && plait_lock_release(&shared->lock) == 0);
        number++;
        CHECK(plait_queue_put(shared->answers, &number, sizeof number, PLAIT_FOREVER) == 0);
    }
    return 7;
}

static inline int hold_and_die(void *argument)
{
    struct shared *shared = argument;
    CHECK(plait_lock_acquire(&shared->lock, PLAIT_FOREVER) == 0);
    atomic_store(&shared->held, 1);
    sleep_for_ever();
}

static inline int sleep_on(void *unused)
{
    sleep_for_ever();
}

static inline struct shared *new_shared(void)
{
    struct shared *shared = plait_alloc(sizeof *shared);
    if (!shared) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(shared && (shared->requests = plait_queue_new(NULL)) && (shared->answers = plait_queue_new(NULL)));
    return shared;
}

static inline void free_shared(struct shared *shared)
{
    CHECK(plait_queue_free(shared->requests) == 0 && plait_queue_free(shared->answers) == 0 && plait_free(shared) == 0);
}

static inline plait_process *start(int (*body)(void *argument), struct shared *shared)
{
    plait_process *process = plait_start(body, shared, 0, NULL);
    if (!process) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(process);
    return process;
}

static inline void use_a_queue(struct shared *shared)
{
    for (int i = 0; i < 10; i++) {
        int number = i;
        CHECK(plait_queue_put(shared->requests, &number, sizeof number, PLAIT_FOREVER) == 0);
        CHECK(plait_queue_get(shared->answers, &number, sizeof number, PLAIT_FOREVER) == sizeof number && number == i + 1);
    }
}

static inline void end(plait_process *process, int exitcode)
{
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    CHECK(plait_process_exitcode(process) == exitcode && plait_process_free(process) == 0);
}

static inline void use_a_process(void)
{
    struct shared *shared = new_shared();
    plait_process *process = start(add_ones, shared);
    use_a_queue(shared);
    CHECK(plait_queue_close(shared->requests) == 0);
    end(process, 7);
    free_shared(shared);
}

/* Somebody dies while we sleep for his lock. */
static inline int kill_when_it_sleeps(void *argument)
{
    const pid_t *pids = argument;
    test_until_sleeps(pids[0]);
    return kill(pids[1], SIGKILL);
}

static inline void survive_a_death(void)
{
    struct shared *shared = new_shared();
    plait_process *victim = start(hold_and_die, shared);
    test_until_set(&shared->held);
    pid_t pids[2] = { getpid(), plait_process_pid(victim) };
    const pid_t killer = test_fork(kill_when_it_sleeps, pids);
    CHECK(plait_lock_acquire(&shared->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
    CHECK(test_wait_exit(killer) == 0);
    end(victim, -SIGKILL);
    free_shared(shared);
}

static inline int twice(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in * 2;
    return 0;
}

static inline void use_pool(plait_pool *pool)
{
    int in[100], out[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    const int error = plait_pool_map(pool, twice, in, sizeof in[0], out, sizeof out[0], 100, NULL);
    if (error) dprintf(STDERR_FILENO, "%s %s\n", plait_strerrorname(error), plait_error_detail());
    CHECK(error == 0);
    for (int i = 0; i < 100; i++) CHECK(out[i] == 2 * i);
}

static inline plait_pool *new_pool(void)
{
    plait_pool *pool = plait_pool_new(&(plait_pool_options){ .workers = 2 });
    if (!pool) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(pool);
    return pool;
}

static inline void lose_a_worker(plait_pool *pool)
{
    CHECK(kill(plait_pool_worker_pid(pool, 0), SIGKILL) == 0);
    use_pool(pool);
}

static inline void use_a_pool(void)
{
    plait_pool *pool = new_pool();
    use_pool(pool);
    lose_a_worker(pool);
    plait_pool_free(pool);
}

static inline int use_everything(void *unused)
{
    alarm(30);
    use_a_process();
    survive_a_death();
    use_a_pool();
    CHECK(has_no_child());
    alarm(0);
    return 0;
}

#endif
