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

#include <plait/arena.h>
#include <plait/error.hpp>
#include <plait/owned.hpp>

namespace plait {

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

/* An array in shared memory, all zero bytes at first. */
template <class T> class shared<T[]> {
    static_assert(std::is_trivially_copyable<T>::value, "the elements begin as zero bytes");
    static_assert(alignof(T) <= 16, "shared memory is aligned to 16 bytes");

public:
    explicit shared(std::size_t count) : memory_(static_cast<T *>(detail::check_made(plait_alloc(bytes(count))))), count_(count) {}
    shared(shared &&) noexcept = default;
    shared &operator=(shared &&) noexcept = default;
    ~shared()
    {
        if (memory_.is_mine()) plait_free(memory_.get());
    }

    T *data() const noexcept { return memory_.get(); }
    std::size_t size() const noexcept { return count_; }
    T &operator[](std::size_t i) const noexcept { return data()[i]; }
    T *begin() const noexcept { return data(); }
    T *end() const noexcept { return data() + count_; }

private:
    /* No block has no bytes; and what does not fit a size_t does not fit the memory either. */
    static std::size_t bytes(std::size_t count) noexcept
    {
        if (count == 0) return 1;
        return count > SIZE_MAX / sizeof(T) ? SIZE_MAX : count * sizeof(T);
    }

    detail::owned<T> memory_;
    std::size_t count_;
};

}  // namespace plait

#endif
