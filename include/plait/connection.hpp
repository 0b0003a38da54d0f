/* plait/connection.hpp - pipes: typed messages between two ends.
 *
 * ```cpp
 * int main()
 * {
 *     auto ends = plait::pipe();
 *     plait::process child([&] {
 *         ends.first.close();                                    // its copy of the other end
 *         int number;
 *         while (ends.second.recv(number))
 *             if (!ends.second.send(number * number)) return 1;
 *         return 0;                                              // the other end is gone
 *     });
 *     ends.second.close();
 *     int square = 0;
 *     if (!ends.first.send(7) || !ends.first.recv(square, std::chrono::seconds(5))) return 1;
 *     ends.first.close();
 *     return square == 49 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_CONNECTION_HPP
#define PLAIT_CONNECTION_HPP

#include <cerrno>
#include <cstddef>
#include <utility>

#include <sys/types.h>

#include <plait/connection.h>
#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/message.hpp>
#include <plait/owned.hpp>
#include <plait/value.hpp>

namespace plait {

/* An end that somebody else owns: small, may be copied, kept in shared memory and sent.
 * What may be a message: see plait/message.hpp.  Outcomes that are false: timed_out(); closed(), the other side is gone; broken().
 */
class connection_ref {
public:
    connection_ref() noexcept = default;
    explicit connection_ref(plait_connection *connection) noexcept : connection_(connection) {}
    plait_connection *handle() const noexcept { return connection_; }

    /* closed() also if nobody is there to receive it (-EPIPE). */
    template <class T> PLAIT_MUST_CHECK outcome send(const T &message, deadline until = {}) const
    {
        const detail::bytes bytes = detail::bytes_of(message);
        return send_bytes(bytes.data, bytes.size, until);
    }
    PLAIT_MUST_CHECK outcome send_bytes(const void *data, std::size_t size, deadline until = {}) const
    {
        const int sent = plait_connection_send_bytes(connection_, data, size, until);
        return detail::expected(sent == -EPIPE ? static_cast<int>(PLAIT_ECLOSED) : sent);
    }

    /* The next message has to be a T: a longer one stays and -EMSGSIZE is thrown, a shorter one is gone and -EBADMSG is thrown. */
    template <class T> PLAIT_MUST_CHECK outcome recv(T &message, deadline until = {}) const
    {
        return detail::receive(message, next(until), [&](void *to, std::size_t size) {
            return plait_connection_recv_bytes(connection_, to, size, until);
        });
    }
    PLAIT_MUST_CHECK outcome recv_bytes(void *buffer, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_connection_recv_bytes(connection_, buffer, size, until));
    }

    /* code() is the size in bytes of the message that would be received now. */
    PLAIT_MUST_CHECK outcome next_size(deadline until = {}) const
    {
        return detail::expected(plait_connection_next_size(connection_, until));
    }

    /* A value of plait/value.hpp, as Python's Connection.recv() takes it.  It stays the caller's; what is not one yet becomes one:
     * send_value(nullptr), send_value("text"). */
    PLAIT_MUST_CHECK outcome send_value(const value_view &value, deadline until = {}) const
    {
        const int sent = plait_connection_send(connection_, plait_value_ref(value.handle()), until);
        return detail::expected(sent == -EPIPE ? static_cast<int>(PLAIT_ECLOSED) : sent);
    }
    PLAIT_MUST_CHECK outcome send_value(const value &value, deadline until = {}) const
    {
        return send_value(static_cast<const value_view &>(value), until);
    }

    /* When false, `value` is as it was.  Thrown, and the message is gone: -EBADMSG (it is no pickle), -EOVERFLOW, -ENOTSUP,
     * -ENOMEM. */
    PLAIT_MUST_CHECK outcome recv_value(value &value, deadline until = {}) const
    {
        return detail::received(value, plait_connection_recv(connection_, until));
    }

    /* Whether there is something to receive, the end included. */
    bool poll(deadline until = deadline::now()) const { return detail::check(plait_connection_poll(connection_, until)) > 0; }

    PLAIT_MUST_CHECK outcome send_fd(int fd, deadline until = {}) const
    {
        const int sent = plait_connection_send_fd(connection_, fd, until);
        return detail::expected(sent == -EPIPE ? static_cast<int>(PLAIT_ECLOSED) : sent);
    }

    /* code() is the descriptor, the caller's to close. */
    PLAIT_MUST_CHECK outcome recv_fd(deadline until = {}) const
    {
        return detail::expected(plait_connection_recv_fd(connection_, until));
    }

    int fileno() const { return detail::check(plait_connection_fileno(connection_)); }

    /* In this process; others go on. */
    void close() const { detail::check(plait_connection_close(connection_)); }

protected:
    plait_connection *connection_ = nullptr;

private:
    struct next_of {
        plait_connection *connection;
        deadline until;
        ssize_t operator()() const { return plait_connection_next_size(connection, until); }
    };
    next_of next(deadline until) const noexcept { return { connection_, until }; }
};

/* An end and its owner, who outlives all its users. */
class connection : public connection_ref {
public:
    /* Of a descriptor, which is the connection's from now on. */
    explicit connection(int fd, bool readable = true, bool writable = true)
        : connection(detail::check_made(plait_connection_from_fd(fd, readable, writable))) {}
    explicit connection(plait_connection *adopted) : connection_ref(adopted), owned_(connection_) {}
    connection(connection &&other) noexcept : connection_ref(other), owned_(std::move(other.owned_))
    {
        other.connection_ = nullptr;
    }
    connection &operator=(connection &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(connection_, other.connection_);
        return *this;
    }
    ~connection()
    {
        if (owned_.is_mine()) plait_connection_free(owned_.get());
    }

private:
    detail::owned<plait_connection> owned_;
};

/* Both ends of a new pipe; if it is not duplex, the first one receives and the second one sends. */
inline std::pair<connection, connection> pipe(bool duplex = true)
{
    plait_connection *ends[2];
    detail::check(plait_pipe(duplex, ends));
    return std::pair<connection, connection>(connection(ends[0]), connection(ends[1]));
}

}  // namespace plait

#endif
