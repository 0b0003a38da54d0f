/* files.h - a tree of small files, such as those of /proc and /sys. */
#ifndef PLAIT_TEST_FILES_H
#define PLAIT_TEST_FILES_H

#include "harness.h"

#include <string.h>
#include <sys/stat.h>

/* Write the file root/path, and make the folders that it lies in. */
static inline void write_file(const char *root, const char *path, const char *text)
{
    char name[1024];
    snprintf(name, sizeof name, "%s/%s", root, path);
    for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(name, 0700);
    }
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#endif
