/* plait/condition.hpp and barrier.hpp: what they add to the C calls. */
#include <chrono>
#include <csignal>
#include <memory>

#include <unistd.h>

#include "cpp.h"

using std::chrono::milliseconds;

/* ---- conditions ---- */

struct mailbox {
    plait::lock lock;
    plait::condition changed, with_lock;
    int letters = 0;
    mailbox() : with_lock(lock) {}
};

static void a_letter_is_waited_for(void **)
{
    plait::shared<mailbox> box;
    plait::process postman([&] {
        plait::condition_guard guard(box->changed);
        box->letters++;
        return box->changed.notify() <= 1 ? 0 : 1;
    });
    {
        plait::condition_guard guard(box->changed);
        assert_true(bool(box->changed.wait_for([&] { return box->letters > 0; })));
        assert_true(box->changed.wait(milliseconds(1)).timed_out());
        assert_true(box->changed.wait_for([] { return false; }, milliseconds(1)).timed_out());
        assert_int_equal(box->changed.notify_all(), 0);
    }
    postman.join();
    assert_int_equal(postman.exitcode(), 0);
    assert_int_equal(code_of([&] { box->changed.notify(); }), PLAIT_ENOTOWNER);
    assert_int_equal(code_of([&] { (void)bool(box->changed.wait()); }), PLAIT_ENOTOWNER);
}

static void a_lock_is_shared(void **)
{
    plait::shared<mailbox> box;
    plait::guard guard(box->lock);
    assert_true(box->with_lock.wait(plait::deadline::now()).timed_out());
    assert_int_equal(box->with_lock.notify_all(), 0);
    plait::lock private_lock;
    plait::shared<char[]> memory(sizeof(plait::condition));
    assert_int_equal(code_of([&] { new (memory.begin()) plait::condition(private_lock); }), -EINVAL);
    plait::rlock rlock;
    plait::condition local(rlock);
    plait::rguard holds(rlock);
    assert_int_equal(local.notify(), 0);
}

static void a_predicate_may_throw(void **)
{
    plait::condition local;
    try {
        plait::condition_guard guard(local);
        (void)bool(local.wait_for([]() -> bool { throw 1; }));
        fail();
    } catch (int) {
    }
    assert_int_equal(code_of([&] { local.release(); }), PLAIT_EUNLOCKED);
}

static void a_dead_owner_is_told(void **)
{
    plait::shared<mailbox> box;
    plait::process victim([&] {
        plait::condition_guard guard(box->changed);
        raise(SIGKILL);
    });
    victim.join();
    assert_true(plait::condition_guard(box->changed).owner_died());
    assert_false(plait::condition_guard(box->changed).owner_died());
}

/* ---- barriers ---- */

static int count(void *argument)
{
    ++*static_cast<int *>(argument);
    return 0;
}

static void parties_meet(void **)
{
    plait::shared<int> acted;
    plait::barrier barrier(2, count, acted.get());
    assert_int_equal(barrier.parties(), 2);
    for (int i = 1; i <= 3; i++) {
        plait::process other([&] { return int(barrier.wait().code()); });
        const plait::outcome met = barrier.wait();
        other.join();
        assert_true(bool(met) && met.code() + other.exitcode() == 1);
        assert_int_equal(*acted, i);
    }
    assert_true(barrier.wait(milliseconds(1)).timed_out());
    assert_true(barrier.broken() && barrier.wait().broken());
    barrier.reset();
    assert_int_equal(barrier.n_waiting(), 0);
    barrier.abort();
    assert_true(plait::barrier_ref(barrier).broken());
    plait::barrier moved(std::move(barrier)), one(1);
    assert_null(barrier.handle());
    one = std::move(moved);
    assert_int_equal(one.parties(), 2);
    assert_int_equal(code_of([] { plait::barrier none(0); }), -EINVAL);
}

static void the_end_of_a_named_party_is_told(void **)
{
    plait::barrier barrier(2);
    plait::process other([&] { barrier.join(); });
    other.join();
    assert_true(barrier.wait().broken());
    barrier.reset();
    barrier.join();
    barrier.leave();
    assert_int_equal(code_of([&] { barrier.leave(); }), -ENOENT);
    plait::barrier failing(1, [](void *) { return -EIO; });
    assert_int_equal(code_of([&] { (void)bool(failing.wait()); }), -EIO);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_letter_is_waited_for),
    cmocka_unit_test(a_lock_is_shared),
    cmocka_unit_test(a_predicate_may_throw),
    cmocka_unit_test(a_dead_owner_is_told),
    cmocka_unit_test(parties_meet),
    cmocka_unit_test(the_end_of_a_named_party_is_told),
};

TEST_MAIN(tests)
