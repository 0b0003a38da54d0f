/* rlock - functions that lock and call each other.
 *
 * transfer() holds the lock for the whole of it, and deposit() and withdraw() acquire it too, as they are also called alone.  With
 * a plain lock transfer() would wait for itself.
 *
 * usage: rlock
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

enum { PROCESSES = 4, TRANSFERS = 1000 };

struct bank {
    plait_rlock lock;                                      /* all zeros: unlocked */
    long giro, savings;
};

static int deposit(struct bank *bank, long *account, long amount)
{
    if (plait_rlock_acquire(&bank->lock, PLAIT_FOREVER) < 0) return 1;
    *account += amount;
    return plait_rlock_release(&bank->lock);
}

static int withdraw(struct bank *bank, long *account, long amount)
{
    return deposit(bank, account, -amount);
}

static int transfer(struct bank *bank, long amount)
{
    if (plait_rlock_acquire(&bank->lock, PLAIT_FOREVER) < 0) return 1;
    int failed = withdraw(bank, &bank->giro, amount) || deposit(bank, &bank->savings, amount);
    failed |= bank->giro + bank->savings != 1000000;       /* nobody else sees or makes half a transfer */
    return plait_rlock_release(&bank->lock) || failed;
}

static int work(void *argument)
{
    for (int i = 0; i < TRANSFERS; i++)
        if (transfer(argument, 10)) return 1;
    return 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "rlock: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int run(struct bank *bank)
{
    plait_process *processes[PROCESSES];
    int count = 0, failed = 0;
    for (; count < PROCESSES && !failed; count += !failed) {
        processes[count] = plait_start(work, bank, 0, NULL);
        if (!processes[count]) failed = complain("no process", errno);
    }
    for (int i = 0; i < count; i++) {
        plait_process_join(processes[i], PLAIT_FOREVER);
        failed |= plait_process_exitcode(processes[i]) != 0;
        plait_process_free(processes[i]);
    }
    return failed;
}

int main(int argc, char **argv)
{
    char text[40];
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    struct bank *bank = plait_alloc(sizeof *bank);
    if (!bank) return complain("no shared memory", errno);
    bank->giro = 1000000;
    int failed = run(bank);
    failed |= plait_rlock_acquire(&bank->lock, PLAIT_FOREVER) != 0 || plait_rlock_acquire(&bank->lock, PLAIT_FOREVER) != 0;
    plait_rlock_repr(&bank->lock, text, sizeof text);
    printf("giro %ld, savings %ld, %s\n", bank->giro, bank->savings, text);
    failed |= plait_rlock_release(&bank->lock) || plait_rlock_release(&bank->lock);
    plait_free(bank);
    return failed || fflush(stdout) != 0;
}
