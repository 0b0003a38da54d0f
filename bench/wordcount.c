/* The word count of everything under /usr/include: by the example's own program, and by the same tasks in OpenMP's threads. */
#include "bench.h"

#include <stdlib.h>

/* The tasks are private to that file; and it has a clock of the same name as ours. */
#define now count_now
#include "../examples/wordcount/count.c"
#undef now

static struct files *listed(void)
{
    static struct files files;
    NEED(plait_init(NULL, NULL) == 0 && files_add(&files, "/usr/include") == 0);
    return &files;
}

static double rate(uint64_t bytes, double seconds)
{
    NEED(bytes > 1000000);
    return (double)bytes / seconds / 1e6;
}

/* From the list of files to the merged bags, with the start and the end of the workers. */
static double by_plait(void)
{
    const struct files *files = listed();
    struct progress *progress = progress_begin();
    struct outcome outcome;
    NEED(progress && count(files, &(plait_pool_options){ .workers = 0 }, progress, &outcome) == 0);
    progress_end(progress);
    return rate(outcome.bytes, outcome.seconds);
}

static double by_openmp(void)
{
    enum { THREADS = 2 };
    const struct files *files = listed();
    struct progress *progress = progress_begin();
    double begin = now();
    struct job *job = job_new(files, THREADS, progress);
    NEED(progress && job && (job->room = room_new(first_room(job))));
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = 0; i < job->batch_count; i++) NEED(map_batch(&job->batches[i], &job->results[i], job) == 0);
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < PARTITIONS; i++) NEED(reduce_partition(&job->partitions[i], &job->merged[i], job) == 0);
    double took = now() - begin;
    struct outcome outcome = { 0 };
    take_outcome(&outcome, job);
    progress_end(progress);
    return rate(outcome.bytes, took);
}

static const struct bench benches[] = {
    { "wordcount", "plait", "MB/s", by_plait },
    { "wordcount", "openmp", "MB/s", by_openmp },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
