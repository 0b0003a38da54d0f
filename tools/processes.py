"""What /proc says about the processes of a test: who they are, what they do, and an end to them."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)

# The leaders of tests: children that we started and wait for ourselves, as opposed to those we adopted.
own_children = set()

# The waiting system calls one sees in a hung test, for people who do not know their numbers (x86-64).
SYSCALLS = {0: "read", 1: "write", 7: "poll", 34: "pause", 35: "nanosleep", 47: "recvmsg", 61: "wait4", 128: "rt_sigtimedwait",
            202: "futex", 230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 271: "ppoll", 281: "epoll_pwait",
            449: "futex_waitv"}


def adopt_orphans():
    """From now on processes whose parents have died become our children, so that none is lost from sight."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def read(path):
    """The text of a file of /proc, or "": processes come and go."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def fields(path):
    """The fields of a stat file from the state on.  The name before it, in brackets, may hold spaces and brackets."""
    return read(path).rpartition(")")[2].split()


def stat(pid):
    """(state, parent, session) of a process, or None."""
    found = fields(f"/proc/{pid}/stat")
    return (found[0], int(found[1]), int(found[3])) if found else None


def every_pid():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def belonging_to(leader, mark):
    """The processes of a test.  Most are in its leader's session; one that made a session of its own still has the mark in its
    environment; and one that has neither is at least an orphan that we have adopted.  The ended ones among those are reaped."""
    found = []
    for pid in every_pid():
        status = stat(pid)
        if status and is_of_test(pid, status, leader, mark) and not reaped(pid, status):
            found.append(pid)
    return found


def is_adopted(pid, status):
    return status[1] == os.getpid() and pid not in own_children


def is_of_test(pid, status, leader, mark):
    if status[2] == leader:
        return True
    environment = read(f"/proc/{pid}/environ")
    name = mark.partition("=")[0]
    return mark in environment or (is_adopted(pid, status) and name not in environment)


def reaped(pid, status):
    if status[0] != "Z" or not is_adopted(pid, status):
        return False
    os.waitpid(pid, os.WNOHANG)
    return True


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def mapped_by_others(paths, ours):
    """Those of these files that processes other than `ours` have mapped."""
    maps = "\n".join(read(f"/proc/{pid}/maps") for pid in every_pid() if pid not in ours) + "\n"
    return {path for path in paths if f" {path}\n" in maps}


def describe_thread(task):
    state = (fields(f"{task}/stat") or ["gone"])[0]
    number, *arguments = read(f"{task}/syscall").split(" ")
    call = SYSCALLS.get(int(number), number) if number.isdigit() else number
    where = f"{call}({', '.join(arguments[:6])})" if arguments else call or "?"
    return f"    thread {os.path.basename(task)}: {state}, in {where}, wchan {read(f'{task}/wchan') or '?'}"


def describe(pid):
    """What a process is doing, thread by thread: its state, its system call, where it sleeps in the kernel."""
    status = stat(pid)
    if not status:
        return f"process {pid}: gone"
    lines = [f"process {pid}: child of {status[1]}, {read(f'/proc/{pid}/cmdline') or read(f'/proc/{pid}/comm')}"]
    try:
        threads = sorted(os.listdir(f"/proc/{pid}/task"), key=int)
    except OSError:
        threads = []
    return "\n".join(lines + [describe_thread(f"/proc/{pid}/task/{thread}") for thread in threads])
