/* Two processes answer each other, each of which waits for a message and for a descriptor besides that never has anything; and for one of
 * two queues. */
#include "bench.h"

#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <plait.h>

enum { TRIPS = 10000 };

struct court {
    void (*give)(const struct court *court, int to);
    void (*wait_and_take)(const struct court *court, int mine);
    plait_queue *queues[2], *idle_queue;
    int fds[2], idle[2];                                   /* of `fds` each has one: of a pair, or an eventfd */
};

static void play(void *argument, int i)
{
    const struct court *court = argument;
    for (int n = 0; n < TRIPS; n++) {
        if (i == 0) court->give(court, 1);
        court->wait_and_take(court, i);
        if (i == 1) court->give(court, 0);
    }
}

/* Microseconds of one trip there and back. */
static double round_trip(struct court *court)
{
    NEED(pipe(court->idle) == 0);
    return together(2, play, court) / TRIPS * 1e6;
}

/* ---- plait ---- */

static void put(const struct court *court, int to)
{
    NEED(plait_queue_put(court->queues[to], "x", 1, PLAIT_FOREVER) == 0);
}

static void take(const struct court *court, int mine)
{
    char byte;
    NEED(plait_queue_get(court->queues[mine], &byte, 1, PLAIT_NOW) == 1);
}

static void wait_for_descriptor_too(const struct court *court, int mine)
{
    plait_waitable things[] = { { PLAIT_WAIT_QUEUE, .object = court->queues[mine] }, { PLAIT_WAIT_FD, .fd = court->idle[0] } };
    NEED(plait_wait(things, 2, PLAIT_FOREVER) == 1);
    take(court, mine);
}

static void wait_for_two_queues(const struct court *court, int mine)
{
    plait_waitable things[] = { { PLAIT_WAIT_QUEUE, .object = court->queues[mine] }, { PLAIT_WAIT_QUEUE, .object = court->idle_queue } };
    NEED(plait_wait(things, 2, PLAIT_FOREVER) == 1);
    take(court, mine);
}

static double with_queues(void (*wait_and_take)(const struct court *court, int mine))
{
    struct court court = { .give = put, .wait_and_take = wait_and_take };
    NEED((court.queues[0] = plait_queue_new(NULL)) && (court.queues[1] = plait_queue_new(NULL)));
    NEED((court.idle_queue = plait_queue_new(NULL)));
    return round_trip(&court);
}

static double queue_and_fd(void)
{
    return with_queues(wait_for_descriptor_too);
}

static double two_queues(void)
{
    return with_queues(wait_for_two_queues);
}

/* The loop is the program's own. */
static void watch_and_take(const struct court *court, int mine)
{
    static plait_watch *watch;
    plait_waitable things[] = { { PLAIT_WAIT_QUEUE, .object = court->queues[mine] }, { PLAIT_WAIT_FD, .fd = court->idle[0] } };
    if (!watch) NEED((watch = plait_watch_new(things, 2)));
    struct pollfd fd = { .fd = plait_watch_fd(watch), .events = POLLIN };
    while (plait_watch_check(watch, NULL, 0) == 0) NEED(poll(&fd, 1, -1) == 1);
    take(court, mine);
}

static double watched_queue(void)
{
    return with_queues(watch_and_take);
}

/* ---- descriptors ---- */

static void poll_both(const struct court *court, int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = court->idle[0], .events = POLLIN } };
    NEED(poll(fds, 2, -1) == 1);
}

static void write_event(const struct court *court, int to)
{
    const uint64_t one = 1;
    NEED(write(court->fds[to], &one, sizeof one) == sizeof one);
}

static void read_event(const struct court *court, int mine)
{
    uint64_t count;
    poll_both(court, court->fds[mine]);
    NEED(read(court->fds[mine], &count, sizeof count) == sizeof count);
}

static double eventfds(void)
{
    struct court court = { .give = write_event, .wait_and_take = read_event, .fds = { eventfd(0, 0), eventfd(0, 0) } };
    return round_trip(&court);
}

static void send_byte(const struct court *court, int to)
{
    NEED(write(court->fds[!to], "x", 1) == 1);
}

static void receive_byte(const struct court *court, int mine)
{
    char byte;
    poll_both(court, court->fds[mine]);
    NEED(read(court->fds[mine], &byte, 1) == 1);
}

static double socketpairs(void)
{
    struct court court = { .give = send_byte, .wait_and_take = receive_byte };
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, court.fds) == 0);
    return round_trip(&court);
}

static const struct bench benches[] = {
    { "wait-queue-and-fd", "plait", "us", queue_and_fd },
    { "wait-queue-and-fd", "plait-watch", "us", watched_queue },
    { "wait-queue-and-fd", "eventfd", "us", eventfds },
    { "wait-queue-and-fd", "socketpair", "us", socketpairs },
    { "wait-two-queues", "plait", "us", two_queues },
    { "wait-two-queues", "socketpair", "us", socketpairs },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
