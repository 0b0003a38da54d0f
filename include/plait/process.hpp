/* plait/process.hpp - a function or lambda in a process of its own, in a thread, or at the exit.
 *
 * ```cpp
 * int main()
 * {
 *     int answer = 42;
 *     plait::at_exit([] { std::puts("bye"); });                  // not in the child: that begins with none
 *     plait::process child([answer] { return answer + 1; });     // a fork: it has a copy of everything
 *     plait::thread thread([&answer] { answer = 7; });           // the same, but all memory is shared
 *     if (!child.join(std::chrono::seconds(60)) || !thread.join()) return 1;
 *     return child.exitcode() == 43 && answer == 7 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_PROCESS_HPP
#define PLAIT_PROCESS_HPP

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <sys/types.h>

#include <plait/deadline.hpp>
#include <plait/error.hpp>
#include <plait/owned.hpp>
#include <plait/process.h>
#include <plait/start_method.h>

namespace plait {

/* A child process that runs a function or lambda (a fork: what is captured is copied with everything else), or a thread if
 * options.kind says so.  What it returns is the exit code, 0 if it returns nothing.  The destructor waits for its end; a process that
 * is a daemon it kills first, which can't be done to a thread.
 * A closure lives in the memory of this process.  So where a child would begin anew, because options.method or, without that, the
 * program's start method is spawn or forkserver, PLAIT_ENOFUNCTION is thrown; plait_start is for that. */
class process {
public:
    template <class Function,
              class = typename std::enable_if<!std::is_base_of<process, typename std::decay<Function>::type>::value>::type>
    explicit process(Function &&function, const plait_process_options &options = plait_process_options())
        : process(copied(std::forward<Function>(function)), options, nullptr) {}
    process(process &&) noexcept = default;
    process &operator=(process &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(daemon_, other.daemon_);
        std::swap(function_, other.function_);
        return *this;
    }
    ~process()
    {
        if (!owned_.is_mine()) return;
        if (daemon_) plait_process_kill(handle());         /* -ENOTSUP for a thread */
        plait_process_join(handle(), PLAIT_FOREVER);
        plait_process_free(handle());
    }

    outcome join(deadline until = {}) { return detail::expected(plait_process_join(handle(), until)); }

    /* 0 to 255, or -signal.  Throws PLAIT_ERUNNING while it runs. */
    int exitcode() const
    {
        const int code = plait_process_exitcode(handle());
        return code <= -4096 ? detail::check(code) : code;
    }
    bool is_alive() const { return detail::check(plait_process_is_alive(handle())) != 0; }
    pid_t pid() const noexcept { return plait_process_pid(handle()); }
    const char *name() const noexcept { return plait_process_name(handle()); }
    int sentinel() const noexcept { return plait_process_sentinel(handle()); }
    void terminate() { detail::check(plait_process_terminate(handle())); }
    void kill() { detail::check(plait_process_kill(handle())); }
    plait_process *handle() const noexcept { return owned_.get(); }

private:
    template <class Function> static int call(Function &function, std::false_type) { return static_cast<int>(function()); }
    template <class Function> static int call(Function &function, std::true_type)
    {
        function();
        return 0;
    }
    template <class Function> static int run(void *function) noexcept
    {
        return call(*static_cast<Function *>(function), std::is_void<decltype(std::declval<Function &>()())>());
    }

    /* (What is given may be a function, no object.) */
    template <class Function> static std::unique_ptr<typename std::decay<Function>::type> copied(Function &&function)
    {
        using copy = typename std::decay<Function>::type;
        return std::unique_ptr<copy>(new copy(std::forward<Function>(function)));
    }

    /* In this memory, or a copy of it. */
    static plait_process_options here(plait_process_options options)
    {
        if (options.kind == PLAIT_THREADS) return options;
        if (options.method == 0) options.method = plait_get_start_method();
        if (options.method == PLAIT_SPAWN || options.method == PLAIT_FORKSERVER)
            detail::raise(error(PLAIT_ENOFUNCTION, "a closure of C++ is only in this process: PLAIT_FORK and threads run it; "
                                                   "for spawn and forkserver there is plait_start"));
        return options;
    }

    /* The child finds the copy where it is here: its memory is a copy of ours. */
    template <class Function>
    process(std::unique_ptr<Function> function, const plait_process_options &options, std::nullptr_t)
        : process(std::move(function), here(options), 0) {}
    template <class Function>
    process(std::unique_ptr<Function> function, const plait_process_options &options, int)
        : owned_(detail::check_made(plait_start(run<Function>, function.get(), 0, &options))), daemon_(options.daemon != 0),
          function_(std::move(function)) {}

    detail::owned<plait_process> owned_;
    bool daemon_;
    std::shared_ptr<void> function_;    /* what was moved into it stays ours, for the child to use, until the end of this object */
};

/* A process of kind PLAIT_THREADS: a thread of this one.  terminate() and kill() throw -ENOTSUP.  An exception that leaves its function
 * ends the whole process through std::terminate(), as with std::thread. */
class thread : public process {
public:
    template <class Function,
              class = typename std::enable_if<!std::is_base_of<process, typename std::decay<Function>::type>::value>::type>
    explicit thread(Function &&function, const plait_process_options &options = plait_process_options())
        : process(std::forward<Function>(function), of_thread(options)) {}
    thread(thread &&) noexcept = default;
    thread &operator=(thread &&) noexcept = default;
    ~thread() = default;

private:
    static plait_process_options of_thread(plait_process_options options) noexcept
    {
        options.kind = PLAIT_THREADS;
        return options;
    }
};

namespace detail {

template <class Function> void run_at_exit(void *argument) noexcept
{
    const std::unique_ptr<Function> function(static_cast<Function *>(argument));
    (*function)();
}

}  // namespace detail

/* Call a function or lambda when this process exits, as plait_at_exit does: higher priorities first, equal ones in reverse order. */
template <class Function> void at_exit(Function &&function, int priority = 0)
{
    using copy = typename std::decay<Function>::type;
    std::unique_ptr<copy> owned(new copy(std::forward<Function>(function)));
    detail::check(plait_at_exit(detail::run_at_exit<copy>, owned.get(), priority));
    owned.release();
}

}  // namespace plait

#endif
