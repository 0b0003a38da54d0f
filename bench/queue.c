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

static double plait_8(void) { return stream_rate(&by_plait, 1, 8, 2000000); }
static double plait_64(void) { return stream_rate(&by_plait, 1, 64, 2000000); }
static double plait_64_2(void) { return stream_rate(&by_plait, 2, 64, 1000000); }
static double plait_mib(void) { return stream_rate(&by_plait, 1, MIB, 600); }
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
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
