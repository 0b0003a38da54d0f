/* A queue whose memory is made of blocks, and whose user is killed after every instruction: what is in the queue afterwards is what
 * was in it before the operation, or what is in it after it; and no block is lost, or freed while somebody has it. */
#include "numbers.h"

#include <stdlib.h>

#include "arena/heap.h"

#define SOON plait_after(10)
enum { LARGE = 3000, SEGMENT = PLAIT__SEGMENT_UNITS * PLAIT__UNIT, MOST = 40 };

static plait_queue *queue;
static size_t blocks;                                      /* before the queue was made */
static long before[MOST], after[MOST];                     /* what is in the queue, by number; 0 ends it */
static uint64_t place_before;

static void begin(const plait_queue_options *options)
{
    blocks = plait__heap_count(0);
    queue = plait_queue_new(options);
    MUST(queue);
    memset(before, 0, sizeof before);
    memset(after, 0, sizeof after);
}

static void put_sized(long number, size_t size)
{
    static char message[LARGE];
    const struct number whole = make_number((uint64_t)number);
    memcpy(message, &whole, sizeof whole);
    CHECK(plait_queue_put(queue, message, size, PLAIT_NOW) == 0);
}

/* Where all three cursors are, in one number. */
static uint64_t place(void)
{
    const uint64_t mask = PLAIT__PLACE;
    return (atomic_load(&queue->tail.word) & mask) ^ (atomic_load(&queue->head.word) & mask) >> 1 ^
           (atomic_load(&queue->done.word) & mask) >> 2;
}

static void holds(long *list, const long *numbers, int count)
{
    memcpy(list, numbers, (size_t)count * sizeof numbers[0]);
    place_before = place();
}
#define BEFORE(...) holds(before, (long[]){ __VA_ARGS__ }, (int)(sizeof((long[]){ __VA_ARGS__ }) / sizeof(long)))
#define AFTER(...) holds(after, (long[]){ __VA_ARGS__ }, (int)(sizeof((long[]){ __VA_ARGS__ }) / sizeof(long)))

/* ---- what must hold ---- */

static long next_number(plait_deadline deadline)
{
    static char message[LARGE];
    ssize_t got = plait_queue_get(queue, message, sizeof message, deadline);
    if (got < 0) return got;
    MUST(got >= (ssize_t)sizeof(struct number));
    return whole_number((const struct number *)message, sizeof(struct number));
}

static bool drained_as(const long *list, const long *got)
{
    for (int i = 0; i < MOST; i++) {
        if (list[i] != got[i]) return false;
        if (!list[i]) break;
    }
    return true;
}

/* Whoever has a block that was freed finds something else in it. */
static void use_free_memory(void)
{
    enum { ALL = 64 };                                     /* of that size that may be free here and there */
    char *used[ALL];
    for (int i = 0; i < ALL; i++) memset(used[i] = plait_message_alloc(LARGE), 0x55, LARGE);
    for (int i = 0; i < ALL; i++) MUST(plait_free(used[i]) == 0);
}

/* The others can go on, before anything is repaired, and after it; a commit tells at once which of the two it is. */
static void check(const struct stepped *victim, bool done)
{
    long got[MOST + 1] = { 0 };
    if (test_where[0] % 2) {
        member_until_repaired(victim->slot);
        use_free_memory();
    }
    MUST(plait_queue_qsize(queue) >= 0);
    for (int i = 0; i < MOST; i++) {
        got[i] = next_number(i < 1 ? plait_after(0.02) : PLAIT_NOW);
        if (got[i] < 0) {
            MUST(got[i] == -ETIMEDOUT);
            got[i] = 0;
            break;
        }
    }
    MUST(drained_as(done ? after : before, got));
    for (long i = 1; i < 4; i++) put_sized(i, i == 2 ? LARGE : 100);
    long sum = 0;
    for (int i = 1; i < 4; i++) sum += next_number(SOON);
    MUST(sum == 6);
}

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
    MUST(plait__heap_count(0) == blocks);
}

static bool has_committed(const struct stepped *victim)
{
    return place() != place_before;
}

static const struct step_region *regions(void)
{
    static struct step_region all[14];
    const struct step_region *family = step_family_regions();
    int n = 0;
    all[n++] = (struct step_region){ queue, sizeof *queue + 1024 };
    for (; family->size; family++) all[n++] = *family;
    all[n] = (struct step_region){ 0 };
    return all;
}

#define CASE(name, op, prepares, long)                                                                \
    static const struct kill_case name = {                                                            \
        .operation = { .run = op }, .set_up = prepares, .look = has_committed, .check = check,        \
        .tear_down = tear_down, .regions = regions, .long_one = long,                                 \
    }

/* ---- blocks in a ring ---- */

static char *block;

static void have_block(void)
{
    block = plait_message_alloc(LARGE);
    CHECK(block);
    const struct number whole = make_number(7);
    memcpy(block, &whole, sizeof whole);
}

static void ring_of_two(void)
{
    begin(&(plait_queue_options){ .capacity = 1024 });
    for (int i = 0; i < 18; i++) {                         /* the next records run over the end of the ring */
        put_sized(9, 40);
        MUST(next_number(SOON) == 9);
    }
    put_sized(1, 40);
    put_sized(2, 40);
    BEFORE(1, 2);
    AFTER(1, 2, 7);
}

static void put_large(void)
{
    put_sized(7, LARGE);
}
CASE(put_of_a_large_message, put_large, ring_of_two, true);

static void give_block(void)
{
    CHECK(plait_queue_give(queue, block, LARGE, PLAIT_FOREVER) == 0);
}
static const struct kill_case give = {
    .operation = { .prepare = have_block, .run = give_block }, .set_up = ring_of_two, .look = has_committed, .check = check,
    .tear_down = tear_down, .regions = regions,
};

static void ring_with_a_block(void)
{
    ring_of_two();
    for (int i = 0; i < 2; i++) MUST(next_number(SOON) == i + 1);
    put_sized(7, LARGE);
    put_sized(8, 100);
    BEFORE(7, 8);
    memset(after, 0, sizeof after);
    AFTER(8);
}

static void take_block(void)
{
    void *taken;
    CHECK(plait_queue_take(queue, &taken, PLAIT_FOREVER) == LARGE);
}
CASE(take, take_block, ring_with_a_block, false);

static void get_large(void)
{
    char message[LARGE];
    CHECK(plait_queue_get(queue, message, sizeof message, PLAIT_FOREVER) == LARGE);
}
CASE(get_of_a_large_message, get_large, ring_with_a_block, true);

/* ---- segments ---- */

/* Messages of 100 bytes have 7 units; so many fill the first segment but for `left` units. */
static void fill_segment_but(uint64_t left, int leases)
{
    begin(&(plait_queue_options){ .unbounded = 1, .leases = leases });
    for (uint64_t end; (end = PLAIT__SEGMENT_UNITS - left - plait__position_in(queue->tail.word)) && end <= PLAIT__SEGMENT_UNITS;) {
        put_sized(9, end >= 14 ? 100 : end * 16 - queue->header);
        MUST(next_number(SOON) == 9);
    }
    MUST(plait__position_in(queue->tail.word) == PLAIT__SEGMENT_UNITS - left);
}

static void segment_is_full(void)
{
    fill_segment_but(0, 0);
    AFTER(7);
    memset(before, 0, sizeof before);
}

static void segment_is_nearly_full(void)
{
    fill_segment_but(4, 0);
    AFTER(7);
}

static void put_100(void)
{
    put_sized(7, 100);
}
CASE(put_at_the_end_of_a_segment, put_100, segment_is_full, true);
CASE(put_into_two_segments, put_100, segment_is_nearly_full, true);

static void with_two_in_the_next(void)
{
    put_sized(7, 100);
    put_sized(8, 100);
    BEFORE(7, 8);
    memset(after, 0, sizeof after);
    AFTER(8);
}

static void read_to_the_end_of_a_segment(void)
{
    fill_segment_but(0, 0);
    with_two_in_the_next();
}

static void read_to_nearly_the_end_of_a_segment(void)
{
    fill_segment_but(4, 0);
    with_two_in_the_next();
}

static void get_100(void)
{
    char message[100];
    CHECK(plait_queue_get(queue, message, sizeof message, PLAIT_FOREVER) == 100);
}
CASE(get_from_the_next_segment, get_100, read_to_the_end_of_a_segment, true);
CASE(get_from_two_segments, get_100, read_to_nearly_the_end_of_a_segment, true);

static void put_three(void)
{
    struct number three[3] = { make_number(3), make_number(4), make_number(5) };
    CHECK(plait_queue_put_many(queue, three, sizeof three[0], 3, PLAIT_FOREVER) == 3);
}

static void segment_has_room_for_one(void)
{
    fill_segment_but(4, 0);
    AFTER(3, 4, 5);
}
CASE(put_many, put_three, segment_has_room_for_one, true);

static void three_in_two_segments(void)
{
    fill_segment_but(4, 0);
    put_three();
    BEFORE(3, 4, 5);
    memset(after, 0, sizeof after);
    AFTER(0);
}

static void get_three(void)
{
    struct number three[3];
    CHECK(plait_queue_get_many(queue, three, sizeof three[0], NULL, 3, PLAIT_FOREVER) == 3);
}
CASE(get_many, get_three, three_in_two_segments, true);

/* ---- a lease on a block, at the end of a segment ---- */

static void leased_block_at_the_end(void)
{
    fill_segment_but(1, 1);
    put_sized(7, 100);
    void *extra = plait_message_alloc(LARGE);
    const struct number whole = make_number(8);
    memcpy(extra, &whole, sizeof whole);
    MUST(plait_queue_give(queue, extra, LARGE, PLAIT_NOW) == 0);
    MUST(next_number(SOON) == 7);
    BEFORE(8);
    memset(after, 0, sizeof after);
    AFTER(0);
}

static void get_leased(void)
{
    char message[LARGE];
    CHECK(plait_queue_get(queue, message, sizeof message, PLAIT_FOREVER) == LARGE);
}

/* The message is gone with its ack, which comes before `done` moves: both ends are right in between. */
static void check_lease(const struct stepped *victim, bool done)
{
    long got = next_number(plait_after(0.02));
    MUST(got == (done ? -ETIMEDOUT : 8) || got == -ETIMEDOUT);
    put_sized(1, 100);
    MUST(next_number(SOON) == 1);
}

static bool is_done(const struct stepped *victim)
{
    return plait__same_place(atomic_load(&queue->done.word), atomic_load(&queue->tail.word));
}

static const struct kill_case get_and_ack_of_a_block = {
    .operation = { .run = get_leased }, .set_up = leased_block_at_the_end, .look = is_done, .check = check_lease,
    .tear_down = tear_down, .regions = regions, .long_one = true,
};

/* ---- stacks and heaps ---- */

static void empty_stack(void)
{
    begin(&(plait_queue_options){ .order = PLAIT_LIFO });
    AFTER(7);
}
CASE(put_on_an_empty_stack, put_100, empty_stack, true);

static void stack_of_one(void)
{
    empty_stack();
    put_sized(7, 100);
    BEFORE(7);
    memset(after, 0, sizeof after);
    AFTER(0);
}
CASE(get_from_a_stack_of_one, get_100, stack_of_one, true);

static void put_with_priority(long number)
{
    const struct number message = make_number((uint64_t)number);
    CHECK(plait_queue_put_priority(queue, number, &message, sizeof message, PLAIT_NOW) == 0);
}

static void heap_of_nine(void)
{
    static const long numbers[] = { 14, 12, 18, 13, 17, 11, 15, 19, 16 };
    begin(&(plait_queue_options){ .order = PLAIT_PRIORITY });
    for (int i = 0; i < 9; i++) put_with_priority(numbers[i]);
    BEFORE(11, 12, 13, 14, 15, 16, 17, 18, 19);
    AFTER(7, 11, 12, 13, 14, 15, 16, 17, 18, 19);
}

/* What is given has priority 0. */
static const struct kill_case give_that_rises_to_the_top = {
    .operation = { .prepare = have_block, .run = give_block }, .set_up = heap_of_nine, .look = has_committed, .check = check,
    .tear_down = tear_down, .regions = regions,
};

static void heap_to_sink_in(void)
{
    heap_of_nine();
    memset(after, 0, sizeof after);
    AFTER(12, 13, 14, 15, 16, 17, 18, 19);
}

static void get_lowest(void)
{
    struct number message;
    CHECK(plait_queue_get(queue, &message, sizeof message, PLAIT_FOREVER) == sizeof message && message.number == 11);
}
CASE(get_after_which_the_last_sinks, get_lowest, heap_to_sink_in, false);

static const struct CMUnitTest tests[] = {
    KILL_TESTS(put_of_a_large_message),
    KILL_TESTS(give),
    KILL_TESTS(take),
    KILL_TESTS(get_of_a_large_message),
    KILL_TESTS(put_at_the_end_of_a_segment),
    KILL_TESTS(put_into_two_segments),
    KILL_TESTS(get_from_the_next_segment),
    KILL_TESTS(get_from_two_segments),
    KILL_TESTS(put_many),
    KILL_TESTS(get_many),
    KILL_TESTS(get_and_ack_of_a_block),
    KILL_TESTS(put_on_an_empty_stack),
    KILL_TESTS(get_from_a_stack_of_one),
    KILL_TESTS(give_that_rises_to_the_top),
    KILL_TESTS(get_after_which_the_last_sinks),
};

TEST_MAIN(tests)
