/* plait/scoped.hpp - what all guards are made of.  Nothing here is for users but the names of its members. */
#ifndef PLAIT_SCOPED_HPP
#define PLAIT_SCOPED_HPP

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>

namespace plait {

namespace detail {

/* Something of C that was acquired, until the end of the scope. */
template <class Handle, int (*Acquire)(Handle *, plait_deadline), int (*Release)(Handle *)> class scoped {
public:
    scoped(Handle &handle, deadline until)
        : outcome_(expected(Acquire(&handle, until))), held_(outcome_ ? &handle : nullptr), owner_(this_process()) {}
    scoped(const scoped &) = delete;
    scoped &operator=(const scoped &) = delete;
    ~scoped()
    {
        if (owner_ == this_process()) release();            /* not in a fork: it is its parent's */
    }

    /* Whether it is held.  Without a deadline it is. */
    explicit operator bool() const noexcept { return held_ != nullptr; }
    bool timed_out() const noexcept { return outcome_.timed_out(); }

    /* The last holder was killed inside: check what it protects. */
    bool owner_died() const noexcept { return outcome_.code() == PLAIT_OWNER_DIED; }

    /* Before the end of the scope. */
    void release() noexcept
    {
        if (held_) Release(held_);
        held_ = nullptr;
    }

private:
    outcome outcome_;
    Handle *held_;
    pid_t owner_;
};

}  // namespace detail

}  // namespace plait

#endif
