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

#include <cerrno>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/lease.hpp>
#include <plait/owned.hpp>
#include <plait/queue.h>

namespace plait {

/* A queue that somebody else owns: small, may be copied, kept in shared memory and sent. */
class queue_ref {
public:
    queue_ref() noexcept = default;
    explicit queue_ref(plait_queue *queue) noexcept : queue_(queue) {}
    plait_queue *handle() const noexcept { return queue_; }

    /* A message is the bytes of a T; or the characters of a string; or bytes.  false: timed_out() or closed(). */
    template <class T> PLAIT_MUST_CHECK outcome put(const T &message, deadline until = {}) const
    {
        static_assert(std::is_trivially_copyable<T>::value, "a message is copied as bytes");
        static_assert(!std::is_same<T, char *>::value && !std::is_same<T, const char *>::value,
                      "the address of a text says nothing elsewhere: put a std::string, or its bytes");
        return put_bytes(&message, sizeof message, until);
    }
    PLAIT_MUST_CHECK outcome put(const std::string &message, deadline until = {}) const
    {
        return put_bytes(message.data(), message.size(), until);
    }
    PLAIT_MUST_CHECK outcome put_bytes(const void *data, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_put(queue_, data, size, until));
    }

    /* The next message has to be a T: a longer one stays and -EMSGSIZE is thrown, a shorter one is gone and -EBADMSG is thrown.
     * When false, `message` is as it was; a string may have been changed. */
    template <class T> PLAIT_MUST_CHECK outcome get(T &message, deadline until = {}) const
    {
        return whole<T>(get_bytes(place_for(message), sizeof message, until));
    }
    PLAIT_MUST_CHECK outcome get(std::string &message, deadline until = {}) const
    {
        for (;;) {
            const outcome next = detail::expected(plait_queue_next_size(queue_, until));
            if (!next) return next;
            message.resize(static_cast<std::size_t>(next.code()));
            const ssize_t size = plait_queue_get(queue_, &message[0], message.size(), until);
            if (size >= 0) message.resize(static_cast<std::size_t>(size));
            if (size != -EMSGSIZE) return detail::expected(size);      // else another took that one, and the next is longer
        }
    }
    PLAIT_MUST_CHECK outcome get_bytes(void *buffer, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_get(queue_, buffer, size, until));
    }

    /* As get; the message comes back unless `lease` acknowledges it.  For queues made with .leases.  What `lease` was before is
     * given back first. */
    template <class T> PLAIT_MUST_CHECK outcome get(T &message, lease &lease, deadline until = {}) const
    {
        lease = plait::lease();
        plait::lease taken;
        const outcome got = detail::expected(plait_queue_lease(queue_, place_for(message), sizeof message, &taken.lease_, until));
        if (got) taken.queue_ = queue_;
        const outcome result = whole<T>(got);
        lease = std::move(taken);
        return result;
    }

    /* How many messages are there; only a momentary picture. */
    ssize_t qsize() const noexcept { return plait_queue_qsize(queue_); }

    /* No more puts; gets go on until everything has been read. */
    void close() const { detail::check(plait_queue_close(queue_)); }

protected:
    plait_queue *queue_ = nullptr;

private:
    template <class T> static void *place_for(T &message) noexcept
    {
        static_assert(std::is_trivially_copyable<T>::value && !std::is_const<T>::value, "a message is copied as bytes");
        return &message;
    }
    template <class T> static outcome whole(outcome got)
    {
        if (got && got.code() != static_cast<ssize_t>(sizeof(T)))
            detail::raise(error(-EBADMSG, "a message of " + std::to_string(got.code()) + " bytes is no object of " +
                                              std::to_string(sizeof(T))));
        return got;
    }
};

/* A queue and its owner, who outlives all its users. */
class queue : public queue_ref {
public:
    queue() : queue(plait_queue_options()) {}
    explicit queue(const plait_queue_options &options)
        : queue_ref(detail::check_made(plait_queue_new(&options))), owned_(queue_) {}
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
    detail::owned<plait_queue> owned_;
};

}  // namespace plait

#endif
