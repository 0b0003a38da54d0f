/* process/process_internal.h - the object of a started process, in the memory of the process that started it. */
#ifndef PLAIT_PROCESS_INTERNAL_H
#define PLAIT_PROCESS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <plait/process.h>

#include "family/roster.h"

/* What a child leaves behind in shared memory: its exit code, because the host program may take the status by a wait() of its
 * own.  Written by the child, once. */
struct plait__exit_record {
    _Atomic uint32_t has_ended;
    int32_t code;
};

struct plait_process {
    char name[PLAIT__PROCESS_NAME_SIZE];
    pid_t parent, pid;
    _Atomic int sentinel;                                  /* see sentinel.h; -1: it was lost.  Written under `reaping` */
    _Atomic bool is_pidfd;
    dev_t device;                                          /* of the sentinel: which file it is */
    ino_t inode;
    pthread_mutex_t reaping;                               /* guards the rest */
    bool has_ended;
    int exitcode;                                          /* or PLAIT_EREAPED */
    struct plait__exit_record *record;
};

/* All that the child needs, in memory that it inherits. */
struct plait__birth {
    int (*function)(void *argument);
    void *argument;
    const char *name, *identity;
    struct plait__exit_record *record;
    pid_t parent;
    int parent_pidfd;                                      /* -1: there is none */
    bool daemon, from_main_thread;
    bool all_flushed;                                      /* every stdio stream was flushed before the fork */
};

/* Flush stdout and stderr; all streams if that is asked for and can be done: in a program with threads, fflush(NULL) could wait for
 * ever for a stream that another thread is reading.  Whether it was all. */
bool plait__flush_streams(bool all);

/* Be the child.  Does not return. */
__attribute__((noreturn)) void plait__child_run(const struct plait__birth *birth);

/* Have this process killed as soon as its parent is gone.  thread_bound: the kernel may take the end of the thread that forked
 * for the end of the parent. */
void plait__end_with_parent(const struct plait__birth *birth, bool thread_bound);

/* How many children this process has started, for their names. */
extern _Atomic uint32_t plait__children_started;

/* Which child of which child this process is: "" or "2:1".  Set in children. */
extern char plait__identity[48];

#endif
