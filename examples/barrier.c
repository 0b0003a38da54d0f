/* barrier - a hot rod cools down: four processes work on a quarter of it each, step by step.
 *
 * In each step every piece of the rod takes the mean of its neighbours.  For that all must have finished the step before: they meet
 * at a barrier, and the last to come exchanges old and new temperatures, before anybody goes on.
 *
 * The second time one of them is killed on its way.  It had said that it takes part (plait_barrier_join), so the others do not wait
 * for it for ever: they are told.
 *
 * usage: barrier
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <plait.h>

enum { WORKERS = 4, PIECES = 32, STEPS = 200 };

struct rod {
    plait_barrier *barrier;
    int victim, victim_at;                                 /* who is killed at which step; -1: nobody */
    int step, numbers;
    double temperature[2][PIECES + 2];                     /* by even and odd steps; both ends are kept cold */
};

static int next_step(void *argument)
{
    struct rod *rod = argument;
    rod->step++;
    return 0;
}

static void cool(struct rod *rod, int from, int to)
{
    const double *now = rod->temperature[rod->step % 2];
    double *then = rod->temperature[(rod->step + 1) % 2];
    for (int i = from; i < to; i++) then[i] = (now[i - 1] + now[i] + now[i + 1]) / 3;
}

static int work(void *argument)
{
    struct rod *rod = argument;
    const int me = __atomic_fetch_add(&rod->numbers, 1, __ATOMIC_RELAXED);
    if (plait_barrier_join(rod->barrier) < 0) return 1;
    for (int step = 0; step < STEPS; step++) {
        if (me == rod->victim && step == rod->victim_at) raise(SIGKILL);
        cool(rod, 1 + me * PIECES / WORKERS, 1 + (me + 1) * PIECES / WORKERS);
        const int place = plait_barrier_wait(rod->barrier, PLAIT_FOREVER);
        if (place == PLAIT_EBROKEN) return 3;
        if (place < 0) return 1;
    }
    return plait_barrier_leave(rod->barrier) == 0 ? 0 : 1;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "barrier: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static void heat(struct rod *rod)
{
    memset(rod->temperature, 0, sizeof rod->temperature);
    for (int i = PIECES / 2 - 3; i < PIECES / 2 + 3; i++) rod->temperature[0][i + 1] = 1000;
}

/* How many of them came to the end, were told that the barrier is broken, and were killed; -1: something else. */
static int run(struct rod *rod, int counts[3])
{
    plait_process *workers[WORKERS];
    heat(rod);
    for (int i = 0; i < WORKERS; i++)
        if (!(workers[i] = plait_start(work, rod, 0, NULL))) return complain("no process", errno);
    for (int i = 0; i < WORKERS; i++) {
        plait_process_join(workers[i], PLAIT_FOREVER);
        const int exitcode = plait_process_exitcode(workers[i]);
        plait_process_free(workers[i]);
        if (exitcode != 0 && exitcode != 3 && exitcode != -SIGKILL) return -1;
        counts[exitcode == 0 ? 0 : exitcode == 3 ? 1 : 2]++;
    }
    return 0;
}

/* Whether one process alone gets the same. */
static int is_right(struct rod *rod)
{
    double result[PIECES + 2];
    memcpy(result, rod->temperature[rod->step % 2], sizeof result);
    heat(rod);
    for (rod->step = 0; rod->step < STEPS; rod->step++) cool(rod, 1, 1 + PIECES);
    return memcmp(result, rod->temperature[rod->step % 2], sizeof result) == 0;
}

static int try(struct rod *rod, const char *what)
{
    int counts[3] = { 0 };
    rod->barrier = plait_barrier_new(WORKERS, &(plait_barrier_options){ .action = next_step, .argument = rod });
    if (!rod->barrier) return complain("no barrier", errno);
    rod->step = rod->numbers = 0;
    int failed = run(rod, counts);
    printf("%s: %d steps; %d of %d came to the end, %d were told that the barrier is broken, %d killed\n", what, rod->step,
           counts[0], WORKERS, counts[1], counts[2]);
    plait_barrier_free(rod->barrier);
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    struct rod *rod = plait_alloc(sizeof *rod);
    if (!rod) return complain("no shared memory", errno);

    rod->victim = -1;
    int failed = try(rod, "all four live");
    const double middle = rod->temperature[rod->step % 2][PIECES / 2];
    printf("the middle has %.3f degrees, %s\n", middle, is_right(rod) ? "as with one process" : "WRONG");
    rod->victim = 2;
    rod->victim_at = 100;
    failed |= try(rod, "one is killed");
    plait_free(rod);
    if (fflush(stdout) == 0 && !ferror(stdout)) return failed ? 1 : 0;
    fprintf(stderr, "barrier: standard output: %s\n", strerror(errno));
    return 1;
}
