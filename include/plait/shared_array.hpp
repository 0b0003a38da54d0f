/* plait/shared_array.hpp - many numbers, or structs, of one type in shared memory, with a lock over all of them.
 *
 * ```cpp
 * int main()
 * {
 *     plait::shared_array<int> numbers({ 0, 1, 2, 3, 4 });
 *     if (!numbers.set(-1, 40)) return 1;                            // as in Python: the last one
 *     std::vector<int> evens;
 *     if (!numbers.get_slice(evens, PLAIT_SLICE_NONE, PLAIT_SLICE_NONE, 2)) return 1;
 *     plait::array_guard guard(numbers);
 *     int sum = 0;
 *     for (int number : numbers) sum += number;                      // with the lock, or where none is needed
 *     return sum == 46 && evens == std::vector<int>({ 0, 2, 40 }) ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_SHARED_ARRAY_HPP
#define PLAIT_SHARED_ARRAY_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/shared_array.h>
#include <plait/shared_value.hpp>

namespace plait {

/* An array that somebody else owns: small, may be copied, kept in shared memory and sent.  Outcomes are those of
 * shared_value_ref; indexes and slices are Python's, and PLAIT_SLICE_NONE stands for what is left out. */
template <class T> class shared_array_ref {
    static_assert(detail::is_item<T>(), "the items are plain bytes, aligned to 16 at most");

public:
    shared_array_ref() noexcept = default;
    explicit shared_array_ref(plait_shared_array *array) noexcept : array_(array) {}
    plait_shared_array *handle() const noexcept { return array_; }
    std::size_t size() const { return checked(plait_shared_array_len(array_)); }

    /* ---- one item ---- */

    PLAIT_MUST_CHECK outcome get(std::ptrdiff_t index, T &item, deadline until = {}) const
    {
        return detail::expected(plait_shared_array_get(array_, index, &item, sizeof item, until));
    }
    PLAIT_MUST_CHECK outcome set(std::ptrdiff_t index, const T &item, deadline until = {}) const
    {
        return detail::expected(plait_shared_array_set(array_, index, &item, sizeof item, until));
    }

    /* Add to it in one step.  -ERANGE is thrown when the sum does not fit. */
    PLAIT_MUST_CHECK outcome add(std::ptrdiff_t index, T number, deadline until = {}) const
    {
        static_assert(detail::counts<T>(), "only numbers can be added to");
        return detail::expected(add_any(index, number, until, typename std::is_floating_point<T>::type()));
    }

    /* ---- slices; not of bool, which has no vector of its bytes ---- */

    PLAIT_MUST_CHECK outcome get_slice(std::vector<T> &items, std::ptrdiff_t start, std::ptrdiff_t stop, std::ptrdiff_t step = 1,
                                       deadline until = {}) const
    {
        items.resize(checked(plait_shared_array_slice_len(array_, start, stop, step)));
        return detail::expected(plait_shared_array_get_slice(array_, start, stop, step, items.data(), items.size(), until));
    }

    /* Just as many items as the slice has; or -EINVAL is thrown. */
    PLAIT_MUST_CHECK outcome set_slice(const std::vector<T> &items, std::ptrdiff_t start, std::ptrdiff_t stop,
                                       std::ptrdiff_t step = 1, deadline until = {}) const
    {
        return detail::expected(plait_shared_array_set_slice(array_, start, stop, step, items.data(), items.size(), until));
    }

    /* ---- without the lock: for whoever needs none, or has it ---- */

    T *data() const { return static_cast<T *>(detail::check_made(plait_shared_array_get_obj(array_))); }
    T *begin() const { return data(); }
    T *end() const { return data() + size(); }

protected:
    plait_shared_array *array_ = nullptr;

private:
    static std::size_t checked(ssize_t length)
    {
        if (length < 0) detail::raise(error(static_cast<int>(length)));
        return static_cast<std::size_t>(length);
    }
    int add_any(std::ptrdiff_t index, T number, deadline until, std::true_type) const
    {
        return plait_shared_array_add_double(array_, index, number, nullptr, until);
    }
    int add_any(std::ptrdiff_t index, T number, deadline until, std::false_type) const
    {
        return plait_shared_array_add_int(array_, index, detail::to_add(number), nullptr, until);
    }
};

/* An array in shared memory and its owner, who outlives all its users. */
template <class T> class shared_array : public shared_array_ref<T> {
public:
    /* Zeros; or a copy of these.  options: another lock than its own; see plait/shared_value.h. */
    explicit shared_array(std::size_t length, const plait_shared_options &options = plait_shared_options())
        : shared_array(detail::check_made(make(length, nullptr, options))) {}
    explicit shared_array(std::initializer_list<T> items, const plait_shared_options &options = plait_shared_options())
        : shared_array(detail::check_made(make(items.size(), items.begin(), options))) {}
    explicit shared_array(const std::vector<T> &items, const plait_shared_options &options = plait_shared_options())
        : shared_array(detail::check_made(make(items.size(), items.data(), options))) {}

    shared_array(shared_array &&other) noexcept : shared_array_ref<T>(other), owned_(std::move(other.owned_))
    {
        other.array_ = nullptr;
    }
    shared_array &operator=(shared_array &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(this->array_, other.array_);
        return *this;
    }
    ~shared_array()
    {
        if (owned_.is_mine()) plait_shared_array_free(owned_.get());
    }

private:
    explicit shared_array(plait_shared_array *made) : shared_array_ref<T>(made), owned_(made) {}
    static plait_shared_array *make(std::size_t length, const T *items, const plait_shared_options &options)
    {
        const int code = detail::code_of<T>::value;
        return code ? plait_shared_array_new(code, length, items, &options)
                    : plait_shared_array_new_struct(sizeof(T), length, items, &options);
    }
    detail::owned<plait_shared_array> owned_;
};

/* Holds an array's lock until the end of the scope. */
class array_guard : public detail::scoped<plait_shared_array, plait_shared_array_acquire, plait_shared_array_release> {
public:
    template <class T> explicit array_guard(const shared_array_ref<T> &array, deadline until = {})
        : scoped(*array.handle(), until) {}
};

}  // namespace plait

#endif
