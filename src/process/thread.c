/* process/thread.c - threads as the same object. */
#include <plait/thread.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <plait/arena.h>

#include "base/error.h"
#include "family/repair.h"
#include "family/wait.h"
#include "process/process_internal.h"
#include "process/sentinel.h"

/* ---- the thread ---- */

/* Also when it ends by pthread_exit, or is cancelled; a cancellation that is still to come must not leave the lock behind.  A
 * sentinel is told of the end here, or made afterwards by one who knows.  Whoever frees the object has joined before, so nothing is
 * freed before this returns. */
static void end(void *argument)
{
    plait_process *process = argument;
    plait__word *has_ended = &process->record->has_ended;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&process->reaping);
    atomic_store(has_ended, 1);
    plait__sentinel_tell(process);
    pthread_mutex_unlock(&process->reaping);
    plait__this_thread = NULL;
    plait__wake(has_ended, INT32_MAX);
}

static int set_name_and_cpus(const plait_process *process)
{
    const struct plait__plan *plan = process->plan;
    prctl(PR_SET_NAME, process->name);
    return plan->cpus_size && syscall(SYS_sched_setaffinity, 0, plan->cpus_size, plan->cpus) < 0 ? -errno : 0;
}

/* Who starts it waits for this if it can fail. */
static void tell_begin(plait_process *process)
{
    if (!process->plan->cpus_size) return;
    atomic_store(&process->record->has_begun, 1);
    plait__wake(&process->record->has_begun, 1);
}

static void *run(void *argument)
{
    plait_process *process = argument;
    process->pid = (pid_t)syscall(SYS_gettid);
    plait__this_thread = process;
    pthread_cleanup_push(end, process);
    process->exitcode = set_name_and_cpus(process);
    tell_begin(process);
    if (!process->exitcode) process->record->code = process->plan->function(process->plan->argument) & 0xff;
    pthread_cleanup_pop(1);
    return NULL;
}

/* ---- who started it ---- */

/* Who is no member, because the family is full, looks now and then. */
static int wait_until_set(plait__word *word, plait_deadline deadline)
{
    struct plait__wait wait = plait__wait_for(PLAIT__FOR_END, NULL, deadline);
    bool is_member = plait__member() == 0;
    int error = 0;
    while (!error && !atomic_load(word)) {
        if (is_member) error = plait__wait(&wait, word, 0, 0);
        else if (plait__expired(deadline)) error = -ETIMEDOUT;
        else plait__wait_fd(-1, 0, (plait_deadline){ plait__now() + PLAIT__MILLISECOND });
    }
    if (is_member) plait__wait_end(&wait);
    return error;
}

static int create_thread(plait_process *process)
{
    int error = -pthread_create(&process->thread, NULL, run, process);
    if (error) return plait__fail(error, "can't start new thread: [Errno %d] %s", -error, plait_strerror(error));
    if (!process->plan->cpus_size) return 0;
    wait_until_set(&process->record->has_begun, PLAIT_FOREVER);
    error = process->exitcode;
    if (!error) return 0;
    pthread_join(process->thread, NULL);
    return plait__fail(error, "the cpus: %s", plait_strerror(error));
}

static int start(plait_process *process)
{
    process->record = plait_alloc(sizeof *process->record);
    if (!process->record) return -errno;
    int error = create_thread(process);
    if (!error) return 0;
    plait_free(process->record);
    process->record = NULL;
    process->pid = 0;
    return error;
}

/* The function is over.  What destructors the program has given the C library for this thread may still run, for long perhaps:
 * `finish` waits for them. */
static bool look(plait_process *process)
{
    if (!atomic_load(&process->record->has_ended)) return false;
    process->exitcode = process->record->code;
    return true;
}

static int wait_for_end(plait_process *process, plait_deadline deadline)
{
    if (process == plait__this_thread) return plait__fail(-EDEADLK, "cannot join current thread");
    return wait_until_set(&process->record->has_ended, deadline);
}

/* 0: it is gone, -EBUSY: not yet; -EDEADLK: it asks for itself, which a destructor of its may do. */
static int try_to_join(plait_process *process)
{
    int error = 0;
    pthread_mutex_lock(&process->reaping);
    if (!process->joined && pthread_equal(process->thread, pthread_self())) error = -EDEADLK;
    else if (!process->joined && pthread_tryjoin_np(process->thread, NULL) == EBUSY) error = -EBUSY;
    else process->joined = true;
    pthread_mutex_unlock(&process->reaping);
    return error;
}

#define YIELDS 100u                                        /* mostly it takes the kernel some ten microseconds */
#define LONGEST_NAP (5 * PLAIT__MILLISECOND)

/* It looks again and again, as of several that wait only one could join. */
static int finish(plait_process *process, plait_deadline deadline)
{
    int64_t nap = PLAIT__MILLISECOND / 20;
    int error;
    for (unsigned i = 0; (error = try_to_join(process)) == -EBUSY && !plait__expired(deadline); i++) {
        if (i < YIELDS) {
            sched_yield();
            continue;
        }
        plait__wait_fd(-1, 0, (plait_deadline){ plait__earlier(deadline, plait__now() + nap) });
        nap = nap * 2 < LONGEST_NAP ? nap * 2 : LONGEST_NAP;
    }
    if (error == -EDEADLK) return plait__fail(error, "cannot join current thread");
    return 0;
}

/* (Of a fork's copy of the object there is no thread.) */
static void destroy(plait_process *process)
{
    bool ours = process->owner == getpid();
    if (ours && finish(process, PLAIT_FOREVER) == -EDEADLK) pthread_detach(process->thread);
    plait__child_destroy(process);
}

const struct plait__route plait__thread_route = {
    .start = start, .look = look, .wait = wait_for_end, .finish = finish, .destroy = destroy,
};

/* ---- the face ---- */

plait_thread *plait_thread_new(int (*function)(void *argument), const void *argument, size_t size,
                               const plait_process_options *options)
{
    plait_process_options of_thread = options ? *options : (plait_process_options){ 0 };
    of_thread.kind = PLAIT_THREADS;
    return plait_process_new(function, argument, size, &of_thread);
}

static void free_dummy(void *thread)
{
    free(thread);
}

static pthread_key_t dummy_key;
static pthread_once_t dummy_once = PTHREAD_ONCE_INIT;
static int dummy_error;

static void make_dummy_key(void)
{
    dummy_error = pthread_key_create(&dummy_key, free_dummy);
}

static void be_dummy(plait_thread *dummy)
{
    static _Atomic unsigned dummies;
    plait__be_current_thread(dummy);
    if (plait__is_main_thread()) snprintf(dummy->name, sizeof dummy->name, "MainThread");
    else snprintf(dummy->name, sizeof dummy->name, "Dummy-%u", atomic_fetch_add(&dummies, 1) + 1);
}

static plait_thread *new_dummy(void)
{
    pthread_once(&dummy_once, make_dummy_key);
    plait_thread *dummy = dummy_error ? NULL : calloc(1, sizeof *dummy);
    if (!dummy || pthread_setspecific(dummy_key, dummy) != 0) {
        free(dummy);
        plait__fail(-ENOMEM, "no private memory for the object of a thread");
        return plait__null(-ENOMEM);
    }
    be_dummy(dummy);
    return dummy;
}

plait_thread *plait_current_thread(void)
{
    static _Thread_local plait_thread *dummy;
    if (plait__this_thread) return plait__this_thread;
    if (!dummy) dummy = new_dummy();
    else if (dummy->owner != getpid()) be_dummy(dummy);    /* a fork: of whichever thread, it is the main one there */
    return dummy;
}
