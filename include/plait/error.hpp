/* plait/error.hpp - what fails is thrown, what has to be expected is returned.
 *
 * ```cpp
 * int main()
 * {
 *     plait::queue queue;
 *     try {
 *         int number;
 *         const plait::outcome got = queue.get(number, std::chrono::milliseconds(1));
 *         return got.timed_out() ? 0 : 1;                        // not thrown: who waits has to expect it
 *     } catch (const plait::error &error) {                      // code().value() is what the C call returned
 *         std::fprintf(stderr, "%s\n", error.what());
 *         return 2;
 *     }
 * }
 * ```
 */
#ifndef PLAIT_ERROR_HPP
#define PLAIT_ERROR_HPP

#include <cerrno>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/types.h>

#include <plait/error.h>

namespace plait {

namespace detail {

class category_type : public std::error_category {
public:
    const char *name() const noexcept override { return "plait"; }
    std::string message(int code) const override { return plait_strerror(code); }

    /* So that error.code() == std::errc::not_enough_memory works. */
    std::error_condition default_error_condition(int code) const noexcept override
    {
        if (code < 0 && code >= -4095) return std::error_condition(-code, std::generic_category());
        return std::error_condition(code, *this);
    }
};

}  // namespace detail

inline const std::error_category &category() noexcept
{
    static const detail::category_type the_one{};
    return the_one;
}

/* A call failed.  code().value() is negative, as in C. */
class error : public std::system_error {
public:
    explicit error(int code, const std::string &detail = plait_error_detail())
        : std::system_error(code, category(), detail.empty() ? "plait" : detail) {}
};

/* A pool's task threw an exception; what() is that of the first one that was thrown. */
class task_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

namespace detail {

template <class Error> [[noreturn]] void raise(const Error &error)
{
#ifdef __cpp_exceptions
    throw error;
#else
    (void)error;
    std::terminate();
#endif
}

/* The result of a C call that has only errors to tell. */
inline int check(int code)
{
    if (code < 0) raise(error(code));
    return code;
}

/* What a C constructor returned; the error is in errno. */
template <class T> T *check_made(T *object)
{
    if (!object) raise(error(-errno));
    return object;
}

}  // namespace detail

/* What came of a call that may wait.  true: it was done. */
class outcome {
public:
    explicit outcome(ssize_t code) noexcept : code_(code) {}
    explicit operator bool() const noexcept { return code_ >= 0; }
    bool timed_out() const noexcept { return code_ == -ETIMEDOUT; }
    bool closed() const noexcept { return code_ == PLAIT_ECLOSED; }
    bool broken() const noexcept { return code_ == PLAIT_EBROKEN; }

    /* What the C call returned; of a get that is the size of the message. */
    ssize_t code() const noexcept { return code_; }

private:
    ssize_t code_;
};

/* The same for a call with several messages.  A put is true when all were put; else count() were, the first ones, and code() says
 * what stopped it.  A get is true when it took any. */
class batch : public outcome {
public:
    batch(ssize_t code, std::size_t count) noexcept : outcome(code), count_(count) {}
    std::size_t count() const noexcept { return count_; }

private:
    std::size_t count_;
};

namespace detail {

inline outcome expected(ssize_t code)
{
    if (code < 0 && code != -ETIMEDOUT && code != PLAIT_ECLOSED && code != PLAIT_EBROKEN) raise(error(static_cast<int>(code)));
    return outcome(code);
}

}  // namespace detail

}  // namespace plait

#endif
