/* How soon a death is noticed. */
#include "bench.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plait.h>

enum { DEATHS = 15 };

struct victim {
    _Atomic int ready;
    plait_lock *lock;
    size_t bytes;
};

static int hold(void *argument)
{
    struct victim *victim = *(struct victim **)argument;
    grow(victim->bytes);
    NEED(plait_lock_acquire(victim->lock, PLAIT_FOREVER) >= 0);
    atomic_store(&victim->ready, 1);
    for (;;) pause();
    return 0;
}

/* Somebody else does the killing, while we sleep, and notes the time. */
struct killer {
    _Atomic int go;
    double killed_at;
};

static void kill_later(struct killer *killer, pid_t victim)
{
    if (fork() != 0) return;
    usleep(20000);                                         /* by then, whoever is to notice it sleeps */
    killer->killed_at = now();
    kill(victim, SIGKILL);
    _exit(0);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double notice(size_t bytes, double (*once)(struct victim *victim, struct killer *killer))
{
    double took[DEATHS];
    struct killer *killer = shared(sizeof *killer);
    for (int i = 0; i < DEATHS; i++) {
        struct victim *victim = plait_alloc(sizeof *victim);
        *victim = (struct victim){ .lock = plait_lock_new(), .bytes = bytes };
        took[i] = once(victim, killer) * 1e6;
        while (waitpid(-1, NULL, 0) > 0) {}
    }
    qsort(took, DEATHS, sizeof took[0], by_number);
    return took[DEATHS / 2];
}

static pid_t start_victim(struct victim *victim)
{
    plait_process *process = plait_start(hold, &victim, sizeof victim, NULL);
    NEED(process);
    while (!atomic_load(&victim->ready)) usleep(100);
    return plait_process_pid(process);
}

static double until_lock_is_ours(struct victim *victim, struct killer *killer)
{
    kill_later(killer, start_victim(victim));
    NEED(plait_lock_acquire(victim->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
    return now() - killer->killed_at;
}

static double until_pidfd_tells(struct victim *victim, struct killer *killer)
{
    pid_t pid = start_victim(victim);
    struct pollfd exited = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    kill_later(killer, pid);
    NEED(poll(&exited, 1, -1) == 1);
    double seconds = now() - killer->killed_at;
    close(exited.fd);
    return seconds;
}

static double plait_notice_small(void) { return notice(0, until_lock_is_ours); }
static double pidfd_notice_small(void) { return notice(0, until_pidfd_tells); }
static double plait_notice_large(void) { return notice(GIB, until_lock_is_ours); }
static double pidfd_notice_large(void) { return notice(GIB, until_pidfd_tells); }

static const struct bench benches[] = {
    { "death-notice-small", "plait", "us", plait_notice_small },
    { "death-notice-small", "pidfd", "us", pidfd_notice_small },
    { "death-notice-1GiB", "plait", "us", plait_notice_large },
    { "death-notice-1GiB", "pidfd", "us", pidfd_notice_large },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
