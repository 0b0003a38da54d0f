/* process/server.h - the forkserver: a small process without threads that makes children for others.
 *
 * It is spawned by the process that first needs one, its owner, and used by the owner's forks too.  Requests go through a socket,
 * answers through shared memory.  It ends with its owner, and its children end with it.
 */
#ifndef PLAIT_PROCESS_SERVER_H
#define PLAIT_PROCESS_SERVER_H

#include "process/exec.h"

#define PLAIT__SEATS_MAX 256

/* A child that waits for something to do.  `birth` is the truth: to exchange READY for the address of what it is to be is to have
 * taken it. */
struct plait__seat {
    _Atomic uint64_t birth;
    _Atomic int32_t pid;
    _Atomic uint32_t has_left;                             /* the child has seen what it is to be: the seat may get another one */
};
#define PLAIT__READY UINT64_C(0)
#define PLAIT__EMPTY UINT64_C(1)                           /* there is no child, or not yet */

struct plait__server_board {
    _Atomic uint64_t owner;                                /* the server as a member */
    _Atomic uint32_t holders;                              /* its owner, and the owner's forks: the last of them frees this */
    _Atomic uint32_t is_stopping;                          /* it makes no more children */
    int32_t error;                                         /* written before it says that it is ready */
    char detail[256];
    _Atomic uint32_t stock;                                /* how many seats to keep READY; written by the owner */
    _Atomic uint32_t first;                                /* where to look first, a hint */
    struct plait__seat seats[PLAIT__SEATS_MAX];            /* of each seat: the server EMPTY, its child READY, others an address */
    size_t preload_size;                                   /* 0: there is none */
    struct plait__function preload_function;               /* the last: only as much of it as is needed */
};

/* What is sent.  With a START come the descriptors. */
/* LOOK: the stock is low, or another size */
enum plait__message_kind { PLAIT__HELLO, PLAIT__START, PLAIT__STOP, PLAIT__LOOK };
struct plait__message {
    uint32_t kind;                                         /* enum plait__message_kind */
    int32_t pid;                                           /* who asks */
    struct plait__spawned *spawned;
};

/* The argument of plait__serve. */
struct plait__server_start {
    struct plait__server_board *board;
    int socket;
};

/* The function that the server runs. */
int plait__serve(void *argument);

/* In a child that the server has made, with the descriptors that were sent: be what was asked for. */
__attribute__((noreturn)) void plait__serve_one(struct plait__spawned *spawned, int *sent, unsigned count);

/* Have the pages that a fork needs first: see warm.c. */
void plait__warm_up(void);

/* Sit down: wait until somebody takes this child, then be that. */
__attribute__((noreturn)) void plait__sit(const struct plait__server_board *board, struct plait__seat *seat);

/* Take a child that is READY for this. */
enum plait__taken {
    PLAIT__NONE_TAKEN,
    PLAIT__TAKEN,
    PLAIT__TAKEN_UNKNOWN                                   /* its number has to be waited for: it tells that with its answer */
};
enum plait__taken plait__take_seat(struct plait__server_board *board, struct plait__spawned *spawned);

/* In a child that is about to execute another program.  One of vfork is none of the holders, so there is nothing to do; but
 * ThreadSanitizer makes a fork of vfork. */
void plait__server_not_after_exec(void);

/* At exit, when all children have ended: end and join this process's server. */
void plait__server_end(void);

#endif
