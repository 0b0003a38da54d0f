/* process/serve.h - inside of a forkserver: its children. */
#ifndef PLAIT_PROCESS_SERVE_H
#define PLAIT_PROCESS_SERVE_H

#include "process/server.h"

#define PLAIT__SENT_MAX 253                                /* descriptors that one message can carry */

/* In a new child, whose parent is `server`: give up what is the server's. */
void plait__be_served(pid_t server);

/* A new child, in a seat or for a request; in the child 0, -1 with errno.  plait__be_served was called. */
pid_t plait__make_child(struct plait__seat *seat, struct plait__spawned *spawned);

/* A new child for a seat that has none.  False: every seat has one, or there can't be more children now. */
bool plait__fill_a_seat(struct plait__server_board *board);

/* End those that sit where the stock, which was larger, has no place any more. */
void plait__empty_seats(struct plait__server_board *board);

/* Reap those that have ended, and tell how; see which seats were left. */
void plait__bury_children(void);

/* The same, and wait for the end of those that have told their exit codes. */
void plait__bury_those_who_told(void);

/* Some zombies have to wait until whoever asked for them has noted their numbers; or some have been taken, and have not got up yet. */
bool plait__has_late_children(void);

/* Any, but those that are detached. */
bool plait__has_children(void);

/* The same, without those that have told their exit codes: they are at their last step. */
bool plait__has_running_children(void);

/* A user has died, or all have (0): so do their children, but those that are detached. */
void plait__children_of(pid_t user);

#endif
