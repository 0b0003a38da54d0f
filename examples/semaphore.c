/* semaphore - ten cars, and a car park with three places.
 *
 * Each car waits at the gate until there is a place, parks for a moment, and leaves.  The place of a car that breaks down (its
 * process is killed) comes back: the semaphore knows who holds its permits.  Whoever gets that place is told, and has it cleared
 * first.
 *
 * usage: semaphore [processes | threads]      default: processes, one of which breaks down
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <plait.h>

enum { CARS = 10, PLACES = 3, BROKEN = 1 };

struct car_park {
    plait_semaphore *places;
    int breaks_down;                                       /* whether car BROKEN does; a thread can not without all others */
    atomic_int parked, most, cleared;
};

struct car {
    struct car_park *car_park;
    int number;
};

static int complain(const char *what, int error)
{
    fprintf(stderr, "semaphore: %s: %s %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

/* The place is one that a broken car has left: tow it away. */
static void clear_place(struct car_park *car_park, const char *who)
{
    atomic_fetch_sub(&car_park->parked, 1);
    atomic_fetch_add(&car_park->cleared, 1);
    printf("%s: cleared the place of a broken car\n", who);
}

static void park(struct car_park *car_park)
{
    const int parked = atomic_fetch_add(&car_park->parked, 1) + 1;
    int most = atomic_load(&car_park->most);
    while (parked > most && !atomic_compare_exchange_weak(&car_park->most, &most, parked)) {}
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static int drive(void *argument)
{
    const struct car *car = argument;
    struct car_park *car_park = car->car_park;
    char name[16];
    snprintf(name, sizeof name, "car %d", car->number);
    const int got = plait_semaphore_acquire(car_park->places, PLAIT_FOREVER);
    if (got < 0) return complain("no place", got);
    if (got == PLAIT_OWNER_DIED) clear_place(car_park, name);
    park(car_park);
    printf("%s: parked\n", name);
    fflush(stdout);
    if (car_park->breaks_down && car->number == BROKEN) raise(SIGKILL);
    atomic_fetch_sub(&car_park->parked, 1);
    plait_semaphore_release(car_park->places);
    return 0;
}

/* Whether it ended as it was to end. */
static int finish(plait_process *process, int expected)
{
    if (!process) return 1;
    const int error = plait_process_join(process, PLAIT_FOREVER);
    if (error) return complain("join", error);
    const int failed = plait_process_exitcode(process) != expected;
    if (failed) fprintf(stderr, "semaphore: %s failed\n", plait_process_name(process));
    plait_process_free(process);
    return failed;
}

static int run_cars(struct car_park *car_park, int kind)
{
    plait_process *processes[CARS];
    int failed = 0;
    for (int i = 0; i < CARS; i++) {
        const struct car car = { car_park, i + 1 };
        processes[i] = plait_start(drive, &car, sizeof car, &(plait_process_options){ .kind = kind });
        if (!processes[i]) complain("no car", errno);
    }
    for (int i = 0; i < CARS; i++) failed |= finish(processes[i], car_park->breaks_down && i + 1 == BROKEN ? -SIGKILL : 0);
    return failed;
}

/* In the evening each place is looked at, if nobody has come across the broken car before. */
static int look_at_places(struct car_park *car_park)
{
    for (int i = 0; i < PLACES; i++) {
        const int got = plait_semaphore_acquire(car_park->places, PLAIT_NOW);
        if (got < 0) return complain("a place is missing", got);
        if (got == PLAIT_OWNER_DIED) clear_place(car_park, "main");
    }
    return plait_semaphore_release_many(car_park->places, PLACES);
}

static int run(int kind)
{
    struct car_park *car_park = plait_alloc(sizeof *car_park);
    if (!car_park || !(car_park->places = plait_owned_semaphore_new(PLACES))) return complain("no car park", errno);
    car_park->breaks_down = kind == PLAIT_PROCESSES;
    int failed = run_cars(car_park, kind);
    failed |= look_at_places(car_park) != 0;
    printf("at most %d at a time, %d broken down, %d places free\n", atomic_load(&car_park->most), atomic_load(&car_park->cleared),
           plait_semaphore_get_value(car_park->places));
    plait_semaphore_free(car_park->places);
    plait_free(car_park);
    return failed;
}

int main(int argc, char **argv)
{
    const int error = plait_init(&argc, &argv);
    if (error) return complain("no shared memory", error);
    const int in_threads = argc == 2 && strcmp(argv[1], "threads") == 0;
    if (argc > 2 || (argc == 2 && !in_threads && strcmp(argv[1], "processes") != 0)) {
        fprintf(stderr, "usage: semaphore [processes | threads]\n");
        return 2;
    }
    const int failed = run(in_threads ? PLAIT_THREADS : PLAIT_PROCESSES);
    if (fflush(stdout) == 0 && !ferror(stdout)) return failed;
    return complain("standard output", -errno);
}
