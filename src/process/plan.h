/* process/plan.h - what is to be started, and with which settings: the options of the caller, copied into one block.
 *
 * The block may lie in private memory (for a fork, which copies it) or in shared memory (for a child that begins anew): all that
 * the plan points to is in the same block. */
#ifndef PLAIT_PROCESS_PLAN_H
#define PLAIT_PROCESS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include <plait/process.h>

struct plait__plan {
    void *block;                                           /* where the block begins */
    int (*function)(void *argument);
    void *argument;                                        /* size > 0: in the block */
    size_t size;
    char **argv;                                           /* a program, instead of a function; NULL */
    char *cwd;                                             /* NULL: as it is; so for the others */
    char **environment;
    plait_limit *limits;
    unsigned long *cpus;                                   /* a mask, as the kernel wants it */
    int *fds;
    size_t limit_count, cpus_size, fd_count;               /* cpus_size: bytes */
    int streams[3];                                        /* enum plait_stream or PLAIT_STREAM_FD(fd) */
    int nice, kind, method;
    bool daemon, detached;
    bool is_hidden;                                        /* one of ours: it logs nothing, and is not among the active children */
    bool may_have_children;                                /* although it is a daemon: a pool's worker */
};

/* 0, or -EINVAL with a detail. */
int plait__plan_check(const plait_process_options *options);

/* A plan in private memory (free its block) of what the caller gave; NULL with errno. */
struct plait__plan *plait__plan_new(int (*function)(void *), const void *argument, size_t size, char *const argv[],
                                    const plait_process_options *options);

/* How large a copy is, and the copy in `memory` of that size. */
size_t plait__plan_size(const struct plait__plan *plan);
struct plait__plan *plait__plan_copy(const struct plait__plan *plan, void *memory);

/* ---- the settings, applied by the child ---- */

/* What could not be done, for the parent. */
enum plait__step { PLAIT__STEP_STREAMS, PLAIT__STEP_FDS, PLAIT__STEP_LIMITS, PLAIT__STEP_NICE, PLAIT__STEP_CPUS, PLAIT__STEP_CWD,
                   PLAIT__STEP_EXEC, PLAIT__STEP_FORK, PLAIT__STEP_BEGIN };
struct plait__report {
    int step, error;                                       /* enum plait__step; positive errno, 0: it could be done */
};

/* Apply everything but the environment: standard streams (`sources`: what becomes 0, 1, 2; -1: /dev/null; -2: stays), limits, nice,
 * CPUs, current folder.  Safe between vfork and exec: only system calls.  0, or -1 with the report.  needs_arena: not yet the limit
 * on address space, which the shared memory still has to fit. */
int plait__plan_apply(const struct plait__plan *plan, const int sources[3], bool needs_arena, struct plait__report *report);

/* In the parent, just before the child is made: whether its descriptors are still open; new ones would get their numbers.  0, or
 * -EBADF with a detail. */
int plait__plan_check_descriptors(const struct plait__plan *plan);

/* Whether anything in it can fail in the child. */
bool plait__plan_may_fail(const struct plait__plan *plan);

/* Return the error with a detail. */
int plait__plan_failed(const struct plait__plan *plan, const struct plait__report *report);

#endif
