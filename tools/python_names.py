"""The public names of Python's multiprocessing, and of its relatives, as the Python that runs this has them."""

import multiprocessing
import multiprocessing.connection
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.process
import multiprocessing.shared_memory
import subprocess
import threading

MODULES = (multiprocessing, multiprocessing.connection, multiprocessing.managers, multiprocessing.pool, multiprocessing.shared_memory)


def members(name, thing):
    """"Lock.acquire", ... of a class, or of an object for what it has only when it is made."""
    return {f"{name}.{member}" for member in dir(thing) if not member.startswith("_")}


def of_classes():
    """(name, class), the one that has the methods."""
    yield "Process", multiprocessing.process.BaseProcess
    yield "Thread", threading.Thread
    yield "Popen", subprocess.Popen
    yield "Pool", multiprocessing.pool.Pool
    yield "AsyncResult", multiprocessing.pool.AsyncResult
    yield "Connection", multiprocessing.connection.Connection
    yield "Listener", multiprocessing.connection.Listener
    yield "BaseManager", multiprocessing.managers.BaseManager
    yield "SyncManager", multiprocessing.managers.SyncManager
    yield "BaseProxy", multiprocessing.managers.BaseProxy
    yield "SharedMemoryManager", multiprocessing.managers.SharedMemoryManager
    yield "SharedMemory", multiprocessing.shared_memory.SharedMemory
    yield "ShareableList", multiprocessing.shared_memory.ShareableList


def of_objects():
    """(name, object): these get some of their methods when they are made.  None of them leaves anything behind."""
    for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Queue", "JoinableQueue", "SimpleQueue"):
        yield name, getattr(multiprocessing, name)()
    yield "Barrier", multiprocessing.Barrier(1)
    yield "Value", multiprocessing.Value("i")
    yield "Array", multiprocessing.Array("i", 1)


def all_names():
    names = {name for module in MODULES for name in module.__all__}
    for name, thing in (*of_classes(), *of_objects()):
        names |= {name} | members(name, thing)
    return names
