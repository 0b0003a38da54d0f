/* A message goes there and back over a pipe of two ways, between two processes on two cores: the frames of plait_pipe beside the bare
 * bytes of a socketpair. */
#include "bench.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait.h>

enum { SMALL = 8, LARGE = 64 << 10, TRIPS = 20000, LARGE_TRIPS = 5000 };

struct court {
    void (*send)(const struct court *court, int side, const char *message);
    void (*receive)(const struct court *court, int side, char *message);
    plait_connection *ends[2];
    int fds[2];
    size_t size;
    int trips;
};

static void play(void *argument, int i)
{
    const struct court *court = argument;
    char *message = calloc(1, court->size);
    for (int n = 0; n < court->trips; n++) {
        if (i == 0) court->send(court, i, message);
        court->receive(court, i, message);
        if (i == 1) court->send(court, i, message);
    }
    free(message);
}

/* Microseconds of one trip there and back. */
static double round_trip(struct court *court, size_t size)
{
    court->size = size;
    court->trips = size == SMALL ? TRIPS : LARGE_TRIPS;
    return together(2, play, court) / court->trips * 1e6;
}

/* ---- plait ---- */

static void send_frame(const struct court *court, int side, const char *message)
{
    NEED(plait_connection_send_bytes(court->ends[side], message, court->size, PLAIT_FOREVER) == 0);
}

static void receive_frame(const struct court *court, int side, char *message)
{
    NEED(plait_connection_recv_bytes(court->ends[side], message, court->size, PLAIT_FOREVER) == (ssize_t)court->size);
}

static double by_plait(size_t size)
{
    struct court court = { .send = send_frame, .receive = receive_frame };
    NEED(plait_pipe(1, court.ends) == 0);
    return round_trip(&court, size);
}

/* ---- a bare socketpair ---- */

static void write_all(const struct court *court, int side, const char *message)
{
    for (size_t done = 0; done < court->size;) {
        ssize_t n = write(court->fds[side], message + done, court->size - done);
        NEED(n > 0);
        done += (size_t)n;
    }
}

static void read_all(const struct court *court, int side, char *message)
{
    for (size_t done = 0; done < court->size;) {
        ssize_t n = read(court->fds[side], message + done, court->size - done);
        NEED(n > 0);
        done += (size_t)n;
    }
}

static double by_socketpair(size_t size)
{
    struct court court = { .send = write_all, .receive = read_all };
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, court.fds) == 0);
    return round_trip(&court, size);
}

static double plait_small(void) { return by_plait(SMALL); }
static double plait_large(void) { return by_plait(LARGE); }
static double socketpair_small(void) { return by_socketpair(SMALL); }
static double socketpair_large(void) { return by_socketpair(LARGE); }

static const struct bench benches[] = {
    { "pipe-8B", "plait", "us", plait_small },
    { "pipe-8B", "socketpair", "us", socketpair_small },
    { "pipe-64KiB", "plait", "us", plait_large },
    { "pipe-64KiB", "socketpair", "us", socketpair_large },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
