/* plait/owned.hpp - what all owners are made of.  Nothing here is for users. */
#ifndef PLAIT_OWNED_HPP
#define PLAIT_OWNED_HPP

#include <cstdint>
#include <utility>

#include <unistd.h>

#include <plait/family.h>

namespace plait {

namespace detail {

/* getpid(), which is a system call, asked once: the word behind plait__me is 0 in a forked child, and no two members have the
 * same. */
inline pid_t this_process() noexcept
{
    static thread_local struct { std::uint64_t member; pid_t pid; } known = { 0, 0 };
    const std::uint64_t me = __atomic_load_n(plait__me, __ATOMIC_RELAXED);
    if (me == 0 || me != known.member) known = { me, getpid() };
    return known.pid;
}

/* An object of C that one process owns: freed by its destructor there, and only there. */
template <class T> class owned {
public:
    explicit owned(T *object) noexcept : object_(object), owner_(this_process()) {}
    owned(owned &&other) noexcept : object_(other.object_), owner_(other.owner_) { other.object_ = nullptr; }
    owned &operator=(owned &&other) noexcept
    {
        std::swap(object_, other.object_);
        std::swap(owner_, other.owner_);
        return *this;
    }
    T *get() const noexcept { return object_; }
    bool is_mine() const noexcept { return object_ && owner_ == this_process(); }
    T *release() noexcept
    {
        T *object = object_;
        object_ = nullptr;
        return object;
    }

private:
    T *object_;
    pid_t owner_;
};

}  // namespace detail

}  // namespace plait

#endif
