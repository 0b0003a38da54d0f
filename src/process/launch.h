/* process/launch.h - what forks and programs have in common: the child tells why its settings can't be met. */
#ifndef PLAIT_PROCESS_LAUNCH_H
#define PLAIT_PROCESS_LAUNCH_H

#include "process/sentinel.h"

/* In the child: tell. */
void plait__report(int fd, const struct plait__report *report);

/* In the parent: wait until the child has told, closed its end of the pipe, or ended.  0: it goes on; or the error, and the child
 * is gone and its sentinel closed. */
int plait__hear(plait_process *process, int fd, plait_deadline deadline);

/* In the parent, after the fork: note the child, and watch it.  pid < 0: there is none, because of this errno.  0, or an error with
 * a detail, and neither child nor reservation is left. */
int plait__watch_child(plait_process *process, pid_t pid, int error, const struct plait__reservation *reserved);

#endif
