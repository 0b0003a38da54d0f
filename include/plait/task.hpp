/* plait/task.hpp - how a C++ function becomes a task of a pool.  Nothing here is for users.
 *
 * The function is copied, as bytes, into the map, as the context of its tasks.  What it throws is caught in the worker: the task
 * fails with task_threw, and the exception's text is noted where the caller of the map finds it.
 *
 * Where: in notes, a block of the family that the caller of an outermost map makes and frees.  Maps in tasks note theirs in the
 * same block, since a task can be killed at any time, and could not free one of its own.  There is room for some texts; if others
 * have taken it meanwhile, the text is lost, and a general one stands for it. */
#ifndef PLAIT_TASK_HPP
#define PLAIT_TASK_HPP

#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include <plait/arena.hpp>
#include <plait/error.hpp>
#include <plait/pool.h>

namespace plait {
namespace detail {

enum { task_threw = 1 };

class notes {
public:
    /* A number for a map, not 0. */
    std::uint32_t number() noexcept { return ++maps_; }

    /* For the first exception of a map. */
    void write(std::uint32_t map, const char *text) noexcept
    {
        note &mine = notes_[next_++ % count];
        mine.map = 0;
        std::strncpy(mine.text, text, sizeof mine.text - 1);
        mine.map = map;
    }

    std::string read(std::uint32_t map) const
    {
        for (const note &one : notes_) {
            if (one.map != map) continue;
            char text[sizeof one.text] = "";
            std::memcpy(text, one.text, sizeof text - 1);
            if (one.map == map) return text;               // else it has been written over meanwhile
        }
        return "a task threw";
    }

private:
    enum { count = 8 };
    struct note {
        std::atomic<std::uint32_t> map{ 0 };
        char text[252] = "";
    };
    std::atomic<std::uint32_t> maps_{ 0 }, next_{ 0 };
    note notes_[count];
};

/* Those of the task that this thread runs. */
inline notes *&notes_here() noexcept
{
    static thread_local notes *here = nullptr;
    return here;
}

/* What all tasks of a map share, in its context. */
struct job_head {
    notes *texts;
    std::uint32_t map, threw;

    void note(const char *text) noexcept
    {
        if (!__atomic_exchange_n(&threw, 1u, __ATOMIC_RELAXED)) texts->write(map, text);
    }
};

template <class Function> struct job {
    job_head head;
    Function function;
};

/* Run body() for a task: no exception leaves it. */
template <class Body> int run_task(job_head &head, Body body) noexcept
{
    notes *const before = notes_here();
    notes_here() = head.texts;
    int code = 0;
#ifdef __cpp_exceptions
    try {
        body();
    } catch (const std::exception &exception) {
        head.note(exception.what());
        code = task_threw;
    } catch (...) {
        head.note("a task threw something that is no std::exception");
        code = task_threw;
    }
#else
    body();
#endif
    notes_here() = before;
    return code;
}

/* A map under way: the context that its tasks get, and what came of them. */
template <class Function> class running_map {
    static_assert(std::is_trivially_copyable<Function>::value, "the function is copied as bytes: it may capture plain values");
    static_assert(alignof(Function) <= 16, "the copy is aligned to 16 bytes");

public:
    explicit running_map(const Function &function)
        : own_(notes_of_task() ? shared<notes>::adopt(nullptr) : shared<notes>()),
          job_{ { own_.get() ? own_.get() : notes_here(), 0, 0 }, function }
    {
        job_.head.map = job_.head.texts->number();
    }

    plait_map_options options(plait_map_options options) noexcept
    {
        options.context = &job_;
        options.context_size = sizeof job_;
        return options;
    }

    /* What the C call returned. */
    void finish(int code) const
    {
        if (code == task_threw) raise(task_error(job_.head.texts->read(job_.head.map)));
        check(code);
    }

private:
    /* Those of the task that this map is in, if it is in one. */
    static notes *notes_of_task() noexcept { return plait_pool_current() ? notes_here() : nullptr; }

    shared<notes> own_;
    job<Function> job_;
};

/* ---- the tasks themselves, as C calls them ---- */

template <class Function, class In> using returned =
    typename std::decay<decltype(std::declval<Function &>()(std::declval<const In &>()))>::type;

template <class Array> using element_of =
    typename std::remove_const<typename std::remove_pointer<decltype(std::declval<Array &>().data())>::type>::type;

template <class Function, class In, class Out> int map_task(const void *in, void *out, void *context) noexcept
{
    job<Function> &mine = *static_cast<job<Function> *>(context);
    return run_task(mine.head, [&] { new (out) Out(mine.function(*static_cast<const In *>(in))); });
}

/* The result is a copy of the array that the function returns. */
template <class Function, class In> int array_task(const void *in, void *out, void *context) noexcept
{
    job<Function> &mine = *static_cast<job<Function> *>(context);
    return run_task(mine.head, [&] {
        const returned<Function, In> array = mine.function(*static_cast<const In *>(in));
        check(plait_result_set(out, array.data(), array.size() * sizeof *array.data()));
    });
}

/* The function makes its Result by itself. */
template <class Function, class In, class Result> int making_task(const void *in, void *out, void *context) noexcept
{
    job<Function> &mine = *static_cast<job<Function> *>(context);
    return run_task(mine.head, [&] {
        Result result(static_cast<plait_result *>(out));
        mine.function(*static_cast<const In *>(in), result);
    });
}

template <class Function, class Reduce> struct folding {
    Function function;
    Reduce reduce;
};

template <class Function, class In, class = void> struct takes_only_input : std::false_type {};
template <class Function, class In>
struct takes_only_input<Function, In, decltype(void(std::declval<Function &>()(std::declval<const In &>())))> : std::true_type {};

template <class Function, class In, class Value> void work_out(Function &function, const In &in, Value &out, std::true_type)
{
    out = function(in);
}
template <class Function, class In, class Value> void work_out(Function &function, const In &in, Value &out, std::false_type)
{
    function(in, out);
}

template <class Reduce, class Value> void fold(Reduce &reduce, Value &into, const Value &from, std::false_type)
{
    into = reduce(into, from);
}
template <class Reduce, class Value> void fold(Reduce &reduce, Value &into, const Value &from, std::true_type)
{
    reduce(into, from);
}

template <class Folding, class Function, class In, class Value> int folded_task(const void *in, void *out, void *context) noexcept
{
    job<Folding> &mine = *static_cast<job<Folding> *>(context);
    return run_task(mine.head, [&] {
        const takes_only_input<Function, In> way{};
        work_out(mine.function.function, *static_cast<const In *>(in), *static_cast<Value *>(out), way);
    });
}

template <class Folding, class Reduce, class Value> int fold_two(void *into, const void *from, void *context) noexcept
{
    using folded = decltype(std::declval<Reduce &>()(std::declval<Value &>(), std::declval<const Value &>()));
    job<Folding> &mine = *static_cast<job<Folding> *>(context);
    return run_task(mine.head, [&] {
        fold(mine.function.reduce, *static_cast<Value *>(into), *static_cast<const Value *>(from), std::is_void<folded>());
    });
}

}  // namespace detail
}  // namespace plait

#endif
