/* queue_with_lock - two processes put a number each into a queue, two others take them out, and a lock says which of them is first.
 *
 * What is certain, and why:
 *     1 lies before 2 in the queue             the first inserter has ended before the second starts
 *     consumer 1 takes 1, although it sleeps   it has the lock before consumer 2 starts, and keeps it until it has its number
 *     consumer 1 prints before consumer 2      its text is written before it gives the lock back
 * (queue_without_lock shows what happens else.)
 *
 * usage: queue_with_lock
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <plait.h>

/* What each process gets a copy of. */
struct part {
    int number;
    plait_queue *queue;
    plait_queue *turns;                                    /* who has the lock says so here */
    plait_lock *lock;
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "queue_with_lock: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int insert(void *argument)
{
    const struct part *part = argument;
    printf("Aku insert%d akan menginsert %d ke queue\n", part->number, part->number);
    return plait_queue_put(part->queue, &part->number, sizeof part->number, PLAIT_FOREVER) < 0;
}

/* With the lock. */
static int take_one(const struct part *part)
{
    int got;
    if (plait_queue_put(part->turns, &part->number, sizeof part->number, PLAIT_FOREVER) < 0) return 1;
    if (part->number == 1) sleep(1);
    if (plait_queue_get(part->queue, &got, sizeof got, PLAIT_FOREVER) < 0) return 1;
    printf("aku consumer %d harusnya mendapatkan angka %d dari queue : %d\n", part->number, part->number, got);
    return fflush(stdout) != 0;
}

static int consume(void *argument)
{
    const struct part *part = argument;
    if (plait_lock_acquire(part->lock, PLAIT_FOREVER) < 0) return 1;
    const int failed = take_one(part);
    return plait_lock_release(part->lock) < 0 || failed;   /* given back in any case: else the other would wait for ever */
}

/* Wait for its end; whether it has failed. */
static int finish(plait_process *process)
{
    if (!process) return complain("no process", errno);
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    if (exitcode) fprintf(stderr, "queue_with_lock: a process ended with %d\n", exitcode);
    return exitcode != 0;
}

static int run(struct part *one)
{
    struct part two = *one;
    int turn;
    one->number = 1;
    two.number = 2;
    if (finish(plait_start(insert, one, sizeof *one, NULL)) || finish(plait_start(insert, &two, sizeof two, NULL))) return 1;
    plait_process *first = plait_start(consume, one, sizeof *one, NULL);
    if (!first) return complain("no process", errno);
    const ssize_t got = plait_queue_get(one->turns, &turn, sizeof turn, plait_after(60));
    plait_process *second = got < 0 ? NULL : plait_start(consume, &two, sizeof two, NULL);
    const int failed = finish(first);
    return finish(second) || failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    struct part part = { .queue = plait_queue_new(&(plait_queue_options){ .maxsize = 5 }), .turns = plait_queue_new(NULL),
                         .lock = plait_lock_new() };
    const int failed = part.queue && part.turns && part.lock ? run(&part) : complain("no queue or lock", errno);
    plait_queue_free(part.queue);
    plait_queue_free(part.turns);
    plait_lock_free(part.lock);
    return failed;
}
