/* plait/lease.hpp - a message that comes back to the queue unless it is acknowledged.
 *
 * ```cpp
 * int main()
 * {
 *     plait_queue_options options = plait_queue_options();
 *     options.leases = 1;
 *     plait::queue tasks(options);
 *     if (!tasks.put(7)) return 1;
 *     plait::lease lease;
 *     int task = 0;
 *     if (!tasks.get(task, lease)) return 1;                     // who is killed here loses no task: another one gets it
 *     lease.ack();                                               // now it is done
 *     return task == 7 ? 0 : 1;
 * }
 * ```
 */
#ifndef PLAIT_LEASE_HPP
#define PLAIT_LEASE_HPP

#include <utility>

#include <plait/error.hpp>
#include <plait/queue.h>

namespace plait {

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

}  // namespace plait

#endif
