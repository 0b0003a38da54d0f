/* lines.h - what a program writes to standard error. */
#ifndef PLAIT_TEST_LINES_H
#define PLAIT_TEST_LINES_H

#include "host.h"
#include "others.h"

static inline bool lines__is_writing(void *tid)
{
    return test_syscall_of(*(pid_t *)tid) == SYS_write;
}

/* Poll until that thread sleeps in a write. */
static inline void lines_until_writes(pid_t tid)
{
    test_until(lines__is_writing, &tid);
}

/* The rest of what comes out of a pipe, until nobody has its other end any more; with a 0 behind it, to be freed. */
static inline char *lines_read(int fd, size_t *size)
{
    size_t room = 1 << 16, used = 0;
    char *text = malloc(room);
    for (ssize_t got = 1; got > 0; used += (size_t)got) {
        if (room - used < 2) CHECK((text = realloc(text, room *= 2)));
        do got = read(fd, text + used, room - used - 1); while (got < 0 && errno == EINTR);
        CHECK(got >= 0);
    }
    text[used] = 0;
    *size = used;
    return text;
}

/* All that body() writes to standard error, in a host, which has to return 0. */
static inline char *lines_of(int (*body)(void *argument), void *argument, size_t *size)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const int before = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    const pid_t host = test_fork(body, argument);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    char *text = lines_read(ends[0], size);
    close(ends[0]);
    const int status = test_wait_exit(host);
    if (status) fail_msg("exit status %d; standard error: %.2000s", status, text);
    return text;
}

static inline void lines_must_be(int (*body)(void *argument), void *argument, const char *expected)
{
    size_t size;
    char *text = lines_of(body, argument, &size);
    assert_string_equal(text, expected);
    free(text);
}

#endif
