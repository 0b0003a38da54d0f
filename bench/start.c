/* Starting a process or thread and waiting for its end, in each way that there is, from a small process and from a large one. */
#include "bench.h"

#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait.h>

extern char **environ;

/* ---- one start and join ---- */

static int nothing(void *argument)
{
    (void)argument;
    return 0;
}

static void start_by(int method, int kind)
{
    plait_process *process = plait_start(nothing, NULL, 0, &(plait_process_options){ .method = method, .kind = kind });
    NEED(process && plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == 0);
    NEED(plait_process_free(process) == 0);
}

static void by_plait_fork(void) { start_by(PLAIT_FORK, PLAIT_PROCESSES); }
static void by_plait_spawn(void) { start_by(PLAIT_SPAWN, PLAIT_PROCESSES); }
static void by_plait_server(void) { start_by(PLAIT_FORKSERVER, PLAIT_PROCESSES); }
static void by_plait_thread(void) { start_by(0, PLAIT_THREADS); }

static void by_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    NEED(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

/* This program, which then does nothing. */
static void by_posix_spawn(void)
{
    pid_t pid;
    char *arguments[] = { "start", "--nothing", NULL };
    NEED(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
    NEED(waitpid(pid, NULL, 0) == pid);
}

static void *thread(void *argument)
{
    return argument;
}

static void by_pthread(void)
{
    pthread_t started;
    NEED(pthread_create(&started, NULL, thread, NULL) == 0 && pthread_join(started, NULL) == 0);
}

/* ---- many of them: microseconds each ---- */

static double starts(void (*start)(void), size_t bytes, int n)
{
    grow(bytes);
    start();
    double begin = now();
    for (int i = 0; i < n; i++) start();
    return (now() - begin) / n * 1e6;
}

/* Now and then one, as a program does that wants an answer soon: with pauses in which a stock is made up again, for all the same. */
static double starts_with_pauses(void (*start)(void), size_t bytes, int n)
{
    double took = 0;
    grow(bytes);
    start();
    for (int i = 0; i < n; i++) {
        usleep(1000);
        double begin = now();
        start();
        took += now() - begin;
    }
    return took / n * 1e6;
}

static double ours_thread(void) { return starts(by_plait_thread, 0, 2000); }
static double plain_thread(void) { return starts(by_pthread, 0, 2000); }
static double ours_fork(void) { return starts(by_plait_fork, 0, 500); }
static double plain_fork(void) { return starts(by_fork, 0, 500); }
static double posix(void) { return starts(by_posix_spawn, 0, 200); }
static double ours_fork_large(void) { return starts(by_plait_fork, GIB, 20); }
static double plain_fork_large(void) { return starts(by_fork, GIB, 20); }
static double posix_large(void) { return starts(by_posix_spawn, GIB, 100); }
static double ours_spawn(void) { return starts(by_plait_spawn, 0, 200); }

static double served(void)
{
    NEED(plait_forkserver_start(NULL) == 0);
    return starts(by_plait_server, 0, 500);
}

static void have_stock(void)
{
    NEED(plait_forkserver_start(&(plait_forkserver_options){ .stock = 16 }) == 0);
}

static double warm(void)
{
    have_stock();
    return starts_with_pauses(by_plait_server, 0, 300);
}

static double warm_large(void)
{
    have_stock();
    return starts_with_pauses(by_plait_server, GIB, 300);
}

static double stock_without_pauses(void)
{
    have_stock();
    return starts(by_plait_server, 0, 500);
}

static double fork_with_pauses(void) { return starts_with_pauses(by_fork, 0, 300); }
static double posix_with_pauses(void) { return starts_with_pauses(by_posix_spawn, 0, 200); }
static double pthread_with_pauses(void) { return starts_with_pauses(by_pthread, 0, 300); }
static double fork_large_with_pauses(void) { return starts_with_pauses(by_fork, GIB, 20); }
static double posix_large_with_pauses(void) { return starts_with_pauses(by_posix_spawn, GIB, 100); }

static const struct bench benches[] = {
    { "start-join-thread", "plait", "us", ours_thread },
    { "start-join-thread", "pthread", "us", plain_thread },
    { "start-join-fork", "plait", "us", ours_fork },
    { "start-join-fork", "fork", "us", plain_fork },
    { "start-join-fork", "posix_spawn", "us", posix },
    { "start-join-fork-1GiB", "plait", "us", ours_fork_large },
    { "start-join-fork-1GiB", "fork", "us", plain_fork_large },
    { "start-join-fork-1GiB", "posix_spawn", "us", posix_large },
    { "start-join-spawn", "plait", "us", ours_spawn },
    { "start-join-spawn", "posix_spawn", "us", posix },
    { "start-join-spawn", "fork", "us", plain_fork },
    { "start-join-forkserver", "plait", "us", served },
    { "start-join-forkserver", "plait-stock", "us", stock_without_pauses },
    { "start-join-forkserver", "fork", "us", plain_fork },
    { "start-join-forkserver", "posix_spawn", "us", posix },
    { "start-join-warm", "plait", "us", warm },
    { "start-join-warm", "fork", "us", fork_with_pauses },
    { "start-join-warm", "posix_spawn", "us", posix_with_pauses },
    { "start-join-warm", "pthread", "us", pthread_with_pauses },
    { "start-join-warm-1GiB", "plait", "us", warm_large },
    { "start-join-warm-1GiB", "fork", "us", fork_large_with_pauses },
    { "start-join-warm-1GiB", "posix_spawn", "us", posix_large_with_pauses },
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--nothing") == 0) return 0;
    NEED(plait_init(&argc, &argv) == 0);
    return BENCH_MAIN(benches, argc, argv);
}
