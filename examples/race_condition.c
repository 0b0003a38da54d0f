/* race_condition - two add to one number at the same time, without and with a lock.
 *
 * To add 1 is to read, to add and to write.  If the other reads the same value in between, one of the two additions is lost:
 *
 *     one           other         number
 *     read 5                      5
 *                   read 5        5
 *     write 6                     6
 *                   write 6       6, although 1 was added twice
 *
 * Processes that share memory race like threads do, and the same lock helps both.
 *
 * usage: race_condition [TIMES]      how often each of the two adds 1; default: 1000000
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait.h>

struct race {
    plait_lock gate;                                       /* held until both are there: so they really run at the same time */
    plait_lock lock;
    bool use_lock;
    long times;
    volatile long number;                                  /* volatile: really read and write it each time */
};

static int add(void *argument)
{
    struct race *race = argument;
    if (plait_lock_acquire(&race->gate, PLAIT_FOREVER) < 0) return 1;
    plait_lock_release(&race->gate);
    for (long i = 0; i < race->times; i++) {
        if (race->use_lock && plait_lock_acquire(&race->lock, PLAIT_FOREVER) < 0) return 1;
        const long seen = race->number;
        race->number = seen + 1;
        if (race->use_lock) plait_lock_release(&race->lock);
    }
    return 0;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "race_condition: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* --- two processes ---------------------------------------------------------------------------------------------------- */

static int finish(plait_process *process)
{
    plait_process_join(process, PLAIT_FOREVER);
    const int exitcode = plait_process_exitcode(process);
    plait_process_free(process);
    if (exitcode) fprintf(stderr, "race_condition: a process ended with %d\n", exitcode);
    return exitcode;
}

static int two_processes(struct race *race)
{
    plait_process *one = plait_start(add, race, 0, NULL);
    if (!one) return complain("no process", errno);
    plait_process *other = plait_start(add, race, 0, NULL);
    plait_lock_release(&race->gate);
    const int failed = other ? finish(other) : complain("no second process", errno);
    return finish(one) || failed;
}

/* --- two threads ------------------------------------------------------------------------------------------------------ */

static void *thread(void *argument)
{
    return add(argument) ? argument : NULL;
}

static int two_threads(struct race *race)
{
    pthread_t one, other;
    void *one_failed, *other_failed;
    int error = pthread_create(&one, NULL, thread, race);
    if (error) return complain("no thread", error);
    error = pthread_create(&other, NULL, thread, race);
    plait_lock_release(&race->gate);
    if (!error) pthread_join(other, &other_failed);
    pthread_join(one, &one_failed);
    if (error) return complain("no second thread", error);
    return one_failed || other_failed;
}

/* --- four races ------------------------------------------------------------------------------------------------------- */

/* Whether the result is what it has to be. */
static bool judge(const struct race *race, const char *who)
{
    const long expected = 2 * race->times, lost = expected - race->number;
    printf("two %-10s %-13s expected %10ld, got %10ld: ", who, race->use_lock ? "with a lock," : "without lock,", expected,
           race->number);
    if (lost) printf("%ld lost%s\n", lost, race->use_lock ? ", WRONG" : "");
    else printf("%s\n", race->use_lock ? "exact" : "nothing lost, by luck");
    return !race->use_lock || !lost;
}

static int run(const char *who, int (*two)(struct race *race), bool use_lock, long times)
{
    struct race *race = plait_alloc(sizeof *race);          /* all zeros: an unlocked lock, a number of 0 */
    if (!race) return complain("no shared memory", errno);
    race->use_lock = use_lock;
    race->times = times;
    int failed = plait_lock_acquire(&race->gate, PLAIT_FOREVER) < 0 || two(race);
    if (!failed) failed = !judge(race, who);
    plait_free(race);
    return failed;
}

/* -1: it is no number of times. */
static long parse_times(const char *text)
{
    char *end;
    errno = 0;
    const long times = strtol(text, &end, 10);
    return end != text && !*end && !errno && times >= 1 && times <= 1000000000 ? times : -1;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const long times = argc < 2 ? 1000000 : parse_times(argv[1]);
    if (argc > 2 || times < 0) {
        fprintf(stderr, "usage: race_condition [TIMES]      how often each adds 1, from 1 to 1000000000; default: 1000000\n");
        return 2;
    }
    int failed = run("processes", two_processes, false, times);
    failed |= run("processes", two_processes, true, times);
    failed |= run("threads", two_threads, false, times);
    failed |= run("threads", two_threads, true, times);
    if (fflush(stdout) == 0 && !ferror(stdout)) return failed ? 1 : 0;
    fprintf(stderr, "race_condition: standard output: %s\n", strerror(errno));
    return 1;
}
