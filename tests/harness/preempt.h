/* preempt.h - the loop of all tests that hold one process after every instruction of an operation, while another runs a whole one.
 *
 *     static const struct preempt_case put_put = { .first = { .run = ... }, .second = ..., .set_up = ..., .check = ... };
 *     static const struct CMUnitTest tests[] = { PREEMPT_TEST(put_put) };
 *
 * The second runs until it has finished or sleeps because of the first; then the first goes on, and both must come to an end.
 * Some mistakes in the order of stores show only here: after a death everybody looks again, after a preemption nobody does.
 */
#ifndef PLAIT_TEST_PREEMPT_H
#define PLAIT_TEST_PREEMPT_H

#include "step.h"

struct preempt_case {
    struct step_operation first;
    void (*second)(void);
    void (*prepare_second)(void);                          /* run by the second, before the first begins; may be NULL */
    void (*set_up)(void);
    void (*held)(void);                                    /* run by the tester when the second has finished or sleeps */
    void (*first_done)(void);                              /* ... when the first has finished */
    void (*both_done)(void);                               /* ... when both have, and are still members; all three may be NULL */
    void (*check)(void);                                   /* all have left */
    void (*tear_down)(void);                               /* may be NULL */
    /* A long operation only: it is held after every change of the regions, and at its every `stride`th instruction (of the first
     * `most`, if that is not 0).  Any other is held after every instruction. */
    const struct step_region *(*regions)(void);
    long stride, most;
    bool when_woken;                                       /* of its instructions, only those after its wake() */
};

#define PREEMPT_TEST(of) { #of, preempt_at_every_point, NULL, NULL, (void *)&(of) }

void preempt_at_every_point(void **state);

#endif
