/* process/process_internal.h - the object of a process or thread, in the memory of the process that made it. */
#ifndef PLAIT_PROCESS_INTERNAL_H
#define PLAIT_PROCESS_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <plait/process.h>

#include "base/fd.h"
#include "base/futex.h"
#include "family/roster.h"
#include "log/log.h"
#include "process/plan.h"

#define PLAIT__IDENTITY_SIZE 48u

/* What a child leaves behind in shared memory: its exit code, because the host program may take the status by a wait() of its
 * own.  Written by the child, once; by the forkserver, if the child could not. */
enum plait__told { PLAIT__RUNS, PLAIT__TOLD, PLAIT__ENDED_UNTOLD };        /* the last: the forkserver says so, see its status */
struct plait__exit_record {
    plait__word has_ended, has_begun;                      /* the second: of threads, when somebody waits for that;
                                                              and of children that begin anew, once they have this */
    int32_t code;
    _Atomic uint32_t last_words;                           /* LAST_WORDS and the exit code, of a child of the forkserver that must
                                                              not tell it yet: it counts once the child is gone */
};
#define PLAIT__LAST_WORDS 0x100u

/* How far an object has come. */
enum plait__stage { PLAIT__NEW, PLAIT__STARTING, PLAIT__STARTED };

struct plait__route;

struct plait_process {
    char name[PLAIT__PROCESS_NAME_SIZE], class_name[PLAIT__PROCESS_NAME_SIZE];
    char identity[PLAIT__IDENTITY_SIZE];                   /* which child of which child it will be: "2:1" */
    struct plait__plan *plan;                              /* NULL in the objects of this process and of its parent */
    void *block;                                           /* in which the plan lies; NULL: it is not ours to free */
    const struct plait__route *route;                      /* NULL until it is started */
    _Atomic pid_t owner;                                   /* whose memory this is */
    pid_t parent;                                          /* whose child it is */
    _Atomic pid_t pid;
    _Atomic int stage;                                     /* enum plait__stage */
    _Atomic int sentinel;                                  /* see sentinel.h; -1: there is none, or it was lost.  Under `reaping` */
    _Atomic bool is_pidfd;
    struct plait__file file;                               /* of the sentinel: which it is */
    int streams[3];                                        /* our ends of its standard streams; -1 */
    struct plait__file stream_files[3];                    /* which those are */
    struct plait__capture *capture;                        /* of a communicate that was interrupted by its deadline; NULL */
    _Atomic int64_t gone_since;                            /* a child of the forkserver: its end was seen, but not told; 0 */
    pthread_mutex_t reaping;                               /* guards the rest */
    bool has_ended;
    int exitcode;                                          /* or PLAIT_EREAPED, or why it could not run its function: */
    const char *detail;                                    /* in the block of the record; NULL */
    struct plait__exit_record *record;                     /* the begin of a block in shared memory */
    pthread_t thread;                                      /* of kind PLAIT_THREADS; until it is joined */
    bool joined;
    bool ending;                                           /* a daemon that was asked to end, at exit */
    unsigned pins;                                         /* who joins it at exit, and may not find it freed; see children.c */
    struct plait_process *next, *previous;                 /* the children of this process, see children.h */
};

/* How the different kinds of children are started and how they end. */
struct plait__route {
    /* Start it.  0, or an error with a detail and nothing left behind. */
    int (*start)(plait_process *process);
    /* With `reaping` locked: has it ended?  Then `exitcode` is set. */
    bool (*look)(plait_process *process);
    /* Wait until it may have ended.  0, -ETIMEDOUT, or an error of the system. */
    int (*wait)(plait_process *process, plait_deadline deadline);
    /* After `look` said that it has ended: wait until nothing of it is left, or for the deadline.  0, -EDEADLK; NULL:
     * nothing is left. */
    int (*finish)(plait_process *process, plait_deadline deadline);
    /* Of processes of plait_process_new, with `reaping` locked and it running: 0 or -errno. */
    int (*signal)(plait_process *process, int signal);
    /* It has ended, or was never started: give back what the route has made. */
    void (*destroy)(plait_process *process);
};
extern const struct plait__route plait__fork_route, plait__exec_route, plait__server_route, plait__thread_route;

/* All that a child needs to know of itself, in memory that it inherits or that is shared. */
struct plait__birth {
    const struct plait__plan *plan;
    int (*function)(void *argument);
    struct plait__exit_record *record;
    pid_t parent;
    int parent_pidfd;                                      /* -1: there is none */
    bool from_main_thread;
    bool is_served;                                        /* the forkserver forks for the parent */
    bool all_flushed;                                      /* every stdio stream was flushed before the fork */
    int method;                                            /* the parent's start method */
    struct plait__log_state log;
    void *kept;                                            /* of a fork: the block of its plan, which is never freed */
    char name[PLAIT__PROCESS_NAME_SIZE], class_name[PLAIT__PROCESS_NAME_SIZE], parent_name[PLAIT__PROCESS_NAME_SIZE];
    char identity[PLAIT__IDENTITY_SIZE];
};

/* Fill in all that the parent knows. */
void plait__birth_fill(struct plait__birth *birth, const plait_process *process);

/* Flush stdout and stderr; all streams if that is asked for and can be done: in a program with threads, fflush(NULL) could wait for
 * ever for a stream that another thread is reading.  Whether it was all. */
bool plait__flush_streams(bool all);

/* Be the child: the settings are applied already.  Does not return. */
__attribute__((noreturn)) void plait__child_run(const struct plait__birth *birth);

/* ---- process.c ---- */

/* An object for a plan in private memory, which it takes over; NULL with errno, and the plan is freed. */
plait_process *plait__process_new(struct plait__plan *plan, const plait_process_options *options);

/* A daemon that may have children, for pools: a process like any other, but nobody waits for it at exit. */
plait_process *plait__start_worker(int (*function)(void *argument), const void *argument, size_t size, const char *class_name);

/* Return the object if the start works; else free it: NULL with errno. */
plait_process *plait__start_or_free(plait_process *process);

/* ---- end.c ---- */

/* It is an object of this process: 0, -EINVAL, -ECHILD; and it was started: PLAIT_ENOTSTARTED. */
int plait__check_ours(const plait_process *process);
int plait__check_started(const plait_process *process);

/* Whether it has ended, by a look if that is not yet known. */
bool plait__is_over(plait_process *process);

/* Before sleeping until it has ended. */
void plait__spin_for_end(const plait_process *process);

/* The exit code or -signal of an ended child. */
int plait__status_of(const siginfo_t *info);

/* For routes whose children are the kernel's children of this process. */
bool plait__child_look(plait_process *process);
int plait__child_wait(plait_process *process, plait_deadline deadline);
int plait__child_signal(plait_process *process, int signal);
void plait__child_destroy(plait_process *process);

/* ---- current.c ---- */

/* In a child: who it is. */
void plait__be(const struct plait__birth *birth);

/* ---- parent.c ---- */

/* In a child: whose it is; and unless it is detached, have it killed as soon as that one is gone. */
void plait__have_parent(const struct plait__birth *birth);

/* What tells of the parent's end: a descriptor that is not the caller's; -1: nothing does, look now and then. */
int plait__parent_descriptor(void);

/* Which child of which child this process is: "" or "2:1"; how many children, and threads, it has made, for their names. */
extern char plait__identity[PLAIT__IDENTITY_SIZE];
extern _Atomic uint32_t plait__children_made, plait__threads_made;

bool plait__is_daemon(void);
bool plait__may_have_children(void);
bool plait__is_main_thread(void);

/* Make it the object of the calling thread, which plait has not started. */
void plait__be_current_thread(plait_process *thread);

/* The thread that plait has started and that calls; NULL. */
extern _Thread_local plait_process *plait__this_thread;

#endif
