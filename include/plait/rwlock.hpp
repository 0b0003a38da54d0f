/* plait/rwlock.hpp - many readers or one writer, for a scope.
 *
 * ```cpp
 * int main()
 * {
 *     plait::rwlock lock;
 *     {
 *         plait::read_guard first(lock), second(lock);
 *         if (lock.readers() != 2) return 1;
 *     }
 *     plait::write_guard writing(lock, std::chrono::seconds(1));
 *     if (writing.owner_died()) return 2;                         // check what a killed writer has left
 *     return writing && lock.has_writer() ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_RWLOCK_HPP
#define PLAIT_RWLOCK_HPP

#include <plait/owned.hpp>
#include <plait/rwlock.h>
#include <plait/scoped.hpp>

namespace plait {

/* An rwlock that somebody else owns: small, may be copied, kept in shared memory and sent. */
class rwlock_ref {
public:
    rwlock_ref() noexcept = default;
    explicit rwlock_ref(plait_rwlock *lock) noexcept : lock_(lock) {}
    plait_rwlock *handle() const noexcept { return lock_; }

    /* How many read; whether somebody writes.  Only a momentary picture. */
    int readers() const { return detail::check(plait_rwlock_readers(lock_)); }
    bool has_writer() const { return detail::check(plait_rwlock_has_writer(lock_)) == 1; }

protected:
    plait_rwlock *lock_ = nullptr;
};

/* An rwlock in shared memory and its owner, who outlives all its users. */
class rwlock : public rwlock_ref {
public:
    /* readers: how many may read at once; 0: 64. */
    explicit rwlock(int readers = 0) : rwlock(detail::check_made(make(readers))) {}
    rwlock(rwlock &&other) noexcept : rwlock_ref(other.lock_), owned_(std::move(other.owned_)) { other.lock_ = nullptr; }
    rwlock &operator=(rwlock &&other) noexcept
    {
        std::swap(lock_, other.lock_);
        owned_ = std::move(other.owned_);
        return *this;
    }
    ~rwlock()
    {
        if (owned_.is_mine()) plait_rwlock_free(owned_.release());
    }

private:
    explicit rwlock(plait_rwlock *lock) : rwlock_ref(lock), owned_(lock) {}
    static plait_rwlock *make(int readers)
    {
        plait_rwlock_options options = {};
        options.readers = readers;
        return plait_rwlock_new(&options);
    }
    detail::owned<plait_rwlock> owned_;
};

/* Read, or write, until the end of the scope. */
class read_guard : public detail::scoped<plait_rwlock, plait_rwlock_acquire_read, plait_rwlock_release> {
public:
    explicit read_guard(rwlock_ref lock, deadline until = {}) : scoped(*lock.handle(), until) {}
};

class write_guard : public detail::scoped<plait_rwlock, plait_rwlock_acquire_write, plait_rwlock_release> {
public:
    explicit write_guard(rwlock_ref lock, deadline until = {}) : scoped(*lock.handle(), until) {}
};

}  // namespace plait

#endif
