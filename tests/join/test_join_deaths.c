/* What happens when one of those who came in is killed, or who let them in. */
#include "apart.h"

#include "base/deadline.h"
#include "base/fault.h"

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
    CHECK(plait_family_join(address, PLAIT_FOREVER) == -ECONNREFUSED && detail_has("has ended"));
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

/* --- a door whose maker was killed, and whose forks live on ------------------------------------------------------------------ */

static char folder[100];

static int in_a_folder(void **state)
{
    apart(state);
    if (!mkdtemp(strcpy(folder, temporary("deaths-XXXXXX")))) return -1;
    snprintf(address, sizeof address, "%s/door", folder);
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int remove_folder(void **state)
{
    return rmdir(folder);
}

static void let_the_fork_end(void)
{
    atomic_store(&notes->go, 1);
    assert_int_equal(test_wait_exit(notes->pid), 0);
}

static void kill_home_of_a_fork(int (*body)(void))
{
    const pid_t home = home_start(body);
    test_until_set(&notes->done);
    home_kill(home);
}

static int opens_it_anew(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    CHECK((door = plait_family_listen(address, NULL)));
    const int before = descriptors();
    CHECK(!plait_family_listen(address, NULL) && errno == EADDRINUSE && descriptors() == before);
    CHECK(plait_door_free(door) == 0 && access(address, F_OK) < 0);
    return 0;
}

static void its_path_is_taken_over(void **state)
{
    kill_home_of_a_fork(leave_the_socket_to_a_fork);
    visit(opens_it_anew);
    let_the_fork_end();
}

static int opens_few_and_leaves_a_fork(void)
{
    CHECK(plait_door_free(door) == 0);
    CHECK((door = plait_family_listen(address, &(plait_door_options){ .backlog = 1 })));
    return leave_the_socket_to_a_fork();
}

static int finds_it_gone(void)
{
    CHECK(plait_family_join(address, PLAIT_FOREVER) == -ENOENT);
    return 0;
}

/* Those who find out about it don't fill it up for the next ones. */
static void its_path_is_removed_by_who_knocks(void **state)
{
    kill_home_of_a_fork(opens_few_and_leaves_a_fork);
    visit(knocks_after_the_end);
    for (int i = 0; i < 4; i++) visit(finds_it_gone);
    let_the_fork_end();
}

static int knocks_at_a_full_door(void)
{
    const int before = descriptors();
    plait__test_room_within = 20 * PLAIT__MILLISECOND;
    CHECK(plait_family_join(address, PLAIT_FOREVER) == -ETIMEDOUT && detail_has("many wait there"));
    CHECK(descriptors() == before);
    return 0;
}

/* An abstract name can't be removed. */
static void its_abstract_name_is_full(void **state)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    kill_home_of_a_fork(opens_few_and_leaves_a_fork);
    for (int i = 0; i < 2; i++) visit(knocks_after_the_end);
    visit(knocks_at_a_full_door);
    let_the_fork_end();
}

static int leave_a_doorman(void)
{
    const pid_t child = fork();
    if (child == 0) {
        test_until_set(&notes->count);
        _exit(plait_door_serve(door) == 0 && plait_door_admit(door, PLAIT_NOW) == PLAIT_ECLOSED ? 0 : 1);
    }
    atomic_store(&notes->pid, child);
    atomic_store(&notes->done, 1);
    never_admits();
    return 1;
}

static int is_refused(void)
{
    CHECK(plait_family_join(address, PLAIT_FOREVER) == -ECONNREFUSED);
    return 0;
}

/* Asleep at the door, or only about to see to it. */
static void a_forked_doorman(void **state)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int asleep = 0; asleep < 2; asleep++) {
        memset(notes, 0, sizeof *notes);
        const pid_t home = home_start(leave_a_doorman);
        test_until_set(&notes->done);
        if (asleep) atomic_store(&notes->count, 1);
        if (asleep) test_until_sleeps(notes->pid);
        home_kill(home);
        if (!asleep) visit(is_refused);
        atomic_store(&notes->count, 1);
        assert_int_equal(test_wait_exit(notes->pid), 0);
        visit(is_refused);
    }
}

#define IN_A_FOLDER(of) cmocka_unit_test_setup_teardown(of, in_a_folder, remove_folder)

static const struct CMUnitTest tests[] = {
    JOIN_TEST(a_visitor_that_holds_the_lock),
    JOIN_TEST(a_visitor_whose_lock_another_waits_for),
    JOIN_TEST(a_visitor_in_the_middle_of_a_queue),
    JOIN_TEST(the_home_that_holds_the_lock),
    JOIN_TEST(who_publishes_and_dies),
    JOIN_TEST(the_home_before_it_has_let_one_in),
    JOIN_TEST(the_home_while_a_fork_of_it_has_the_socket),
    IN_A_FOLDER(its_path_is_taken_over),
    IN_A_FOLDER(its_path_is_removed_by_who_knocks),
    JOIN_TEST(its_abstract_name_is_full),
    JOIN_TEST(a_forked_doorman),
};

TEST_MAIN(tests)
