/* shared/segment.h - a named piece of shared memory: a file in /dev/shm, mapped. */
#ifndef PLAIT_SHARED_SEGMENT_H
#define PLAIT_SHARED_SEGMENT_H

#include <limits.h>
#include <stddef.h>

struct plait__segment {
    void *data;                                            /* NULL: not mapped any more */
    size_t size;
    char name[NAME_MAX + 1];                               /* without a slash */
};

/* What is in it before others can see it. */
struct plait__content {
    void (*fill)(void *data, const void *argument);        /* NULL: zeros */
    const void *argument;
};

/* Make one of that name, or with NULL of one that nobody has.  Its memory is all there.  0; -EEXIST, -EINVAL, -ENOSPC, -errno. */
int plait__segment_make(struct plait__segment *segment, const char *name, size_t size, struct plait__content content);

/* Map one that is there, as large as it is. */
int plait__segment_attach(struct plait__segment *segment, const char *name);

void plait__segment_unmap(struct plait__segment *segment);

/* 0, -ENOENT, -errno. */
int plait__segment_unlink(const struct plait__segment *segment);

#endif
