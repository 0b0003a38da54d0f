/* plait/rlock.hpp - a lock that its holder may acquire again, for a scope.
 *
 * ```cpp
 * struct tree { plait::rlock lock; long nodes = 0; };
 *
 * int main()
 * {
 *     plait::shared<tree> tree;
 *     plait::rguard outer(tree->lock);
 *     plait::rguard inner(tree->lock, std::chrono::seconds(1));   // the same thread: no wait
 *     return inner && tree->lock.depth() == 2 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_RLOCK_HPP
#define PLAIT_RLOCK_HPP

#include <cstdint>
#include <type_traits>

#include <plait/rlock.h>
#include <plait/scoped.hpp>

namespace plait {

/* An rlock, to stand in a struct in shared memory, or anywhere for the threads of one process. */
class rlock {
public:
    constexpr rlock() noexcept : lock_{0, 0, 0} {}
    rlock(const rlock &) = delete;
    rlock &operator=(const rlock &) = delete;

    /* code() of the outcome is PLAIT_OWNER_DIED if the last holder was killed inside; the lock is yours all the same. */
    PLAIT_MUST_CHECK outcome acquire(deadline until = {}) { return detail::expected(plait_rlock_acquire(&lock_, until)); }
    void release() { detail::check(plait_rlock_release(&lock_)); }
    bool locked() const noexcept { return plait_rlock_locked(&lock_) == 1; }

    /* How often the calling thread has it. */
    std::int64_t depth() const noexcept { return plait_rlock_depth(&lock_); }
    plait_rlock *handle() noexcept { return &lock_; }

private:
    plait_rlock lock_;
};

static_assert(sizeof(rlock) == sizeof(plait_rlock) && std::is_standard_layout<rlock>::value, "C and C++ may share a struct");

/* Holds an rlock until the end of the scope. */
class rguard : public detail::scoped<plait_rlock, plait_rlock_acquire, plait_rlock_release> {
public:
    explicit rguard(rlock &lock, deadline until = {}) : scoped(*lock.handle(), until) {}
    explicit rguard(plait_rlock &lock, deadline until = {}) : scoped(lock, until) {}
};

}  // namespace plait

#endif
