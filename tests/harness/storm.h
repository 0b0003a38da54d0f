/* storm.h - members that work, are killed at random moments and replaced; others that only sleep are stopped and continued.
 *
 *     struct storm storm = { .workers = 6, .body = work, .progress = &shared->count };
 *     storm_rage(&storm);              for PLAIT_STORM_SECONDS (2)
 *     ... make the workers end, e.g. by closing their queue; storm_is_over() tells them ...
 *     storm_end(&storm);
 */
#ifndef PLAIT_TEST_STORM_H
#define PLAIT_TEST_STORM_H

#include "harness.h"

enum { STORM_WORKERS = 16, STORM_BYSTANDERS = 3 };

struct storm {
    int workers;
    void (*body)(int place, uint64_t random);              /* in the worker; it need not leave the family */
    void (*killed)(int place);                             /* in the tester, when the worker is gone; may be NULL */
    void (*until_alone)(void);                             /* in the tester, at the end: until what the killed had started is gone,
                                                              which may be a moment after them; may be NULL */
    _Atomic uint64_t *progress;                            /* grows as long as all is well; else the test fails after 5 s */

    /* What happened. */
    long kills, kills_of[STORM_WORKERS], stops;
    double longest_stall;                                  /* seconds */

    struct storm_state *state;
};

/* Make the family; before the objects of the test. */
void storm_family(void);

void storm_rage(struct storm *storm);
void storm_end(struct storm *storm);

/* For the workers: the storm is over, come to an end. */
bool storm_is_over(void);

/* The same, for workers that the test has started by itself. */
void storm_stop(void);

#endif
