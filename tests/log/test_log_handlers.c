/* Handlers: they come and go, also while they run, in themselves, in other threads and over forks. */
#include "lines.h"

#include <plait.h>

#include "log/log.h"

static plait_logger *logger;

static int set_up(void **state)
{
    logger = plait_get_logger();
    return plait_log_set_level(logger, PLAIT_LOG_INFO);
}

static int tear_down(void **state)
{
    plait__log_set_state((struct plait__log_state){ 0 });
    return 0;
}

static void count(const plait_log_record *record, void *counter)
{
    atomic_fetch_add((_Atomic int *)counter, 1);
}

static void say(const char *text)
{
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "%s", text) == 0);
}

static void they_are_called_from_add_to_remove(void **state)
{
    _Atomic int one = 0, other = 0;
    say("nobody");
    assert_int_equal(plait_log_add_handler(logger, count, &one), 0);
    say("one");
    assert_int_equal(plait_log_add_handler(logger, count, &other), 0);
    say("both");
    assert_int_equal(plait_log(logger, PLAIT_LOG_DEBUG, "below"), 0);
    assert_int_equal(plait_log_remove_handler(logger, count, &one, PLAIT_FOREVER), 0);
    say("the other");
    assert_int_equal(plait_log_remove_handler(logger, count, &other, PLAIT_FOREVER), 0);
    say("nobody");
    assert_int_equal(one, 2);
    assert_int_equal(other, 2);
    assert_false(plait__is_logged(PLAIT_LOG_CRITICAL));
}

static void mistakes_are_told(void **state)
{
    char wrong[64] = "";
    _Atomic int counter = 0, contexts[33] = { 0 };
    assert_int_equal(plait_log_add_handler(NULL, count, &counter), -EINVAL);
    assert_int_equal(plait_log_add_handler((plait_logger *)(void *)wrong, count, &counter), -EINVAL);
    assert_int_equal(plait_log_add_handler(logger, NULL, &counter), -EINVAL);
    assert_int_equal(plait_log_remove_handler(NULL, count, &counter, PLAIT_NOW), -EINVAL);
    assert_int_equal(plait_log_remove_handler(logger, NULL, &counter, PLAIT_NOW), -ENOENT);
    assert_int_equal(plait_log_remove_handler(logger, count, &counter, PLAIT_NOW), -ENOENT);
    for (int i = 0; i < 32; i++) assert_int_equal(plait_log_add_handler(logger, count, &contexts[i]), 0);
    for (int i = 0; i < 32; i++) assert_int_equal(plait_log_add_handler(logger, count, &contexts[i]), 0);      /* they are there */
    assert_int_equal(plait_log_add_handler(logger, count, &contexts[32]), -ENOSPC);
    assert_non_null(strstr(plait_error_detail(), "32"));
    say("all");
    for (int i = 0; i < 32; i++) {
        assert_int_equal(contexts[i], 1);
        assert_int_equal(plait_log_remove_handler(logger, count, &contexts[i], PLAIT_NOW), 0);
        assert_int_equal(plait_log_remove_handler(logger, count, &contexts[i], PLAIT_NOW), -ENOENT);
    }
    assert_int_equal(counter + contexts[32], 0);
}

/* --- records --------------------------------------------------------------------------------------------------------------- */

static void look_at_record(const plait_log_record *record, void *seen)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(record->level == PLAIT_LOG_SUBWARNING && strcmp(record->level_name, "Level 25") == 0);
    CHECK(record->pid == getpid() && strcmp(record->process_name, "MainProcess") == 0);
    CHECK(record->message_size == 2000 && strlen(record->message) == 2000 && strspn(record->message, "07") == 2000);
    CHECK(record->time > 0 && record->time / 1000000000 <= now.tv_sec && record->time / 1000000000 >= now.tv_sec - 3600);
    CHECK(!record->reserved[0]);
    atomic_fetch_add((_Atomic int *)seen, 1);
}

static int log_to_both(void *unused)
{
    _Atomic int seen = 0;
    plait_log_to_stderr(0);
    CHECK(plait_log_add_handler(logger, look_at_record, &seen) == 0);
    CHECK(plait_log(logger, PLAIT_LOG_SUBWARNING, "%02000d", 7) == 0 && seen == 1);
    CHECK(plait_log_remove_handler(logger, look_at_record, &seen, PLAIT_FOREVER) == 0);
    return 0;
}

static void a_record_says_it_all(void **state)
{
    char expected[2100];
    snprintf(expected, sizeof expected, "[Level 25/MainProcess] %02000d\n", 7);
    lines_must_be(log_to_both, NULL, expected);
}

static int log_with_stderr_closed(void *unused)
{
    _Atomic int counter = 0;
    plait_log_to_stderr(0);
    close(STDERR_FILENO);
    CHECK(plait_log_add_handler(logger, count, &counter) == 0);
    CHECK(plait_log(logger, PLAIT_LOG_INFO, "heard") == -EBADF && counter == 1);
    return 0;
}

static void they_are_called_though_standard_error_failed(void **state)
{
    host_run(log_with_stderr_closed, NULL);
}

/* --- from inside ------------------------------------------------------------------------------------------------------------ */

static void log_itself(const plait_log_record *record, void *counter)
{
    atomic_fetch_add((_Atomic int *)counter, 1);
    say("from inside");
}

static int log_with_one_that_logs(void *unused)
{
    _Atomic int logged = 0, other = 0, heard = 0;
    plait_log_to_stderr(0);
    CHECK(plait_log_add_handler(logger, log_itself, &logged) == 0 && plait_log_add_handler(logger, count, &heard) == 0);
    say("outside");
    CHECK(logged == 1 && heard == 2);
    CHECK(plait_log_add_handler(logger, log_itself, &other) == 0);       /* each hears the other, once */
    say("outside");
    CHECK(logged + other == 1 + 4 && heard == 2 + 5);
    return 0;
}

static void they_may_log(void **state)
{
    lines_must_be(log_with_one_that_logs, NULL,
                  "[INFO/MainProcess] outside\n[INFO/MainProcess] from inside\n[INFO/MainProcess] outside\n"
                  "[INFO/MainProcess] from inside\n[INFO/MainProcess] from inside\n"
                  "[INFO/MainProcess] from inside\n[INFO/MainProcess] from inside\n");
}

static void remove_itself(const plait_log_record *record, void *counter)
{
    atomic_fetch_add((_Atomic int *)counter, 1);
    CHECK(plait_log_remove_handler(logger, remove_itself, counter, PLAIT_FOREVER) == 0);
    CHECK(plait_log_remove_handler(logger, remove_itself, counter, PLAIT_FOREVER) == -ENOENT);
    say("gone");
}

static void they_may_remove_themselves(void **state)
{
    _Atomic int counter = 0;
    for (int i = 1; i <= 100; i++) {
        assert_int_equal(plait_log_add_handler(logger, remove_itself, &counter), 0);
        say("once");
        say("twice");
        assert_int_equal(counter, i);
    }
}

static _Atomic int removed;

static void remove_the_counter(const plait_log_record *record, void *counter)
{
    if (plait_log_remove_handler(logger, count, counter, PLAIT_FOREVER) == 0) atomic_fetch_add(&removed, 1);
    CHECK(plait_log_add_handler(logger, count, counter) == 0);
}

static void they_may_change_others(void **state)
{
    _Atomic int counter = 0;
    assert_int_equal(plait_log_add_handler(logger, remove_the_counter, &counter), 0);
    assert_int_equal(plait_log_add_handler(logger, count, &counter), 0);
    for (int i = 0; i < 10; i++) say("text");
    assert_int_equal(removed, 10);
    assert_int_equal(counter, 10);
    assert_int_equal(plait_log_remove_handler(logger, remove_the_counter, &counter, PLAIT_FOREVER), 0);
    assert_int_equal(plait_log_remove_handler(logger, count, &counter, PLAIT_FOREVER), 0);
}

/* --- in other threads --------------------------------------------------------------------------------------------------------- */

static struct held {
    _Atomic int inside, go, calls;
} held;

static void stay_inside(const plait_log_record *record, void *context)
{
    struct held *here = context;
    atomic_fetch_add(&here->calls, 1);
    atomic_fetch_add(&here->inside, 1);
    test_until_set(&here->go);
    atomic_fetch_sub(&here->inside, 1);
}

static int log_one(void *unused)
{
    say("one");
    return 0;
}

static int remove_it(void *unused)
{
    CHECK(plait_log_remove_handler(logger, stay_inside, &held, PLAIT_FOREVER) == 0);
    CHECK(atomic_load(&held.inside) == 0);
    return 0;
}

static void start_two_inside(struct test_thread *threads)
{
    held = (struct held){ 0 };
    assert_int_equal(plait_log_add_handler(logger, stay_inside, &held), 0);
    for (int i = 0; i < 2; i++) test_thread_start(&threads[i], log_one, NULL);
    test_until_at_least(&held.inside, 2);
}

static void end_two(struct test_thread *threads)
{
    atomic_store(&held.go, 1);
    for (int i = 0; i < 2; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
}

static void who_removes_one_waits_until_it_is_over(void **state)
{
    struct test_thread inside[2], remover;
    assert_int_equal(plait_init(NULL, NULL), 0);           /* test_until_waits looks into the roster */
    start_two_inside(inside);
    test_thread_start(&remover, remove_it, NULL);
    test_until_waits(atomic_load(&remover.tid));
    say("not to it");
    assert_int_equal(held.calls, 2);
    assert_int_equal(plait_log_remove_handler(logger, stay_inside, &held, PLAIT_NOW), -ENOENT);
    end_two(inside);
    assert_int_equal(test_thread_join(&remover), 0);
}

static void who_does_not_wait_is_told(void **state)
{
    struct test_thread inside[2];
    start_two_inside(inside);
    assert_int_equal(plait_log_remove_handler(logger, stay_inside, &held, plait_after(0.01)), -ETIMEDOUT);
    assert_int_equal(plait_log_add_handler(logger, stay_inside, &held), 0);       /* in a place beside that one */
    assert_int_equal(plait_log_remove_handler(logger, stay_inside, &held, PLAIT_NOW), 0);
    end_two(inside);
}

static int use_the_others_places(void *unused)
{
    _Atomic int contexts[32] = { 0 };
    alarm(20);
    CHECK(plait_log_remove_handler(logger, stay_inside, &held, PLAIT_FOREVER) == 0);      /* nobody is in it here */
    for (int i = 0; i < 32; i++) CHECK(plait_log_add_handler(logger, count, &contexts[i]) == 0);
    say("text");
    for (int i = 0; i < 32; i++) CHECK(contexts[i] == 1);
    return 0;
}

static void a_forked_child_waits_for_no_thread_that_it_lacks(void **state)
{
    struct test_thread inside[2];
    start_two_inside(inside);
    host_run(use_the_others_places, NULL);
    assert_int_equal(plait_log_remove_handler(logger, stay_inside, &held, PLAIT_NOW), -ETIMEDOUT);
    const int own = test_wait_exit(test_fork(log_one, NULL));
    end_two(inside);
    assert_int_equal(own, 0);
}

static void fork_inside(const plait_log_record *record, void *counter)
{
    _Atomic int *shared = counter;
    if (strcmp(record->message, "fork") != 0) return;
    const pid_t child = fork();
    if (child) {
        CHECK(test_wait_exit(child) == 0);
        return;
    }
    alarm(20);
    say("not to it");
    CHECK(plait_log_remove_handler(logger, fork_inside, counter, PLAIT_FOREVER) == 0);
    atomic_fetch_add(shared, 1);
    _exit(0);
}

static void a_handler_may_fork(void **state)
{
    _Atomic int *counter = test_shared(sizeof *counter);
    assert_int_equal(plait_log_add_handler(logger, fork_inside, counter), 0);
    for (int i = 0; i < 10; i++) say("fork");
    assert_int_equal(*counter, 10);
    assert_int_equal(plait_log_remove_handler(logger, fork_inside, counter, PLAIT_FOREVER), 0);
}

static int come_and_go(void *unused)
{
    struct held own = { .go = 1 };
    for (int i = 0; i < 3000; i++) {
        CHECK(plait_log_add_handler(logger, stay_inside, &own) == 0);
        say("text");
        CHECK(plait_log_remove_handler(logger, stay_inside, &own, PLAIT_FOREVER) == 0);
        CHECK(atomic_load(&own.inside) == 0 && atomic_load(&own.calls) > i);
    }
    return 0;
}

static void many_come_and_go(void **state)
{
    struct test_thread threads[4];
    for (int i = 0; i < 4; i++) test_thread_start(&threads[i], come_and_go, NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(test_thread_join(&threads[i]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
    TEST(they_are_called_from_add_to_remove),
    TEST(mistakes_are_told),
    TEST(a_record_says_it_all),
    TEST(they_are_called_though_standard_error_failed),
    TEST(they_may_log),
    TEST(they_may_remove_themselves),
    TEST(they_may_change_others),
    TEST(who_removes_one_waits_until_it_is_over),
    TEST(who_does_not_wait_is_told),
    TEST(a_forked_child_waits_for_no_thread_that_it_lacks),
    TEST(a_handler_may_fork),
    TEST(many_come_and_go),
};
TEST_MAIN(tests)
