/* The barrier between processes, forked and spawned; and what it does when one of them is killed, stopped, or late. */
#include "harness.h"
#include "host.h"
#include "others.h"

#include <plait.h>

enum { PARTIES = 4 };

static struct scene {
    _Atomic int ready, go, acted, acted_by, gone_on;
    int rounds;
    _Atomic int came, early;
} *scene;
static plait_barrier *barrier;

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    barrier = plait_barrier_new(PARTIES, NULL);
    return scene && barrier ? 0 : -1;
}

static int free_scene(void **state)
{
    return plait_barrier_free(barrier) + plait_free(scene);
}

static int waits(void *unused)
{
    const int place = plait_barrier_wait(barrier, PLAIT_FOREVER);
    scene->gone_on++;
    plait_leave();
    return place == PLAIT_EBROKEN ? 100 : place;
}

static void start(pid_t *children, int count)
{
    for (int i = 0; i < count; i++) {
        children[i] = test_fork(waits, NULL);
        test_until_watches(children[i]);
    }
}

/* --- alive ------------------------------------------------------------------------------------------------------------------ */

static void each_process_gets_a_place(void **state)
{
    pid_t children[PARTIES];
    for (int round = 0; round < 5; round++) {
        start(children, PARTIES - 1);
        assert_int_equal(plait_barrier_n_waiting(barrier), PARTIES - 1);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PARTIES - 1);
        for (int i = 0; i < PARTIES - 1; i++) assert_int_equal(test_wait_exit(children[i]), i);
    }
}

static int meets(void *unused)
{
    for (int round = 0; round < scene->rounds; round++) {
        scene->came++;
        CHECK(plait_barrier_wait(barrier, PLAIT_FOREVER) >= 0);
        if (scene->came < (round + 1) * PARTIES) scene->early++;
    }
    plait_leave();
    return 0;
}

static void processes_meet_often(void **state)
{
    pid_t children[PARTIES];
    scene->rounds = 3000;
    for (int i = 0; i < PARTIES; i++) children[i] = test_fork(meets, NULL);
    for (int i = 0; i < PARTIES; i++) assert_int_equal(test_wait_exit(children[i]), 0);
    assert_int_equal(scene->early, 0);
}

static int note_who_acts(void *argument)
{
    struct scene *its = argument;
    its->acted++;
    its->acted_by = (int)getpid();
    return 0;
}

static int waits_spawned(void *argument)
{
    return plait_barrier_wait(argument, PLAIT_FOREVER);
}

static bool one_has_come(void *of)
{
    return plait_barrier_n_waiting(of) == 1;
}

/* The child finds the action by itself: it is the last to come. */
static int have_a_spawned_one_act(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    plait_barrier *of = plait_barrier_new(2, &(plait_barrier_options){ .action = note_who_acts, .argument = scene });
    for (int i = 0; i < 2; i++) {
        const bool child_first = i;
        struct test_thread first;
        if (!child_first) test_thread_start(&first, waits_spawned, of);
        if (!child_first) test_until(one_has_come, of);
        plait_process *process = plait_start(waits_spawned, of, 0, &(plait_process_options){ .method = PLAIT_SPAWN });
        CHECK(process);
        if (child_first) test_until(one_has_come, of);
        CHECK(child_first ? plait_barrier_wait(of, PLAIT_FOREVER) == 1 : test_thread_join(&first) == 0);
        CHECK(scene->acted == i + 1 && scene->acted_by == (child_first ? getpid() : plait_process_pid(process)));
        CHECK(plait_process_join(process, PLAIT_FOREVER) == 0 && plait_process_exitcode(process) == !child_first);
        CHECK(plait_process_free(process) == 0);
    }
    return plait_barrier_free(of);
}

static void a_spawned_process_acts(void **state)
{
    host_run(have_a_spawned_one_act, NULL);
}

/* --- deaths ------------------------------------------------------------------------------------------------------------------ */

/* In stock Python all of them wait for ever. */
static void wait_after_a_waiter_was_killed(void **state)
{
    pid_t children[PARTIES];
    start(children, 2);
    test_kill(children[0]);
    assert_int_equal(test_wait_exit(children[1]), 100);
    assert_int_equal(plait_barrier_broken(barrier), 1);
    assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
    assert_string_equal(plait_error_detail(), "a party of the barrier was killed");
    assert_int_equal(plait_barrier_reset(barrier), 0);
    start(children, PARTIES - 1);
    assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PARTIES - 1);
    for (int i = 0; i < PARTIES - 1; i++) assert_int_equal(test_wait_exit(children[i]), i);
}

/* Nobody has seen the death yet: the last to come does. */
static void the_last_sees_who_was_killed(void **state)
{
    pid_t children[PARTIES];
    for (int i = 0; i < PARTIES - 1; i++) {
        start(children, PARTIES - 1);
        for (int j = 0; j < PARTIES - 1; j++) test_stop(children[j]);
        test_kill(children[i]);
        if (plait__without(PLAIT__WITHOUT_ROBUST)) test_notice_deaths();
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
        for (int j = 0; j < PARTIES - 1; j++) {
            if (j == i) continue;
            assert_int_equal(kill(children[j], SIGCONT), 0);
            assert_int_equal(test_wait_exit(children[j]), 100);
        }
        assert_int_equal(plait_barrier_reset(barrier), 0);
    }
}

/* One who was let go is nobody's concern any more, although it has not returned. */
static void the_death_of_one_who_was_let_go_breaks_nothing(void **state)
{
    pid_t children[PARTIES];
    for (int i = 0; i < 2; i++) {
        start(children, PARTIES - 1);
        test_stop(children[0]);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PARTIES - 1);
        test_kill(children[0]);
        for (int j = 1; j < PARTIES - 1; j++) assert_int_equal(test_wait_exit(children[j]), j);
        test_notice_deaths();
        assert_int_equal(plait_barrier_broken(barrier), 0);
        if (i) continue;
        start(children, PARTIES - 1);
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PARTIES - 1);
        for (int j = 0; j < PARTIES - 1; j++) assert_int_equal(test_wait_exit(children[j]), j);
    }
}

static int die(void *unused)
{
    raise(SIGKILL);
    return 0;
}

static int comes_last(void *of)
{
    return plait_barrier_wait(of, PLAIT_FOREVER);
}

static void one_who_is_killed_in_its_action_breaks_it(void **state)
{
    plait_barrier *of = plait_barrier_new(2, &(plait_barrier_options){ .action = die });
    struct test_thread first;
    test_thread_start(&first, comes_last, of);
    test_until_watches(first.tid);
    assert_int_equal(test_wait_exit(test_fork(comes_last, of)), -SIGKILL);
    assert_int_equal(test_thread_join(&first), PLAIT_EBROKEN);
    assert_int_equal(plait_barrier_free(of), 0);
}

/* --- named parties ------------------------------------------------------------------------------------------------------------ */

static int joins_and_stays(void *leaves)
{
    CHECK(plait_barrier_join(barrier) == 0);
    scene->ready = 1;
    test_until_set(&scene->go);
    if (leaves) plait_leave();
    return 0;
}

static void check_end_of_a_named_one(bool by_death, bool stopped_waiter)
{
    pid_t children[2];
    scene->ready = scene->go = 0;
    const pid_t named = test_fork(joins_and_stays, scene);
    test_until_set(&scene->ready);
    start(children, 2);
    if (stopped_waiter) test_stop(children[0]);
    if (by_death) test_kill(named);
    else scene->go = 1;
    if (!by_death) assert_int_equal(test_wait_exit(named), 0);
    assert_int_equal(test_wait_exit(children[1]), 100);
    if (stopped_waiter) assert_int_equal(kill(children[0], SIGCONT), 0);
    assert_int_equal(test_wait_exit(children[0]), 100);
    assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
    assert_non_null(strstr(plait_error_detail(), by_death ? "was killed" : "has ended"));
    assert_int_equal(plait_barrier_reset(barrier), 0);
    assert_int_equal(plait_barrier_broken(barrier), 0);
}

static void a_named_party_that_is_killed_breaks_it(void **state)
{
    check_end_of_a_named_one(true, false);
    check_end_of_a_named_one(true, true);
}

static void a_named_party_that_leaves_breaks_it(void **state)
{
    check_end_of_a_named_one(false, false);
    check_end_of_a_named_one(false, true);
}

/* Nobody waits: who comes next is told, and does not wait for the dead one. */
static void a_named_party_that_died_before_anybody_came_breaks_it(void **state)
{
    for (int i = 0; i < 2; i++) {
        scene->go = 1;
        assert_int_equal(test_wait_exit(test_fork(joins_and_stays, NULL)), 0);
        if (i) test_notice_deaths();
        assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
        assert_int_equal(plait_barrier_reset(barrier), 0);
    }
}

/* The names of the dead keep nobody from having one. */
static void the_names_of_the_dead_are_taken_over(void **state)
{
    scene->go = 1;
    for (int i = 0; i < 3 * PARTIES; i++) {
        assert_int_equal(test_wait_exit(test_fork(joins_and_stays, NULL)), 0);
        if (plait__without(PLAIT__WITHOUT_ROBUST)) test_notice_deaths();
    }
    assert_int_equal(plait_barrier_join(barrier), 0);
    assert_int_equal(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
    assert_int_equal(plait_barrier_reset(barrier), 0);
    assert_int_equal(plait_barrier_broken(barrier), 0);
    assert_int_equal(plait_barrier_leave(barrier), 0);
}

/* --- late -----------------------------------------------------------------------------------------------------------------------
 * */

static int waits_once(void *unused)
{
    return plait_barrier_wait(barrier, PLAIT_FOREVER) < 0 ? 100 : 0;
}

static void meet(int times)
{
    struct test_thread threads[PARTIES - 1];
    for (int i = 0; i < times; i++) {
        for (int j = 0; j < PARTIES - 1; j++) test_thread_start(&threads[j], waits_once, NULL);
        assert_true(plait_barrier_wait(barrier, PLAIT_FOREVER) >= 0);
        for (int j = 0; j < PARTIES - 1; j++) assert_int_equal(test_thread_join(&threads[j]), 0);
    }
}

/* One who is stopped while all come, and looks when the barrier is somewhere else, still learns how its own time ended. */
static void check_late(int more_meetings, int resets, int expected)
{
    pid_t child;
    struct test_thread threads[PARTIES - 2];
    start(&child, 1);
    test_stop(child);
    for (int i = 0; i < PARTIES - 2; i++) test_thread_start(&threads[i], waits_once, NULL);
    assert_true(plait_barrier_wait(barrier, PLAIT_FOREVER) > 0);
    for (int i = 0; i < PARTIES - 2; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
    for (int i = 0; i < resets; i++) assert_int_equal(plait_barrier_reset(barrier), 0);
    meet(more_meetings);
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(test_wait_exit(child), expected);
}

static void who_is_late_learns_that_all_were_there(void **state)
{
    check_late(0, 0, 0);
    check_late(0, 1, 0);
    check_late(1, 1, 0);
    check_late(20, 11, 0);
    check_late(50, 0, 0);
    check_late(40, 1, 100);                                /* unknown: more than 32 ends ago, and one was a reset */
}

static void who_is_late_learns_of_a_reset(void **state)
{
    for (int i = 0; i < 40; i += 6) {
        pid_t child;
        start(&child, 1);
        test_stop(child);
        assert_int_equal(plait_barrier_reset(barrier), 0);
        meet(i);
        assert_int_equal(kill(child, SIGCONT), 0);
        assert_int_equal(test_wait_exit(child), 100);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(each_process_gets_a_place),
    TEST(processes_meet_often),
    TEST(a_spawned_process_acts),
    TEST(wait_after_a_waiter_was_killed),
    TEST(the_last_sees_who_was_killed),
    TEST(the_death_of_one_who_was_let_go_breaks_nothing),
    TEST(one_who_is_killed_in_its_action_breaks_it),
    TEST(a_named_party_that_is_killed_breaks_it),
    TEST(a_named_party_that_leaves_breaks_it),
    TEST(a_named_party_that_died_before_anybody_came_breaks_it),
    TEST(the_names_of_the_dead_are_taken_over),
    TEST(who_is_late_learns_that_all_were_there),
    TEST(who_is_late_learns_of_a_reset),
};
TEST_MAIN(tests)
