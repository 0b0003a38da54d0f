/* plait/deadline.h - until when a call may block.
 *
 * Everything that can block takes an absolute deadline as its last argument: make it once, pass it to several calls, and the
 * whole is bounded.  It is a struct so that a bare number is a compile error.
 *
 * ```c
 * plait_queue *queue = plait_queue_new(NULL);
 * plait_deadline deadline = plait_after(2.0);
 * char text[16];
 * for (int i = 0; i < 3; i++)
 *     if (plait_queue_get(queue, text, sizeof text, deadline) == -ETIMEDOUT) puts("2 s are over");
 * ```
 */
#ifndef PLAIT_DEADLINE_H
#define PLAIT_DEADLINE_H

#include <stdint.h>

#include <plait/export.h>

/* Nanoseconds of CLOCK_MONOTONIC; 0 is no deadline, so that an option struct full of zeros waits for ever. */
typedef struct plait_deadline {
    int64_t at;
} plait_deadline;

#ifdef __cplusplus
#define PLAIT_FOREVER (plait_deadline{0})
#define PLAIT_NOW (plait_deadline{1})
#else
/* Wait until it happens.  Python: timeout=None. */
#define PLAIT_FOREVER ((plait_deadline){0})
/* Do not wait: do it now or return -ETIMEDOUT.  Python: block=False. */
#define PLAIT_NOW ((plait_deadline){1})
#endif

PLAIT_BEGIN

/* The deadline `seconds` from now.  Zero, negative and NaN give PLAIT_NOW, more than 292 years PLAIT_FOREVER. */
PLAIT_API plait_deadline plait_after(double seconds);

PLAIT_END
#endif
