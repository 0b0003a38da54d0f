/* fail_calls.h - what fail.c (an operation that meets failures) and fail_calls.c (the calls that fail) share. */
#ifndef PLAIT_TEST_FAIL_CALLS_H
#define PLAIT_TEST_FAIL_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fail.h"

/* A kind of call, and the errors that it may have. */
struct fail_call {
    const char *name;
    int errors[8];                                         /* 0 ends them */
};
extern const struct fail_call fail_calls[FAIL_KINDS];

/* One failure, or a series of them. */
struct plan {
    enum fail_kind kind;
    int n, error;
    bool and_all_later, in_children;
};

extern struct fail_state {
    struct plan plan;
    pid_t pid;                                             /* of the host; 0: nothing is to fail */
    pid_t seen_in;                                         /* whose calls `calls` has counted: children inherit it */
    _Atomic int calls;
    _Atomic int *reached;                                  /* shared with children */
    _Atomic long allocated;                                /* blocks of private memory since the begin */
} failing;

#endif
