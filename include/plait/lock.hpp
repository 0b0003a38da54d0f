/* plait/lock.hpp - mutual exclusion between threads and processes, for a scope.
 *
 * ```cpp
 * struct account { plait::lock lock; long balance = 0; };
 *
 * int main()
 * {
 *     plait::shared<account> account;
 *     plait::guard guard(account->lock, std::chrono::seconds(1));
 *     if (!guard) return 1;                                      // timed out: plait_error_detail() names the holder
 *     if (guard.owner_died()) account->balance = 0;              // the last holder was killed in here: check what it left
 *     account->balance += 10;
 *     return 0;
 * }
 * ```
 */
#ifndef PLAIT_LOCK_HPP
#define PLAIT_LOCK_HPP

#include <type_traits>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/lock.h>
#include <plait/scoped.hpp>

namespace plait {

/* A lock, to stand in a struct in shared memory, or anywhere for the threads of one process.  It has not the names that
 * std::lock_guard wants: that one would pass over the death of an owner. */
class lock {
public:
    constexpr lock() noexcept : lock_{0, 0} {}
    lock(const lock &) = delete;
    lock &operator=(const lock &) = delete;

    /* code() of the outcome is PLAIT_OWNER_DIED if the last holder was killed inside; the lock is yours all the same. */
    PLAIT_MUST_CHECK outcome acquire(deadline until = {}) { return detail::expected(plait_lock_acquire(&lock_, until)); }
    void release() { detail::check(plait_lock_release(&lock_)); }
    void disown() { detail::check(plait_lock_disown(&lock_)); }
    bool locked() const noexcept { return plait_lock_locked(&lock_) == 1; }
    plait_lock *handle() noexcept { return &lock_; }

private:
    plait_lock lock_;
};

static_assert(sizeof(lock) == sizeof(plait_lock) && std::is_standard_layout<lock>::value, "C and C++ may share a struct");

/* Holds a lock until the end of the scope. */
class guard : public detail::scoped<plait_lock, plait_lock_acquire, plait_lock_release> {
public:
    explicit guard(lock &lock, deadline until = {}) : scoped(*lock.handle(), until) {}
    explicit guard(plait_lock &lock, deadline until = {}) : scoped(lock, until) {}
};

}  // namespace plait

#endif
