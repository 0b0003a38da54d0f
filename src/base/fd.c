#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int plait__above_stdio(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = -errno;
    close(fd);
    return higher < 0 ? error : higher;
}

int plait__pair_above_stdio(int ends[2])
{
    int error = 0;
    for (int i = 0; i < 2; i++) {
        ends[i] = plait__above_stdio(ends[i]);
        if (ends[i] < 0) error = ends[i];
    }
    for (int i = 0; i < 2 && error; i++) {
        if (ends[i] >= 0) close(ends[i]);
        ends[i] = -1;
    }
    return error;
}

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

int plait__close_range(unsigned first, unsigned flags)
{
    return (int)syscall(SYS_close_range, first, ~0u, flags);
}

struct plait__file plait__file_of(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) return (struct plait__file){ 0 };
    return (struct plait__file){ status.st_dev, status.st_ino };
}

bool plait__is_file(int fd, const struct plait__file *file)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == file->device && status.st_ino == file->inode;
}
