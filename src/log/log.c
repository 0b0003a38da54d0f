/* log/log.c - a message on its way: formatted once, as the line "[LEVEL/ProcessName] message", whose end the handlers get. */
#include "log/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "family/roster.h"
#include "log/listeners.h"

/* ---- formatting ---- */

#define ROOM 1024u                                         /* on the stack; a longer message needs memory */

struct line {
    char *text;                                            /* '\n', begin of the line, message, 0 */
    size_t begin;                                          /* where the message begins */
    size_t size;                                           /* of the message */
    char level_name[24];
    char room[ROOM];
};

static void name_level(char *name, size_t size, int level)
{
    static const struct {
        int level;
        const char *name;
    } names[] = {
        { PLAIT_LOG_DEBUG, "DEBUG" }, { PLAIT_LOG_INFO, "INFO" }, { PLAIT_LOG_WARNING, "WARNING" },
        { PLAIT_LOG_ERROR, "ERROR" }, { PLAIT_LOG_CRITICAL, "CRITICAL" },
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].level != level) continue;
        snprintf(name, size, "%s", names[i].name);
        return;
    }
    snprintf(name, size, "Level %d", level);
}

/* A second time, into memory, as there was not enough room.  What it is about may have changed meanwhile. */
static int format_long(struct line *line, const char *format, va_list arguments)
{
    line->text = malloc(line->begin + line->size + 1);
    if (!line->text) return plait__fail(-ENOMEM, "no private memory for a message of %zu bytes", line->size);
    memcpy(line->text, line->room, line->begin);
    int size = vsnprintf(line->text + line->begin, line->size + 1, format, arguments);
    if (size >= 0 && (size_t)size < line->size) line->size = (size_t)size;
    return size < 0 ? plait__fail(-errno, "the message can't be formatted: %s", plait_strerror(errno)) : 0;
}

static int format_line(struct line *line, int level, const char *format, va_list arguments)
{
    va_list again;
    int caller_errno = errno;                              /* %m */
    line->text = line->room;
    name_level(line->level_name, sizeof line->level_name, level);
    line->begin = (size_t)snprintf(line->room, ROOM, "\n[%s/%s] ", line->level_name, plait__process_name());
    va_copy(again, arguments);
    errno = caller_errno;
    int error = 0, size = vsnprintf(line->room + line->begin, ROOM - line->begin, format, arguments);
    line->size = size > 0 ? (size_t)size : 0;
    if (size < 0) {
        error = plait__fail(-errno, "the message can't be formatted: %s", plait_strerror(errno));
    } else if (line->begin + line->size >= ROOM) {
        errno = caller_errno;
        error = format_long(line, format, again);
    }
    va_end(again);
    return error;
}

/* ---- telling ---- */

static int tell_stderr(const struct line *line)
{
    char *end = line->text + line->begin + line->size;
    *end = '\n';
    int error = plait__write_line(line->text + 1, line->begin + line->size);
    *end = 0;
    return error;
}

static void tell_handlers(const struct line *line, int level)
{
    struct plait__detail before;                           /* of what went wrong with standard error */
    struct timespec now;
    plait__keep_detail(&before);
    clock_gettime(CLOCK_REALTIME, &now);
    plait__call_handlers(&(plait_log_record){
        .level = level, .pid = getpid(), .level_name = line->level_name, .process_name = plait__process_name(),
        .message = line->text + line->begin, .message_size = line->size,
        .time = now.tv_sec * PLAIT__SECOND + now.tv_nsec,
    });
    plait__restore_detail(&before);
}

static int tell(int level, const char *format, va_list arguments)
{
    const plait_logger *logger = plait_get_logger();
    struct line line;
    int error = format_line(&line, level, format, arguments);
    if (!error) {
        if (atomic_load(&logger->to_stderr)) error = tell_stderr(&line);
        if (atomic_load(&logger->handlers)) tell_handlers(&line, level);
    }
    if (line.text != line.room) free(line.text);
    return error;
}

/* ---- the two ways in ---- */

/* A success leaves the error detail as it was, even if it took some failures. */
int plait_log(plait_logger *logger, int level, const char *format, ...)
{
    struct plait__detail before;
    va_list arguments;
    int error = plait__check_logger(logger), caller_errno = errno;
    if (error) return error;
    if (!format) return plait__fail(-EINVAL, "there is no format");
    if (!plait__is_logged(level)) return 0;
    plait__keep_detail(&before);
    va_start(arguments, format);
    error = tell(level, format, arguments);
    va_end(arguments);
    if (!error) plait__restore_detail(&before);
    errno = caller_errno;
    return error;
}

void plait__log_line(int level, const char *format, ...)
{
    struct plait__detail before;
    va_list arguments;
    int caller_errno = errno;
    plait__keep_detail(&before);
    va_start(arguments, format);
    (void)tell(level, format, arguments);
    va_end(arguments);
    plait__restore_detail(&before);
    errno = caller_errno;
}
