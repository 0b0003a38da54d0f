/* sort - a merge sort on a pool: its tasks map themselves; and a check of the outcome by map and reduce.
 *
 * To sort a part is to sort its two halves, which may run at the same time, and to merge them.  So the task for a part maps the
 * same function over the halves, on the pool that it runs in, and waits for both.  It waits by working: if no other worker is free,
 * its own sorts one half after the other.
 *
 * A worker may be killed at any moment, and then the task runs once more.  So a task must find what it read the first time: the
 * numbers that are to be sorted stay as they are.  A part of depth d is written to table d % 2, from the halves in the other
 * table; who is tried again writes the same once more.
 *
 * usage: sort [-j WORKERS] [NUMBERS]      default: as many workers as CPUs, 4000000 numbers
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <plait.h>

enum { SMALL = 20000 };                                    /* so many are sorted at once */

struct numbers {                                           /* in shared memory */
    const unsigned *given;
    unsigned *tables[2];
};

struct part {
    size_t begin, end;
    int depth;
};

/* --- sorting: a nested map -------------------------------------------------------------------------------------------- */

static int by_value(const void *one, const void *other)
{
    const unsigned a = *(const unsigned *)one, b = *(const unsigned *)other;
    return (a > b) - (a < b);
}

static void sort_at_once(const struct numbers *numbers, const struct part *part)
{
    unsigned *to = numbers->tables[part->depth % 2] + part->begin;
    memcpy(to, numbers->given + part->begin, (part->end - part->begin) * sizeof *to);
    qsort(to, part->end - part->begin, sizeof *to, by_value);
}

static void merge(const struct numbers *numbers, const struct part *part, size_t middle)
{
    const unsigned *from = numbers->tables[(part->depth + 1) % 2];
    unsigned *to = numbers->tables[part->depth % 2];
    for (size_t at = part->begin, left = part->begin, right = middle; at < part->end; at++) {
        const bool take_left = right == part->end || (left < middle && from[left] <= from[right]);
        to[at] = take_left ? from[left++] : from[right++];
    }
}

static int sort_part(const void *in, void *out, void *context)
{
    (void)out;
    const struct part *part = in;
    if (part->end - part->begin <= SMALL) {
        sort_at_once(context, part);
        return 0;
    }
    const size_t middle = part->begin + (part->end - part->begin) / 2;
    const struct part halves[] = { { part->begin, middle, part->depth + 1 }, { middle, part->end, part->depth + 1 } };
    const plait_map_options options = { .context = context };
    const int error = plait_pool_map(plait_pool_current(), sort_part, halves, sizeof halves[0], NULL, 0, 2, &options);
    if (!error) merge(context, part, middle);
    return error;
}

/* --- checking: map and reduce ----------------------------------------------------------------------------------------- */

/* What is known of a run of numbers.  All zero: of none. */
struct run {
    size_t count;
    unsigned first, last;
    unsigned long long sum;
    bool unsorted;
};

static int look_at_number(const void *in, void *out, void *context)
{
    (void)context;
    const unsigned number = *(const unsigned *)in;
    *(struct run *)out = (struct run){ 1, number, number, number, false };
    return 0;
}

/* One run and the next: the order matters, and it is that of the numbers. */
static int append(void *into, const void *from, void *context)
{
    (void)context;
    struct run *run = into;
    const struct run *next = from;
    if (!next->count) return 0;
    run->unsorted |= next->unsorted || (run->count && run->last > next->first);
    if (!run->count) run->first = next->first;
    run->last = next->last;
    run->count += next->count;
    run->sum += next->sum;
    return 0;
}

static int check(plait_pool *pool, const unsigned *numbers, size_t count, struct run *run)
{
    *run = (struct run){ 0 };
    return plait_pool_map_reduce(pool, look_at_number, numbers, sizeof *numbers, count, append, run, sizeof *run, NULL);
}

/* --- the program ------------------------------------------------------------------------------------------------------ */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "sort: %s: %s: %s\n", what, plait_strerror(error), plait_error_detail());
    return 1;
}

static int sort_and_check(plait_pool *pool, struct numbers *numbers, size_t count)
{
    struct run before, after;
    const struct part all = { 0, count, 0 };
    const plait_map_options options = { .context = numbers };
    const double began = now();
    int error = plait_pool_map(pool, sort_part, &all, sizeof all, NULL, 0, 1, &options);
    if (error) return complain("sorting", error);
    const double sorted = now();
    error = check(pool, numbers->given, count, &before);
    if (!error) error = check(pool, numbers->tables[0], count, &after);
    if (error) return complain("checking", error);
    const bool right = !after.unsorted && after.count == before.count && after.sum == before.sum;
    printf("%zu numbers, from %u to %u: %s\n", after.count, after.first, after.last, right ? "sorted" : "NOT SORTED");
    printf("%d workers, %.3f s to sort, %.3f s to check\n", plait_pool_workers(pool), sorted - began, now() - sorted);
    return !right;
}

int main(int argc, char **argv)
{
    plait_pool_options options = { 0 };
    if (argc > 2 && strcmp(argv[1], "-j") == 0) options.workers = atoi(argv[2]);
    const int rest = options.workers ? 3 : 1;
    const size_t count = argc > rest ? strtoul(argv[rest], NULL, 10) : 4000000;
    struct numbers *numbers = plait_alloc(sizeof *numbers);
    unsigned *given = plait_alloc((count + 1) * sizeof *given);
    if (!numbers || !given) return complain("no memory for the numbers", errno);
    numbers->given = given;
    for (size_t i = 0; i < count; i++) given[i] = (unsigned)i * 2654435761u ^ 0x5bd1e995u;
    for (int i = 0; i < 2; i++)
        if (!(numbers->tables[i] = plait_alloc((count + 1) * sizeof *given))) return complain("no memory for the tables", errno);
    plait_pool *pool = plait_pool_new(&options);
    if (!pool) return complain("no workers", errno);
    const int status = sort_and_check(pool, numbers, count);
    plait_pool_free(pool);
    for (int i = 0; i < 2; i++) plait_free(numbers->tables[i]);
    plait_free(given);
    plait_free(numbers);
    return status;
}
