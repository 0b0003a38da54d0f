/* process/ask.h - a forkserver, as those see it who want children of it. */
#ifndef PLAIT_PROCESS_ASK_H
#define PLAIT_PROCESS_ASK_H

#include "base/fd.h"
#include "process/server.h"

/* A server that this process has started, or one that it has inherited as a fork of such a process. Counted by those who use it,
 * and by `current` or `retired` of server.c. */
struct plait__server {
    struct plait__server *next;                            /* of those that are retired */
    plait_process *process;
    struct plait__server_board *board;
    int socket;
    struct plait__file file;                               /* which socket that was: the program may have closed it */
    int (*preload)(void);                                  /* what it was started with; NULL */
    _Atomic pid_t greeted;                                 /* the process that the server knows of */
    pid_t holder;                                          /* the process for which this is counted among the board's holders */
    unsigned users;
};

/* The current one, which is started if there is none; NULL with errno. */
struct plait__server *plait__server_use(void);
void plait__server_release(struct plait__server *server);

/* Ask it for a child, with descriptors; a socket that is full is waited for.  0; -ECANCELED: it has been killed, or ends; -errno,
 * with a detail. */
int plait__server_ask(const struct plait__server *server, struct plait__spawned *spawned, const int *fds, unsigned count);

/* Have it look after its stock.  One that is so busy that its socket is full will do so by itself.  As above. */
int plait__server_look(const struct plait__server *server);

#endif
