/* process/process.c - the object: making it, starting it, what it is. */
#include "process/process_internal.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <plait/start_method.h>

#include "base/error.h"
#include "base/libc.h"
#include "family/roster.h"
#include "process/children.h"
#include "process/stream.h"

/* ---- making ---- */

/* As in Python, an empty name is none. */
static bool is_given(const char *name)
{
    return name && *name;
}

/* "Worker-2", in a child "Worker-1:2".  Those of ours take no number from those that the program makes. */
static void give_name(plait_process *process, const plait_process_options *options)
{
    bool is_thread = process->plan->kind == PLAIT_THREADS;
    const char *class_name = is_given(options->class_name) ? options->class_name : is_thread ? "Thread" : "Process";
    snprintf(process->class_name, sizeof process->class_name, "%s", class_name);
    _Atomic uint32_t *made = is_thread ? &plait__threads_made : &plait__children_made;
    unsigned number = process->plan->is_hidden ? 0 : atomic_fetch_add(made, 1) + 1;
    if (is_thread) snprintf(process->identity, sizeof process->identity, "%u", number);
    else snprintf(process->identity, sizeof process->identity, "%.32s%s%u", plait__identity, *plait__identity ? ":" : "", number);
    if (is_given(options->name)) snprintf(process->name, sizeof process->name, "%s", options->name);
    else snprintf(process->name, sizeof process->name, "%.30s-%.32s", class_name, process->identity);
}

plait_process *plait__process_new(struct plait__plan *plan, const plait_process_options *options)
{
    plait_process *process = calloc(1, sizeof *process);
    if (!process) {
        free(plan->block);
        plait__fail(-ENOMEM, "no private memory for a process object");
        return plait__null(-ENOMEM);
    }
    process->plan = plan;
    process->block = plan->block;
    process->owner = process->parent = getpid();
    process->sentinel = -1;
    for (int i = 0; i < 3; i++) process->streams[i] = -1;
    pthread_mutex_init(&process->reaping, NULL);
    if (plan->kind == PLAIT_THREADS && plait__this_thread && plait__this_thread->plan->daemon) plan->daemon = true;
    give_name(process, options);
    return process;
}

static const plait_process_options defaults;

plait_process *plait_process_new(int (*function)(void *argument), const void *argument, size_t size,
                                 const plait_process_options *options)
{
    if (!options) options = &defaults;
    int error = plait__plan_check(options);
    if (!error && !function) error = plait__fail(-EINVAL, "the function is NULL");
    if (!error && !argument && size) error = plait__fail(-EINVAL, "the argument is NULL, its size %zu", size);
    if (!error && size > SIZE_MAX / 2) error = plait__fail(-ENOMEM, "no private memory for an argument of %zu bytes", size);
    if (error) return plait__null(error);
    struct plait__plan *plan = plait__plan_new(function, argument, size, NULL, options);
    return plan ? plait__process_new(plan, options) : NULL;
}

/* ---- starting ---- */

static const struct plait__route *choose_route(const struct plait__plan *plan)
{
    if (plan->kind == PLAIT_THREADS) return &plait__thread_route;
    if (plan->argv) return &plait__exec_route;
    switch (plan->method ? plan->method : plait_get_start_method()) {
    case PLAIT_SPAWN: return &plait__exec_route;
    case PLAIT_FORKSERVER: return &plait__server_route;
    default: return &plait__fork_route;
    }
}

static int start_by(plait_process *process, const struct plait__route *route)
{
    if (route != &plait__thread_route && !plait__may_have_children())
        return plait__fail(PLAIT_EDAEMON, "daemonic processes are not allowed to have children");
    int error = plait__member();
    return error ? error : route->start(process);
}

/* A start makes calls at which a thread may be cancelled, even in the child that has not yet executed and runs on our stack; and it
 * could be undone from none of them. */
static int start_uncancelled(plait_process *process)
{
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    int error = start_by(process, process->route);
    pthread_setcancelstate(before, NULL);
    return error;
}

int plait_process_start(plait_process *process)
{
    int error = plait__check_ours(process), expected = PLAIT__NEW;
    if (error) return error;
    if (!process->plan) return plait__fail(-EINVAL, "%s was not made by plait_process_new", process->name);
    if (!atomic_compare_exchange_strong(&process->stage, &expected, PLAIT__STARTING))
        return plait__fail(-EALREADY, "cannot start a process twice");
    process->route = choose_route(process->plan);
    error = start_uncancelled(process);
    if (error) process->route = NULL;
    else if (!process->plan->is_hidden) plait__children_add(process);
    atomic_store(&process->stage, error ? PLAIT__NEW : PLAIT__STARTED);
    return error;
}

plait_process *plait__start_or_free(plait_process *process)
{
    if (!process) return NULL;
    int error = plait_process_start(process);
    if (!error) return process;
    plait_process_free(process);
    return plait__null(error);
}

plait_process *plait_start(int (*function)(void *argument), const void *argument, size_t size,
                           const plait_process_options *options)
{
    return plait__start_or_free(plait_process_new(function, argument, size, options));
}

plait_process *plait__start_worker(int (*function)(void *argument), const void *argument, size_t size, const char *class_name)
{
    if (plait__children_are_ending()) return plait__null(plait__fail(-ECANCELED, "the program is ending"));
    plait_process_options options = { .class_name = class_name, .daemon = 1, .method = PLAIT_FORK };
    plait_process *process = plait_process_new(function, argument, size, &options);
    if (process) process->plan->may_have_children = true;
    return plait__start_or_free(process);
}

/* ---- freeing ---- */

static void destroy(plait_process *process)
{
    for (int i = 0; i < 3; i++) plait__stream_close(process, i);
    plait__capture_free(process->capture);
    if (process->route) process->route->destroy(process);
    free(process->block);
    pthread_mutex_destroy(&process->reaping);
    free(process);
}

/* (A fork's copy of the object is freed, and nothing that belongs to the process.) */
int plait_process_free(plait_process *process)
{
    if (!process) return 0;
    if (!process->plan) return plait__fail(-EINVAL, "%s was not made by plait_process_new", process->name);
    bool ours = process->owner == getpid();
    int stage = ours ? atomic_load(&process->stage) : PLAIT__NEW;
    if (stage == PLAIT__STARTING || (stage == PLAIT__STARTED && !plait__is_over(process)))
        return plait__fail(PLAIT_ERUNNING, "Cannot close a process while it is still running: %s (pid %d)", process->name,
                           (int)process->pid);
    if (ours) plait__children_remove(process);
    destroy(process);
    return 0;
}

/* ---- what it is ---- */

/* A thread learns its number by itself, which takes a moment; in a fork's copy it never does. */
pid_t plait_process_pid(const plait_process *process)
{
    if (!process) return plait__fail(-EINVAL, "the process is NULL");
    while (!process->pid && atomic_load(&process->stage) == PLAIT__STARTED && process->owner == getpid()) sched_yield();
    return process->pid;
}

const char *plait_process_name(const plait_process *process)
{
    return process ? process->name : "";
}

int plait_process_set_name(plait_process *process, const char *name)
{
    if (!process || !name) return plait__fail(-EINVAL, "the %s is NULL", process ? "name" : "process");
    size_t length = strlen(name);
    if (!length || length >= sizeof process->name) return plait__fail(-EINVAL, "a name of %zu bytes; 1 to 63 are possible", length);
    int error = process == plait_current_process() ? plait__rename_process(name) : 0;
    if (!error) memcpy(process->name, name, length + 1);
    return error;
}

int plait_process_daemon(const plait_process *process)
{
    if (!process) return plait__fail(-EINVAL, "the process is NULL");
    return process->plan ? process->plan->daemon : process == plait_current_process() && plait__is_daemon();
}

int plait_process_set_daemon(plait_process *process, int daemon)
{
    if (!process || !process->plan) return plait__fail(-EINVAL, "no process of plait_process_new");
    if (atomic_load(&process->stage) != PLAIT__NEW) return plait__fail(-EALREADY, "process has already started");
    process->plan->daemon = daemon != 0;
    return 0;
}

int plait_process_kind(const plait_process *process)
{
    if (!process) return plait__fail(-EINVAL, "the process is NULL");
    if (process->plan) return process->plan->kind;
    return process == plait_current_process() || process == plait_parent_process() ? PLAIT_PROCESSES : PLAIT_THREADS;
}

/* "started", "initial", "stopped exitcode=-SIGTERM". */
static void describe_state(plait_process *process, char *text, size_t size)
{
    int code = process->plan ? plait_process_exitcode(process) : PLAIT_ERUNNING;
    const char *signal = code < 0 && code > -128 ? plait__signal_name(-code) : NULL;
    if (code == PLAIT_ENOTSTARTED) snprintf(text, size, "initial");
    else if (code == PLAIT_ERUNNING) snprintf(text, size, "started");
    else if (code == PLAIT_EREAPED) snprintf(text, size, "unknown");
    else if (signal) snprintf(text, size, "stopped exitcode=-%s", signal);
    else snprintf(text, size, "stopped exitcode=%d", code);
}

int plait_process_repr(plait_process *process, char *text, size_t size)
{
    if (!process || (!text && size)) return plait__fail(-EINVAL, "the %s is NULL", process ? "text" : "process");
    char state[64], pid[32] = "";
    describe_state(process, state, sizeof state);
    pid_t number = plait_process_pid(process);
    if (number) snprintf(pid, sizeof pid, " pid=%d", (int)number);
    return snprintf(text, size, "<%s name='%s'%s parent=%d %s%s>", process->class_name, process->name, pid, (int)process->parent,
                    state, plait_process_daemon(process) > 0 ? " daemon" : "");
}
