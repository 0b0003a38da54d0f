/* A program that nobody of the family has started joins it: what it shares from then on, and who it is. */
#include "apart.h"

#include <sched.h>

#include "family/wait.h"

/* --- a real program ------------------------------------------------------------------------------------------------------- */

static int be_joiner(void *what)
{
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 100);
    CHECK(length > 0);
    path[length] = 0;
    strcpy(strrchr(path, '/') + 1, "joiner");
    execl(path, path, address, (char *)what, NULL);
    CHECK(!"execl");
    return TEST_CHECK_FAILED;
}

static pid_t joiner_start(const char *what)
{
    return test_fork(be_joiner, (void *)(uintptr_t)what);
}

static int talk_to_joiners(void)
{
    enum { ROUNDS = 1000 };
    long squares = 0;
    CHECK(plait_door_admit(door, plait_after(10)) == 0 && plait_door_admit(door, plait_after(10)) == 0);
    for (int i = 1; i <= ROUNDS; i++) CHECK(put_number(common->there, i) == 0);
    for (int i = 1; i <= ROUNDS; i++) add_to_sum(1);
    for (int i = 1; i <= ROUNDS; i++) squares += get_number(common->back);
    CHECK(squares == 333833500L);
    add_to_sum(0);
    CHECK(common->sum == 500500 + ROUNDS);
    CHECK(plait_queue_close(common->there) == 0);
    return 0;
}

static void two_programs_share_queues_and_a_lock(void **state)
{
    const pid_t home = home_start(talk_to_joiners);
    const pid_t joiners[] = { joiner_start("talk"), joiner_start("talk") };
    assert_int_equal(test_wait_exit(home), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(test_wait_exit(joiners[i]), 0);
}

static int admit_and_get_sum(void)
{
    CHECK(plait_door_admit(door, plait_after(10)) == 0);
    CHECK(get_number(common->back) == 9900);
    add_to_sum(0);
    CHECK(common->sum == 300);
    return 0;
}

static void a_joined_program_starts_processes_and_pools_of_its_own(void **state)
{
    const pid_t home = home_start(admit_and_get_sum);
    assert_int_equal(test_wait_exit(joiner_start("start")), 0);
    assert_int_equal(test_wait_exit(home), 0);
}

static int admit_and_expect_a_death(void)
{
    CHECK(plait_door_admit(door, plait_after(10)) == 0);
    const int pid = get_number(common->back);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(add_to_sum(1) == PLAIT_OWNER_DIED && add_to_sum(1) == 0);
    return 0;
}

static void the_lock_of_a_killed_program_is_freed(void **state)
{
    const pid_t home = home_start(admit_and_expect_a_death);
    assert_int_equal(test_wait_exit(joiner_start("hold")), -SIGKILL);
    assert_int_equal(test_wait_exit(home), 0);
}

/* --- who it is ---------------------------------------------------------------------------------------------------------- */

static int is_joined_1(void)
{
    const int before = descriptors();
    come_in();
    CHECK(descriptors() == before + 1);                    /* the memory, for children that begin anew */
    CHECK(plait__is_arena_fd(plait__arena_fd) && fcntl(plait__arena_fd, F_GETFD) == FD_CLOEXEC);
    CHECK(strcmp(plait_process_name(plait_current()), "Joined-1") == 0);
    CHECK(strcmp(plait__slot(plait__self.slot)->name, "Joined-1") == 0);
    CHECK(plait_member_count() == 2 && plait_active_children(NULL, 0) == 0);
    CHECK(plait_is_shared(common));
    return 0;
}

static int has_a_name(void)
{
    CHECK(plait_process_set_name(plait_current_process(), "Visitor") == 0);
    come_in();
    CHECK(strcmp(plait__slot(plait__self.slot)->name, "Visitor") == 0);
    CHECK(strcmp(plait_process_name(plait_current()), "Visitor") == 0);
    return 0;
}

static int is_joined_3(void)
{
    come_in();
    CHECK(strcmp(plait__slot(plait__self.slot)->name, "Joined-3") == 0);
    return 0;
}

static void it_has_a_name(void **state)
{
    const pid_t home = home_start(NULL);
    visit(is_joined_1);
    visit(has_a_name);
    visit(is_joined_3);
    home_kill(home);
}

static int reports_nothing_wrong(void)
{
    come_in();
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    CHECK(file && plait_deadlock_report(file) == 0);
    fclose(file);
    free(text);
    plait_arena_figures figures;
    CHECK(plait_arena_stats(&figures) == 0 && plait_arena_members(NULL, 0) == 2);
    return 0;
}

static void reports_know_it(void **state)
{
    const pid_t home = home_start(NULL);
    visit(reports_nothing_wrong);
    home_kill(home);
}

/* --- when it may join --------------------------------------------------------------------------------------------------- */

static int uses_init(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    struct stat before, after;
    CHECK(fstat(plait__arena_fd, &before) == 0);
    const int count = descriptors();
    const uint64_t owner = plait__self.owner;
    use_everything();
    CHECK(fstat(plait__arena_fd, &after) == 0 && before.st_ino != after.st_ino && descriptors() == count);
    CHECK(owner != 0 && plait__self.owner != 0);
    return 0;
}

static void after_plait_init_too(void **state)
{
    const pid_t home = home_start(NULL);
    visit(uses_init);
    home_kill(home);
}

static int joins_twice(void)
{
    come_in();
    const int count = descriptors();
    for (int i = 0; i < 3; i++) come_in();
    CHECK(descriptors() == count && plait_member_count() == 2);
    const pid_t child = fork();
    if (child == 0) {
        use_everything();
        _exit(0);
    }
    CHECK(test_wait_exit(child) == 0);
    return 0;
}

static void to_join_again_changes_nothing(void **state)
{
    const pid_t home = home_start(NULL);
    visit(joins_twice);
    home_kill(home);
}

static int has_used_its_own(void)
{
    void *block = plait_alloc(100);
    const int count = descriptors();
    CHECK(plait_family_join(address, plait_after(10)) == -EALREADY && detail_has("has shared something"));
    CHECK(descriptors() == count && plait_free(block) == 0);
    return 0;
}

static int stays(void *unused)
{
    CHECK(plait_init(NULL, NULL) == 0);
    atomic_store(&notes->count, 1);
    test_until_set(&notes->go);
    return 0;
}

static int is_not_alone(void)
{
    struct test_thread thread;
    test_thread_start(&thread, stays, NULL);
    test_until_set(&notes->count);
    CHECK(plait_family_join(address, plait_after(10)) == -EALREADY);
    atomic_store(&notes->go, 1);
    CHECK(test_thread_join(&thread) == 0);
    use_everything();                                      /* now it is */
    return 0;
}

static int has_a_door(void)
{
    char other[120];
    snprintf(other, sizeof other, "%s-other", address);
    plait_door *mine = plait_family_listen(other, NULL);
    CHECK(mine && plait_family_join(address, plait_after(10)) == -EALREADY && detail_has("has a door"));
    CHECK(plait_door_free(mine) == 0);
    use_everything();
    return 0;
}

static void who_has_used_its_own_family_stays_there(void **state)
{
    const pid_t home = home_start(NULL);
    visit(has_used_its_own);
    visit(is_not_alone);
    visit(has_a_door);
    home_kill(home);
}

static int adds_one(void *unused)
{
    add_to_sum(1);
    return 0;
}

static int uses_threads(void)
{
    struct test_thread threads[4];
    come_in();
    const long before = common->sum;
    for (int i = 0; i < 4; i++) test_thread_start(&threads[i], adds_one, NULL);
    for (int i = 0; i < 4; i++) CHECK(test_thread_join(&threads[i]) == 0);
    CHECK(common->sum == before + 4);
    return 0;
}

static void its_threads_and_forks_are_members(void **state)
{
    const pid_t home = home_start(NULL);
    visit(uses_threads);
    home_kill(home);
}

/* --- pid namespaces ----------------------------------------------------------------------------------------------------- */

static pid_t fork_into_namespace(int (*body)(void))
{
    CHECK(unshare(CLONE_NEWPID) == 0);
    const pid_t child = fork();
    if (child == 0) _exit(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? body() : 1);
    return child;
}

/* Its numbers are 1 and 1, which are somebody else's here. */
static int holds_in_another_namespace(void)
{
    CHECK(getpid() == 1);
    come_in();
    CHECK(plait_lock_acquire(&common->lock, plait_after(10)) == 0);
    CHECK(atomic_load(&plait__roster->many_namespaces) && plait__pid_here(plait__self.slot) == 1);
    CHECK(put_number(common->back, (int)plait__self.slot) == 0);
    for (;;) pause();
}

static int waits_for_one_in_another_namespace(void)
{
    come_in();
    const pid_t child = fork_into_namespace(holds_in_another_namespace);
    const int slot = get_number(common->back);
    CHECK(slot > 0 && plait__pid_here((uint32_t)slot) == 0);
    CHECK(plait_lock_acquire(&common->lock, plait_after(0.02)) == -ETIMEDOUT && !strstr(plait_error_detail(), "deadlock"));
    CHECK(kill(child, SIGKILL) == 0 && test_wait_exit(child) == -SIGKILL);
    CHECK(add_to_sum(1) == PLAIT_OWNER_DIED);
    return 0;
}

static int waits_in_another_namespace(void)
{
    come_in();
    add_to_sum(1);
    return 0;
}

static int cycles_reported(void)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    CHECK(file);
    const int cycles = plait_deadlock_report(file);
    fclose(file);
    if (cycles) fprintf(stderr, "%s", text);
    free(text);
    return cycles;
}

/* It waits for what we hold; we wait for the end of the init of our own namespace, which has the same number. */
static int waits_for_a_number_of_its_own(void)
{
    come_in();
    CHECK(plait_lock_acquire(&common->lock, plait_after(10)) == 0);
    const pid_t child = fork_into_namespace(waits_in_another_namespace);
    test_until_sleeps(child);
    plait__announce_join(1);
    CHECK(cycles_reported() == 0);
    plait__announce_join(0);
    CHECK(plait_lock_release(&common->lock) == 0 && test_wait_exit(child) == 0);
    return 0;
}

static void one_of_another_pid_namespace_is_told_apart(void **state)
{
    if (geteuid() != 0) skip();
    const pid_t home = home_start(NULL);
    visit(waits_for_one_in_another_namespace);
    visit(waits_for_a_number_of_its_own);
    home_kill(home);
}

static const struct CMUnitTest tests[] = {
    JOIN_TEST(two_programs_share_queues_and_a_lock),
    JOIN_TEST(a_joined_program_starts_processes_and_pools_of_its_own),
    JOIN_TEST(the_lock_of_a_killed_program_is_freed),
    JOIN_TEST(it_has_a_name),
    JOIN_TEST(reports_know_it),
    JOIN_TEST(after_plait_init_too),
    JOIN_TEST(to_join_again_changes_nothing),
    JOIN_TEST(who_has_used_its_own_family_stays_there),
    JOIN_TEST(its_threads_and_forks_are_members),
    JOIN_TEST(one_of_another_pid_namespace_is_told_apart),
};

TEST_MAIN(tests)
