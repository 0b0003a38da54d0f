/* plait/block.hpp, and giving and taking in plait/queue.hpp: whose the block is at each time; and plait/arena.hpp. */
#include <numeric>
#include <thread>

#include "cpp.h"

using std::chrono::milliseconds;

static bool is_live(const void *block)
{
    return plait_block_size(block) > 0;
}

/* ---- arrays ---- */

static void blocks_are_arrays(void **)
{
    plait::block<int> none, numbers(1000, 7), empty(0), copy = plait::block<int>::copy_of(std::vector<int>{ 1, 2, 3 });
    assert_true(!none && none.empty() && none.begin() == none.end());
    assert_true(bool(empty) && empty.empty() && is_live(empty.data()));
    assert_true(bool(numbers) && plait_is_shared(numbers.data()));
    assert_int_equal(std::accumulate(numbers.begin(), numbers.end(), 0), 7000);
    assert_true(copy.size() == 3 && copy[2] == 3);
    numbers.shrink(10);
    numbers.shrink(20);
    assert_int_equal(numbers.size(), 10);
    const plait::block<char> text = plait::block<char>::copy_of(std::string("hello"));
    assert_memory_equal(text.data(), "hello", text.size());
    assert_int_equal(plait::block<char>::copy_of(std::string()).size(), 0);
    assert_int_equal(code_of([] { plait::block<long> huge(SIZE_MAX / 2); }), -ENOMEM);
    assert_int_equal(plait::arena::stats().owned_blocks, figures_before().owned_blocks + 4);
}

static void blocks_move(void **)
{
    plait::block<int> first(5, 1), second(3, 2);
    int *const one = first.data(), *const two = second.data();
    plait::block<int> third(std::move(first));
    assert_true(!first && first.empty());
    assert_true(third.data() == one && third.size() == 5);
    third = std::move(second);
    assert_true(third.data() == two && third.size() == 3);
    third = plait::block<int>();
    assert_false(is_live(two));

    plait::block<int> released(4, 9);
    int *const address = released.release();
    assert_true(!released && is_live(address));
    const plait::block<int> adopted = plait::block<int>::adopt(address, 4);
    assert_int_equal(adopted[3], 9);
}

static void shared_arrays_move_and_are_handed_over(void **)
{
    plait::shared<int[]> first(10), second(3);
    first[9] = 5;
    second = std::move(first);
    assert_int_equal(second[9], 5);
    plait::shared<int[]> third(std::move(second));
    assert_true(!second && second.empty() && third.size() == 10);
    int *const address = third.release();
    assert_true(third.begin() == third.end());
    assert_int_equal(plait::shared<int[]>::adopt(address, 10)[9], 5);
    assert_false(is_live(address));
}

/* ---- from hand to hand ---- */

static void a_block_goes_to_another_process_and_back(void **)
{
    plait::queue there, back;
    plait::process child([&] {
        plait::block<double> samples;
        if (!there.take(samples)) return 1;
        for (double &sample : samples) sample *= 2;
        return back.give(std::move(samples)) && !samples ? 0 : 2;
    });
    plait::block<double> samples(100000, 1.5), result;
    const double *const address = samples.data();
    assert_true(bool(there.give(std::move(samples))));
    assert_true(!samples && samples.empty());
    const plait::outcome got = back.take(result);
    assert_int_equal(got.code(), 100000 * sizeof(double));
    assert_ptr_equal(result.data(), address);
    assert_true(result.size() == 100000 && result[99999] == 3);
    child.join();
    assert_int_equal(child.exitcode(), 0);
}

static void only_what_is_meant_is_sent(void **)
{
    plait::queue queue;
    plait::block<int> numbers(1000, 4);
    numbers.shrink(2);
    assert_true(bool(queue.give(std::move(numbers))));
    std::vector<int> got;
    assert_true(bool(queue.get(got)));                     /* given, and got with a copy */
    assert_true(got == (std::vector<int>{ 4, 4 }));
    assert_true(queue.give(plait::block<int>(0)) && queue.put(3));
    assert_true(queue.take(numbers) && bool(numbers) && numbers.empty());
    assert_true(queue.take(numbers) && numbers.size() == 1 && numbers[0] == 3);   /* put, and taken in a block */
}

static void a_failing_give_keeps_the_block(void **)
{
    plait_queue_options options{};
    options.maxsize = 1;
    plait::queue queue(options);
    plait::block<int> numbers(10, 3);
    const int *const address = numbers.data();
    assert_true(bool(queue.put(1)));
    assert_true(queue.give(std::move(numbers), milliseconds(1)).timed_out());
    assert_true(numbers.data() == address && numbers.size() == 10 && is_live(address));
    std::thread([&] {
        assert_int_equal(code_of([&] { (void)bool(queue.give(std::move(numbers))); }), -EPERM);
    }).join();
    queue.close();
    assert_true(queue.give(std::move(numbers)).closed());
    assert_true(numbers.data() == address && numbers[9] == 3 && is_live(address));
    numbers = plait::block<int>();
    assert_false(is_live(address));
    assert_int_equal(code_of([&] { (void)bool(queue.give(std::move(numbers))); }), PLAIT_ENOTOURS);
}

static void what_was_not_taken_changes_nothing(void **)
{
    plait::queue queue;
    plait::block<int> numbers(10, 3);
    const int *const address = numbers.data();
    assert_true(queue.take(numbers, plait::deadline::now()).timed_out());
    assert_true(bool(queue.put(std::string("seven b"))));
    assert_int_equal(code_of([&] { (void)bool(queue.take(numbers)); }), -EBADMSG);
    assert_int_equal(queue.qsize(), 0);
    assert_true(numbers.data() == address && numbers[9] == 3);
    queue.close();
    assert_true(queue.take(numbers).closed());
    assert_ptr_equal(numbers.data(), address);
}

/* ---- whose they are ---- */

static void a_block_ends_with_its_thread_unless_it_is_shared(void **)
{
    int *lost = nullptr;
    plait::shared<int[]> kept(0);
    std::thread([&] {
        lost = plait::block<int>(5, 1).release();
        kept = plait::share(plait::block<int>(6, 2));
    }).join();
    test_until([](void *block) { return !is_live(block); }, lost);
    assert_true(kept.size() == 6 && kept[5] == 2);
    plait::block<int> none;
    assert_int_equal(code_of([&] { plait::share(std::move(none)); }), PLAIT_ENOTOURS);
}

static void another_thread_may_free_a_block(void **)
{
    plait::block<int> numbers(5, 1);
    const int *const address = numbers.data();
    std::thread([&] { plait::block<int> here(std::move(numbers)); }).join();
    assert_false(is_live(address));
}

static void a_fork_frees_no_block(void **)
{
    plait::block<int> numbers(5, 1);
    const int result = raw_fork([&] {
        { plait::block<int> copy(std::move(numbers)); }
        { plait::block<int> own(3, 2); }                   /* is a member by now, and yet another process */
        plait::block<int> later = plait::block<int>();
        return 0;
    });
    assert_int_equal(result, 0);
    assert_true(is_live(numbers.data()) && numbers[4] == 1);
    const int sharing = raw_fork([&] { return code_of([&] { plait::share(std::move(numbers)); }) == -EPERM && numbers ? 0 : 1; });
    assert_int_equal(sharing, 0);
    const int joined = raw_fork([&] {
        plait::block<int> own(3, 2);
        plait::block<int> copy(std::move(numbers));
        return 0;
    });
    assert_int_equal(joined, 0);
    assert_true(is_live(numbers.data()));
}

/* ---- the memory as a whole ---- */

static void the_memory_is_counted(void **)
{
    const plait::arena::figures before = plait::arena::stats();
    const plait::block<char> mine(1000);
    const plait::shared<char[]> everybodys(2000);
    const plait::arena::figures now = plait::arena::stats();
    assert_int_equal(now.owned_blocks, before.owned_blocks + 1);
    assert_int_equal(now.shared_blocks, before.shared_blocks + 1);
    assert_int_equal(now.leaked, 0);
    const std::vector<plait::arena::member> members = plait::arena::members();
    assert_int_equal(members.size(), now.members);
    std::uint64_t owned = 0;
    for (const plait::arena::member &member : members)
        if (member.tid == gettid()) owned = member.owned;
    assert_true(owned >= 1000);
}

static void the_memory_is_limited(void **)
{
    const plait::arena::figures before = plait::arena::stats();
    plait::arena::trim();
    plait::arena::set_limit(plait::arena::stats().used + (1 << 20));
    assert_int_equal(code_of([] { plait::block<char> large(8 << 20); }), -ENOMEM);
    plait::arena::set_limit(before.limit);
    assert_int_equal(plait::block<char>(8 << 20).size(), 8 << 20);
    assert_int_equal(code_of([] { plait::arena::set_limit(0); }), -EINVAL);
}

static const struct CMUnitTest tests[] = {
    LEAVES_NOTHING(blocks_are_arrays),
    LEAVES_NOTHING(blocks_move),
    LEAVES_NOTHING(shared_arrays_move_and_are_handed_over),
    LEAVES_NOTHING(a_block_goes_to_another_process_and_back),
    LEAVES_NOTHING(only_what_is_meant_is_sent),
    LEAVES_NOTHING(a_failing_give_keeps_the_block),
    LEAVES_NOTHING(what_was_not_taken_changes_nothing),
    LEAVES_NOTHING(a_block_ends_with_its_thread_unless_it_is_shared),
    LEAVES_NOTHING(another_thread_may_free_a_block),
    LEAVES_NOTHING(a_fork_frees_no_block),
    LEAVES_NOTHING(the_memory_is_counted),
    LEAVES_NOTHING(the_memory_is_limited),
};
TEST_MAIN(tests)
