/* plait/deadline.hpp - until when a call may wait, from std::chrono.
 *
 * ```cpp
 * int main()
 * {
 *     plait::queue queue;
 *     const plait::deadline until = std::chrono::milliseconds(5);    // from now; made once, it bounds several calls
 *     int number;
 *     for (int i = 0; i < 3; i++)
 *         if (queue.get(number, until)) return 1;
 *     return queue.get(number, std::chrono::steady_clock::now()).timed_out() ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_DEADLINE_HPP
#define PLAIT_DEADLINE_HPP

#include <chrono>
#include <cstdint>

#include <plait/deadline.h>

namespace plait {

/* Until when a call may wait: for ever if nothing is said, for a duration from now, or until a moment. */
class deadline {
public:
    constexpr deadline() noexcept : value_{0} {}
    constexpr deadline(plait_deadline value) noexcept : value_(value) {}

    template <class Count, class Period>
    deadline(std::chrono::duration<Count, Period> from_now) noexcept
        : value_(plait_after(std::chrono::duration<double>(from_now).count())) {}

    /* steady_clock counts CLOCK_MONOTONIC, as plait does. */
    template <class Duration>
    deadline(std::chrono::time_point<std::chrono::steady_clock, Duration> moment) noexcept
        : value_{nanoseconds(moment.time_since_epoch())} {}

    static constexpr deadline forever() noexcept { return deadline(); }
    static constexpr deadline now() noexcept { return deadline(plait_deadline{1}); }

    constexpr operator plait_deadline() const noexcept { return value_; }

private:
    template <class Duration> static int64_t nanoseconds(Duration since_boot) noexcept
    {
        const double about = std::chrono::duration<double, std::nano>(since_boot).count();
        if (about >= 9e18) return 0;                       // later than the clock goes: for ever
        if (about <= 1) return 1;                          // it is over
        return std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot).count();
    }

    plait_deadline value_;
};

}  // namespace plait

#endif
