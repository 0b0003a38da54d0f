"""Stock CPython's counterparts: `peers.py --list`, or `peers.py ROW SYSTEM` measures once and prints the figure."""

import collections
import concurrent.futures
import multiprocessing as mp
import multiprocessing.connection
import multiprocessing.heap
import os
import pickle
import re
import signal
import sys
import threading
import time

CPUS = sorted(os.sched_getaffinity(0))
SPAWNING = mp.get_context("fork")


def pin(number):
    os.sched_setaffinity(0, {CPUS[number % len(CPUS)]})


def together(bodies):
    """Run each body in a process of its own, the ith on CPU i, all beginning together: seconds."""
    line = SPAWNING.Barrier(len(bodies))
    times = SPAWNING.Queue()

    def take_part(i):
        pin(i)
        line.wait()
        begin = time.monotonic()
        bodies[i]()
        times.put((begin, time.monotonic()))

    processes = [SPAWNING.Process(target=take_part, args=(i,)) for i in range(len(bodies))]
    for process in processes:
        process.start()
    got = [times.get() for _ in bodies]
    for process in processes:
        process.join()
    return max(end for _, end in got) - min(begin for begin, _ in got)


# ---- queues ----

def stream(make, size, pairs, n):
    queue = make()
    message = bytes(size)

    def produce():
        for _ in range(n):
            queue.put(message)

    def consume():
        for _ in range(n):
            queue.get()

    return n * pairs / together([produce, consume] * pairs)


def tasks(n):
    queue = SPAWNING.JoinableQueue()
    message = bytes(8)

    def produce():
        for _ in range(n):
            queue.put(message)
        queue.join()

    def consume():
        for _ in range(n):
            queue.get()
            queue.task_done()

    return n / together([produce, consume])


def pingpong(one_core):
    there, back = SPAWNING.Pipe(), SPAWNING.Pipe()
    trips = 5000
    message = bytes(64)

    def first():
        if one_core:
            pin(0)
        for _ in range(trips):
            there[0].send_bytes(message)
            back[1].recv_bytes()

    def second():
        if one_core:
            pin(0)
        for _ in range(trips):
            there[1].recv_bytes()
            back[0].send_bytes(message)

    return together([first, second]) / trips * 1e6


def pipe(size, trips):
    one, other = SPAWNING.Pipe()
    message = bytes(size)

    def first():
        for _ in range(trips):
            one.send_bytes(message)
            one.recv_bytes()

    def second():
        for _ in range(trips):
            other.send_bytes(other.recv_bytes())

    return together([first, second]) / trips * 1e6


# ---- locks, memory ----

def lock(count, make=SPAWNING.Lock):
    held = make()
    n = 200000

    def body():
        for _ in range(n):
            held.acquire()
            held.release()

    return together([body] * count) / (count * n) * 1e9


def condition():
    changed = SPAWNING.Condition()
    turn = SPAWNING.RawValue("l")
    trips = 3000

    def play(mine):
        for _ in range(trips):
            with changed:
                while turn.value % 2 != mine:
                    changed.wait()
                turn.value += 1
                changed.notify()

    return together([lambda: play(0), lambda: play(1)]) / trips * 1e6


def barrier():
    line = SPAWNING.Barrier(2)
    meetings = 3000

    def meet():
        for _ in range(meetings):
            line.wait()

    return together([meet] * 2) / meetings * 1e6


def semaphore():
    permits = SPAWNING.Semaphore(1)
    n = 200000

    def body():
        for _ in range(n):
            permits.acquire()
            permits.release()

    return together([body]) / n * 1e9


def event_pingpong(one_core):
    there, back = SPAWNING.Event(), SPAWNING.Event()
    trips = 2000

    def first():
        if one_core:
            pin(0)
        for _ in range(trips):
            there.set()
            back.wait()
            back.clear()

    def second():
        if one_core:
            pin(0)
        for _ in range(trips):
            there.wait()
            there.clear()
            back.set()

    return together([first, second]) / trips * 1e6


def wait_pingpong():
    ends, idle = SPAWNING.Pipe(), SPAWNING.Pipe()
    trips = 2000

    def play(i):
        for _ in range(trips):
            if i == 0:
                ends[0].send_bytes(b"x")
            multiprocessing.connection.wait([ends[i], idle[0]])
            ends[i].recv_bytes()
            if i == 1:
                ends[1].send_bytes(b"x")

    return together([lambda: play(0), lambda: play(1)]) / trips * 1e6


def memory():
    n = 50000
    pin(0)
    begin = time.monotonic()
    for _ in range(n):
        multiprocessing.heap.BufferWrapper(64)
    return (time.monotonic() - begin) / n * 1e9


# ---- processes ----

def nothing():
    pass


def start_and_join(make):
    process = make()
    process.start()
    process.join()


def starts(bytes_grown, n, make=lambda: SPAWNING.Process(target=nothing), pause=0.0):
    """Microseconds each; with a pause before each that is not counted."""
    grown = bytearray(b"x") * bytes_grown
    start_and_join(make)
    took = 0.0
    for _ in range(n):
        if pause:
            time.sleep(pause)
        begin = time.monotonic()
        start_and_join(make)
        took += time.monotonic() - begin
    assert len(grown) == bytes_grown
    return took / n * 1e6


def maker(method):
    context = mp.get_context(method)
    return lambda: context.Process(target=nothing)


def hold(ready, bytes_grown):
    grown = bytearray(b"x") * bytes_grown
    ready.set()
    signal.pause()
    assert grown is not None


def notice(bytes_grown):
    took = []
    for _ in range(7):
        ready = SPAWNING.Event()
        killed_at = SPAWNING.Value("d")
        victim = SPAWNING.Process(target=hold, args=(ready, bytes_grown))
        victim.start()
        ready.wait()

        def kill():
            time.sleep(0.02)
            killed_at.value = time.monotonic()
            os.kill(victim.pid, signal.SIGKILL)

        killer = SPAWNING.Process(target=kill)
        killer.start()
        multiprocessing.connection.wait([victim.sentinel])
        took.append(time.monotonic() - killed_at.value)
        victim.join()
        killer.join()
    return sorted(took)[len(took) // 2] * 1e6


# ---- pools ----

def add_one(x):
    return x + 1


def work_50us(x):
    until = time.perf_counter() + 50e-6
    while time.perf_counter() < until:
        pass
    return x


def pool_map(task, n, chunksize):
    with SPAWNING.Pool(2) as pool:
        pool.map(task, range(64), chunksize)
        begin = time.monotonic()
        pool.map(task, range(n), chunksize)
        return (time.monotonic() - begin) / n * 1e9


def executor_map(task, n, chunksize):
    with concurrent.futures.ProcessPoolExecutor(2, SPAWNING) as pool:
        list(pool.map(task, range(64), chunksize=chunksize))
        begin = time.monotonic()
        for _ in pool.map(task, range(n), chunksize=chunksize):
            pass
        return (time.monotonic() - begin) / n * 1e9


WORD = re.compile(rb"[0-9a-z_\x80-\xff]+")


def count_words(paths):
    words, size = collections.Counter(), 0
    for path in paths:
        with open(path, "rb") as file:
            text = file.read()
        words.update(WORD.findall(text.lower()))
        size += len(text)
    return words, size


def wordcount():
    """Megabytes per second, of a part of the files that the others count: the whole would take too long."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk("/usr/include/linux") for name in names]
    batches = [paths[i::64] for i in range(64)]
    begin = time.monotonic()
    words, size = collections.Counter(), 0
    with SPAWNING.Pool(2) as pool:
        for some, length in pool.imap_unordered(count_words, batches):
            words.update(some)
            size += length
    return size / (time.monotonic() - begin) / 1e6


SMALL = [42, None, "hello"]


def seconds_each(call, argument, n):
    """Of a loop in this process; what it makes goes in it, too."""
    begin = time.perf_counter()
    for _ in range(n):
        call(argument)
    return (time.perf_counter() - begin) / n


def large():
    return {"key%d" % i: i for i in range(10000)}


def overhead(ns_each):
    return ns_each * 2 / 1e3 - 50


MIB = 1 << 20
BENCHES = [
    ("queue-8B-1p1c", "python", "msg/s", lambda: stream(SPAWNING.Queue, 8, 1, 20000)),
    ("queue-8B-1p1c", "python-simplequeue", "msg/s", lambda: stream(SPAWNING.SimpleQueue, 8, 1, 20000)),
    ("queue-64B-1p1c", "python", "msg/s", lambda: stream(SPAWNING.Queue, 64, 1, 20000)),
    ("queue-64B-1p1c", "python-simplequeue", "msg/s", lambda: stream(SPAWNING.SimpleQueue, 64, 1, 20000)),
    ("queue-64B-2p2c", "python", "msg/s", lambda: stream(SPAWNING.Queue, 64, 2, 10000)),
    ("queue-1MiB-handover", "python", "msg/s", lambda: stream(SPAWNING.Queue, MIB, 1, 200)),
    ("queue-8B-unbounded", "python", "msg/s", lambda: stream(SPAWNING.Queue, 8, 1, 20000)),
    ("queue-8B-batches", "python", "msg/s", lambda: stream(SPAWNING.Queue, 8, 1, 20000)),
    ("joinable-queue", "python", "tasks/s", lambda: tasks(10000)),
    ("queue-1MiB-copy", "python", "msg/s", lambda: stream(SPAWNING.Queue, MIB, 1, 200)),
    ("pingpong-64B-one-core", "python", "us", lambda: pingpong(True)),
    ("pingpong-64B-two-cores", "python", "us", lambda: pingpong(False)),
    ("pipe-8B", "python", "us", lambda: pipe(8, 5000)),
    ("pipe-64KiB", "python", "us", lambda: pipe(65536, 2000)),
    ("lock-uncontended", "python", "ns", lambda: lock(1)),
    ("lock-contended-2", "python", "ns", lambda: lock(2)),
    ("condition-pingpong-two-cores", "python", "us", condition),
    ("barrier-2", "python", "us", barrier),
    ("rlock-uncontended", "python", "ns", lambda: lock(1, SPAWNING.RLock)),
    ("semaphore-uncontended", "python", "ns", semaphore),
    ("wait-queue-and-fd", "python", "us", wait_pingpong),
    ("wait-two-queues", "python", "us", wait_pingpong),
    ("event-pingpong-one-core", "python", "us", lambda: event_pingpong(True)),
    ("event-pingpong-two-cores", "python", "us", lambda: event_pingpong(False)),
    ("alloc-free-64B", "python", "ns", memory),
    ("start-join-fork", "python", "us", lambda: starts(0, 100)),
    ("start-join-fork-1GiB", "python", "us", lambda: starts(1 << 30, 20)),
    ("start-join-thread", "python", "us", lambda: starts(0, 1000, lambda: threading.Thread(target=nothing))),
    ("start-join-spawn", "python", "us", lambda: starts(0, 10, maker("spawn"))),
    ("start-join-forkserver", "python", "us", lambda: starts(0, 50, maker("forkserver"))),
    ("start-join-warm", "python", "us", lambda: starts(0, 50, maker("forkserver"), 0.001)),
    ("start-join-warm-1GiB", "python", "us", lambda: starts(1 << 30, 50, maker("forkserver"), 0.001)),
    ("death-notice-small", "python", "us", lambda: notice(0)),
    ("death-notice-1GiB", "python", "us", lambda: notice(1 << 30)),
    ("pool-map-trivial-chunk1", "python", "ns", lambda: pool_map(add_one, 20000, 1)),
    ("pool-map-trivial-chunk1", "python-executor", "ns", lambda: executor_map(add_one, 3000, 1)),
    ("pool-map-trivial-auto", "python", "ns", lambda: pool_map(add_one, 500000, None)),
    ("wordcount", "python", "MB/s", wordcount),
    ("value-encode-small", "python", "ns", lambda: seconds_each(pickle.dumps, SMALL, 500000) * 1e9),
    ("value-decode-small", "python", "ns", lambda: seconds_each(pickle.loads, pickle.dumps(SMALL), 500000) * 1e9),
    ("value-encode-dict", "python", "us", lambda: seconds_each(pickle.dumps, large(), 100) * 1e6),
    ("value-decode-dict", "python", "us", lambda: seconds_each(pickle.loads, pickle.dumps(large()), 100) * 1e6),
    ("pool-map-50us", "python", "us", lambda: overhead(pool_map(work_50us, 4000, 1))),
]


def main():
    if sys.argv[1:] == ["--list"]:
        for row, system, unit, _ in BENCHES:
            print(row, system, unit, sep="\t")
        return 0
    for row, system, _, run in BENCHES:
        if [row, system] == sys.argv[1:]:
            print(f"{run():.9g}")
            return 0
    print(f"usage: {sys.argv[0]} --list | ROW SYSTEM", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
