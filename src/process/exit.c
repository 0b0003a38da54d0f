#include "process/exit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <plait/process.h>

#include "base/error.h"
#include "log/log.h"
#include "process/children.h"
#include "process/server.h"

/* ---- finalizers ---- */

struct finalizer {
    struct finalizer *next;
    void (*function)(void *argument);
    void *argument;
    int priority;
};

/* In the order in which they run.  Guarded by `lock`, which no fork can copy in another thread's hands; empty in a forked child. */
static struct finalizer *first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }
static __attribute__((constructor)) void register_for_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

static struct finalizer *take_first(int least)
{
    pthread_mutex_lock(&lock);
    struct finalizer *finalizer = first && first->priority >= least ? first : NULL;
    if (finalizer) first = finalizer->next;
    pthread_mutex_unlock(&lock);
    return finalizer;
}

static bool has_finalizers(void)
{
    pthread_mutex_lock(&lock);
    bool has = first != NULL;
    pthread_mutex_unlock(&lock);
    return has;
}

static void run_finalizers(int least)
{
    for (struct finalizer *finalizer; (finalizer = take_first(least));) {
        finalizer->function(finalizer->argument);
        free(finalizer);
    }
}

/* ---- exit ---- */

/* The process that shuts down at its exit; a fork that the program makes by itself inherits the exit handler and the finalizers,
 * and has nothing to do with them.  Written under `lock`. */
static _Atomic pid_t registered;

/* The thread that shuts it down; 0: nobody yet, DONE.  If a finalizer calls exit, that one comes here once more, and goes on. */
static _Atomic pid_t by;
#define DONE ((pid_t)-1)

void plait__shut_down(void)
{
    pid_t thread = (pid_t)syscall(SYS_gettid), before = 0;
    if (!atomic_compare_exchange_strong(&by, &before, thread) && before != thread) return;
    plait__children_join_threads();
    if (!before) plait__log(PLAIT_LOG_INFO, "process shutting down");
    if (!before) plait__log(PLAIT_LOG_DEBUG, "running all \"atexit\" finalizers with priority >= 0");
    run_finalizers(0);
    plait__children_end();
    plait__server_end();
    plait__log(PLAIT_LOG_DEBUG, "running the remaining \"atexit\" finalizers");
    run_finalizers(INT32_MIN);
    atomic_store(&by, DONE);
}

/* Registered once more: for a finalizer that calls exit. */
static void at_exit(void)
{
    if (atomic_load(&registered) != getpid()) return;
    if (atomic_load(&by) != DONE && has_finalizers()) atexit(at_exit);
    plait__shut_down();
}

/* What was inherited by a fork is the parent's. */
static void begin_anew_if_forked(void)
{
    struct finalizer *inherited = NULL;
    pthread_mutex_lock(&lock);
    if (atomic_load(&registered) != getpid()) {
        inherited = first;
        first = NULL;
        atomic_store(&by, 0);
        atomic_store(&registered, getpid());
    }
    pthread_mutex_unlock(&lock);
    for (struct finalizer *next; inherited; inherited = next) {
        next = inherited->next;
        free(inherited);
    }
}

int plait__shut_down_at_exit(void)
{
    static _Atomic bool done;
    begin_anew_if_forked();
    if (!atomic_load(&done) && atexit(at_exit) != 0) return plait__fail(-ENOMEM, "no private memory for an exit handler");
    atomic_store(&done, true);
    return 0;
}

int plait_at_exit(void (*function)(void *argument), void *argument, int priority)
{
    if (!function) return plait__fail(-EINVAL, "the function is NULL");
    struct finalizer *finalizer = malloc(sizeof *finalizer);
    int error = finalizer ? plait__shut_down_at_exit() : plait__fail(-ENOMEM, "no private memory for a finalizer");
    if (error) {
        free(finalizer);
        return error;
    }
    pthread_mutex_lock(&lock);
    struct finalizer **place = &first;
    while (*place && (*place)->priority > priority) place = &(*place)->next;
    *finalizer = (struct finalizer){ *place, function, argument, priority };
    *place = finalizer;
    pthread_mutex_unlock(&lock);
    return 0;
}
