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
 * process through std::terminate(), as it does with a std::thread; its exit code is then -SIGABRT.  One that a pool's task or its
 * reduce function throws fails the task, and the map throws a plait::task_error with its text; so it is with maps in tasks.
 *
 * Owners are made and freed by the same process: in a fork their destructors do nothing.  An owner can be moved, not copied.  What
 * is shared outside of owners are `queue_ref`s, `pool_ref`s and plain pointers; handle() is the C object, for all that is not
 * here.  Threads: as the C calls say; the owner itself is no more than a pointer, to be moved or assigned by one thread at a time.
 * The memory of a `block` belongs to one thread, and ends with it.
 *
 * This is all of it.  Each part can be included alone, and opens with a program that uses it: error.hpp (outcomes and errors),
 * deadline.hpp, arena.hpp (shared<T>, the memory as a whole), block.hpp (arrays that are handed over without a copy), lock.hpp,
 * rlock.hpp, rwlock.hpp, condition.hpp, semaphore.hpp, event.hpp, barrier.hpp, shared_value.hpp, shared_array.hpp, queue.hpp,
 * connection.hpp, message.hpp, value.hpp (what has no fixed shape, or is for Python), lease.hpp, process.hpp (processes, threads,
 * at_exit), pool.hpp (map, map_results, map_reduce, maps in tasks), join.hpp (doors, names). */
#ifndef PLAIT_HPP
#define PLAIT_HPP

#include <plait.h>

#include <plait/error.hpp>
#include <plait/deadline.hpp>
#include <plait/owned.hpp>
#include <plait/arena.hpp>
#include <plait/block.hpp>
#include <plait/lock.hpp>
#include <plait/rlock.hpp>
#include <plait/rwlock.hpp>
#include <plait/condition.hpp>
#include <plait/semaphore.hpp>
#include <plait/event.hpp>
#include <plait/barrier.hpp>
#include <plait/shared_value.hpp>
#include <plait/shared_array.hpp>
#include <plait/lease.hpp>
#include <plait/message.hpp>
#include <plait/value.hpp>
#include <plait/queue.hpp>
#include <plait/connection.hpp>
#include <plait/process.hpp>
#include <plait/task.hpp>
#include <plait/pool.hpp>
#include <plait/join.hpp>

#endif
