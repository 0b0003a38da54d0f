#include "process/children.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "log/log.h"

/* Guarded by `lock`, which no fork can copy in another thread's hands; empty in a forked child. */
static plait_process *first;
static plait_process *of_parent;                           /* in a forked child: copies of its parent's */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool is_ending;                             /* from now on no worker of a pool is replaced */

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }

static void after_fork_in_child(void)
{
    of_parent = first;
    first = NULL;
    pthread_mutex_unlock(&lock);
}

static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static bool is_given(int fd, const struct plait__plan *plan)
{
    for (size_t i = 0; i < plan->fd_count; i++)
        if (plan->fds[i] == fd) return true;
    return false;
}

/* (The program may have closed one by itself, and opened another file at its number.) */
static void close_pipes(plait_process *process, const struct plait__plan *plan)
{
    for (int i = 0; i < 3; i++) {
        int fd = process->streams[i];
        if (fd < 0 || is_given(fd, plan)) continue;
        process->streams[i] = -1;
        if (plait__is_file(fd, &process->stream_files[i])) close(fd);
    }
}

void plait__children_forget(const struct plait__plan *plan)
{
    for (plait_process *process = of_parent; process; process = process->next) close_pipes(process, plan);
    of_parent = first = NULL;
    atomic_store(&is_ending, false);
}

void plait__children_add(plait_process *process)
{
    pthread_mutex_lock(&lock);
    process->next = first;
    if (first) first->previous = process;
    first = process;
    pthread_mutex_unlock(&lock);
}

/* Who joins it at exit is about to see that it has ended, as who frees it has seen already. */
static void lock_unpinned(const plait_process *process)
{
    pthread_mutex_lock(&lock);
    while (process->pins) {
        pthread_mutex_unlock(&lock);
        sched_yield();
        pthread_mutex_lock(&lock);
    }
}

void plait__children_remove(plait_process *process)
{
    lock_unpinned(process);
    if (process->next) process->next->previous = process->previous;
    if (process->previous) process->previous->next = process->next;
    else if (first == process) first = process->next;
    process->next = process->previous = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- who is alive ---- */

static bool is_thread(const plait_process *process)
{
    return plait_process_kind(process) == PLAIT_THREADS;
}

size_t plait_active_children(plait_process **children, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (plait_process *process = first; process; process = process->next) {
        if (is_thread(process) || plait__is_over(process)) continue;
        if (count < max) children[count] = process;
        count++;
    }
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- at exit ---- */

/* The next that is alive and is wanted, pinned; NULL: no more.  One after the other, as others may come, go and be freed
 * meanwhile. */
static plait_process *next_alive(bool (*is_wanted)(const plait_process *))
{
    pthread_mutex_lock(&lock);
    plait_process *process = first;
    while (process && (!is_wanted(process) || plait__is_over(process))) process = process->next;
    if (process) process->pins++;
    pthread_mutex_unlock(&lock);
    return process;
}

static void unpin(plait_process *process)
{
    pthread_mutex_lock(&lock);
    process->pins--;
    pthread_mutex_unlock(&lock);
}

static bool is_waited_for_thread(const plait_process *process)
{
    return is_thread(process) && !process->plan->daemon && process != plait__this_thread;
}

void plait__children_join_threads(void)
{
    for (plait_process *thread; (thread = next_alive(is_waited_for_thread)); unpin(thread))
        plait_process_join(thread, PLAIT_FOREVER);
}

static bool is_daemon(const plait_process *process)
{
    return !is_thread(process) && process->plan->daemon && !process->plan->detached && !process->ending;
}

static bool is_waited_for(const plait_process *process)
{
    return !is_thread(process) && !process->plan->detached;
}

#define PATIENCE 2.0                                       /* seconds: a daemon may have a handler for SIGTERM that ends nothing */

bool plait__children_are_ending(void)
{
    return atomic_load(&is_ending);
}

static void end_daemons(void)
{
    for (plait_process *process; (process = next_alive(is_daemon));) {
        plait__log(PLAIT_LOG_INFO, "calling terminate() for daemon %s", process->name);
        process->ending = true;
        plait_process_terminate(process);
        unpin(process);
    }
}

static void join_at_exit(plait_process *process, plait_deadline patience)
{
    plait__log(PLAIT_LOG_INFO, "calling join() for process %s", process->name);
    if (process->ending && plait_process_join(process, patience) == -ETIMEDOUT) plait_process_kill(process);
    plait_process_join(process, PLAIT_FOREVER);
}

/* Another thread may go on starting daemons. */
void plait__children_end(void)
{
    atomic_store(&is_ending, true);
    end_daemons();
    plait_deadline patience = plait_after(PATIENCE);       /* for all together */
    for (plait_process *process; (process = next_alive(is_waited_for)); end_daemons()) {
        if (!is_daemon(process)) join_at_exit(process, patience);
        unpin(process);
    }
}
