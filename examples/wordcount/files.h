/* files.h - the list of files, in shared memory. */
#ifndef WORDCOUNT_FILES_H
#define WORDCOUNT_FILES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct file {
    const char *name;
    int64_t size;                                          /* when it was listed; it may change */
    _Atomic int error;                                     /* an errno: why it could not be read; or NOT_A_FILE */
    _Atomic int binary;                                    /* 1: it is, and so has not been counted */
};

enum { NOT_A_FILE = -1 };

/* All zero is an empty list. */
struct files {
    struct file *all;
    size_t count, room;
};

/* Add what the user named: a file, or all files in a folder and in those below it.  As with `grep -r`, symbolic links are followed
 * only if they are named themselves, and so is everything that is not a plain file: what a folder has of that kind is left out.
 * What can't be read is put on the list with its error.  0 or -errno, when there is no memory. */
int files_add(struct files *files, const char *name);

/* Add each line of the stream. */
int files_add_lines(struct files *files, FILE *stream);

void files_free(struct files *files);

#endif
