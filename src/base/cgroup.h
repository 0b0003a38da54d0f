/* base/cgroup.h - what the control groups that this process is in forbid it. */
#ifndef PLAIT_BASE_CGROUP_H
#define PLAIT_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIT__CGROUP_FILE "/proc/self/cgroup"
#define PLAIT__CGROUP_MOUNT "/sys/fs/cgroup"

/* The limit in the folder of one group, UINT64_MAX for none.  old: the folder is of a hierarchy of version 1. */
typedef uint64_t plait__cgroup_look(const char *folder, bool old);

/* The least of what `look` finds in the groups of the process that `proc_file` is about, and in all groups around them, as they
 * lie below `mount`.  `controller` is whose hierarchy counts, where each has its own (version 1).  UINT64_MAX: none is known. */
uint64_t plait__cgroup_least(const char *controller, plait__cgroup_look *look, const char *proc_file, const char *mount);

/* A file in a group's folder, as plait__read_file. */
bool plait__read_group_file(const char *folder, const char *name, char *text, size_t room);

#endif
