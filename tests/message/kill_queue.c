/* A queue whose user is killed after every instruction.  What must hold for the survivors: nobody sleeps beside a message or beside
 * room, a message is wholly there or not at all, none is lost but the one that the victim had taken, none comes twice, and their
 * order is kept. */
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

static void set_up(size_t maxsize)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = new_number_queue(maxsize, 0);
}

static void remember(void)
{
    puts_before = puts_of(queue);
    gets_before = gets_of(queue);
}

static void set_up_empty(void)
{
    set_up(0);
    remember();
}

static void set_up_two(void)
{
    set_up(0);
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    remember();
}

static void set_up_full(void)
{
    set_up(2);
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    MUST(put_number(queue, 3, PLAIT_NOW) == -ETIMEDOUT);
    remember();
}

static void tear_down(void)
{
    MUST(plait_queue_free(queue) == 0);
}

/* ---- the others ---- */

static struct member others[2];

static int get_one(void)
{
    long got = get_number(queue, AT_LAST);
    CHECK(got > 0 || got == PLAIT_ECLOSED);
    notes->got[atomic_fetch_add(&notes->done, 1)] = got;
    return 0;
}

static int put_7(void)
{
    notes->got[0] = put_number(queue, 7, AT_LAST);
    notes->done++;
    return 0;
}

static int put_8(void)
{
    notes->got[1] = put_number(queue, 8, AT_LAST);
    notes->done++;
    return 0;
}

/* Both fall asleep, in this order. */
static void start_others(int (*first)(void), int (*second)(void))
{
    others[0] = member_start(first);
    member_until_sleeps(&others[0]);
    others[1] = member_start(second);
    member_until_sleeps(&others[1]);
}

static void end_others(void)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&others[i], "another member") == 0);
}

static bool as_many_done(void *count)
{
    return atomic_load(&notes->done) >= *(int *)count;
}

/* So many of the others are done, without any help. */
static void others_done(int count)
{
    test_soon(as_many_done, &count, "a sleeper beside what it waits for");
    MUST(notes->done == count);
}

/* The queue holds exactly these numbers; 0 for none. */
static void must_hold(long first, long second, long third)
{
    long expected[] = { first, second, third };
    for (int i = 0; i < 3; i++)
        if (expected[i]) MUST(get_number(queue, SOON) == expected[i]);
    MUST(get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
    MUST(plait_queue_qsize(queue) == 0);
}

/* Where a victim can be seen at work: the queue, and a message that is being written over the end of the ring. */
static const struct step_region *queue_and_family(void)
{
    static struct step_region regions[3];
    regions[0] = (struct step_region){ queue, sizeof *queue + 1024 };
    regions[1] = step_family_regions()[0];
    return regions;
}

/* ---- put ---- */

static void put_3(void)
{
    CHECK(put_number(queue, 3, PLAIT_FOREVER) == 0);
}

static bool has_put(const struct stepped *victim)
{
    return puts_of(queue) != puts_before;
}

static void check_put(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 1);
    must_hold(2, done ? 3 : 0, 4);
}

static const struct kill_case put = {
    .operation = { .run = put_3 },
    .set_up = set_up_two,
    .look = has_put,
    .check = check_put,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void set_up_two_getters(void)
{
    set_up_empty();
    start_others(get_one, get_one);
}

static void check_put_to_sleepers(const struct stepped *victim, bool done)
{
    if (done) others_done(1);
    MUST(put_number(queue, 4, SOON) == 0);
    if (!done) others_done(1);
    if (!done) MUST(put_number(queue, 5, SOON) == 0);
    end_others();
    MUST(notes->got[0] == (done ? 3 : 4) && notes->got[1] == (done ? 4 : 5));
    must_hold(0, 0, 0);
}

static const struct kill_case put_to_sleepers = {
    .operation = { .run = put_3 },
    .set_up = set_up_two_getters,
    .look = has_put,
    .check = check_put_to_sleepers,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- put, asleep until there is room ---- */

static bool woken;

static void set_up_full_for_sleep(void)
{
    woken = false;
    set_up_full();
}

/* The victim sleeps; another putter does so behind it; then one message is taken, and the victim is the one to be woken. */
static void make_room(void)
{
    others[0] = member_start(put_7);
    member_until_sleeps(&others[0]);
    MUST(get_number(queue, SOON) == 1);
    woken = true;
}

static bool other_is_done_or_sleeps(void *unused)
{
    return notes->done || member_sleeps(&others[0]);
}

/* The other puts its message now, or, if the victim has used the room, when there is more. */
static void check_put_after_a_sleep(const struct stepped *victim, bool done)
{
    if (!woken) make_room();
    member_until_repaired(victim->slot);
    test_soon(other_is_done_or_sleeps, NULL, "the other putter");
    const bool other_waits = plait_queue_qsize(queue) == 2 && !notes->done;
    MUST(done || !other_waits);
    MUST(get_number(queue, SOON) == 2);
    MUST(member_wait(&others[0], "the other putter") == 0);
    if (other_waits) must_hold(3, 7, 0);
    else must_hold(7, 0, 0);
}

static const struct kill_case put_after_a_sleep = {
    .operation = { .run = put_3, .wake = make_room },
    .set_up = set_up_full_for_sleep,
    .look = has_put,
    .check = check_put_after_a_sleep,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- get ---- */

static void get_1(void)
{
    CHECK(get_number(queue, PLAIT_FOREVER) == 1);
}

static bool has_got(const struct stepped *victim)
{
    return gets_of(queue) != gets_before;
}

static void check_get(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    must_hold(done ? 0 : 1, 2, 4);
}

static const struct kill_case get = {
    .operation = { .run = get_1 },
    .set_up = set_up_two,
    .look = has_got,
    .check = check_get,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void set_up_two_putters(void)
{
    set_up_full();
    start_others(put_7, put_8);
}

static void check_get_beside_sleepers(const struct stepped *victim, bool done)
{
    if (!done) MUST(get_number(queue, SOON) == 1);
    others_done(1);
    MUST(get_number(queue, SOON) == 2);
    end_others();
    MUST(notes->got[0] == 0 && notes->got[1] == 0);
    long first = get_number(queue, SOON);
    MUST(first == 7 || first == 8);
    must_hold(7 + 8 - first, 0, 0);
}

static const struct kill_case get_beside_sleepers = {
    .operation = { .run = get_1 },
    .set_up = set_up_two_putters,
    .look = has_got,
    .check = check_get_beside_sleepers,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- get, asleep until there is a message ---- */

static void set_up_empty_for_sleep(void)
{
    woken = false;
    set_up_empty();
}

static void put_a_message(void)
{
    others[0] = member_start(get_one);
    member_until_sleeps(&others[0]);
    MUST(put_number(queue, 1, SOON) == 0);
    woken = true;
}

/* The other gets the message, or, if the victim has taken that with it, the next. */
static void check_get_after_a_sleep(const struct stepped *victim, bool done)
{
    if (!woken) put_a_message();
    member_until_repaired(victim->slot);
    test_soon(other_is_done_or_sleeps, NULL, "the other getter");
    const bool other_waits = plait_queue_qsize(queue) == 0 && !notes->done;
    MUST(done || !other_waits);
    if (other_waits) MUST(put_number(queue, 4, SOON) == 0);
    MUST(member_wait(&others[0], "the other getter") == 0);
    MUST(notes->got[0] == (other_waits ? 4 : 1));
    must_hold(0, 0, 0);
}

static const struct kill_case get_after_a_sleep = {
    .operation = { .run = get_1, .wake = put_a_message },
    .set_up = set_up_empty_for_sleep,
    .look = has_got,
    .check = check_get_after_a_sleep,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- look without taking ---- */

static void look_at_size(void)
{
    CHECK(plait_queue_next_size(queue, PLAIT_FOREVER) == sizeof(struct number));
}

static void get_into_too_little(void)
{
    char buffer[8];
    CHECK(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_FOREVER) == -EMSGSIZE);
}

static bool nothing_to_see(const struct stepped *victim)
{
    return true;
}

static void check_nothing_happened(const struct stepped *victim, bool done)
{
    MUST(put_number(queue, 4, SOON) == 0);
    must_hold(1, 2, 4);
}

static const struct kill_case next_size = {
    .operation = { .run = look_at_size },
    .set_up = set_up_two,
    .look = nothing_to_see,
    .check = check_nothing_happened,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

static const struct kill_case get_into_a_short_buffer = {
    .operation = { .run = get_into_too_little },
    .set_up = set_up_two,
    .look = nothing_to_see,
    .check = check_nothing_happened,
    .tear_down = tear_down,
    .regions = queue_and_family,
    .long_one = true,
};

/* ---- close ---- */

static void close_it(void)
{
    CHECK(plait_queue_close(queue) == 0);
}

static bool is_closed(const struct stepped *victim)
{
    return (atomic_load(&queue->tail.word) & PLAIT__CLOSED) != 0;
}

static void check_close_beside_getters(const struct stepped *victim, bool done)
{
    if (!done) MUST(put_number(queue, 3, SOON) == 0 && put_number(queue, 4, SOON) == 0);
    end_others();
    MUST(notes->got[0] == (done ? PLAIT_ECLOSED : 3) && notes->got[1] == (done ? PLAIT_ECLOSED : 4));
    MUST(put_number(queue, 5, PLAIT_NOW) == (done ? PLAIT_ECLOSED : 0));
    MUST(get_number(queue, PLAIT_NOW) == (done ? PLAIT_ECLOSED : 5));
}

static const struct kill_case close_beside_sleeping_getters = {
    .operation = { .run = close_it },
    .set_up = set_up_two_getters,
    .look = is_closed,
    .check = check_close_beside_getters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static void check_close_beside_putters(const struct stepped *victim, bool done)
{
    if (done) end_others();
    MUST(get_number(queue, SOON) == 1 && get_number(queue, SOON) == 2);
    if (!done) end_others();
    for (int i = 0; i < 2; i++) MUST(notes->got[i] == (done ? PLAIT_ECLOSED : 0));
    MUST(plait_queue_qsize(queue) == (done ? 0 : 2));
    if (done) MUST(get_number(queue, SOON) == PLAIT_ECLOSED);
}

static const struct kill_case close_beside_sleeping_putters = {
    .operation = { .run = close_it },
    .set_up = set_up_two_putters,
    .look = is_closed,
    .check = check_close_beside_putters,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* ---- by the quick road: no message runs over the end of the ring ---- */

static void set_up_past_the_end(void)
{
    set_up(0);
    MUST(put_number(queue, 9, PLAIT_NOW) == 0 && get_number(queue, PLAIT_NOW) == 9);
    remember();
}

static void set_up_two_past_the_end(void)
{
    set_up_past_the_end();
    MUST(put_number(queue, 1, PLAIT_NOW) == 0 && put_number(queue, 2, PLAIT_NOW) == 0);
    remember();
}

static void set_up_getters_past_the_end(void)
{
    set_up_past_the_end();
    start_others(get_one, get_one);
}

static const struct kill_case quick_put_to_sleepers = {
    .operation = { .run = put_3 },
    .set_up = set_up_getters_past_the_end,
    .look = has_put,
    .check = check_put_to_sleepers,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static const struct kill_case quick_get = {
    .operation = { .run = get_1 },
    .set_up = set_up_two_past_the_end,
    .look = has_got,
    .check = check_get,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

/* The second of two puts, by what the thread remembers of the first. */
static void put_2_and_3(void)
{
    CHECK(put_number(queue, 2, PLAIT_FOREVER) == 0 && put_number(queue, 3, PLAIT_FOREVER) == 0);
}

static void set_up_one_past_the_end(void)
{
    set_up_past_the_end();
    MUST(put_number(queue, 1, PLAIT_NOW) == 0);
    remember();
    puts_before++;
}

static bool has_put_both(const struct stepped *victim)
{
    return puts_of(queue) == puts_before + 1;
}

static void check_put_both(const struct stepped *victim, bool done)
{
    bool one = done || puts_of(queue) == puts_before;
    MUST(put_number(queue, 4, SOON) == 0);
    MUST(get_number(queue, SOON) == 1);
    if (one) MUST(get_number(queue, SOON) == 2);
    must_hold(done ? 3 : 0, 4, 0);
}

static const struct kill_case quick_put_put = {
    .operation = { .run = put_2_and_3 },
    .set_up = set_up_one_past_the_end,
    .look = has_put_both,
    .check = check_put_both,
    .tear_down = tear_down,
    .regions = queue_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(put),
    KILL_TESTS(put_to_sleepers),
    KILL_TESTS(put_after_a_sleep),
    KILL_TESTS(get),
    KILL_TESTS(get_beside_sleepers),
    KILL_TESTS(get_after_a_sleep),
    KILL_TESTS(next_size),
    KILL_TESTS(get_into_a_short_buffer),
    KILL_TESTS(close_beside_sleeping_getters),
    KILL_TESTS(close_beside_sleeping_putters),
    KILL_TESTS(quick_put_to_sleepers),
    KILL_TESTS(quick_get),
    KILL_TESTS(quick_put_put),
};

TEST_MAIN(tests)
