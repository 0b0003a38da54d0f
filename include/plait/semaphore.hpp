/* plait/semaphore.hpp - so many permits, held for a scope or counted.
 *
 * ```cpp
 * int main()
 * {
 *     plait::semaphore printers = plait::semaphore::owned(3);        // three at a time; those of the dead come back
 *     plait::process child([&] {
 *         plait::permit permit(printers);
 *         return permit.owner_died() ? 1 : 0;
 *     });
 *     {
 *         plait::permit permit(printers, std::chrono::seconds(1));
 *         if (!permit) return 1;                                     // timed out: plait_error_detail() names the holders
 *     }
 *     child.join();
 *     return printers.value() == 3 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_SEMAPHORE_HPP
#define PLAIT_SEMAPHORE_HPP

#include <cstdint>
#include <utility>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>
#include <plait/semaphore.h>

namespace plait {

/* A semaphore that somebody else owns, also one inside a struct of C: small, may be copied. */
class semaphore_ref {
public:
    semaphore_ref() noexcept = default;
    explicit semaphore_ref(plait_semaphore *semaphore) noexcept : semaphore_(semaphore) {}
    plait_semaphore *handle() const noexcept { return semaphore_; }

    /* code() of the outcome is PLAIT_OWNER_DIED if the last holder of this permit was killed; the permit is yours all the same. */
    PLAIT_MUST_CHECK outcome acquire(deadline until = {}) const
    {
        return detail::expected(plait_semaphore_acquire(semaphore_, until));
    }
    void release(std::uint32_t count = 1) const { detail::check(plait_semaphore_release_many(semaphore_, count)); }

    /* How many permits there are now; only a momentary picture. */
    int value() const { return detail::check(plait_semaphore_get_value(semaphore_)); }

protected:
    plait_semaphore *semaphore_ = nullptr;
};

/* A semaphore in shared memory and its owner, who outlives all its users. */
class semaphore : public semaphore_ref {
public:
    explicit semaphore(int value) : semaphore(detail::check_made(plait_semaphore_new(value))) {}

    /* One that can not be released more often than acquired; one whose permits know their holders, and come back when those end. */
    static semaphore bounded(int value) { return semaphore(detail::check_made(plait_bounded_semaphore_new(value))); }
    static semaphore owned(int permits) { return semaphore(detail::check_made(plait_owned_semaphore_new(permits))); }

    semaphore(semaphore &&other) noexcept : semaphore_ref(other), owned_(std::move(other.owned_)) { other.semaphore_ = nullptr; }
    semaphore &operator=(semaphore &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(semaphore_, other.semaphore_);
        return *this;
    }
    ~semaphore()
    {
        if (owned_.is_mine()) plait_semaphore_free(owned_.get());
    }

private:
    explicit semaphore(plait_semaphore *made) : semaphore_ref(made), owned_(made) {}

    detail::owned<plait_semaphore> owned_;
};

/* Holds a permit until the end of the scope. */
class permit {
public:
    explicit permit(semaphore_ref semaphore, deadline until = {})
        : outcome_(semaphore.acquire(until)), semaphore_(outcome_ ? semaphore.handle() : nullptr), owner_(detail::this_process()) {}
    permit(const permit &) = delete;
    permit &operator=(const permit &) = delete;
    ~permit()
    {
        if (owner_ == detail::this_process()) release();    /* not in a fork: the permit is its parent's */
    }

    /* Whether it holds one.  Without a deadline it does. */
    explicit operator bool() const noexcept { return semaphore_ != nullptr; }
    bool timed_out() const noexcept { return outcome_.timed_out(); }

    /* The last holder of this permit was killed: what it stands for may be in a mess. */
    bool owner_died() const noexcept { return outcome_.code() == PLAIT_OWNER_DIED; }

    /* Before the end of the scope. */
    void release() noexcept
    {
        if (semaphore_) plait_semaphore_release(semaphore_);
        semaphore_ = nullptr;
    }

private:
    outcome outcome_;
    plait_semaphore *semaphore_;
    pid_t owner_;
};

}  // namespace plait

#endif
