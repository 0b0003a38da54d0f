/* ways.h - for tests of what a new process has: a copier, started in one of several ways. */
#ifndef PLAIT_TEST_WAYS_H
#define PLAIT_TEST_WAYS_H

#include "starts.h"

#include <sys/mman.h>

static const int methods[] = { PLAIT_FORK, PLAIT_SPAWN };
enum { PROGRAM = 2, WAYS = 3 };

/* A copy of its standard input on standard output, and the number of bytes on standard error. */
static inline int copy_and_count(void *unused)
{
    char bytes[1000];
    size_t size = fread(bytes, 1, sizeof bytes, stdin);
    fwrite(bytes, 1, size, stdout);
    fprintf(stderr, "%zu", size);
    return 4;
}

static inline plait_process *new_one(int way, plait_process_options options)
{
    char *argv[] = { "/bin/sh", "-c", "text=$(cat); printf %s \"$text\"; printf ${#text} >&2; exit 4", NULL };
    if (way == PROGRAM) return plait_program_new(argv, &options);
    options.method = methods[way];
    return plait_process_new(copy_and_count, NULL, 0, &options);
}

static inline plait_process *start_one(int way, plait_process_options options)
{
    plait_process *process = new_one(way, options);
    CHECK(process);
    const int error = plait_process_start(process);
    if (error) dprintf(STDERR_FILENO, "%s\n", plait_error_detail());
    CHECK(error == 0);
    return process;
}

static inline int file_with(const char *text)
{
    const int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

#endif
