/* plait/message.hpp - what can be a message: a plain object, a text, or an array.
 *
 * ```cpp
 * struct point { double x, y; };
 *
 * int main()
 * {
 *     plait::queue queue;
 *     point point = { 1, 2 };
 *     std::string text;
 *     std::vector<int> numbers;
 *     if (!queue.put(point) || !queue.put(std::string("hello")) || !queue.put(std::vector<int>{ 1, 2, 3 })) return 1;
 *     if (!queue.get(point) || !queue.get(text) || !queue.get(numbers)) return 1;
 *     return text == "hello" && numbers.size() == 3 ? 0 : 1;
 * }
 * ```
 *
 * A message is copied as bytes: those of a trivially copyable T, the characters of a std::string, or the elements of a std::vector
 * of trivially copyable ones.  Addresses in it have to point to shared memory. */
#ifndef PLAIT_MESSAGE_HPP
#define PLAIT_MESSAGE_HPP

#include <cerrno>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include <sys/types.h>

#include <plait/error.hpp>

namespace plait {
namespace detail {

struct bytes {
    const void *data;
    std::size_t size;
};

template <class T> constexpr bool is_plain()
{
    return std::is_trivially_copyable<T>::value && !std::is_const<T>::value;
}

template <class T> constexpr bool is_element()
{
    return is_plain<T>() && !std::is_same<T, bool>::value;
}

template <class T> bytes bytes_of(const T &object) noexcept
{
    static_assert(is_plain<T>(), "a message is copied as bytes");
    using decayed = typename std::decay<T>::type;
    static_assert(!std::is_same<decayed, char *>::value && !std::is_same<decayed, const char *>::value,
                  "the address of a text says nothing elsewhere: put a std::string, or its bytes");
    return { &object, sizeof object };
}

inline bytes bytes_of(const std::string &text) noexcept
{
    return { text.data(), text.size() };
}

template <class T, class Allocator> bytes bytes_of(const std::vector<T, Allocator> &array) noexcept
{
    static_assert(is_element<T>(), "a message is copied as bytes, and a vector<bool> has no array in it");
    return { array.data(), array.size() * sizeof(T) };
}

/* Messages of `size` bytes have come where there should be a T, or several. */
[[noreturn]] inline void raise_wrong_size(std::size_t size, std::size_t wanted)
{
    raise(error(-EBADMSG, "a message of " + std::to_string(size) + " bytes is no object of " + std::to_string(wanted)));
}

/* Receives a message of a fixed size: read(buffer, size) does it, next() tells the size of the next. */
template <class T, class Next, class Read> outcome receive(T &message, Next, Read read)
{
    static_assert(is_plain<T>(), "a message is copied as bytes");
    const outcome got = expected(read(&message, sizeof message));
    const std::size_t size = got ? static_cast<std::size_t>(got.code()) : sizeof message;
    if (size != sizeof message) raise_wrong_size(size, sizeof message);
    return got;
}

/* The same for one of any size.  -EMSGSIZE: another took the next one meanwhile, and the one behind it is longer. */
template <class Array, class Next, class Read> outcome receive_array(Array &array, Next next, Read read)
{
    const std::size_t one = sizeof(typename Array::value_type);
    for (;;) {
        const outcome coming = expected(next());
        if (!coming) return coming;
        array.resize((static_cast<std::size_t>(coming.code()) + one - 1) / one);
        const ssize_t size = read(array.empty() ? nullptr : &array[0], array.size() * one);
        if (size == -EMSGSIZE) continue;
        if (size >= 0) array.resize(static_cast<std::size_t>(size) / one);
        if (size >= 0 && static_cast<std::size_t>(size) % one) raise_wrong_size(static_cast<std::size_t>(size), one);
        return expected(size);
    }
}

template <class Next, class Read> outcome receive(std::string &text, Next next, Read read)
{
    return receive_array(text, next, read);
}

template <class T, class Allocator, class Next, class Read> outcome receive(std::vector<T, Allocator> &array, Next next, Read read)
{
    static_assert(is_element<T>(), "a message is copied as bytes, and a vector<bool> has no array in it");
    return receive_array(array, next, read);
}

}  // namespace detail
}  // namespace plait

#endif
