/* Who publishes, withdraws or finds is killed after every instruction: the name is there or it is not, it means the object that was
 * given, who waits for it hears of it, and others go on. */
#include "kill.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include <plait.h>

#include "family/roster.h"

static plait_queue *queue;
static plait_event *event;

static void make_objects(void)
{
    if (!queue) queue = plait_queue_new(NULL);
    if (!event) event = plait_event_new();
    assert_true(queue && event);
}

static bool is_there(void)
{
    void *found = plait_family_find("tasks", PLAIT_NOW);
    MUST(!found || found == queue);
    return found != NULL;
}

/* The table can be used, whatever was done by then. */
static void must_work(bool there)
{
    MUST(is_there() == there);
    MUST(plait_family_publish("tasks", queue) == 0 && plait_family_publish("tasks", event) == -EEXIST);
    MUST(plait_family_publish("other", event) == 0 && plait_family_find("other", PLAIT_NOW) == event);
    MUST(is_there() && plait_family_withdraw("tasks") == 0 && plait_family_withdraw("other") == 0 && !is_there());
}

static const struct step_region *names_and_family(void)
{
    return step_object_and_roster(plait__roster->names, 512);
}

static bool look(const struct stepped *victim)
{
    return is_there();
}

static bool has_finished(const struct stepped *victim)
{
    return victim->finished;
}

static void check(const struct stepped *victim, bool done)
{
    must_work(done);
}

/* ---- publish ---- */

static void set_up_publish(void)
{
    make_objects();
    MUST(!is_there());
}

static void publish_it(void)
{
    CHECK(plait_family_publish("tasks", queue) == 0);
}

static const struct kill_case publish = {
    .operation = { .run = publish_it },
    .set_up = set_up_publish,
    .look = look,
    .check = check,
    .regions = names_and_family,
};

/* ---- publish, over the entry of another name ---- */

static void set_up_reuse(void)
{
    make_objects();
    MUST(plait_family_publish("a name that is there no more", event) == 0);
    MUST(plait_family_withdraw("a name that is there no more") == 0);
}

static void check_reuse(const struct stepped *victim, bool done)
{
    MUST(!plait_family_find("a name that is there no more", PLAIT_NOW));
    must_work(done);
}

static const struct kill_case publish_over_another_name = {
    .operation = { .run = publish_it },
    .set_up = set_up_reuse,
    .look = look,
    .check = check_reuse,
    .regions = names_and_family,
};

/* ---- publish, when others wait ---- */

static struct member finders[2];

static int find_it(void)
{
    CHECK(plait_family_find("tasks", PLAIT_FOREVER) == queue);
    return 0;
}

static void set_up_finders(void)
{
    make_objects();
    for (int i = 0; i < 2; i++) finders[i] = member_start(find_it);
    for (int i = 0; i < 2; i++) member_until_sleeps(&finders[i]);
}

static void check_finders(const struct stepped *victim, bool done)
{
    if (!done) MUST(plait_family_publish("tasks", queue) == 0);
    for (int i = 0; i < 2; i++) MUST(member_wait(&finders[i], "a finder") == 0);
    must_work(true);
}

static const struct kill_case publish_to_sleepers = {
    .operation = { .run = publish_it },
    .set_up = set_up_finders,
    .look = look,
    .check = check_finders,
    .regions = names_and_family,
    .long_one = true,
};

/* ---- withdraw ---- */

static void set_up_withdraw(void)
{
    make_objects();
    MUST(plait_family_publish("tasks", queue) == 0);
}

static void withdraw_it(void)
{
    CHECK(plait_family_withdraw("tasks") == 0);
}

static bool is_gone(const struct stepped *victim)
{
    return !is_there();
}

static void check_withdrawn(const struct stepped *victim, bool done)
{
    must_work(!done);
}

static const struct kill_case withdraw = {
    .operation = { .run = withdraw_it },
    .set_up = set_up_withdraw,
    .look = is_gone,
    .check = check_withdrawn,
    .regions = names_and_family,
};

/* ---- find ---- */

static void find_that(void)
{
    CHECK(plait_family_find("tasks", PLAIT_NOW) == queue);
}

static void check_there(const struct stepped *victim, bool done)
{
    must_work(true);
}

static const struct kill_case find = {
    .operation = { .run = find_that },
    .set_up = set_up_withdraw,
    .look = has_finished,
    .check = check_there,
    .regions = names_and_family,
};

static void wait_for_it(void)
{
    CHECK(plait_family_find("tasks", PLAIT_FOREVER) == queue);
}

static const struct kill_case find_asleep = {
    .operation = { .run = wait_for_it, .wake = publish_it },
    .set_up = set_up_publish,
    .look = look,
    .check = check,
    .regions = names_and_family,
    .long_one = true,
};

/* ---- exit() in a signal handler: a clean end anywhere else, in here a death ---- */

static void leave_now(int signal)
{
    exit(signal == SIGUSR1 ? 0 : 1);
}

static void handle_signals(void)
{
    CHECK(signal(SIGUSR1, leave_now) != SIG_ERR);
}

static struct stepped exit_at_change(const struct step_operation *operation, long k)
{
    struct stepped stepped = step_to_change(operation, names_and_family(), k);
    if (stepped.finished) {
        step_kill(&stepped);
        return stepped;
    }
    assert_int_equal(kill(stepped.pid, SIGUSR1), 0);
    assert_int_equal(ptrace(PTRACE_DETACH, stepped.pid, NULL, NULL), 0);
    assert_int_equal(test_wait_exit(stepped.pid), 0);
    return stepped;
}

static void exit_everywhere(const struct step_operation *operation, void (*set_up)(void))
{
    bool finished = false;
    for (long k = 0; !finished; k++) {
        set_up();
        finished = exit_at_change(operation, k).finished;
        must_work(is_there());
    }
}

static void who_exits_in_a_signal_handler(void **state)
{
    const struct step_operation publishing = { .prepare = handle_signals, .run = publish_it };
    const struct step_operation withdrawing = { .prepare = handle_signals, .run = withdraw_it };
    test_family();
    exit_everywhere(&publishing, set_up_publish);
    exit_everywhere(&withdrawing, set_up_withdraw);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_exits_in_a_signal_handler),
    KILL_TESTS(publish), KILL_TESTS(publish_over_another_name), KILL_TESTS(publish_to_sleepers),
    KILL_TESTS(withdraw), KILL_TESTS(find), KILL_TESTS(find_asleep),
};

TEST_MAIN_WITHIN(tests, 60)
