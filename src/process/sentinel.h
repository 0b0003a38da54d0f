/* process/sentinel.h - the descriptor that tells of a child's end: a pidfd; or, where there are none, the end of a pipe whose other
 * end the child keeps open.  A program may close it, as some close all that they do not know, and open its own in its place: so it
 * is looked at before it is relied on, or closed. */
#ifndef PLAIT_PROCESS_SENTINEL_H
#define PLAIT_PROCESS_SENTINEL_H

#include "process/process_internal.h"

/* A pipe, closed on exec, away from 0, 1 and 2.  0, or an error without a detail. */
int plait__make_pipe(int ends[2]);

/* Before the fork, so that a lack of descriptors shows in time. */
struct plait__reservation {
    int parent;                                            /* with pidfds: the parent's, which keeps a place free for the child's */
    int pipe[2];                                           /* without */
};

/* 0, or an error with a detail. */
int plait__sentinel_reserve(struct plait__reservation *reserved);

/* Without a child. */
void plait__sentinel_drop(const struct plait__reservation *reserved);

/* In the parent, with the child's pid.  0, or the error for which it can't be watched. */
int plait__sentinel_take(plait_process *process, const struct plait__reservation *reserved);

/* With `reaping` locked: have one for the program's own poll, though it was lost, or is a thread's, which begins without.  0 or
 * -errno. */
int plait__sentinel_have(plait_process *process);

/* In a thread that ends, with `reaping` locked: if it has one, make it readable. */
void plait__sentinel_tell(const plait_process *process);

/* Of a child of the forkserver, if there are pidfds.  0 or -errno. */
int plait__sentinel_of_served(plait_process *process);

/* Still the one that it was. */
bool plait__sentinel_is_ours(const plait_process *process);

/* In the child: the pidfd of its parent, or -1.  It is the child's to close. */
int plait__sentinel_in_child(const struct plait__reservation *reserved);

/* With `reaping` locked: if it is not ours any more, have another one; or none, and the sentinel is -1. */
void plait__sentinel_keep(plait_process *process);

void plait__sentinel_close(const plait_process *process);

#endif
