/* plait.hpp - plait for C++, from C++11 on: owners that free what they own, typed messages, deadlines from std::chrono.
 *
 * ```cpp
 * struct account { plait::lock lock; long balance = 0; };
 *
 * int main()
 * {
 *     plait::shared<account> account;                        // in memory that all processes of the family share
 *     plait::queue queue;
 *     plait::process child([&] {                             // a fork: it has a copy of everything that is captured
 *         plait::guard guard(account->lock);
 *         if (guard.owner_died()) return 1;                  // the last holder was killed in here: check what it left
 *         account->balance += 10;
 *         return bool(queue.put(42.0)) ? 0 : 1;
 *     });
 *     double answer = 0;
 *     auto got = queue.get(answer, std::chrono::seconds(60));
 *     if (got.timed_out()) return 1;
 *     child.join();
 *     return answer == 42 && account->balance == 10 ? child.exitcode() : 1;
 * }
 * ```
 *
 * How errors come.  What a program has to expect while it waits is a plait::outcome: the deadline passed, the queue was closed, the
 * last owner of a lock died.  Everything else is thrown as a plait::error, which is a std::system_error: its code().value() is what
 * the C call returned (-ENOMEM, PLAIT_EREAPED, ...), its what() has the message and plait_error_detail().  Destructors never
 * throw.  With -fno-exceptions std::terminate() is called in place of a throw.
 *
 * No exception passes through C code, nor from one process to another.  One that leaves the function of a plait::process ends that
 * process through std::terminate(), as it does with a std::thread; its exit code is then -SIGABRT.  One that a pool's task throws
 * fails the task, and map throws a plait::task_error with its text.
 *
 * Owners are made and freed by the same process: in a fork their destructors do nothing.  An owner can be moved, not copied.  What
 * is shared outside of owners are `queue_ref`s and plain pointers; handle() is the C object, for everything that is not here.
 * Threads: as the C calls say; the owner itself is no more than a pointer, to be moved or assigned by one thread at a time. */
#ifndef PLAIT_HPP
#define PLAIT_HPP

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

#include <plait.h>

namespace plait {

/* ---- errors and outcomes ---- */

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

    /* What the C call returned; of a get that is the size of the message. */
    ssize_t code() const noexcept { return code_; }

private:
    ssize_t code_;
};

namespace detail {

inline outcome expected(ssize_t code)
{
    if (code < 0 && code != -ETIMEDOUT && code != PLAIT_ECLOSED) raise(error(static_cast<int>(code)));
    return outcome(code);
}

}  // namespace detail

/* ---- deadlines ---- */

/* Until when a call may wait: for ever if nothing is said, for a duration from now, or until a moment. */
class deadline {
public:
    constexpr deadline() noexcept : value_{0} {}
    constexpr deadline(plait_deadline value) noexcept : value_(value) {}

    template <class Count, class Period>
    deadline(std::chrono::duration<Count, Period> from_now) noexcept
        : value_(plait_after(std::chrono::duration<double>(from_now).count())) {}

    /* steady_clock counts CLOCK_MONOTONIC, as plait does. */
    template <class Duration>
    deadline(std::chrono::time_point<std::chrono::steady_clock, Duration> moment) noexcept
        : value_{nanoseconds(moment.time_since_epoch())} {}

    static constexpr deadline forever() noexcept { return deadline(); }
    static constexpr deadline now() noexcept { return deadline(plait_deadline{1}); }

    constexpr operator plait_deadline() const noexcept { return value_; }

private:
    template <class Duration> static int64_t nanoseconds(Duration since_boot) noexcept
    {
        const double about = std::chrono::duration<double, std::nano>(since_boot).count();
        if (about >= 9e18) return 0;                       // later than the clock goes: for ever
        if (about <= 1) return 1;                          // it is over
        return std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot).count();
    }

    plait_deadline value_;
};

namespace detail {

/* An object of C that one process owns: freed by its destructor there, and only there. */
template <class T> class owned {
public:
    explicit owned(T *object) noexcept : object_(object), owner_(getpid()) {}
    owned(owned &&other) noexcept : object_(other.object_), owner_(other.owner_) { other.object_ = nullptr; }
    owned &operator=(owned &&other) noexcept
    {
        std::swap(object_, other.object_);
        std::swap(owner_, other.owner_);
        return *this;
    }
    T *get() const noexcept { return object_; }
    bool is_mine() const noexcept { return object_ && owner_ == getpid(); }
    T *release() noexcept
    {
        T *object = object_;
        object_ = nullptr;
        return object;
    }

private:
    T *object_;
    pid_t owner_;
};

}  // namespace detail

/* ---- shared memory ---- */

/* A T in shared memory: made there by its constructor, freed with this owner.  A T must not own private memory. */
template <class T> class shared {
    static_assert(std::is_trivially_destructible<T>::value, "what has a destructor owns private memory, which others can not see");
    static_assert(alignof(T) <= 16, "shared memory is aligned to 16 bytes");

public:
    template <class... Arguments> explicit shared(Arguments &&...arguments) : shared(allocate{}, sizeof(T))
    {
        new (memory_.get()) T(std::forward<Arguments>(arguments)...);
    }
    shared(shared &&) noexcept = default;
    shared &operator=(shared &&) noexcept = default;
    ~shared()
    {
        if (memory_.is_mine()) plait_free(memory_.get());
    }

    T *get() const noexcept { return memory_.get(); }
    T *operator->() const noexcept { return get(); }
    T &operator*() const noexcept { return *get(); }

    /* Hand the object over: release() gives up the ownership of the address that is then sent, adopt() takes it. */
    T *release() noexcept { return memory_.release(); }
    static shared adopt(T *object) noexcept { return shared(adopted{}, object); }

private:
    struct allocate {};
    struct adopted {};
    shared(allocate, std::size_t size) : memory_(static_cast<T *>(detail::check_made(plait_alloc(size)))) {}
    shared(adopted, T *object) noexcept : memory_(object) {}

    detail::owned<T> memory_;
};

/* An array in shared memory, all zero bytes at first. */
template <class T> class shared<T[]> {
    static_assert(std::is_trivially_copyable<T>::value, "the elements begin as zero bytes");
    static_assert(alignof(T) <= 16, "shared memory is aligned to 16 bytes");

public:
    explicit shared(std::size_t count) : memory_(static_cast<T *>(detail::check_made(plait_alloc(bytes(count))))), count_(count) {}
    shared(shared &&) noexcept = default;
    shared &operator=(shared &&) noexcept = default;
    ~shared()
    {
        if (memory_.is_mine()) plait_free(memory_.get());
    }

    T *data() const noexcept { return memory_.get(); }
    std::size_t size() const noexcept { return count_; }
    T &operator[](std::size_t i) const noexcept { return data()[i]; }
    T *begin() const noexcept { return data(); }
    T *end() const noexcept { return data() + count_; }

private:
    /* No block has no bytes; and what does not fit a size_t does not fit the memory either. */
    static std::size_t bytes(std::size_t count) noexcept
    {
        if (count == 0) return 1;
        return count > SIZE_MAX / sizeof(T) ? SIZE_MAX : count * sizeof(T);
    }

    detail::owned<T> memory_;
    std::size_t count_;
};

/* ---- locks ---- */

/* A lock, to stand in a struct in shared memory, or anywhere for the threads of one process.  It has not the names that
 * std::lock_guard wants: that one would pass over the death of an owner. */
class lock {
public:
    constexpr lock() noexcept : lock_{0, 0} {}
    lock(const lock &) = delete;
    lock &operator=(const lock &) = delete;

    /* code() of the outcome is PLAIT_OWNER_DIED if the last holder was killed inside; the lock is yours all the same. */
    PLAIT_MUST_CHECK outcome acquire(deadline until = {}) { return detail::expected(plait_lock_acquire(&lock_, until)); }
    void release() { detail::check(plait_lock_release(&lock_)); }
    void disown() { detail::check(plait_lock_disown(&lock_)); }
    bool locked() const noexcept { return plait_lock_locked(&lock_) == 1; }
    plait_lock *handle() noexcept { return &lock_; }

private:
    plait_lock lock_;
};

static_assert(sizeof(lock) == sizeof(plait_lock) && std::is_standard_layout<lock>::value, "C and C++ may share a struct");

/* Holds a lock until the end of the scope. */
class guard {
public:
    explicit guard(lock &lock, deadline until = {}) : guard(*lock.handle(), until) {}
    explicit guard(plait_lock &lock, deadline until = {})
        : outcome_(detail::expected(plait_lock_acquire(&lock, until))), held_(outcome_ ? &lock : nullptr) {}
    guard(const guard &) = delete;
    guard &operator=(const guard &) = delete;
    ~guard() { release(); }

    /* Whether it holds the lock.  Without a deadline it does. */
    explicit operator bool() const noexcept { return held_ != nullptr; }
    bool timed_out() const noexcept { return outcome_.timed_out(); }

    /* The last holder was killed inside: check what the lock protects. */
    bool owner_died() const noexcept { return outcome_.code() == PLAIT_OWNER_DIED; }

    /* Before the end of the scope. */
    void release() noexcept
    {
        if (held_) plait_lock_release(held_);
        held_ = nullptr;
    }

private:
    outcome outcome_;
    plait_lock *held_;
};

/* ---- queues ---- */

/* A message that was taken and comes back to the queue unless it is acknowledged.  By one thread, see plait_queue_lease. */
class lease {
public:
    lease() noexcept = default;
    lease(lease &&other) noexcept : queue_(other.queue_), lease_(other.lease_) { other.queue_ = nullptr; }
    lease &operator=(lease &&other) noexcept
    {
        std::swap(queue_, other.queue_);
        std::swap(lease_, other.lease_);
        return *this;
    }
    ~lease()
    {
        if (queue_) plait_queue_giveback(queue_, lease_);
    }

    explicit operator bool() const noexcept { return queue_ != nullptr; }

    /* How many takers died with this message, or gave it back. */
    unsigned attempts() const noexcept { return lease_.attempts; }

    void ack() { settle(plait_queue_ack); }
    void giveback() { settle(plait_queue_giveback); }

private:
    friend class queue_ref;

    void settle(int (*how)(plait_queue *, plait_lease))
    {
        plait_queue *queue = queue_;
        queue_ = nullptr;
        detail::check(how(queue, lease_));
    }

    plait_queue *queue_ = nullptr;
    plait_lease lease_ = plait_lease();
};

/* A queue that somebody else owns: small, may be copied, kept in shared memory and sent. */
class queue_ref {
public:
    queue_ref() noexcept = default;
    explicit queue_ref(plait_queue *queue) noexcept : queue_(queue) {}
    plait_queue *handle() const noexcept { return queue_; }

    /* A message is the bytes of a T; or the characters of a string; or bytes.  false: timed_out() or closed(). */
    template <class T> PLAIT_MUST_CHECK outcome put(const T &message, deadline until = {}) const
    {
        static_assert(std::is_trivially_copyable<T>::value, "a message is copied as bytes");
        static_assert(!std::is_same<T, char *>::value && !std::is_same<T, const char *>::value,
                      "the address of a text says nothing elsewhere: put a std::string, or its bytes");
        return put_bytes(&message, sizeof message, until);
    }
    PLAIT_MUST_CHECK outcome put(const std::string &message, deadline until = {}) const
    {
        return put_bytes(message.data(), message.size(), until);
    }
    PLAIT_MUST_CHECK outcome put_bytes(const void *data, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_put(queue_, data, size, until));
    }

    /* The next message has to be a T: a longer one stays and -EMSGSIZE is thrown, a shorter one is gone and -EBADMSG is thrown.
     * When false, `message` is as it was; a string may have been changed. */
    template <class T> PLAIT_MUST_CHECK outcome get(T &message, deadline until = {}) const
    {
        return whole<T>(get_bytes(place_for(message), sizeof message, until));
    }
    PLAIT_MUST_CHECK outcome get(std::string &message, deadline until = {}) const
    {
        for (;;) {
            const outcome next = detail::expected(plait_queue_next_size(queue_, until));
            if (!next) return next;
            message.resize(static_cast<std::size_t>(next.code()));
            const ssize_t size = plait_queue_get(queue_, &message[0], message.size(), until);
            if (size >= 0) message.resize(static_cast<std::size_t>(size));
            if (size != -EMSGSIZE) return detail::expected(size);      // else another took that one, and the next is longer
        }
    }
    PLAIT_MUST_CHECK outcome get_bytes(void *buffer, std::size_t size, deadline until = {}) const
    {
        return detail::expected(plait_queue_get(queue_, buffer, size, until));
    }

    /* As get; the message comes back unless `lease` acknowledges it.  For queues made with .leases.  What `lease` was before is
     * given back first. */
    template <class T> PLAIT_MUST_CHECK outcome get(T &message, lease &lease, deadline until = {}) const
    {
        lease = plait::lease();
        plait::lease taken;
        const outcome got = detail::expected(plait_queue_lease(queue_, place_for(message), sizeof message, &taken.lease_, until));
        if (got) taken.queue_ = queue_;
        const outcome result = whole<T>(got);
        lease = std::move(taken);
        return result;
    }

    /* How many messages are there; only a momentary picture. */
    ssize_t qsize() const noexcept { return plait_queue_qsize(queue_); }

    /* No more puts; gets go on until everything has been read. */
    void close() const { detail::check(plait_queue_close(queue_)); }

protected:
    plait_queue *queue_ = nullptr;

private:
    template <class T> static void *place_for(T &message) noexcept
    {
        static_assert(std::is_trivially_copyable<T>::value && !std::is_const<T>::value, "a message is copied as bytes");
        return &message;
    }
    template <class T> static outcome whole(outcome got)
    {
        if (got && got.code() != static_cast<ssize_t>(sizeof(T)))
            detail::raise(error(-EBADMSG, "a message of " + std::to_string(got.code()) + " bytes is no object of " +
                                              std::to_string(sizeof(T))));
        return got;
    }
};

/* A queue and its owner, who outlives all its users. */
class queue : public queue_ref {
public:
    queue() : queue(plait_queue_options()) {}
    explicit queue(const plait_queue_options &options)
        : queue_ref(detail::check_made(plait_queue_new(&options))), owned_(queue_) {}
    queue(queue &&other) noexcept : queue_ref(other), owned_(std::move(other.owned_)) { other.queue_ = nullptr; }
    queue &operator=(queue &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(queue_, other.queue_);
        return *this;
    }
    ~queue()
    {
        if (owned_.is_mine()) plait_queue_free(owned_.get());
    }

private:
    detail::owned<plait_queue> owned_;
};

/* ---- processes ---- */

/* A child process that runs a function or lambda (a fork: what is captured is copied with everything else).  What it returns is the
 * exit code, 0 if it returns nothing.  The destructor waits for its end; a daemon it kills first. */
class process {
public:
    template <class Function,
              class = typename std::enable_if<!std::is_same<typename std::decay<Function>::type, process>::value>::type>
    explicit process(Function &&function, const plait_process_options &options = plait_process_options())
        : owned_(start(std::forward<Function>(function), options)), daemon_(options.daemon != 0) {}
    process(process &&) noexcept = default;
    process &operator=(process &&other) noexcept
    {
        owned_ = std::move(other.owned_);
        std::swap(daemon_, other.daemon_);
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

    /* The child finds the copy where it is here: its memory is a copy of ours.  (What is given may be a function, no object.) */
    template <class Function> static plait_process *start(Function &&function, const plait_process_options &options)
    {
        typename std::decay<Function>::type copy(std::forward<Function>(function));
        return detail::check_made(plait_start(run<decltype(copy)>, &copy, 0, &options));
    }

    detail::owned<plait_process> owned_;
    bool daemon_;
};

/* ---- pools ---- */

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
