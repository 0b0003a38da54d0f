/* Producers and consumers of one queue are killed at random.  Each message has a lane (its producer's place) and a number in it, so
 * that the tester knows which must have come.  Nothing is lost but one message for each consumer killed (with leases: nothing),
 * nothing comes twice (with leases: only what a killed consumer had), each lane stays in order, no message is torn, no
 * memory is lost. */
#include "storm.h"

#include <inttypes.h>
#include <string.h>

#include <plait.h>

#include "arena/heap.h"

enum { PRODUCERS = 3, CONSUMERS = 3 };
#define WINDOW (1u << 20)                                  /* numbers of a lane that are remembered */

struct lane {
    _Atomic uint64_t begun, sent;                          /* before, after the put of a number */
    _Atomic uint64_t settled;                              /* all up to here were looked at by the tester */
    _Atomic uint8_t seen[WINDOW], done[WINDOW];            /* how often it came; whether it was acknowledged */
    uint8_t cut[WINDOW];                                   /* its put was cut off: it may have been put or not */
};

static struct shared {
    _Atomic uint64_t received;
    _Atomic uint64_t torn, doubled, disordered, revived, again, given_back;
    struct lane lanes[PRODUCERS];
} *shared;

static plait_queue *queue;
static bool with_leases, with_blocks, with_priorities;

struct message {
    uint32_t lane, size;
    uint64_t number;
    uint8_t filling[240];
};

static uint32_t size_of(uint64_t number, uint32_t lane)
{
    return (uint32_t)(offsetof(struct message, filling) + (number * 7 + lane) % 120 + (number % 50 == 0 ? 120 : 0));
}

/* ---- producers ---- */

/* Messages are copied, or their blocks are given away; the lower numbers come first anyway. */
static int put(const struct message *message)
{
    if (with_priorities) return plait_queue_put_priority(queue, (int64_t)message->number, message, message->size, PLAIT_FOREVER);
    if (!with_blocks) return plait_queue_put(queue, message, message->size, PLAIT_FOREVER);
    void *block = plait_message_alloc(message->size);
    CHECK(block);
    memcpy(block, message, message->size);
    int error = plait_queue_give(queue, block, message->size, PLAIT_FOREVER);
    if (error) CHECK(plait_free(block) == 0);
    return error;
}

static void produce(uint32_t place)
{
    struct lane *lane = &shared->lanes[place];
    while (!storm_is_over()) {
        const uint64_t number = lane->begun + 1;
        struct message message = { .lane = place, .number = number, .size = size_of(number, place) };
        memset(message.filling, (int)(number & 0xff), sizeof message.filling);
        if (number - lane->settled >= WINDOW / 2) {        /* as fast as the tester can look */
            usleep(100);
            continue;
        }
        lane->begun = number;
        int error = put(&message);
        if (error == PLAIT_ECLOSED) lane->begun = number - 1;
        if (error == PLAIT_ECLOSED) return;
        CHECK(error == 0);
        lane->sent = number;
        if (number % 64 == 0) usleep(50);
    }
}

/* ---- consumers ---- */

static bool is_whole(const struct message *message, ssize_t size)
{
    if (size < (ssize_t)offsetof(struct message, filling) || message->lane >= PRODUCERS) return false;
    if ((uint32_t)size != message->size || message->size != size_of(message->number, message->lane)) return false;
    for (size_t i = 0; i < (size_t)size - offsetof(struct message, filling); i++)
        if (message->filling[i] != (message->number & 0xff)) return false;
    return true;
}

/* Note it down.  `attempts` of a plain get: 0. */
static void note(const struct message *message, uint32_t attempts, uint64_t *last)
{
    struct lane *lane = &shared->lanes[message->lane];
    const uint64_t place = message->number % WINDOW;
    if (message->number <= lane->settled || lane->done[place]) shared->revived++;
    if (atomic_fetch_add(&lane->seen[place], 1) && !attempts) shared->doubled++;
    if (attempts) shared->again++;
    else if (message->number <= last[message->lane]) shared->disordered++;
    else last[message->lane] = message->number;
}

static ssize_t take(struct message *message, plait_lease *lease)
{
    if (with_leases) return plait_queue_lease(queue, message, sizeof *message, lease, PLAIT_FOREVER);
    if (!with_blocks) return plait_queue_get(queue, message, sizeof *message, PLAIT_FOREVER);
    void *block;
    ssize_t size = plait_queue_take(queue, &block, PLAIT_FOREVER);
    if (size < 0) return size;
    memcpy(message, block, (size_t)size);
    CHECK(plait_free(block) == 0);
    return size;
}

static void consume(uint64_t random)
{
    struct message message;
    uint64_t last[PRODUCERS] = { 0 };
    for (;;) {
        plait_lease lease = { 0 };
        ssize_t size = take(&message, &lease);
        if (size == PLAIT_ECLOSED) return;
        CHECK(size >= 0);
        if (!is_whole(&message, size)) {
            shared->torn++;
            continue;
        }
        if (with_leases && test_random(&random) % 64 == 0) {
            shared->given_back++;
            CHECK(plait_queue_giveback(queue, lease) == 0);
            continue;
        }
        note(&message, lease.attempts, last);
        if (with_leases) {
            CHECK(plait_queue_ack(queue, lease) == 0);
            shared->lanes[message.lane].done[message.number % WINDOW] = 1;
        }
        shared->received++;
    }
}

static void produce_or_consume(int place, uint64_t random)
{
    if (place < PRODUCERS) produce((uint32_t)place);
    else consume(random);
}

/* ---- the tester ---- */

static uint64_t lost;

/* What was sent long ago must have come. */
static void look_at(struct lane *lane, uint64_t until)
{
    for (uint64_t number = lane->settled + 1; number <= until; number++) {
        const uint64_t place = number % WINDOW;
        if (!lane->seen[place] && !lane->cut[place]) lost++;
        lane->seen[place] = lane->done[place] = lane->cut[place] = 0;
        lane->settled = number;
    }
}

static void look_at_lane_of_the_dead(int place)
{
    if (place >= PRODUCERS) return;
    struct lane *lane = &shared->lanes[place];
    for (uint64_t number = lane->sent + 1; number <= lane->begun; number++) lane->cut[number % WINDOW] = 1;
    lane->sent = atomic_load(&lane->begun);
    if (lane->sent > WINDOW / 4) look_at(lane, lane->sent - WINDOW / 4);
}

static long kills_of_consumers(const struct storm *storm)
{
    long kills = 0;
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++) kills += storm->kills_of[i];
    return kills;
}

static void tell(const struct storm *storm)
{
    printf("%ld kills (%ld of consumers), %ld stops, %" PRIu64 " received, %" PRIu64 " again; lost %" PRIu64
           ", doubled %" PRIu64 ", revived %" PRIu64 ", disordered %" PRIu64 ", torn %" PRIu64 "; longest stall %.1f ms\n",
           storm->kills, kills_of_consumers(storm), storm->stops, shared->received, shared->again, lost, shared->doubled,
           shared->revived, shared->disordered, shared->torn, storm->longest_stall * 1e3);
}

static void storm_over(const plait_queue_options *options, bool blocks_go_over)
{
    storm_family();
    with_leases = options->leases;
    with_priorities = options->order == PLAIT_PRIORITY;
    with_blocks = blocks_go_over;
    lost = 0;
    shared = test_shared(sizeof *shared);
    const size_t blocks = plait__heap_count(0);
    queue = plait_queue_new(options);
    assert_non_null(queue);
    struct storm storm = { .workers = PRODUCERS + CONSUMERS, .body = produce_or_consume, .killed = look_at_lane_of_the_dead,
                           .progress = &shared->received };
    storm_rage(&storm);
    usleep(1000);
    assert_int_equal(plait_queue_close(queue), 0);
    storm_end(&storm);
    for (int i = 0; i < PRODUCERS; i++) look_at(&shared->lanes[i], shared->lanes[i].sent);
    tell(&storm);
    assert_int_equal(plait_queue_qsize(queue), 0);
    assert_true(lost <= (with_leases ? 0 : (uint64_t)kills_of_consumers(&storm)));
    assert_true(shared->again <= shared->given_back + (uint64_t)kills_of_consumers(&storm));
    assert_int_equal(shared->doubled + shared->revived + shared->disordered + shared->torn, 0);
    assert_int_equal(plait_queue_free(queue), 0);
    assert_int_equal(plait__heap_count(0), blocks);
}

static void plain(void **state)
{
    storm_over(&(plait_queue_options){ .maxsize = 256, .capacity = 1u << 15 }, false);
}

static void leased(void **state)
{
    storm_over(&(plait_queue_options){ .maxsize = 256, .capacity = 1u << 15, .leases = 1 }, false);
}

static void leased_without_a_ring(void **state)
{
    storm_over(&(plait_queue_options){ .maxsize = 1000, .unbounded = 1, .leases = 1 }, false);
}

static void hand_to_hand_without_a_ring(void **state)
{
    storm_over(&(plait_queue_options){ .maxsize = 5000, .unbounded = 1 }, true);
}

static void by_priority(void **state)
{
    storm_over(&(plait_queue_options){ .maxsize = 1500, .order = PLAIT_PRIORITY }, false);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain),
    cmocka_unit_test(leased),
    cmocka_unit_test(leased_without_a_ring),
    cmocka_unit_test(hand_to_hand_without_a_ring),
    cmocka_unit_test(by_priority),
};

TEST_MAIN(tests)
