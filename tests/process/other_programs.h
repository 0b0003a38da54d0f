/* other_programs.h - for tests that have other programs as children. */
#ifndef PLAIT_TEST_OTHER_PROGRAMS_H
#define PLAIT_TEST_OTHER_PROGRAMS_H

#include "starts.h"

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })
#define SHELL(command) ARGV("/bin/sh", "-c", command)

static const plait_process_options with_pipes = {
    .input = PLAIT_STREAM_PIPE, .output = PLAIT_STREAM_PIPE, .errors = PLAIT_STREAM_PIPE,
};

static inline plait_process *start(char *const argv[], const plait_process_options *options)
{
    plait_process *program = plait_start_program(argv, options);
    if (!program) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(program);
    return program;
}

static inline void write_file(const char *path, const char *text, int mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, (mode_t)mode) == 0 && close(fd) == 0);
}

#endif
