/* plait/cpu.h - how many CPUs there are, and how many of them for this process.
 *
 * How many workers make sense is what this process can really use: a container or a batch system gives it some of the CPUs
 * (its affinity), or so much of their time (the quota of its control group), and says nothing of that in the number of CPUs.
 *
 * ```c
 * plait_pool_options options = { .workers = plait_cpu_count() };        // which is the default, too
 * printf("%d workers on %d CPUs\n", options.workers, plait_cpu_count_online());
 * ```
 */
#ifndef PLAIT_CPU_H
#define PLAIT_CPU_H

#include <plait/export.h>

PLAIT_BEGIN

/* How many CPUs the calling thread can really use: those that it may run on (sched_setaffinity, taskset, cpusets), but no more
 * than the CPU quota of its control group, and of the groups around that, allows, rounded up.  (Versions 2 and 1 of control
 * groups, as they are mounted below /sys/fs/cgroup.)  At least 1, whatever can not be found out.
 * Reads some small files, each time anew: about 0.1 ms.  Thread-safe, never waits.
 * Python: os.process_cpu_count() from 3.13 on, len(os.sched_getaffinity(0)) before; neither knows of quotas. */
PLAIT_API int plait_cpu_count(void);

/* How many CPUs the machine has that are switched on, whoever may use them.  At least 1.  Thread-safe, never waits.
 * Python: os.cpu_count(), multiprocessing.cpu_count(). */
PLAIT_API int plait_cpu_count_online(void);

/* How many cores the CPUs are that the calling thread may run on: with hyper-threading two CPUs are one core.  Quotas do not
 * count.  Where the kernel does not tell, each CPU is one.  At least 1.  Reads a small file for each CPU.
 * Thread-safe, never waits.  Python: psutil.cpu_count(logical=False). */
PLAIT_API int plait_cpu_count_physical(void);

PLAIT_END
#endif
