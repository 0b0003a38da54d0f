/* plait/condition.hpp - sleep until something has changed, with a lock around what changes.
 *
 * ```cpp
 * struct mailbox { plait::condition changed; int letters = 0; };
 *
 * int main()
 * {
 *     plait::shared<mailbox> mailbox;
 *     plait::process postman([&] {
 *         plait::condition_guard guard(mailbox->changed);
 *         mailbox->letters++;
 *         mailbox->changed.notify();
 *     });
 *     plait::condition_guard guard(mailbox->changed);
 *     auto got = mailbox->changed.wait_for([&] { return mailbox->letters > 0; }, std::chrono::seconds(60));
 *     if (got.timed_out()) return 1;
 *     if (got.code() == PLAIT_OWNER_DIED) return 1;              // the lock's last holder was killed: check what it left
 *     return mailbox->letters == 1 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_CONDITION_HPP
#define PLAIT_CONDITION_HPP

#include <type_traits>

#include <plait/condition.h>
#include <plait/lock.hpp>
#include <plait/rlock.hpp>
#include <plait/scoped.hpp>

namespace plait {

/* A condition with an rlock of its own, or with a lock that several share; to stand in a struct in shared memory, or anywhere for
 * the threads of one process. */
class condition {
public:
    constexpr condition() noexcept : condition_{} {}
    explicit condition(lock &with) : condition_{} { init(with.handle(), nullptr); }
    explicit condition(rlock &with) : condition_{} { init(nullptr, with.handle()); }
    condition(const condition &) = delete;
    condition &operator=(const condition &) = delete;

    /* Its lock.  code() of the outcome is PLAIT_OWNER_DIED if the last holder was killed inside; the lock is yours all the same. */
    PLAIT_MUST_CHECK outcome acquire(deadline until = {}) { return detail::expected(plait_condition_acquire(&condition_, until)); }
    void release() { detail::check(plait_condition_release(&condition_)); }

    /* With the lock held, before and after.  True: look whether it is as you want; or it timed out. */
    PLAIT_MUST_CHECK outcome wait(deadline until = {}) { return detail::expected(plait_condition_wait(&condition_, until)); }

    /* Until predicate() is true; but at once when the lock's last holder was killed: code() is PLAIT_OWNER_DIED then. */
    template <class Predicate> PLAIT_MUST_CHECK outcome wait_for(Predicate predicate, deadline until = {})
    {
        while (!predicate()) {
            const outcome got = wait(until);
            if (got.timed_out() && predicate()) break;
            if (got.code() != 0) return got;
        }
        return outcome(0);
    }

    /* With the lock held.  How many it woke. */
    int notify(int n = 1) { return detail::check(plait_condition_notify(&condition_, n)); }
    int notify_all() { return detail::check(plait_condition_notify_all(&condition_)); }
    plait_condition *handle() noexcept { return &condition_; }

private:
    void init(plait_lock *lock, plait_rlock *rlock)
    {
        plait_condition_options options = {};
        options.lock = lock;
        options.rlock = rlock;
        detail::check(plait_condition_init(&condition_, &options));
    }
    plait_condition condition_;
};

static_assert(sizeof(condition) == sizeof(plait_condition) && std::is_standard_layout<condition>::value,
              "C and C++ may share a struct");

/* Holds a condition's lock until the end of the scope. */
class condition_guard : public detail::scoped<plait_condition, plait_condition_acquire, plait_condition_release> {
public:
    explicit condition_guard(condition &of, deadline until = {}) : scoped(*of.handle(), until) {}
    explicit condition_guard(plait_condition &of, deadline until = {}) : scoped(of, until) {}
};

}  // namespace plait

#endif
