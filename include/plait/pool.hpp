/* plait/pool.hpp - one function over many inputs, on all cores.
 *
 * ```cpp
 * int main()
 * {
 *     plait::pool pool;
 *     const std::vector<double> in(1000, 1.5);
 *     const std::vector<double> out = pool.map([](double x) { return 2 * x; }, in);
 *     const double sum = pool.map_reduce([](double x) { return 2 * x; }, in, std::plus<double>(), 0.0);
 *     const auto texts = pool.map_results([](double x) { return std::to_string(x); }, in);       // blocks of char
 *     return out[999] == 3 && sum == 3000 && texts[0][0] == '1' ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_POOL_HPP
#define PLAIT_POOL_HPP

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/arena.hpp>
#include <plait/block.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>
#include <plait/pool.h>
#include <plait/task.hpp>

namespace plait {

/* In a task of map_results: where its result goes. */
template <class T> class result {
    static_assert(std::is_trivially_copyable<T>::value && alignof(T) <= 16, "a result is copied as bytes");

public:
    explicit result(plait_result *out) noexcept : out_(out) {}

    /* Room for so many elements, not initialized: they are the result.  What the task had before is freed. */
    T *alloc(std::size_t count)
    {
        const std::size_t size = count ? detail::bytes_for<T>(count) : 0;
        return static_cast<T *>(detail::check_made(plait_result_alloc(out_, size)));
    }

    /* A copy of so many elements is the result. */
    void set(const T *data, std::size_t count) { detail::check(plait_result_set(out_, data, count * sizeof(T))); }

private:
    plait_result *out_;
};

/* A pool that somebody else owns.
 *
 * The inputs and the function, with what it captures, are copied as bytes into the workers: capture values, or pointers to shared
 * memory, never references.  Arrays of shared<T[]> are used in place; those of block<T> are copied, too.  A function may run more
 * than once for an input, if its worker was killed.
 *
 * What fails is thrown: a task_error when a task threw, with its text; else an error: PLAIT_EWORKERDIED, -ETIMEDOUT, -ENOMEM,
 * -EINVAL.  `context` of the options is not looked at, it is what the function captures. */
class pool_ref {
public:
    pool_ref() noexcept = default;
    explicit pool_ref(plait_pool *pool) noexcept : pool_(pool) {}

    /* The pool in one of whose tasks the calling thread is, for maps in tasks; false: it is in none. */
    static pool_ref current() noexcept { return pool_ref(plait_pool_current()); }

    explicit operator bool() const noexcept { return pool_ != nullptr; }
    plait_pool *handle() const noexcept { return pool_; }
    int workers() const { return detail::check(plait_pool_workers(handle())); }

    /* out[i] = function(in[i]) for all i < count.  After an error the outputs are not all there. */
    template <class Function, class In, class Out>
    void map(Function function, const In *in, Out *out, std::size_t count, const plait_map_options &options = defaults()) const
    {
        check_plain<In>();
        check_plain<Out>();
        detail::running_map<Function> running(function);
        const plait_map_options all = running.options(options);
        running.finish(plait_pool_map(pool_, detail::map_task<Function, In, Out>, in, sizeof(In), out, sizeof(Out), count, &all));
    }
    template <class Function, class In, class Out = detail::returned<Function, In>>
    std::vector<Out> map(Function function, const std::vector<In> &in, const plait_map_options &options = defaults()) const
    {
        static_assert(!std::is_same<Out, bool>::value, "a vector<bool> has no array in it: return a char");
        std::vector<Out> out(in.size());
        map(function, in.data(), out.data(), in.size(), options);
        return out;
    }

    /* Results of different sizes: function(in[i]) returns a std::vector<T>, a std::string (T is char), or anything else that has
     * data() and size().  That is copied once, in the worker, and the caller gets this block.  After an error there are none. */
    template <class Function, class In, class T = detail::element_of<detail::returned<Function, In>>>
    std::vector<block<T>> map_results(Function function, const In *in, std::size_t count,
                                      const plait_map_options &options = defaults()) const
    {
        return collect<T>(detail::array_task<Function, In>, function, in, count, options);
    }
    template <class Function, class In, class T = detail::element_of<detail::returned<Function, In>>>
    std::vector<block<T>> map_results(Function function, const std::vector<In> &in,
                                      const plait_map_options &options = defaults()) const
    {
        return map_results(function, in.data(), in.size(), options);
    }

    /* The same without any copy: map_results<T>(function, in), where function(in[i], result) writes into what `result`, a
     * plait::result<T> &, allocates; an empty block if it does not. */
    template <class T, class Function, class In>
    std::vector<block<T>> map_results(Function function, const In *in, std::size_t count,
                                      const plait_map_options &options = defaults()) const
    {
        return collect<T>(detail::making_task<Function, In, result<T>>, function, in, count, options);
    }
    template <class T, class Function, class In>
    std::vector<block<T>> map_results(Function function, const std::vector<In> &in,
                                      const plait_map_options &options = defaults()) const
    {
        return map_results<T>(function, in.data(), in.size(), options);
    }

    /* All function(in[i]) folded into one value by reduce(into, from), in the order of the inputs; reduce has to be associative,
     * and `neutral` must not change what it is folded with: 0 for sums, an empty histogram.  The type of `neutral` is that of the
     * result and of what is folded: 0.0 for doubles.
     * Both may return their value, or write it: function(in[i], value) into a Value & that begins as a copy of `neutral`,
     * reduce(into, from) into its first argument. */
    template <class Function, class In, class Reduce, class Value>
    Value map_reduce(Function function, const In *in, std::size_t count, Reduce reduce, Value neutral,
                     const plait_map_options &options = defaults()) const
    {
        using folding = detail::folding<Function, Reduce>;
        check_plain<In>();
        check_plain<Value>();
        static_assert(alignof(Value) <= 16, "what is folded is aligned to 16 bytes");
        detail::running_map<folding> running(folding{ function, reduce });
        const plait_map_options all = running.options(options);
        running.finish(plait_pool_map_reduce(pool_, detail::folded_task<folding, Function, In, Value>, in, sizeof(In), count,
                                             detail::fold_two<folding, Reduce, Value>, &neutral, sizeof neutral, &all));
        return neutral;
    }
    template <class Function, class In, class Reduce, class Value>
    Value map_reduce(Function function, const std::vector<In> &in, Reduce reduce, Value neutral,
                     const plait_map_options &options = defaults()) const
    {
        return map_reduce(function, in.data(), in.size(), reduce, neutral, options);
    }

protected:
    plait_pool *pool_ = nullptr;

private:
    static plait_map_options defaults() noexcept { return plait_map_options(); }

    template <class T> static void check_plain() noexcept
    {
        static_assert(std::is_trivially_copyable<T>::value, "inputs and outputs are copied as bytes");
        static_assert(alignof(T) <= 64, "the copies are aligned to 64 bytes");
    }

    /* Everything that can throw comes before there are results: whatever happens then, each has its owner. */
    template <class T, class Function, class In>
    std::vector<block<T>> collect(plait_task task, const Function &function, const In *in, std::size_t count,
                                  const plait_map_options &options) const
    {
        check_plain<In>();
        detail::running_map<Function> running(function);
        std::vector<plait_result> results(count);
        std::vector<block<T>> blocks(count);
        const plait_map_options all = running.options(options);
        const int code = plait_pool_map_results(pool_, task, in, sizeof(In), results.data(), count, &all);
        for (std::size_t i = 0; i < count; i++)
            blocks[i] = block<T>::adopt(static_cast<T *>(results[i].data), results[i].size / sizeof(T));
        running.finish(code);
        return blocks;
    }
};

/* Workers that run one function over many inputs, and their owner. */
class pool : public pool_ref {
public:
    explicit pool(int workers = 0) : pool(with_workers(workers)) {}
    explicit pool(const plait_pool_options &options) : pool_ref(detail::check_made(plait_pool_new(&options))), owned_(pool_) {}
    pool(pool &&other) noexcept : pool_ref(other), owned_(std::move(other.owned_)) { other.pool_ = nullptr; }
    pool &operator=(pool &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(pool_, other.pool_);
        return *this;
    }
    ~pool()
    {
        if (owned_.is_mine()) plait_pool_free(owned_.get());
    }

private:
    static plait_pool_options with_workers(int workers) noexcept
    {
        plait_pool_options options = plait_pool_options();
        options.workers = workers;
        return options;
    }

    detail::owned<plait_pool> owned_;
};

}  // namespace plait

#endif
