/* plait/value.hpp - values without a fixed shape: what a Python program would put into a message.
 *
 * ```cpp
 * int main()
 * {
 *     plait::queue queue;
 *     plait::process child([&] {
 *         return bool(queue.put_value(plait::value::list({ 42, nullptr, "hello" }))) ? 0 : 1;
 *     });
 *     plait::value list;
 *     if (!queue.get_value(list, std::chrono::seconds(60))) return 1;
 *     std::puts(list.repr().c_str());                            // [42, None, 'hello']
 *     for (plait::value_view item : list) std::printf("%s\n", item.type_name());
 *     return list[0].get<int>() == 42 ? 0 : 1;                   // thrown: it is no int, or too large for this one
 * }
 * ```
 *
 * A plait::value owns, a plait::value_view borrows: it is good as long as what it was got from holds it.  A view of a temporary
 * does not compile.  Neither is ever without a value: one that is made of nothing, or was moved away, is None.
 *
 * Values are private memory of the process, and a fork has copies, which its destructors free.  Threads: who changes a value, or
 * prints it, must be alone with it.  What is not here (sets, ints of more than 64 bits, objects of classes): handle() and adopt().
 */
#ifndef PLAIT_VALUE_HPP
#define PLAIT_VALUE_HPP

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <plait/error.hpp>
#include <plait/pickle.h>
#include <plait/value.h>

namespace plait {

class value;

namespace detail {

template <class T> struct is_character : std::false_type {};
template <> struct is_character<char> : std::true_type {};
template <> struct is_character<wchar_t> : std::true_type {};
template <> struct is_character<char16_t> : std::true_type {};
template <> struct is_character<char32_t> : std::true_type {};
#ifdef __cpp_char8_t
template <> struct is_character<char8_t> : std::true_type {};
#endif

/* Numbers of C++ that are ints of Python: 'x' is none, and neither is true. */
template <class T> constexpr bool is_int()
{
    return std::is_integral<T>::value && sizeof(T) <= 8 && !std::is_same<T, bool>::value && !is_character<T>::value;
}

/* A type parameter that is there only for ints of C++. */
template <class T> using if_int = typename std::enable_if<is_int<T>(), int>::type;
template <class T, class Other> using if_same = typename std::enable_if<std::is_same<T, Other>::value, int>::type;

template <class T, if_int<T> = 0> plait_value *make_value(T number)
{
    return std::is_signed<T>::value ? plait_int(static_cast<std::int64_t>(number)) : plait_uint(static_cast<std::uint64_t>(number));
}
template <class T, if_same<T, bool> = 0> plait_value *make_value(T truth) { return plait_bool(truth); }
template <class T, if_same<T, double> = 0> plait_value *make_value(T number) { return plait_float(number); }
template <class T, if_same<T, float> = 0> plait_value *make_value(T number) { return plait_float(static_cast<double>(number)); }
template <class T, if_same<T, std::string> = 0> plait_value *make_value(const T &text)
{
    return plait_string_sized(text.data(), text.size());
}
template <class T, if_same<T, std::vector<unsigned char>> = 0> plait_value *make_value(const T &bytes)
{
    return plait_bytes(bytes.data(), bytes.size());
}

/* A type parameter that is there only for what has a make_value. */
template <class T> using if_made = typename std::enable_if<sizeof(make_value<T>(std::declval<const T &>())) != 0, int>::type;

/* Which get_value is meant. */
template <class T> struct as {};

inline int number_of(const plait_value *value, std::int64_t *number) { return plait_int_get(value, number); }
inline int number_of(const plait_value *value, std::uint64_t *number) { return plait_uint_get(value, number); }

template <class T, if_int<T> = 0> T get_value(const plait_value *value, as<T>)
{
    using widest = typename std::conditional<std::is_signed<T>::value, std::int64_t, std::uint64_t>::type;
    widest number = 0;
    check(number_of(value, &number));
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max())
        raise(error(-ERANGE, std::to_string(number) + " does not fit into " + std::to_string(sizeof(T)) + " bytes"));
    return static_cast<T>(number);
}
inline bool get_value(const plait_value *value, as<bool>)
{
    int truth = 0;
    check(plait_bool_get(value, &truth));
    return truth != 0;
}
inline double get_value(const plait_value *value, as<double>)
{
    double number = 0;
    check(plait_float_get(value, &number));
    return number;
}
inline std::string get_value(const plait_value *value, as<std::string>)
{
    std::size_t size = 0;
    const char *text = check_made(plait_string_get(value, &size));
    return std::string(text, size);
}
inline std::vector<unsigned char> get_value(const plait_value *value, as<std::vector<unsigned char>>)
{
    std::size_t size = 0;
    const unsigned char *bytes = static_cast<const unsigned char *>(check_made(plait_bytes_get(value, &size)));
    return std::vector<unsigned char>(bytes, bytes + size);
}

}  // namespace detail

/* A value that somebody else owns. */
class value_view {
public:
    value_view() noexcept = default;
    explicit value_view(plait_value *borrowed) noexcept : handle_(borrowed ? borrowed : plait_none()) {}
    value_view(const value_view &other) noexcept : handle_(other.handle_) {}           /* not trivial: no message, see put_value */
    value_view(value &&) = delete;                                                    /* it would outlive what it borrows */
    value_view &operator=(const value_view &) noexcept = default;
    value_view &operator=(value &&) = delete;
    plait_value *handle() const noexcept { return handle_; }

    plait_type type() const { return static_cast<plait_type>(detail::check(plait_value_type(handle_))); }
    const char *type_name() const noexcept { return plait_value_type_name(handle_); }
    bool is_none() const noexcept { return plait_is_none(handle_) > 0; }

    /* Thrown, as -EINVAL: it has no length. */
    std::size_t len() const
    {
        const ssize_t length = plait_value_len(handle_);
        return static_cast<std::size_t>(length < 0 ? detail::check(static_cast<int>(length)) : length);
    }

    /* As Python's bool(), repr() and str(). */
    bool truth() const { return detail::check(plait_value_truth(handle_)) > 0; }
    std::string repr() const { return plait_repr(handle_); }
    std::string str() const { return plait_str(handle_); }

    /* What is in it, as a T: bool, an integer, double, std::string (a str), or std::vector<unsigned char> (bytes or a bytearray).
     * Thrown: -EINVAL, it is of another type; -ERANGE, it does not fit.  As in Python a bool is an int, too, and double takes ints;
     * nothing else is converted. */
    template <class T> T get() const { return detail::get_value(handle_, detail::as<T>()); }

    /* As Python's value[i] and value[key]: the item of a list or tuple, negative ones from the end, or what a dict has for the key.
     * Thrown: -ERANGE or -ENOENT, there is none; -EINVAL, the value has no items, or the key is not hashable. */
    template <class Key, detail::if_made<Key> = 0> value_view operator[](const Key &key) const;
    value_view operator[](const char *key) const { return value_view(detail::check_made(plait_dict_get_string(handle_, key))); }
    value_view operator[](const value_view &key) const
    {
        if (type() == PLAIT_DICT) return value_view(detail::check_made(plait_dict_get(handle_, key.handle_)));
        return value_view(detail::check_made(plait_list_get(handle_, key.get<ssize_t>())));
    }

    /* For lists, tuples, sets, and the keys of dicts. */
    inline bool contains(const value &item) const;
    bool contains(const value_view &item) const { return detail::check(plait_value_contains(handle_, item.handle_)) > 0; }

    /* As Python's ==: 1 == 1.0 == True. */
    friend bool operator==(const value_view &a, const value_view &b)
    {
        return detail::check(plait_value_equal(a.handle_, b.handle_)) > 0;
    }
    friend bool operator!=(const value_view &a, const value_view &b) { return !(a == b); }

    /* One more owner of the same value, or the owner of a copy that shares nothing with it. */
    inline value share() const;
    inline value copy() const;

    class iterator;

    /* The items of a list, a tuple or a set, the keys of a dict; it must not change meanwhile.  Thrown, as -EINVAL: it has none. */
    inline iterator begin() const;
    inline iterator end() const;

protected:
    plait_value *handle_ = plait_none();
};

/* What a loop over a value needs, and no more. */
class value_view::iterator {
public:
    iterator(plait_value *of, plait_value *item) noexcept : of_(of), item_(item) {}
    value_view operator*() const noexcept { return value_view(item_); }
    bool operator!=(const iterator &other) const noexcept { return item_ != other.item_; }
    iterator &operator++()
    {
        item_ = nullptr;
        const int type = plait_value_type(of_);
        if (type == PLAIT_DICT) detail::check(plait_dict_next(of_, &position_, &item_, nullptr));
        else if (type != PLAIT_LIST && type != PLAIT_TUPLE) detail::check(plait_set_next(of_, &position_, &item_));
        else if (static_cast<ssize_t>(position_) < plait_value_len(of_))
            item_ = plait_list_get(of_, static_cast<ssize_t>(position_++));
        return *this;
    }

private:
    plait_value *of_, *item_;                              /* item_: nullptr at the end */
    std::size_t position_ = 0;
};

inline value_view::iterator value_view::begin() const { return ++iterator(handle_, nullptr); }
inline value_view::iterator value_view::end() const { return iterator(handle_, nullptr); }

/* A value and its owner, or one of several: see share(). */
class value : public value_view {
public:
    /* None. */
    value() noexcept = default;
    value(std::nullptr_t) noexcept {}

    /* Of a bool, an integer, a float or double, a std::string (a str, in UTF-8), a std::vector<unsigned char> (bytes). */
    template <class T, detail::if_made<T> = 0> value(const T &from) : value(adopt(detail::make_value<T>(from))) {}

    /* A str.  Thrown: -EILSEQ, it is not UTF-8; -EINVAL, a null pointer. */
    value(const char *text) : value(adopt(plait_string(text))) {}

    /* Take over what a C builder returned; its error is thrown if that is NULL. */
    static value adopt(plait_value *owned)
    {
        value made;
        made.handle_ = detail::check_made(owned);
        return made;
    }

    /* value::list({ 1, "two", value::tuple({ 3.0, nullptr }) }); values in it that have owners already are shared with them. */
    static value list(std::initializer_list<value> items) { return list_of(items); }
    static value tuple(std::initializer_list<value> items)
    {
        std::vector<plait_value *> handles;
        handles.reserve(items.size());
        for (const value &item : items) handles.push_back(plait_value_ref(item.handle_));
        return adopt(plait_tuple_of(handles.size(), handles.data()));
    }

    /* value::dict({ { "name", "a" }, { "score", 1 } }): a later one of an equal key wins.  Thrown, as -EINVAL: a key that is not
     * hashable. */
    static value dict(std::initializer_list<std::pair<value, value>> pairs)
    {
        value made = adopt(plait_dict(0));
        for (const std::pair<value, value> &pair : pairs) made.set(pair.first, pair.second);
        return made;
    }

    /* A list of all that is in an array, a std::vector, ... */
    template <class Range> static value list_of(const Range &range)
    {
        value made = adopt(plait_list(0));
        for (const auto &item : range) made.append(item);
        return made;
    }

    value(value &&other) noexcept { std::swap(handle_, other.handle_); }
    value &operator=(value &&other) noexcept
    {
        value taken(std::move(other));
        std::swap(handle_, taken.handle_);
        return *this;
    }
    ~value() { plait_value_free(handle_); }

    /* It is the caller's to free, and this one is None. */
    plait_value *release() noexcept
    {
        plait_value *mine = handle_;
        handle_ = plait_none();
        return mine;
    }

    /* An item of a temporary is not borrowed: it is shared. */
    template <class Key> value_view operator[](const Key &key) const & { return value_view::operator[](key); }
    template <class Key> value operator[](const Key &key) && { return value_view::operator[](key).share(); }

    /* ---- changes, which all owners see.  Thrown, and nothing has changed: -ELOOP, it would hold itself; -EINVAL, -ERANGE ---- */

    void append(const value_view &item) { detail::check(plait_list_append(handle_, plait_value_ref(item.handle()))); }
    void append(const value &item) { append(static_cast<const value_view &>(item)); }

    /* As Python's value[key] = item: of a list the key is the place of an item that is there. */
    void set(const value &key, const value &item)
    {
        const ssize_t place = type() == PLAIT_DICT ? 0 : key.get<ssize_t>();
        plait_value *given = plait_value_ref(item.handle_);
        if (type() != PLAIT_DICT) detail::check(plait_list_set(handle_, place, given));
        else detail::check(plait_dict_set(handle_, plait_value_ref(key.handle_), given));
    }

    /* As Python's value.pop(key), of a dict or a list.  Thrown: -ENOENT or -ERANGE, there is none. */
    value pop(const value &key)
    {
        if (type() == PLAIT_DICT) return adopt(plait_dict_pop(handle_, key.handle_));
        return adopt(plait_list_pop(handle_, key.get<ssize_t>()));
    }
};

template <class Key, detail::if_made<Key>> value_view value_view::operator[](const Key &key) const
{
    const value made(key);
    return (*this)[static_cast<const value_view &>(made)];
}

inline bool value_view::contains(const value &item) const { return contains(static_cast<const value_view &>(item)); }
inline value value_view::share() const { return value::adopt(plait_value_ref(handle_)); }
inline value value_view::copy() const { return value::adopt(plait_value_copy(handle_)); }

/* The value as Python's pickle, and back, without running anything: see plait/pickle.h. */
inline std::vector<unsigned char> pickle_dumps(const value_view &value,
                                               const plait_pickle_options &options = plait_pickle_options())
{
    std::size_t size = 0;
    const std::unique_ptr<void, void (*)(void *)> pickle(detail::check_made(plait_pickle_dumps(value.handle(), &options, &size)),
                                                         std::free);
    const unsigned char *bytes = static_cast<const unsigned char *>(pickle.get());
    return std::vector<unsigned char>(bytes, bytes + size);
}
inline value pickle_loads(const void *bytes, std::size_t size, const plait_pickle_options &options = plait_pickle_options())
{
    return value::adopt(plait_pickle_loads(bytes, size, &options));
}
inline value pickle_loads(const std::vector<unsigned char> &bytes, const plait_pickle_options &options = plait_pickle_options())
{
    return pickle_loads(bytes.data(), bytes.size(), options);
}

namespace detail {

/* What a call that waits for a value returned. */
inline outcome received(value &value, plait_value *got)
{
    if (!got) return expected(-errno);
    value = plait::value::adopt(got);
    return outcome(0);
}

}  // namespace detail

}  // namespace plait

#endif
