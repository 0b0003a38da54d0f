/* refused_start - five philosophers want to dine, and the system does not let all of them start.
 *
 * A process that can't be started is an error of one call: it is reported, the others dine, and what was refused may be tried
 * again.  Nothing is left behind of it.
 *
 * The limit is the one on processes of a user (RLIMIT_NPROC): four, this one and three philosophers.  A user who has more than that
 * already gets none.  It does not bind root: started by root, the program becomes another user first.
 *
 * usage: refused_start
 */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <plait.h>

enum { PHILOSOPHERS = 5, ROUNDS = 2, PROCESSES = 4, ANOTHER_USER = 54321 };

struct philosopher {
    int id;
    plait_lock *left, *right;
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "refused_start: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* Even ones take the left fork first, odd ones the right: so they never wait for each other in a ring. */
static int dine(void *argument)
{
    const struct philosopher *self = argument;
    const struct timespec moment = { 0, 20000000 };
    plait_lock *first = self->id % 2 ? self->right : self->left, *second = self->id % 2 ? self->left : self->right;
    for (int i = 0; i < ROUNDS; i++) {
        if (plait_lock_acquire(first, PLAIT_FOREVER) < 0 || plait_lock_acquire(second, PLAIT_FOREVER) < 0) return 1;
        printf("phil %d is eating\n", self->id);
        nanosleep(&moment, NULL);
        plait_lock_release(first);
        plait_lock_release(second);
        printf("phil %d is thinking\n", self->id);
    }
    return 0;
}

/* Start those that are not yet; how many were refused. */
static int start_all(plait_process *philosophers[PHILOSOPHERS])
{
    int refused = 0;
    for (int i = 0; i < PHILOSOPHERS; i++) {
        const int error = plait_process_start(philosophers[i]);
        if (!error || error == -EALREADY) continue;
        fprintf(stderr, "%s is refused: [Errno %d] %s\n", plait_process_name(philosophers[i]), -error, plait_strerror(error));
        refused++;
    }
    return refused;
}

/* Wait for those that were started. */
static int join_all(plait_process *philosophers[PHILOSOPHERS])
{
    int failed = 0;
    for (int i = 0; i < PHILOSOPHERS; i++) {
        const int error = plait_process_join(philosophers[i], PLAIT_FOREVER);
        if (error != PLAIT_ENOTSTARTED && (error || plait_process_exitcode(philosophers[i]) != 0)) failed = 1;
    }
    return failed;
}

/* With the limit, and once more without it. */
static int dinner(plait_process *philosophers[PHILOSOPHERS])
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NPROC, &limit) < 0) return complain("getrlimit", -errno);
    const struct rlimit few = { PROCESSES < limit.rlim_max ? PROCESSES : limit.rlim_max, limit.rlim_max };
    if (setrlimit(RLIMIT_NPROC, &few) < 0) return complain("setrlimit", -errno);
    const int refused = start_all(philosophers);
    int failed = join_all(philosophers);
    if (setrlimit(RLIMIT_NPROC, &limit) < 0) return complain("setrlimit", -errno);
    printf("%d of %d were refused and start now\n", refused, PHILOSOPHERS);
    if (start_all(philosophers) > 0) failed = 1;
    return join_all(philosophers) || failed;
}

static int make_and_dine(plait_lock *forks)
{
    plait_process *philosophers[PHILOSOPHERS] = { NULL };
    int failed = 0;
    for (int i = 0; i < PHILOSOPHERS && !failed; i++) {
        const struct philosopher one = { i, &forks[i], &forks[(i + 1) % PHILOSOPHERS] };
        char name[32];
        snprintf(name, sizeof name, "phil %d", i);
        philosophers[i] = plait_process_new(dine, &one, sizeof one, &(plait_process_options){ .name = name });
        if (!philosophers[i]) failed = complain("no philosopher", errno);
    }
    if (!failed) failed = dinner(philosophers);
    for (int i = 0; i < PHILOSOPHERS; i++) plait_process_free(philosophers[i]);
    return failed;
}

int main(int argc, char **argv)
{
    if (geteuid() == 0 && (setgid(ANOTHER_USER) < 0 || setuid(ANOTHER_USER) < 0)) return complain("setuid", -errno);
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    plait_lock *forks = plait_alloc(PHILOSOPHERS * sizeof *forks);           /* all zeros: unlocked */
    if (!forks) return complain("no forks", errno);
    const int failed = make_and_dine(forks);
    plait_free(forks);
    plait_arena_figures left;
    if (plait_arena_stats(&left) == 0)
        printf("left behind: %zu processes, %d blocks\n", plait_active_children(NULL, 0), (int)left.shared_blocks);
    if (fflush(stdout) != 0) return complain("standard output", -errno);
    return failed;
}
