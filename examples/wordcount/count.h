/* count.h - counting the words of many files: map and reduce on a pool. */
#ifndef WORDCOUNT_COUNT_H
#define WORDCOUNT_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <plait.h>

#include "files.h"
#include "progress.h"
#include "words.h"

/* What was counted.  Each word is in one of the bags, in the one of its partition. */
struct outcome {
    int workers;
    double seconds;                                        /* to start the pool, read, count, merge, and end the pool */
    uint64_t words, different, bytes;
    struct bag bags[PARTITIONS];
    struct room *room;                                     /* where all that lies */
};

/* Count with a pool of that kind and size.  Returns 0; otherwise an error, which has been told on standard error. */
int count(const struct files *files, const plait_pool_options *pool, struct progress *progress, struct outcome *outcome);
void outcome_free(struct outcome *outcome);

/* Say on standard error what failed, and why; returns the error. */
int complain(const char *what, int error);

/* The same words, each as often?  1, 0 or -ENOMEM. */
int outcome_same(const struct outcome *one, const struct outcome *other);

/* The `most` words that are there most often, these first, and of equal ones by the alphabet.  Returns how many, or -ENOMEM;
 * *top is the caller's to free(), the words in it are the outcome's. */
long outcome_top(const struct outcome *outcome, size_t most, const struct word ***top);

#endif
