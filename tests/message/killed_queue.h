/* killed_queue.h - for tests that kill the user of a queue: what the queue has before, who else uses it, what the victim does. */
#ifndef PLAIT_TEST_KILLED_QUEUE_H
#define PLAIT_TEST_KILLED_QUEUE_H

#include "numbers.h"

#include <signal.h>

#define SOON plait_after(10)
#define AT_LAST plait_after(20)

static plait_queue *queue;
static uint32_t puts_before, gets_before;                  /* the victim came */

/* What the others note down. */
static struct notes {
    _Atomic int done;
    _Atomic long got[2];
} *notes;

static inline void set_up(size_t maxsize)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = new_number_queue(maxsize, 0);
}

static inline void remember(void)
{
    puts_before = puts_of(queue);
    gets_before = gets_of(queue);
}

static inline void set_up_empty(void)
{
    set_up(0);
    remember();
}

static inline void set_up_two(void)
{
    set_up(0);
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    remember();
}

static inline void set_up_full(void)
{
    set_up(2);
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    MUST(put_number(queue, 3, PLAIT_NOW) == -ETIMEDOUT);
    remember();
}

static inline void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

/* ---- the others ---- */

static struct member others[2];

static inline int get_one(void)
{
    long got = get_number(queue, AT_LAST);
    CHECK(got > 0 || got == PLAIT_ECLOSED);
    notes->got[atomic_fetch_add(&notes->done, 1)] = got;
    return 0;
}

static inline int put_7(void)
{
    notes->got[0] = put_number(queue, 7, AT_LAST);
    notes->done++;
    return 0;
}

static inline int put_8(void)
{
    notes->got[1] = put_number(queue, 8, AT_LAST);
    notes->done++;
    return 0;
}

/* Both fall asleep, in this order. */
static inline void start_others(int (*first)(void), int (*second)(void))
{
    others[0] = member_start(first);
    member_until_sleeps(&others[0]);
    others[1] = member_start(second);
    member_until_sleeps(&others[1]);
}

static inline void end_others(void)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&others[i], "another member") == 0);
}

static inline bool as_many_done(void *count)
{
    return atomic_load(&notes->done) >= *(int *)count;
}

/* So many of the others are done, without any help. */
static inline void others_done(int count)
{
    test_soon(as_many_done, &count, "a sleeper beside what it waits for");
    MUST(notes->done == count);
}

/* The queue holds exactly these numbers; 0 for none. */
static inline void must_hold(long first, long second, long third)
{
    long expected[] = { first, second, third };
    for (int i = 0; i < 3; i++)
        if (expected[i]) MUST(get_number(queue, SOON) == expected[i]);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_queue_qsize(queue) == 0);
}

/* Where a victim can be seen at work: the queue, and a message that is being written over the end of the ring. */
static inline const struct step_region *queue_and_family(void)
{
    return step_object_and_roster(queue, sizeof *queue + 1024);
}

/* ---- what the victim does ---- */

static inline void put_3(void)
{
    CHECK(put_number(queue, 3, PLAIT_FOREVER) == 0);
}

static inline bool has_put(const struct stepped *victim)
{
    return puts_of(queue) != puts_before;
}

static inline void get_1(void)
{
    CHECK(get_number(queue, PLAIT_FOREVER) == 1);
}

static inline bool has_got(const struct stepped *victim)
{
    return gets_of(queue) != gets_before;
}

/* ---- those who sleep meanwhile ---- */

static inline void set_up_two_getters(void)
{
    set_up_empty();
    start_others(get_one, get_one);
}

static inline void set_up_two_putters(void)
{
    set_up_full();
    start_others(put_7, put_8);
}

#endif
