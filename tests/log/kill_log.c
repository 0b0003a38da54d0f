/* Who logs is killed at every step: its line is there whole or not at all, as a file takes it at once; and the survivors' lines are
 * whole, and wait for nobody. */
#include "kill.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <plait.h>

#include "family/roster.h"
#include "log/listeners.h"

static int file = -1;
static char message[10001];                                /* the victim's */

static void log_to_a_file(size_t size)
{
    memset(message, '7', size);
    message[size] = 0;
    file = memfd_create("lines", MFD_CLOEXEC);
    MUST(file >= 0 && fcntl(file, F_SETFL, O_APPEND) == 0);
    memset(plait__roster->log, 0, sizeof plait__roster->log);
}

static void close_the_file(void)
{
    close(file);
}

static void set_up_short(void)
{
    log_to_a_file(10);
}

static void set_up_long(void)
{
    log_to_a_file(10000);
}

static void listen(void)
{
    CHECK(dup2(file, STDERR_FILENO) == STDERR_FILENO);
    plait_log_to_stderr(PLAIT_LOG_INFO);
}

static void log_it(void)
{
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_INFO, "%s", message) == 0);
}

/* To format a long one takes too many steps. */
static char line[10100];
static size_t line_size;

static void listen_and_format(void)
{
    listen();
    line_size = (size_t)snprintf(line, sizeof line, "\n[INFO/MainProcess] %s\n", message) - 1;
}

static void write_it(void)
{
    CHECK(plait__write_line(line + 1, line_size) == 0);
}

static bool is_written(const struct stepped *victim)
{
    return lseek(file, 0, SEEK_END) > 0;
}

static int log_after_it(void)
{
    listen();
    CHECK(plait_log(plait_get_logger(), PLAIT_LOG_INFO, "survivor") == 0);
    return 0;
}

/* A file takes a line at once.  An empty line behind a long one is from who did not know that. */
static void check_lines(const struct stepped *victim, bool written)
{
    static char text[20100];
    char victims[10100] = "", expected[10200];
    member_run(log_after_it, "a survivor that logs");
    const ssize_t got = pread(file, text, sizeof text - 1, 0);
    MUST(got > 0);
    text[got] = 0;
    if (written) snprintf(victims, sizeof victims, "[INFO/MainProcess] %s\n", message);
    snprintf(expected, sizeof expected, "%s[INFO/MainProcess] survivor\n", victims);
    if (strcmp(text, expected) != 0) {
        snprintf(expected, sizeof expected, "%s\n[INFO/MainProcess] survivor\n", victims);
        MUST(strlen(message) > 4096 && strcmp(text, expected) == 0);
    }
    MUST(plait_lock_locked((plait_lock *)(void *)plait__roster->log) == 0);
}

static const struct step_region *turns(void)
{
    static struct step_region regions[2];
    regions[0] = (struct step_region){ plait__roster->log, sizeof plait__roster->log };
    return regions;
}

static const struct kill_case short_line = {
    .operation = { .prepare = listen, .run = log_it },
    .set_up = set_up_short, .look = is_written, .check = check_lines, .tear_down = close_the_file,
    .regions = turns, .long_one = true,
};
static const struct kill_case long_line = {
    .operation = { .prepare = listen_and_format, .run = write_it },
    .set_up = set_up_long, .look = is_written, .check = check_lines, .tear_down = close_the_file,
    .regions = turns, .long_one = true,
};

static const struct CMUnitTest tests[] = {
    KILL_TESTS(short_line),
    KILL_TESTS(long_line),
};
TEST_MAIN(tests)
