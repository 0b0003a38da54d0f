/* process/exec.h - what a child finds that begins anew, in shared memory. */
#ifndef PLAIT_PROCESS_EXEC_H
#define PLAIT_PROCESS_EXEC_H

#include "process/function.h"
#include "process/process_internal.h"

/* How plait_init knows it: argv[1]; argv[2] is the descriptor and the address of this. */
#define PLAIT__CHILD_MARK "--plait-child"

/* One block: behind it the plan and the function. */
struct plait__spawned {
    struct plait__exit_record record;
    struct plait__birth birth;
    const struct plait__function *function;
    size_t function_size;
    char detail[256];                                      /* why it could not run its function; written by the child */
};

/* Everything about the process that is about to be started; NULL with errno and a detail. */
struct plait__spawned *plait__spawned_new(const plait_process *process);

/* The function could not be run: note why for whoever joins. */
void plait__spawned_failed(struct plait__spawned *spawned, int error);

/* In a child that this library has made: fill in what it needs, and run it.  Does not return. */
__attribute__((noreturn)) void plait__spawned_run(struct plait__spawned *spawned);

#endif
