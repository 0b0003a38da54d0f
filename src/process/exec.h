/* process/exec.h - what a child finds that begins anew, in shared memory. */
#ifndef PLAIT_PROCESS_EXEC_H
#define PLAIT_PROCESS_EXEC_H

#include "code/function.h"
#include "process/process_internal.h"

/* How plait_init knows it: argv[1]; argv[2] is the descriptor and the address of this. */
#define PLAIT__CHILD_MARK "--plait-child"

/* What a child of a forkserver, its server, and who asked for it tell each other. */
struct plait__service {
    plait__word answer;                                    /* enum plait__answer: of the child, or of the server for it */
    struct plait__report report;                           /* written before FAILED */
    _Atomic int32_t pid;                                   /* written before the answer, or by who takes a seat */
    _Atomic uint32_t is_watched;                           /* who asked has a descriptor for that number: the zombie may go */
    _Atomic uint32_t has_status;                           /* the server has reaped it, and `status` is its exit code or -signal */
    int32_t status;
    uint64_t server;                                       /* the server, as a member; written by who asks */
    _Atomic uint32_t holders;                              /* enum plait__holder: the last to need this block frees it */
    int32_t given[3];                                      /* what becomes the standard streams: which of the descriptors that were
                                                              sent; -1: /dev/null; -2: as the server's */
    uint32_t sent;                                         /* how many were: those, then the plan's fds */
};
enum plait__answer { PLAIT__UNANSWERED, PLAIT__BEGUN, PLAIT__FAILED };

/* Who asked, and the server.  After the death of one of them the other lets go for him, too, whether he had done so or not. */
enum plait__holder { PLAIT__HELD_BY_USER = 1, PLAIT__HELD_BY_SERVER = 2 };

/* One block: behind it the plan and the function. */
struct plait__spawned {
    struct plait__exit_record record;
    struct plait__birth birth;
    const struct plait__function *function;
    size_t function_size;
    char detail[256];                                      /* why it could not run its function; written by the child */
    struct plait__service service;                         /* for children of a forkserver */
};

/* In a child of a forkserver: tell who asked, with the report if that is not NULL. */
void plait__answer(struct plait__spawned *spawned, const struct plait__report *report);

/* These hold the block no longer (enum plait__holder). */
void plait__spawned_drop(struct plait__spawned *spawned, uint32_t holders);

/* Everything about the process that is about to be started; NULL with errno and a detail. */
struct plait__spawned *plait__spawned_new(const plait_process *process);

/* The function could not be run: note why for whoever joins. */
void plait__spawned_failed(struct plait__spawned *spawned, int error);

/* In a child that this library has made: fill in what it needs, and run it.  Does not return. */
__attribute__((noreturn)) void plait__spawned_run(struct plait__spawned *spawned);

#endif
