/* process/children.h - the children and threads that this process has started and not freed. */
#ifndef PLAIT_PROCESS_CHILDREN_H
#define PLAIT_PROCESS_CHILDREN_H

#include "process/process_internal.h"

void plait__children_add(plait_process *process);
void plait__children_remove(plait_process *process);

/* In a child that this process has forked: it has none.  Its copies of the pipes to those of its parent are closed, but for those
 * that the plan gives it: else they would hear of no end as long as it lives. */
void plait__children_forget(const struct plait__plan *plan);

/* Before this process exits: join threads that are no daemons; and, between the two kinds of finalizers, end the daemons and join
 * all the others. */
void plait__children_join_threads(void);
void plait__children_end(void);
bool plait__children_are_ending(void);

#endif
