/* someone.h - somebody else who does something, as a thread or as a process: what holds for the one has to hold for the other. */
#ifndef PLAIT_TEST_SOMEONE_H
#define PLAIT_TEST_SOMEONE_H

#include "harness.h"
#include "others.h"

enum someone_kind { A_THREAD, A_PROCESS, SOMEONE_KINDS };

struct someone {
    enum someone_kind kind;
    struct test_thread thread;
    pid_t tid;                                             /* of a process: its pid */
    int (*body)(void *argument);
    void *argument;
};

/* A process ends cleanly, as a thread does that returns. */
static int someone__as_process(void *argument)
{
    const struct someone *it = argument;
    const int result = it->body(it->argument);
    plait_leave();
    return result;
}

/* Processes first: in a child of a program with threads not everything works under every tool.
 * The body must use CHECK, not assert_*; its result is from 0 to 255. */
static inline void someone_start(struct someone *it, enum someone_kind kind, int (*body)(void *argument), void *argument)
{
    *it = (struct someone){ .kind = kind, .body = body, .argument = argument };
    if (kind == A_PROCESS) {
        it->tid = test_fork(someone__as_process, it);
    } else {
        test_thread_start(&it->thread, body, argument);
        it->tid = it->thread.tid;
    }
}

static inline int someone_finish(struct someone *it)
{
    return it->kind == A_PROCESS ? test_wait_exit(it->tid) : test_thread_join(&it->thread);
}

#endif
