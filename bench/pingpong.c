/* A message of 64 bytes goes there and back, between two processes on one core, or on two. */
#include "bench.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <plait.h>

enum { SIZE = 64, TRIPS = 20000 };

/* Both ways of a channel: each side sends into its own. */
struct court {
    void (*send)(void *way, const void *message);
    void (*receive)(void *way, void *message);
    void *ways[2];
    bool one_core;
};

static void play(void *argument, int i)
{
    const struct court *court = argument;
    char message[SIZE] = { 0 };
    if (court->one_core) pin(0);
    for (int n = 0; n < TRIPS; n++) {
        if (i == 0) court->send(court->ways[0], message);
        court->receive(court->ways[!i], message);
        if (i == 1) court->send(court->ways[1], message);
    }
}

/* Microseconds of one trip there and back. */
static double round_trip(struct court *court, bool one_core)
{
    court->one_core = one_core;
    return together(2, play, court) / TRIPS * 1e6;
}

/* ---- plait ---- */

static void put(void *queue, const void *message)
{
    NEED(plait_queue_put(queue, message, SIZE, PLAIT_FOREVER) == 0);
}

static void get(void *queue, void *message)
{
    NEED(plait_queue_get(queue, message, SIZE, PLAIT_FOREVER) == SIZE);
}

static double by_plait(bool one_core)
{
    struct court court = { put, get, { plait_queue_new(NULL), plait_queue_new(NULL) }, false };
    return round_trip(&court, one_core);
}

/* ---- descriptors ---- */

static void write_it(void *ends, const void *message)
{
    NEED(write(((int *)ends)[1], message, SIZE) == SIZE);
}

static void read_it(void *ends, void *message)
{
    NEED(read(((int *)ends)[0], message, SIZE) == SIZE);
}

static double by_pipe(bool one_core)
{
    static int there[2], back[2];
    NEED(pipe(there) == 0 && pipe(back) == 0);
    struct court court = { write_it, read_it, { there, back }, false };
    return round_trip(&court, one_core);
}

static double by_socketpair(bool one_core)
{
    static int there[2], back[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, there) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, back) == 0);
    struct court court = { write_it, read_it, { there, back }, false };
    return round_trip(&court, one_core);
}

/* ---- a bare futex: what a program writes by hand ---- */

struct mailbox {
    _Atomic uint32_t full;
    char message[SIZE];
};

static void post(void *way, const void *message)
{
    struct mailbox *box = way;
    memcpy(box->message, message, SIZE);
    atomic_store(&box->full, 1);
    syscall(SYS_futex, &box->full, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void collect(void *way, void *message)
{
    struct mailbox *box = way;
    while (!atomic_load(&box->full)) syscall(SYS_futex, &box->full, FUTEX_WAIT, 0, NULL, NULL, 0);
    memcpy(message, box->message, SIZE);
    atomic_store(&box->full, 0);
}

static double by_futex(bool one_core)
{
    struct court court = { post, collect, { shared(sizeof(struct mailbox)), shared(sizeof(struct mailbox)) }, false };
    return round_trip(&court, one_core);
}

#define BOTH(name)                                         \
    static double name##_one(void) { return by_##name(true); } \
    static double name##_two(void) { return by_##name(false); }
BOTH(plait)
BOTH(pipe)
BOTH(socketpair)
BOTH(futex)

static const struct bench benches[] = {
    { "pingpong-64B-one-core", "plait", "us", plait_one },
    { "pingpong-64B-one-core", "futex", "us", futex_one },
    { "pingpong-64B-one-core", "pipe", "us", pipe_one },
    { "pingpong-64B-one-core", "socketpair", "us", socketpair_one },
    { "pingpong-64B-two-cores", "plait", "us", plait_two },
    { "pingpong-64B-two-cores", "futex", "us", futex_two },
    { "pingpong-64B-two-cores", "pipe", "us", pipe_two },
    { "pingpong-64B-two-cores", "socketpair", "us", socketpair_two },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
