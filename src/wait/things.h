/* wait/things.h - the things that one call waits for, and where each would tell of a change. */
#ifndef PLAIT_WAIT_THINGS_H
#define PLAIT_WAIT_THINGS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plait/wait.h>

#include "family/waitable.h"

struct plait__things {
    plait_waitable *all;
    size_t n;
    struct plait__place *places;                           /* of each, as of the last look */
    size_t words, fds;                                     /* how many of the places have some */
    int64_t again;                                         /* the earliest of them; 0: none */
};

/* All arguments that can be checked without a look.  0 or an error. */
int plait__things_check(const plait_waitable *things, size_t n);

int plait__thing_not_open(const plait_waitable *thing, size_t i);

/* Look at all of them.  `ready` is set, but for descriptors, which are left to a poll: 0.  How many are ready, or an error; then
 * none is. */
int plait__things_look(struct plait__things *things, bool arms);

/* Once more at those that need no descriptor: is one of them ready? */
bool plait__things_any_word_ready(struct plait__things *things);

/* What a poll has reported for the place of thing i.  1: so it is ready; 0: that has to be looked at; -EBADF. */
int plait__things_told(struct plait__things *things, size_t i, short reported);

/* The kernel refuses to poll more entries than this process may have descriptors, also those that are none: `packed`, with room for
 * n, are those that are some.  How many; and back, what was reported of them. */
unsigned plait__things_pack(const struct pollfd *polled, size_t n, struct pollfd *packed);
void plait__things_unpack(struct pollfd *polled, size_t n, const struct pollfd *packed);

/* Who slept on words leaves what it was woken for. */
void plait__things_pass_on(struct plait__things *things);

/* None is ready. */
void plait__things_forget(struct plait__things *things);

#endif
