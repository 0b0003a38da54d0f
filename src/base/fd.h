/* base/fd.h - descriptors of ours stay away from 0, 1 and 2: a program that was started with one of them closed would read from,
 * or print into, what is ours. */
#ifndef PLAIT_BASE_FD_H
#define PLAIT_BASE_FD_H

/* fd, or another one above 2 in its place (closed on exec).  -errno: there is none, fd is closed then; a negative fd stays. */
int plait__above_stdio(int fd);

#endif
