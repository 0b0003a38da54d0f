/* arena/limit.h - how much memory the family may use, and how much it uses. */
#ifndef PLAIT_ARENA_LIMIT_H
#define PLAIT_ARENA_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* The limit that a new family begins with, in bytes: what the machine has, what the control group allows, and what
 * PLAIT_ARENA_LIMIT says, whichever is least.  0, or PLAIT_ENOARENA with a detail if that says nothing that can be understood. */
int plait__choose_limit(uint64_t *limit);

/* What the control group of the process that `proc_file` (/proc/self/cgroup) is about allows, and the groups around it, as they
 * are found below `mount` (/sys/fs/cgroup).  UINT64_MAX: nothing is known, or nothing forbidden. */
uint64_t plait__cgroup_limit(const char *proc_file, const char *mount);

/* "512M" and the like: a number of bytes, or of K, M, G, T.  0: not understood. */
uint64_t plait__parse_size(const char *text);

/* Count `count` spans as used before they are; false: that would be more than may be.  Until plait__reserved is called, when the
 * spans are taken but for `left` of them, nobody else's count of what is used can miss them. */
bool plait__reserve(uint32_t count, unsigned owner);
void plait__reserved(uint32_t left, unsigned owner);

/* Around the freeing of so many spans: they are used no more. */
void plait__unreserve_begin(uint32_t count, unsigned owner);
void plait__unreserve_end(uint32_t count, unsigned owner);

#endif
