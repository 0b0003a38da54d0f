/* plait/shared_value.hpp and shared_array.hpp: types, owners, guards, and what of the C calls is thrown. */
#include <chrono>
#include <climits>
#include <csignal>
#include <vector>

#include <unistd.h>

#include "cpp.h"

using std::chrono::milliseconds;

struct point {
    double x, y;
};

template <class T> static void holds(const T &first, const T &second)
{
    plait::shared_value<T> value(first);
    T now;
    assert_int_equal(plait_shared_value_type(value.handle()), plait::detail::code_of<T>::value);
    assert_true(value.get(now) && now == first);
    assert_true(value.set(second) && value.get(now) && now == second && *value.object() == second);
    plait::shared_array<T> array(3);
    assert_int_equal(plait_shared_array_type(array.handle()), plait::detail::code_of<T>::value);
    assert_true(array.set(1, second) && array.get(-2, now) && now == second && array.get(0, now) && now == T());
}

static void all_types_are_held(void **)
{
    holds<signed char>(-1, 2);
    holds<unsigned char>(1, 255);
    holds<short>(-1, 2);
    holds<unsigned short>(1, 65535);
    holds<int>(INT_MIN, 2);
    holds<unsigned>(1, UINT_MAX);
    holds<long>(LONG_MIN, 2);
    holds<unsigned long>(1, ULONG_MAX);
    holds<long long>(LLONG_MIN, 2);
    holds<unsigned long long>(1, ULLONG_MAX);
    holds<char>('a', 'b');
    holds<wchar_t>(L'a', L'\u20ac');
    holds<float>(0.5f, -2);
    holds<double>(3.1415927, -2);
    holds<bool>(true, false);
    plait::shared_value<point> where(point{ 1, 2 });
    point now;
    assert_true(where.get(now) && now.x == 1 && now.y == 2);
    assert_true(where.set(point{ 3, 4 }) && where.object()->y == 4);
    plait::shared_array<point> places({ { 1, 2 }, { 3, 4 } });
    assert_true(places.size() == 2 && places.get(-1, now) && now.x == 3);
}

template <class T> static void adds(const plait::shared_value_ref<T> &value)
{
    T sum = 0;
    assert_true(value.set(40) && value.add(1) && value.add(1, sum) && sum == 42);
}

static void numbers_are_added_to(void **)
{
    adds(plait::shared_value<int>());
    adds(plait::shared_value<unsigned long long>::without_lock());
    adds(plait::shared_value<double>());
    adds(plait::shared_value<float>());
    plait::shared_value<signed char> small(127);
    signed char now;
    assert_int_equal(code_of([&] { (void)bool(small.add(1)); }), -ERANGE);
    assert_true(small.get(now) && now == 127);
    plait::shared_value<unsigned long long> large;
    assert_int_equal(code_of([&] { (void)bool(large.add(ULLONG_MAX)); }), -ERANGE);
    plait::shared_array<double> reals(2);
    plait::shared_array<int> whole({ 1, 2 });
    assert_true(reals.add(0, 0.5) && reals.data()[0] == 0.5 && whole.add(-1, 40) && whole.data()[1] == 42);
    assert_int_equal(code_of([&] { (void)bool(whole.add(2, 1)); }), -EINVAL);
}

static void slices_are_vectors(void **)
{
    const std::vector<int> ten = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    plait::shared_array<int> array(ten);
    std::vector<int> some;
    assert_true(array.get_slice(some, PLAIT_SLICE_NONE, PLAIT_SLICE_NONE) && some == ten);
    assert_true(array.get_slice(some, -2, PLAIT_SLICE_NONE, -3) && some == std::vector<int>({ 8, 5, 2 }));
    assert_true(array.set_slice({ 20, 30 }, 2, 4) && array.get_slice(some, 1, 5) && some == std::vector<int>({ 1, 20, 30, 4 }));
    assert_int_equal(code_of([&] { (void)bool(array.set_slice({ 1 }, 2, 4)); }), -EINVAL);
    assert_int_equal(code_of([&] { (void)bool(array.get_slice(some, 0, 1, 0)); }), -EINVAL);
    int sum = 0;
    for (int number : array) sum += number;
    assert_int_equal(sum, 45 + 18 + 27);
}

static void a_guard_holds_the_lock(void **)
{
    plait::shared_value<int> value(7);
    plait::shared_array<int> array(1);
    {
        plait::value_guard outer(value), inner(value);
        plait::array_guard all(array);
        plait::process other([&] {
            int now;
            return value.get(now, milliseconds(1)).timed_out() && array.set(0, 1, milliseconds(1)).timed_out()
                && plait::value_guard(value, plait::deadline::now()).timed_out() ? 0 : 1;
        });
        other.join();
        assert_int_equal(other.exitcode(), 0);
        assert_true(inner && value.set(8));
    }
    plait::process other([&] { return value.set(9, milliseconds(1)) && array.set(0, 1, milliseconds(1)) ? 0 : 1; });
    other.join();
    assert_int_equal(other.exitcode(), 0);
    plait::shared_value<int> unlocked = plait::shared_value<int>::without_lock();
    assert_int_equal(code_of([&] { plait::value_guard guard(unlocked); }), -EINVAL);
}

static void a_dead_owner_is_told(void **)
{
    plait::shared_value<int> value;
    plait::process victim([&] {
        plait::value_guard guard(value);
        raise(SIGKILL);
    });
    victim.join();
    int now;
    assert_int_equal(value.get(now).code(), PLAIT_OWNER_DIED);
    assert_int_equal(value.get(now).code(), 0);
}

static void owners_are_moved(void **)
{
    plait::shared_value<int> value(1), other(2);
    plait::shared_value<int> moved(std::move(value));
    int now;
    assert_null(value.handle());
    assert_int_equal(code_of([&] { (void)bool(value.get(now)); }), -EINVAL);
    other = std::move(moved);
    assert_true(other.get(now) && now == 1);
    plait::shared_array<int> array(1), longer(2);
    array = std::move(longer);
    assert_int_equal(array.size(), 2);
    plait::shared_array<int> last(std::move(array));
    assert_true(!array.handle() && last.size() == 2);
}

/* A fork's copies of the owners free nothing. */
static void a_fork_frees_nothing(void **)
{
    plait::shared_value<int> value(1);
    plait::shared_array<int> array(1);
    assert_int_equal(raw_fork([&] {
        plait::shared_value<int> mine(std::move(value));
        plait::shared_array<int> ours(std::move(array));
        return 0;
    }), 0);
    int now;
    assert_true(value.get(now) && now == 1 && array.size() == 1);
}

static void options_choose_the_lock(void **)
{
    plait::shared<plait::lock> lock;
    plait_shared_options options = plait_shared_options();
    options.lock = lock->handle();
    plait::shared_value<int> value(1, options);
    plait::guard guard(*lock);
    int now;
    assert_true(value.get(now, milliseconds(1)).timed_out());
    options.no_lock = 1;
    assert_int_equal(code_of([&] { plait::shared_value<int> none(1, options); }), -EINVAL);
}

static const struct CMUnitTest tests[] = {
    LEAVES_NOTHING(all_types_are_held),
    LEAVES_NOTHING(numbers_are_added_to),
    LEAVES_NOTHING(slices_are_vectors),
    LEAVES_NOTHING(a_guard_holds_the_lock),
    LEAVES_NOTHING(a_dead_owner_is_told),
    LEAVES_NOTHING(owners_are_moved),
    LEAVES_NOTHING(a_fork_frees_nothing),
    LEAVES_NOTHING(options_choose_the_lock),
};

TEST_MAIN(tests)
