/* sync/graph.h - who waits for whom. */
#ifndef PLAIT_SYNC_GRAPH_H
#define PLAIT_SYNC_GRAPH_H

#include "family/wait.h"

/* "lock", "event", ... */
const char *plait__kind_name(enum plait__waits_for kind);

/* The calling thread has waited in vain for an object whose word, an owner word, was `seen`: if its holder waits in turn, and so on
 * until somebody waits for one who is in the chain already, the detail gets the whole cycle. */
void plait__blame_deadlock(enum plait__waits_for kind, const void *object, const _Atomic uint64_t *word, uint64_t seen);

/* The same of who has waited for the end of a thread, or of a process, whose first thread has its pid. */
void plait__blame_join(int32_t tid);

#endif
