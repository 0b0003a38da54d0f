/* names.h - names in /dev/shm, for tests that leave none.  They have the mark `names` in tests/meson.build: the runner can not see
 * who made a name, so only one of them runs at a time. */
#ifndef PLAIT_TEST_NAMES_H
#define PLAIT_TEST_NAMES_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

enum { NAME_SIZE = 64 };

/* A name that only this test has; `what` tells those of one test apart. */
static inline const char *name_of(char name[NAME_SIZE], const char *what)
{
    snprintf(name, NAME_SIZE, "plait-test-%d-%s", (int)getpid(), what);
    return name;
}

/* Its file, if it is there. */
static inline bool look_up(const char *name, struct stat *status)
{
    char path[300];
    struct stat unused;
    snprintf(path, sizeof path, "/dev/shm/%.255s", name);
    return stat(path, status ? status : &unused) == 0;
}

static inline bool is_there(const char *name)
{
    return look_up(name, NULL);
}

/* Afterwards no name of ours is left. */
static inline int no_names_left(void **state)
{
    char ours[NAME_SIZE];
    DIR *directory = opendir("/dev/shm");
    int left = 0;
    name_of(ours, "");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (strncmp(entry->d_name, ours, strlen(ours)) != 0) continue;
        print_error("%s is left in /dev/shm\n", entry->d_name);
        left++;
    }
    if (directory) closedir(directory);
    return left;
}

#define NAMED_TEST(test) cmocka_unit_test_setup_teardown(test, NULL, no_names_left)

#endif
