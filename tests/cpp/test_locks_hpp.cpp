/* plait/rlock.hpp and rwlock.hpp: held for a scope, by whom, and what a fork's copy does not do. */
#include <chrono>
#include <csignal>
#include <memory>

#include <unistd.h>

#include "cpp.h"

using std::chrono::milliseconds;

struct tree {
    plait::rlock lock;
    long nodes = 0;
};

static void an_rlock_is_held_again_and_again(void **)
{
    plait::shared<tree> tree;
    {
        plait::rguard outer(tree->lock);
        plait::rguard inner(*tree->lock.handle(), milliseconds(1));
        assert_true(bool(outer) && bool(inner) && tree->lock.depth() == 2);
        inner.release();
        assert_int_equal(tree->lock.depth(), 1);
        assert_true(bool(tree->lock.acquire()));
        tree->lock.release();
    }
    assert_false(tree->lock.locked());
    assert_int_equal(code_of([&] { tree->lock.release(); }), PLAIT_EUNLOCKED);
}

static void an_rguard_tells_of_a_dead_owner_and_times_out(void **)
{
    plait::shared<tree> tree;
    plait::process victim([&] {
        plait::rguard guard(tree->lock);
        raise(SIGKILL);
        return 0;
    });
    victim.join();
    {
        plait::rguard guard(tree->lock);
        assert_true(guard.owner_died());
        plait::process other([&] { return plait::rguard(tree->lock, plait::deadline::now()).timed_out() ? 0 : 1; });
        other.join();
        assert_int_equal(other.exitcode(), 0);
    }
    assert_false(plait::rguard(tree->lock).owner_died());
}

static void many_read_and_one_writes(void **)
{
    plait::rwlock lock(4);
    {
        plait::read_guard first(lock), second(lock);
        assert_int_equal(lock.readers(), 2);
        plait::process writer([&] { return plait::write_guard(lock, milliseconds(1)).timed_out() ? 0 : 1; });
        writer.join();
        assert_int_equal(writer.exitcode(), 0);
    }
    plait::write_guard writing(lock);
    assert_true(lock.has_writer() && lock.readers() == 0);
    writing.release();
    assert_true(!lock.has_writer() && lock.readers() == 0);
    plait::rwlock moved(std::move(lock));
    assert_true(lock.handle() == nullptr && moved.readers() == 0);
    plait::rwlock other;
    other = std::move(moved);
    assert_int_equal(plait::rwlock_ref(other).readers(), 0);
    assert_int_equal(code_of([] { plait::rwlock bad(-1); }), -EINVAL);
}

static void a_fork_releases_nothing(void **)
{
    plait::shared<tree> tree;
    plait::rwlock lock;
    std::unique_ptr<plait::rguard> guard(new plait::rguard(tree->lock));
    std::unique_ptr<plait::write_guard> writing(new plait::write_guard(lock));
    assert_int_equal(raw_fork([&] { guard.reset(); writing.reset(); return 0; }), 0);
    assert_int_equal(tree->lock.depth(), 1);
    assert_true(lock.has_writer() && lock.readers() == 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_rlock_is_held_again_and_again),
    cmocka_unit_test(an_rguard_tells_of_a_dead_owner_and_times_out),
    cmocka_unit_test(many_read_and_one_writes),
    cmocka_unit_test(a_fork_releases_nothing),
};

TEST_MAIN(tests)
