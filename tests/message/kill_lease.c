/* A queue with leases whose user is killed after every instruction.  What must hold for the survivors: a message that the dead one
 * had leased comes back, once, before all others, with attempts one higher; an acknowledged one does not, and its room is free
 * again; nobody sleeps beside any of it. */
#include "numbers.h"

#include <signal.h>

#define SOON plait_after(10)
#define AT_LAST plait_after(20)
#define FULL 16                                            /* so many messages of 4 units fill the ring */

static plait_queue *queue;
static struct plait__record *first;                        /* the record of message 1 */
static uint32_t puts_before, gets_before;

/* What the others note down. */
static struct notes {
    _Atomic int done;
    _Atomic long got[2];
    _Atomic uint32_t attempts[2];
    plait_lease lease;                                     /* of the victim, or of whoever died before it */
} *notes;

static void set_up(size_t maxsize, int messages)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = new_number_queue(maxsize, 1);
    struct plait__walk walk = plait__walk_from(queue, &queue->tail, queue->tail.word);
    first = plait__record_at(queue, &walk);
    for (int i = 1; i <= messages; i++) MUST(put_number(queue, (uint64_t)i, PLAIT_NOW) == 0);
    puts_before = puts_of(queue);
    gets_before = gets_of(queue);
}

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

static const struct step_region *queue_and_family(void)
{
    return step_object_and_roster(queue, sizeof *queue + 1024);
}

/* ---- what to look at ---- */

enum { WAITING, HELD, RETURNED, SETTLED };                 /* as in lease.c */

static int state_of_first(void)
{
    return (int)(atomic_load(&first->holder) >> 24) & 0xff;
}

static bool names(uint64_t holder, uint64_t owner)
{
    return (holder & ~UINT64_C(0xffff0000)) == owner;
}

static bool has_taken(const struct stepped *victim)
{
    return gets_of(queue) != gets_before;
}

static bool has_put(const struct stepped *victim)
{
    return puts_of(queue) != puts_before;
}

/* Once its room is free, a new message may lie in the place of the record. */
static bool has_settled(const struct stepped *victim)
{
    return state_of_first() == SETTLED || plait__number_at(&queue->done, queue->done.word) != gets_before;
}

/* ---- the others ---- */

static void must_lease(long number, uint32_t attempts)
{
    plait_lease lease;
    MUST(lease_number(queue, &lease, SOON) == number);
    MUST(lease.attempts == attempts);
    MUST(plait_queue_ack(queue, lease) == 0);
    MUST(plait_queue_ack(queue, lease) == PLAIT_ENOLEASE);
}

/* Nothing is queued or leased, all room is free, and whoever asks learns it. */
static void must_be_drained(void)
{
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait__same_place(queue->done.word, queue->tail.word));
    MUST(plait_queue_close(queue) == 0);
    MUST(get_number(queue, SOON) == PLAIT_ECLOSED);
}

static int lease_one(void)
{
    plait_lease lease = { 0 };
    long got = lease_number(queue, &lease, AT_LAST);
    CHECK(got > 0 || got == PLAIT_ECLOSED);
    int place = atomic_fetch_add(&notes->done, 1);
    notes->got[place] = got;
    notes->attempts[place] = lease.attempts;
    if (got > 0) CHECK(plait_queue_ack(queue, lease) == 0);
    return 0;
}

static bool victim_has_leased(void *unused)
{
    return gets_of(queue) != gets_before;
}

static int lease_after_the_victim(void)
{
    test_until(victim_has_leased, NULL);
    return lease_one();
}

static int put_one(void)
{
    notes->got[0] = put_number(queue, FULL + 1, AT_LAST);
    notes->done++;
    return 0;
}

static struct member others[2];

static void start_both(int (*body)(void))
{
    for (int i = 0; i < 2; i++) others[i] = member_start(body);
}

static void end_others(int count)
{
    for (int i = 0; i < count; i++) MUST(member_wait(&others[i], "another member") == 0);
}

static bool as_many_done(void *count)
{
    return atomic_load(&notes->done) >= *(int *)count;
}

static void others_done(int count)
{
    test_soon(as_many_done, &count, "a sleeper beside what it waits for");
    MUST(notes->done == count);
}

/* ---- lease ---- */

static void set_up_two(void)
{
    set_up(0, 2);
}

static void lease_1(void)
{
    CHECK(lease_number(queue, &notes->lease, PLAIT_FOREVER) == 1);
}

static void check_lease(const struct stepped *victim, bool taken)
{
    member_until_repaired(victim->slot);
    must_lease(1, taken);
    must_lease(2, 0);
    must_be_drained();
}

static const struct kill_case lease = {
    .operation = { .run = lease_1 },
    .set_up = set_up_two,
    .look = has_taken,
    .check = check_lease,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void set_up_limit_and_putter(void)
{
    set_up(2, 2);
    others[0] = member_start(put_one);
    member_until_sleeps(&others[0]);
}

/* A leased message no longer counts for maxsize, so that the putter gets its turn. */
static void check_lease_beside_a_putter(const struct stepped *victim, bool taken)
{
    if (taken) end_others(1);
    member_until_repaired(victim->slot);
    must_lease(1, taken);
    if (!taken) end_others(1);
    must_lease(2, 0);
    must_lease(FULL + 1, 0);
    must_be_drained();
}

static const struct kill_case lease_beside_a_putter = {
    .operation = { .run = lease_1 },
    .set_up = set_up_limit_and_putter,
    .look = has_taken,
    .check = check_lease_beside_a_putter,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- lease what a dead one had leased ---- */

static int lease_and_die(void)
{
    lease_1();
    raise(SIGKILL);
    return 0;
}

static void set_up_returned(void)
{
    set_up_two();
    struct member dead = member_start(lease_and_die);
    MUST(member_wait(&dead, "who dies first") == -SIGKILL);
    member_until_repaired(dead.slot);
}

static bool has_taken_over(const struct stepped *victim)
{
    return names(atomic_load(&first->holder), victim->owner);
}

static void check_twice_leased(const struct stepped *victim, bool taken)
{
    member_until_repaired(victim->slot);
    must_lease(1, taken ? 2 : 1);
    must_lease(2, 0);
    must_be_drained();
}

static const struct kill_case lease_from_the_dead = {
    .operation = { .run = lease_1 },
    .set_up = set_up_returned,
    .look = has_taken_over,
    .check = check_twice_leased,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- ack ---- */

static void ack_it(void)
{
    CHECK(plait_queue_ack(queue, notes->lease) == 0);
}

static void check_ack(const struct stepped *victim, bool settled)
{
    member_until_repaired(victim->slot);
    if (!settled) must_lease(1, 1);
    must_lease(2, 0);
    must_be_drained();
}

static const struct kill_case ack = {
    .operation = { .prepare = lease_1, .run = ack_it },
    .set_up = set_up_two,
    .look = has_settled,
    .check = check_ack,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void set_up_full_and_putter(void)
{
    set_up(0, FULL);
    others[0] = member_start(put_one);
    member_until_sleeps(&others[0]);
}

static void check_ack_beside_a_putter(const struct stepped *victim, bool settled)
{
    if (!settled) {
        member_until_repaired(victim->slot);
        must_lease(1, 1);
    }
    end_others(1);
    for (int i = 2; i <= FULL + 1; i++) must_lease(i, 0);
    must_be_drained();
}

static const struct kill_case ack_beside_a_putter = {
    .operation = { .prepare = lease_1, .run = ack_it },
    .set_up = set_up_full_and_putter,
    .look = has_settled,
    .check = check_ack_beside_a_putter,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* A closed queue with one message, which the victim leases; then two others wait for it to come back, or to be acknowledged. */
static void set_up_closed_and_getters(void)
{
    set_up(0, 1);
    MUST(plait_queue_close(queue) == 0);
    start_both(lease_after_the_victim);
}

static void lease_and_wait_for_others(void)
{
    lease_1();
    for (int i = 0; i < 2; i++) member_until_sleeps(&others[i]);
}

static void check_ack_beside_getters(const struct stepped *victim, bool settled)
{
    end_others(2);
    MUST(notes->got[0] == (settled ? PLAIT_ECLOSED : 1) && notes->got[1] == PLAIT_ECLOSED);
    if (!settled) MUST(notes->attempts[0] == 1);
}

static const struct kill_case ack_beside_getters_of_a_closed_queue = {
    .operation = { .prepare = lease_and_wait_for_others, .run = ack_it },
    .set_up = set_up_closed_and_getters,
    .look = has_settled,
    .check = check_ack_beside_getters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- giveback ---- */

static void give_it_back(void)
{
    CHECK(plait_queue_giveback(queue, notes->lease) == 0);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

/* Whether the victim gave it back or death did. */
static void check_giveback(const struct stepped *victim, bool done)
{
    member_until_repaired(victim->slot);
    must_lease(1, 1);
    must_lease(2, 0);
    must_be_drained();
}

static const struct kill_case giveback = {
    .operation = { .prepare = lease_1, .run = give_it_back },
    .set_up = set_up_two,
    .look = nothing_to_see,
    .check = check_giveback,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void set_up_one_and_getters(void)
{
    set_up(0, 1);
    start_both(lease_after_the_victim);
}

static void check_giveback_beside_getters(const struct stepped *victim, bool done)
{
    others_done(1);
    MUST(notes->got[0] == 1 && notes->attempts[0] == 1);
    MUST(put_number(queue, 2, SOON) == 0);
    end_others(2);
    MUST(notes->got[1] == 2 && notes->attempts[1] == 0);
    must_be_drained();
}

static const struct kill_case giveback_beside_getters = {
    .operation = { .prepare = lease_and_wait_for_others, .run = give_it_back },
    .set_up = set_up_one_and_getters,
    .look = nothing_to_see,
    .check = check_giveback_beside_getters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- plain put and get on a queue with leases ---- */

static void put_3(void)
{
    CHECK(put_number(queue, 3, PLAIT_FOREVER) == 0);
}

static void set_up_empty_and_getters(void)
{
    set_up(0, 0);
    start_both(lease_one);
    for (int i = 0; i < 2; i++) member_until_sleeps(&others[i]);
}

static void check_put_beside_getters(const struct stepped *victim, bool done)
{
    if (done) others_done(1);
    MUST(put_number(queue, 4, SOON) == 0);
    if (!done) MUST(put_number(queue, 5, SOON) == 0);
    end_others(2);
    long expected = done ? 3 + 4 : 4 + 5;
    MUST(notes->got[0] + notes->got[1] == expected && !notes->attempts[0] && !notes->attempts[1]);
    must_be_drained();
}

static const struct kill_case put_beside_getters = {
    .operation = { .run = put_3 },
    .set_up = set_up_empty_and_getters,
    .look = has_put,
    .check = check_put_beside_getters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void get_1(void)
{
    CHECK(get_number(queue, PLAIT_FOREVER) == 1);
}

static uint32_t attempts_after_get;

/* Within a plain get there is a short lease. */
static bool look_at_get(const struct stepped *victim)
{
    attempts_after_get = has_taken(victim) ? 1 : 0;
    return has_settled(victim);
}

static void check_get(const struct stepped *victim, bool settled)
{
    member_until_repaired(victim->slot);
    if (!settled) must_lease(1, attempts_after_get);
    must_lease(2, 0);
    must_be_drained();
}

static const struct kill_case get = {
    .operation = { .run = get_1 },
    .set_up = set_up_two,
    .look = look_at_get,
    .check = check_get,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(lease),
    KILL_TESTS(lease_beside_a_putter),
    KILL_TESTS(lease_from_the_dead),
    KILL_TESTS(ack),
    KILL_TESTS(ack_beside_a_putter),
    KILL_TESTS(ack_beside_getters_of_a_closed_queue),
    KILL_TESTS(giveback),
    KILL_TESTS(giveback_beside_getters),
    KILL_TESTS(put_beside_getters),
    KILL_TESTS(get),
};

TEST_MAIN(tests)
