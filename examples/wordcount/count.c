/* count.c - counting the words of many files: map and reduce on a pool.
 *
 * Map: a task gets a batch of files and counts their words into PARTITIONS bags, by the hash of the word.
 * Reduce: a task gets the number of a partition, and merges that bag of all batches into one.
 * Nothing is sent: batches and bags lie in shared memory, and a pointer to them is the same everywhere.
 *
 * A worker may be killed at any moment, by the OOM killer say, and then the pool runs its task once more.  So a task must be
 * able to run twice: it only reads what it was given, and writes its result once, at its end.  What an attempt was doing that
 * was cut short, nobody will ever see.
 *
 * Nor is any memory lost with it.  Had a worker allocated the blocks for its words, it would have to do two things with each: make
 * it the family's, and tell the parent where it is.  Whoever is killed between the two loses the block, in whichever order they
 * are done.  Therefore the parent allocates one large room beforehand, and the workers only take pieces of that.  The pieces of
 * one who was killed lie unused until the room is freed as a whole.
 */
#include "count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scan.h"

/* A file, or of a large one a part. */
struct piece {
    struct file *file;
    int64_t begin, end;
};

struct batch {
    size_t first, count;                                   /* pieces */
};

struct result {
    struct found found;
    struct bag bags[PARTITIONS];
};

/* All that the tasks need to know, in shared memory. */
struct job {
    struct piece *pieces;
    struct batch *batches;
    struct result *results;                                /* one for each batch */
    size_t piece_count, batch_count;
    int partitions[PARTITIONS];                            /* 0, 1, 2, ...: what the reduce tasks get */
    struct bag merged[PARTITIONS];
    struct room *room;
    struct progress *progress;
};

/* --- map -------------------------------------------------------------------------------------------------------------- */

static int count_piece(const struct piece *piece, struct desk *desk, struct table *table, struct found *found)
{
    /* O_NONBLOCK: should the file have become a pipe meanwhile, nothing is waited for. */
    const int fd = open(piece->file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const int got = fd < 0 ? -errno : scan(fd, piece->begin, piece->end, desk, table, found);
    if (fd >= 0) close(fd);
    if (got < 0) atomic_store(&piece->file->error, -got);
    if (got == SCAN_BINARY) atomic_store(&piece->file->binary, 1);
    return table->error;
}

static int map_batch(const void *in, void *out, void *context)
{
    const struct batch *batch = in;
    struct job *job = context;
    struct result result = { 0 };
    struct table table = { 0 };
    struct desk *desk = malloc(sizeof *desk);
    int error = desk ? table_open(&table, job->room, result.bags, true) : -ENOMEM;
    for (size_t i = 0; !error && i < batch->count; i++) {
        const uint64_t before = result.found.bytes;
        error = count_piece(&job->pieces[batch->first + i], desk, &table, &result.found);
        progress_add(job->progress, result.found.bytes - before);
    }
    table_close(&table);
    free(desk);
    *(struct result *)out = result;
    return error;
}

/* --- reduce ----------------------------------------------------------------------------------------------------------- */

static int add_bag(struct table *table, const struct bag *bag)
{
    struct bag_walk walk = { .segment = bag->first };
    const struct word *word;
    struct key key;
    while (bag_next(&walk, &word, &key)) table_add(table, &key, word->count);
    return table->error;
}

static int reduce_partition(const void *in, void *out, void *context)
{
    const int partition = *(const int *)in;
    const struct job *job = context;
    struct bag merged = { 0 };
    struct table table;
    int error = table_open(&table, job->room, &merged, false);
    for (size_t i = 0; !error && i < job->batch_count; i++) error = add_bag(&table, &job->results[i].bags[partition]);
    table_close(&table);
    *(struct bag *)out = merged;
    return error;
}

/* --- the plan --------------------------------------------------------------------------------------------------------- */

/* A file costs about as much as so many bytes, besides those that are in it. */
enum { COST_OF_FILE = 4096 };

/* Files are cut so that pieces are at most about so large. */
enum { PIECE = 1 << 20 };

static size_t pieces_of(const struct file *file)
{
    if (file->error) return 0;
    return file->size < PIECE ? 1 : (size_t)((file->size + PIECE / 2) / PIECE);
}

static int cut_into_pieces(struct job *job, const struct files *files)
{
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++) count += pieces_of(&files->all[i]);
    job->pieces = plait_alloc((count + 1) * sizeof job->pieces[0]);
    if (!job->pieces) return -errno;
    for (size_t i = 0; i < files->count; i++) {
        struct file *file = &files->all[i];
        const int64_t parts = (int64_t)pieces_of(file);
        for (int64_t part = 0; part < parts; part++) {
            const int64_t end = part + 1 < parts ? (part + 1) * PIECE : INT64_MAX;
            job->pieces[job->piece_count++] = (struct piece){ file, part * PIECE, end };
        }
    }
    return 0;
}

static int64_t cost_of(const struct piece *piece)
{
    const int64_t end = piece->end < piece->file->size ? piece->end : piece->file->size;
    return end - piece->begin + COST_OF_FILE;
}

/* Large batches first, as the common words are counted anew in every batch; but not so large that the table of their words does
 * not fit into a CPU's cache.  Then smaller and smaller ones, so that the workers are done at about the same time. */
enum { SMALLEST_BATCH = 256 * 1024, LARGEST_BATCH = 8 * 1024 * 1024 };

static int64_t next_batch(int64_t left, int workers)
{
    const int64_t part = left / (3 * workers);
    return part < SMALLEST_BATCH ? SMALLEST_BATCH : part > LARGEST_BATCH ? LARGEST_BATCH : part;
}

static int cut_into_batches(struct job *job, int workers)
{
    int64_t left = 0;
    for (size_t i = 0; i < job->piece_count; i++) left += cost_of(&job->pieces[i]);
    job->batches = plait_alloc((job->piece_count + 1) * sizeof job->batches[0]);
    if (!job->batches) return -errno;
    for (size_t i = 0; i < job->piece_count;) {
        struct batch *batch = &job->batches[job->batch_count++];
        batch->first = i;
        for (int64_t wanted = next_batch(left, workers); wanted > 0 && i < job->piece_count; i++) {
            wanted -= cost_of(&job->pieces[i]);
            left -= cost_of(&job->pieces[i]);
            batch->count++;
        }
    }
    job->results = plait_alloc((job->batch_count + 1) * sizeof job->results[0]);
    return job->results ? 0 : -errno;
}

static void job_free(struct job *job)
{
    if (!job) return;
    plait_free(job->pieces);
    plait_free(job->batches);
    plait_free(job->results);
    plait_free(job);
}

static struct job *job_new(const struct files *files, int workers, struct progress *progress)
{
    struct job *job = plait_alloc(sizeof *job);
    if (!job) return NULL;
    job->progress = progress;
    for (int i = 0; i < PARTITIONS; i++) job->partitions[i] = i;
    int error = cut_into_pieces(job, files);
    if (!error) error = cut_into_batches(job, workers);
    if (!error) return job;
    job_free(job);
    errno = -error;
    return NULL;
}

/* --- one count -------------------------------------------------------------------------------------------------------- */

int complain(const char *what, int error)
{
    fprintf(stderr, "wordcount: %s: %s%s%s\n", what, plait_strerror(error), *plait_error_detail() ? ": " : "",
            plait_error_detail());
    return error;
}

static int map_and_reduce(plait_pool *pool, struct job *job)
{
    const plait_map_options options = { .chunk = 1, .context = job };
    const int error = plait_pool_map(pool, map_batch, job->batches, sizeof job->batches[0], job->results, sizeof job->results[0],
                                     job->batch_count, &options);
    if (error) return error;
    return plait_pool_map(pool, reduce_partition, job->partitions, sizeof job->partitions[0], job->merged, sizeof job->merged[0],
                          PARTITIONS, &options);
}

enum { ROOM_AT_FIRST = 1 << 30 };

/* How much room the words will need can't be known.  Memory that is not touched costs nothing, but the family has a limit.  This
 * is ample for text, and when it does not suffice everything begins again in a larger room. */
static size_t first_room(const struct job *job)
{
    size_t bytes = 0;
    for (size_t i = 0; i < job->piece_count; i++) bytes += (size_t)cost_of(&job->pieces[i]);
    const size_t words = bytes / 2 < ROOM_AT_FIRST ? bytes / 2 : ROOM_AT_FIRST;
    return words + (job->batch_count + 1) * PARTITIONS * SEGMENT_SIZE;
}

static int count_with(plait_pool *pool, struct job *job)
{
    int error = ROOM_FULL;
    for (size_t size = first_room(job); error == ROOM_FULL; size *= 4) {
        plait_free(job->room);
        job->room = room_new(size);
        if (!job->room) return complain("no room for the words", -errno);
        atomic_store(&job->progress->done, 0);
        error = map_and_reduce(pool, job);
    }
    return error ? complain("counting", error) : 0;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void take_outcome(struct outcome *outcome, const struct job *job)
{
    outcome->room = job->room;
    memcpy(outcome->bags, job->merged, sizeof outcome->bags);
    for (size_t i = 0; i < job->batch_count; i++) {
        outcome->words += job->results[i].found.words;
        outcome->bytes += job->results[i].found.bytes;
    }
    for (int i = 0; i < PARTITIONS; i++) outcome->different += job->merged[i].words;
}

int count(const struct files *files, const plait_pool_options *options, struct progress *progress, struct outcome *outcome)
{
    const double began = now();
    *outcome = (struct outcome){ 0 };
    plait_pool *pool = plait_pool_new(options);
    if (!pool) return complain("no workers", -errno);
    outcome->workers = plait_pool_workers(pool);
    struct job *job = job_new(files, outcome->workers, progress);
    const int error = job ? count_with(pool, job) : complain("no memory for the plan", -errno);
    plait_pool_free(pool);
    if (!error) take_outcome(outcome, job);
    else if (job) plait_free(job->room);
    job_free(job);
    outcome->seconds = now() - began;
    return error;
}

void outcome_free(struct outcome *outcome)
{
    plait_free(outcome->room);
}
