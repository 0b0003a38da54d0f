/* ping_pong - two processes take turns, by two locks that each acquires and the other releases.
 *
 * Locks are logical things: nobody has to be the owner of a lock to release it.  And `counter` is a plain global variable, so each
 * process has a copy of its own: both count from 10, and the parent's stays 10.
 *
 * usage: ping_pong
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

enum { ROUNDS = 5 };

static int counter = 10;

struct player {
    const char *name;
    plait_lock *my_turn, *your_turn;
};

/* Flushed before the other's turn begins: otherwise, into a pipe, all lines of one process would come at once, at its end. */
static int play(void *argument)
{
    const struct player *self = argument;
    for (int i = 0; i < ROUNDS; i++) {
        if (plait_lock_acquire(self->my_turn, PLAIT_FOREVER) < 0) return 1;
        if (printf("%s %d\n", self->name, counter) < 0 || fflush(stdout) != 0) return 1;
        plait_lock_release(self->your_turn);
        counter++;
    }
    return 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "ping_pong: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int finish(plait_process *process)
{
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    return exitcode != 0;
}

static int run(plait_lock *ping_turn, plait_lock *pong_turn)
{
    const struct player ping = { "ping", ping_turn, pong_turn }, pong = { "pong", pong_turn, ping_turn };
    const int got = plait_lock_acquire(pong_turn, PLAIT_FOREVER);         /* ping begins */
    if (got < 0) return complain("the first turn", got);
    plait_process *one = plait_start(play, &ping, sizeof ping, NULL);
    if (!one) return complain("no process", errno);
    plait_process *other = plait_start(play, &pong, sizeof pong, NULL);
    if (!other) {
        plait_process_terminate(one);
        finish(one);
        return complain("no second process", errno);
    }
    int failed = finish(one);
    failed |= finish(other);
    plait_lock_release(pong_turn);
    return failed || printf("in main process: %d\n", counter) < 0 || fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    plait_lock *turns = plait_alloc(2 * sizeof *turns);
    if (!turns) return complain("no shared memory", errno);
    const int failed = run(&turns[0], &turns[1]);
    plait_free(turns);
    return failed;
}
