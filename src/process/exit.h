/* process/exit.h - what is left to do when a process exits. */
#ifndef PLAIT_PROCESS_EXIT_H
#define PLAIT_PROCESS_EXIT_H

/* Run finalizers, end and join children, as Python does.  Once; but if a finalizer calls exit, call it again for the rest. */
void plait__shut_down(void);

/* Have plait__shut_down called when this process exits, after the exit handlers that are registered later.  In a child the parent's
 * finalizers are forgotten, whatever is returned.  0, -ENOMEM. */
int plait__shut_down_at_exit(void);

#endif
