#include "base/deadline.h"

int64_t plait__now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * PLAIT__SECOND + now.tv_nsec;
}

plait_deadline plait_after(double seconds)
{
    if (!(seconds > 0)) return PLAIT_NOW;                 /* also NaN */
    double nanoseconds = seconds * 1e9;
    int64_t now = plait__now();
    if (nanoseconds >= (double)(INT64_MAX - now)) return PLAIT_FOREVER;
    return (plait_deadline){ now + (int64_t)nanoseconds };
}
