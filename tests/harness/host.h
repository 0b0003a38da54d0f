/* host.h - for tests of what happens to programs that use plait: hosts, processes forked for the purpose, which may be killed,
 * lose their rights or run out of things. */
#ifndef PLAIT_TEST_HOST_H
#define PLAIT_TEST_HOST_H

#include "harness.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* Run body(argument) in a host; the test goes on if it returned 0. */
static inline void host_run(int (*body)(void *argument), void *argument)
{
    assert_int_equal(test_wait_exit(test_fork(body, argument)), 0);
}

__attribute__((noreturn)) static inline void sleep_for_ever(void)
{
    for (;;) pause();
}

/* ---- what there is ---- */

static inline bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* How many file descriptors below 2,000 are open; also for a host that may not look into /proc any more. */
static inline int open_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 2000; fd++) count += is_open(fd);
    return count;
}

static inline bool has_no_child(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* The letter that /proc/PID/stat gives a process, or 0 if there is none; and how many threads it still has. */
static inline char state_and_threads_of(pid_t pid, long *threads)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    const ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    const char *end = length > 0 ? strrchr(text, ')') : NULL;
    if (!end) return 0;
    const char *field = end + 2;
    for (int i = 0; i < 17 && field; i++) field = strchr(field + 1, ' ');
    *threads = field ? strtol(field, NULL, 10) : 0;
    return end[2];
}

static inline char state_of(pid_t pid)
{
    long threads;
    return state_and_threads_of(pid, &threads);
}

static inline bool has_stopped(void *pid)
{
    return state_of(*(pid_t *)pid) == 'T';
}

/* The first thread is one, too, while another is still coming to its end (sanitizers have one of their own). */
static inline bool is_zombie(void *pid)
{
    long threads;
    return state_and_threads_of(*(pid_t *)pid, &threads) == 'Z' && threads <= 1;
}

static inline bool is_gone(void *pid)
{
    return kill(*(pid_t *)pid, 0) < 0 && errno == ESRCH;
}

static inline bool is_set(void *flag)
{
    return atomic_load((_Atomic int *)flag) != 0;
}

static inline bool is_clear(void *flag)
{
    return !is_set(flag);
}

/* ---- time, and the ends of orphans ---- */

static inline double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* From now on those whose parents die become children of this process, which can wait for them. */
static inline void adopt_orphans(void)
{
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
}

/* What the library promises: nobody outlives his parent, which ended at `since`, for longer than a second.  After 10 s they are
 * killed. */
static inline void orphans_must_end(const pid_t *pids, int count, double since)
{
    int late = 0;
    for (int i = 0; i < count; i++) {
        while (waitpid(pids[i], NULL, WNOHANG) != pids[i]) {
            if (seconds_now() - since > 10 && kill(pids[i], SIGKILL) == 0) late++;
            nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000 }, NULL);
        }
    }
    const double took = seconds_now() - since;
    printf("%d processes were gone %.1f ms after the end of their parent\n", count, took * 1000);
    if (late) fail_msg("some of them still ran after 10 s, and were killed");
    if (took > 1) fail_msg("%.1f ms are more than the 1,000 that are promised", took * 1000);
}

/* ---- running out of things ---- */

/* Have the host be a user for whom limits on processes count.  Its tester still ends it. */
static inline void drop_root(void)
{
    if (geteuid() != 0) return;
    CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
}

/* No new process for the host's user, or as many as before again. */
static inline void forbid_processes(bool forbid)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
    limit.rlim_cur = forbid ? 1 : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
}

/* ---- threads ---- */

static inline pthread_t thread_start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, argument) == 0);
    return thread;
}

static inline void thread_end(pthread_t thread)
{
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Wait until the kernel, too, has done everything that belongs to the end of a thread of this process. */
static inline void until_thread_is_gone(pid_t tid)
{
    while (syscall(SYS_tgkill, getpid(), tid, 0) == 0) sched_yield();
}

#endif
