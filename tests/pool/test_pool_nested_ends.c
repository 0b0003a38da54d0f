/* Maps in tasks that do not end well: who maps dies, or who helps, or the time is up. */
#include "member.h"
#include "tree.h"

/* ---- deaths ---- */

/* The outer task notes who it is, and maps two tasks: one for itself and one for the other worker. */
static int map_two(plait_task task, const plait_map_options *options)
{
    const int in[] = { 0, 1 };
    int out[] = { -1, -1 };
    if (notes->attempts && notes->told) CHECK(is_gone(&(pid_t){ notes->told }));      /* nothing of the last attempt goes on */
    notes->caller = getpid();
    notes->slot = plait__self.slot;
    notes->attempts++;
    const int error = plait_pool_map(plait_pool_current(), task, in, sizeof in[0], out, sizeof out[0], 2, options);
    return error ? error : out[0] == 0 && out[1] == 1 ? 0 : 1;
}

static int expect_of(plait_task outer, plait_deadline deadline)
{
    return plait_pool_map(pool, outer, NULL, 0, NULL, 0, 1, &(plait_map_options){ .deadline = deadline });
}

/* The caller waits in a task of its own until the other has begun one. */
static bool other_is_inside(void *unused)
{
    return notes->others > 0;
}

static bool others_were_tried_twice(void *unused)
{
    return notes->others > 1;
}

static int kill_the_helper_once(const void *in, void *out, void *context)
{
    if (notes->caller != getpid() && notes->others++ == 0) raise(SIGKILL);
    test_until(other_is_inside, NULL);
    return square(in, out, context);
}

static int outer_of_killed_helper(const void *in, void *out, void *context)
{
    return map_two(kill_the_helper_once, &(plait_map_options){ .chunk = 1 });
}

static void who_helps_may_die(void **state)
{
    assert_int_equal(expect_of(outer_of_killed_helper, PLAIT_FOREVER), 0);
    assert_int_equal(notes->attempts, 1);
}

static int leave_by_exit_once(const void *in, void *out, void *context)
{
    if (notes->caller != getpid() && notes->others++ == 0) exit(3);
    test_until(other_is_inside, NULL);
    return square(in, out, context);
}

static int outer_of_leaving_helper(const void *in, void *out, void *context)
{
    return map_two(leave_by_exit_once, &(plait_map_options){ .chunk = 1 });
}

static void who_helps_may_exit(void **state)
{
    assert_int_equal(expect_of(outer_of_leaving_helper, PLAIT_FOREVER), 0);
    assert_int_equal(notes->attempts, 1);
}

/* All who help die; the caller's own task lasts until there were two. */
static int kill_all_helpers(const void *in, void *out, void *context)
{
    if (notes->caller != getpid()) {
        notes->told = getpid();
        notes->others++;
        raise(SIGKILL);
    }
    test_until(others_were_tried_twice, NULL);
    return 0;
}

static int outer_of_killed_helpers(const void *in, void *out, void *context)
{
    const int code = map_two(kill_all_helpers, &(plait_map_options){ .chunk = 1, .retries = 1 });
    char who[40];
    snprintf(who, sizeof who, "process %d was killed by signal 9", notes->told);
    return code == PLAIT_EWORKERDIED && strstr(plait_error_detail(), who) ? 0 : 1;
}

static void who_helps_may_die_too_often(void **state)
{
    assert_int_equal(expect_of(outer_of_killed_helpers, PLAIT_FOREVER), 0);
    assert_int_equal(notes->others, 2);
}

static int die_beside_a_sleeper(const void *in, void *out, void *context)
{
    if (notes->caller != getpid()) {
        notes->others++;
        member_until_sleeps(&(struct member){ notes->caller, notes->slot });         /* for long: not to look again by itself */
        raise(SIGKILL);
    }
    test_until(other_is_inside, NULL);
    return 0;
}

static int outer_that_sleeps(const void *in, void *out, void *context)
{
    return map_two(die_beside_a_sleeper, &(plait_map_options){ .chunk = 1, .retries = -1 }) == PLAIT_EWORKERDIED ? 0 : 1;
}

static void who_sleeps_learns_that_a_task_was_given_up(void **state)
{
    assert_int_equal(expect_of(outer_that_sleeps, PLAIT_FOREVER), 0);
    assert_int_equal(notes->others, 1);
}

/* At the first attempt the caller ends in its own task, while the other is in one that never ends by itself. */
static int end_the_caller(void (*end)(void), const void *in, void *out)
{
    if (notes->attempts > 1) return square(in, out, NULL);
    if (notes->caller == getpid()) {
        test_until(other_is_inside, NULL);
        end();
    }
    notes->told = getpid();
    notes->others++;
    test_until(is_set, &notes->go);
    return 1;
}

static void kill_oneself(void)
{
    raise(SIGKILL);
}

static void exit_cleanly(void)
{
    exit(0);
}

static int kill_the_caller(const void *in, void *out, void *context)
{
    return end_the_caller(kill_oneself, in, out);
}

static int exit_of_the_caller(const void *in, void *out, void *context)
{
    return end_the_caller(exit_cleanly, in, out);
}

static int outer_of_killed_caller(const void *in, void *out, void *context)
{
    return map_two(kill_the_caller, &(plait_map_options){ .chunk = 1 });
}

static int outer_of_leaving_caller(const void *in, void *out, void *context)
{
    return map_two(exit_of_the_caller, &(plait_map_options){ .chunk = 1 });
}

static void who_maps_may_die_while_others_help(void **state)
{
    assert_int_equal(expect_of(outer_of_killed_caller, PLAIT_FOREVER), 0);
    assert_int_equal(notes->attempts, 2);
}

static void who_maps_may_exit_while_others_help(void **state)
{
    assert_int_equal(expect_of(outer_of_leaving_caller, PLAIT_FOREVER), 0);
    assert_int_equal(notes->attempts, 2);
}

/* ---- deadlines ---- */

/* The other's task never ends by itself. */
static int never_end_for_others(const void *in, void *out, void *context)
{
    if (notes->caller != getpid()) {
        notes->others++;
        test_until(is_set, &notes->go);
    }
    test_until(other_is_inside, NULL);
    return square(in, out, context);
}

static int outer_of_timeout(const void *in, void *out, void *context)
{
    const int code = map_two(never_end_for_others, &(plait_map_options){ .chunk = 1, .deadline = plait_after(0.05) });
    return code == -ETIMEDOUT ? 0 : 1;
}

static void a_nested_map_ends_at_its_deadline(void **state)
{
    const pid_t before[] = { plait_pool_worker_pid(pool, 0), plait_pool_worker_pid(pool, 1) };
    assert_int_equal(expect_of(outer_of_timeout, PLAIT_FOREVER), 0);
    assert_int_equal(notes->attempts, 1);
    expect_squares(pool, 10);
    for (int i = 0; i < 2; i++) assert_true((plait_pool_worker_pid(pool, i) == before[i]) == (before[i] == notes->caller));
}

static int outer_without_end(const void *in, void *out, void *context)
{
    return map_two(never_end_for_others, &(plait_map_options){ .chunk = 1 });
}

static void all_nested_maps_end_with_the_outer_one(void **state)
{
    for (int i = 0; i < 5; i++) {
        notes->others = 0;
        assert_int_equal(expect_of(outer_without_end, plait_after(0.03)), -ETIMEDOUT);
        for (unsigned place = 0; place < PLAIT__JOBS_MAX; place++) assert_null(pool->board->jobs[place]);
    }
}

static const struct CMUnitTest tests[] = {
    WITH_POOL(who_helps_may_die),
    WITH_POOL(who_helps_may_exit),
    WITH_POOL(who_helps_may_die_too_often),
    WITH_POOL(who_sleeps_learns_that_a_task_was_given_up),
    WITH_POOL(who_maps_may_die_while_others_help),
    WITH_POOL(who_maps_may_exit_while_others_help),
    WITH_POOL(a_nested_map_ends_at_its_deadline),
    WITH_POOL(all_nested_maps_end_with_the_outer_one),
};

TEST_MAIN(tests)
