/* Whatever opening a door, letting somebody in, joining and publishing ask the system for may be refused. */
#include "apart.h"
#include "fail.h"

#include "join/address.h"

/* --- doors --------------------------------------------------------------------------------------------------------------- */

static int open_door(const char *path)
{
    return (door = plait_family_listen(path, NULL)) ? 0 : -errno;
}

static void name_address(void)
{
    snprintf(address, sizeof address, "@plait-fail-%d", (int)getpid());
}

static int open_it(void) { return open_door(address); }

static void close_it(void)
{
    CHECK(plait_door_free(door) == 0);
}

static const struct fail_operation listening = { .set_up = name_address, .run = open_it, .finish = close_it };

static void name_path(void)
{
    strcpy(address, temporary("door"));
}

static const struct fail_operation listening_at_a_path = { .set_up = name_path, .run = open_it, .finish = close_it };

static void go_to_a_folder(void)
{
    CHECK(chdir(temporary(".")) == 0);
    strcpy(address, "door");
}

static const struct fail_operation listening_at_a_relative_path = { .set_up = go_to_a_folder, .run = open_it, .finish = close_it };

/* --- letting in ----------------------------------------------------------------------------------------------------------- */

enum { KNOCKS = 6 };
static int knocks[KNOCKS];

static void open_and_knock(void)
{
    struct plait__address at;
    CHECK(open_it() == 0 && plait__address_of(address, &at) == 0);
    for (int i = 0; i < KNOCKS; i++) {
        knocks[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        CHECK(knocks[i] >= 0 && connect(knocks[i], (const struct sockaddr *)&at.socket, at.length) == 0);
    }
}

static int let_in(void)
{
    return plait_door_admit(door, plait_after(10));
}

static void close_all(void)
{
    for (int i = 0; i < KNOCKS; i++) close(knocks[i]);
    close_it();
}

static const struct fail_operation admitting = {
    .set_up = name_address, .prepare = open_and_knock, .run = let_in, .finish = close_all,
};

/* --- joining --------------------------------------------------------------------------------------------------------------- */

/* Without anything in its memory, which would be found there as ours. */
static int be_empty_home(void *unused)
{
    CHECK((door = plait_family_listen(address, NULL)));
    atomic_store(&notes->open, 1);
    return plait_door_serve(door);
}

static void start_home(void)
{
    apart(NULL);
    CHECK(plait_process_set_name(plait_current_process(), "Visitor") == 0);      /* a new name takes memory that stays */
    test_fork(be_empty_home, NULL);
    test_until_set(&notes->open);
}

static int join(void)
{
    return plait_family_join(address, plait_after(10));
}

static void must_be_in(void)
{
    CHECK(plait_member_count() == 2 && join() == 0);
}

static const struct fail_operation joining = { .set_up = start_home, .run = join, .finish = must_be_in };

/* --- names ------------------------------------------------------------------------------------------------------------------ */

static void *object;

static void make_and_leave(void)
{
    CHECK((object = plait_alloc(100)));
    plait_leave();
}

static int publish_and_find(void)
{
    const int error = plait_family_publish("object", object);
    if (error) return error;
    return plait_family_find("object", PLAIT_FOREVER) == object ? 0 : -errno;
}

static void withdraw(void)
{
    CHECK(plait_family_withdraw("object") == 0 && plait_free(object) == 0);
}

static const struct fail_operation publishing = { .prepare = make_and_leave, .run = publish_and_find, .finish = withdraw };

static const struct CMUnitTest tests[] = {
    FAIL_TESTS(listening), FAIL_TESTS(listening_at_a_path), FAIL_TESTS(listening_at_a_relative_path), FAIL_TESTS(admitting),
    FAIL_TESTS(joining), FAIL_TESTS(publishing),
};

TEST_MAIN_WITHIN(tests, 60)
