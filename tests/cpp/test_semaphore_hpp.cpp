/* include/plait/semaphore.hpp, event.hpp: what they add to the C calls, which have tests of their own. */
#include <csignal>

#include "cpp.h"

using std::chrono::milliseconds;

static void permits(void **)
{
    plait::semaphore semaphore(2);
    {
        plait::permit one(semaphore);
        assert_true(bool(one) && !one.owner_died());
        plait::permit other(semaphore, milliseconds(1));
        assert_true(bool(other));
        assert_int_equal(semaphore.value(), 0);
        plait::permit third(semaphore, plait::deadline::now());
        assert_true(!third && third.timed_out());
        other.release();
        assert_int_equal(semaphore.value(), 1);
    }
    assert_int_equal(semaphore.value(), 2);
    semaphore.release(3);
    assert_int_equal(semaphore.value(), 5);
}

static void misuse_is_thrown(void **)
{
    assert_int_equal(code_of([] { plait::semaphore(-1); }), -EINVAL);
    assert_int_equal(code_of([] { plait::semaphore::owned(0); }), -EINVAL);
    plait::semaphore bounded = plait::semaphore::bounded(1), owned = plait::semaphore::owned(1);
    assert_int_equal(code_of([&] { bounded.release(); }), PLAIT_EUNLOCKED);
    assert_int_equal(code_of([&] { owned.release(); }), PLAIT_ENOTOWNER);
    assert_int_equal(code_of([] { plait::semaphore_ref().value(); }), -EINVAL);
}

static void a_permit_of_the_dead_comes_back(void **)
{
    plait::semaphore semaphore = plait::semaphore::owned(1);
    plait::process child([&] {
        plait::permit permit(semaphore);
        std::raise(SIGKILL);
    });
    child.join();
    plait::permit first(semaphore);
    assert_true(bool(first) && first.owner_died());
    first.release();
    assert_false(plait::permit(semaphore).owner_died());
}

static void a_fork_releases_nothing(void **)
{
    plait::semaphore semaphore(1);
    {
        plait::permit permit(semaphore);
        assert_int_equal(raw_fork([] { return 0; }), 0);
        assert_int_equal(semaphore.value(), 0);
    }
    assert_int_equal(semaphore.value(), 1);
}

static void owners_move(void **)
{
    plait::semaphore one(1), other(2);
    plait::semaphore moved(std::move(one));
    assert_int_equal(moved.value(), 1);
    assert_null(one.handle());
    moved = std::move(other);
    assert_int_equal(moved.value(), 2);
    plait_semaphore inside = {};
    plait::semaphore_ref ref(&inside);
    ref.release();
    assert_true(bool(ref.acquire()));
    assert_true(ref.acquire(plait::deadline::now()).timed_out());
}

static void events(void **)
{
    plait::shared<plait::event> event;
    plait::process child([&] { return bool(event->wait()) ? 0 : 1; });
    assert_false(event->is_set());
    assert_true(event->wait(milliseconds(1)).timed_out());
    event->set();
    assert_true(event->is_set() && bool(event->wait()));
    child.join();
    assert_int_equal(child.exitcode(), 0);
    event->clear();
    assert_true(event->wait(plait::deadline::now()).timed_out());
}

static const struct CMUnitTest tests[] = {
    LEAVES_NOTHING(permits),
    LEAVES_NOTHING(misuse_is_thrown),
    LEAVES_NOTHING(a_permit_of_the_dead_comes_back),
    LEAVES_NOTHING(a_fork_releases_nothing),
    LEAVES_NOTHING(owners_move),
    LEAVES_NOTHING(events),
};

TEST_MAIN(tests)
