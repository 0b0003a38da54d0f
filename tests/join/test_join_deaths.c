/* What happens when one of those who came in is killed, or who let them in. */
#include "apart.h"

/* --- visitors ------------------------------------------------------------------------------------------------------------ */

static int dies_with_the_lock(void)
{
    come_in();
    CHECK(plait_lock_acquire(&common->lock, plait_after(10)) >= 0);
    common->sum = -1;
    raise(SIGKILL);
    return 1;
}

static int expects_a_death(void)
{
    come_in();
    CHECK(add_to_sum(1) == PLAIT_OWNER_DIED && common->sum == 0 && plait_member_count() == 2);
    return 0;
}

static void a_visitor_that_holds_the_lock(void **state)
{
    const pid_t home = home_start(NULL);
    assert_int_equal(test_wait_exit(visitor_start(dies_with_the_lock)), -SIGKILL);
    visit(expects_a_death);
    home_kill(home);
}

static int waits_for_the_lock(void)
{
    come_in();
    test_until_set(&notes->count);                         /* another has it */
    atomic_store(&notes->done, 1);
    CHECK(plait_lock_acquire(&common->lock, PLAIT_FOREVER) == PLAIT_OWNER_DIED);
    CHECK(plait_lock_release(&common->lock) == 0);
    return 0;
}

static int holds_the_lock(void)
{
    come_in();
    CHECK(plait_lock_acquire(&common->lock, plait_after(10)) == 0);
    atomic_store(&notes->count, 1);
    for (;;) pause();
}

/* Nobody but the one who waits is there to notice it; the home is stopped. */
static void a_visitor_whose_lock_another_waits_for(void **state)
{
    const pid_t home = home_start(NULL);
    const pid_t holder = visitor_start(holds_the_lock);
    test_until_set(&notes->count);
    const pid_t waiter = visitor_start(waits_for_the_lock);
    test_until_set(&notes->done);
    test_until_sleeps(waiter);
    kill(home, SIGSTOP);
    home_kill(holder);
    assert_int_equal(test_wait_exit(waiter), 0);
    home_kill(home);
}

static int puts_without_end(void)
{
    come_in();
    for (int i = 0;; i++) CHECK(put_number(common->there, i) == 0);
}

static int gets_and_counts(void)
{
    come_in();
    for (int i = 0; i < 1000; i++) CHECK(get_number(common->there) == i);
    atomic_store(&notes->done, 1);
    int number, next = 1000;
    while (plait_queue_get(common->there, &number, sizeof number, plait_after(0.05)) >= 0) CHECK(number == next++);
    return 0;
}

/* Order and number of what it has put are right, and others go on. */
static void a_visitor_in_the_middle_of_a_queue(void **state)
{
    const pid_t home = home_start(NULL);
    const pid_t putter = visitor_start(puts_without_end), getter = visitor_start(gets_and_counts);
    test_until_set(&notes->done);
    home_kill(putter);
    assert_int_equal(test_wait_exit(getter), 0);
    visit(use_everything);
    home_kill(home);
}

/* --- the home ------------------------------------------------------------------------------------------------------------ */

static int admit_two_and_hold(void)
{
    for (int i = 0; i < 2; i++) CHECK(plait_door_admit(door, plait_after(10)) == 0);
    CHECK(plait_lock_acquire(&common->lock, plait_after(10)) == 0);
    atomic_store(&notes->count, 1);
    for (;;) pause();
}

static int opens_a_door_of_its_own(void)
{
    char other[120];
    come_in();
    test_until_set(&notes->go);
    snprintf(other, sizeof other, "%s-other", address);
    CHECK((door = plait_family_listen(other, NULL)));
    atomic_store(&notes->done, 2);
    CHECK(plait_door_admit(door, plait_after(10)) == 0);
    CHECK(get_number(common->back) == 77);
    CHECK(plait_door_free(door) == 0);
    return 0;
}

static int comes_by_the_other_door(void)
{
    strcat(address, "-other");
    come_in();
    CHECK(put_number(common->back, 77) == 0);
    return 0;
}

static bool is_done(void *unused)
{
    return atomic_load(&notes->done) == 2;
}

/* The family goes on without who made it; one who came in lets others in. */
static void the_home_that_holds_the_lock(void **state)
{
    const pid_t home = home_start(admit_two_and_hold);
    const pid_t keeper = visitor_start(opens_a_door_of_its_own), waiter = visitor_start(waits_for_the_lock);
    test_until_set(&notes->count);
    test_until_set(&notes->done);
    test_until_sleeps(waiter);
    home_kill(home);
    assert_int_equal(test_wait_exit(waiter), 0);
    atomic_store(&notes->go, 1);
    test_until(is_done, NULL);
    visit(comes_by_the_other_door);
    assert_int_equal(test_wait_exit(keeper), 0);
}

static int waits_for_a_name(void)
{
    come_in();
    atomic_store(&notes->count, 1);
    CHECK(plait_family_find("later", plait_after(10)) == common);
    return 0;
}

static int publishes_late(void)
{
    come_in();
    atomic_store(&notes->done, 1);
    test_until_set(&notes->go);
    CHECK(plait_family_publish("later", common) == 0);
    raise(SIGKILL);
    return 1;
}

static void who_publishes_and_dies(void **state)
{
    const pid_t home = home_start(NULL);
    const pid_t finder = visitor_start(waits_for_a_name), publisher = visitor_start(publishes_late);
    test_until_set(&notes->count);
    test_until_set(&notes->done);
    test_until_sleeps(finder);
    home_kill(home);
    atomic_store(&notes->go, 1);
    assert_int_equal(test_wait_exit(finder), 0);
    assert_int_equal(test_wait_exit(publisher), -SIGKILL);
}

/* --- who waits at the door ------------------------------------------------------------------------------------------------- */

static int never_admits(void)
{
    for (;;) pause();
    return 0;
}

static int knocks_in_vain(void)
{
    const int before = descriptors();
    atomic_store(&notes->count, 1);
    CHECK(plait_family_join(address, PLAIT_FOREVER) == -ECONNRESET && descriptors() == before);
    return 0;
}

static void the_home_before_it_has_let_one_in(void **state)
{
    const pid_t home = home_start(never_admits);
    const pid_t visitor = visitor_start(knocks_in_vain);
    test_until_set(&notes->count);
    test_until_sleeps(visitor);
    home_kill(home);
    assert_int_equal(test_wait_exit(visitor), 0);
}

static int leave_the_socket_to_a_fork(void)
{
    const pid_t child = fork();
    if (child == 0) {
        test_until_set(&notes->go);
        _exit(0);
    }
    atomic_store(&notes->pid, child);
    atomic_store(&notes->done, 1);
    never_admits();
    return 1;
}

static int knocks_after_the_end(void)
{
    CHECK(plait_family_join(address, PLAIT_FOREVER) == -ECONNRESET && detail_has("has ended"));
    return 0;
}

/* A fork of it has the socket still: the kernel tells nobody that the door is dead. */
static void the_home_while_a_fork_of_it_has_the_socket(void **state)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t home = home_start(leave_the_socket_to_a_fork);
    test_until_set(&notes->done);
    const pid_t visitor = visitor_start(knocks_in_vain);
    test_until_set(&notes->count);
    test_until_sleeps(visitor);
    home_kill(home);
    assert_int_equal(test_wait_exit(visitor), 0);
    visit(knocks_after_the_end);
    atomic_store(&notes->go, 1);
    assert_int_equal(test_wait_exit(notes->pid), 0);
}

static const struct CMUnitTest tests[] = {
    JOIN_TEST(a_visitor_that_holds_the_lock),
    JOIN_TEST(a_visitor_whose_lock_another_waits_for),
    JOIN_TEST(a_visitor_in_the_middle_of_a_queue),
    JOIN_TEST(the_home_that_holds_the_lock),
    JOIN_TEST(who_publishes_and_dies),
    JOIN_TEST(the_home_before_it_has_let_one_in),
    JOIN_TEST(the_home_while_a_fork_of_it_has_the_socket),
};

TEST_MAIN(tests)
