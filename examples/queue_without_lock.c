/* queue_without_lock - two processes put a number each into a queue, two others take them out, and nothing says which of those is
 * first: so the one that sleeps gets what is left.
 *
 * What is certain, and why:
 *     1 lies before 2 in the queue            the first inserter has ended before the second starts
 *     consumer 2 takes 1                      consumer 1 sleeps until it is woken, and that is when consumer 2 has ended
 * (With a sleep of a second, as one would try it first, it would only be likely.  queue_with_lock is the same with a lock.)
 *
 * usage: queue_without_lock
 */
#include <errno.h>
#include <stdio.h>

#include <plait.h>

/* What each process gets a copy of. */
struct part {
    int number;
    plait_queue *queue;
    plait_queue *bell;                                     /* wakes consumer 1 */
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "queue_without_lock: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int insert(void *argument)
{
    const struct part *part = argument;
    printf("Aku insert%d akan menginsert %d ke queue\n", part->number, part->number);
    return plait_queue_put(part->queue, &part->number, sizeof part->number, PLAIT_FOREVER) < 0;
}

static int consume(void *argument)
{
    const struct part *part = argument;
    int got;
    if (part->number == 1 && plait_queue_get(part->bell, &got, sizeof got, PLAIT_FOREVER) < 0) return 1;
    if (plait_queue_get(part->queue, &got, sizeof got, PLAIT_FOREVER) < 0) return 1;
    return printf("aku consumer %d harusnya mendapatkan angka %d dari queue : %d\n", part->number, part->number, got) < 0;
}

/* Wait for its end; whether it has failed. */
static int finish(plait_process *process)
{
    if (!process) return complain("no process", errno);
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    if (exitcode) fprintf(stderr, "queue_without_lock: a process ended with %d\n", exitcode);
    return exitcode != 0;
}

static int run(struct part *one)
{
    struct part two = *one;
    one->number = 1;
    two.number = 2;
    if (finish(plait_start(insert, one, sizeof *one, NULL)) || finish(plait_start(insert, &two, sizeof two, NULL))) return 1;
    plait_process *first = plait_start(consume, one, sizeof *one, NULL);
    if (!first) return complain("no process", errno);
    int failed = finish(plait_start(consume, &two, sizeof two, NULL));
    const int rung = plait_queue_put(one->bell, "", 1, PLAIT_FOREVER);
    if (rung < 0) failed = complain("the bell", rung);
    if (failed) plait_process_terminate(first);            /* it may wait for what does not come */
    return finish(first) || failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    struct part part = { .queue = plait_queue_new(&(plait_queue_options){ .maxsize = 5 }), .bell = plait_queue_new(NULL) };
    const int failed = part.queue && part.bell ? run(&part) : complain("no queue", errno);
    plait_queue_free(part.queue);
    plait_queue_free(part.bell);
    return failed;
}
