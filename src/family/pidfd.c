#include "family/pidfd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434                                 /* the same numbers on every architecture */
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

int plait__pidfd_open(pid_t pid)
{
    if (plait__without(PLAIT__WITHOUT_PIDFD)) return -ENOSYS;
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return plait__above_stdio(fd < 0 ? -errno : (int)fd);
}

int plait__pidfd_signal(int fd, int signal)
{
    return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 ? -errno : 0;
}
