/* held.h - what the tests share in which one user of a queue is held and another goes on. */
#ifndef PLAIT_TEST_HELD_H
#define PLAIT_TEST_HELD_H

#include "numbers.h"

#include "base/fault.h"
#include "preempt.h"

#define SOON plait_after(10)

static plait_queue *queue;

static struct notes {
    _Atomic long first, second, third;                     /* what each got */
    _Atomic int ended;
    plait_lease lease[2];
} *notes;

static inline void set_up(size_t maxsize, int leases, int messages)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = new_number_queue(maxsize, leases);
    for (int i = 1; i <= messages; i++) MUST(put_number(queue, (uint64_t)i, PLAIT_NOW) == 0);
}

static inline void set_up_empty(void) { set_up(0, 0, 0); }
static inline void set_up_one(void) { set_up(0, 0, 1); }
static inline void set_up_three(void) { set_up(0, 0, 3); }
static inline void set_up_full(void) { set_up(2, 0, 2); }

static inline void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

static inline void must_hold(long first, long second, long third)
{
    long expected[] = { first, second, third };
    for (int i = 0; i < 3; i++)
        if (expected[i]) MUST(get_number(queue, PLAIT_NOW) == expected[i]);
    long got = get_number(queue, PLAIT_NOW);
    MUST(got == -ETIMEDOUT || got == PLAIT_ECLOSED);
    MUST(plait_queue_qsize(queue) == 0);
}

static inline void first_puts(void) { notes->first = put_number(queue, 7, PLAIT_FOREVER); }
static inline void second_puts(void) { notes->second = put_number(queue, 8, PLAIT_FOREVER); }
static inline void first_gets(void) { notes->first = get_number(queue, PLAIT_FOREVER); }
static inline void second_gets(void) { notes->second = get_number(queue, PLAIT_FOREVER); }

static inline void check_close_waiting(void)
{
    MUST(notes->first == 0 && notes->second == PLAIT_ECLOSED);
}

static inline const struct step_region *queue_and_family(void)
{
    return step_object_and_roster(queue, sizeof *queue + 1024);
}

/* Operations that may have to sleep. */
#define LONG_ONE .regions = queue_and_family, .stride = 1, .most = 300

#endif
