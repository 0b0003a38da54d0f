/* step.h - run one operation of a process instruction by instruction, and kill or hold the process in between.
 *
 *     static void prepare(void) { ... }                           the process, a member already, gets ready
 *     static void run(void) { ... }                               what is stepped through
 *     static const struct step_operation operation = { .prepare = prepare, .run = run };
 *
 *     struct stepped stepped = step_to(&operation, k);            it stands still, k instructions into run()
 *     ... look at what it has done so far ...
 *     step_kill(&stepped);                                        or step_continue, and step_leave
 *
 * One process is stepped at a time.  It works by ptrace; the one who steps is the tester.
 */
#ifndef PLAIT_TEST_STEP_H
#define PLAIT_TEST_STEP_H

#include "member.h"

/* Memory in which every change counts, see step_to_change. */
struct step_region {
    const void *start;
    size_t size;
};

struct step_operation {
    void (*prepare)(void);                                 /* may be NULL */
    void (*run)(void);
    void (*wake)(void);                                    /* run by the tester when the process has fallen asleep, to make it go
                                                              on.  NULL: then falling asleep ends the stepping */
    bool joins;                                            /* run() makes it a member; before, it is none, and its slot unknown */
    bool goes_on;                                          /* what it sleeps for comes by itself: to fall asleep ends nothing */

    /* Another process is stepped than the one that runs run(), which nobody holds up: the child that it forks first, or the one
     * that whom() says once prepare() is done.  To the end: until is_over(). */
    bool forks;
    pid_t (*whom)(void);
    bool (*is_over)(void);
};

struct stepped {
    pid_t pid;
    struct member runner;                                  /* who runs run(), if that is another */
    uint32_t slot;                                         /* 0: not known, as it is another */
    uint64_t owner;                                        /* how words name it */
    long instructions;                                     /* so many were run */
    long woken_at;                                         /* so many of them before wake(); 0: it was not needed */
    bool finished;                                         /* run() has returned */
    bool asleep;                                           /* it sleeps in the kernel, and nobody has woken it */
    bool in_call;                                          /* it stands at the begin of a system call, or the end */
    bool at_begin;                                         /* at the begin, if the kernel can say so (Linux 5.3) */
    bool at_call;                                          /* step_to_call: it has come to the next one */
};

/* Start a process and stop it after k instructions of run(), or earlier if it has finished or fallen asleep. */
struct stepped step_to(const struct step_operation *operation, long k);

/* The same, but k counts only the instructions that changed one of the regions (a list that ends with size 0), and the system
 * calls: after any other instruction, the world is the same for all others.  k = 0 stops before the first. */
struct stepped step_to_change(const struct step_operation *operation, const struct step_region *regions, long k);

/* For operations with many system calls: stop it after so many stops at the begin or the end of one, which takes no single steps,
 * and then so many instructions further, but not into the next one. */
struct stepped step_to_call(const struct step_operation *operation, long stops, long further);

/* The same, but so many changes further: of step_family_regions, or of the blocks that belong to the family. */
struct stepped step_to_change_behind_call(const struct step_operation *operation, long stops, long changes);

/* Kill it where it stands.  Returns when it is gone, not yet repaired. */
void step_kill(const struct stepped *stepped);

/* Let it run on, at most 10 s, until run() has returned.  It stays a member, for the same reason as those of member_start. */
void step_continue(struct stepped *stepped, const char *what);

/* Let it leave, and wait for its end. */
void step_leave(const struct stepped *stepped);

/* The runner, while another was stepped: wait until run() has returned, at most 10 s, and for its end. */
void step_until_returned(const struct stepped *stepped, const char *what);

/* What joining, leaving, repair and the allocator change: the roster's header and its slots, the table of spans, and of the first
 * spans the tags of their first blocks (in a family that has little).  The roster alone is the first of these regions. */
const struct step_region *step_family_regions(void);

/* The object, and the first of those. */
const struct step_region *step_object_and_roster(const void *object, size_t size);

/* PLAIT_STEP_ALL=1: the long operations too are stopped after every single instruction, or every one that others can notice. */
bool step_all(void);

/* The point after point k: the next instruction, or in long operations, where each point costs as many steps as its number says, a
 * random one soon after it. */
long step_next(long k);

#endif
