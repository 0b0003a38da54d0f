/* plait/join.hpp: what it adds to the C calls. */
#include <chrono>
#include <string>

#include <poll.h>
#include <unistd.h>

#include "cpp.h"

using std::chrono::milliseconds;
using std::chrono::seconds;

static std::string address()
{
    return "@plait-cpp-" + std::to_string(getpid());
}

struct shop {
    plait::lock lock;
    int customers = 0;
};

/* A process that has nothing to do with the family that its parent makes later. */
static int be_customer(const std::string &where, int ready)
{
    char byte;
    if (read(ready, &byte, 1) != 1) return 1;
    if (!plait::family::join(where, seconds(10))) return 2;
    shop *found = plait::family::find<shop>("shop", seconds(10));
    if (!found) return 3;
    plait::guard guard(found->lock);
    found->customers++;
    return 0;
}

static void another_program_comes_in(void **)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const std::string where = address();
    const pid_t customer = fork();
    if (customer == 0) _exit(be_customer(where, ready[0]));
    plait::shared<shop> mine;
    plait::door door(where);
    plait::family::publish("shop", mine.get());
    assert_int_equal(write(ready[1], "x", 1), 1);
    assert_true(bool(door.admit(seconds(10))));
    assert_int_equal(test_wait_exit(customer), 0);
    assert_int_equal(mine->customers, 1);
    plait::family::withdraw("shop");
    close(ready[0]);
    close(ready[1]);
}

static void a_door_is_closed_by_its_owner(void **)
{
    plait::door first(address());
    assert_int_equal(code_of([] { plait::door second(address()); }), -EADDRINUSE);
    assert_int_equal(raw_fork([&] { return first.fileno() > 2 ? 0 : 1; }), 0);
    plait::door moved(std::move(first));
    assert_true(moved.handle() && !first.handle());
    pollfd knock = { moved.fileno(), POLLIN, 0 };
    assert_int_equal(poll(&knock, 1, 0), 0);               /* the fork has not shut it */
    assert_true(moved.admit(milliseconds(1)).timed_out());
    moved.close();
    assert_true(moved.admit().closed());
    moved.serve();
    moved = plait::door(address() + "-other");
    plait::door again(address());
    assert_true(again.admit(plait::deadline::now()).timed_out());
}

static void names_are_found_or_not(void **)
{
    plait::shared<int> number;
    assert_null(plait::family::find<int>("number", milliseconds(1)));
    plait::family::publish("number", number.get());
    assert_ptr_equal(plait::family::find<int>("number"), number.get());
    assert_int_equal(code_of([&] { plait::family::publish("", number.get()); }), -EINVAL);
    assert_int_equal(code_of([&] { plait::family::find<int>(""); }), -EINVAL);
    plait::family::withdraw("number");
    assert_int_equal(code_of([&] { plait::family::withdraw("number"); }), -ENOENT);
    assert_int_equal(code_of([&] { (void)bool(plait::family::join("@plait-nobody", seconds(1))); }), -ECONNREFUSED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(another_program_comes_in),
    cmocka_unit_test(a_door_is_closed_by_its_owner),
    cmocka_unit_test(names_are_found_or_not),
};
TEST_MAIN(tests)
