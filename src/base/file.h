/* base/file.h - the small texts by which the kernel tells of itself, in /proc and /sys.  Without stdio, which would allocate. */
#ifndef PLAIT_BASE_FILE_H
#define PLAIT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The begin of a file, as much as there is room for, with a 0 behind it.  False: there is none, it is empty, or may not be read. */
bool plait__read_file(const char *path, char *text, size_t room);

/* The number that the text begins with, and what comes behind it.  0, with *end as it was: the number is too large; if there is
 * none, *end is the text itself. */
uint64_t plait__read_number(const char *text, const char **end);

#endif
