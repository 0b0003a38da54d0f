#include "base/cpus.h"

#include <sched.h>
#include <unistd.h>

int plait__cpu_count(void)
{
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) return CPU_COUNT(&cpus);
    long online = sysconf(_SC_NPROCESSORS_ONLN);           /* more CPUs than fit a cpu_set_t */
    return online > 0 ? (int)online : 1;
}

int plait__cpus_online(void)
{
    static _Atomic int known;                              /* it has to be read from a file */
    if (!known) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        known = online > 0 ? (int)online : 1;
    }
    return known;
}
