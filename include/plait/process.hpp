/* plait/process.hpp - a function or lambda in a process of its own.
 *
 * ```cpp
 * int main()
 * {
 *     const int answer = 42;
 *     plait::process child([answer] { return answer + 1; });     // a fork: it has a copy of everything
 *     if (!child.join(std::chrono::seconds(60))) return 1;
 *     return child.exitcode() == 43 ? 0 : 1;
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

namespace plait {

/* A child process that runs a function or lambda (a fork: what is captured is copied with everything else).  What it returns is the
 * exit code, 0 if it returns nothing.  The destructor waits for its end; a daemon it kills first. */
class process {
public:
    template <class Function,
              class = typename std::enable_if<!std::is_same<typename std::decay<Function>::type, process>::value>::type>
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
        if (daemon_) plait_process_kill(handle());
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

    /* The child finds the copy where it is here: its memory is a copy of ours. */
    template <class Function>
    process(std::unique_ptr<Function> function, const plait_process_options &options, std::nullptr_t)
        : owned_(detail::check_made(plait_start(run<Function>, function.get(), 0, &options))), daemon_(options.daemon != 0),
          function_(std::move(function)) {}

    detail::owned<plait_process> owned_;
    bool daemon_;
    std::shared_ptr<void> function_;    /* what was moved into it stays ours, for the child to use, until the end of this object */
};

}  // namespace plait

#endif
