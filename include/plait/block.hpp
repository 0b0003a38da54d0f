/* plait/block.hpp - arrays that go from process to process without a copy.
 *
 * ```cpp
 * int main()
 * {
 *     plait::queue queue;
 *     plait::process child([&] {
 *         plait::block<double> samples(1000000, 0.5);            // this thread's: freed with the owner, or when the thread dies
 *         samples[0] = 42;
 *         return bool(queue.give(std::move(samples))) ? 0 : 1;   // the queue's, if it was given; else still ours
 *     });
 *     plait::block<double> samples;
 *     if (!queue.take(samples)) return 1;                        // now this thread's, at the same address
 *     return samples.size() == 1000000 && samples[0] == 42 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_BLOCK_HPP
#define PLAIT_BLOCK_HPP

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include <plait/arena.h>
#include <plait/arena.hpp>
#include <plait/error.hpp>

namespace plait {

/* An array of plain T in shared memory that belongs to one thread: to the one that made or took it, not to the one that destroys
 * the owner.  It is freed by the destructor, and also when that thread ends, however it ends: after that nothing of it may be used,
 * not even its destructor.  To hand it to another thread or process: queue_ref::give; to have it stay: share. */
template <class T> class block : public detail::owned_array<T> {
public:
    /* Without memory. */
    block() noexcept : block(nullptr, 0) {}

    /* So many elements, which are not initialized; or all with this value. */
    explicit block(std::size_t count)
        : block(static_cast<T *>(detail::check_made(plait_message_alloc(detail::bytes_for<T>(count)))), count) {}
    block(std::size_t count, const T &value) : block(count) { std::uninitialized_fill_n(this->data(), count, value); }

    /* A copy of an array, or of a std::vector, a std::string, another block: what has data() and size(). */
    static block copy_of(const T *data, std::size_t count)
    {
        block made(count);
        if (count) std::memcpy(static_cast<void *>(made.data()), data, count * sizeof(T));
        return made;
    }
    template <class Range> static block copy_of(const Range &range) { return copy_of(range.data(), range.size()); }

    /* Take over a block of plait_message_alloc that is this thread's, with `count` elements; nullptr: none. */
    static block adopt(T *data, std::size_t count) noexcept { return block(data, count); }

    /* Only the first `count` elements are meant from now on: what give() sends.  The memory stays as large as it is. */
    void shrink(std::size_t count) noexcept
    {
        if (count < this->size_) this->size_ = count;
    }

private:
    block(T *data, std::size_t count) noexcept : detail::owned_array<T>(data, count) {}
};

/* The family's from now on: it no longer dies with the thread, only with its new owner.  If this throws, `block` keeps it. */
template <class T> shared<T[]> share(block<T> &&block)
{
    if (block && !block.is_mine()) detail::raise(error(-EPERM, "the block belongs to another process"));
    detail::check(plait_block_share(block.data()));
    const std::size_t count = block.size();
    return shared<T[]>::adopt(block.release(), count);
}

}  // namespace plait

#endif
