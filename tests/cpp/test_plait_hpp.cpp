/* include/plait.hpp: what it adds to the C calls, which have tests of their own. */
#include <atomic>
#include <csignal>
#include <limits>
#include <memory>

#include <fcntl.h>

#include "cpp.h"

using std::chrono::milliseconds;
using clock_type = std::chrono::steady_clock;

/* ---- deadlines ---- */

static void deadlines(void **)
{
    assert_int_equal(plait_deadline(plait::deadline()).at, 0);
    assert_int_equal(plait_deadline(plait::deadline::forever()).at, 0);
    assert_int_equal(plait_deadline(plait::deadline::now()).at, 1);
    assert_int_equal(plait_deadline(plait::deadline(milliseconds(0))).at, 1);
    assert_int_equal(plait_deadline(plait::deadline(milliseconds(-5))).at, 1);
    assert_int_equal(plait_deadline(plait::deadline(std::chrono::hours::max())).at, 0);
    assert_int_equal(plait_deadline(plait::deadline(clock_type::time_point::max())).at, 0);
    assert_int_equal(plait_deadline(plait::deadline(clock_type::time_point())).at, 1);

    const plait_deadline before = plait_after(2), between = plait::deadline(std::chrono::seconds(2)), after = plait_after(2);
    assert_true(before.at <= between.at && between.at <= after.at);
    const plait_deadline early = plait_after(1e-9), now = plait::deadline(clock_type::now()), late = plait_after(1e-9);
    assert_true(early.at - 1 <= now.at && now.at <= late.at);
}

/* ---- errors ---- */

static void errors_are_system_errors(void **)
{
    plait_queue_options options{};
    options.capacity = std::size_t(1) << 40;
    try {
        plait::queue queue(options);
        fail_msg("such a queue was made");
    } catch (const std::system_error &error) {
        assert_int_equal(error.code().value(), -EINVAL);
        assert_true(error.code() == std::errc::invalid_argument);
        assert_true(error.code().category() == plait::category());
        assert_non_null(strstr(error.what(), plait_strerror(EINVAL)));
        assert_non_null(strstr(error.what(), plait_error_detail()));
    }
    assert_string_equal(plait::category().message(PLAIT_ECLOSED).c_str(), plait_strerror(PLAIT_ECLOSED));
    assert_int_equal(code_of([] { plait::pool pool(-1); }), -EINVAL);
    assert_int_equal(code_of([] { plait::shared<char[]> huge(std::numeric_limits<std::size_t>::max() / 2); }), -ENOMEM);
    plait::lock lock;
    assert_int_equal(code_of([&] { lock.release(); }), PLAIT_EUNLOCKED);
}

/* ---- shared memory ---- */

struct pair {
    plait::lock lock;
    int first = 7, second;
    explicit pair(int second = 8) : second(second) {}
};

static void shared_objects(void **)
{
    void *address;
    {
        plait::shared<pair> made(9);
        assert_true(plait_is_shared(made.get()));
        assert_int_equal(made->first, 7);
        assert_int_equal((*made).second, 9);
        plait::shared<pair> moved(std::move(made)), other(1);
        assert_null(made.get());
        other = std::move(moved);
        assert_int_equal(other->second, 9);
        address = other.get();
        assert_true(plait_block_size(address) >= sizeof(pair));
    }
    assert_int_equal(plait_block_size(address), 0);

    plait::shared<int[]> numbers(1000), none(0);
    assert_int_equal(numbers.size(), 1000);
    for (int number : numbers) assert_int_equal(number, 0);
    numbers[999] = 5;
    assert_int_equal(*(numbers.end() - 1), 5);
    assert_true(none.begin() == none.end());
}

static void shared_objects_are_handed_over(void **)
{
    plait::queue queue;
    plait::process child([&] {
        plait::shared<pair> made(3);
        const bool sent = bool(queue.put(made.get()));
        made.release();
        return sent ? 0 : 1;
    });
    pair *received = nullptr;
    assert_true(bool(queue.get(received)));
    plait::shared<pair> mine = plait::shared<pair>::adopt(received);
    assert_int_equal(mine->second, 3);
    child.join();
    assert_int_equal(child.exitcode(), 0);
}

static void a_fork_frees_nothing(void **)
{
    plait::queue queue;
    std::unique_ptr<plait::shared<pair>> object(new plait::shared<pair>(4));
    plait::pool pool(1);
    const int result = raw_fork([&] {
        object.reset();
        plait::queue ended(std::move(queue));
        plait::pool too(std::move(pool));
        return 0;
    });
    assert_int_equal(result, 0);
    assert_int_equal((*object)->second, 4);
    assert_true(plait_block_size(object->get()) > 0);
    assert_true(bool(queue.put(1)));
    assert_int_equal(pool.map([](const int &x) { return x + 1; }, std::vector<int>{ 1 })[0], 2);
}

/* ---- locks ---- */

static void guards(void **)
{
    plait::shared<plait::lock> lock;
    {
        plait::guard guard(*lock);
        assert_true(bool(guard) && !guard.owner_died() && lock->locked());
        plait::guard second(*lock, plait::deadline::now());
        assert_true(!second && second.timed_out());
        guard.release();
        assert_false(lock->locked());
        plait::guard third(*lock->handle(), milliseconds(1));
        assert_true(bool(third));
    }
    assert_false(lock->locked());
    try {
        plait::guard guard(*lock);
        throw 1;
    } catch (int) {
    }
    assert_false(lock->locked());
}

static void a_guard_tells_of_a_dead_owner(void **)
{
    plait::shared<plait::lock> lock;
    plait::process child([&] {
        plait::guard guard(*lock);
        std::raise(SIGKILL);
    });
    child.join();
    assert_int_equal(child.exitcode(), -SIGKILL);
    plait::guard first(*lock);
    assert_true(bool(first) && first.owner_died());
    first.release();
    assert_false(plait::guard(*lock).owner_died());
}

/* ---- queues ---- */

struct point {
    double x, y;
};

static void typed_messages(void **)
{
    plait::queue queue;
    assert_true(bool(queue.put(point{ 1, 2 })));
    assert_true(bool(queue.put(std::string("some text"))));
    assert_true(bool(queue.put(std::string())));
    assert_int_equal(queue.qsize(), 3);
    point got{};
    assert_true(bool(queue.get(got)));
    assert_true(got.x == 1 && got.y == 2);
    std::string text;
    assert_true(bool(queue.get(text)));
    assert_string_equal(text.c_str(), "some text");
    assert_true(bool(queue.get(text)) && text.empty());

    const plait::outcome late = queue.get(got, milliseconds(1));
    assert_true(!late && late.timed_out() && !late.closed());
    queue.close();
    const plait::outcome closed = queue.get(text);
    assert_true(!closed && closed.closed());
    assert_true(queue.put(1).closed());
}

static void a_message_of_another_size_is_an_error(void **)
{
    plait::queue queue;
    short two = 0;
    long eight = 0;
    assert_true(bool(queue.put(1)));
    assert_int_equal(code_of([&] { (void)bool(queue.get(two)); }), -EMSGSIZE);
    assert_int_equal(queue.qsize(), 1);
    assert_int_equal(code_of([&] { (void)bool(queue.get(eight)); }), -EBADMSG);
    assert_int_equal(queue.qsize(), 0);
}

static void queues_move_and_refs_follow(void **)
{
    plait::queue first, second;
    plait::queue_ref ref = first;
    assert_true(bool(ref.put('a')));
    second = std::move(first);
    assert_ptr_equal(second.handle(), ref.handle());
    plait::queue third(std::move(second));
    assert_null(second.handle());
    char got = 0;
    assert_true(bool(third.get(got)) && got == 'a');
}

static void leases_come_back(void **)
{
    plait_queue_options options{};
    options.leases = 1;
    plait::queue queue(options);
    int got = 0;
    assert_true(bool(queue.put(5)));
    {
        plait::lease lease;
        assert_true(bool(queue.get(got, lease, plait::deadline::now())));
        assert_int_equal(lease.attempts(), 0);
    }
    plait::lease lease, other;
    assert_true(bool(queue.get(got, lease)));
    assert_int_equal(got, 5);
    assert_int_equal(lease.attempts(), 1);
    other = std::move(lease);
    assert_true(!lease && bool(other));
    other.ack();
    assert_true(!other);
    assert_true(queue.get(got, lease, plait::deadline::now()).timed_out());
}

static void a_fork_releases_no_lock(void **)
{
    plait::shared<plait::lock> lock;
    std::unique_ptr<plait::guard> guard(new plait::guard(*lock));
    assert_int_equal(raw_fork([&] { guard.reset(); return 0; }), 0);
    assert_true(lock->locked());
    guard.reset();
    assert_false(lock->locked());
}

/* ---- processes ---- */

/* What it captured is its child's as long as that runs, though it was moved there. */
static void what_is_moved_into_a_process_stays(void **)
{
    plait::shared<long[]> numbers(1);
    plait::shared<std::atomic<int>> go;
    numbers[0] = 42;
    const long *const address = numbers.data();
    std::atomic<int> *const going = go.get();
    struct body {
        plait::shared<long[]> numbers;
        std::atomic<int> *going;
        int operator()()
        {
            while (!*going) usleep(100);
            return static_cast<int>(numbers[0]);
        }
    };
    plait::process child(body{ std::move(numbers), going });
    assert_int_equal(plait_block_size(address), 16);
    plait::shared<long[]> another(1);
    another[0] = 7;
    *going = 1;
    child.join();
    assert_int_equal(child.exitcode(), 42);
}

static int plain_function()
{
    return 5;
}

static void processes(void **)
{
    plait::process plain(plain_function), nothing([] {});
    assert_true(plain.join(std::chrono::seconds(60)) && nothing.join());
    assert_int_equal(plain.exitcode(), 5);
    assert_int_equal(nothing.exitcode(), 0);
    assert_false(plain.is_alive());

    plait_process_options options{};
    options.daemon = 1;
    options.name = "sleeper";
    plait::process daemon([] { for (;;) pause(); }, options);
    assert_string_equal(daemon.name(), "sleeper");
    assert_int_equal(code_of([&] { daemon.exitcode(); }), PLAIT_ERUNNING);
    assert_true(daemon.join(plait::deadline::now()).timed_out());
    plain = std::move(daemon);                             /* each is ended as what it is: neither hangs */
    assert_true(plain.is_alive() && !daemon.is_alive());
}

static void a_process_is_ended(void **)
{
    plait::process killed([] { for (;;) pause(); }), terminated([] { for (;;) pause(); });
    assert_true(killed.is_alive() && terminated.is_alive());
    killed.kill();
    terminated.terminate();
    killed.join();
    terminated.join();
    assert_int_equal(killed.exitcode(), -SIGKILL);
    assert_int_equal(terminated.exitcode(), -SIGTERM);
}

static void the_end_of_a_daemons_owner_ends_it(void **)
{
    pid_t pid;
    {
        plait_process_options options{};
        options.daemon = 1;
        plait::process daemon([] { for (;;) pause(); }, options);
        pid = daemon.pid();
    }
    assert_int_equal(kill(pid, 0), -1);
}

static void an_exception_ends_the_process(void **)
{
    try {
        plait::process child([] {
            const int null = open("/dev/null", O_WRONLY);  /* the message of std::terminate */
            dup2(null, STDERR_FILENO);
            throw std::runtime_error("nobody catches it");
        });
        child.join();
        assert_int_equal(child.exitcode(), -SIGABRT);
    } catch (...) {
        _exit(3);                                          /* the child has come here, through C */
    }
}

/* ---- threads, start methods, the exit ---- */

static void threads(void **)
{
    int shared = 0;
    plait::thread thread([&] { shared = 1; return 300; });
    assert_true(bool(thread.join(std::chrono::seconds(60))));
    assert_int_equal(shared, 1);
    assert_int_equal(thread.exitcode(), 300 & 0xff);
    assert_int_equal(plait_process_kind(thread.handle()), PLAIT_THREADS);

    std::unique_ptr<int> only(new int(5));                 /* what can only be moved goes there, too */
    struct body {
        std::unique_ptr<int> number;
        int operator()() { return *number; }
    };
    plait_process_options options{};
    options.kind = PLAIT_THREADS;
    options.name = "five";
    plait::process other(body{ std::move(only) }, options);
    assert_string_equal(other.name(), "five");
    other = std::move(thread);                             /* the one that it was is waited for */
    assert_int_equal(other.exitcode(), 300 & 0xff);
}

static void a_thread_is_not_ended_from_outside(void **)
{
    std::atomic<bool> go{ false };
    plait_process_options options{};
    options.daemon = 1;
    plait::thread thread([&] { while (!go) usleep(100); }, options);
    assert_int_equal(code_of([&] { thread.kill(); }), -ENOTSUP);
    assert_int_equal(code_of([&] { thread.terminate(); }), -ENOTSUP);
    assert_true(thread.join(plait::deadline::now()).timed_out());
    go = true;                                             /* the destructor waits */
}

static void a_closure_does_not_begin_anew(void **)
{
    plait_process_options options{};
    for (int method : { PLAIT_SPAWN, PLAIT_FORKSERVER }) {
        options.method = method;
        std::string text;
        try {
            plait::process child([] {}, options);
        } catch (const plait::error &error) {
            assert_int_equal(error.code().value(), PLAIT_ENOFUNCTION);
            text = error.what();
        }
        assert_true(text.find("a closure of C++ is only in this process") != std::string::npos);
    }
    const int before = plait_get_start_method();
    assert_int_equal(plait_set_start_method(PLAIT_SPAWN, 1), 0);
    assert_int_equal(code_of([] { plait::process child([] {}); }), PLAIT_ENOFUNCTION);
    plait::thread thread([] { return 4; });
    thread.join();
    assert_int_equal(thread.exitcode(), 4);
    options.method = PLAIT_FORK;
    plait::process fork([] { return 6; }, options);
    fork.join();
    assert_int_equal(fork.exitcode(), 6);
    assert_int_equal(plait_set_start_method(before, 1), 0);
}

/* In a child: what it notes runs at its end, in order, and what its parent has noted does not. */
static void functions_run_at_exit(void **)
{
    plait::shared<int[]> order(4);
    int *const seen = order.data();
    plait::process child([seen] {
        auto note = [seen](int number) { return [seen, number] { seen[++seen[0]] = number; }; };
        plait::at_exit(note(1));
        plait::at_exit(note(2), 10);
        plait::at_exit(note(3), -1);
        plait::process([] {}).join();
    });
    child.join();
    assert_int_equal(child.exitcode(), 0);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], 2);
    assert_int_equal(seen[2], 1);
    assert_int_equal(seen[3], 3);
}

/* ---- pools ---- */

static void pools(void **)
{
    plait::pool pool(2);
    assert_int_equal(pool.workers(), 2);
    std::vector<int> in(1000);
    for (int i = 0; i < 1000; i++) in[std::size_t(i)] = i;
    const double factor = 0.5;
    const std::vector<double> out = pool.map([factor](const int &x) { return x * factor; }, in);
    for (int i = 0; i < 1000; i++) assert_true(out[std::size_t(i)] == i * 0.5);
    assert_true(pool.map([](int x) { return x; }, std::vector<int>()).empty());

    plait::shared<point[]> points(10);
    plait::shared<double[]> sums(10);
    for (point &point : points) point = { 1, 2 };
    pool.map([](const point &point) { return point.x + point.y; }, points.data(), sums.data(), points.size());
    for (double sum : sums) assert_true(sum == 3);
}

static void a_task_may_throw(void **)
{
    plait::pool pool(2);
    const std::vector<int> in{ 1, 2, 3 };
    std::string text;
    try {
        pool.map([](const int &x) { return x == 2 ? throw std::out_of_range("two is too much") : x; }, in);
    } catch (const plait::task_error &error) {
        text = error.what();
    }
    assert_string_equal(text.c_str(), "two is too much");
    text.clear();
    try {
        pool.map([](const int &x) { return x == 3 ? throw 3 : x; }, in);
    } catch (const plait::task_error &error) {
        text = error.what();
    }
    assert_string_equal(text.c_str(), "a task threw something that is no std::exception");
    assert_int_equal(code_of([&] {
        pool.map([](const int &x) { return x == 1 ? std::raise(SIGKILL) : 0; }, in);
    }), PLAIT_EWORKERDIED);
    assert_int_equal(pool.map([](const int &x) { return x * x; }, in)[2], 9);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(deadlines),
    cmocka_unit_test(errors_are_system_errors),
    cmocka_unit_test(shared_objects),
    cmocka_unit_test(shared_objects_are_handed_over),
    cmocka_unit_test(a_fork_frees_nothing),
    cmocka_unit_test(guards),
    cmocka_unit_test(a_guard_tells_of_a_dead_owner),
    cmocka_unit_test(typed_messages),
    cmocka_unit_test(a_message_of_another_size_is_an_error),
    cmocka_unit_test(queues_move_and_refs_follow),
    cmocka_unit_test(leases_come_back),
    cmocka_unit_test(a_fork_releases_no_lock),
    cmocka_unit_test(what_is_moved_into_a_process_stays),
    cmocka_unit_test(processes),
    cmocka_unit_test(a_process_is_ended),
    cmocka_unit_test(threads),
    cmocka_unit_test(a_thread_is_not_ended_from_outside),
    cmocka_unit_test(a_closure_does_not_begin_anew),
    cmocka_unit_test(functions_run_at_exit),
    cmocka_unit_test(the_end_of_a_daemons_owner_ends_it),
    cmocka_unit_test(an_exception_ends_the_process),
    cmocka_unit_test(pools),
    cmocka_unit_test(a_task_may_throw),
};
TEST_MAIN(tests)
