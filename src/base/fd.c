#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int plait__above_stdio(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = -errno;
    close(fd);
    return higher < 0 ? error : higher;
}
