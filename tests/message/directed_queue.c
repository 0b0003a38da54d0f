/* Moments of a queue that no random test finds: what happens between a getter's last look and its sleep; a put that is under way
 * when the queue is closed; a putter that dies between the commit and the ring. */
#include "hold.h"
#include "numbers.h"

#include <signal.h>

#include "family/repair.h"

static plait_queue *queue;

static struct notes {
    _Atomic int got;                                       /* how many messages the sleepers got, and how many of them were told */
    _Atomic int told_closed;                               /* that there is nothing more */
    _Atomic long number;
    int wait_at;
} *notes;

static void set_up(const plait_queue_options *options)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ 0 };
    queue = plait_queue_new(options);
    assert_non_null(queue);
    hold_forget();
}

static void tear_down(void)
{
    member_all_leave();
    MUST(plait_queue_free(queue) == 0);
}

static int get_a_number(void)
{
    long got = get_number(queue, PLAIT_FOREVER);
    if (got == PLAIT_ECLOSED) {
        notes->told_closed++;
    } else {
        notes->number = got;
        notes->got++;
    }
    return 0;
}

/* ---- many messages pass between a getter's last look and its sleep ---- */

static int get_the_last(void)
{
    static char buffer[8u << 20];
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    CHECK(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_FOREVER) >= 8);
    memcpy((void *)&notes->number, buffer, 8);
    return 0;
}

/* So many messages are put, and all but the last are taken: then the cursor may look as it did before.  With `beside`, another
 * getter sleeps there, so that the first put rings, wakes it, and leaves the flag set. */
static void messages_pass(long count, size_t size, int wait_at, int (*beside)(void))
{
    static char message[8u << 20];
    set_up(&(plait_queue_options){ .capacity = size > 4096 ? 16u << 20 : 64u << 10 });
    notes->wait_at = wait_at;
    struct member other, getter;
    if (beside) other = member_start(beside);
    if (beside) member_until_sleeps(&other);
    getter = member_start(get_the_last);
    hold_until_there();
    for (long i = 1; i <= count; i++) {
        memcpy(message, &i, sizeof i);
        MUST(plait_queue_put(queue, message, size, PLAIT_NOW) == 0);
        if (i == 1 && beside) MUST(member_wait(&other, "the other getter") == 0);
        else if (i < count) MUST(plait_queue_get(queue, message, sizeof message, PLAIT_NOW) == (ssize_t)size);
    }
    hold_let_go();
    MUST(member_wait(&getter, "the getter, beside its message") == 0);
    MUST(notes->number == count);
    tear_down();
}

static int get_something(void)
{
    static char buffer[8u << 20];
    CHECK(plait_queue_get(queue, buffer, sizeof buffer, PLAIT_FOREVER) >= 8);
    return 0;
}

static void some_hundred_messages_pass(void **state)
{
    static const long counts[] = { 1, 2, 255, 256, 257, 65535, 65536, 65537 };
    test_family();
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (int wait_at = 1; wait_at <= 2; wait_at++) {
            test_where[0] = counts[i];
            messages_pass(counts[i], 8, wait_at, NULL);
            if (counts[i] > 1) messages_pass(counts[i], 8, wait_at, get_something);
        }
    }
}

/* ---- any message fits an empty ring ---- */

static void every_size_at_every_place(int leases)
{
    const size_t header = leases ? 16 : 8, most = 1024 - header;
    static char message[1024], got[1024];
    test_family();
    set_up(&(plait_queue_options){ .capacity = 1024, .leases = leases });
    for (size_t place = 0; place < 64; place++) {
        for (size_t size = 0; size <= most; size++) {
            test_where[0] = (long)place, test_where[1] = (long)size;
            memset(message, (int)(place + size), size);
            MUST(plait_queue_put(queue, message, size, PLAIT_NOW) == 0);
            MUST(plait_queue_get(queue, got, sizeof got, PLAIT_NOW) == (ssize_t)size);
            MUST(memcmp(message, got, size) == 0);
            /* Back to the same place, as far as that is possible. */
            size_t units = (header + size + 15) / 16, rest = (64 - units % 64) % 64;
            if (rest == 0) continue;
            MUST(plait_queue_put(queue, message, rest * 16 - header, PLAIT_NOW) == 0);
            MUST(plait_queue_get(queue, got, sizeof got, PLAIT_NOW) == (ssize_t)(rest * 16 - header));
        }
        MUST(plait_queue_put(queue, message, 16 - header, PLAIT_NOW) == 0);
        MUST(plait_queue_get(queue, got, sizeof got, PLAIT_NOW) == (ssize_t)(16 - header));
        MUST(plait__position_in(queue->tail.word) % 64 == (place + 1) % 64);
    }
    tear_down();
}

static void every_size_fits_at_every_place(void **state)
{
    every_size_at_every_place(0);
}

static void every_size_fits_at_every_place_with_leases(void **state)
{
    every_size_at_every_place(1);
}

/* ---- room comes while a putter looks ---- */

enum { ALL = 1024 - 8 };                                   /* fills the ring */

/* Its first sleep ends at once, and somebody else has passed on what that one was for, so that the flag is down; the second is not
 * interrupted by anything but the wake-up. */
static void pass_room_on(enum plait__point point)
{
    if (point != PLAIT__POINT_SLEEP || notes->got++) return;
    plait__cursor_pass_on(&queue->head, PLAIT__WANT_MOVE);
}

static void sleep_again(void)
{
    plait__test_short_sleep = 1;
    plait__test_backup_interval = 60 * PLAIT__SECOND;
    plait__point_hook = pass_room_on;
}

static void put_some(void)
{
    CHECK(plait_queue_put(queue, "some", 4, PLAIT_FOREVER) == 0);
}

static const struct step_operation put_and_sleep = { .prepare = sleep_again, .run = put_some };

/* The putter stands still, and then the ring is emptied.  True: it had not yet said that it sleeps for the second time. */
static bool empty_the_ring(struct stepped *putter)
{
    static char message[ALL];
    bool looks = !(atomic_load(&queue->head.word) & PLAIT__WANT_MOVE);
    MUST(plait_queue_get(queue, message, ALL, PLAIT_NOW) == ALL);
    step_continue(putter, "the putter, beside an empty ring");
    MUST(plait_queue_get(queue, message, ALL, PLAIT_NOW) == 4);
    step_leave(putter);
    tear_down();
    return looks;
}

static void set_up_full(void)
{
    static const char message[ALL];
    set_up(&(plait_queue_options){ .capacity = 1024 });
    MUST(plait_queue_put(queue, message, ALL, PLAIT_NOW) == 0);
}

/* It has got up from its first sleep. */
static bool is_up(const struct stepped *putter)
{
    return notes->got && !atomic_load(&plait__slot(putter->slot)->waiting);
}

static void room_comes_while_a_putter_looks(void **state)
{
    struct stepped putter;
    test_family();
    long k = 0;
    for (bool up = false; !up; k++) {
        set_up_full();
        putter = step_to_change(&put_and_sleep, (struct step_region[]){ step_family_regions()[0], { 0 } }, k);
        up = is_up(&putter);
        empty_the_ring(&putter);
    }
    long first = k = putter.instructions;
    do {
        test_where[0] = k;
        set_up_full();
        putter = step_to(&put_and_sleep, k++);
    } while (empty_the_ring(&putter));
    printf("held at instructions %ld to %ld\n", first, k - 1);
}

/* ---- closed while a put is under way ---- */

static int put_held(void)
{
    hold_at(PLAIT__POINT_QUEUE_OWNED, 1);
    CHECK(put_number(queue, 7, PLAIT_FOREVER) == 0);
    return 0;
}

static int put_behind(void)
{
    CHECK(put_number(queue, 8, PLAIT_FOREVER) == PLAIT_ECLOSED);
    return 0;
}

static struct member getters[2], putter, other_putter;

static bool getters_have_looked(void *unused)
{
    return notes->got + notes->told_closed + member_sleeps(&getters[0]) + member_sleeps(&getters[1]) == 2;
}

/* Two getters sleep, a putter owns the tail, another sleeps behind it; then the queue is closed. */
static void close_during_put(void)
{
    set_up(&(plait_queue_options){ .capacity = 1024 });
    for (int i = 0; i < 2; i++) {
        getters[i] = member_start(get_a_number);
        member_until_sleeps(&getters[i]);
    }
    putter = member_start(put_held);
    hold_until_there();
    other_putter = member_start(put_behind);
    member_until_sleeps(&other_putter);
    MUST(plait_queue_close(queue) == 0);
    MUST(member_wait(&other_putter, "a putter that slept for the tail") == 0);
    test_soon(getters_have_looked, NULL, "a getter");
    MUST(notes->got == 0 && notes->told_closed == 0);      /* the message may still come */
}

static void end_of_close(int got)
{
    for (int i = 0; i < 2; i++) MUST(member_wait(&getters[i], "a getter of a closed queue") == 0);
    MUST(notes->got == got && notes->told_closed == 2 - got);
    MUST(atomic_load(&queue->tail.word) & PLAIT__CLOSED);
    MUST(put_number(queue, 9, PLAIT_NOW) == PLAIT_ECLOSED && get_number(queue, PLAIT_NOW) == PLAIT_ECLOSED);
}

static void closed_during_a_put(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        test_where[0] = round;
        close_during_put();
        hold_let_go();
        MUST(member_wait(&putter, "the putter") == 0);
        end_of_close(1);
        tear_down();
    }
}

static void closed_during_a_put_that_is_killed(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        test_where[0] = round;
        close_during_put();
        member_kill(&putter);
        end_of_close(0);
        member_until_repaired(putter.slot);
        tear_down();
    }
}

/* ---- committed, but not rung ---- */

static int get_held(void)
{
    hold_at(PLAIT__POINT_SLEEP, notes->wait_at);
    return get_a_number();
}

static void die_here(enum plait__point point)
{
    if (point == PLAIT__POINT_QUEUE_COMMITTED) raise(SIGKILL);
}

static int put_and_die(void)
{
    plait__point_hook = die_here;
    CHECK(put_number(queue, 7, PLAIT_NOW) == 0);
    return 0;
}

/* The getter has looked; the putter commits, and dies before it can ring. */
static void die_before_the_ring(int wait_at, bool repaired)
{
    set_up(&(plait_queue_options){ .capacity = 1024 });
    notes->wait_at = wait_at;
    struct member getter = member_start(get_held);
    hold_until_there();
    struct member dead = member_start(put_and_die);
    MUST(member_wait(&dead, "the putter") == -SIGKILL);
    if (repaired) MUST(plait__reap_all() == 1);
    hold_let_go();
    MUST(member_wait(&getter, "the getter, beside its message") == 0);
    MUST(notes->got == 1 && notes->number == 7);
    member_until_repaired(dead.slot);
    tear_down();
}

static void sixty_rounds(bool repaired)
{
    test_family();
    for (int round = 0; round < 60; round++) {
        test_where[0] = round;
        die_before_the_ring(1 + round % 2, repaired);
    }
}

static void putter_dies_before_the_ring(void **state)
{
    sixty_rounds(false);
}

static void putter_dies_before_the_ring_and_is_repaired(void **state)
{
    sixty_rounds(true);
}

/* ---- a signal handler uses another queue in the middle ---- */

static plait_queue *other_queue;

static void put_beside(int number)
{
    plait__point_hook = NULL;
    CHECK(put_number(other_queue, (uint64_t)number, PLAIT_NOW) == 0);
}

/* After its handler it is in the middle of the first queue again. */
static void be_interrupted_and_die(enum plait__point point)
{
    if (point != PLAIT__POINT_QUEUE_OWNED) return;
    raise(SIGUSR1);
    raise(SIGKILL);
}

static int put_interrupted(void)
{
    signal(SIGUSR1, put_beside);
    plait__point_hook = be_interrupted_and_die;
    CHECK(put_number(queue, 7, PLAIT_NOW) == 0);
    return 0;
}

static void killed_after_a_handler_that_used_another_queue(void **state)
{
    test_family();
    for (int round = 0; round < 20; round++) {
        test_where[0] = round;
        set_up(&(plait_queue_options){ .capacity = 1024 });
        MUST(other_queue = plait_queue_new(NULL));
        struct member dead = member_start(put_interrupted);
        MUST(member_wait(&dead, "the putter") == -SIGKILL);
        if (round % 2) member_until_repaired(dead.slot);
        /* Repair knows where it was: nobody who gets the same name later seems to be there. */
        if (round % 2) MUST(plait__owner_in(atomic_load(&queue->tail.word)) == 0);
        MUST(put_number(queue, 8, plait_after(10)) == 0);
        MUST(get_number(queue, PLAIT_NOW) == 8 && get_number(queue, PLAIT_NOW) == -ETIMEDOUT);
        MUST(get_number(other_queue, PLAIT_NOW) == SIGUSR1);
        member_until_repaired(dead.slot);
        MUST(plait_queue_free(other_queue) == 0);
        tear_down();
    }
}

/* ---- a lease of the dead, whose repairer is stopped ---- */

static int lease_and_die(void)
{
    plait_lease lease;
    CHECK(lease_number(queue, &lease, PLAIT_NOW) == 7);
    raise(SIGKILL);
    return 0;
}

static int repair_held(void)
{
    hold_at(PLAIT__POINT_REPAIR, 1);
    plait__reap_all();
    return 0;
}

static int lease_what_came_back(void)
{
    plait_lease lease;
    plait__test_backup_interval = 20 * PLAIT__MILLISECOND;
    CHECK(lease_number(queue, &lease, PLAIT_FOREVER) == 7 && lease.attempts == 1);
    return plait_queue_ack(queue, lease);
}

static int poll_for_what_came_back(void)
{
    plait_lease lease;
    CHECK(lease_number(queue, &lease, PLAIT_NOW) == 7 && lease.attempts == 1);
    return plait_queue_ack(queue, lease);
}

static void lease_comes_back_to(int (*get)(void))
{
    set_up(&(plait_queue_options){ .leases = 1 });
    MUST(put_number(queue, 7, PLAIT_NOW) == 0);
    struct member dead = member_start(lease_and_die);
    MUST(member_wait(&dead, "the holder") == -SIGKILL);
    struct member repairer = member_start(repair_held), getter;
    hold_until_there();
    getter = member_start(get);
    MUST(member_wait(&getter, "a getter, beside the lease of the dead") == 0);
    hold_let_go();
    MUST(member_wait(&repairer, "the repairer") == 0);
    tear_down();
}

static void a_stopped_repairer_keeps_no_lease(void **state)
{
    test_family();
    lease_comes_back_to(lease_what_came_back);
    lease_comes_back_to(poll_for_what_came_back);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_stopped_repairer_keeps_no_lease),
    cmocka_unit_test(some_hundred_messages_pass),
    cmocka_unit_test(every_size_fits_at_every_place),
    cmocka_unit_test(every_size_fits_at_every_place_with_leases),
    cmocka_unit_test(room_comes_while_a_putter_looks),
    cmocka_unit_test(closed_during_a_put),
    cmocka_unit_test(closed_during_a_put_that_is_killed),
    cmocka_unit_test(putter_dies_before_the_ring),
    cmocka_unit_test(putter_dies_before_the_ring_and_is_repaired),
    cmocka_unit_test(killed_after_a_handler_that_used_another_queue),
};

TEST_MAIN(tests)
