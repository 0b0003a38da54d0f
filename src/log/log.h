/* log/log.h - logging for the rooms above. */
#ifndef PLAIT_LOG_LOG_H
#define PLAIT_LOG_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include <plait/log.h>

/* Messages from this level on are wanted by somebody; INT_MAX: none is.  Written by whoever changes level or listeners. */
extern _Atomic int plait__log_threshold;

static inline bool plait__is_logged(int level)
{
    return level >= atomic_load_explicit(&plait__log_threshold, memory_order_relaxed);
}

/* Log if anybody wants to know; one load if not, and the arguments are not evaluated.  Leaves errno and the error detail as they
 * were, whatever becomes of it.  Not while the caller owns words of a shared object: it may wait. */
#define plait__log(level, ...)                                                                        \
    do {                                                                                              \
        if (__builtin_expect(plait__is_logged(level), 0)) plait__log_line(level, __VA_ARGS__);        \
    } while (0)
void plait__log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a process that is not forked takes over from its parent.  (Handlers are functions; they stay behind.) */
struct plait__log_state {
    int level;                                             /* as it was set; 0: it was not */
    int to_stderr;
};
struct plait__log_state plait__log_get_state(void);
void plait__log_set_state(struct plait__log_state state);

#endif
