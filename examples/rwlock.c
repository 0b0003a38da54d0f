/* rwlock - three processes read a table all the time, one changes it now and then.
 *
 * The readers do not keep each other waiting, and never see a table that is half changed.
 *
 * usage: rwlock
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

enum { READERS = 3, ROWS = 100, CHANGES = 50 };

struct table {
    plait_rwlock *lock;
    int version[ROWS];                                     /* all the same, but for whoever changes them */
};

/* Until the last version is there: how often it read does not matter. */
static int read_all(void *argument)
{
    struct table *table = argument;
    for (int seen = 0; seen < CHANGES;) {
        if (plait_rwlock_acquire_read(table->lock, PLAIT_FOREVER) < 0) return 1;
        seen = table->version[0];
        for (int i = 1; i < ROWS; i++)
            if (table->version[i] != seen) return 1;
        plait_rwlock_release(table->lock);
    }
    return 0;
}

static int change_all(void *argument)
{
    struct table *table = argument;
    for (int change = 1; change <= CHANGES; change++) {
        if (plait_rwlock_acquire_write(table->lock, PLAIT_FOREVER) < 0) return 1;
        for (int i = 0; i < ROWS; i++) table->version[i] = change;
        plait_rwlock_release(table->lock);
    }
    return 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "rwlock: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int run(struct table *table)
{
    plait_process *processes[READERS + 1];
    int count = 0, failed = 0;
    for (; count <= READERS && !failed; count += !failed) {
        processes[count] = plait_start(count < READERS ? read_all : change_all, table, 0, NULL);
        if (!processes[count]) failed = complain("no process", errno);
    }
    while (count-- > 0) {                                  /* the writer, started last, first */
        plait_process *process = processes[count];
        if (failed) plait_process_terminate(process);      /* readers would wait for what nobody writes */
        plait_process_join(process, PLAIT_FOREVER);
        failed |= plait_process_exitcode(process) != 0;
        plait_process_free(process);
    }
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    struct table *table = plait_alloc(sizeof *table);
    if (!table || !(table->lock = plait_rwlock_new(NULL))) return complain("no shared memory", errno);
    const int failed = run(table);
    printf("version %d, %s\n", table->version[ROWS - 1], failed ? "and something was wrong" : "always seen whole");
    plait_rwlock_free(table->lock);
    plait_free(table);
    return failed || fflush(stdout) != 0;
}
