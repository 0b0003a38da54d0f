/* numbers.h - queues of numbered messages, for tests in which somebody dies: a torn message can't be mistaken for a whole one. */
#ifndef PLAIT_TEST_NUMBERS_H
#define PLAIT_TEST_NUMBERS_H

#include "kill.h"

#include <string.h>

#include <plait.h>

#include "message/place.h"

/* 40 bytes: with its header it takes 3 units of a ring, 4 in a queue with leases. */
struct number {
    uint64_t number, copies[4];
};

static inline struct number make_number(uint64_t number)
{
    struct number message = { .number = number };
    for (unsigned i = 0; i < 4; i++) message.copies[i] = number * 0x9e3779b97f4a7c15u + i;
    return message;
}

static inline int put_number(plait_queue *queue, uint64_t number, plait_deadline deadline)
{
    struct number message = make_number(number);
    return plait_queue_put(queue, &message, sizeof message, deadline);
}

static inline long whole_number(const struct number *message, ssize_t got)
{
    if (got < 0) return got;
    struct number expected = make_number(message->number);
    CHECK(got == sizeof expected);
    CHECK(memcmp(message, &expected, sizeof expected) == 0);
    return (long)message->number;
}

/* The number, or a negative error. */
static inline long get_number(plait_queue *queue, plait_deadline deadline)
{
    struct number message;
    ssize_t got = plait_queue_get(queue, &message, sizeof message, deadline);
    return whole_number(&message, got);
}

static inline long lease_number(plait_queue *queue, plait_lease *lease, plait_deadline deadline)
{
    struct number message;
    ssize_t got = plait_queue_lease(queue, &message, sizeof message, lease, deadline);
    return whole_number(&message, got);
}

/* A ring of 1 KiB, with its cursors where the next message runs over the ring's end. */
static inline plait_queue *new_number_queue(size_t maxsize, int leases)
{
    plait_queue_options options = { .maxsize = maxsize, .capacity = 1024, .leases = leases };
    plait_queue *queue = plait_queue_new(&options);
    assert_non_null(queue);
    while (plait__position_in(queue->tail.word) < 62) {
        char byte = 0;
        assert_int_equal(plait_queue_put(queue, &byte, leases ? 0 : 1, PLAIT_NOW), 0);
        assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), leases ? 0 : 1);
    }
    return queue;
}

/* How many messages have ever been put, and taken. */
static inline uint32_t puts_of(const plait_queue *queue)
{
    uint64_t word;
    return plait__look_at_number(&queue->tail, &word);
}

static inline uint32_t gets_of(const plait_queue *queue)
{
    uint64_t word;
    return plait__look_at_number(&queue->head, &word);
}

#endif
