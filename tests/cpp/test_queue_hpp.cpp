/* plait/queue.hpp: orders, batches, a look at the first, and arrays as messages. */
#include "cpp.h"

using std::chrono::milliseconds;

template <class T> static T next_of(const plait::queue_ref &queue)
{
    T got{};
    assert_true(bool(queue.get(got, plait::deadline::now())));
    return got;
}

/* ---- orders ---- */

static void unbounded_queues_wait_for_nobody(void **)
{
    plait::queue queue = plait::queue::unbounded();
    const std::vector<char> large(5000, 'x');
    for (int i = 0; i < 1000; i++) assert_true(bool(queue.put(large, plait::deadline::now())));
    assert_int_equal(queue.qsize(), 1000);
    for (int i = 0; i < 1000; i++) assert_true(next_of<std::vector<char>>(queue) == large);

    plait::queue bounded = plait::queue::unbounded(2);
    assert_true(bounded.put(1) && bounded.put(2));
    assert_true(bounded.put(3, milliseconds(1)).timed_out());
    assert_int_equal(next_of<int>(bounded), 1);
}

static void a_stack_gives_the_youngest(void **)
{
    plait::queue stack = plait::queue::lifo(3);
    assert_true(stack.put(1) && stack.put(2) && stack.put(3));
    assert_true(stack.put(4, plait::deadline::now()).timed_out());
    for (int i = 3; i > 0; i--) assert_int_equal(next_of<int>(stack), i);
    assert_int_equal(code_of([&] { (void)bool(stack.put_priority(1, 5)); }), -EINVAL);
    assert_true(bool(stack.put_priority(0, 5)));
}

static void the_lowest_priority_comes_first(void **)
{
    plait::queue queue = plait::queue::by_priority();
    assert_true(queue.put_priority(5, std::string("late")) && queue.put_priority(-5, std::string("first")));
    assert_true(queue.put(std::string("second")) && queue.put_priority(0, std::string("third")));
    plait::block<char> given = plait::block<char>::copy_of(std::string("fourth"));
    assert_true(bool(queue.give(std::move(given))));
    for (const char *text : { "first", "second", "third", "fourth", "late" })
        assert_string_equal(next_of<std::string>(queue).c_str(), text);
    queue.close();
    assert_true(queue.put_priority(1, 2).closed());
}

/* ---- tasks ---- */

static void tasks_are_joined_when_they_are_done(void **)
{
    plait::queue tasks = plait::queue::joinable();
    assert_true(tasks.join() && tasks.empty() && !tasks.full());
    assert_true(tasks.put(1) && tasks.put(2) && !tasks.empty());
    assert_true(tasks.join(plait::deadline::now()).timed_out());
    assert_int_equal(next_of<int>(tasks), 1);
    tasks.task_done();
    assert_int_equal(code_of([&] { tasks.task_done(); }), PLAIT_ENOLEASE);
    assert_true(tasks.join(milliseconds(1)).timed_out());
    plait::lease lease;
    int task = 0;
    assert_true(bool(tasks.get(task, lease)));
    lease.ack();
    assert_true(bool(tasks.join()));
    assert_true(plait::queue::joinable(1).put(1) && plait::queue().put(1));
    assert_int_equal(code_of([&] { (void)bool(plait::queue().join()); }), -EINVAL);
}

static void a_full_queue_says_so(void **)
{
    plait::queue queue = plait::queue::joinable(1);
    assert_true(queue.put(1) && queue.full());
    assert_true(queue.put(2, plait::deadline::now()).timed_out());
}

/* ---- arrays and a look at the first ---- */

static void arrays_are_messages(void **)
{
    plait::queue queue;
    const std::vector<int> three{ 1, 2, 3 }, none;
    assert_true(queue.put(three) && queue.put(none) && queue.put(std::string("seven b")));
    std::vector<int> got{ 9 };
    assert_true(queue.get(got) && got == three);
    assert_true(queue.get(got) && got.empty());
    assert_int_equal(queue.next_size().code(), 7);
    assert_int_equal(code_of([&] { (void)bool(queue.peek(got)); }), -EBADMSG);
    assert_int_equal(queue.qsize(), 1);
    assert_int_equal(code_of([&] { (void)bool(queue.get(got)); }), -EBADMSG);
    assert_true(queue.next_size(plait::deadline::now()).timed_out());
    assert_true(queue.get(got, milliseconds(1)).timed_out());
}

static void the_first_is_looked_at(void **)
{
    plait::queue queue;
    short two = 0;
    int four = 0;
    long eight = 0;
    char bytes[4];
    std::string text;
    assert_true(queue.peek(four, plait::deadline::now()).timed_out());
    assert_true(queue.put(42) && queue.put(std::string("hello")));
    assert_true(queue.peek(four) && four == 42);
    assert_int_equal(code_of([&] { (void)bool(queue.peek(two)); }), -EMSGSIZE);
    assert_int_equal(code_of([&] { (void)bool(queue.peek(eight)); }), -EBADMSG);
    assert_int_equal(queue.peek_bytes(bytes, sizeof bytes).code(), sizeof bytes);
    assert_int_equal(queue.qsize(), 2);
    assert_int_equal(next_of<int>(queue), 42);
    assert_true(queue.peek(text) && text == "hello");
    assert_true(next_of<std::string>(queue) == "hello");
    queue.close();
    assert_true(queue.peek(text).closed() && queue.next_size().closed());
}

static void texts_are_leased(void **)
{
    plait_queue_options options{};
    options.leases = 1;
    plait::queue queue(options);
    std::string text;
    assert_true(bool(queue.put(std::string("a task"))));
    {
        plait::lease lease;
        assert_true(queue.get(text, lease) && text == "a task");
    }
    plait::lease lease;
    text.clear();
    assert_true(queue.get(text, lease) && text == "a task" && lease.attempts() == 1);
    lease.ack();
}

/* ---- batches ---- */

static std::vector<int> numbers_up_to(int n)
{
    std::vector<int> numbers;
    for (int i = 0; i < n; i++) numbers.push_back(i);
    return numbers;
}

static void batches(void **)
{
    for (const bool unbounded : { false, true }) {
        plait::queue queue = unbounded ? plait::queue::unbounded() : plait::queue();
        const std::vector<int> numbers = numbers_up_to(1000);
        const plait::batch put = queue.put_many(numbers);
        assert_true(bool(put) && put.count() == 1000);
        assert_true(bool(queue.put_many(numbers.data(), 0)));
        std::vector<int> all, some;
        while (all.size() < 1000) {
            const plait::batch got = queue.get_many(some, 300);
            assert_true(bool(got) && got.count() == some.size() && got.count() > 0 && got.count() <= 300);
            all.insert(all.end(), some.begin(), some.end());
        }
        assert_true(all == numbers);
        const plait::batch late = queue.get_many(some, 10, milliseconds(1));
        assert_true(!late && late.timed_out() && late.count() == 0 && some.empty());
    }
}

static void a_batch_that_does_not_fit_says_how_far_it_came(void **)
{
    plait::queue queue = plait::queue::unbounded(5);
    const std::vector<int> numbers = numbers_up_to(8);
    const plait::batch put = queue.put_many(numbers, milliseconds(1));
    assert_true(!put && put.timed_out() && put.count() == 5);
    int got[8];
    assert_int_equal(queue.get_many(got, 8).count(), 5);
    assert_int_equal(got[4], 4);
    queue.close();
    const plait::batch closed = queue.put_many(numbers);
    assert_true(!closed && closed.closed() && closed.count() == 0);
    assert_true(queue.get_many(got, 8).closed());
    assert_int_equal(code_of([&] { (void)queue.get_many(got, 0).count(); }), -EINVAL);
    assert_int_equal(code_of([&] { (void)plait::queue_ref().put_many(numbers).count(); }), -EINVAL);
}

static void a_batch_has_messages_of_one_size(void **)
{
    plait::queue queue;
    int got[4];
    assert_true(queue.put(1) && queue.put(2) && queue.put(3L));
    const plait::batch two = queue.get_many(got, 4);
    assert_true(two.count() == 2 && got[1] == 2);          /* the longer one stays */
    assert_int_equal(code_of([&] { (void)queue.get_many(got, 4).count(); }), -EMSGSIZE);
    assert_int_equal(next_of<long>(queue), 3);
    assert_true(queue.put(1) && queue.put('c'));
    assert_int_equal(code_of([&] { (void)queue.get_many(got, 4).count(); }), -EBADMSG);
    assert_int_equal(queue.qsize(), 0);
}

static const struct CMUnitTest tests[] = {
    LEAVES_NOTHING(unbounded_queues_wait_for_nobody),
    LEAVES_NOTHING(tasks_are_joined_when_they_are_done),
    LEAVES_NOTHING(a_full_queue_says_so),
    LEAVES_NOTHING(a_stack_gives_the_youngest),
    LEAVES_NOTHING(the_lowest_priority_comes_first),
    LEAVES_NOTHING(arrays_are_messages),
    LEAVES_NOTHING(the_first_is_looked_at),
    LEAVES_NOTHING(texts_are_leased),
    LEAVES_NOTHING(batches),
    LEAVES_NOTHING(a_batch_that_does_not_fit_says_how_far_it_came),
    LEAVES_NOTHING(a_batch_has_messages_of_one_size),
};
TEST_MAIN(tests)
