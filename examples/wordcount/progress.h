/* progress.h - a bar on the terminal, drawn by a process of its own. */
#ifndef WORDCOUNT_PROGRESS_H
#define WORDCOUNT_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

#include <plait.h>

/* In shared memory: whoever works on the files adds to `done`. */
struct progress {
    _Atomic uint64_t done, total;                          /* bytes */
    _Atomic(const char *) phase;                           /* what is being done, a string literal */
    plait_queue *over;                                     /* closed when there is nothing more to draw */
};

/* Where standard error is no terminal nothing is drawn.  NULL: errno says why. */
struct progress *progress_begin(void);
void progress_phase(struct progress *progress, const char *phase, uint64_t total);
void progress_add(struct progress *progress, uint64_t bytes);

/* The bar is gone, the line is empty. */
void progress_end(struct progress *progress);

/* The same in a hurry, for a signal handler of a process that is about to end. */
void progress_wipe(void);

#endif
