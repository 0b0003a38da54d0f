/* base/cpus.h - how many processors the machine has; how many there are for us: <plait/cpu.h>. */
#ifndef PLAIT_BASE_CPUS_H
#define PLAIT_BASE_CPUS_H

/* As plait_cpu_count_online, but as it was at the first call, which asks the C library: for who asks often. */
int plait__cpus_online(void);

#endif
