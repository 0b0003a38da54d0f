/* How soon the death of a member is noticed, in families of different sizes: small victims and large ones, all others asleep, or
 * half of them stopped.
 *
 * All members but one sleep on a queue that has nothing to do with the victim.  The last one waits for what the victim has: a lock,
 * as in the rows of tools/bench, or a leased message, which nobody's sleep is bound to.  Measured is the time from just before the
 * kill until it has it.  `notice --table` measures all of that and prints it for docs/. */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

enum { MEMBERS_MAX = 256, DEATHS_MAX = 200 };

enum thing { LOCK, LEASE };

struct family {
    int members;
    bool half_stopped;
    size_t bytes;                                          /* that a victim has */
    enum thing thing;
    plait_process *sleepers[MEMBERS_MAX];
    plait_queue *nothing;                                  /* on which they sleep */
};

struct victim {
    plait_lock *lock;
    plait_queue *queue;
    size_t bytes;
    enum thing thing;
    _Atomic int ready;
};

/* ---- members ---- */

static int sleep_for_ever(void *queue)
{
    char byte;
    return plait_queue_get(queue, &byte, 1, PLAIT_FOREVER) >= 0;
}

static int have_it_and_wait(void *argument)
{
    struct victim *victim = argument;
    plait_lease lease;
    char byte, *memory = victim->bytes ? malloc(victim->bytes) : NULL;
    if (memory) memset(memory, 1, victim->bytes);
    if (victim->thing == LOCK) NEED(plait_lock_acquire(victim->lock, PLAIT_FOREVER) >= 0);
    else NEED(plait_queue_lease(victim->queue, &byte, 1, &lease, PLAIT_FOREVER) == 1);
    atomic_store(&victim->ready, 1);
    for (;;) pause();
    return memory != NULL;
}

static plait_process *start(int (*body)(void *argument), void *argument)
{
    plait_process *process = plait_start(body, argument, 0, &(plait_process_options){ .daemon = 1 });
    NEED(process);
    return process;
}

/* Does it sleep in the way that watches others?  Where that can't be seen, it is given time. */
static bool watches(pid_t pid)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    if (size <= 0) usleep(20000);
    return size <= 0 || strtol(text, NULL, 10) == SYS_futex_waitv;
}

static void until_watches(pid_t pid)
{
    while (!watches(pid)) usleep(200);
}

static void make_family(struct family *family)
{
    NEED((family->nothing = plait_queue_new(NULL)));
    for (int i = 0; i < family->members - 2; i++) family->sleepers[i] = start(sleep_for_ever, family->nothing);
    for (int i = 0; i < family->members - 2; i++) until_watches(plait_process_pid(family->sleepers[i]));
    for (int i = 0; i < family->members - 2 && family->half_stopped; i += 2) {
        int status;
        pid_t pid = plait_process_pid(family->sleepers[i]);
        NEED(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid);
    }
}

static void end_family(struct family *family)
{
    for (int i = 0; i < family->members - 2; i++) {
        plait_process_kill(family->sleepers[i]);
        plait_process_join(family->sleepers[i], PLAIT_FOREVER);
        plait_process_free(family->sleepers[i]);
    }
    plait_queue_free(family->nothing);
}

/* ---- the killer, who is no member ---- */

struct killer {
    _Atomic pid_t victim;                                  /* who is next; 0: nobody yet */
    double killed_at;
};

static void kill_one_after_the_other(struct killer *killer, pid_t waiter)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        pid_t victim = atomic_load(&killer->victim);
        if (!victim) {
            usleep(200);
            continue;
        }
        until_watches(waiter);
        usleep(2000);                                      /* all is quiet */
        atomic_store(&killer->victim, 0);
        killer->killed_at = now();
        kill(victim, SIGKILL);
    }
}

/* ---- measuring ---- */

/* Seconds. */
static double one_death(const struct family *family, struct killer *killer)
{
    struct victim *victim = plait_alloc(sizeof *victim);
    *victim = (struct victim){ .lock = plait_lock_new(), .queue = plait_queue_new(&(plait_queue_options){ .leases = 1 }),
                               .bytes = family->bytes, .thing = family->thing };
    NEED(plait_queue_put(victim->queue, "x", 1, PLAIT_NOW) == 0);
    plait_process *process = start(have_it_and_wait, victim);
    while (!atomic_load(&victim->ready)) usleep(100);
    atomic_store(&killer->victim, plait_process_pid(process));
    plait_lease lease;
    char byte;
    if (family->thing == LOCK) NEED(plait_lock_acquire(victim->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
    else NEED(plait_queue_lease(victim->queue, &byte, 1, &lease, PLAIT_FOREVER) == 1 && plait_queue_ack(victim->queue, lease) == 0);
    double seconds = now() - killer->killed_at;
    plait_process_join(process, PLAIT_FOREVER);
    plait_process_free(process);
    plait_queue_free(victim->queue);
    plait_lock_free(victim->lock);
    plait_free(victim);
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct result {
    double median, p99, most;                              /* microseconds */
};

static struct result measure(struct family family, int deaths)
{
    double took[DEATHS_MAX];
    struct killer *killer = shared(sizeof *killer);
    NEED(plait_init(NULL, NULL) == 0);
    pid_t self = getpid(), killing = fork();
    if (killing == 0) kill_one_after_the_other(killer, self);
    make_family(&family);
    for (int i = -1; i < deaths; i++) {
        double seconds = one_death(&family, killer);       /* the first is not counted */
        if (i >= 0) took[i] = seconds * 1e6;
    }
    end_family(&family);
    kill(killing, SIGKILL);
    waitpid(killing, NULL, 0);
    munmap(killer, sizeof *killer);
    qsort(took, (size_t)deaths, sizeof took[0], by_size);
    return (struct result){ took[deaths / 2], took[(deaths * 99 - 1) / 100], took[deaths - 1] };
}

/* ---- the rows ---- */

/* Five rounds of tools/bench are 50 deaths, or 15 large ones. */
enum { SMALL_DEATHS = 10, LARGE_DEATHS = 3 };

static struct result measure_row(int members, bool half_stopped, size_t bytes)
{
    return measure((struct family){ members, half_stopped, bytes, LOCK, { 0 }, NULL }, bytes ? LARGE_DEATHS : SMALL_DEATHS);
}

#define FOR_EACH(X)                                                                                   \
    X(of_2, "death-notice-family-2", 2, false, 0)                                                     \
    X(of_8, "death-notice-family-8", 8, false, 0)                                                     \
    X(of_8_stopped, "death-notice-family-8-stopped", 8, true, 0)                                      \
    X(of_20, "death-notice-family-20", 20, false, 0)                                                  \
    X(of_20_stopped, "death-notice-family-20-stopped", 20, true, 0)                                   \
    X(of_40, "death-notice-family-40", 40, false, 0)                                                  \
    X(of_40_stopped, "death-notice-family-40-stopped", 40, true, 0)                                   \
    X(of_200, "death-notice-family-200", 200, false, 0)                                               \
    X(of_200_stopped, "death-notice-family-200-stopped", 200, true, 0)

#define MEASURE(name, row, members, half_stopped, bytes)                                              \
    static double name(void) { return measure_row(members, half_stopped, bytes).median; }             \
    static double name##_most(void) { return measure_row(members, half_stopped, bytes).most; }
FOR_EACH(MEASURE)

static double of_20_large(void)
{
    return measure_row(20, false, GIB).median;
}

static const struct bench benches[] = {
#define ROWS(name, row, members, half_stopped, bytes) { row, "plait", "us", name }, { row, "plait-slowest", "us", name##_most },
    FOR_EACH(ROWS)
    { "death-notice-family-20-1GiB", "plait", "us", of_20_large },
};

/* ---- the table ---- */

static const int sizes[] = { 2, 8, 20, 40, 200 };

static void print_cell(int members, bool half_stopped, size_t bytes, enum thing thing, int deaths)
{
    fflush(stdout);
    pid_t child = fork();                                  /* a family of its own */
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct result got = measure((struct family){ members, half_stopped, bytes, thing, { 0 }, NULL }, deaths);
        printf(" %.2f / %.2f / %.2f |", got.median / 1000, got.p99 / 1000, got.most / 1000);
        exit(0);
    }
    int status;
    NEED(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void print_row(int members, bool half_stopped)
{
    printf("| %d%s |", members, half_stopped ? ", half of them stopped" : "");
    print_cell(members, half_stopped, 0, LOCK, 100);
    print_cell(members, half_stopped, 0, LEASE, 100);
    print_cell(members, half_stopped, GIB, LOCK, 30);
    printf("\n");
}

static int print_table(void)
{
    printf("| members | small victim, its lock | small victim, its leased message | victim with 1 GiB, its lock |\n");
    printf("| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        print_row(sizes[i], false);
        if (sizes[i] > 2) print_row(sizes[i], true);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--table") == 0) return print_table();
    return BENCH_MAIN(benches, argc, argv);
}
