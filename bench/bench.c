#include "bench.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 20 };                                    /* seconds; who needs more hangs, and is killed with its children */

int bench_main(const struct bench *benches, size_t count, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++) printf("%s\t%s\t%s\n", benches[i].row, benches[i].system, benches[i].unit);
        return 0;
    }
    for (size_t i = 0; i < count && argc == 3; i++) {
        if (strcmp(benches[i].row, argv[1]) != 0 || strcmp(benches[i].system, argv[2]) != 0) continue;
        alarm(PATIENCE);
        printf("%.9g\n", benches[i].run());
        return 0;
    }
    fprintf(stderr, "usage: %s --list | ROW SYSTEM\n", argv[0]);
    return 2;
}

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static cpu_set_t *usable(void)
{
    static cpu_set_t set;
    static bool known;
    if (!known) NEED(sched_getaffinity(0, sizeof set, &set) == 0);
    known = true;
    return &set;
}

void pin(int n)
{
    cpu_set_t one;
    n %= CPU_COUNT(usable());
    int cpu = 0;
    for (;; cpu++)
        if (CPU_ISSET(cpu, usable()) && n-- == 0) break;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    NEED(sched_setaffinity(0, sizeof one, &one) == 0);
}

void grow(size_t bytes)
{
    static char *volatile grown;
    if (!bytes) return;
    NEED((grown = malloc(bytes)));
    memset(grown, 1, bytes);
}

void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    return memory;
}

void broken(const char *what)
{
    fprintf(stderr, "broken: %s\n", what);
    exit(3);
}

/* ---- together ---- */

enum { MOST = 64 };

struct meeting {
    _Atomic int ready;
    double begin[MOST], end[MOST];
};

static void take_part(struct meeting *meeting, int count, void (*body)(void *argument, int i), void *argument, int i)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(i);
    atomic_fetch_add(&meeting->ready, 1);
    while (atomic_load(&meeting->ready) < count) sched_yield();
    meeting->begin[i] = now();
    body(argument, i);
    meeting->end[i] = now();
    _exit(0);
}

double together(int count, void (*body)(void *argument, int i), void *argument)
{
    struct meeting *meeting = shared(sizeof *meeting);
    pid_t pids[MOST];
    for (int i = 0; i < count; i++)
        if ((pids[i] = fork()) == 0) take_part(meeting, count, body, argument, i);
    double begin = 0, end = 0;
    for (int i = 0; i < count; i++) {
        int status;
        NEED(pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    for (int i = 0; i < count; i++) {
        if (i == 0 || meeting->begin[i] < begin) begin = meeting->begin[i];
        if (meeting->end[i] > end) end = meeting->end[i];
    }
    munmap(meeting, sizeof *meeting);
    return end - begin;
}

/* ---- streams ---- */

struct streaming {
    const struct stream *stream;
    void *channel;
    size_t size;
    long n;
};

static void produce_or_consume(void *argument, int i)
{
    const struct streaming *of = argument;
    (i % 2 ? of->stream->consume : of->stream->produce)(of->channel, of->size, of->n);
}

double stream_rate(const struct stream *stream, int pairs, size_t size, long n)
{
    struct streaming of = { stream, stream->open(size), size, n };
    double seconds = together(2 * pairs, produce_or_consume, &of);
    stream->close(of.channel);
    return (double)n * pairs / seconds;
}
