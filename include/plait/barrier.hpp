/* plait/barrier.hpp - wait for each other.
 *
 * ```cpp
 * int main()
 * {
 *     plait::barrier barrier(2);
 *     plait::process other([&] { return barrier.wait() ? 0 : 1; });
 *     const plait::outcome met = barrier.wait(std::chrono::seconds(60));
 *     if (met.broken() || met.timed_out()) return 1;             // somebody was killed, or was too late
 *     other.join();
 *     return met.code() == 0 || met.code() == 1 ? other.exitcode() : 1;
 * }
 * ```
 */
#ifndef PLAIT_BARRIER_HPP
#define PLAIT_BARRIER_HPP

#include <plait/barrier.h>
#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>

namespace plait {

/* A barrier that somebody else owns: small, may be copied, kept in shared memory and sent. */
class barrier_ref {
public:
    barrier_ref() noexcept = default;
    explicit barrier_ref(plait_barrier *barrier) noexcept : barrier_(barrier) {}
    plait_barrier *handle() const noexcept { return barrier_; }

    /* code() of the outcome is the place, 0 to parties - 1; or it is broken(), or timed_out().  An action's error is thrown. */
    PLAIT_MUST_CHECK outcome wait(deadline until = {}) const { return detail::expected(plait_barrier_wait(barrier_, until)); }
    void abort() const { detail::check(plait_barrier_abort(barrier_)); }
    void reset() const { detail::check(plait_barrier_reset(barrier_)); }
    bool broken() const { return detail::check(plait_barrier_broken(barrier_)) == 1; }
    int parties() const { return detail::check(plait_barrier_parties(barrier_)); }
    int n_waiting() const { return detail::check(plait_barrier_n_waiting(barrier_)); }

    /* From now on the end of the calling thread breaks it; no more so. */
    void join() const { detail::check(plait_barrier_join(barrier_)); }
    void leave() const { detail::check(plait_barrier_leave(barrier_)); }

protected:
    plait_barrier *barrier_ = nullptr;
};

/* A barrier in shared memory and its owner, who outlives all its users. */
class barrier : public barrier_ref {
public:
    /* action: a function, or a lambda without captures, that the last to come calls; it throws nothing. */
    explicit barrier(int parties, int (*action)(void *argument) = nullptr, void *argument = nullptr)
        : barrier(detail::check_made(make(parties, action, argument))) {}
    barrier(barrier &&other) noexcept : barrier_ref(other.barrier_), owned_(std::move(other.owned_)) { other.barrier_ = nullptr; }
    barrier &operator=(barrier &&other) noexcept
    {
        std::swap(barrier_, other.barrier_);
        owned_ = std::move(other.owned_);
        return *this;
    }
    ~barrier()
    {
        if (owned_.is_mine()) plait_barrier_free(owned_.release());
    }

private:
    explicit barrier(plait_barrier *made) : barrier_ref(made), owned_(made) {}
    static plait_barrier *make(int parties, int (*action)(void *argument), void *argument)
    {
        plait_barrier_options options = {};
        options.action = action;
        options.argument = argument;
        return plait_barrier_new(parties, &options);
    }
    detail::owned<plait_barrier> owned_;
};

}  // namespace plait

#endif
