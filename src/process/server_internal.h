/* process/server_internal.h - what server.c (which servers there are), server_start.c and server_send.c share. */
#ifndef PLAIT_PROCESS_SERVER_INTERNAL_H
#define PLAIT_PROCESS_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include <plait/start_method.h>

#include "process/ask.h"

/* ---- server.c ---- */

/* Which servers there are, and who uses them. No fork can copy it in another thread's hands; it is held for no wait: each fork
 * needs it. */
extern pthread_mutex_t plait__server_lock;

bool plait__server_socket_is_ours(const struct plait__server *server);
bool plait__server_is_ours(const struct plait__server *server);
bool plait__server_is_dead(const struct plait__server *server);

/* One that has ended, or a fork's copy. */
void plait__server_destroy(struct plait__server *server);

/* ---- server_start.c ---- */

/* With the lock, which is free meanwhile: a new one, that has one user; NULL with errno and a detail. */
struct plait__server *plait__server_start(const plait_forkserver_options *options);

/* With the lock, which is free meanwhile: nobody else is starting one. */
void plait__server_await_start(void);

/* In a fork's child: another thread that was starting one is not here. */
void plait__server_forget_start(void);

/* ---- server_send.c ---- */

/* A message without more.  0, -ETIMEDOUT, or as plait__server_ask. */
int plait__server_say(const struct plait__server *server, enum plait__message_kind kind, plait_deadline deadline);

/* What a server says by itself: a byte.  1; 0 if it has gone, -1. */
ssize_t plait__server_hear(const struct plait__server *server);

#endif
