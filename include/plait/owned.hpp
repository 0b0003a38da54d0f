/* plait/owned.hpp - what all owners are made of.  Nothing here is for users. */
#ifndef PLAIT_OWNED_HPP
#define PLAIT_OWNED_HPP

#include <utility>

#include <unistd.h>

namespace plait {

namespace detail {

/* An object of C that one process owns: freed by its destructor there, and only there. */
template <class T> class owned {
public:
    explicit owned(T *object) noexcept : object_(object), owner_(getpid()) {}
    owned(owned &&other) noexcept : object_(other.object_), owner_(other.owner_) { other.object_ = nullptr; }
    owned &operator=(owned &&other) noexcept
    {
        std::swap(object_, other.object_);
        std::swap(owner_, other.owner_);
        return *this;
    }
    T *get() const noexcept { return object_; }
    bool is_mine() const noexcept { return object_ && owner_ == getpid(); }
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
