/* The event: what the calls return, in any memory, and waiting for it, of threads and processes. */
#include "someone.h"

#include <plait/arena.h>
#include <plait/error.h>
#include <plait/event.h>

static struct scene {
    plait_event event, back;                               /* all-zero bytes: cleared */
    _Atomic int through, late, end;
    long rounds, number;
} *scene;

static plait_event *event;

static int make_scene(void **state)
{
    scene = plait_alloc(sizeof *scene);
    if (scene) event = &scene->event;
    return scene ? 0 : -1;
}

static int free_scene(void **state)
{
    return plait_free(scene);
}

/* --- alone ----------------------------------------------------------------------------------------------------------------- */

static void it_is_set_and_cleared(void **state)
{
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(plait_event_is_set(event), 0);
        assert_int_equal(plait_event_wait(event, PLAIT_NOW), -ETIMEDOUT);
        assert_int_equal(plait_event_clear(event), 0);                     /* that it is so already changes nothing */
        assert_int_equal(plait_event_set(event), 0);
        assert_int_equal(plait_event_set(event), 0);
        assert_int_equal(plait_event_is_set(event), 1);
        assert_int_equal(plait_event_wait(event, PLAIT_NOW), 0);
        assert_int_equal(plait_event_wait(event, PLAIT_FOREVER), 0);
        assert_int_equal(plait_event_wait(event, plait_after(-1)), 0);
        assert_int_equal(plait_event_clear(event), 0);
    }
}

static void a_fresh_one_is_cleared(void **state)
{
    plait_event *fresh = plait_event_new(), local = { 0 };
    assert_true(plait_is_shared(fresh));
    assert_int_equal((uintptr_t)fresh % 64, 0);
    assert_int_equal(plait_event_is_set(fresh), 0);
    assert_int_equal(plait_event_free(fresh), 0);
    assert_int_equal(plait_event_is_set(&local), 0);
    assert_int_equal(sizeof local, 8);
}

static void a_wait_ends_with_its_deadline(void **state)
{
    const plait_deadline deadline = plait_after(0.02);
    assert_int_equal(plait_event_wait(event, deadline), -ETIMEDOUT);
    assert_true(plait__now() >= deadline.at);
    assert_string_equal(plait_error_detail(), "nobody has set the event");
}

/* The number of sets begins again from 0 when it has no room any more. */
static void a_great_number_of_sets(void **state)
{
    event->word = UINT32_C(0x7ffffffe);
    assert_int_equal(plait_event_is_set(event), 0);
    assert_int_equal(plait_event_set(event), 0);
    assert_int_equal(event->word, 1);
    assert_int_equal(plait_event_clear(event), 0);
    assert_int_equal(event->word, 0);
}

static void check_is_no_event(plait_event *pointer)
{
    assert_int_equal(plait_event_wait(pointer, PLAIT_FOREVER), -EINVAL);
    assert_true(strlen(plait_error_detail()) > 0);
    assert_int_equal(plait_event_set(pointer), -EINVAL);
    assert_int_equal(plait_event_clear(pointer), -EINVAL);
    assert_int_equal(plait_event_is_set(pointer), -EINVAL);
}

static void null_and_misaligned_pointers_are_no_events(void **state)
{
    _Alignas(16) char memory[64] = "";
    check_is_no_event(NULL);
    for (int shift = 1; shift < 4; shift++) {
        check_is_no_event((plait_event *)(void *)(memory + shift));
        assert_non_null(strstr(plait_error_detail(), "aligned"));
    }
    for (int i = 0; i < 64; i++) assert_int_equal(memory[i], 0);
    assert_int_equal(plait_event_set((plait_event *)(void *)(memory + 4)), 0);
    assert_int_equal(plait_event_free(NULL), 0);
    assert_int_equal(plait_event_free((plait_event *)(void *)(memory + 8)), PLAIT_ENOTOURS);
}

/* --- others wait ------------------------------------------------------------------------------------------------------------ */

static int waits(void *unused)
{
    CHECK(plait_event_wait(event, PLAIT_FOREVER) == 0);
    scene->through++;
    return 0;
}

/* Whoever ends wakes others; so it stays. */
static int waits_and_stays(void *unused)
{
    waits(NULL);
    test_until_set(&scene->end);
    return 0;
}

static void start_waiters(struct someone *waiters, int count, bool for_long)
{
    scene->through = scene->end = 0;
    for (int i = 0; i < count; i++) someone_start(&waiters[i], i < count / 2 ? A_PROCESS : A_THREAD, waits_and_stays, NULL);
    for (int i = 0; i < count; i++) for_long ? test_until_watches(waiters[i].tid) : test_until_waits(waiters[i].tid);
}

static void finish_waiters(struct someone *waiters, int count)
{
    test_until_at_least(&scene->through, count);
    scene->end = 1;
    for (int i = 0; i < count; i++) assert_int_equal(someone_finish(&waiters[i]), 0);
}

static void all_who_wait_go_on(void **state)
{
    struct someone waiters[6];
    for (int i = 0; i < 4; i++) {
        start_waiters(waiters, 6, i % 2);
        assert_int_equal(plait_event_is_set(event), 0);
        assert_int_equal(plait_event_set(event), 0);
        finish_waiters(waiters, 6);
        assert_int_equal(plait_event_is_set(event), 1);
        assert_int_equal(plait_event_clear(event), 0);
    }
}

/* They wait for what happens, not for what is: Python's multiprocessing may say False here. */
static void a_set_that_is_cleared_at_once_strands_nobody(void **state)
{
    struct someone waiters[6];
    for (int i = 0; i < 10; i++) {
        start_waiters(waiters, 6, i % 2);
        assert_int_equal(plait_event_set(event), 0);
        assert_int_equal(plait_event_clear(event), 0);
        finish_waiters(waiters, 6);
        assert_int_equal(plait_event_is_set(event), 0);
    }
}

static void who_waits_outside_the_arena_is_woken(void **state)
{
    plait_event local = { 0 };
    struct someone waiter;
    event = &local;
    someone_start(&waiter, A_THREAD, waits, NULL);
    test_until_watches(waiter.tid);
    assert_int_equal(plait_event_set(&local), 0);
    assert_int_equal(someone_finish(&waiter), 0);
}

static int gives_up(void *unused)
{
    const int waited = plait_event_wait(event, plait_after(0.005));
    CHECK(waited == 0 || waited == -ETIMEDOUT);
    scene->late += waited == -ETIMEDOUT;
    return 0;
}

static void whoever_gives_up_keeps_nobody_asleep(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct someone patient, hasty;
        someone_start(&patient, i % SOMEONE_KINDS, waits, NULL);
        someone_start(&hasty, i % SOMEONE_KINDS, gives_up, NULL);
        test_until_waits(patient.tid);
        if (i % 3) assert_int_equal(someone_finish(&hasty), 0);
        assert_int_equal(plait_event_set(event), 0);
        assert_int_equal(someone_finish(&patient), 0);
        if (i % 3 == 0) assert_int_equal(someone_finish(&hasty), 0);
        assert_int_equal(plait_event_clear(event), 0);
    }
    assert_true(scene->late > 0);
}

/* --- ends ------------------------------------------------------------------------------------------------------------------- */

/* In Python the set() hangs for ever: it waits until each sleeper that it has counted says that it was woken. */
static void set_after_a_waiter_was_killed(void **state)
{
    struct someone waiters[4];
    start_waiters(waiters, 4, true);
    test_kill(waiters[0].tid);
    test_kill(waiters[1].tid);
    assert_int_equal(plait_event_set(event), 0);
    finish_waiters(waiters + 2, 2);
    assert_int_equal(plait_event_wait(event, PLAIT_FOREVER), 0);
    assert_int_equal(plait_event_clear(event), 0);
    assert_int_equal(plait_event_wait(event, PLAIT_NOW), -ETIMEDOUT);
}

static int sets_and_dies(void *unused)
{
    return plait_event_set(event);
}

static void what_a_dead_one_has_set_stays_set(void **state)
{
    assert_int_equal(test_wait_exit(test_fork(sets_and_dies, NULL)), 0);
    test_notice_deaths();
    assert_int_equal(plait_event_is_set(event), 1);
}

/* --- together ----------------------------------------------------------------------------------------------------------------- */

/* Each set is answered by one, through two events. */
static int answers(void *unused)
{
    for (long i = 0; i < scene->rounds; i++) {
        CHECK(plait_event_wait(&scene->event, PLAIT_FOREVER) == 0);
        CHECK(plait_event_clear(&scene->event) == 0);
        CHECK(scene->number == 2 * i + 1);
        scene->number++;
        CHECK(plait_event_set(&scene->back) == 0);
    }
    return 0;
}

static void play(enum someone_kind kind)
{
    struct someone other;
    *scene = (struct scene){ .rounds = 20000 };
    someone_start(&other, kind, answers, NULL);
    for (long i = 0; i < scene->rounds; i++) {
        scene->number++;
        CHECK(plait_event_set(&scene->event) == 0);
        CHECK(plait_event_wait(&scene->back, PLAIT_FOREVER) == 0);
        CHECK(plait_event_clear(&scene->back) == 0);
        CHECK(scene->number == 2 * i + 2);
    }
    assert_int_equal(someone_finish(&other), 0);
}

static void two_threads_take_turns(void **state) { play(A_THREAD); }
static void two_processes_take_turns(void **state) { play(A_PROCESS); }

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scene, free_scene)

static const struct CMUnitTest tests[] = {
    TEST(it_is_set_and_cleared),
    TEST(a_fresh_one_is_cleared),
    TEST(a_wait_ends_with_its_deadline),
    TEST(a_great_number_of_sets),
    TEST(null_and_misaligned_pointers_are_no_events),
    TEST(all_who_wait_go_on),
    TEST(a_set_that_is_cleared_at_once_strands_nobody),
    TEST(who_waits_outside_the_arena_is_woken),
    TEST(whoever_gives_up_keeps_nobody_asleep),
    TEST(set_after_a_waiter_was_killed),
    TEST(what_a_dead_one_has_set_stays_set),
    TEST(two_threads_take_turns),
    TEST(two_processes_take_turns),
};
TEST_MAIN(tests)
