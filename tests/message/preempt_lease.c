/* As preempt_queue.c, with leases: what was leased is settled or comes back, whoever is held in the middle. */
#include "held.h"

static void set_up_two_leasable(void) { set_up(0, 1, 2); }
static void set_up_one_leasable(void) { set_up(0, 1, 1); }
static void set_up_full_of_leasables(void) { set_up(0, 1, 16); }

static void first_leases(void) { notes->first = lease_number(queue, &notes->lease[0], PLAIT_FOREVER); }
static void second_leases(void) { notes->second = lease_number(queue, &notes->lease[1], PLAIT_FOREVER); }
static void first_acks(void) { notes->first = plait_queue_ack(queue, notes->lease[0]); }
static void second_acks(void) { notes->second = plait_queue_ack(queue, notes->lease[1]); }
static void first_gives_back(void) { notes->first = plait_queue_giveback(queue, notes->lease[0]); }
static void second_gives_back(void) { notes->second = plait_queue_giveback(queue, notes->lease[1]); }

static void must_be_drained(void)
{
    must_hold(0, 0, 0);
    MUST(plait__same_place(queue->done.word, queue->tail.word));
    MUST(plait_queue_close(queue) == 0 && get_number(queue, SOON) == PLAIT_ECLOSED);
}

static void second_leases_and_acks(void)
{
    second_leases();
    CHECK(plait_queue_ack(queue, notes->lease[1]) == 0);
}

/* The first has left the family with its lease: that comes back. */
static void check_lease_lease(void)
{
    MUST(notes->first + notes->second == 1 + 2 && notes->first && notes->second);
    must_hold(notes->first, 0, 0);
    must_be_drained();
}

static const struct preempt_case lease_lease = {
    .first = { .run = first_leases }, .second = second_leases_and_acks,
    .set_up = set_up_two_leasable, .check = check_lease_lease, .tear_down = tear_down,
};

static void check_ack_ack(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    must_be_drained();
}

static const struct preempt_case ack_ack = {
    .first = { .prepare = first_leases, .run = first_acks }, .second = second_acks, .prepare_second = second_leases,
    .set_up = set_up_two_leasable, .check = check_ack_ack, .tear_down = tear_down,
};

static void check_ack_put(void)
{
    MUST(notes->first == 0 && notes->second == 0);
    for (int i = 2; i <= 16; i++) MUST(get_number(queue, PLAIT_NOW) == i);
    must_hold(8, 0, 0);
    must_be_drained();
}

static const struct preempt_case ack_put_on_a_full_queue = {
    .first = { .prepare = first_leases, .run = first_acks }, .second = second_puts,
    .set_up = set_up_full_of_leasables, .check = check_ack_put, .tear_down = tear_down,
};

/* What was given back goes to the one who waits for it, as the second attempt. */
static void check_giveback(const plait_lease *lease, long got)
{
    MUST(got == 1 && lease->attempts == 1);
    must_hold(1, 0, 0);                                    /* its taker has left as well */
    must_be_drained();
}

static void check_lease_giveback(void)
{
    MUST(notes->second == 0);
    check_giveback(&notes->lease[0], notes->first);
}

static void check_giveback_lease(void)
{
    MUST(notes->first == 0);
    check_giveback(&notes->lease[1], notes->second);
}

static const struct preempt_case lease_giveback = {
    .first = { .run = first_leases }, .second = second_gives_back, .prepare_second = second_leases,
    .set_up = set_up_one_leasable, .check = check_lease_giveback, .tear_down = tear_down,
    LONG_ONE,
};

static const struct preempt_case giveback_lease = {
    .first = { .prepare = first_leases, .run = first_gives_back }, .second = second_leases,
    .set_up = set_up_one_leasable, .check = check_giveback_lease, .tear_down = tear_down,
};

/* The last lease of a closed queue is settled while somebody waits whether it comes back. */
static void set_up_one_and_close(void)
{
    set_up_one_leasable();
    MUST(plait_queue_close(queue) == 0);
}

static const struct preempt_case ack_get_of_a_closed_queue = {
    .first = { .prepare = first_leases, .run = first_acks }, .second = second_gets,
    .set_up = set_up_one_and_close, .check = check_close_waiting, .tear_down = tear_down,
};

/* Somebody has ended, so the first looks over the leases; it must not miss what comes back while it looks. */
static void hear_of_an_end(void)
{
    atomic_fetch_add(&plait__roster->endings, 1);
}

static const struct preempt_case look_giveback = {
    .first = { .prepare = hear_of_an_end, .run = first_leases }, .second = second_gives_back, .prepare_second = second_leases,
    .set_up = set_up_one_leasable, .check = check_lease_giveback, .tear_down = tear_down,
    LONG_ONE,
};

static const struct CMUnitTest tests[] = {
    PREEMPT_TEST(lease_lease),
    PREEMPT_TEST(ack_ack),
    PREEMPT_TEST(ack_put_on_a_full_queue),
    PREEMPT_TEST(lease_giveback),
    PREEMPT_TEST(look_giveback),
    PREEMPT_TEST(giveback_lease),
    PREEMPT_TEST(ack_get_of_a_closed_queue),
};

TEST_MAIN(tests)
