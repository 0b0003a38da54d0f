/* plait/shared_value.hpp - one number, or one struct, in shared memory, with a lock of its own.
 *
 * ```cpp
 * int main()
 * {
 *     plait::shared_value<int> count;
 *     plait::process child([&] { return count.add(1) ? 0 : 1; });    // one step: nothing that others add is lost
 *     {
 *         plait::value_guard guard(count);                           // several: who has the lock may use it meanwhile
 *         int now;
 *         if (!count.get(now) || !count.set(now + 10)) return 1;
 *     }
 *     child.join();
 *     int sum;
 *     return count.get(sum) && sum == 11 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_SHARED_VALUE_HPP
#define PLAIT_SHARED_VALUE_HPP

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>
#include <plait/scoped.hpp>
#include <plait/shared_value.h>

namespace plait {

namespace detail {

/* Python's type code of T; 0: it is a struct. */
template <class T> struct code_of : std::integral_constant<int, 0> {};
template <> struct code_of<signed char> : std::integral_constant<int, 'b'> {};
template <> struct code_of<unsigned char> : std::integral_constant<int, 'B'> {};
template <> struct code_of<short> : std::integral_constant<int, 'h'> {};
template <> struct code_of<unsigned short> : std::integral_constant<int, 'H'> {};
template <> struct code_of<int> : std::integral_constant<int, 'i'> {};
template <> struct code_of<unsigned> : std::integral_constant<int, 'I'> {};
template <> struct code_of<long> : std::integral_constant<int, 'l'> {};
template <> struct code_of<unsigned long> : std::integral_constant<int, 'L'> {};
template <> struct code_of<long long> : std::integral_constant<int, 'q'> {};
template <> struct code_of<unsigned long long> : std::integral_constant<int, 'Q'> {};
template <> struct code_of<char> : std::integral_constant<int, 'c'> {};
template <> struct code_of<wchar_t> : std::integral_constant<int, 'u'> {};
template <> struct code_of<float> : std::integral_constant<int, 'f'> {};
template <> struct code_of<double> : std::integral_constant<int, 'd'> {};
template <> struct code_of<bool> : std::integral_constant<int, '?'> {};

/* What a value or an array can be of. */
template <class T> constexpr bool is_item() noexcept
{
    return std::is_trivially_copyable<T>::value && !std::is_const<T>::value && alignof(T) <= 16;
}

/* What can be added to. */
template <class T> constexpr bool counts() noexcept
{
    return code_of<T>::value != 0 && code_of<T>::value != 'c' && code_of<T>::value != 'u' && code_of<T>::value != '?';
}

/* As the number that an add() of C takes. */
template <class T> std::int64_t to_add(T number)
{
    if (number > 0 && static_cast<std::uint64_t>(number) > INT64_MAX) raise(error(-ERANGE, "more than can be added at once"));
    return static_cast<std::int64_t>(number);
}

}  // namespace detail

/* A value that somebody else owns: small, may be copied, kept in shared memory and sent.
 * code() of the outcomes is PLAIT_OWNER_DIED if the last one who had the lock was killed inside: it is done, but check what belongs
 * together.  When false it has timed_out(), and nothing has changed. */
template <class T> class shared_value_ref {
    static_assert(detail::is_item<T>(), "a value is plain bytes, aligned to 16 at most");

public:
    shared_value_ref() noexcept = default;
    explicit shared_value_ref(plait_shared_value *value) noexcept : value_(value) {}
    plait_shared_value *handle() const noexcept { return value_; }

    PLAIT_MUST_CHECK outcome get(T &value, deadline until = {}) const
    {
        return detail::expected(plait_shared_value_get(value_, &value, sizeof value, until));
    }
    PLAIT_MUST_CHECK outcome set(const T &value, deadline until = {}) const
    {
        return detail::expected(plait_shared_value_set(value_, &value, sizeof value, until));
    }

    /* Add to it; `sum` is what it is then.  -ERANGE is thrown when that does not fit. */
    PLAIT_MUST_CHECK outcome add(T number, deadline until = {}) const { return add_any(number, nullptr, until, is_real()); }
    PLAIT_MUST_CHECK outcome add(T number, T &sum, deadline until = {}) const { return add_any(number, &sum, until, is_real()); }

    /* Where it lies, for whoever needs no lock or has it. */
    T *object() const { return static_cast<T *>(detail::check_made(plait_shared_value_get_obj(value_))); }

protected:
    plait_shared_value *value_ = nullptr;

private:
    using is_real = typename std::is_floating_point<T>::type;

    outcome add_any(T number, T *sum, deadline until, std::true_type) const
    {
        static_assert(detail::counts<T>(), "only numbers can be added to");
        double is = 0;
        const outcome done = detail::expected(plait_shared_value_add_double(value_, number, sum ? &is : nullptr, until));
        if (sum && done) *sum = static_cast<T>(is);
        return done;
    }
    outcome add_any(T number, T *sum, deadline until, std::false_type) const
    {
        static_assert(detail::counts<T>(), "only numbers can be added to");
        std::int64_t is = 0;
        const std::int64_t more = detail::to_add(number);
        const outcome done = detail::expected(plait_shared_value_add_int(value_, more, sum ? &is : nullptr, until));
        if (sum && done) *sum = static_cast<T>(is);
        return done;
    }
};

/* A value in shared memory and its owner, who outlives all its users. */
template <class T> class shared_value : public shared_value_ref<T> {
public:
    /* options: another lock than its own; see plait/shared_value.h. */
    explicit shared_value(const T &initial = T(), const plait_shared_options &options = plait_shared_options())
        : shared_value(detail::check_made(make(initial, options))) {}

    /* One number is still read, written and added to in one piece. */
    static shared_value without_lock(const T &initial = T())
    {
        plait_shared_options options = plait_shared_options();
        options.no_lock = 1;
        return shared_value(initial, options);
    }

    shared_value(shared_value &&other) noexcept : shared_value_ref<T>(other), owned_(std::move(other.owned_))
    {
        other.value_ = nullptr;
    }
    shared_value &operator=(shared_value &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(this->value_, other.value_);
        return *this;
    }
    ~shared_value()
    {
        if (owned_.is_mine()) plait_shared_value_free(owned_.get());
    }

private:
    explicit shared_value(plait_shared_value *made) : shared_value_ref<T>(made), owned_(made) {}
    static plait_shared_value *make(const T &initial, const plait_shared_options &options)
    {
        const int code = detail::code_of<T>::value;
        return code ? plait_shared_value_new(code, &initial, &options)
                    : plait_shared_value_new_struct(sizeof(T), &initial, &options);
    }
    detail::owned<plait_shared_value> owned_;
};

/* Holds a value's lock until the end of the scope. */
class value_guard : public detail::scoped<plait_shared_value, plait_shared_value_acquire, plait_shared_value_release> {
public:
    template <class T> explicit value_guard(const shared_value_ref<T> &value, deadline until = {})
        : scoped(*value.handle(), until) {}
};

}  // namespace plait

#endif
