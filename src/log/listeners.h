/* log/listeners.h - who wants to know, and what; inside the room. */
#ifndef PLAIT_LOG_LISTENERS_H
#define PLAIT_LOG_LISTENERS_H

#include "log/log.h"

struct plait_logger {
    _Atomic int level;                                     /* 0: never set */
    _Atomic int to_stderr;
    _Atomic int handlers;                                  /* how many there are */
};

/* 0, or -EINVAL with a detail. */
int plait__check_logger(const plait_logger *logger);

/* Call all handlers that this thread is not inside of. */
void plait__call_handlers(const plait_log_record *record);

/* In stderr.c: write a line, complete with its begin and end, to standard error.  The byte before it is '\n', and may be written
 * too.  0, or -errno with a detail. */
int plait__write_line(const char *line, size_t size);

#endif
