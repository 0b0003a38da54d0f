/* Doors: their names, who sees to them, and how they are closed. */
#include "apart.h"

#include <poll.h>
#include <sys/file.h>

#include "join/address.h"

/* --- names --------------------------------------------------------------------------------------------------------------- */

static char folder[100];

static int in_a_folder(void **state)
{
    apart(state);
    if (!mkdtemp(strcpy(folder, temporary("door-XXXXXX")))) return -1;
    snprintf(address, sizeof address, "%s/door", folder);
    return 0;
}

/* Nothing is left in it. */
static int remove_folder(void **state)
{
    return rmdir(folder);
}

static void must_not_open(const char *path, int error)
{
    const int before = descriptors();
    errno = 0;
    CHECK(!plait_family_listen(path, NULL));
    if (errno != error) say_error("listen", errno);
    CHECK(errno == error && *plait_error_detail() && descriptors() == before);
}

static int opens_strange_ones(void)
{
    char longest[109];
    memset(longest, '/', sizeof longest);
    longest[108] = 0;
    CHECK(plait_init(NULL, NULL) == 0);
    must_not_open(NULL, EINVAL);
    must_not_open("", EINVAL);
    must_not_open("@", EINVAL);
    must_not_open(longest, ENAMETOOLONG);
    must_not_open("/nowhere/at/all", ENOENT);
    must_not_open(folder, EADDRINUSE);
    CHECK(!plait_family_listen(address, &(plait_door_options){ .backlog = -1 }) && errno == EINVAL);
    CHECK(!plait_family_listen(address, &(plait_door_options){ .reserved = { 0, 0, 1 } }) && errno == EINVAL);
    CHECK(!plait_family_listen(address, &(plait_door_options){ .reserved_int = 1 }) && errno == EINVAL);
    CHECK(plait_door_close(NULL) == -EINVAL && plait_door_free(NULL) == 0 && plait_door_fileno(NULL) == -EINVAL);
    CHECK(plait_door_admit(NULL, PLAIT_NOW) == -EINVAL && plait_door_serve(NULL) == -EINVAL);
    return 0;
}

static void misuse_is_told(void **state)
{
    visit(opens_strange_ones);
}

static int opens_one(void)
{
    CHECK((door = plait_family_listen(address, NULL)));
    return 0;
}

static void must_be_there(void)
{
    struct stat status;
    CHECK(lstat(address, &status) == 0 && S_ISSOCK(status.st_mode) && (status.st_mode & 0777) == 0600);
}

static void must_be_gone(void)
{
    CHECK(access(address, F_OK) < 0 && errno == ENOENT);
}

static int opens_and_closes(void)
{
    for (int i = 0; i < 3; i++) {
        const int before = descriptors();
        opens_one();
        must_be_there();
        must_not_open(address, EADDRINUSE);
        CHECK(fcntl(plait_door_fileno(door), F_GETFD) == FD_CLOEXEC);
        if (i) CHECK(plait_door_close(door) == 0 && plait_door_close(door) == 0);
        if (i) must_be_gone();
        CHECK(plait_door_admit(door, PLAIT_NOW) == (i ? PLAIT_ECLOSED : -ETIMEDOUT));
        CHECK(plait_door_free(door) == 0);
        must_be_gone();
        CHECK(i == 0 || descriptors() == before);          /* at the first time the memory comes */
    }
    return 0;
}

static void a_path_is_there_until_the_door_is_closed(void **state)
{
    visit(opens_and_closes);
}

static int opens_and_exits(void)
{
    opens_one();
    const pid_t child = fork();
    if (child == 0) exit(0);                               /* it is not his */
    CHECK(test_wait_exit(child) == 0);
    must_be_there();
    exit(0);
}

static void it_goes_at_exit_of_its_maker(void **state)
{
    visit(opens_and_exits);
    must_be_gone();
}

static int opens_in_a_folder(void)
{
    CHECK(chdir(folder) == 0 && (door = plait_family_listen("door", NULL)));
    must_be_there();
    CHECK(chdir("/") == 0 && plait_door_free(door) == 0);
    must_be_gone();
    return 0;
}

static void a_relative_path_is_found_again(void **state)
{
    visit(opens_in_a_folder);
}

static int opens_over_another(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    const int fd = open(address, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    must_not_open(address, EADDRINUSE);
    CHECK(access(address, F_OK) == 0 && unlink(address) == 0);
    CHECK(symlink("/nowhere/at/all", address) == 0);
    must_not_open(address, EADDRINUSE);
    CHECK(unlink(address) == 0);
    return 0;
}

static void what_is_no_socket_stays(void **state)
{
    visit(opens_over_another);
}

static int opens_and_dies(void)
{
    opens_one();
    raise(SIGKILL);
    return 1;
}

static int takes_it_away(void)
{
    opens_one();
    CHECK(rename(address, folder) < 0 && unlink(address) == 0);
    plait_door *second = plait_family_listen(address, NULL);
    CHECK(second && plait_door_free(door) == 0);
    must_be_there();                                       /* the second's */
    CHECK(plait_door_free(second) == 0);
    must_be_gone();
    return 0;
}

static void only_its_own_name_is_removed(void **state)
{
    visit(takes_it_away);
}

static void the_path_of_a_killed_program_is_taken_over(void **state)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_wait_exit(visitor_start(opens_and_dies)), -SIGKILL);
        assert_int_equal(access(address, F_OK), 0);
        visit(opens_and_closes);
    }
}

/* All at the same time; one wins, and keeps it. */
static int fights_for_it(void)
{
    test_until_set(&notes->go);
    door = plait_family_listen(address, NULL);
    if (door) atomic_store(&notes->pid, getpid());
    CHECK(door || errno == EADDRINUSE);
    atomic_fetch_add(&notes->count, door != NULL);
    atomic_fetch_add(&notes->done, 1);
    while (atomic_load(&notes->done) < 4) usleep(100);
    if (door) must_be_there();
    return plait_door_free(door);
}

static void of_many_one_takes_it_over(void **state)
{
    for (int i = 0; i < 20; i++) {
        pid_t fighters[4];
        assert_int_equal(test_wait_exit(visitor_start(opens_and_dies)), -SIGKILL);
        memset(notes, 0, sizeof *notes);
        for (int j = 0; j < 4; j++) fighters[j] = visitor_start(fights_for_it);
        atomic_store(&notes->go, 1);
        for (int j = 0; j < 4; j++) assert_int_equal(test_wait_exit(fighters[j]), 0);
        assert_int_equal(notes->count, 1);
        must_be_gone();
    }
}

static int counts_names(void)
{
    int count = 0;
    DIR *names = opendir(folder);
    CHECK(names);
    while (readdir(names)) count++;
    closedir(names);
    return count - 2;
}

static int opens_without_the_lock(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
    const int locked = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(locked >= 0 && flock(locked, LOCK_EX | LOCK_NB) == 0);
    opens_one();
    must_be_there();
    must_not_open(address, EADDRINUSE);
    CHECK(counts_names() == 1);
    struct plait__address at;
    CHECK(plait__address_of(address, &at) == 0);
    const int knock = plait__door_socket();
    CHECK(connect(knock, (const struct sockaddr *)&at.socket, at.length) == 0);
    CHECK(plait_door_admit(door, PLAIT_NOW) == 0 && close(knock) == 0);
    CHECK(plait_door_free(door) == 0 && counts_names() == 0);
    return close(locked);
}

/* It is made all the same, but replaces nothing. */
static void a_folder_that_another_has_locked(void **state)
{
    visit(opens_without_the_lock);
}

/* --- who sees to it ------------------------------------------------------------------------------------------------------ */

static int polls(void)
{
    for (int admitted = 0; admitted < 3;) {
        struct pollfd knock = { .fd = plait_door_fileno(door), .events = POLLIN };
        CHECK(poll(&knock, 1, 10000) == 1);
        while (plait_door_admit(door, PLAIT_NOW) == 0) admitted++;
    }
    while (plait_member_count() > 1) usleep(100);
    return plait_door_free(door);
}

static void a_loop(void **state)
{
    const pid_t home = home_start(polls);
    pid_t visitors[3];
    for (int i = 0; i < 3; i++) visitors[i] = visitor_start(use_everything);
    for (int i = 0; i < 3; i++) assert_int_equal(test_wait_exit(visitors[i]), 0);
    assert_int_equal(test_wait_exit(home), 0);
}

static int kind_of_doorman;

/* It is busy with something else. */
static int has_a_doorman(void)
{
    plait_process_options options = { .kind = kind_of_doorman, .daemon = 1 };
    plait_process *doorman = plait_start(plait_door_serve, door, 0, &options);
    CHECK(doorman);
    test_until_set(&notes->done);
    CHECK(plait_door_close(door) == 0);
    CHECK(plait_process_join(doorman, plait_after(10)) == 0 && plait_process_exitcode(doorman) == 0);
    plait_process_free(doorman);
    return plait_door_free(door);
}

static void a_doorman(void **state)
{
    static const int kinds[] = { PLAIT_THREADS, PLAIT_PROCESSES };
    for (int i = 0; i < 2; i++) {
        kind_of_doorman = kinds[i];
        atomic_store(&notes->done, 0);
        const pid_t home = home_start(has_a_doorman);
        for (int j = 0; j < 3; j++) visit(use_everything);
        atomic_store(&notes->done, 1);
        assert_int_equal(test_wait_exit(home), 0);
    }
}

/* --- closing ------------------------------------------------------------------------------------------------------------- */

static int knocks_and_is_refused(void)
{
    atomic_fetch_add(&notes->count, 1);
    CHECK(plait_family_join(address, plait_after(10)) == PLAIT_ECLOSED && !plait__arena);
    CHECK(plait_family_join(address, plait_after(10)) == -ECONNREFUSED);
    return 0;
}

static bool has_knocked(void *unused)
{
    return poll(&(struct pollfd){ .fd = plait_door_fileno(door), .events = POLLIN }, 1, 0) == 1;
}

static int closes_when_they_knock(void)
{
    const pid_t child = fork();                            /* which has the socket, too */
    if (child == 0) {
        test_until_set(&notes->go);
        _exit(0);
    }
    test_until(has_knocked, NULL);
    CHECK(plait_door_free(door) == 0);
    test_until_set(&notes->done);
    atomic_store(&notes->go, 1);
    return test_wait_exit(child);
}

static void who_waits_at_a_door_that_is_closed(void **state)
{
    const pid_t home = home_start(closes_when_they_knock);
    visit(knocks_and_is_refused);
    atomic_store(&notes->done, 1);
    assert_int_equal(test_wait_exit(home), 0);
}

static int opens_few(void)
{
    CHECK(plait_door_free(door) == 0);
    CHECK((door = plait_family_listen(address, &(plait_door_options){ .backlog = 1 })));
    atomic_store(&notes->go, 1);
    test_until_set(&notes->done);
    return plait_door_serve(door);
}

static int knocks(void)
{
    test_until_set(&notes->go);
    return use_everything();
}

static int finds_a_queue_at_the_door(void)
{
    CHECK(plait_family_join(address, plait_after(0.02)) == -ETIMEDOUT && detail_has("many wait there"));
    CHECK(plait_family_join(address, PLAIT_NOW) == -ETIMEDOUT);
    return 0;
}

/* And when somebody comes to see to it, all get in. */
static void a_door_at_which_many_wait(void **state)
{
    pid_t visitors[5];
    const pid_t home = home_start(opens_few);
    for (int i = 0; i < 5; i++) visitors[i] = visitor_start(knocks);
    for (int i = 0; i < 5; i++) test_until_sleeps(visitors[i]);
    visit(finds_a_queue_at_the_door);
    atomic_store(&notes->done, 1);
    for (int i = 0; i < 5; i++) assert_int_equal(test_wait_exit(visitors[i]), 0);
    home_kill(home);
}

/* --- what the program closes --------------------------------------------------------------------------------------------- */

static int closes_descriptors(void)
{
    CHECK(close(plait_door_fileno(door)) == 0);
    CHECK(plait_door_admit(door, PLAIT_FOREVER) == -EBADF && plait_door_serve(door) == -EBADF);
    const int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(other == plait_door_fileno(door));
    CHECK(plait_door_admit(door, PLAIT_FOREVER) == -EBADF && plait_door_free(door) == 0);
    CHECK(fcntl(other, F_GETFD) == FD_CLOEXEC && close(other) == 0);     /* it was not ours */
    CHECK((door = plait_family_listen(address, NULL)));
    CHECK(close(plait__arena_fd) == 0);
    CHECK(plait_door_admit(door, PLAIT_FOREVER) == PLAIT_ENOARENA && detail_has("was closed"));
    CHECK(plait_door_free(door) == 0 && !plait_family_listen(address, NULL) && errno == -PLAIT_ENOARENA);
    return 0;
}

static int is_told_that_there_is_no_memory(void)
{
    int got;
    while ((got = plait_family_join(address, plait_after(10))) == -ECONNREFUSED) usleep(100);
    CHECK(got == -ECONNRESET || got == PLAIT_ENOARENA);
    while (got != PLAIT_ENOARENA) got = plait_family_join(address, plait_after(10));
    return 0;
}

static void a_program_that_closes_what_it_does_not_know(void **state)
{
    const pid_t home = home_start(closes_descriptors);
    visit(is_told_that_there_is_no_memory);
    assert_int_equal(test_wait_exit(home), 0);
}

static int has_no_descriptor_for_a_while(void)
{
    struct rlimit all;
    CHECK(getrlimit(RLIMIT_NOFILE, &all) == 0);
    const int first = dup(0);
    CHECK(first >= 0 && close(first) == 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)first, all.rlim_max }) == 0);
    CHECK(plait_door_admit(door, plait_after(10)) == -EMFILE && detail_has("accepting"));
    CHECK(setrlimit(RLIMIT_NOFILE, &all) == 0);
    CHECK(plait_door_admit(door, plait_after(10)) == 0);   /* who knocked has waited */
    return get_number(common->there);
}

static int says_that_it_was_let_in(void)
{
    come_in();
    return put_number(common->there, 0);
}

static void a_home_without_free_descriptors(void **state)
{
    const pid_t home = home_start(has_no_descriptor_for_a_while);
    visit(says_that_it_was_let_in);
    assert_int_equal(test_wait_exit(home), 0);
}

#define IN_A_FOLDER(of) cmocka_unit_test_setup_teardown(of, in_a_folder, remove_folder)

static const struct CMUnitTest tests[] = {
    IN_A_FOLDER(misuse_is_told),
    IN_A_FOLDER(a_path_is_there_until_the_door_is_closed),
    IN_A_FOLDER(it_goes_at_exit_of_its_maker),
    IN_A_FOLDER(a_relative_path_is_found_again),
    IN_A_FOLDER(what_is_no_socket_stays),
    IN_A_FOLDER(only_its_own_name_is_removed),
    IN_A_FOLDER(the_path_of_a_killed_program_is_taken_over),
    IN_A_FOLDER(of_many_one_takes_it_over),
    IN_A_FOLDER(a_folder_that_another_has_locked),
    JOIN_TEST(a_loop),
    JOIN_TEST(a_doorman),
    JOIN_TEST(who_waits_at_a_door_that_is_closed),
    JOIN_TEST(a_door_at_which_many_wait),
    JOIN_TEST(a_program_that_closes_what_it_does_not_know),
    JOIN_TEST(a_home_without_free_descriptors),
};

TEST_MAIN(tests)
