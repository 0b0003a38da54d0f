/* harness/fail_calls.c - the functions that stand before those of the C library, and fail when it is their turn. */
#include "fail_calls.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "arena/heap.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449                                /* the same numbers on every architecture */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#define SYS_pidfd_send_signal 424
#endif

const struct fail_call fail_calls[FAIL_KINDS] = {
    [FAIL_MMAP] = { "mmap", { ENOMEM, EAGAIN, EPERM } },
    [FAIL_MPROTECT] = { "mprotect", { ENOMEM } },
    [FAIL_MADVISE] = { "madvise", { EINVAL, ENOMEM, EAGAIN } },
    [FAIL_FTRUNCATE] = { "ftruncate", { ENOMEM, ENOSPC, EFBIG, EPERM } },
    [FAIL_MEMFD] = { "memfd_create", { EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM } },
    [FAIL_FCNTL] = { "fcntl", { EMFILE, EINVAL, EPERM } },
    [FAIL_OPEN] = { "open", { EMFILE, EACCES, ENOENT } },
    [FAIL_STAT] = { "stat", { ENOENT, EACCES, ENOMEM } },
    [FAIL_MALLOC] = { "malloc", { ENOMEM } },
    [FAIL_CALLOC] = { "calloc", { ENOMEM } },
    [FAIL_FORK] = { "fork", { EAGAIN, ENOMEM, ENOSYS } },
    [FAIL_THREAD] = { "pthread_create", { EAGAIN, EPERM } },
    [FAIL_KEY] = { "pthread_key_create", { EAGAIN, ENOMEM } },
    [FAIL_PIPE] = { "pipe2", { EMFILE, ENFILE } },
    [FAIL_SOCKETPAIR] = { "socketpair", { EMFILE, ENFILE, ENOMEM } },
    [FAIL_SENDMSG] = { "sendmsg", { EINTR, ENOMEM, ENOBUFS } },
    [FAIL_EPOLL] = { "epoll_create1", { EMFILE, ENFILE, ENOMEM } },
    [FAIL_EPOLL_CTL] = { "epoll_ctl", { ENOMEM, ENOSPC } },
    [FAIL_TIMERFD] = { "timerfd_create", { EMFILE, ENFILE, ENOMEM } },
    [FAIL_FCHMOD] = { "fchmod", { EPERM, EROFS } },
    [FAIL_MKDTEMP] = { "mkdtemp", { EACCES, ENOSPC, EROFS } },
    [FAIL_REALPATH] = { "realpath", { ENOMEM, EACCES } },
    [FAIL_RECV] = { "recv", { EINTR } },
    [FAIL_SOCKET] = { "socket", { EMFILE, ENFILE, ENOMEM, ENOBUFS } },
    [FAIL_CONNECT] = { "connect", { EINTR, ENOMEM, EPERM } },
    [FAIL_BIND] = { "bind", { ENOMEM, EADDRINUSE, EACCES, EROFS } },
    [FAIL_LISTEN] = { "listen", { EINVAL } },
    [FAIL_ACCEPT] = { "accept4", { EINTR, EMFILE, ENFILE, ENOMEM } },
    [FAIL_SOCKOPT] = { "getsockopt", { ENOPROTOOPT, EMFILE, ENOMEM } },
    [FAIL_RECVMSG] = { "recvmsg", { EINTR, ENOMEM } },
    [FAIL_FLOCK] = { "flock", { EWOULDBLOCK, ENOLCK } },
    [FAIL_SENDMMSG] = { "sendmmsg", { EINTR, ENOMEM, ENOBUFS } },
    [FAIL_RECVMMSG] = { "recvmmsg", { EINTR, ENOMEM } },
    [FAIL_NAME] = { "getsockname", { ENOBUFS } },
    [FAIL_SENDTO] = { "sendto", { EAGAIN, ECONNREFUSED, ENOMEM, EPERM } },
    [FAIL_SHM_OPEN] = { "shm_open", { EMFILE, ENFILE, EACCES, ENOMEM, ENOSPC } },
    [FAIL_LINK] = { "linkat", { ENOENT, EPERM, EEXIST, ENOSPC } },
    [FAIL_FALLOCATE] = { "fallocate", { ENOSPC, ENOMEM, EINTR, EOPNOTSUPP } },
    [FAIL_RANDOM] = { "getrandom", { ENOSYS, EAGAIN } },
    [FAIL_STATVFS] = { "statvfs", { ENOENT, ENOSYS } },
    [FAIL_EVENTFD] = { "eventfd", { EMFILE, ENFILE, ENOMEM, ENODEV } },
    [FAIL_FUTEX] = { "futex", { EINTR, EAGAIN, ENOMEM } },
    [FAIL_WAITV] = { "futex_waitv", { EINTR, EAGAIN, ENOMEM, ENOSYS, EPERM } },
    [FAIL_PIDFD] = { "pidfd_open", { EMFILE, ENFILE, ENOMEM, ENODEV, ENOSYS, EPERM } },
    [FAIL_PIDFD_SIGNAL] = { "pidfd_send_signal", { EPERM, ENOSYS } },
    [FAIL_ROBUST_LIST] = { "get_robust_list", { ENOSYS, EPERM } },
    [FAIL_POLL] = { "poll", { EINTR } },                     /* a few descriptors take no memory */
    [FAIL_WRITE] = { "write", { EINTR, EAGAIN, ENOSPC, EIO, EBADF, EPIPE } },
    [FAIL_ARENA] = { "plait__heap_alloc", { ENOMEM } },    /* the family's memory is full */
    [FAIL_REALLOC] = { "realloc", { ENOMEM } },
    [FAIL_STRDUP] = { "strdup", { ENOMEM } },
    [FAIL_DUP] = { "dup2", { EMFILE, EBUSY } },
    [FAIL_CHDIR] = { "chdir", { EACCES, ENOENT } },
    [FAIL_LIMIT] = { "setrlimit", { EPERM, EINVAL } },
    [FAIL_NICE] = { "nice", { EPERM } },
    [FAIL_CPUS] = { "sched_setaffinity", { EINVAL, EPERM } },
    [FAIL_CLOSE_RANGE] = { "close_range", { ENOSYS, EINVAL } },
    [FAIL_EXEC] = { "execve", { ENOMEM, E2BIG, ETXTBSY } },
    [FAIL_AFFINITY] = { "sched_getaffinity", { EINVAL } },
    [FAIL_PREAD] = { "pread", { EIO, EINTR } },
    [FAIL_CWD] = { "getcwd", { ENOENT } },
    [FAIL_DLOPEN] = { "dlopen", { ENOMEM } },
};

struct fail_state failing;

/* Is this call to fail?  Then errno is set. */
static bool fails(enum fail_kind kind)
{
    if (!failing.pid || kind != failing.plan.kind || (getpid() != failing.pid) != failing.plan.in_children) return false;
    if (failing.seen_in != getpid()) atomic_store(&failing.calls, 0);
    failing.seen_in = getpid();
    const int call = atomic_fetch_add(&failing.calls, 1) + 1;
    if (call < failing.plan.n || (call > failing.plan.n && !failing.plan.and_all_later)) return false;
    atomic_store(failing.reached, 1);
    errno = failing.plan.error;
    return true;
}

/* ---- the functions in whose place these are ---- */

/* With large files, which meson asks for, the C library's headers give some of them other names. */
#if defined __GLIBC__ && defined __USE_FILE_OFFSET64
#define LARGE(name) name "64"
#else
#define LARGE(name) name
#endif

/* Not sanitized, as arguments that were not given are read and passed on. */
#define REPLACE(result, name, link_name, parameters)                                                  \
    result real_##name parameters __asm__("__real_" link_name);                                       \
    result wrap_##name parameters __asm__("__wrap_" link_name);                                       \
    __attribute__((no_sanitize_address)) result wrap_##name parameters

REPLACE(void *, mmap, LARGE("mmap"), (void *address, size_t size, int protection, int flags, int fd, off_t offset))
{
    return fails(FAIL_MMAP) ? MAP_FAILED : real_mmap(address, size, protection, flags, fd, offset);
}

REPLACE(int, mprotect, "mprotect", (void *address, size_t size, int protection))
{
    return fails(FAIL_MPROTECT) ? -1 : real_mprotect(address, size, protection);
}

REPLACE(int, madvise, "madvise", (void *address, size_t size, int advice))
{
    return fails(FAIL_MADVISE) ? -1 : real_madvise(address, size, advice);
}

REPLACE(int, ftruncate, LARGE("ftruncate"), (int fd, off_t size))
{
    return fails(FAIL_FTRUNCATE) ? -1 : real_ftruncate(fd, size);
}

REPLACE(int, memfd_create, "memfd_create", (const char *name, unsigned flags))
{
    return fails(FAIL_MEMFD) ? -1 : real_memfd_create(name, flags);
}

REPLACE(int, fcntl, LARGE("fcntl"), (int fd, int command, ...))
{
    va_list arguments;
    va_start(arguments, command);
    const long argument = va_arg(arguments, long);
    va_end(arguments);
    return fails(FAIL_FCNTL) ? -1 : real_fcntl(fd, command, argument);
}

REPLACE(int, open, LARGE("open"), (const char *path, int flags, ...))
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (mode_t)va_arg(arguments, int);
    va_end(arguments);
    return fails(FAIL_OPEN) ? -1 : real_open(path, flags, mode);
}

REPLACE(int, stat, LARGE("stat"), (const char *path, struct stat *status))
{
    return fails(FAIL_STAT) ? -1 : real_stat(path, status);
}

REPLACE(void *, malloc, "malloc", (size_t size))
{
    void *memory = fails(FAIL_MALLOC) ? NULL : real_malloc(size);
    failing.allocated += memory != NULL;
    return memory;
}

REPLACE(void *, calloc, "calloc", (size_t count, size_t size))
{
    void *memory = fails(FAIL_CALLOC) ? NULL : real_calloc(count, size);
    failing.allocated += memory != NULL;
    return memory;
}

REPLACE(void *, realloc, "realloc", (void *before, size_t size))
{
    if (fails(FAIL_REALLOC)) return NULL;
    failing.allocated += before == NULL;
    return real_realloc(before, size);
}

REPLACE(char *, strdup, "strdup", (const char *text))
{
    char *memory = fails(FAIL_STRDUP) ? NULL : real_strdup(text);
    failing.allocated += memory != NULL;
    return memory;
}

REPLACE(int, dup2, "dup2", (int from, int to))
{
    return fails(FAIL_DUP) ? -1 : real_dup2(from, to);
}

REPLACE(int, chdir, "chdir", (const char *path))
{
    return fails(FAIL_CHDIR) ? -1 : real_chdir(path);
}

REPLACE(int, setrlimit, LARGE("setrlimit"), (int resource, const struct rlimit *limit))
{
    return fails(FAIL_LIMIT) ? -1 : real_setrlimit(resource, limit);
}

REPLACE(int, nice, "nice", (int added))
{
    return fails(FAIL_NICE) ? -1 : real_nice(added);
}

REPLACE(int, execve, "execve", (const char *path, char *const *argv, char *const *environment))
{
    return fails(FAIL_EXEC) ? -1 : real_execve(path, argv, environment);
}

REPLACE(void, free, "free", (void *memory))
{
    failing.allocated -= memory != NULL;
    real_free(memory);
}

REPLACE(pid_t, fork, "fork", (void))
{
    return fails(FAIL_FORK) ? -1 : real_fork();
}

REPLACE(int, pthread_create, "pthread_create",
        (pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument))
{
    return fails(FAIL_THREAD) ? failing.plan.error : real_pthread_create(thread, attributes, body, argument);
}

REPLACE(int, pthread_key_create, "pthread_key_create", (pthread_key_t *key, void (*at_end)(void *)))
{
    return fails(FAIL_KEY) ? failing.plan.error : real_pthread_key_create(key, at_end);
}

REPLACE(int, pipe2, "pipe2", (int ends[2], int flags))
{
    return fails(FAIL_PIPE) ? -1 : real_pipe2(ends, flags);
}

REPLACE(int, socketpair, "socketpair", (int domain, int type, int protocol, int ends[2]))
{
    return fails(FAIL_SOCKETPAIR) ? -1 : real_socketpair(domain, type, protocol, ends);
}

REPLACE(int, epoll_create1, "epoll_create1", (int flags))
{
    return fails(FAIL_EPOLL) ? -1 : real_epoll_create1(flags);
}

REPLACE(int, epoll_ctl, "epoll_ctl", (int epoll, int how, int fd, struct epoll_event *event))
{
    return how != EPOLL_CTL_DEL && fails(FAIL_EPOLL_CTL) ? -1 : real_epoll_ctl(epoll, how, fd, event);
}

REPLACE(int, timerfd_create, "timerfd_create", (int clock, int flags))
{
    return fails(FAIL_TIMERFD) ? -1 : real_timerfd_create(clock, flags);
}

REPLACE(int, fchmod, "fchmod", (int fd, mode_t mode))
{
    return fails(FAIL_FCHMOD) ? -1 : real_fchmod(fd, mode);
}

REPLACE(char *, mkdtemp, "mkdtemp", (char *template))
{
    return fails(FAIL_MKDTEMP) ? NULL : real_mkdtemp(template);
}

REPLACE(char *, realpath, "realpath", (const char *path, char *resolved))
{
    char *memory = fails(FAIL_REALPATH) ? NULL : real_realpath(path, resolved);
    failing.allocated += memory && !resolved;
    return memory;
}

REPLACE(ssize_t, sendmsg, "sendmsg", (int fd, const struct msghdr *message, int flags))
{
    return fails(FAIL_SENDMSG) ? -1 : real_sendmsg(fd, message, flags);
}

REPLACE(ssize_t, recv, "recv", (int fd, void *data, size_t size, int flags))
{
    return fails(FAIL_RECV) ? -1 : real_recv(fd, data, size, flags);
}

REPLACE(int, socket, "socket", (int domain, int type, int protocol))
{
    return fails(FAIL_SOCKET) ? -1 : real_socket(domain, type, protocol);
}

REPLACE(int, getsockname, "getsockname", (int fd, struct sockaddr *address, socklen_t *size))
{
    return fails(FAIL_NAME) ? -1 : real_getsockname(fd, address, size);
}

REPLACE(ssize_t, sendto, "sendto", (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length))
{
    return fails(FAIL_SENDTO) ? -1 : real_sendto(fd, data, size, flags, to, length);
}

REPLACE(int, connect, "connect", (int fd, const struct sockaddr *address, socklen_t size))
{
    return fails(FAIL_CONNECT) ? -1 : real_connect(fd, address, size);
}

REPLACE(int, bind, "bind", (int fd, const struct sockaddr *address, socklen_t size))
{
    return fails(FAIL_BIND) ? -1 : real_bind(fd, address, size);
}

REPLACE(int, listen, "listen", (int fd, int backlog))
{
    return fails(FAIL_LISTEN) ? -1 : real_listen(fd, backlog);
}

REPLACE(int, accept4, "accept4", (int fd, struct sockaddr *address, socklen_t *size, int flags))
{
    return fails(FAIL_ACCEPT) ? -1 : real_accept4(fd, address, size, flags);
}

REPLACE(int, getsockopt, "getsockopt", (int fd, int level, int option, void *value, socklen_t *size))
{
    return fails(FAIL_SOCKOPT) ? -1 : real_getsockopt(fd, level, option, value, size);
}

REPLACE(ssize_t, recvmsg, "recvmsg", (int fd, struct msghdr *message, int flags))
{
    return fails(FAIL_RECVMSG) ? -1 : real_recvmsg(fd, message, flags);
}

REPLACE(int, flock, "flock", (int fd, int operation))
{
    return fails(FAIL_FLOCK) ? -1 : real_flock(fd, operation);
}

REPLACE(int, shm_open, "shm_open", (const char *of, int flags, mode_t mode))
{
    return fails(FAIL_SHM_OPEN) ? -1 : real_shm_open(of, flags, mode);
}

REPLACE(int, linkat, "linkat", (int from_folder, const char *from, int folder, const char *to, int flags))
{
    return fails(FAIL_LINK) ? -1 : real_linkat(from_folder, from, folder, to, flags);
}

size_t fail_fallocate_above;

REPLACE(int, fallocate, LARGE("fallocate"), (int fd, int mode, off_t at, off_t size))
{
    if (fails(FAIL_FALLOCATE)) return -1;
    if (!fail_fallocate_above || (size_t)size <= fail_fallocate_above) return real_fallocate(fd, mode, at, size);
    errno = EINTR;
    return -1;
}

REPLACE(ssize_t, getrandom, "getrandom", (void *to, size_t size, unsigned flags))
{
    return fails(FAIL_RANDOM) ? -1 : real_getrandom(to, size, flags);
}

REPLACE(int, statvfs, LARGE("statvfs"), (const char *path, struct statvfs *figures))
{
    return fails(FAIL_STATVFS) ? -1 : real_statvfs(path, figures);
}

REPLACE(int, eventfd, "eventfd", (unsigned value, int flags))
{
    return fails(FAIL_EVENTFD) ? -1 : real_eventfd(value, flags);
}

REPLACE(int, poll, "poll", (struct pollfd *fds, nfds_t count, int timeout))
{
    return fails(FAIL_POLL) ? -1 : real_poll(fds, count, timeout);
}

REPLACE(int, ppoll, "ppoll", (struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask))
{
    return fails(FAIL_POLL) ? -1 : real_ppoll(fds, count, timeout, mask);
}

REPLACE(ssize_t, write, "write", (int fd, const void *data, size_t size))
{
    return fails(FAIL_WRITE) ? -1 : real_write(fd, data, size);
}

REPLACE(int, sched_getaffinity, "sched_getaffinity", (pid_t pid, size_t size, cpu_set_t *set))
{
    return fails(FAIL_AFFINITY) ? -1 : real_sched_getaffinity(pid, size, set);
}

REPLACE(ssize_t, pread, LARGE("pread"), (int fd, void *to, size_t size, off_t offset))
{
    return fails(FAIL_PREAD) ? -1 : real_pread(fd, to, size, offset);
}

REPLACE(char *, getcwd, "getcwd", (char *to, size_t size))
{
    return fails(FAIL_CWD) ? NULL : real_getcwd(to, size);
}

static void *(*real_dlopen)(const char *path, int mode);

static void *open_or_fail(const char *path, int mode)
{
    return fails(FAIL_DLOPEN) ? NULL : real_dlopen(path, mode);
}

/* The library knows dlopen only by its name. */
REPLACE(void *, dlsym, "dlsym", (void *handle, const char *name))
{
    void *found = real_dlsym(handle, name);
    if (!found || strcmp(name, "dlopen") != 0) return found;
    real_dlopen = (void *(*)(const char *, int))found;
    return (void *)open_or_fail;
}

REPLACE(char *, dlerror, "dlerror", (void))
{
    bool ours = failing.pid && failing.plan.kind == FAIL_DLOPEN && atomic_load(failing.reached);
    return ours ? strerror(failing.plan.error) : real_dlerror();
}

REPLACE(void *, plait__heap_alloc, "plait__heap_alloc", (struct plait__heap *heap, size_t size, unsigned tag, bool zeroed))
{
    return fails(FAIL_ARENA) ? NULL : real_plait__heap_alloc(heap, size, tag, zeroed);
}

/* A wake does not fail: it allocates nothing, and its word is there. */
static bool system_call_fails(long number, long operation)
{
    switch (number) {
    case SYS_futex: return (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && fails(FAIL_FUTEX);
    case SYS_futex_waitv: return fails(FAIL_WAITV);
    case SYS_pidfd_open: return fails(FAIL_PIDFD);
    case SYS_pidfd_send_signal: return fails(FAIL_PIDFD_SIGNAL);
    case SYS_sched_setaffinity: return fails(FAIL_CPUS);
    case SYS_sendmmsg: return fails(FAIL_SENDMMSG);
    case SYS_recvmmsg: return fails(FAIL_RECVMMSG);
    case SYS_close_range: return fails(FAIL_CLOSE_RANGE);
    case SYS_get_robust_list: return fails(FAIL_ROBUST_LIST);
    default: return false;
    }
}

REPLACE(long, syscall, "syscall", (long number, ...))
{
    long argument[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) argument[i] = va_arg(arguments, long);
    va_end(arguments);
    if (system_call_fails(number, argument[1])) return -1;
    return real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

bool fail_stands_in_for(const char *function)
{
    static const char *const by_other_names[] = { "syscall", "ppoll", "dlsym" };
    for (int i = 0; i < 3; i++)
        if (strcmp(function, by_other_names[i]) == 0) return true;
    for (int kind = 0; kind < FAIL_KINDS; kind++) {
        const char *name = fail_calls[kind].name;
        const size_t size = strlen(name);
        if (strncmp(function, name, size) == 0 && (!function[size] || strcmp(function + size, "64") == 0)) return true;
    }
    return false;
}
