/* plait/join.hpp - programs of other origin come into the family, and find what it shares.
 *
 * ```cpp
 * int main()
 * {
 *     plait::door door("@plait-doc-" + std::to_string(getpid()));
 *     plait::shared<int> answer;
 *     *answer = 42;
 *     plait::family::publish("answer", answer.get());            // another program: plait::family::join("@plait-doc-...")
 *     if (!door.admit(plait::deadline::now()).timed_out()) return 1;     // nobody has come
 *     const int *found = plait::family::find<int>("answer", std::chrono::seconds(1));
 *     const bool same = found == answer.get();
 *     plait::family::withdraw("answer");
 *     return same ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_JOIN_HPP
#define PLAIT_JOIN_HPP

#include <cerrno>
#include <string>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/join.h>
#include <plait/owned.hpp>

namespace plait {

/* Where others come in, and its owner. */
class door {
public:
    explicit door(const std::string &path, int backlog = 0) : owned_(detail::check_made(make(path, backlog))) {}
    door(door &&other) noexcept = default;
    door &operator=(door &&other) noexcept = default;
    ~door()
    {
        if (owned_.is_mine()) plait_door_free(owned_.release());
    }

    /* Let one in: or timed_out(), or closed(). */
    PLAIT_MUST_CHECK outcome admit(deadline until = {}) { return detail::expected(plait_door_admit(owned_.get(), until)); }

    /* Let all in, until it is closed; to be run in a thread, or a fork. */
    void serve() { detail::check(plait_door_serve(owned_.get())); }
    int fileno() const { return detail::check(plait_door_fileno(owned_.get())); }
    void close() { detail::check(plait_door_close(owned_.get())); }
    plait_door *handle() const noexcept { return owned_.get(); }

private:
    static plait_door *make(const std::string &path, int backlog)
    {
        plait_door_options options = {};
        options.backlog = backlog;
        return plait_family_listen(path.c_str(), &options);
    }
    detail::owned<plait_door> owned_;
};

namespace family {

/* Become a member of the family whose door that is: or timed_out(), or closed(). */
PLAIT_MUST_CHECK inline outcome join(const std::string &path, deadline until = {})
{
    return detail::expected(plait_family_join(path.c_str(), until));
}

inline void publish(const std::string &name, const void *object)
{
    detail::check(plait_family_publish(name.c_str(), object));
}

inline void withdraw(const std::string &name)
{
    detail::check(plait_family_withdraw(name.c_str()));
}

/* What was published as that; nullptr: nobody has done so until the deadline.  Nothing tells of what type it is. */
template <class T> T *find(const std::string &name, deadline until = {})
{
    void *found = plait_family_find(name.c_str(), until);
    if (!found && errno != ETIMEDOUT) detail::raise(error(-errno));
    return static_cast<T *>(found);
}

}  // namespace family

}  // namespace plait

#endif
