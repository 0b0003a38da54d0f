/* starts.h - starting in every way, and what must not be left behind.  What a spawned child tells, it tells by its exit code or in
 * shared memory: it has none of the test's variables. */
#ifndef PLAIT_TEST_STARTS_H
#define PLAIT_TEST_STARTS_H

#include "host.h"
#include "others.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <plait.h>

#define CHECK_TEXT(text, piece) starts_check_text((text), (piece), __FILE__, __LINE__)

static inline void starts_check_text(const char *text, const char *piece, const char *file, int line)
{
    if (strstr(text, piece)) return;
    dprintf(STDERR_FILENO, "\"%s\" is not in \"%s\"\n", piece, text);
    test_check_failed(file, line, "the text says it");
}

static inline void be_program(void)
{
    CHECK(plait_init(NULL, NULL) == 0);
}

static inline void end_with(plait_process *process, int exitcode)
{
    CHECK(process);
    CHECK(plait_process_join(process, PLAIT_FOREVER) == 0);
    const int code = plait_process_exitcode(process);
    if (code != exitcode) dprintf(STDERR_FILENO, "%s: exit code %d, not %d\n", plait_process_name(process), code, exitcode);
    CHECK(code == exitcode);
    CHECK(plait_process_free(process) == 0);
}

/* ---- children ---- */

static inline int return_0(void *unused)
{
    return 0;
}

static inline int wait_for_flag(void *flag)
{
    test_until(is_set, flag);
    return 7;
}

static inline int run_on(void *unused)
{
    sleep_for_ever();
}

enum { THEIRS = 100 };                                     /* from 3 up to this */

/* What programs do that know of no library of theirs; and perhaps others then have those numbers. */
static inline void close_all(void *others)
{
    int readable[2];
    for (int fd = 3; fd < THEIRS; fd++) close(fd);
    if (!others) return;
    CHECK(pipe(readable) == 0 && write(readable[1], "x", 1) == 1);
    for (int fd = 3; fd < THEIRS; fd++)
        if (fd != readable[0] && fd != readable[1]) CHECK(dup2(readable[0], fd) == fd);
}

/* ---- nothing is left ---- */

struct traces {
    int fds;
    uint64_t blocks;
};

static inline struct traces traces_now(void)
{
    plait_arena_figures figures;
    CHECK(plait_arena_stats(&figures) == 0);
    return (struct traces){ open_fds(), figures.shared_blocks };
}

static inline void traces_must_be(const struct traces *before)
{
    const struct traces now = traces_now();
    CHECK(now.fds == before->fds);
    CHECK(now.blocks == before->blocks);
    CHECK(has_no_child());
}

/* It can't be started: the error and its detail, nothing is left behind, and it is still as it was before. */
static inline void start_is_refused(plait_process *process, int error, const char *detail)
{
    const struct traces before = traces_now();
    CHECK(process);
    const int got = plait_process_start(process);
    if (got != error) dprintf(STDERR_FILENO, "%s (%s)\n", got ? plait_strerrorname(got) : "started", plait_error_detail());
    CHECK(got == error);
    CHECK_TEXT(plait_error_detail(), detail);
    CHECK(plait_process_pid(process) == 0 && plait_process_is_alive(process) == 0);
    CHECK(plait_process_exitcode(process) == PLAIT_ENOTSTARTED && plait_process_join(process, PLAIT_NOW) == PLAIT_ENOTSTARTED);
    CHECK(plait_active_children(NULL, 0) == 0);
    traces_must_be(&before);
}

#endif
