// Boost.Interprocess, the nearest thing that C++ has: a message queue, a mutex and a managed segment in shared memory.
#include "bench.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <unistd.h>
#include <vector>

namespace ipc = boost::interprocess;

static std::string name_of(const char *what)
{
    return std::string("plait-bench-") + what + "-" + std::to_string(getpid());
}

struct channel {
    std::string name;
    ipc::message_queue queue;

    channel(const std::string &with, std::size_t size)
        : name(with), queue(ipc::create_only, with.c_str(), size > 65536 ? 16 : 32768, size) {}
};

static void *open_queue(size_t size)
{
    return new channel(name_of("queue"), size);
}

static void send_all(void *of, size_t size, long n)
{
    std::vector<char> message(size);
    for (long i = 0; i < n; i++) static_cast<channel *>(of)->queue.send(message.data(), size, 0);
}

static void receive_all(void *of, size_t size, long n)
{
    std::vector<char> message(size);
    for (long i = 0; i < n; i++) {
        ipc::message_queue::size_type got;
        unsigned priority;
        static_cast<channel *>(of)->queue.receive(message.data(), size, got, priority);
        NEED(got == size);
    }
}

static void close_queue(void *of)
{
    auto *ended = static_cast<channel *>(of);
    const std::string name = ended->name;
    delete ended;
    ipc::message_queue::remove(name.c_str());
}

static const struct stream by_boost = { open_queue, send_all, receive_all, close_queue };

static double rate_8() { return stream_rate(&by_boost, 1, 8, 400000); }
static double rate_64() { return stream_rate(&by_boost, 1, 64, 400000); }
static double rate_64_2() { return stream_rate(&by_boost, 2, 64, 200000); }
static double rate_mib() { return stream_rate(&by_boost, 1, 1 << 20, 400); }

static void bounce(void *of, int i)
{
    auto **queues = static_cast<channel **>(of);
    char message[64] = {};
    ipc::message_queue::size_type got;
    unsigned priority;
    for (int n = 0; n < 20000; n++) {
        if (i == 0) queues[0]->queue.send(message, sizeof message, 0);
        queues[!i]->queue.receive(message, sizeof message, got, priority);
        if (i == 1) queues[1]->queue.send(message, sizeof message, 0);
    }
}

static double round_trip()
{
    channel *queues[] = { new channel(name_of("there"), 64), new channel(name_of("back"), 64) };
    const double seconds = together(2, bounce, queues);
    for (auto *queue : queues) close_queue(queue);
    return seconds / 20000 * 1e6;
}

static const long PAIRS = 2000000;

static void lock_often(void *mutex, int)
{
    for (long i = 0; i < PAIRS; i++) {
        static_cast<ipc::interprocess_mutex *>(mutex)->lock();
        static_cast<ipc::interprocess_mutex *>(mutex)->unlock();
    }
}

static double lock_alone()
{
    auto *mutex = new (shared(sizeof(ipc::interprocess_mutex))) ipc::interprocess_mutex;
    return together(1, lock_often, mutex) / PAIRS * 1e9;
}

static double lock_two()
{
    auto *mutex = new (shared(sizeof(ipc::interprocess_mutex))) ipc::interprocess_mutex;
    return together(2, lock_often, mutex) / (2 * PAIRS) * 1e9;
}

static double allocate()
{
    const std::string name = name_of("segment");
    double seconds;
    {
        ipc::managed_shared_memory segment(ipc::create_only, name.c_str(), 1 << 20);
        pin(0);
        const double begin = now();
        for (int i = 0; i < 2000000; i++) segment.deallocate(segment.allocate(64));
        seconds = now() - begin;
    }
    ipc::shared_memory_object::remove(name.c_str());
    return seconds / 2000000 * 1e9;
}

static const struct bench benches[] = {
    { "queue-8B-1p1c", "boost", "msg/s", rate_8 },
    { "queue-64B-1p1c", "boost", "msg/s", rate_64 },
    { "queue-64B-2p2c", "boost", "msg/s", rate_64_2 },
    { "queue-1MiB-copy", "boost", "msg/s", rate_mib },
    { "queue-1MiB-handover", "boost", "msg/s", rate_mib },
    { "queue-8B-unbounded", "boost", "msg/s", rate_8 },
    { "queue-8B-batches", "boost", "msg/s", rate_8 },
    { "pingpong-64B-two-cores", "boost", "us", round_trip },
    { "lock-uncontended", "boost", "ns", lock_alone },
    { "lock-contended-2", "boost", "ns", lock_two },
    { "alloc-free-64B", "boost", "ns", allocate },
};

int main(int argc, char **argv)
{
    return BENCH_MAIN(benches, argc, argv);
}
