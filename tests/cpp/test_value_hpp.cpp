/* plait/value.hpp: values of C++ and back, owners and views, pickles, and values as messages. */
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpp.h"

using plait::value;
using plait::value_view;
using bytes = std::vector<unsigned char>;

static void shows(const value_view &shown, const char *text)
{
    assert_string_equal(shown.repr().c_str(), text);
}

/* ---- what compiles ---- */

template <class T> constexpr bool becomes_a_value() { return std::is_convertible<T, value>::value; }

static_assert(becomes_a_value<short>() && becomes_a_value<unsigned long long>() && becomes_a_value<std::uint8_t>(), "ints");
static_assert(becomes_a_value<bool>() && becomes_a_value<float>() && becomes_a_value<std::nullptr_t>(), "other scalars");
static_assert(becomes_a_value<const char *>() && becomes_a_value<char[3]>() && becomes_a_value<std::string>(), "texts");
static_assert(!becomes_a_value<void *>() && !becomes_a_value<const int *>(), "a pointer is no bool");
static_assert(!becomes_a_value<char>() && !becomes_a_value<char32_t>(), "a character is no int");
static_assert(!becomes_a_value<long double>() && !becomes_a_value<plait_value *>(), "neither silently");
static_assert(!std::is_copy_constructible<value>::value && std::is_nothrow_move_constructible<value>::value, "one owner");
static_assert(!std::is_constructible<value_view, value>::value, "no view of a temporary");
static_assert(!std::is_assignable<value_view &, value>::value, "nor later");
static_assert(std::is_constructible<value_view, const value &>::value, "but of an owner");
static_assert(!std::is_trivially_copyable<value_view>::value, "an address is no message");
static_assert(std::is_same<decltype(std::declval<value &>()[0]), value_view>::value, "borrowed from an owner");
static_assert(std::is_same<decltype(std::declval<value>()[0]), value>::value, "owned, of a temporary");

/* ---- builders ---- */

static void scalars(void **)
{
    enum plait_type expected[] = { PLAIT_NONE, PLAIT_BOOL, PLAIT_INT, PLAIT_INT, PLAIT_FLOAT, PLAIT_STRING, PLAIT_BYTES };
    const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
    const value values[] = { nullptr, true, -5, largest, 0.5F, std::string("a\0b", 3), bytes{ 1, 2 } };
    const char *texts[] = { "None", "True", "-5", "18446744073709551615", "0.5", "'a\\x00b'", "b'\\x01\\x02'" };
    for (int i = 0; i < 7; i++) {
        assert_int_equal(values[i].type(), expected[i]);
        shows(values[i], texts[i]);
    }
    shows(value(std::numeric_limits<long long>::min()), "-9223372036854775808");
    shows(value(std::uint8_t(200)), "200");
    shows(value(0), "0");
    shows(value(bytes()), "b''");
    assert_string_equal(value("text").str().c_str(), "text");
    assert_string_equal(value(1.5).type_name(), "float");
    assert_true(value().is_none() && value_view().is_none() && !value(0).is_none() && !value(0).truth());
}

static void containers(void **)
{
    const value list = value::list({ 42, nullptr, "hello", value::tuple({ 1.5, false }), value::list({}) });
    shows(list, "[42, None, 'hello', (1.5, False), []]");
    assert_int_equal(list.len(), 5);
    const value dict = value::dict({ { "name", "Fancy Dan" }, { 7, value::list({ 1, 2 }) }, { "name", nullptr } });
    shows(dict, "{'name': None, 7: [1, 2]}");
    shows(value::list_of(std::vector<double>{ 1, 2.5 }), "[1.0, 2.5]");
    shows(value::list_of(std::vector<bool>{ true, false }), "[True, False]");
    const std::string texts[] = { "a", "b" };
    shows(value::list_of(texts), "['a', 'b']");
    shows(value::list_of(dict), "['name', 7]");
    shows(value::tuple({}), "()");
}

static void what_can_not_be_built(void **)
{
    assert_int_equal(code_of([] { value("\xff"); }), -EILSEQ);
    assert_int_equal(code_of([] { value(static_cast<const char *>(nullptr)); }), -EINVAL);
    assert_int_equal(code_of([] { value::dict({ { "fine", 1 }, { value::list({}), 2 } }); }), -EINVAL);
    assert_int_equal(code_of([] { value::adopt(plait_int_parse("x")); }), -EINVAL);
    shows(value::adopt(plait_set(2, plait_int(1), plait_none())), "{1, None}");
}

/* ---- gets ---- */

static void gets_are_typed(void **)
{
    assert_int_equal(value(-128).get<std::int8_t>(), -128);
    assert_int_equal(value(255).get<std::uint8_t>(), 255);
    assert_true(value(std::numeric_limits<std::uint64_t>::max()).get<std::uint64_t>() == std::numeric_limits<std::uint64_t>::max());
    assert_true(value(2).get<double>() == 2.0 && value(true).get<bool>() && value(true).get<int>() == 1);
    assert_true(value(std::string("a\0b", 3)).get<std::string>() == std::string("a\0b", 3));
    assert_true(value(bytes{ 0, 1 }).get<bytes>() == (bytes{ 0, 1 }) && value(bytes()).get<bytes>().empty());
}

static void gets_of_something_else_are_thrown(void **)
{
    assert_int_equal(code_of([] { value(128).get<std::int8_t>(); }), -ERANGE);
    assert_int_equal(code_of([] { value(-129).get<std::int8_t>(); }), -ERANGE);
    assert_int_equal(code_of([] { value(-1).get<unsigned>(); }), -ERANGE);
    assert_int_equal(code_of([] { value(4294967296).get<unsigned>(); }), -ERANGE);
    assert_int_equal(code_of([] { value(std::uint64_t(1) << 63).get<std::int64_t>(); }), -ERANGE);
    assert_int_equal(code_of([] { value(1.0).get<int>(); }), -EINVAL);
    assert_int_equal(code_of([] { value("1").get<int>(); }), -EINVAL);
    assert_int_equal(code_of([] { value(1).get<bool>(); }), -EINVAL);
    assert_int_equal(code_of([] { value("1").get<double>(); }), -EINVAL);
    assert_int_equal(code_of([] { value(bytes{ 'a' }).get<std::string>(); }), -EINVAL);
    assert_int_equal(code_of([] { value("a").get<bytes>(); }), -EINVAL);
    assert_int_equal(code_of([] { value(nullptr).get<std::string>(); }), -EINVAL);
    assert_int_equal(code_of([] { value(1).len(); }), -EINVAL);
}

static void items(void **)
{
    const value list = value::list({ 1, "two", value::tuple({ 3 }) });
    assert_true(list[0].get<int>() == 1 && list[-1][0U].get<int>() == 3 && list[value(1)] == value("two"));
    assert_int_equal(code_of([&] { list[3]; }), -ERANGE);
    assert_int_equal(code_of([&] { list[std::numeric_limits<std::size_t>::max()]; }), -ERANGE);
    assert_int_equal(code_of([&] { list["two"]; }), -EINVAL);
    assert_int_equal(code_of([] { value(1)[0]; }), -EINVAL);
    const value dict = value::dict({ { 0, "zero" }, { -1, "minus" }, { "key", value::list({ 5 }) }, { 1.5, nullptr } });
    assert_true(dict[0] == value("zero") && dict[-1] == value("minus") && dict[1.5].is_none());
    assert_true(dict["key"][0] == value(5) && dict[std::string("key")] == dict[value("key")]);
    assert_int_equal(code_of([&] { dict["none"]; }), -ENOENT);
    assert_int_equal(code_of([&] { dict[value::list({})]; }), -EINVAL);
    assert_true(list.contains(1) && list.contains(list[1]) && !list.contains("three") && dict.contains("key"));
    assert_int_equal(code_of([] { value(1).contains(1); }), -EINVAL);
}

static std::string joined(const value_view &container)
{
    std::string all;
    for (const value_view item : container) all += item.str() + ";";
    return all;
}

static void loops(void **)
{
    assert_true(joined(value::list({ 1, "b", nullptr })) == "1;b;None;" && joined(value::list({})).empty());
    assert_true(joined(value::tuple({ 1, 2 })) == "1;2;" && joined(value::dict({ { "x", 1 }, { "y", 2 } })) == "x;y;");
    assert_true(joined(value::adopt(plait_set(2, plait_int(4), plait_int(3)))) == "4;3;");
    assert_int_equal(code_of([] { joined(value(5)); }), -EINVAL);
}

/* ---- owners ---- */

static void owners_are_moved_and_shared(void **)
{
    value list = value::list({ 1 });
    const value_view view = list;
    value moved = std::move(list);
    assert_true(list.is_none() && view.handle() == moved.handle());
    list = std::move(moved);
    assert_true(moved.is_none() && view == list);
    const value shared = view.share(), copy = view.copy();
    list.append(2);
    shows(shared, "[1, 2]");
    shows(copy, "[1]");
    assert_true(shared != copy && shared.handle() == list.handle());
    plait_value *released = list.release();
    assert_true(list.is_none() && released == shared.handle());
    list = value::adopt(released);
    const value item = value::list({ std::move(list), "text" })[0];        /* of a temporary, and alive */
    shows(item, "[1, 2]");
}

static void changes(void **)
{
    value list = value::list({ 1, 2 });
    list.append(list[0]);
    list.append(value::tuple({ nullptr }));
    list.set(1, "two");
    list.set(-1, list[0].share());
    shows(list, "[1, 'two', 1, 1]");
    assert_true(list.pop(1) == value("two") && list.pop(-1) == value(1) && list.len() == 2);
    assert_int_equal(code_of([&] { list.pop(2); }), -ERANGE);
    assert_int_equal(code_of([&] { list.set(2, 5); }), -ERANGE);
    assert_int_equal(code_of([&] { list.set("key", 5); }), -EINVAL);
    assert_int_equal(code_of([&] { list.append(list); }), -ELOOP);
    value dict = value::dict({});
    dict.set("list", list.share());
    dict.set(5, bytes{ 'x' });
    shows(dict, "{'list': [1, 1], 5: b'x'}");
    assert_int_equal(code_of([&] { dict.set(list, 1); }), -EINVAL);
    assert_int_equal(code_of([&] { list.append(dict); }), -ELOOP);
    assert_true(dict.pop("list") == list && dict.len() == 1);
    assert_int_equal(code_of([&] { dict.pop("list"); }), -ENOENT);
    assert_int_equal(code_of([] { value(1).append(1); }), -EINVAL);
}

static void a_fork_has_copies(void **)
{
    const value list = value::list({ 1, value::list({ 2 }) });
    assert_int_equal(raw_fork([&] {
        value mine = list.share();
        mine.append(3);
        return mine.len() == 3 ? 0 : 1;
    }), 0);
    shows(list, "[1, [2]]");
}

/* ---- pickles and messages ---- */

static void pickles(void **)
{
    const value list = value::list({ 42, nullptr, "hello" });
    const bytes pickle = plait::pickle_dumps(list);
    assert_true(plait::pickle_loads(pickle) == list && pickle[1] == 4);
    plait_pickle_options options = plait_pickle_options();
    options.protocol = 2;
    assert_int_equal(plait::pickle_dumps(list[0], options)[1], 2);
    options.protocol = 9;
    assert_int_equal(code_of([&] { plait::pickle_dumps(list, options); }), -EINVAL);
    assert_int_equal(code_of([] { plait::pickle_loads(bytes{ 'x' }); }), -EBADMSG);
    assert_int_equal(code_of([] { plait::pickle_loads("", 0); }), -EBADMSG);
}

static void over_connections(void **)
{
    auto ends = plait::pipe();
    plait::process child([&] {
        ends.first.close();
        value request;
        while (ends.second.recv_value(request))
            if (!ends.second.send_value(value::list({ request["x"].get<int>() * 2, request["text"].share() }))) return 1;
        return 0;                                          /* closed */
    });
    ends.second.close();
    const value request = value::dict({ { "x", 21 }, { "text", "hello" } });
    value answer = "as it was";
    assert_true(ends.first.recv_value(answer, plait::deadline::now()).timed_out() && answer == value("as it was"));
    assert_true(ends.first.send_value(request) && ends.first.recv_value(answer));
    shows(answer, "[42, 'hello']");
    shows(request, "{'x': 21, 'text': 'hello'}");
    ends.first.close();
    child.join();
    assert_int_equal(child.exitcode(), 0);
}

static void connections_that_end(void **)
{
    auto ends = plait::pipe();
    value got;
    assert_true(ends.second.send_value(nullptr) && ends.first.recv_value(got) && got.is_none());
    assert_true(bool(ends.second.send(5)));
    assert_int_equal(code_of([&] { (void)bool(ends.first.recv_value(got)); }), -EBADMSG);
    const value list = value::list({ 1 });
    assert_true(ends.second.send_value(list) && ends.second.send_value(list[0]));
    ends.second.close();
    assert_true(ends.first.recv_value(got) && got == list && ends.first.recv_value(got) && got == value(1));
    assert_true(ends.first.recv_value(got).closed() && ends.first.send_value(list).closed());
    assert_int_equal(code_of([&] { (void)bool(ends.second.send_value(list)); }), -EBADF);
}

static void over_queues(void **)
{
    plait::queue queue;
    const value list = value::list({ 42, nullptr, "hello" });
    value got;
    assert_true(queue.get_value(got, plait::deadline::now()).timed_out());
    assert_true(queue.put_value(list) && queue.put_value(list[2]) && queue.put_value("text") && queue.put_value(nullptr));
    assert_true(queue.get_value(got) && got == list && queue.get_value(got) && got == list[2]);
    assert_true(queue.get_value(got) && got == value("text") && queue.get_value(got) && got.is_none());
    assert_true(bool(queue.put(5)));
    assert_int_equal(code_of([&] { (void)bool(queue.get_value(got)); }), -EBADMSG);
    int number = 0;
    assert_true(queue.get(number) && number == 5);
    queue.close();
    assert_true(queue.get_value(got).closed() && queue.put_value(1).closed());
}

static void with_priorities_and_leases(void **)
{
    value got;
    plait::queue ordered = plait::queue::by_priority();
    assert_true(ordered.put_value_priority(2, "late") && ordered.put_value_priority(1, value::list({ 1 })));
    assert_true(ordered.get_value(got) && got == value::list({ 1 }) && ordered.get_value(got) && got == value("late"));
    plait_queue_options options = plait_queue_options();
    options.leases = 1;
    plait::queue tasks(options);
    plait::lease lease;
    assert_true(tasks.put_value(7) && tasks.get_value(got, lease) && got == value(7) && lease);
    lease.giveback();
    assert_true(tasks.get_value(got, lease) && lease.attempts() == 1);
    lease.ack();
    assert_true(tasks.get_value(got, lease, plait::deadline::now()).timed_out() && !lease && got == value(7));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(scalars),
    cmocka_unit_test(containers),
    cmocka_unit_test(what_can_not_be_built),
    cmocka_unit_test(gets_are_typed),
    cmocka_unit_test(gets_of_something_else_are_thrown),
    cmocka_unit_test(items),
    cmocka_unit_test(loops),
    cmocka_unit_test(owners_are_moved_and_shared),
    cmocka_unit_test(changes),
    cmocka_unit_test(a_fork_has_copies),
    cmocka_unit_test(pickles),
    cmocka_unit_test(over_connections),
    cmocka_unit_test(connections_that_end),
    LEAVES_NOTHING(over_queues),
    LEAVES_NOTHING(with_priorities_and_leases),
};

TEST_MAIN(tests)
