/* process/exit.h - what is left to do when a process exits. */
#ifndef PLAIT_PROCESS_EXIT_H
#define PLAIT_PROCESS_EXIT_H

/* Run finalizers, end and join children, as Python does.  Once. */
void plait__shut_down(void);

/* In a child: the parent's finalizers are not its own, and it is not shutting down. */
void plait__finalizers_forget(void);

/* Have plait__shut_down called when this process exits, after the exit handlers that are registered later.  0, -ENOMEM. */
int plait__shut_down_at_exit(void);

#endif
