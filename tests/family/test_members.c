/* Joining and leaving: who is a member, in which slot, under which name; and thousands of them. */
#include "harness.h"
#include "others.h"

#include <limits.h>

#include <plait/init.h>
#include <plait/arena.h>
#include <plait/error.h>
#include <plait/lock.h>
#include <plait/queue.h>

static bool am_member(void)
{
    return plait__self.incarnation == plait__read_fork_mark();
}

static const struct plait__slot *my_slot(void)
{
    return plait__slot(plait__self.slot);
}

static void there_is_no_family_at_first(void **state)
{
    assert_int_equal(plait_member_count(), 0);
    plait_leave();
    assert_int_equal(plait_member_count(), 0);
    assert_null(plait__arena);
}

static void the_first_call_that_needs_it_joins(void **state)
{
    assert_false(am_member());
    void *block = plait_alloc(1);
    assert_true(am_member());
    assert_int_equal(plait_member_count(), 1);
    assert_int_equal(plait_free(block), 0);
}

static void init_joins_too_and_leaves_the_arguments_alone(void **state)
{
    char *words[] = { (char *)"prog", (char *)"-x", NULL }, **argv = words;
    int argc = 2;
    assert_int_equal(plait_init(&argc, &argv), 0);
    assert_int_equal(argc, 2);
    assert_ptr_equal(argv, words);
    assert_string_equal(words[1], "-x");
    assert_true(am_member());
    assert_int_equal(plait_init(&argc, &argv), 0);
    assert_int_equal(plait_member_count(), 1);
}

static void whoever_left_is_no_member_and_may_come_back(void **state)
{
    plait_queue *queue = plait_queue_new(NULL);
    char byte = 'x';
    for (int i = 0; i < 100; i++) {
        assert_int_equal(plait_queue_put(queue, &byte, 1, PLAIT_NOW), 0);
        assert_true(am_member());
        const uint32_t slot = plait__self.slot, life = atomic_load(&my_slot()->life);
        plait_leave();
        assert_false(am_member());
        assert_int_equal(plait_member_count(), 0);
        assert_int_equal(atomic_load(&plait__slot(slot)->life), life + 1);
        assert_int_equal(plait_queue_get(queue, &byte, 1, PLAIT_NOW), 1);
        assert_int_equal(plait_member_count(), 1);
    }
    plait_leave();
    plait_leave();
    assert_int_equal(plait_queue_free(queue), 0);
}

static int joins_and_waits(void *flag)
{
    CHECK(plait_init(NULL, NULL) == 0);
    atomic_store((_Atomic int *)flag, (int)plait__self.slot);
    for (;;) pause();
    return 0;
}

static void the_dead_do_not_count(void **state)
{
    if (plait__without(PLAIT__WITHOUT_ROBUST)) skip();  /* they do until somebody asks the kernel */
    assert_int_equal(plait_init(NULL, NULL), 0);
    pid_t children[10];
    for (int i = 0; i < 10; i++) {
        _Atomic int *slot = test_shared(sizeof *slot);
        children[i] = test_fork(joins_and_waits, slot);
        test_until_set(slot);
        assert_int_equal(test_slot_of(children[i]), atomic_load(slot));
        assert_int_equal(plait_member_count(), 2 + i);
    }
    for (int i = 0; i < 10; i++) {
        test_kill(children[i]);
        assert_int_equal(plait_member_count(), 10 - i);
    }
}

static void slots_are_used_again(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    for (int i = 0; i < 300; i++) {
        _Atomic int *slot = test_shared(sizeof *slot);
        const pid_t child = test_fork(joins_and_waits, slot);
        test_until_set(slot);
        test_kill(child);
    }
    assert_int_equal(atomic_load(&plait__roster->made), 8);
}

static int joins_and_leaves(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    plait_leave();
    return 0;
}

static void each_life_has_its_own_number(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    uint32_t lives = 0;
    for (int i = 0; i < 50; i++) assert_int_equal(test_wait_exit(test_fork(joins_and_leaves, NULL)), 0);
    for (uint32_t i = 1; i <= 8; i++) lives += atomic_load(&plait__slot(i)->life);
    assert_int_equal(lives, 50);
}

/* --- names ------------------------------------------------------------------------------------------------------------- */

static int is_called_after_its_tid(void *unused)
{
    char expected[64];
    CHECK(plait_init(NULL, NULL) == 0);
    snprintf(expected, sizeof expected, "MainProcess/%d", (int)syscall(SYS_gettid));
    CHECK(strcmp(my_slot()->name, expected) == 0);
    return 0;
}

static void members_have_names(void **state)
{
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_string_equal(my_slot()->name, "MainProcess");
    struct test_thread thread;
    test_thread_start(&thread, is_called_after_its_tid, NULL);
    assert_int_equal(test_thread_join(&thread), 0);
    assert_string_equal(plait__process_name(), "MainProcess");
    plait__set_process_name("Worker-7");
    assert_string_equal(plait__process_name(), "Worker-7");
    assert_string_equal(my_slot()->name, "Worker-7");
    plait_leave();
    plait__set_process_name("Worker-8");
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_string_equal(my_slot()->name, "Worker-8");
}

static void a_long_name_is_cut(void **state)
{
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    plait__set_process_name(name);
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(strlen(my_slot()->name), PLAIT__NAME_SIZE - 1);
    plait__set_process_name(name);
    assert_int_equal(strlen(my_slot()->name), PLAIT__NAME_SIZE - 1);
    assert_int_equal(strlen(plait__process_name()), PLAIT__PROCESS_NAME_SIZE - 1);
}

static void a_member_is_described_by_name_and_pid(void **state)
{
    char text[64], expected[64];
    assert_int_equal(plait_init(NULL, NULL), 0);
    plait__describe_member(plait__self.slot, text, sizeof text);
    snprintf(expected, sizeof expected, "MainProcess (pid %d)", (int)getpid());
    assert_string_equal(text, expected);
    plait__describe_member(PLAIT__NOBODY, text, sizeof text);
    assert_string_equal(text, "nobody in particular");
}

/* --- thousands ----------------------------------------------------------------------------------------------------------- */

struct crowd {
    plait_lock *lock;
    int joined, refused;                                /* guarded by the lock, refused by the gate's mutex */
    _Atomic int arrived;
    pthread_mutex_t gate;
    pthread_cond_t opened;
    bool open;
};

static void pass_gate(struct crowd *crowd, int refused)
{
    pthread_mutex_lock(&crowd->gate);
    crowd->refused += refused;
    atomic_fetch_add(&crowd->arrived, 1);
    while (!crowd->open) pthread_cond_wait(&crowd->opened, &crowd->gate);
    pthread_mutex_unlock(&crowd->gate);
}

static void *joins_the_crowd(void *argument)
{
    struct crowd *crowd = argument;
    const int got = plait_lock_acquire(crowd->lock, PLAIT_FOREVER);
    if (got == PLAIT_ETOOMANY) {
        CHECK(strstr(plait_error_detail(), "8191"));
        pass_gate(crowd, 1);
        return NULL;
    }
    CHECK(got == 0);
    crowd->joined++;
    CHECK(plait_lock_release(crowd->lock) == 0);
    pass_gate(crowd, 0);
    void *block = plait_message_alloc(100);             /* and it works on in that crowd */
    CHECK(block && plait_free(block) == 0);
    return NULL;
}

static struct crowd *new_crowd(void)
{
    static struct crowd crowd = { .gate = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER };
    crowd.lock = plait_lock_new();
    assert_non_null(crowd.lock);
    return &crowd;
}

static void start_crowd(struct crowd *crowd, pthread_t *threads, int count)
{
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, TEST_UNDER_ASAN ? 128 << 10 : 32 << 10), 0);
    const int before = atomic_load(&crowd->arrived);
    for (int i = 0; i < count; i++) assert_int_equal(pthread_create(&threads[i], &attributes, joins_the_crowd, crowd), 0);
    test_until_at_least(&crowd->arrived, before + count);
    pthread_attr_destroy(&attributes);
}

static void end_crowd(struct crowd *crowd, pthread_t *threads, int count)
{
    pthread_mutex_lock(&crowd->gate);
    crowd->open = true;
    pthread_cond_broadcast(&crowd->opened);
    pthread_mutex_unlock(&crowd->gate);
    for (int i = 0; i < count; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    crowd->open = false;
}

static void thousands_of_threads_are_members_at_the_same_time(void **state)
{
    enum { MANY = TEST_UNDER_ASAN ? 600 : 4200 };
    static pthread_t threads[MANY];
    struct crowd *crowd = new_crowd();
    for (int round = 1; round <= 2; round++) {          /* the second in the slots of the first */
        start_crowd(crowd, threads, MANY);
        assert_int_equal(crowd->joined, round * MANY);
        assert_int_equal(plait_member_count(), MANY + 1);
        assert_int_equal(test_wait_exit(test_fork(joins_and_leaves, NULL)), 0);
        end_crowd(crowd, threads, MANY);
        assert_int_equal(plait_member_count(), 1);
    }
    assert_true(atomic_load(&plait__roster->made) <= 2 * MANY);
}

static void the_family_has_room_for_8191(void **state)
{
    enum { MOST = PLAIT__MEMBERS_MAX - 1, MORE = 3 };
    if (TEST_UNDER_ASAN) skip();                        /* it has its own idea of a small thread */
    static pthread_t threads[MOST + MORE];
    struct crowd *crowd = new_crowd();
    start_crowd(crowd, threads, MOST);
    assert_int_equal(crowd->joined, MOST);
    assert_int_equal(plait_member_count(), PLAIT__MEMBERS_MAX);
    start_crowd(crowd, threads + MOST, MORE);
    assert_int_equal(crowd->joined, MOST);
    assert_int_equal(crowd->refused, MORE);
    plait_leave();
    assert_int_equal(test_wait_exit(test_fork(joins_and_leaves, NULL)), 0);
    end_crowd(crowd, threads, MOST + MORE);
    assert_int_equal(plait_init(NULL, NULL), 0);
    assert_int_equal(plait_member_count(), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(there_is_no_family_at_first),
    cmocka_unit_test(the_first_call_that_needs_it_joins),
    cmocka_unit_test(init_joins_too_and_leaves_the_arguments_alone),
    cmocka_unit_test(whoever_left_is_no_member_and_may_come_back),
    cmocka_unit_test(the_dead_do_not_count),
    cmocka_unit_test(slots_are_used_again),
    cmocka_unit_test(each_life_has_its_own_number),
    cmocka_unit_test(members_have_names),
    cmocka_unit_test(a_long_name_is_cut),
    cmocka_unit_test(a_member_is_described_by_name_and_pid),
    cmocka_unit_test(thousands_of_threads_are_members_at_the_same_time),
    cmocka_unit_test(the_family_has_room_for_8191),
};
TEST_MAIN(tests)
