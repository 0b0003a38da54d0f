#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"

#ifdef PLAIT_TESTING

/* Below the folder that a test has put in place of /. */
static int open_to_read(const char *path)
{
    char elsewhere[1024];
    const char *root = plait__test_root ? plait__test_root : "";
    if (snprintf(elsewhere, sizeof elsewhere, "%s%s", root, path) >= (int)sizeof elsewhere) return -1;
    return open(elsewhere, O_RDONLY | O_CLOEXEC);
}

#else

static int open_to_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

#endif

bool plait__read_file(const char *path, char *text, size_t room)
{
    int fd = plait__above_stdio(open_to_read(path));
    if (fd < 0) return false;
    ssize_t size = read(fd, text, room - 1);
    close(fd);
    text[size > 0 ? size : 0] = 0;
    return size > 0;
}

uint64_t plait__read_number(const char *text, const char **end)
{
    uint64_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (number > (UINT64_MAX - digit) / 10) return 0;
        number = number * 10 + digit;
    }
    *end = text;
    return number;
}
