/* guest.h - what a library must leave alone in the program that it is a guest of, as text: one line for each thing.
 *
 *     struct guest before, after;
 *     guest_look(&before);
 *     ...
 *     guest_look(&after);
 *     guest_must_be_as(&before, &after, NULL);
 *
 * Lines begin with what they are about: "fd", "children", "threads", "signal", "mask", "pending", "timer", "umask", "cwd",
 * "environment", "name", "death" (the signal at the end of the parent), "process", "limit", "cpus", "file" (in the current folder
 * and $TMPDIR; the runner looks at /dev/shm). */
#ifndef PLAIT_TEST_GUEST_H
#define PLAIT_TEST_GUEST_H

#include "harness.h"

enum { GUEST_TEXT = 1 << 16 };

struct guest {
    char text[GUEST_TEXT];
};

/* The arena's descriptor is left out: one may be there, and stays. */
void guest_look(struct guest *guest);

/* CHECKs that no line has come, gone or changed, but for those that begin with one of the words in `but` (NULL: none). */
void guest_must_be_as(const struct guest *before, const struct guest *now, const char *but);

#endif
