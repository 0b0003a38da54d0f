/* plait/pool.hpp: results of different sizes, folded results, maps in tasks, and what becomes of exceptions there. */
#include <csignal>
#include <functional>
#include <thread>

#include "cpp.h"

using std::chrono::milliseconds;

static std::vector<int> numbers_up_to(int n)
{
    std::vector<int> numbers;
    for (int i = 0; i < n; i++) numbers.push_back(i);
    return numbers;
}

static plait_map_options of_chunk(std::size_t chunk)
{
    plait_map_options options{};
    options.chunk = chunk;
    return options;
}

static plait::pool inline_pool()
{
    plait_pool_options options{};
    options.kind = PLAIT_INLINE;
    return plait::pool(options);
}

/* The text of the plait::task_error that body() throws. */
template <class Body> static std::string text_of(Body body)
{
    try {
        body();
    } catch (const plait::task_error &error) {
        return error.what();
    }
    return "nothing was thrown";
}

/* Kills its process the first time. */
struct dies_once {
    std::atomic<int> *attempts;
    void operator()() const
    {
        if ((*attempts)++ == 0) std::raise(SIGKILL);
    }
};

/* ---- results of different sizes ---- */

static std::vector<double> as_many(const int &n)
{
    return std::vector<double>(std::size_t(n), n * 0.5);
}

static void expect_as_many(const std::vector<plait::block<double>> &results)
{
    assert_int_equal(results.size(), 100);
    for (std::size_t i = 0; i < 100; i++) {
        assert_true(results[i] && results[i].size() == i && plait_is_shared(results[i].data()));
        for (double number : results[i]) assert_true(number == double(i) * 0.5);
    }
}

static void results_of_different_sizes(void **)
{
    plait::pool pools[] = { plait::pool(2), inline_pool() };
    for (const plait::pool &pool : pools) {
        const std::vector<int> in = numbers_up_to(100);
        for (std::size_t chunk = 0; chunk < 4; chunk++) expect_as_many(pool.map_results(as_many, in, of_chunk(chunk)));
        assert_true(pool.map_results(as_many, std::vector<int>()).empty());
        expect_as_many(pool.map_results<double>([](int n, plait::result<double> &result) {
            double *const numbers = result.alloc(std::size_t(n));
            for (int i = 0; i < n; i++) numbers[i] = n * 0.5;
        }, in));
        const auto texts = pool.map_results([](int n) { return std::string(std::size_t(n), 'x'); }, in.data(), in.size());
        assert_true(texts[3].size() == 3 && texts[3][2] == 'x');
    }
}

static void a_task_may_leave_its_result_empty(void **)
{
    plait::pool pool(2);
    const auto results = pool.map_results<int>([](int n, plait::result<int> &result) {
        const int twice[] = { n, n };
        if (n % 2) return;
        (void)result.alloc(5);
        result.set(twice, 2);                              /* in place of those */
    }, numbers_up_to(10));
    for (std::size_t i = 0; i < 10; i++) assert_int_equal(results[i].size(), i % 2 ? 0 : 2);
    assert_true(!results[3] && results[4][1] == 4);
}

static void results_are_blocks_to_give(void **)
{
    plait::pool pool(1);
    plait::queue queue;
    for (plait::block<double> &result : pool.map_results(as_many, numbers_up_to(3)))
        assert_true(bool(queue.give(std::move(result))));
    plait::block<double> last;
    while (queue.take(last, plait::deadline::now())) {}
    assert_true(last.size() == 2 && last[1] == 1);
}

static void no_result_is_left_by_tasks_that_fail(void **)
{
    plait::pool pool(2);
    const std::vector<int> in = numbers_up_to(20);
    assert_string_equal(text_of([&] {
        pool.map_results([](int n) { return n == 7 ? throw std::range_error("seven") : as_many(n); }, in);
    }).c_str(), "seven");
    assert_string_equal(text_of([&] {
        pool.map_results<int>([](int n, plait::result<int> &result) {
            *result.alloc(100) = n;
            if (n == 8) throw std::range_error("eight");
        }, in);
    }).c_str(), "eight");
    assert_non_null(strstr(text_of([&] {
        pool.map_results<int>([](int, plait::result<int> &result) { result.alloc(SIZE_MAX / 8); }, in);
    }).c_str(), plait_strerror(ENOMEM)));
    assert_int_equal(code_of([&] {
        pool.map_results([](int n) { return n == 9 ? (std::raise(SIGKILL), as_many(n)) : as_many(n); }, in);
    }), PLAIT_EWORKERDIED);
    plait_map_options soon{};
    soon.deadline = plait::deadline(milliseconds(20));
    assert_int_equal(code_of([&] {
        pool.map_results([](int n) -> std::string { for (;;) if (n < 19) return "text"; else pause(); }, in, soon);
    }), -ETIMEDOUT);
    assert_int_equal(code_of([&] { plait::pool_ref().map_results(as_many, in); }), -EINVAL);
}

/* ---- map and reduce ---- */

struct histogram {
    int count[10];
};

static void count_digit(const int &n, histogram &histogram)
{
    histogram.count[n % 10]++;
}

static void add(histogram &into, const histogram &from)
{
    for (int i = 0; i < 10; i++) into.count[i] += from.count[i];
}

static void values_are_folded(void **)
{
    plait::pool pools[] = { plait::pool(2), inline_pool() };
    for (const plait::pool &pool : pools) {
        const std::vector<int> in = numbers_up_to(1000);
        assert_true(pool.map_reduce([](int n) { return n * 0.5; }, in, std::plus<double>(), 0.0) == 249750);
        assert_int_equal(pool.map_reduce([](int n) { return -n; }, in, [](int a, int b) { return a < b ? a : b; }, 1), -999);
        assert_int_equal(pool.map_reduce([](int n) { return n; }, std::vector<int>(), std::plus<int>(), 0), 0);

        const histogram found = pool.map_reduce(count_digit, in, add, histogram());
        for (int count : found.count) assert_int_equal(count, 100);
        int factor = 3;
        const auto add_some = [factor](int n, int &sum) { sum += factor * n; };
        assert_int_equal(pool.map_reduce(add_some, in.data(), 10, std::plus<int>(), 0), 135);
    }
}

struct word {
    char text[32];
};

static void the_order_is_that_of_the_inputs(void **)
{
    plait::pool pool(3);
    const auto letter = [](int n) {
        word word{};
        word.text[0] = char('a' + n);
        return word;
    };
    const auto join = [](word &into, const word &from) { std::strcat(into.text, from.text); };
    for (std::size_t chunk = 0; chunk < 5; chunk++) {
        const word all = pool.map_reduce(letter, numbers_up_to(26), join, word(), of_chunk(chunk));
        assert_string_equal(all.text, "abcdefghijklmnopqrstuvwxyz");
    }
}

static void what_is_folded_may_fail(void **)
{
    plait::pool pool(2);
    const std::vector<int> in = numbers_up_to(100);
    assert_string_equal(text_of([&] {
        pool.map_reduce([](int n) { return n == 50 ? throw std::range_error("in a task") : n; }, in, std::plus<int>(), 0);
    }).c_str(), "in a task");
    const auto refuse = [](int a, int b) { return b == 50 ? throw std::range_error("in a reduce") : a + b; };
    assert_string_equal(text_of([&] { pool.map_reduce([](int n) { return n; }, in, refuse, 0); }).c_str(), "in a reduce");
    assert_int_equal(code_of([&] {
        pool.map_reduce([](int n) { return n == 50 ? std::raise(SIGKILL) : n; }, in, std::plus<int>(), 0);
    }), PLAIT_EWORKERDIED);
    plait::shared<std::atomic<int>> attempts;
    const dies_once die{ attempts.get() };
    assert_int_equal(pool.map_reduce([die](int n) { return n == 50 ? (die(), n) : n; }, in, std::plus<int>(), 0), 4950);
    assert_int_equal(*attempts, 2);
}

/* ---- maps in tasks ---- */

static int sum_below(const int &n)
{
    const plait::pool_ref pool = plait::pool_ref::current();
    CHECK(pool && pool.workers() > 0);
    const std::vector<int> doubled = pool.map([](int k) { return 2 * k; }, numbers_up_to(n));
    const int sum = pool.map_reduce([](int k) { return k; }, doubled, std::plus<int>(), 0);
    for (const plait::block<double> &result : pool.map_results(as_many, numbers_up_to(5))) CHECK(result.size() < 5);
    return sum;
}

static void maps_in_tasks(void **)
{
    assert_false(bool(plait::pool_ref::current()));
    plait::pool pools[] = { plait::pool(1), plait::pool(3), inline_pool() };
    for (const plait::pool &pool : pools) {
        const std::vector<int> sums = pool.map(sum_below, numbers_up_to(20));
        for (int i = 0; i < 20; i++) assert_int_equal(sums[std::size_t(i)], i * (i - 1));
    }
    assert_false(bool(plait::pool_ref::current()));
}

static int throws_below(const int &n)
{
    plait::pool_ref::current().map([n](int k) { return k == n ? throw std::runtime_error("at " + std::to_string(k)) : k; },
                                   numbers_up_to(20));
    return n;
}

static void exceptions_of_maps_in_tasks(void **)
{
    plait::pool pools[] = { plait::pool(3), inline_pool() };
    for (const plait::pool &pool : pools) {
        assert_string_equal(text_of([&] { pool.map(throws_below, std::vector<int>{ 30, 5, 30 }); }).c_str(), "at 5");
        const auto caught = [](int n) {
            int right = 0;
            for (int i = 0; i < 20; i++) {                 /* more than there is room for at a time: each finds its own */
                try {
                    throws_below((n + i) % 20);
                } catch (const plait::task_error &error) {
                    right += error.what() == "at " + std::to_string((n + i) % 20);
                }
            }
            return right;
        };
        for (int right : pool.map(caught, numbers_up_to(3))) assert_int_equal(right, 20);
    }
}

static void killed_in_a_map_in_a_task(void **)
{
    plait::pool pool(3);
    plait::shared<std::atomic<int>> first, second;
    const dies_once outer{ first.get() }, inner{ second.get() };
    const auto task = [outer, inner](int n) {
        const auto below = [=](int k) {
            if (n == 3 && k == 10) inner();
            return k;
        };
        const int sum = plait::pool_ref::current().map_reduce(below, numbers_up_to(20), std::plus<int>(), 0);
        if (n == 3) outer();
        return sum;
    };
    for (int sum : pool.map(task, numbers_up_to(10), of_chunk(1))) assert_int_equal(sum, 190);
    assert_true(*first >= 2 && *second >= 2);
}

/* ---- owners ---- */

static void pools_move_and_refs_follow(void **)
{
    plait::pool first(1), second(2);
    const plait::pool_ref ref = first;
    second = std::move(first);
    assert_ptr_equal(second.handle(), ref.handle());
    plait::pool third(std::move(second));
    assert_true(!second && third.workers() == 1);
    std::thread([ref] { assert_int_equal(ref.map([](int n) { return n + 1; }, std::vector<int>{ 1 })[0], 2); }).join();
}

static const struct CMUnitTest tests[] = {
    LEAVES_NOTHING(results_of_different_sizes),
    LEAVES_NOTHING(a_task_may_leave_its_result_empty),
    LEAVES_NOTHING(results_are_blocks_to_give),
    LEAVES_NOTHING(no_result_is_left_by_tasks_that_fail),
    LEAVES_NOTHING(values_are_folded),
    LEAVES_NOTHING(the_order_is_that_of_the_inputs),
    LEAVES_NOTHING(what_is_folded_may_fail),
    LEAVES_NOTHING(maps_in_tasks),
    LEAVES_NOTHING(exceptions_of_maps_in_tasks),
    LEAVES_NOTHING(killed_in_a_map_in_a_task),
    LEAVES_NOTHING(pools_move_and_refs_follow),
};
TEST_MAIN(tests)
