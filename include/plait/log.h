/* plait/log.h - messages about what happens, from all processes of a family, each in a line of its own.
 *
 * ```c
 * plait_logger *logger = plait_log_to_stderr(PLAIT_LOG_INFO);
 * plait_log(logger, PLAIT_LOG_INFO, "%d files to do", 42);       // [INFO/MainProcess] 42 files to do
 * plait_log(logger, PLAIT_LOG_DEBUG, "not shown");               // below the level: not even formatted
 * ```
 *
 * There is one logger in a process, as in Python's multiprocessing.  Unlike there, one that nobody was told to listen to writes
 * nothing, not even warnings: a library has no business with your standard error.
 * A forked child has the level and the listeners of its parent.
 *
 * Not so: plait_log(logger, PLAIT_LOG_INFO, text_of_somebody): a % in it would be taken for a format.  Write "%s", text.
 * Not for signal handlers.
 */
#ifndef PLAIT_LOG_H
#define PLAIT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include <plait/deadline.h>
#include <plait/export.h>

/* Levels are numbers, these and any others.  SUBDEBUG and SUBWARNING have no names in the lines: [Level 5/MainProcess].
 * Python: logging.DEBUG, ...; multiprocessing.util.SUBDEBUG, SUBWARNING. */
enum {
    PLAIT_LOG_SUBDEBUG = 5,
    PLAIT_LOG_DEBUG = 10,
    PLAIT_LOG_INFO = 20,
    PLAIT_LOG_SUBWARNING = 25,
    PLAIT_LOG_WARNING = 30,
    PLAIT_LOG_ERROR = 40,
    PLAIT_LOG_CRITICAL = 50
};

typedef struct plait_logger plait_logger;

/* What a handler gets: all of it is the library's, and valid until the handler returns. */
typedef struct plait_log_record {
    int level;
    int pid;
    const char *level_name;   /* "INFO", "Level 5" */
    const char *process_name; /* "MainProcess", "Worker-3" */
    const char *message;      /* as it was formatted, without the line's begin and end */
    size_t message_size;      /* bytes, without the 0 behind them */
    int64_t time;             /* nanoseconds since 1970 */
    uint64_t reserved[4];
} plait_log_record;

PLAIT_BEGIN

/* It runs in the thread that logs, in many threads at a time if many log.  It may log itself: its own messages go to the other
 * handlers and to standard error, but not to it again.  It has to return (no longjmp, exceptions, pthread_exit). */
typedef void (*plait_log_handler)(const plait_log_record *record, void *context);

/* The logger of this process; never NULL, and not to be freed.  Thread-safe, never blocks.
 * Python: multiprocessing.get_logger(). */
PLAIT_API plait_logger *plait_get_logger(void);

/* From now on each message is also written to standard error (file descriptor 2, whatever that is then), as a line
 * "[LEVEL/ProcessName] message"; and the level is set as by plait_log_set_level, but 0 leaves it as it is.  A second call does not
 * have lines written twice.  (Python's does: it adds one more handler.)
 * Returns the logger; NULL with errno EINVAL for a negative level.  Thread-safe, does not wait.
 * Python: multiprocessing.log_to_stderr(level). */
PLAIT_API plait_logger *plait_log_to_stderr(int level);

/* Messages below this level are dropped.  0: as if it had never been set, which is PLAIT_LOG_WARNING.
 * 0, or -EINVAL: a negative level, or not the logger.  Thread-safe, does not wait.
 * Python: logger.setLevel(level). */
PLAIT_API int plait_log_set_level(plait_logger *logger, int level);

/* The level that counts: the one that was set, or PLAIT_LOG_WARNING.  -EINVAL: not the logger.  Thread-safe, never blocks.
 * Python: logger.getEffectiveLevel(). */
PLAIT_API int plait_log_level(const plait_logger *logger);

/* Log a message, formatted as by printf (%m is the caller's errno).  Below the level, or when nobody listens, it is not formatted.
 * A line to standard error goes out whole: lines of all threads and processes of the family take turns.  Who is killed, or stopped
 * for longer than a second, while it writes keeps nobody from logging; the line that it was writing may then be torn.
 * It waits as write(2) does; if standard error does not block, at most a second until somebody reads.
 * Returns 0 (also if it was dropped); -EINVAL: not the logger, no format, or a text that can't be formatted (then -EILSEQ or
 * -EOVERFLOW); -ENOMEM: a message of more than 900 bytes, and no memory for it; or what writing said, such as -EBADF,
 * -EPIPE (without a SIGPIPE), -EFBIG (without a SIGXFSZ), -ENOSPC, or -EAGAIN: nobody read.  The handlers are called all the same.
 * errno stays as it was.  Thread-safe.  Python: logger.log(level, format, ...). */
PLAIT_API int plait_log(plait_logger *logger, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Have handler(record, context) called with each message from the level on, in this process and in those that it forks.  The
 * context has to stay until the handler is removed.  Handlers are called in no particular order.  One that is there already, with
 * the same context, is not added again.
 * 0; -EINVAL: not the logger, or no handler; -ENOSPC: there are 32 already.  Thread-safe, does not wait; a handler may do it.
 * Python: logger.addHandler(handler). */
PLAIT_API int plait_log_add_handler(plait_logger *logger, plait_log_handler handler, void *context);

/* Have it called no more; and wait until no other thread is inside it, so that its context can be freed.  A handler may remove
 * itself and others; then nothing is waited for.
 * 0; -ETIMEDOUT: it is removed, but still runs in another thread; -ENOENT: it is not there; -EINVAL: not the logger;
 * PLAIT_ENOARENA, PLAIT_ETOOMANY: it is removed, but it was not possible to wait.  Thread-safe.
 * Python: logger.removeHandler(handler). */
PLAIT_API int plait_log_remove_handler(plait_logger *logger, plait_log_handler handler, void *context, plait_deadline deadline);

PLAIT_END
#endif
