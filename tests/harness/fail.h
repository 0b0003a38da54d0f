/* fail.h - every call to the system, the C library or the arena that can fail does, one after the other, and also all from one on.
 *
 *     static int new_queue(void) { return (queue = plait_queue_new(NULL)) ? 0 : -errno; }
 *     static void free_queue(void) { CHECK(plait_queue_free(queue) == 0); }
 *     static const struct fail_operation queue_new = { .run = new_queue, .finish = free_queue };
 *     static const struct CMUnitTest tests[] = { FAIL_TESTS(queue_new) };
 *
 * runs it in a host of its own for each kind of call, each error that this kind may have, and n = 1, 2, ... until the operation
 * makes fewer than n of them.  When run() fails, it has to say why, and must have left nothing behind: no descriptor, mapping,
 * child, block, private memory; and when it is run once more, without failures, it must work.
 *
 * Such programs are called fail_*: they are linked with --wrap for each of the functions (tests/meson.build), so the library's
 * own calls and those of the test come here, and not those that the C library makes inside.
 */
#ifndef PLAIT_TEST_FAIL_H
#define PLAIT_TEST_FAIL_H

#include "harness.h"

enum fail_kind {
    FAIL_MMAP, FAIL_MPROTECT, FAIL_MADVISE, FAIL_FTRUNCATE, FAIL_MEMFD, FAIL_FCNTL, FAIL_OPEN, FAIL_STAT, FAIL_MALLOC, FAIL_CALLOC,
    FAIL_FORK, FAIL_THREAD, FAIL_KEY, FAIL_PIPE, FAIL_EVENTFD, FAIL_FUTEX, FAIL_WAITV, FAIL_PIDFD, FAIL_PIDFD_SIGNAL,
    FAIL_ROBUST_LIST, FAIL_POLL, FAIL_WRITE, FAIL_AFFINITY, FAIL_PREAD, FAIL_CWD, FAIL_DLOPEN, FAIL_ARENA, FAIL_REALLOC,
    FAIL_STRDUP, FAIL_DUP, FAIL_CHDIR, FAIL_LIMIT, FAIL_NICE, FAIL_CPUS, FAIL_CLOSE_RANGE, FAIL_EXEC, FAIL_SOCKETPAIR, FAIL_SENDMSG,
    FAIL_RECV, FAIL_SOCKET, FAIL_CONNECT, FAIL_BIND, FAIL_LISTEN, FAIL_ACCEPT, FAIL_SOCKOPT, FAIL_RECVMSG, FAIL_FLOCK,
    FAIL_SHM_OPEN, FAIL_LINK, FAIL_FALLOCATE, FAIL_RANDOM, FAIL_STATVFS, FAIL_SENDMMSG, FAIL_RECVMMSG, FAIL_EPOLL, FAIL_EPOLL_CTL,
    FAIL_TIMERFD, FAIL_FCHMOD, FAIL_MKDTEMP, FAIL_REALPATH, FAIL_NAME, FAIL_SENDTO,
    FAIL_KINDS
};

struct fail_operation {
    void (*set_up)(void);              /* what the process is before.  NULL: the operation is the first that it does */
    void (*prepare)(void);             /* make what the operation needs, and finish() frees */
    int (*run)(void);                  /* the call: its result, or for a constructor 0 or -errno */
    void (*finish)(void);              /* after a run that worked: free what was made */
    bool in_children;                  /* the failures come in the processes that it starts, not in its own */
    bool may_need_nothing;             /* it may get through without any of these calls */
    unsigned late;                     /* so many blocks may be freed by a later call only, by finish() at the latest */
};

#define FAIL_TESTS(of) { #of, fail_at_every_call, NULL, NULL, (void *)&(of) }

void fail_at_every_call(void **state);

/* Not 0: fallocate of more is interrupted each time, as on kernels where a timer is faster than it. */
extern size_t fail_fallocate_above;

/* Whether the calls of that function can be made to fail. */
bool fail_stands_in_for(const char *function);

#endif
