#include "base/cpus.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <plait/cpu.h>

#include "base/cgroup.h"
#include "base/file.h"

/* ---- the machine's ---- */

static int online_by_libc(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int plait__cpus_online(void)
{
    static _Atomic int known;                              /* it has to be read from a file */
    if (!known) known = online_by_libc();
    return known;
}

/* A piece "4-7" or "9" of the kernel's lists of CPUs; moves behind it and its comma.  False: there is no more, or not a list. */
static bool next_range(const char **list, uint64_t *first, uint64_t *last)
{
    const char *end = *list;
    *first = *last = plait__read_number(*list, &end);
    if (end == *list) return false;
    if (*end == '-') {
        const char *second = ++end;
        *last = plait__read_number(second, &end);
        if (end == second || *last < *first) return false;
    }
    *list = end + (*end == ',');
    return *end == ',' || *end == '\n' || !*end;
}

/* Not by the C library: musl's tells how many this process may use. */
int plait_cpu_count_online(void)
{
    char text[4096];
    const char *list = text;
    uint64_t count = 0, first, last;
    if (!plait__read_file("/sys/devices/system/cpu/online", text, sizeof text)) return online_by_libc();
    while (next_range(&list, &first, &last)) count += last - first + 1;
    bool understood = *list == '\n' || !*list;
    return understood && count > 0 && count <= INT32_MAX ? (int)count : online_by_libc();
}

/* ---- those that we may run on ---- */

/* 8 KiB on the stack; Linux can be built for 8,192 CPUs, an eighth of it.  It refuses a set that is too small for the machine, so
 * cpu_set_t, with room for 1,024, is not enough, and CPU_ALLOC would be memory that may be refused. */
#define CPUS_MAX 65536u
struct cpus {
    unsigned long bits[CPUS_MAX / (8 * sizeof(unsigned long))];
};

/* False: the kernel does not tell, as in some sandboxes. */
static bool may_use(struct cpus *cpus)
{
    *cpus = (struct cpus){ { 0 } };
    return sched_getaffinity(0, sizeof *cpus, (cpu_set_t *)cpus) == 0;
}

static bool has(const struct cpus *cpus, uint64_t number)
{
    const unsigned bits = 8 * sizeof cpus->bits[0];
    return number < CPUS_MAX && (cpus->bits[number / bits] >> number % bits & 1);
}

static int count(const struct cpus *cpus)
{
    int sum = 0;
    for (unsigned i = 0; i < sizeof cpus->bits / sizeof cpus->bits[0]; i++) sum += __builtin_popcountl(cpus->bits[i]);
    return sum;
}

/* ---- the quota ---- */

#define USUAL_PERIOD 100000                                /* us; where none is told */

/* In whole CPUs, rounded up.  The file of version 2 has both, "150000 100000"; that of version 1 a quota of -1 for none. */
static uint64_t quota_in(const char *folder, bool old)
{
    char text[64], other[32];
    const char *end = text, *rest = other;
    if (!plait__read_group_file(folder, old ? "cpu.cfs_quota_us" : "cpu.max", text, sizeof text)) return UINT64_MAX;
    uint64_t quota = plait__read_number(text, &end);
    if (end == text || !quota) return UINT64_MAX;
    if (!old) rest = *end == ' ' ? end + 1 : end;
    else if (!plait__read_group_file(folder, "cpu.cfs_period_us", other, sizeof other)) return UINT64_MAX;
    const char *begin = rest;
    uint64_t period = plait__read_number(begin, &rest);
    if (rest == begin && !old && (!*begin || *begin == '\n')) period = USUAL_PERIOD;
    return period ? (quota - 1) / period + 1 : UINT64_MAX;
}

int plait_cpu_count(void)
{
    struct cpus cpus;
    int usable = may_use(&cpus) ? count(&cpus) : plait_cpu_count_online();
    uint64_t quota = plait__cgroup_least("cpu", quota_in, PLAIT__CGROUP_FILE, PLAIT__CGROUP_MOUNT);
    if (quota < (uint64_t)usable) usable = (int)quota;
    return usable > 0 ? usable : 1;
}

/* ---- cores ---- */

/* The CPUs of a core count once: the first of them that we may run on does.  1, 0, or -1: the kernel does not tell. */
static int is_first_of_its_core(const struct cpus *cpus, unsigned number)
{
    char path[96], text[1024];
    const char *list = text;
    uint64_t first, last;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", number);
    if (!plait__read_file(path, text, sizeof text) || !next_range(&list, &first, &last)) return -1;
    do {
        for (uint64_t sibling = first; sibling <= last && sibling < number; sibling++)
            if (has(cpus, sibling)) return 0;
    } while (next_range(&list, &first, &last));
    return 1;
}

int plait_cpu_count_physical(void)
{
    struct cpus cpus;
    int cores = 0;
    if (!may_use(&cpus)) return plait_cpu_count_online();
    for (unsigned number = 0; number < CPUS_MAX; number++) {
        int is_one = has(&cpus, number) ? is_first_of_its_core(&cpus, number) : 0;
        if (is_one < 0) return count(&cpus);
        cores += is_one;
    }
    return cores > 0 ? cores : 1;
}
