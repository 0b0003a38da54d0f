/* plait/event.hpp - something that happens, and that many may wait for.
 *
 * ```cpp
 * struct house { plait::event open; int price = 0; };
 *
 * int main()
 * {
 *     plait::shared<house> house;
 *     plait::process child([&] {
 *         if (!house->open.wait(std::chrono::seconds(60))) return 1;
 *         return house->price == 10 ? 0 : 1;
 *     });
 *     house->price = 10;
 *     house->open.set();
 *     child.join();
 *     return child.exitcode();
 * }
 * ```
 */
#ifndef PLAIT_EVENT_HPP
#define PLAIT_EVENT_HPP

#include <type_traits>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/event.h>

namespace plait {

/* An event, to stand in a struct in shared memory, or anywhere for the threads of one process. */
class event {
public:
    constexpr event() noexcept : event_{0, 0} {}
    event(const event &) = delete;
    event &operator=(const event &) = delete;

    /* false: timed_out().  true also if it was set and cleared again since the wait began. */
    PLAIT_MUST_CHECK outcome wait(deadline until = {}) { return detail::expected(plait_event_wait(&event_, until)); }
    void set() { detail::check(plait_event_set(&event_)); }
    void clear() { detail::check(plait_event_clear(&event_)); }
    bool is_set() const noexcept { return plait_event_is_set(&event_) == 1; }
    plait_event *handle() noexcept { return &event_; }

private:
    plait_event event_;
};

static_assert(sizeof(event) == sizeof(plait_event) && std::is_standard_layout<event>::value, "C and C++ may share a struct");

}  // namespace plait

#endif
