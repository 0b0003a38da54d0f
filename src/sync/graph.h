/* sync/graph.h - who waits for whom. */
#ifndef PLAIT_SYNC_GRAPH_H
#define PLAIT_SYNC_GRAPH_H

#include "family/wait.h"

/* "lock", "event", ... */
const char *plait__kind_name(enum plait__waits_for kind);

/* The calling thread has waited for an object that slot `holder` has, in vain: if that one waits in turn, and so on until somebody
 * waits for one who is in the chain already, the detail gets the whole cycle. */
void plait__blame_deadlock(enum plait__waits_for kind, const void *object, uint32_t holder);

/* The same of who has waited for the end of a thread, or of a process, whose first thread has its pid. */
void plait__blame_join(int32_t tid);

#endif
