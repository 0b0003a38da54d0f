/* plait/arena.hpp - memory that all processes of the family share, and its owners.
 *
 * ```cpp
 * struct totals { std::atomic<long> sum; };
 *
 * int main()
 * {
 *     plait::shared<totals> totals;                              // made there, freed with this owner
 *     plait::shared<int[]> numbers(1000);                        // zeroes
 *     for (int &number : numbers) number = 1;
 *     plait::process child([&] { for (int number : numbers) totals->sum += number; });
 *     child.join();
 *     return totals->sum == 1000 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_ARENA_HPP
#define PLAIT_ARENA_HPP

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/arena.h>
#include <plait/error.hpp>
#include <plait/owned.hpp>

namespace plait {

namespace detail {

/* So many bytes have count T.  No block has none; and what does not fit a size_t does not fit the memory either. */
template <class T> std::size_t bytes_for(std::size_t count) noexcept
{
    if (count == 0) return 1;
    return count > SIZE_MAX / sizeof(T) ? SIZE_MAX : count * sizeof(T);
}

/* An array in a block of shared memory, which is freed with its owner. */
template <class T> class owned_array {
    static_assert(std::is_trivially_copyable<T>::value && !std::is_const<T>::value, "the elements are plain bytes");
    static_assert(alignof(T) <= 16, "shared memory is aligned to 16 bytes");

public:
    T *data() const noexcept { return memory_.get(); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T &operator[](std::size_t i) const noexcept { return data()[i]; }
    T *begin() const noexcept { return data(); }
    T *end() const noexcept { return data() + size_; }

    /* Whether this process made it: false in a fork. */
    bool is_mine() const noexcept { return memory_.is_mine(); }
    /* Whether it has memory, if only for no element: false after a move or release(). */
    explicit operator bool() const noexcept { return data() != nullptr; }

    /* Give up the ownership: the caller has to plait_free what is returned, or to hand it on; adopt() takes it. */
    T *release() noexcept
    {
        size_ = 0;
        return memory_.release();
    }

protected:
    owned_array(T *data, std::size_t size) noexcept : memory_(data), size_(size) {}
    owned_array(owned_array &&other) noexcept : memory_(std::move(other.memory_)), size_(other.size_) { other.size_ = 0; }
    owned_array &operator=(owned_array &&other) noexcept
    {
        memory_ = std::move(other.memory_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~owned_array()
    {
        if (memory_.is_mine()) plait_free(memory_.get());
    }

    owned<T> memory_;
    std::size_t size_;
};

}  // namespace detail

/* A T in shared memory: made there by its constructor, freed with this owner.  A T must not own private memory. */
template <class T> class shared {
    static_assert(std::is_trivially_destructible<T>::value, "what has a destructor owns private memory, which others can not see");
    static_assert(alignof(T) <= 16, "shared memory is aligned to 16 bytes");

public:
    template <class... Arguments> explicit shared(Arguments &&...arguments) : shared(allocate{}, sizeof(T))
    {
        new (memory_.get()) T(std::forward<Arguments>(arguments)...);
    }
    shared(shared &&) noexcept = default;
    shared &operator=(shared &&) noexcept = default;
    ~shared()
    {
        if (memory_.is_mine()) plait_free(memory_.get());
    }

    T *get() const noexcept { return memory_.get(); }
    T *operator->() const noexcept { return get(); }
    T &operator*() const noexcept { return *get(); }

    /* Hand the object over: release() gives up the ownership of the address that is then sent, adopt() takes it. */
    T *release() noexcept { return memory_.release(); }
    static shared adopt(T *object) noexcept { return shared(adopted{}, object); }

private:
    struct allocate {};
    struct adopted {};
    shared(allocate, std::size_t size) : memory_(static_cast<T *>(detail::check_made(plait_alloc(size)))) {}
    shared(adopted, T *object) noexcept : memory_(object) {}

    detail::owned<T> memory_;
};

/* An array in shared memory, all zero bytes at first.  The family owns the memory: it survives the process, unless this owner
 * frees it. */
template <class T> class shared<T[]> : public detail::owned_array<T> {
public:
    explicit shared(std::size_t count)
        : detail::owned_array<T>(static_cast<T *>(detail::check_made(plait_alloc(detail::bytes_for<T>(count)))), count) {}

    /* Take over what was released, with as many elements. */
    static shared adopt(T *data, std::size_t count) noexcept { return shared(data, count); }

private:
    shared(T *data, std::size_t count) noexcept : detail::owned_array<T>(data, count) {}
};

/* ---- the memory as a whole ---- */

namespace arena {

using figures = plait_arena_figures;
using member = plait_arena_member;

/* How the family's memory is used, in bytes; walks over all that is allocated. */
inline figures stats()
{
    figures now;
    detail::check(plait_arena_stats(&now));
    return now;
}

/* The same by members. */
inline std::vector<member> members()
{
    std::vector<member> list;
    for (;;) {
        const std::size_t there = static_cast<std::size_t>(detail::check(plait_arena_members(list.data(), list.size())));
        const bool all = there <= list.size();
        list.resize(there);
        if (all) return list;
    }
}

/* The whole family may have so many bytes from now on. */
inline void set_limit(std::uint64_t bytes) { detail::check(plait_arena_set_limit(bytes)); }

/* Give the pages of everything that is free back to the system. */
inline void trim() { detail::check(plait_arena_trim()); }

}  // namespace arena

}  // namespace plait

#endif
