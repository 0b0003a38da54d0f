/* What tests see of others: threads with a number, flags to wait for, and what the roster says of somebody. */
#ifndef PLAIT_TEST_OTHERS_H
#define PLAIT_TEST_OTHERS_H

#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <plait/family.h>

#include "base/deadline.h"
#include "base/fault.h"
#include "family/repair.h"
#include "family/roster.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449             /* the same number on every architecture */
#endif

#ifdef __SANITIZE_ADDRESS__
#define TEST_UNDER_ASAN 1
#else
#define TEST_UNDER_ASAN 0
#endif

/* --- flags, in shared memory or on the stack ------------------------------------------------------------------------- */

static inline bool test__flag_is_set(void *flag)
{
    return atomic_load((_Atomic int *)flag) != 0;
}

static inline void test_until_set(_Atomic int *flag)
{
    test_until(test__flag_is_set, flag);
}

struct test__count {
    _Atomic int *counter;
    int least;
};

static inline bool test__has_counted(void *argument)
{
    const struct test__count *count = argument;
    return atomic_load(count->counter) >= count->least;
}

static inline void test_until_at_least(_Atomic int *counter, int least)
{
    test_until(test__has_counted, &(struct test__count){ counter, least });
}

/* --- threads ------------------------------------------------------------------------------------------------------------ */

struct test_thread {
    int (*body)(void *argument);
    void *argument;
    int result;
    _Atomic int tid;
    pthread_t thread;
};

static inline void *test__thread_main(void *argument)
{
    struct test_thread *thread = argument;
    atomic_store(&thread->tid, (int)syscall(SYS_gettid));
    thread->result = thread->body(thread->argument);
    return NULL;
}

/* Start it and wait until its tid is known.  The body must use CHECK, not assert_*. */
static inline void test_thread_start(struct test_thread *thread, int (*body)(void *argument), void *argument)
{
    *thread = (struct test_thread){ .body = body, .argument = argument };
    CHECK(pthread_create(&thread->thread, NULL, test__thread_main, thread) == 0);
    test_until_set(&thread->tid);
}

static inline int test_thread_join(struct test_thread *thread)
{
    CHECK(pthread_join(thread->thread, NULL) == 0);
    return thread->result;
}

/* --- what the roster says ----------------------------------------------------------------------------------------------- */

/* The slot in which that thread lives, or 0.  (A pid names the first thread of that process.) */
static inline uint32_t test_slot_of(pid_t tid)
{
    const uint32_t made = plait__roster ? atomic_load(&plait__roster->made) : 0;
    for (uint32_t i = 1; i <= made; i++)
        if (atomic_load(&plait__slot(i)->tid) == tid && atomic_load(&plait__slot(i)->pid)) return i;
    return 0;
}

static inline bool test__is_member(void *tid)
{
    return test_slot_of(*(pid_t *)tid) != 0;
}

static inline void test_until_member(pid_t tid)
{
    test_until(test__is_member, &tid);
}

static inline bool test__is_no_member(void *tid)
{
    return test_slot_of(*(pid_t *)tid) == 0;
}

/* Poll until nobody has that thread in the roster any more: it has left, or somebody has repaired its slot. */
static inline void test_until_no_member(pid_t tid)
{
    test_until(test__is_no_member, &tid);
}

/* Does that member sleep in plait's wait? */
static inline bool test_member_waits(pid_t tid)
{
    const uint32_t slot = test_slot_of(tid);
    return slot && atomic_load(&plait__slot(slot)->waiting) && test_thread_sleeps(tid);
}

static inline bool test__member_waits(void *tid)
{
    return test_member_waits(*(pid_t *)tid);
}

static inline void test_until_waits(pid_t tid)
{
    test_until(test__member_waits, &tid);
}

/* The number of the system call that the thread sleeps in, or -1. */
static inline long test_syscall_of(pid_t tid)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)tid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
    char *end;
    const long number = strtol(text, &end, 10);
    return end == text ? -1 : number;
}

static inline bool test__member_watches(void *tid)
{
    const pid_t it = *(pid_t *)tid;
    return test_member_waits(it) && (plait__without(PLAIT__WITHOUT_WAITV) || test_syscall_of(it) == SYS_futex_waitv);
}

/* Poll until that member has entered its long sleep, the one that watches others (where that can be told). */
static inline void test_until_watches(pid_t tid)
{
    test_until(test__member_watches, &tid);
}

/* Do what some sleeper would do: look for the dead, and where the kernel does not mark them, ask it. */
static inline void test_notice_deaths(void)
{
    if (plait__without(PLAIT__WITHOUT_ROBUST)) plait__ask_kernel_about_unpulsed();
    plait__reap_all();
}

/* --- processes ---------------------------------------------------------------------------------------------------------- */

/* End a child by SIGKILL and wait until it is gone. */
static inline void test_kill(pid_t child)
{
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(test_wait_exit(child) == -SIGKILL);
}

/* Stop a child and wait until it has stopped. */
static inline void test_stop(pid_t child)
{
    int status;
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
}

#endif
