/* base/cpus.h - how many processors there are for us. */
#ifndef PLAIT_BASE_CPUS_H
#define PLAIT_BASE_CPUS_H

/* How many CPUs the calling thread may run on (its affinity); at least 1. */
int plait__cpu_count(void);

/* How many there are for everybody. */
int plait__cpus_online(void);

#endif
