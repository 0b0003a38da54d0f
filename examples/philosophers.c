/* philosophers - five of them at a round table, with a fork between each two: who eats needs both of his.
 *
 * If each took his left fork first, all might have one and wait for the other for ever (see philosophers_deadlock).  Here every
 * other one takes the right one first, so somebody always gets both.
 *
 * usage: philosophers [processes | threads]      default: processes
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <plait.h>

enum { PHILOSOPHERS = 5, MEALS = 5 };

struct philosopher {
    int number;
    plait_lock *left, *right;
};

static void spend(double seconds)
{
    const struct timespec time = { .tv_nsec = (long)(seconds * 1e9) };
    nanosleep(&time, NULL);
}

/* Each line at once, so that those of several processes stand in the order in which things happened. */
static int say(int number, const char *what)
{
    return printf("phil %d is %s\n", number, what) < 0 || fflush(stdout) != 0;
}

static int eat(const struct philosopher *self, plait_lock *first, plait_lock *second)
{
    int failed = 1;
    if (plait_lock_acquire(first, PLAIT_FOREVER) < 0) return failed;
    if (plait_lock_acquire(second, PLAIT_FOREVER) >= 0) {
        failed = say(self->number, "eating");
        spend(0.02);
        plait_lock_release(second);
    }
    plait_lock_release(first);
    return failed;
}

static int run(void *argument)
{
    const struct philosopher *self = argument;
    const int is_even = self->number % 2 == 0;
    for (int i = 0; i < MEALS; i++) {
        if (eat(self, is_even ? self->left : self->right, is_even ? self->right : self->left)) return 1;
        if (say(self->number, "thinking")) return 1;
        spend(0.01);
    }
    return 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "philosophers: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static plait_process *seat(int number, plait_lock *forks, int kind)
{
    const struct philosopher philosopher = { number, &forks[number], &forks[(number + 1) % PHILOSOPHERS] };
    const plait_process_options options = { .class_name = "Philosopher", .kind = kind };
    return plait_start(run, &philosopher, sizeof philosopher, &options);
}

static int dine(plait_lock *forks, int kind)
{
    plait_process *philosophers[PHILOSOPHERS];
    int count = 0, failed = 0;
    for (; count < PHILOSOPHERS && !failed; count += !failed) {
        philosophers[count] = seat(count, forks, kind);
        if (!philosophers[count]) failed = complain("no philosopher", errno);
    }
    for (int i = 0; i < count; i++) {
        plait_process_join(philosophers[i], PLAIT_FOREVER);
        failed |= plait_process_exitcode(philosophers[i]) != 0;
        plait_process_free(philosophers[i]);
    }
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int in_threads = argc == 2 && strcmp(argv[1], "threads") == 0;
    if (argc > 2 || (argc == 2 && !in_threads && strcmp(argv[1], "processes") != 0)) {
        fprintf(stderr, "usage: philosophers [processes | threads]\n");
        return 2;
    }
    plait_lock *forks = plait_alloc(PHILOSOPHERS * sizeof *forks);        /* all zeros: unlocked */
    if (!forks) return complain("no shared memory", errno);
    const int failed = dine(forks, in_threads ? PLAIT_THREADS : PLAIT_PROCESSES);
    plait_free(forks);
    return failed;
}
