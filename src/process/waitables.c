#include "process/waitables.h"

#include <poll.h>

#include <plait/thread.h>

#include "base/error.h"
#include "family/wait.h"
#include "process/process_internal.h"
#include "process/sentinel.h"

/* Where nothing can be relied on to tell: without pidfds, as a pipe's other end may be kept open by others. */
#define NOW_AND_THEN (20 * PLAIT__MILLISECOND)

/* The objects of this process, and of threads that plait has not started, refuse to be waited for. */
static int check(plait_process *process)
{
    int error = plait__check_started(process);
    if (!error && process == plait__this_thread) error = plait__fail(-EDEADLK, "%s would wait for its own end", process->name);
    if (!error && !process->plan && process != plait_parent_process()) error = process->route->wait(process, PLAIT_NOW);
    return error;
}

/* A child of the forkserver tells by a word that it has ended, before its descriptor does; and a thread has nothing else. */
static void find_word(const plait_process *process, struct plait__place *place)
{
    bool by_word = process->route == &plait__thread_route || process->route == &plait__server_route;
    if (by_word) place->word = &process->record->has_ended;
}

static void find_descriptor(plait_process *process, struct plait__place *place)
{
    if (process->route == &plait__thread_route) return;
    pthread_mutex_lock(&process->reaping);
    bool is_child = process->plan != NULL, is_sure = !is_child || process->is_pidfd;
    if (is_child && plait__sentinel_is_ours(process)) place->fd = process->sentinel;
    pthread_mutex_unlock(&process->reaping);
    if (!is_child) place->fd = plait__parent_descriptor();
    if (place->fd < 0 || !is_sure) place->again = plait__now() + NOW_AND_THEN;
}

/* The word is read last by plait__is_over, which says no as long as it is what `expected` says. */
static int look(void *object, bool arms, struct plait__place *place)
{
    (void)arms;
    plait_process *process = object;
    int error = check(process);
    if (error) return error;
    *place = plait__place_at(NULL, 0);
    place->events = POLLIN;
    if (plait__is_over(process)) return 1;
    find_word(process, place);
    find_descriptor(process, place);
    return 0;
}

const struct plait__waitable plait__process_waitable = { .look = look };
