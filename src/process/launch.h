/* process/launch.h - what forks and programs have in common: the child tells why its settings can't be met. */
#ifndef PLAIT_PROCESS_LAUNCH_H
#define PLAIT_PROCESS_LAUNCH_H

#include "process/process_internal.h"

/* In the child: tell. */
void plait__report(int fd, const struct plait__report *report);

/* In the parent: wait until the child has told, closed its end of the pipe, or ended.  0: it goes on; or the error, and the child
 * is gone and its sentinel closed. */
int plait__hear(plait_process *process, int fd, plait_deadline deadline);

/* End a child that nobody will wait for. */
void plait__kill_unwatched(pid_t pid);

/* The error of a fork, with a detail. */
int plait__fork_failed(int error);

#endif
