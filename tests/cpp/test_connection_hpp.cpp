/* plait/connection.hpp: typed messages over pipes, ends that are closed, moved and freed. */
#include "cpp.h"

#include <fcntl.h>
#include <unistd.h>

using std::chrono::milliseconds;

static void typed_messages(void **)
{
    auto ends = plait::pipe();
    const std::vector<int> three{ 1, 2, 3 };
    assert_true(ends.first.send(5) && ends.first.send(std::string("hello")) && ends.first.send(three));
    int number = 0;
    std::string text;
    std::vector<int> numbers;
    assert_true(ends.second.poll());
    assert_int_equal(ends.second.next_size().code(), sizeof number);
    assert_true(ends.second.recv(number) && ends.second.recv(text) && ends.second.recv(numbers));
    assert_true(number == 5 && text == "hello" && numbers == three);
    assert_true(ends.second.recv(number, milliseconds(1)).timed_out());
    assert_false(ends.second.poll());
    assert_true(bool(ends.first.send(std::string("too long"))));
    assert_int_equal(code_of([&] { (void)bool(ends.second.recv(number)); }), -EMSGSIZE);
    assert_true(ends.second.recv(text) && text == "too long");
}

static void the_end(void **)
{
    auto ends = plait::pipe(false);
    assert_int_equal(code_of([&] { (void)bool(ends.first.send(1)); }), -EBADF);
    assert_true(bool(ends.second.send(1)));
    ends.second.close();
    int number = 0;
    assert_true(ends.first.recv(number) && number == 1);
    assert_true(ends.first.recv(number).closed());
    assert_int_equal(code_of([&] { ends.second.close(); }), -EBADF);
    auto others = plait::pipe();
    others.first.close();
    assert_true(others.second.send(1).closed());
}

static void owners_are_moved(void **)
{
    auto ends = plait::pipe();
    plait::connection moved = std::move(ends.first);
    assert_null(ends.first.handle());
    ends.first = std::move(moved);
    const plait::connection_ref copy = ends.first;
    assert_true(bool(copy.send('x')));
    char byte = 0;
    assert_true(ends.second.recv(byte) && byte == 'x');
}

static void descriptors(void **)
{
    auto ends = plait::pipe();
    assert_true(bool(ends.first.send_fd(ends.first.fileno())));
    const plait::connection again(static_cast<int>(ends.second.recv_fd().code()));
    assert_true(bool(again.send(7)));
    int number = 0;
    assert_true(ends.second.recv(number) && number == 7);
    assert_int_equal(code_of([] { plait::connection none(-1); }), -EBADF);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(typed_messages),
    cmocka_unit_test(the_end),
    cmocka_unit_test(owners_are_moved),
    cmocka_unit_test(descriptors),
};

TEST_MAIN(tests)
