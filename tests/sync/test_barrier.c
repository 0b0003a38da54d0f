/* The barrier in one process: what the calls return, between threads. */
#include "harness.h"
#include "others.h"

#include <plait/arena.h>
#include <plait/barrier.h>
#include <plait/error.h>
#include <plait/lock.h>

enum { MANY = 8 };

static plait_barrier *barrier;
static struct test_thread threads[MANY];

static void make(int parties, int (*action)(void *argument), void *argument)
{
    barrier = plait_barrier_new(parties, &(plait_barrier_options){ .action = action, .argument = argument });
    assert_non_null(barrier);
}

static void end(int expected)
{
    assert_int_equal(plait_barrier_broken(barrier), expected);
    assert_int_equal(plait_barrier_free(barrier), 0);
}

static int waits(void *unused)
{
    const int place = plait_barrier_wait(barrier, PLAIT_FOREVER);
    plait_leave();
    return place;
}

static void start_waiting(int from, int count)
{
    for (int i = from; i < from + count; i++) {
        test_thread_start(&threads[i], waits, NULL);
        test_until_waits(threads[i].tid);
    }
}

/* --- alone ------------------------------------------------------------------------------------------------------------------ */

static void who_is_alone_waits_for_nobody(void **state)
{
    const plait_deadline deadlines[] = { PLAIT_FOREVER, PLAIT_NOW, plait_after(-1), plait_after(1) };
    make(1, NULL, NULL);
    for (int i = 0; i < 100; i++) assert_int_equal(plait_barrier_wait(barrier, deadlines[i % 4]), 0);
    assert_int_equal(plait_barrier_n_waiting(barrier), 0);
    end(0);
}

static void it_knows_its_parties(void **state)
{
    const int counts[] = { 1, 2, 3, 100, 8191 };
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        make(counts[i], NULL, NULL);
        assert_int_equal(plait_barrier_parties(barrier), counts[i]);
        assert_int_equal(plait_barrier_n_waiting(barrier), 0);
        assert_int_equal((uintptr_t)barrier % 64, 0);
        end(0);
    }
}

static void such_numbers_of_parties_are_refused(void **state)
{
    const int counts[] = { 0, -1, INT32_MIN, 8192, INT32_MAX };
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        errno = 0;
        assert_null(plait_barrier_new(counts[i], NULL));
        assert_int_equal(errno, EINVAL);
        assert_non_null(strstr(plait_error_detail(), "1 to 8191"));
    }
}

static void check_is_none(plait_barrier *pointer)
{
    assert_int_equal(plait_barrier_wait(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_barrier_abort(pointer), -EINVAL);
    assert_int_equal(plait_barrier_reset(pointer), -EINVAL);
    assert_int_equal(plait_barrier_broken(pointer), -EINVAL);
    assert_int_equal(plait_barrier_parties(pointer), -EINVAL);
    assert_int_equal(plait_barrier_n_waiting(pointer), -EINVAL);
    assert_int_equal(plait_barrier_join(pointer), -EINVAL);
    assert_int_equal(plait_barrier_leave(pointer), -EINVAL);
    if (pointer) assert_int_equal(plait_barrier_free(pointer), -EINVAL);
}

static void what_is_no_barrier_is_told(void **state)
{
    _Alignas(64) char memory[256] = "";
    check_is_none(NULL);
    check_is_none((plait_barrier *)(void *)memory);
    check_is_none((plait_barrier *)(void *)(memory + 1));
    assert_int_equal(plait_barrier_free(NULL), 0);
    void *keep = plait_alloc(64);
    make(2, NULL, NULL);
    plait_barrier *freed = barrier;
    end(0);
    check_is_none(freed);
    assert_int_equal(plait_free(keep), 0);
}

/* --- meeting ---------------------------------------------------------------------------------------------------------------- */

static void each_gets_a_place_of_its_own(void **state)
{
    make(MANY, NULL, NULL);
    for (int round = 0; round < 20; round++) {
        unsigned places = 0;
        start_waiting(0, MANY - 1);
        assert_int_equal(plait_barrier_n_waiting(barrier), MANY - 1);
        assert_int_equal(plait_barrier_wait(barrier, round % 2 ? PLAIT_NOW : PLAIT_FOREVER), MANY - 1);
        for (int i = 0; i < MANY - 1; i++) {
            const int place = test_thread_join(&threads[i]);
            assert_int_equal(place, i);                    /* they came one by one */
            places |= 1u << place;
        }
        assert_int_equal(places, (1u << (MANY - 1)) - 1);
        assert_int_equal(plait_barrier_n_waiting(barrier), 0);
    }
    end(0);
}

static struct meeting {
    int parties, rounds;
    _Atomic int came[4], places[4];
    _Atomic int early, wrong;
} meeting;

/* Each round has a counter of its own: who goes on has to find all the others counted. */
static int meets(void *unused)
{
    for (int round = 0; round < meeting.rounds; round++) {
        meeting.came[round % 4]++;
        const int place = plait_barrier_wait(barrier, PLAIT_FOREVER);
        if (place < 0 || place >= meeting.parties) meeting.wrong++;
        else if (atomic_fetch_or(&meeting.places[round % 4], 1 << place) & 1 << place) meeting.wrong++;
        if (meeting.came[round % 4] != meeting.parties) meeting.early++;
        const int second = plait_barrier_wait(barrier, PLAIT_FOREVER);
        if (second == 0) meeting.came[round % 4] = meeting.places[round % 4] = 0;
    }
    return 0;
}

static void check_meetings(int parties, int rounds)
{
    meeting = (struct meeting){ .parties = parties, .rounds = rounds };
    make(parties, NULL, NULL);
    for (int i = 0; i < parties; i++) test_thread_start(&threads[i], meets, NULL);
    for (int i = 0; i < parties; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    assert_int_equal(meeting.early, 0);
    assert_int_equal(meeting.wrong, 0);
    end(0);
}

static void two_meet_often(void **state) { check_meetings(2, 20000); }
static void three_meet_often(void **state) { check_meetings(3, 5000); }
static void eight_meet_often(void **state) { check_meetings(8, 300); }

/* One is too many: it is of the next time that all are there. */
static void one_too_many_waits_for_the_next_time(void **state)
{
    make(2, NULL, NULL);
    int places[3] = { 0 };
    for (int i = 0; i < 3; i++) test_thread_start(&threads[i], waits, NULL);
    while (plait_barrier_n_waiting(barrier) != 1) sched_yield();
    assert_int_equal(plait_barrier_wait(barrier, plait_after(20)), 1);
    for (int i = 0; i < 3; i++) places[test_thread_join(&threads[i])]++;
    assert_int_equal(places[0], 2);
    assert_int_equal(places[1], 1);
    end(0);
}

/* --- action ----------------------------------------------------------------------------------------------------------------- */

static _Atomic int acted, gone_on;
static _Atomic int in_action, may_act;

static int counts(void *argument)
{
    CHECK(atomic_load(&gone_on) == 0);
    return *(int *)argument + acted++ * 0;
}

static int waits_and_counts(void *unused)
{
    const int place = plait_barrier_wait(barrier, PLAIT_FOREVER);
    gone_on++;
    return place;
}

static void the_last_acts_before_anybody_goes_on(void **state)
{
    int nothing = 0;
    make(4, counts, &nothing);
    for (int round = 1; round <= 5; round++) {
        gone_on = 0;
        for (int i = 0; i < 3; i++) test_thread_start(&threads[i], waits_and_counts, NULL);
        while (plait_barrier_n_waiting(barrier) != 3) sched_yield();
        assert_int_equal(acted, round - 1);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), 3);
        assert_int_equal(acted, round);
        for (int i = 0; i < 3; i++) assert_in_range(test_thread_join(&threads[i]), 0, 2);
    }
    end(0);
}

static void a_failed_action_breaks_it(void **state)
{
    const int results[] = { -EIO, 7 };
    for (int i = 0; i < 2; i++) {
        int result = results[i];
        gone_on = 0;
        make(3, counts, &result);
        start_waiting(0, 2);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), result < 0 ? result : PLAIT_EBROKEN);
        if (result > 0) assert_string_equal(plait_error_detail(), "the action of the barrier returned 7");
        for (int j = 0; j < 2; j++) assert_int_equal(test_thread_join(&threads[j]), PLAIT_EBROKEN);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
        assert_string_equal(plait_error_detail(), "the action of the barrier failed");
        assert_int_equal(plait_barrier_n_waiting(barrier), 0);
        end(1);
    }
}

static int acts_slowly(void *unused)
{
    in_action = 1;
    test_until_set(&may_act);
    return 0;
}

/* While the last acts, others may come: for the next time. */
static void who_comes_during_the_action_is_of_the_next(void **state)
{
    make(2, acts_slowly, NULL);
    in_action = may_act = 0;
    start_waiting(0, 1);
    test_thread_start(&threads[1], waits, NULL);
    test_until_set(&in_action);
    assert_int_equal(plait_barrier_wait(barrier, plait_after(0.02)), -ETIMEDOUT);
    assert_non_null(strstr(plait_error_detail(), "its action"));
    assert_int_equal(plait_barrier_broken(barrier), 0);
    start_waiting(2, 1);
    may_act = 1;
    assert_int_equal(test_thread_join(&threads[0]), 0);
    assert_int_equal(test_thread_join(&threads[1]), 1);
    const int mine = plait_barrier_wait(barrier, PLAIT_FOREVER);
    assert_int_equal(mine + test_thread_join(&threads[2]), 1);
    end(0);
}

static int waits_shortly(void *unused)
{
    return plait_barrier_wait(barrier, plait_after(0.05));
}

/* All are there, but as long as the last acts nobody goes on, and whose time is up does not wait for that. */
static void a_deadline_during_the_action_breaks_it(void **state)
{
    do {
        make(2, acts_slowly, NULL);
        in_action = may_act = 0;
        test_thread_start(&threads[0], waits_shortly, NULL);
        test_until_waits(threads[0].tid);
        test_thread_start(&threads[1], waits, NULL);
        assert_int_equal(test_thread_join(&threads[0]), -ETIMEDOUT);
        may_act = 1;
        assert_int_equal(test_thread_join(&threads[1]), PLAIT_EBROKEN);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
        assert_string_equal(plait_error_detail(), "somebody's time was up before all were there");
        end(1);
    } while (!in_action);                                  /* a machine so slow that the last came too late */
}

static void check_during_action(int (*call)(plait_barrier *of), bool broken_afterwards)
{
    make(2, acts_slowly, NULL);
    in_action = may_act = 0;
    start_waiting(0, 1);
    test_thread_start(&threads[1], waits, NULL);
    test_until_set(&in_action);
    assert_int_equal(call(barrier), 0);
    assert_int_equal(test_thread_join(&threads[0]), PLAIT_EBROKEN);
    may_act = 1;
    assert_int_equal(test_thread_join(&threads[1]), PLAIT_EBROKEN);
    end(broken_afterwards);
}

static void an_abort_during_the_action(void **state) { check_during_action(plait_barrier_abort, true); }
static void a_reset_during_the_action(void **state) { check_during_action(plait_barrier_reset, false); }

static int waits_in_its_action(void *unused)
{
    acted = plait_barrier_wait(barrier, PLAIT_FOREVER);
    return 0;
}

static void who_waits_in_its_action_is_told(void **state)
{
    for (int parties = 1; parties <= 3; parties++) {
        make(parties, waits_in_its_action, NULL);
        for (int round = 0; round < 2; round++) {
            acted = 0;
            start_waiting(0, parties - 1);
            assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), parties - 1);
            assert_int_equal(acted, -EDEADLK);
            for (int i = 0; i < parties - 1; i++) test_thread_join(&threads[i]);
        }
        end(0);
    }
}

static void an_action_has_to_be_a_function(void **state)
{
    static int data;
    errno = 0;
    assert_null(plait_barrier_new(2, &(plait_barrier_options){ .action = (int (*)(void *))(uintptr_t)&data }));
    assert_int_equal(errno, -PLAIT_ENOFUNCTION);
}

/* --- breaking, mending -------------------------------------------------------------------------------------------------------- */

static void an_abort_breaks_it_for_all(void **state)
{
    make(4, NULL, NULL);
    start_waiting(0, 3);
    assert_int_equal(plait_barrier_n_waiting(barrier), 3);
    assert_int_equal(plait_barrier_abort(barrier), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(test_thread_join(&threads[i]), PLAIT_EBROKEN);
    assert_int_equal(plait_barrier_n_waiting(barrier), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
    assert_string_equal(plait_error_detail(), "the barrier was aborted");
    assert_int_equal(plait_barrier_abort(barrier), 0);
    end(1);
}

static void a_deadline_breaks_it_for_all(void **state)
{
    const plait_deadline deadlines[] = { PLAIT_NOW, plait_after(0.02), plait_after(0.05), { plait__now() - 1 } };
    for (int i = 0; i < 4; i++) {
        make(4, NULL, NULL);
        start_waiting(0, 2);
        assert_int_equal(plait_barrier_wait(barrier, deadlines[i]), -ETIMEDOUT);
        assert_string_equal(plait_error_detail(), "3 of 4 parties were at the barrier");
        for (int j = 0; j < 2; j++) assert_int_equal(test_thread_join(&threads[j]), PLAIT_EBROKEN);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
        assert_string_equal(plait_error_detail(), "somebody's time was up before all were there");
        end(1);
    }
}

static void a_reset_breaks_those_who_wait_and_nobody_else(void **state)
{
    make(3, NULL, NULL);
    for (int round = 0; round < 20; round++) {
        start_waiting(0, 2);
        assert_int_equal(plait_barrier_reset(barrier), 0);
        for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), PLAIT_EBROKEN);
        assert_int_equal(plait_barrier_broken(barrier), 0);
        assert_int_equal(plait_barrier_n_waiting(barrier), 0);
        start_waiting(0, 2);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), 2);
        for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), i);
        assert_int_equal(plait_barrier_reset(barrier), 0);
    }
    end(0);
}

static void a_reset_mends_what_an_abort_has_broken(void **state)
{
    make(2, NULL, NULL);
    for (int round = 0; round < 40; round++) {
        assert_int_equal(plait_barrier_abort(barrier), 0);
        assert_int_equal(plait_barrier_reset(barrier), 0);
        start_waiting(0, 1);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), 1);
        assert_int_equal(test_thread_join(&threads[0]), 0);
    }
    end(0);
}

/* The number of a generation is in a cell with 15 bits: what is left from a generation of the same number means nothing. */
static void generations_that_are_numbered_alike_do_not_mix(void **state)
{
    make(3, NULL, NULL);
    start_waiting(0, 2);
    assert_int_equal(plait_barrier_reset(barrier), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), PLAIT_EBROKEN);
    for (int i = 1; i < 1 << 15; i++) assert_int_equal(plait_barrier_reset(barrier), 0);
    assert_int_equal(plait_barrier_n_waiting(barrier), 0);
    start_waiting(0, 2);
    assert_int_equal(plait_barrier_n_waiting(barrier), 2);
    assert_int_equal(plait_barrier_wait(barrier, PLAIT_NOW), 2);
    for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), i);
    end(0);
}

/* --- named parties ------------------------------------------------------------------------------------------------------------ */

static int joins_and_ends(void *leaves)
{
    CHECK(plait_barrier_join(barrier) == 0);
    if (leaves) CHECK(plait_barrier_leave(barrier) == 0);
    return 0;
}

static void names_are_given_and_taken_back(void **state)
{
    make(2, NULL, NULL);
    assert_int_equal(plait_barrier_leave(barrier), -ENOENT);
    for (int i = 0; i < 3; i++) assert_int_equal(plait_barrier_join(barrier), 0);
    assert_int_equal(plait_barrier_leave(barrier), 0);
    assert_int_equal(plait_barrier_leave(barrier), -ENOENT);
    for (int i = 0; i < 5; i++) {
        test_thread_start(&threads[0], joins_and_ends, &threads);
        assert_int_equal(test_thread_join(&threads[0]), 0);
    }
    end(0);
}

static int joins_and_waits(void *unused)
{
    const int joined = plait_barrier_join(barrier), place = plait_barrier_wait(barrier, PLAIT_FOREVER);
    CHECK(plait_barrier_leave(barrier) == 0);
    return joined ? joined : place;
}

static int is_one_too_many(void *unused)
{
    CHECK(plait_barrier_join(barrier) == -EINVAL);
    CHECK(strstr(plait_error_detail(), "all 2 parties"));
    return 0;
}

static void there_are_no_more_names_than_parties(void **state)
{
    make(2, NULL, NULL);
    assert_int_equal(plait_barrier_join(barrier), 0);
    test_thread_start(&threads[0], joins_and_waits, NULL);
    test_until_waits(threads[0].tid);
    test_thread_start(&threads[1], is_one_too_many, NULL);
    assert_int_equal(test_thread_join(&threads[1]), 0);
    assert_int_equal(plait_barrier_leave(barrier), 0);
    assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), 1);
    assert_int_equal(test_thread_join(&threads[0]), 0);
    end(0);
}

/* A named party that ends without having come: cleanly, too. */
static void the_end_of_a_named_party_breaks_it(void **state)
{
    for (int i = 0; i < 4; i++) {
        make(3, NULL, NULL);
        if (i % 2) start_waiting(1, 1);
        test_thread_start(&threads[0], joins_and_ends, NULL);
        assert_int_equal(test_thread_join(&threads[0]), 0);
        if (i % 2) assert_int_equal(test_thread_join(&threads[1]), PLAIT_EBROKEN);
        if (i / 2) assert_int_equal(plait_barrier_broken(barrier), 1);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
        assert_string_equal(plait_error_detail(), "a party of the barrier has ended");
        assert_int_equal(plait_barrier_reset(barrier), 0);
        start_waiting(0, 2);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), 2);
        for (int j = 0; j < 2; j++) assert_int_equal(test_thread_join(&threads[j]), j);
        end(0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_is_alone_waits_for_nobody),
    cmocka_unit_test(it_knows_its_parties),
    cmocka_unit_test(such_numbers_of_parties_are_refused),
    cmocka_unit_test(what_is_no_barrier_is_told),
    cmocka_unit_test(each_gets_a_place_of_its_own),
    cmocka_unit_test(two_meet_often),
    cmocka_unit_test(three_meet_often),
    cmocka_unit_test(eight_meet_often),
    cmocka_unit_test(one_too_many_waits_for_the_next_time),
    cmocka_unit_test(the_last_acts_before_anybody_goes_on),
    cmocka_unit_test(a_failed_action_breaks_it),
    cmocka_unit_test(who_comes_during_the_action_is_of_the_next),
    cmocka_unit_test(a_deadline_during_the_action_breaks_it),
    cmocka_unit_test(an_abort_during_the_action),
    cmocka_unit_test(a_reset_during_the_action),
    cmocka_unit_test(who_waits_in_its_action_is_told),
    cmocka_unit_test(an_action_has_to_be_a_function),
    cmocka_unit_test(an_abort_breaks_it_for_all),
    cmocka_unit_test(a_deadline_breaks_it_for_all),
    cmocka_unit_test(a_reset_breaks_those_who_wait_and_nobody_else),
    cmocka_unit_test(a_reset_mends_what_an_abort_has_broken),
    cmocka_unit_test(generations_that_are_numbered_alike_do_not_mix),
    cmocka_unit_test(names_are_given_and_taken_back),
    cmocka_unit_test(there_are_no_more_names_than_parties),
    cmocka_unit_test(the_end_of_a_named_party_breaks_it),
};
TEST_MAIN(tests)
