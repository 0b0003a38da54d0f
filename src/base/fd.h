/* base/fd.h - descriptors of ours stay away from 0, 1 and 2: a program that was started with one of them closed would read from,
 * or print into, what is ours. */
#ifndef PLAIT_BASE_FD_H
#define PLAIT_BASE_FD_H

#include <stdbool.h>
#include <sys/types.h>

#include <plait/export.h>

/* Which file a descriptor is: the host may close one that it does not know, and open another at the same number.  (Before Linux 6.9
 * all pidfds and eventfds look the same.) */
struct plait__file {
    dev_t device;
    ino_t inode;
};

/* Of a closed descriptor, or a negative number: no file at all. */
struct plait__file plait__file_of(int fd);

bool plait__is_file(int fd, const struct plait__file *file);

/* fd, or another one above 2 in its place (closed on exec).  -errno: there is none, fd is closed then; a negative fd stays. */
PLAIT__API int plait__above_stdio(int fd);

/* The same for both ends of a pipe or pair of sockets.  0; else both are closed, and -1. */
int plait__pair_above_stdio(int ends[2]);

/* close_range(first, ~0, flags): 0, or -1 before Linux 5.9.  Only a system call. */
int plait__close_range(unsigned first, unsigned flags);

#endif
