/* family/pidfd.h - a file descriptor that becomes readable when a process has ended. */
#ifndef PLAIT_FAMILY_PIDFD_H
#define PLAIT_FAMILY_PIDFD_H

#include <sys/types.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3                                          /* for waitid, Linux 5.4 */
#endif

/* The descriptor (closed on exec), or -ENOSYS before Linux 5.3, -ESRCH, -EMFILE, ... */
int plait__pidfd_open(pid_t pid);

/* Send a signal to exactly that process.  0 or -errno. */
int plait__pidfd_signal(int fd, int signal);

#endif
