/* philosophers_deadlock - stuck on purpose: each of five philosophers has his left fork and wants the right one.
 *
 * The program is told why it hangs, twice: main, which is not stuck itself, asks for a report when nobody has come home in time.
 * And the first philosopher waits with a deadline: when that is over, the error says who has what, and that it is a deadlock.  He
 * gives his fork back, and the others can eat.
 *
 * usage: philosophers_deadlock
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <plait.h>

enum { PHILOSOPHERS = 5 };

/* In shared memory, all zeros: unlocked. */
struct table {
    plait_lock forks[PHILOSOPHERS];
    plait_lock gate;                                       /* held until all have their left fork: so they really get stuck */
    plait_lock report;                                     /* held until main has written its report */
};

struct philosopher {
    int number;
    struct table *table;
    plait_lock *left, *right;
};

static int say(int number, const char *what, const char *more)
{
    return printf("Philosopher-%d %s%s\n", number, what, more) < 0 || fflush(stdout) != 0;
}

/* The first one: begins to count when the report is written. */
static int wait_with_deadline(const struct philosopher *self)
{
    int got;
    do got = plait_lock_acquire(self->right, plait_after(0.1));
    while (got == -ETIMEDOUT && plait_lock_locked(&self->table->report));
    if (got == -ETIMEDOUT) say(self->number, "gives up: ", plait_error_detail());
    return got;
}

static int run(void *argument)
{
    const struct philosopher *self = argument;
    if (plait_lock_acquire(self->left, PLAIT_FOREVER) < 0) return 1;
    if (plait_lock_acquire(&self->table->gate, PLAIT_FOREVER) < 0) return 1;
    plait_lock_release(&self->table->gate);
    const int got = self->number == 1 ? wait_with_deadline(self) : plait_lock_acquire(self->right, PLAIT_FOREVER);
    int failed = 0;
    if (got >= 0) {
        failed = say(self->number, "eats", "");
        plait_lock_release(self->right);
    }
    plait_lock_release(self->left);
    return failed || (got < 0 && got != -ETIMEDOUT);
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "philosophers_deadlock: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static plait_process *seat(int number, struct table *table)
{
    const struct philosopher philosopher = {
        number, table, &table->forks[number - 1], &table->forks[number % PHILOSOPHERS],
    };
    return plait_start(run, &philosopher, sizeof philosopher, &(plait_process_options){ .class_name = "Philosopher" });
}

/* How many deadlocks there are; the report is printed if there is one. */
static int report(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return complain("no memory for the report", errno);
    const int cycles = plait_deadlock_report(memory);
    fclose(memory);
    if (cycles > 0) fputs(text, stdout);
    free(text);
    fflush(stdout);
    return cycles;
}

/* When a process does not end in time: is it stuck for good? */
static void find_out(plait_process *process)
{
    while (plait_process_join(process, plait_after(0.05)) == -ETIMEDOUT)
        if (report() != 0) return;
}

static int wait_for_left_forks(const struct table *table, plait_process *const *philosophers)
{
    for (int i = 0; i < PHILOSOPHERS; i++)
        while (!plait_lock_locked(&table->forks[i]))
            if (plait_process_join(philosophers[i], plait_after(0.001)) == 0) return 1;
    return 0;
}

static int dine(struct table *table)
{
    plait_process *philosophers[PHILOSOPHERS];
    int count = 0, failed = 0;
    if (plait_lock_acquire(&table->gate, PLAIT_FOREVER) < 0 || plait_lock_acquire(&table->report, PLAIT_FOREVER) < 0) return 1;
    for (; count < PHILOSOPHERS && !failed; count += !failed) {
        philosophers[count] = seat(count + 1, table);
        if (!philosophers[count]) failed = complain("no philosopher", errno);
    }
    if (!failed) failed = wait_for_left_forks(table, philosophers);
    plait_lock_release(&table->gate);
    if (!failed) find_out(philosophers[0]);
    plait_lock_release(&table->report);
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
    struct table *table = plait_alloc(sizeof *table);
    if (!table) return complain("no shared memory", errno);
    const int failed = dine(table);
    plait_free(table);
    return failed;
}
