/* Messages from producers to consumers: plait's queue beside a pipe and a socket pair. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait.h>

/* ---- plait ---- */

static void *open_queue(size_t size)
{
    plait_queue_options options = { .capacity = size > 65536 ? 16 * size : 0 };
    plait_queue *queue = plait_queue_new(&options);
    NEED(queue);
    return queue;
}

static void put_all(void *queue, size_t size, long n)
{
    char *message = calloc(1, size);
    for (long i = 0; i < n; i++) NEED(plait_queue_put(queue, message, size, PLAIT_FOREVER) == 0);
}

static void get_all(void *queue, size_t size, long n)
{
    char *message = malloc(size);
    for (long i = 0; i < n; i++) NEED(plait_queue_get(queue, message, size, PLAIT_FOREVER) == (ssize_t)size);
}

static void close_queue(void *queue)
{
    plait_queue_free(queue);
}

static const struct stream by_plait = { open_queue, put_all, get_all, close_queue };

static void *open_unbounded(size_t size)
{
    (void)size;
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .unbounded = 1 });
    NEED(queue);
    return queue;
}

/* As many at a time as one would have ready. */
enum { BATCH = 64 };

static void put_batches(void *queue, size_t size, long n)
{
    char *messages = calloc(BATCH, size);
    for (long i = 0; i < n; i += BATCH) NEED(plait_queue_put_many(queue, messages, size, BATCH, PLAIT_FOREVER) == BATCH);
}

static void get_batches(void *queue, size_t size, long n)
{
    char *messages = malloc(BATCH * size);
    for (ssize_t got; n > 0; n -= got) NEED((got = plait_queue_get_many(queue, messages, size, NULL, BATCH, PLAIT_FOREVER)) > 0);
}

/* As many blocks on the way as in the other kinds; or a fast producer fills the memory. */
static void *open_for_blocks(size_t size)
{
    (void)size;
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .maxsize = 16 });
    NEED(queue);
    return queue;
}

/* The block goes from hand to hand: the producer writes something into it, the consumer looks and frees it. */
static void give_all(void *queue, size_t size, long n)
{
    for (long i = 0; i < n; i++) {
        long *block = plait_message_alloc(size);
        NEED(block);
        *block = i;
        NEED(plait_queue_give(queue, block, size, PLAIT_FOREVER) == 0);
    }
}

static void take_all(void *queue, size_t size, long n)
{
    void *block;
    for (long i = 0; i < n; i++) {
        NEED(plait_queue_take(queue, &block, PLAIT_FOREVER) == (ssize_t)size);
        NEED(*(long *)block == i);
        plait_free(block);
    }
}

/* The same blocks go round: the consumer gives them back. */
struct round_trip {
    plait_queue *full, *empty;
};

enum { BLOCKS = 32 };

static void *open_round_trip(size_t size)
{
    static struct round_trip trip;
    trip = (struct round_trip){ plait_queue_new(NULL), plait_queue_new(NULL) };
    NEED(trip.full && trip.empty);
    for (int i = 0; i < BLOCKS; i++) {
        void *block = plait_message_alloc(size);
        NEED(block && plait_queue_give(trip.empty, block, size, PLAIT_NOW) == 0);
        memset(block, 1, size);
    }
    return &trip;
}

static void give_round(void *of, size_t size, long n)
{
    struct round_trip *trip = of;
    void *block;
    for (long i = 0; i < n; i++) {
        NEED(plait_queue_take(trip->empty, &block, PLAIT_FOREVER) == (ssize_t)size);
        *(long *)block = i;
        NEED(plait_queue_give(trip->full, block, size, PLAIT_FOREVER) == 0);
    }
}

static void take_round(void *of, size_t size, long n)
{
    struct round_trip *trip = of;
    void *block;
    for (long i = 0; i < n; i++) {
        NEED(plait_queue_take(trip->full, &block, PLAIT_FOREVER) == (ssize_t)size);
        NEED(*(long *)block == i);
        NEED(plait_queue_give(trip->empty, block, size, PLAIT_FOREVER) == 0);
    }
}

static void close_round_trip(void *of)
{
    plait_queue_free(((struct round_trip *)of)->full);
    plait_queue_free(((struct round_trip *)of)->empty);
}

/* Tasks: each is told to be done, and the producer joins when it has put them all. */
static void *open_joinable(size_t size)
{
    (void)size;
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .joinable = 1 });
    NEED(queue);
    return queue;
}

static void put_all_and_join(void *queue, size_t size, long n)
{
    put_all(queue, size, n);
    NEED(plait_queue_join(queue, PLAIT_FOREVER) == 0);
}

static void do_all(void *queue, size_t size, long n)
{
    char *message = malloc(size);
    for (long i = 0; i < n; i++) {
        NEED(plait_queue_get(queue, message, size, PLAIT_FOREVER) == (ssize_t)size);
        NEED(plait_queue_task_done(queue) == 0);
    }
}

static const struct stream by_tasks = { open_joinable, put_all_and_join, do_all, close_queue };
static const struct stream by_segments = { open_unbounded, put_all, get_all, close_queue };
static const struct stream by_batches = { open_queue, put_batches, get_batches, close_queue };
static const struct stream by_blocks = { open_for_blocks, give_all, take_all, close_queue };
static const struct stream by_same_blocks = { open_round_trip, give_round, take_round, close_round_trip };

/* ---- descriptors ---- */

static void *open_pipe(size_t size)
{
    static int ends[2];
    (void)size;
    NEED(pipe(ends) == 0);
    return ends;
}

static void *open_sockets(size_t size)
{
    static int ends[2], swapped[2];
    (void)size;
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    swapped[0] = ends[1];
    swapped[1] = ends[0];
    return swapped;
}

static void *open_stream_sockets(size_t size)
{
    static int ends[2];
    (void)size;
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    return ends;
}

static void write_all(void *ends, size_t size, long n)
{
    char *message = calloc(1, size);
    for (long i = 0; i < n; i++)
        for (size_t done = 0; done < size;) {
            ssize_t got = write(((int *)ends)[1], message + done, size - done);
            NEED(got > 0);
            done += (size_t)got;
        }
}

static void read_all(void *ends, size_t size, long n)
{
    char *message = malloc(size);
    for (long i = 0; i < n; i++)
        for (size_t done = 0; done < size;) {
            ssize_t got = read(((int *)ends)[0], message + done, size - done);
            NEED(got > 0);
            done += (size_t)got;
        }
}

static void close_ends(void *ends)
{
    close(((int *)ends)[0]);
    close(((int *)ends)[1]);
}

static const struct stream by_pipe = { open_pipe, write_all, read_all, close_ends };
static const struct stream by_packets = { open_sockets, write_all, read_all, close_ends };
static const struct stream by_socket = { open_stream_sockets, write_all, read_all, close_ends };

/* ---- rows ---- */

#define MIB ((size_t)1 << 20)

static double plait_8(void) { return stream_rate(&by_plait, 1, 8, 6000000); }
static double plait_64(void) { return stream_rate(&by_plait, 1, 64, 6000000); }
static double plait_64_2(void) { return stream_rate(&by_plait, 2, 64, 3000000); }
static double plait_mib(void) { return stream_rate(&by_plait, 1, MIB, 600); }
static double unbounded_8(void) { return stream_rate(&by_segments, 1, 8, 6000000); }
static double joinable_8(void) { return stream_rate(&by_tasks, 1, 8, 2000000); }
static double batches_8(void) { return stream_rate(&by_batches, 1, 8, 64 * 80000); }
static double given_mib(void) { return stream_rate(&by_blocks, 1, MIB, 100000); }
static double given_again_mib(void) { return stream_rate(&by_same_blocks, 1, MIB, 300000); }
static double pipe_8(void) { return stream_rate(&by_pipe, 1, 8, 300000); }
static double pipe_64(void) { return stream_rate(&by_pipe, 1, 64, 300000); }
static double pipe_64_2(void) { return stream_rate(&by_pipe, 2, 64, 150000); }
static double pipe_mib(void) { return stream_rate(&by_pipe, 1, MIB, 400); }
static double packets_8(void) { return stream_rate(&by_packets, 1, 8, 200000); }
static double packets_64(void) { return stream_rate(&by_packets, 1, 64, 200000); }
static double packets_64_2(void) { return stream_rate(&by_packets, 2, 64, 100000); }
static double socket_mib(void) { return stream_rate(&by_socket, 1, MIB, 400); }

static const struct bench benches[] = {
    { "queue-8B-1p1c", "plait", "msg/s", plait_8 },
    { "queue-8B-1p1c", "pipe", "msg/s", pipe_8 },
    { "queue-8B-1p1c", "socketpair", "msg/s", packets_8 },
    { "queue-64B-1p1c", "plait", "msg/s", plait_64 },
    { "queue-64B-1p1c", "pipe", "msg/s", pipe_64 },
    { "queue-64B-1p1c", "socketpair", "msg/s", packets_64 },
    { "queue-64B-2p2c", "plait", "msg/s", plait_64_2 },
    { "queue-64B-2p2c", "pipe", "msg/s", pipe_64_2 },
    { "queue-64B-2p2c", "socketpair", "msg/s", packets_64_2 },
    { "queue-1MiB-copy", "plait", "msg/s", plait_mib },
    { "queue-1MiB-copy", "pipe", "msg/s", pipe_mib },
    { "queue-1MiB-copy", "socketpair", "msg/s", socket_mib },
    { "queue-1MiB-handover", "plait", "msg/s", given_again_mib },
    { "queue-1MiB-handover", "plait-fresh-blocks", "msg/s", given_mib },
    { "queue-1MiB-handover", "pipe", "msg/s", pipe_mib },
    { "queue-1MiB-handover", "socketpair", "msg/s", socket_mib },
    { "queue-8B-unbounded", "plait", "msg/s", unbounded_8 },
    { "queue-8B-unbounded", "pipe", "msg/s", pipe_8 },
    { "queue-8B-unbounded", "socketpair", "msg/s", packets_8 },
    { "queue-8B-batches", "plait", "msg/s", batches_8 },
    { "joinable-queue", "plait", "tasks/s", joinable_8 },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
