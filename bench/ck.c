/* Concurrency Kit's rings: the fastest there is, which neither blocks nor survives anything.  A full or empty ring is spun on. */
#include "bench.h"

#include <ck_pr.h>
#include <ck_ring.h>
#include <sched.h>
#include <stdint.h>

enum { SLOTS = 65536 };

struct number {
    uint64_t value;
};

struct message {
    char bytes[64];
};

CK_RING_PROTOTYPE(number, number)
CK_RING_PROTOTYPE(message, message)

struct channel {
    ck_ring_t ring;
    union {
        struct number numbers[SLOTS];
        struct message messages[SLOTS];
    };
};

static void *open_ring(size_t size)
{
    struct channel *channel = shared(sizeof *channel);
    (void)size;
    ck_ring_init(&channel->ring, SLOTS);
    return channel;
}

static void close_ring(void *channel)
{
    (void)channel;
}

/* On a shared CPU, whom we wait for may be off it. */
static void again(unsigned *tries)
{
    if (++*tries % 1024 == 0) sched_yield();
    else ck_pr_stall();
}

#define ENDS(name, type, field, kind)                                                                  \
    static void produce_##name(void *of, size_t size, long n)                                          \
    {                                                                                                  \
        struct channel *channel = of;                                                                  \
        type value = { 0 };                                                                            \
        (void)size;                                                                                    \
        unsigned tries = 0;                                                                            \
        for (long i = 0; i < n; i++)                                                                   \
            while (!CK_RING_ENQUEUE_##kind(field, &channel->ring, channel->field##s, &value)) again(&tries); \
    }                                                                                                  \
    static void consume_##name(void *of, size_t size, long n)                                          \
    {                                                                                                  \
        struct channel *channel = of;                                                                  \
        type value;                                                                                    \
        (void)size;                                                                                    \
        unsigned tries = 0;                                                                            \
        for (long i = 0; i < n; i++)                                                                   \
            while (!CK_RING_DEQUEUE_##kind(field, &channel->ring, channel->field##s, &value)) again(&tries); \
    }                                                                                                  \
    static const struct stream name = { open_ring, produce_##name, consume_##name, close_ring };

ENDS(spsc_8, struct number, number, SPSC)
ENDS(spsc_64, struct message, message, SPSC)
ENDS(mpmc_8, struct number, number, MPMC)
ENDS(mpmc_64, struct message, message, MPMC)

static double spsc_8_rate(void) { return stream_rate(&spsc_8, 1, 8, 10000000); }
static double spsc_64_rate(void) { return stream_rate(&spsc_64, 1, 64, 5000000); }
static double mpmc_8_rate(void) { return stream_rate(&mpmc_8, 1, 8, 3000000); }
static double mpmc_64_rate(void) { return stream_rate(&mpmc_64, 1, 64, 3000000); }
static double mpmc_64_2_rate(void) { return stream_rate(&mpmc_64, 2, 64, 1500000); }

static const struct bench benches[] = {
    { "queue-8B-1p1c", "ck-spsc", "msg/s", spsc_8_rate },
    { "queue-8B-1p1c", "ck-mpmc", "msg/s", mpmc_8_rate },
    { "queue-8B-batches", "ck-spsc", "msg/s", spsc_8_rate },
    { "queue-64B-1p1c", "ck-spsc", "msg/s", spsc_64_rate },
    { "queue-64B-1p1c", "ck-mpmc", "msg/s", mpmc_64_rate },
    { "queue-64B-2p2c", "ck-mpmc", "msg/s", mpmc_64_2_rate },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
