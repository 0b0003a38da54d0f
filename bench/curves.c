/* How the cost of plait grows: with the messages that are queued, with the members of the family, with the size of messages.  `make
 * curves` runs this; see tools/curves. */
#include "bench.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait.h>

/* ---- the length of a queue ---- */

/* Nanoseconds for a put and a get of 8 bytes, while so many messages are in the queue. */
static double pair_at_length(plait_queue_options options, long length)
{
    enum { PAIRS = 200000 };
    long number = 0, got;
    plait_queue *queue = plait_queue_new(&options);
    uint64_t random = 1;
    NEED(queue);
    pin(0);
    for (; number < length; number++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t priority = options.order == PLAIT_PRIORITY ? (int64_t)(random >> 40) : 0;
        NEED(plait_queue_put_priority(queue, priority, &number, sizeof number, PLAIT_NOW) == 0);
    }
    double begin = now();
    for (int i = 0; i < PAIRS; i++, number++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t priority = options.order == PLAIT_PRIORITY ? (int64_t)(random >> 40) : 0;
        NEED(plait_queue_put_priority(queue, priority, &number, sizeof number, PLAIT_NOW) == 0);
        NEED(plait_queue_get(queue, &got, sizeof got, PLAIT_NOW) == sizeof got);
    }
    double took = now() - begin;
    plait_queue_free(queue);
    return took / PAIRS * 1e9;
}

static double ring(long n) { return pair_at_length((plait_queue_options){ .capacity = 16 * (size_t)n + 1024 }, n); }
static double segments(long n) { return pair_at_length((plait_queue_options){ .unbounded = 1 }, n); }
static double stack(long n) { return pair_at_length((plait_queue_options){ .order = PLAIT_LIFO }, n); }
static double heap(long n) { return pair_at_length((plait_queue_options){ .order = PLAIT_PRIORITY }, n); }

/* ---- members ---- */

static plait_queue *quiet;                                 /* nobody puts anything here */

static void be_member(void)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(plait_queue_get(quiet, &byte, 1, PLAIT_FOREVER) != 1);
}

static pid_t add_member(void)
{
    int before = plait_member_count();
    pid_t pid = fork();
    if (pid == 0) be_member();
    NEED(pid > 0);
    while (plait_member_count() == before) sched_yield();
    return pid;
}

/* We and others who all sleep. */
static void make_members(long count)
{
    NEED(plait_init(NULL, NULL) == 0 && (quiet = plait_queue_new(NULL)));
    while (plait_member_count() < count) add_member();
    usleep(100000);
}

static double pair_among(long members)
{
    make_members(members);
    return pair_at_length((plait_queue_options){ 0 }, 0);
}

static double lock_among(long members)
{
    enum { PAIRS = 1000000 };
    make_members(members);
    plait_lock *lock = plait_lock_new();
    NEED(lock);
    double begin = now();
    for (int i = 0; i < PAIRS; i++) {
        NEED(plait_lock_acquire(lock, PLAIT_FOREVER) == 0);
        plait_lock_release(lock);
    }
    return (now() - begin) / PAIRS * 1e9;
}

static int nothing(void *argument)
{
    (void)argument;
    return plait_init(NULL, NULL);
}

static double start_among(long members)
{
    enum { STARTS = 50 };
    make_members(members);
    double begin = now();
    for (int i = 0; i < STARTS; i++) {
        plait_process *process = plait_start(nothing, NULL, 0, NULL);
        NEED(process && plait_process_join(process, PLAIT_FOREVER) == 0);
        plait_process_free(process);
    }
    return (now() - begin) / STARTS * 1e6;
}

/* A member dies with a lock that we wait for. */
struct deaths {
    plait_lock lock;
    _Atomic int held;
    double killed_at;
};

static void hold(struct deaths *deaths)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    NEED(plait_lock_acquire(&deaths->lock, PLAIT_FOREVER) >= 0);
    deaths->held = 1;
    for (;;) pause();
}

static void kill_later(struct deaths *deaths, pid_t victim)
{
    usleep(30000);                                         /* by then, whoever is to notice it sleeps */
    deaths->killed_at = now();
    kill(victim, SIGKILL);
    _exit(0);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double notice_among(long members)
{
    enum { DEATHS = 15 };
    double took[DEATHS];
    make_members(members - 1);
    struct deaths *deaths = plait_alloc(sizeof *deaths);
    NEED(deaths);
    for (int i = 0; i < DEATHS; i++) {
        deaths->held = 0;
        pid_t victim = fork();
        if (victim == 0) hold(deaths);
        while (!deaths->held) usleep(100);
        pid_t killer = fork();
        if (killer == 0) kill_later(deaths, victim);
        NEED(plait_lock_acquire(&deaths->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
        took[i] = now() - deaths->killed_at;
        plait_lock_release(&deaths->lock);
        NEED(waitpid(victim, NULL, 0) == victim && waitpid(killer, NULL, 0) == killer);
    }
    qsort(took, DEATHS, sizeof took[0], by_size);
    return took[DEATHS / 2] * 1e6;
}

/* ---- the size of messages ---- */

static void *open_queue(size_t size)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .capacity = size > 65536 ? 4 * size : 0 });
    NEED(queue);
    return queue;
}

static void put_all(void *queue, size_t size, long n)
{
    char *message = calloc(1, size);
    for (long i = 0; i < n; i++) NEED(plait_queue_put(queue, message, size, PLAIT_FOREVER) == 0);
}

static void get_all(void *queue, size_t size, long n)
{
    char *message = malloc(size);
    for (long i = 0; i < n; i++) NEED(plait_queue_get(queue, message, size, PLAIT_FOREVER) == (ssize_t)size);
}

static void close_queue(void *queue)
{
    plait_queue_free(queue);
}

/* Two blocks go round between the two. */
struct round_trip {
    plait_queue *full, *empty;
};

static void *open_round_trip(size_t size)
{
    static struct round_trip trip;
    trip = (struct round_trip){ plait_queue_new(NULL), plait_queue_new(NULL) };
    NEED(trip.full && trip.empty);
    for (int i = 0; i < 32; i++) {
        void *block = plait_message_alloc(size);
        NEED(block && plait_queue_give(trip.empty, block, size, PLAIT_NOW) == 0);
    }
    return &trip;
}

static void move_all(plait_queue *from, plait_queue *to, size_t size, long n)
{
    void *block;
    for (long i = 0; i < n; i++) {
        NEED(plait_queue_take(from, &block, PLAIT_FOREVER) == (ssize_t)size);
        NEED(plait_queue_give(to, block, size, PLAIT_FOREVER) == 0);
    }
}

static void give_round(void *of, size_t size, long n)
{
    move_all(((struct round_trip *)of)->empty, ((struct round_trip *)of)->full, size, n);
}

static void take_round(void *of, size_t size, long n)
{
    move_all(((struct round_trip *)of)->full, ((struct round_trip *)of)->empty, size, n);
}

static void close_round_trip(void *of)
{
    plait_queue_free(((struct round_trip *)of)->full);
    plait_queue_free(((struct round_trip *)of)->empty);
}

static const struct stream by_copy = { open_queue, put_all, get_all, close_queue };
static const struct stream by_hand = { open_round_trip, give_round, take_round, close_round_trip };

/* Nanoseconds for a message, at about half a gigabyte in all. */
static double copied(long size)
{
    long n = (512l << 20) / (size + 256);
    return 1e9 / stream_rate(&by_copy, 1, (size_t)size, n < 20 ? 20 : n > 2000000 ? 2000000 : n);
}

static double handed_over(long size)
{
    return 1e9 / stream_rate(&by_hand, 1, (size_t)size, 200000);
}

/* ---- */

static const struct curve {
    const char *name, *line, *unit;
    double (*at)(long n);
    long most;
} curves[] = {
    { "length", "ring", "ns", ring, 10000000 },
    { "length", "segments", "ns", segments, 10000000 },
    { "length", "last in, first out", "ns", stack, 10000000 },
    { "length", "by priority", "ns", heap, 10000000 },
    { "members", "put and get", "ns", pair_among, 1000 },
    { "members", "acquire and release", "ns", lock_among, 1000 },
    { "members", "start and join", "us", start_among, 1000 },
    { "members", "notice of a death", "us", notice_among, 1000 },
    { "size", "copied", "ns", copied, 64 << 20 },
    { "size", "handed over", "ns", handed_over, 64 << 20 },
};
enum { CURVES = sizeof curves / sizeof curves[0] };

/* curves --list: "curve, line, unit, most" of each; curves CURVE LINE N: the figure. */
int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        for (int i = 0; i < CURVES; i++) printf("%s\t%s\t%s\t%ld\n", curves[i].name, curves[i].line, curves[i].unit, curves[i].most);
    for (int i = 0; i < CURVES && argc == 4; i++) {
        if (strcmp(curves[i].name, argv[1]) != 0 || strcmp(curves[i].line, argv[2]) != 0) continue;
        alarm(60);
        printf("%.6g\n", curves[i].at(atol(argv[3])));
    }
    return 0;
}
