/* The ring: messages of every size at every place, counters that run over, and a model to compare with. */
#include "harness.h"
#include "others.h"

#include <plait/error.h>
#include <plait/queue.h>

#include "message/place.h"

enum { RING = 1024, UNITS = RING / PLAIT__UNIT };

static plait_queue *new_ring(int leases)
{
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .capacity = RING, .leases = leases });
    assert_non_null(queue);
    return queue;
}

static void fill(unsigned char *message, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) message[i] = (unsigned char)(seed * 31 + i * 7 + i / 256);
}

/* Put, look, take and compare one message. */
static void pass_through(plait_queue *queue, size_t size, unsigned seed)
{
    unsigned char message[RING], got[RING];
    fill(message, size, seed);
    memset(got, 0x55, sizeof got);
    assert_int_equal(plait_queue_put(queue, message, size, PLAIT_NOW), 0);
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW), size);
    assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), size);
    assert_memory_equal(got, message, size);
    for (size_t i = size; i < sizeof got; i++)
        if (got[i] != 0x55) fail_msg("a message of %zu bytes wrote byte %zu of the buffer", size, i);
}

/* Move both ends to that unit of the ring, by messages of one unit. */
static void move_to(plait_queue *queue, uint32_t unit)
{
    while (plait__position_in(atomic_load(&queue->tail.word)) % UNITS != unit) pass_through(queue, 0, 0);
}

static void check_every_size_at_every_place(int leases)
{
    plait_queue *queue = new_ring(leases);
    const size_t most = RING - (leases ? 16 : 8);
    for (uint32_t unit = 0; unit < UNITS; unit++)
        for (size_t size = 0; size <= most; size++) {
            if (size > 40 && size < most - 40 && (size + unit) % 7) continue;
            move_to(queue, unit);
            pass_through(queue, size, (unsigned)(unit + size));
        }
    assert_int_equal(plait_queue_free(queue), 0);
}

static void every_size_at_every_place(void **state) { check_every_size_at_every_place(0); }
static void every_size_at_every_place_with_leases(void **state) { check_every_size_at_every_place(1); }

/* Begin where the position, the number or both are about to run over, and pass that point many times in small and large steps. */
static void begin_at(plait_queue *queue, uint64_t position, uint32_t number)
{
    struct plait__cursor *const cursors[] = { &queue->tail, &queue->head, &queue->done };
    for (int i = 0; i < 3; i++) {
        atomic_store(&cursors[i]->word, position << PLAIT__PLACE_SHIFT);
        atomic_store(&cursors[i]->seen, position << PLAIT__PLACE_SHIFT);
        atomic_store(&cursors[i]->seen_number, number);
        atomic_store(&cursors[i]->marks[0], plait__mark(position, number));
        atomic_store(&cursors[i]->marks[1], plait__mark(position + 1, number + 1));
    }
}

static void check_run_over(plait_queue *queue, uint64_t position, uint32_t number, int queued)
{
    unsigned char message[64], got[64];
    unsigned in = 0, out = 0;
    begin_at(queue, position, number);
    for (; in < (unsigned)queued; in++) {
        fill(message, 1 + in % 40, in);
        assert_int_equal(plait_queue_put(queue, message, 1 + in % 40, PLAIT_NOW), 0);
    }
    for (; out < 300; out++) {
        assert_int_equal(plait_queue_qsize(queue), queued);
        assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), 1 + out % 40);
        fill(message, 1 + out % 40, out);
        assert_memory_equal(got, message, 1 + out % 40);
        fill(message, 1 + in % 40, in);
        assert_int_equal(plait_queue_put(queue, message, 1 + in % 40, PLAIT_NOW), 0);
        in++;
    }
    while (plait_queue_qsize(queue) > 0) assert_true(plait_queue_get(queue, got, sizeof got, PLAIT_NOW) > 0);
}

static void check_counters_run_over(int leases)
{
    plait_queue *queue = new_ring(leases);
    for (uint32_t before = 0; before < 130; before++)
        for (int queued = 1; queued < 16; queued += 7) {
            check_run_over(queue, PLAIT__POSITIONS - 1 - before, 5, queued);
            check_run_over(queue, 5, UINT32_MAX - before, queued);
            check_run_over(queue, PLAIT__POSITIONS - 1 - before, UINT32_MAX - before, queued);
        }
    assert_int_equal(plait_queue_free(queue), 0);
}

static void counters_run_over(void **state) { check_counters_run_over(0); }
static void counters_run_over_with_leases(void **state) { check_counters_run_over(1); }

static void a_full_and_an_empty_ring_are_told_apart_when_counters_run_over(void **state)
{
    plait_queue *queue = new_ring(0);
    char byte;
    for (uint32_t before = 0; before < 70; before++) {
        begin_at(queue, PLAIT__POSITIONS - before - 1, UINT32_MAX - before);
        assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), -ETIMEDOUT);
        for (int i = 0; i < UNITS; i++) assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_put(queue, "x", 1, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_queue_qsize(queue), UNITS);
        for (int i = 0; i < UNITS; i++) assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), 1);
        assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), -ETIMEDOUT);
    }
    assert_int_equal(plait_queue_free(queue), 0);
}

/* Big messages, so that the position runs over by itself several times. */
static void big_messages_wrap_the_position(void **state)
{
    static unsigned char message[40000], got[40000];
    plait_queue *queue = plait_queue_new(&(plait_queue_options){ .capacity = 65536 });
    for (unsigned i = 0; i < 4000; i++) {
        const size_t size = sizeof message - i % 1000;
        memcpy(message, &i, sizeof i);
        memcpy(message + size - sizeof i, &i, sizeof i);
        assert_int_equal(plait_queue_put(queue, message, size, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_get(queue, got, sizeof got, PLAIT_NOW), size);
        assert_memory_equal(got, message, sizeof i);
        assert_memory_equal(got + size - sizeof i, message + size - sizeof i, sizeof i);
    }
    assert_int_equal(plait_queue_free(queue), 0);
}

/* --- against a model ------------------------------------------------------------------------------------------------------ */

struct model {
    size_t sizes[RING];
    unsigned first, count, used, maxsize;               /* used: units */
    unsigned seeds[RING], seed;
};

static unsigned units_of(size_t size)
{
    return size > RING - 8 ? 2 : (unsigned)((size + 8 + 15) / 16);      /* beyond that it has a block of its own */
}

static void model_put(struct model *model, plait_queue *queue, size_t size)
{
    unsigned char message[2 * RING];
    const bool fits = model->used + units_of(size) <= UNITS && model->count < model->maxsize;
    fill(message, size, model->seed);
    const int result = plait_queue_put(queue, message, size, PLAIT_NOW);
    assert_int_equal(result, fits ? 0 : -ETIMEDOUT);
    if (result) return;
    const unsigned at = (model->first + model->count++) % RING;
    model->sizes[at] = size;
    model->seeds[at] = model->seed++;
    model->used += units_of(size);
}

static void model_get(struct model *model, plait_queue *queue, size_t room)
{
    unsigned char message[2 * RING], got[2 * RING];
    const unsigned at = model->first;
    const ssize_t result = plait_queue_get(queue, got, room, PLAIT_NOW);
    if (!model->count) {
        assert_int_equal(result, -ETIMEDOUT);
        return;
    }
    assert_int_equal(plait_queue_next_size(queue, PLAIT_NOW) >= 0, model->count > 1 || result < 0);
    if (room < model->sizes[at]) {
        assert_int_equal(result, -EMSGSIZE);
        return;
    }
    assert_int_equal(result, model->sizes[at]);
    fill(message, model->sizes[at], model->seeds[at]);
    assert_memory_equal(got, message, model->sizes[at]);
    model->used -= units_of(model->sizes[at]);
    model->first = (at + 1) % RING;
    model->count--;
}

static void it_does_what_a_simple_model_does(void **state)
{
    uint64_t random = test_seed();
    for (int round = 0; round < 40; round++) {
        struct model model = { .maxsize = round % 2 ? 1 + (unsigned)(test_random(&random) % 30) : RING };
        plait_queue *queue = plait_queue_new(&(plait_queue_options){ .capacity = RING, .maxsize = round % 2 ? model.maxsize : 0 });
        const size_t largest = 1 + test_random(&random) % (RING + 100);
        for (int i = 0; i < 3000; i++) {
            const size_t size = test_random(&random) % largest;
            if (test_random(&random) % 2) model_put(&model, queue, size);
            else model_get(&model, queue, test_random(&random) % 8 ? 2 * RING : size);
            assert_int_equal(plait_queue_qsize(queue), model.count);
        }
        assert_int_equal(plait_queue_free(queue), 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_size_at_every_place),
    cmocka_unit_test(every_size_at_every_place_with_leases),
    cmocka_unit_test(counters_run_over),
    cmocka_unit_test(counters_run_over_with_leases),
    cmocka_unit_test(a_full_and_an_empty_ring_are_told_apart_when_counters_run_over),
    cmocka_unit_test(big_messages_wrap_the_position),
    cmocka_unit_test(it_does_what_a_simple_model_does),
};
TEST_MAIN(tests)
