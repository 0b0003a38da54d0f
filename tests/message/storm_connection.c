/* Senders and receivers share the two ends of one pipe, and are killed at random.  Each message has a lane (its sender's place) and
 * a number in it.  Nothing is lost but one message for each receiver killed, nothing comes twice, each lane stays in order, no
 * message is torn; and as each of these messages goes to the kernel at once, no death breaks the pipe. */
#include "storm.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <plait.h>

enum { SENDERS = 3, RECEIVERS = 3, LONGEST = 3000 };
#define MOST (1u << 20)                                    /* messages of a lane */

struct lane {
    _Atomic uint32_t begun, sent;                          /* before, after the send of a number */
    _Atomic uint8_t seen[MOST];
    uint8_t cut[MOST];                                     /* its sender was killed then */
};

static struct shared {
    _Atomic uint64_t received, torn, doubled, disordered;
    struct lane lanes[SENDERS];
} *shared;

static plait_connection *ends[2];                          /* the first one receives */

struct message {
    uint32_t lane, number;
    uint8_t filling[LONGEST];
};

static size_t size_of(uint32_t number, uint32_t lane)
{
    return offsetof(struct message, filling) + (number * 7 + lane) % 120 + (number % 5 == 0 ? number % LONGEST / 2 : 0);
}

static void send_all(uint32_t place)
{
    struct lane *lane = &shared->lanes[place];
    while (!storm_is_over() && lane->begun < MOST - 1) {
        struct message message = { .lane = place, .number = lane->begun + 1 };
        memset(message.filling, (int)(message.number & 0xff), sizeof message.filling);
        lane->begun = message.number;
        CHECK(plait_connection_send_bytes(ends[1], &message, size_of(message.number, place), PLAIT_FOREVER) == 0);
        lane->sent = message.number;
    }
}

static bool is_whole(const struct message *message, size_t size)
{
    if (size < offsetof(struct message, filling) || message->lane >= SENDERS || message->number >= MOST) return false;
    if (size != size_of(message->number, message->lane)) return false;
    for (size_t i = 0; i < size - offsetof(struct message, filling); i++)
        if (message->filling[i] != (message->number & 0xff)) return false;
    return true;
}

static void note(const struct message *message, size_t size, uint32_t *last)
{
    if (!is_whole(message, size)) {
        shared->torn++;
        return;
    }
    if (atomic_fetch_add(&shared->lanes[message->lane].seen[message->number], 1)) shared->doubled++;
    if (message->number <= last[message->lane]) shared->disordered++;
    last[message->lane] = message->number;
    shared->received++;
}

/* Some wait for ever, some for a moment. */
static void receive_all(uint64_t random)
{
    struct message message;
    uint32_t last[SENDERS] = { 0 };
    for (;;) {
        const double seconds = storm_is_over() || test_random(&random) % 2 ? 0.005 : 1;
        ssize_t size = plait_connection_recv_bytes(ends[0], &message, sizeof message, plait_after(seconds));
        if (size >= 0) note(&message, (size_t)size, last);
        else if (size == -ETIMEDOUT && storm_is_over()) return;
        else CHECK(size == -ETIMEDOUT);
    }
}

static void send_or_receive(int place, uint64_t random)
{
    if (place < SENDERS) send_all((uint32_t)place);
    else receive_all(random);
}

/* ---- the tester ---- */

static void note_what_was_cut(int place)
{
    if (place >= SENDERS) return;
    struct lane *lane = &shared->lanes[place];
    if (lane->begun != lane->sent) lane->cut[lane->begun] = 1;
    lane->sent = atomic_load(&lane->begun);
}

static uint64_t count_lost(void)
{
    uint64_t lost = 0;
    for (int i = 0; i < SENDERS; i++)
        for (uint32_t number = 1; number <= shared->lanes[i].sent; number++)
            lost += !shared->lanes[i].seen[number] && !shared->lanes[i].cut[number];
    return lost;
}

static void many_on_both_ends(void **state)
{
    storm_family();
    shared = test_shared(sizeof *shared);
    assert_int_equal(plait_pipe(0, ends), 0);
    struct storm storm = { .workers = SENDERS + RECEIVERS, .body = send_or_receive, .killed = note_what_was_cut,
                           .progress = &shared->received };
    storm_rage(&storm);
    storm_stop();
    storm_end(&storm);
    struct message message;
    uint32_t last[SENDERS] = { 0 };
    ssize_t size;
    while ((size = plait_connection_recv_bytes(ends[0], &message, sizeof message, PLAIT_NOW)) >= 0)
        note(&message, (size_t)size, last);
    assert_int_equal(size, -ETIMEDOUT);
    long kills = 0;
    for (int i = SENDERS; i < SENDERS + RECEIVERS; i++) kills += storm.kills_of[i];
    printf("%ld kills (%ld of receivers), %" PRIu64 " received; lost %" PRIu64 ", doubled %" PRIu64 ", disordered %" PRIu64
           ", torn %" PRIu64 "; longest stall %.1f ms\n", storm.kills, kills, shared->received, count_lost(), shared->doubled,
           shared->disordered, shared->torn, storm.longest_stall * 1e3);
    assert_true(count_lost() <= (uint64_t)kills);
    assert_int_equal(shared->doubled + shared->disordered + shared->torn, 0);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_free(ends[i]), 0);
}

/* ---- longer than 2 GiB, as long as there is time for it (make storm) ---- */

enum { PIECE = 16 << 20 };
#define HUGE (((size_t)2 << 30) + 1)

/* So much address space, and behind all of it the same 16 MiB. */
static char *huge_buffer(void)
{
    const int fd = memfd_create("piece", MFD_CLOEXEC);
    char *buffer = mmap(NULL, HUGE + PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(fd >= 0 && ftruncate(fd, PIECE) == 0 && buffer != MAP_FAILED);
    for (size_t at = 0; at < HUGE; at += PIECE)
        CHECK(mmap(buffer + at, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == buffer + at);
    close(fd);
    return buffer;
}

static int send_huge(void *unused)
{
    char *message = huge_buffer();
    for (size_t i = 0; i < PIECE; i++) message[i] = (char)(i % 251);
    CHECK(plait_connection_send_bytes(ends[1], message, HUGE, PLAIT_FOREVER) == 0);
    CHECK(plait_connection_send_bytes(ends[1], "next", 4, PLAIT_FOREVER) == 0);
    plait_leave();
    return 0;
}

static void a_message_of_more_than_2_gib(void **state)
{
    if (!getenv("PLAIT_STORM_SECONDS")) skip();
    char *message = huge_buffer();
    assert_int_equal(plait_pipe(0, ends), 0);
    const pid_t sender = test_fork(send_huge, NULL);
    assert_int_equal(plait_connection_next_size(ends[0], PLAIT_FOREVER), HUGE);
    assert_int_equal(plait_connection_recv_bytes(ends[0], message, HUGE, PLAIT_FOREVER), HUGE);
    for (size_t i = 1; i < PIECE; i++) assert_int_equal(message[i], (char)(i % 251));
    assert_int_equal(plait_connection_recv_bytes(ends[0], message, HUGE, PLAIT_FOREVER), 4);
    assert_int_equal(test_wait_exit(sender), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(plait_connection_free(ends[i]), 0);
    assert_int_equal(munmap(message, HUGE + PIECE), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(many_on_both_ends),
    cmocka_unit_test(a_message_of_more_than_2_gib),
};

TEST_MAIN(tests)
