/* kill.h - the loop of all tests that kill somebody after every instruction of an operation.
 *
 *     static const struct kill_case put = { .operation = { .run = ... }, .set_up = ..., .look = ..., .check = ... };
 *     static const struct CMUnitTest tests[] = { KILL_TESTS(put) };
 *
 * runs it twice: `put`, and `put_beside_a_stopped_member`, where another member of the family is stopped all the time.
 */
#ifndef PLAIT_TEST_KILL_H
#define PLAIT_TEST_KILL_H

#include "step.h"

struct kill_case {
    struct step_operation operation;
    void (*set_up)(void);                                  /* make the objects, start who else is there */
    bool (*look)(const struct stepped *victim);            /* at the moment of death: has the operation taken effect? */
    void (*check)(const struct stepped *victim, bool done);    /* the survivors go on */
    void (*tear_down)(void);                               /* when everything is repaired: free the objects; may be NULL */
    const struct step_region *(*regions)(void);            /* where the operation can be seen at work, see step_to_change */
    bool long_one;                                         /* too long for a death after every instruction */
    bool by_calls;                                         /* very long, with many system calls: see step_to_call.  It dies at
                                                              each, and at some points in between */
};

#define KILL_TESTS(of)                                                                                \
    { #of, kill_at_every_point, NULL, NULL, (void *)&(of) },                                          \
    { #of "_beside_a_stopped_member", kill_beside_a_stopped_member, NULL, NULL, (void *)&(of) }

/* The first kills after every instruction (see step_next), or of long ones after every change; the second after every change, or
 * system call.
 * With PLAIT_STEP_ALL=1 (make steps) all of them do so after every single instruction.  Those by calls would take hours: the first
 * kills at each call, after each instruction in between that changes memory of the family, and after many others. What is not
 * to be seen in memory of the family or by a call dies with the dead one, so others can't tell those points apart. */
void kill_at_every_point(void **state);
void kill_beside_a_stopped_member(void **state);

#endif
