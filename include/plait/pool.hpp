/* plait/pool.hpp - one function over many inputs, on all cores.
 *
 * ```cpp
 * int main()
 * {
 *     plait::pool pool;
 *     const std::vector<double> in(1000, 1.5);
 *     const std::vector<double> out = pool.map([](double x) { return 2 * x; }, in);
 *     return out[999] == 3 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_POOL_HPP
#define PLAIT_POOL_HPP

#include <atomic>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/arena.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>
#include <plait/pool.h>

namespace plait {

/* Workers that run one function over many inputs. */
class pool {
public:
    explicit pool(int workers = 0) : pool(with_workers(workers)) {}
    explicit pool(const plait_pool_options &options) : owned_(detail::check_made(plait_pool_new(&options))) {}
    pool(pool &&) noexcept = default;
    pool &operator=(pool &&) noexcept = default;
    ~pool()
    {
        if (owned_.is_mine()) plait_pool_free(owned_.get());
    }

    int workers() const { return detail::check(plait_pool_workers(handle())); }
    plait_pool *handle() const noexcept { return owned_.get(); }

    /* out[i] = function(in[i]) for all i < count.  Inputs, outputs and the function, with what it captures, are copied as bytes
     * into the workers: capture values, or pointers to shared memory, never references.  The context of `options` is map's own.
     * Throws a task_error when a task threw, else an error (-ETIMEDOUT too), after which the outputs are not all there. */
    template <class Function, class In, class Out>
    void map(Function function, const In *in, Out *out, std::size_t count, plait_map_options options = plait_map_options())
    {
        static_assert(std::is_trivially_copyable<In>::value && std::is_trivially_copyable<Out>::value,
                      "inputs and outputs are copied as bytes");
        static_assert(std::is_trivially_copyable<Function>::value, "the function is copied as bytes: it may capture plain values");
        const shared<job<Function>> shared_job(function);
        options.context = shared_job.get();
        options.context_size = 0;
        const int code = plait_pool_map(handle(), run<Function, In, Out>, in, sizeof(In), out, sizeof(Out), count, &options);
        if (code == task_threw) detail::raise(task_error(shared_job->text));
        detail::check(code);
    }
    template <class Function, class In,
              class Out = typename std::decay<decltype(std::declval<Function &>()(std::declval<const In &>()))>::type>
    std::vector<Out> map(Function function, const std::vector<In> &in, plait_map_options options = plait_map_options())
    {
        static_assert(!std::is_same<Out, bool>::value, "a vector<bool> has no array in it: return a char");
        std::vector<Out> out(in.size());
        map(function, in.data(), out.data(), in.size(), options);
        return out;
    }

private:
    enum { task_threw = 1 };

    /* The function, and what its first exception said. */
    template <class Function> struct job {
        explicit job(const Function &given) : function(given), has_text(0), text() {}
        Function function;
        std::atomic<int> has_text;
        char text[240];

        void note(const char *what) noexcept
        {
            if (!has_text.exchange(1)) std::strncpy(text, what, sizeof text - 1);
        }
    };

    template <class Function, class In, class Out> static int run(const void *in, void *out, void *context) noexcept
    {
        job<Function> &mine = *static_cast<job<Function> *>(context);
#ifdef __cpp_exceptions
        try {
            new (out) Out(mine.function(*static_cast<const In *>(in)));
            return 0;
        } catch (const std::exception &exception) {
            mine.note(exception.what());
        } catch (...) {
            mine.note("a task threw something that is no std::exception");
        }
        return task_threw;
#else
        new (out) Out(mine.function(*static_cast<const In *>(in)));
        return 0;
#endif
    }

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
