/* plait/queue.hpp - typed messages from many to many, in order.
 *
 * ```cpp
 * int main()
 * {
 *     plait::queue queue;
 *     plait::process child([&] {
 *         for (int i = 0; i < 3; i++)
 *             if (!queue.put(i)) return 1;
 *         queue.close();                                         // no more puts; what is there is still read
 *         return 0;
 *     });
 *     int sum = 0, number;
 *     while (queue.get(number)) sum += number;
 *     return sum == 3 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_QUEUE_HPP
#define PLAIT_QUEUE_HPP

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <plait/block.hpp>
#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/lease.hpp>
#include <plait/message.hpp>
#include <plait/owned.hpp>
#include <plait/queue.h>
#include <plait/value.hpp>

namespace plait {

/* A queue that somebody else owns: small, may be copied, kept in shared memory and sent.
 * What may be a message: see plait/message.hpp.  Outcomes that are false: timed_out() or closed(), and nothing has changed. */
class queue_ref {
public:
    queue_ref() noexcept = default;
    explicit queue_ref(plait_queue *queue) noexcept : queue_(queue) {}
    plait_queue *handle() const noexcept { return queue_; }

    /* ---- putting: waits while the queue is full ---- */

    template <class T> PLAIT_MUST_CHECK outcome put(const T &message, deadline until = {}) const
    {
        const detail::bytes bytes = detail::bytes_of(message);
        return put_bytes(bytes.data, bytes.size, until);
    }
    PLAIT_MUST_CHECK outcome put_bytes(const void *data, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_put(queue_, data, size, until));
    }

    /* The lowest priority comes out first; for a queue of queue::by_priority(), where put puts with 0. */
    template <class T> PLAIT_MUST_CHECK outcome put_priority(std::int64_t priority, const T &message, deadline until = {}) const
    {
        const detail::bytes bytes = detail::bytes_of(message);
        return detail::expected(plait_queue_put_priority(queue_, priority, bytes.data, bytes.size, until));
    }

    /* Each T of the array is a message; much faster than one by one.  false: the first count() of them were put.  What can not be
     * expected is thrown only if none was. */
    template <class T> PLAIT_MUST_CHECK batch put_many(const T *messages, std::size_t count, deadline until = {}) const
    {
        static_assert(detail::is_plain<T>(), "a message is copied as bytes");
        std::size_t done = 0;
        for (;;) {
            const ssize_t put = plait_queue_put_many(queue_, messages + done, sizeof(T), count - done, until);
            if (put < 0 && done == 0) return batch(detail::expected(put).code(), 0);
            if (put < 0) return batch(put, done);
            done += static_cast<std::size_t>(put);
            if (done == count) return batch(static_cast<ssize_t>(done), done);
        }                                                  // once more for the rest: what was it that stopped it?
    }
    template <class T> PLAIT_MUST_CHECK batch put_many(const std::vector<T> &messages, deadline until = {}) const
    {
        return put_many(messages.data(), messages.size(), until);
    }

    /* The block itself is the message, all its elements, without a copy.  It is empty then, and belongs to the queue; it is as it
     * was when this returns false or throws (-EPERM: it belongs to another thread, see block; PLAIT_ENOTOURS: it has no memory). */
    template <class T> PLAIT_MUST_CHECK outcome give(block<T> &&block, deadline until = {}) const
    {
        const outcome given = detail::expected(plait_queue_give(queue_, block.data(), block.size() * sizeof(T), until));
        if (given) block.release();
        return given;
    }

    /* ---- getting: waits while the queue is empty ---- */

    /* The next message has to be a T: a longer one stays and -EMSGSIZE is thrown, a shorter one is gone and -EBADMSG is thrown, as
     * is one that is no whole number of a vector's elements.  When false, `message` is as it was; a string or vector may have been
     * changed. */
    template <class T> PLAIT_MUST_CHECK outcome get(T &message, deadline until = {}) const
    {
        return detail::receive(message, next(until), [&](void *to, std::size_t size) {
            return plait_queue_get(queue_, to, size, until);
        });
    }
    PLAIT_MUST_CHECK outcome get_bytes(void *buffer, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_get(queue_, buffer, size, until));
    }

    /* As get, but the message stays the first; also one of a wrong size. */
    template <class T> PLAIT_MUST_CHECK outcome peek(T &message, deadline until = {}) const
    {
        return detail::receive(message, next(until), [&](void *to, std::size_t size) {
            return plait_queue_peek(queue_, to, size, until);
        });
    }
    PLAIT_MUST_CHECK outcome peek_bytes(void *buffer, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_peek(queue_, buffer, size, until));
    }

    /* code() is the size in bytes of the message that a get would take now. */
    PLAIT_MUST_CHECK outcome next_size(deadline until = {}) const
    {
        return detail::expected(plait_queue_next_size(queue_, until));
    }

    /* Waits for a message, then takes what else is there at once, `most` (> 0) in all: count() says how many.  Each has to be a T:
     * a longer one stays and ends the batch, or -EMSGSIZE is thrown if it is the first; if one is shorter, -EBADMSG is thrown, and
     * the whole batch is gone. */
    template <class T> PLAIT_MUST_CHECK batch get_many(T *messages, std::size_t most, deadline until = {}) const
    {
        static_assert(detail::is_plain<T>(), "a message is copied as bytes");
        std::vector<std::size_t> sizes(most);
        const outcome got = detail::expected(plait_queue_get_many(queue_, messages, sizeof(T), sizes.data(), most, until));
        const std::size_t count = got ? static_cast<std::size_t>(got.code()) : 0;
        for (std::size_t i = 0; i < count; i++)
            if (sizes[i] != sizeof(T)) detail::raise_wrong_size(sizes[i], sizeof(T));
        return batch(got.code(), count);
    }

    /* The vector has those that were taken, none when false. */
    template <class T> PLAIT_MUST_CHECK batch get_many(std::vector<T> &messages, std::size_t most, deadline until = {}) const
    {
        messages.resize(most);
        const batch got = get_many(messages.data(), most, until);
        messages.resize(got.count());
        return got;
    }

    /* The next message as a block, which is the calling thread's.  What was given comes without a copy, and so does what was too
     * large for the ring.  A message that is no whole number of T is gone and -EBADMSG is thrown.  `message` is else replaced, and
     * what it had freed; when false, it is as it was. */
    template <class T> PLAIT_MUST_CHECK outcome take(block<T> &message, deadline until = {}) const
    {
        void *data = nullptr;
        const outcome got = detail::expected(plait_queue_take(queue_, &data, until));
        if (!got) return got;
        const std::size_t size = static_cast<std::size_t>(got.code());
        block<T> taken = block<T>::adopt(static_cast<T *>(data), size / sizeof(T));
        if (size % sizeof(T)) detail::raise_wrong_size(size, sizeof(T));
        message = std::move(taken);
        return got;
    }

    /* As get; the message comes back unless `lease` acknowledges it.  For queues made with .leases.  What `lease` was before is
     * given back first. */
    template <class T> PLAIT_MUST_CHECK outcome get(T &message, lease &lease, deadline until = {}) const
    {
        lease = plait::lease();
        plait::lease taken;
        const outcome got = detail::receive(message, next(until), [&](void *to, std::size_t n) {
            const ssize_t size = plait_queue_lease(queue_, to, n, &taken.lease_, until);
            if (size >= 0) taken.queue_ = queue_;
            return size;
        });
        lease = std::move(taken);
        return got;
    }

    /* ---- values, see plait/value.hpp: the message is a pickle ---- */

    /* The value stays the caller's; what is not one yet becomes one: put_value(nullptr), put_value("text"). */
    PLAIT_MUST_CHECK outcome put_value(const value_view &value, deadline until = {}) const
    {
        return detail::expected(plait_queue_put_value(queue_, plait_value_ref(value.handle()), until));
    }
    PLAIT_MUST_CHECK outcome put_value(const value &value, deadline until = {}) const
    {
        return put_value(static_cast<const value_view &>(value), until);
    }

    /* For a queue of queue::by_priority(). */
    PLAIT_MUST_CHECK outcome put_value_priority(std::int64_t priority, const value_view &value, deadline until = {}) const
    {
        return detail::expected(plait_queue_put_value_priority(queue_, priority, plait_value_ref(value.handle()), until));
    }
    PLAIT_MUST_CHECK outcome put_value_priority(std::int64_t priority, const value &value, deadline until = {}) const
    {
        return put_value_priority(priority, static_cast<const value_view &>(value), until);
    }

    /* When false, `value` is as it was.  Thrown, and the message stays the first: -EBADMSG (it is no pickle), -EOVERFLOW, -ENOTSUP,
     * -ENOMEM. */
    PLAIT_MUST_CHECK outcome get_value(value &value, deadline until = {}) const
    {
        return detail::received(value, plait_queue_get_value(queue_, until));
    }

    /* The same; the message comes back unless `lease` acknowledges it.  What `lease` was before is given back first. */
    PLAIT_MUST_CHECK outcome get_value(value &value, lease &lease, deadline until = {}) const
    {
        lease = plait::lease();
        plait::lease taken;
        const outcome got = detail::received(value, plait_queue_lease_value(queue_, &taken.lease_, until));
        if (got) taken.queue_ = queue_;
        lease = std::move(taken);
        return got;
    }

    /* ---- tasks: messages of queue::joinable() ---- */

    /* The oldest task that this thread took by get, take or get_many, without a lease, is done.  Thrown: PLAIT_ENOLEASE, it has
     * none.  What is not told to be done comes back when the thread ends. */
    void task_done() const { detail::check(plait_queue_task_done(queue_)); }

    /* Wait until everything that was put is done; for queues with leases, too. */
    PLAIT_MUST_CHECK outcome join(deadline until = {}) const { return detail::expected(plait_queue_join(queue_, until)); }

    /* ---- */

    /* How many messages are there; only a momentary picture, as are the others. */
    ssize_t qsize() const noexcept { return plait_queue_qsize(queue_); }
    bool empty() const noexcept { return plait_queue_empty(queue_) > 0; }
    bool full() const noexcept { return plait_queue_full(queue_) > 0; }

    /* No more puts; gets go on until everything has been read. */
    void close() const { detail::check(plait_queue_close(queue_)); }

protected:
    plait_queue *queue_ = nullptr;

private:
    struct next_of {
        plait_queue *queue;
        deadline until;
        ssize_t operator()() const { return plait_queue_next_size(queue, until); }
    };
    next_of next(deadline until) const noexcept { return { queue_, until }; }
};

/* A queue and its owner, who outlives all its users.  First in, first out, with a ring of 1 MiB, or as the options say. */
class queue : public queue_ref {
public:
    queue() : queue(plait_queue_options()) {}
    explicit queue(const plait_queue_options &options)
        : queue_ref(detail::check_made(plait_queue_new(&options))), owned_(queue_) {}

    /* Without a ring: as much memory as the messages need, and a put waits for nobody, unless there are `maxsize` messages.  The
     * youngest message first, or the lowest priority first, as put_priority says: they are without a ring, too. */
    static queue unbounded(std::size_t maxsize = 0) { return queue(without_ring(PLAIT_FIFO, maxsize)); }
    static queue lifo(std::size_t maxsize = 0) { return queue(without_ring(PLAIT_LIFO, maxsize)); }
    static queue by_priority(std::size_t maxsize = 0) { return queue(without_ring(PLAIT_PRIORITY, maxsize)); }

    /* Without a ring: each message is a task, until its getter calls task_done(), and join() waits for all. */
    static queue joinable(std::size_t maxsize = 0)
    {
        plait_queue_options options = without_ring(PLAIT_FIFO, maxsize);
        options.joinable = 1;
        return queue(options);
    }

    queue(queue &&other) noexcept : queue_ref(other), owned_(std::move(other.owned_)) { other.queue_ = nullptr; }
    queue &operator=(queue &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(queue_, other.queue_);
        return *this;
    }
    ~queue()
    {
        if (owned_.is_mine()) plait_queue_free(owned_.get());
    }

private:
    static plait_queue_options without_ring(int order, std::size_t maxsize) noexcept
    {
        plait_queue_options options = plait_queue_options();
        options.unbounded = 1;
        options.order = order;
        options.maxsize = maxsize;
        return options;
    }

    detail::owned<plait_queue> owned_;
};

}  // namespace plait

#endif
