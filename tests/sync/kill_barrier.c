/* A barrier whose party is killed after every instruction.  What must hold for the survivors: nobody hangs; all who wait for the
 * same time learn the same; and after a reset it works. */
#include "kill.h"

#include <plait.h>

#include "family/roster.h"

static plait_barrier *barrier;
static int parties;

static struct notes {
    _Atomic int results[2];
    _Atomic int acted;
} *notes;

static int act(void *unused)
{
    notes->acted++;
    return 0;
}

static void set_up(int for_so_many)
{
    if (!notes) notes = test_shared(sizeof *notes);
    *notes = (struct notes){ { -1, -1 }, 0 };
    parties = for_so_many;
    barrier = plait_barrier_new(parties, &(plait_barrier_options){ .action = act });
    assert_non_null(barrier);
}

static void tear_down(void)
{
    MUST(plait_barrier_free(barrier) == 0);
}

static const struct step_region *barrier_and_family(void)
{
    return step_object_and_roster(barrier, 256);
}

/* ---- the others ---- */

static struct member others[2];

static int wait_as(int number)
{
    notes->results[number] = plait_barrier_wait(barrier, plait_after(20));
    CHECK(notes->results[number] >= 0 || notes->results[number] == PLAIT_EBROKEN);
    return 0;
}

static int wait_as_first(void) { return wait_as(0); }
static int wait_as_second(void) { return wait_as(1); }

static void start_other(int number)
{
    others[number] = member_start(number ? wait_as_second : wait_as_first);
    if (!plait_barrier_broken(barrier)) member_until_sleeps(&others[number]);
}

/* Not in the slot of the victim, which has to be seen repaired. */
static void start_other_after(const struct stepped *victim)
{
    member_until_repaired(victim->slot);
    start_other(1);
}

static void end_other(int number)
{
    MUST(member_wait(&others[number], "another party") == 0);
}

static void set_up_two(void)
{
    set_up(2);
}


static int come_once(void)
{
    return plait_barrier_wait(barrier, plait_after(20)) >= 0 ? 0 : 1;
}

/* All meet again, after a reset. */
static void must_work(const struct stepped *victim)
{
    struct member some[2];
    member_all_leave();
    member_until_repaired(victim->slot);
    MUST(plait_barrier_reset(barrier) == 0 && plait_barrier_broken(barrier) == 0);
    for (int i = 0; i < parties - 1; i++) some[i] = member_start(come_once);
    MUST(plait_barrier_wait(barrier, plait_after(20)) >= 0);
    for (int i = 0; i < parties - 1; i++) MUST(member_wait(&some[i], "who comes after the reset") == 0);
    MUST(plait_barrier_n_waiting(barrier) == 0);
    member_all_leave();
}

/* ---- to come first, to wait, and to be let go ---- */

static bool let_go;

static void come(void)
{
    CHECK(plait_barrier_wait(barrier, PLAIT_FOREVER) >= 0);
}

/* The victim sleeps; the last one comes. */
static void come_as_last(void)
{
    MUST(plait_barrier_wait(barrier, PLAIT_NOW) == parties - 1);
    let_go = true;
}

static void set_up_one_who_waits(void)
{
    set_up(3);
    let_go = false;
    start_other(0);
}

/* Before it has come it is not missed: two are enough.  Afterwards it is, until all were there. */
static void check_who_waits(const struct stepped *victim, bool done)
{
    int come = plait_barrier_n_waiting(barrier);
    if (let_go) {
        end_other(0);
        MUST(notes->results[0] == 0);
        MUST(plait_barrier_broken(barrier) == 0);
    } else if (come == 2) {
        end_other(0);
        MUST(notes->results[0] == PLAIT_EBROKEN);
        MUST(plait_barrier_wait(barrier, PLAIT_FOREVER) == PLAIT_EBROKEN);
    } else {
        MUST(come == 1 || plait_barrier_broken(barrier) == 1);      /* 0: the other has noticed already */
        if (come == 1) start_other_after(victim);
        if (come == 1) MUST(plait_barrier_wait(barrier, plait_after(20)) == 2);
        end_other(0);
        if (come == 1) end_other(1);
        MUST(notes->results[0] == (come == 1 ? 0 : PLAIT_EBROKEN));
    }
    must_work(victim);
}

static const struct kill_case come_and_wait = {
    .operation = { .run = come, .wake = come_as_last },
    .set_up = set_up_one_who_waits,
    .check = check_who_waits,
    .tear_down = tear_down,
    .regions = barrier_and_family,
    .long_one = true,
};

/* ---- to come last, and let the others go ---- */

static void set_up_two_who_wait(void)
{
    set_up(3);
    for (int i = 0; i < 2; i++) start_other(i);
}

/* Both learn the same.  If it had not come, others may. */
static void check_both(const struct stepped *victim, bool done)
{
    int come = plait_barrier_n_waiting(barrier);
    if (come == 2) MUST(plait_barrier_wait(barrier, plait_after(20)) == 2);
    for (int i = 0; i < 2; i++) end_other(i);
    if (notes->results[0] == PLAIT_EBROKEN) {
        MUST(!done && come != 2 && notes->results[1] == PLAIT_EBROKEN);
        MUST(plait_barrier_broken(barrier) == 1);
    } else {
        MUST(notes->results[0] == 0 && notes->results[1] == 1);
        MUST(notes->acted == 1);
        MUST(plait_barrier_broken(barrier) == 0);
    }
    must_work(victim);
}

static const struct kill_case come_last = {
    .operation = { .run = come },
    .set_up = set_up_two_who_wait,
    .check = check_both,
    .tear_down = tear_down,
    .regions = barrier_and_family,
};

/* ---- to break it, and to mend it ---- */

static void give_up(void)
{
    CHECK(plait_barrier_wait(barrier, PLAIT_NOW) == -ETIMEDOUT);
}

/* One waits, and learns it, or waits on until two others come. */
static void check_one(const struct stepped *victim, bool done)
{
    if (plait_barrier_n_waiting(barrier) == 1 && !plait_barrier_broken(barrier)) {
        start_other_after(victim);
        MUST(plait_barrier_wait(barrier, plait_after(20)) == 2);
        end_other(1);
        MUST(!done);
    }
    end_other(0);
    must_work(victim);
}

static const struct kill_case time_out = {
    .operation = { .run = give_up },
    .set_up = set_up_one_who_waits,
    .check = check_one,
    .tear_down = tear_down,
    .regions = barrier_and_family,
};

static void abort_it(void)
{
    CHECK(plait_barrier_abort(barrier) == 0);
}

static const struct kill_case abort_ = {
    .operation = { .run = abort_it },
    .set_up = set_up_one_who_waits,
    .check = check_one,
    .tear_down = tear_down,
    .regions = barrier_and_family,
};

static void reset_it(void)
{
    CHECK(plait_barrier_reset(barrier) == 0);
}

/* It is broken, or new, or as it was. */
static void check_reset(const struct stepped *victim, bool done)
{
    if (done) MUST(plait_barrier_broken(barrier) == 0 && plait_barrier_n_waiting(barrier) == 0);
    check_one(victim, done);
}

static const struct kill_case reset = {
    .operation = { .run = reset_it },
    .set_up = set_up_one_who_waits,
    .check = check_reset,
    .tear_down = tear_down,
    .regions = barrier_and_family,
};

/* ---- names ---- */

static void join_it(void)
{
    CHECK(plait_barrier_join(barrier) == 0);
}


/* Named or not: somebody who comes learns that it is broken, or waits for one who is alive. */
static void check_named(const struct stepped *victim, bool done)
{
    bool broken = plait_barrier_broken(barrier);
    start_other(0);
    if (!broken) MUST(plait_barrier_wait(barrier, plait_after(20)) == 1);
    end_other(0);
    MUST(notes->results[0] == (broken ? PLAIT_EBROKEN : 0));
    must_work(victim);
}

static void check_joined(const struct stepped *victim, bool done)
{
    if (victim->finished) MUST(plait_barrier_broken(barrier) == 1);
    check_named(victim, done);
}

static const struct kill_case join = {
    .operation = { .run = join_it },
    .set_up = set_up_two,
    .check = check_joined,
    .tear_down = tear_down,
    .regions = barrier_and_family,
};

static void leave_it(void)
{
    CHECK(plait_barrier_leave(barrier) == 0);
}

static void check_left(const struct stepped *victim, bool done)
{
    if (victim->finished) MUST(plait_barrier_broken(barrier) == 0);
    check_named(victim, done);
}

static const struct kill_case leave = {
    .operation = { .prepare = join_it, .run = leave_it },
    .set_up = set_up_two,
    .check = check_left,
    .tear_down = tear_down,
    .regions = barrier_and_family,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(come_and_wait),
    KILL_TESTS(come_last),
    KILL_TESTS(time_out),
    KILL_TESTS(abort_),
    KILL_TESTS(reset),
    KILL_TESTS(join),
    KILL_TESTS(leave),
};

TEST_MAIN(tests)
