/* python.h - the stock Pythons of the machine, for tests that meet them. */
#ifndef PLAIT_TEST_PYTHON_H
#define PLAIT_TEST_PYTHON_H

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

enum { PYTHONS = 16, PYTHON_SIZE = 128 };

struct python {
    char path[PYTHON_SIZE];
    int version;                                           /* 311 for 3.11 */
};

/* Run it with a script and an argument: what it prints, errors too, into output; its exit status. */
static inline int python_run(const char *path, const char *script, const char *argument, char *output, size_t size)
{
    char command[8192];
    const int length = snprintf(command, sizeof command, "exec %s -c '%s' '%s' 2>&1 </dev/null", path, script, argument);
    CHECK((size_t)length < sizeof command);
    FILE *stream = popen(command, "re");
    CHECK(stream);
    const size_t got = fread(output, 1, size - 1, stream);
    output[got] = 0;
    const int status = pclose(stream);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Add it, if it has shared memory: 3.8 and later. */
static inline void python_try(struct python *found, int *count, const char *path)
{
    char output[256];
    if (*count == PYTHONS || access(path, X_OK) < 0 || strlen(path) >= PYTHON_SIZE) return;
    const char *script = "import sys, multiprocessing.shared_memory; print(sys.version_info[0] * 100 + sys.version_info[1])";
    if (python_run(path, script, "", output, sizeof output) != 0) return;
    snprintf(found[*count].path, PYTHON_SIZE, "%s", path);
    found[(*count)++].version = atoi(output);
}

/* /usr/bin/python3, and what pyenv has; how many. */
static inline int pythons(struct python found[PYTHONS])
{
    char pattern[512];
    glob_t all = { 0 };
    int count = 0;
    python_try(found, &count, "/usr/bin/python3");
    snprintf(pattern, sizeof pattern, "%s/.pyenv/versions/3.*/bin/python3", getenv("HOME") ? getenv("HOME") : "/root");
    if (glob(pattern, 0, NULL, &all) == 0)
        for (size_t i = 0; i < all.gl_pathc; i++) python_try(found, &count, all.gl_pathv[i]);
    globfree(&all);
    return count;
}

/* Run a script that has to print `expected`, and to end well. */
static inline void python_must_print(const struct python *python, const char *script, const char *argument, const char *expected)
{
    static char output[1 << 20];
    const int status = python_run(python->path, script, argument, output, sizeof output);
    if (status != 0 || strcmp(output, expected) != 0)
        fail_msg("%s: exit status %d, it printed:\n%sinstead of:\n%s", python->path, status, output, expected);
}

#endif
