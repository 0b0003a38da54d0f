/* base/deadline.h - reckoning with deadlines: nanoseconds of CLOCK_MONOTONIC, 0 for none. */
#ifndef PLAIT_BASE_DEADLINE_H
#define PLAIT_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <plait/deadline.h>

#define PLAIT__MILLISECOND INT64_C(1000000)
#define PLAIT__SECOND INT64_C(1000000000)

int64_t plait__now(void);

static inline bool plait__is_forever(plait_deadline deadline)
{
    return deadline.at == 0;
}

/* PLAIT_NOW, and what else was over at boot. */
static inline bool plait__is_now(plait_deadline deadline)
{
    return deadline.at != 0 && deadline.at <= 1;
}

static inline bool plait__expired(plait_deadline deadline)
{
    return deadline.at != 0 && (deadline.at <= 1 || deadline.at <= plait__now());
}

/* The earlier of a deadline and a moment that is never 0. */
static inline int64_t plait__earlier(plait_deadline deadline, int64_t moment)
{
    return deadline.at != 0 && deadline.at < moment ? deadline.at : moment;
}

static inline struct timespec plait__timespec(int64_t nanoseconds)
{
    if (nanoseconds < 0) nanoseconds = 0;
    return (struct timespec){ .tv_sec = nanoseconds / PLAIT__SECOND, .tv_nsec = nanoseconds % PLAIT__SECOND };
}

#endif
